"""Figures of training runs: curves over steps, and a histogram that changes with them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..runtime.theme import CONTROL, PALETTE
from .models import set_title

if TYPE_CHECKING:
    from jaxtyping import Float, Int

STEP = "training step"
_DASHES = ("solid", "dash", "dot", "dashdot")
_BINS = 60  # of histograms whose own bins differ
_DIGITS = 6  # a figure's numbers: enough for the eye, and a small notebook


class Curve(NamedTuple):
    """One metric of one run, or of several that differ only in their seed."""

    name: str
    steps: "Int[np.ndarray, ' n']"
    values: "Float[np.ndarray, ' n']"
    low: "Float[np.ndarray, ' n'] | None" = None
    """Of a group of seeds, the smallest value at each step, where ``values`` is the mean."""
    high: "Float[np.ndarray, ' n'] | None" = None
    control: bool = False
    """Drawn grey and dashed."""


class Changing(NamedTuple):
    """One histogram of one run as it changes over training."""

    name: str
    steps: Sequence[int]
    """Rising: n."""
    counts: "Sequence[Float[np.ndarray, ' bins']]"
    edges: "Sequence[Float[np.ndarray, ' bins+1']]"
    control: bool = False


def draw_curves(curves: Sequence[Curve], title: str, *, axis: str, log: bool = False) -> go.Figure:
    """One metric of several runs, overlaid.

    Args:
        curves: a curve with ``low`` and ``high`` has a band between them.
        title: the finding.
        axis: what the height is, with its unit.
        log: whether the heights are logarithmic; what is not above 0 then has no place.
    """
    fig = go.Figure()
    for number, curve in enumerate(_controls_first(curves)):
        _add_curve(fig, curve, _line(curves, number))
    fig.update_xaxes(title_text=STEP)
    fig.update_yaxes(title_text=axis, type="log" if log else "linear")
    if log:
        fig.update_yaxes(dtick=1, exponentformat="power", minor={"ticks": "inside"})
    fig.update_layout(showlegend=True, legend={"orientation": "v", "x": 1.01, "y": 1})
    set_title(fig, title, body=340, head=16)
    return fig


def draw_panels(
    panels: Mapping[str, Sequence[Curve]], title: str, *, along: str = STEP, log: bool = False
) -> go.Figure:
    """Several metrics over the same steps, a panel for each.

    Args:
        panels: what the heights in the panel are, with their unit, and its curves.
        title: the finding.
        along: what the curves' ``steps`` are, where they are something else.
        log: whether these are on a logarithmic axis.
    """
    cols = min(len(panels), 2)
    rows = -(-len(panels) // cols)
    fig = make_subplots(
        rows=rows,
        cols=cols,
        subplot_titles=list(panels),
        horizontal_spacing=0.1,
        vertical_spacing=0.22 / rows,
    )
    for place, curves in enumerate(panels.values()):
        row, col = 1 + place // cols, 1 + place % cols
        for number, curve in enumerate(_controls_first(curves)):
            legend = place == 0 and len(curves) > 1
            _add_curve(fig, curve, _line(curves, number), legend=legend, row=row, col=col)
        lowest = place >= len(panels) - cols
        fig.update_xaxes(
            title_text=along if lowest else None, type="log" if log else "linear", row=row, col=col
        )
    fig.update_annotations(font_size=12)
    set_title(fig, title, body=60 + 200 * rows, head=36)
    return fig


def live(curves: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]]) -> go.Figure:
    """Training as far as it has got: a panel for each metric, a line for each run.

    Args:
        curves: what the heights are, with their unit; the run; its steps and values, of equal number.
    """
    panels = {
        label: [Curve(run, np.asarray(steps), np.asarray(values)) for run, (steps, values) in runs.items()]
        for label, runs in curves.items()
    }
    steps = [steps[-1] for runs in curves.values() for steps, _ in runs.values() if steps]
    return draw_panels(panels, f"step {max(steps):,}" if steps else "nothing recorded yet")


def draw_histograms(series: Sequence[Changing], title: str, *, axis: str, of: str = "latents") -> go.Figure:
    """A histogram over training, the runs overlaid, with a slider over the steps.

    The slider stops wherever a run has a histogram; a run that has none there shows its last one before. The
    picture opens at the end. Where bins differ between runs or steps, counts are shared out over common bins,
    evenly within each old one.

    Args:
        series: the runs, each with at least one histogram.
        title: the finding.
        axis: what is counted, with its unit.
        of: what there is a number of in each bin.
    """
    series = _controls_first(series)
    edges = _common_edges(series)
    stops = sorted({step for one in series for step in one.steps})
    at = [[_shares(one, step, edges) for one in series] for step in stops]
    fig = go.Figure()
    for number, one in enumerate(series):
        line = _line(series, number) | {"shape": "hv"}
        x = np.round(edges, _DIGITS).tolist()
        name = f"{one.name} (control)" if one.control else one.name
        fig.add_scatter(x=x, y=at[-1][number], mode="lines", name=name, line=line)
        if not one.control:
            fig.data[-1].update(fill="tozeroy", fillcolor=_faint(line["color"]))
    fig.frames = [
        go.Frame(name=str(step), traces=list(range(len(series))), data=[go.Scatter(y=y) for y in heights])
        for step, heights in zip(stops, at, strict=True)
    ]
    show = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    fig.update_layout(
        showlegend=True,
        legend={"orientation": "v", "x": 1.01, "y": 1},
        sliders=[
            {
                "active": len(stops) - 1,
                "x": 0,
                "len": 1,
                "y": -0.16,
                "pad": {"t": 20},
                "currentvalue": {"prefix": f"{STEP} "},
                "steps": [
                    {"label": str(step), "method": "animate", "args": [[str(step)], show]} for step in stops
                ],
            }
        ],
        margin={"b": 120},
    )
    highest = max(max(y) for heights in at for y in heights)
    # Fixed, so that a change is seen as one.
    fig.update_xaxes(title_text=axis, range=[float(edges[0]), float(edges[-1])])
    fig.update_yaxes(title_text=f"{of} in the bin, %", range=[0, 1.05 * highest or 1])
    set_title(fig, title, body=430, head=16)
    return fig


def _add_curve(
    fig: go.Figure, curve: Curve, line: dict[str, object], *, legend: bool = True, **at: int
) -> None:
    steps = np.asarray(curve.steps).tolist()
    name = f"{curve.name} (control)" if curve.control else curve.name
    if curve.low is not None and curve.high is not None:
        fig.add_scatter(
            x=steps + steps[::-1], y=_numbers(curve.low) + _numbers(curve.high)[::-1], mode="lines",
            line={"width": 0}, fill="toself", fillcolor=_faint(str(line["color"])), hoverinfo="skip",
            name=f"{name}: smallest to largest", legendgroup=name, showlegend=False, **at,
        )  # fmt: skip
    fig.add_scatter(
        x=steps, y=_numbers(curve.values), mode="lines" if len(steps) > 1 else "markers", name=name,
        line=line, legendgroup=name, showlegend=legend, **at,
    )  # fmt: skip


def _controls_first(series: Sequence[Curve] | Sequence[Changing]) -> list[Any]:
    """The order in which they are drawn: what matters lies on top."""
    return sorted(series, key=lambda one: not one.control)


def _line(series: Sequence[Curve] | Sequence[Changing], number: int) -> dict[str, object]:
    """The line of the ``number``th as they are drawn: a colour each, and another dash when these run out."""
    controls = sum(one.control for one in series)
    if number < controls:
        return {"color": CONTROL, "width": 2, "dash": _DASHES[1 + number % (len(_DASHES) - 1)]}
    place = number - controls
    dash = _DASHES[place // len(PALETTE) % len(_DASHES)]
    return {"color": PALETTE[place % len(PALETTE)], "width": 2, "dash": dash}


def _numbers(values: "Float[np.ndarray, ' n']") -> list[float | None]:
    """To six significant digits; None, a gap in the line, for NaN."""
    return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in np.asarray(values)]


def _faint(colour: object) -> str:
    red, green, blue = (int(str(colour)[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},.15)"


def _common_edges(series: Sequence[Changing]) -> "Float[np.ndarray, ' bins+1']":
    every = [np.asarray(edges, dtype=float) for one in series for edges in one.edges]
    if all(np.array_equal(edges, every[0]) for edges in every):
        return every[0]
    low, high = min(edges[0] for edges in every), max(edges[-1] for edges in every)
    return np.linspace(low, high if high > low else low + 1, _BINS + 1)


def _shares(one: Changing, step: int, edges: "Float[np.ndarray, ' bins+1']") -> list[float]:
    """Per cent of the values in each bin at a step, and the last again, since a line ends at an edge."""
    past = [place for place, taken in enumerate(one.steps) if taken <= step]
    heights = np.zeros(len(edges) - 1)
    if past:
        counts, own = np.asarray(one.counts[past[-1]], float), np.asarray(one.edges[past[-1]], float)
        heights = counts if np.array_equal(own, edges) else _shared_out(counts, own, edges)
        heights = 100 * heights / max(counts.sum(), 1e-30)
    return np.round([*heights, heights[-1]], 3).tolist()


def _shared_out(
    counts: "Float[np.ndarray, ' old']",
    old: "Float[np.ndarray, ' old+1']",
    new: "Float[np.ndarray, ' new+1']",
) -> "Float[np.ndarray, ' new']":
    """Counts in other bins, as if the values lay evenly in each old bin; their sum stays."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    if not (np.diff(old) > 0).all():  # bins without width: all their values at one place
        places = np.clip(np.searchsorted(new, (old[:-1] + old[1:]) / 2, side="right") - 1, 0, len(new) - 2)
        return np.bincount(places, weights=counts, minlength=len(new) - 1)
    return np.diff(np.interp(new, old, below))
