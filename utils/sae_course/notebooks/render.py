"""From a chapter's source to its two notebooks."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from . import outputs
from .clear import cleared
from .outputs import details, fence
from .rules import NUMBERS
from .source import Cell, Chapter, Task, blocks, task_kind, without_markers
from .template import Address, badges, setup_cell

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}


@dataclass
class Made:
    """A cell of a notebook in the making."""

    kind: str
    source: str
    metadata: dict[str, Any]
    origin: int | None = None
    """The index of the source's cell that it was made from; None for the set-up cell and folds."""
    role: str = ""
    """``setup``, ``hint``, ``answer``, ``solution`` or ``expected``; empty for an ordinary cell."""
    task: Task | None = None
    """The exercise or question that it belongs to."""


def solution_cells(chapter: Chapter, address: Address) -> list[Made]:
    """The solution notebook's cells."""
    cells: list[Made] = []
    for index, cell in enumerate(chapter.cells):
        cells.append(_made(chapter, index, cell, without_markers(cell.source), address))
        if index == 0:
            cells.append(_setup(f"solutions/{chapter.name}", address))
    return cells


def exercise_cells(
    chapter: Chapter, address: Address, executed: dict[int, list[dict[str, Any]]]
) -> list[Made]:
    """The exercise notebook's cells.

    Args:
        executed: the outputs of the solution's code cells, by the index of their source's cell.
    """
    cells: list[Made] = []
    for index, cell in enumerate(chapter.cells):
        task = chapter.task_at(index)
        source = cleared(cell.source, task.title) if cell.kind == "code" and task else cell.source
        cells.append(_made(chapter, index, cell, source, address))
        if index == 0:
            cells.append(_setup(f"chapters/{chapter.name}", address))
        if task is not None and task.kind == "exercise":
            if index == _last_of(chapter, task):
                cells += _folds(chapter, task, executed)
        elif "expected" in cell.tags and (shown := outputs.folded(executed.get(index, []))):
            cells.append(Made("markdown", shown, {"tags": ["expected-output"]}, role="expected"))
    return cells


def _made(chapter: Chapter, index: int, cell: Cell, source: str, address: Address) -> Made:
    """A source's cell as both notebooks have it."""
    task = chapter.task_at(index)
    metadata: dict[str, Any] = dict(cell.metadata)
    made = Made(cell.kind, source, metadata, index, task=task)
    if index == 0 and (line := badges(chapter.name, address)):
        title, _, rest = source.partition("\n")
        made.source = f"{title}\n\n{line}\n\n{rest.lstrip(chr(10))}".rstrip("\n")
    if task_kind(cell) is not None:
        made.source = _with_line(cell)
    if "hint" in cell.tags:
        made.role, made.source = "hint", details(_hint_name(chapter, index), source)
    elif "answer" in cell.tags:
        made.role, made.source = "answer", details("Answer", source)
    if "fold" in cell.tags:
        metadata |= {
            "tags": [*cell.tags, "hide-input"],
            "jupyter": {"source_hidden": True},
            "cellView": "form",
        }
    return made


def _setup(notebook: str, address: Address) -> Made:
    """The set-up cell. On Colab it shows as a form, for its one field."""
    metadata = {"cellView": "form", "tags": ["setup"]}
    return Made("code", setup_cell(notebook, address), metadata, role="setup")


def _with_line(cell: Cell) -> str:
    """A header with its line of difficulty, importance and minutes beneath the heading."""
    difficulty, importance, minutes = (cell.metadata[name] for name in NUMBERS)
    dots = [f"{'●' * n}{'○' * (5 - n)}" for n in (difficulty, importance)]
    unit = "minute" if minutes == 1 else "minutes"
    line = f"> Difficulty {dots[0]} · importance {dots[1]} · about {minutes} {unit}"
    heading, _, rest = cell.source.partition("\n")
    return f"{heading}\n\n{line}\n\n{rest.lstrip(chr(10))}".rstrip("\n")


def _hint_name(chapter: Chapter, index: int) -> str:
    """``Hint``, or ``Hint 2`` where there are several."""
    task = chapter.task_at(index)
    span = range(task.start, task.stop) if task else range(index, index + 1)
    hints = [i for i in span if "hint" in chapter.cells[i].tags]
    return "Hint" if len(hints) == 1 else f"Hint {hints.index(index) + 1}"


def _last_of(chapter: Chapter, task: Task) -> int:
    """The cell after which an exercise's solution and expected output stand: its last code cell or hint."""
    span = range(task.start, task.stop)
    return max(
        (i for i in span if chapter.cells[i].kind == "code" or "hint" in chapter.cells[i].tags),
        default=task.start,
    )


def _folds(chapter: Chapter, task: Task, executed: dict[int, list[dict[str, Any]]]) -> list[Made]:
    """An exercise's solution, and what its cells put out."""
    span = [i for i in range(task.start, task.stop) if chapter.cells[i].kind == "code"]
    code = [without_markers(chapter.cells[i].source) for i in span if blocks(chapter.cells[i].source)]
    shown = outputs.folded([output for i in span for output in executed.get(i, [])])
    made = []
    if code:
        text = details("Solution", "\n\n".join(fence(source, "python") for source in code))
        made.append(Made("markdown", text, {"tags": ["solution"]}, role="solution", task=task))
    if shown:
        made.append(Made("markdown", shown, {"tags": ["expected-output"]}, role="expected", task=task))
    return made


def code_sha256(chapter: Chapter) -> str:
    """The SHA-256 of what the solution notebook executes: every code cell, with the tags that change how."""
    code = [setup_cell(f"solutions/{chapter.name}", None)]
    for cell in chapter.cells:
        if cell.kind == "code":
            code += [
                without_markers(cell.source),
                *sorted(set(cell.tags) & {"skip-execution", "raises-exception"}),
            ]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def notebook(cells: list[Made], record: dict[str, str]) -> Any:
    """The cells as a notebook (nbformat 4.5), without outputs.

    Args:
        record: what goes into the metadata under ``sae_course``.
    """
    from nbformat import v4  # noqa: PLC0415 - takes a second

    seen: dict[str, int] = {}
    nodes = []
    for cell in cells:
        make = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell}[cell.kind]
        node = make(cell.source, metadata=cell.metadata, id=_cell_id(cell, seen))
        nodes.append(node)
    metadata = {"kernelspec": KERNELSPEC, "language_info": LANGUAGE, "sae_course": record}
    made = v4.new_notebook(cells=nodes, metadata=metadata)
    made.nbformat, made.nbformat_minor = 4, 5
    return made


def _cell_id(cell: Made, seen: dict[str, int]) -> str:
    """A hash of the cell and of how many equal cells stand before it: an insertion renames no other cell."""
    content = f"{cell.kind}\n{cell.source}"
    occurrence = seen[content] = seen.get(content, 0) + 1
    return hashlib.sha256(f"{occurrence}\n{content}".encode()).hexdigest()[:12]
