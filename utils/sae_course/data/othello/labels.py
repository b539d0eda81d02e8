"""The truth of every Othello token as named booleans.

| group | features | true where |
|---|---|---|
| mine, theirs | 64 + 64, "D3 is mine" | the square holds a disc of the side to play next, of the other side |
| empty | 60, "D3 is empty" | no disc is on the square (the centre squares are never empty) |
| legal next | 60, "D3 is legal next" | the side that plays next may play there |
| flipped | 60, "the last move flipped D3" | the last move turned the disc there (never a corner's) |
| last move | 60, "the last move is D3" | that square has just been played: the token itself |
| game | the names in ``GROUPS["game"]`` | see the names |

Passes are resolved first, so "mine" is the side that really plays next (``Boards.relative``). Every label
at a position depends on the tokens up to that position only.
"""

import numpy as np
from jaxtyping import Bool

from ..labels import Labels
from .board import Boards, boards
from .rules import bits
from .vocabulary import NAMES, PLAYABLE, SQUARES, to_squares

CORNERS = (0, 7, 56, 63)
_FLIPPABLE = np.array([square for square in range(64) if square not in CORNERS])
_EDGE = np.array(
    [square not in CORNERS and (square % 8 in (0, 7) or square // 8 in (0, 7)) for square in range(64)]
)
_CORNER = np.isin(np.arange(64), CORNERS)
# The squares diagonally next to a corner, which players avoid: they give the corner away.
_X_SQUARE = np.isin(np.arange(64), (9, 14, 49, 54))

GROUPS: dict[str, tuple[str, ...]] = {
    "mine": tuple(f"{name} is mine" for name in SQUARES),
    "theirs": tuple(f"{name} is theirs" for name in SQUARES),
    "empty": tuple(f"{name} is empty" for name in NAMES[1:]),
    "legal next": tuple(f"{name} is legal next" for name in NAMES[1:]),
    "flipped": tuple(f"the last move flipped {SQUARES[square]}" for square in _FLIPPABLE),
    "last move": tuple(f"the last move is {name}" for name in NAMES[1:]),
    "game": (
        "black plays next",
        "the other side had to pass",
        "the game is over",
        "I have more discs",
        "I have only one legal move",
        "a corner is legal next",
        "the last move is a corner",
        "the last move is on an edge",
        "the last move is diagonal to a corner",
        "the last move flipped one disc",
        "the last move flipped five discs or more",
    ),
}
BOARD: dict[str, tuple[str, ...]] = {
    "occupied": GROUPS["mine"] + GROUPS["theirs"],
    "empty": GROUPS["empty"],
    "both": GROUPS["mine"] + GROUPS["theirs"] + GROUPS["empty"],
}
"""The board itself, by which squares count: 128 properties of discs, 60 of empty squares."""
FEATURES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)


def labels(tokens: np.ndarray) -> Labels:
    """The truth of each token of each game, ``FEATURES`` in order.

    Args:
        tokens: integers [batch, pos], games from their first move on (see ``boards``).

    Raises:
        CourseError: where a game is illegal.
    """
    now = boards(tokens)
    squares = to_squares(tokens)
    relative = now.relative
    last = squares[..., None] == np.arange(64, dtype=np.int8)
    flipped = bits(now.flipped)
    values = np.concatenate(
        [
            relative == 1,
            relative == -1,
            relative[..., PLAYABLE] == 0,
            now.legal_tokens[..., 1:],
            flipped[..., _FLIPPABLE],
            last[..., PLAYABLE],
            _game(now, last),
        ],
        axis=-1,
    )
    return Labels(FEATURES, values)


def _game(now: Boards, last: Bool[np.ndarray, "batch pos 64"]) -> Bool[np.ndarray, "batch pos feature"]:
    """The group "game", in the order of its names."""
    corners = np.uint64(sum(1 << square for square in CORNERS))
    n_flipped = np.bitwise_count(now.flipped)
    columns = (
        now.black_next,
        now.passed,
        now.over,
        now.relative.sum(axis=-1, dtype=np.int8) > 0,
        np.bitwise_count(now.legal) == 1,
        (now.legal & corners) != 0,
        last[..., _CORNER].any(axis=-1),
        last[..., _EDGE].any(axis=-1),
        last[..., _X_SQUARE].any(axis=-1),
        n_flipped == 1,
        n_flipped >= 5,
    )
    return np.stack(columns, axis=-1)
