"""``sae-course build`` and ``sae-course run``: click's side of them."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from ..runtime import CourseError, project_root
from ..runtime.session import Scale, smoke_asked_for
from .source import Malformed, Problem

if TYPE_CHECKING:
    from .template import Address


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
    _require("jupytext", "nbgrader")
    root = project_root()
    paths = files.sources(root, chapters)
    address = template.read_address(root)
    if address.note:
        click.echo(address.note)
    malformed: list[Problem] = []
    refused: list[Problem] = [] if chapters else files.strays(root)
    done = 0
    try:
        for path in paths:
            try:
                found = _one(path, root, address, check, execute)
            except Malformed as error:
                malformed += error.problems
            else:
                refused += found
                done += not found
    except KeyboardInterrupt:
        click.echo(
            f"stopped: {done} of {len(paths)} chapters were finished, and the rest are as before.", err=True
        )
        sys.exit(2)
    if not (chapters or malformed or refused):
        from . import readme  # noqa: PLC0415
        from .build import load  # noqa: PLC0415

        loaded = [load(path, root) for path in paths]
        if check:
            refused += readme.verify_readme(root, loaded, address)
        else:
            readme.write_readme(root, loaded, address)
    for problem in malformed + refused:
        click.echo(str(problem), err=True)
    if malformed or refused:
        sys.exit(2 if malformed else 1)
    chapters_ = "1 chapter" if len(paths) == 1 else f"{len(paths)} chapters"
    click.echo(f"✔ {chapters_} {'checked' if check else 'built'}")


def _require(*modules: str) -> None:
    """Say in one line what a learner's environment lacks to build or run all chapters."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise CourseError(
            f"{' and '.join(missing)} not installed, which building and running chapters need: "
            "pip install -e '.[dev]' in the course's folder, or `make run`, which makes the environment."
        )


def _one(path: Path, root: Path, address: "Address", check: bool, execute: bool) -> list[Problem]:
    """Build or check one chapter; what is wrong with it."""
    from . import build as builder  # noqa: PLC0415
    from . import verify  # noqa: PLC0415
    from .progress import cell_progress  # noqa: PLC0415

    if check:
        return verify.verify(path, root, address)
    if not execute:
        return builder.build(path, root, address)
    with cell_progress(path.stem) as progress:
        return builder.build_executed(path, root, address, progress)


@click.command()
@click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where the pages and executed notebooks go; build/ in the course's folder if not given.",
)
@click.option("--scale", help="mini or full; SAE_COURSE_SCALE if not given, and mini without.")
@click.option(
    "--smoke", is_flag=True, help="A few steps of everything: does it run here? No result means anything."
)
def run(chapters: tuple[str, ...], output: Path | None, scale: str | None, smoke: bool) -> None:
    """Execute the solutions of all chapters, or of CHAPTER (03 for 03a and 03b), and report in HTML.

    Before a long session on a rented machine: --scale full --smoke, which also measures the chapter's
    published SAEs. Nobody's progress is touched.
    """
    from rich.console import Console  # noqa: PLC0415 - `--help` stays instant

    from . import files, pages, template  # noqa: PLC0415
    from . import run as runner  # noqa: PLC0415
    from .progress import cell_progress  # noqa: PLC0415

    _require("jupytext", "nbclient", "nbconvert")
    root = project_root()
    paths = files.sources(root, chapters)
    folder = output or root / ("build/smoke" if smoke else "build")
    scale = scale or os.environ.get("SAE_COURSE_SCALE") or "mini"
    if scale not in get_args(Scale):
        raise CourseError(f"there is no scale {scale!r}: use mini or full.")
    how = runner.How(scale, smoke or smoke_asked_for())
    results: list[runner.Result] = []
    try:
        loaded = runner.load_all(paths, root)
        runner.prepare(folder)
        address = template.read_address(root)
        for chapter in loaded:
            with cell_progress(chapter.name) as progress:
                results.append(runner.run_chapter(chapter, root, address, folder, progress, how=how))
        pages.write_report(results, folder / "report.html")
    except Malformed as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo(f"stopped: {len(results)} of {len(paths)} chapters were run to their end.", err=True)
        sys.exit(2)
    Console().print(runner.table(results))
    click.echo(f"report: {folder / 'report.html'}")
    if any(result.error for result in results):
        sys.exit(1)
