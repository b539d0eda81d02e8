"""Check of 5.1: how much a head looks at the word before, and at what followed the same word last time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..compare import difference
from ..core import exercise
from ..trial import Function, Trial

Score = Callable[[Tensor, int], Tensor]
"""One number for each head, from ``pattern [rows head to from]`` and the period."""


def _entries(pattern: Tensor, first: int, end: int, back: int) -> Tensor:
    """How much places ``first`` to ``end`` − 1 look ``back`` places back, ``[rows head place]``."""
    places = torch.arange(first, end, device=pattern.device)
    return pattern[:, :, places, places - back]


def _previous_entries(pattern: Tensor, period: int) -> Tensor:
    return _entries(pattern, 1, 2 * period + 1, 1)


def _induction_entries(pattern: Tensor, period: int) -> Tensor:
    return _entries(pattern, period + 1, 2 * period + 1, period - 1)


def _mean(entries: Tensor) -> Tensor:
    return entries.mean(dim=(0, 2))


def _previous(pattern: Tensor, period: int) -> Tensor:
    return _mean(_previous_entries(pattern, period))


def _induction(pattern: Tensor, period: int) -> Tensor:
    return _mean(_induction_entries(pattern, period))


def _common(entries: Score) -> dict[str, Score]:
    """What goes wrong with either score."""
    return {
        "to and from are swapped: place q looks at place s in pattern[..., q, s], so what lies before it is "
        "below the diagonal, diagonal(-n).": lambda pattern, period: _mean(entries(pattern.mT, period)),
        "this is a sum over rows and places; the mean is wanted.": lambda pattern, period: entries(
            pattern, period
        ).sum(dim=(0, 2)),
        "this is the largest entry; the mean over rows and places is wanted.": lambda pattern, period: (
            entries(pattern, period).amax(dim=(0, 2))
        ),
        "this is the mean of the whole pattern, which is the same for every head; take one diagonal of "
        "it.": lambda pattern, period: pattern.mean(dim=(0, 2, 3)),
        "the heads were averaged and the rows kept; average over rows and places, and keep the "
        "heads.": lambda pattern, period: entries(pattern, period).mean(dim=(1, 2)),
        "places that don't belong were counted as 0: divide by the number of places that are asked "
        "for.": lambda pattern, period: (
            entries(pattern, period).sum(dim=(0, 2)) / (pattern.shape[0] * pattern.shape[2])
        ),
    }


PREVIOUS: dict[str, Score] = {
    "this is how much each word looks at itself, (q, q); the one before it is at (q, q − 1).": (
        lambda pattern, period: _mean(_entries(pattern, 0, 2 * period + 1, 0))
    ),
    "place 0 was counted, and index −1 is the last place: begin at q = 1.": (
        lambda pattern, period: _mean(_entries(pattern, 0, 2 * period + 1, 1))
    ),
    "the first word was left out; BOS stands before it, so begin at q = 1.": (
        lambda pattern, period: _mean(_entries(pattern, 2, 2 * period + 1, 1))
    ),
    "this is the induction score: the previous-token score comes first.": _induction,
    **_common(_previous_entries),
}
INDUCTION: dict[str, Score] = {
    "this is how much a word looks at itself in the first list, q − period; what followed it is one place "
    "later, q − period + 1.": lambda pattern, period: _mean(
        _entries(pattern, period + 1, 2 * period + 1, period)
    ),
    "this is how much a word looks at what came before it in the first list; what followed it is at "
    "q − period + 1.": lambda pattern, period: _mean(
        _entries(pattern, period + 1, 2 * period + 1, period + 1)
    ),
    "two places before the second list are counted: the diagonal begins at q = period − 1, the list at "
    "period + 1.": lambda pattern, period: _mean(_entries(pattern, period - 1, 2 * period + 1, period - 1)),
    "one place before the second list is counted: BOS is place 0, so the first list ends at period and the "
    "second begins at period + 1.": lambda pattern, period: _mean(
        _entries(pattern, period, 2 * period + 1, period - 1)
    ),
    "these are places period to 2 period − 1: BOS is place 0, so the second list has period + 1 to "
    "2 period.": lambda pattern, period: _mean(_entries(pattern, period, 2 * period, period - 1)),
    "the last word of the second list, place 2 period, was left out.": (
        lambda pattern, period: _mean(_entries(pattern, period + 1, 2 * period, period - 1))
    ),
    **_common(_induction_entries),
}
NO_PAIR = ("none", "type", "length")
"""Kinds of failure after which there are no two tensors to compare."""


@exercise("5.1", "head_scores", minutes=6, hints=2)
def head_scores(t: Trial, student: Function) -> None:
    """Both scores on random patterns of several periods; the last case is causal, as a model's are.

    The two are compared one after the other, by position: a slip in one is named whatever the other is.
    """
    for number, case in enumerate(t.cases(4, head=5)):
        arguments = _inputs(case, rows=(3, 7, 3, 7)[number], period=(4, 6, 3, 7)[number], causal=number == 3)
        result = t.call(student, arguments)
        pair = (_previous(**arguments), _induction(**arguments))
        failure = difference(result, pair, "head_scores", ("head", "head"))
        if failure and failure.kind in NO_PAIR:
            raise failure
        for i, (name, right, mistakes) in enumerate(
            [("previous", _previous, PREVIOUS), ("induction", _induction, INDUCTION)]
        ):
            t.against(
                lambda *_, i=i, result=result: result[i],
                arguments,
                right,
                axes="head",
                mistakes=mistakes,
                what=f"{name}, output {i + 1} of head_scores,",
            )


def _inputs(case: Case, rows: int, period: int, causal: bool) -> dict[str, Any]:
    """Patterns whose rows are positive and sum to 1; without a causal mask, both triangles differ from 0."""
    case.sizes |= {"rows": rows, "pos": 2 * period + 1}
    scores = case.normal("rows head pos pos", scale=1.5)
    if causal:
        later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    return {"pattern": scores.softmax(dim=-1), "period": period}
