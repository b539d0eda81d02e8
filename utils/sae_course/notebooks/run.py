"""``sae-course run``: execute the solutions, and report."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime import write_atomic
from . import outputs, pages
from .build import failure_problem, load, unexecuted
from .execute import execute
from .files import text_of
from .progress import CellProgress
from .render import solution_cells
from .source import Chapter, Malformed, Problem, heading
from .template import Address


@dataclass(frozen=True)
class Result:
    """A chapter's run."""

    name: str
    """``01_toy_superposition``."""
    title: str
    """``Chapter 01: toy superposition``."""
    seconds: float
    cells: int
    """Code cells that ran."""
    total: int
    """Code cells that there are."""
    peak_bytes: int
    headline: str
    """The first line that the chapter's headline cell printed."""
    error: str = ""
    """Where and why it stopped; empty when it ran to its end."""

    @property
    def memory(self) -> str:
        """The kernel's peak memory; a dash where it isn't known."""
        return f"{self.peak_bytes / 1e9:.2f} GB" if self.peak_bytes else "–"


def load_all(sources: list[Path], root: Path) -> list[Chapter]:
    """All chapters.

    Raises:
        Malformed: with the problems of all of them.
    """
    chapters: list[Chapter] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            chapters.append(load(source, root))
        except Malformed as error:
            problems += error.problems
    if problems:
        raise Malformed(problems)
    return chapters


def prepare(output: Path) -> None:
    """Make the output folder and what all pages share, so that a folder that can't be written fails at once.

    Raises:
        CourseError: when it can't be written.
    """
    pages.write_plotly(output)


@dataclass(frozen=True)
class How:
    """How chapters are run."""

    scale: str = "mini"
    smoke: bool = False
    """A few steps of everything, and at full scale the chapter's published SAEs measured at its end."""

    @property
    def environment(self) -> dict[str, str]:
        """For the kernel."""
        return {"SAE_COURSE_SCALE": self.scale, "SAE_COURSE_SMOKE": "1" if self.smoke else ""}


_USUAL = How()


def run_chapter(
    chapter: Chapter,
    root: Path,
    address: Address,
    output: Path,
    progress: CellProgress,
    *,
    how: How = _USUAL,
) -> Result:
    """Execute a chapter's solution; write the executed notebook and its page to ``output``.

    A chapter that fails is a result like any other.
    """
    cells = solution_cells(chapter, address)
    made = unexecuted(chapter, address)
    if how.smoke and how.scale == "full":
        made.cells += _published(chapter)
    total = sum(cell.cell_type == "code" for cell in made.cells)
    progress.start(total)
    environment = how.environment | {"SAE_COURSE_RENDERER": "plotly_mimetype"}
    ran = execute(made, root / "solutions", environment, progress)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = outputs.as_nodes(outputs.cleaned(cell.outputs, cell.execution_count))
    title = heading(chapter.cells[0].source) or chapter.name
    write_atomic(output / "executed" / f"{chapter.name}.ipynb", text_of(made))
    pages.write_page(made, title, output / f"{chapter.name}.html")
    error = ""
    if ran.failure is not None:
        index = ran.failure.index
        error = (
            str(failure_problem(chapter, cells[index].origin, ran.failure.error))
            if index < len(cells)
            else f"its published SAEs: {ran.failure.error}"
        )
    return Result(chapter.name, title, ran.seconds, ran.cells, total, ran.peak_bytes, _headline(made), error)


def _published(chapter: Chapter) -> list[Any]:
    """Cells that load, attach and measure the chapter's published SAEs, on the chapter's own model."""
    from nbformat.v4 import new_code_cell  # noqa: PLC0415

    from ..training.published import of_chapter  # noqa: PLC0415

    return [
        new_code_cell(
            "from sae_course.training.published import measure_published\n"
            f'measure_published("{preset}", globals().get("model"), rows=2)'
        )
        for preset in of_chapter(chapter.number)
    ]


def _headline(notebook: Any) -> str:
    """The first line printed by the cell with the tag ``headline``."""
    return next((line.strip() for line in _printed(notebook) if line.strip()), "")


def _printed(notebook: Any) -> Iterator[str]:
    for cell in notebook.cells:
        if "headline" in cell.metadata.get("tags", []):
            for output in cell.get("outputs", []):
                if output["output_type"] == "stream" and output["name"] == "stdout":
                    yield from outputs.plain(output["text"]).split("\n")


def table(results: list[Result]) -> Any:
    """The results as a table for the terminal."""
    from rich.table import Table  # noqa: PLC0415 - `--help` stays instant
    from rich.text import Text  # noqa: PLC0415

    shown = Table()
    for name in ("chapter", "seconds", "cells", "peak memory"):
        shown.add_column(name, justify="left" if name == "chapter" else "right")
    shown.add_column("result", overflow="fold")
    for result in results:
        outcome = Text(f"✘ {result.error}", style="red") if result.error else Text(result.headline or "✔")
        cells = str(result.cells) if result.cells == result.total else f"{result.cells} of {result.total}"
        shown.add_row(Text(result.title), f"{result.seconds:.0f}", cells, result.memory, outcome)
    return shown
