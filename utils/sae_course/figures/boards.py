"""Othello boards as pictures: final positions, a board beside a probe's reading of it, and their parts."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runtime import CourseError
from ..runtime.theme import PALETTE
from .models import SHADES, set_title

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int8

CLOTH = "#e8efe8"
INK = "#111111"
_WRONG = PALETTE[1]
# Of a sheet of boards.
_WIDTH = 760  # of a figure; all that follows is in pixels, too
_LEFT, _RIGHT = 26, 15
_BAR = 95  # room for the colour bar instead of _RIGHT
_LABELS = 16  # beside and below a board, for its digits and letters
_GAP = 8 + _LABELS
_FOOT = 44  # below the last boards: their letters, and a line that explains the marks
_LINE, _LETTER = 14, 6.2  # of a board's name
_LARGEST = 250  # the side of a board


def draw_boards(
    boards: "Int8[np.ndarray, 'board 64']",
    names: Sequence[str],
    title: str,
    crossed: Sequence[int | None] | None = None,
    columns: int = 5,
) -> go.Figure:
    """Several small boards.

    Args:
        boards: +1 black, -1 white, 0 empty; A1 first, row by row.
        names: above each board.
        title: the finding.
        crossed: a square 0..63 of each board to be marked with a cross, such as an illegal move; or None.
        columns: boards in a row.
    """
    n_rows = -(-len(boards) // columns)
    fig = make_subplots(
        rows=n_rows,
        cols=columns,
        subplot_titles=list(names),
        horizontal_spacing=0.02,
        vertical_spacing=0.2 / n_rows,
    )
    for at, board in enumerate(boards):
        place = {"row": at // columns + 1, "col": at % columns + 1}
        draw_discs(fig, board, size=11, **place)
        square = crossed[at] if crossed else None
        if square is not None:
            fig.add_scatter(
                x=[square % 8], y=[square // 8], mode="markers", showlegend=False,
                marker={"symbol": "x", "size": 9, "color": _WRONG}, **place,
            )  # fmt: skip
    draw_grids(fig, labels=False)
    fig.update_annotations(font_size=12)
    fig.update_layout(margin={"l": 15, "r": 15, "b": 15})
    set_title(fig, title, body=20 + 170 * n_rows, head=36)
    return fig


def draw_reading(
    true: "Int8[np.ndarray, '64']",
    read: "Int8[np.ndarray, '64']",
    probabilities: "Float[np.ndarray, '64']",
    legal: "Bool[np.ndarray, '64']",
    title: str,
) -> go.Figure:
    """A board, what a probe reads of it (errors framed), and the model's next move (legal ones ringed).

    Args:
        true, read: +1 black, -1 white, 0 empty.
        probabilities: of a move to each square, between 0 and 1.
        legal: the squares that may be played.
        title: the finding.
    """
    names = ("the true board", "read by the probe", "next move, %, legal ones ringed")
    fig = make_subplots(rows=1, cols=3, subplot_titles=names, horizontal_spacing=0.05)
    draw_discs(fig, true, size=17, row=1, col=1)
    draw_discs(fig, read, size=17, row=1, col=2)
    wrong = np.flatnonzero(np.asarray(true) != np.asarray(read))
    fig.add_scatter(
        x=wrong % 8, y=wrong // 8, mode="markers", showlegend=False, row=1, col=2,
        marker={"symbol": "square-open", "size": 23, "color": _WRONG, "line": {"width": 3}},
    )  # fmt: skip
    percent = 100 * np.asarray(probabilities, float).reshape(8, 8)
    fig.add_heatmap(
        z=np.round(percent, 1), colorscale=SHADES, zmin=0, showscale=False, xgap=1, ygap=1, row=1, col=3,
        text=[["" if value < 0.5 else f"{value:.0f}" for value in line] for line in percent],
        texttemplate="%{text}", textfont={"size": 11},
    )  # fmt: skip
    ringed = np.flatnonzero(legal)
    fig.add_scatter(
        x=ringed % 8, y=ringed // 8, mode="markers", showlegend=False, row=1, col=3,
        marker={"symbol": "circle-open", "size": 22, "color": PALETTE[2], "line": {"width": 2}},
    )  # fmt: skip
    draw_grids(fig, labels=True)
    fig.update_annotations(font_size=13)
    fig.update_layout(margin={"l": 30, "r": 15, "b": 30})
    set_title(fig, title, body=270, head=44)
    return fig


def draw_discs(fig: go.Figure, board: "Int8[np.ndarray, '64']", size: float, **place: Any) -> None:
    """Black and white discs (+1 and -1) on one panel."""
    for colour, fill in ((1, "black"), (-1, "white")):
        at = np.flatnonzero(np.asarray(board) == colour)
        fig.add_scatter(
            x=at % 8, y=at // 8, mode="markers", showlegend=False, **place,
            marker={"size": size, "color": fill, "line": {"color": "black", "width": 1}},
        )  # fmt: skip


def draw_grids(fig: go.Figure, labels: bool, **where: int) -> None:
    """Eight by eight square fields, A1 in the upper left; on one panel (``row``, ``col``), or on all."""
    common = {"showgrid": False, "zeroline": False, "showticklabels": labels, "tickvals": list(range(8))}
    lines = [k - 0.5 for k in range(9)]
    common |= {"minor": {"tickvals": lines, "showgrid": True, "gridcolor": "#b5c4b5"}}
    fig.update_xaxes(**common, range=[-0.5, 7.5], ticktext=list("ABCDEFGH"), constrain="domain", **where)
    fig.update_yaxes(**common, range=[7.5, -0.5], ticktext=list("12345678"), constrain="domain", **where)
    for axis in fig.select_yaxes(**where):
        axis.update(scaleanchor=axis.anchor, scaleratio=1)
    fig.update_layout(plot_bgcolor=CLOTH)


def frame_square(fig: go.Figure, square: int, colour: str = INK, **place: int) -> None:
    """Draw a frame just within a square, whatever the size of the board."""
    x, y = square % 8, square // 8
    fig.add_shape(
        type="rect", x0=x - 0.45, x1=x + 0.45, y0=y - 0.45, y1=y + 0.45, **place,
        line={"color": colour, "width": 2.5},
    )  # fmt: skip


def square_label(square: int) -> str:
    """Square 0 is A1, square 19 is D3."""
    return "ABCDEFGH"[square % 8] + str(square // 8 + 1)


def checked_boards(
    what: str, boards: Any, names: Sequence[str], **marks: Sequence[int | None] | None
) -> np.ndarray:
    """The boards, after a look at their shape and at that of the marks.

    Raises:
        CourseError: when they don't belong together, or a mark is no square.
    """
    values, n = np.asarray(boards), len(names)
    if not n or values.shape != (n, 64):
        raise CourseError(
            f"The {what} have the shape {list(values.shape)}, with {n} names. It must be [boards, 64], A1 "
            "first, row by row, with a name for each board and at least one."
        )
    for name, squares in marks.items():
        if squares is None:
            continue
        if len(squares) != n:
            raise CourseError(
                f"`{name}` has {len(squares)} squares for {n} boards: give one (or None) for each."
            )
        least = -1 if name == "last" else 0
        wrong = [one for one in squares if one is not None and not least <= one < 64]
        if wrong:
            raise CourseError(f"`{name}` has {wrong[0]}: a square is a number from 0 (A1) to 63 (H8).")
    return values


def played_squares(boards: np.ndarray, last: "Sequence[int | None] | np.ndarray") -> np.ndarray:
    """The squares just played, -1 for none.

    Raises:
        CourseError: where one is empty: boards and moves are then not of the same time.
    """
    squares = np.array([-1 if one is None else one for one in last], dtype=int)
    empty = (squares >= 0) & (np.take_along_axis(boards, squares.clip(0)[:, None], 1)[:, 0] == 0)
    if empty.any():
        at = int(empty.argmax())
        raise CourseError(
            f"On board {at} (counted from 0), {square_label(int(squares[at]))} was just played, but it is "
            "empty there: give the boards after the moves, and the square of each board's own move."
        )
    return squares


def panel(at: int, columns: int) -> dict[str, int]:
    """The place of a board on the sheet."""
    return {"row": at // columns + 1, "col": at % columns + 1}


def board_sheet(
    names: Sequence[str], title: str, columns: int, *, bar: bool = False
) -> tuple[go.Figure, int]:
    """A figure of square panels with their names, and the side of one in pixels.

    Args:
        bar: whether there is a colour bar at the right edge.
    """
    right = _BAR if bar else _RIGHT
    n_columns, n_rows = min(columns, len(names)), -(-len(names) // columns)
    side = min(_LARGEST, (_WIDTH - _LEFT - right - _GAP * (n_columns - 1)) // n_columns)
    wrapped = ["<br>".join(textwrap.wrap(name, max(8, int((side + _LABELS) / _LETTER)))) for name in names]
    head = 12 + _LINE * max(name.count("<br>") + 1 for name in wrapped)
    width = n_columns * side + (n_columns - 1) * _GAP
    height = n_rows * side + (n_rows - 1) * (head + _LABELS)
    fig = make_subplots(
        rows=n_rows,
        cols=n_columns,
        subplot_titles=wrapped,
        horizontal_spacing=_GAP / width,
        vertical_spacing=(head + _LABELS) / height,
    )
    fig.update_annotations(font_size=11, yshift=2)
    fig.update_layout(width=_WIDTH, margin={"l": _LEFT, "r": _WIDTH - _LEFT - width, "b": _FOOT})
    set_title(fig, title, body=height + _FOOT, head=head + 6)
    return fig, side


def label_squares(fig: go.Figure, side: int) -> go.Figure:
    """Letters and digits that fit beside a board of this size."""
    fig.update_xaxes(tickfont_size=min(12, side // 13), tickangle=0)
    # Where there is less width than was asked for, a board stays below its name.
    fig.update_yaxes(tickfont_size=min(12, side // 13), constraintoward="top")
    return fig


def add_foot(fig: go.Figure, said: list[str]) -> None:
    """A line below the boards, if there is anything to be said."""
    if not said:
        return
    fig.add_annotation(
        text=";   ".join(said), showarrow=False, font={"size": 12}, xref="paper", x=0, xanchor="left",
        yref="paper", y=0, yanchor="top", yshift=-_LABELS - 6,
    )  # fmt: skip
