"""Which exercises there are: read from the metadata of the checkout's exercise notebooks."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..runtime import CourseError, project_root

_CALLS_A_CHECK = re.compile(r"^\s*check\.\w+\(", re.MULTILINE)
_HEADING = re.compile(r"^#+\s*(?:Exercise\s+\S+?\s*:\s*)?(.+?)\s*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Listed:
    """An exercise with a check."""

    number: str
    title: str
    minutes: int
    hints: int


@dataclass(frozen=True)
class ListedChapter:
    """A chapter's exercises with checks, in order."""

    chapter: str
    title: str
    exercises: list[Listed]


def catalogue(root: Path | None = None) -> list[ListedChapter]:
    """The chapters of the checkout, in order; empty outside one. An unreadable notebook is left out."""
    try:
        root = root or project_root()
    except CourseError:
        return []
    found = []
    for path in sorted((root / "chapters").glob("*.ipynb")):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            found.append(_chapter(path.stem, cells))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _chapter(name: str, cells: list[dict[str, object]]) -> ListedChapter:
    number, _, words = name.partition("_")
    starts = [i for i, cell in enumerate(cells) if "exercise" in _metadata(cell)]
    exercises = []
    for i, start in enumerate(starts):
        span = cells[start : starts[i + 1] if i + 1 < len(starts) else len(cells)]
        header = _metadata(cells[start])
        if any(cell["cell_type"] == "code" and _CALLS_A_CHECK.search(_source(cell)) for cell in span):
            heading = _HEADING.search(_source(cells[start]))
            hints = sum("hint" in str(_metadata(cell).get("tags", "")) for cell in span)
            title = heading[1] if heading else ""
            exercises.append(Listed(str(header["exercise"]), title, int(str(header["minutes"])), hints))
    return ListedChapter(number, words.replace("_", " "), exercises)


def _metadata(cell: dict[str, object]) -> dict[str, object]:
    metadata = cell["metadata"]
    return metadata if isinstance(metadata, dict) else {}


def _source(cell: dict[str, object]) -> str:
    source = cell["source"]
    return "".join(source) if isinstance(source, list) else str(source)
