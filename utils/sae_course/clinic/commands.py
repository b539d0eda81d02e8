"""``sae-course clinic``: diagnose a run, make new patients for a workshop, record the clinic's own."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..runtime import CourseError, home

if TYPE_CHECKING:
    from ..runs import Run

_STOPPED = "Stopped. The same command goes on where it was."


@click.group()
def clinic() -> None:
    """Training runs that went wrong: diagnose one, or make new ones for a workshop."""


@clinic.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--healthy",
    multiple=True,
    metavar="PATH",
    help="A sound run of the same model and data, to compare with. May be repeated: the mean is taken.",
)
@click.option("--run", "name", metavar="NAME", help="Which run, where a W&B export holds several.")
def diagnose(paths: tuple[str, ...], healthy: tuple[str, ...], name: str | None) -> None:
    """Say what is wrong with a run, from its curves alone, or "not sure".

    PATH is a run folder, the name of a run that is kept here, or W&B exports (.csv, .json; several are one
    run's charts). docs/clinic.md says how it is judged.
    """
    from .doctor import NOT_SURE  # noqa: PLC0415 - `sae-course --help` stays instant
    from .doctor import diagnose as judge  # noqa: PLC0415
    from .reference import reference  # noqa: PLC0415

    run = _load(paths, name)
    if healthy:
        sound, words = tuple(_load((path,), None) for path in healthy), ", ".join(healthy)
        if unfinished := [one.name for one in sound if one.status != "finished"]:
            raise CourseError(f"{unfinished[0]} is unfinished: a run to compare with has to be finished.")
    else:
        beside = reference(run)
        sound, words = ((), "") if beside is None else (beside.runs, beside.words)
    opinion = judge(run, sound or None)
    click.echo(f"{run.name}, beside {words}" if words else run.name)
    click.echo(str(opinion))
    if run.status != "finished":
        click.echo("The run is unfinished: this is about what it has recorded so far.")
    if opinion.cause == NOT_SURE and (missing := _missing(run)):
        click.echo(f"It lacks {', '.join(missing)}.")
    if not sound:
        click.echo(
            "Without a healthy run, signs that compare with one are left out, and the others' bounds are "
            "those of the clinic's small model: give a sound run of the same model and data with --healthy."
        )


@clinic.command()
@click.option("--seed", type=int, required=True, help="The same seed gives the same patients.")
@click.option("--folder", type=click.Path(path_type=Path), help="For the patients; ./clinic-SEED.")
@click.option("--patients", type=int, default=6, show_default=True, help="How many, 1 to 12.")
@click.option("--kinds", metavar='"A,B"', help="Draw from these causes only (docs/clinic.md lists them).")
@click.option("--answers", type=click.Path(path_type=Path), help="For the answers, outside it.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at once; one per core if not given.")
def new(
    seed: int,
    folder: Path | None,
    *,
    patients: int,
    kinds: str | None,
    answers: Path | None,
    jobs: int | None,
) -> None:
    """Train new patients for a workshop, and a healthy run beside them.

    Their causes are drawn from the seed. Their folders show curves and histograms and nothing else; the
    answers go into a file apart. Stopped at any moment, the same command goes on.
    """
    from .new import new_patients  # noqa: PLC0415 - `sae-course --help` stays instant

    chosen = () if kinds is None else tuple(kind.strip() for kind in kinds.split(","))
    try:
        made = new_patients(seed, folder, patients=patients, kinds=chosen, answers=answers, jobs=jobs)
    except KeyboardInterrupt:
        raise CourseError(_STOPPED) from None
    click.echo(str(made))


@clinic.command()
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at once; one per core if not given.")
def record(jobs: int | None) -> None:
    """Train the clinic's own runs anew: about an hour. For those who change them.

    Stopped at any moment, the same command goes on.
    """
    import os  # noqa: PLC0415

    from .record import record as record_all  # noqa: PLC0415 - `sae-course --help` stays instant

    try:
        folder = record_all(jobs)
    except KeyboardInterrupt:
        raise CourseError(_STOPPED) from None
    click.echo(f"Recorded in {os.path.relpath(folder)}.")


def _load(paths: tuple[str, ...], name: str | None) -> "Run":
    """The run in a folder, or in the files of a W&B export."""
    from ..runs import Run, import_wandb  # noqa: PLC0415
    from ..runs.files import HISTOGRAMS, METRICS, RUN  # noqa: PLC0415

    places = [Path(path) for path in paths]
    if all(one.suffix in (".csv", ".json") and one.name != RUN and not one.is_dir() for one in places):
        return import_wandb(places, name)
    if len(places) > 1:
        raise CourseError("One run at a time: a run folder, or files that W&B exported (.csv, .json).")
    place = places[0]
    if place.is_file():
        if place.name not in (RUN, METRICS, HISTOGRAMS):
            raise CourseError(f"{place} is neither a run folder nor a file that W&B exported (.csv, .json).")
        place = place.parent
    kept = home() / "runs" / place
    return Run.load(kept if not place.exists() and kept.is_dir() else place)


NEEDED = (
    "metrics/l0",
    "metrics/explained_variance",
    "losses/mse_loss",
    "sparsity/dead_features",
    "sparsity.l0",
    "model_performance_preservation.ce_loss_without_sae",
    "model_performance_preservation.ce_loss_with_ablation",
    "reconstruction_quality.explained_variance",
    "reconstruction_quality.mse",
    "shrinkage.l2_norm_in",
)
"""Metrics that the doctor reads, of any architecture."""
_DENSITIES = "plots/feature_density_line_chart"


def _missing(run: "Run") -> list[str]:
    """What the doctor would read, and the run didn't record, or not often enough for a curve's shape."""
    missing = [name for name in NEEDED if name not in run.metrics]
    if "losses/mse_loss" in run.metrics and run.metrics["losses/mse_loss"].count() < 10:
        missing.append("losses/mse_loss at 10 steps")
    return missing + [f"the histogram {_DENSITIES}"] * (_DENSITIES not in run.histogram_names)
