"""A figure of how many units must be set to change an answer."""

from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")


def draw_control(
    ks: Sequence[int],
    series: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    *,
    controls: Collection[str] = (),
) -> go.Figure:
    """Success by number of units set, a line for each source; the grey line at 1 is the whole activation's.

    Args:
        ks: numbers of units.
        series: a source's name, and its success and standard error at each k.
        title: the finding.
        controls: names of series that are drawn grey.
    """
    fig = go.Figure()
    fig.add_hline(y=1, line={"color": CONTROL, "dash": "dash", "width": 1})
    for number, (name, points) in enumerate(series.items()):
        colour = CONTROL if name in controls else PALETTE[number % len(PALETTE)]
        fig.add_scatter(
            x=list(ks),
            y=[value for value, _ in points],
            error_y={"array": [error for _, error in points], "thickness": 1, "width": 3},
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 1},
            marker={"color": colour, "size": 7, "symbol": _SYMBOLS[number % len(_SYMBOLS)]},
        )
    fig.update_xaxes(title_text="units set, k", type="log", tickvals=list(ks))
    fig.update_yaxes(title_text="share of the whole effect")
    fig.update_layout(showlegend=True, legend={"orientation": "v", "x": 1.01, "y": 1})
    set_title(fig, title, body=340, head=16)
    return fig
