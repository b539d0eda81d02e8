"""Othello boards as pictures: final positions, and a board beside what a probe reads of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runtime.theme import PALETTE
from .models import SHADES, set_title

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int8

_CLOTH = "#e8efe8"
_WRONG = PALETTE[1]


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
        _discs(fig, board, size=11, **place)
        square = crossed[at] if crossed else None
        if square is not None:
            fig.add_scatter(
                x=[square % 8], y=[square // 8], mode="markers", showlegend=False,
                marker={"symbol": "x", "size": 9, "color": _WRONG}, **place,
            )  # fmt: skip
    _grids(fig, labels=False)
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
    _discs(fig, true, size=17, row=1, col=1)
    _discs(fig, read, size=17, row=1, col=2)
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
    _grids(fig, labels=True)
    fig.update_annotations(font_size=13)
    fig.update_layout(margin={"l": 30, "r": 15, "b": 30})
    set_title(fig, title, body=270, head=44)
    return fig


def _discs(fig: go.Figure, board: "Int8[np.ndarray, '64']", size: int, **place: Any) -> None:
    for colour, fill in ((1, "black"), (-1, "white")):
        at = np.flatnonzero(np.asarray(board) == colour)
        fig.add_scatter(
            x=at % 8, y=at // 8, mode="markers", showlegend=False, **place,
            marker={"size": size, "color": fill, "line": {"color": "black", "width": 1}},
        )  # fmt: skip


def _grids(fig: go.Figure, labels: bool) -> None:
    """Eight by eight square fields, A1 in the upper left corner."""
    common = {"showgrid": False, "zeroline": False, "showticklabels": labels, "tickvals": list(range(8))}
    lines = [k - 0.5 for k in range(9)]
    common |= {"minor": {"tickvals": lines, "showgrid": True, "gridcolor": "#b5c4b5"}}
    fig.update_xaxes(**common, range=[-0.5, 7.5], ticktext=list("ABCDEFGH"), constrain="domain")
    fig.update_yaxes(**common, range=[7.5, -0.5], ticktext=list("12345678"), constrain="domain")
    for axis in fig.select_yaxes():
        axis.update(scaleanchor=axis.anchor, scaleratio=1)
    fig.update_layout(plot_bgcolor=_CLOTH)
