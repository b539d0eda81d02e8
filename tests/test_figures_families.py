"""Trees and maps of latents: what they hold."""

import numpy as np
import pytest
import torch

from sae_course.evals.splits import families
from sae_course.figures.families import draw_dendrogram, draw_map
from sae_course.runtime import CourseError
from sae_course.runtime.theme import CONTROL

JOINS = np.array([[0, 2, 0.25, 2], [1, 3, 0.75, 3.0]])
NAMES = ("pet", "red", "animal")


def test_a_tree_has_a_line_for_each_join_and_a_name_at_each_leaf() -> None:
    fig = draw_dendrogram(JOINS, NAMES, "the finding")
    assert [max(line.x) for line in fig.data] == [0.25, 0.75]
    names = dict(zip(fig.layout.yaxis.tickvals, fig.layout.yaxis.ticktext, strict=True))
    assert sorted(names.values()) == sorted(NAMES)
    joined = {names[y] for y, x in zip(fig.data[0].y, fig.data[0].x, strict=True) if x == 0}
    assert joined == {"pet", "animal"}
    assert fig.data[0].hovertemplate.startswith("joined at 0.25")
    assert fig.layout.title.text == "the finding"


def test_every_join_and_leaf_lies_inside_the_tree() -> None:
    fig = families(torch.randn(12, 5, generator=torch.Generator().manual_seed(0))).figure("t")
    right, bottom = fig.layout.xaxis.range[1], fig.layout.yaxis.range[0]
    assert right > max(max(line.x) for line in fig.data)
    assert bottom > max(fig.layout.yaxis.tickvals)
    assert len(fig.data) == 11
    assert fig.layout.margin.l > 6 * 2


def test_a_tree_of_equal_directions_has_a_width() -> None:
    assert draw_dendrogram(np.array([[0, 1, 0, 2.0]]), ("a", "b"), "t").layout.xaxis.range[1] == 1


def test_a_tree_needs_a_name_for_each_leaf() -> None:
    with pytest.raises(CourseError, match="3 leaves, and there are 2 names"):
        draw_dendrogram(JOINS, NAMES[:2], "t")


def test_a_map_shows_the_largest_groups_and_the_rest_grey_behind_them() -> None:
    groups = [None, "a", "b", "b", *(f"g{one}" for one in range(7) for _ in range(3)), "a", "c", *[""] * 4]
    xy = np.arange(2.0 * len(groups)).reshape(-1, 2)
    fig = draw_map(xy, groups, "the finding")
    shown = [trace.name for trace in fig.data]
    assert shown == ["others (8)", *(f"g{one} (3)" for one in range(7)), "a (2)"]
    others = fig.data[0]
    assert list(others.x) == [0, 4, 6, *xy[-5:, 0]]
    assert others.marker.color == CONTROL
    assert list(others.text) == ["no group", "b", "b", "c", *["no group"] * 4]
    looks = {(trace.marker.color, trace.marker.symbol) for trace in fig.data}
    assert len(looks) == 9
    assert (list(fig.data[-1].x), list(fig.data[-1].y)) == ([2, xy[-6, 0]], [3, xy[-6, 1]])
    assert fig.layout.title.text == "the finding"
    assert fig.layout.showlegend


def test_a_map_without_a_rest_has_no_grey_and_its_own_texts() -> None:
    fig = draw_map(np.zeros((2, 2)), ["a", "a"], "t", texts=["one", "two"])
    assert [trace.name for trace in fig.data] == ["a (2)"]
    assert list(fig.data[0].text) == ["one", "two"]


def test_other_maps_are_refused() -> None:
    with pytest.raises(CourseError, match=r"these are \[3, 2\], 2 and 2"):
        draw_map(np.zeros((3, 2)), ["a", "b"], "t")
    with pytest.raises(CourseError, match=r"\[2, 2\], 2 and 1"):
        draw_map(np.zeros((2, 2)), ["a", "b"], "t", texts=["one"])
    with pytest.raises(CourseError, match="1 of the points have no finite place"):
        draw_map(np.array([[0, np.nan], [1, 1]]), ["a", "b"], "t")
