"""``sae-course build --check``: are the committed notebooks what the source and its execution make?"""

from pathlib import Path
from typing import Any

from .build import Pair, load, make_pair, not_reusable
from .files import files_of, read_notebook, record_of, text_of
from .source import Problem
from .template import Address


def verify(source: Path, root: Path, address: Address) -> list[Problem]:
    """Everything in a chapter's notebooks that a build would change or refuse. Executes nothing.

    Raises:
        Malformed: for a source that can't be built.
    """
    chapter = load(source, root)
    files = files_of(source, root)
    committed = read_notebook(files.solution)
    if committed is None:
        what = "isn't a notebook" if files.solution.exists() else "is missing"
        message = f"{what}: `sae-course build --execute {chapter.number}`"
        return [Problem(f"solutions/{files.solution.name}", 0, message)]
    if reason := not_reusable(chapter, committed):
        message = f"{reason}: `sae-course build --execute {chapter.number}`"
        return [Problem(f"solutions/{files.solution.name}", 0, message)]
    results = [(cell.execution_count, cell.outputs) for cell in committed.cells if cell.cell_type == "code"]
    pair = make_pair(chapter, files, root, address, results)
    found = list(pair.problems)
    if pair_problem := _compare(pair, "solutions", files.solution, pair.solution):
        found.append(pair_problem)
    if pair_problem := _compare(pair, "chapters", files.exercise, pair.exercise):
        found.append(pair_problem)
    return found


def _compare(pair: Pair, folder: str, path: Path, expected: Any) -> Problem | None:
    """The first difference between a committed notebook and what it should be."""
    file, chapter = f"{folder}/{path.name}", pair.chapter
    again = f"`sae-course build {chapter.number}`"
    if not path.exists():
        return Problem(file, 0, f"is missing: {again}")
    try:
        text = path.read_bytes().decode().replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        return Problem(file, 0, f"can't be read ({error}): {again}")
    if text == text_of(expected):
        return None
    found = read_notebook(path)
    if found is None:
        return Problem(file, 0, f"isn't a notebook: {again}")
    if record_of(found).get("source_sha256") != chapter.sha256:
        return Problem(file, 0, f"was made from another version of {chapter.file}: {again}")
    line = _line_of_difference(text, text_of(expected))
    return Problem(
        file, line, f"differs from what {chapter.file} makes ({_difference(found, expected)}): {again}"
    )


def _line_of_difference(text: str, expected: str) -> int:
    """The first line, from 1, in which two texts differ."""
    lines, wanted = text.split("\n"), expected.split("\n")
    pairs = zip(lines, wanted, strict=False)
    return next((n for n, (a, b) in enumerate(pairs, 1) if a != b), min(len(lines), len(wanted)))


def _difference(found: Any, expected: Any) -> str:
    """What differs, in a few words."""
    for number, (cell, wanted) in enumerate(zip(found.cells, expected.cells, strict=False), 1):
        for part in ("cell_type", "source", "id", "metadata", "outputs", "execution_count", "attachments"):
            if cell.get(part) != wanted.get(part):
                return f"{part.replace('_', ' ')} of cell {number}"
    if len(found.cells) != len(expected.cells):
        return f"{len(found.cells)} cells, not {len(expected.cells)}"
    return "the notebook's metadata" if found.metadata != expected.metadata else "its formatting"
