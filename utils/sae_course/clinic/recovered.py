"""Whether repaired runs ended where healthy ones do: within the noise between seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import mean, stdev

from ..runs import Run
from ..runtime import CourseError
from .measured import Readings, readings
from .ward import CONTROL, open_ward

DEVIATIONS = 6.0
"""Of the healthy seeds, that a healthy run stays within. Their spread is known from five seeds only."""


@dataclass(frozen=True)
class Compared:
    """What is compared: a reading, the least distance that counts, and which side is worse."""

    reading: str
    """Of `measured.NAMES`."""
    label: str
    floor: float
    """Distance from the healthy mean that is never held against a run."""
    relative: bool = False
    """Whether the floor is a share of the healthy mean."""
    worse: str = "both"
    """``high``, ``low`` or ``both``: a run that is better than the healthy ones is repaired too."""


COMPARED = (
    Compared("l0", "L0", 0.04, relative=True),
    Compared("explained_variance", "explained variance", 0.015, worse="low"),
    Compared("dead", "dead", 0.03, worse="high"),
    Compared("loss_recovered", "loss recovered", 0.01, worse="low"),
    Compared("ce_without_sae", "loss without SAE", 0.05),
)


@dataclass(frozen=True)
class Verdict:
    """One reading of one run beside the healthy seeds."""

    what: Compared
    value: float | None
    """None where the run didn't record it."""
    centre: float
    reach: float

    @property
    def fine(self) -> bool:
        """Whether it lies within reach, or on the better side."""
        if self.value is None:
            return False
        above = self.value > self.centre + self.reach and self.what.worse in ("high", "both")
        below = self.value < self.centre - self.reach and self.what.worse in ("low", "both")
        return not above and not below

    @property
    def shown(self) -> str:
        """The value, marked where it is not fine."""
        value = "–" if self.value is None else f"{self.value:.4g}"
        return value if self.fine else f"{value} ✘"


@dataclass(frozen=True)
class Recovery:
    """Repaired runs beside the healthy seeds. Shows itself as a table."""

    verdicts: dict[str, tuple[Verdict, ...]]
    """By run."""

    @property
    def healed(self) -> tuple[str, ...]:
        """The runs all of whose readings are as a healthy run's."""
        return tuple(name for name, found in self.verdicts.items() if all(one.fine for one in found))

    def __str__(self) -> str:
        return f"{len(self.healed)} of {len(self.verdicts)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..runs.view import table  # noqa: PLC0415

        first = next(iter(self.verdicts.values()))
        rows = {"healthy ± reach": [f"{one.centre:.4g} ± {one.reach:.2g}" for one in first]}
        rows |= {name: [one.shown for one in found] for name, found in self.verdicts.items()}
        return f"<p>healed: {self}</p>{table([one.what.label for one in first], rows)}"


def recovery(repaired: Mapping[str, Run]) -> Recovery:
    """Lay repaired runs beside the ward's healthy seeds.

    Args:
        repaired: by the name of the run that was repaired.

    Raises:
        CourseError: when there is no run, or something is none.
    """
    if not repaired or not all(isinstance(run, Run) for run in repaired.values()):
        raise CourseError('recovery takes repaired runs by their names: {"run 1": run, …}.')
    return Recovery({name: judged(run) for name, run in repaired.items()})


def judged(run: Run) -> tuple[Verdict, ...]:
    """Each of `COMPARED` for one run."""
    mine = readings(run)
    found = []
    for what in COMPARED:
        usual = [float(getattr(one, what.reading)) for one in _healthy()]
        centre = mean(usual)
        floor = what.floor * abs(centre) if what.relative else what.floor
        reach = max(DEVIATIONS * stdev(usual), floor)
        found.append(Verdict(what, getattr(mine, what.reading), centre, reach))
    return tuple(found)


@cache
def _healthy() -> tuple[Readings, ...]:
    return tuple(readings(run) for run in open_ward()[CONTROL].runs)
