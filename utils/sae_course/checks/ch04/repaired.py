"""Check of 4.8: the configurations that are to cure the six bad runs, and the six runs trained with them."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from statistics import mean
from typing import Any

from ...clinic import CAUSES, SEVEN, Diagnosis, diagnose, open_ward, readings
from ...clinic.causes import HEALTHY
from ...clinic.measured import usual
from ...clinic.recovered import Verdict, judged
from ...clinic.ward import CONTROL, Patient, Ward
from ...runs import Run
from ...runtime import current
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Trial
from .asking import a_type, as_it_says
from .telling import shows
from .treatment import prescribed

NAMES = tuple(f"run {number}" for number in range(1, len(SEVEN)))
WORDS = {
    "l0": ("L0", "metrics/l0"),
    "explained_variance": ("explained variance", "metrics/explained_variance"),
    "dead": ("share of dead latents", "sparsity/dead_features"),
    "loss_recovered": ("share of the loss recovered", "model_performance_preservation.ce_loss_score"),
    "ce_without_sae": (
        "model's loss without any SAE",
        "model_performance_preservation.ce_loss_without_sae",
    ),
}
"""What a message calls a reading, and the metric that it is taken from."""
ADVICE = {
    ("l0", "high"): "more latents fire than in a healthy run, which makes all else look better than it is.",
    ("l0", "low"): "fewer latents fire than in a healthy run: was something else changed as well?",
    ("explained_variance", "low"): "it is on the way: the right setting, but not far enough?",
    ("dead", "high"): "not all that kills latents was changed.",
    ("loss_recovered", "low"): "it serves the model less well than a healthy run does.",
}
_TEXT = "no SAE is in this number, only the model and its text: is it the healthy run's text?"


@exercise("4.8", "repairs", minutes=10, hints=2)
def repairs(t: Trial, handed_in: Any) -> None:
    """Before training, the configurations that a function gives; after it, the six runs, by their names.

    The runs have to be trained, and to end within the seed noise of the ward's healthy run, or better. In a
    smoke run (`Session.smoke`) only their names count.
    """
    if callable(handed_in):
        with as_it_says("record"):
            prescribed(t, handed_in, NAMES)
        return
    with as_it_says("record"):
        ward = open_ward()
    runs = _six(t, handed_in)
    if current().smoke:
        print("Not judged: in a smoke run no training is long enough to be repaired.")
        return
    found = {name: _judged(t, name, runs[name], ward) for name in NAMES}
    t.count = len(NAMES)
    missed = {name: bad for name, verdicts in found.items() if (bad := _bad(verdicts))}
    if not missed:
        return
    name, bad = next(iter(missed.items()))
    first, *others = map(_words, bad)
    done = ", ".join(name for name in NAMES if name not in missed) or "none"
    problem = [
        f"{name} is not repaired yet: {first}.",
        *(f"Its {other}." for other in others),
        f"Repaired: {done}. Not yet: {', '.join(missed)}.",
    ]
    raise CheckFailed("\n".join(problem), kind="unrepaired", likely=_likely(ward, name, runs[name], bad))


def _six(t: Trial, handed_in: Any) -> dict[str, Any]:
    """The dictionary, with all six names and no other."""
    t.require(handed_in is not None, "There are no runs here (None): is there a `return`?", kind="none")
    wanted = f'a dictionary of six runs, {{"{NAMES[0]}": ..., "{NAMES[-1]}": ...}}'
    t.require(isinstance(handed_in, Mapping), f"Expected {wanted}, not {a_type(handed_in)}.", kind="type")
    found = dict(handed_in)
    if missing := [name for name in NAMES if name not in found]:
        raise CheckFailed(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: the keys are "
            f"{', '.join(map(repr, found)) or '(none)'}; expected {wanted}.",
            kind="names",
            likely=f'a key is the run\'s whole name, "{missing[0]}".' if len(found) >= len(NAMES) else "",
        )
    if extra := [name for name in found if name not in NAMES]:
        raise CheckFailed(
            f"{extra[0]!r} is none of the six that are to be repaired: expected {wanted}.",
            kind="names",
            likely=f"{CONTROL} is healthy: there is nothing to repair." if extra[0] == CONTROL else "",
        )
    return found


def _judged(t: Trial, name: str, run: Any, ward: Ward) -> tuple[Verdict, ...]:
    """How a run ended; it has to be trained to its end, by the learner, and to have all that is compared."""
    t.require(
        isinstance(run, Run),
        f"{name} is {'nothing (None)' if run is None else a_type(run)}; expected the Run that training "
        "returns.",
        kind="type",
        likely=_instead_of_a_run(run),
    )
    t.require(
        run.status == "finished",
        f"{name} is not finished: its training stopped at step {run.step}.",
        kind="unfinished",
        likely="train it again in the same folder: it goes on where it was.",
    )
    if recorded := _recorded(run, ward):
        raise CheckFailed(
            f"{name} is the recorded {recorded} itself, to the last digit: a repair has to be trained.",
            kind="recorded",
            likely="train it with a configuration like this one's."
            if recorded == CONTROL
            else "change what was wrong in its configuration, and train.",
        )
    with as_it_says("record"):  # a file that was damaged
        verdicts = judged(run)
    for verdict in verdicts:
        metric = WORDS[verdict.what.reading][1]
        t.require(
            isfinite(run.final.get(metric, 0.0)),
            f"{name} ends without a number: its {metric} is {run.final.get(metric)}.",
            kind="nan",
            likely="too high a learning rate makes numbers overflow.",
        )
        lacks = "density histogram, to count its latents by" if metric in run.final else metric
        t.require(
            verdict.value is not None,
            f"{name} has recorded no {lacks}: it can't be compared with healthy runs.",
            kind="metrics",
            likely="was it trained with the configuration from the ward, and by the course's training?",
        )
    return verdicts


def _instead_of_a_run(thing: Any) -> str:
    if isinstance(thing, Patient):
        return "that is the recorded run, with all its seeds; hand in the one that you trained."
    if isinstance(thing, str | Path):
        return "Run.load(folder) gives the run in a folder."
    if isinstance(thing, Diagnosis):
        return "that is a diagnosis; training returns the run."
    if hasattr(thing, "training_tokens"):
        return "that is a configuration: train it first."
    if isinstance(thing, list | tuple) and any(isinstance(one, Run) for one in thing):
        return "one run for each name, not several."
    return ""


def _recorded(run: Run, ward: Ward) -> str:
    """Which run of the record this is; empty for a trained one.

    The healthy configuration, trained with the record's seed on such a machine, may end at the very same
    numbers. But a trained run has its configuration, and a recorded one has none.
    """
    if run.config:
        return ""
    for patient in ward:
        for one in patient.runs:
            shared = [name for name in one.final if name in run.final]
            if shared and all(run.final[name] == one.final[name] for name in shared):
                return patient.name
    return ""


def _bad(verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """Those that are not as a healthy run's, the furthest off first."""
    bad = [one for one in verdicts if not one.fine]
    return sorted(bad, key=lambda one: -abs((one.value or 0.0) - one.centre) / one.reach)


def _words(verdict: Verdict) -> str:
    side, sign = ("at most", 1) if _side(verdict) == "high" else ("at least", -1)
    return (
        f"{WORDS[verdict.what.reading][0]} ends at {verdict.value:.4g}; that of healthy seeds at "
        f"{verdict.centre:.4g}, and {side} {verdict.centre + sign * verdict.reach:.4g} passes"
    )


def _side(verdict: Verdict) -> str:
    return "high" if (verdict.value or 0.0) > verdict.centre else "low"


def _likely(ward: Ward, name: str, run: Run, bad: list[Verdict]) -> str:
    """What of its illness a run still shows."""
    ill = [readings(one) for one in ward[name].runs]
    for verdict in bad:
        was = mean(float(getattr(one, verdict.what.reading)) for one in ill)
        if abs((verdict.value or 0.0) - was) < 0.25 * abs(was - verdict.centre):
            return (
                f"that is about where the recorded {name} ends, {was:.4g}: is this the changed "
                "configuration, and was it trained anew, in a new folder?"
            )
    opinion = diagnose(run, ward[CONTROL].runs)
    if opinion.cause in CAUSES and opinion.cause != HEALTHY:
        sound = usual(ward[CONTROL].runs)
        found = [one.sign for one in opinion.evidence if one.present and not shows(one.sign, sound, sound)]
        return f"one still sees in its curves that it is ill: {'; '.join(sign.words for sign in found)}."
    first = bad[0]
    return (
        _TEXT
        if first.what.reading == "ce_without_sae"
        else ADVICE.get((first.what.reading, _side(first)), "")
    )
