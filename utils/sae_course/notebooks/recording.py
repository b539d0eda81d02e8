"""What scripts that record a chapter's runs share: parts that are kept as they are made, and provenance."""

import os
import platform
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..runtime import project_root, read_json, write_json
from ..training import recorded_file

Row = dict[str, Any]


def rows_of(
    parts: Mapping[str, Callable[[], Iterator[Row]]],
    folder: Path,
    only: str = "",
    *,
    anew: Collection[str] = (),
) -> dict[str, list[Row]]:
    """Each part's rows, measured, or read where an earlier sitting kept them in ``folder``.

    Args:
        only: one part's name; all of them when not given.
        anew: parts that look for themselves what is still good, and are asked each time.
    """
    found: dict[str, list[Row]] = {}
    for part, rows in parts.items():
        if only not in ("", part):
            continue
        done = folder / f"{part} rows.json"
        if done.is_file() and part not in anew:
            found[part] = read_json(done)
            continue
        found[part] = []
        for row in rows():
            found[part].append(row)
            print(part, row, flush=True)
        if part not in anew:
            done.parent.mkdir(parents=True, exist_ok=True)
            write_json(done, found[part])
    return found


def made_by(command: str) -> dict[str, Any]:
    """The command, the machine and the versions, for a record's ``provenance``."""
    return {
        "command": command,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
        "versions": {name: version(name) for name in ("sae-lens", "transformer-lens", "torch")},
    }


def write_record(
    file: str, parts: Mapping[str, list[Row]], seeds: Sequence[int], command: str, **provenance: Any
) -> None:
    """Write a chapter's record to ``recorded/``: floats to four digits, a checksum, where it is from.

    Args:
        command: that makes it again.
        provenance: what else belongs to it.
    """
    rounded = {part: recorded_file.rounded(rows, 4) for part, rows in parts.items()}
    whole = made_by(command) | {"sha256": recorded_file.checksum(rounded)} | provenance
    path = Path(recorded_file.__file__).parent / "recorded" / file
    write_json(path, {"provenance": whole, "seeds": list(seeds), "parts": rounded})
    print(f"Written to {path.relative_to(project_root())}.")
