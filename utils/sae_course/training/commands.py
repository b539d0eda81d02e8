"""``sae-course train``, ``preflight`` and ``upload``: a chapter's run from the command line."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..runtime import CourseError

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig


def _configuration(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which configuration is meant."""
    options = (
        click.argument("preset"),
        click.option(
            "--scale", help="mini or full; SAE_COURSE_SCALE, or what the machine has, if not given."
        ),
        click.option(
            "--recipe", default="today", show_default=True, help="today, or seed: the seed course's."
        ),
        click.option("--architecture", help="standard, gated, topk, batchtopk, jumprelu, …"),
        click.option("--layer", type=int, help="Of the hook point."),
        click.option("--device", default="", help="Where to train; chosen if not given."),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="NAME=VALUE",
            help="Any other setting; may be repeated.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_configuration
@click.option("--name", help="Of the run; made from the configuration if not given.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the run is kept.")
def train(name: str | None, folder: Path | None, **settings: Any) -> None:
    """Train an SAE on a language model: tinystories, attn-only-2l, othello, othello-resid or gemma.

    Stopped at any moment, the same command goes on from the last checkpoint.
    """
    cfg = _build(**settings)
    from .describe import describe  # noqa: PLC0415 - `sae-course --help` stays instant
    from .runner import train as train_sae  # noqa: PLC0415

    click.echo(str(describe(cfg)))
    try:
        run = train_sae(cfg, name=name, folder=folder)
    except KeyboardInterrupt:
        raise CourseError("Stopped. The same command goes on from the checkpoint.") from None
    click.echo(str(run))


@click.command()
@_configuration
@click.option("--offline", is_flag=True, help="Only what the configuration itself shows: load nothing.")
def preflight(offline: bool, **settings: Any) -> None:
    """Find what could never work before an hour is lost. Exit code 2 if there is something."""
    cfg = _build(**settings)
    from .preflight import preflight as look  # noqa: PLC0415 - `sae-course --help` stays instant

    report = look(cfg, offline=offline)
    click.echo(str(report))
    sys.exit(0 if report.ok else 2)


@click.command()
@click.argument("run")
@click.argument("repository", metavar="OWNER/NAME")
@click.option(
    "--private/--public",
    default=None,
    help="Of a repository that is made; private if not given.",
)
@click.option("--name", help="Of the SAE in the repository; the run's if not given.")
def upload(run: str, repository: str, private: bool | None, name: str | None) -> None:
    """Put a finished run on the Hugging Face hub: its SAE, which SAELens loads anywhere, and its record.

    RUN is a name that `sae-course runs` shows, a folder, or a run that comes with the course.
    """
    from ..runs import Run  # noqa: PLC0415 - `sae-course --help` stays instant
    from ..runtime import home  # noqa: PLC0415
    from .shipped import RUNS, shipped_run  # noqa: PLC0415
    from .uploading import upload as upload_run  # noqa: PLC0415

    places = [place for place in (home() / "runs" / run, Path(run)) if place.exists()]
    if not places and run not in RUNS:
        raise CourseError(
            f'There is no run "{run}": sae-course runs lists those trained here, and {", ".join(RUNS)} come '
            "with the course."
        )
    found = Run.load(places[0]) if places else shipped_run(run)
    click.echo(str(upload_run(found, repository, name=name, private=private)))


def _build(
    preset: str,
    *,
    scale: str | None,
    recipe: str,
    architecture: str | None,
    layer: int | None,
    device: str,
    changes: tuple[str, ...],
) -> "LanguageModelSAERunnerConfig[Any]":
    import contextlib  # noqa: PLC0415
    import io  # noqa: PLC0415

    from ..runtime import setup  # noqa: PLC0415
    from .presets import preset as build  # noqa: PLC0415 - `sae-course --help` stays instant

    with contextlib.redirect_stdout(io.StringIO()):  # what was chosen stands in the configuration shown
        session = setup(scale=scale, device=device or None)  # type: ignore[arg-type]
    given = dict(setting(change) for change in changes)
    return build(preset, session.scale, recipe, layer=layer, architecture=architecture, **given)


def setting(text: str) -> tuple[str, Any]:
    """``lr=1e-3`` as a name and a value: a number, true, false, none, a tuple, or else words."""
    import ast  # noqa: PLC0415

    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise CourseError(f'--set takes NAME=VALUE, such as --set lr=1e-3, not "{text}".')
    words = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return name.strip(), words[value.lower()]
    try:
        return name.strip(), ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name.strip(), value
