"""Check of 4.9: the learner's own doctor, on runs that it has not seen."""

import dataclasses
import difflib
from math import ceil
from typing import Any

from ...clinic import CAUSES, score
from ...clinic.doctor import NOT_SURE
from ...clinic.scoring import Score
from ...runs import Run
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from .asking import a_type, as_it_says, ask, missing_key, missing_metric
from .telling import apart

WANTED = 0.8
"""Share of the held-out runs whose cause has to be named."""


class _NoSettings(dict[str, Any]):
    """A sealed run's configuration: there is none, and it notices whether somebody looks."""

    asked = ""

    def __missing__(self, key: str) -> Any:
        self.asked = str(key)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Nothing."""
        self.asked = str(key)
        return default


@exercise("4.9", "doctor", minutes=20, hints=3, limit=30)
def doctor(t: Trial, student: Function) -> None:
    """Names the cause of at least `WANTED` of the held-out runs, from their curves alone."""
    settings = _NoSettings()

    def ask_about(run: Run) -> str:
        t.count += 1
        # A copy: what the learner's code does to the tables must not stay.
        return _word(t, student, dataclasses.replace(run, config=settings), settings)

    with as_it_says("record"):
        result = score(ask_about)
    t.case = ""
    if result.accuracy < WANTED:
        raise _too_few(result, settings)


def _word(t: Trial, student: Function, run: Run, settings: _NoSettings) -> str:
    """What the doctor says of one run: a cause, or "not sure"."""
    name = name_of(student)
    try:
        said = ask(t, student, {"run": run}, about=f'It was on the run "{run.name}".')
    except CheckFailed as failure:
        if failure.kind == "raised" and not failure.likely:
            failure.likely = _why_it_raised(failure, run, settings)
        raise
    t.require(said is not None, f"{name} returned nothing (None).", kind="none", likely=_no_return(t))
    if not isinstance(said, str):
        raise CheckFailed(
            f"{name} returned {a_type(said)}; expected the name of a cause, a text.",
            kind="type",
            likely="its name is in .cause." if isinstance(getattr(said, "cause", None), str) else "",
        )
    words = [*CAUSES, NOT_SURE]
    if said not in words:
        near = difflib.get_close_matches(said.strip().lower(), words, 1, 0.5)
        raise CheckFailed(
            f'{name} said "{said[:60]}"; expected one of the causes, or "{NOT_SURE}".',
            kind="unknown word",
            likely=f'"{near[0]}", letter by letter.' if near else f"they are {', '.join(words)}.",
        )
    return str(said)


def _no_return(t: Trial) -> str:
    if t.count == 1:
        return "is there a `return` at the end of every branch?"
    return f'a branch without a `return`: earlier runs got a word. End with return "{NOT_SURE}".'


def _why_it_raised(failure: CheckFailed, run: Run, settings: _NoSettings) -> str:
    """What a missing key was: a setting, which no sealed run has, or a metric by another name."""
    key = missing_key(failure)
    if key and key == settings.asked:
        return (
            "run.config is empty here, as that of every sealed run: a doctor goes by the metrics and "
            "histograms alone."
        )
    if key.startswith("details/"):
        return "settings that the trainer writes down as metrics are left out of these runs."
    return missing_metric(failure, run)


def _too_few(result: Score, settings: _NoSettings) -> CheckFailed:
    """How good it is, and where its most frequent mistake could have been seen."""
    n = len(result.truth)
    lines = [f"The doctor is {result}; it takes {ceil(WANTED * n)} of {n} ({WANTED:.0%})."]
    said = set(result.said)
    worst = result.worst()
    if len(said) == 1:
        lines.append(f'It says "{result.said[0]}" of every run.')
        likely = "a first `if` that is always true, or a `return` before the others."
        if result.said[0] == NOT_SURE:
            likely = "no rule ever holds: print the readings of one run, and compare."
    elif worst is not None:
        cause, word, times = worst
        lines.append(f'Most frequent mistake: a run with "{cause}" is called "{word}", {times} times.')
        never = [one for one in dict.fromkeys(result.truth) if one not in said]
        if never:
            lines.append(f"It never says {', '.join(map(_quoted, never))}.")
        likely = apart(cause, word)
    if settings.asked:
        likely = (
            f'it looks for "{settings.asked}" in run.config, which is empty: these runs are sealed, and a '
            "doctor goes by their metrics and histograms alone."
        )
    return CheckFailed("\n".join(lines), kind="accuracy", likely=likely)


def _quoted(word: str) -> str:
    return f'"{word}"'
