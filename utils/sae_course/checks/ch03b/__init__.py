"""Checks of chapter 03b, SAELens and what latents mean: ``from sae_course.checks import ch03b as check``."""

from .config import saelens_config
from .directions import logit_lens
from .effects import scale_latent
from .quality import explained_variances
from .ranking import auroc, best_latent

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "saelens_config",
    "explained_variances",
    "auroc",
    "best_latent",
    "logit_lens",
    "scale_latent",
]
