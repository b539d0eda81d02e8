"""Checks of chapter 08, what the metrics miss: ``from sae_course.checks import ch08 as check``."""

from .absorbing import absorbed
from .ahead import margins
from .divergence import kl_recovered
from .editing import sparse_edit
from .effects import effective_share
from .pairs import paired_difference
from .probing import probe_latents
from .simulation import simulation_scores
from .strength import precision_by_strength
from .three_ways import explained_variance

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "explained_variance",
    "kl_recovered",
    "paired_difference",
    "probe_latents",
    "absorbed",
    "precision_by_strength",
    "simulation_scores",
    "effective_share",
    "sparse_edit",
    "margins",
]
