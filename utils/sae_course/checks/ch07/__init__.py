"""Checks of chapter 07, plan it, check it, survive it: ``from sae_course.checks import ch07 as check``."""

from .billing import bill
from .fitting import fitted
from .folding import folded
from .memory_by_hand import training_memory
from .profile import stream_profile
from .resuming import resumed
from .three_ways import ways

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "stream_profile",
    "folded",
    "training_memory",
    "bill",
    "fitted",
    "resumed",
    "ways",
]
