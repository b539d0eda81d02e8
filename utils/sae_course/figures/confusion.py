"""A confusion matrix: what was true, and what was said."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from ..runtime import CourseError
from .models import SHADES, set_title

if TYPE_CHECKING:
    from jaxtyping import Int

_INK = "#222222"
_CELL = 56  # the side of a cell, in pixels, unless there are too many columns for the width
_WIDTH = 760
_RIGHT = 30
_LETTER = 6.6  # the width of a letter of a label, about


def draw_confusion(
    labels: Sequence[str],
    counts: "Int[np.ndarray, 'true said']",
    title: str,
    *,
    named: Sequence[str] | None = None,
) -> go.Figure:
    """How often each cause was called what, with the right answers outlined.

    Args:
        labels: the true causes: a row each, from top to bottom.
        counts: how many cases of a true cause (row) were called this (column).
        title: the finding.
        named: what the doctor may say, a column each, where that isn't just ``labels``. A column is a row's
            right answer when both say the same.

    Raises:
        CourseError: when the counts have another shape, or one is negative or not a number.
    """
    columns = list(labels if named is None else named)
    counts = np.asarray(counts)
    if not len(labels) or counts.shape != (len(labels), len(columns)):
        raise CourseError(
            f"The counts have the shape {counts.shape}; with {len(labels)} true causes and "
            f"{len(columns)} answers it is ({len(labels)}, {len(columns)}): a row for each true cause."
        )
    if not (counts >= 0).all():
        raise CourseError(f"A count is {counts[~(counts >= 0)][0]}: give numbers of cases, 0 or more.")
    fig = go.Figure()
    # The darkest third of the shades is left out: ink must be read on all of them.
    fig.add_heatmap(
        z=counts.tolist(), zmin=0, zmax=max(1.5 * float(counts.max()), 1), colorscale=SHADES, showscale=False,
        xgap=2, ygap=2, texttemplate="%{text}", textfont={"size": 14, "color": _INK}, hoverinfo="text",
        text=[[f"{count:g}" if count else "" for count in row] for row in counts],
        hovertext=[
            [f"true cause: {true}<br>the doctor says: {said}<br>{count:g} of {row.sum():g}"
             for said, count in zip(columns, row, strict=True)]
            for true, row in zip(labels, counts, strict=True)
        ],
    )  # fmt: skip
    for row, true in enumerate(labels):
        for column in (place for place, said in enumerate(columns) if said == true):
            fig.add_shape(
                type="rect", x0=column - 0.48, x1=column + 0.48, y0=row - 0.48, y1=row + 0.48,
                line={"color": _INK, "width": 2},
            )  # fmt: skip
    cell, left, below = _sizes(labels, columns)
    bare = {"showgrid": False, "zeroline": False, "constrain": "domain", "tickmode": "array"}
    bare |= {"ticks": "outside", "ticklen": 4, "tickcolor": "rgba(0,0,0,0)"}
    fig.update_xaxes(
        bare, tickvals=list(range(len(columns))), ticktext=columns, tickangle=-40, constraintoward="left",
        title_text="the doctor says<br><span style='font-size:11px'>outlined: the true cause</span>",
    )  # fmt: skip
    fig.update_yaxes(
        bare, tickvals=list(range(len(labels))), ticktext=list(labels), title_text="true cause",
        autorange="reversed", scaleanchor="x", constraintoward="top",
    )  # fmt: skip
    fig.update_layout(
        width=_WIDTH, margin={"l": left, "r": max(_RIGHT, _WIDTH - left - cell * len(columns)), "b": below}
    )
    set_title(fig, title, body=cell * len(labels) + below, head=20)
    return fig


def _sizes(labels: Sequence[str], columns: Sequence[str]) -> tuple[int, int, int]:
    """Of a cell, of the room on its left and of the room below, in pixels."""
    # Sine and cosine of the slope of the columns' names; the first one reaches below those of the rows.
    across, down = 0.77, 0.64
    left = 54 + int(_LETTER * max(*map(len, labels), across * len(columns[0])))
    below = 74 + int(_LETTER * down * max(map(len, columns)))
    return min(_CELL, (_WIDTH - left - _RIGHT) // len(columns)), left, below
