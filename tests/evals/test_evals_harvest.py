"""Activations at a hook point: the model's own, in order, and errors that say what to do."""

from typing import Any

import pytest
import torch
from known import HOOK
from torch import Tensor

from sae_course.evals import harvest
from sae_course.models import load_model
from sae_course.runtime import CourseError


@pytest.fixture(scope="module")
def attention() -> Any:
    return load_model("attn-only-2l-demo", "mini", device="cpu", quiet=True)


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_they_are_the_full_pass_s(model: Any, tokens: Tensor, batch: int) -> None:
    _, cache = model.run_with_cache(tokens)
    found = harvest(model, tokens, HOOK, batch=batch)
    torch.testing.assert_close(found, cache[HOOK], rtol=1e-4, atol=1e-5)
    assert not found.requires_grad
    weight = torch.ones(found.shape[-1], requires_grad=True)
    (found @ weight).sum().backward()  # fit to be trained on


def test_no_graph_is_built(model: Any, tokens: Tensor) -> None:
    seen = []
    with model.hooks(fwd_hooks=[(HOOK, lambda value, hook: seen.append(value.requires_grad))]):
        harvest(model, tokens, HOOK)
    assert seen == [False]


def test_heads_are_flattened(attention: Any, tokens: Tensor) -> None:
    _, cache = attention.run_with_cache(tokens)
    for layer in (0, 1):
        name = f"blocks.{layer}.attn.hook_z"
        rows, pos, heads, d_head = cache[name].shape
        expected = cache[name].reshape(rows, pos, heads * d_head)
        torch.testing.assert_close(harvest(attention, tokens, name), expected, rtol=1e-4, atol=1e-5)


def test_what_lies_above_is_not_computed(
    attention: Any, tokens: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("layer 1 ran")

    monkeypatch.setattr(attention.blocks[1], "forward", never)
    harvest(attention, tokens, "blocks.0.hook_resid_post")
    harvest(attention, tokens, "hook_embed")
    with pytest.raises(AssertionError, match="layer 1 ran"):
        harvest(attention, tokens, "blocks.1.hook_resid_post")


def test_positions(model: Any, tokens: Tensor, activations: Tensor) -> None:
    assert torch.equal(harvest(model, tokens, HOOK, positions=slice(1, None)), activations[:, 1:])
    assert torch.equal(
        harvest(model, tokens.numpy(), HOOK, positions=[3, -1], batch=4), activations[:, [3, -1]]
    )


def test_a_hook_point_that_there_is_not(model: Any, tokens: Tensor) -> None:
    with pytest.raises(CourseError, match=r"no hook point \"blocks.0.mlp_out\". The nearest: .*hook_mlp_out"):
        harvest(model, tokens, "blocks.0.mlp_out")
    with pytest.raises(CourseError, match="one vector for each token"):
        harvest(model, tokens[:, : model.cfg.n_heads], "blocks.0.attn.hook_pattern")
    with pytest.raises(CourseError, match="set_use_attn_result"):
        harvest(model, tokens, "blocks.0.attn.hook_result")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.float(), "float32"),
        (lambda t: t > 3, "bool"),
        (lambda t: t[0], r"\[48\]"),
        (lambda t: t[:0], "0 rows"),
        (lambda t: t.repeat(1, 20), "960 tokens"),
        (lambda t: t + 5000, "made for another model"),
        (lambda t: t - 5000, "Token -"),
    ],
)
def test_tokens_of_the_wrong_kind(model: Any, tokens: Tensor, change: Any, words: str) -> None:
    with pytest.raises(CourseError, match=words):
        harvest(model, change(tokens), HOOK)
