"""What a learner has solved, tried and left: one small file in their data folder, and its table.

This module imports nothing heavy: the command line and ``from sae_course import progress`` use it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..runtime import CourseError, current
from . import progress_file
from .catalogue import Listed, catalogue
from .numbers import chapter_of
from .progress_file import Entry

if TYPE_CHECKING:
    from rich.table import Table

Status = Literal["solved", "tried", "left"]
MARKS: dict[Status, str] = {"solved": "✔", "tried": "…", "left": " "}


@dataclass(frozen=True)
class Saved:
    """What became of a recorded attempt."""

    failures: int
    """Failures in a row, this one included."""
    note: str = ""
    """What a person should know: not saved, or the old file was broken. Empty if all is well."""


_unsaved: dict[str, int] = {}  # failures in a row of this process, for when the file can't be written


def record(number: str, *, passed: bool, title: str, chapter: str, minutes: int, message: str) -> Saved:
    """Add an attempt at exercise ``number``; a solution notebook's are nobody's, and not kept.

    Never raises on account of the file: a check must work where nothing can be written.
    """
    if current().is_solution:
        return Saved(0)

    def attempt(entries: dict[str, Entry]) -> None:
        entry = entries.setdefault(number, Entry())
        entry.title, entry.chapter, entry.minutes = title, chapter, minutes
        entry.attempts += 1
        entry.failures = 0 if passed else entry.failures + 1
        entry.last, entry.message = ("passed" if passed else "failed"), message
        if passed and not entry.solved:
            entry.solved = date.today().isoformat()

    _unsaved[number] = 0 if passed else _unsaved.get(number, 0) + 1
    try:
        entries, note = progress_file.update(attempt)
    except CourseError as error:
        return Saved(_unsaved[number], f"(Progress was not saved: {error})")
    return Saved(entries[number].failures, f"({note})" if note else "")


@dataclass(frozen=True)
class Line:
    """One exercise of the table."""

    number: str
    title: str
    minutes: int
    status: Status
    attempts: int = 0
    solved: str = ""
    """The day it was first solved, ``2026-11-21``."""


@dataclass(frozen=True)
class ChapterProgress:
    """One chapter of the table."""

    chapter: str
    title: str
    lines: list[Line] = field(default_factory=list)

    def minutes(self, status: Status | None = None) -> int:
        """Minutes of the exercises of this status; of all when none is given."""
        return sum(line.minutes for line in self.lines if status in (None, line.status))

    def count(self, status: Status) -> int:
        """How many exercises have this status."""
        return sum(line.status == status for line in self.lines)

    @property
    def summary(self) -> str:
        """``2 of 9 solved, 1 tried · about 70 of 95 minutes left``."""
        tried = f", {self.count('tried')} tried" if self.count("tried") else ""
        total = self.minutes()
        return (
            f"{self.count('solved')} of {len(self.lines)} solved{tried} · about "
            f"{total - self.minutes('solved')} of {total} minutes left"
        )


@dataclass(frozen=True)
class Progress:
    """What is solved, tried and left. Shows itself: a table in a notebook and in a terminal."""

    chapters: list[ChapterProgress]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def only(self, chapter: str) -> "Progress":
        """One chapter of it: ``1`` or ``01``, ``3a`` or ``03a``.

        Raises:
            CourseError: for a chapter that has no exercise here.
        """
        known = [part.chapter for part in self.chapters]
        wanted = chapter_of(chapter)
        if wanted not in known:
            raise CourseError(
                f"there is no chapter {chapter!r} with exercises: there is {', '.join(known) or 'none yet'}."
            )
        return Progress([part for part in self.chapters if part.chapter == wanted], self.note)

    def __rich__(self) -> "Table":
        from rich.table import Table  # noqa: PLC0415 - keeps the package's import instant
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, caption=self.note or None, caption_justify="left")
        for name, justify in (
            ("", "left"),
            ("exercise", "left"),
            ("", "left"),
            ("min", "right"),
            ("", "left"),
        ):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for part in self.chapters:
            heading = f"{part.chapter} {part.title}".strip()
            table.add_row("", Text(heading, "bold"), Text(part.summary, "bold"), "", "")
            for line in part.lines:
                cells = (MARKS[line.status], line.number, line.title, str(line.minutes), _remark(line))
                table.add_row(*(Text(cell) for cell in cells))
        return table

    def __str__(self) -> str:
        if not self.chapters:
            return self.note or "No exercise has been tried yet."
        from io import StringIO  # noqa: PLC0415

        from rich.console import Console  # noqa: PLC0415

        console = Console(file=StringIO(), width=100, color_system=None, force_jupyter=False)
        console.print(self)
        return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().split("\n"))  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        if not self.chapters:
            return f"<p>{escape(str(self))}</p>"
        rows = "".join(_html_rows(self.chapters))
        head = "<tr><th></th><th>exercise</th><th></th><th>minutes</th><th></th></tr>"
        caption = f"<p>{escape(self.note)}</p>" if self.note else ""
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{caption}"

    def __repr__(self) -> str:
        return str(self)


def progress() -> Progress:
    """What is solved, tried and left, chapter by chapter.

    The exercises come from the checkout's notebooks, and what was tried from the learner's file. Outside a
    checkout only what was tried is known.

    Raises:
        CourseError: when the file was broken (it is kept aside, and the next call starts afresh).
    """
    entries = progress_file.read()
    listed = catalogue()
    known = {exercise.number for part in listed for exercise in part.exercises}
    chapters = {
        part.chapter: ChapterProgress(part.chapter, part.title, [_line(ex, entries) for ex in part.exercises])
        for part in listed
    }
    for number, entry in entries.items():
        if number not in known:
            part = chapters.setdefault(entry.chapter, ChapterProgress(entry.chapter, ""))
            part.lines.append(_line(Listed(number, entry.title, entry.minutes, 0), entries))
    note = (
        "" if listed else "Only exercises that were tried: the others are known inside the course's folder."
    )
    shown = [chapters[key] for key in sorted(chapters) if chapters[key].lines]
    return Progress(shown, note if shown else "")


def reset(chapter: str = "") -> tuple[int, Path | None]:
    """Forget all attempts, or one chapter's; a copy of the file as it was is kept beside it.

    Returns:
        How many exercises were forgotten, and the copy (None when there was nothing to forget).
    """
    return progress_file.forget(lambda entry: not chapter or entry.chapter == chapter)


def _line(exercise: Listed, entries: dict[str, Entry]) -> Line:
    entry = entries.get(exercise.number)
    if entry is None:
        return Line(exercise.number, exercise.title, exercise.minutes, "left")
    status: Status = "solved" if entry.solved else "tried"
    return Line(exercise.number, exercise.title, exercise.minutes, status, entry.attempts, entry.solved)


def _remark(line: Line) -> str:
    tries = f"{line.attempts} {'try' if line.attempts == 1 else 'tries'}"
    return {"solved": f"solved {line.solved}, {tries}", "tried": tries, "left": ""}[line.status]


def _html_rows(chapters: list[ChapterProgress]) -> Iterator[str]:
    left = ' style="text-align:left"'
    for part in chapters:
        heading = escape(f"{part.chapter} {part.title}".strip())
        yield f'<tr><th></th><th colspan="4"{left}>{heading}: {escape(part.summary)}</th></tr>'
        for line in part.lines:
            title, remark = escape(line.title), escape(_remark(line))
            yield (
                f"<tr><td>{MARKS[line.status]}</td><td>{escape(line.number)}</td><td{left}>{title}</td>"
                f"<td>{line.minutes}</td><td{left}>{remark}</td></tr>"
            )
