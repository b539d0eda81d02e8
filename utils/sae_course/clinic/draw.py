"""Which patients a set for a workshop has: a draw from a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ..runs.metrics import find
from ..runtime import CourseError
from .causes import CAUSES, HEALTHY

MOST = 12
SLOW = "dictionary too wide"
"""Several times as slow to train as the others: one in a set, and not of the widest."""
_SLOW_SEVERITY = 0.3


@dataclass(frozen=True)
class Drawn:
    """A run of a set, to be trained."""

    name: str
    cause: str
    severity: float
    seed: int


def draw(seed: int, patients: int = 6, kinds: Sequence[str] = ()) -> list[Drawn]:
    """The set of a seed: the healthy run, and patients whose causes come again only when all were used.

    Args:
        kinds: causes to draw from; all if none is given.

    Raises:
        CourseError: for a number or a cause that there isn't, or more patients than the kinds allow.
    """
    known = [cause for cause in CAUSES if cause != HEALTHY]
    if not 1 <= patients <= MOST:
        raise CourseError(f"A set has 1 to {MOST} patients, not {patients}.")
    pool = list(dict.fromkeys(find(kind, known, "kind") for kind in kinds)) or known
    if pool == [SLOW] and patients > 1:
        raise CourseError(
            f'"{SLOW}" is slow to train, and comes once in a set: ask for one patient, or name more kinds.'
        )
    chance = random.Random(seed)
    # Never a seed of the clinic's own record: its runs and their answers come with the course.
    drawn = [Drawn(HEALTHY, HEALTHY, 0.5, chance.randrange(10_000, 1_000_000))]
    bag: list[str] = []
    for letter in "abcdefghijkl"[:patients]:
        if not bag:
            used = {one.cause for one in drawn}
            bag = [cause for cause in pool if cause != SLOW or cause not in used]
            chance.shuffle(bag)
        cause = bag.pop()
        severity = round(chance.random() * (_SLOW_SEVERITY if cause == SLOW else 1), 3)
        drawn.append(Drawn(f"patient-{letter}", cause, severity, chance.randrange(10_000, 1_000_000)))
    return drawn
