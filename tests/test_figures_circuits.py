"""The pictures of a circuit, and of a prediction against what was measured."""

import numpy as np
import pytest

from sae_course.figures.circuits import draw_circuit, draw_pairs
from sae_course.runtime.theme import CONTROL

LABELS = (["a", "b", "c"], ["x", "y"])
EDGES = [(0, 1, 0.9), (2, 0, 0.3), (2, 1, 0.01), (1, 1, 1.7), (1, 0, -0.4)]


def test_a_line_for_each_edge_as_wide_as_its_weight() -> None:
    fig = draw_circuit(LABELS, ("below", "above"), EDGES, "the finding")
    lines = [trace for trace in fig.data if trace.mode == "lines"]
    left, right = (trace for trace in fig.data if trace.mode == "markers+text")
    assert len(lines) == len(EDGES)
    for line, (source, target, weight) in zip(lines, EDGES, strict=True):
        assert list(line.x) == [left.x[source], right.x[target]] == [0, 1]
        assert list(line.y) == [left.y[source], right.y[target]]
        assert line.text == f"{LABELS[0][source]} → {LABELS[1][target]}: {weight:.0%}"
    width = [line.line.width for line in lines]
    assert width[0] == pytest.approx(3 * width[1]), "in proportion"
    assert width[3] == pytest.approx(width[0] / 0.9), "widest at 1"
    assert width[2] == width[4] == 0.5, "still to be seen"
    assert fig.layout.title.text == "the finding"
    assert list(fig.layout.xaxis.ticktext) == ["below", "above"]


def test_latents_stand_in_the_order_given_from_top_to_bottom() -> None:
    fig = draw_circuit(LABELS, ("below", "above"), EDGES, "t")
    for trace, labels in zip(fig.data[-2:], LABELS, strict=True):
        assert list(trace.text) == labels
        assert list(trace.y) == sorted(set(trace.y))
    left, right = fig.data[-2:]
    assert (left.textposition, right.textposition) == ("middle left", "middle right"), "beside the lines"
    assert left.marker.color != right.marker.color
    assert fig.layout.yaxis.autorange == "reversed"
    many = draw_circuit([[str(i) for i in range(60)], ["x"]], ("below", "above"), [], "t")
    assert many.layout.height > 60 * 20 > fig.layout.height, "room for each"


def test_predictions_against_what_was_measured() -> None:
    series = {
        "plain": (np.array([0.0, 0.5, 3.0]), np.array([0.1, 0.4, 1.0])),
        "integrated": (np.array([0.2, 0.6]), np.array([-1.0, 0.7])),
    }
    fig = draw_pairs(series, "the finding", axes=("predicted", "measured"))
    equal, *points = fig.data
    assert list(equal.x) == list(equal.y) == [-1, 3]
    assert equal.line.color == CONTROL
    for trace, (name, (predicted, measured)) in zip(points, series.items(), strict=True):
        assert trace.name == name
        assert (list(trace.x), list(trace.y)) == (predicted.tolist(), measured.tolist())
    for told_by in ("color", "symbol"):
        assert len({trace.marker[told_by] for trace in points}) == 2
    assert CONTROL not in {trace.marker.color for trace in points}
    assert (fig.layout.xaxis.title.text, fig.layout.yaxis.title.text) == ("predicted", "measured")
    assert fig.layout.title.text == "the finding"
