"""The published OthelloGPT's vocabulary: token 0, then the 60 playable squares in row-major order.

The four centre squares hold discs from the start, so they have no token. In the published data a game lists
its placed discs only: a forced pass leaves no token (the same side moves again), and token 0 fills up the
rows of games that ended before 60 moves, where the loss leaves it out. The notebooks call token 0 "pass"
all the same.

Sources, all in github.com/likenneth/othello_world: ``data/othello.py`` (``get_ood_game``,
``get_valid_moves``: passes are skipped), ``mingpt/dataset.py`` (-100 fills up and sorts to token 0),
``mingpt/model.py`` (``ignore_index=0``), ``mechanistic_interpretability/mech_interp_othello_utils.py``
(``stoi``, ``itos``: this table; ``full_seqs``: only games of 60 moves).
"""

import numpy as np
from jaxtyping import Bool, UInt8

from ...runtime import CourseError
from .rules import START_BLACK, START_WHITE, Masks, bits

N_TOKENS = 61
N_CTX = 59
PASS = 0

PLAYABLE = np.flatnonzero(~bits(START_BLACK | START_WHITE)).astype(np.int8)
PLAYABLE.flags.writeable = False
# One entry more than the board has squares: index -1, no move, gives token 0.
_TOKEN_OF_SQUARE = np.zeros(65, dtype=np.uint8)
_TOKEN_OF_SQUARE[PLAYABLE] = np.arange(1, N_TOKENS)
_SQUARE_OF_TOKEN = np.concatenate([np.array([-1], dtype=np.int8), PLAYABLE])


def square_name(square: int) -> str:
    """Square 19 is "D3": the column's letter A to H, the row 1 to 8, as players write it.

    The published notebooks label the same square C3 or "C4": row letter first, columns from 0 or from 1.
    """
    if not 0 <= square < 64:
        raise CourseError(
            f"A square is a number from 0 to 63; this is {square}. -1 in Games.moves means no move."
        )
    return "ABCDEFGH"[square % 8] + str(square // 8 + 1)


SQUARES: tuple[str, ...] = tuple(square_name(square) for square in range(64))
# The name of every token, by id.
NAMES: tuple[str, ...] = ("pass", *(SQUARES[square] for square in PLAYABLE))


def square_of(name: str) -> int:
    """The square called ``name``: "D3" (or "d3") is 19."""
    if name.upper() not in SQUARES:
        raise CourseError(
            f'"{name}" is no square. A square has a letter A to H and a row 1 to 8, such as "D3".'
        )
    return SQUARES.index(name.upper())


def _whole(values: np.ndarray | list[int]) -> np.ndarray:
    """``values`` as an integer array; numbers with a fraction are a mistake, not something to round."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise CourseError(f"Squares and tokens are whole numbers; these are {array.dtype}.")
    return array.astype(np.int64)


def to_tokens(moves: np.ndarray | list[int]) -> UInt8[np.ndarray, "..."]:
    """Squares 0..63 as token ids; -1 (no move) becomes 0.

    Raises:
        CourseError: where a value is no square, or one of the four centre squares, which nobody can play.
    """
    moves = _whole(moves)
    wrong = (moves < -1) | (moves > 63)
    tokens = _TOKEN_OF_SQUARE[np.where(wrong, -1, moves)]
    wrong |= (tokens == 0) & (moves != -1)
    if wrong.any():
        raise CourseError(
            f"{int(moves[wrong][0])} is no playable square: a move is 0 to 63 without the centre squares "
            "27, 28, 35 and 36 (D4, E4, D5, E5), or -1 for no move."
        )
    return tokens


def to_squares(tokens: np.ndarray | list[int]) -> np.ndarray:
    """Token ids as squares (int8); token 0 becomes -1.

    Raises:
        CourseError: where an id is not 0 to 60.
    """
    tokens = _whole(tokens)
    wrong = (tokens < 0) | (tokens >= N_TOKENS)
    if wrong.any():
        raise CourseError(f"{int(tokens[wrong][0])} is no Othello token: ids go from 0 to {N_TOKENS - 1}.")
    return _SQUARE_OF_TOKEN[tokens]


def legal_tokens(masks: Masks) -> Bool[np.ndarray, "... 61"]:
    """Masks of legal squares as booleans over the tokens; token 0 is never true, for no game plays it."""
    legal = np.zeros((*np.shape(masks), N_TOKENS), dtype=np.bool_)
    legal[..., 1:] = bits(masks)[..., PLAYABLE]
    return legal


def encode(text: str) -> list[int]:
    """``encode("F5 D6 C3")``: the token ids of a game written as square names."""
    return [int(token) for token in to_tokens([square_of(name) for name in text.split()])]


def decode(tokens: np.ndarray | list[int]) -> str:
    """The game a row of token ids stands for, as square names; token 0 is left out."""
    return " ".join(SQUARES[square] for square in to_squares(tokens) if square >= 0)
