"""Checks of chapter 04, diagnosing runs that went wrong: ``from sae_course.checks import ch04 as check``."""

from .deviation import deviations
from .diagnoses import run_1, run_2, run_3, run_4, run_5, run_6
from .held_out import doctor
from .repaired import repairs
from .variance import implied_variance

__all__ = [  # noqa: RUF022 - in the order of the exercises
    "deviations",
    "run_1",
    "run_2",
    "run_3",
    "run_4",
    "run_5",
    "run_6",
    "repairs",
    "doctor",
    "implied_variance",
]
