"""Chapter 02b's settings at both scales."""

import dataclasses
from dataclasses import dataclass

from ...runtime import current
from ..smoke import settings


@dataclass(frozen=True)
class WrongAnswersConfig:
    """Everything chapter 02b can be told. Fractions are of 1, lengths of time are training steps."""

    batch_size: int = 256
    lr: float = 1e-2
    decay: float = 0.5
    """Fraction of the steps, at the end, over which the learning rate falls to zero in a line."""
    dead_window: int = 100
    """A latent silent for this many steps counts as dead in training."""

    square_inst: int = 16
    square_steps: int = 1500
    square_probabilities: tuple[float, ...] = (1.0, 0.3)
    square_l1: float = 0.003

    crowd_inst: int = 3
    crowd_steps: int = 800
    crowd_l1: tuple[float, ...] = (0.01, 0.03, 0.1, 0.2, 0.4)
    """L1 coefficients in a world of 64 features in 32 dimensions."""

    tie_inst: int = 16
    tie_steps: int = 1000
    tie_batch_size: int = 256
    tie_lr: float = 1e-2
    tie_probability: float = 0.05
    tie_l0: float = 0.2
    """Price of a firing: .1 where the squared error is averaged over the plane's two dimensions."""
    threshold: float = 0.1
    bandwidth: float = 0.01

    offset_inst: int = 3
    offset_steps: int = 400
    offset_lr: float = 1e-3
    """As for a language model: ten times below this chapter's other trainings."""
    offset: float = 10.0
    """Length of the mean activation, in standard deviations."""
    offset_k: int = 4

    k: tuple[int, ...] = (3, 5, 8, 10, 12, 15, 25)
    """In a world of 50 features, of which about 10 are present."""
    k_worlds: int = 2
    k_seeds: int = 2
    """SAEs in each world that differ in their initial weights and in their data."""
    k_steps: int = 600
    k_batch_size: int = 128
    wide: int = 100
    """Latents of the wider SAE; the others have 50."""
    snapshots: int = 20

    pair_inst: int = 8
    pair_steps: int = 400
    pair_l1: float = 0.2
    pair_correlations: tuple[float, ...] = (-0.5, 0.0, 0.4, 0.8)

    parent_inst: int = 16
    parent_steps: int = 600
    parent_l1: float = 0.2

    leak_inst: int = 3
    leak_steps: int = 500
    leak_l1: float = 0.2

    def __str__(self) -> str:
        return "\n".join(f"{name:22} {value}" for name, value in dataclasses.asdict(self).items())


_CONFIGS = {
    "mini": WrongAnswersConfig(),
    "full": WrongAnswersConfig(
        crowd_inst=8,
        crowd_steps=3000,
        tie_steps=10_000,
        tie_batch_size=512,
        tie_lr=1e-3,
        offset_inst=8,
        k=(3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 18, 21, 25),
        k_worlds=3,
        k_seeds=3,
        k_steps=2000,
        leak_inst=8,
    ),
}


_SMOKE = {
    "square_steps": 20,
    "crowd_steps": 20,
    "tie_steps": 20,
    "offset_steps": 20,
    "k": (5, 10),
    "k_steps": 20,
    "pair_steps": 20,
    "parent_steps": 20,
    "leak_steps": 20,
}
"""In a smoke run."""


def wrong_answers_config(scale: str | None = None) -> WrongAnswersConfig:
    """The settings of chapter 02b at a scale; the session's own when not given."""
    return dataclasses.replace(_CONFIGS[scale or current().scale], **settings(_SMOKE, {}))
