"""A figure of what sparsity costs: one metric against L0, a curve for each family of SAEs."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")


def draw_frontier(
    series: "Mapping[str, tuple[Float[np.ndarray, ' n'], Float[np.ndarray, ' n']]]",
    title: str,
    *,
    axis: str = "loss recovered",
    controls: Collection[str] = (),
) -> go.Figure:
    """A point for each SAE, joined in the order of their L0; up and to the left is better.

    Args:
        series: a family's name, and its SAEs' L0 and metric: seeds are points of their own.
        title: the finding.
        axis: what the metric is.
        controls: names of series that are drawn grey.
    """
    fig = go.Figure()
    for number, (name, (l0, values)) in enumerate(series.items()):
        order = l0.argsort()
        colour = CONTROL if name in controls else PALETTE[number % len(PALETTE)]
        fig.add_scatter(
            x=l0[order].tolist(),
            y=values[order].tolist(),
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 1},
            marker={"color": colour, "size": 7, "symbol": _SYMBOLS[number % len(_SYMBOLS)]},
        )
    fig.update_xaxes(title_text="L0: latents that fire on a token", type="log")
    fig.update_yaxes(title_text=axis)
    fig.update_layout(showlegend=True, legend={"orientation": "v", "x": 1.01, "y": 1})
    set_title(fig, title, body=340, head=16)
    return fig
