"""The logit lens against what the model does when the latent is added and the norm's size held still."""

from typing import Any

import pytest
import torch
from known import HOOK, Own, theirs
from torch import Tensor

from sae_course.evals import logit_lens, top_tokens
from sae_course.models import load_model
from sae_course.runtime import CourseError


def by_adding(model: Any, tokens: Tensor, hook_point: str, direction: Tensor) -> Tensor:
    """Logits with the direction added less those without, all norms' sizes held; times the final norm's."""
    kept: dict[str, Tensor] = {}
    norms = [name for name in model.hook_dict if name.endswith("hook_scale")]

    def keep(value: Tensor, hook: Any) -> None:
        kept[hook.name] = value

    def hold(value: Tensor, hook: Any) -> Tensor:
        return kept[hook.name]

    def add(value: Tensor, hook: Any) -> Tensor:
        return value + direction.reshape(value.shape[2:])

    with torch.no_grad():
        before = model.run_with_hooks(tokens, fwd_hooks=[(name, keep) for name in norms])
        holding = [(name, hold) for name in norms]
        after = model.run_with_hooks(tokens, fwd_hooks=[*holding, (hook_point, add)])
    change = (after - before) * kept["ln_final.hook_scale"]
    return (change - change.mean(-1, keepdim=True))[0, -1]


@pytest.mark.parametrize(
    ("name", "hook_point"),
    [
        ("tiny-stories-1L-21M", HOOK),
        ("tiny-stories-1L-21M", "blocks.0.mlp.hook_post"),
        ("attn-only-2l-demo", "blocks.1.attn.hook_z"),
        ("gemma-2-2b", "blocks.3.hook_resid_post"),
        ("gemma-2-2b", "blocks.3.attn.hook_z"),
    ],
)
def test_exact_where_nothing_but_the_final_norm_comes_after(
    name: str, hook_point: str, tokens: Tensor
) -> None:
    model = load_model(name, "mini", device="cpu", quiet=True)
    model.cfg.output_logits_soft_cap = 0.0  # left out of the lens, as its docstring says
    last = model.cfg.n_layers - 1
    hook_point = hook_point.replace("blocks.3", f"blocks.{last}")
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens[:1], names_filter=hook_point)
    d_in = cache[hook_point].flatten(2).shape[-1]
    sae = theirs(hook_point, d_in)
    row = logit_lens(model, sae, [7, 2])[1]
    direction = sae.W_dec[2].detach() / sae.W_dec[2].norm().detach()
    if name == "gemma-2-2b" and hook_point.endswith("hook_z"):
        # The MLP after it reads it, and a norm stands between: only the direct path, up to that norm's size.
        block = model.blocks[last]
        written = direction @ block.attn.W_O.flatten(0, 1) * block.ln1_post.w
        expected = (written * model.ln_final.w @ model.W_U).detach()
        expected = expected - expected.mean()
    else:
        expected = by_adding(model, tokens[:1], hook_point, direction)
    torch.testing.assert_close(row, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()) + 1e-4)


def test_any_affine_decoder_will_do(model: Any) -> None:
    class Hidden:
        """No W_dec to look at."""

        def __init__(self, inner: Own) -> None:
            self.encode, self.decode = inner.encode, inner.decode

    own = Own(128, 10)
    torch.testing.assert_close(logit_lens(model, Hidden(own), [1, 4]), logit_lens(model, own, [1, 4]))
    ten = logit_lens(model, own, torch.arange(10))
    assert ten.shape == (10, model.cfg.d_vocab)
    assert not ten.requires_grad
    torch.testing.assert_close(ten.mean(1), torch.zeros(10), atol=1e-5, rtol=0)


def test_top_tokens(model: Any) -> None:
    row = torch.zeros(model.cfg.d_vocab)
    row[[5, 9, 11]] = torch.tensor([2.0, 3, -4])
    found = top_tokens(model, row, 2)
    spelled = [model.tokenizer.decode([token]) for token in (9, 5, 11)]
    assert found.positive == [(spelled[0], 3), (spelled[1], 2)]
    assert found.negative[0] == (spelled[2], -4)
    assert len(found.negative) == 2
    othello = load_model("othello-gpt", "mini", device="cpu", quiet=True)
    assert top_tokens(othello, torch.arange(61.0), 1) == ([("H8", 60)], [("pass", 0)])


def test_errors(model: Any) -> None:
    with pytest.raises(CourseError, match="0 to 9"):
        logit_lens(model, Own(128, 10), [10])
    with pytest.raises(CourseError, match="0 to 9"):
        logit_lens(model, Own(128, 10), [])
    with pytest.raises(CourseError, match="give its own hook_point"):
        logit_lens(model, Own(512, 10), [0])
    assert logit_lens(model, Own(512, 10), [0], hook_point="blocks.0.mlp.hook_post").shape == (1, 1096)
    with pytest.raises(CourseError, match=r"\[3\]"):
        top_tokens(model, torch.zeros(3))
