"""Check of 6.8 effect: how far the logits of the moves gained and lost went where they should."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial, name_of
from .results import two_fields

FIELDS = ("gained", "lost")
Pair = tuple[Tensor, Tensor]
"""Both effects; what goes wrong on a board with one of them goes wrong with the other."""
Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Pair]
Change = Callable[[Tensor, Tensor], Tensor]
One = Callable[[Tensor, Tensor, Tensor], Tensor]
"""An effect, before its sign is turned: from Δ, the moves of the kind ``[n move]``, and the rest."""


def _right(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    """Board by board, as the exercise says it."""
    up, down = [], []
    for board in range(len(before)):
        delta = after[board].double() - before[board].double()
        here, away = gained[board], lost[board]
        rest = delta[~here & ~away].mean()
        if here.any():
            up.append(delta[here].mean() - rest)
        if away.any():
            down.append(rest - delta[away].mean())
    return torch.stack(up).mean(), torch.stack(down).mean()


def _mean(delta: Tensor, which: Tensor) -> Tensor:
    """Over a board's moves of a kind; NaN where it has none: ``[n]``."""
    return torch.where(which, delta, 0.0).sum(dim=1) / which.sum(dim=1)


def _difference(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return _mean(delta, which) - _mean(delta, rest)


def _over_boards(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return _difference(delta, which, rest)[which.any(dim=1)].mean()


def _as(one: One) -> Rule:
    """Both effects, from what stands in for one: the other has the opposite sign."""

    def wrong(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
        delta, rest = after.double() - before.double(), ~(gained | lost)
        return one(delta, gained, rest), -one(delta, lost, rest)

    return wrong


def _of(change: Change) -> Rule:
    """Right, for another Δ."""
    return lambda before, after, gained, lost: _right(
        torch.zeros_like(before), change(before, after), gained, lost
    )


def _pooled(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return delta[which].mean() - delta[rest].mean()


def _one_baseline(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return _mean(delta, which)[which.any(dim=1)].mean() - delta[rest].mean()


def _baseline_of_all_boards(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return _mean(delta, which)[which.any(dim=1)].mean() - _mean(delta, rest).mean()


def _mean_of_none(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return (_mean(delta, which).nan_to_num(0.0) - _mean(delta, rest)).mean()


def _sums(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    sums = (delta * which).sum(dim=1) - (delta * rest).sum(dim=1)
    return sums[which.any(dim=1)].mean()


def _sum_less_mean(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return ((delta * which).sum(dim=1) - _mean(delta, rest))[which.any(dim=1)].mean()


def _over_all_moves(delta: Tensor, which: Tensor, rest: Tensor) -> Tensor:
    return ((delta * which) - (delta * rest)).mean(dim=1)[which.any(dim=1)].mean()


def _swapped(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    up, down = _right(before, after, gained, lost)
    return down, up


def _sign_not_turned(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    up, down = _right(before, after, gained, lost)
    return up, -down


def _absolute(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    """The size of each board's effect."""
    return _as(lambda delta, which, rest: _difference(delta, which, rest)[which.any(dim=1)].abs().mean())(
        before, after, gained, lost
    )


def _other_kind(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    delta = after.double() - before.double()
    gap = _difference(delta, gained, lost)
    gap = gap[~gap.isnan()].mean()
    return gap, gap


def _rest_with_other_kind(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    delta = after.double() - before.double()
    return _over_boards(delta, gained, ~gained), -_over_boards(delta, lost, ~lost)


def _boards_with_both(before: Tensor, after: Tensor, gained: Tensor, lost: Tensor) -> Pair:
    both = gained.any(dim=1) & lost.any(dim=1)
    return _right(before[both], after[both], gained[both], lost[both])


COMMON: dict[str, Rule] = {
    "nothing is subtracted: the mean of Δ over the moves left alone is missing.": _as(
        lambda delta, which, rest: _mean(delta, which)[which.any(dim=1)].mean()
    ),
    "what is subtracted is the mean over all moves; it must be that over the moves neither gained nor "
    "lost.": _as(lambda delta, which, rest: _over_boards(delta, which, torch.ones_like(which))),
    "what is subtracted is the mean over all moves but those of the one kind; leave out the other kind, "
    "too.": _rest_with_other_kind,
    "moves gained are held against moves lost; each must be held against the moves left alone.": _other_kind,
    "all boards' moves are averaged at once; take the means on each board, and then over boards.": _as(
        _pooled
    ),
    "one mean over all boards' moves is subtracted; each board has its own.": _as(_one_baseline),
    "what is subtracted is averaged over all boards; subtract it on each board, and average where the board "
    "has such moves.": _as(_baseline_of_all_boards),
    "boards without such moves count as 0 in the average; leave them out, as in up[gained.any(dim=1)].": _as(
        lambda delta, which, rest: _difference(delta, which, rest).nan_to_num(0.0).mean()
    ),
    "boards without such moves are in the average, with 0 for their mean; leave them out, as in "
    "up[gained.any(dim=1)].": _as(_mean_of_none),
    "a board without such moves has the mean 0/0, and one NaN makes the average NaN; leave it out, as in "
    "up[gained.any(dim=1)].": _as(lambda delta, which, rest: _difference(delta, which, rest).mean()),
    "only boards with both kinds of moves are averaged; each average takes every board with its own kind.": (
        _boards_with_both
    ),
    "the boards' effects are summed; their mean is wanted.": _as(
        lambda delta, which, rest: _difference(delta, which, rest)[which.any(dim=1)].sum()
    ),
    "these are sums over moves; means are wanted.": _as(_sums),
    "this is a sum over the moves, less a mean; two means are wanted.": _as(_sum_less_mean),
    "each mean is divided by the number of all moves; divide by the number of moves of its kind.": _as(
        _over_all_moves
    ),
    "Δ has lost its sign (abs).": _of(lambda before, after: (after - before).abs()),
    "each board's effect has lost its sign (abs); an effect in the wrong direction must count against the "
    "others.": _absolute,
    "this is a change of probabilities; that of the logits is wanted, without softmax.": _of(
        lambda before, after: after.softmax(dim=1) - before.softmax(dim=1)
    ),
}
GAINED: dict[str, Rule] = {
    "gained and lost have changed places.": _swapped,
    "before and after have changed places: Δ = after − before.": _of(lambda before, after: before - after),
    "these are the logits after; their change is wanted, after − before.": _of(lambda before, after: after),
    **COMMON,
}
LOST: dict[str, Rule] = {
    "this is the effect at the moves gained; that at the moves lost is wanted.": _swapped,
    "the sign is not turned: for moves lost, it is the mean over the moves left alone, minus that over the "
    "moves lost.": _sign_not_turned,
    **COMMON,
}


@exercise("6.8", "effect", minutes=6, hints=1)
def effect(t: Trial, student: Function) -> None:
    """Boards that have all kinds of moves; then some that lack one kind, or both."""
    for number, case in enumerate(t.cases(4, n=11, move=17)):
        arguments = _inputs(case, some_lack=number > 0)
        found = two_fields(t.call(student, arguments), "Effect", FIELDS, name_of(student))
        for i, (field, mistakes) in enumerate([("gained", GAINED), ("lost", LOST)]):
            t.against(
                lambda *_, seen=found[i]: seen,
                arguments,
                _field(_right, i),
                mistakes={sentence: _field(rule, i) for sentence, rule in mistakes.items()},
                what=f"field {field} of {name_of(student)}",
            )


def _field(rule: Rule, i: int) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    return lambda before, after, gained, lost: rule(before, after, gained, lost)[i].float()


def _inputs(case: Case, *, some_lack: bool) -> dict[str, Any]:
    """Uneven numbers of moves of each kind; each board's logits also move together, by an amount of its own.

    Some boards' effects have the wrong sign, their averages the right one.
    """
    kind = case.uniform("n move", 0.0, 1.0)
    often, seldom = case.uniform("n 1", 0.15, 0.4), case.uniform("n 1", 0.1, 0.3)
    gained, lost = kind < often, kind > 1 - seldom
    gained[:, 0], lost[:, 1] = True, True  # one at least, and one of the rest
    gained[:, 1:3], lost[:, 0], lost[:, 2] = False, False, False
    if some_lack:
        gained[[1, 4, 6]], lost[[2, 3, 4]] = False, False
    before = case.normal("n move", scale=2.0)
    together = case.normal("n 1", scale=1.5) + 0.7
    up, down = case.normal("n 1", scale=1.2) + 1.0, case.normal("n 1", scale=1.2) + 1.4
    after = before + together + up * gained - down * lost + case.normal("n move", scale=0.4)
    return {"before": before, "after": after, "gained": gained, "lost": lost}
