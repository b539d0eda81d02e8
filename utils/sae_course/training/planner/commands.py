"""``sae-course plan``: what a run takes, before anything is downloaded."""

import json
import math

import click

from ...runtime import CourseError


@click.command()
@click.argument("preset", required=False)
@click.option(
    "--gpu", default="cpu", show_default=True, help="T4, L4, 4090, A100-40, A100-80, H100, H200, cpu."
)
@click.option("--tokens", help="To train on, such as 1e9; the preset's own if not given.")
@click.option("--price", type=float, help="Of an hour, in any currency.")
@click.option("--saes", default=1, show_default=True, help="SAEs that learn from one stream.")
@click.option("--scale", help="mini or full; full for a GPU if not given.")
@click.option("--recipe", default="today", show_default=True, help="today, or seed: the seed course's.")
@click.option("--architecture", help="standard, gated, topk, batchtopk, jumprelu, …")
@click.option("--layer", type=int, help="Of the hook point.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting by SAELens' name; may be repeated.",
)
@click.option("--oom", metavar="MESSAGE", help='Read PyTorch\'s "Tried to allocate …".')
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option(
    "--calibrate", is_flag=True, help="Measure this machine instead: minutes; --gpu cuda for its GPU."
)
def plan(
    preset: str | None,
    *,
    gpu: str,
    tokens: str | None,
    price: float | None,
    saes: int,
    scale: str | None,
    recipe: str,
    architecture: str | None,
    layer: int | None,
    changes: tuple[str, ...],
    oom: str | None,
    as_json: bool,
    calibrate: bool,
) -> None:
    """Memory, time and money of a preset's run on a GPU: tinystories, attn-only-2l, othello, gemma, …

    Nothing is loaded or downloaded. Exit code 2 where it can't run or doesn't fit.
    """
    if calibrate:
        _calibrate(gpu)
        return
    if preset is None:
        raise CourseError(
            "Name a preset: sae-course plan gemma --gpu L4 (or measure this machine: --calibrate)."
        )
    from . import plan as make  # noqa: PLC0415 - `sae-course --help` stays instant
    from .diagnosis import diagnose  # noqa: PLC0415

    made = make(
        preset,
        gpu=gpu,
        tokens=None if tokens is None else count(tokens),
        price=price,
        saes=saes,
        scale=scale,
        recipe=recipe,
        architecture=architecture,
        layer=layer,
        **dict(_setting(change) for change in changes),
    )
    if as_json:
        click.echo(json.dumps(made.as_dict(), indent=1))
    elif oom is not None:
        click.echo(str(diagnose(made, oom)))
    else:
        click.echo(str(made))
    if not made.fits and oom is None:
        raise SystemExit(2)


def count(text: str) -> int:
    """``1e9`` or ``500_000`` as a number of tokens.

    Raises:
        CourseError: for what is no whole number above 0.
    """
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0 and value == int(value)):
        raise CourseError(f'--tokens is a whole number above 0, such as 1e9, not "{text}".')
    return int(value)


def _setting(text: str) -> tuple[str, object]:
    from ..commands import setting  # noqa: PLC0415

    return setting(text)


def _calibrate(gpu: str) -> None:
    from ...runtime import home  # noqa: PLC0415
    from .calibrate import calibrate, compared  # noqa: PLC0415 - seconds
    from .calibration import own_file  # noqa: PLC0415
    from .page import table  # noqa: PLC0415

    if gpu not in ("cpu", "cuda"):
        raise CourseError(f'--calibrate measures the machine at hand: --gpu cpu or --gpu cuda, not "{gpu}".')
    found = calibrate(device=gpu, show=click.echo)
    rates = found["rates"]
    click.echo(f"\n{rates['machine']}, {rates['date']}, {rates['threads']} threads")
    click.echo(table(compared(found)))
    click.echo(f"Kept in {home() / own_file(found['gpu'])}: plans use it from now on.")
