"""The pictures of chapter 06's boards: what is drawn on which square, and what the viewer's controls do."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from sae_course.data.othello import SQUARES, boards, full_games
from sae_course.data.othello.rules import bits
from sae_course.figures.board_maps import draw_board_maps, draw_moves, draw_positions
from sae_course.figures.boards import square_label
from sae_course.figures.game_viewer import draw_game
from sae_course.runtime import CourseError
from sae_course.runtime.theme import PALETTE

sys.path.insert(0, str(Path(__file__).parent / "dashboards"))

import browser

MAPS = np.stack([np.arange(64) / 100, np.full(64, -0.9)])
DOT = PALETTE[1]
GAMES = full_games(3, seed=5)
TRUTH = boards(GAMES.tokens[:, :50].astype(np.int64))


def panels(fig: go.Figure) -> list[tuple[str, str]]:
    """The axes of each board, in the order in which they are read."""
    axes = [axis.plotly_name.replace("axis", "") for axis in fig.select_xaxes()]
    return [(one, one.replace("x", "y")) for one in axes]


def here(fig: go.Figure, axes: tuple[str, str], **marker: Any) -> list[int]:
    """The squares of a board with such a marker; a little beside a square's middle counts as on it."""
    found = [
        8 * round(y) + round(x)
        for trace in fig.select_traces({"type": "scatter", "xaxis": axes[0], "yaxis": axes[1]})
        if all(trace.marker[key] == value for key, value in marker.items())
        for x, y in zip(trace.x, trace.y, strict=True)
        if x is not None
    ]
    return sorted(found)


def framed(fig: go.Figure) -> list[tuple[str, int]]:
    """Of each frame: its board's axis, and its square, which the frame must enclose but not leave."""
    for one in fig.layout.shapes:
        assert one.x1 - one.x0 == pytest.approx(0.9)
        assert one.y1 - one.y0 == pytest.approx(0.9)
    return [
        (one.xref, 8 * round((one.y0 + one.y1) / 2) + round((one.x0 + one.x1) / 2))
        for one in fig.layout.shapes
    ]


def heat(fig: go.Figure) -> list[Any]:
    return list(fig.select_traces({"type": "heatmap"}))


def words(fig: go.Figure) -> list[str]:
    return [one.text for one in fig.layout.annotations]


def test_a1_is_the_upper_left_square() -> None:
    assert [square_label(square) for square in range(64)] == list(SQUARES)
    fig = draw_board_maps(MAPS, ["a", "b"], "the finding", unit="mine − theirs")
    first, second = heat(fig)
    assert [value for row in first.z for value in row] == pytest.approx(MAPS[0])
    assert first.z[0][1] == pytest.approx(0.01), "B1 stands beside A1, in the first row"
    assert (second.xaxis, second.z[7][7]) == ("x2", -0.9)
    for x, y in zip(fig.select_xaxes(), fig.select_yaxes(), strict=True):
        assert (list(x.ticktext), list(x.tickvals)) == (list("ABCDEFGH"), list(range(8)))
        assert (list(y.ticktext), list(y.tickvals)) == (list("12345678"), list(range(8)))
        assert list(x.range) == [-0.5, 7.5]
        assert list(y.range) == [7.5, -0.5], "the first row is on top"
        assert y.scaleanchor == x.plotly_name.replace("axis", "")
    assert fig.layout.title.text == "the finding"
    assert words(fig) == ["a", "b"], "and no explanation of marks that are not there"


def test_colours_are_centred_at_0_and_shared() -> None:
    fig = draw_board_maps(MAPS, ["a", "b"], "t", unit="share of boards with a long name")
    scale = fig.layout.coloraxis
    assert (scale.cmin, scale.cmax) == (-0.9, 0.9)
    assert scale.colorscale[2][0] == 0.5
    assert {one.coloraxis for one in heat(fig)} == {"coloraxis"}
    assert scale.colorbar.title.text.replace("<br>", " ") == "share of boards with a long name"
    assert draw_board_maps(-MAPS, ["a", "b"], "t", unit="u").layout.coloraxis.cmax == 0.9
    given = draw_board_maps(MAPS, ["a", "b"], "t", unit="u", limit=2).layout.coloraxis
    assert (given.cmin, given.cmax) == (-2, 2)
    assert draw_board_maps(0 * MAPS, ["a", "b"], "t", unit="u").layout.coloraxis.cmax == 1


def test_squares_without_a_number_are_blank() -> None:
    maps = MAPS.copy()
    maps[0, 9] = np.nan
    fig = draw_board_maps(maps, ["a", "b"], "t", unit="u")
    assert heat(fig)[0].z[1][1] is None
    assert fig.layout.coloraxis.cmax == 0.9
    assert "NaN" not in fig.to_json()


def test_each_board_has_its_own_frame() -> None:
    marks = [19, None, 0, 63, None, 8, 1]
    maps = np.zeros((7, 64))
    fig = draw_board_maps(maps, list("abcdefg"), "t", unit="u", marked=marks, columns=3)
    drawn = [one.xaxis for one in heat(fig)]
    assert framed(fig) == [(drawn[at], square) for at, square in enumerate(marks) if square is not None]
    assert len(set(drawn)) == 7
    assert words(fig)[-1] == "frame: the square that is meant"


@pytest.mark.parametrize("n", [1, 2, 5, 7])
@pytest.mark.parametrize("columns", [1, 3, 5])
def test_boards_are_square_and_hold_their_names(n: int, columns: int) -> None:
    name = "latent 1234: the last move flipped D3, F1 0.93"
    fig = draw_board_maps(np.zeros((n, 64)), [name] * n, "t", unit="u", columns=columns)
    layout, margin = fig.layout, fig.layout.margin
    width, height = layout.width - margin.l - margin.r, layout.height - margin.t - margin.b
    for x, y in zip(fig.select_xaxes(), fig.select_yaxes(), strict=True):
        side = width * (x.domain[1] - x.domain[0])
        assert side == pytest.approx(height * (y.domain[1] - y.domain[0]), abs=1)
        assert 90 < side <= 250
        lines = words(fig)[0].split("<br>")
        assert max(map(len, lines)) * 6 < side + 24, "or it runs into its neighbour's"
    assert layout.width <= 760
    assert margin.r >= 90, "the colour bar"
    tops = sorted({y.domain[1] for y in fig.select_yaxes()})
    bottoms = sorted({y.domain[0] for y in fig.select_yaxes()})
    room = [height * (below - above) for above, below in zip(tops, bottoms[1:], strict=False)]
    assert all(gap > 14 * len(lines) + 12 for gap in room)
    assert margin.t > 14 * len(lines) + 20


def test_positions_show_discs_the_last_move_and_the_square_that_is_meant() -> None:
    game, at = np.array([0, 1, 2]), np.array([10, 20, 49])
    discs, last = TRUTH.state[game, at], GAMES.moves[game, at]
    fig = draw_positions(discs, list("abc"), "the finding", last=last, marked=[19, None, 63])
    for axes, board, square in zip(panels(fig), discs, last, strict=True):
        assert here(fig, axes, color="black") == np.flatnonzero(board == 1).tolist()
        assert here(fig, axes, color="white") == np.flatnonzero(board == -1).tolist()
        assert here(fig, axes, color=DOT) == [square]
    assert framed(fig) == [("x", 19), ("x3", 63)]
    assert words(fig)[3] == "dot: the disc just played;   frame: the square that is meant"
    drawn = [trace.marker.color for trace in fig.select_traces({"xaxis": "x"})]
    assert drawn == ["black", "white", DOT], "the dot lies on its disc"


def test_positions_without_marks() -> None:
    for nobody in (None, [None, -1]):
        fig = draw_positions(TRUTH.state[:2, 9], ["a", "b"], "t", last=nobody)
        assert not any(here(fig, axes, color=DOT) for axes in panels(fig))
        assert not fig.layout.shapes


def test_moves_are_ringed_and_marked_by_what_an_edit_does_to_them() -> None:
    values = np.stack([MAPS[0], 10 * MAPS[1]])
    values[:, 27], values[0, 0] = np.nan, -0.3
    legal, gained, lost = (np.isin(np.arange(64), which) for which in ([2, 40], [3, 63], [40]))
    both = np.stack([legal, gained])
    discs = np.zeros(64, np.int8)
    discs[[10, 11]] = 1, -1
    fig = draw_moves(
        values, ["before", "after"], "t", unit="logit", legal=both, gained=gained, lost=lost, discs=discs,
        marked=10,
    )  # fmt: skip
    for axes, mask in zip(panels(fig), both, strict=True):
        assert here(fig, axes, symbol="circle-open") == np.flatnonzero(mask).tolist()
        assert here(fig, axes, symbol="triangle-up") == [3, 63]
        assert here(fig, axes, symbol="triangle-down") == [40]
        assert here(fig, axes, color="black") == [10]
        assert here(fig, axes, color="white") == [11]
    assert framed(fig) == [("x", 10), ("x2", 10)]
    for said in ("◯ legal", "▲</span> made legal by the edit", "▼ made illegal", "frame"):
        assert said in words(fig)[-1]
    before, after = heat(fig)
    assert (after.text[0][0], before.text[0][0]) == ("-9", "0"), "not -0"
    assert after.text[1][2] == after.text[3][3] == "", "no number below a disc, or where there is none"
    assert after.z[3][3] is None
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (-9, 9), "one scale, 0 in the middle"
    assert fig.layout.coloraxis.colorbar.title.text == "logit"


def test_one_mask_holds_for_all_maps_and_what_is_not_given_is_not_drawn() -> None:
    legal = np.arange(64) == 44
    fig = draw_moves(MAPS, ["a", "b"], "t", unit="u", legal=legal)
    assert [here(fig, axes) for axes in panels(fig)] == [[44], [44]]
    assert words(fig)[-1] == "◯ legal"
    assert heat(fig)[1].text[0][0] == "-0.9", "small numbers have a decimal"


def game(n: int = 50, n_latents: int = 12, **more: Any) -> tuple[go.Figure, np.ndarray]:
    fires = np.random.default_rng(0).gamma(1, 3, (n, n_latents))
    fires[:, 0] = 0
    names = [f"{1000 + latent}: {SQUARES[latent]} is theirs" for latent in range(n_latents)]
    more = {"legal": bits(TRUTH.legal[0, :n])} | more
    return draw_game(TRUTH.state[0, :n], GAMES.moves[0, :n], fires, names, "the finding", **more), fires


def seen(traces: Any) -> list[list[int]]:
    """Squares with black discs, white discs, the dot, a cross."""
    return [
        [8 * y + x for x, y in zip(one.x, one.y, strict=True) if x is not None] for one in list(traces)[:4]
    ]


def test_every_move_is_a_frame_and_a_step_of_the_slider() -> None:
    fig, fires = game(first_move=6)
    (slider,) = fig.layout.sliders
    assert len(fig.frames) == len(slider.steps) == 50
    assert [one.label for one in slider.steps] == [str(move) for move in range(6, 56)]
    assert [one.args[0][0] for one in slider.steps] == [one.name for one in fig.frames]
    for t, frame in enumerate(fig.frames):
        board, last = TRUTH.state[0, t], GAMES.moves[0, t]
        expected = [
            np.flatnonzero(board == 1),
            np.flatnonzero(board == -1),
            [last],
            np.flatnonzero(bits(TRUTH.legal[0, t])),
        ]
        assert seen(frame.data) == [list(squares) for squares in expected]
        side = "black" if GAMES.black[0, t] else "white"
        assert list(frame.data[4].text) == [f"move {6 + t}: {SQUARES[last]}, {side}"]
        assert list(frame.data[5].x) == pytest.approx(fires[t], rel=5e-3)
        assert list(frame.traces) == list(range(6))


@pytest.mark.parametrize("start", [0, 17])
def test_the_first_picture_is_a_whole_move(start: int) -> None:
    fig, _ = game(start=start)
    frame = fig.frames[start]
    assert seen(fig.data) == seen(frame.data)
    assert fig.data[4].text == frame.data[4].text
    assert fig.data[5].x == frame.data[5].x
    assert fig.layout.sliders[0].active == start
    looks = [(one.marker.color, one.marker.symbol) for one in fig.data[:4]]
    assert looks[:3] == [("black", None), ("white", None), (DOT, None)]
    assert looks[3][1] == "cross-thin"


def test_bars_keep_their_order_and_their_range() -> None:
    fig, fires = game()
    assert fig.data[5].orientation == "h"
    assert list(fig.data[5].y) == list(fig.layout.yaxis2.tickvals) == list(range(12))
    assert fig.layout.yaxis2.ticktext[3] == "1003: D1 is theirs"
    assert list(fig.layout.yaxis2.range) == [11.5, -0.5], "the first on top"
    low, high = fig.layout.xaxis2.range
    assert low == 0 < fires.max() < high < 1.1 * fires.max()
    assert fig.layout.xaxis2.title.text == "latent activation"
    assert not any(frame.layout.to_plotly_json() for frame in fig.frames)
    signed = draw_game(TRUTH.state[0, :2], GAMES.moves[0, :2], np.array([[-2.0], [1]]), ["a"], "t")
    low, high = signed.layout.xaxis2.range
    assert low < -2 < 1 < high
    twins = draw_game(TRUTH.state[0, :2], GAMES.moves[0, :2], np.ones((2, 2)), ["a", "a"], "t")
    assert len(set(twins.data[5].y)) == 2, "latents of the same name have a bar each"
    still = draw_game(TRUTH.state[0, :2], GAMES.moves[0, :2], np.zeros((2, 1)), ["a"], "t")
    assert still.layout.xaxis2.range[1] > 0


def test_the_board_of_the_viewer_has_a1_in_the_upper_left() -> None:
    fig, _ = game()
    assert list(fig.layout.yaxis.range) == [7.5, -0.5]
    assert list(fig.layout.xaxis.ticktext) == list("ABCDEFGH")
    assert fig.layout.yaxis.scaleanchor == "x"
    assert fig.layout.yaxis2.scaleanchor is None
    (cloth,) = fig.layout.shapes
    assert (cloth.xref, cloth.layer) == ("x", "below")


def test_sides_have_the_names_that_are_given() -> None:
    fig, _ = game(3, sides=("mine", "theirs"), legal=None)
    assert [frame.data[4].text[0].split(", ")[1] for frame in fig.frames] == ["mine", "theirs", "mine"]
    key = fig.layout.xaxis.title.text
    assert "● mine, ○ theirs" in key
    assert "may be played" not in key
    assert seen(fig.frames[1].data)[3] == []
    nobody = draw_game(TRUTH.state[0, :1], np.array([-1]), np.ones((1, 1)), ["a"], "t")
    assert nobody.data[4].text == ("move 1: no disc placed",)
    assert seen(nobody.data)[2] == []


def test_a_whole_game_is_light() -> None:
    fig, _ = game()
    assert len(fig.to_json()) < 60_000
    maps = np.random.default_rng(0).normal(size=(10, 64))
    assert len(draw_board_maps(maps, ["a"] * 10, "t", unit="u", marked=[3] * 10).to_json()) < 40_000
    assert "bdata" not in fig.to_json(), "older copies of plotly.js read numbers only as numbers"


def draw_two(maps: np.ndarray = MAPS, names: Any = ("a", "b"), **more: Any) -> go.Figure:
    return draw_board_maps(maps, names, "t", unit="u", **more)


def draw_two_moves(**more: Any) -> go.Figure:
    return draw_moves(MAPS, ["a", "b"], "t", unit="u", **more)


def draw_one_position(**more: Any) -> go.Figure:
    return draw_positions(TRUTH.state[0, :1], ["a"], "t", **more)


def draw_two_turns(last: Any, latents: Any) -> go.Figure:
    return draw_game(TRUTH.state[0, :2], last, latents, ["a"], "t")


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: draw_two(MAPS[:, :60]), r"maps .*\[2, 60\].*\[boards, 64\]"),
        (lambda: draw_two(MAPS.reshape(2, 8, 8)), r"\[2, 8, 8\]"),
        (lambda: draw_two(names=["a"]), "with 1 names"),
        (lambda: draw_two(MAPS[:0], []), "at least one"),
        (lambda: draw_two(marked=[3]), "`marked` has 1 squares for 2"),
        (lambda: draw_two(marked=[3, 64]), "`marked` has 64"),
        (lambda: draw_two(marked=[-1, 3]), "`marked` has -1"),
        (lambda: draw_positions(TRUTH.state[0, 0], ["a"], "t"), r"boards .*\[64\]"),
        (lambda: draw_one_position(last=[1, 2]), "`last` has 2 squares for 1"),
        (lambda: draw_one_position(last=[0]), "A1 was just played, but it is empty"),
        (lambda: draw_two_moves(legal=np.ones(60)), r"`legal` .*\[60\]"),
        (lambda: draw_two_moves(discs=np.ones((3, 64))), r"`discs` .*\[3, 64\]"),
        (lambda: draw_two_moves(marked=70), "`marked` has 70"),
        (lambda: game(3, legal=np.ones((3, 60))), r"`legal` .*\[3, 60\].*\[3, 64\]"),
        (lambda: game(3, start=3), "`start` is 3"),
        (lambda: draw_two_turns([0], np.ones((2, 1))), r"`last` .*\[1\].*\[2\]"),
        (lambda: draw_two_turns(GAMES.moves[0, :2], np.ones((2, 3))), r"`latents` .*\[2, 3\].*\[2, 1\]"),
        (lambda: draw_two_turns(GAMES.moves[0, 1:3], np.ones((2, 1))), "just played, but"),
        (lambda: draw_game(TRUTH.state[0, :0], [], np.ones((0, 1)), ["a"], "t"), "0 moves and 1 names"),
        (lambda: draw_game(TRUTH.state[0, :1], [-1], np.ones((1, 0)), [], "t"), "1 moves and 0 names"),
    ],
)
def test_what_does_not_fit_together_is_refused(draw: Any, said: str) -> None:
    with pytest.raises(CourseError, match=said):
        draw()


GD = "document.querySelector('.js-plotly-plot')"


def click(tab: browser.Tab, element: str, share: float = 0.5) -> None:
    """A click on an element, at this share of its width."""
    x, y = tab.ask(
        f"(() => {{ const box = ({element}).getBoundingClientRect();"
        f" return [box.x + box.width * {share}, box.y + box.height / 2] }})()"
    )
    tab.move(x, y)
    for kind in ("mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def shown(tab: browser.Tab) -> list[list[int]]:
    """The squares on which the browser has drawn black discs, white discs, the dot and crosses."""
    # A square of the board is as large as the distance from its first label to its second.
    return list(
        tab.ask(
            "(() => { const middle = e => { const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2, b.width] };"
            " const ticks = axis => [...document.querySelectorAll(axis)].map(middle);"
            " const x = ticks('.xtick').map(p => p[0]), y = ticks('.ytick').map(p => p[1]);"
            " const at = (from, p) => Math.round((p - from[0]) / (from[1] - from[0]));"
            " return [...document.querySelectorAll('.xy .scatterlayer .trace')].slice(0, 4).map(trace =>"
            " [...trace.querySelectorAll('.point')].map(middle).filter(p => p[2] > 0)"
            " .map(p => 8 * at(y, p[1]) + at(x, p[0])).sort((a, b) => a - b)) })()"
        )
    )


def bars(tab: browser.Tab) -> np.ndarray:
    """How long the bars are drawn, as shares of the longest."""
    widths = tab.ask(
        "[...document.querySelectorAll('.x2y2 .barlayer .point path')].map(e => e.getBBox().width)"
    )
    return np.array(widths) / max(widths)


def words_above(tab: browser.Tab) -> str:
    """What stands above the board, if it is to be seen."""
    text = "document.querySelector('.textpoint')"
    return str(tab.ask(f"{text}.getBoundingClientRect().width > 0 ? {text}.textContent : 'hidden'"))


def still_at(tab: browser.Tab) -> int:
    """The move that is shown in a while: longer than one is shown in a game that plays."""
    tab.ask("new Promise(done => setTimeout(() => done(true), 1500))")
    return int(tab.ask(f"{GD}._fullLayout.sliders[0].active"))


@pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)
def test_the_slider_and_the_button_move_the_game_without_a_network(tmp_path: Path) -> None:
    fig, fires = game(40)
    path = tmp_path / "figure.html"
    fig.write_html(path, include_plotlyjs=True, auto_play=False)
    with browser.started(tmp_path) as tab:
        tab.open(path)
        tab.wait(f"{GD} && {GD}._transitionData && {GD}._transitionData._frames.length == 40")
        assert shown(tab) == seen(fig.frames[0].data)
        assert words_above(tab) == fig.frames[0].data[4].text[0]

        click(tab, "document.querySelector('.slider-rail-touch-rect')", 0.999)
        tab.wait(f"{GD}._fullLayout.sliders[0].active == 39")
        assert still_at(tab) == 39
        assert shown(tab) == seen(fig.frames[39].data)
        assert bars(tab) == pytest.approx(fires[39] / fires[39].max(), abs=0.01)
        assert words_above(tab) == fig.frames[39].data[4].text[0]

        # At its end, it begins anew; the pause button stops it where it is.
        buttons = "document.querySelectorAll('.updatemenu-button')"
        click(tab, f"{buttons}[0]")
        tab.wait(f"{GD}._fullLayout.sliders[0].active % 39 > 0")
        assert tab.errors == []
        click(tab, f"{buttons}[1]")  # plotly then breaks its own promise, and the browser notes it
        first, second = still_at(tab), still_at(tab)
        assert first == second
        assert shown(tab) == seen(fig.frames[first].data)
        assert bars(tab) == pytest.approx(fires[first] / fires[first].max(), abs=0.01)
        assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        tab.close()
