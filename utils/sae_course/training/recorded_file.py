"""The files in ``recorded/``: what a script measured once, with a checksum and where it came from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError

if TYPE_CHECKING:
    import pandas as pd


def read(file: str) -> dict[str, Any]:
    """A whole file of ``recorded/``."""
    return json.loads((resources.files(__package__) / "recorded" / file).read_text(encoding="utf-8"))


def checksum(value: Any) -> str:
    """SHA-256 of a value, whatever the file's layout."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def rounded(rows: list[dict[str, Any]], digits: int) -> list[dict[str, Any]]:
    """Rows with their floats to so many significant digits: the file stays small."""
    return [
        {
            key: float(f"{value:.{digits}g}") if isinstance(value, float) else value
            for key, value in row.items()
        }
        for row in rows
    ]


def untouched(file: str, found: dict[str, Any], part: str, sha256: str = "sha256") -> Any:
    """One part of a file that was read, which must be as it was recorded.

    Args:
        part: the key of what was measured.
        sha256: the key of its checksum, in the file's ``provenance``.

    Raises:
        CourseError: when it was changed.
    """
    provenance = found["provenance"]
    if checksum(found[part]) != provenance[sha256]:
        command = provenance.get("command") or provenance["script"]
        raise CourseError(
            f"recorded/{file} was changed by hand (its checksum doesn't fit): restore it with git, or record "
            f"it again with {command}."
        )
    return found[part]


def part_of(file: str, part: str, chapter: str) -> "pd.DataFrame":
    """One part of a chapter's record, a row for each of its rows.

    Raises:
        CourseError: for a part that there isn't, and when the file was changed after it was recorded.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    parts = untouched(file, read(file), "parts")
    if part not in parts:
        raise CourseError(f'Chapter {chapter}\'s record has no part "{part}": it has {", ".join(parts)}.')
    return pd.DataFrame(parts[part])


def over_seeds(rows: "pd.DataFrame", by: str | Sequence[str], forms: Mapping[str, str]) -> "pd.DataFrame":
    """A table of mean ± standard deviation over the seeds.

    Args:
        rows: of a record, one for each run.
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
