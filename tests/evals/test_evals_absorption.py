"""Absorption in dictionaries made by hand, where each rate is known, and against a slow loop."""

import json
from math import isnan
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals.absorbing import absorption, hierarchy_of
from sae_course.evals.classifying import Classified
from sae_course.evals.probing import Probes, linear_probes
from sae_course.evals.units import Units
from sae_course.runtime import CourseError

ROWS, POS, D = 40, 50, 8
NAMES = ("animal", "animal: pet", "animal: farm", "animal: bird", "colour")
KINDS = ("pet", "farm", "bird")


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def labels() -> Labels:
    """A third of the tokens are animals: a tenth each of pets, farm animals and birds, and some others."""
    kind = torch.multinomial(torch.tensor([0.67, 0.1, 0.1, 0.1, 0.03]), ROWS * POS, True, generator=rng(0))
    kind = kind.reshape(ROWS, POS)
    colour = torch.rand(ROWS, POS, generator=rng(1)) < 0.2
    return Labels(NAMES, torch.stack([kind > 0, kind == 1, kind == 2, kind == 3, colour], -1).numpy())


def true(labels: Labels, name: str) -> Tensor:
    return torch.from_numpy(labels[name])


def world(labels: Labels) -> Tensor:
    """Direction 0 is animal, 1 to 3 are its kinds, 4 is colour."""
    return torch.from_numpy(labels.values).float() @ torch.eye(5, D) + 0.01 * torch.randn(
        ROWS, POS, D, generator=rng(2)
    )


def exact(*directions: Tensor) -> Probes:
    """Probes that know: direction 0 of `world` is "animal"."""
    one = torch.stack(directions) if directions else torch.eye(1, D)
    blank = torch.zeros(len(one), dtype=torch.float64)
    names = ("animal", "colour")[: len(one)]
    return Probes(names, one * 3, torch.full((len(one),), -1.5), blank, Classified(*[blank] * 3), {}, 1, 1)


def dictionary(labels: Labels, animal: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """A latent for each label, each with its own direction; that for animals fires where ``animal`` says."""
    a = torch.zeros(ROWS, POS, 10)
    a[..., :5] = torch.from_numpy(labels.values).float()
    if animal is not None:
        a[..., 0] = animal.float()
    a[..., 9] = (torch.rand(ROWS, POS, generator=rng(3)) < 0.1).float()
    directions = torch.eye(10, D)
    directions[9, 6] = 1
    return a, directions


def units(labels: Labels, a: Tensor, directions: Tensor) -> Units:
    return Units("mine", world(labels), a, directions)


def absorbed_birds(labels: Labels) -> tuple[Tensor, Tensor]:
    """The latent for animals is silent on birds; that for birds writes both."""
    a, directions = dictionary(labels, true(labels, "animal") & ~true(labels, "animal: bird"))
    directions[3, 0] = 1
    return a, directions


def test_a_perfect_dictionary_absorbs_nothing(labels: Labels) -> None:
    for probes in (None, exact()):
        found = absorption(units(labels, *dictionary(labels)), labels, probes=probes)
        assert list(found.parents) == ["animal"]
        animal = found.parents["animal"]
        assert (animal.scored, animal.split) == (True, False)
        assert animal.main == (0,)
        assert (animal.f1, animal.silent, animal.absorbed, animal.fraction) == (1, 0, 0, 0)
        assert all(
            one.absorbed == one.elsewhere == 0 and one.latent is None for one in animal.children.values()
        )
        assert found.rate.value == 0
        assert not found.against_elsewhere().seen


def test_a_fully_absorbed_child_has_the_rate_1_and_the_others_0(labels: Labels) -> None:
    """The latent for birds would raise F1 by more than .03: it must not pass for a part of a split parent."""
    for probes in (None, exact()):
        found = absorption(units(labels, *absorbed_birds(labels)), labels, probes=probes)
        animal = found.parents["animal"]
        assert animal.main == (0,)
        bird = animal.children["animal: bird"]
        assert (bird.silent, bird.absorbed, bird.elsewhere, bird.fraction) == (1, 1, 0, 1)
        assert (bird.latent, bird.precision) == (3, 1)
        for name in ("animal: pet", "animal: farm"):
            one = animal.children[name]
            assert (one.silent, one.absorbed, one.fraction, one.latent) == (0, 0, 0, None)
            assert isnan(one.precision)
            assert 0.3 < one.elsewhere < 0.6
        birds = true(labels, "animal: bird")[1::2].sum() / true(labels, "animal")[1::2].sum()
        assert found.rate.value == animal.absorbed == animal.fraction == pytest.approx(float(birds), abs=1e-6)


def test_a_parent_split_in_two_is_not_absorbed(labels: Labels) -> None:
    a, directions = dictionary(labels)
    first = torch.rand(ROWS, POS, generator=rng(4)) < 0.6
    a[..., 5] = a[..., 0] * ~first
    a[..., 0] *= first
    directions[5, 0] = 1
    found = absorption(units(labels, a, directions), labels, probes=exact())
    animal = found.parents["animal"]
    assert animal.main == (0, 5)
    assert (animal.f1, animal.silent, animal.absorbed) == (1, 0, 0)
    # Told to keep to the best latent alone, the other would count as absorbing it.
    alone = absorption(units(labels, a, directions), labels, probes=exact(), most=1)
    assert alone.parents["animal"].main == (0,)
    assert alone.rate.value > 0.3
    assert absorption(units(labels, a, directions), labels, probes=exact(), jump=0.9).rate.value > 0.3


def test_random_misses_are_silence_without_absorption(labels: Labels) -> None:
    """Where nothing else writes the parent's direction."""
    hit = torch.rand(ROWS, POS, generator=rng(5)) < 0.7
    found = absorption(
        units(labels, *dictionary(labels, true(labels, "animal") & hit)), labels, probes=exact()
    )
    animal = found.parents["animal"]
    missed = ~hit[1::2][true(labels, "animal")[1::2]]
    assert animal.silent == pytest.approx(float(missed.float().mean())) == pytest.approx(0.25, abs=0.01)
    assert animal.absorbed == 0


def test_random_misses_that_something_follows_are_as_frequent_elsewhere(labels: Labels) -> None:
    """Children's latents that point a little the parent's way are the largest wherever it misses."""
    hit = torch.rand(ROWS, POS, generator=rng(5)) < 0.7
    a, directions = dictionary(labels, true(labels, "animal") & hit)
    directions[1:4, 0] = 0.3
    found = absorption(units(labels, a, directions), labels, probes=exact())
    assert found.rate.value > 0.2
    for one in found.parents["animal"].children.values():
        assert one.absorbed == pytest.approx(one.elsewhere, abs=0.15)  # of 1 and 0 above
    assert not found.against_elsewhere().seen


def test_a_parent_without_a_latent_is_not_scored_and_said_so(labels: Labels) -> None:
    """An SAE that knows nothing, or only children, absorbs nothing: that must not look like a good rate."""
    nothing = (torch.rand(ROWS, POS, 10, generator=rng(6)) < 0.05).float()
    children, directions = dictionary(labels, torch.zeros(ROWS, POS))
    always = torch.ones(ROWS, POS, 10)
    for a, split in ((nothing, False), (children, True), (always, False)):
        found = absorption(units(labels, a, directions), labels, probes=exact())
        animal = found.parents["animal"]
        assert (animal.scored, animal.split) == (False, split)
        assert isnan(found.rate.value)
        assert isnan(found.fraction.value)
        assert found.told.value == 0
        assert found.main_f1.value == animal.f1 < 0.6
        assert animal.n > 100
        for one in (animal, *animal.children.values()):
            assert isnan(one.absorbed)
            assert isnan(one.silent)
        why = "only latents of its children tell it" if split else "no latent tells it"
        assert f"not scored: {why}" in str(found)
        assert "no result, not a good one" in str(found)
        assert "0 of 1 parents scored" in found._repr_html_()
        assert (
            json.loads(json.dumps(found.as_dict(), allow_nan=False))["parents"]["animal"]["absorbed"] is None
        )
        with pytest.raises(CourseError, match="pairs of numbers"):
            found.against_elsewhere()


def test_only_tokens_count_at_which_the_probe_says_so(labels: Labels) -> None:
    a, directions = absorbed_birds(labels)
    mine = units(labels, a, directions)
    mine.x[:, :25, 0] -= 0.7 * true(labels, "animal")[:, :25]  # there, the model doesn't know
    found = absorption(mine, labels, probes=exact()).parents["animal"]
    assert found.n == int(true(labels, "animal")[1::2, 25:].sum())
    assert found.children["animal: bird"].n == int(true(labels, "animal: bird")[1::2, 25:].sum())
    mine.x[:, :25, 0] += 9  # the probe says so everywhere: only true tokens count
    assert absorption(mine, labels, probes=exact()).parents["animal"].n == int(
        true(labels, "animal")[1::2].sum()
    )


def test_a_child_that_is_its_parent_takes_no_latent_from_it(labels: Labels) -> None:
    same = Labels((*NAMES, "red"), np.concatenate([labels.values, labels.values[..., 4:]], -1))
    mine = units(labels, *dictionary(labels))
    found = absorption(mine, same, hierarchy={"colour": ["red"]}).parents["colour"]
    assert found.main == (4,)
    assert isnan(found.children["red"].elsewhere)


def test_a_part_is_absorbed_and_not_less_for_what_takes_away(
    labels: Labels,
) -> None:
    """At birds: the main latent has .5, another 1 and a third −.5; 1 / (1 + .5)."""
    bird = true(labels, "animal: bird").float()
    a = torch.stack([true(labels, "animal").float() - 0.5 * bird, bird, -0.5 * bird], dim=-1)
    found = absorption(units(labels, a, torch.eye(1, D).repeat(3, 1)), labels, probes=exact())
    one = found.parents["animal"].children["animal: bird"]
    assert (one.silent, one.absorbed, one.fraction_elsewhere) == (0, 0, 0)
    assert one.fraction == pytest.approx(2 / 3)


def test_what_is_chosen_is_chosen_on_the_choosing_half(labels: Labels) -> None:
    gap, _ = absorbed_birds(labels)
    _, directions = absorbed_birds(labels)
    whole, _ = dictionary(labels)
    for half in (0, 1):
        a = whole.clone()
        a[half::2] = gap[half::2]
        bird = absorption(units(labels, a, directions), labels, probes=exact()).parents["animal"].children[
            "animal: bird"
        ]  # fmt: skip
        assert bird.absorbed == half
        assert (bird.latent is None) == bool(half)
    mine, odd = units(labels, a, directions), range(1, ROWS, 2)
    found = absorption(mine, labels, probes=exact(), choose=odd)
    assert found.parents["animal"].children["animal: bird"].absorbed == 0
    # Probes trained here are trained on the rows that choose: the others write animals the other way round.
    mine.x[..., 1:] = 0
    mine.x[::2, :, 0] *= -1
    assert absorption(mine, labels, choose=odd).parents["animal"].n == 0


@pytest.mark.parametrize("least", [(0.1, 0.4), (0.6, 0.2), (-1.0, 0.7)])
def test_every_rate_is_a_slow_loops(labels: Labels, least: tuple[float, float]) -> None:
    draw = rng(7)
    a = torch.rand(ROWS, POS, 10, generator=draw) * (torch.rand(ROWS, POS, 10, generator=draw) < 0.3)
    a[..., 0] = true(labels, "animal") & (torch.rand(ROWS, POS, generator=draw) < 0.6)
    a[..., 3] += true(labels, "animal: bird")
    a[..., 8] *= -1
    directions = torch.randn(10, D, generator=draw)
    directions[4] = 0
    directions[[0, 3, 5, 6], 0] = torch.tensor([2, 1, 3, 4.0])
    mine = units(labels, a, directions)
    whole = absorption(mine, labels, probes=exact(), least=least)
    found = whole.parents["animal"]
    rows = [slow(mine, labels, (r, p), found.main, least) for r in range(ROWS) for p in range(POS)]
    expected = np.array([one for one in rows if one is not None])
    measured = expected[expected[:, 0] == 1]
    assert (found.n, found.scored) == (len(measured), True)
    assert [found.silent, found.absorbed, found.fraction] == pytest.approx(measured[:, 1:4].mean(0).tolist())
    assert 0 < found.absorbed < found.silent
    apart = [one.absorbed - one.elsewhere for one in found.children.values()]
    assert whole.against_elsewhere().value == pytest.approx(sum(apart) / 3)
    for k, kind in enumerate(KINDS):
        one = found.children[f"animal: {kind}"]
        here, there = measured[measured[:, 5 + k] == 1], measured[measured[:, 5 + k] == 0]
        values = [one.silent, one.absorbed, one.fraction, one.elsewhere, one.fraction_elsewhere]
        others = [*here[:, 1:4].mean(0), *there[:, 2:4].mean(0)]
        assert values == pytest.approx(others)
        before = expected[(expected[:, 0] == 0) & (expected[:, 2] == 1) & (expected[:, 5 + k] == 1)]
        assert one.latent == np.bincount(before[:, 4].astype(int)).argmax()
        fires = a[1::2, :, one.latent] != 0
        assert one.precision == pytest.approx(
            float(true(labels, f"animal: {kind}")[1::2][fires].float().mean())
        )


def slow(mine: Units, labels: Labels, at: tuple[int, int], main: Any, least: tuple[float, float]) -> Any:
    """half, silent, absorbed, fraction, by which latent, and the children; of one token."""
    if not labels["animal"][at] or mine.x[at][0] <= 0.5:
        return None
    a, d = mine.a[at].numpy(), mine.directions.numpy()  # type: ignore[union-attr]
    c = [float(a[j] * d[j, 0]) for j in range(10)]
    norms = [float(np.linalg.norm(d[j])) for j in range(10)]
    cosine = [d[j, 0] / norms[j] if norms[j] else 0.0 for j in range(10)]
    positive = sum(max(one, 0.0) for one in c)
    top = int(np.argmax(c))
    silent = all(a[j] == 0 for j in main)
    taken = silent and c[top] > 0 and cosine[top] >= least[0] and c[top] >= least[1] * positive
    others = sorted(
        (c[j] for j in range(10) if j not in main and cosine[j] >= least[0] and c[j] > 0), reverse=True
    )
    theirs, own = sum(others[:3]), max(sum(c[j] for j in main), 0.0)
    fraction = theirs / (theirs + own) if theirs > 0 and theirs >= least[1] * positive else 0.0
    return [at[0] % 2, silent, taken, fraction, top, *(labels[f"animal: {kind}"][at] for kind in KINDS)]


def test_parents_are_averaged_and_a_given_hierarchy_counts(labels: Labels) -> None:
    a, directions = absorbed_birds(labels)
    red = true(labels, "colour") & (torch.rand(ROWS, POS, generator=rng(8)) < 0.5)
    more = Labels((*NAMES, "red"), np.concatenate([labels.values, red[..., None].numpy()], -1))
    assert hierarchy_of(more) == {"animal": ["animal: pet", "animal: farm", "animal: bird"]}
    family = {"animal": ["animal: bird"], "colour": ["red"]}
    probes = exact(*torch.eye(5, D)[[0, 4]])
    found = absorption(units(labels, a, directions), more, hierarchy=family, probes=probes)
    rates = [found.parents[name].absorbed for name in family]
    assert found.rate.value == pytest.approx(sum(rates) / 2)
    assert (rates[1], found.rate.samples, found.told.value) == (0, "2 parents", 1)
    assert list(found.table.index) == [("animal", "animal: bird"), ("colour", "red")]
    gap = found.against_elsewhere()
    assert gap.value == pytest.approx((1 + 0) / 2)
    assert "(of colour)" in str(found)


def test_it_shows_itself(labels: Labels) -> None:
    found = absorption(units(labels, *absorbed_birds(labels)), labels, probes=exact())
    assert "1 of 1 parents scored, main F1 over all of them 0.8" in str(found)
    assert "absorbed at a child's tokens less elsewhere: " in str(found)
    assert "… animal: bird: tokens" in str(found)
    assert "absorbed by 3 (precision 1.00)" in str(found)
    assert "<th>… animal: pet</th>" in found._repr_html_()
    row = found.table.loc[("animal", "animal: bird")]
    assert (row["absorbed"], row["latent"], row["scored"]) == (1, 3, True)
    assert found.table["latent"].isna().sum() == 2
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))["parents"]["animal"]
    assert (plain["main"], plain["children"]["animal: pet"]["precision"]) == ([0], None)


def test_rare_children_are_left_out_and_named(labels: Labels) -> None:
    values = labels.values.copy()
    values[10:, :, 2] = False
    found = absorption(units(labels, *dictionary(labels)), Labels(NAMES, values), probes=exact())
    assert list(found.parents["animal"].children) == ["animal: pet", "animal: bird"]
    assert found.left_out == ["animal: farm"]
    assert "1 left out" in str(found)


def test_errors(labels: Labels) -> None:
    mine = units(labels, *dictionary(labels))
    with pytest.raises(CourseError, match="mine has no directions"):
        absorption(Units("mine", mine.x, mine.a), labels)
    with pytest.raises(CourseError, match="none of the 0 parents"):
        absorption(mine, labels.only(["animal", "colour"]))
    with pytest.raises(CourseError, match='no feature "plant"'):
        absorption(mine, labels, hierarchy={"animal": ["plant"]})
    with pytest.raises(CourseError, match='These probes don\'t have "animal"'):
        absorption(mine, labels, probes=linear_probes(mine.x, labels.only(["colour"])))
    with pytest.raises(CourseError, match="These probes read 5 numbers"):
        absorption(mine, labels, probes=linear_probes(mine.x[..., :5], labels))
    with pytest.raises(CourseError, match="same tokens as the labels"):
        absorption(Units("mine", mine.x[1:], mine.a[1:], mine.directions), labels)
