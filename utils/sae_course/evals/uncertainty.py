"""How sure a number is: its standard error, and the smallest difference that could have been seen.

The policy of every report: a number is an `Estimate`, with the error that its samples give, and what the
samples were. Samples are rows of tokens, or features, or latents, never single tokens: neighbouring tokens
are alike, and taken for independent they would make every error several times too small. Seeds are another
source of difference, which no error over rows shows: where SAEs of several seeds were measured, `over` their
numbers says how far they differ.
"""

from collections.abc import Callable, Sequence
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ..runtime import CourseError
from ..runtime.streams import stream_seed

RESAMPLES = 200
"""Of a bootstrap. The error of the standard error is then about 5 %."""
_DETECTED, _POWER = 1.959964, 0.841621
"""Normal quantiles: 97.5 % (a difference counts beyond 1.96 errors) and 80 % (the chance to get there)."""


class Estimate(NamedTuple):
    """A number with its standard error."""

    value: float
    error: float = nan
    """Standard error; NaN where it isn't known."""
    samples: str = ""
    """What the error is over: "64 rows", "3 seeds"."""

    def __str__(self) -> str:
        if isnan(self.value):
            return "–"
        return f"{self.value:.3g}" if isnan(self.error) else f"{self.value:.3g} ± {self.error:.1g}"


class Difference(NamedTuple):
    """One number less another, measured on the same samples."""

    value: float
    error: float
    detectable: float
    """The smallest true difference that this set-up would notice four times out of five (a two-sided test at
    5 %): 2.8 standard errors. A smaller one found to be "not significant" says nothing."""

    @property
    def seen(self) -> bool:
        """Whether it is more than 1.96 standard errors from 0."""
        return abs(self.value) > _DETECTED * self.error

    def __str__(self) -> str:
        verdict = "a difference" if self.seen else "no difference that could be told"
        return (
            f"{self.value:+.3g} ± {self.error:.1g}: {verdict}; detectable here: {self.detectable:.2g} or more"
        )


def over(values: "Sequence[float] | Float[np.ndarray, ' n'] | Tensor", what: str = "samples") -> Estimate:
    """The mean and its standard error, s / √n with s² = Σ (v − mean)² / (n − 1); NaNs are left out.

    Args:
        what: the values are of, in the plural: "features", "seeds".
    """
    found = _finite(values)
    if not len(found):
        return Estimate(nan, nan, f"0 {what}")
    error = float(found.std(ddof=1) / len(found) ** 0.5) if len(found) > 1 else nan
    return Estimate(float(found.mean()), error, f"{len(found)} {what}")


def bootstrap(
    samples: "Shaped[Tensor, 'n ...']",
    statistic: "Callable[[Any], float]",
    *,
    what: str = "rows",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A statistic of samples, and its standard deviation when the samples are drawn anew, with replacement.

    Efron 1979. Draw n of the n samples, take the statistic, again and again.

    Args:
        samples: along the first axis; whole rows, where tokens of a row belong together.
        statistic: of such a tensor, whatever its length. A drawing for which it is NaN doesn't count.

    Raises:
        CourseError: for fewer than two samples: one says nothing about how far others would be from it.
    """
    n = len(samples)
    if n < 2:
        raise CourseError(
            f"{n} of {what}: an error can't be estimated from one sample. Take more {what}, at least 2."
        )
    stream = torch.Generator().manual_seed(stream_seed("bootstrap", seed))
    drawn = torch.randint(n, (resamples, n), generator=stream).to(samples.device)
    found = np.array([float(statistic(samples[one])) for one in drawn])
    found = found[np.isfinite(found)]
    error = float(found.std(ddof=1)) if len(found) > 1 else nan
    return Estimate(float(statistic(samples)), error, f"{n} {what}")


def difference(
    one: "Sequence[float] | Float[np.ndarray, ' n'] | Tensor",
    other: "Sequence[float] | Float[np.ndarray, ' n'] | Tensor",
) -> Difference:
    """The mean difference of two measurements of the same samples (features, rows, seeds), pair by pair.

    What makes a sample hard for both is no difference between them, so it doesn't count as error.

    Raises:
        CourseError: when they aren't as many, or fewer than two pairs have both.
    """
    a, b = (_array(values) for values in (one, other))
    if a.shape != b.shape:
        raise CourseError(
            f"Differences are taken of the same samples, and there are {len(a)} and {len(b)} of them."
        )
    apart = _finite(a - b)
    if len(apart) < 2:
        raise CourseError(f"{len(apart)} pairs of numbers are no basis for an error: at least 2 are needed.")
    error = float(apart.std(ddof=1) / len(apart) ** 0.5)
    return Difference(float(apart.mean()), error, detectable(error))


def detectable(error: float) -> float:
    """The smallest true difference that is found with 80 % chance at a level of 5 %: (1.96 + .84) errors.

    Cohen 1988, *Statistical Power Analysis*, chapter 2, in the normal approximation: with few samples a
    difference must be larger still.
    """
    return (_DETECTED + _POWER) * error


def _array(values: Any) -> Float[np.ndarray, " n"]:
    found = values.detach().cpu().double().numpy() if isinstance(values, Tensor) else values
    return np.asarray(found, dtype=float)


def _finite(values: Any) -> Float[np.ndarray, " n"]:
    found = _array(values)
    return found[~np.isnan(found)]
