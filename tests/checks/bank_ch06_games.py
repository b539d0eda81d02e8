"""Bank for 6.1 boards_of."""

import numpy as np
import torch
from bank import Bank
from given_ch06 import WAYS, beginning, may_move, turned

from sae_course.checks import ch06 as check

games = Bank(check.boards_of)


def refuse(move, square):
    raise ValueError(f"move {move} to square {square} is illegal")


@games.right
def as_in_the_chapter(squares):
    board, side, found = beginning(), 1, []
    for move, square in enumerate(squares):
        lines = turned(board, square, side)
        if not lines:
            refuse(move, square)
        board[[*lines, square]] = side
        if may_move(board, -side) or not may_move(board, side):
            side = -side
        found.append(board * side)
    return np.array(found, dtype=np.int8).reshape(-1, 64)


@games.right
def mine_and_theirs_swapped_each_move(squares):
    board, found = beginning().astype(np.int64), []
    for i in range(len(squares)):
        lines = turned(board, squares[i], 1)
        if len(lines) == 0:
            raise ValueError(i, squares[i])
        board[lines] *= -1
        board[squares[i]] = 1
        passes = not may_move(board, -1) and may_move(board, 1)
        board = board if passes else -board
        found.append(board.copy())
    return found


@games.right
def filled_in_and_multiplied_at_the_end(squares):
    result, sides = np.zeros((len(squares), 64), dtype=np.int16), np.zeros((len(squares), 1), dtype=np.int16)
    board, side = [int(disc) for disc in beginning()], 1
    for k, square in enumerate(squares):
        lines = turned(board, square, side)
        assert_legal = bool(lines)
        if not assert_legal:
            raise ValueError(f"At {k}: {side} can't go there.")
        for one in [*lines, square]:
            board[one] = side
        nobody = not may_move(board, 1) and not may_move(board, -1)
        if nobody or may_move(board, -side):
            side *= -1
        result[k], sides[k] = board, side
    return result * sides


@games.right
def legal_sets_and_lists(squares):
    """Without turned(): sets of discs, and nested lists at the end."""

    def lines(own, other, square):
        hits = set()
        for down, right in WAYS:
            line, row, column = set(), square // 8 + down, square % 8 + right
            while 0 <= row < 8 and 0 <= column < 8 and 8 * row + column in other:
                line.add(8 * row + column)
                row, column = row + down, column + right
            if 0 <= row < 8 and 0 <= column < 8 and 8 * row + column in own:
                hits |= line
        return hits

    def legal(own, other):
        return {s for s in range(64) if s not in own | other and lines(own, other, s)}

    own, other, rows = {28, 35}, {27, 36}, []
    for place, square in enumerate(squares):
        if square not in legal(own, other):
            raise ValueError(f"illegal: {place}")
        hits = lines(own, other, square)
        own, other = own | hits | {square}, other - hits
        if legal(other, own) or not legal(own, other):
            own, other = other, own
        rows.append([1 if s in own else -1 if s in other else 0 for s in range(64)])
    return rows


@games.right
def recursion_and_torch(squares):
    def go(board, side, place):
        if place == len(squares):
            return []
        lines = turned(board, squares[place], side)
        if not lines:
            raise ValueError(f"place {place}")
        board = board.copy()
        board[lines + squares[place : place + 1]] = side
        following = next((one for one in (-side, side) if may_move(board, one)), -side)
        return [torch.from_numpy(board * following), *go(board, following, place + 1)]

    return torch.stack(go(beginning(), 1, 0))


def played(
    squares,
    *,
    lines_of=turned,
    begin=1,
    legal=lambda lines, board, square: bool(lines),
    refused=refuse,
    placed=lambda lines, square: [*lines, square],
    following=lambda board, side: -side if may_move(board, -side) or not may_move(board, side) else side,
    row=lambda board, side, mover: board * side,
):
    """Right but for what is given."""
    board, side, found = beginning(), begin, []
    for move, square in enumerate(squares):
        lines = lines_of(board, square, side)
        if not legal(lines, board, square):
            refused(move, square)
        board[placed(lines, square)] = side
        mover, side = side, following(board, side)
        found.append(row(board, side, mover))
    return found


def slip(name, message, made=np.array, **parts):
    def variant(squares):
        return made(played(squares, **parts))

    variant.__name__ = name
    games.wrong(message)(variant)


slip("seen_by_the_mover", "for the one that has just played", row=lambda board, side, mover: board * mover)
slip(
    "everything_turned_round",
    "for the one that has just played",
    row=lambda board, side, mover: -board * side,
)
slip("black_and_white", r"\+1 for black and −1 for white", row=lambda board, side, mover: board.copy())
slip("one_array", "every row is the last board, for one", row=lambda board, side, mover: board)
slip("discs_stay", r"turned\(\) lists stay", placed=lambda lines, square: [square])
slip(
    "discs_stay_and_all_is_legal",
    r"turned\(\) lists stay",
    placed=lambda lines, square: [square],
    legal=lambda *_: True,
)
slip("no_disc_placed", "no disc is placed", placed=lambda lines, square: lines)
slip("classes", "theirs is 2 here", made=lambda rows: np.array(rows) % 3)
slip("last_alone", "this is the last board alone", made=lambda rows: rows[-1])
slip("last_missing", "after the last move is missing", made=lambda rows: np.array(rows[:-1]))
slip("eight_by_eight", "a row of 64", made=lambda rows: np.array(rows).reshape(-1, 8, 8))
slip(
    "begin_too",
    "the board before the first move is there too",
    made=lambda rows: np.array([beginning(), *rows]),
)
slip(
    "floats", "numbers of type float64; expected whole numbers", made=lambda rows: np.array(rows, dtype=float)
)
slip("uneven", "returned a list of .*, which is no table", made=lambda rows: [rows[0][:3], *rows[1:]])
slip(
    "white_begins",
    r"black \(\+1\) begins(.|\n)*Case 1 of 10: the first three moves(.|\n)*squares = ",
    begin=-1,
)
slip(
    "black_and_white_never_pass",
    "it passes, and the same side plays again",
    following=lambda board, side: -side,
)
slip(
    "never_pass_in_the_record",
    "take turns here, whoever must pass",
    made=lambda rows: np.array(
        [row * (1 if k % 2 else -1) for k, row in enumerate(rows)],
    ),
    row=lambda board, side, mover: board.copy(),
)
slip(
    "pass_too_late",
    "the pass comes too late",
    row=lambda board, side, mover: board * -mover,
)
slip(
    "last_mover_at_the_end",
    "nobody can move: take the side that did not play last",
    following=lambda board, side: -side if may_move(board, -side) else side,
)
slip(
    "no_diagonals",
    "But move .* is legal, as is the whole game|values are wrong",
    lines_of=lambda board, square, side: turned(board, square, side, [way for way in WAYS if 0 in way]),
)
slip(
    "nothing_refused",
    r"raised no ValueError, but move \d+, to square \d+, is illegal: no disc turns(.|\n)*empty list",
    legal=lambda *_: True,
)
slip(
    "taken_squares_are_fine",
    r"there is a disc on the square already",
    lines_of=lambda board, square, side: turned(board, square, side, even_if_taken=True),
)
slip(
    "taken_squares_alone_refused",
    "is illegal: no disc turns",
    legal=lambda lines, board, square: board[square] == 0,
)
slip(
    "either_side",
    "legal for the other side only",
    lines_of=lambda board, square, side: turned(board, square, side) or turned(board, square, -side),
    legal=lambda lines, board, square: bool(lines),
)


def refusal(name, message, how):
    slip(name, message, refused=how)


def raising(error):
    def refused(move, square):
        raise error(move, square)

    return refused


refusal("an_index_error", "must raise a ValueError", raising(lambda m, s: IndexError(f"move {m}")))
refusal("an_assertion", "must raise a ValueError", raising(lambda m, s: AssertionError(m)))
refusal("counted_from_1", "counted from 0 here", raising(lambda m, s: ValueError(f"move {m + 1}")))
refusal("square_alone", "that is the square", raising(lambda m, s: ValueError(f"{s} is illegal")))
refusal("no_message", "put the loop's counter into it", raising(lambda m, s: ValueError()))


@games.wrong("every row has the last board's discs")
def one_array_and_signs(squares):
    sides = []

    def following(board, side):
        sides.append(-side if may_move(board, -side) or not may_move(board, side) else side)
        return sides[-1]

    rows = played(squares, row=lambda board, side, mover: board, following=following)
    return np.array(rows) * np.array(sides)[:, None]


@games.wrong("every row is the last board as its side sees it")
def one_array_turned_in_place(squares):
    board, found = beginning(), []
    for move, square in enumerate(squares):
        lines = turned(board, square, 1)
        if not lines:
            refuse(move, square)
        board[[*lines, square]] = 1
        if may_move(board, -1) or not may_move(board, 1):
            board *= -1
        found.append(board)
    return np.array(found)


@games.wrong("written down before the move")
def board_before(squares):
    board, side, found = beginning(), 1, []
    for move, square in enumerate(squares):
        found.append(board * side)
        lines = turned(board, square, side)
        if not lines:
            refuse(move, square)
        board[[*lines, square]] = side
        if may_move(board, -side) or not may_move(board, side):
            side = -side
    return np.array(found)


@games.wrong("does `return` stand inside the loop")
def returns_at_once(squares):
    return np.array(played(squares[:1]))


@games.wrong("must be asked before the disc is placed")
def placed_and_then_asked(squares):
    board, side = beginning(), 1
    for move, square in enumerate(squares):
        board[square] = side
        if not turned(board, square, side):
            refuse(move, square)


@games.wrong("the pass comes too late")
def passes_when_a_move_does_not_fit(squares):
    board, side, found = beginning(), 1, []
    for move, square in enumerate(squares):
        if not may_move(board, side):
            side = -side
        lines = turned(board, square, side)
        if not lines:
            refuse(move, square)
        board[[*lines, square]] = side
        side = -side
        found.append(board * side)
    return np.array(found)


@games.wrong("take the side that did not play last")
def stops_at_the_end(squares):
    board, side, found = beginning(), 1, []
    for move, square in enumerate(squares):
        lines = turned(board, square, side)
        if not lines:
            refuse(move, square)
        board[[*lines, square]] = side
        if may_move(board, -side):
            side = -side
        elif not may_move(board, side):
            found.append(board * side)
            continue
        found.append(board * side)
    return np.array(found)


@games.wrong("the game was over: neither side")
def wrong_after_the_end(squares):
    """Replays what comes before the end, and takes whatever comes after it."""
    try:
        return np.array(played(squares))
    except ValueError as error:
        legal = played(squares[: int(str(error).split()[1])])
        if may_move(legal[-1], 1):
            raise
        return np.array(legal)


@games.wrong("raised ValueError: all the input array dim")
def another_value_error(squares):
    return np.concatenate([np.zeros((2, 3)), np.zeros((1, 64))])


@games.wrong(r"changed its input squares(.|\n)*use list\(squares\)")
def pops(squares):
    rest = []
    while squares:
        rest.append(squares.pop(0))
    return np.array(played(rest))


@games.wrong("returned a str; expected an array of shape \\[move, 64\\]")
def as_text(squares):
    return "".join("·●○"[disc] for disc in played(squares)[-1])


class MadeOutside:
    """Goes on with the board that the game before left."""

    def __init__(self):
        self.left = None

    def __call__(self, squares):
        result = as_in_the_chapter(squares)
        if self.left != squares:
            self.left = list(squares)
            return result
        self.left = None
        return as_in_the_chapter([*squares, squares[-1]])


class Lengthens(MadeOutside):
    """Appends to a list that lasts."""

    def __call__(self, squares):
        result, self.left = as_in_the_chapter(squares), None if self.left == squares else squares
        return result if self.left else np.concatenate([result, result])


games.wrong("when it is called again with this game(.|\n)*board = beginning")(MadeOutside())
games.wrong("when it is called again with this game")(Lengthens())
