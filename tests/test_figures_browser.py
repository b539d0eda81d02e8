"""The browser of runs: what the figure holds, and what its controls do in a real browser."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from sae_course.figures.browser import draw_browser
from sae_course.figures.runs import Curve
from sae_course.runtime import CourseError
from sae_course.runtime.theme import CONTROL

sys.path.insert(0, str(Path(__file__).parent / "dashboards"))

import browser

STEPS = np.array([0, 10, 20, 30])
NEGATIVE = "log10 of how often a latent fires"


def curve(name: str, values: Sequence[float], *, spread: float | None = None, **more: Any) -> Curve:
    middle = np.array(values, dtype=float)
    if spread is not None:
        more |= {"low": np.maximum(middle - spread, 0), "high": middle + spread}
    return Curve(name, more.pop("steps", STEPS), middle, **more)


def panels(shift: int = 0) -> dict[str, list[Curve]]:
    """Three metrics; the run "b" lacks the first, in the second bands reach 0, the third is below 0."""
    later = STEPS + shift
    return {
        "L0: latents": [
            curve("base", [9, 8, 7, 6], control=True),
            curve("a", [5, 50, 500, 5000], spread=2),
            curve("c", [1, 2, 3, 4], spread=0.5),
        ],
        "dead latents": [
            curve("base", [0, 0, 0, 1], control=True, steps=later),
            curve("a", [0, 0, 10, 20], spread=5, steps=later),
            curve("b", [0, 1, 2, 3], steps=later),
            curve("c", [0, 0, 0, 0], spread=0, steps=later),
        ],
        NEGATIVE: [curve(name, [-1, -2, -3, -4], control=name == "base") for name in ("base", "a", "b", "c")],
    }


def menu(fig: go.Figure, metric: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the menu's choice does to the traces and to the layout."""
    (choice,) = [one for one in fig.layout.updatemenus[0].buttons if one.label == metric]
    assert choice.method == "update"
    return choice.args


def line(fig: go.Figure, name: str) -> int:
    """The place of a run's line among the traces."""
    (place,) = [place for place, trace in enumerate(fig.data) if trace.name == name]
    return place


def test_the_first_metric_is_shown_and_the_control_is_grey_beneath_the_rest() -> None:
    fig = draw_browser(panels(), "the finding")
    assert fig.layout.title.text == "the finding"
    assert fig.layout.yaxis.title.text == "L0: latents"
    assert (fig.data[0].name, fig.data[0].line.color) == ("base (control)", CONTROL)
    assert list(fig.data[line(fig, "a")].y) == [5, 50, 500, 5000]
    assert list(fig.data[line(fig, "b")].y) == [None]
    assert [one.label for one in fig.layout.updatemenus[0].buttons] == list(panels())


def test_each_run_has_one_line_and_one_band_and_the_menu_fills_them_all() -> None:
    fig = draw_browser(panels(), "t")
    assert [trace.legendgroup for trace in fig.data] == ["base (control)", "a", "a", "b", "c", "c"]
    assert [trace.showlegend is not False for trace in fig.data] == [True, False, True, True, False, True]
    data, layout = menu(fig, "dead latents")
    assert layout == {"yaxis.title.text": "dead latents", "yaxis.autorange": True}
    assert data["y"][line(fig, "b")] == [0, 1, 2, 3]
    assert data["y"][line(fig, "a") - 1] == [0, 0, 5, 15, 25, 15, 5, 5]
    assert all(len(of_all) == len(fig.data) for of_all in data.values())
    assert menu(fig, NEGATIVE)[0]["y"][line(fig, "a") - 1] == [None]  # no seeds, no band


@pytest.mark.parametrize("shift", [0, 7])
def test_steps_travel_only_when_they_differ_between_metrics(shift: int) -> None:
    fig = draw_browser(panels(shift), "t")
    for metric, curves in panels(shift).items():
        data, _ = menu(fig, metric)
        assert ("x" in data) == bool(shift)
        for one in curves:
            place = line(fig, f"{one.name} (control)" if one.control else one.name)
            # Also of "b", which the picture opens without.
            assert list(data["x"][place] if shift else fig.data[place].x) == one.steps.tolist()


def test_nothing_but_data_and_the_height_is_changed_by_the_controls() -> None:
    fig = draw_browser(panels(7), "t")
    assert {key for metric in panels() for key in menu(fig, metric)[0]} == {"x", "y", "mode"}
    scales = fig.layout.updatemenus[1].buttons
    assert [one.method for one in scales] == ["relayout"] * 2
    assert [one.args[0]["yaxis.type"] for one in scales] == ["linear", "log"]


def test_a_metric_taken_once_is_a_point() -> None:
    once = curve("a", [3], steps=np.array([30]))
    fig = draw_browser({"one": [curve("a", [1, 2, 3, 4])], "two": [once]}, "t")
    assert fig.data[0].mode == "lines"
    assert menu(fig, "two")[0]["mode"] == ["markers"]


def test_runs_that_no_metric_has_all_of_are_in_an_order_that_suits_every_metric() -> None:
    names = (["b", "d"], ["c", "d"], ["a", "b", "c"])
    fig = draw_browser({str(n): [curve(one, [1, 2, 3, 4]) for one in n] for n in names}, "t")
    assert [trace.name for trace in fig.data] == ["a", "b", "c", "d"]


def test_seven_runs_of_eight_metrics_stay_small() -> None:
    random = np.random.default_rng(0)
    many = {
        f"metric {number}, in its unit": [
            Curve(f"run {run}", 100 * np.arange(51), *random.normal(size=(3, 51)), control=run == 0)
            for run in range(7)
        ]
        for number in range(8)
    }
    fig = draw_browser(many, "t")
    assert len(fig.to_json()) < 120_000
    numbers = [value for of_all in menu(fig, "metric 3, in its unit")[0]["y"] for value in of_all]
    assert all(value == float(f"{value:.6g}") for value in numbers)


def test_numbers_that_are_none_are_gaps() -> None:
    gap = np.array([1, np.nan, 3, np.inf])
    fig = draw_browser({"m": [Curve("a", STEPS, gap, gap, gap)]}, "t")
    assert list(fig.data[line(fig, "a")].y) == [1, None, 3, None]
    assert "NaN" not in fig.to_json()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "nothing to browse"),
        ({"m": []}, '"m" has no curve'),
        ({"m": [curve("a", [1] * 4), curve("a", [2] * 4)]}, 'the run "a" twice'),
        (
            {
                "m": [curve("a", [1] * 4), curve("b", [2] * 4)],
                "n": [curve("b", [1] * 4), curve("a", [2] * 4)],
            },
            'different orders: .*"a" before "b"',
        ),
    ],
)
def test_what_cannot_be_browsed_says_why(wrong: Mapping[str, Sequence[Curve]], words: str) -> None:
    with pytest.raises(CourseError, match=words):
        draw_browser(wrong, "t")


GD = "document.querySelector('.js-plotly-plot')"
HEADER = "document.querySelector('.updatemenu-header')"
SCALES = "document.querySelectorAll('.updatemenu-button')"
CHOICES = "document.querySelectorAll('.updatemenu-dropdown-button')"


class Page:
    """The figure in a browser, worked with the mouse."""

    def __init__(self, tab: browser.Tab, fig: go.Figure, folder: Path) -> None:
        path = folder / "figure.html"
        # As wide as in a notebook: plotly's own hint, at the window's edge after the first click in a legend,
        # would lie on the buttons.
        fig.update_layout(width=760)
        path.write_text(fig.to_html(include_plotlyjs=True), encoding="utf-8")
        self.tab, self.fig = tab, fig
        tab.open(path)
        tab.wait(
            f"document.querySelectorAll('.legend .traces').length == {len({t.legendgroup for t in fig.data})}"
        )

    def click(self, element: str) -> None:
        x, y = self.tab.ask(
            f"(() => {{ const box = ({element}).getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        self.tab.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def scale(self, name: str) -> None:
        self.click(f"{SCALES}[{('linear', 'log').index(name)}]")
        self.tab.wait(f"{GD}._fullLayout.yaxis.type == '{name}'")

    def metric(self, label: str) -> None:
        self.click(HEADER)
        self.tab.wait(f"{CHOICES}.length == 3")
        self.click(f"{CHOICES}[{[one.label for one in self.fig.layout.updatemenus[0].buttons].index(label)}]")
        self.tab.wait(f"{GD}._fullLayout.yaxis.title.text == {json.dumps(label)}")

    def toggle(self, name: str) -> None:
        entry = f"[...document.querySelectorAll('.legend .traces')].find(e => e.textContent == '{name}')"
        seen = f"JSON.stringify({GD}._fullData.map(trace => trace.visible))"
        before = self.tab.ask(seen)
        self.click(f"{entry}.querySelector('.legendtoggle')")
        self.tab.wait(f"{seen} != {json.dumps(before)}")  # plotly waits a while for a second click

    def visible(self) -> list[bool | str]:
        return list(self.tab.ask(f"{GD}._fullData.map(trace => trace.visible)"))

    def drawn(self) -> list[list[list[float]]]:
        """Of each trace that is shown, the points with a number."""
        return list(
            self.tab.ask(
                f"{GD}.calcdata.filter(points => points[0].trace.visible === true)"
                ".map(points => points.filter(p => Number.isFinite(p.y)).map(p => [p.x, p.y]))"
            )
        )

    def span(self) -> tuple[float, float]:
        low, high = self.tab.ask(f"{GD}._fullLayout.yaxis.range")
        return low, high


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Tab]:
    with browser.started(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
        opened.close()


@pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)
@pytest.mark.parametrize("shift", [0, 7])
def test_a_hidden_run_and_the_scale_survive_a_change_of_the_metric(
    tab: browser.Tab, tmp_path: Path, shift: int
) -> None:
    page = Page(tab, draw_browser(panels(shift), "t"), tmp_path)
    assert len(page.drawn()) == 6
    page.toggle("a")
    hidden = [True, "legendonly", "legendonly", True, True, True]
    assert page.visible() == hidden
    page.scale("log")

    page.metric("dead latents")
    assert page.visible() == hidden
    assert tab.ask(f"{GD}.layout.yaxis.type") == "log"
    assert tab.ask(f"{GD}.data.map(trace => trace.visible === undefined)") == [v is True for v in hidden]
    base, b, band, c = page.drawn()
    later = (STEPS + shift).tolist()
    assert b == [[step, value] for step, value in zip(later, [0, 1, 2, 3], strict=True)]
    assert [y for _, y in base] == [0, 0, 0, 1]
    assert (len(band), len(c)) == (8, 4)
    assert 3 < 10 ** page.span()[1] < 10  # "a" would reach 20, and the first metric 5000

    page.metric(NEGATIVE)  # nothing of it has a place on logarithmic heights
    assert page.visible() == hidden
    page.scale("linear")
    low, high = page.span()
    assert -5 < low < -4 < -1 < high < 0
    page.metric("L0: latents")
    assert page.visible() == hidden
    assert 9 < page.span()[1] < 10

    page.toggle("a")
    assert page.visible() == [True] * 6
    assert page.drawn()[2] == [[0, 5], [10, 50], [20, 500], [30, 5000]]
    assert tab.errors == []


@pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)
def test_a_run_hidden_where_it_has_nothing_is_hidden_everywhere(tab: browser.Tab, tmp_path: Path) -> None:
    banded = panels()
    banded["dead latents"][2] = curve("b", [0, 1, 2, 3], spread=1)
    page = Page(tab, draw_browser(banded, "t"), tmp_path)
    page.toggle("b")  # the first metric has no "b"
    page.metric("dead latents")
    assert page.visible() == [True, True, True, "legendonly", "legendonly", True, True]
    assert tab.errors == []


@pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)
def test_a_band_stays_in_one_piece_where_a_number_is_missing(tab: browser.Tab, tmp_path: Path) -> None:
    low, high = np.array([1, 2, np.nan, 4]), np.array([3, 4, np.nan, 6])
    Page(tab, draw_browser({"m": [Curve("a", STEPS, low + 1, low, high)]}, "t"), tmp_path)
    tab.wait("document.querySelector('.js-fill') !== null")
    assert tab.ask("document.querySelector('.js-fill').getAttribute('d').match(/M/g).length") == 1


@pytest.mark.parametrize("log", [False, True])
def test_the_picture_opens_on_the_scale_that_was_asked_for(log: bool) -> None:
    fig = draw_browser(panels(), "t", log=log)
    assert fig.layout.yaxis.type == ("log" if log else "linear")
    assert fig.layout.updatemenus[1].active == int(log)
