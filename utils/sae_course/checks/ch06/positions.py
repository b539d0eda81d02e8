"""Games and boards that a learner's code is tried on, and their legal moves: from the course's own engine."""

import functools

import numpy as np
from jaxtyping import Int8

from ...data.othello import Boards, Games, boards, games, legal_moves, to_tokens
from ...data.othello.rules import bits
from ..cases import Case

N_GAMES = 4096  # one block of the engine's: the rare kinds are in it, and it takes 40 ms


@functools.cache
def pool() -> Games:
    """Random games, of which a third have a pass, and one in a hundred ends before the board is full."""
    return games(N_GAMES, split="checks")


@functools.cache
def some_boards() -> Int8[np.ndarray, "board 64"]:
    """Boards from the middle of games, +1 for the side that plays next."""
    return boards(pool().tokens[:256]).relative[:, 10:50].reshape(-1, 64)


def pick(case: Case, some: np.ndarray | list[int]) -> int:
    """One of several numbers."""
    return int(some[int(case.integers("1", 0, len(some)))])


def moves_of(game: int) -> list[int]:
    """The squares of one of the pool's games, up to its end."""
    one = pool().moves[game]
    return [int(square) for square in one[one >= 0]]


def passes_after(game: int) -> list[int]:
    """The moves of one of the pool's games, counted from 0, after which the other side had to pass."""
    moves, black = pool().moves[game], pool().black[game]
    return [int(move) for move in np.flatnonzero((black[1:] == black[:-1]) & (moves[1:] >= 0))]


@functools.cache
def plain_games() -> list[int]:
    """Games that fill the board without a pass."""
    return np.flatnonzero((pool().passes == 0) & (pool().lengths == 60)).tolist()


@functools.cache
def early_passes() -> list[int]:
    """The dozen games with the earliest passes."""
    first = [passes_after(game)[:1] or [60] for game in range(N_GAMES)]
    return sorted(range(N_GAMES), key=lambda game: first[game])[:12]


@functools.cache
def short_games() -> list[int]:
    """Games that are over before the board is full."""
    return np.flatnonzero(pool().lengths < 60).tolist()


def replayed(squares: list[int]) -> Boards:
    """A legal game's boards, by the engine: the first axis has size 1."""
    return _replayed(tuple(squares))


@functools.lru_cache(maxsize=64)
def _replayed(squares: tuple[int, ...]) -> Boards:
    return boards(to_tokens(list(squares))[None])


def mask(where: np.ndarray) -> np.ndarray:
    """Bitboards ``[...]`` from booleans ``[... 64]``."""
    return np.packbits(where, axis=-1, bitorder="little").view("<u8")[..., 0]


def legal(board: np.ndarray, side: int = 1) -> np.ndarray:
    """The legal moves of a side on boards ``[... 64]``."""
    return bits(legal_moves(mask(board == side), mask(board == -side)))


def legal_if_taken(board: np.ndarray) -> np.ndarray:
    """The legal moves of side 1 on a board, as if every square were empty when it is asked for."""
    return legal(np.where(np.eye(64, dtype=np.bool_), 0, board)).diagonal()
