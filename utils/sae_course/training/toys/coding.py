"""Sparse codes over a dictionary that stays as it is: greedy, and as a convex problem's optimum.

An SAE's encoder has one matrix product to find its latents. These take as long as they need, so what they
reach is what the dictionary allows.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ...runtime import CourseError

DEPENDENT = 1e-6
"""A sample is done when its residual's product with every vector of length 1 is below this share of it."""

L0_TOLERANCE = 0.02
"""How far, as a share, `fista_at_l0` may be from the L0 that was asked for."""

SMALLEST_PENALTY, BISECTIONS = 1e-4, 30
"""Where it begins to look, as a share of the penalty at which all latents are 0, and how often it looks."""

CHUNK = 512
"""Samples that FISTA works on at a time."""

AT_REST = 1e-7
"""FISTA is done when no latent moves by more than this share of the largest latent."""


@torch.no_grad()
def omp(
    dictionary: Float[Tensor, "inst d_sae d_in"], samples: Float[Tensor, "inst batch d_in"], k: int
) -> Float[Tensor, "inst batch d_sae"]:
    """Orthogonal matching pursuit (Pati et al., 1993), for all samples at once; latents of either sign.

    ``k`` times: take the vector with the largest ``|residual @ unit vector|``, then refit all latents taken
    so far by least squares. A sample that fewer vectors reconstruct exactly gets fewer.

    Args:
        dictionary: vectors of any length.
        samples: not centred, whatever their mean.
        k: latents of each sample.

    Returns:
        Latents; ``latents @ dictionary`` is the reconstruction.

    Raises:
        CourseError: when shapes don't fit together, or ``k`` isn't between 1 and ``min(d_sae, d_in)``.
    """
    fits(dictionary, samples)
    possible(k, dictionary.shape[1], dictionary.shape[2])
    unit, length = _unit(dictionary.double())
    gram, start = unit @ unit.mT, samples.double() @ unit.mT
    least = DEPENDENT * samples.double().norm(dim=-1)
    latents = torch.zeros_like(start)
    places = start.new_zeros(*start.shape[:2], 0, dtype=torch.long)
    taken = torch.zeros_like(places, dtype=torch.bool)
    instance = torch.arange(len(gram), device=gram.device)[:, None, None, None]
    for _ in range(k):
        largest, place = (start - latents @ gram).abs().max(-1)
        places = torch.cat([places, place[..., None]], -1)
        taken = torch.cat([taken, (largest > least)[..., None]], -1)
        among = gram[instance, places[..., :, None], places[..., None, :]]
        both = taken[..., :, None] & taken[..., None, :]
        # where nothing was taken, an equation that says 0
        among = torch.where(both, among, torch.eye(places.shape[-1], dtype=gram.dtype, device=gram.device))
        values = torch.linalg.solve(among, start.gather(-1, places) * taken)
        latents = torch.zeros_like(start).scatter_add(-1, places, values)
    return (latents / length).to(samples.dtype)


@torch.no_grad()
def fista(
    dictionary: Float[Tensor, "inst d_sae d_in"],
    samples: Float[Tensor, "inst batch d_in"],
    l1: float | Float[Tensor, " inst"],
    steps: int = 1000,
    start: Float[Tensor, "inst batch d_sae"] | None = None,
) -> Float[Tensor, "inst batch d_sae"]:
    """The non-negative lasso's optimum, by FISTA (Beck & Teboulle, 2009, section 4, constant step size).

    ``minimise |sample - latents @ dictionary|² + l1 * sum_j latent_j |dictionary_j|`` over latents that are
    at least 0: what `Standard` minimises, with its decoder held and no encoder in the way.

    Args:
        dictionary: vectors of any length.
        samples: not centred.
        l1: one for all, or one for each instance.
        steps: at most; fewer where the latents have stopped moving.
        start: latents to begin with, 0 when not given; the optimum is the same.

    Raises:
        CourseError: when shapes don't fit together, or l1 is negative.
    """
    fits(dictionary, samples)
    penalty = torch.as_tensor(l1, dtype=samples.dtype, device=samples.device).expand(len(samples))
    if (penalty < 0).any():
        raise CourseError(f"l1 has to be at least 0: {penalty.min().item():g}.")
    unit, length = _unit(dictionary)
    gram, target = unit @ unit.mT, samples @ unit.mT
    rate = 0.5 / torch.linalg.eigvalsh(gram).amax(-1).clamp(min=1e-6)
    latents = torch.zeros_like(target) if start is None else start * length
    for i in range(len(gram)):  # a chunk's tensors stay in the processor's cache
        for chunk, aim in zip(latents[i].split(CHUNK), target[i].split(CHUNK), strict=True):
            chunk.copy_(_descend(chunk, gram[i], aim - penalty[i] / 2, 2 * rate[i], steps))
    return latents / length


def _descend(
    latents: Float[Tensor, "batch d_sae"],
    gram: Float[Tensor, "d_sae d_sae"],
    aim: Float[Tensor, "batch d_sae"],
    rate: Float[Tensor, ""],
    steps: int,
) -> Float[Tensor, "batch d_sae"]:
    """Minimise ``latents gram latents / 2 - aim latents`` of each sample, with latents of at least 0."""
    ahead, t = latents, torch.ones_like(aim[:, :1])
    for _ in range(steps):
        before, latents = latents, (ahead + rate * (aim - ahead @ gram)).relu()
        moved = latents - before
        if moved.abs().max() <= AT_REST * latents.max():
            break
        # momentum that points uphill starts anew (O'Donoghue & Candes, 2015, section 3.2)
        uphill = ((ahead - latents) * moved).sum(-1, keepdim=True) > 0
        t = torch.where(uphill, 1, t)
        following = (1 + (1 + 4 * t * t).sqrt()) / 2
        ahead, t = latents + (t - 1) / following * moved, following
    return latents


@torch.no_grad()
def fista_at_l0(
    dictionary: Float[Tensor, "inst d_sae d_in"],
    samples: Float[Tensor, "inst batch d_in"],
    k: float,
    steps: int = 1000,
) -> tuple[Float[Tensor, "inst batch d_sae"], Float[Tensor, " inst"]]:
    """`fista` with the penalty at which, on average over the samples, ``k`` latents aren't 0.

    Each instance has a penalty of its own, found by bisection of its logarithm.

    Args:
        dictionary, samples, steps: as for `fista`.
        k: mean L0 that is wanted, met within 2 %.

    Returns:
        Latents, and the penalties.

    Raises:
        CourseError: when shapes don't fit together, or no penalty gives that L0.
    """
    fits(dictionary, samples)
    found = [_at_l0(dictionary[i : i + 1], samples[i : i + 1], k, steps) for i in range(len(samples))]
    return torch.cat([latents for latents, _ in found]), torch.cat([l1 for _, l1 in found])


def _at_l0(
    dictionary: Float[Tensor, "1 d_sae d_in"], samples: Float[Tensor, "1 batch d_in"], k: float, steps: int
) -> tuple[Float[Tensor, "1 batch d_sae"], Float[Tensor, " 1"]]:
    unit, _ = _unit(dictionary)
    high = 2 * (samples @ unit.mT).amax((1, 2)).clamp(min=1e-6)  # from here on, all latents are 0
    low, latents, l0 = SMALLEST_PENALTY * high, None, 0.0
    for _ in range(BISECTIONS):
        l1 = (low * high).sqrt()
        latents = fista(dictionary, samples, l1, steps, latents)
        l0 = (latents > 0).sum(-1).float().mean().item()
        if abs(l0 - k) <= L0_TOLERANCE * k:
            return latents, l1
        low, high = (l1, high) if l0 > k else (low, l1)
    raise CourseError(
        f"No penalty gives a mean L0 within {L0_TOLERANCE:.0%} of k = {k:g}: the search ended at {l0:.3g}. "
        "Take a k that this dictionary can have on these samples, or more samples."
    )


def fits(dictionary: Tensor, samples: Tensor) -> None:
    """Raise CourseError unless both have three axes, the same instances and the same dimensions."""
    if dictionary.ndim != 3 or samples.ndim != 3 or dictionary.shape[::2] != samples.shape[::2]:
        raise CourseError(
            "A dictionary [inst d_sae d_in] and samples [inst batch d_in] are needed, with the same inst and "
            f"d_in: {list(dictionary.shape)} and {list(samples.shape)}."
        )


def possible(k: int, d_sae: int, d_in: int) -> None:
    """Raise CourseError unless ``k`` of ``d_sae`` vectors can be chosen and be independent in ``d_in``."""
    if not 1 <= k <= min(d_sae, d_in):
        raise CourseError(f"k has to lie between 1 and min(d_sae, d_in) = {min(d_sae, d_in)}: {k}.")


def _unit(dictionary: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors of length 1 (a vector of zeros stays), and the lengths [inst 1 d_sae]."""
    length = dictionary.norm(dim=-1).clamp(min=1e-12)
    return dictionary / length[..., None], length[:, None]
