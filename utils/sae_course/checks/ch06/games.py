"""Check of 6.1 boards_of: the board after each move of a game, seen by the side that plays next."""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...data.othello import Boards, flips, legal_moves, start
from ...data.othello.rules import bits
from .. import mistakes as naming
from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..tensors import Rules
from ..trial import Function, Trial, name_of
from .positions import (
    early_passes,
    legal,
    legal_if_taken,
    moves_of,
    passes_after,
    pick,
    plain_games,
    replayed,
    short_games,
)
from .results import as_tensor


class Refused(NamedTuple):
    """A ValueError where boards are wanted."""

    place: int
    """The first move that is not taken."""


Rule = Callable[[list[int]], Any]
"""Boards ``[move 64]``, or Refused, for the squares of a game."""


def _relative(squares: list[int]) -> Tensor:
    return torch.tensor(replayed(squares).relative[0].astype(np.int64))


def _view(sign: Callable[[Boards], Any]) -> Rule:
    """The right discs, in the right places, with other signs: black's times ``sign`` ``[move]``."""

    def wrong(squares: list[int]) -> Tensor:
        now = replayed(squares)
        return torch.tensor(now.state[0].astype(np.int64) * np.asarray(sign(now)).reshape(-1, 1))

    return wrong


def _mover(now: Boards) -> np.ndarray:
    """Who made each move, +1 black."""
    next_one = np.where(now.black_next[0], 1, -1)
    return np.concatenate([[1], next_one[:-1]])


def _only(rows: Callable[[Tensor], Tensor]) -> Rule:
    """Something made of the right boards."""
    return lambda squares: rows(_relative(squares))


def _never_over(squares: list[int]) -> Tensor:
    """At the game's end, as if the side that played last went on."""
    found = _relative(squares)
    if replayed(squares).over[0, -1]:
        found[-1] *= -1
    return found


def _last_discs(squares: list[int]) -> Tensor:
    """The last board everywhere, as black and white."""
    state = _view(lambda now: 1)(squares)
    return state[-1:].expand_as(state)


def _last_discs_in_turn(squares: list[int]) -> Tensor:
    return _last_discs(squares) * torch.tensor(np.where(replayed(squares).black_next[0], 1, -1))[:, None]


def _before(found: Tensor) -> Tensor:
    """The board before each move, seen by the side that makes it."""
    return torch.cat([_begin()[None], found])[: len(found)]


def _begin() -> Tensor:
    black, white = (bits(mask).astype(np.int64) for mask in start())
    return torch.tensor(black - white)


def _replay(
    squares: list[int], *, turns: bool = True, places: bool = True, passes: bool = True
) -> Tensor | Refused:
    """A game played with a slip, refusing whatever is then illegal."""
    mine: Any
    theirs: Any
    (mine, theirs), rows = start(), []
    for place, square in enumerate(squares):
        move = np.uint64(1 << square)
        if not legal_moves(mine, theirs) & move:
            return Refused(place)
        lines = flips(mine, theirs, move)
        if turns:
            mine, theirs = mine | lines, theirs & ~lines
        if places:
            mine |= move
        if not passes or legal_moves(theirs, mine) or not legal_moves(mine, theirs):
            mine, theirs = theirs, mine
        rows.append(bits(mine).astype(np.int64) - bits(theirs))
    return torch.tensor(np.stack(rows))


COPY = "append a copy, board.copy(), or something new, such as board * side."
MISTAKES: dict[str, Rule] = {
    "+1 and −1 have changed places: +1 is for the side that plays next, not for the one that has just "
    "played.": _view(lambda now: np.where(now.black_next[0], -1, 1)),
    "this is +1 for black and −1 for white; it must be +1 for the side that plays next: board * side.": (
        _view(lambda now: 1)
    ),
    "the board is written down before the move; it must be the one after it.": _only(_before),
    "the board before the first move is there too; begin with the one after it.": _only(
        lambda found: torch.cat([_begin()[None], found])
    ),
    "the disc is placed, but the discs that turned() lists stay as they were.": (
        lambda squares: _replay(squares, turns=False)
    ),
    "discs are turned, but no disc is placed on the square itself.": (
        lambda squares: _replay(squares, places=False)
    ),
    "theirs is 2 here; it must be −1.": _only(lambda found: found % 3),
    f"every row is the last board, for one array was appended each time: {COPY}": _last_discs,
    f"every row has the last board's discs, for one array was appended each time: {COPY}": (
        _last_discs_in_turn
    ),
    f"every row is the last board as its side sees it, for one array was appended each time: {COPY}": _only(
        lambda found: found[-1:].expand_as(found)
    ),
    "this is the last board alone; one after every move is wanted.": _only(lambda found: found[-1]),
    "this is the first board alone: does `return` stand inside the loop?": _only(lambda found: found[:1]),
    "the board after the last move is missing.": _only(lambda found: found[:-1]),
    "a board is a row of 64 here, not 8 by 8.": _only(lambda found: found.reshape(-1, 8, 8)),
    "the first move is refused: black (+1) begins, and turned() must be asked before the disc is placed.": (
        lambda squares: Refused(0)
    ),
    "when the game is over, nobody can move: take the side that did not play last.": _never_over,
    "the other side had no legal move before this one: it passes, and the same side plays again. After each "
    "move, ask may_move() who can play.": lambda squares: _replay(squares, passes=False),
    "black and white take turns here, whoever must pass: if the other side has no legal move, the same side "
    "plays next.": lambda squares: torch.tensor(replayed(squares).by_parity[0].astype(np.int64)),
    "the pass comes too late: find out who plays next before you write the board down.": _view(
        lambda now: -_mover(now)
    ),
}


class Legal(NamedTuple):
    """A legal game, and what is special about it."""

    squares: list[int]
    words: str


def _opening(case: Case) -> Legal:
    """Three moves, legal even if discs aren't turned, or aren't placed: so that these slips can be seen."""
    while True:
        squares = moves_of(pick(case, plain_games()))[:3]
        slips = _replay(squares, turns=False), _replay(squares, places=False)
        if not any(isinstance(slip, Refused) for slip in slips):
            return Legal(squares, "the first three moves of a game")


def _beginning(case: Case) -> Legal:
    return Legal(moves_of(pick(case, plain_games()))[:12], "the first moves of a game")


def _whole(case: Case) -> Legal:
    return Legal(moves_of(pick(case, plain_games())), "a whole game, in which nobody passes")


def _past_a_pass(case: Case) -> Legal:
    game = pick(case, early_passes())
    move = passes_after(game)[0]
    side = "white" if move % 2 == 0 else "black"  # it is the first pass
    return Legal(moves_of(game)[: move + 6], f"a game in which {side} has no legal move after move {move}")


def _up_to_a_pass(case: Case) -> Legal:
    game = pick(case, early_passes())
    move = passes_after(game)[0]
    return Legal(moves_of(game)[: move + 1], f"a game up to move {move}, after which a side passes")


def _short(case: Case) -> Legal:
    return Legal(moves_of(pick(case, short_games())), "a game that is over before the board is full")


GAMES = (_opening, _beginning, _whole, _past_a_pass, _up_to_a_pass, _short)


class Illegal(NamedTuple):
    """A game with an illegal move."""

    squares: list[int]
    place: int
    words: str
    """What is wrong with the move."""
    likely: str
    """What lets it pass."""


def _changed(case: Case, words: str, likely: str, which: Callable[..., np.ndarray]) -> Illegal:
    """The beginning of a game, and then a square of ``which(board, legal for me, for the other side)``.

    The place, and the next one, are not the square's number: a message that names either is clear.
    """
    while True:
        place = int(case.integers("1", 10, 30))
        squares = moves_of(pick(case, plain_games()))[:place]
        board = replayed(squares).relative[0, -1]
        found = np.flatnonzero(which(board, legal(board), legal(board, -1)))
        if some := [int(square) for square in found if square not in (place, place + 1)]:
            return Illegal([*squares, pick(case, some)], place, words, likely)


def _turns_nothing(case: Case) -> Illegal:
    return _changed(
        case,
        "no disc turns",
        "a move is illegal where turned(board, square, side) is an empty list: raise ValueError(...) there.",
        lambda board, mine, other: (board == 0) & ~mine & ~other,
    )


def _taken(case: Case) -> Illegal:
    return _changed(
        case,
        "there is a disc on the square already",
        "turned() lists nothing for a square that is taken; ask it for every move, on the board as it was "
        "before.",
        lambda board, mine, other: (board != 0) & legal_if_taken(board),
    )


def _of_the_other_side(case: Case) -> Illegal:
    return _changed(
        case,
        "it is legal for the other side only",
        "the side must not change because the move would suit the other: after each move, the board alone "
        "says who plays next.",
        lambda board, mine, other: other & ~mine,
    )


def _after_the_end(case: Case) -> Illegal:
    while True:
        squares = moves_of(pick(case, short_games()))
        empty = np.flatnonzero(replayed(squares).relative[0, -1] == 0)
        if some := [int(one) for one in empty if one not in (len(squares), len(squares) + 1)]:
            return Illegal(
                [*squares, pick(case, some)],
                len(squares),
                "the game was over: neither side had a legal move",
                "turned() lists nothing after the end, whichever side asks; ask it for every move.",
            )


ILLEGAL = (_turns_nothing, _taken, _of_the_other_side, _after_the_end)


@exercise("6.1", "boards_of", minutes=12, hints=2)
def boards_of(t: Trial, student: Function) -> None:
    """Legal games, from three moves to those with a pass or an early end; then games with an illegal move."""
    cases = t.cases(len(GAMES) + len(ILLEGAL))
    for game, case in zip(GAMES, cases, strict=False):
        squares, words = game(case)
        with _about(case, words, squares):
            _judge(t, student, squares)
            if game is _opening:
                _again(t, student, squares)
    for wrong, case in zip(ILLEGAL, cases, strict=True):
        made = wrong(case)
        words = f"a game whose last move, {made.place} from 0, is illegal"
        with _about(case, words, made.squares):
            _refuses(t, student, made)


@contextlib.contextmanager
def _about(case: Case, words: str, squares: list[int]) -> Iterator[None]:
    """The game as the failure's inputs, so that the learner can run it again."""
    try:
        yield
    except CheckFailed as failure:
        failure.case = f"{case.label}: {words}. squares = {squares}"
        raise


def _judge(t: Trial, student: Function, squares: list[int]) -> None:
    name, expected = name_of(student), _relative(squares)
    try:
        result = t.call(student, {"squares": list(squares)})
    except CheckFailed as failure:
        if failure.kind == "raised":
            _explain(failure, t, student, squares)
        if failure.kind == "changed input":
            failure.likely = "pop, append, sort and the like change the caller's list; use list(squares)."
        raise
    found = as_tensor(result)
    wanted = f"an array of shape [move, 64] = {tuple(expected.shape)}"
    t.require(result is not None, f"{name} returned nothing (None): is there a `return`?", kind="none")
    if found is None:
        raise CheckFailed(f"{name} returned {_kind_of(result)}; expected {wanted}.", kind="type")
    if found.dtype.is_floating_point or found.dtype == torch.bool:
        t.require(
            found.shape != expected.shape,
            f"{name} returned numbers of type {str(found.dtype).removeprefix('torch.')}; expected whole "
            "numbers, int8.",
            kind="dtype",
            likely="np.array(...), np.zeros(...) without dtype=np.int8.",
        )
    t.against(
        lambda _: found.long(),
        {"squares": squares},
        expected,
        axes="move square",
        mistakes=MISTAKES,
        what=name,
    )


def _kind_of(result: Any) -> str:
    if isinstance(result, list | tuple):
        return f"a {type(result).__name__} of {len(result)}, which is no table of numbers"
    return f"a {type(result).__name__}"


def _again(t: Trial, student: Function, squares: list[int]) -> None:
    """Require the same result for the same game a second time."""
    try:
        found = as_tensor(t.call(student, {"squares": list(squares)}))
    except CheckFailed:
        found = None
    t.require(
        found is not None and torch.equal(found.long(), _relative(squares)),
        f"{name_of(student)} gives the right boards, but something else when it is called again with this "
        "game.",
        kind="values",
        likely="a board, a side or a list is made outside the function and changed by every call: make it "
        "inside, as in board = beginning().",
    )


def _explain(failure: CheckFailed, t: Trial, student: Function, squares: list[int]) -> None:
    """Say of a ValueError in a legal game that it is legal, and which slip makes it look otherwise."""
    start_of_it = f"{name_of(student)} raised ValueError"
    if not failure.problem.startswith(start_of_it) or "raise" not in failure.line:
        return  # another error, or a ValueError of NumPy's
    place = _first_refused(t, student, squares)
    if place < 0:
        return
    failure.problem += f"\nBut move {place}, to square {squares[place]}, is legal, as is the whole game."
    failure.offered = list(MISTAKES)
    failure.named = naming.likely(
        MISTAKES, {"squares": squares}, Refused(place), _relative(squares), [], Rules()
    )


def _first_refused(t: Trial, student: Function, squares: list[int]) -> int:
    """The first move that the learner's function refuses, found by halving; −1 if it fails otherwise."""
    least, most = 1, len(squares)
    try:
        while least < most:
            middle = (least + most) // 2
            if isinstance(_answer(t, student, squares[:middle]), ValueError):
                most = middle
            else:
                least = middle + 1
    except CheckFailed:
        return -1
    return least - 1


def _answer(t: Trial, student: Function, squares: list[int]) -> Any:
    """The learner's result, or the ValueError that they raised."""

    @functools.wraps(student)
    def answer(squares: list[int]) -> Any:
        try:
            return student(squares)
        except ValueError as error:
            return error

    return t.call(answer, {"squares": list(squares)})


def _numbers(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\d+", text)}


def _refuses(t: Trial, student: Function, game: Illegal) -> None:
    name, square = name_of(student), game.squares[game.place]
    try:
        answer = _answer(t, student, game.squares)
    except CheckFailed as failure:
        if failure.kind == "raised":
            failure.likely = "a move that is not legal must raise a ValueError: raise ValueError(...)."
        raise
    t.require(
        isinstance(answer, ValueError),
        f"{name} raised no ValueError, but move {game.place}, to square {square}, is illegal: {game.words}.",
        kind="not raised",
        likely=game.likely,
    )
    text = str(answer)
    seen = _numbers(text)
    likely = "put the loop's counter into it, from `for move, square in enumerate(squares)`."
    if game.place + 1 in seen:
        likely = "moves are counted from 0 here."
    elif square in seen:
        likely = "that is the square; the place in the game is wanted (too). enumerate(squares) counts it."
    t.require(
        game.place in seen,
        f'{name} raised a ValueError that says "{text[:200]}"; expected the place of the illegal move in it, '
        f"{game.place}.",
        kind="message",
        likely=likely,
    )
