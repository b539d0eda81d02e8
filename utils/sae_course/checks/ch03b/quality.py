"""Check of 3b.2: three numbers that are all called explained variance."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..core import exercise
from ..trial import Function, Trial

Three = tuple[float, float, float]


def _ratio(error: Tensor, total: Tensor) -> float:
    return float(1 - error / total)


def _squares(x: Tensor) -> Tensor:
    return x.double().pow(2).sum(-1)


def _about(x: Tensor, x_hat: Tensor, centre: Any) -> float:
    return _ratio(_squares(x - x_hat).sum(), _squares(x - centre).sum())


def _right(x: Tensor, x_hat: Tensor) -> Three:
    per_token = 1 - _squares(x - x_hat) / _squares(x - x.mean(0))
    return _about(x, x_hat, x.mean(0)), _about(x, x_hat, 0.0), float(per_token.mean())


def _but(
    about_mean: Callable[[Tensor, Tensor], float] | None = None,
    about_zero: Callable[[Tensor, Tensor], float] | None = None,
    per_token: Callable[[Tensor, Tensor], float] | None = None,
) -> Callable[[Tensor, Tensor], Three]:
    """Right but for these."""

    def wrong(x: Tensor, x_hat: Tensor) -> Three:
        mean, zero, token = _right(x, x_hat)
        return (
            about_mean(x, x_hat) if about_mean else mean,
            about_zero(x, x_hat) if about_zero else zero,
            per_token(x, x_hat) if per_token else token,
        )

    return wrong


def _centred_at(centre: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], Three]:
    """Right but for the mean, wherever one is subtracted."""

    def about(x: Tensor, x_hat: Tensor) -> float:
        return _about(x, x_hat, centre(x, x_hat))

    def per_token(x: Tensor, x_hat: Tensor) -> float:
        return float((1 - _squares(x - x_hat) / _squares(x - centre(x, x_hat))).mean())

    return _but(about_mean=about, per_token=per_token)


def _norms(x: Tensor, x_hat: Tensor) -> Three:
    error, size, centred = (_squares(one).sqrt() for one in (x - x_hat, x, x - x.mean(0)))
    per_token = float((1 - error / centred).mean())
    return _ratio(error.sum(), centred.sum()), _ratio(error.sum(), size.sum()), per_token


def _each(change: Callable[[float], float]) -> Callable[[Tensor, Tensor], Three]:
    """All three changed alike."""

    def wrong(x: Tensor, x_hat: Tensor) -> Three:
        mean, zero, token = map(change, _right(x, x_hat))
        return mean, zero, token

    return wrong


def _upside_down(x: Tensor, x_hat: Tensor) -> Three:
    error, centred = _squares(x - x_hat), _squares(x - x.mean(0))
    per_token = float((1 - centred / error).mean())
    return _ratio(centred.sum(), error.sum()), _ratio(_squares(x).sum(), error.sum()), per_token


def _error_centred(x: Tensor, x_hat: Tensor) -> float:
    error = x - x_hat
    return _ratio(_squares(error - error.mean(0)).sum(), _squares(x - x.mean(0)).sum())


def _by_dimension(x: Tensor, x_hat: Tensor) -> float:
    error, centred = ((one.double() ** 2).sum(0) for one in (x - x_hat, x - x.mean(0)))
    return float((1 - error / centred).mean())


MISTAKES = {
    "the mean is a single number; it is a vector, over the tokens: x.mean(0).": _centred_at(
        lambda x, x_hat: x.mean()
    ),
    "the mean is each token's own, over d_in; it is over the tokens: x.mean(0).": _centred_at(
        lambda x, x_hat: x.mean(-1, keepdim=True)
    ),
    "the mean is that of x_hat; it is that of x.": _centred_at(lambda x, x_hat: x_hat.mean(0)),
    "the variance is that of x_hat; it is that of x, which is to be explained.": lambda x, x_hat: _right(
        x_hat, x
    ),
    "this is what is left unexplained: 1 minus it is wanted.": _each(lambda value: 1 - value),
    "these are percentages; a share between 0 and 1 is wanted.": _each(lambda value: 100 * value),
    "the sign is the wrong way round: 1 − error / variance.": _each(lambda value: -value),
    "a ratio is upside down: the error stands above, the variance below.": _upside_down,
    "norms, not their squares.": _norms,
    "about_mean averages each token's ratio; it is one ratio of two sums.": _but(
        about_mean=lambda x, x_hat: _right(x, x_hat)[2]
    ),
    "about_mean averages a ratio for each of the d_in dimensions; it is one ratio of two sums.": _but(
        about_mean=_by_dimension
    ),
    "the error's own mean is subtracted (as .var does): then a wrong offset costs nothing.": _but(
        about_mean=_error_centred
    ),
    "this is the variance of x_hat over that of x: the error, x − x_hat, must come in.": _but(
        about_mean=lambda x, x_hat: float(_squares(x_hat - x.mean(0)).sum() / _squares(x - x.mean(0)).sum())
    ),
    "about_mean doesn't subtract the mean: it is about_zero.": _but(
        about_mean=lambda x, x_hat: _right(x, x_hat)[1]
    ),
    "about_zero subtracts the mean: it is about_mean.": _but(about_zero=lambda x, x_hat: _right(x, x_hat)[0]),
    "about_zero averages each token's ratio; it is one ratio of two sums.": _but(
        about_zero=lambda x, x_hat: float((1 - _squares(x - x_hat) / _squares(x)).mean())
    ),
    "about_mean and about_zero have changed places.": _but(
        about_mean=lambda x, x_hat: _right(x, x_hat)[1], about_zero=lambda x, x_hat: _right(x, x_hat)[0]
    ),
    "per_token is one ratio of two sums: take each token's ratio first, then their mean.": _but(
        per_token=lambda x, x_hat: _right(x, x_hat)[0]
    ),
    "per_token divides by |x|²; by the distance from the mean, |x − mean|².": _but(
        per_token=lambda x, x_hat: float((1 - _squares(x - x_hat) / _squares(x)).mean())
    ),
    "per_token averages the ratios of single entries: sum over d_in first, above and below.": _but(
        per_token=lambda x, x_hat: float((1 - ((x - x_hat) / (x - x.mean(0))).double() ** 2).mean())
    ),
    "per_token is summed over the tokens; it is to be averaged.": _but(
        per_token=lambda x, x_hat: len(x) * _right(x, x_hat)[2]
    ),
    "per_token divides each token's error by the mean variance of all: by the token's own.": _but(
        per_token=lambda x, x_hat: float((1 - _squares(x - x_hat) / _squares(x - x.mean(0)).sum()).mean())
    ),
}


@exercise("3b.2", "explained_variances", minutes=4, hints=1)
def explained_variances(t: Trial, student: Function) -> None:
    """Three numbers from one reconstruction, which disagree: activations are off 0 and of uneven length."""
    for case in t.cases(5, n=23):
        spread = case.uniform("n 1", 0.4, 2.0)
        x = spread * case.normal("n d_in") + case.normal("1 d_in", scale=1.5)
        error = case.normal("n d_in", scale=0.4) + case.normal("1 d_in", scale=0.15)
        x_hat = x - error * case.uniform("n 1", 0.2, 1.0) - 0.1 * spread * x
        t.against(student, {"x": x, "x_hat": x_hat}, _right, mistakes=MISTAKES)
