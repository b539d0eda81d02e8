"""Check of 4.1: how far a value lies from the healthy seeds' values, in their standard deviations."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import mean, median, pstdev, stdev, variance

import torch

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial

Measure = Callable[[float, Sequence[float]], float]


def _deviations(value: float, healthy: Sequence[float]) -> float:
    return (value - mean(healthy)) / stdev(healthy)


def _over(size: Callable[[Sequence[float]], float]) -> Measure:
    """Right but for what it is divided by."""
    return lambda value, healthy: (value - mean(healthy)) / size(healthy)


def _with_value(value: float, healthy: Sequence[float]) -> float:
    return _deviations(value, [*healthy, value])


def _mean_distance(healthy: Sequence[float]) -> float:
    return mean(abs(one - mean(healthy)) for one in healthy)


MISTAKES: dict[str, Measure] = {
    "the deviation of a whole population, divided by n; of a sample it is divided by n − 1 "
    "(statistics.stdev, torch's .std(), np.std(..., ddof=1)).": _over(pstdev),
    "this divides by the variance; the standard deviation is its square root.": _over(variance),
    "the sign is lost: a value below the mean gives a negative number (leave out abs).": (
        lambda value, healthy: abs(_deviations(value, healthy))
    ),
    "the sign is the wrong way round: value − mean, so that above the mean is positive.": (
        lambda value, healthy: -_deviations(value, healthy)
    ),
    "this divides by the standard error, stdev ÷ √n: that is how well the mean is known. How far single "
    "runs scatter is stdev.": _over(lambda healthy: stdev(healthy) / sqrt(len(healthy))),
    "this divides by the mean: a share of it, not a number of standard deviations.": _over(mean),
    "this divides by the range, largest minus smallest; by the standard deviation.": _over(
        lambda healthy: max(healthy) - min(healthy)
    ),
    "this divides by the mean distance from the mean; by the standard deviation, which squares first.": _over(
        _mean_distance
    ),
    "the distance is taken from the median; from the mean.": (
        lambda value, healthy: (value - median(healthy)) / stdev(healthy)
    ),
    "this is the distance from the mean itself: it is still to be divided by the standard deviation.": _over(
        lambda healthy: 1.0
    ),
    "the value was counted among the healthy ones: it is what is judged, so leave it out of mean and "
    "deviation.": _with_value,
    "this is value ÷ deviation: subtract the mean first.": lambda value, healthy: value / stdev(healthy),
    "brackets are missing: (value − mean) / deviation.": lambda value, healthy: (
        value - mean(healthy) / stdev(healthy)
    ),
}


@exercise("4.1", "deviations", minutes=6, hints=1)
def deviations(t: Trial, student: Function) -> None:
    """Three to six seeds of any size and spread, and a value above or below all of them."""
    for number, case in enumerate(t.cases(6)):
        arguments = _values(case, n=(5, 3, 6, 4, 3, 5)[number], above=number % 2 == 0)
        t.against(student, arguments, _deviations, mistakes=MISTAKES)


def _values(case: Case, n: int, above: bool) -> dict[str, object]:
    """Healthy seeds' values, in no order, none in their middle; and one that lies 2 to 9 deviations out."""
    centre = case.number(0.3, 60.0)
    spread = centre * case.number(0.02, 0.2)
    gaps = torch.tensor([0.0, 1.0, 1.7, 3.9, 4.5, 6.8])[:n]  # even gaps would hide a median
    order = torch.randperm(n, generator=case.generator)
    healthy = [centre + spread * (float(gap) + case.number(0.0, 0.3)) for gap in gaps[order]]
    out = case.number(2.0, 9.0) * stdev(healthy)
    return {"value": mean(healthy) + (out if above else -out), "healthy": healthy}
