"""Reading a chapter's source: ``solutions/NN_name.py`` (jupytext percent) as cells, exercises and questions.

Parsing never refuses: what is wrong with a source is collected by `rules.problems`, all of it at once.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..runtime import CourseError

FILE_NAME = re.compile(r"(?P<number>\d\d[a-z]?)_[a-z0-9_]+")
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_CELL_MARKER = re.compile(r"^#\s*%%(\s|$)")
_LINE_KEY = "sae_course_line"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    """Relative to the project's folder."""
    line: int
    """From 1; 0 where no line can be named."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class Malformed(CourseError):
    """A source that can't be built; ``problems`` has all of them, in the order of their lines."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Cell:
    """A cell of the source."""

    kind: str
    """``markdown``, ``code`` or ``raw``."""
    source: str
    metadata: dict[str, Any]
    line: int
    """Of its ``# %%``, from 1."""
    first: int
    """Of its first line of text, from 1."""

    @property
    def tags(self) -> list[str]:
        """Its tags; empty where they aren't a list of strings (which `rules` refuses)."""
        tags = self.metadata.get("tags", [])
        return tags if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) else []


@dataclass(frozen=True)
class Task:
    """An exercise or a question: its header cell and the cells that belong to it."""

    kind: Literal["exercise", "question"]
    number: str
    """``1.3``, or ``1.A`` for a question."""
    title: str
    """The header's heading, ``Exercise 1.3: write the loss``."""
    start: int
    """The index of its header among the chapter's cells."""
    stop: int
    """The index after its last cell."""


@dataclass(frozen=True)
class Block:
    """A solution in a code cell: the lines between two markers."""

    begin: int
    """The index of the opening marker among the cell's lines."""
    text: str


@dataclass(frozen=True)
class Chapter:
    """A chapter's source, parsed."""

    path: Path
    file: str
    """``solutions/01_toy_superposition.py``."""
    sha256: str
    """Of the whole source, with the line ends of Unix."""
    cells: list[Cell]
    tasks: list[Task]
    problems: list[Problem] = field(default_factory=list)
    """What kept it from being parsed; `rules.problems` includes them."""

    @property
    def name(self) -> str:
        """``01_toy_superposition``."""
        return self.path.stem

    @property
    def number(self) -> str:
        """``01``, or ``02a``."""
        return self.name.partition("_")[0]

    @property
    def short(self) -> str:
        """The number as exercises write it: ``1``, ``2a``."""
        return self.number.lstrip("0")

    def task_at(self, index: int) -> Task | None:
        """The exercise or question that the cell at ``index`` belongs to."""
        return next((task for task in self.tasks if task.start <= index < task.stop), None)


def parse(path: Path, root: Path) -> Chapter:
    """The chapter in ``path``; problems of its form are listed in ``Chapter.problems``.

    Raises:
        CourseError: when the file can't be read at all.
    """
    file = path.relative_to(root).as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{file} can't be read ({error.strerror}).") from error
    data = data.replace(b"\r\n", b"\n")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Chapter(path, file, sha256, [], [], [Problem(file, line, f"not UTF-8 text ({error.reason})")])
    if found := list(_unreadable(text, file)):
        return Chapter(path, file, sha256, [], [], found)
    cells = list(_cells(text))
    return Chapter(path, file, sha256, cells, list(_tasks(cells)))


def _unreadable(text: str, file: str) -> Iterator[Problem]:
    """A header or cell metadata on which jupytext stops, mostly without saying where."""
    import jupytext  # noqa: PLC0415 - takes a second
    from nbformat import ValidationError  # noqa: PLC0415
    from yaml import MarkedYAMLError  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    try:
        jupytext.reads(text, "py:percent")
        return
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1  # after the first "# ---"
        yield Problem(file, line, f"the header isn't valid YAML: {error.problem}")
        return
    except ValidationError as error:
        cause = error.message
    for number, line in enumerate(text.split("\n"), 1):
        if _CELL_MARKER.match(line):
            try:
                jupytext.reads(line, "py:percent")
            except ValidationError as error:
                yield Problem(file, number, f"cell metadata that a notebook can't hold: {error.message}")
                cause = ""
    if cause:
        yield Problem(file, 1, f"cell metadata that a notebook can't hold: {cause}")


def _cells(text: str) -> Iterator[Cell]:
    """jupytext's cells with the line of each, which jupytext doesn't tell.

    The text is read twice, the second time with its line number written into every marker; the markers
    that jupytext takes for one (not those in a string) come back with theirs.
    """
    import jupytext  # noqa: PLC0415 - takes a second

    lines = text.split("\n")
    markers = [number for number, line in enumerate(lines, 1) if _CELL_MARKER.match(line)]
    numbered = list(lines)
    for number in markers:
        numbered[number - 1] = f"{lines[number - 1].rstrip()} {_LINE_KEY}={number}"
    located = [
        cell.metadata.get(_LINE_KEY) for cell in jupytext.reads("\n".join(numbered), "py:percent").cells
    ]
    last = 0
    for index, cell in enumerate(jupytext.reads(text, "py:percent").cells):
        line = located[index] if index < len(located) else None
        if line is None:  # no marker (text before the first), or one whose metadata can't be read
            explicit = cell.metadata and set(cell.metadata) != {"lines_to_next_cell"}
            line = next((n for n in markers if n > last), 0) if explicit or last else 0
        metadata = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
        yield Cell(cell.cell_type, cell.source, metadata, line or 1, line + 1 if line else 1)
        last = line


def _tasks(cells: list[Cell]) -> Iterator[Task]:
    """Exercises and questions, each up to the next header or heading; hints and answers close it as well."""
    open_task: tuple[Literal["exercise", "question"], str, str, int] | None = None
    was_folded = False
    for index, cell in enumerate(cells):
        kind = task_kind(cell)
        folded = "hint" in cell.tags or "answer" in cell.tags
        headed = cell.kind == "markdown" and heading(cell.source) is not None
        ends = kind is not None or (not folded and (was_folded or headed))
        was_folded = folded
        if ends and open_task is not None:
            yield Task(*open_task, index)
            open_task = None
        if kind is not None:
            open_task = (kind, str(cell.metadata[kind]), heading(cell.source) or "", index)
    if open_task is not None:
        yield Task(*open_task, len(cells))


def task_kind(cell: Cell) -> Literal["exercise", "question"] | None:
    """What the cell's metadata makes it the header of."""
    if "exercise" in cell.metadata:
        return "exercise"
    return "question" if "question" in cell.metadata else None


def heading(markdown: str) -> str | None:
    """The text of the first heading that isn't inside a fenced block."""
    fence = ""
    for line in markdown.split("\n"):
        mark = re.match(r"\s{0,3}(`{3,}|~{3,})", line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = ""
        elif mark:
            fence = mark[1]
        elif found := re.match(r"#{1,6}\s+(.*?)\s*#*$", line):
            return found[1]
    return None


def is_begin(line: str) -> bool:
    """Whether the line opens a solution."""
    return line.strip() == BEGIN


def is_end(line: str) -> bool:
    """Whether the line closes a solution."""
    return line.strip() == END


def blocks(source: str) -> list[Block]:
    """The solutions of a code cell whose markers are sound."""
    found: list[Block] = []
    begin: int | None = None
    lines = source.split("\n")
    for index, line in enumerate(lines):
        if is_begin(line):
            begin = index
        elif is_end(line) and begin is not None:
            found.append(Block(begin, "\n".join(lines[begin + 1 : index])))
            begin = None
    return found


def without_markers(source: str) -> str:
    """The code as the solution notebook shows it: everything but the markers' own lines."""
    return "\n".join(line for line in source.split("\n") if not (is_begin(line) or is_end(line)))
