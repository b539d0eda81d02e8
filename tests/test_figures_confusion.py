"""The confusion matrix: what it holds."""

import numpy as np
import pytest

from sae_course.figures.confusion import draw_confusion
from sae_course.runtime import CourseError

CAUSES = ["too sparse", "rate too high", "nothing"]
COUNTS = np.array([[4, 1, 0], [0, 5, 0], [2, 0, 3]])


def outlined(fig):  # type: ignore[no-untyped-def]
    """The cells that are marked, as (row, column)."""
    return [((one.y0 + one.y1) / 2, (one.x0 + one.x1) / 2) for one in fig.layout.shapes]


def test_rows_are_the_true_causes_from_top_to_bottom() -> None:
    fig = draw_confusion(CAUSES, COUNTS, "the finding")
    (cells,) = fig.data
    assert [list(row) for row in cells.z] == COUNTS.tolist()
    assert [list(row) for row in cells.text] == [["4", "1", ""], ["", "5", ""], ["2", "", "3"]]
    assert list(fig.layout.yaxis.ticktext) == CAUSES
    assert fig.layout.yaxis.autorange == "reversed"
    assert fig.layout.yaxis.title.text == "true cause"
    assert fig.layout.xaxis.title.text.startswith("the doctor says")
    assert fig.layout.title.text == "the finding"
    hover = "true cause: nothing<br>the doctor says: too sparse<br>2 of 5"
    assert cells.hovertext[2][0] == hover


def test_cells_are_square_and_the_diagonal_is_marked() -> None:
    fig = draw_confusion(CAUSES, COUNTS, "t")
    assert fig.layout.yaxis.scaleanchor == "x"
    assert outlined(fig) == [(0, 0), (1, 1), (2, 2)]


def test_a_right_answer_is_marked_where_its_column_stands() -> None:
    named = ["not sure", "nothing", "too sparse"]
    fig = draw_confusion(CAUSES, COUNTS, "t", named=named)
    assert list(fig.layout.xaxis.ticktext) == named
    assert outlined(fig) == [(0, 2), (2, 1)]  # nobody may say "rate too high"


@pytest.mark.parametrize("columns", [1, 3, 8, 20])
@pytest.mark.parametrize("letters", [1, 25])
def test_the_picture_holds_cells_and_labels(columns: int, letters: int) -> None:
    names = [f"{number}".ljust(letters, "x") for number in range(columns)]
    fig = draw_confusion(names, np.ones((columns, columns), int), "t")
    margin = fig.layout.margin
    across = (fig.layout.width - margin.l - margin.r) / columns
    down = (fig.layout.height - margin.t - margin.b) / columns
    assert across == pytest.approx(down, abs=1)
    assert down >= 18
    assert margin.l > 6 * letters
    assert margin.b > 4 * letters


def test_the_darkest_cell_is_one_that_ink_is_read_on() -> None:
    (cells,) = draw_confusion(CAUSES, COUNTS, "t").data
    assert cells.zmax == pytest.approx(7.5)
    assert draw_confusion(["a"], np.zeros((1, 1)), "t").data[0].zmax == 1


@pytest.mark.parametrize(
    ("counts", "named", "words"),
    [
        (COUNTS[:2], None, r"shape \(2, 3\).*\(3, 3\)"),
        (COUNTS, [*CAUSES, "not sure"], r"shape \(3, 3\).*\(3, 4\)"),
        (COUNTS[0], None, r"shape \(3,\)"),
        (COUNTS - 1, None, "A count is -1"),
        (COUNTS + np.nan, None, "A count is nan"),
    ],
)
def test_other_counts_are_refused(counts: np.ndarray, named: list[str] | None, words: str) -> None:
    with pytest.raises(CourseError, match=words):
        draw_confusion(CAUSES, counts, "t", named=named)


def test_no_cause_is_refused() -> None:
    with pytest.raises(CourseError, match="0 true causes"):
        draw_confusion([], np.zeros((0, 0)), "t")
