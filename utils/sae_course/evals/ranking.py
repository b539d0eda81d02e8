"""How well a score tells two classes apart, whatever its scale: the area under the ROC curve."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..runtime import CourseError

if TYPE_CHECKING:
    Labelled = Bool[Tensor, "n features"] | Bool[np.ndarray, "n features"]

_SPARSE = 0.25  # share of non-zeros up to which sorting those alone pays
_UNITS = 64  # at once, where all are sorted


def auroc(scores: Float[Tensor, "n units"], labels: "Labelled") -> Float[Tensor, "features units"]:
    """Of every pair of label and unit, the chance that a true token scores higher than a false one.

    AUROC = (Σ rank(true tokens) − P (P + 1) / 2) / (P N), with P true and N false tokens: Mann and Whitney's
    U over P N (Hanley and McNeil 1982). Tokens of equal score share their mean rank, so a tie counts ½: a
    unit that never fires has ½. Exact: ranks are summed in float64. Where most scores are 0, only the
    others are sorted, the zeros being one large tie.

    Args:
        scores: of either sign; dense or mostly 0.
        labels: what is true at each token.

    Returns:
        Between 0 and 1, on the CPU; NaN for a label that is true of no token or of all.

    Raises:
        CourseError: when the two are not of the same tokens, labels are no booleans, or a score is NaN.
    """
    values, truth = _checked(scores, labels)
    n = len(truth)
    true = truth.sum(0)[:, None]
    if values.count_nonzero() <= _SPARSE * values.numel():
        sums = _sums_sparse(values, truth)
    else:
        sums = torch.cat([_sums_dense(some, truth) for some in values.split(_UNITS, dim=1)], dim=1)
    pairs = true * (n - true)
    area = (sums - true * (true + 1) / 2) / pairs
    return torch.where(pairs > 0, area, torch.nan)


def _checked(scores: Tensor, labels: "Labelled") -> tuple[Tensor, Float[Tensor, "n features"]]:
    truth = torch.as_tensor(labels).cpu()
    if scores.ndim != 2 or truth.ndim != 2 or len(scores) != len(truth) or not len(truth):
        raise CourseError(
            f"AUROC takes scores [n, units] and labels [n, features] of the same tokens; these are "
            f"{list(scores.shape)} and {list(truth.shape)}."
        )
    if truth.dtype != torch.bool:
        raise CourseError(f"Labels are booleans; these are {truth.dtype}.")
    values = scores.detach().cpu()
    if values.is_floating_point() and values.isnan().any():
        raise CourseError(
            f"{int(values.isnan().any(0).sum())} units have a score that is NaN: what made them is broken, "
            "or divided by 0."
        )
    return values, truth.double()


def _sums_dense(scores: Tensor, truth: Float[Tensor, "n features"]) -> Float[Tensor, "features units"]:
    """The ranks, from 1, of each label's true tokens, summed."""
    n, n_units = scores.shape
    ordered, order = scores.T.contiguous().sort(dim=1)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    places = _mean_places(new.flatten()).view(n_units, n) - n * torch.arange(n_units)[:, None]
    ranks = torch.empty_like(places).scatter_(1, order, places)
    return truth.T @ ranks.T


def _sums_sparse(scores: Tensor, truth: Float[Tensor, "n features"]) -> Float[Tensor, "features units"]:
    """The same from the non-zeros alone: Σ rank = P · (the zeros' rank) + the non-zeros' differences."""
    from scipy.sparse import csr_array  # noqa: PLC0415

    n, n_units = scores.shape
    unit, token = scores.T.nonzero(as_tuple=True)
    value = scores[token, unit]
    # By unit, then by value: two stable sorts, the finer one first.
    order = value.sort(stable=True).indices
    order = order[unit[order].sort(stable=True).indices]
    unit, token, value = unit[order], token[order], value[order]
    fires = torch.bincount(unit, minlength=n_units)
    ends = fires.cumsum(0)
    zeros = (n - fires).double()
    zero_rank = torch.bincount(unit[value < 0], minlength=n_units) + (zeros + 1) / 2
    new = torch.ones_like(unit, dtype=torch.bool)
    new[1:] = (unit[1:] != unit[:-1]) | (value[1:] != value[:-1])
    ranks = _mean_places(new) - (ends - fires)[unit] + torch.where(value > 0, zeros[unit], 0.0)
    starts = torch.nn.functional.pad(ends, (1, 0))
    shape = (n_units, n)
    from_zero = csr_array(((ranks - zero_rank[unit]).numpy(), token.numpy(), starts.numpy()), shape=shape)
    return (torch.from_numpy(from_zero @ truth.numpy()) + zero_rank[:, None] * truth.sum(0)).T


def _mean_places(new: Bool[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Places from 1 in a sorted list; equal values share their mean; a new one begins at ``new``."""
    run = new.cumsum(0) - 1
    length = torch.bincount(run)
    return (length.cumsum(0) - (length - 1).double() / 2)[run]
