"""From trained weights to a model's two files: half-precision weights, and a card with their checksum."""

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from safetensors.torch import save
from torch import Tensor

from ..runtime import CourseError, write_atomic
from .cards import Behaviour, Card, TrainingRecord
from .plain import to_hooked, untrained
from .specs import ModelSpec
from .train import Trained

Half = Literal["float16", "bfloat16"]
HALVES: dict[Half, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Weights:
    """What goes into a weight file."""

    tensors: dict[str, Tensor]
    """TransformerLens' names, or for Gemma 2 those of `transformers`; in half precision."""
    dtype: Half
    costs: dict[Half, float]
    """Of each half precision, the largest change of a logit; infinite where a weight overflows."""


def convert(spec: ModelSpec, state: Mapping[str, Tensor], tokens: Int[Tensor, "batch pos"]) -> Weights:
    """A trainee's state in the half precision that changes its logits on ``tokens`` less.

    Raises:
        CourseError: when a weight is not finite.
    """
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise CourseError(
            f"The weights of {spec.name} are not finite ({broken[0]}, {len(broken)} tensors in all): the "
            "training diverged, and nothing is written. Delete its checkpoint and lower the learning rate."
        )
    exact = _logits(spec, state, tokens)
    costs: dict[Half, float] = {}
    for name, dtype in HALVES.items():
        rounded = {key: value.to(dtype).float() for key, value in state.items()}
        overflown = not all(value.isfinite().all() for value in rounded.values())
        costs[name] = (
            float("inf") if overflown else (_logits(spec, rounded, tokens) - exact).abs().max().item()
        )
    best: Half = min(costs, key=lambda name: costs[name])
    named = file_names(spec, state)
    halved = {name: value.to(HALVES[best]).contiguous() for name, value in named.items()}
    return Weights(halved, best, costs)


def _logits(
    spec: ModelSpec, state: Mapping[str, Tensor], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos d_vocab"]:
    model = untrained(spec, seed=0)
    model.load_state_dict(state)
    with torch.no_grad():
        return model(tokens)


def file_names(spec: ModelSpec, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A trainee's state under the names of a weight file: TransformerLens', for Gemma 2 `transformers`'.

    An unembedding that is the embedding itself is not there twice.
    """
    if not spec.gemma2:
        return to_hooked(dict(state), spec)
    named = {name.removeprefix("gemma."): value for name, value in state.items()}
    if torch.equal(named["lm_head.weight"], named["model.embed_tokens.weight"]):
        del named["lm_head.weight"]
    return named


def ship(
    spec: ModelSpec,
    trained: Trained,
    weights: Weights,
    behaviours: list[Behaviour],
    folder: Path,
    *,
    held_out_loss: float,
    stands_in_for: str,
    command: str,
    machine: str | None = None,
    threads: int | None = None,
) -> Card:
    """Write ``NAME.safetensors`` and then ``NAME.json`` into ``folder``; the card comes last.

    Who reads the card finds the weights that belong to it, or sees by the checksum that they don't.

    Args:
        behaviours: measured on these very weights, in half precision.
        held_out_loss: nats per token, the same.
        stands_in_for: one line.
        command: what trains it again.
        machine: this one in words, when not given.

    Raises:
        CourseError: when the folder can't be written.
    """
    data = save(weights.tensors)
    card = Card(
        name=spec.name,
        stands_in_for=stands_in_for,
        spec=spec,
        parameters=sum(value.numel() for value in weights.tensors.values()),
        dtype=weights.dtype,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        weights_bytes=len(data),
        training=TrainingRecord(
            tokens=trained.tokens,
            seconds=round(trained.seconds, 1),
            command=command,
            machine=machine or this_machine(),
            threads=threads or torch.get_num_threads(),
            torch=torch.__version__,
            curve=tuple(
                (line.step, round(line.loss, 4), None if line.held_out is None else round(line.held_out, 4))
                for line in trained.curve
            ),
        ),
        held_out_loss=held_out_loss,
        behaviours=tuple(behaviours),
    )
    write_atomic(folder / f"{spec.name}.safetensors", data)
    write_atomic(folder / f"{spec.name}.json", card.to_text())
    return card


def this_machine(device: str = "cpu") -> str:
    """``Linux x86_64, 2 cores`` or the GPU's name; nothing that says whose it is."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
