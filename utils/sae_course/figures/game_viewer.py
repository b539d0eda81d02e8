"""A game to step through: the board after each move, and how strongly latents fire there."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runtime import CourseError
from ..runtime.theme import PALETTE
from .boards import CLOTH, draw_grids, played_squares, square_label
from .models import set_title

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Int8

_WIDTH = 760  # of the figure; all that follows is in pixels, too
_LEFT, _RIGHT, _HEAD, _FOOT = 30, 20, 30, 128
_SIDE = 290  # of the board
_GAP = 22
_BAR = 24  # from latent to latent
_LETTERS, _LETTER = 27, 6.7  # of a latent's name on one line
_DURATION = 700  # of a move, in milliseconds
_AT_ONCE = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
_PLAY = {
    "fromcurrent": True,
    "frame": {"duration": _DURATION, "redraw": False},
    "transition": {"duration": 0},
}
# Discs, the dot on the last one, and legal moves: the traces of the board, in this order.
_DISC = {"size": 0.78 * _SIDE / 8, "line": {"color": "black", "width": 1}}
_MARKERS: tuple[dict[str, Any], ...] = (
    _DISC | {"color": "black"},
    _DISC | {"color": "white"},
    {"size": 9, "color": PALETTE[1]},
    {"symbol": "cross-thin", "size": 9, "line": {"color": PALETTE[2], "width": 2}},
)


def draw_game(
    discs: "Int8[np.ndarray, 'move 64']",
    last: "Int[np.ndarray, ' move']",
    latents: "Float[np.ndarray, 'move latent']",
    names: Sequence[str],
    title: str,
    *,
    legal: "Bool[np.ndarray, 'move 64'] | None" = None,
    sides: tuple[str, str] = ("black", "white"),
    unit: str = "latent activation",
    first_move: int = 1,
    start: int = 0,
) -> go.Figure:
    """A viewer with a slider and a play button: the board on the left, the latents as bars on the right.

    It asks neither Python nor a widget nor the network: every move is a frame of the figure. The bars keep
    their order and their range.

    Args:
        discs: after each move: +1 black, -1 white, 0 empty; A1 first, row by row.
        last: the square that was played, 0..63; -1 for none.
        latents: each latent's activation after that move.
        names: what each latent stands for.
        title: the finding.
        legal: the squares that may be played next, small crosses.
        sides: who plays the discs +1 (drawn black) and -1 (white).
        unit: of the bars.
        first_move: the number of the first move that is given; others are counted from it.
        start: the place (from 0) of the move that is seen at first, and in a picture.

    Raises:
        CourseError: when these are not of the same moves and latents, or no disc is where one was played.
    """
    n = len(np.asarray(discs))
    _check(n, names, start, discs=discs, last=last, latents=latents, legal=legal)
    boards, fires = np.asarray(discs), np.asarray(latents, float)
    played = played_squares(boards, last)
    may = np.zeros(boards.shape, bool) if legal is None else np.asarray(legal, bool)
    moves = [
        _traces(board, at, may[t], fires[t], _words(first_move + t, board, at, sides))
        for t, (board, at) in enumerate(zip(boards, played.tolist(), strict=True))
    ]
    fig, height = _panels(names)
    _add_traces(fig, moves[start])
    kinds = (*[go.Scatter] * 5, go.Bar)
    fig.frames = [
        go.Frame(
            name=str(t),
            traces=list(range(6)),
            data=[kind(one) for kind, one in zip(kinds, move, strict=True)],
        )
        for t, move in enumerate(moves)
    ]
    _axes(fig, fires, unit, _key(sides, legal is not None))
    # By number: two latents may have the same name, and would share a bar.
    fig.update_yaxes(tickvals=list(range(len(names))), ticktext=_wrapped(names), row=1, col=2)
    labels = [str(first_move + t) for t in range(n)]
    fig.update_layout(sliders=[_slider(labels, start)], updatemenus=[_buttons()])
    set_title(fig, title, body=height + _FOOT, head=_HEAD)
    return fig


def _check(n: int, names: Sequence[str], start: int, **given: Any) -> None:
    wanted = {"discs": (n, 64), "last": (n,), "latents": (n, len(names)), "legal": (n, 64)}
    if not n or not len(names):
        raise CourseError(f"draw_game has {n} moves and {len(names)} names of latents: give one at least.")
    for name, value in given.items():
        if value is not None and np.shape(value) != wanted[name]:
            raise CourseError(
                f"draw_game: `{name}` has the shape {list(np.shape(value))}; for {n} moves and {len(names)} "
                f"names of latents it must be {list(wanted[name])}."
            )
    if not 0 <= start < n:
        raise CourseError(f"draw_game: `start` is {start}; there are {n} moves, so give 0 to {n - 1}.")


def _traces(
    board: np.ndarray, last: int, legal: np.ndarray, fires: np.ndarray, words: str
) -> list[dict[str, Any]]:
    """What differs from move to move: black, white, the dot, legal moves, the words above, the bars."""
    squares = [
        np.flatnonzero(board == 1),
        np.flatnonzero(board == -1),
        np.array([last] if last >= 0 else [], dtype=int),
        np.flatnonzero(legal),
    ]
    return [*map(_points, squares), {"text": [words]}, {"x": [float(f"{one:.3g}") for one in fires]}]


def _words(move: int, board: np.ndarray, last: int, sides: tuple[str, str]) -> str:
    """``move 6: D3, black``."""
    return f"move {move}: " + (
        "no disc placed" if last < 0 else f"{square_label(last)}, {sides[int(board[last] < 0)]}"
    )


def _add_traces(fig: go.Figure, move: list[dict[str, Any]]) -> None:
    """The six traces of `_traces`, with all that stays as it is."""
    for data, marker in zip(move, _MARKERS, strict=False):
        fig.add_scatter(
            **data, mode="markers", marker=marker, showlegend=False, hoverinfo="skip", row=1, col=1
        )
    # On the edge of the board: further out, plotly would leave it away.
    fig.add_scatter(
        **move[4], x=[3.5], y=[-0.5], mode="text", textposition="top center", textfont={"size": 13},
        cliponaxis=False, showlegend=False, hoverinfo="skip", row=1, col=1,
    )  # fmt: skip
    fig.add_bar(
        **move[5], y=list(range(len(move[5]["x"]))), orientation="h", marker_color=PALETTE[0],
        showlegend=False, hovertemplate="%{y}: %{x}<extra></extra>", row=1, col=2,
    )  # fmt: skip


def _points(squares: np.ndarray) -> dict[str, list[Any]]:
    """Where markers go; a point nowhere, if there are none: plotly would drop a trace without any."""
    return {"x": (squares % 8).tolist() or [None], "y": (squares // 8).tolist() or [None]}


def _wrapped(names: Sequence[str]) -> list[str]:
    return ["<br>".join(textwrap.wrap(name, _LETTERS)) for name in names]


def _panels(names: Sequence[str]) -> tuple[go.Figure, int]:
    """Room for the board and the bars, and its height in pixels."""
    longest = max(len(line) for name in _wrapped(names) for line in name.split("<br>"))
    width, before_bars = _WIDTH - _LEFT - _RIGHT, _GAP + int(_LETTER * longest)
    bars = width - _SIDE - before_bars
    fig = make_subplots(rows=1, cols=2, horizontal_spacing=before_bars / width, column_widths=[_SIDE, bars])
    fig.update_layout(width=_WIDTH, margin={"l": _LEFT, "r": _RIGHT, "b": _FOOT})
    return fig, max(_SIDE, _BAR * len(names))


def _axes(fig: go.Figure, fires: np.ndarray, unit: str, key: str) -> None:
    draw_grids(fig, labels=True, row=1, col=1)
    fig.update_xaxes(title={"text": key, "font": {"size": 11}, "standoff": 8}, row=1, col=1)
    fig.update_yaxes(constraintoward="top", row=1, col=1)
    # The cloth lies under the board alone.
    fig.update_layout(plot_bgcolor="white")
    fig.add_shape(
        type="rect",
        x0=-0.5,
        x1=7.5,
        y0=-0.5,
        y1=7.5,
        fillcolor=CLOTH,
        line_width=0,
        layer="below",
        row=1,
        col=1,
    )
    low, high = min(0.0, float(np.nanmin(fires))), max(0.0, float(np.nanmax(fires)))
    spread = (high - low) or 1.0
    fig.update_xaxes(
        range=[low - (0.04 * spread if low else 0), high + 0.04 * spread],
        title={"text": unit, "font": {"size": 12}, "standoff": 8},
        row=1,
        col=2,
    )
    fig.update_yaxes(range=[fires.shape[1] - 0.5, -0.5], showgrid=False, tickfont_size=12, row=1, col=2)


def _key(sides: tuple[str, str], legal: bool) -> str:
    """What is seen on the board, in one line."""
    cross = f"; <span style='color:{PALETTE[2]}'>+</span> may be played" if legal else ""
    return f"● {sides[0]}, ○ {sides[1]}; <span style='color:{PALETTE[1]}'>●</span> just played{cross}"


def _slider(labels: Sequence[str], start: int) -> dict[str, Any]:
    """One step a move; the words above the board say which it is."""
    steps = [
        {"method": "animate", "label": label, "args": [[str(t)], _AT_ONCE]} for t, label in enumerate(labels)
    ]
    return {
        "steps": steps,
        "active": start,
        "currentvalue": {"visible": False},
        "x": 0.14,
        "len": 0.86,
        "y": 0,
        "pad": {"t": 66},
    }


def _buttons() -> dict[str, Any]:
    return {
        "type": "buttons",
        "direction": "left",
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 60},
        "showactive": False,
        "buttons": [
            {"label": "▶", "method": "animate", "args": [None, _PLAY]},
            {"label": "❚❚", "method": "animate", "args": [[None], _AT_ONCE]},
        ],
    }
