"""Random games: legal to the last move by the oracle's rules, uniform, and the same again from any slice."""

from collections import Counter

import numpy as np
import othello_oracle as oracle
import pytest
from scipy.stats import chisquare

from sae_course import CourseError
from sae_course.data import othello
from sae_course.data.othello.games import BLOCK, FULL_PER_BLOCK
from sae_course.data.othello.rules import bits

MANY = othello.games(20_000, split="test")


def squares(mask: np.uint64) -> list[oracle.Square]:
    return [(int(s) // 8, int(s) % 8) for s in np.flatnonzero(bits(mask))]


def follow(game: othello.Games) -> int:
    """Replay one game (a slice of one) by the oracle: its legal moves, sides, passes, end. Its length."""
    board, n = oracle.start_board(), 0
    side: str | None = "B"
    while side:
        square = int(game.moves[0, n])
        assert game.black[0, n] == (side == "B")
        assert squares(game.legal[0, n]) == oracle.legal(board, side)
        board, _ = oracle.place(board, side, divmod(square, 8))
        side = oracle.next_side(board, side)
        n += 1
    assert (game.moves[0, n:] == -1).all()
    assert not game.legal[0, n:].any()
    assert not game.black[0, n:].any()
    return n


def test_games_follow_the_oracle_move_by_move() -> None:
    for i in range(300):
        assert follow(MANY[i : i + 1]) == MANY.lengths[i]


@pytest.mark.parametrize("kind", ["short", "often passed"])
def test_the_rare_games_follow_the_oracle_too(kind: str) -> None:
    rare = np.flatnonzero(MANY.lengths < 60) if kind == "short" else np.argsort(-MANY.passes)[:40]
    assert len(rare) >= 40, "the sample holds too few such games to test anything"
    for i in rare[:60]:
        assert follow(MANY[i : i + 1]) == MANY.lengths[i]


def test_games_black_plays_twice_where_white_must_pass() -> None:
    again = (MANY.black[:, 1:] == MANY.black[:, :-1]) & (MANY.moves[:, 1:] >= 0)
    assert (again.sum(axis=1) == MANY.passes).all()
    assert again[MANY.black[:, 1:]].any(), "black never plays twice"
    assert again[~MANY.black[:, 1:]].any(), "white never plays twice"


def test_shares_of_passes_and_short_games() -> None:
    """Quoted in the documentation: a third of random games has a forced pass, 1 % ends early."""
    assert (MANY.passes > 0).mean() == pytest.approx(0.343, abs=0.01)
    assert (MANY.lengths < 60).mean() == pytest.approx(0.0095, abs=0.002)


def test_moves_are_uniform_over_the_legal_ones() -> None:
    """At the start, after C4 C3, and at every 25th move by rank among the legal ones."""
    start = Counter(MANY.moves[:, 0].tolist())
    assert sorted(start) == [othello.square_of(name) for name in ("D3", "C4", "F5", "E6")]
    assert chisquare(list(start.values())).pvalue > 1e-3

    opening = (MANY.moves[:, 0] == othello.square_of("C4")) & (MANY.moves[:, 1] == othello.square_of("C3"))
    legal = np.flatnonzero(bits(MANY.legal[opening, 2][0]))
    third = Counter(MANY.moves[opening, 2].tolist())
    assert sorted(third) == legal.tolist()
    assert len(legal) == 4
    assert chisquare([third[s] for s in legal.tolist()]).pvalue > 1e-3

    for n_legal in (2, 7, 12):
        there = np.bitwise_count(MANY.legal[:, 25]) == n_legal
        masks, move = MANY.legal[there, 25], MANY.moves[there, 25].astype(np.uint64)
        rank = np.bitwise_count(masks & ((np.uint64(1) << move) - np.uint64(1)))
        assert chisquare(np.bincount(rank, minlength=n_legal)).pvalue > 1e-3


def same(a: othello.Games, b: othello.Games) -> bool:
    return all((getattr(a, name) == getattr(b, name)).all() for name in ("moves", "legal", "black"))


@pytest.mark.parametrize(("make", "size"), [(othello.games, BLOCK), (othello.full_games, FULL_PER_BLOCK)])
def test_a_slice_is_the_same_as_in_the_whole(make, size: int) -> None:
    whole = make(2 * size + 10, seed=3)
    for start, n in ((0, 7), (size - 5, 10), (size, 1), (5, 2 * size)):
        assert same(make(n, seed=3, start=start), whole[start : start + n])
    assert len(make(0)) == 0


def test_the_games_of_the_shipped_model_stay_what_they_are() -> None:
    """Another stream would be as random, but the model's card names these games."""
    first = othello.decode(othello.full_games(1).tokens[0])
    assert first.startswith("C4 C3 E6 F6 G6 G7 C2 H6 H8 G8 F8 B2 A2 D6 F7 A1 D3 D2 G5 F4 C1 B1 F5 A3 F3 H7")
    last = othello.decode(othello.full_games(1, seed=1, split="test", start=123_456).tokens[0])
    assert last.startswith("C4 E3 F3 C5 C6 G3 E2 E1 D3 B7 D6 B5 B4")


def test_splits_and_seeds_share_no_game() -> None:
    rows = [
        othello.full_games(4000, seed=seed, split=split).moves
        for seed in (0, 1)
        for split in ("train", "test")
    ]
    games = {row.tobytes() for block in rows for row in block}
    assert len(games) == 4 * 4000


def test_full_games_are_the_games_that_fill_the_board() -> None:
    everything, full = othello.games(BLOCK), othello.full_games(FULL_PER_BLOCK)
    assert (full.lengths == 60).all()
    assert same(full, everything[np.flatnonzero(everything.lengths == 60)[:FULL_PER_BLOCK]])
    assert (np.sort(full.moves, axis=1) == othello.PLAYABLE).all()


def test_a_negative_number_of_games_is_refused() -> None:
    with pytest.raises(CourseError, match="n=-1, start=0"):
        othello.games(-1)
    with pytest.raises(CourseError, match="start=-4"):
        othello.full_games(3, start=-4)
