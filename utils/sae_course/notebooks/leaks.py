"""Does an exercise's solution stand anywhere in the exercise notebook but in its folded cell?

Compared are the solution's lines, stripped of comments, white space and a leading ``return`` or ``name =``
(so that a later ``loss = x.mean()`` gives away ``return x.mean()``). A line counts when at least `SHORTEST`
characters are left: ``loss.backward()``, ``return x`` or ``for i in range(n):`` are common to any two pieces
of code and say nothing, and neither do the longer ones of `_COMMON`. A cell gives a solution away when the
lines that it shares with it hold at least half of the solution's counted characters; one shared line among
several long ones does not.

Not looked at: folded solutions (of any exercise), and of an exercise's own hints only those that hold
all of a solution of two or more counted lines: a hint may show a line.
"""

import re
from collections.abc import Iterator

from .render import Made
from .source import Chapter, Problem, Task, blocks

SHORTEST = 16
_TARGET = re.compile(r"^(?:return\b|yield\b|[A-Za-z_][\w.,\s\[\]]*(?::[^=]+)?[-+*/@|&]?=(?!=))\s*")
_COMMON = re.compile(
    r"\s*(?:import |from |def |class |with torch\.(?:no_grad|inference_mode)|@)"
    r"|\s*[\w.]+\.(?:zero_grad|backward|step|train|eval|manual_seed|show|append)\([^()]*\)\s*$"
)
_COMMENT = re.compile(r"\s+#\s.*$|^\s*#.*$")


def problems(chapter: Chapter, cells: list[Made]) -> Iterator[Problem]:
    """Each cell of the exercise notebook that gives a solution away."""
    squashed = ["".join(cell.source.split()) for cell in cells]
    for task in chapter.tasks:
        for index in range(task.start, task.stop):
            for block in blocks(chapter.cells[index].source) if chapter.cells[index].kind == "code" else []:
                keys = _keys(block.text)
                for cell, text in zip(cells, squashed, strict=True):
                    if _gives_away(keys, cell, text, task):
                        yield _problem(chapter, task, cell, chapter.cells[index].first + block.begin)


def _gives_away(keys: set[str], cell: Made, text: str, task: Task) -> bool:
    if not keys or cell.role in ("solution", "setup"):
        return False
    shared = {key for key in keys if key in text}
    if cell.role == "hint" and cell.task == task:
        return len(keys) > 1 and shared == keys
    return 2 * sum(map(len, shared)) >= sum(map(len, keys))


def _problem(chapter: Chapter, task: Task, cell: Made, line: int) -> Problem:
    if cell.role == "expected":
        number = f" of exercise {cell.task.number}" if cell.task else ""
        where, line_there = f"the expected output{number}", line
    else:
        line_there = chapter.cells[cell.origin].line if cell.origin is not None else line
        where = f"this {cell.role or cell.kind} cell"
    return Problem(
        chapter.file,
        line_there,
        f"{where} gives away the solution of exercise {task.number} (line {line}) in the exercise notebook",
    )


def _keys(code: str) -> set[str]:
    """The lines of a solution that count, squashed."""
    lines = (_COMMENT.sub("", line).strip() for line in code.split("\n") if not _is_common(line))
    keys = ("".join(_TARGET.sub("", line).split()) for line in lines)
    return {key for key in keys if len(key) >= SHORTEST}


def _is_common(line: str) -> bool:
    """Lines that any code may share, however long: openings, and the steps of any training loop."""
    return _COMMON.match(line) is not None
