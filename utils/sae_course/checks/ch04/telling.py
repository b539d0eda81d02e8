"""Which reading tells two causes apart: found on the ward's runs, so that the held-out ones stay unseen."""

from statistics import mean

from ...clinic import SEVEN, Readings, open_ward, readings
from ...clinic.causes import HEALTHY
from ...clinic.doctor import SIGNS, Finding, Sign
from ...clinic.grading import LOOK
from ...clinic.measured import usual
from ...clinic.ward import CONTROL


def apart(cause: str, said: str) -> str:
    """The first sign that the ward's runs of one cause have and those of the other lack, and its values.

    Where the ward has no run of what was said ("not sure", or a cause beyond the seven), the healthy run
    stands in for it.

    Args:
        cause: the true one, of `clinic.SEVEN`.
        said: what it was taken for.

    Returns:
        A clause; empty where no sign tells them apart.
    """
    other = said if said in SEVEN else HEALTHY
    if cause == other:  # a healthy run, and "not sure"
        return "a healthy run shows none of the symptoms: what is left when all others are ruled out."
    ward = open_ward()
    runs = {name: [readings(run) for run in ward[SEVEN.index(name)].runs] for name in (cause, other)}
    sound = usual(ward[CONTROL].runs)
    for name in sorted(runs, key=lambda one: one == HEALTHY):  # what is healthy has no telling sign
        lacking = runs[cause if name == other else other]
        for sign in SIGNS[name]:
            has = all(shows(sign, one, sound) for one in runs[name])
            if has and not any(shows(sign, one, sound) for one in lacking):
                how = "tells them apart" if said == other else "shows it"
                where = f" Look at {LOOK[sign.reading].rstrip('?')}." if sign.reading in LOOK else ""
                return (
                    f"readings(run).{sign.reading} {how}: in the ward it is "
                    f'{_shown(sign, runs[cause])} for "{cause}", and {_shown(sign, runs[other])} for '
                    f'"{other}".{where}'
                )
    return ""


def shows(sign: Sign, run: Readings, sound: Readings) -> bool:
    """Whether a run has a sign; ``sound`` is the healthy one that it may have to be compared with."""
    return Finding(sign, getattr(run, sign.reading), sign.bounds(sound)).present


def _shown(sign: Sign, runs: list[Readings]) -> str:
    middle = mean(float(getattr(run, sign.reading)) for run in runs)
    return f"{middle:,.0f}" if abs(middle) >= 100 else f"{middle:.2g}"
