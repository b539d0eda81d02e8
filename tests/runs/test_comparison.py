"""Runs side by side: what their tables and figures hold."""

import json
from pathlib import Path

import numpy as np
import pytest
from recorded import DENSITY, config, record

from sae_course.figures.runs import Changing, Curve, draw_curves, draw_histograms, draw_panels, live
from sae_course.runs import Recorder, Run, compare
from sae_course.runtime import CourseError
from sae_course.runtime.theme import CONTROL, PALETTE


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    for k, seed in ((8, 0), (16, 0), (16, 1), (16, 2)):
        record(tmp_path / f"topk-{k}-s{seed}", k=k, seed=seed, histograms=k == 8 or seed == 0)
    return [Run.load(path) for path in sorted(tmp_path.iterdir(), key=lambda path: (len(path.name), path))]


def lines_of(fig):  # type: ignore[no-untyped-def]
    """The curves, without the bands."""
    return [trace for trace in fig.data if trace.fill != "toself"]


def title(fig) -> str:  # type: ignore[no-untyped-def]
    return fig.layout.title.text.replace("<br>", " ")


def test_tables(runs: list[Run]) -> None:
    both = compare(*runs[:2], control=runs[2])
    assert list(both.table.index) == ["topk-8-s0", "topk-16-s0", "topk-16-s1"]
    assert list(both.table.columns)[:2] == ["metrics/l0", "sparsity/dead_features"]
    assert both.table.loc["topk-8-s0", "metrics/l0"] == 10
    assert both.differences.to_dict("index") == {
        "seed": {"topk-8-s0": 0, "topk-16-s0": 0, "topk-16-s1": 1},
        "sae.k": {"topk-8-s0": 8, "topk-16-s0": 16, "topk-16-s1": 16},
    }
    assert "sae.k" in str(both)
    html = both._repr_html_()
    assert "<th>sae.k</th><td>8</td><td>16</td>" in html
    assert "control: topk-16-s1" in html
    assert "don't differ" in compare(runs[0])._repr_html_()


def test_curves_are_overlaid_and_the_control_is_grey(runs: list[Run]) -> None:
    fig = compare(*runs[:2], control=runs[2]).curves("metrics/l0")
    assert [trace.name for trace in fig.data] == ["topk-16-s1 (control)", "topk-8-s0", "topk-16-s0"]
    assert fig.data[0].line.color == CONTROL
    assert fig.data[0].line.dash == "dash"
    assert [trace.line.color for trace in fig.data[1:]] == PALETTE[:2]
    assert list(fig.data[1].x) == [9, 19, 29, 39, 49]
    assert fig.data[1].y[-1] == 10
    assert fig.layout.yaxis.title.text == "L0: latents that fire per token"
    assert fig.layout.yaxis.type == "linear"
    assert title(fig) == "metrics/l0 ends at 10 (topk-8-s0) to 19 (topk-16-s1)"
    assert compare(runs[0]).curves("l0", log=True).layout.yaxis.type == "log"


def test_the_control_can_be_named_for_one_figure(runs: list[Run]) -> None:
    every = compare(*runs)
    for control in (runs[1], "topk-16-s0"):
        fig = every.curves("l0", control=control)
        assert [trace.name for trace in fig.data if trace.line.color == CONTROL] == ["topk-16-s0 (control)"]
    assert not [trace for trace in every.curves("l0").data if trace.line.color == CONTROL]
    with pytest.raises(CourseError, match='no run "topk-32"'):
        every.curves("l0", control="topk-32")
    with pytest.raises(CourseError, match="not among the runs"):
        compare(runs[0]).curves("l0", control=runs[1])


def test_seeds_become_a_mean_and_a_band(runs: list[Run]) -> None:
    fig = compare(*runs).curves("l0", by_seed=True)
    assert [trace.name for trace in lines_of(fig)] == ["topk-8-s0", "topk-16 (3 seeds)"]
    (band,) = [trace for trace in fig.data if trace.fill == "toself"]
    assert list(lines_of(fig)[1].y) == [27, 22, pytest.approx(16 + 100 / 30 + 1, rel=1e-5), 19.5, 19]
    n = 5
    assert list(band.x) == [9, 19, 29, 39, 49, 49, 39, 29, 19, 9]
    assert band.y[0] == 26
    assert band.y[2 * n - 1] == 28
    assert title(fig) == "metrics/l0 ends at 10 (topk-8-s0) to 19 (topk-16 (3 seeds))"
    assert len(compare(*runs).curves("l0").data) == 4


def test_a_seed_that_stopped_early_ends_the_band(tmp_path: Path) -> None:
    runs = [
        record(tmp_path / f"a-{seed}", seed=seed, steps=steps, finish=False)
        for seed, steps in ((0, 50), (1, 30))
    ]
    fig = compare(*[Run.load(run.folder) for run in runs]).curves("l0", by_seed=True)
    assert list(lines_of(fig)[0].x) == [9, 19, 29]


def test_runs_without_a_configuration_are_no_group(tmp_path: Path) -> None:
    for name in "ab":
        recorder = Recorder.create(tmp_path / name, name=name, config={})
        recorder.log(0, {"x": 1})
    both = compare(tmp_path / "a", tmp_path / "b")
    assert [trace.name for trace in both.curves("x", by_seed=True).data] == ["a", "b"]


def test_a_metric_that_ended_as_no_number(tmp_path: Path) -> None:
    for name, last in (("a", 1.0), ("b", float("nan"))):
        recorder = Recorder.create(tmp_path / name, name=name, config={})
        recorder.log(0, {"x": 2.0})
        recorder.log(1, {"x": last})
    fig = compare(tmp_path / "a", tmp_path / "b").curves("x")
    assert title(fig) == "x ends at 1 (a); ends without a number: b"
    for line in ({"y": float("nan")}, {"z": 1}):
        recorder.log(2, line)
    with pytest.raises(CourseError, match='No run has a value of "y"'):
        compare(tmp_path / "b").curves("y")
    with pytest.raises(CourseError, match='no metric "zz"'):
        compare(tmp_path / "b").curves("zz")


def test_names_are_told_apart(tmp_path: Path) -> None:
    for place in "ab":
        record(tmp_path / place, name="same")
    both = compare(tmp_path / "a", tmp_path / "b")
    assert list(both.table.index) == ["same", "same (2)"]
    assert {trace.name for trace in both.curves("l0").data} == {"same", "same (2)"}


def test_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no run to compare"):
        compare()
    with pytest.raises(CourseError, match="Put a star before a list"):
        compare([])  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="There is no folder"):
        compare(tmp_path / "nowhere")


def test_a_histogram_with_a_slider(runs: list[Run]) -> None:
    fig = compare(*runs, control=runs[1]).histogram()
    assert [trace.name for trace in fig.data] == ["topk-16-s0 (control)", "topk-8-s0"], "two have none"
    (slider,) = fig.layout.sliders
    assert [step.label for step in slider.steps] == ["9", "29", "49"] == [frame.name for frame in fig.frames]
    assert [step.args[0] for step in slider.steps] == [("9",), ("29",), ("49",)]
    assert slider.active == 2
    assert list(fig.data[1].x) == [-10, -6, -3, 0], "common bins stay as they are"
    assert list(fig.frames[0].data[1].y) == [10, 90, 0, 0]
    assert list(fig.data[1].y) == list(fig.frames[-1].data[1].y) == [2, 98, 0, 0]
    assert all(len(frame.data) == len(fig.data) == len(frame.traces) for frame in fig.frames)
    assert fig.layout.yaxis.range[1] >= 98
    assert fig.layout.xaxis.title.text == "log10 of a latent's firing frequency"
    json.dumps(fig.to_plotly_json()["layout"]["sliders"])
    with pytest.raises(CourseError, match=f"There are: {DENSITY}"):
        compare(*runs).histogram("zzz")


def test_other_bins_are_shared_out_and_nothing_is_lost() -> None:
    one = Changing("a", [0, 10], [np.array([4.0, 0]), np.array([1.0, 3])], [np.array([-2.0, -1, 0])] * 2)
    two = Changing("b", [5], [np.array([6.0, 2, 2])], [np.array([-4.0, -3.5, -3, 2])])
    fig = draw_histograms([one, two], "t", axis="x")
    assert [frame.name for frame in fig.frames] == ["0", "5", "10"]
    assert sum(fig.frames[0].data[1].y) == 0, "b has none yet"
    for frame, place in ((0, 0), (1, 0), (1, 1), (2, 1)):
        assert sum(fig.frames[frame].data[place].y[:-1]) == pytest.approx(100, abs=0.05)
    heights, edges = np.array(fig.frames[1].data[1].y[:-1]), np.array(fig.data[0].x)
    assert (edges[0], edges[-1]) == (-4, 2)
    assert heights[edges[:-1] < -3.5 - 1e-9].sum() == pytest.approx(60, abs=0.05)
    assert list(fig.frames[1].data[0].y) == list(fig.frames[0].data[0].y), "a's last one before"


def test_a_histogram_of_one_place() -> None:
    one = Changing("a", [0], [np.array([3.0])], [np.array([1.0, 1.0])])
    two = Changing("b", [0], [np.array([1.0, 1.0])], [np.array([0.0, 1.0, 2.0])])
    fig = draw_histograms([one, two], "t", axis="x")
    assert max(fig.data[0].y) == 100
    draw_histograms([one], "t", axis="x")
    draw_histograms([Changing("a", [0], [np.zeros(2)], [np.arange(3.0)])], "t", axis="x")


def test_many_runs_are_told_apart() -> None:
    curves = [Curve(str(i), np.arange(2), np.ones(2)) for i in range(20)]
    looks = [(trace.line.color, trace.line.dash) for trace in draw_curves(curves, "t", axis="x").data]
    assert len(set(looks)) == 20
    assert all(colour != CONTROL for colour, _ in looks)


def test_panels() -> None:
    curve = Curve("a", np.arange(3), np.array([1.0, np.nan, 3.0]))
    fig = draw_panels({name: [curve, curve._replace(name="b", control=True)] for name in "xyz"}, "t")
    assert len(fig.data) == 6
    assert [note.text for note in fig.layout.annotations] == ["x", "y", "z"]
    assert sum(trace.showlegend for trace in fig.data) == 2
    assert list(fig.data[1].y) == [1, None, 3], "a gap where there is no number"
    assert fig.data[0].line.color == CONTROL


def test_training_as_far_as_it_got() -> None:
    fig = live({"L0": {"a": ([9, 19], [3.0, 2.0]), "b": ([9], [4.0])}, "dead": {"a": ([9], [float("nan")])}})
    assert [list(trace.y) for trace in fig.data] == [[3, 2], [4], [None]]
    assert title(fig) == "step 19"
    assert live({"L0": {"a": ([], [])}}).data[0].x == ()


def test_absent_settings_are_a_dash(tmp_path: Path) -> None:
    for name, sae in (("a", {"k": 8}), ("b", {"l1_coefficient": None})):
        Recorder.create(tmp_path / name, name=name, config=config() | {"sae": sae})
    table = compare(tmp_path / "a", tmp_path / "b").differences
    assert table.loc["sae.k"].map(str).tolist() == ["8", "–"]
    assert table.loc["sae.l1_coefficient"].map(str).tolist() == ["–", "None"]
