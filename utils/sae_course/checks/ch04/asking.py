"""Calling a learner's function about recorded runs, and the course's own errors as a check's message."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ...runs import Run
from ...runs.metrics import find, short
from ...runtime import CourseError
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of


def ask(t: Trial, student: Function, arguments: dict[str, Any] | None = None, *, about: str = "") -> Any:
    """The learner's result, as `Trial.call` gives it.

    An error of the course that their code met, such as a cause that there isn't, is shown as it is.

    Args:
        about: what a failure of this call says of its inputs; by default nothing.

    Raises:
        CheckFailed: as `Trial.call` does.
    """
    try:
        return t.call(student, arguments or {})
    except CheckFailed as failure:
        start = f"{name_of(student)} raised {CourseError.__name__}: "
        if failure.kind == "raised" and failure.problem.startswith(start):
            failure.problem = failure.problem.removeprefix(start)
        raise
    finally:
        t.case = about  # not "Inputs": these are no random cases


def a_type(thing: Any) -> str:
    """What something is, with its article: ``an int``."""
    if isinstance(thing, type):
        return f"the class {thing.__name__} itself"
    name = type(thing).__name__
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


def missing_key(failure: CheckFailed) -> str:
    """The key that a learner's code asked for in vain; empty where it failed otherwise."""
    found = re.search(r"raised KeyError: '([^']*)'", failure.problem)
    return found[1] if found and failure.kind == "raised" else ""


def missing_metric(failure: CheckFailed, run: Run) -> str:
    """Advice where a run was asked for a metric by a name that it doesn't have; empty where it wasn't."""
    key = missing_key(failure)
    if not key:
        return ""
    if full := [name for name in run.final if short(name) == key]:
        return f"metrics have long names: {' or '.join(full)}."
    try:
        find(key, run.final)
    except CourseError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def as_it_says(kind: str) -> Iterator[None]:
    """An error of the course, written for people, becomes a check's message with the same words."""
    try:
        yield
    except CourseError as error:
        raise CheckFailed(str(error), kind=kind) from error
