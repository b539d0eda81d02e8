"""Checks of part 3: matching latents to features, and the four numbers for an SAE."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Trial
from .reference import Output


class Matching(NamedTuple):
    """What match_features gives."""

    cosine: Tensor
    max_cosine: Tensor
    assigned_cosine: Tensor


class Score(NamedTuple):
    """What score gives."""

    live: Tensor
    l0: Tensor
    fvu: Tensor
    shrinkage: Tensor


def _unit(x: Tensor, dim: int) -> Tensor:
    return x / x.norm(dim=dim, keepdim=True)


def _product(W_dec: Tensor, features: Tensor) -> Tensor:
    return torch.stack([latents @ directions for latents, directions in zip(W_dec, features, strict=True)])


def _cosines(W_dec: Tensor, features: Tensor) -> Tensor:
    return _product(_unit(W_dec, 2), _unit(features, 1))


def _hide(cosine: Tensor, live: Tensor, value: float = -1.0) -> Tensor:
    return torch.where(live[..., None], cosine, value)


def _assign(cosine: Tensor, *, maximise: bool = True, empty: float = -1.0, first: bool = False) -> Tensor:
    """The cosine of each feature's own latent; ``first``: instance 0's pairing for all."""
    assigned = torch.full_like(cosine[:, 0], empty)
    for i in range(len(cosine)):
        rows, columns = linear_sum_assignment(cosine[0 if first else i].cpu().numpy(), maximize=maximise)
        for row, column in zip(rows, columns, strict=True):
            assigned[i, column] = cosine[i, row, column]
    return assigned


def _matching(cosine: Tensor, assigned: Tensor | None = None) -> Matching:
    return Matching(cosine, cosine.max(dim=1).values, _assign(cosine) if assigned is None else assigned)


def _match(W_dec: Tensor, features: Tensor, live: Tensor) -> Matching:
    return _matching(_hide(_cosines(W_dec, features), live))


def _from_cosine(cosine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Matching]:
    """Right but for how the cosine is taken."""
    return lambda W_dec, features, live: _matching(_hide(cosine(W_dec, features), live))


def _from_assignment(assign: Callable[[Tensor], Tensor]) -> Callable[..., Matching]:
    """Right but for how latents are paired with features."""

    def wrong(W_dec: Tensor, features: Tensor, live: Tensor) -> Matching:
        cosine = _hide(_cosines(W_dec, features), live)
        return _matching(cosine, assign(cosine))

    return wrong


def _latents_order(cosine: Tensor) -> Tensor:
    pairs = [linear_sum_assignment(values.cpu().numpy(), maximize=True) for values in cosine]
    return torch.stack([values[rows, columns] for values, (rows, columns) in zip(cosine, pairs, strict=True)])


def _best_for_latents(W_dec: Tensor, features: Tensor, live: Tensor) -> Matching:
    right = _match(W_dec, features, live)
    return right._replace(max_cosine=right.cosine.max(dim=2).values)


MATCHING_MISTAKES: dict[str, Callable[..., Matching]] = {
    "this looks like W_dec without normalising: a cosine is taken between unit vectors.": _from_cosine(
        lambda W_dec, features: _product(W_dec, _unit(features, 1))
    ),
    "this looks like features without normalising: a cosine is taken between unit vectors.": _from_cosine(
        lambda W_dec, features: _product(_unit(W_dec, 2), features)
    ),
    "neither W_dec nor features is normalised: these are inner products, not cosines.": _from_cosine(
        _product
    ),
    "features is normalised along the wrong axis: each feature's vector is a column, along d_in (dim=1).": (
        _from_cosine(lambda W_dec, features: _product(_unit(W_dec, 2), _unit(features, 2)))
    ),
    "W_dec is normalised along the wrong axis: each latent's vector is a row, along d_in (dim=-1).": (
        _from_cosine(lambda W_dec, features: _product(_unit(W_dec, 1), _unit(features, 1)))
    ),
    "absolute values: a latent that points the opposite way does not match.": _from_cosine(
        lambda W_dec, features: _cosines(W_dec, features).abs()
    ),
    "dead latents are counted: where live is False, the cosine is -1.": lambda W_dec, features, live: (
        _matching(_cosines(W_dec, features))
    ),
    "live latents are hidden and dead ones counted: the mask is the wrong way round.": (
        lambda W_dec, features, live: _match(W_dec, features, ~live)
    ),
    "dead latents get cosine 0: better than an opposite direction; it must be -1.": (
        lambda W_dec, features, live: _matching(_hide(_cosines(W_dec, features), live, 0.0))
    ),
    "the maximum is taken over the features; for each feature it is over the latents (dim=1).": (
        _best_for_latents
    ),
    "the assignment has the smallest sum of cosines, the worst pairing: maximize=True is missing.": (
        _from_assignment(lambda cosine: _assign(cosine, maximise=False))
    ),
    "instance 0's pairing is used for every instance: each needs its own.": _from_assignment(
        lambda cosine: _assign(cosine, first=True)
    ),
    "this is the maximum again: one latent serves two features, where each may be used once.": (
        _from_assignment(lambda cosine: cosine.max(dim=1).values)
    ),
    "the assigned cosines stand in the order of the latents; put each at its feature's place.": (
        _from_assignment(_latents_order)
    ),
    "a feature that no latent is paired with is left at 0; it should be -1.": _from_assignment(
        lambda cosine: _assign(cosine, empty=0.0)
    ),
}


@exercise("1.10", "match_features", minutes=8, hints=2)
def match_features(t: Trial, student: Any) -> None:
    """Cosines of unit vectors, -1 for dead latents; the maximum and a one-to-one pairing of each instance.

    There are more latents than features in the first cases, fewer in the others.
    """
    for i, case in enumerate(t.cases(6, inst=5)):
        case.sizes |= {"d_sae": 11, "features": 7, "d_in": 3} if i < 3 else {"d_sae": 7, "features": 13}
        live = case.mask("inst d_sae", 0.7)
        if i == 2:
            live[1] = False
        t.against(
            student,
            {
                "W_dec": case.normal("inst d_sae d_in") * case.uniform("inst d_sae 1", 0.5, 2.0),
                "features": case.normal("inst d_in features") * case.uniform("inst 1 features", 0.5, 2.0),
                "live": live,
            },
            _match,
            axes={
                "cosine": "inst d_sae features",
                "max_cosine": "inst features",
                "assigned_cosine": "inst features",
            },
            mistakes=MATCHING_MISTAKES,
        )


def _score(h: Tensor, out: Output) -> Score:
    """By a loop over instances."""
    rows = []
    for i in range(h.shape[1]):
        x, x_hat, fires = h[:, i], out.reconstruction[:, i], out.latents[:, i] > 0
        error = float((x - x_hat).pow(2).sum())
        variance = float((x - x.mean(0)).pow(2).sum())
        present = x.abs().amax(-1) > 0
        seen = float(x_hat[present].norm(dim=-1).sum())
        rows.append((float(fires.sum()) / len(x), error / variance, seen / float(x.norm(dim=-1).sum())))
    columns = torch.tensor(rows, dtype=h.dtype, device=h.device).unbind(1)
    return Score((out.latents > 0).sum(0) > 0, *columns)


def _with(**fields: Callable[[Tensor, Output], Tensor]) -> Callable[[Tensor, Output], Score]:
    """Right but for these fields."""
    return lambda h, out: _score(h, out)._replace(**{key: make(h, out) for key, make in fields.items()})


def _error(h: Tensor, out: Output) -> Tensor:
    return (h - out.reconstruction).pow(2).sum(dim=(0, 2))


def _norms(h: Tensor, out: Output) -> tuple[Tensor, Tensor]:
    """Norms of h and of its reconstruction, the latter 0 where h is."""
    true = h.norm(dim=-1)
    return true, out.reconstruction.norm(dim=-1) * (true > 0)


def _about(mean: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Output], Score]:
    """FVU with another mean."""
    return _with(fvu=lambda h, out: _error(h, out) / (h - mean(h)).pow(2).sum(dim=(0, 2)))


def _ratio_by_sample(h: Tensor, out: Output) -> Tensor:
    error = (h - out.reconstruction).pow(2).sum(-1)
    return (error / (h - h.mean(0)).pow(2).sum(-1)).mean(0)


def _shrinkage_by_sample(h: Tensor, out: Output) -> Tensor:
    true, seen = _norms(h, out)
    return (seen / true.clamp(min=1e-9)).sum(0) / (true > 0).sum(0)


SCORE_MISTAKES: dict[str, Callable[..., Score]] = {
    "a latent fires when its activation is above 0; `>= 0` holds for every one.": _with(
        live=lambda h, out: (out.latents >= 0).any(0),
        l0=lambda h, out: (out.latents >= 0).float().sum(-1).mean(0),
    ),
    "live asks that a latent fires on every sample (all); once is enough (any).": _with(
        live=lambda h, out: (out.latents > 0).all(0)
    ),
    "live looks at the first sample only.": _with(live=lambda h, out: out.latents[0] > 0),
    "live is taken over the wrong axis: over the batch, dim=0, so that [inst d_sae] is left.": _with(
        live=lambda h, out: (out.latents > 0).any(-1)
    ),
    "L0 is averaged over the latents: count those that fire on a sample, then average over samples.": _with(
        l0=lambda h, out: (out.latents > 0).float().mean(-1).mean(0)
    ),
    "L0 is summed over the batch, not averaged.": _with(
        l0=lambda h, out: (out.latents > 0).float().sum((0, 2))
    ),
    "this is L1, the sum of activations; L0 counts how many are above 0.": _with(
        l0=lambda h, out: out.latents.sum(-1).mean(0)
    ),
    "L0 counts live latents over the whole batch; it counts those that fire on one "
    "sample, on average.": _with(l0=lambda h, out: (out.latents > 0).any(0).float().sum(-1)),
    "the variance in FVU is taken about zero: subtract the mean of h over the batch first.": _about(
        torch.zeros_like
    ),
    "the mean in FVU mixes the instances: over the batch only, h.mean(dim=0).": _about(
        lambda h: h.mean(dim=(0, 1))
    ),
    "the mean in FVU is a single number; it is a vector for each instance, h.mean(dim=0).": _about(
        lambda h: h.mean()
    ),
    "the mean in FVU runs over d_in too; it is a vector for each instance, h.mean(dim=0).": _about(
        lambda h: h.mean(dim=(0, 2))[:, None]
    ),
    "FVU averages each sample's ratio; it is one ratio of two sums.": _with(fvu=_ratio_by_sample),
    "FVU's ratio is upside down: the error stands above, the variance below.": _with(
        fvu=lambda h, out: (h - h.mean(0)).pow(2).sum((0, 2)) / _error(h, out)
    ),
    "this is the variance explained; FVU is what is left, 1 minus it.": _with(
        fvu=lambda h, out: 1 - _error(h, out) / (h - h.mean(0)).pow(2).sum((0, 2))
    ),
    "FVU sums norms; it sums squared norms.": _with(
        fvu=lambda h, out: (h - out.reconstruction).norm(dim=-1).sum(0) / (h - h.mean(0)).norm(dim=-1).sum(0)
    ),
    "shrinkage counts samples with h = 0, where there is nothing to shrink: leave them out.": _with(
        shrinkage=lambda h, out: out.reconstruction.norm(dim=-1).sum(0) / h.norm(dim=-1).sum(0)
    ),
    "shrinkage sums squared norms; it sums norms.": _with(
        shrinkage=lambda h, out: _norms(h, out)[1].pow(2).sum(0) / _norms(h, out)[0].pow(2).sum(0)
    ),
    "shrinkage is upside down: the reconstruction's norm stands above.": _with(
        shrinkage=lambda h, out: _norms(h, out)[0].sum(0) / _norms(h, out)[1].sum(0)
    ),
    "shrinkage averages each sample's ratio; it is one ratio of two sums.": _with(
        shrinkage=_shrinkage_by_sample
    ),
}


def _batch(case: Case) -> dict[str, Any]:
    """Samples about a mean of their own, some of them zero; latents that never, sometimes or always fire."""
    h = case.normal("batch inst d_in") + 2 * case.normal("1 inst d_in")
    absent = case.mask("batch inst", 0.3)
    absent[0], absent[1] = True, False
    h = h * ~absent[..., None]
    pre = case.normal("batch inst d_sae")
    kind = torch.arange(case.size("d_sae"), device=pre.device) % 3
    pre = torch.where(kind == 0, -pre.abs(), torch.where(kind == 1, pre.abs(), pre))
    reconstruction = 0.7 * h + 0.3 * case.normal("batch inst d_in")
    return {"h": h, "out": Output(pre, pre.clamp(min=0), reconstruction)}


@exercise("1.11", "score", minutes=7, hints=2)
def score(t: Trial, student: Any) -> None:
    """Live latents, L0, FVU about the batch's mean, shrinkage where h is not zero; each instance's own."""
    for case in t.cases(5, batch=17, d_sae=7):
        t.against(
            student,
            _batch(case),
            _score,
            axes={"live": "inst d_sae", "l0": "inst", "fvu": "inst", "shrinkage": "inst"},
            mistakes=SCORE_MISTAKES,
        )
