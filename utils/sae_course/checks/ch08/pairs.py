"""Check of 8.3 paired_difference: a mean of differences, its error, and what could have been seen."""

import math
from collections.abc import Callable

from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..fields import fields_of
from ..raised import meaning
from ..trial import Function, Trial, name_of

Rule = Callable[[Tensor, Tensor], float]
"""From the measurements of both, ``[n]``."""
N = (11, 7, 29, 3, 17)
ABOVE = (1, -1, 1, 1, -1)
"""By case: whether ``one`` is above ``other`` on average."""
TOLERANCE = {"value": 1e-4, "error": 1e-4, "detectable": 1e-3}
"""The last lets in who takes the quantiles with more digits, 2.8016."""
ERRORS = 1.96 + 0.84


def _right(one: Tensor, other: Tensor) -> tuple[float, float, float]:
    """Sample by sample, in float64."""
    apart = [x - y for x, y in zip(one.tolist(), other.tolist(), strict=True)]
    n = len(apart)
    value = math.fsum(apart) / n
    squares = math.fsum((x - value) ** 2 for x in apart)
    error = math.sqrt(squares / (n - 1) / n)
    return value, error, 1.96 * error + 0.84 * error


def _of(rule: Callable[[Tensor], Tensor]) -> Rule:
    """Of the differences, in float64, as a Python number."""
    return lambda one, other: float(rule(one.cpu().double() - other.cpu().double()))


def _both(rule: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Of both, in float64, as a Python number."""
    return lambda one, other: float(rule(one.cpu().double(), other.cpu().double()))


def _sem(x: Tensor) -> Tensor:
    """The standard error of a mean."""
    return x.std() / len(x) ** 0.5


def _unpaired(one: Tensor, other: Tensor) -> Tensor:
    return ((one.var() + other.var()) / len(one)).sqrt()


def _times(factor: float) -> Rule:
    """So many standard errors."""
    return lambda one, other: factor * _right(one, other)[1]


def _every_pair(one: Tensor, other: Tensor) -> Tensor:
    """Every sample of one with every sample of the other."""
    return (one[:, None] - other).flatten()


VALUE: dict[str, Rule] = {
    "this is other − one; how far `one` is above `other` is one − other.": _of(lambda apart: -apart.mean()),
    "the differences lost their sign before the mean.": _of(lambda apart: apart.abs().mean()),
    "the mean lost its sign: where `one` is below `other`, it is below 0.": _of(
        lambda apart: apart.mean().abs()
    ),
    "these are added up; the mean is wanted.": _of(lambda apart: apart.sum()),
    "this is the median; the mean is wanted.": _of(lambda apart: apart.median()),
    "divided by n − 1; that is for the standard deviation, the mean is of n.": _of(
        lambda apart: apart.sum() / (len(apart) - 1)
    ),
    "this is a share of `other`; the difference itself is wanted.": _both(
        lambda one, other: (one.mean() - other.mean()) / other.mean()
    ),
    "this is the mean of the ratios, less 1; the differences are wanted.": _both(
        lambda one, other: (one / other - 1).mean()
    ),
    "this is the mean of `one`; take `other` off, sample by sample.": _both(lambda one, _: one.mean()),
    "this is the mean of both together; the difference is wanted.": _both(
        lambda one, other: (one + other).mean() / 2
    ),
    "the two are added; the difference is wanted.": _both(lambda one, other: (one + other).mean()),
    "this is the difference in standard errors; the difference itself is wanted.": _of(
        lambda apart: apart.mean() / _sem(apart)
    ),
    "this is the difference in standard deviations; the difference itself is wanted.": _of(
        lambda apart: apart.mean() / apart.std()
    ),
    "this is the mean of the squared differences.": _of(lambda apart: apart.square().mean()),
}
ERROR: dict[str, Rule] = {
    "this is not paired: the errors of both were added in squares. Take that of the differences.": _both(
        _unpaired
    ),
    "this is not paired: the errors of both were added. Take that of the differences.": _both(
        lambda one, other: _sem(one) + _sem(other)
    ),
    "this is not paired: one error was taken off the other. Take that of the differences.": _both(
        lambda one, other: _sem(one) - _sem(other)
    ),
    "this is not paired: the error is that of all 2n measurements. Take that of the differences.": _both(
        lambda one, other: _sem(one.new_tensor([*one, *other]))
    ),
    "both were sorted, so that a sample's own two measurements are no longer together.": _both(
        lambda one, other: _sem(one.sort().values - other.sort().values)
    ),
    "every sample was compared with every other one's; each has its own δ.": _both(
        lambda one, other: _every_pair(one, other).std() / len(one) ** 0.5
    ),
    "every sample was compared with every other one's, as if those were n² samples; each has its own δ.": (
        _both(lambda one, other: _sem(_every_pair(one, other)))
    ),
    "this is the error of `one` alone; that of the differences is wanted.": _both(lambda one, _: _sem(one)),
    "this is the error of `other` alone; that of the differences is wanted.": _both(
        lambda _, other: _sem(other)
    ),
    "this is the standard deviation s; a mean of n is known better: s / √n.": _of(lambda apart: apart.std()),
    "this is the standard deviation, by n: divide by n − 1, and then by √n.": _of(
        lambda apart: apart.std(correction=0)
    ),
    "s is divided by n; by its root.": _of(lambda apart: apart.std() / len(apart)),
    "s is multiplied by √n; divide by it.": _of(lambda apart: apart.std() * len(apart) ** 0.5),
    "this is the variance divided by n: the root is missing.": _of(lambda apart: apart.var() / len(apart)),
    "this is the variance divided by √n; s is its root.": _of(lambda apart: apart.var() / len(apart) ** 0.5),
    "the standard deviation divides by n here, as NumPy's does: n − 1 (ddof=1).": _of(
        lambda apart: apart.std(correction=0) / len(apart) ** 0.5
    ),
    "n − 1 is in it twice: once, in the standard deviation; its error is s / √n.": _of(
        lambda apart: apart.std() / (len(apart) - 1) ** 0.5
    ),
    "n is 2n here; there are n differences.": _of(lambda apart: apart.std() / (2 * len(apart)) ** 0.5),
    "the differences lost their sign before the standard deviation.": _of(lambda apart: _sem(apart.abs())),
    "the mean is not taken off: these are the squares of the differences as they are.": _of(
        lambda apart: apart.square().mean().sqrt() / len(apart) ** 0.5
    ),
    "the mean is not taken off: these are the squares of the differences as they are, divided by n − 1.": _of(
        lambda apart: (apart.square().sum() / (len(apart) - 1) / len(apart)).sqrt()
    ),
    "this is the mean distance from the mean; the standard deviation has squares.": _of(
        lambda apart: (apart - apart.mean()).abs().mean() / len(apart) ** 0.5
    ),
    "this is 1.96 errors, half of a 95% interval; one error is wanted.": _times(1.96),
    "this is already what is detectable, 2.8 errors; one error is wanted.": _times(ERRORS),
    "this is the share that the error is of the mean; the error itself is wanted.": _of(
        lambda apart: _sem(apart) / apart.mean().abs()
    ),
}
DETECTABLE: dict[str, Rule] = {
    "0.84 is missing: with 1.96 errors, a true difference of this size is noticed half of the time.": _times(
        1.96
    ),
    "1.96 is missing: (1.96 + 0.84) errors.": _times(0.84),
    "0.84 is taken off; add it: a small true difference is noticed less often.": _times(1.96 - 0.84),
    "1.96 and 0.84 are multiplied; add them.": _times(1.96 * 0.84),
    "brackets are missing, 1.96 + 0.84 · error; both are multiplied by it.": lambda one, other: (
        1.96 + 0.84 * _right(one, other)[1]
    ),
    "the two are added in squares; add them as they are.": _times(math.hypot(1.96, 0.84)),
    "0.8 stands in the place of 0.84, how many errors from the middle 80% are below.": _times(1.96 + 0.8),
    "this has 1.645 for 1.96, as for differences in one direction; `one` may be below, too.": _times(
        1.645 + 0.84
    ),
    "2.8 is squared: that is for numbers of samples.": _times(ERRORS**2),
    "this is twice that: (1.96 + 0.84) errors.": _times(2 * ERRORS),
    "this is half of that: (1.96 + 0.84) errors.": _times(ERRORS / 2),
    "the errors are divided by 2.8; multiply.": _times(1 / ERRORS),
    "this is the error itself; (1.96 + 0.84) of them are wanted.": _times(1.0),
    "these are 2.8 standard deviations; take errors, s / √n.": _of(lambda apart: ERRORS * apart.std()),
    "the error was divided by √n once more.": _of(lambda apart: ERRORS * apart.std() / len(apart)),
    "the error was squared.": lambda one, other: ERRORS * _right(one, other)[1] ** 2,
    "the value is in it; what could have been seen depends on the error alone.": lambda one, other: (
        _right(one, other)[0] + _times(ERRORS)(one, other)
    ),
    "this is the upper end of an interval around the value; what could have been seen depends on the error "
    "alone.": lambda one, other: _right(one, other)[0] + _times(1.96)(one, other),
    "these are 2.8 times the value; it is 2.8 times the error.": lambda one, other: (
        ERRORS * _right(one, other)[0]
    ),
    "this is 2.8 alone; times the error.": lambda *_: ERRORS,
    "this is not paired: 2.8 times the error of the differences is wanted.": lambda one, other: (
        ERRORS * _both(_unpaired)(one, other)
    ),
}
MISTAKES = {"value": VALUE, "error": ERROR, "detectable": DETECTABLE}
RAISED = {
    "has no attribute 'sqrt'": "len(…) is a plain number: its root is len(…) ** 0.5.",
    "must be Tensor, not int": "torch.sqrt wants a tensor: len(…) ** 0.5.",
    "only one element tensors": "each of the three is a single number, of all samples.",
    "a Tensor with": "each of the three is a single number, of all samples.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.3", "paired_difference", minutes=6, hints=1)
def paired_difference(t: Trial, student: Function) -> None:
    """One after the other: a slip in the value is named whatever the error is."""
    name = name_of(student)
    for number, case in enumerate(t.cases(len(N))):
        arguments = _inputs(case, number)
        right = _right(**arguments)
        with meaning(RAISED):
            result = t.call(student, arguments)
        found = fields_of(result, right, [*MISTAKES], name, "Difference")
        for seen, wanted, field in zip(found, right, MISTAKES, strict=True):
            t.against(
                lambda *_, seen=seen: seen,
                arguments,
                wanted,
                mistakes=MISTAKES[field],
                rtol=TOLERANCE[field],
                what=f"field {field} of {name}",
            )


def _inputs(case: Case, number: int) -> dict[str, Tensor]:
    """Samples of which some are hard for both, so that the error of the differences is much smaller.

    Some differences have the other sign, and their mean is not their median.
    """
    case.sizes |= {"n": N[number]}
    while True:
        hard = case.uniform("n", 0.8, 3.0)
        apart = case.normal("n", scale=0.2) * case.uniform("n", 0.4, 1.8) + 0.17 * ABOVE[number]
        inputs = {"one": hard + apart, "other": hard}
        value, error, _ = _right(**inputs)
        mixed = bool((apart > 0).any() & (apart < 0).any())
        if mixed and value * ABOVE[number] > 0.05 and abs(value - float(apart.median())) > 0.02 < error:
            return inputs
