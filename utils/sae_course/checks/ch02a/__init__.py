"""Checks of chapter 02a, SAE variants: ``from sae_course.checks import ch02a as check``."""

from .auxiliary import auxk_loss
from .detection import detector_f1
from .gated import gated_latents, gated_loss
from .keeping import batch_topk, topk
from .matryoshka import matryoshka_loss
from .penalty import l1_penalty
from .straight_through import threshold_gradients
from .threshold import update_threshold

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "l1_penalty",
    "gated_latents",
    "gated_loss",
    "threshold_gradients",
    "topk",
    "auxk_loss",
    "batch_topk",
    "update_threshold",
    "matryoshka_loss",
    "detector_f1",
]
