"""Vocabulary, boards and labels: what the tokens of a game say, by the oracle's account."""

import itertools

import numpy as np
import othello_oracle as oracle
import pytest

from sae_course import CourseError
from sae_course.data import othello
from sae_course.data.othello.rules import bits

MANY = othello.games(4096, split="test")
# Common games, games with many passes, and games that end early.
SAMPLE = np.concatenate(
    [np.arange(40), np.argsort(-MANY.passes)[:20], np.flatnonzero(MANY.lengths < 60)[:20]]
)
TOKENS = MANY.tokens[SAMPLE]
BOARDS = othello.boards(TOKENS)
LABELS = othello.labels(TOKENS)


def test_the_vocabulary_is_the_published_one() -> None:
    """The published table: tokens 1 to 27 are squares 0 to 26, then 29 to 34 and 37 to 63; 0 is none."""
    assert othello.N_TOKENS == len(othello.NAMES) == 61
    assert othello.N_CTX == 59
    assert othello.PLAYABLE.tolist() == [*range(27), *range(29, 35), *range(37, 64)]
    assert othello.to_squares(np.array([0, 1, 27, 28, 33, 34, 60])).tolist() == [-1, 0, 26, 29, 34, 37, 63]
    assert othello.NAMES[:3] == ("pass", "A1", "B1")
    assert not {"D4", "E4", "D5", "E5"} & set(othello.NAMES)
    moves = np.array([-1, *othello.PLAYABLE])
    assert othello.to_tokens(moves).tolist() == list(range(61))


def test_square_names_go_there_and_back() -> None:
    assert othello.square_name(19) == "D3"
    assert othello.square_of("d3") == 19
    assert [othello.square_of(name) for name in othello.SQUARES] == list(range(64))
    assert othello.decode(othello.encode("F5 D6 C3")) == "F5 D6 C3"
    assert othello.decode([*othello.encode("H8"), 0, 0]) == "H8"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: othello.square_of("J9"), '"J9" is no square'),
        (lambda: othello.square_of(""), "no square"),
        (lambda: othello.square_name(64), "this is 64"),
        (lambda: othello.square_name(-1), "-1 in Games.moves means no move"),
        (lambda: othello.encode("F5 D4"), "35|27 is no playable square"),
        (lambda: othello.to_tokens(np.array([3, 64])), "64 is no playable square"),
        (lambda: othello.to_tokens(np.array([3, -2])), "-2 is no playable square"),
        (lambda: othello.to_tokens(np.array([3.5])), "float64"),
        (lambda: othello.to_squares(np.array([61])), "61 is no Othello token"),
        (lambda: othello.to_squares(np.array([-1])), "-1 is no Othello token"),
        (lambda: othello.boards(np.zeros(59, dtype=int)), r"shape \[59\].*tokens\[None\]"),
        (lambda: othello.boards(np.zeros((1, 59))), "float64"),
        (lambda: othello.show(np.zeros(60)), r"shape \[60\]"),
        (lambda: othello.show(np.full(64, 2)), "values from 0 to 2"),
    ],
)
def test_what_is_no_square_token_or_board_is_named(call, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        call()


def replay(tokens: np.ndarray) -> list[dict]:
    """The oracle's account of each position of a game."""
    board, side, story = oracle.start_board(), "B", []
    for token in tokens.tolist():
        if token == 0:
            story.append({**story[-1], "turned": [], "last": None, "passed": False})
            continue
        square = divmod(int(othello.PLAYABLE[token - 1]), 8)
        board, turned = oracle.place(board, side, square)
        following = oracle.next_side(board, side)
        me = following or oracle.OTHER[side]
        story.append(
            {
                "board": board,
                "me": me,
                "legal": oracle.legal(board, following) if following else [],
                "turned": turned,
                "last": square,
                "passed": following == side,
            }
        )
        side = me
    return story


STORIES = [replay(row) for row in TOKENS]
POSITIONS = list(itertools.product(range(len(TOKENS)), range(60)))


def test_boards_are_the_oracles() -> None:
    value = {"B": 1, "W": -1, ".": 0}
    for game, pos in POSITIONS:
        truth = STORIES[game][pos]
        state = [value[square] for row in truth["board"] for square in row]
        assert BOARDS.state[game, pos].tolist() == state
        assert BOARDS.black_next[game, pos] == (truth["me"] == "B")
        assert BOARDS.relative[game, pos].tolist() == [s * value[truth["me"]] for s in state]
        assert BOARDS.passed[game, pos] == truth["passed"]
        assert BOARDS.over[game, pos] == (not truth["legal"])
        legal = [8 * r + c for r, c in truth["legal"]]
        assert np.flatnonzero(bits(BOARDS.legal[game, pos])).tolist() == legal
        assert np.flatnonzero(BOARDS.legal_tokens[game, pos]).tolist() == othello.to_tokens(legal).tolist()


def test_boards_agree_with_the_games_own_record() -> None:
    assert (BOARDS.legal[:, :-1] == MANY.legal[SAMPLE, 1:]).all()
    going = BOARDS.legal[:, :-1] != 0
    assert (BOARDS.black_next[:, :-1] == MANY.black[SAMPLE, 1:])[going].all()


def test_without_passes_the_view_by_parity_is_the_view_of_the_next_side() -> None:
    calm = (MANY.passes[SAMPLE] == 0) & (MANY.lengths[SAMPLE] == 60)
    assert calm.any()
    assert (BOARDS.by_parity == BOARDS.relative)[calm].all()
    assert (BOARDS.by_parity != BOARDS.relative)[MANY.passes[SAMPLE] > 0].any(axis=(1, 2)).all()


def name(square: oracle.Square) -> str:
    return "ABCDEFGH"[square[1]] + str(square[0] + 1)


def true_labels(truth: dict) -> set[str]:
    """The names of all that is true at a position, from the oracle's account alone."""
    board, me, last, turned = truth["board"], truth["me"], truth["last"], truth["turned"]
    names = {f"{name(move)} is legal next" for move in truth["legal"]}
    names |= {f"the last move flipped {name(square)}" for square in turned}
    for r, c in itertools.product(range(8), range(8)):
        whose = {me: "mine", oracle.OTHER[me]: "theirs", ".": "empty"}[board[r][c]]
        names.add(f"{name((r, c))} is {whose}")
    discs = [square for row in board for square in row]
    corners = {"A1", "H1", "A8", "H8"}
    facts = {
        "black plays next": me == "B",
        "the other side had to pass": truth["passed"],
        "the game is over": not truth["legal"],
        "I have more discs": discs.count(me) > discs.count(oracle.OTHER[me]),
        "I have only one legal move": len(truth["legal"]) == 1,
        "a corner is legal next": bool(corners & {name(move) for move in truth["legal"]}),
        "the last move flipped one disc": len(turned) == 1,
        "the last move flipped five discs or more": len(turned) >= 5,
    }
    if last:
        at = name(last)
        names.add(f"the last move is {at}")
        facts["the last move is a corner"] = at in corners
        facts["the last move is on an edge"] = at not in corners and (at[0] in "AH" or at[1] in "18")
        facts["the last move is diagonal to a corner"] = at in {"B2", "G2", "B7", "G7"}
    return names | {fact for fact, holds in facts.items() if holds}


def test_labels_are_the_oracles() -> None:
    names = np.array(LABELS.names)
    for game, pos in POSITIONS:
        assert set(names[LABELS.values[game, pos]]) == true_labels(STORIES[game][pos]), (game, pos)


def test_every_feature_is_somewhere_true_and_somewhere_false() -> None:
    rates = othello.labels(MANY.tokens).base_rates()
    assert len(rates) == len(othello.FEATURES) == len(set(othello.FEATURES)) == 379
    assert [feature for feature, rate in rates.items() if not 0 < rate < 1] == []
    assert sum(map(len, othello.GROUPS.values())) == 379


def test_labels_depend_on_no_later_token() -> None:
    cut = othello.labels(TOKENS[:, :31])
    assert (cut.values == LABELS.values[:, :31]).all()


def test_the_board_is_188_of_the_features_by_which_squares_count() -> None:
    board = othello.BOARD
    assert {group: len(names) for group, names in board.items()} == {
        "occupied": 128,
        "empty": 60,
        "both": 188,
    }
    assert board["both"] == board["occupied"] + board["empty"] == othello.FEATURES[:188]
    assert len(set(board["both"])) == 188
    assert {name.split(" is ")[1] for name in board["occupied"]} == {"mine", "theirs"}
    assert {name.split(" is ")[1] for name in board["empty"]} == {"empty"}
    assert {name[:2] for name in board["occupied"]} == set(othello.SQUARES)
    assert {name[:2] for name in board["empty"]} == set(othello.NAMES[1:])


def test_the_boards_properties_are_the_oracles() -> None:
    """Each of the 188 at a few positions, "D3 is mine" by the discs and who plays next."""
    positions = slice(10, 60, 7)
    truth = LABELS.only(othello.BOARD["both"]).at(positions)
    for game in range(0, len(TOKENS), 4):
        for at, pos in enumerate(range(60)[positions]):
            board, me = STORIES[game][pos]["board"], STORIES[game][pos]["me"]
            for feature, true in zip(truth.names, truth.values[game, at].tolist(), strict=True):
                square, whose = feature.split(" is ")
                disc = board[int(square[1]) - 1]["ABCDEFGH".index(square[0])]
                assert true == (disc == {"mine": me, "theirs": oracle.OTHER[me], "empty": "."}[whose])
    assert (truth.values.sum(-1) == 64).all(), "a square is one of the three, and the centre is never empty"


def test_after_d3_the_disc_is_theirs() -> None:
    """Black plays D3, and white plays next: of five discs black's four are theirs."""
    after = othello.labels(np.array([othello.encode("D3 C3")])).only(othello.BOARD["both"])
    true = [set(np.array(after.names)[after.values[0, pos]]) for pos in range(2)]
    assert {name for name in true[0] if "empty" not in name} == {
        *(f"{square} is theirs" for square in ("D3", "D4", "E4", "D5")),
        "E5 is mine",
    }
    assert {"D3 is mine", "C3 is theirs", "D4 is theirs", "E5 is theirs"} <= true[1], "now black plays next"


def test_an_illegal_game_is_named_with_its_place() -> None:
    tokens = MANY.tokens[:3].copy()
    tokens[2, 10] = tokens[2, 4]
    square = othello.NAMES[tokens[2, 4]]
    with pytest.raises(
        CourseError, match=f"Game 2, position 10: {square} is no legal move for (black|white), who may"
    ):
        othello.boards(tokens)
    with pytest.raises(
        CourseError, match=r"Game 0, position 0: A1 is no legal move for black.*D3, C4, F5, E6"
    ):
        othello.labels(np.array([othello.encode("A1")]))
    with pytest.raises(
        CourseError, match=r"Game 0, position 1: token 0 .* not over: white may play C3, E3, C5"
    ):
        othello.boards(np.array([[*othello.encode("D3"), 0]]))
    short = MANY.tokens[np.flatnonzero(MANY.lengths < 60)[:1]].copy()
    short[0, -1] = 1
    with pytest.raises(CourseError, match="position 59: A1 is played after the game's end"):
        othello.boards(short)


def test_a_board_as_text() -> None:
    after = othello.boards(np.array([othello.encode("D3")]))
    assert othello.show(after.state[0, 0], after.legal[0, 0]).splitlines() == [
        "  A B C D E F G H",
        "1 · · · · · · · ·",
        "2 · · · · · · · ·",
        "3 · · + ● + · · ·",
        "4 · · · ● ● · · ·",
        "5 · · + ● ○ · · ·",
        "6 · · · · · · · ·",
        "7 · · · · · · · ·",
        "8 · · · · · · · ·",
    ]
    assert "+" not in othello.show(after.state[0, 0].reshape(8, 8))
