"""Latents by their directions: as a tree, and as a map."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from ..runtime import CourseError
from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

if TYPE_CHECKING:
    from jaxtyping import Float

_GROUPS = 8
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "cross", "triangle-down")
_ROW = 18  # pixels for a leaf
_LETTER = 6.6  # the width of a letter, about


def draw_dendrogram(linkage: "Float[np.ndarray, 'joins 4']", names: Sequence[str], title: str) -> go.Figure:
    """A tree, its leaves on the left and named, its joins at their distance to the right.

    Args:
        linkage: the joins as `scipy.cluster.hierarchy.linkage` gives them.
        names: of the leaves, in the order of their numbers.
        title: the finding.

    Raises:
        CourseError: when there isn't a name for each leaf.
    """
    from scipy.cluster.hierarchy import dendrogram  # noqa: PLC0415 - a quarter of a second

    if len(names) != len(linkage) + 1:
        raise CourseError(f"This tree has {len(linkage) + 1} leaves, and there are {len(names)} names.")
    tree = dendrogram(linkage, no_plot=True)
    fig = go.Figure()
    for places, distances in zip(tree["icoord"], tree["dcoord"], strict=True):
        fig.add_scatter(
            x=[round(one, 4) for one in distances], y=places, mode="lines", showlegend=False,
            line={"color": PALETTE[0], "width": 1.5},
            hovertemplate=f"joined at {max(distances):.2f}<extra></extra>",
        )  # fmt: skip
    # SciPy's leaves stand at 5, 15, 25, …
    ticks = [5 + 10 * place for place in range(len(names))]
    fig.update_yaxes(
        tickvals=ticks, ticktext=[names[leaf] for leaf in tree["leaves"]], showgrid=False, zeroline=False,
        range=[10 * len(names), 0],
    )  # fmt: skip
    # Room for the last join, which would lie on the edge.
    furthest = 1.03 * float(np.max(linkage[:, 2])) or 1
    fig.update_xaxes(
        title_text="mean distance of two branches, 1 − cosine", zeroline=False, range=[0, furthest]
    )
    fig.update_layout(margin={"l": 24 + int(_LETTER * max(map(len, names))), "b": 50})
    set_title(fig, title, body=90 + _ROW * len(names))
    return fig


def draw_map(
    xy: "Float[np.ndarray, 'points 2']",
    groups: Sequence[str | None],
    title: str,
    *,
    texts: Sequence[str] | None = None,
) -> go.Figure:
    """Points in the plane, the eight largest groups by colour and symbol, all others grey behind them.

    Args:
        xy: where each point is, such as a latent's direction as UMAP lays it out.
        groups: of each point; None for one of no group.
        title: the finding.
        texts: what is shown under the mouse; the group when not given.

    Raises:
        CourseError: when the three are not of the same points, or a place isn't finite.
    """
    xy = np.asarray(xy, dtype=float)
    texts = [group or "no group" for group in groups] if texts is None else texts
    if xy.shape != (len(groups), 2) or len(texts) != len(groups):
        raise CourseError(
            f"A map takes [points, 2] places, and a group and a text of each; these are {list(xy.shape)}, "
            f"{len(groups)} and {len(texts)}."
        )
    if not np.isfinite(xy).all():
        raise CourseError(f"{int((~np.isfinite(xy)).any(1).sum())} of the points have no finite place.")
    sizes = Counter(group for group in groups if group)
    shown = [group for group, _ in sizes.most_common(_GROUPS)]
    fig = go.Figure()
    rest = [place for place, group in enumerate(groups) if group not in shown]
    if rest:
        fig.add_trace(_points(xy[rest], [texts[i] for i in rest], "others", CONTROL, "circle"))
    for number, group in enumerate(shown):
        here = [place for place, one in enumerate(groups) if one == group]
        colour = PALETTE[number % len(PALETTE)]
        fig.add_trace(_points(xy[here], [texts[i] for i in here], group, colour, _SYMBOLS[number]))
    bare = {"showgrid": False, "zeroline": False, "showticklabels": False}
    fig.update_xaxes(bare)
    fig.update_yaxes(bare, scaleanchor="x")
    fig.update_layout(showlegend=True, margin={"l": 20, "b": 20})
    set_title(fig, title, body=480)
    return fig


def _points(
    xy: "Float[np.ndarray, 'points 2']", texts: Sequence[str], name: str, colour: str, symbol: str
) -> go.Scatter:
    return go.Scatter(
        x=xy[:, 0].round(3).tolist(), y=xy[:, 1].round(3).tolist(), mode="markers",
        name=f"{name} ({len(xy):,})", text=texts, hovertemplate="%{text}<extra></extra>",
        marker={"color": colour, "symbol": symbol, "size": 5 if colour == CONTROL else 8},
    )  # fmt: skip
