"""What the builder refuses in a chapter's source, each with file and line."""

import ast
import re
from collections.abc import Iterator

from . import privacy
from .clear import cleared
from .source import (
    FILE_NAME,
    Cell,
    Chapter,
    Problem,
    Task,
    blocks,
    heading,
    is_begin,
    is_end,
    task_kind,
)

TAGS = {
    "hint": "markdown",
    "answer": "markdown",
    "expected": "code",
    "fold": "code",
    "headline": "code",
    "raises-exception": "code",
    "skip-execution": "code",
}
NUMBERS = ("difficulty", "importance", "minutes")
_METADATA = {"exercise", "question", "tags", *NUMBERS}
_LOOKS_LIKE_MARKER = re.compile(r"(BEGIN|END)\s+SOLUTION", re.IGNORECASE)


def problems(chapter: Chapter) -> list[Problem]:
    """Everything that is wrong with the source; empty when it can be built."""
    found = list(chapter.problems)

    def add(line: int, message: str) -> None:
        found.append(Problem(chapter.file, line, message))

    if not FILE_NAME.fullmatch(chapter.name):
        add(0, "a chapter's file is called NN_name.py or NNa_name.py, in small letters")
    if found:
        return found
    first = chapter.cells[0] if chapter.cells else None
    if first is None or first.kind != "markdown" or not first.source.startswith("# "):
        add(first.line if first else 1, "the first cell must be Markdown and start with the title, '# …'")
    for index, cell in enumerate(chapter.cells):
        for line, message in _cell_problems(cell, chapter.task_at(index)):
            add(line, message)
    seen: dict[tuple[str, str], int] = {}
    for task in chapter.tasks:
        line = chapter.cells[task.start].line
        for where, message in _task_problems(chapter, task):
            add(where, message)
        if (earlier := seen.setdefault((task.kind, task.number), line)) != line:
            add(line, f"{task.kind} {task.number} is already at line {earlier}")
    return sorted(set(found))


def _cell_problems(cell: Cell, task: Task | None) -> Iterator[tuple[int, str]]:
    yield from _metadata_problems(cell)
    if cell.kind == "raw":
        yield cell.line, "a raw cell, which has no place in a chapter"
    if not cell.source.strip():
        yield cell.line, "an empty cell"
    for tag in ("hint", "answer"):
        if tag in cell.tags and task is None:
            yield cell.line, f"a cell with the tag {tag!r} outside an exercise or question"
    marked = list(_marker_problems(cell, task))
    yield from marked
    if cell.kind == "code" and not marked:
        yield from _syntax_problems(cell, task)
    for finding in privacy.find(cell.source):
        yield cell.first + finding.line, f"{finding.what} must not be published: remove it from the source"


def _metadata_problems(cell: Cell) -> Iterator[tuple[int, str]]:
    bad = cell.metadata.get("incorrectly_encoded_metadata") or cell.metadata.get("title")
    unknown = sorted(set(cell.metadata) - _METADATA)
    if bad is not None:
        yield cell.line, f'cell metadata {bad!r} can\'t be read: write key="text", key=3 or tags=["a"]'
    elif unknown:
        yield (
            cell.line,
            f"unknown cell metadata {', '.join(unknown)}: there are {', '.join(sorted(_METADATA))}",
        )
    if "tags" in cell.metadata and not cell.tags:
        yield cell.line, f'tags must be a list of names such as ["hint"], not {cell.metadata["tags"]!r}'
    for tag in cell.tags:
        if tag not in TAGS:
            yield cell.line, f"unknown tag {tag!r}: there are {', '.join(TAGS)}"
        elif cell.kind != TAGS[tag]:
            yield cell.line, f"the tag {tag!r} belongs on a {TAGS[tag]} cell, and this is a {cell.kind} cell"
    kind = task_kind(cell)
    if kind is not None:
        yield from _header_problems(cell, f"{kind} {cell.metadata[kind]}")
    for name in NUMBERS:
        if kind is None and name in cell.metadata:
            yield cell.line, f'{name} without exercise="…" or question="…"'


def _header_problems(cell: Cell, task: str) -> Iterator[tuple[int, str]]:
    if "exercise" in cell.metadata and "question" in cell.metadata:
        yield cell.line, "a cell is the header of an exercise or of a question, not of both"
    if cell.kind != "markdown":
        yield cell.line, f"the header of {task} must be a Markdown cell"
    for name in NUMBERS:
        value, most = cell.metadata.get(name), 90 if name == "minutes" else 5
        if name not in cell.metadata:
            yield cell.line, f"{task} has no {name}"
        elif type(value) is not int or not 1 <= value <= most:
            yield cell.line, f"{task}: {name} is {value!r}, and must be from 1 to {most}"


def _marker_problems(cell: Cell, task: Task | None) -> Iterator[tuple[int, str]]:
    opened: int | None = None
    for number, line in enumerate(cell.source.split("\n"), cell.first):
        if not _LOOKS_LIKE_MARKER.search(line):
            continue
        if cell.kind != "code":
            yield number, "a solution marker outside a code cell"
        elif is_begin(line):
            if opened is not None:
                yield number, f"BEGIN SOLUTION inside the solution that begins at line {opened}"
            if task is None or task.kind != "exercise":
                yield (
                    number,
                    "a solution outside an exercise (which ends at a heading or with its hints)",
                )
            opened = number
        elif is_end(line):
            if opened is None:
                yield number, "END SOLUTION without BEGIN SOLUTION"
            opened = None
        else:
            yield (
                number,
                "a solution marker must be alone on its line, as ### BEGIN SOLUTION or ### END SOLUTION",
            )
    if opened is not None:
        yield opened, "BEGIN SOLUTION without END SOLUTION in the same cell"
    for block in blocks(cell.source) if cell.kind == "code" else []:
        if not any(line.strip() and not line.strip().startswith("#") for line in block.text.split("\n")):
            yield cell.first + block.begin, "a solution without code"


def _syntax_problems(cell: Cell, task: Task | None) -> Iterator[tuple[int, str]]:
    """Both versions must be Python. A cell with IPython magics is left to IPython."""
    if re.search(r"(?m)^\s*[%!]|\?\s*$", cell.source):
        return
    try:
        # The markers are comments: parsed with them, so that the line numbers are the source's.
        ast.parse(cell.source)
    except SyntaxError as error:
        yield cell.first + (error.lineno or 1) - 1, f"not valid Python: {error.msg}"
        return
    if task is not None and blocks(cell.source):
        try:
            ast.parse(cleared(cell.source, task.title))
        except SyntaxError as error:
            line = cell.first + blocks(cell.source)[0].begin
            yield line, f"with its solution taken out, the cell is not valid Python: {error.msg}"


def _task_problems(chapter: Chapter, task: Task) -> Iterator[tuple[int, str]]:
    header, cells = chapter.cells[task.start], chapter.cells[task.start + 1 : task.stop]
    name = f"{task.kind} {task.number}"
    pattern, example = (r"\d+", "3") if task.kind == "exercise" else (r"[A-Z]", "A")
    if not re.fullmatch(rf"{re.escape(chapter.short)}\.{pattern}", task.number):
        yield (
            header.line,
            f"{name}: in chapter {chapter.number} it must be numbered like {chapter.short}.{example}",
        )
    start = f"{task.kind.capitalize()} {task.number}: "
    if not header.source.startswith("#") or not (heading(header.source) or "").startswith(start):
        yield header.line, f"{name}: its cell must start with the heading '### {start}…'"
    answered = any("answer" in cell.tags for cell in cells)
    if task.kind == "question":
        if not answered:
            yield header.line, f'{name} has no answer: a Markdown cell with tags=["answer"] after it'
        return
    code = [cell for cell in cells if cell.kind == "code"]
    if not answered and not any(_calls_check(cleared_or_source(cell, task)) for cell in code):
        yield (
            header.line,
            f"{name} has neither a check (a call check.…(…) outside the solution) nor an answered question",
        )
    if not answered and not any(blocks(cell.source) for cell in code):
        yield header.line, f"{name} has no solution: mark it with ### BEGIN SOLUTION and ### END SOLUTION"


def cleared_or_source(cell: Cell, task: Task) -> str:
    """The exercise's version of the cell; the source itself where its markers are unsound."""
    return cell.source if list(_marker_problems(cell, task)) else cleared(cell.source, task.title)


def _calls_check(source: str) -> bool:
    """Whether the code calls a function of the check module (not in a comment or a string)."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return re.search(r"(?m)^\s*check\.\w+\(", source) is not None
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "check"
        for node in ast.walk(tree)
    )
