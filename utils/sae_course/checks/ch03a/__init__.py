"""Checks of chapter 03a, an SAE on a real model by hand: ``from sae_course.checks import ch03a as check``."""

from .auxiliary import auxiliary_loss
from .buffer import mixed_batches
from .densities import log_densities
from .model import harvest, next_token_log_probs
from .parts import activation_scale, learning_rate_factor, topk
from .recovered import loss_recovered
from .splice import splice
from .training import train

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "next_token_log_probs",
    "harvest",
    "mixed_batches",
    "activation_scale",
    "topk",
    "learning_rate_factor",
    "auxiliary_loss",
    "train",
    "splice",
    "loss_recovered",
    "log_densities",
]
