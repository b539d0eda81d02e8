"""Figures of the mini models: what they hold, not how they look."""

import numpy as np
import pytest

from sae_course.figures.boards import draw_boards, draw_reading
from sae_course.figures.models import (
    Bars,
    Control,
    draw_attention,
    draw_beside_control,
    draw_heads,
    draw_layers,
    draw_loss,
    draw_next_words,
    draw_successors,
)
from sae_course.runtime.theme import CONTROL

CURVE = [(step, 8 / step, 9 / step if step % 4 == 0 else None) for step in range(1, 13)]


def by_name(fig, name):  # type: ignore[no-untyped-def]
    (trace,) = [trace for trace in fig.data if trace.name == name]
    return trace


def test_a_loss_curve_has_held_out_points_only_where_they_were_measured() -> None:
    fig = draw_loss(CURVE, "t", Control("floor", 0.5))
    assert list(by_name(fig, "training").x) == list(range(1, 13))
    assert list(by_name(fig, "held out").x) == [4, 8, 12]
    assert list(by_name(fig, "held out").y) == [9 / 4, 9 / 8, 9 / 12]
    assert list(by_name(fig, "floor").y) == [0.5, 0.5]
    assert by_name(fig, "floor").line.color == CONTROL


def test_the_floor_is_always_in_the_picture() -> None:
    for value in (0.5, 0.01, -1.0):
        low, high = draw_loss(CURVE, "t", Control("floor", value)).layout.yaxis.range
        assert low < value < high


def test_heads_are_shown_in_per_cent() -> None:
    scores = {"one": np.array([[0.25, 0.5], [1.0, 0.0]]), "two": np.zeros((2, 2))}
    fig = draw_heads(scores, "t")
    assert fig.data[0].z.tolist() == [[25, 50], [100, 0]]
    assert len(fig.data) == 2


def test_attention_shows_no_future() -> None:
    fig = draw_attention({"head 0.0": np.full((3, 3), 0.5)}, ["a", "b", "a"], "t")
    assert np.isnan(fig.data[0].z[np.triu_indices(3, 1)]).all()
    assert (fig.data[0].z[np.tril_indices(3)] == 50).all()
    assert fig.layout.xaxis.ticktext == ("a", "b", "a"), "a word may come twice"


def test_next_words_have_the_control_in_grey() -> None:
    fig = draw_next_words({"prompt": {"she": (0.9, 0.001), "he": (0.05, 0.002)}}, "t")
    assert list(by_name(fig, "the model").x) == [90, 5]
    assert list(by_name(fig, "random weights").x) == [0.1, 0.2]
    assert by_name(fig, "random weights").marker.color == CONTROL


def test_bars_stand_beside_their_control() -> None:
    fig = draw_beside_control(
        ["a", "b"], Bars([1, 2], [0.1, 0.2]), Bars([0, 0.5]), "t", axis="logits", control_name="twin"
    )
    assert list(by_name(fig, "the model").error_y.array) == [0.1, 0.2]
    assert list(by_name(fig, "twin").y) == [0, 0.5]
    assert by_name(fig, "twin").marker.color == CONTROL != by_name(fig, "the model").marker.color


def test_layers_have_twin_and_trivial_answer_in_grey() -> None:
    fig = draw_layers([0.8, 0.9], [0.6, 0.61], Control("majority", 0.55), "t")
    assert list(by_name(fig, "the model").y) == [80, 90]
    assert list(by_name(fig, "random weights").y) == [60, 61]
    assert list(by_name(fig, "majority").y) == [55, 55]
    assert {by_name(fig, name).line.color for name in ("random weights", "majority")} == {CONTROL}


def test_successors_keep_rows_without_a_measurement_blank() -> None:
    grid = np.array([[0.1, 0.9], [np.nan, np.nan]])
    fig = draw_successors({"days": (["Monday", "Tuesday"], grid)}, "t")
    assert fig.data[0].z[0].tolist() == [10, 90]
    assert np.isnan(fig.data[0].z[1]).all()


def test_a_long_title_takes_more_room() -> None:
    short, long = (draw_loss(CURVE, "finding " * times) for times in (1, 20))
    lines = long.layout.title.text.count("<br>") + 1
    assert lines >= 2
    assert long.layout.height - short.layout.height == long.layout.margin.t - short.layout.margin.t > 0


def discs(fig, colour):  # type: ignore[no-untyped-def]
    found = [trace for trace in fig.data if trace.type == "scatter" and trace.marker.color == colour]
    return [{(int(x), int(y)) for x, y in zip(trace.x, trace.y, strict=True)} for trace in found]


def test_boards_have_a1_first_and_the_cross_where_it_belongs() -> None:
    board = np.zeros(64, dtype=np.int8)
    board[1], board[8] = 1, -1  # B1 is black, A2 white
    fig = draw_boards(np.stack([board, -board]), ["1", "2"], "t", [63, None])
    assert discs(fig, "black") == [{(1, 0)}, {(0, 1)}]
    assert discs(fig, "white") == [{(0, 1)}, {(1, 0)}]
    (cross,) = [trace for trace in fig.data if trace.marker.symbol == "x"]
    assert (list(cross.x), list(cross.y)) == ([7], [7])


@pytest.mark.parametrize("wrong", [[], [0, 9]])
def test_a_reading_frames_what_is_wrong(wrong: list[int]) -> None:
    true = np.ones(64, dtype=np.int8)
    read = true.copy()
    read[wrong] = -1
    p, legal = np.zeros(64), np.zeros(64, dtype=bool)
    p[10], legal[10] = 0.75, True
    fig = draw_reading(true, read, p, legal, "t")
    scatters = {trace.marker.symbol: trace for trace in fig.data if trace.type == "scatter"}
    frames, rings = scatters["square-open"], scatters["circle-open"]
    assert [8 * y + x for x, y in zip(frames.x, frames.y, strict=True)] == wrong
    (heat,) = [trace for trace in fig.data if trace.type == "heatmap"]
    assert heat.z[1][2] == 75
    assert heat.text[1][2] == "75"
    assert (list(rings.x), list(rings.y)) == ([2], [1])
