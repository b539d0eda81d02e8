"""A progress bar over a notebook's cells, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def cell_progress(name: str) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """A bar for the notebook ``name``: ``(on_start(number of code cells), on_cell(number done))``."""
    from rich.console import Console  # noqa: PLC0415 - `--help` stays instant
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)

        def on_start(total: int) -> None:
            bar.update(task, total=total)

        def on_cell(done: int) -> None:
            bar.update(task, completed=done)

        yield on_start, on_cell
