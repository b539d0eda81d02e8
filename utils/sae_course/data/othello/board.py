"""Boards from tokens: what stands where after each move, who plays next, and what may be played."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int8, UInt64

from ...runtime import CourseError
from .rules import bits, play
from .rules import legal_moves as legal_squares
from .rules import start as start_position
from .vocabulary import SQUARES, legal_tokens, to_squares

BLACK, WHITE, EMPTY = 1, -1, 0


@dataclass(frozen=True)
class Boards:
    """The truth after each token of each game.

    Forced passes are resolved: "next" is the side that really plays next. Once a game is over, "next" is
    the side that did not play last, and nothing is legal.

    Attributes:
        state: 0 empty, +1 black, -1 white; squares in row-major order, A1 first.
        black_next: whether black plays next.
        passed: whether the other side had to pass after this move, so that the same side plays again.
        legal: the mask of squares that may be played next (bit s for square s), 0 once the game is over.
        flipped: the mask of discs that the last move turned (the disc it placed is not among them).
    """

    state: Int8[np.ndarray, "batch pos 64"]
    black_next: Bool[np.ndarray, "batch pos"]
    passed: Bool[np.ndarray, "batch pos"]
    legal: UInt64[np.ndarray, "batch pos"]
    flipped: UInt64[np.ndarray, "batch pos"]

    @cached_property
    def relative(self) -> Int8[np.ndarray, "batch pos 64"]:
        """+1 "mine", -1 "theirs", 0 empty: "I" am the side that plays next, passes resolved.

        It is what a model needs to know the legal moves, and what every label of this room goes by.
        """
        return self.state * np.where(self.black_next, 1, -1).astype(np.int8)[..., None]

    @cached_property
    def by_parity(self) -> Int8[np.ndarray, "batch pos 64"]:
        """As ``relative``, but as if nobody ever passed: after the first token white is to play, then black.

        The published board scores flip the colours like this, by the position's parity
        (github.com/adamkarvonen/SAE_BoardGameEval, ``games_batch_to_state_stack_mine_yours_BLRRC``; there
        +1 is the side that has just moved, the opposite sign). Between an odd-numbered pass and the next one
        it takes the wrong side's view: at 1.2 % of the positions of random games.
        """
        sign = np.where(np.arange(self.state.shape[1]) % 2 == 0, -1, 1).astype(np.int8)
        return self.state * sign[:, None]

    @property
    def legal_tokens(self) -> Bool[np.ndarray, "batch pos 61"]:
        """What may be played next, over the vocabulary; a model's next-token target is uniform over it."""
        return legal_tokens(self.legal)

    @property
    def over(self) -> Bool[np.ndarray, "batch pos"]:
        """Whether the game has ended: neither side can move."""
        return self.legal == 0


def boards(tokens: np.ndarray) -> Boards:
    """Replay games from their tokens alone; the boards at a position depend on the tokens up to there.

    Args:
        tokens: integers [batch, pos] from the first move on. Token 0 may only follow a game's end.

    Raises:
        CourseError: for another kind of array; for an illegal move, with its game, position and square.
    """
    squares = to_squares(tokens)
    if squares.ndim != 2:
        raise CourseError(
            f"boards() takes tokens [batch, pos]; these have shape {list(squares.shape)}. "
            "A single game is tokens[None]."
        )
    n, n_pos = squares.shape
    mine, theirs = (np.full(n, mask) for mask in start_position())
    black_next = np.ones(n, dtype=np.bool_)
    legal = legal_squares(mine, theirs)

    black_discs, white_discs, record_legal, record_flipped = (
        np.zeros((n, n_pos), np.uint64) for _ in range(4)
    )
    record_black, record_passed = (np.zeros((n, n_pos), np.bool_) for _ in range(2))
    for t in range(n_pos):
        placed = squares[:, t] >= 0
        move = placed.astype(np.uint64) << np.where(placed, squares[:, t], 0).astype(np.uint64)
        wrong = np.where(placed, (legal & move) == 0, legal != 0)
        if wrong.any():
            game = int(np.flatnonzero(wrong)[0])
            raise CourseError(_illegal(game, t, int(squares[game, t]), legal[game], bool(black_next[game])))
        turn = play(mine, theirs, move)
        mine, theirs = np.where(placed, turn.mine, mine), np.where(placed, turn.theirs, theirs)
        legal = turn.legal
        black_next ^= placed & ~turn.passed

        black_discs[:, t] = np.where(black_next, mine, theirs)
        white_discs[:, t] = np.where(black_next, theirs, mine)
        record_legal[:, t], record_flipped[:, t] = legal, turn.flipped
        record_black[:, t], record_passed[:, t] = black_next, turn.passed & placed
    state = bits(black_discs).astype(np.int8) - bits(white_discs).astype(np.int8)
    return Boards(state, record_black, record_passed, record_legal, record_flipped)


def _illegal(game: int, pos: int, square: int, legal: np.uint64, black: bool) -> str:
    where = f"Game {game}, position {pos}"
    side = "black" if black else "white"
    may = ", ".join(SQUARES[s] for s in np.flatnonzero(bits(legal)))
    if square < 0:
        return f"{where}: token 0 stands for no move, but the game is not over: {side} may play {may}."
    if not may:
        return f"{where}: {SQUARES[square]} is played after the game's end; fill up with token 0."
    return f"{where}: {SQUARES[square]} is no legal move for {side}, who may play {may}."


def show(board: np.ndarray, legal: int | np.uint64 = 0) -> str:
    """A board as text: ● black, ○ white, + a legal move, · empty.

    Args:
        board: 64 numbers, +1 black, -1 white, 0 empty, such as ``boards(tokens).state[game, pos]``.
        legal: the mask of squares to mark, such as ``boards(tokens).legal[game, pos]``.
    """
    discs = np.asarray(board).reshape(-1)
    if discs.size != 64 or not np.isin(discs, (BLACK, WHITE, EMPTY)).all():
        raise CourseError(
            f"show() takes one board: 64 numbers, +1 black, -1 white, 0 empty. This one has shape "
            f"{list(np.shape(board))} and values from {discs.min(initial=0)} to {discs.max(initial=0)}."
        )
    marks = np.where(bits(np.uint64(legal)), "+", "·")
    signs = np.where(discs == BLACK, "●", np.where(discs == WHITE, "○", marks)).reshape(8, 8)
    return "\n".join(["  A B C D E F G H", *(f"{row + 1} {' '.join(signs[row])}" for row in range(8))])
