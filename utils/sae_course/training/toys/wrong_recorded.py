"""Chapter 02b's recorded experiments, and curves of rows such as they consist of."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime import CourseError
from .. import recorded_file

if TYPE_CHECKING:
    from ...figures.runs import Curve

FILE = "wrong_answers.json"


def recorded_wrong_answers(scale: str = "full") -> dict[str, Any]:
    """What ``python -m sae_course.notebooks.record_wrong_answers`` measured.

    Args:
        scale: whose settings; ``mini`` is what the notebook itself does without a GPU.

    Returns:
        ``config``: the settings; ``seeds`` of ``tying``: by name of the world, a row for each kind of SAE and
        each seed; ``over_k``: a row for each SAE, with its ``k``, ``world``, ``seed`` and scores.

    Raises:
        CourseError: when the file was changed after it was recorded, or for another scale.
    """
    found = recorded_file.read(FILE)
    record: dict[str, Any] = recorded_file.untouched(FILE, found, "record")
    if scale not in record:
        raise CourseError(f'"{scale}" was not recorded: there are {", ".join(record)}.')
    chosen: dict[str, Any] = record[scale]
    return chosen


def curve_over(
    rows: Sequence[Mapping[str, Any]], metric: str, name: str, *, along: str = "k", control: bool = False
) -> "Curve":
    """A metric of several SAEs against one of their settings: mean, and from smallest to largest.

    Args:
        rows: of each SAE its settings and scores.
        metric: the score.
        name: the curve's.
        along: the setting.

    Raises:
        CourseError: for a metric or a setting that the rows don't have.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    from ...figures.runs import Curve  # noqa: PLC0415 - plotly

    table = pd.DataFrame(list(rows))
    for column in (along, metric):
        if column not in table:
            raise CourseError(f'The rows have no "{column}": there are {", ".join(table)}.')
    over = table.groupby(along)[metric].agg(["mean", "min", "max"])
    middle, low, high = (over[column].to_numpy() for column in ("mean", "min", "max"))
    return Curve(name, over.index.to_numpy(), middle, low, high, control)
