"""How well single units tell labelled features, by source."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

if TYPE_CHECKING:
    from jaxtyping import Float

_NAMED = 40  # features whose names have room beneath the axis
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x")


def draw_feature_scores(
    features: Sequence[str],
    sources: "Mapping[str, Float[np.ndarray, ' features']]",
    title: str,
    *,
    controls: Collection[str] = (),
    ceiling: Sequence[float] | None = None,
) -> go.Figure:
    """A point for each feature and source, the features in the order of the first source's AUROC.

    Args:
        features: their names, shown beneath the axis while they are few, and always under the mouse.
        sources: each one's AUROC by feature.
        title: the finding.
        controls: names of sources that are drawn grey, behind the others.
        ceiling: what a probe reaches, drawn as a black line; NaN leaves a gap.
    """
    first = np.asarray(next(iter(sources.values())))
    order = np.argsort(-first, kind="stable")
    x = list(range(len(features)))
    names = [features[i] for i in order]
    fig = go.Figure()
    if ceiling is not None:
        fig.add_scatter(
            x=x, y=_ordered(ceiling, order), text=names, mode="lines", name="linear probe",
            line={"color": PALETTE[-1], "width": 1}, hovertemplate=_HOVER,
        )  # fmt: skip
    colours = iter(PALETTE[:-1] * len(sources))
    symbols = iter(_SYMBOLS * len(sources))
    for name in sorted(sources, key=lambda name: name not in controls):
        grey = name in controls
        fig.add_scatter(
            x=x, y=_ordered(sources[name], order), text=names, mode="markers",
            name=f"{name} (control)" if grey else name, hovertemplate=_HOVER,
            marker={"color": CONTROL if grey else next(colours), "size": 7, "symbol": next(symbols)},
        )  # fmt: skip
    few = len(features) <= _NAMED
    if few:
        fig.update_xaxes(tickvals=x, ticktext=names, tickangle=-60)
    else:
        fig.update_xaxes(title_text=f"{len(features)} features, in the order of {next(iter(sources))}")
    lowest = min(0.5, *(float(np.nanmin(np.asarray(values))) for values in sources.values()))
    fig.update_xaxes(showgrid=few, zeroline=False, range=[-0.7, len(features) - 0.3])
    fig.update_yaxes(title_text="AUROC, on the measuring rows", range=[lowest - 0.02, 1.02])
    fig.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        margin={"b": 150 if few else 50},
    )
    set_title(fig, title, body=340 + 100 * few, head=44)
    return fig


_HOVER = "%{text}: %{y:.3f}"


def _ordered(values: "Sequence[float] | np.ndarray", order: np.ndarray) -> list[float | None]:
    return [None if np.isnan(values[i]) else round(float(values[i]), 4) for i in order]
