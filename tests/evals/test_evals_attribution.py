"""Activation × gradient of all pairs: a pair at a time, finite differences, and what it must sum to."""

import json
from typing import Any

import pytest
import torch
from circuit_subject import (
    D_SOURCE,
    D_TARGET,
    KINDS,
    MLP0,
    POS,
    RESID1,
    ROWS,
    Z0,
    Z1,
    Scene,
    before,
    scene,
    some_tokens,
    targets,
    targets_through,
    tiny_sae,
    written,
)
from known import Own
from torch import Tensor
from torch.testing import assert_close

from sae_course.evals import Attribution, Site, attribution_by_token, latent_attribution
from sae_course.models import load_model, token_stream
from sae_course.runtime import CourseError
from sae_course.training import shipped_run

ALL = pytest.mark.parametrize(("source", "target", "mlps"), KINDS)


def close(found: Tensor, expected: Tensor, rtol: float = 1e-5) -> None:
    """Totals are kept in float32."""
    assert expected.abs().max() > 1e-2
    largest = float(expected.abs().max())
    assert_close(found.double(), expected.double(), rtol=rtol, atol=rtol * largest)


def a_pair_at_a_time(one: Scene, where: Tensor) -> Tensor:
    """total[i, j] with source latent i a leaf of the graph, one gradient for each pair."""
    x, a, b = before(one)
    rows = written(one.source.sae)
    total = torch.zeros(a.shape[-1], b.shape[-1], dtype=torch.float64)
    for i in range(a.shape[-1]):
        leaf = a[..., i].clone().requires_grad_()
        found = targets(one, x + (leaf - a[..., i])[..., None] * rows[i])
        for j in range(b.shape[-1]):
            (gradient,) = torch.autograd.grad(found[..., j][where].sum(), leaf, retain_graph=True)
            total[i, j] = (gradient * a[..., i]).sum()
    return total


@ALL
def test_against_a_pair_at_a_time(source: str, target: str, mlps: bool) -> None:
    one = scene(source, target, mlps=mlps)
    everywhere, some = torch.ones_like(one.tokens, dtype=torch.bool), some_tokens(one)
    b = before(one).b
    for where, given in ((everywhere, None), (some, some), (some, some.numpy())):
        found = latent_attribution(*one, where=given)
        close(found.total, a_pair_at_a_time(one, where))
        assert_close(found.fired, b[where].sum(0))
        assert (found.n_tokens, found.steps) == (int(where.sum()), 1)
        assert (found.source, found.target) == ((MLP0, RESID1) if mlps else (Z0, Z1))


@ALL
def test_against_finite_differences(source: str, target: str, mlps: bool) -> None:
    """One source latent at one token up and down a little; thresholds are farther off than that."""
    one, h = scene(source, target, mlps=mlps, seed=3), 1e-6
    x, a, b = before(one)
    rows, where = written(one.source.sae), some_tokens(one)
    expected = torch.zeros(D_SOURCE, D_TARGET, dtype=torch.float64)
    with torch.no_grad():
        for i in range(D_SOURCE):
            for token in range(POS):  # in all rows at once: they don't see each other
                up, down = x.clone(), x.clone()
                up[:, token] += h * rows[i]
                down[:, token] -= h * rows[i]
                above, below = targets(one, up), targets(one, down)
                assert ((above > 0) == (b > 0)).all()
                slope = ((above - below) / (2 * h) * where[..., None]).sum(1)
                expected[i] += (a[:, token, i, None] * slope).sum(0)
    close(latent_attribution(*one, where=where).total, expected)


def test_the_shipped_saes_pair_by_pair() -> None:
    """The real thing in float32: a few of its pairs, on rows of held-out text."""
    stream = token_stream("attn-only-2l-demo", "mini", split="test", n_ctx=25).take(3)
    runs = [shipped_run(f"attn-only-2l-layer-{layer}") for layer in (0, 1)]
    one = Scene(
        load_model("attn-only-2l-demo", "mini", device="cpu", quiet=True),
        *(Site(run.config["hook_name"], run.sae()) for run in runs),
        torch.tensor([row["tokens"] for row in stream]),
    )
    found = latent_attribution(*one)
    x, a, _ = before(one)
    leaf = x.clone().requires_grad_()
    b, rows = targets(one, leaf), written(one.source.sae)
    for target in found.pairs(100).target.unique()[:10]:
        (gradient,) = torch.autograd.grad(b[..., target].sum(), leaf, retain_graph=True)
        close(found.total[:, target], (a * (gradient @ rows.T)).sum((0, 1)), rtol=1e-3)


def test_rows_do_not_see_each_other() -> None:
    """One backward pass serves another target in each row: as if each row had been alone."""
    one = scene("topk", "jumprelu", seed=1)
    where = some_tokens(one)
    where[1] = False
    where[2] = torch.arange(POS) == 3  # fewer targets than elsewhere
    whole = latent_attribution(*one, where=where)
    total = torch.zeros_like(whole.total)
    for row in (0, 2, 3):
        alone = latent_attribution(*one._replace(tokens=one.tokens[[row]]), where=where[[row]])
        total += alone.total
    close(total, whole.total)
    apart = latent_attribution(*one, where=where, steps=3).total
    order = torch.tensor([3, 1, 0, 2])
    again = latent_attribution(*one._replace(tokens=one.tokens[order]), where=where[order], steps=3).total
    close(again, apart)


def off_by(one: Scene, where: Tensor, steps: int) -> float:
    """How far the sums of integrated gradients are from what all source latents do, as a share of it."""
    x, a, b = before(one)
    with torch.no_grad():
        none = targets(one, x - a @ written(one.source.sae))  # the error and decode(0) stay
    expected = (b - none)[where].sum(0)
    found = latent_attribution(*one, where=where, steps=steps).total.sum(0)
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("mlps", [False, True])
def test_integrated_gradients_sum_to_what_all_of_them_do_together(mlps: bool) -> None:
    one = scene("topk", "own", mlps=mlps)
    where = some_tokens(one)
    off = {steps: off_by(one, where, steps) for steps in (1, 4, 64)}
    assert off[64] < 0.01
    assert off[1] > 4 * off[4] > 8 * off[64]
    assert latent_attribution(*one, steps=2).steps == 2


def test_gradients_are_taken_in_the_middles_of_the_steps() -> None:
    """Where nothing is switched on or off on the way, half the step is a quarter of the error."""
    one = scene("own", "own")
    one.target.sae.b_enc.data += 100
    where = some_tokens(one)
    assert off_by(one, where, 32) == pytest.approx(off_by(one, where, 16) / 4, rel=0.2)


@pytest.mark.parametrize("kind", ["own", "topk"])
def test_where_all_is_linear_the_gradient_is_the_ablation(kind: str) -> None:
    """Without LayerNorm, with the pattern held and all target latents above their threshold."""
    one = scene(kind, "jumprelu", norm=None)
    one.target.sae.b_enc.data += 1000
    x, a, b = before(one)
    rows = written(one.source.sae)
    with torch.no_grad():
        lost = torch.stack(
            [
                (b - targets_through(one, x - a[..., i, None] * rows[i], "v")).sum((0, 1))
                for i in range(D_SOURCE)
            ]
        )
    close(latent_attribution(*one, through="v").total, lost)
    close(latent_attribution(*one, through="v", steps=3).total, lost)
    assert (latent_attribution(*one).total - lost).abs().max() > 0.1, "the pattern matters"


@pytest.mark.parametrize("kinds", [("own", "topk"), ("topk", "jumprelu")])
def test_what_goes_through_queries_keys_and_values(kinds: tuple[str, str]) -> None:
    one = scene(*kinds)
    x, a, _ = before(one)
    rows, parts = written(one.source.sae), {}
    for letters in ("q", "k", "v", "qk"):
        leaf = x.clone().requires_grad_()
        found = targets_through(one, leaf, letters)
        expected = torch.stack(
            [
                (a * (torch.autograd.grad(found[..., j].sum(), leaf, retain_graph=True)[0] @ rows.T)).sum(
                    (0, 1)
                )
                for j in range(D_TARGET)
            ],
            dim=1,
        )
        parts[letters] = latent_attribution(*one, through=list(letters)).total
        close(parts[letters], expected)
    whole = latent_attribution(*one).total
    close(parts["q"] + parts["k"] + parts["v"], whole)
    close(parts["q"] + parts["k"], parts["qk"])
    close(latent_attribution(*one, through="blocks.1.attn.hook_k").total, parts["k"])
    close(latent_attribution(*one, through="blocks.0.hook_resid_post").total, whole)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("through", [None, "k"])
def test_the_terms_token_by_token(steps: int, through: str | None) -> None:
    one = scene("jumprelu", "gated")
    _, a, b = before(one)
    row, position, latent = (int(index) for index in torch.nonzero(b[:, 4:] > 0)[5])
    position += 4
    where = torch.zeros_like(one.tokens, dtype=torch.bool)
    where[row, position] = True
    settings: dict[str, Any] = {"through": through, "steps": steps}
    found = attribution_by_token(*one[:3], one.tokens[row], latent, position, **settings)
    assert found.shape == (POS, D_SOURCE)
    assert not found.requires_grad
    assert not found[a[row] == 0].any()
    assert not found[position + 1 :].any()
    assert found[:position].abs().max() > 1e-3, "not from its own token alone"
    close(found.sum(0), latent_attribution(*one, where=where, **settings).total[:, latent])


def test_a_place_where_the_target_is_silent() -> None:
    one = scene("own", "own")
    row, position, latent = (int(index) for index in torch.nonzero(before(one).b == 0)[0])
    assert not attribution_by_token(*one[:3], one.tokens[row], latent, position).any()


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("ask", ["latent_attribution", "attribution_by_token"])
def test_nothing_is_left_behind(gradients: bool, ask: str) -> None:
    one = scene("topk", "own")
    sae, learners = one.source.sae, one.target.sae
    sae.train()
    learners.train()
    with torch.set_grad_enabled(gradients):
        if ask == "latent_attribution":
            latent_attribution(*one, through="k", steps=2)
        else:
            attribution_by_token(*one[:3], one.tokens[0], 1, 2)
        assert torch.is_grad_enabled() == gradients
    points = {**one.model.hook_dict, **sae.hook_dict}
    assert not [name for name, point in points.items() if point.fwd_hooks or point._forward_hooks]
    assert sae.training
    assert learners.training
    assert sae.hook_z_reshaping_mode
    for module in (one.model, sae, learners):
        for weights in module.parameters():
            assert weights.grad is None
            assert weights.requires_grad
    sae.eval()
    with pytest.raises(CourseError):
        latent_attribution(*one, through="nowhere")
    assert not sae.training
    assert sae.hook_z_reshaping_mode


def made_up() -> Attribution:
    """Target 1 doesn't fire; on the way of integrated gradients it did."""
    total = torch.tensor([[1.0, 0.0, 6.0, 0.0], [-2.0, 4.0, 3.0, 0.0], [0.5, 0.0, 0.0, 0.0]])
    return Attribution("below", "above", total, torch.tensor([2.0, 0.0, 10.0, 1.0]), 1234, 1)


def test_shares_and_the_best_pairs() -> None:
    found = made_up()
    share = found.share
    assert share[:, 1].isnan().all()
    assert_close(share[:, [0, 2, 3]], torch.tensor([[0.5, 0.6, 0], [-1, 0.3, 0], [0.25, 0, 0]]))
    best = found.pairs(4)
    assert list(best.columns) == ["source", "target", "total", "share"]
    assert list(zip(best.source, best.target, strict=True)) == [(0, 2), (0, 0), (1, 2), (2, 0)]
    assert best.total.tolist() == [6, 1, 3, 0.5]
    assert best.share.tolist() == pytest.approx([0.6, 0.5, 0.3, 0.25])
    assert len(found.pairs(100)) == 9, "a target that doesn't fire has no share"
    among = torch.zeros(3, 4, dtype=torch.bool)
    among[1] = True
    assert found.pairs(100, among=among).target.tolist() == [2, 3, 0]
    assert not len(found.pairs(among=torch.zeros(3, 4, dtype=torch.bool)))
    with pytest.raises(CourseError, match=r"shape \[4, 3\], the pairs \[3, 4\]"):
        found.pairs(among=among.T)


def test_it_says_what_it_is() -> None:
    found = made_up()
    lines = str(found).split("\n  ")
    assert lines[0] == "below → above, plain gradient, 3 target latents fire on 1,234 tokens"
    assert lines[1] == "latent 0 → latent 2: +60.0% of what it fires"
    assert len(lines) == 6
    many = Attribution("below", "above", found.total, found.fired, 1234, 8)
    assert "gradients integrated in 8 steps" in repr(many)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["pairs"] == [[0, 0], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0]]
    assert plain["total"] == [1, 6, -2, 4, 3, 0.5]
    assert plain["fired"] == [2, 0, 10, 1]
    assert (plain["source"], plain["target"], plain["n_tokens"], plain["steps"]) == (
        "below",
        "above",
        1234,
        1,
    )


ONE = scene("own", "own")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "at least 1; it is 0"),
        ({"where": torch.ones(ROWS, POS)}, r"torch.float32 \[4, 6\]"),
        ({"where": torch.ones(ROWS, POS - 1, dtype=torch.bool)}, r"\[4, 6\]; this is torch.bool \[4, 5\]"),
        ({"where": torch.zeros(ROWS, POS, dtype=torch.bool)}, "true of no token"),
        ({"source": Site("blocks.0.hook_z", None)}, "no hook point"),
        ({"source": ONE.target, "target": ONE.source}, "computed before"),
        ({"target": ONE.source}, "or is the same"),
        ({"target": Site(Z1, tiny_sae("topk", Z1, 8, 9))}, "width 8"),
        ({"source": Site("blocks.0.attn.hook_pattern", Own(6, 9))}, "one vector for each token"),
        ({"tokens": torch.zeros(ROWS, 9, dtype=torch.long)}, "1 to 8 tokens"),
        ({"through": "z"}, 'no hook point "z"'),
        ({"through": []}, "no hook point: leave it out"),
        ({"through": "blocks.1.hook_attn_out"}, "isn't computed between"),
        ({"through": ["v", "blocks.0.attn.hook_v"]}, "names blocks.0.attn.hook_v, which isn't"),
        ({"target": Site(RESID1, Own(8, 9).double()), "through": "q"}, "is in none"),
    ],
)
def test_what_does_not_go_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CourseError, match=message):
        latent_attribution(**(ONE._asdict() | changes))


def test_a_target_that_never_fires() -> None:
    one = scene("own", "own")
    one.target.sae.b_enc.data -= 1000
    with pytest.raises(CourseError, match="nothing to attribute"):
        latent_attribution(*one)


@pytest.mark.parametrize(
    ("tokens", "latent", "position", "message"),
    [
        (ONE.tokens, 0, 0, r"take tokens\[0\]"),
        (ONE.tokens[0], D_TARGET, 0, "place 0 and latent 10"),
        (ONE.tokens[0], -1, 0, "latents 0 to 9"),
        (ONE.tokens[0], 0, POS, "places 0 to 5"),
        (ONE.tokens[0], 0, -1, "place -1"),
    ],
)
def test_places_that_there_are_not(tokens: Tensor, latent: int, position: int, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        attribution_by_token(*ONE[:3], tokens, latent, position)
