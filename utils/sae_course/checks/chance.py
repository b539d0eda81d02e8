"""Bounds for a learner's random results, at a false-alarm rate that is stated."""

import math
from statistics import NormalDist

FALSE_ALARM = 1e-6
"""How often, over fresh random numbers, a bound below calls a right answer wrong."""


def binomial_bounds(n: int, p: float, alpha: float = FALSE_ALARM) -> tuple[int, int]:
    """The least and the greatest count to accept from ``n`` tries of probability ``p``.

    Exact: P(count < least) ≤ alpha / 2 and P(count > greatest) ≤ alpha / 2.
    """
    return _least(n, p, alpha / 2), n - _least(n, 1 - p, alpha / 2)


def _least(n: int, p: float, tail: float) -> int:
    """The largest k with P(count < k) ≤ tail."""
    from scipy.special import bdtr  # noqa: PLC0415 - a tenth of the import time of scipy.stats

    if p <= 0.0:
        return 0
    low, high = 0, n  # P(count < low) ≤ tail always holds; P(count < high + 1) > tail
    while low < high:
        middle = (low + high + 1) // 2
        if bdtr(middle - 1, n, p) <= tail:
            low = middle
        else:
            high = middle - 1
    return low


def mean_bound(n: int, sd: float, alpha: float = FALSE_ALARM) -> float:
    """How far the mean of ``n`` independent draws of standard deviation ``sd`` may lie from its expectation.

    By the central limit theorem: for ``n`` of a thousand or more, and draws without heavy tails.
    """
    return NormalDist().inv_cdf(1 - alpha / 2) * sd / math.sqrt(n)
