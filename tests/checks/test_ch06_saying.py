"""The references and inputs of 6.4 to 6.6, against the library's scores and fractions."""

from fractions import Fraction

import bank_ch06_best
import bank_ch06_covered
import bank_ch06_saying
import numpy as np
import pytest
import torch

from sae_course.checks.cases import make_cases
from sae_course.checks.ch06 import best, covered, saying
from sae_course.data.labels import Labels
from sae_course.evals.boards import LEVELS, PRECISE, RIGHT, board_scores

SETTINGS = [(0.75, 5), (0.5, 7), (0.875, 8), (0.625, 6)]
"""As in the check of 6.6: `precise` and `right`."""


def cases(number):
    return make_cases(number, torch.Generator().manual_seed(7), "cpu", {})


def f1_scores(units, highest, truth):
    """``[unit level property]``, as by exercise 6.3 at the thresholds 0, .1, … .9 of each unit's maximum."""
    thresholds = torch.arange(LEVELS)[:, None, None] / LEVELS * highest
    fires, true = (units > thresholds).float(), truth.float()
    hits = torch.einsum("knu,np->ukp", fires, true)
    return 2 * hits / (fires.sum(1).T[..., None] + true.sum(0))


def boards(seed, rows=60, pos=25, n_properties=7, n_units=40):
    """Units that know something of one property each, some nearly everything; one that never fires."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(rows, pos, n_properties, generator=generator) < 0.35
    about = torch.randint(n_properties, (n_units,), generator=generator)
    noise = torch.randn(rows, pos, n_units, generator=generator)
    strength = 4 * torch.rand(n_units, generator=generator)
    units = (noise - 2 + strength * truth[..., about]).relu()
    units[..., 3] = 0.0
    return units, truth


@pytest.mark.parametrize("seed", range(4))
def test_the_chapters_functions_give_the_librarys_coverage_and_reconstruction(seed):
    units, truth = boards(seed)
    names = tuple(f"property {j}" for j in range(truth.shape[-1]))
    groups = {"all": names, "some": names[2:5]}
    scores = board_scores(units, Labels(names, truth.numpy()), groups)

    choosing, measuring = units[::2].flatten(0, 1), units[1::2].flatten(0, 1)
    true, other_true = truth[::2].flatten(0, 1), truth[1::2].flatten(0, 1)
    highest = choosing.amax(0)
    first, second = f1_scores(choosing, highest, true), f1_scores(measuring, highest, other_true)
    for group, columns in {"all": slice(None), "some": slice(2, 5)}.items():
        for coverage in (bank_ch06_covered.as_in_the_chapter, covered._right):
            found = coverage(first[..., columns], second[..., columns])
            assert float(found) == pytest.approx(scores.coverage(group), abs=1e-6)
        level = scores.at_level[group]
        fires, other_fires = (some > level / LEVELS * highest for some in (choosing, measuring))
        said = saying._said(fires, true[:, columns], other_fires, PRECISE, RIGHT)
        again = bank_ch06_saying.as_in_the_chapter(fires, true[:, columns], other_fires, PRECISE, RIGHT)
        assert said.equal(again)
        there = other_true[:, columns]
        f1 = 2 * (said & there).sum() / (said.sum() + there.sum())
        assert 0.2 < float(f1) == pytest.approx(scores.reconstruction[group].f1, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_property_of_each_latent_is_that_of_a_slow_search(seed):
    """On real F1 scores, which have ties: latents that never fire, and levels that nothing lies between."""
    units, truth = boards(seed, rows=8)
    highest = units[::2].flatten(0, 1).amax(0)
    first, second = (
        f1_scores(units[k::2].flatten(0, 1), highest, truth[k::2].flatten(0, 1)) for k in range(2)
    )
    found = bank_ch06_best.as_in_the_chapter(first, second)
    for one, reference in zip(found, best._right(first, second), strict=True):
        assert one.equal(reference)
    ties = first == first.amax(dim=(1, 2), keepdim=True)
    assert int((ties.sum(dim=(1, 2)) > 1).sum()) > 1
    for i, (property, level) in enumerate(zip(found.property.tolist(), found.level.tolist(), strict=True)):
        assert (property, level) == min((j, k) for k, j in ties[i].nonzero().tolist())


def test_several_places_are_best_in_the_last_two_cases_alone():
    for number, case in enumerate(cases(5)):
        choosing = best._inputs(case, number)["choosing"]
        equal = (choosing == choosing.amax(dim=(1, 2), keepdim=True)).sum(dim=(1, 2))
        assert bool((equal > 1).all()) if number > 2 else bool((equal == 1).all())
    assert not choosing[4].any()


def test_precision_is_exact_in_any_way_of_writing_it():
    for (precise, right), case in zip(SETTINGS, cases(4), strict=True):
        inputs = saying._inputs(case, precise, right)
        fires, truth = inputs["fires"].float(), inputs["truth"].float()
        hits, fired = (fires.T @ truth)[fires.any(0)], fires.sum(0)[fires.any(0), None]
        exact = np.array(
            [
                [Fraction(int(h), int(f)) >= Fraction(precise) for h in row]
                for row, f in zip(hits.tolist(), fired[:, 0].tolist(), strict=True)
            ]
        )
        shares = hits / len(fires) / (fired / len(fires))
        wrong = fired - hits
        for way in (
            hits >= precise * fired,
            hits / fired >= precise,
            shares >= precise,
            wrong <= (1 - precise) * fired,
            1 - wrong / fired >= precise,
        ):
            assert (way.numpy() == exact).all()


def test_some_latents_are_just_good_enough_and_some_just_not():
    for (precise, right), case in zip(SETTINGS, cases(4), strict=True):
        inputs = saying._inputs(case, precise, right)
        fires, truth, other = inputs["fires"], inputs["truth"], inputs["other_fires"]
        counts = saying._counts(fires, truth)
        enough = counts.precision >= precise
        assert int(((counts.hits > right) & (counts.hits == precise * counts.fired)).sum()) > 0
        assert int(((counts.hits == right) & enough).sum()) > 1
        assert int(((counts.hits == right - 1) & (counts.fired == right) & enough).sum()) > 1
        assert bool((~fires).all(0).any())
        assert bool(fires.all(0).any())
        speaks = saying._speaks(counts, precise, right)
        assert bool(speaks.any(0).all())
        assert int((speaks.sum(1) > 1).sum()) > 3
        assert bool((other.sum(1) == 0).any())
        alone = other[other.sum(1) == 1]
        assert bool(alone.any(0).all())
