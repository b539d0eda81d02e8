"""Check of 6.7 changed_moves: which moves a changed square allows, and which it takes away."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.othello import flips
from ...data.othello.rules import bits
from ..cases import Case
from ..compare import difference
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from .positions import legal, legal_if_taken, mask, some_boards
from .results import as_tensor, two_fields

FIELDS = ("gained", "lost")
Pair = tuple[np.ndarray, np.ndarray]
"""Moves gained and lost, ``[64]`` each."""
Rule = Callable[[np.ndarray, int, int], Pair]


def _edited(board: np.ndarray, square: int, value: int) -> np.ndarray:
    board = board.copy()
    board[square] = value
    return board


def _discs_turn(board: np.ndarray, square: int, value: int) -> np.ndarray:
    """The change as a move: the discs that it would take turn, too."""
    turn = flips(mask(board == value), mask(board == -value), np.uint64(1 << square))
    return np.where(bits(turn) & (value != 0), value, _edited(board, square, value)).astype(np.int8)


def _pair(before: np.ndarray, after: np.ndarray) -> Pair:
    return after & ~before, before & ~after


def _made_of(rule: Callable[[np.ndarray, np.ndarray], Pair]) -> Rule:
    """Something else made of the right moves, before and after."""
    return lambda board, square, value: rule(legal(board), legal(_edited(board, square, value)))


def _with(
    moves: Callable[[np.ndarray], np.ndarray] = legal,
    edited: Callable[[np.ndarray, int, int], np.ndarray] = _edited,
) -> Rule:
    """Right but for what is legal, or for how the board is changed."""
    return lambda board, square, value: _pair(moves(board), moves(edited(board, square, value)))


def _right(board: np.ndarray, square: int, value: int) -> Pair:
    return _pair(legal(board), legal(_edited(board, square, value)))


def _without_square(board: np.ndarray, square: int, value: int) -> Pair:
    gained, lost = _right(board, square, value)
    others = np.arange(64) != square
    return gained & others, lost & others


COMMON: dict[str, Rule] = {
    "these are all the moves that change, either way; gained and lost are two kinds of them.": _made_of(
        lambda before, after: (before ^ after, before ^ after)
    ),
    "these are the other side's moves; mine are those of side 1.": _with(lambda board: legal(board, -1)),
    "the square that is changed was left out; it counts like all others.": _without_square,
    "squares that are taken were counted: a move goes to an empty square.": _with(legal_if_taken),
    "discs were turned, as by a move; one square changes, and nothing else.": _with(edited=_discs_turn),
}
GAINED: dict[str, Rule] = {
    "gained and lost have changed places: gained is legal after the change, and not before.": _made_of(
        lambda before, after: (before & ~after, after & ~before)
    ),
    "nothing changes here: is the square set to `value` on the copy, and is the copy asked for moves?": (
        _made_of(lambda before, after: (before & ~before, before & ~before))
    ),
    "this is what +1 on the square would change; it must be `value`.": _with(
        edited=lambda board, square, value: _edited(board, square, 1)
    ),
    "this is what −1 on the square would change; it must be `value`.": _with(
        edited=lambda board, square, value: _edited(board, square, -1)
    ),
    "this is what 0 on the square would change; it must be `value`.": _with(
        edited=lambda board, square, value: _edited(board, square, 0)
    ),
    **COMMON,
    "these are all the moves that are legal after the change; leave out those that were legal before.": (
        _made_of(lambda before, after: (after, after))
    ),
    "these are moves that were not legal before; they must be legal after the change, too.": _made_of(
        lambda before, after: (~before, ~before)
    ),
}
LOST: dict[str, Rule] = {
    "these are the moves gained; a lost one is legal before the change, and not after.": _made_of(
        lambda before, after: (after & ~before, after & ~before)
    ),
    **COMMON,
    "these are all the moves that were legal before the change; leave out those that are legal after it.": (
        _made_of(lambda before, after: (before, before))
    ),
    "these are the moves that are legal before and after; a lost one is legal before, and not after.": (
        _made_of(lambda before, after: (before & after, before & after))
    ),
    "these are moves that are not legal after the change; they must have been legal before, too.": _made_of(
        lambda before, after: (~after, ~after)
    ),
}
CHANGES = ((0, 1), (-1, 1), (1, 0), (0, -1), (1, -1), (-1, 0))
"""From what to what the square is changed."""
WORDS = {1: "mine", -1: "theirs", 0: "empty"}


@exercise("6.7", "changed_moves", minutes=6, hints=1)
def changed_moves(t: Trial, student: Function) -> None:
    """Boards from games, with every kind of change; each allows some moves and takes some away."""
    name = name_of(student)
    for (old, new), case in zip(CHANGES, t.cases(len(CHANGES)), strict=True):
        board, square = _inputs(case, old, new)
        arguments = {"board": board.copy(), "square": square, "value": new}
        try:
            _judge(t, name, _asked(t, student, arguments), arguments)
        except CheckFailed as failure:
            failure.case = f"{case.label}: square {square}, from {WORDS[old]} to {WORDS[new]} (value {new})."
            raise


def _asked(t: Trial, student: Function, arguments: dict[str, Any]) -> list[Any]:
    """What the learner gives for the two fields, as tensors where that is possible."""
    try:
        result = t.call(student, arguments)
    except CheckFailed as failure:
        if failure.kind == "changed input":
            failure.likely = (
                "edited = board is no copy: write edited = board.copy(), and change a square of that."
            )
        raise
    found = two_fields(result, "Changed", FIELDS, name_of(student))
    return [as_tensor(item) if isinstance(item, np.ndarray | Tensor) else item for item in found]


def _judge(t: Trial, name: str, found: list[Any], arguments: dict[str, Any]) -> None:
    """The two fields one after the other: a slip in one is named whatever the other is."""
    for i, (field, mistakes) in enumerate([("gained", GAINED), ("lost", LOST)]):
        what, seen = f"field {field} of {name}", found[i]
        expected = _field(_right, i)(*arguments.values())
        t.require(
            isinstance(seen, Tensor),
            f"{what} is {'None' if seen is None else f'a {type(seen).__name__}'}; expected an array of 64 "
            "booleans.",
            kind="type",
            likely="np.array(...) makes an array of a list." if isinstance(seen, list) else "",
        )
        if (failure := difference(seen, expected, what, "square")) and failure.kind in ("shape", "dtype"):
            failure.likely = "the array must say of every square, True or False, whether it is one of them."
            raise failure
        t.against(
            lambda *_, seen=seen: seen,
            arguments,
            expected,
            axes="square",
            mistakes={sentence: _field(rule, i) for sentence, rule in mistakes.items()},
            what=what,
        )


def _field(rule: Rule, i: int) -> Callable[[np.ndarray, int, int], Tensor]:
    return lambda board, square, value: torch.tensor(rule(board, square, value)[i])


def _inputs(case: Case, old: int, new: int) -> tuple[np.ndarray, int]:
    """A board and a square on which ``old`` stands, such that a change to ``new`` tells right from wrong."""
    while True:
        board = some_boards()[int(case.integers("1", 0, len(some_boards())))]
        squares = np.flatnonzero(board == old)
        edited = np.where(np.eye(64, dtype=np.bool_)[squares], np.int8(new), board)
        gained, lost = _pair(legal(board), legal(edited))
        some = squares[gained.any(axis=1) & lost.any(axis=1)]
        for i in torch.randperm(len(some), generator=case.generator).tolist():
            if _tells(board, int(some[i]), new):
                return board, int(some[i])


def _tells(board: np.ndarray, square: int, new: int) -> bool:
    """Whether a change gains moves and loses some, on other squares too, and slips can be told apart by them.

    A disc on an empty square takes away no move but that to the square itself; to empty one allows no other.
    """
    gained, lost = _right(board, square, new)
    others = np.arange(64) != square
    filled, emptied = board[square] == 0, new == 0
    if not ((gained if emptied else gained & others).any() and (lost if filled else lost & others).any()):
        return False
    (third,) = {-1, 0, 1} - {int(board[square]), new}
    seen = [gained]
    if not emptied:
        seen += [gained & ~gained, _right(board, square, third)[0]]
        seen.append(_with(legal_if_taken)(board, square, new)[0])
    if filled:
        seen.append(_with(edited=_discs_turn)(board, square, new)[0])
    other_side = _with(lambda board: legal(board, -1))(board, square, new)[1]
    return len({one.tobytes() for one in seen}) == len(seen) and bool((other_side != lost & others).any())
