"""How often latents fire: a histogram over orders of magnitude."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import percent, set_title

if TYPE_CHECKING:
    from jaxtyping import Float

_PER_DECADE = 8  # bins
_DASHES = ("dash", "dot", "dashdot", "solid")


class Density(NamedTuple):
    """One SAE's latents."""

    name: str
    fire: "Float[np.ndarray, ' d_sae']"
    """The share of tokens at which each latent fires; 0 for a dead one."""
    n_tokens: int
    """On which that was counted: no density lies between 0 and one over this."""
    control: bool = False


def draw_densities(series: Sequence[Density], title: str) -> go.Figure:
    """A histogram of log10 density, in per cent of all latents; controls are outlined in grey.

    A dead latent has no place on a logarithmic axis: a bar at the left edge, apart from the rest, holds them.

    Args:
        series: one at least.
        title: the finding.
    """
    lowest = -np.ceil(np.log10(max(one.n_tokens for one in series)))
    lowest = min(lowest, -1)
    edges = np.linspace(lowest, 0, int(-lowest) * _PER_DECADE + 1)
    width = 1 / _PER_DECADE
    dead_at = lowest - 3 * width
    fig = go.Figure()
    controls = 0
    for number, one in enumerate(sorted(series, key=lambda one: not one.control)):
        fire = np.asarray(one.fire, dtype=float)
        live = fire[fire > 0]
        share = 100 / max(len(fire), 1)
        heights = np.round(share * np.histogram(np.log10(live), bins=edges)[0], 3)
        dead = share * (len(fire) - len(live))
        name = f"{one.name} (control)" if one.control else one.name
        label = f"{name}: {percent(dead / 100, 1)} dead over {one.n_tokens:,} tokens"
        if one.control:
            line = {"color": CONTROL, "width": 2, "dash": _DASHES[controls % len(_DASHES)], "shape": "hv"}
            # The dead, then a gap in the line, then the rest; an outline comes down at its end.
            x = [dead_at - width, dead_at + width, None, *edges]
            y = [dead, dead, None, *heights, heights[-1]]
            fig.add_scatter(x=x, y=y, mode="lines", name=label, line=line)
            controls += 1
        else:
            fig.add_bar(
                x=[dead_at, *(edges[:-1] + edges[1:]) / 2], y=[round(dead, 3), *heights], name=label,
                width=[2 * width, *[width] * len(heights)], opacity=0.85,
                marker_color=PALETTE[(number - controls) % len(PALETTE)],
            )  # fmt: skip
    places = list(range(int(lowest), 1))
    fig.update_xaxes(
        title_text="share of tokens at which the latent fires",
        tickvals=[dead_at, *places],
        ticktext=["dead", *(f"10<sup>{place}</sup>" if place else "1" for place in places)],
        range=[dead_at - 2 * width, 0.1],
        zeroline=False,
    )
    fig.update_yaxes(title_text="latents, %", rangemode="tozero")
    fig.update_layout(
        barmode="overlay",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
    )
    set_title(fig, title, body=340 + 20 * len(series), head=16)
    return fig
