"""Chapter 02a's settings at both scales."""

import dataclasses
from dataclasses import dataclass

from ...runtime import current
from ..smoke import settings


@dataclass(frozen=True)
class VariantsConfig:
    """Everything chapter 02a can be told. Fractions are of 1, lengths of time are training steps."""

    n_inst: int = 3
    """Worlds side by side, each with directions, data and SAEs of its own: the spread is the error bar."""
    steps: int = 600
    batch_size: int = 512
    lr: float = 1e-2
    decay: float = 0.5
    """Fraction of the steps, at the end, over which the learning rate falls to zero in a line."""
    dead_window: int = 100
    """A latent silent for this many steps counts as dead in training."""

    sweep_steps: int = 500
    sweep: tuple[float, ...] = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8)
    """L1 coefficients of part 1, in a world of 64 features in 32 dimensions."""

    d_sae: int = 64
    """Latents in the world of families: as many as features in its first two generations."""
    k: int = 6
    """Latents that fire on a sample, on average, of all SAEs that are compared: the data's own."""
    widths: tuple[int, ...] = (16, 32, 64)
    """The Matryoshka's."""
    l1: float = 0.34
    """Coefficient with which a standard SAE comes to an L0 of about ``k``."""
    gate_l1: float = 0.41
    """The same, of a gated SAE."""
    l0: float = 0.058
    """The same, of a JumpReLU SAE."""
    wide: int = 256
    """Latents where AuxK is tried: as many as there are features."""
    wide_steps: int = 200
    wide_lr: float = 3e-3
    threshold: float = 0.01
    bandwidth: float = 0.05
    threshold_rate: float = 0.01

    def __str__(self) -> str:
        return "\n".join(f"{name:16} {value}" for name, value in dataclasses.asdict(self).items())


_CONFIGS = {
    "mini": VariantsConfig(),
    "full": VariantsConfig(n_inst=8, steps=3000, sweep_steps=6000, wide_steps=1500),
}


_SMOKE = {"n_inst": 2, "steps": 20, "sweep_steps": 20, "wide_steps": 20, "dead_window": 5}
"""In a smoke run."""


def variants_config(scale: str | None = None) -> VariantsConfig:
    """The settings of chapter 02a at a scale; the session's own when not given."""
    return dataclasses.replace(_CONFIGS[scale or current().scale], **settings(_SMOKE, {}))
