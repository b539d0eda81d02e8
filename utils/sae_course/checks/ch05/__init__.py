"""Checks of chapter 05, induction between latents: ``from sae_course.checks import ch05 as check``."""

from .ablation import without_latent
from .attribution import attribute
from .direct import direct_attribution
from .groups import explained_by
from .heads import head_scores
from .inputs import through_one_input
from .integrated import integrated_gradients
from .repeats import repeat_scores
from .shares import head_shares

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "head_scores",
    "head_shares",
    "explained_by",
    "repeat_scores",
    "attribute",
    "without_latent",
    "integrated_gradients",
    "through_one_input",
    "direct_attribution",
]
