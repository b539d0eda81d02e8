"""Checks of 4.2 to 4.7: a diagnosis of each run of the ward."""

from typing import Any

from ...clinic import Diagnosis, grade, open_ward
from ...clinic.grading import Grade
from ..core import Check, exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from .asking import a_type, as_it_says, ask


def _check_of(number: int) -> Check:
    """The check of run ``number``: they differ in nothing else."""

    def body(t: Trial, student: Function) -> None:
        with as_it_says("record"):
            ward = open_ward()
        diagnosis = _diagnosis(t, student)
        with as_it_says("symptom"):  # a metric that there isn't
            given = grade(ward, number, diagnosis)
        if not given.right:
            failure = CheckFailed(given.words, kind=_kind(given))
            failure.notes = [f"Next: {given.look}"] if given.look else []
            raise failure

    body.__name__ = f"run_{number}"
    body.__doc__ = f"A symptom of run {number}, the number that shows it, and the cause."
    return exercise(f"4.{number + 1}", f"run_{number}", minutes=4, hints=3)(body)


def _diagnosis(t: Trial, student: Function) -> Diagnosis:
    found: Any = ask(t, student)
    name = name_of(student)
    t.require(found is not None, f"{name} returned nothing (None): is there a `return`?", kind="none")
    t.require(
        isinstance(found, Diagnosis),
        f"{name} returned {a_type(found)}; expected a Diagnosis(symptom=..., direction=..., cause=..., "
        "evidence=...).",
        kind="type",
    )
    return found


def _kind(given: Grade) -> str:
    if given.cause or (given.symptom and given.evidence):
        return "half right"
    return "evidence" if given.symptom else "symptom"


run_1, run_2, run_3, run_4, run_5, run_6 = map(_check_of, range(1, 7))
