"""What a learner says about a run."""

import math
from dataclasses import dataclass

from ..runs.metrics import find
from ..runtime import CourseError
from .causes import CAUSES, HEALTHY


@dataclass(frozen=True)
class Diagnosis:
    """A symptom, its evidence, and a cause.

    Raises:
        CourseError: for a direction or a cause that there isn't, and evidence that is no number.
    """

    symptom: str
    """The metric that is off, by SAELens' name, in full or its last part: ``l0``."""
    direction: str
    """``high`` or ``low``, beside the healthy run."""
    cause: str
    """Of `causes.CAUSES`."""
    evidence: float
    """The symptom's value at the run's end, as you read it off."""

    def __post_init__(self) -> None:
        if not isinstance(self.symptom, str):
            raise CourseError(f'symptom is the name of one metric, such as "l0", not {self.symptom!r}.')
        if self.direction not in ("high", "low"):
            raise CourseError(f'direction is "high" or "low", not {self.direction!r}.')
        if not isinstance(self.cause, str):
            raise CourseError(f'cause is the name of one cause, such as "{HEALTHY}", not {self.cause!r}.')
        find(self.cause, CAUSES, "cause")
        number = isinstance(self.evidence, int | float) and not isinstance(self.evidence, bool)
        if not number or not math.isfinite(self.evidence):
            raise CourseError(
                f"evidence is the symptom's value at the end of the run, a number, not {self.evidence!r}."
            )
