"""The reference of 6.3 against scikit-learn's numbers, and what its cases hold."""

import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from sae_course.checks.cases import make_cases
from sae_course.checks.ch06 import classifier


def inputs(number, seed):
    (case,) = make_cases(1, torch.Generator().manual_seed(seed), "cpu", {})
    return classifier._inputs(case, number)


@pytest.mark.parametrize("number", range(4))
def test_the_reference_is_scikit_learns(number):
    given = inputs(number, seed=7)
    truth = given["truth"]
    precision, recall, f1 = classifier._scores(**given)
    for i, threshold in enumerate(given["thresholds"]):
        fires = (given["latent"] > threshold)[:, None].expand_as(truth)
        expected = precision_recall_fscore_support(truth.numpy(), fires.numpy(), zero_division=0)
        for seen, wanted in zip((precision, recall, f1), expected, strict=False):
            assert seen[i].tolist() == pytest.approx(wanted.tolist())


@pytest.mark.parametrize("seed", range(5))
def test_a_latent_meets_thresholds_exactly_but_in_the_first_case(seed):
    for number in range(4):
        given = inputs(number, seed)
        counts = classifier._counts(classifier._fires(given["latent"], given["thresholds"]), given["truth"])
        met = (given["latent"] == given["thresholds"][:, None]).any(dim=1)
        assert int(met.sum()) == (0, 2, 3, 3)[number]
        assert int((counts.fired == 0).sum()) == (0, 0, 2, 2)[number]
        assert bool((counts.hits > 0).all()) == (number < 2)
        assert bool((counts.true > 0).all())
        assert bool(((counts.fired > 0) & (counts.hits == 0)).any()) == (number > 1)
        assert bool((counts.hits > 255).any()) == (number == 3)
