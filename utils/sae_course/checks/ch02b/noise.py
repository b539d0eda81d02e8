"""Check of 2b.3 noise_like: noise with the mean and covariance of activations, and nothing else of them."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..cases import Case
from ..compare import difference
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from . import noise_law
from .noise_law import Law

AXES = "inst batch d_in"


@exercise("2b.3", "noise_like", minutes=6, hints=2)
def noise_like(t: Trial, student: Function) -> None:
    """Correlated activations far from 0; then some that don't fill their space; then a single instance."""
    sizes = ((3, 2000, 6), (4, 1500, 6), (1, 3000, 5))
    for number, (case, (inst, batch, d_in)) in enumerate(zip(t.cases(len(sizes)), sizes, strict=True)):
        case.sizes.update(inst=inst, batch=batch, d_in=d_in)
        h = _activations(case, gaps=number == 1)
        try:
            noise = _first_noise(t, student, h) if number == 0 else _noise(t, student, h, _stream(t))
        except CheckFailed as failure:
            if number == 1:
                failure.likely = _of_singular(failure) or failure.likely
            raise
        _require_new_rows(t, noise, h, name_of(student))
        _require_law(noise, h, name_of(student))
        _require_independent(t, noise, h, name_of(student))
        _require_gaussian(t, noise, h, name_of(student))


def _activations(case: Case, *, gaps: bool) -> Tensor:
    """``[inst batch d_in]``: sparse features in skew directions, about a centre.

    With ``gaps``, the second instance and the last have fewer features than dimensions, and in the third one
    dimension never changes. What is filled is never nearly flat: the directions' singular values are given.
    """
    d_in = case.size("d_in")
    features = case.uniform("inst batch d_in", 0.2, 1.0) * case.mask("inst batch d_in", 0.15)
    one, other = (torch.linalg.qr(case.normal("inst d_in d_in").cpu())[0].to(case.device) for _ in "12")
    lengths = torch.linspace(0.8, 4.0, d_in, device=case.device) * case.uniform("inst 1 1", 1.0, 1.6)
    directions = (one * lengths) @ other
    centre = 0.8 * case.normal("inst 1 d_in")
    if gaps:
        features[1, :, 3:] = 0.0
        features[3, :, 5:] = 0.0
        directions[2, :, 1] = 0.0
        centre[2, :, 1] = 0.5  # exact, so that its variance is exactly 0
        features *= 0.5  # with larger ones, rounding makes a jitter of 1e-6 fail now and then
    return features @ directions + centre


def _stream(t: Trial) -> torch.Generator:
    return torch.Generator(t.device).manual_seed(int(torch.randint(2**31, (), generator=t.generator)))


def _noise(t: Trial, student: Function, h: Tensor, generator: torch.Generator) -> Tensor:
    """The learner's noise, of the right shape and finite."""
    result = t.call(student, {"h": h, "generator": generator})
    failure = difference(result, torch.zeros_like(h), name_of(student), AXES)
    if failure is not None and failure.kind != "values":
        raise failure
    noise: Tensor = result
    return noise.detach()


def _of_singular(failure: CheckFailed) -> str:
    """What is likely where instances don't fill their space."""
    if failure.kind == "raised" and any(word in failure.problem for word in ("cholesky", "PositiveDefinite")):
        return (
            "an instance that doesn't fill its space has a singular covariance, without a Cholesky factor: "
            "add a little to the diagonal (1e-6), or take eigh and the roots of the eigenvalues."
        )
    if failure.kind == "nan":
        return (
            "a singular covariance: by rounding, an eigenvalue of 0 may come out below it, and its root is "
            "NaN: .clamp(min=0) before the root."
        )
    return ""


def _elsewhere() -> tuple[Any, ...]:
    """The state of the global random numbers, as something that can be compared."""
    return torch.get_rng_state().tolist(), random.getstate(), repr(np.random.get_state(legacy=False))


def _first_noise(t: Trial, student: Function, h: Tensor) -> Tensor:
    """The noise, once it is known that all randomness comes from the generator."""
    what = name_of(student)
    generator = _stream(t)
    seed = generator.initial_seed()
    untouched, elsewhere = generator.get_state(), _elsewhere()
    first = _noise(t, student, h, generator)
    t.require(
        not torch.equal(generator.get_state(), untouched),
        f"{what} took no random number from the generator that it was given.",
        kind="generator",
        likely="torch.randn(..., generator=generator); randn_like and distributions can't take one.",
    )
    t.require(
        _elsewhere() == elsewhere,
        f"{what} touched the global random numbers; all randomness is to come from the generator.",
        kind="generator",
        likely="generator=generator is missing in one of the draws.",
    )
    t.require(
        not torch.equal(first, _noise(t, student, h, generator)),
        f"{what}, called twice with the same generator, gives the same noise; each call is to give new.",
        kind="generator",
        likely="the generator is seeded anew inside the function.",
    )
    again = _noise(t, student, h, torch.Generator(t.device).manual_seed(seed))
    t.require(
        torch.allclose(first, again, atol=1e-4),
        f"{what} gives other noise for a generator with the same seed, so a run could not be repeated.",
        kind="generator",
        likely="one of the draws isn't from the generator.",
    )
    return first


def _require_new_rows(t: Trial, noise: Tensor, h: Tensor, what: str) -> None:
    near = 1e-4 * float(h.std())
    for i, (one, given) in enumerate(zip(noise, h, strict=True)):
        t.require(
            float((one - one[:1]).abs().max()) > near,
            f"{what} gives instance {i} the same noise for every sample.",
            kind="law",
            likely="drawn once for the batch: torch.randn(h.shape, ...) is wanted.",
        )
        some = one[:200].double()
        known = torch.cdist(some, given.double()).amin(1) < near
        t.require(
            float(known.double().mean()) < 0.05,
            f"the rows of {what} are rows of h, in instance {i}: they hold the features as they are.",
            kind="law",
            likely="shuffled or drawn again, samples stay samples: draw Gaussian numbers.",
        )


def _require_law(noise: Tensor, h: Tensor, what: str) -> None:
    """Mean and covariance of every instance; the mistake is the one whose law the noise does follow."""
    law = noise_law.law_of(h)
    pairs = list(zip(noise, noise_law.each(law), strict=True))
    found = [noise_law.deviation(*pair) for pair in pairs]
    wrong = [i for i, one in enumerate(found) if not one.fits]
    if not wrong:
        return
    i = max(wrong, key=lambda i: found[i].outside)
    failure = CheckFailed(_described(*pairs[i], found[i], f"in instance {i} of {what}"), kind="law")
    guesses = noise_law.GUESSES | noise_law.summed(h.shape[1])
    failure.offered = list(guesses)
    failure.named = [sentence for sentence, guess in guesses.items() if _follows(noise, guess, law)]
    if found[i].outside >= noise_law.OUTSIDE:
        failure.likely = (
            "too much jitter on the covariance's diagonal (1e-6 is enough), or a diagonal covariance."
        )
    elif _same_sizes(*pairs[i]):
        failure.likely = (
            "the spreads are right, but in the wrong directions: a factor, or the axes, are transposed."
        )
    raise failure


def _follows(noise: Tensor, guess: Callable[[Law], Law], law: Law) -> bool:
    try:
        return noise_law.fits(noise, guess(law))
    except torch.linalg.LinAlgError:  # a Cholesky factor that a singular covariance doesn't have
        return False


def _same_sizes(noise: Tensor, law: Law) -> bool:
    """Whether the covariances have the same eigenvalues."""
    seen, wanted = (
        torch.linalg.eigvalsh(covariance)
        for covariance in (noise_law.law_of(noise[None]).covariance[0], law.covariance)
    )
    return torch.allclose(seen, wanted, rtol=0.25, atol=1e-3 * float(wanted.max()))


def _described(noise: Tensor, law: Law, found: noise_law.Deviation, where: str) -> str:
    """What is most plainly wrong with one instance's noise."""
    seen = Law(*(part[0] for part in noise_law.law_of(noise[None])))
    if found.mean >= noise_law.MEAN_OFF:
        d = int((seen.mean - law.mean).abs().argmax())
        return f"dimension {d} {where} has the mean {seen.mean[d]:.3g}; h has {law.mean[d]:.3g}."
    if found.outside >= noise_law.OUTSIDE:
        return (
            f"noise {where} leaves the space that h fills, by {found.outside:.2g} of h's spread; expected 0."
        )
    gap = (seen.covariance - law.covariance).abs()
    i, j = sorted(divmod(int(gap.argmax()), len(gap)))
    name = f"the variance of dimension {i}" if i == j else f"the covariance of dimensions {i} and {j}"
    return f"{name} {where} is {seen.covariance[i, j]:.3g}; that of h is {law.covariance[i, j]:.3g}."


def _require_independent(t: Trial, noise: Tensor, h: Tensor, what: str) -> None:
    laws = noise_law.each(noise_law.law_of(h))
    white = [noise_law.whitened(*one)[0] for one in zip(noise, laws, strict=True)]
    for j in range(1, len(white)):
        together = white[0].mT @ white[j] / len(white[0])
        t.require(
            float(together.pow(2).sum()) < noise_law.SHARED,
            f"instances 0 and {j} of {what} share their noise: the one tells the other's.",
            kind="law",
            likely="white noise drawn once for all instances: draw it with h's full shape.",
        )


def _require_gaussian(t: Trial, noise: Tensor, h: Tensor, what: str) -> None:
    off = noise_law.tails(noise, noise_law.law_of(h))
    t.require(
        abs(off) < noise_law.TAILS_OFF,
        f"{what} has the mean and the covariance of h, but is not Gaussian: its tails are too "
        f"{'heavy' if off > 0 else 'light'}.",
        kind="law",
        likely="samples of h, mixed or with other signs, are still in it: draw torch.randn."
        if off > 0
        else "torch.rand, scaled to variance 1, is uniform: torch.randn.",
    )
