"""Check of 8.1 explained_variance: three different numbers of the same name."""

import math
from collections.abc import Callable

from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..fields import compare_fields
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor], float]
"""From ``x`` and ``x_hat``, both ``[n d_in]``."""
Way = Callable[[Tensor, Tensor], Tensor]
"""From each token's error and what there was to explain, both ``[n]``."""
Explained = Callable[[Tensor], Tensor]
"""From x, what its tokens' distances are the lengths of: ``[n d_in]``."""
SIZES = ((17, 7), (11, 13), (5, 3), (23, 5), (13, 17))
"""Of each case: n, d_in."""
NOISE = (0.35, 0.5, 0.3, 2.2, 0.7)
"""In the fourth case the mean activation is a better reconstruction: all three are below 0."""
LEAST = 0.03
"""How far from 0 each number is, so that rounding can't show."""


def _right(x: Tensor, x_hat: Tensor) -> tuple[float, float, float]:
    """Entry by entry, in float64."""
    rows, made = x.tolist(), x_hat.tolist()
    center = [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
    errors = [math.dist(row, other) ** 2 for row, other in zip(rows, made, strict=True)]
    from_mean = [math.dist(row, center) ** 2 for row in rows]
    from_zero = [math.hypot(*row) ** 2 for row in rows]
    shares = [1 - error / total for error, total in zip(errors, from_mean, strict=True)]
    return (
        1 - math.fsum(errors) / math.fsum(from_mean),
        1 - math.fsum(errors) / math.fsum(from_zero),
        math.fsum(shares) / len(shares),
    )


def _by_sums(error: Tensor, total: Tensor) -> Tensor:
    return 1 - error.sum() / total.sum()


def _by_token(error: Tensor, total: Tensor) -> Tensor:
    return (1 - error / total).mean()


def _centered(x: Tensor) -> Tensor:
    return x - x.mean(0)


def _as_it_is(x: Tensor) -> Tensor:
    return x


def _squares(x: Tensor) -> Tensor:
    return x.square().sum(-1)


def _from(rule: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """As a Python number."""
    return lambda x, x_hat: float(rule(x, x_hat))


def _below(total: Callable[[Tensor, Tensor], Tensor], way: Way = _by_sums) -> Rule:
    """The right error, and the squared lengths of something else below."""
    return lambda x, x_hat: float(way(_squares(x - x_hat), _squares(total(x, x_hat))))


def _sizes_by(size: Callable[[Tensor], Tensor], explained: Explained, way: Way) -> Rule:
    """Another size of each token's error and distance, in the place of its squared length."""
    return lambda x, x_hat: float(way(size(x - x_hat), size(explained(x))))


def _common(explained: Explained, way: Way) -> dict[str, Rule]:
    """What goes wrong with all three."""
    right = _sizes_by(_squares, explained, way)
    return {
        "the 1 − is missing: this is the share that is NOT explained.": lambda x, x_hat: 1 - right(x, x_hat),
        "this is the share that is not explained, less 1: the wrong way round.": (
            lambda x, x_hat: -right(x, x_hat)
        ),
        "this is upside down: the error stands above, what there was to explain below.": (
            lambda x, x_hat: float(way(_squares(explained(x)), _squares(x - x_hat)))
        ),
        "the lengths are not squared: .norm(dim=-1) has a root in it.": _sizes_by(
            lambda y: y.norm(dim=-1), explained, way
        ),
        "these are absolute values; squares are wanted.": _sizes_by(
            lambda y: y.abs().sum(-1), explained, way
        ),
        "the entries were added before they were squared: .square().sum(-1).": _sizes_by(
            lambda y: y.sum(-1).square(), explained, way
        ),
        "the entries are not squared: .square().sum(-1).": _sizes_by(lambda y: y.sum(-1), explained, way),
        "one of the two is averaged over d_in, the other one summed; the same for both.": (
            lambda x, x_hat: float(way(_squares(x - x_hat) / x.shape[-1], _squares(explained(x))))
        ),
        "the mean error is taken off; a reconstruction that is off by a constant has an error, too.": (
            lambda x, x_hat: float(way(_squares(_centered(x - x_hat)), _squares(explained(x))))
        ),
        "the error is taken from x_hat alone; it is x − x_hat.": (
            lambda x, x_hat: float(way(_squares(x_hat), _squares(explained(x))))
        ),
        "this is in percent; 1 is everything.": lambda x, x_hat: 100 * right(x, x_hat),
        "what is below 0 is cut off; below 0 is worse than nothing, and that should show.": (
            lambda x, x_hat: max(0.0, right(x, x_hat))
        ),
    }


def _root_of(explained: Explained) -> Rule:
    return _from(lambda x, x_hat: 1 - (_squares(x - x_hat).sum() / _squares(explained(x)).sum()).sqrt())


def _by_dimension(x: Tensor, x_hat: Tensor) -> Tensor:
    return (1 - (x - x_hat).square().sum(0) / _centered(x).square().sum(0)).mean()


def _clipped(x: Tensor, x_hat: Tensor) -> Tensor:
    return (1 - _squares(x - x_hat) / _squares(_centered(x))).clamp(min=0).mean()


ABOUT_MEAN: dict[str, Rule] = {
    "the mean activation is not taken off below; this is about_zero.": _below(lambda x, _: x),
    "this is the mean of each token's share, per_token; about_mean divides a sum by a sum.": _below(
        lambda x, _: _centered(x), _by_token
    ),
    "this is the mean over d_in of each dimension's share; divide one sum of everything by another.": _from(
        _by_dimension
    ),
    "x.mean() is a single number; the mean activation is a vector, x.mean(0).": _below(
        lambda x, _: x - x.mean()
    ),
    "the mean is over d_in, for each token; the mean activation is over tokens: x.mean(0).": _below(
        lambda x, _: x - x.mean(-1, keepdim=True)
    ),
    "the mean taken off is that of the reconstructions; take that of x.": _below(
        lambda x, x_hat: x - x_hat.mean(0)
    ),
    "below is how far x_hat is from the mean activation; how far x is is wanted.": _below(
        lambda x, x_hat: x_hat - x.mean(0)
    ),
    "the variance divides by n − 1 here, the error by n: x.var(0, correction=0), or sums for both.": _from(
        lambda x, x_hat: 1 - _squares(x - x_hat).mean() / x.var(0).sum()
    ),
    "the error is averaged over tokens, what there was to explain is summed.": _from(
        lambda x, x_hat: 1 - _squares(x - x_hat).mean() / _squares(_centered(x)).sum()
    ),
    "this is how much x_hat varies as a share of how much x does; what counts is the error x − x_hat.": _from(
        lambda x, x_hat: x_hat.var(0).sum() / x.var(0).sum()
    ),
    "this is the root of the share that is not explained; there is none in the formula.": _root_of(_centered),
    **_common(_centered, _by_sums),
}
ABOUT_ZERO: dict[str, Rule] = {
    "the mean activation is taken off below; about zero, it is the sum of ‖x‖².": _below(
        lambda x, _: _centered(x)
    ),
    "this is the mean of each token's share; about_zero divides a sum by a sum.": _below(
        lambda x, _: x, _by_token
    ),
    "below are the squares of x_hat; those of x are wanted.": _below(lambda _, x_hat: x_hat),
    "the error is averaged over tokens, the squares below are summed.": _from(
        lambda x, x_hat: 1 - _squares(x - x_hat).mean() / _squares(x).sum()
    ),
    "this is the root of the share that is not explained; there is none in the formula.": _root_of(_as_it_is),
    **_common(_as_it_is, _by_sums),
}
PER_TOKEN: dict[str, Rule] = {
    "this is a sum divided by a sum, about_mean; first each token's share, then their mean.": _below(
        lambda x, _: _centered(x)
    ),
    "this is a sum divided by a sum, about_zero; first each token's share, then their mean.": _below(
        lambda x, _: x
    ),
    "each token's share is of ‖x‖²; it is of the squared distance from the mean activation.": _below(
        lambda x, _: x, _by_token
    ),
    "the mean of each token is over its own d_in; the mean activation is over tokens: x.mean(0).": _below(
        lambda x, _: x - x.mean(-1, keepdim=True), _by_token
    ),
    "x.mean() is a single number in per_token; the mean activation is a vector, x.mean(0).": _below(
        lambda x, _: x - x.mean(), _by_token
    ),
    "the mean of the reconstructions is in per_token; take that of x.": _below(
        lambda x, x_hat: x - x_hat.mean(0), _by_token
    ),
    "this is the mean over d_in, a share for each dimension; it is one for each token: sum(-1).": _from(
        _by_dimension
    ),
    "the shares of the tokens are added up; their mean is wanted.": _from(
        lambda x, x_hat: (1 - _squares(x - x_hat) / _squares(_centered(x))).sum()
    ),
    "this is 1 less the sum over tokens; their mean is wanted.": _from(
        lambda x, x_hat: 1 - (_squares(x - x_hat) / _squares(_centered(x))).sum()
    ),
    "this is the median over tokens; the mean is wanted.": _from(
        lambda x, x_hat: (1 - _squares(x - x_hat) / _squares(_centered(x))).median()
    ),
    "the mean error is divided by each token's distance; each token has its own error.": _from(
        lambda x, x_hat: (1 - _squares(x - x_hat).mean() / _squares(_centered(x))).mean()
    ),
    "tokens that are worse than the mean activation count as 0 here; they stay below 0.": _from(_clipped),
    **_common(_centered, _by_token),
}
MISTAKES = {"about_mean": ABOUT_MEAN, "about_zero": ABOUT_ZERO, "per_token": PER_TOKEN}
RAISED = {
    "must match the size": "the mean activation is one vector, x.mean(0); an error and a distance are one "
    "number for each token, .sum(-1).",
    "only one element tensors": "each of the three is a single number: a sum or mean over tokens is missing.",
    "a Tensor with": "each of the three is a single number: a sum or mean over tokens is missing.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.1", "explained_variance", minutes=6, hints=2)
def explained_variance(t: Trial, student: Function) -> None:
    """One after the other: a slip in one is named whatever the later ones are."""
    for number, case in enumerate(t.cases(len(SIZES))):
        arguments = _inputs(case, number)
        compare_fields(
            t,
            student,
            arguments,
            _right(**arguments),
            mistakes=MISTAKES,
            axes="",
            kind="ThreeWays",
            raised=RAISED,
        )


def _inputs(case: Case, number: int) -> dict[str, Tensor]:
    """Activations around a mean that isn't 0, tokens of different sizes, errors that aren't 0 on average.

    The noise of a token doesn't depend on its size, so that small ones are explained worse.
    """
    case.sizes |= dict(zip(("n", "d_in"), SIZES[number], strict=True))
    while True:
        spread = case.normal("n d_in") * case.uniform("n 1", 0.4, 2.0) * case.uniform("d_in", 0.5, 1.5)
        x = spread + case.normal("d_in", scale=0.9)
        noise = case.normal("n d_in") * case.uniform("n 1", 0.3, 1.7) + case.normal("d_in", scale=0.5)
        inputs = {"x": x, "x_hat": x + NOISE[number] * noise}
        shares = _squares(x - inputs["x_hat"]) / _squares(_centered(x))
        values = _right(**inputs)
        telling = NOISE[number] < 1 or all(value < 0 for value in values)
        clear = all(abs(value) > LEAST for value in values) and bool(((shares - 1).abs() > LEAST).all())
        if telling and clear:
            return inputs
