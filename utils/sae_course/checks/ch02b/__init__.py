"""Checks of chapter 02b, when the objective prefers the wrong answer.

``from sae_course.checks import ch02b as check``
"""

from .absorption import absorption_rate
from .nearest import agreement
from .noise import noise_like
from .pairs import decoder_cosine, negated_pairs
from .rotated import l1_costs, rotated_latents
from .tied import starting_bias, tied_pre_activations

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "rotated_latents",
    "l1_costs",
    "noise_like",
    "negated_pairs",
    "tied_pre_activations",
    "starting_bias",
    "decoder_cosine",
    "absorption_rate",
    "agreement",
]
