"""The course's own chapters: up to date, and their exercise notebooks stop at the first unsolved exercise.

(The solutions are executed by nbmake.)
"""

import tempfile
from pathlib import Path

import nbformat
import pytest

from sae_course.notebooks import files, template, verify
from sae_course.notebooks.execute import execute
from sae_course.notebooks.progress import SILENT
from sae_course.notebooks.source import parse

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "solutions").glob("*.py"))
each_chapter = pytest.mark.parametrize("source", SOURCES, ids=[path.stem for path in SOURCES])


def test_no_notebook_without_a_source() -> None:
    assert files.strays(ROOT) == []


@each_chapter
def test_the_committed_notebooks_are_what_the_source_makes(source: Path) -> None:
    assert [*map(str, verify.verify(source, ROOT, template.read_address(ROOT)))] == []


@each_chapter
def test_the_exercise_notebook_runs_up_to_its_first_unsolved_exercise(source: Path) -> None:
    chapter = parse(source, ROOT)
    first = next(task for task in chapter.tasks if task.kind == "exercise")
    path = files.files_of(source, ROOT).exercise
    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        run = execute(book, Path(folder), {"SAE_COURSE_SCALE": "mini"}, SILENT)
    assert run.failure is not None, "the exercise notebook runs without anything solved"
    # Either the cell itself raises, or the check says of whose function it was.
    stopped = book.cells[run.failure.index].source
    assert "raise NotImplementedError(" in stopped or "check." in stopped
    assert f"Exercise {first.number}: " in run.failure.error or (
        f"✘ {first.number} " in run.failure.error and "is not written yet" in run.failure.error
    )
    before = [cell.source for cell in book.cells[: run.failure.index]]
    assert sum("raise NotImplementedError(" in cell for cell in before) <= 1
