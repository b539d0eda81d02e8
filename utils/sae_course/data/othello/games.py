"""Random legal games of Othello, thousands at once, the same ones from the same seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int8, UInt8, UInt32, UInt64

from ...runtime import CourseError
from ...runtime.streams import stream_seed
from .rules import legal_moves, nth_square, play
from .rules import start as start_position
from .vocabulary import to_tokens

MAX_MOVES = 60
# Games are drawn in blocks with a stream each; a block's boards also fit the processor's cache.
BLOCK = 4096
# A block holds 4,057 games of 60 moves on average, give or take 6; the first 4,000 are its full games.
FULL_PER_BLOCK = 4000


@dataclass(frozen=True)
class Games:
    """Games as placed discs. Forced passes are not moves: the same side simply moves twice (see ``black``).

    Attributes:
        moves: the square 0..63 of each placed disc; -1 after the game's end.
        legal: before each move, the mask of legal squares (bit s for square s); 0 after the game's end.
        black: whether black makes the move; False after the game's end.
    """

    moves: Int8[np.ndarray, "game 60"]
    legal: UInt64[np.ndarray, "game 60"]
    black: Bool[np.ndarray, "game 60"]

    def __len__(self) -> int:
        return len(self.moves)

    def __getitem__(self, which: slice | np.ndarray) -> "Games":
        return Games(self.moves[which], self.legal[which], self.black[which])

    @property
    def tokens(self) -> UInt8[np.ndarray, "game 60"]:
        """The moves as token ids, 0 after the game's end. A model reads the first 59 of a row."""
        return to_tokens(self.moves)

    @property
    def lengths(self) -> np.ndarray:
        """The number of discs placed in each game: 60 when the board is full."""
        return (self.moves >= 0).sum(axis=1)

    @property
    def passes(self) -> np.ndarray:
        """The number of forced passes in each game, those between two moves."""
        return ((self.black[:, 1:] == self.black[:, :-1]) & (self.moves[:, 1:] >= 0)).sum(axis=1)


def games(n: int, seed: int = 0, split: str = "train", start: int = 0) -> Games:
    """Games number ``start`` to ``start + n`` of a split, every move drawn uniformly from the legal ones.

    Game i depends on nothing but the seed, the split and i. Black begins; a side that cannot move passes; a
    game ends when neither side can.

    Raises:
        CourseError: for a negative ``n`` or ``start``.
    """
    return _gather(n, start, BLOCK, lambda block, part: _play(_luck(seed, split, block)[:, part]))


def full_games(n: int, seed: int = 0, split: str = "train", start: int = 0) -> Games:
    """Like ``games``, but only those that fill the board: 60 moves each, about 99 in 100.

    The published notebooks and probes use such games only. Game i again depends on the seed, the split and i.
    """

    def part_of(block: int, part: slice) -> Games:
        whole = _play(_luck(seed, split, block))
        return whole[np.flatnonzero(whole.lengths == MAX_MOVES)[:FULL_PER_BLOCK][part]]

    return _gather(n, start, FULL_PER_BLOCK, part_of)


def _gather(n: int, start: int, size: int, part_of: Callable[[int, slice], Games]) -> Games:
    """Games ``start`` to ``start + n`` out of blocks of ``size``."""
    if n < 0 or start < 0:
        raise CourseError(f"The games' n and start must be 0 or more; these are n={n}, start={start}.")
    out = _empty(n)
    done = 0
    while done < n:
        block, first = divmod(start + done, size)
        part = slice(first, min(size, first + n - done))
        record = part_of(block, part)
        end = done + part.stop - first
        out.moves[done:end], out.legal[done:end], out.black[done:end] = (
            record.moves,
            record.legal,
            record.black,
        )
        done = end
    return out


def _luck(seed: int, split: str, block: int) -> UInt32[np.ndarray, "60 game"]:
    # Raw bits: NumPy promises never to change these, and so the shipped model's games stay the same.
    raw = np.random.PCG64(stream_seed(f"othello/{split}/{block}", seed)).random_raw(MAX_MOVES * BLOCK // 2)
    return raw.astype("<u8").view("<u4").reshape(MAX_MOVES, BLOCK)


def _empty(n: int) -> Games:
    return Games(
        np.full((n, MAX_MOVES), -1, dtype=np.int8),
        np.zeros((n, MAX_MOVES), dtype=np.uint64),
        np.zeros((n, MAX_MOVES), dtype=np.bool_),
    )


def _play(luck: UInt32[np.ndarray, "60 game"]) -> Games:
    """Play one block to the end; ``luck`` picks each move."""
    out = _empty(luck.shape[1])
    mine, theirs = (np.full(luck.shape[1], mask) for mask in start_position())
    black = np.ones(luck.shape[1], dtype=np.bool_)
    legal = legal_moves(mine, theirs)
    for k in range(MAX_MOVES):
        on = legal != 0
        # Scaling 32 random bits favours no move by more than 1 part in 10**8.
        choice = luck[k] * np.bitwise_count(legal).astype(np.uint64) >> np.uint64(32)
        square = nth_square(legal, choice)
        move = on.astype(np.uint64) << square
        out.legal[:, k] = legal
        out.black[:, k] = black & on
        out.moves[:, k] = np.where(on, square.astype(np.int8), -1)

        turn = play(mine, theirs, move)
        mine, theirs, legal = turn.mine, turn.theirs, turn.legal
        black ^= ~turn.passed
    return out
