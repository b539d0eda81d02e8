"""Checks of chapter 06, boards as ground truth: ``from sae_course.checks import ch06 as check``."""

from .best import best_properties
from .classifier import as_classifier
from .covered import coverage
from .edited import changed_moves
from .games import boards_of
from .moved import effect
from .probe import probe_loss
from .saying import reconstruct

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "boards_of",
    "probe_loss",
    "as_classifier",
    "best_properties",
    "coverage",
    "reconstruct",
    "changed_moves",
    "effect",
]
