"""``sae-course build`` and ``sae-course run``: click's side of them."""

import sys
from pathlib import Path

import click

from ..runtime import CourseError, project_root
from .source import Malformed, Problem


@click.command()
@click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")
@click.option(
    "--check", is_flag=True, help="Write nothing: say what differs from the sources. For CI; takes seconds."
)
@click.option(
    "--execute", is_flag=True, help="Execute the solutions first (an author's step; needs a Chrome)."
)
def build(chapters: tuple[str, ...], check: bool, execute: bool) -> None:
    """Make the notebooks of all chapters, or of CHAPTER (01, 02a, …), from solutions/NN_name.py."""
    from . import files, template  # noqa: PLC0415 - `--help` stays instant

    if check and execute:
        raise CourseError("--check executes nothing: give --check or --execute, not both.")
    root = project_root()
    paths = files.sources(root, chapters)
    address = template.read_address(root)
    if address.note:
        click.echo(address.note)
    malformed: list[Problem] = []
    refused: list[Problem] = [] if chapters else files.strays(root)
    for path in paths:
        try:
            refused += _one(path, root, address, check, execute)
        except Malformed as error:
            malformed += error.problems
    for problem in malformed + refused:
        click.echo(str(problem), err=True)
    if malformed:
        sys.exit(2)
    if refused:
        sys.exit(1)
    chapters_ = "1 chapter" if len(paths) == 1 else f"{len(paths)} chapters"
    click.echo(f"✔ {chapters_} {'checked' if check else 'built'}")


def _one(path: Path, root: Path, address: "object", check: bool, execute: bool) -> list[Problem]:
    """Build or check one chapter; what is wrong with it."""
    from . import build as builder  # noqa: PLC0415
    from . import verify  # noqa: PLC0415
    from .progress import cell_progress  # noqa: PLC0415
    from .template import Address  # noqa: PLC0415

    assert isinstance(address, Address)
    if check:
        return verify.verify(path, root, address)
    if not execute:
        return builder.build(path, root, address)
    with cell_progress(path.stem) as (on_start, on_cell):
        return builder.build_executed(path, root, address, on_start, on_cell)
