"""Check of 8.8 effective_share: over how much of the vocabulary the change of the logits is spread."""

import math
import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..raised import meaning
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor], Tensor]
"""From ``clean`` and ``ablated``, both ``[n d_vocab]``, one number for each ablation."""
SIZES = ((5, 17), (7, 13), (3, 31), (5, 23), (1, 11))
"""Of each case: n, d_vocab. That is odd: of an even number, torch and NumPy have different medians."""
UNCHANGED = (0, 0, 0, 2, 0)
"""In each case, how many of the ablations change nothing."""


def _right(clean: Tensor, ablated: Tensor) -> Tensor:
    """Token by token, in float64."""
    shares = []
    for before, after in zip(clean.tolist(), ablated.tolist(), strict=True):
        change = [y - x for x, y in zip(before, after, strict=True)]
        middle = statistics.median(change)
        sizes = [abs(c - middle) for c in change]
        length = math.hypot(*sizes)
        shares.append((math.fsum(sizes) / length) ** 2 / len(sizes) if length else 0.0)
    return torch.tensor(shares, device=clean.device)


def _centred(values: Tensor) -> Tensor:
    return values - values.median(-1, keepdim=True).values


def _change(clean: Tensor, ablated: Tensor) -> Tensor:
    return _centred(ablated - clean)


def _share(change: Tensor) -> Tensor:
    """Of a change as it is: nothing is taken off."""
    return _parts(change.abs().sum(-1).square(), change.square().sum(-1), change.shape[-1])


def _parts(above: Tensor, below: Tensor, size: float) -> Tensor:
    return torch.where(below != 0, above / below / size, 0.0)


def _of(rule: Callable[[Tensor], Tensor]) -> Rule:
    """Of the change without its median."""
    return lambda clean, ablated: rule(_change(clean, ablated))


def _once(change: Tensor, above: Tensor) -> Tensor:
    """Two different changes, one in each sum."""
    return _parts(above.abs().sum(-1).square(), change.square().sum(-1), change.shape[-1])


def _of_chances(clean: Tensor, ablated: Tensor) -> Tensor:
    return _share(_centred(ablated.softmax(-1) - clean.softmax(-1)))


def _share_of_squares(change: Tensor) -> Tensor:
    return _parts(change.square().sum(-1).square(), change.pow(4).sum(-1), change.shape[-1])


def _by_variance(change: Tensor, correction: int) -> Tensor:
    return _parts(change.abs().mean(-1).square(), change.var(-1, correction=correction), 1)


def _all_together(change: Tensor) -> Tensor:
    """Both sums over all ablations."""
    above, below = change.abs().sum(-1).square(), change.square().sum(-1)
    return _parts(above, below.sum().expand_as(above), change.shape[-1])


def _without_care(change: Tensor) -> Tensor:
    """0 / 0 where nothing changes."""
    return change.abs().sum(-1).square() / change.square().sum(-1) / change.shape[-1]


MISTAKES: dict[str, Rule] = {
    "the median is still in the change; take it off: change − change.median(-1, keepdim=True).values.": (
        lambda clean, ablated: _share(ablated - clean)
    ),
    "the mean is taken off; a few large changes shift it: take the median, which most tokens are near.": (
        lambda clean, ablated: _share(ablated - clean - (ablated - clean).mean(-1, keepdim=True))
    ),
    "the median's index is taken off, not its value: .values.": (
        lambda clean, ablated: _share(ablated - clean - (ablated - clean).median(-1, keepdim=True).indices)
    ),
    "the median over the ablations is taken off; each ablation has its own, over the vocabulary (dim=-1).": (
        lambda clean, ablated: _share(ablated - clean - (ablated - clean).median(0).values)
    ),
    "one median over all ablations is taken off; each ablation has its own: dim=-1.": (
        lambda clean, ablated: _share(ablated - clean - (ablated - clean).median())
    ),
    "clean and ablated are each without their own median; take off that of their difference.": (
        lambda clean, ablated: _share(_centred(ablated) - _centred(clean))
    ),
    "the median is taken off in the sum of squares only; Δ is without its median in both sums.": (
        lambda clean, ablated: _once(_change(clean, ablated), ablated - clean)
    ),
    "the median is taken off in the sum of absolute values only; Δ is without its median in both sums.": (
        lambda clean, ablated: _once(ablated - clean, _change(clean, ablated))
    ),
    "the median of |Δ| is taken off; first take off the median of Δ, then the absolute value.": (
        lambda clean, ablated: _share(_centred((ablated - clean).abs()))
    ),
    "this is of the logits without the latent, not of the change: ablated − clean.": (
        lambda _, ablated: _share(_centred(ablated))
    ),
    "this is of the clean logits, not of the change: ablated − clean.": (
        lambda clean, _: _share(_centred(clean))
    ),
    "this is of the change of the probabilities; take that of the logits.": _of_chances,
    "squared before the sum: sum |Δ| over the vocabulary, and square that.": _of(
        lambda change: _parts(change.square().sum(-1), change.square().sum(-1), change.shape[-1])
    ),
    "the absolute value is missing: without it the changes of both signs cancel.": _of(
        lambda change: _parts(change.sum(-1).square(), change.square().sum(-1), change.shape[-1])
    ),
    "the sum of |Δ| is not squared.": _of(
        lambda change: _parts(change.abs().sum(-1), change.square().sum(-1), change.shape[-1])
    ),
    "the sum below is squared, too; only its terms are: the sum of Δ².": _of(
        lambda change: _parts(
            change.abs().sum(-1).square(), change.square().sum(-1).square(), change.shape[-1]
        )
    ),
    "both sums are of |Δ|: below stands the sum of Δ².": _of(
        lambda change: _parts(change.abs().sum(-1).square(), change.abs().sum(-1), change.shape[-1])
    ),
    "this is the sum of |Δ| divided by the root of the sum of squares; the share has its square.": _of(
        lambda change: _parts(change.abs().sum(-1), change.square().sum(-1).sqrt(), change.shape[-1])
    ),
    "this is the root of the share; there is none in the formula.": _of(lambda change: _share(change).sqrt()),
    "Δ is squared twice, (ΣΔ²)² / ΣΔ⁴; the sums are of |Δ| and Δ².": _of(_share_of_squares),
    "this is upside down: above stands the square of a sum, below a sum of squares.": _of(
        lambda change: _parts(change.square().sum(-1), change.abs().sum(-1).square(), 1 / change.shape[-1])
    ),
    "this is upside down: 1 divided by what the two sums give.": _of(
        lambda change: _parts(change.square().sum(-1), change.abs().sum(-1).square(), change.shape[-1])
    ),
    "this is a number of tokens; divide it by d_vocab for the share.": _of(
        lambda change: _share(change) * change.shape[-1]
    ),
    "this is multiplied by d_vocab; divide by it.": _of(
        lambda change: _share(change) * change.shape[-1] ** 2
    ),
    "this is divided by d_vocab twice: two sums take one V, two means take none.": _of(
        lambda change: _share(change) / change.shape[-1]
    ),
    "this is divided by the number of ablations; divide by d_vocab, shape[-1].": _of(
        lambda change: _share(change) * change.shape[-1] / change.shape[0]
    ),
    "the variance takes the mean off once more; below stands the mean of Δ².": _of(
        lambda change: _by_variance(change, 0)
    ),
    "the variance takes the mean off once more and divides by d_vocab − 1; take the mean of Δ².": _of(
        lambda change: _by_variance(change, 1)
    ),
    "the squares are summed over all ablations; each has its own sum: dim=-1.": _of(_all_together),
    "this is what is not touched: 1 minus the share.": _of(
        lambda change: torch.where(change.any(-1), 1 - _share(change), 0.0)
    ),
    "0 / 0 is NaN: where nothing changes, the share is 0.": _of(_without_care),
    "where nothing changes, the share is 0, not 1.": _of(
        lambda change: torch.where(change.any(-1), _share(change), 1.0)
    ),
    "where nothing changes, the share is 0, not 1 / d_vocab.": _of(
        lambda change: torch.where(change.any(-1), _share(change), 1 / change.shape[-1])
    ),
}
RAISED = {
    "return_types.median": "median(-1) gives the median and its index: take .values.",
    "must match the size": "the median over the vocabulary is one number for each ablation: keepdim=True.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.8", "effective_share", minutes=6, hints=1)
def effective_share(t: Trial, student: Function) -> None:
    """Changes from a few tokens to all; then some of none or a single token; then a single ablation."""
    for number, case in enumerate(t.cases(len(SIZES))):
        case.sizes |= dict(zip(("n", "d_vocab"), SIZES[number], strict=True))
        with meaning(RAISED):
            t.against(
                student,
                _inputs(case, UNCHANGED[number]),
                _right,
                axes="n",
                mistakes=MISTAKES,
                any_dtype=True,
            )


def _inputs(case: Case, unchanged: int) -> dict[str, Tensor]:
    """Logits, and those after an ablation that changes few of them much, has a median, and its own size."""
    clean = case.normal("n d_vocab", scale=2.0)
    spread = case.normal("n d_vocab") * case.normal("n d_vocab").abs() ** case.uniform("n 1", 0.2, 3.0)
    change = (spread + case.uniform("n 1", 0.4, 1.2)) * case.uniform("n 1", 0.3, 1.5)
    # Not side by side, and not the last: zeros must come out at their own places.
    rows = torch.arange(unchanged, device=case.device) * 2
    change[rows] = 0.0
    if unchanged:
        change[-1, 1:] = 0.0  # a single token: 1 / d_vocab
    return {"clean": clean, "ablated": clean + change}
