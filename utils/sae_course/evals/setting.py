"""What the sections of a report measure on, and how they write down what they found, or why nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from jaxtyping import Bool, Int
from torch import Tensor

from ..data.labels import Labels
from ..runtime import CourseError
from .baselines import NAMES
from .halves import halves
from .scores import OWN, Score
from .uncertainty import Estimate
from .units import Units

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from .probing import Probes

T = TypeVar("T")
ORDER = (OWN, *NAMES)
"""Columns of a report."""
Values = Mapping[str, "Estimate | str"]


@dataclass(frozen=True)
class Setting:
    """All that sections measure on."""

    model: "HookedTransformer"
    sae: Any
    rows: Int[Tensor, "rows pos"]
    """Whole rows of tokens."""
    hook_point: str
    positions: slice
    """Of each row, what the subjects are of."""
    subjects: Mapping[str, Units]
    """The SAE and its baselines."""
    missing: Mapping[str, str]
    """Baselines that there aren't, and why."""
    labels: Labels | None
    choose: Bool[Tensor, " rows"]
    twin: Any
    """A model and its SAE, or None."""
    others: Mapping[str, Any]
    task: Any
    hierarchy: Mapping[str, Sequence[str]] | None
    seed: int

    @property
    def own(self) -> Units:
        """The SAE's."""
        return self.subjects[OWN]

    @property
    def seen(self) -> Int[Tensor, "rows pos"]:
        """The tokens that the units are of."""
        return self.rows[:, self.positions]

    @property
    def choosing(self) -> "Any":
        """The choosing rows as `halves` takes them."""
        return self.choose.cpu().numpy()

    @cached_property
    def probes(self) -> "Probes":
        """A linear probe of every feature on the SAE's own activations."""
        from .probing import linear_probes  # noqa: PLC0415 - together with what needs it

        assert self.labels is not None, "only with labels"
        return linear_probes(self.own.x, self.labels, choose=self.choosing, seed=self.seed)

    def why_no_labels(self) -> str:
        """Why what needs labels isn't run; empty where they are there, and true often enough."""
        if self.labels is None:
            return "no labels were given"
        if not len(self.labels):
            return self.labels.missing or "there are no labels"
        try:
            halves(self.labels, self.choosing)
        except CourseError as error:
            return str(error)
        return ""


class Section(NamedTuple):
    """What a section found."""

    scores: list[Score]
    details: Any
    """Plain values of the SAE's own result."""


def found_or_why(measure: Callable[[], T]) -> "T | str":
    """What was found; or, where these rows are too few for it, the reason: the other columns go on."""
    try:
        return measure()
    except CourseError as error:
        return str(error)


def rows_of(
    setting: Setting, section: str, metric: str, better: int, values: Values, *, otherwise: str = ""
) -> list[Score]:
    """A score for the SAE and every baseline: measured, or with the reason why it wasn't.

    Args:
        values: what was measured, or why not, by whose.
        otherwise: the reason for those that ``values`` doesn't name and that are not missing altogether.
    """
    found = []
    for whose in ORDER:
        value = values.get(whose, setting.missing.get(whose) or otherwise or "not measured here")
        estimate = Estimate(nan) if isinstance(value, str) else value
        why = value if isinstance(value, str) else "there was nothing to measure" * isnan(value.value)
        found.append(
            Score(section, metric, whose, estimate.value, estimate.error, estimate.samples, better, why)
        )
    return found


def without(setting: Setting, section: str, metrics: Mapping[str, int], why: str) -> Section:
    """A section that can't be run, with its reason in every cell."""
    blank: Values = dict.fromkeys(ORDER, why)
    return Section(
        [
            score
            for metric, better in metrics.items()
            for score in rows_of(setting, section, metric, better, blank)
        ],
        {"not run": why},
    )
