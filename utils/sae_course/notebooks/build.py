"""``sae-course build``: the two notebooks of a chapter, made, executed or checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..runtime import CourseError
from . import leaks, outputs, privacy, rules
from .execute import execute
from .files import Files, files_of, read_notebook, record_of, text_of, write_all
from .progress import CellProgress
from .render import code_sha256, exercise_cells, notebook, solution_cells
from .source import Chapter, Malformed, Problem, parse
from .template import Address

LARGEST = 2_000_000


@dataclass
class Pair:
    """A chapter's notebooks, as they should be."""

    chapter: Chapter
    files: Files
    solution: Any
    exercise: Any = None
    problems: list[Problem] = field(default_factory=list)
    """What keeps them from being published."""


def load(source: Path, root: Path) -> Chapter:
    """A chapter whose source has been found sound.

    Raises:
        Malformed: with everything that is wrong with it.
    """
    chapter = parse(source, root)
    if found := rules.problems(chapter):
        raise Malformed(found)
    return chapter


def unexecuted(chapter: Chapter, address: Address) -> Any:
    """The solution notebook without outputs."""
    return notebook(solution_cells(chapter, address), _record(chapter, "solution", ""))


def build(source: Path, root: Path, address: Address) -> list[Problem]:
    """Write both notebooks, keeping the outputs of the last execution while the code is the same.

    Returns:
        why nothing was written; empty when it was, or when nothing had to change.

    Raises:
        Malformed: for a source that can't be built.
        CourseError: when a file can't be written; both are then as they were.
    """
    chapter = load(source, root)
    files = files_of(source, root)
    committed = read_notebook(files.solution)
    if reason := not_reusable(chapter, committed):
        return [Problem(chapter.file, 0, f"{reason}: `sae-course build --execute {chapter.number}`")]
    return _publish(make_pair(chapter, files, root, address, _outputs(committed)))


def build_executed(
    source: Path,
    root: Path,
    address: Address,
    progress: CellProgress,
) -> list[Problem]:
    """Execute the solution at mini scale, figures as PNGs too, and write both notebooks.

    Returns:
        why nothing was written: the cell that failed, or an output that must not be published.

    Raises:
        Malformed: for a source that can't be built.
        CourseError: without a Chrome, or when a file can't be written.
    """
    chapter = load(source, root)
    find_chrome()
    cells = solution_cells(chapter, address)
    made = unexecuted(chapter, address)
    progress.start(sum(cell.kind == "code" for cell in cells))
    environment = {"SAE_COURSE_SCALE": "mini", "SAE_COURSE_RENDERER": "plotly_mimetype+png"}
    run = execute(made, source.parent, environment, progress)
    if run.failure is not None:
        return [failure_problem(chapter, cells[run.failure.index].origin, run.failure.error)]
    results = []
    for count, cell in enumerate((cell for cell in made.cells if cell.cell_type == "code"), 1):
        results.append((count, outputs.cleaned(cell.outputs, count)))
    return _publish(make_pair(chapter, files_of(source, root), root, address, results))


def failure_problem(chapter: Chapter, origin: int | None, error: str) -> Problem:
    """A failed cell as file, line, exercise and error."""
    if origin is None:
        return Problem(chapter.file, 1, f"the generated set-up cell failed: {error}")
    task = chapter.task_at(origin)
    name = f"{task.kind} {task.number}: " if task else ""
    return Problem(chapter.file, chapter.cells[origin].first, f"{name}the cell fails: {error}")


def find_chrome() -> None:
    """Raises CourseError when there is no Chrome, which the figures' PNGs need."""
    try:
        from choreographer.browsers.chromium import Chromium  # noqa: PLC0415 - comes with kaleido

        found = Chromium.find_browser(skip_local=False)
    except ImportError:
        raise CourseError(
            "kaleido is not installed, and an author's build needs it for the figures' PNGs: "
            "pip install -e '.[dev]'."
        ) from None
    if not found:
        raise CourseError(
            "no Chrome or Chromium was found, and an author's build needs one for the figures' PNGs: install "
            "one (apt install chromium), or point BROWSER_PATH at it. Learners and tests need none."
        )


def not_reusable(chapter: Chapter, committed: Any | None) -> str:
    """Why the committed solution notebook's outputs can't be kept; empty when they can."""
    if committed is None:
        return "the solution notebook has never been executed (or isn't a notebook)"
    record = record_of(committed)
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    if record.get("code_sha256") != code_sha256(chapter):
        return "the code has changed since the solution notebook was executed: execute it again"
    if len(code) != 1 + sum(cell.kind == "code" for cell in chapter.cells):
        return "cells were added to or taken from the solution notebook by hand: execute it again"
    if record.get("outputs_sha256") != outputs.digest(code):
        return "the solution notebook's outputs were changed since its execution (by hand?): execute it again"
    return ""


def _outputs(executed: Any) -> list[tuple[int | None, list[dict[str, Any]]]]:
    """The count and outputs of each code cell."""
    return [(cell.execution_count, cell.outputs) for cell in executed.cells if cell.cell_type == "code"]


def make_pair(
    chapter: Chapter,
    files: Files,
    root: Path,
    address: Address,
    results: Sequence[tuple[int | None, list[dict[str, Any]]]],
) -> Pair:
    """Both notebooks from the source and the outputs of its execution, with what is wrong with them.

    Args:
        results: count and outputs of each code cell of the solution notebook, the set-up cell's first.
    """
    cells = solution_cells(chapter, address)
    solution = unexecuted(chapter, address)
    code = [cell for cell in solution.cells if cell.cell_type == "code"]
    for node, (count, shown) in zip(code, results, strict=True):
        node.execution_count, node.outputs = count, outputs.as_nodes(shown)
    digest = outputs.digest(code)
    solution.metadata.sae_course = _record(chapter, "solution", digest)
    by_origin = {
        cell.origin: node.outputs
        for cell, node in zip(cells, solution.cells, strict=True)
        if cell.kind == "code" and cell.origin is not None
    }
    shown_cells = exercise_cells(chapter, address, by_origin)
    pair = Pair(chapter, files, solution, notebook(shown_cells, _record(chapter, "exercise", digest)))
    pair.problems += leaks.problems(chapter, shown_cells)
    for cell, node in zip(cells, solution.cells, strict=True):
        if cell.kind == "code":
            line = chapter.cells[cell.origin].first if cell.origin is not None else 1
            pair.problems += output_problems(chapter, line, node.outputs, root)
    size = len(text_of(solution).encode())
    if size > LARGEST:
        message = (
            f"the executed notebook has {size / 1e6:.1f} MB, and at most {LARGEST / 1e6:.0f} are allowed: "
            f"{_big(cells, solution, chapter)}"
        )
        pair.problems.append(Problem(f"solutions/{files.solution.name}", 0, message))
    return pair


def output_problems(chapter: Chapter, line: int, shown: list[dict[str, Any]], root: Path) -> list[Problem]:
    """What must not be published in a cell's outputs.

    Args:
        line: of the cell, in the source.
        root: the project's folder, a machine path like any other.
    """
    found = {}
    again = f"then `sae-course build --execute {chapter.number}`"
    for output in shown:
        parts = {
            key: value
            for key, value in output.items()
            if key in ("text", "data", "ename", "evalue", "traceback")
        }
        for text in privacy.texts(parts):
            for finding in privacy.find(outputs.plain(text), str(root)):
                cause = "a warning or a stack trace? Mend its cause" if finding.path else "print no secrets"
                found[finding.what] = f"the cell's output holds {finding.what}: {cause}, {again}"
            if "BEGIN SOLUTION" in text or "END SOLUTION" in text:
                found["marker"] = (
                    f"the cell's output holds a solution marker: don't print source code, {again}"
                )
    if outputs.pictureless(shown):
        found["picture"] = (
            f"a figure has no PNG, so that GitHub and the exercise notebook can't show it: {again}"
        )
    return [Problem(chapter.file, line, message) for message in found.values()]


def _big(cells: list[Any], solution: Any, chapter: Chapter) -> str:
    """Which cell's outputs are the largest."""
    sizes = [
        (len(str(node.get("outputs", ""))), chapter.cells[cell.origin].first)
        for cell, node in zip(cells, solution.cells, strict=True)
        if cell.origin is not None
    ]
    size, line = max(sizes)
    return f"the cell at {chapter.file}:{line} alone puts out {size / 1e6:.1f}"


def _record(chapter: Chapter, role: str, digest: str) -> dict[str, str]:
    """What is noted in a notebook's metadata."""
    return {
        "code_sha256": code_sha256(chapter),
        "outputs_sha256": digest,
        "role": role,
        "source": chapter.file,
        "source_sha256": chapter.sha256,
    }


def _publish(pair: Pair) -> list[Problem]:
    """Write both notebooks, or return what keeps them from being written."""
    if not pair.problems:
        write_all({pair.files.solution: text_of(pair.solution), pair.files.exercise: text_of(pair.exercise)})
    return pair.problems
