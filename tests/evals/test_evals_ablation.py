"""What a target loses without a source: against hooks set by hand, a loop over tokens, and path patching."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from circuit_subject import (
    D_SOURCE,
    D_TARGET,
    KINDS,
    POS,
    RESID1,
    ROWS,
    Z1,
    Before,
    Scene,
    before,
    encoded,
    kept,
    put,
    scene,
    some_tokens,
    targets_through,
    tiny_sae,
    written,
)
from sae_lens import StandardSAE, StandardSAEConfig
from torch import Tensor
from torch.testing import assert_close

from sae_course.evals import Ablations, Between, Site, ablations, controls, intervene, joint_firing
from sae_course.evals.between import directions
from sae_course.runtime import CourseError

PAIRS = [(i, j) for i in range(D_SOURCE) for j in range(D_TARGET)]
EVERY = torch.ones(ROWS, POS, dtype=torch.bool)
OWN_PLACE = torch.arange(POS).expand(ROWS, POS)
# Where each token looks back to: any earlier place, or none.
LOOKS_AT = torch.randint(-1, 6, (ROWS, POS), generator=torch.Generator().manual_seed(8)).minimum(OWN_PLACE)


@torch.no_grad()
def without(one: Scene, latent: int) -> Tensor:
    """The target's latents when the SAE of the source decodes one latent less, its error kept."""
    sae, seen = one.source.sae, []

    def edit(value: Tensor, hook: Any) -> Tensor:
        a = encoded(sae, value)
        off = a.clone()
        off[..., latent] = 0
        return value + (sae.decode(off) - sae.decode(a)).reshape(value.shape)

    def look(value: Tensor, hook: Any) -> None:
        seen.append(encoded(one.target.sae, value))

    hooks = [(one.source.hook_point, edit), (one.target.hook_point, look)]
    one.model.run_with_hooks(one.tokens, fwd_hooks=hooks)
    return seen[0]


def a_token_at_a_time(
    seen: Before, pair: tuple[int, int], after: Tensor, where: Tensor, at: Tensor, *, event: int
) -> list[float]:
    """lost, tokens, clean, ablated, drop."""
    _, a, b = seen
    (_, j), lost, found = pair, 0.0, []
    for row in range(ROWS):
        for place in range(POS):
            if not where[row, place]:
                continue
            clean, ablated = float(b[row, place, j]), float(after[row, place, j])
            lost += clean - ablated
            source = int(at[row, place])
            if source >= 0 and clean > 0 and a[row, source, event] > 0:
                found.append((clean, ablated))
    if not found:
        return [lost, 0, math.nan, math.nan, math.nan]
    clean, ablated = (sum(part) / len(found) for part in zip(*found, strict=True))
    return [lost, len(found), clean, ablated, 1 - ablated / clean]


def check(found: Ablations, expected: list[list[float]], pairs: list[tuple[int, int]]) -> None:
    table = found.table
    assert list(table.columns) == ["source", "target", "lost", "tokens", "clean", "ablated", "drop"]
    assert list(zip(table.source, table.target, strict=True)) == pairs
    close = pytest.approx(np.array(expected), rel=1e-9, abs=1e-9, nan_ok=True)
    assert table[["lost", "tokens", "clean", "ablated", "drop"]].to_numpy(dtype=float) == close


@pytest.mark.parametrize(("source", "target", "mlps"), KINDS)
def test_against_hooks_set_by_hand(source: str, target: str, mlps: bool) -> None:
    one = scene(source, target, mlps=mlps)
    seen, after = before(one), [without(one, i) for i in range(D_SOURCE)]
    some = some_tokens(one)
    for where, given in ((EVERY, None), (some, some.numpy())):
        expected = [a_token_at_a_time(seen, (i, j), after[i], where, OWN_PLACE, event=i) for i, j in PAIRS]
        check(ablations(*one, PAIRS, where=given), expected, PAIRS)
        drops = np.array(expected)[:, 4]
        assert 0 < np.isnan(drops).sum() < len(PAIRS)
        assert np.nanmax(drops) > 0.2
    road = Between(*one)
    for i in range(D_SOURCE):
        assert_close(road.without(i), after[i])
        assert not road.without(i).requires_grad
    for value, same in zip((road.x, road.a, road.b), before(one), strict=True):
        assert_close(value, same)


@pytest.mark.parametrize(("source", "target", "mlps"), KINDS)
def test_logits_change_as_when_one_intervenes(source: str, target: str, mlps: bool) -> None:
    """The same change at the source as `intervene` makes, seen at the logits."""
    one = scene(source, target, mlps=mlps)
    road = Between(*one)

    def off(a: Tensor) -> Tensor:
        a[..., 2] = 0
        return a

    expected = intervene(one.model, one.source.sae, one.tokens, one.source.hook_point, off)
    changed = road.x - road.a[..., 2, None] * road.directions[2]
    with torch.no_grad():
        found = one.model.run_with_hooks(one.tokens, fwd_hooks=[(one.source.hook_point, put(changed))])
    assert_close(found, expected)
    assert_close(road.directions, written(one.source.sae))
    assert_close(directions(one.source.sae, D_SOURCE, road.x), road.directions)
    reconstructed = road.a @ road.directions
    assert_close(road.scaled(0.3), road.x - 0.7 * reconstructed)


def test_tokens_that_look_back_and_the_events_of_controls() -> None:
    one = scene("topk", "jumprelu")
    pairs = [(3, 1), (0, 2), (3, 9), (5, 8), (3, 1)]
    events = [0, 1, 3, 8, 3]
    where, seen = some_tokens(one), before(one)
    for given, deciding in ((None, [i for i, _ in pairs]), (events, events)):
        expected = [
            a_token_at_a_time(seen, pair, without(one, pair[0]), where, LOOKS_AT, event=event)
            for pair, event in zip(pairs, deciding, strict=True)
        ]
        found = ablations(*one, iter(pairs), where=where, source_at=LOOKS_AT.numpy(), events=given)
        check(found, expected, pairs)
    # A control looks at the pair's own tokens: what it starts from is the same there.
    pair, control = ablations(*one, [(3, 1), (7, 1)], events=[3, 3]).table.to_dict("records")
    assert (pair["tokens"], pair["clean"]) == (control["tokens"], control["clean"])
    assert pair["ablated"] != control["ablated"]


@pytest.mark.parametrize("letters", ["q", "k", "v", "qv"])
def test_path_patching(letters: str) -> None:
    one = scene("own", "topk")
    x, a, b = seen = before(one)
    road = Between(*one, through=list(letters))
    for i in (0, 3, 6):
        with torch.no_grad():
            after = targets_through(one, x - a[..., i, None] * written(one.source.sae)[i], letters)
        assert_close(road.without(i), after)
        assert (after - b).abs().max() > 1e-2
        expected = [
            a_token_at_a_time(seen, (i, j), after, EVERY, OWN_PLACE, event=i) for j in range(D_TARGET)
        ]
        pairs = [(i, j) for j in range(D_TARGET)]
        check(ablations(*one, pairs, through=list(letters)), expected, pairs)


@torch.no_grad()
def test_path_patching_by_a_hook_point_s_name() -> None:
    """To the end of the residual stream through layer 1's values alone: patched into a run of its own."""
    one = scene("topk", "own", mlps=True)
    x, a, _ = before(one)
    values = "blocks.1.attn.hook_v"
    changed = x - a[..., 0, None] * written(one.source.sae)[0]
    (v,) = kept(one, [values], [(one.source.hook_point, put(changed))])
    (y,) = kept(one, [RESID1], [(values, put(v))])
    expected = encoded(one.target.sae, y)
    found = Between(*one, through=values).without(0)
    assert_close(found, expected)
    assert (found - Between(*one).without(0)).abs().max() > 1e-2


def test_nothing_is_left_behind() -> None:
    one = scene("topk", "gated")
    one.source.sae.train()
    ablations(*one, [(0, 1), (2, 3)], through="v")
    assert torch.is_grad_enabled()
    assert one.source.sae.training
    assert one.source.sae.hook_z_reshaping_mode
    assert one.target.sae.hook_z_reshaping_mode
    assert not [name for name, point in one.model.hook_dict.items() if point.fwd_hooks]


def made_up(drops: list[float]) -> Ablations:
    n = len(drops)
    numbers = {"lost": [1.0] * n, "tokens": [0 if math.isnan(drop) else 3 for drop in drops]}
    means = {"clean": [2.0] * n, "ablated": [1.0] * n, "drop": drops}
    return Ablations(pd.DataFrame({"source": range(n), "target": range(n)} | numbers | means))


def test_it_says_what_it_is() -> None:
    found = made_up([0.9, math.nan, 0.3, 0.6])
    text = (
        "4 pairs: without the source, the target loses 60.0% on average, at most 90.0%; more than half in 2"
    )
    assert str(found) == repr(found) == text
    assert "none of which fires together" in str(made_up([math.nan]))
    assert "<th>drop</th>" in found._repr_html_()
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["drop"] == [0.9, None, 0.3, 0.6]
    assert plain["tokens"] == [3, 0, 3, 3]


@pytest.mark.parametrize("at", [None, LOOKS_AT])
def test_joint_firing_against_a_loop(at: Tensor | None) -> None:
    stream = torch.Generator().manual_seed(2)
    a = torch.randn(ROWS, POS, 5, generator=stream).relu()
    b = torch.randn(ROWS, POS, 7, generator=stream).relu()
    some = torch.rand(ROWS, POS, generator=stream) < 0.6
    for where, given in ((EVERY, None), (some, some)):
        expected = torch.zeros(5, 7)
        for row in range(ROWS):
            for place in range(POS):
                source = int((OWN_PLACE if at is None else at)[row, place])
                if where[row, place] and source >= 0:
                    expected += torch.outer(a[row, source] > 0, b[row, place] > 0)
        assert torch.equal(joint_firing(a, b, given, at), expected)
        assert expected.max() > 2


DENSITY = torch.tensor([0.0, *(0.8**n for n in range(40)), 0.0])  # as the latents' numbers: 1 fires most


def test_controls_fire_about_as_often_and_are_no_candidates() -> None:
    wanted, excluded = [5, 20, 20, 38], range(18, 24)
    allowed = [i for i in range(1, 41) if i not in wanted and i not in excluded]
    drawn: dict[int, set[int]] = {i: set() for i in wanted}
    for seed in range(60):
        for latent, control in zip(
            wanted, controls(DENSITY, wanted, without=excluded, seed=seed), strict=True
        ):
            drawn[latent].add(control)
    for latent, found in drawn.items():
        nearest = sorted(allowed, key=lambda i, latent=latent: abs(i - latent))  # type: ignore[misc]
        assert found <= set(nearest[:10]) | {
            i for i in allowed if abs(i - latent) == abs(nearest[9] - latent)
        }
        assert len(found) >= 9, "any of the ten"
    assert controls(DENSITY, wanted, seed=3) == controls(DENSITY.double(), wanted, seed=3)
    assert controls(DENSITY, wanted, seed=3) != controls(DENSITY, wanted, seed=4)


def test_too_few_are_left_as_controls() -> None:
    with pytest.raises(CourseError, match="1 live latents are left"):
        controls(DENSITY, [1], without=range(2, 40))
    assert controls(DENSITY, [1], without=range(2, 39))[0] in (39, 40)


ONE = scene("own", "own")


@pytest.mark.parametrize(
    ("pairs", "changes", "message"),
    [
        ([], {}, "no pairs to ablate"),
        ([(0, 0), (D_SOURCE, 0)], {}, r"no pair \(9, 0\): the source has the latents 0 to 8"),
        ([(0, D_TARGET)], {}, r"no pair \(0, 10\)"),
        ([(-1, 0)], {}, r"no pair \(-1, 0\)"),
        ([(0, -1)], {}, r"no pair \(0, -1\)"),
        ([(0, 0)], {"events": [0, 1]}, "2 latents for 1 pairs"),
        ([(0, 0)], {"events": [D_SOURCE]}, r"no pair \(9, 0\)"),
        ([(0, 0)], {"where": ~EVERY}, "true of no token"),
        ([(0, 0)], {"source_at": EVERY}, "source_at is a place for each token"),
        ([(0, 0)], {"source_at": OWN_PLACE.float()}, "torch.float32"),
        ([(0, 0)], {"source_at": OWN_PLACE[:, 1:]}, r"\[4, 5\]"),
        ([(0, 0)], {"source_at": (OWN_PLACE + 1).clamp(max=POS - 1)}, "come after the token itself"),
        ([(0, 0)], {"source_at": OWN_PLACE + 1}, "come after the token itself"),
        ([(0, 0)], {"through": "blocks.1.hook_resid_post"}, "isn't computed between"),
        ([(0, 0)], {"target": ONE.source}, "or is the same"),
        ([(0, 0)], {"target": Site(Z1, tiny_sae("topk", Z1, 8, 9))}, "width 8"),
    ],
)
def test_what_does_not_go_together(
    pairs: list[tuple[int, int]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CourseError, match=message):
        ablations(**(ONE._asdict() | {"pairs": pairs} | changes))


def test_latents_of_other_tokens() -> None:
    with pytest.raises(CourseError, match=r"\[4, 6\] and \[4, 5\]"):
        joint_firing(torch.zeros(4, 6, 2), torch.zeros(4, 5, 2))
    with pytest.raises(CourseError, match="0 to 8, and none 9"):
        Between(*ONE).without(D_SOURCE)


@pytest.mark.parametrize("how", ["layer_norm", "constant_norm_rescale"])
def test_an_sae_that_rescales_by_the_token_has_no_directions(how: str) -> None:
    sae = StandardSAE(StandardSAEConfig(d_in=4, d_sae=3, device="cpu", normalize_activations=how))
    with pytest.raises(CourseError, match=f'normalize_activations="{how}": what a latent writes depends'):
        directions(sae, 3, torch.zeros(1, 4))
