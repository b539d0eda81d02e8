"""Chapter 03's settings for the SAE that is written by hand: those of the preset, so that both compare."""

import dataclasses
from dataclasses import dataclass

from ..models.names import Entry, entry
from ..runtime import current
from .preset_values import PRESETS


@dataclass(frozen=True)
class HandConfig:
    """Everything the loop of chapter 03a can be told. Lengths in steps, unless it says otherwise."""

    model: str
    hook_point: str
    dataset: str
    """Where SAELens finds the tokens (``dataset_path``)."""
    context: int
    """Tokens in a row."""
    d_in: int
    d_sae: int
    k: int
    """Latents that may fire on a token."""
    n_steps: int
    batch_size: int
    """Tokens in a training batch."""
    lr: float
    warm_up_steps: int
    decay_steps: int
    clip: float
    """Largest norm of the gradient; SAELens' trainer has the same number built in."""
    dead_window: int
    """A latent that hasn't fired for this many steps counts as dead in training."""
    aux_coefficient: float
    rows_at_once: int
    """Rows that the model reads at once."""
    buffer_rows: int
    """Rows whose activations the buffer holds."""
    seed: int
    device: str

    @property
    def capacity(self) -> int:
        """Activations that the buffer holds."""
        return self.buffer_rows * self.context

    @property
    def tokens(self) -> int:
        """Tokens that training reads in all."""
        return self.n_steps * self.batch_size

    def __str__(self) -> str:
        return "\n".join(f"{name:16} {value}" for name, value in dataclasses.asdict(self).items())


def hand_config(scale: str | None = None, **changes: object) -> HandConfig:
    """The settings of ``preset("tinystories", architecture="topk")`` as chapter 03a's loop takes them.

    Args:
        scale: the session's own when not given.
        changes: other values for any field.
    """
    wanted = PRESETS["tinystories"]
    mini = (scale or current().scale) == "mini"
    at = wanted.mini if mini else wanted.full
    known: Entry = entry(wanted.model)
    assert known.dataset is not None
    config = HandConfig(
        model=wanted.model,
        hook_point=wanted.hook.format(layer=at.layer),
        dataset=f"sae-course:{wanted.model}" if mini else known.dataset.repository,
        context=at.context,
        d_in=at.d_in,
        d_sae=at.d_sae,
        k=int(at.sparsity["topk"]),
        n_steps=at.steps,
        batch_size=at.batch,
        lr=at.lr["today"],
        warm_up_steps=round(at.warm_up * at.steps),
        decay_steps=round(0.2 * at.steps),
        clip=1.0,
        dead_window=round(0.2 * at.steps) if mini else 1000,
        aux_coefficient=1.0,
        rows_at_once=at.prompts,
        buffer_rows=at.buffer,
        seed=0,
        device=current().device,
    )
    return dataclasses.replace(config, **changes)  # type: ignore[arg-type]
