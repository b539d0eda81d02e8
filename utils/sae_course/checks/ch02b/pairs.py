"""Checks of 2b.4 negated_pairs and 2b.7 decoder_cosine: how two latents' directions stand to each other."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..mistakes import Mistakes
from ..trial import Function, Trial, name_of
from . import reference

MARGIN = 1e-3  # of cosines from a threshold, so that rounding does not decide


def _unit(W: Tensor, dim: int = -1) -> Tensor:
    return W / W.norm(dim=dim, keepdim=True).clamp(min=1e-12)


def _cosines(W_dec: Tensor) -> Tensor:
    return _unit(W_dec) @ _unit(W_dec).mT


def _below(
    product: Callable[[Tensor], Tensor] = _cosines,
    is_one: Callable[[Tensor, float], Tensor] = lambda cosine, threshold: cosine < -threshold,
    count: Callable[[Tensor], Tensor] = lambda pairs: pairs.triu(1).sum((1, 2)),
) -> Callable[..., Tensor]:
    """A slip in the cosines, in what makes a negated pair, or in how they are counted."""
    return lambda W_dec, threshold=0.9: count(is_one(product(W_dec), threshold))


def _across(W_dec: Tensor, threshold: float = 0.9) -> Tensor:
    """Pairs between a latent of the instance and one of any instance, its own included."""
    cosine = torch.einsum("ikd,jld->ikjl", _unit(W_dec), _unit(W_dec))
    return (cosine < -threshold).sum((1, 2, 3)) // 2


PAIR_MISTAKES: Mistakes = {
    "each pair is counted twice, as (i, j) and as (j, i): .triu(1), or half of it.": _below(
        count=lambda pairs: pairs.sum((1, 2))
    ),
    "absolute cosines: near copies are counted, too; only cosines below -threshold.": _below(
        is_one=lambda cosine, threshold: cosine.abs() > threshold
    ),
    "absolute cosines, and the diagonal with them: a latent has cosine 1 with itself.": _below(
        is_one=lambda cosine, threshold: cosine.abs() > threshold,
        count=lambda pairs: pairs.triu().sum((1, 2)),
    ),
    "absolute cosines, each pair twice, and the diagonal with them.": _below(
        is_one=lambda cosine, threshold: cosine.abs() > threshold, count=lambda pairs: pairs.sum((1, 2))
    ),
    "the sign: these are near copies, cosine above threshold; negatives have it below -threshold.": _below(
        is_one=lambda cosine, threshold: cosine > threshold
    ),
    "the minus is missing: nearly all pairs are below +threshold; below -threshold.": _below(
        is_one=lambda cosine, threshold: cosine < threshold
    ),
    "all pairs with a negative cosine are counted; only those below -threshold.": _below(
        is_one=lambda cosine, threshold: cosine < 0
    ),
    "nothing is normalised: these are inner products, not cosines.": _below(lambda W: W @ W.mT),
    "normalised along the wrong axis: a latent's vector lies along d_in, dim=-1.": _below(
        lambda W: _unit(W, 1) @ _unit(W, 1).mT
    ),
    "these are cosines between dimensions: W_dec @ W_decᵀ has latents on both sides.": _below(
        lambda W: _unit(W, 1).mT @ _unit(W, 1)
    ),
    "latents that are some other's negative are counted; pairs are wanted.": _below(
        count=lambda pairs: pairs.any(2).sum(1)
    ),
    "at most one pair is counted: sum over them.": _below(count=lambda pairs: pairs.any(2).any(1).long()),
    "a share of all pairs; their number is wanted.": _below(
        count=lambda pairs: pairs.triu(1).sum((1, 2)) / (pairs.shape[1] * (pairs.shape[1] - 1) / 2)
    ),
    "a share of all entries; the number of pairs is wanted.": _below(
        count=lambda pairs: pairs.float().mean((1, 2))
    ),
    "half of it: one triangle holds each pair once already; halve all or take .triu(1), not both.": _below(
        count=lambda pairs: pairs.triu(1).sum((1, 2)) // 2
    ),
    "the instances were added up; each has a number of its own.": _below(
        count=lambda pairs: pairs.triu(1).sum()
    ),
    "latents of different instances were paired.": _across,
    "every instance got the number of instance 0.": _below(
        count=lambda pairs: pairs[:1].triu(1).sum((1, 2)).expand(len(pairs))
    ),
}
OTHER_THRESHOLD: Mistakes = {
    "threshold is not used: -0.9 is in its place.": _below(is_one=lambda cosine, threshold: cosine < -0.9),
}


def _with_negatives(case: Case, threshold: float) -> Tensor:
    """Decoders with negatives of latent 0, ever more from instance to instance, and with near copies."""
    n_inst, d_sae = case.size("inst"), case.size("d_sae")
    while True:
        W_dec = case.unit("inst d_sae d_in", along="d_in")
        for i in range(n_inst):
            negatives = 2 + i % (d_sae // 2 - 1)
            W_dec[i, 1 : 1 + negatives] = 0.2 * W_dec[i, 1 : 1 + negatives] - W_dec[i, :1]
            W_dec[i, -1] = 0.2 * W_dec[i, -1] + W_dec[i, -2]
            if i % 2:
                W_dec[i, -3] = 0.2 * W_dec[i, -3] - W_dec[i, -4]
        cosine = _cosines(W_dec).abs()
        if not any(bool(((cosine - edge).abs() < MARGIN).any()) for edge in (threshold, 0.9)):
            return W_dec * case.uniform("inst d_sae 1", 0.3, 2.5)


@exercise("2b.4", "negated_pairs", minutes=4, hints=1)
def negated_pairs(t: Trial, student: Function) -> None:
    """Latents with several negatives, near copies, other thresholds, no pair at all, a vector of zeros."""
    for number, case in enumerate(t.cases(6, inst=7, d_sae=11)):
        case.sizes["d_in"] = 13 if number < 4 else 5
        threshold = (0.9, 0.6, 0.9, 0.4, 0.9, 0.75)[number]
        if number == 4:
            W_dec = case.unit("inst d_sae d_in", along="d_in").abs()  # no negative cosine
        else:
            W_dec = _with_negatives(case, threshold)
        if number == 5:
            W_dec[0, 4] = 0.0
        arguments = {"W_dec": W_dec} if number == 2 else {"W_dec": W_dec, "threshold": threshold}
        result = t.against(
            student,
            arguments,
            reference.negated_pairs,
            axes="inst",
            mistakes=PAIR_MISTAKES | OTHER_THRESHOLD if threshold != 0.9 else PAIR_MISTAKES,
            any_dtype=True,
        )
        whole = not result.is_floating_point() and result.dtype != torch.bool
        t.require(
            whole,
            f"{name_of(student)} gives {str(result.dtype).removeprefix('torch.')}; pairs are counted in "
            "whole numbers (int64).",
            kind="dtype",
            likely="/ 2 makes a float, // 2 doesn't; or a .float() before the sum.",
        )


def _mean_of(
    rule: Callable[[Tensor], Tensor], product: Callable[[Tensor], Tensor] = _cosines
) -> Callable[[Tensor], Tensor]:
    """A slip in what is made of the cosines ``[inst d_sae d_sae]``."""
    return lambda W_dec: rule(product(W_dec))


def _off_diagonal(cosine: Tensor) -> Tensor:
    """``[inst d_sae (d_sae - 1)]``: without each latent's cosine with itself."""
    n = cosine.shape[1]
    return cosine[:, ~torch.eye(n, dtype=torch.bool, device=cosine.device)].unflatten(1, (n, n - 1))


def _mean(cosine: Tensor) -> Tensor:
    return _off_diagonal(cosine).abs().mean((1, 2))


def _pooled(W_dec: Tensor) -> Tensor:
    return _mean(_cosines(W_dec.flatten(0, 1)[None])).expand(len(W_dec))


COSINE_MISTAKES: Mistakes = {
    "the diagonal is averaged in: every latent has cosine 1 with itself.": _mean_of(
        lambda cosine: cosine.abs().mean((1, 2))
    ),
    "the diagonal is in the sum, though not in the number of pairs: a latent has cosine 1 with itself.": (
        _mean_of(lambda cosine: cosine.abs().sum((1, 2)) / cosine[0].numel() * _odds(cosine))
    ),
    "divided by d_sae²; without the diagonal there are d_sae (d_sae - 1) entries.": _mean_of(
        lambda cosine: _mean(cosine) / _odds(cosine)
    ),
    "the sign is kept: opposed latents cancel parallel ones. abs() first, then the mean.": _mean_of(
        lambda cosine: _off_diagonal(cosine).mean((1, 2))
    ),
    "the mean's absolute value; abs() belongs before the mean.": _mean_of(
        lambda cosine: _off_diagonal(cosine).mean((1, 2)).abs()
    ),
    "nothing is normalised: these are inner products, not cosines.": _mean_of(_mean, lambda W: W @ W.mT),
    "normalised along the wrong axis: a latent's vector lies along d_in, dim=-1.": _mean_of(
        _mean, lambda W: _unit(W, 1) @ _unit(W, 1).mT
    ),
    "one length for an instance's whole decoder; each latent has its own, dim=-1.": _mean_of(
        _mean, lambda W: (W / W.norm(dim=(1, 2), keepdim=True)) @ (W / W.norm(dim=(1, 2), keepdim=True)).mT
    ),
    "these are cosines between dimensions: W_dec @ W_decᵀ has latents on both sides.": _mean_of(
        _mean, lambda W: _unit(W, 1).mT @ _unit(W, 1)
    ),
    "summed over pairs; average over them.": _mean_of(
        lambda cosine: _off_diagonal(cosine).abs().sum((1, 2)) / 2
    ),
    "summed over all entries; average over them.": _mean_of(
        lambda cosine: _off_diagonal(cosine).abs().sum((1, 2))
    ),
    "half of it: one triangle's sum, divided by the entries of both. It has d_sae (d_sae - 1) / 2 pairs.": (
        _mean_of(lambda cosine: _mean(cosine) / 2)
    ),
    "twice it: both triangles' sum, divided by the entries of one.": _mean_of(
        lambda cosine: _mean(cosine) * 2
    ),
    "the mean over a triangle runs over the zeros of the other one, too: divide by the number of pairs.": (
        _mean_of(lambda cosine: cosine.abs().triu(1).mean((1, 2)))
    ),
    "squared cosines; their size is wanted, abs().": _mean_of(
        lambda cosine: _off_diagonal(cosine).pow(2).mean((1, 2))
    ),
    "the root of the mean square; the mean of abs() is wanted.": _mean_of(
        lambda cosine: _off_diagonal(cosine).pow(2).mean((1, 2)).sqrt()
    ),
    "the largest for each latent, then the mean; the mean over all pairs is wanted.": _mean_of(
        lambda cosine: _off_diagonal(cosine).abs().amax(2).mean(1)
    ),
    "the largest of all; the mean is wanted.": _mean_of(
        lambda cosine: _off_diagonal(cosine).abs().amax((1, 2))
    ),
    "latents of different instances were paired.": _pooled,
    "averaged over the instances; each has a number of its own.": (
        lambda W_dec: reference.decoder_cosine(W_dec).mean()
    ),
}


def _odds(cosine: Tensor) -> float:
    """Entries of the whole matrix for one off the diagonal."""
    return cosine.shape[1] / (cosine.shape[1] - 1)


@exercise("2b.7", "decoder_cosine", minutes=4, hints=1)
def decoder_cosine(t: Trial, student: Function) -> None:
    """Vectors of uneven lengths; in the end, one of zeros, which must not make everything NaN."""
    for number, case in enumerate(t.cases(5, inst=5)):
        W_dec = _leaning(case)
        if number < 4:
            t.against(
                student, {"W_dec": W_dec}, reference.decoder_cosine, axes="inst", mistakes=COSINE_MISTAKES
            )
        else:
            _dead(t, student, W_dec)


def _leaning(case: Case) -> Tensor:
    """Decoders of uneven lengths, whose latents lean towards each other in some instances, or away."""
    W_dec = case.unit("inst d_sae d_in", along="d_in")
    away = torch.arange(len(W_dec), device=case.device) % 2 == 0
    common = torch.where(away[:, None, None], -W_dec.mean(1, keepdim=True), 0.3 * case.normal("inst 1 d_in"))
    return (W_dec + common) * case.uniform("inst d_sae 1", 0.3, 2.5)


def _dead(t: Trial, student: Function, W_dec: Tensor) -> None:
    """A latent of zeros has no direction: its cosines count as 0, or not at all."""
    without = reference.decoder_cosine(W_dec[:, 1:])
    W_dec[:, 0] = 0.0
    result = t.call(student, {"W_dec": W_dec})
    if isinstance(result, Tensor) and result.shape == without.shape:
        nan = bool(torch.isnan(result).any())
        if not nan and torch.allclose(result.double(), without.double(), rtol=1e-4):
            return
    try:
        t.close(
            result,
            reference.decoder_cosine(W_dec),
            f"with a vector of zeros, {name_of(student)}",
            axes="inst",
        )
    except CheckFailed as failure:
        if failure.kind == "nan":
            failure.likely = (
                "a vector of zeros is divided by its length, 0: torch.nn.functional.normalize gives 0."
            )
        raise
