"""A figure of what latents mean by how strongly they fire."""

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

if TYPE_CHECKING:
    from jaxtyping import Float


def draw_consistency(
    precision: "Float[np.ndarray, 'latents bins']", base_rate: "Float[np.ndarray, ' latents']", title: str
) -> go.Figure:
    """Median precision by bin of the activation, with quartiles; the grey line is the median base rate.

    Args:
        precision: from the lowest bin to the highest; without a latent only the axes are drawn.
        base_rate: of each latent's feature.
        title: the finding.
    """
    n_latents, n_bins = precision.shape
    places = list(range(1, n_bins + 1))
    fig = go.Figure()
    if n_latents:
        lower, middle, upper = np.quantile(precision, [0.25, 0.5, 0.75], axis=0)
        fig.add_scatter(
            x=places, y=[float(np.median(base_rate))] * n_bins, mode="lines",
            name="base rate, median", line={"color": CONTROL, "width": 2, "dash": "dash"},
        )  # fmt: skip
        fig.add_scatter(
            x=places, y=middle.tolist(), mode="lines+markers",
            name=f"median of {n_latents:,} named latents, and quartiles",
            line={"color": PALETTE[0], "width": 2}, marker={"color": PALETTE[0], "size": 9},
            error_y={
                "array": (upper - middle).tolist(), "arrayminus": (middle - lower).tolist(),
                "symmetric": False, "thickness": 1, "width": 4,
            },
        )  # fmt: skip
    ends = {1: "1 (weakest)", n_bins: f"{n_bins} (strongest)"}
    fig.update_xaxes(
        title_text="bin of the latent's activation, each with as many tokens",
        tickvals=places,
        ticktext=[ends.get(place, str(place)) for place in places],
        range=[0.7, n_bins + 0.3],
    )
    fig.update_yaxes(title_text="share of tokens with the feature", range=[-0.02, 1.05])
    fig.update_layout(showlegend=True, legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"})
    set_title(fig, title, body=360, head=16)
    return fig
