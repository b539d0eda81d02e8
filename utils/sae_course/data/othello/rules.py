"""The rules of Othello on bitboards, for any number of boards at once.

Square s = 8 * row + column is bit s of a uint64. A board is two such masks: the discs of the side to move
(``mine``) and those of the other side (``theirs``). The functions take arrays of any shape, or plain
integers of at most 64 bits.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt64

Masks = UInt64[np.ndarray, "..."]

# Black begins. Row 3, column 3 is D4: the published model's board has black on E4 and D5, white on D4 and E5.
START_BLACK = np.uint64(1 << 8 * 3 + 4 | 1 << 8 * 4 + 3)
START_WHITE = np.uint64(1 << 8 * 3 + 3 | 1 << 8 * 4 + 4)

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
# A run of discs captured sideways or diagonally never includes the first or last column; leaving those out is
# also what keeps a shift from running over into the next row.
_INNER = np.uint64(0x7E7E7E7E7E7E7E7E)
# Four axes: east-west, north-south and the two diagonals. Each is walked both ways.
_AXES = ((np.uint64(1), _INNER), (np.uint64(8), _ALL), (np.uint64(7), _INNER), (np.uint64(9), _INNER))


def start() -> tuple[np.uint64, np.uint64]:
    """The start position from the side to move: ``(mine, theirs)``, black's discs first."""
    return START_BLACK, START_WHITE


def _ways(theirs: Masks) -> Iterator[tuple[Masks, Masks, np.uint64, np.ufunc]]:
    """For each of the eight ways: the discs that can be captured along it, those of them that follow
    another one (with these, two steps are made at once), the step, and the shift.

    The arrays are used again for the next way.
    """
    between, pairs = np.zeros_like(theirs), np.zeros_like(theirs)
    for step, inside in _AXES:
        np.bitwise_and(theirs, inside, out=between)
        for shift in (np.left_shift, np.right_shift):
            shift(between, step, out=pairs)
            pairs &= between
            yield between, pairs, step, shift


def _run(origin: Masks, way: tuple[Masks, Masks, np.uint64, np.ufunc], run: Masks, moved: Masks) -> None:
    """Write to ``run`` the discs that ``origin`` reaches along a way without a gap, at most six in a row.

    This is the hot loop: it allocates nothing (``moved`` is for its own use).
    """
    between, pairs, step, shift = way
    shift(origin, step, out=run)
    run &= between
    shift(run, step, out=moved)
    moved &= between
    run |= moved
    for _ in range(2):
        shift(run, step + step, out=moved)
        moved &= pairs
        run |= moved


def _arrays(*masks: Masks | np.uint64 | int) -> list[Masks]:
    return list(np.broadcast_arrays(*(np.asarray(mask, dtype=np.uint64) for mask in masks)))


def legal_moves(mine: Masks | np.uint64 | int, theirs: Masks | np.uint64 | int) -> Masks:
    """The squares where the side to move may place a disc; no bit is set where it must pass."""
    mine, theirs = _arrays(mine, theirs)
    legal, run, moved = (np.zeros(mine.shape, dtype=np.uint64) for _ in range(3))
    for way in _ways(theirs):
        _run(mine, way, run, moved)
        _, _, step, shift = way
        legal |= shift(run, step, out=run)
    return legal & ~(mine | theirs)


def flips(
    mine: Masks | np.uint64 | int, theirs: Masks | np.uint64 | int, move: Masks | np.uint64 | int
) -> Masks:
    """The discs of ``theirs`` that turn when the side to move places a disc on the bit ``move``.

    The square must be empty. No bit is set where the move captures nothing, or where ``move`` is 0.
    """
    mine, theirs, move = _arrays(mine, theirs, move)
    flipped, run, moved = (np.zeros(mine.shape, dtype=np.uint64) for _ in range(3))
    for way in _ways(theirs):
        _run(move, way, run, moved)
        _, _, step, shift = way
        end = shift(run, step, out=moved)
        end &= mine
        run *= end != 0  # a run turns only where one of mine closes it
        flipped |= run
    return flipped


class Turn(NamedTuple):
    """What a move leads to, passes resolved.

    ``mine`` is the side that plays next or, at the game's end, the side that did not play last.
    """

    mine: Masks
    theirs: Masks
    legal: Masks  # 0 once the game is over
    flipped: Masks
    passed: Bool[np.ndarray, "..."]  # the other side had to pass, so the same side plays again


def play(mine: Masks, theirs: Masks, move: Masks) -> Turn:
    """Place a disc on the bit ``move`` of each board of an array. The move is not checked."""
    flipped = flips(mine, theirs, move)
    mine, theirs = theirs ^ flipped, mine | flipped | move
    legal = legal_moves(mine, theirs)
    passed = legal == 0
    # Few boards get here, and so the second look costs little.
    legal[passed] = legal_moves(theirs[passed], mine[passed])
    passed &= legal != 0
    mine[passed], theirs[passed] = theirs[passed], mine[passed]
    return Turn(mine, theirs, legal, flipped, passed)


def bits(masks: Masks | np.uint64) -> Bool[np.ndarray, "... 64"]:
    """The masks as booleans: [..., 64], square 0 first."""
    raw = np.ascontiguousarray(np.asarray(masks, dtype="<u8")[..., None]).view(np.uint8)
    return np.unpackbits(raw, axis=-1, bitorder="little").view(np.bool_)


def nth_square(masks: Masks, n: np.ndarray) -> np.ndarray:
    """The square of the n-th set bit of each mask, n from 0; meaningless where there are not so many."""
    n = n.astype(np.uint64)
    square = np.zeros_like(n)
    for width in (32, 16, 8, 4, 2, 1):
        below = np.bitwise_count(masks >> square & np.uint64((1 << width) - 1))
        beyond = n >= below
        n -= below * beyond
        square += beyond * np.uint64(width)
    return square


def perft(depth: int) -> int:
    """The number of legal move sequences of ``depth`` moves from the start; a forced pass counts as a move.

    The published counts are 4, 12, 56, 244, 1396, 8200, 55092, 390216 for depths 1 to 8.
    """
    mine, theirs = (np.array([mask]) for mask in start())
    passed = np.zeros(1, dtype=bool)
    for _ in range(depth):
        legal = legal_moves(mine, theirs)
        board, square = np.nonzero(bits(legal))
        stuck = (legal == 0) & ~passed  # a second pass in a row ends the game: no sequence goes on from there
        move = np.uint64(1) << square.astype(np.uint64)
        turned = flips(mine[board], theirs[board], move)
        mine, theirs = (
            np.concatenate([theirs[board] ^ turned, theirs[stuck]]),
            np.concatenate([mine[board] | turned | move, mine[stuck]]),
        )
        passed = np.arange(len(mine)) >= len(board)
    return len(mine)
