"""A progress bar over a notebook's cells, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class CellProgress:
    """Who is told how far a notebook is."""

    start: Callable[[int], None]
    """Called once, with the number of code cells."""
    done: Callable[[int], None]
    """Called after each, with the number of those done."""


SILENT = CellProgress(lambda total: None, lambda done: None)


@contextmanager
def cell_progress(name: str) -> Iterator[CellProgress]:
    """A bar for the notebook ``name``."""
    from rich.console import Console  # noqa: PLC0415 - `--help` stays instant
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(name, total=None)

    def start(total: int) -> None:
        bar.update(task, total=total)
        bar.start()

    try:
        yield CellProgress(start, lambda done: bar.update(task, completed=done))
    finally:
        bar.stop()
