"""What chapter 03 quotes from runs that were made once: sweeps, seeds, repeated data. Read here."""

from typing import TYPE_CHECKING, Any

from ..runtime import CourseError
from . import recorded_file
from .recorded_file import over_seeds

__all__ = ["over_seeds", "recorded_tinystories"]  # the table, because chapter 03 asks for it here

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
