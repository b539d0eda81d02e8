"""What chapter 03 quotes from runs that were made once: sweeps, seeds, repeated data. Read here."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError
from . import recorded_file

if TYPE_CHECKING:
    import pandas as pd

FILE = "tinystories.json"
Row = dict[str, Any]


def recorded_tinystories(part: str) -> "pd.DataFrame":
    """One part of chapter 03's record, a row for each run: its settings, its seed, what was measured.

    Written by ``python -m sae_course.notebooks.record_tinystories`` at mini scale. All runs were measured
    alike, on the same held-out rows (`notebooks.record_tinystories.measured`).

    Args:
        part: ``by hand``, ``SAELens``, ``L1``, ``k``, ``data``, ``features`` or ``tried``.

    Raises:
        CourseError: for a part that there isn't, and when the file was changed after it was recorded.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    parts = recorded_file.untouched(FILE, read(), "parts")
    if part not in parts:
        raise CourseError(f'Chapter 03\'s record has no part "{part}": it has {", ".join(parts)}.')
    return pd.DataFrame(parts[part])


def read() -> dict[str, Any]:
    """The whole file."""
    return recorded_file.read(FILE)


def over_seeds(rows: "pd.DataFrame", by: str | Sequence[str], forms: Mapping[str, str]) -> "pd.DataFrame":
    """A table of mean ± standard deviation over the seeds.

    Args:
        rows: of `recorded_tinystories`.
        by: the settings that tell groups apart, in the order of the table.
        forms: column -> how its numbers are written, such as ``{"L0": ".1f"}``.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    keys = [by] if isinstance(by, str) else list(by)

    def shown(column: str, form: str) -> Any:
        def cell(values: Any) -> str:
            spread = f" ± {stdev(values):{form}}" if len(values) > 1 else ""
            return f"{mean(values):{form}}{spread}"

        return rows.groupby(keys, sort=False)[column].agg(cell)

    return pd.DataFrame({column: shown(column, form) for column, form in forms.items()})
