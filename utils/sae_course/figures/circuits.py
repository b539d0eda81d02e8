"""A circuit between two layers as a picture: two columns of latents and lines between them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

_WIDEST = 7.0
_ROW = 24  # pixels for a latent
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")


def draw_circuit(
    labels: Sequence[Sequence[str]],
    layers: tuple[str, str],
    edges: Sequence[tuple[int, int, float]],
    title: str,
) -> go.Figure:
    """Sources on the left, targets on the right, each in the order given.

    Args:
        labels: the sources' and the targets'.
        layers: what the two columns are.
        edges: place of the source, place of the target, and a weight, of 1 where the line is widest.
        title: the finding.
    """
    most = max(map(len, labels))
    heights = [[(place + 0.5) / len(side) for place in range(len(side))] for side in labels]
    fig = go.Figure()
    for source, target, weight in edges:
        fig.add_scatter(
            x=[0, 1], y=[heights[0][source], heights[1][target]], mode="lines", hoverinfo="text",
            text=f"{labels[0][source]} → {labels[1][target]}: {weight:.0%}", showlegend=False,
            line={"color": PALETTE[0], "width": max(0.5, _WIDEST * min(weight, 1.0))}, opacity=0.45,
        )  # fmt: skip
    for x, side, places, anchor in ((0, labels[0], heights[0], "left"), (1, labels[1], heights[1], "right")):
        fig.add_scatter(
            x=[x] * len(side), y=places, mode="markers+text", text=list(side), hoverinfo="text",
            textposition=f"middle {anchor}", showlegend=False, cliponaxis=False,
            marker={"size": 10, "color": PALETTE[1] if x else PALETTE[2]},
        )  # fmt: skip
    fig.update_xaxes(
        range=[-1.1, 2.1], showgrid=False, zeroline=False, tickvals=[0, 1], ticktext=list(layers)
    )
    fig.update_yaxes(autorange="reversed", showgrid=False, zeroline=False, showticklabels=False)
    set_title(fig, title, body=max(220, 90 + _ROW * most), head=16)
    return fig


def draw_pairs(
    series: "dict[str, tuple[Float[np.ndarray, ' n'], Float[np.ndarray, ' n']]]",
    title: str,
    *,
    axes: tuple[str, str],
) -> go.Figure:
    """A prediction against what was measured, a point for each pair; on the grey line both are equal.

    Args:
        series: a way of predicting, and its predictions and the measured values.
        title: the finding.
        axes: what is predicted and what was measured, with units.
    """
    fig = go.Figure()
    low = min(float(values.min()) for pair in series.values() for values in pair)
    high = max(float(values.max()) for pair in series.values() for values in pair)
    fig.add_scatter(
        x=[low, high], y=[low, high], mode="lines", name="equal", line={"color": CONTROL, "dash": "dash"}
    )
    for number, (name, (predicted, measured)) in enumerate(series.items()):
        fig.add_scatter(
            x=predicted.tolist(), y=measured.tolist(), mode="markers", name=name, opacity=0.7,
            marker={"color": PALETTE[number], "size": 6, "symbol": _SYMBOLS[number]},
        )  # fmt: skip
    fig.update_xaxes(title_text=axes[0])
    fig.update_yaxes(title_text=axes[1])
    set_title(fig, title, body=340, head=16)
    return fig
