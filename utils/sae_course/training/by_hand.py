"""Chapter 03's settings for the SAE that is written by hand: those of the preset, so that both compare."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from .smoke import settings


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
    scaled_latents: int = 24
    """Latents that chapter 03b scales, one by one."""

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


def hand_config(scale: str | None = None, **changes: Any) -> HandConfig:
    """The settings of ``preset("tinystories", architecture="topk")`` as chapter 03a's loop takes them.

    Args:
        scale: the session's own when not given.
        changes: other values for any field.
    """
    from .presets import preset  # noqa: PLC0415 - SAELens, seconds

    cfg: Any = preset("tinystories", scale, "today", architecture="topk")
    config = HandConfig(
        model=cfg.model_name,
        hook_point=cfg.hook_name,
        dataset=cfg.dataset_path,
        context=cfg.context_size,
        d_in=cfg.sae.d_in,
        d_sae=cfg.sae.d_sae,
        k=cfg.sae.k,
        n_steps=cfg.training_tokens // cfg.train_batch_size_tokens,
        batch_size=cfg.train_batch_size_tokens,
        lr=cfg.lr,
        warm_up_steps=cfg.lr_warm_up_steps,
        decay_steps=cfg.lr_decay_steps,
        clip=1.0,
        dead_window=cfg.dead_feature_window,
        aux_coefficient=cfg.sae.aux_loss_coefficient,
        rows_at_once=cfg.store_batch_size_prompts,
        buffer_rows=cfg.n_batches_in_buffer,
        seed=cfg.seed,
        device=cfg.device,
    )
    return dataclasses.replace(config, **settings({"scaled_latents": 2}, changes))
