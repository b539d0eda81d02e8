"""``sae-course runs``: what was trained here."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..runtime import CourseError, home, write_atomic

if TYPE_CHECKING:
    from .listing import Runs


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the curves of these runs as one HTML page, which needs no network.",
)
def runs(names: tuple[str, ...], page: Path | None) -> None:
    """List the runs trained here, show one, or compare several (by name or folder)."""
    from . import Run, compare, list_runs  # noqa: PLC0415 - `sae-course --help` stays instant

    folder = home() / "runs"
    if not names:
        if page:
            raise CourseError("--page needs the names of the runs to draw.")
        found = list_runs(folder) if folder.is_dir() else ()
        if found:
            _list(found, folder)
        else:
            click.echo(f"No run is kept in {folder} yet: sae-course train tinystories makes one.")
        return
    chosen = [Run.load(folder / name if (folder / name).exists() else Path(name)) for name in names]
    comparison = compare(*chosen)
    click.echo(str(chosen[0] if len(chosen) == 1 else comparison))
    if page:
        write_atomic(page, comparison.page())
        click.echo(f"Written to {page}.")


def _list(found: "Runs", folder: Path) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from .metrics import MAIN, short  # noqa: PLC0415
    from .view import number  # noqa: PLC0415

    table = Table("run", "status", *map(short, MAIN), title=f"runs in {folder}")
    for run in found:
        name = run.name if run.folder is None else run.folder.relative_to(folder).as_posix()
        table.add_row(name, run.status, *(number(run.final.get(key, float("nan"))) for key in MAIN))
    console = Console()
    if not console.is_terminal:  # a file has no width to fit
        console.width = 160
    console.print(table)
    for words in found.unreadable:
        click.echo(f"✘ {words}")
