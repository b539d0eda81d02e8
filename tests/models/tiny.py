"""Mini models that take a moment to make: the four architectures with untrained weights, shipped for real."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sae_course.data.text import train_tokenizer
from sae_course.models.own_text import OwnText
from sae_course.models.plain import untrained
from sae_course.models.ship import Weights, file_names, ship
from sae_course.models.specs import ModelSpec, TrainingSpec, mini_specs
from sae_course.models.train import Trained

NAMES = ("tiny-stories-1L-21M", "attn-only-2l-demo", "othello-gpt", "gemma-2-2b")


def tiny_spec(name: str) -> ModelSpec:
    """The spec of the mini model ``name``, made small."""
    spec = mini_specs()[name]
    return replace(
        spec,
        training=TrainingSpec(rows=8, steps=20),
        n_layers=2 if spec.n_layers > 1 else 1,
        n_ctx=59 if spec.data == "othello" else 32,
        d_model=32,
        n_heads=4,
        d_head=8,
        n_key_value_heads=2 if spec.gemma2 else None,
        d_mlp=64,
        window=8 if spec.gemma2 else None,
    )


def shipped(spec: ModelSpec, folder: Path, seed: int = 3) -> nn.Module:
    """Ship an untrained model of ``spec``; returns it with the weights as they are in the file.

    Every weight is random: at initialisation the biases are zero and the norms one, which hides a lost one.
    """
    model = untrained(spec, seed)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            moved = parameter + 0.1 * torch.randn(parameter.shape, generator=stream)
            parameter.copy_(moved.half().float())
    state: dict[str, Tensor] = dict(model.state_dict())
    halved = {key: value.half().contiguous() for key, value in file_names(spec, state).items()}
    ship(
        spec,
        Trained(state, [], 1.0, 33_000_000),
        Weights(halved, "float16", {}),
        [],
        folder,
        held_out_loss=1.0,
        stands_in_for="a test",
        command="none",
    )
    return model.eval()


def own_model(name: str, folder: Path) -> OwnText:
    """Ship an untrained model of a learner's own, with its text."""
    text = "The cat sat on the mat. The dog sat on the cat.\n" * 200
    tokenizer = train_tokenizer(text, 300, name)
    rows = torch.arange(7 * 32).reshape(7, 32).numpy().astype("uint16") % len(tokenizer)
    own = OwnText(tokenizer, rows[:5], rows[5:])
    own.write(name, folder)
    shipped(replace(tiny_spec("tiny-stories-1L-21M"), name=name, data="text", d_vocab=len(tokenizer)), folder)
    return own
