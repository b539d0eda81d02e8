"""Bank for 6.7 changed_moves."""

from typing import NamedTuple

import numpy as np
import torch
from bank import Bank
from given_ch06 import turned

from sae_course.checks import ch06 as check

edited_boards = Bank(check.changed_moves)


class Changed(NamedTuple):
    """As in the chapter."""

    gained: np.ndarray
    lost: np.ndarray


def legal(board, side=1):
    return np.array([len(turned(board, to, side)) > 0 for to in range(64)])


def change(board, square, value):
    board = board.copy()
    board[square] = value
    return board


@edited_boards.right
def as_in_the_chapter(board, square, value):
    edited = board.copy()
    edited[square] = value
    before, after = (np.array([bool(turned(one, to, 1)) for to in range(64)]) for one in (board, edited))
    return Changed(after & ~before, before & ~after)


@edited_boards.right
def comparisons_of_numbers(board, square, value):
    edited = np.where(np.arange(64) == square, value, board)
    gap = legal(edited).astype(int) - legal(board).astype(int)
    return Changed(lost=gap < 0, gained=gap > 0)


def gained_and_lost(board, square, value):
    edited = list(board)
    edited[square] = value
    before = {to for to in range(64) if turned(board, to, 1)}
    after = {to for to in range(64) if turned(edited, to, 1)}
    return [to in after - before for to in range(64)], [to in before - after for to in range(64)]


@edited_boards.right
def sets_and_lists(board, square, value):
    return Changed(*map(np.array, gained_and_lost(board, square, value)))


@edited_boards.wrong(r"is a list; expected an array of 64 booleans(.|\n)*np.array\(...\) makes")
def lists(board, square, value):
    return Changed(*gained_and_lost(board, square, value))


@edited_boards.wrong(r"returned a tuple of 2; expected Changed\(gained, lost\)(.|\n)*gives both a name")
def plain_tuple(board, square, value):
    return as_in_the_chapter(board, square, value)[:]


@edited_boards.wrong("returned the class itself; expected Changed")
def class_itself(board, square, value):
    return Changed


@edited_boards.right
def changed_and_put_back(board, square, value):
    before, old = legal(board), board[square]
    board[square] = value
    after = legal(board)
    board[square] = old
    return Changed(after > before, after < before)


@edited_boards.right
def in_torch(board, square, value):
    x = torch.from_numpy(board).clone()
    x[square] = value
    before, after = torch.from_numpy(legal(board)), torch.from_numpy(legal(x.numpy()))
    return Changed(torch.logical_and(after, before.logical_not()), before & ~after)


def slip(name, message, made=lambda b, a: (a & ~b, b & ~a), legal=legal, edit=change):
    def variant(board, square, value):
        return Changed(*made(legal(board), legal(edit(board, square, value))))

    variant.__name__ = name
    edited_boards.wrong(message)(variant)


GAINED, LOST = "field gained of (.|\n)*", "field lost of (.|\n)*"

slip("swapped", GAINED + "gained and lost have changed places", made=lambda b, a: (b & ~a, a & ~b))
slip("lost_twice", LOST + "these are the moves gained", made=lambda b, a: (a & ~b, a & ~b))
slip("xor", "all the moves that change, either way", made=lambda b, a: (a ^ b, a ^ b))
slip("lost_by_xor", LOST + "all the moves that change, either way", made=lambda b, a: (a & ~b, a ^ b))
slip("after_alone", "leave out those that were legal before", made=lambda b, a: (a, b & ~a))
slip("before_alone", LOST + "leave out those that are legal after", made=lambda b, a: (a & ~b, b))
slip("not_before", "were not legal before; they must", made=lambda b, a: (~b, b & ~a))
slip("not_after", "must have been legal before, too", made=lambda b, a: (a & ~b, ~a))
slip("kept", "legal before and after; a lost one", made=lambda b, a: (a & ~b, a & b))
slip("other_side", "the other side's moves", legal=lambda board: legal(board, -1))
slip(
    "taken_squares",
    "squares that are taken were counted",
    legal=lambda board: np.array([bool(turned(board, to, 1, even_if_taken=True)) for to in range(64)]),
)
slip("always_mine", r"this is what \+1 on", edit=lambda board, square, value: change(board, square, 1))
slip("always_theirs", "this is what −1 on", edit=lambda board, square, value: change(board, square, -1))
slip("always_empty", "nothing changes here", edit=lambda board, square, value: change(board, square, 0))
slip(
    "turned_over",
    "nothing changes here",
    edit=lambda board, square, value: change(board, square, -board[square]),
)
slip("negative", "this is what −1 on", edit=lambda board, square, value: change(board, square, -value))
slip(
    "added",
    "this is what 0 on",
    edit=lambda board, square, value: change(board, square, np.clip(board[square] + value, -1, 1)),
)
slip("no_change", "nothing changes here", edit=lambda board, square, value: board)


@edited_boards.wrong("discs were turned, as by a move")
def played(board, square, value):
    edited = change(board, square, value)
    edited[turned(board, square, value)] = value
    before, after = legal(board), legal(edited)
    return Changed(after & ~before, before & ~after)


@edited_boards.wrong("was left out; it counts like all others")
def only_other_squares(board, square, value):
    before, after = legal(board), legal(change(board, square, value))
    before[square] = after[square] = False
    return Changed(after & ~before, before & ~after)


@edited_boards.wrong(r"changed its input board(.|\n)*board.copy\(\), and change a square")
def in_place(board, square, value):
    before, edited = legal(board), board
    edited[square] = value
    after = legal(edited)
    return Changed(after & ~before, before & ~after)


@edited_boards.wrong(r"changed its input board(.|\n)*board.copy\(\), and change a square")
def in_place_from_the_start(board, square, value):
    board[square] = value
    return Changed(legal(board), legal(board))


@edited_boards.wrong("of every square, True or False")
def numbers_of_squares(board, square, value):
    before, after = legal(board), legal(change(board, square, value))
    return Changed(np.flatnonzero(after & ~before), np.flatnonzero(before & ~after))


@edited_boards.wrong("of every square, True or False")
def zeros_and_ones(board, square, value):
    before, after = legal(board).astype(int), legal(change(board, square, value)).astype(int)
    return Changed(after * (1 - before), before * (1 - after))


@edited_boards.wrong("field gained of (.|\n)*is a set; expected an array of 64 booleans")
def sets(board, square, value):
    before, after = (set(np.flatnonzero(legal(b)).tolist()) for b in (board, change(board, square, value)))
    return Changed(after - before, before - after)


@edited_boards.wrong(r"returned an array of shape \(64,\); expected Changed\(gained, lost\)")
def difference(board, square, value):
    return legal(change(board, square, value)).astype(int) - legal(board)
