"""From a name to a finished model: train, measure, ship; what was stopped goes on from its checkpoint."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..runtime import CourseError, home, locking, read_json, write_json
from ..runtime.streams import stream_seed
from .batches import batches
from .cards import Behaviour, Card
from .figures import figures, with_controls
from .own_text import OwnText
from .plain import untrained
from .ship import convert, file_names, ship, this_machine
from .specs import ModelSpec
from .train import Progress, train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CONVERTED_ON = 16  # rows on which the half precisions are compared


def training_folder(name: str) -> Path:
    """Where the checkpoint of a training that isn't finished is."""
    return home() / "training" / name


def finished(name: str, folder: Path) -> Card | None:
    """The card of a model that is there already.

    Raises:
        CourseError: when there is a card that can't be read.
    """
    path = folder / f"{name}.json"
    if not path.exists() or not (folder / f"{name}.safetensors").exists():
        return None
    return Card.read(path)


def forget(name: str) -> None:
    """Remove the checkpoint of an unfinished training; a finished model stays until it is replaced."""
    shutil.rmtree(training_folder(name), ignore_errors=True)


def exclusive(name: str) -> AbstractContextManager[None]:
    """While it is open, no other process trains a model of this name; see `runtime.locking`."""
    return locking.exclusive(training_folder(name).with_name(f"{name}.lock"), name)


def produce(
    spec: ModelSpec,
    folder: Path,
    *,
    own: OwnText | None = None,
    device: str = "cpu",
    stands_in_for: str,
    command: str,
    on_progress: Callable[[int, Progress | None], None] = lambda step, line: None,
    on_stage: Callable[[str], None] = lambda words: None,
    checkpoints: Path | None = None,
) -> Card:
    """Train ``spec``, measure it and its random-weights twin, and write its files into ``folder``.

    The checkpoint is removed when the files are written.

    Args:
        own: the text of a learner's own model.
        on_progress: as in `train`.
        on_stage: told in words what is done after training.
        checkpoints: where the checkpoint is; `training_folder` when not given.

    Raises:
        CourseError: as `train` and `ship`, or when the checkpoint is of another text.
    """
    place = checkpoints or training_folder(spec.name)
    if own is not None:
        _same_text(own, place)
    held_out = batches(spec, "test", None if own is None else own.held_out)
    trained = train(
        spec,
        batches(spec, rows=None if own is None else own.train),
        place,
        held_out=held_out,
        device=device,
        on_progress=on_progress,
    )
    on_stage("measuring")
    weights = convert(spec, trained.state, held_out(0).tokens[:_CONVERTED_ON])
    tokenizer = _tokenizer(spec, own)

    def measured(tensors: dict[str, torch.Tensor]) -> tuple[float, list[Behaviour]]:
        from .load import hooked_model  # noqa: PLC0415 - the loader is a later part of this room

        floats = {name: value.float() for name, value in tensors.items()}
        return figures(spec, hooked_model(spec, floats, device, tokenizer), own)

    loss, behaviours = measured(weights.tensors)
    on_stage("measuring the random-weights twin")
    twin = untrained(spec, stream_seed("twin", 0)).state_dict()
    _, controls = measured(file_names(spec, twin))
    if own is not None:
        own.write(spec.name, folder)
    card = ship(
        spec,
        trained,
        weights,
        with_controls(behaviours, controls),
        folder,
        held_out_loss=loss,
        stands_in_for=stands_in_for,
        command=command,
        machine=this_machine(device),
    )
    shutil.rmtree(place, ignore_errors=True)
    return card


def _tokenizer(spec: ModelSpec, own: OwnText | None) -> "PreTrainedTokenizerBase | None":
    if own is not None:
        return own.tokenizer
    if spec.data == "othello":
        return None
    from ..data.stories.tokenizer import tokenizer  # noqa: PLC0415

    return tokenizer()


def _same_text(own: OwnText, place: Path) -> None:
    """A checkpoint goes on only with the text that it began with."""
    path = place / "text.json"
    if path.exists() and read_json(path) != {"rows_sha256": own.sha256}:
        raise CourseError(
            f"{place} holds the checkpoint of a training on another text, or with another vocabulary: go on "
            "with that one, or begin anew with --again."
        )
    if not path.exists():
        write_json(path, {"rows_sha256": own.sha256})
