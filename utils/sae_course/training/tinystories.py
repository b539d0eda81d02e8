"""What chapter 03 quotes from runs that were made once: sweeps, seeds, repeated data. Read here."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError

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

    found = read()
    if checksum(found["parts"]) != found["provenance"]["sha256"]:
        raise CourseError(
            f"recorded/{FILE} was changed by hand (its checksum doesn't fit): restore it with git, or record "
            f"it again with {found['provenance']['command']}."
        )
    if part not in found["parts"]:
        raise CourseError(f'Chapter 03\'s record has no part "{part}": it has {", ".join(found["parts"])}.')
    return pd.DataFrame(found["parts"][part])


def read() -> dict[str, Any]:
    """The whole file."""
    return json.loads((resources.files(__package__) / "recorded" / FILE).read_text(encoding="utf-8"))


def checksum(value: Any) -> str:
    """SHA-256 of a value, whatever the file's layout."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def over_seeds(rows: "pd.DataFrame", by: str | Sequence[str], forms: Mapping[str, str]) -> "pd.DataFrame":
    """A table of mean ± standard deviation over the seeds.

    Args:
        rows: of `recorded_tinystories`.
        by: the settings that tell groups apart, in the order of the table.
        forms: column -> how its numbers are written, such as ``{"L0": ".1f"}``.
    """
    keys = [by] if isinstance(by, str) else list(by)

    def shown(column: str, form: str) -> Any:
        def cell(values: Any) -> str:
            spread = f" ± {stdev(values):{form}}" if len(values) > 1 else ""
            return f"{mean(values):{form}}{spread}"

        return rows.groupby(keys, sort=False)[column].agg(cell)

    import pandas as pd  # noqa: PLC0415

    return pd.DataFrame({column: shown(column, form) for column, form in forms.items()})
