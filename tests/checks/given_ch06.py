"""What chapter 06 gives to its exercises, for the banks of 6.1 and 6.7."""

import numpy as np

WAYS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def beginning():
    """As in the chapter."""
    board = np.zeros(64, dtype=np.int8)
    board[[28, 35]], board[[27, 36]] = 1, -1
    return board


def turned(board, square, side, ways=WAYS, *, even_if_taken=False):
    """As in the chapter."""
    if board[square] and not even_if_taken:
        return []
    found = []
    for down, right in ways:
        row, column, line = square // 8 + down, square % 8 + right, []
        while 0 <= row < 8 and 0 <= column < 8 and board[8 * row + column] == -side:
            line.append(8 * row + column)
            row, column = row + down, column + right
        if 0 <= row < 8 and 0 <= column < 8 and board[8 * row + column] == side:
            found += line
    return found


def may_move(board, side):
    """As in the chapter."""
    return any(turned(board, square, side) for square in range(64))
