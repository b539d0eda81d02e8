"""Figures of the mini models: loss curves, attention, and what is predicted next."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runtime.theme import CONTROL, PALETTE

if TYPE_CHECKING:
    from jaxtyping import Float

# One hue from white to dark: told apart with any kind of colour vision, and in grey.
SHADES = "Blues"
_LINE = 92  # characters of a title on a figure of the usual width
_LINE_HEIGHT = 20


class Control(NamedTuple):
    """A value that a figure shows as a grey line, and what it is."""

    name: str
    value: float


def percent(share: float, digits: int = 0) -> str:
    """``97 %`` from 0.97."""
    return f"{100 * share:.{digits}f} %"


def set_title(fig: go.Figure, title: str, *, body: int, head: int = 40) -> None:
    """The finding above the panels, on as many lines as it takes.

    Args:
        body: height of everything below the title, in pixels.
        head: room between the title and the panels, for their names.
    """
    lines = textwrap.wrap(title, _LINE)
    top = head + _LINE_HEIGHT * len(lines)
    # Plotly hangs a title up by the middle of its lines, whatever its anchor.
    hung = 12 + _LINE_HEIGHT // 2 * (len(lines) - 1)
    fig.update_layout(
        title={"text": "<br>".join(lines), "yref": "container", "y": 1, "yanchor": "top", "pad": {"t": hung}},
        margin={"t": top},
        height=top + body,
    )


def draw_loss(
    curve: Sequence[tuple[int, float, float | None]], title: str, floor: Control | None = None
) -> go.Figure:
    """A training's loss, and the loss on held-out data where it was measured.

    Args:
        curve: lines of step, loss and held-out loss (None where it was not measured), in nats per token.
        title: the finding.
        floor: a loss to compare with, drawn grey.
    """
    held_out = [(step, loss) for step, _, loss in curve if loss is not None]
    fig = go.Figure()
    fig.add_scatter(
        x=[step for step, _, _ in curve], y=[loss for _, loss, _ in curve], mode="lines",
        name="training", line={"color": PALETTE[5], "width": 2},
    )  # fmt: skip
    fig.add_scatter(
        x=[step for step, _ in held_out], y=[loss for _, loss in held_out], mode="lines+markers",
        name="held out", line={"color": PALETTE[0], "width": 2}, marker={"size": 7},
    )  # fmt: skip
    if floor is not None:
        fig.add_scatter(
            x=[0, curve[-1][0]], y=[floor.value] * 2, mode="lines", name=floor.name,
            line={"color": CONTROL, "width": 2, "dash": "dash"},
        )  # fmt: skip
    lowest = min([loss for _, loss, _ in curve] + [loss for _, loss in held_out])
    lowest = lowest if floor is None else min(lowest, floor.value)
    # What comes after the first few steps fills the picture: those would flatten all the rest.
    highest = curve[min(len(curve) // 20, len(curve) - 1)][1]
    spread = max(highest - lowest, 0.01)
    fig.update_yaxes(range=[lowest - 0.06 * spread, highest + 0.06 * spread], title_text="nats per token")
    fig.update_xaxes(title_text="training step", rangemode="tozero")
    fig.update_layout(
        legend={"x": 0.98, "xanchor": "right", "y": 0.97, "yanchor": "top", "bgcolor": "rgba(255,255,255,.8)"}
    )
    set_title(fig, title, body=300, head=20)
    return fig


def draw_heads(scores: "Mapping[str, Float[np.ndarray, 'layer head']]", title: str) -> go.Figure:
    """A score of every head, a panel for each kind of score.

    Args:
        scores: what is scored, and the scores between 0 and 1; shown in per cent.
        title: the finding.
    """
    names, grids = list(scores), [np.asarray(grid) for grid in scores.values()]
    fig = make_subplots(rows=1, cols=len(names), subplot_titles=names, horizontal_spacing=0.08)
    for col, grid in enumerate(grids, start=1):
        fig.add_heatmap(
            z=np.round(100 * grid, 1), texttemplate="%{z:.0f}", coloraxis="coloraxis", xgap=2, ygap=2,
            row=1, col=col,
        )  # fmt: skip
    fig.update_xaxes(title_text="head", dtick=1, showgrid=False, zeroline=False)
    fig.update_yaxes(dtick=1, showgrid=False, zeroline=False, autorange="reversed")
    fig.update_yaxes(title_text="layer", col=1)
    fig.update_layout(
        coloraxis={
            "colorscale": SHADES, "cmin": 0, "cmax": 100, "colorbar": {"title": "%", "thickness": 12},
        },
    )  # fmt: skip
    set_title(fig, title, body=90 + 60 * len(grids[0]), head=44)
    return fig


def draw_attention(
    patterns: "Mapping[str, Float[np.ndarray, 'to from']]", words: Sequence[str], title: str
) -> go.Figure:
    """Attention patterns on one text, a panel for each head: who looks (rows) at what (columns).

    Args:
        patterns: the head's name, and its pattern: row q sums to 1 over the columns up to q.
        words: of the text, as many as the patterns have rows.
        title: the finding.
    """
    n = len(words)
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(n)),
        "ticktext": list(words),
        "showgrid": False,
        "zeroline": False,
    }
    fig = make_subplots(
        rows=1, cols=len(patterns), subplot_titles=list(patterns), shared_yaxes=True, horizontal_spacing=0.04
    )
    for col, pattern in enumerate(patterns.values(), start=1):
        seen = np.where(np.tri(n, dtype=bool), np.round(100 * np.asarray(pattern), 1), np.nan)
        fig.add_heatmap(z=seen, coloraxis="coloraxis", hoverongaps=False, row=1, col=col)
    fig.update_xaxes(**ticks, tickangle=-60, title_text="… at this word")
    fig.update_yaxes(**ticks, autorange="reversed")
    fig.update_yaxes(title_text="at this word it looks …", col=1)
    fig.update_layout(
        coloraxis={
            "colorscale": SHADES, "cmin": 0, "cmax": 100,
            "colorbar": {"title": "attention, %", "thickness": 12},
        },
        font={"size": 12}, margin={"b": 95},
    )  # fmt: skip
    set_title(fig, title, body=min(430, 150 + 17 * n), head=44)
    return fig


def draw_next_words(
    panels: "Mapping[str, Mapping[str, tuple[float, float]]]", title: str, control: str = "random weights"
) -> go.Figure:
    """The likeliest next words after each prompt, with the control's probabilities in grey.

    Args:
        panels: the prompt, and for each word its probability and the control's, both between 0 and 1.
        title: the finding.
        control: what the second number is.
    """
    names = ["<br>".join(textwrap.wrap(prompt, 38)) for prompt in panels]
    fig = make_subplots(rows=1, cols=len(panels), subplot_titles=names, horizontal_spacing=0.14)
    for col, words in enumerate(panels.values(), start=1):
        for which, name, colour in ((0, "the model", PALETTE[0]), (1, control, CONTROL)):
            fig.add_bar(
                y=list(words), x=[round(100 * pair[which], 2) for pair in words.values()], name=name,
                orientation="h", marker_color=colour, showlegend=col == 1, row=1, col=col,
                texttemplate="%{x:.1f}", textposition="outside", cliponaxis=False,
                textfont={"size": 11, "color": colour},
            )  # fmt: skip
    fig.update_xaxes(
        range=[0, 108], tickvals=list(range(0, 101, 25)), title_text="probability of the next word, %"
    )
    fig.update_yaxes(autorange="reversed")
    fig.update_layout(
        legend={"x": 0.99, "xanchor": "right", "y": 0.02, "yanchor": "bottom"},
        margin={"l": 90},
    )
    deepest = max(name.count("<br>") for name in names)
    set_title(fig, title, body=100 + 34 * max(map(len, panels.values())), head=40 + 18 * deepest)
    return fig


class Bars(NamedTuple):
    """One series of bars, with standard errors where there are any."""

    values: Sequence[float]
    errors: Sequence[float] | None = None


def draw_beside_control(
    names: Sequence[str], model: Bars, control: Bars, title: str, *, axis: str, control_name: str
) -> go.Figure:
    """A bar for each name, and the control's in grey beside it.

    Args:
        names: what each bar is of.
        model, control: the two series.
        title: the finding.
        axis: what the height is, with its unit.
        control_name: what the grey bars are.
    """
    fig = go.Figure()
    for bars, label, colour in ((model, "the model", PALETTE[0]), (control, control_name, CONTROL)):
        errors = None if bars.errors is None else {"array": list(bars.errors), "thickness": 1.5}
        fig.add_bar(x=list(names), y=list(bars.values), error_y=errors, name=label, marker_color=colour)
    fig.update_yaxes(title_text=axis)
    fig.update_layout(barmode="group", legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.12})
    set_title(fig, title, body=290, head=44)
    return fig


def draw_layers(
    accuracies: Sequence[float], control: Sequence[float], floor: Control, title: str
) -> go.Figure:
    """How well a probe reads each layer, with the control and a trivial answer in grey.

    Args:
        accuracies, control: the model's and its random-weights twin's, between 0 and 1, by layer.
        floor: the accuracy of the trivial answer.
        title: the finding.
    """
    layers = list(range(len(accuracies)))
    fig = go.Figure()
    for values, name, line in (
        (accuracies, "the model", {"color": PALETTE[0], "width": 3}),
        (control, "random weights", {"color": CONTROL, "width": 3}),
        ([floor.value] * len(layers), floor.name, {"color": CONTROL, "width": 2, "dash": "dash"}),
    ):
        fig.add_scatter(
            x=layers, y=[round(100 * value, 2) for value in values], name=name, line=line,
            mode="lines" if "dash" in line else "lines+markers", marker={"size": 8},
        )  # fmt: skip
    fig.update_xaxes(title_text="residual stream after layer", dtick=1, range=[-0.3, len(layers) - 0.7])
    fig.update_yaxes(title_text="squares read right, %")
    fig.update_layout(legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.12})
    set_title(fig, title, body=290, head=44)
    return fig


def draw_successors(
    panels: "Mapping[str, tuple[Sequence[str], Float[np.ndarray, 'given next']]]", title: str
) -> go.Figure:
    """Which word is predicted after which, a panel for each series: rows are given, columns predicted.

    Args:
        panels: the series' name, its words in order, and probabilities between 0 and 1; a row of NaN where
            nothing was measured.
        title: the finding.
    """
    # A short series needs room for its words all the same.
    widths = [len(words) ** 0.8 for words, _ in panels.values()]
    fig = make_subplots(
        rows=1, cols=len(panels), subplot_titles=list(panels), horizontal_spacing=0.13, column_widths=widths
    )
    for col, (words, grid) in enumerate(panels.values(), start=1):
        ticks = {"tickmode": "array", "tickvals": list(range(len(words))), "ticktext": list(words)}
        fig.add_heatmap(z=np.round(100 * np.asarray(grid), 1), coloraxis="coloraxis", row=1, col=col)
        fig.update_xaxes(
            **ticks, showgrid=False, zeroline=False, tickangle=-90, title_text="predicted", row=1, col=col
        )
        fig.update_yaxes(**ticks, showgrid=False, zeroline=False, autorange="reversed", row=1, col=col)
    fig.update_yaxes(title_text="given", col=1)
    fig.update_layout(
        coloraxis={
            "colorscale": SHADES, "cmin": 0, "cmax": 100,
            "colorbar": {"title": "%", "thickness": 12},
        },
        font={"size": 11}, margin={"l": 90, "b": 90},
    )  # fmt: skip
    set_title(fig, title, body=380, head=44)
    return fig
