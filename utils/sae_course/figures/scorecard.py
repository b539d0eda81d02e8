"""An SAE's numbers beside its baselines', a line for each metric."""

from collections.abc import Collection, Mapping, Sequence
from math import isnan

import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

_SYMBOLS = ("diamond", "square", "triangle-up", "x", "cross", "star", "hexagon")


def draw_report(
    metrics: Sequence[str],
    values: Mapping[str, Mapping[str, tuple[float, float]]],
    own: str,
    title: str,
    *,
    lower: Collection[str] = (),
) -> go.Figure:
    """A line for each metric, from 0 to 1: what is measured in colour, its baselines as grey signs.

    Args:
        metrics: from top to bottom.
        values: by name and metric, the value and its standard error (NaN draws none).
        own: whose numbers are coloured.
        title: the finding.
        lower: metrics of which less is better; their names say so.
    """
    labels = {metric: f"{metric} (less is better)" if metric in lower else metric for metric in metrics}
    fig = go.Figure()
    grey = iter(_SYMBOLS * len(values))
    for name in sorted(values, key=lambda one: one == own):
        found = values[name]
        here = [metric for metric in metrics if metric in found]
        mine = name == own
        errors = [found[metric][1] for metric in here]
        fig.add_scatter(
            x=[round(found[metric][0], 4) for metric in here],
            y=[labels[metric] for metric in here],
            error_x={
                "type": "data",
                "array": [None if isnan(error) else round(error, 4) for error in errors],
                "thickness": 1,
                "width": 0,
            },
            mode="markers",
            name=name,
            marker={
                "color": PALETTE[0] if mine else CONTROL,
                "size": 12 if mine else 8,
                "symbol": "circle" if mine else next(grey),
            },
            hovertemplate=f"{name}<br>%{{y}}: %{{x:.3f}}<extra></extra>",
        )
    fig.update_yaxes(
        categoryorder="array", categoryarray=[labels[metric] for metric in reversed(metrics)], automargin=True
    )
    fig.update_xaxes(title_text="value", range=[-0.02, 1.02], zeroline=False)
    fig.update_layout(
        showlegend=True, legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.15, "yanchor": "top"}
    )
    set_title(fig, title, body=140 + 26 * len(metrics), head=30)
    return fig
