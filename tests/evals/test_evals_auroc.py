"""AUROC against SciPy's Mann-Whitney U, for scores of every kind."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from sae_course.evals import auroc
from sae_course.runtime import CourseError


def by_scipy(scores: Tensor, labels: Tensor) -> np.ndarray:
    values, truth = scores.double().numpy(), labels.numpy()
    found = np.full((truth.shape[1], values.shape[1]), np.nan)
    for f, true in enumerate(truth.T):
        for u, unit in enumerate(values.T):
            if true.any() and not true.all():
                found[f, u] = mannwhitneyu(unit[true], unit[~true]).statistic / true.sum() / (~true).sum()
    return found


def made(kind: str, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(90, 70, generator=g)
    rare = torch.rand(90, 70, generator=g) < 0.15
    return {
        "dense": x,
        "dense with ties": x.round(),
        "sparse": x.abs() * rare,
        "sparse with ties": (3 * x).abs().round() * rare,
        "sparse of either sign": (3 * x).round() * rare,
        "many zeros among dense": x.relu(),
        "whole numbers": (3 * x).round().long(),
        "fires or not": rare.float(),
        "nothing": torch.zeros(90, 70),
    }[kind]


KINDS = (
    "dense", "dense with ties", "sparse", "sparse with ties", "sparse of either sign",
    "many zeros among dense", "whole numbers", "fires or not", "nothing",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_against_scipy(kind: str, seed: int) -> None:
    scores = made(kind, seed)
    labels = torch.rand(90, 4, generator=torch.Generator().manual_seed(seed + 9)) < torch.tensor(
        [0.5, 0.1, 0, 1]
    )
    labels[0, :2], labels[1, :2] = True, False
    found = auroc(scores, labels)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), by_scipy(scores, labels), rtol=0, atol=1e-12)
    assert found[2:].isnan().all()
    np.testing.assert_array_equal(found.numpy(), auroc(scores, labels.numpy()).numpy())


def test_a_unit_that_is_dead_says_nothing_and_a_copy_everything() -> None:
    labels = torch.arange(200)[:, None] % 7 == 0
    scores = torch.zeros(200, 12)
    scores[:, 1] = labels[:, 0] * torch.rand(200, generator=torch.Generator().manual_seed(0))
    scores[:, 2] = -scores[:, 1]
    found = auroc(scores, labels)[0]
    assert found[0] == 0.5
    assert found[1] == pytest.approx(1)
    assert found[2] == pytest.approx(0)


def test_errors() -> None:
    labels = torch.zeros(5, 2, dtype=torch.bool)
    with pytest.raises(CourseError, match=r"\[4, 3\] and \[5, 2\]"):
        auroc(torch.zeros(4, 3), labels)
    with pytest.raises(CourseError, match="int64"):
        auroc(torch.zeros(5, 3), labels.long())
    with pytest.raises(CourseError, match="1 units have a score that is NaN"):
        auroc(torch.tensor([[0.0, torch.nan]]).expand(5, 2), labels)
