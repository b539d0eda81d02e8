"""Figures of chapter 01: directions in the plane, training curves, recovery by method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runtime.theme import CONTROL, PALETTE

if TYPE_CHECKING:
    from jaxtyping import Float

    from ..runs import History

# An arrow from the origin is a line of two points; None lifts the pen between arrows.
_FEATURE, _LATENT = PALETTE[0], PALETTE[1]


def _arrows(directions: "Float[np.ndarray, 'n 2']") -> dict[str, list[float | None]]:
    """Lines from the origin to each point."""
    x: list[float | None] = []
    y: list[float | None] = []
    for dx, dy in np.round(directions.astype(float), 3).tolist():
        x += [0, dx, None]
        y += [0, dy, None]
    return {"x": x, "y": y}


def _array(value: Any) -> np.ndarray:
    """A tensor on any device, or an array, as an array."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def _square_panels(fig: go.Figure, limit: float, n: int) -> None:
    fig.update_xaxes(range=[-limit, limit], showticklabels=False, zeroline=True, showgrid=False)
    fig.update_yaxes(range=[-limit, limit], showticklabels=False, zeroline=True, showgrid=False)
    for i in range(1, n + 1):
        anchor = "x" if i == 1 else f"x{i}"
        fig.layout["yaxis" if i == 1 else f"yaxis{i}"].update(scaleanchor=anchor, scaleratio=1)


def draw_geometry(
    groups: "Mapping[str, Float[np.ndarray, 'inst 2 features']]", title: str, n: int = 4
) -> go.Figure:
    """Feature directions of the first ``n`` instances, a row of panels for each named group.

    A group with "control" in its name is drawn grey.

    Args:
        groups: name of the row, and the toy model's W: [inst, 2, features].
        title: the finding.
        n: instances shown.
    """
    fig = make_subplots(rows=len(groups), cols=n, row_titles=list(groups), horizontal_spacing=0.02)
    for row, (name, W) in enumerate(zip(groups, map(_array, groups.values()), strict=True), start=1):
        colour = CONTROL if "control" in name else _FEATURE
        for col in range(1, n + 1):
            arrows = _arrows(W[col - 1].T)
            fig.add_scatter(
                **arrows,
                mode="lines+markers",
                marker={"size": 6},
                line={"color": colour, "width": 2},
                showlegend=False,
                row=row,
                col=col,
            )
    _square_panels(fig, 1.5, n * len(groups))
    fig.update_layout(title=title, height=80 + 190 * len(groups))
    return fig


def animate_latents(
    features: "Float[np.ndarray, 'inst 2 features']", history: "History", title: str, n: int = 4
) -> go.Figure:
    """Decoder directions moving towards the features, with a play button and a slider over steps.

    Args:
        features: the toy model's W: [inst, 2, features]; drawn at unit length.
        history: a run's record, whose decoder snapshots are the frames.
        title: the finding.
        n: instances shown.
    """
    W = _array(features)
    W = W / np.linalg.norm(W, axis=1, keepdims=True)
    fig = make_subplots(
        rows=1, cols=n, subplot_titles=[f"instance {i}" for i in range(n)], horizontal_spacing=0.02
    )
    for i in range(n):
        fig.add_scatter(
            **_arrows(W[i].T), mode="lines", line={"color": _FEATURE, "width": 7}, opacity=0.35,
            name="features", showlegend=i == 0, row=1, col=i + 1,
        )  # fmt: skip
    units = [d / np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-9) for d in history.decoders]
    for i in range(n):
        fig.add_scatter(
            **_arrows(units[-1][i]), mode="lines+markers", line={"color": _LATENT, "width": 2},
            marker={"size": 6}, name="latents", showlegend=i == 0, row=1, col=i + 1,
        )  # fmt: skip
    moving = list(range(n, 2 * n))
    fig.frames = [
        go.Frame(name=str(step), traces=moving, data=[go.Scatter(**_arrows(unit[i])) for i in range(n)])
        for step, unit in zip(history.steps, units, strict=True)
    ]
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    play = {"fromcurrent": True, "frame": {"duration": 80, "redraw": False}, "transition": {"duration": 0}}
    fig.update_layout(
        title=title,
        height=400,
        legend={"orientation": "h", "y": 1.4, "x": 0.72},
        margin={"l": 20, "t": 100, "b": 20},
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0.0,
                "y": -0.12,
                "xanchor": "left",
                "yanchor": "top",
                "buttons": [
                    {"label": "▶", "method": "animate", "args": [None, play]},
                    {"label": "❚❚", "method": "animate", "args": [[None], now]},
                ],
            }
        ],
        sliders=[
            {
                "active": len(history.steps) - 1,
                "x": 0.17,
                "y": -0.05,
                "len": 0.82,
                "currentvalue": {"prefix": "step "},
                "steps": [
                    {"label": str(step), "method": "animate", "args": [[str(step)], now]}
                    for step in history.steps
                ],
            }
        ],
    )
    _square_panels(fig, 1.15, n)
    return fig


def draw_history(history: "History", title: str) -> go.Figure:
    """A panel per metric: every instance thin and grey, their mean in colour.

    Args:
        history: a run's record.
        title: the finding.
    """
    names = list(history.metrics)
    fig = make_subplots(rows=1, cols=len(names), subplot_titles=names, horizontal_spacing=0.08)
    for col, name in enumerate(names, start=1):
        values = np.stack(history.metrics[name])
        for instance in values.T:
            fig.add_scatter(
                x=history.steps, y=np.round(instance, 4), mode="lines", hoverinfo="skip", showlegend=False,
                line={"color": CONTROL, "width": 0.7}, opacity=0.6, row=1, col=col,
            )  # fmt: skip
        fig.add_scatter(
            x=history.steps, y=np.round(values.mean(1), 4), mode="lines", row=1, col=col,
            name="mean of all instances", showlegend=col == 1, line={"color": PALETTE[col - 1], "width": 3},
        )  # fmt: skip
        fig.update_xaxes(title_text="training step", row=1, col=col)
        fig.update_yaxes(rangemode="tozero", row=1, col=col)
    fig.update_layout(
        title=title, height=360, margin={"t": 90}, legend={"orientation": "h", "y": 1.3, "x": 0.68}
    )
    return fig


def draw_recovery(
    recovered: Mapping[str, Sequence[int]], n_inst: int, title: str, controls: Sequence[str] = ()
) -> go.Figure:
    """How many of ``n_inst`` instances have every feature recovered: a dot per seed, a bar for the mean.

    Args:
        recovered: for each method, the count for each seed.
        n_inst: how many there could be.
        title: the finding.
        controls: the methods drawn grey.
    """
    names = list(recovered)
    colours = [CONTROL if name in controls else PALETTE[0] for name in names]
    fig = go.Figure()
    fig.add_bar(
        y=names, x=[float(np.mean(recovered[name])) for name in names], orientation="h",
        marker={"color": colours, "opacity": 0.5}, name="mean over seeds",
    )  # fmt: skip
    rows = [(name, count) for name in names for count in recovered[name]]
    fig.add_scatter(
        y=[name for name, _ in rows], x=[count for _, count in rows], mode="markers", name="one seed",
        marker={"color": "black", "size": 8, "symbol": "line-ns-open"},
    )  # fmt: skip
    fig.update_xaxes(
        range=[0, n_inst + 0.5], title_text=f"instances, of {n_inst}, with every feature recovered"
    )
    fig.update_yaxes(autorange="reversed")
    fig.update_layout(
        title=title, height=150 + 42 * len(names), margin={"l": 200, "b": 80},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    return fig
