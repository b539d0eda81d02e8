"""Whether noise follows a Gaussian law: its mean, its covariance, its tails; bounds far from chance."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

MEAN_OFF, COVARIANCE_OFF, OUTSIDE = 0.18, 0.4, 0.2
"""How far noise may be off, in units of its own standard deviations; see `deviation`.

With 2000 samples of 6 dimensions chance alone gives .05 and .15, and more than these bounds less than once in
10⁸ times. The third is for the jitter that makes a singular covariance's Cholesky factor exist.
"""
TAILS_OFF = 10.0
"""Standard deviations that the kurtosis may be off: a right answer's is up to 3 or 4, uniform noise's 18."""
SHARED = 1.0
"""Squared correlations of two instances' noise, added up: about .02 by chance, 3 or more where shared."""


class Law(NamedTuple):
    """Of one instance, or of several: the instance axis comes first then."""

    mean: Tensor
    """[d_in]."""
    covariance: Tensor
    """[d_in d_in]."""


Guess = Callable[[Law], Law]


def law_of(h: Tensor) -> Law:
    """The mean and the covariance of ``[inst batch d_in]``, of each instance, in double precision."""
    h = h.detach().double()
    centred = h - h.mean(1, keepdim=True)
    return Law(h.mean(1), centred.mT @ centred / h.shape[1])


def each(law: Law) -> list[Law]:
    """One for each instance."""
    return [Law(*one) for one in zip(*law, strict=True)]


def whitened(noise: Tensor, law: Law) -> tuple[Tensor, Tensor]:
    """``[batch rank]``, standard normal where ``[batch d_in]`` follows the law; and what leaves its space."""
    size, axes = torch.linalg.eigh(law.covariance)
    inside = size > 1e-6 * size.max()
    along = (noise.double() - law.mean) @ axes
    return along[:, inside] / size[inside].sqrt(), along[:, ~inside]


class Deviation(NamedTuple):
    """How far noise is from a law."""

    mean: float
    covariance: float
    outside: float
    """Of the space that the law's samples fill: root mean square, in units of the law's."""

    @property
    def fits(self) -> bool:
        """Within the bounds."""
        return self.mean < MEAN_OFF and self.covariance < COVARIANCE_OFF and self.outside < OUTSIDE


def deviation(noise: Tensor, law: Law) -> Deviation:
    """Of one instance: lengths of the mean and of ``covariance - 1``, after whitening by the law."""
    white, beyond = whitened(noise, law)
    covariance = white.mT @ white / len(white) - torch.eye(white.shape[1]).to(white)
    unit = math.sqrt(float(law.covariance.diagonal().mean()))
    outside = float(beyond.pow(2).mean().sqrt()) / unit if beyond.numel() else 0.0
    return Deviation(float(white.mean(0).norm()), float(covariance.norm()), outside)


def fits(noise: Tensor, law: Law) -> bool:
    """Whether the noise ``[inst batch d_in]`` of every instance follows its law."""
    return all(deviation(*one).fits for one in zip(noise, each(law), strict=True))


def tails(noise: Tensor, law: Law) -> float:
    """Mardia's kurtosis, averaged over instances, in standard deviations from a Gaussian's.

    The mean fourth power of a length that is measured in the noise's own covariance, so that the law's plays
    no part: in ``r`` dimensions a Gaussian has ``r (r + 2)``, with variance ``8 r (r + 2) / batch``.
    """
    gap, variance = 0.0, 0.0
    for one in zip(noise, each(law), strict=True):
        white, _ = whitened(*one)
        n, r = white.shape
        white = white - white.mean(0)
        squared = (white @ torch.linalg.inv(white.mT @ white / n) * white).sum(1)
        gap += float(squared.pow(2).mean()) - r * (r + 2)
        variance += 8 * r * (r + 2) / n
    return gap / math.sqrt(variance)


def _spread(law: Law) -> Tensor:
    return torch.diag_embed(law.covariance.diagonal(dim1=-2, dim2=-1))


def _outer(law: Law) -> Tensor:
    return law.mean[..., None] * law.mean[..., None, :]


def _for_all(law: Law, mean: Tensor) -> Law:
    """One covariance about the common mean of all instances; for equally large batches."""
    common = law.mean.mean(0)
    apart = law.mean - common
    covariance = law.covariance.mean(0) + apart.mT @ apart / len(apart)
    return Law(mean, covariance.expand_as(law.covariance))


def _correlation(law: Law) -> Tensor:
    unit = law.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    return law.covariance / (unit[..., None] * unit[..., None, :]).clamp(min=1e-12)


def _swapped_factor(law: Law) -> Tensor:
    factor = torch.linalg.cholesky(law.covariance)
    return factor.mT @ factor


def _same(law: Law) -> Tensor:
    return torch.eye(law.mean.shape[-1]).to(law.mean).expand_as(law.covariance)


GUESSES: dict[str, Guess] = {
    "the mean is missing: add h.mean(dim=1) of each instance.": lambda law: Law(0 * law.mean, law.covariance),
    "only each dimension's own spread is right (std, or the diagonal of the covariance): how dimensions vary "
    "together is lost.": lambda law: Law(law.mean, _spread(law)),
    "only each dimension's own spread is right, and the mean is missing, too.": lambda law: Law(
        0 * law.mean, _spread(law)
    ),
    "the covariance is taken about zero: subtract the mean from h first.": lambda law: Law(
        law.mean, law.covariance + _outer(law)
    ),
    "the covariance is taken about zero in place of the mean: subtract the mean from h, and add it to the "
    "noise.": lambda law: Law(0 * law.mean, law.covariance + _outer(law)),
    "the square root is missing: white noise times a *factor* of the covariance (Cholesky, or axes times the "
    "roots of the eigenvalues), not times the covariance.": lambda law: Law(
        law.mean, law.covariance @ law.covariance
    ),
    "the factor is the wrong way round: rows of white noise are multiplied by L.T where L L.T is the "
    "covariance.": lambda law: Law(law.mean, _swapped_factor(law)),
    "variances stand where standard deviations do, and how dimensions vary together is lost.": lambda law: (
        Law(law.mean, _spread(law) ** 2)
    ),
    "one mean and covariance for all instances together; each has its own.": lambda law: _for_all(
        law, law.mean.mean(0).expand_as(law.mean)
    ),
    "one covariance for all instances together; each has its own.": lambda law: _for_all(law, law.mean),
    "one covariance for all instances, the mean one of theirs; each has its own.": lambda law: Law(
        law.mean, law.covariance.mean(0).expand_as(law.covariance)
    ),
    "every instance got the noise of instance 0's law; each has its own.": lambda law: Law(
        law.mean[:1].expand_as(law.mean), law.covariance[:1].expand_as(law.covariance)
    ),
    "every instance got the covariance of instance 0; each has its own.": lambda law: Law(
        law.mean, law.covariance[:1].expand_as(law.covariance)
    ),
    "every instance got the mean of all; each has its own.": lambda law: Law(
        law.mean.mean(0).expand_as(law.mean), law.covariance
    ),
    "the mean is one number for an instance; each dimension has its own, h.mean(dim=1).": lambda law: Law(
        law.mean.mean(-1, keepdim=True).expand_as(law.mean), law.covariance
    ),
    "the noise is white: no covariance is used.": lambda law: Law(law.mean, _same(law)),
    "standard normal numbers: neither mean nor covariance is used.": lambda law: Law(
        0 * law.mean, _same(law)
    ),
    "one standard deviation for all dimensions; the covariance is wanted.": lambda law: Law(
        law.mean,
        _same(law) * law.covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None],
    ),
    "this is the correlation (torch.corrcoef); the covariance has the dimensions' sizes in it.": lambda law: (
        Law(law.mean, _correlation(law))
    ),
    "h is still in it: the noise was added to it. It takes its place.": lambda law: Law(
        2 * law.mean, 2 * law.covariance
    ),
    "h is still in it: noise without a mean was added to it. The noise takes its place.": lambda law: Law(
        law.mean, 2 * law.covariance
    ),
    "torch.rand gives uniform numbers of variance 1/12; torch.randn normal ones.": lambda law: Law(
        law.mean, law.covariance / 12
    ),
}


def summed(batch_size: int) -> dict[str, Guess]:
    """The guess that depends on how many samples there are."""
    return {
        "the covariance is a mean over the batch: divide by the number of samples (the noise by its root).": (
            lambda law: Law(law.mean, law.covariance * batch_size)
        )
    }
