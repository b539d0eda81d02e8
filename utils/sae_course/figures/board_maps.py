"""Othello boards side by side: numbers on the squares, positions of games, the logits of moves."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ..runtime import CourseError
from ..runtime.theme import PALETTE
from .boards import (
    INK,
    add_foot,
    board_sheet,
    checked_boards,
    draw_discs,
    draw_grids,
    frame_square,
    label_squares,
    panel,
    played_squares,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int8

    Mask = Bool[np.ndarray, "64"] | Bool[np.ndarray, "board 64"]

# ColorBrewer's RdBu without its darkest shades: told apart by the colour-blind, and ink is read on all of it.
DIVERGING = ["#4393c3", "#92c5de", "#f7f7f7", "#f4a582", "#d6604d"]
_BAR_LETTERS = 14  # of the unit, on one line above the colour bar
_FRAME = "frame: the square that is meant"


def draw_board_maps(
    maps: "Float[np.ndarray, 'board 64']",
    names: Sequence[str],
    title: str,
    *,
    unit: str,
    limit: float | None = None,
    marked: Sequence[int | None] | None = None,
    columns: int = 5,
) -> go.Figure:
    """A number on each square of several small boards, in colours centred at 0 that all boards share.

    Args:
        maps: A1 first, row by row; NaN leaves a square blank.
        names: above each board.
        title: the finding.
        unit: of the numbers, beside the colour bar.
        limit: the colours reach from minus this to this: the largest number, unless it is given.
        marked: a square 0..63 of each board that is framed, such as the one a latent stands for; or None.
        columns: boards in a row.

    Raises:
        CourseError: when the maps have another shape, or there is not a mark for each.
    """
    values = checked_boards("maps", maps, names, marked=marked)
    fig, side = board_sheet(names, title, columns, bar=True)
    _heat(fig, values, columns, unit=unit, limit=limit)
    draw_grids(fig, labels=True)
    _frames(fig, marked, columns)
    add_foot(fig, [] if marked is None else [_FRAME])
    return label_squares(fig, side)


def draw_positions(
    boards: "Int8[np.ndarray, 'board 64']",
    names: Sequence[str],
    title: str,
    *,
    last: Sequence[int | None] | None = None,
    marked: Sequence[int | None] | None = None,
    columns: int = 5,
) -> go.Figure:
    """Positions of games, such as those where a latent fires most: discs and two marks.

    Args:
        boards: +1 black, -1 white, 0 empty; A1 first, row by row.
        names: above each board.
        title: the finding.
        last: the square that was just played on each board, a dot in its disc; None or -1 for none.
        marked: a square 0..63 of each board that is framed, such as the one a latent stands for; or None.
        columns: boards in a row.

    Raises:
        CourseError: when the boards have another shape, there are not equally many marks, or no disc is
            where one was just played.
    """
    discs = checked_boards("boards", boards, names, last=last, marked=marked)
    played = played_squares(discs, [-1] * len(discs) if last is None else last)
    fig, side = board_sheet(names, title, columns)
    for at, board in enumerate(discs):
        place = panel(at, columns)
        draw_discs(fig, board, size=0.74 * side / 8, **place)
        if played[at] >= 0:
            _marks(fig, played[at : at + 1], {"size": 0.36 * side / 8, "color": PALETTE[1]}, **place)
    draw_grids(fig, labels=True)
    _frames(fig, marked, columns, PALETTE[0])  # ink is lost around a black disc
    said = {"dot: the disc just played": last, _FRAME: marked}
    add_foot(fig, [words for words, given in said.items() if given is not None])
    return label_squares(fig, side)


def draw_moves(
    maps: "Float[np.ndarray, 'board 64']",
    names: Sequence[str],
    title: str,
    *,
    unit: str,
    limit: float | None = None,
    legal: "Mask | None" = None,
    gained: "Mask | None" = None,
    lost: "Mask | None" = None,
    discs: "Int8[np.ndarray, '64'] | Int8[np.ndarray, 'board 64'] | None" = None,
    marked: int | None = None,
    columns: int = 3,
) -> go.Figure:
    """A number for a move to each square, such as its logit before an edit, after it, and the change.

    What is given with shape [64] holds for every map.

    Args:
        maps: A1 first, row by row; NaN for squares without a move.
        names: above each board.
        title: the finding.
        unit: of the numbers, beside the colour bar that all boards share.
        limit: the colours reach from minus this to this: the largest number, unless it is given.
        legal: the moves that may be played, ringed.
        gained, lost: the moves that an edit of the board makes legal, and those that it makes illegal:
            triangles that point up and down.
        discs: +1 black, -1 white, 0 empty, drawn small.
        marked: the square 0..63 that is edited, framed.
        columns: boards in a row.

    Raises:
        CourseError: when an array has another shape.
    """
    marks = None if marked is None else [marked] * len(names)
    values = checked_boards("maps", maps, names, marked=marks)
    on = {"discs": discs, "legal": legal, "gained": gained, "lost": lost}
    given = {name: _each("draw_moves", name, one, len(values)) for name, one in on.items() if one is not None}
    fig, side = board_sheet(names, title, columns, bar=True)
    covered = given["discs"] != 0 if "discs" in given else np.zeros(values.shape, bool)
    _heat(fig, values, columns, unit=unit, limit=limit, numbers=~covered)
    looks = {name: look for name, look in _looks(side / 8).items() if name in given}
    for at in range(len(values)):
        if "discs" in given:
            draw_discs(fig, given["discs"][at], size=0.42 * side / 8, **panel(at, columns))
        for name, (_, lift, look) in looks.items():
            _marks(fig, np.flatnonzero(given[name][at]), look, lift, **panel(at, columns))
    draw_grids(fig, labels=True)
    _frames(fig, marks, columns)
    add_foot(fig, [words for words, *_ in looks.values()] + ([] if marks is None else [_FRAME]))
    return label_squares(fig, side)


def _looks(cell: float) -> dict[str, tuple[str, float, dict[str, Any]]]:
    """Of each kind of move: what is said about it, how far from the square's middle it lies, its marker."""
    ring = {"symbol": "circle-open", "size": 0.84 * cell, "color": INK, "line": {"width": 1.5}}
    # White around them, so that they are seen where they lie on a ring.
    corner = {"size": 0.36 * cell, "line": {"width": 1, "color": "white"}}
    green = PALETTE[2]
    return {
        "legal": ("◯ legal", 0.0, ring),
        "gained": (
            f"<span style='color:{green}'>▲</span> made legal by the edit",
            0.32,
            corner | {"symbol": "triangle-up", "color": green},
        ),
        "lost": ("▼ made illegal by it", 0.32, corner | {"symbol": "triangle-down", "color": INK}),
    }


def _each(what: str, name: str, value: Any, n: int) -> np.ndarray:
    """An array [64] or [n, 64], as the latter."""
    array = np.asarray(value)
    if array.shape not in ((64,), (n, 64)):
        raise CourseError(
            f"{what}: `{name}` has the shape {list(array.shape)}; it must be [64] or [{n}, 64]."
        )
    return np.broadcast_to(array, (n, 64))


def _heat(
    fig: go.Figure,
    values: np.ndarray,
    columns: int,
    *,
    unit: str,
    limit: float | None,
    numbers: np.ndarray | None = None,
) -> None:
    """The maps, and their colour bar; ``numbers`` says on which squares to write them out."""
    far = limit or float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    digits = 0 if far >= 5 else 1
    for at, board in enumerate(values):
        written = np.zeros(64, bool) if numbers is None else numbers[at] & np.isfinite(board)
        heat = fig.add_heatmap(
            z=_grid([float(f"{one:.3g}") if np.isfinite(one) else None for one in board]),
            coloraxis="coloraxis", xgap=1, ygap=1, hovertemplate="%{x}%{y}: %{z}<extra></extra>",
            hoverongaps=False, **panel(at, columns),
        ).data[-1]  # fmt: skip
        if written.any():  # adding 0 turns -0 into 0
            text = [
                f"{one + 0:.{digits}f}" if on else ""
                for one, on in zip(board.round(digits), written, strict=True)
            ]
            heat.update(text=_grid(text), texttemplate="%{text}", textfont={"size": 10, "color": INK})
    # Beside the bar a long unit would lie on the numbers.
    words = {"text": "<br>".join(textwrap.wrap(unit, _BAR_LETTERS)), "side": "top", "font": {"size": 11}}
    bar = {"title": words, "tickfont": {"size": 11}, "thickness": 12, "x": 1, "xpad": 12, "ypad": 0, "len": 1}
    fig.update_layout(coloraxis={"colorscale": DIVERGING, "cmin": -far, "cmax": far, "colorbar": bar})


def _grid(squares: list[Any]) -> list[list[Any]]:
    return [squares[start : start + 8] for start in range(0, 64, 8)]


def _marks(
    fig: go.Figure, squares: np.ndarray, marker: dict[str, Any], lift: float = 0.0, **more: Any
) -> None:
    """A marker on each square, or ``lift`` of a square to the right of its middle and above it."""
    fig.add_scatter(
        x=(squares % 8 + lift).tolist(), y=(squares // 8 - lift).tolist(), mode="markers", showlegend=False,
        hoverinfo="skip", marker=marker, **more,
    )  # fmt: skip


def _frames(fig: go.Figure, marked: Sequence[int | None] | None, columns: int, colour: str = INK) -> None:
    for at, square in enumerate(() if marked is None else marked):
        if square is not None:
            frame_square(fig, square, colour, **panel(at, columns))
