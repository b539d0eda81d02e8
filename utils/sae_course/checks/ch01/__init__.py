"""Checks of chapter 01, toy superposition: ``from sae_course.checks import ch01 as check``."""

from .evaluation import match_features, score
from .revival import auxiliary_loss, directions_by_loss, replace_latents
from .sae import parameters, sae_forward, sae_loss, unit_decoder
from .step import training_step
from .training import train
from .world import make_batch, sample_features, toy_forward

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "sample_features",
    "toy_forward",
    "make_batch",
    "parameters",
    "unit_decoder",
    "sae_forward",
    "sae_loss",
    "training_step",
    "train",
    "match_features",
    "score",
    "replace_latents",
    "directions_by_loss",
    "auxiliary_loss",
]
