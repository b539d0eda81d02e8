"""The rules on bitboards against the published counts, the oracle and the board's symmetries."""

import random

import numpy as np
import othello_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sae_course.data import othello
from sae_course.data.othello import rules

PUBLISHED = [1, 4, 12, 56, 244, 1396, 8200, 55092, 390216, 3005288]


@pytest.mark.parametrize("depth", range(10))
def test_perft_counts_are_the_published_ones(depth: int) -> None:
    assert othello.perft(depth) == PUBLISHED[depth]


def test_the_oracle_has_the_published_counts_too() -> None:
    assert [oracle.perft(oracle.start_board(), "B", depth) for depth in range(6)] == PUBLISHED[:6]


def mask(board: oracle.Board, side: str) -> int:
    return sum(1 << 8 * r + c for r in range(8) for c in range(8) if board[r][c] == side)


def mask_of(squares: list[oracle.Square]) -> int:
    return sum(1 << 8 * r + c for r, c in squares)


def test_the_start_is_the_published_models() -> None:
    board = oracle.start_board()
    assert [int(side) for side in othello.start()] == [mask(board, "B"), mask(board, "W")]
    opening = [othello.SQUARES[s] for s in np.flatnonzero(rules.bits(othello.legal_moves(*othello.start())))]
    assert opening == ["D3", "C4", "F5", "E6"]


@st.composite
def positions(draw: st.DrawFn) -> tuple[oracle.Board, str]:
    """A position that random play reaches, passes and full boards included, and the side to move."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    board, side = oracle.start_board(), "B"
    for _ in range(draw(st.integers(0, 60))):
        board, _ = oracle.place(board, side, rng.choice(oracle.legal(board, side)))
        following = oracle.next_side(board, side)
        if following is None:
            break
        side = following
    return board, side


@st.composite
def scatterings(draw: st.DrawFn) -> tuple[oracle.Board, str]:
    """Discs anywhere, on edges and corners too, where a shift could run over into the next row."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    weights = draw(st.sampled_from([(1, 1, 1), (1, 4, 4), (6, 1, 1), (1, 1, 9)]))
    return [[rng.choices(".BW", weights)[0] for _ in range(8)] for _ in range(8)], "B"


@settings(max_examples=250, deadline=None)
@given(st.one_of(positions(), scatterings()))
def test_legal_moves_and_flips_are_the_oracles(position: tuple[oracle.Board, str]) -> None:
    board, side = position
    mine, theirs = mask(board, side), mask(board, oracle.OTHER[side])
    assert int(othello.legal_moves(mine, theirs)) == mask_of(oracle.legal(board, side))
    empty = [(r, c) for r in range(8) for c in range(8) if board[r][c] == "."]
    moves = np.array([1 << 8 * r + c for r, c in empty], dtype=np.uint64)
    turned = othello.flips(mine, theirs, moves)
    assert turned.tolist() == [mask_of(oracle.captured(board, side, square)) for square in empty]


@settings(max_examples=60, deadline=None)
@given(position=positions())
def test_what_follows_a_move_is_the_oracles(position: tuple[oracle.Board, str]) -> None:
    board, side = position
    moves = oracle.legal(board, side)
    if not moves:
        return
    masks = (np.full(len(moves), mask(board, s), dtype=np.uint64) for s in (side, oracle.OTHER[side]))
    turn = rules.play(*masks, np.array([mask_of([move]) for move in moves], dtype=np.uint64))
    for i, move in enumerate(moves):
        after, turned = oracle.place(board, side, move)
        following = oracle.next_side(after, side)
        me = following or oracle.OTHER[side]
        assert (int(turn.mine[i]), int(turn.theirs[i])) == (mask(after, me), mask(after, oracle.OTHER[me]))
        assert int(turn.flipped[i]) == mask_of(turned)
        assert int(turn.legal[i]) == (mask_of(oracle.legal(after, following)) if following else 0)
        assert bool(turn.passed[i]) == (following == side)


SYMMETRIES = {
    "quarter turn": lambda grid: np.rot90(grid, axes=(-2, -1)),
    "half turn": lambda grid: np.rot90(grid, 2, axes=(-2, -1)),
    "left and right": lambda grid: grid[..., :, ::-1],
    "up and down": lambda grid: grid[..., ::-1, :],
    "diagonal": lambda grid: np.swapaxes(grid, -1, -2),
}


@pytest.mark.parametrize("name", SYMMETRIES)
def test_a_turned_board_has_the_turned_moves(name: str) -> None:
    def turned(masks: np.ndarray) -> np.ndarray:
        grid = SYMMETRIES[name](rules.bits(masks).reshape(-1, 8, 8)).reshape(-1, 64)
        return (grid.astype(np.uint64) << np.arange(64, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)

    rng = np.random.default_rng(0)
    discs = rng.integers(0, 3, size=(2000, 64))
    mine, theirs, free = ((discs == k).astype(np.uint64) << np.arange(64, dtype=np.uint64) for k in range(3))
    mine, theirs = mine.sum(axis=1, dtype=np.uint64), theirs.sum(axis=1, dtype=np.uint64)
    move = free[np.arange(2000), rng.integers(0, 64, 2000)]  # 0 where that square is taken
    assert (
        othello.legal_moves(turned(mine), turned(theirs)) == turned(othello.legal_moves(mine, theirs))
    ).all()
    assert (
        othello.flips(turned(mine), turned(theirs), turned(move)) == turned(othello.flips(mine, theirs, move))
    ).all()


def test_any_shape_goes_in_and_comes_out() -> None:
    mine, theirs = othello.start()
    one = othello.legal_moves(mine, theirs)
    assert one.shape == ()
    assert (othello.legal_moves(np.full((2, 3), mine), theirs) == np.full((2, 3), one)).all()
    assert othello.flips(mine, theirs, np.zeros((4, 1), dtype=np.uint64)).shape == (4, 1)
    assert rules.bits(one).shape == (64,)


@given(st.integers(1, 2**64 - 1))
def test_the_nth_square_is_the_nth_set_bit(value: int) -> None:
    squares = [s for s in range(64) if value >> s & 1]
    found = rules.nth_square(np.full(len(squares), value, dtype=np.uint64), np.arange(len(squares)))
    assert found.tolist() == squares
