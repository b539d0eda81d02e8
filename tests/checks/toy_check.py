"""A check to test the checks with: the squared length of x @ W, averaged over d_sae."""

import pytest

from sae_course.checks import CheckFailed
from sae_course.checks.core import exercise


def right(x, W):
    return ((x @ W) ** 2).mean(-1)


def summed(x, W):
    return ((x @ W) ** 2).sum(-1)


def absolute(x, W):
    return (x @ W).abs().mean(-1)


@exercise("1.3", "energy", minutes=10, hints=2, limit=0.5)
def energy(t, student):
    """The toy's check."""
    for case in t.cases(6):
        t.against(
            student,
            {"x": case.normal("batch d_in"), "W": case.normal("d_in d_sae", grad=True)},
            right,
            axes="batch",
            wrt=["W"],
            mistakes={
                "it is summed over d_sae, not averaged.": summed,
                "absolute values, not squares.": absolute,
            },
        )


def fails(check, *things) -> CheckFailed:
    """How a check fails."""
    with pytest.raises(CheckFailed) as caught:
        check.run(*things)
    return caught.value
