"""The numbers of a page against slow, independent computations."""

import copy
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sae_lens
import specimens
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sae_course.dashboards import latent_dashboard
from sae_course.dashboards.examples import BEFORE, spread, strongest
from sae_course.dashboards.numbers import Correlations, Histogram
from sae_course.dashboards.sae_vis_script import ticks

HOOKS = {
    "blocks.0.hook_mlp_out": {},
    "blocks.0.hook_resid_post": {},
    "blocks.0.mlp.hook_post": {},
    "blocks.0.attn.hook_z": {"attn_only": True},
}
KINDS = ("standard", "topk", "jumprelu", "gated")
LATENTS = [7, 2, 19]


def slow_activations(model: Any, sae: Any, tokens: Tensor) -> Tensor:
    """One row at a time, by the SAE's own encode, heads and all: [rows, pos, d_sae]."""
    found = []
    for row in tokens:
        _, cache = model.run_with_cache(row[None])
        with torch.no_grad():
            found.append(sae.encode(cache[sae.cfg.metadata.hook_name])[0])
    return torch.stack(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook_point", HOOKS)
def test_where_latents_fire(hook_point: str, kind: str) -> None:
    model, sae = specimens.model(**HOOKS[hook_point]), specimens.sae(hook_point, kind)
    tokens = specimens.tokens(rows=20)
    board = latent_dashboard(model, sae, tokens, LATENTS)
    a = slow_activations(model, sae, tokens)
    assert list(board.latents) == LATENTS
    for latent, one in board.latents.items():
        mine = a[..., latent]
        fired = [(float(mine[r, p]), r, p) for r in range(20) for p in range(24) if mine[r, p] > 0]
        assert one.density == pytest.approx(len(fired) / tokens.numel())
        assert one.tokens == tokens.numel()
        assert one.maximum == pytest.approx(max(fired)[0], rel=1e-5)
        assert sum(one.histogram.counts) == len(fired)
        first = one.strongest[0]
        assert (first.row, first.pos) == max(fired)[1:]
        for example in one.examples:
            shown = slice(example.start, example.start + len(example.tokens))
            assert example.tokens == tokens[example.row, shown].tolist()
            torch.testing.assert_close(torch.tensor(example.activations), mine[example.row, shown])
        assert sum(group.share for group in one.groups) == pytest.approx(1)


@pytest.mark.parametrize("norm", ["LN", "RMS"])
@pytest.mark.parametrize(
    ("hook_point", "kind"),
    [
        ("blocks.1.hook_mlp_out", "standard"),
        ("blocks.1.mlp.hook_post", "gated"),
        ("blocks.1.hook_resid_post", "standard"),
        ("blocks.1.hook_mlp_out", "topk by norm"),
    ],
)
def test_effects_are_those_of_running_the_model_without_the_latent(
    hook_point: str, kind: str, norm: str
) -> None:
    """At the last layer the straight way is the only one: the page's numbers are an ablation's."""
    model, sae = specimens.model(layers=2, norm=norm), specimens.sae(hook_point, kind)
    tokens = specimens.tokens()
    one = latent_dashboard(model, sae, tokens, 7).latents[7]
    a = slow_activations(model, sae, tokens)[..., 7]
    compared = 0
    for example in one.strongest[:5]:
        for i, effect in enumerate(example.effects):
            pos = example.start + i - 1
            if pos < 0 or a[example.row, pos] == 0:
                assert effect is None
                continue
            row, came = tokens[example.row][None], int(tokens[example.row, pos + 1])

            def without(value: Tensor, hook: Any, row: int = example.row, pos: int = pos) -> Tensor:
                alone = torch.zeros(1, 32)
                alone[0, 7] = a[row, pos]
                value[0, pos] -= (sae.decode(alone) - sae.decode(torch.zeros(1, 32)))[0]
                return value

            with torch.no_grad():
                whole = model(row)[0, pos].log_softmax(-1)
                ablated = model.run_with_hooks(row, fwd_hooks=[(hook_point, without)])[0, pos].log_softmax(-1)
            change = whole - ablated
            assert effect.probability == pytest.approx(math.exp(whole[came]), rel=1e-4)
            assert effect.without == pytest.approx(math.exp(ablated[came]), rel=1e-4)
            assert effect.loss == pytest.approx(float(ablated[came] - whole[came]), abs=1e-4)
            up = sorted(range(len(change)), key=lambda token: -change[token])[:5]
            assert [token for token, _ in effect.up] == up
            assert effect.down[0][1] == pytest.approx(float(change.min()), abs=1e-4)
            compared += 1
    assert compared >= 10


def test_what_a_latent_raises_is_its_direction_through_norm_and_unembedding() -> None:
    model, sae = specimens.model(), specimens.sae("blocks.0.mlp.hook_post")
    one = latent_dashboard(model, sae, specimens.tokens(), 7).latents[7]
    d = sae.W_dec[7] / sae.W_dec[7].norm() @ model.W_out[0]
    logits = ((d - d.mean()) * model.ln_final.w) @ model.W_U
    logits = (logits - logits.mean()).detach()
    assert one.top == [
        (int(i), pytest.approx(float(logits[i]), abs=1e-5)) for i in logits.argsort(descending=True)[:10]
    ]
    assert one.bottom == [(int(i), pytest.approx(float(logits[i]), abs=1e-5)) for i in logits.argsort()[:10]]
    example = one.strongest[0]
    at = example.pos - example.start + 1  # the token after it
    effect = example.effects[at]
    scale = example.activations[at - 1] * float(sae.W_dec[7].detach().norm())
    assert effect.logit == pytest.approx(scale * float(logits[example.tokens[at]]), rel=1e-4)


@pytest.mark.parametrize("hook_point", ["blocks.0.hook_mlp_out", "blocks.0.mlp.hook_post"])
def test_who_fires_with_whom(hook_point: str) -> None:
    model, sae, tokens = specimens.model(), specimens.sae(hook_point), specimens.tokens(rows=40)
    one = latent_dashboard(model, sae, tokens, [2, 7]).latents[7]
    a = slow_activations(model, sae, tokens).flatten(0, 1).double().numpy()
    with np.errstate(invalid="ignore"):
        r = np.nan_to_num(np.corrcoef(a.T)[7])
    r[7] = 0
    best = np.argsort(-r)[:5]
    assert [i for i, _, _ in one.correlated] == best.tolist()
    for i, pearson, cosine in one.correlated:
        assert pearson == pytest.approx(r[i], abs=1e-5)
        assert cosine == pytest.approx(a[:, i] @ a[:, 7] / np.linalg.norm(a[:, i]) / np.linalg.norm(a[:, 7]))
    if hook_point.endswith("hook_post"):
        _, cache = model.run_with_cache(tokens)
        neurons = cache[hook_point].flatten(0, 1).double().numpy()
        r = [np.corrcoef(a[:, 7], neuron)[0, 1] for neuron in neurons.T]
        assert one.fire_with[0][:2] == (int(np.argmax(r)), pytest.approx(max(r), abs=1e-5))
        assert one.neurons[0][0] == int(sae.W_dec[7].abs().argmax())
        share = float((sae.W_dec[7].abs().max() / sae.W_dec[7].abs().sum()).detach())
        assert one.neurons[0][2] == pytest.approx(share)
    else:
        assert one.neurons == one.fire_with == []


def test_sources_of_an_attention_latent_add_up_to_what_it_reads() -> None:
    model = specimens.model(layers=2, attn_only=True)
    sae = specimens.sae("blocks.1.attn.hook_z")
    tokens = specimens.tokens(rows=30, pos=4)  # short: every source is in the window
    one = latent_dashboard(model, sae, tokens, 7).latents[7]
    _, cache = model.run_with_cache(tokens)
    z = cache["blocks.1.attn.hook_z"].flatten(2)
    assert one.strongest
    for example in one.examples:
        assert example.sources.start == 0
        assert example.sources.tokens == tokens[example.row].tolist()
        read = float((z[example.row, example.pos] @ sae.W_enc[:, 7]).detach())
        assert sum(example.sources.values) == pytest.approx(read, abs=1e-4)


def test_a_dead_latent_has_a_page() -> None:
    board = latent_dashboard(
        specimens.model(), specimens.sae("blocks.0.hook_mlp_out"), specimens.tokens(), [5, 7]
    )
    dead = board.latents[5]
    assert not dead.fired
    assert (dead.density, dead.maximum, dead.histogram, dead.strongest, dead.groups) == (0, 0, None, [], [])
    assert len(dead.top) == 10
    assert dead.correlated == []
    assert "never fired" in str(board)
    assert "never fired on these 288 tokens" in board._repr_html_()
    assert board.as_dict()["latents"][0]["density"] == 0


def test_what_training_left_out_is_not_counted() -> None:
    model, tokens = specimens.model(), specimens.tokens()
    sae = specimens.sae("blocks.0.hook_mlp_out", exclude_special_tokens=True, seqpos_slice=(0, -3))
    one = latent_dashboard(model, sae, tokens, 7).latents[7]
    assert one.tokens == 12 * (24 - 1 - 3)
    a = slow_activations(model, sae, tokens)[:, 1:-3, 7]
    assert one.density == pytest.approx(float((a > 0).float().mean()))
    assert all(0 < example.pos < 21 for example in one.examples)


def test_a_training_sae_is_shown_as_it_will_be_used(tmp_path: Path) -> None:
    model, tokens = specimens.model(), specimens.tokens()
    training = specimens.sae("blocks.0.hook_mlp_out", "batchtopk training")
    training.topk_threshold = torch.tensor(0.7, dtype=torch.double)
    before = copy.deepcopy(training.state_dict())
    one = latent_dashboard(model, training, tokens, 7).latents[7]
    training.save_inference_model(tmp_path)
    a = slow_activations(model, sae_lens.SAE.load_from_disk(tmp_path), tokens)[..., 7]
    assert one.density == pytest.approx(float((a > 0).float().mean()))
    assert one.maximum == pytest.approx(float(a.max()), rel=1e-5)
    for name, value in training.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("hook_point", HOOKS)
def test_nothing_else_is_touched(hook_point: str, capfd: pytest.CaptureFixture[str]) -> None:
    model, sae = specimens.model(**HOOKS[hook_point]), specimens.sae(hook_point)
    sae.train()
    sae._use_error_term = True
    was = copy.deepcopy((sae.cfg.to_dict(), sae.state_dict(), model.state_dict()))
    state = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    latent_dashboard(model, sae, specimens.tokens(), [7, 2]).html  # noqa: B018
    now = (sae.cfg.to_dict(), sae.state_dict(), model.state_dict())
    assert was[0] == now[0]
    for old, new in zip(was[1:], now[1:], strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert sae.training
    assert sae.use_error_term
    assert sae.hook_z_reshaping_mode == hook_point.endswith("hook_z")
    assert not any(hook.fwd_hooks for hook in [*sae.hook_dict.values(), *model.hook_dict.values()])
    assert model.acts_to_saes == {}
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()
    assert state[2] == random.getstate()
    assert capfd.readouterr() == ("", "")  # no bars


def grids() -> st.SearchStrategy[Tensor]:
    """Activations with many ties and zeros."""
    return st.integers(1, 4).flatmap(
        lambda rows: st.lists(
            st.lists(st.sampled_from([0.0, 0.0, 0.25, 1.0, 1.5, 3.0]), min_size=30, max_size=30),
            min_size=rows,
            max_size=rows,
        ).map(torch.tensor)
    )


@settings(max_examples=60, deadline=None)
@given(a=grids(), n=st.integers(1, 8))
def test_the_strongest_are_strong_and_apart(a: Tensor, n: int) -> None:
    places = strongest(a, n)
    assert len(places) <= n
    values = [float(a[place]) for place in places]
    assert values == sorted(values, reverse=True)
    for i, (row, pos) in enumerate(places):
        assert a[row, pos] > 0
        assert all(row != other or abs(pos - at) > BEFORE for other, at in places[:i])
    # Nothing stronger was passed over, unless it stands beside one that was taken.
    for row, pos in torch.nonzero(a > 0).tolist():
        near = any(row == other and abs(pos - at) <= BEFORE for other, at in places)
        assert near or (len(places) == n and a[row, pos] <= values[-1])


@settings(max_examples=60, deadline=None)
@given(a=grids().filter(lambda a: bool((a > 0).any())), parts=st.integers(1, 10), n=st.integers(1, 5))
def test_every_part_of_the_range_shows_its_own(a: Tensor, parts: int, n: int) -> None:
    groups = spread(a, parts, n, seed=0)
    assert len(groups) == parts
    assert sum(share for _, _, share, _ in groups) == pytest.approx(1)
    assert groups[0][1] == a.max()
    for low, high, share, places in groups:
        inside = ((a > low) & (a <= high)).sum() if high < a.max() else (a > low).sum()
        assert share == pytest.approx(float(inside / (a > 0).sum()))
        assert len(places) == min(n, int(inside)) == len(set(places))
        assert all(low < a[place] <= high for place in places)


def test_correlations_come_in_parts() -> None:
    stream = np.random.default_rng(0)
    x, y = stream.normal(size=(50, 2)), stream.normal(size=(50, 6)) + 100
    sums = Correlations()
    for part in np.array_split(np.arange(50), 7):
        sums.add(torch.tensor(x[part]), torch.tensor(y[part]))
    best = sums.top(6)
    for column, found in enumerate(best):
        for i, r, _ in found:
            assert r == pytest.approx(np.corrcoef(x[:, column], y[:, i])[0, 1])


def test_a_histogram_of_one_value_has_a_width() -> None:
    one = Histogram.of(torch.tensor([2.0, 2.0]))
    assert sum(one.counts) == 2
    assert one.edges[0] < 2 < one.edges[-1]


@settings(max_examples=200, deadline=None)
@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-4, 1e6))
def test_ticks_are_few_and_inside(low: float, width: float) -> None:
    """sae_vis' own are up to 200,000 where values are small."""
    found = ticks(low, low + width)
    assert 0.0 in found
    assert 2 <= len(found) <= 12
    reach = max(abs(low), abs(low + width)) * 1.001
    assert all(-reach <= tick <= reach for tick in found)
