"""``sae-course progress``."""

import click


@click.command("progress")
@click.option("--chapter", metavar="NN", default="", help="Only this chapter, such as 01 or 02a.")
@click.option("--reset", is_flag=True, help="Forget what was tried and solved; a copy of the file is kept.")
@click.option("--yes", is_flag=True, help="Don't ask before forgetting.")
def progress(chapter: str, reset: bool, yes: bool) -> None:
    """Show which exercises are solved, tried and left, with minutes."""
    from . import progress as room  # noqa: PLC0415 - `sae-course --help` stays instant

    found = room.progress()
    if chapter:
        found = found.only(chapter)
        chapter = found.chapters[0].chapter
    if not reset:
        _show(found)
        return
    what = f"of chapter {chapter}" if chapter else "of all chapters"
    if not yes and not click.confirm(f"Forget all attempts at the exercises {what}?"):
        click.echo("Nothing was changed.")
        return
    count, copy = room.reset(chapter)
    exercises = "1 exercise" if count == 1 else f"{count} exercises"
    click.echo(
        f"{exercises} forgotten; the file as it was: {copy}" if copy else "There was nothing to forget."
    )


def _show(found: object) -> None:
    """As a table, coloured in a terminal, as wide as it needs in a file."""
    import sys  # noqa: PLC0415

    if sys.stdout.isatty():
        from rich import print as rich_print  # noqa: PLC0415

        rich_print(found)
    else:
        click.echo(str(found))
