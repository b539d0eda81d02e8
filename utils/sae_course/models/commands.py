"""``sae-course models`` and ``sae-course train-model``: click's side of them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..runtime import CourseError
from ..runtime.devices import choose_device

if TYPE_CHECKING:
    from .cards import Card, Cards
    from .own_text import OwnText
    from .specs import ModelSpec


@click.command("models")
@click.argument("name", default="")
@click.option("--measure", is_flag=True, help="Measure every figure of the card again, and compare.")
@click.option("--device", default="", metavar="DEVICE", help="Where to measure: cpu, cuda, …")
def models(name: str, measure: bool, device: str) -> None:
    """Show the cards of the mini models and of your own; with NAME, the whole of one.

    With --measure, the exit status is 1 when a figure isn't what the card says.
    """
    from .cards import cards  # noqa: PLC0415 - `sae-course --help` stays instant

    found = cards()
    if not name:
        if measure:
            raise click.UsageError("--measure needs the NAME of a model.")
        _show(found)
        return
    card = next((card for card in found if card.name == name), None)
    if card is None:
        raise _no_card(name, found)
    if not measure:
        _show(card)
    elif not _measure(card, choose_device(device)):
        sys.exit(1)


def _no_card(name: str, found: "Cards") -> CourseError:
    from .names import entry  # noqa: PLC0415 - `sae-course --help` stays instant

    if unreadable := [message for message in found.unreadable if f"{name}.json" in message]:
        return CourseError(unreadable[0])
    entry(name)  # says which names are near, if it is none
    return CourseError(f"{name} has not been trained here yet: sae-course train-model {name}.")


def _measure(card: "Card", device: str) -> bool:
    """Show the card's figures beside new ones; whether all agree."""
    from .card_view import compared  # noqa: PLC0415 - `sae-course --help` stays instant
    from .cards import own_models  # noqa: PLC0415
    from .figures import compare, figures  # noqa: PLC0415
    from .load import load_model  # noqa: PLC0415
    from .own_text import OwnText  # noqa: PLC0415
    from .twins import random_twin  # noqa: PLC0415

    own = OwnText.read(card.name, own_models()) if card.spec.data == "text" else None
    model = load_model(card.name, "mini", device=device)
    loss, behaviours = figures(card.spec, model, own)
    _, controls = figures(card.spec, random_twin(card.name, "mini", device=device), own)
    rows = compare(card, loss, behaviours, controls)
    _show(compared(rows))
    different = sum(not row.same for row in rows)
    if different:
        click.echo(f"{different} of {len(rows)} figures are not what the card says.")
    else:
        click.echo(f"All {len(rows)} figures are what the card says.")
    return not different


@click.command("train-model")
@click.argument("name")
@click.option("--text", type=click.Path(path_type=Path), help="Train on this UTF-8 file instead.")
@click.option("--like", metavar="MODEL", help="With --text: build it like this one [tiny-stories-1L-21M].")
@click.option("--vocab", type=int, metavar="N", help="With --text: tokens of its vocabulary [2000].")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Steps of training.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the finished model goes."
)
@click.option("--device", default="", metavar="DEVICE", help="cpu, cuda, … [cuda where there is one]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads.")
@click.option("--again", is_flag=True, help="From the beginning, even if it is trained already.")
def train_model(
    *,
    name: str,
    text: Path | None,
    like: str | None,
    vocab: int | None,
    steps: int | None,
    out: Path | None,
    device: str,
    threads: int | None,
    again: bool,
) -> None:
    """Train one of the four mini models again, or a model of your own on a text of yours.

    Stopped with Ctrl-C, the same command goes on where it was.
    """
    if text is None and (like or vocab):
        raise click.UsageError("--like and --vocab are for a model of your own: give its --text FILE too.")
    import torch  # noqa: PLC0415 - `sae-course --help` stays instant

    from .cards import own_models  # noqa: PLC0415
    from .own_text import check_name  # noqa: PLC0415
    from .produce import exclusive, finished, forget, produce  # noqa: PLC0415
    from .progress_bar import TrainingBar  # noqa: PLC0415

    if threads:
        torch.set_num_threads(threads)
    device = choose_device(device)
    folder = own_models() if out is None else out
    if text is not None:
        check_name(name)
    with exclusive(name):
        if not again and (card := finished(name, folder)):
            _show(card)
            click.echo(f"{name} is trained already, in {folder}; --again trains it anew.")
            return
        if again:
            forget(name)
        spec, own, stands_in_for = _what(name, text, like, vocab, steps)
        with TrainingBar(spec.training.steps) as bar:
            card = produce(
                spec,
                folder,
                own=own,
                device=device,
                stands_in_for=stands_in_for,
                command=_command(name, text, like, vocab, steps),
                on_progress=bar.step,
                on_stage=bar.stage,
            )
    _show(card)
    where = f'load_model("{name}") finds it' if out is None else "done"
    click.echo(f"Written to {folder}: {where}.")


def _what(
    name: str, text: Path | None, like: str | None, vocab: int | None, steps: int | None
) -> tuple["ModelSpec", "OwnText | None", str]:
    """The spec, the own text, what the model stands in for. Says what will be done."""
    from dataclasses import replace  # noqa: PLC0415

    from .names import MODELS  # noqa: PLC0415
    from .own_text import prepare  # noqa: PLC0415
    from .specs import mini_specs  # noqa: PLC0415

    if text is not None:
        like = like or "tiny-stories-1L-21M"
        spec, own = prepare(name, text, like, vocab or 2000, steps)
        read = spec.training.steps * spec.training.rows
        click.echo(
            f"{text.name}: {own.train.size + own.held_out.size:,} tokens (vocabulary {spec.d_vocab:,}), the "
            f"last tenth held out; {spec.training.steps:,} steps of {spec.training.rows} × {spec.n_ctx} "
            f"tokens, {read / len(own.train):.0f} times through it."
        )
        return spec, own, f"a model of {text.name}, built like {like}"
    if name not in mini_specs():
        known = ", ".join(mini_specs())
        raise CourseError(
            f'"{name}" is none of the course\'s models ({known}). To train a model of your own, give its '
            f"text: sae-course train-model {name} --text FILE."
        )
    spec = mini_specs()[name]
    if steps:
        spec = replace(spec, training=replace(spec.training, steps=steps))
    click.echo(
        f"{name}: {spec.training.steps:,} steps of {spec.training.rows} × {spec.n_ctx} tokens ({spec.data})."
    )
    return spec, None, f"{MODELS[name].repository}: {MODELS[name].description}"


def _command(name: str, text: Path | None, like: str | None, vocab: int | None, steps: int | None) -> str:
    given = {"--text": text and text.name, "--like": like, "--vocab": vocab, "--steps": steps}
    return " ".join(
        ["sae-course train-model", name, *(f"{key} {value}" for key, value in given.items() if value)]
    )


def _show(what: object) -> None:
    """As a table, coloured in a terminal, as wide as it needs in a file."""
    if sys.stdout.isatty():
        from rich import print as rich_print  # noqa: PLC0415 - `sae-course --help` stays instant

        rich_print(what)
    else:
        from .card_view import as_text  # noqa: PLC0415

        click.echo(as_text(what))  # type: ignore[arg-type]
