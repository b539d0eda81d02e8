"""A browser of runs: one figure whose own controls choose the metric, the height's scale and the runs."""

import textwrap
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ..runtime import CourseError
from .models import set_title
from .runs import STEP, Curve, _controls_first, _faint, _line, _numbers

_MENU = 58  # characters of a metric's name that stand on one line above the plot
_AXIS = 44  # and along its height
_HINT = "click hides or shows a run,<br>double click shows it alone"
# One value that no axis can place: a trace without any would drop out of the legend, and what is clicked
# there would no longer reach it.
_NOTHING: list[float | None] = [None]


def draw_browser(panels: Mapping[str, Sequence[Curve]], title: str, *, log: bool = False) -> go.Figure:
    """One metric of several runs at a time: the reader chooses which, and which runs.

    The menu changes the numbers in the runs' traces and nothing else: what was hidden in the legend stays
    hidden, and heights stay logarithmic. Neither Python nor a widget nor the network is asked. A picture of
    the figure shows the first metric. On logarithmic heights what is not above 0 has no place: lines and
    bands leave the picture through its foot.

    Args:
        panels: what the heights are, with their unit, and the curves of the runs that have this metric; the
            same names in the same order in each.
        title: the finding, or what to look for.
        log: whether heights are logarithmic at first, and in a picture.

    Raises:
        CourseError: when there is no curve, a metric has a run twice, or the orders differ.
    """
    runs = _runs(panels)
    banded = {curve.name for curves in panels.values() for curve in curves if _has_band(curve)}
    fig = go.Figure()
    for number, run in enumerate(runs):
        _add_run(fig, run, _line(runs, number), band=run.name in banded)
    shown = [_data(curves, runs, banded) for curves in panels.values()]
    for place, trace in enumerate(fig.data):
        trace.update({key: of_all[place] for key, of_all in shown[0].items()})
    # Steps are half the numbers: the menu holds them only where they differ between metrics.
    kept = ("y", "mode") if all(_same_steps(run, panels) for run in runs) else ("x", "y", "mode")
    choices = [
        {
            "label": "<br>".join(textwrap.wrap(label, _MENU)),
            "method": "update",
            "args": [
                {key: data[key] for key in kept},
                {"yaxis.title.text": _height(label), "yaxis.autorange": True},
            ],
        }
        for label, data in zip(panels, shown, strict=True)
    ]
    scales = [
        {"label": scale, "method": "relayout", "args": [{"yaxis.type": scale, "yaxis.autorange": True}]}
        for scale in ("linear", "log")
    ]
    look = {"y": 1, "yanchor": "bottom", "xanchor": "left", "pad": {"b": 8}, "font": {"size": 12}}
    fig.update_xaxes(title_text=STEP)
    fig.update_yaxes(title_text=_height(next(iter(panels))), type="log" if log else "linear")
    fig.update_layout(
        showlegend=True,
        legend={
            "orientation": "v", "x": 1.01, "y": 1, "tracegroupgap": 0,
            "title": {"text": _HINT, "font": {"size": 11}},
        },
        hoverlabel={"namelength": -1},
        updatemenus=[
            look | {"buttons": choices, "x": 0},
            look
            | {"buttons": scales, "active": int(log)}
            | {"x": 1.02, "type": "buttons", "direction": "right"},
        ],
    )  # fmt: skip
    lines = max(choice["label"].count("<br>") for choice in choices)
    set_title(fig, title, body=360, head=60 + 16 * lines)
    return fig


def _runs(panels: Mapping[str, Sequence[Curve]]) -> list[Curve]:
    """A curve of each run, in the order in which they are drawn.

    Raises:
        CourseError: as `draw_browser`.
    """
    for label, curves in panels.items():
        names = [curve.name for curve in curves]
        if not names:
            raise CourseError(f'"{label}" has no curve: leave it out, or give it those of one run at least.')
        if twice := [name for name in names if names.count(name) > 1]:
            raise CourseError(f'"{label}" has the run "{twice[0]}" twice: one curve for each run.')
    if not panels:
        raise CourseError("There is nothing to browse: give at least one metric with at least one curve.")
    by_name = {curve.name: curve for curves in panels.values() for curve in curves}
    after: TopologicalSorter[str] = TopologicalSorter({name: [] for name in by_name})
    for curves in panels.values():
        for before, curve in pairwise(curves):
            after.add(curve.name, before.name)
    try:
        order = list(after.static_order())
    except CycleError as error:
        circle = " before ".join(f'"{name}"' for name in error.args[1])
        raise CourseError(
            f"The metrics have the runs in different orders: {circle}. Give them in one order in each."
        ) from None
    return _controls_first([by_name[name] for name in order])


def _add_run(fig: go.Figure, run: Curve, line: dict[str, object], *, band: bool) -> None:
    """A run's traces, without numbers: the band first, so that the line lies on top."""
    name = f"{run.name} (control)" if run.control else run.name
    if band:
        # Gaps are bridged: at one, the outline would fall into pieces that are filled by themselves.
        fig.add_scatter(
            line={"width": 0}, fill="toself", fillcolor=_faint(line["color"]), hoverinfo="skip",
            name=f"{name}: smallest to largest", legendgroup=name, showlegend=False, connectgaps=True,
        )  # fmt: skip
    fig.add_scatter(name=name, line=line, legendgroup=name)


def _data(curves: Sequence[Curve], runs: Sequence[Curve], banded: set[str]) -> dict[str, list[Any]]:
    """What the menu puts into the traces, in their order: ``x``, ``y`` and ``mode``, one of each a trace."""
    by_name = {curve.name: curve for curve in curves}
    data: dict[str, list[Any]] = {"x": [], "y": [], "mode": []}
    for run in runs:
        curve = by_name.get(run.name)
        # A run without the metric keeps its steps: they may stand in the figure once for all metrics.
        steps = np.asarray((curve or run).steps).tolist()
        drawn = [(steps, _NOTHING if curve is None else _numbers(curve.values))]
        if run.name in banded:
            drawn.insert(0, (steps + steps[::-1], _NOTHING if curve is None else _outline(curve)))
        for x, y in drawn:
            data["x"].append(x)
            data["y"].append(y)
            data["mode"].append("lines" if len(steps) > 1 else "markers")  # a line needs two points
    return data


def _outline(curve: Curve) -> list[float | None]:
    """Along the smallest values, and back along the largest."""
    if curve.low is None or curve.high is None:
        return _NOTHING
    return _numbers(curve.low) + _numbers(curve.high)[::-1]


def _same_steps(run: Curve, panels: Mapping[str, Sequence[Curve]]) -> bool:
    """Whether a run's steps are the same in every metric that it has."""
    every = [curve.steps for curves in panels.values() for curve in curves if curve.name == run.name]
    return all(np.array_equal(steps, every[0]) for steps in every)


def _has_band(curve: Curve) -> bool:
    return curve.low is not None and curve.high is not None


def _height(label: str) -> str:
    return "<br>".join(textwrap.wrap(label, _AXIS))
