"""``sae-course sweep``: a grid of presets from the command line."""

import sys
from typing import TYPE_CHECKING, Any

import click

from ...runtime import CourseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grid import Trial


@click.command()
@click.argument("presets", nargs=-1, required=True)
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="NAME=VALUE,…",
    help="A setting and its values; may be repeated. Also architecture, recipe, layer.",
)
@click.option("--seeds", metavar="0,1,…", help="Train each combination with each of these seeds.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="As in train, for all trials.")
@click.option("--name", help="Of the sweep; made from the presets and the grid if not given.")
@click.option("--scale", help="mini or full; SAE_COURSE_SCALE, or what the machine has, if not given.")
@click.option("--recipe", help="today (if not given), or seed: the seed course's.")
@click.option("--architecture", help="standard, gated, topk, batchtopk, jumprelu, …")
@click.option("--layer", type=int, help="Of the hook point.")
@click.option("--device", default="", help="Where to train; chosen if not given.")
@click.option("--workers", type=int, default=0, help="Trials at a time, on a Ray of this machine.")
@click.option("--address", help="Of a Ray cluster: HOST:PORT or ray://HOST:PORT.")
@click.option("--cpus-per-trial", type=int, help="With Ray: threads of each trial.")
@click.option("--gpus-per-trial", type=float, help="With Ray: GPUs of each trial; 1 on cuda if not given.")
@click.option("--retries", type=int, default=5, show_default=True, help="Of a trial that was killed.")
@click.option("--dry-run", is_flag=True, help="Show the trials; train nothing.")
def sweep(  # noqa: PLR0917 - click names them all
    presets: tuple[str, ...],
    name: str | None,
    grids: tuple[str, ...],
    dry_run: bool,
    workers: int,
    address: str | None,
    cpus_per_trial: int | None,
    gpus_per_trial: float | None,
    retries: int,
    **settings: Any,
) -> None:
    """Train every combination of some settings' values, one after another or on Ray.

    A trial is a process of its own. Stopped at any moment, the same command goes on: what is finished stays,
    the others continue from their checkpoints. Exit code 1 when a trial failed.
    """
    over = _axes(grids)
    if len(presets) == 1 and not over and settings["seeds"] is None:
        raise CourseError("A sweep varies something: --grid NAME=VALUE,VALUE or --seeds 0,1,2.")
    from .drivers import check_asked  # noqa: PLC0415 - seconds
    from .drivers import sweep as run  # noqa: PLC0415

    check_asked(workers, address, cpus_per_trial, gpus_per_trial or 0, retries)
    ray = bool(workers or address)
    trials, gpus = _trials(presets, over, gpus_per_trial, ray=ray, **settings)
    varied = [*over, *(["seed"] if settings["seeds"] is not None else [])]
    name = name or "-".join(["sweep", *presets, *varied])
    if dry_run:
        _show(f"{len(trials)} trials of {name}", *_planned(trials))
        click.echo(f"{len(trials)} trials. Nothing was trained (--dry-run).")
        return
    try:
        made = run(
            trials,
            name=name,
            workers=workers,
            address=address,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus,
            retries=retries,
            tell=click.echo,
        )
    except KeyboardInterrupt:
        raise CourseError("Stopped. The same command goes on from the checkpoints.") from None
    _show(f"{name}, in {made.folder}", *made.rows())
    click.echo(str(made))
    sys.exit(1 if made.failed or made.missing else 0)


def _axes(grids: tuple[str, ...]) -> dict[str, list[Any]]:
    """``("k=8,16", "lr=1e-3")`` as settings and their values."""
    from ..commands import setting  # noqa: PLC0415

    over: dict[str, list[Any]] = {}
    for text in grids:
        name, sign, values = text.partition("=")
        name = name.strip()
        if not sign or not name:
            raise CourseError(f'--grid takes NAME=VALUE,VALUE, such as --grid k=8,16, not "{text}".')
        if name in over:
            raise CourseError(f"--grid has {name} twice: give all its values in one.")
        parts = [part.strip() for part in _split(values)]
        if not all(parts):
            raise CourseError(f"--grid {text} has an empty value: --grid {name}=VALUE,VALUE.")
        over[name] = [setting(f"{name}={part}")[1] for part in parts]
    return over


def _split(values: str) -> list[str]:
    """At the commas that are in no bracket and no quotes: ``(1,2),(3,4)`` are two values."""
    parts, depth, quote = [""], 0, ""
    for letter in values:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += 0 if quote else (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _seeds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise CourseError(f'--seeds takes whole numbers, such as --seeds 0,1,2, not "{text}".') from None


def _trials(
    presets: tuple[str, ...],
    over: dict[str, list[Any]],
    gpus: float | None,
    *,
    ray: bool,
    seeds: str | None,
    changes: tuple[str, ...],
    scale: str | None,
    device: str,
    **given: Any,
) -> "tuple[Sequence[Trial], float]":
    """The trials, for the device that they will have, and how many GPUs each of them has on Ray."""
    import contextlib  # noqa: PLC0415
    import io  # noqa: PLC0415

    from ...runtime import setup  # noqa: PLC0415
    from ..commands import setting  # noqa: PLC0415
    from .grid import grid, on_gpu  # noqa: PLC0415

    elsewhere = ray and bool(gpus) and not device
    with contextlib.redirect_stdout(io.StringIO()):  # what was chosen stands in the runs
        session = setup(scale=scale, device=device or None)  # type: ignore[arg-type]
    fixed: dict[str, Any] = {}
    for key, value in map(setting, changes):
        if key in fixed or given.get(key) is not None:
            raise CourseError(f"{key} is set twice: choose one.")
        if key in ("presets", "over", "seeds", "scale"):
            raise CourseError(f"{key} is no setting for --set: see sae-course sweep --help.")
        fixed[key] = value
    trials = grid(presets, over, seeds=_seeds(seeds), scale=session.scale, **(given | fixed))
    cuda = session.device.startswith("cuda")
    if elsewhere and not cuda:
        trials, cuda = [on_gpu(trial) for trial in trials], True
    if gpus is None:
        gpus = 1 if cuda and ray else 0
    return trials, gpus


def _planned(trials: "Sequence[Trial]") -> tuple[list[str], dict[str, list[str]]]:
    keys = list(dict.fromkeys(key for trial in trials for key in trial.settings))
    head = [*keys, "architecture", "d_sae", "tokens", "device"]
    rows = {}
    for trial in trials:
        cfg = trial.cfg
        more = [cfg.sae.architecture(), f"{cfg.sae.d_sae:,}", f"{cfg.training_tokens:,}", cfg.device]
        rows[trial.name] = [*(str(trial.settings.get(key, "–")) for key in keys), *more]
    return head, rows


def _show(title: str, head: list[str], rows: dict[str, list[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - `sae-course --help` stays instant
    from rich.table import Table  # noqa: PLC0415

    shown = Table("trial", *head, title=title)
    for name, cells in rows.items():
        shown.add_row(name, *cells)
    console = Console()
    if not console.is_terminal:  # a file has no width to fit
        console.width = 200
    console.print(shown)
