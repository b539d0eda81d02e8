"""``sae-course prefetch``: click's side of it."""

import sys
from pathlib import Path

import click

from .reads import chapters as all_chapters
from .reads import numbers, together


def _usual_rows() -> str:
    """How many rows the chapters read, and what that is at most, for the help."""
    from ...models.names import MODELS  # noqa: PLC0415
    from .wanted import Rows, amount  # noqa: PLC0415

    shown = []
    for number in ("03", "05", "06", "07"):
        most = max((one for one in together(numbers((number,)))), key=lambda one: one.rows)
        rows = Rows(MODELS[most.model], most.rows)
        shown.append(f"{number} {rows.rows:,} ({amount(rows.bytes)})")
    return "; ".join(shown)


@click.command()
@click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")
@click.option(
    "--rows",
    type=int,
    metavar="N",
    help="Rows of each chapter's tokens, the 2,000 of the test split included. If not given, all that its "
    f"notebook reads: {_usual_rows()}, at most.",
)
@click.option("--dry-run", is_flag=True, help="Only say what there is to fetch.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make a folder to carry to a room without a network, too.",
)
@click.option("--no-wheels", is_flag=True, help="Leave the Python packages out of the bundle.")
@click.option(
    "--verify",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Check a bundle against its manifest; exit code 1 if something differs.",
)
def prefetch(
    chapters: tuple[str, ...],
    *,
    rows: int | None,
    dry_run: bool,
    bundle: Path | None,
    no_wheels: bool,
    verify: Path | None,
) -> None:
    """Fetch what chapters read at full scale: models, published SAEs, tokens. All chapters if none is named.

    Interrupted, the same command goes on. Afterwards they run without a network, with HF_HUB_OFFLINE=1.
    """
    if verify is not None:
        if chapters or bundle or rows or dry_run:
            raise click.UsageError("--verify DIR stands alone.")
        _verify(verify)
        return
    if no_wheels and bundle is None:
        raise click.UsageError("--no-wheels is for a bundle: give --bundle DIR too.")
    chosen = numbers(chapters)
    together(chosen, rows)
    from .bundle import make, refuse_existing  # noqa: PLC0415
    from .fetch import fetch  # noqa: PLC0415
    from .wanted import amount, wanted  # noqa: PLC0415

    if bundle is not None:
        refuse_existing(bundle.absolute())
    if nothing := [number for number in chosen if not all_chapters()[number]]:
        click.echo(f"nothing to fetch for {', '.join(nothing)}: no published model is read there.")
    found = wanted(chosen, rows)
    if found:
        click.echo(str(found))
        click.echo(_room(amount(found.missing_files), amount(found.missing_rows)))
    if dry_run:
        return
    if found:
        fetch(found, click.echo)
        click.echo("Everything is here.")
    if bundle is not None:
        make(bundle, found, chosen, wheels=not no_wheels, show=click.echo)
        click.echo(f"The bundle is {bundle}: see {bundle / 'README.txt'}.")


def _room(files: str, rows: str) -> str:
    import shutil  # noqa: PLC0415

    from ...runtime import home  # noqa: PLC0415
    from .fetch import cache  # noqa: PLC0415
    from .wanted import amount  # noqa: PLC0415

    lines = []
    for what, size, folder in (("models", files, cache()), ("tokens", rows, home())):
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        lines.append(f"{what}: {size} to fetch to {folder}, {amount(shutil.disk_usage(there).free)} free")
    return "\n".join(lines)


def _verify(folder: Path) -> None:
    from .manifest import faults  # noqa: PLC0415

    found = faults(folder)
    for line in found:
        click.echo(line)
    if found:
        click.echo(f"{len(found)} files are not as they were made.")
        sys.exit(1)
    click.echo("Everything is as it was made.")
