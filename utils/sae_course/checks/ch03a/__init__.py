"""Checks of chapter 03a, an SAE on a real model by hand: ``from sae_course.checks import ch03a as check``."""

from .model import harvest, next_token_log_probs

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "next_token_log_probs",
    "harvest",
]
