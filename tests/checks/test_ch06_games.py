"""The games and references of 6.1, 6.7 and 6.8 against rays walked square by square, and known numbers."""

import numpy as np
import pytest
import torch
from bank_ch06_games import as_in_the_chapter, beginning, may_move, turned

from sae_course.checks.cases import make_cases
from sae_course.checks.ch06 import edited, games, moved, positions, results
from sae_course.checks.failure import CheckFailed


def cases(number, **sizes):
    return make_cases(number, torch.Generator().manual_seed(7), "cpu", sizes)


def test_legal_games_are_legal_and_of_their_kinds():
    for case in cases(5):
        made = [make(case).squares for make in games.GAMES]
        for squares in made:
            expected = torch.tensor(as_in_the_chapter(squares), dtype=torch.int64)
            assert torch.equal(games._relative(squares), expected)
            assert torch.equal(games._replay(squares), expected)
        opening, first, whole, past, up_to, short = made
        assert (len(opening), len(first), len(whole)) == (3, 12, 60)
        assert len(past) < 60
        assert len(short) < 60
        assert isinstance(games._replay(whole, passes=False), torch.Tensor)
        assert isinstance(games._replay(past, passes=False), games.Refused)
        assert isinstance(games._replay(up_to, passes=False), torch.Tensor)
        last = as_in_the_chapter(up_to)[-1]  # the other side has no move
        assert may_move(last, 1)
        assert not may_move(last, -1)
        over = as_in_the_chapter(short)[-1]
        assert not may_move(over, 1)
        assert not may_move(over, -1)
        assert (over == 0).any()


def test_illegal_games_are_illegal_at_their_last_move_only():
    for case in cases(5):
        for make in games.ILLEGAL:
            squares, place, words, _ = make(case)
            assert place == len(squares) - 1
            assert squares[place] not in (place, place + 1)
            board = as_in_the_chapter(squares[:-1])[-1]
            assert not turned(board, squares[place], 1)
            assert bool(turned(board, squares[place], -1)) == ("other side only" in words)
            assert (board[squares[place]] != 0) == ("disc on the square" in words)
            assert may_move(board, 1) == ("game was over" not in words)


def test_legal_moves_are_those_of_rays():
    assert np.array_equal(games._begin().numpy(), beginning())
    for board in positions.some_boards()[::997]:
        for side in (1, -1):
            rays = [bool(turned(board, square, side)) for square in range(64)]
            assert positions.legal(board, side).tolist() == rays
        rays = [bool(turned(board, square, 1, even_if_taken=True)) for square in range(64)]
        assert positions.legal_if_taken(board).tolist() == rays


def test_changes_are_those_of_rays_and_show_something():
    for case in cases(2):
        for old, new in edited.CHANGES:
            board, square = edited._inputs(case, old, new)
            assert board[square] == old
            after = np.where(np.arange(64) == square, new, board)
            one, other = ({to for to in range(64) if turned(b, to, 1)} for b in (board, after))
            gained, lost = edited._right(board, square, new)
            assert set(np.flatnonzero(gained)) == other - one != set()
            assert set(np.flatnonzero(lost)) == one - other != set()


def test_the_effect_of_known_changes():
    """Three boards of five moves: all kinds, gained alone, none."""
    gained = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    lost = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    delta = torch.tensor([[5.0, -1, -3, 1, 3], [1, 2, 0, 0, 3], [9, 9, 9, 9, 9]])
    before = torch.randn(3, 5, generator=torch.Generator().manual_seed(7))
    up, down = moved._right(before, before + delta, gained, lost)
    assert float(up) == pytest.approx((3 + 0.5) / 2, abs=1e-5)
    assert float(down) == pytest.approx(4, abs=1e-5)


def test_boards_lack_kinds_of_moves_where_they_should():
    for some_lack in (False, True):
        for case in cases(5, n=11, move=17):
            inputs = moved._inputs(case, some_lack=some_lack)
            gained, lost = inputs["gained"], inputs["lost"]
            assert not (gained & lost).any()
            assert bool((~gained & ~lost).any(dim=1).all())
            lacking = [board for board in range(11) if not gained[board].any()]
            assert lacking == ([1, 4, 6] if some_lack else [])
            lacking = [board for board in range(11) if not lost[board].any()]
            assert lacking == ([2, 3, 4] if some_lack else [])


def test_arrays_are_taken_in_whatever_form():
    rows = [[1, -1, 0], [0, 1, 1]]
    expected = torch.tensor(rows)
    same = [
        rows,
        tuple(np.array(rows, dtype=np.int8)),
        np.array(rows, dtype=np.int16),
        expected.to(torch.int8),
        list(expected),
    ]
    for value in same:
        assert torch.equal(results.as_tensor(value).long(), expected)
    assert results.as_tensor([True, False]).dtype == torch.bool
    for value in ("text", None, [[1], [1, 2]], {1, 2}, ["a"]):
        assert results.as_tensor(value) is None


def test_fields_are_taken_by_name():
    named = type("Pair", (), {"lost": 2, "gained": 1})
    assert results.two_fields(named(), "Changed", ("gained", "lost"), "f") == [1, 2]
    for wrong in (None, (1, 2), named, np.zeros(64)):
        with pytest.raises(CheckFailed, match="f returned"):
            results.two_fields(wrong, "Changed", ("gained", "lost"), "f")
