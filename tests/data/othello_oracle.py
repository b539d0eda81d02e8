"""Othello once more, slowly: rays walked square by square over a list of lists, as the rule book says it."""

Board = list[list[str]]
Square = tuple[int, int]

RAYS = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (dr, dc) != (0, 0)]
OTHER = {"B": "W", "W": "B"}


def start_board() -> Board:
    board = [["." for _ in range(8)] for _ in range(8)]
    board[3][3] = board[4][4] = "W"
    board[3][4] = board[4][3] = "B"
    return board


def captured(board: Board, side: str, square: Square) -> list[Square]:
    """The discs that turn when ``side`` plays on ``square``; none where it may not."""
    row, column = square
    if board[row][column] != ".":
        return []
    turned: list[Square] = []
    for dr, dc in RAYS:
        ray: list[Square] = []
        r, c = row + dr, column + dc
        while 0 <= r < 8 and 0 <= c < 8 and board[r][c] == OTHER[side]:
            ray.append((r, c))
            r, c = r + dr, c + dc
        if ray and 0 <= r < 8 and 0 <= c < 8 and board[r][c] == side:
            turned += ray
    return turned


def legal(board: Board, side: str) -> list[Square]:
    return [(r, c) for r in range(8) for c in range(8) if captured(board, side, (r, c))]


def place(board: Board, side: str, square: Square) -> tuple[Board, list[Square]]:
    """The board after the move, and the discs that turned."""
    turned = captured(board, side, square)
    assert turned, f"{side} may not play on {square}"
    after = [list(row) for row in board]
    for r, c in [square, *turned]:
        after[r][c] = side
    return after, turned


def next_side(board: Board, last: str) -> str | None:
    """Who plays after ``last``; None where the game is over."""
    return next((side for side in (OTHER[last], last) if legal(board, side)), None)


def perft(board: Board, side: str, depth: int) -> int:
    if depth == 0:
        return 1
    moves = legal(board, side)
    if not moves:
        return perft(board, OTHER[side], depth - 1) if legal(board, OTHER[side]) else 0
    return sum(perft(place(board, side, move)[0], OTHER[side], depth - 1) for move in moves)
