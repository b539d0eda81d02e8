"""What a learner returned under several names: a NamedTuple of the chapter, or a plain tuple in its order."""

from collections.abc import Mapping, Sequence
from typing import Any

from .compare import difference
from .failure import CheckFailed
from .trial import Function, Trial, name_of

NO_FIELDS = ("none", "type", "length")
"""Kinds of failure after which there is nothing to compare by field."""


def fields_of(result: Any, right: Sequence[Any], fields: Sequence[str], name: str, kind: str) -> list[Any]:
    """By name where there are names; a plain tuple's by position.

    Args:
        right: what is expected, in the order of ``fields``.
        name: of the learner's function.
        kind: the NamedTuple's name in the exercise.

    Raises:
        CheckFailed: where it is something else.
    """
    if not isinstance(result, type) and all(hasattr(result, field) for field in fields):
        return [getattr(result, field) for field in fields]
    failure = difference(result, tuple(right), name)
    if failure and failure.kind in NO_FIELDS and not failure.problem.startswith("output"):
        failure.problem = failure.problem.replace(
            f"expected a tuple of {len(fields)}", f"expected {kind}({', '.join(fields)})"
        )
        raise failure
    return list(result)


def compare_fields(
    t: Trial,
    student: Function,
    arguments: dict[str, Any],
    right: Sequence[Any],
    *,
    mistakes: Mapping[str, Any],
    axes: str,
    kind: str,
    raised: Mapping[str, str],
) -> None:
    """Call the learner's function, and compare its tensors one field after the other.

    So a slip in one is named whatever the later ones are.

    Args:
        mistakes: field -> sentence -> the wrong function that it describes.
        axes: of every field.
        kind: the NamedTuple's name in the exercise.
        raised: part of an exception's message -> what is the likely cause.
    """
    name = name_of(student)
    try:
        result = t.call(student, arguments)
    except CheckFailed as failure:
        if failure.kind == "raised":
            said = (likely for words, likely in raised.items() if words in failure.problem)
            failure.likely = next(said, failure.likely)
        raise
    found = fields_of(result, right, [*mistakes], name, kind)
    for seen, wanted, field in zip(found, right, mistakes, strict=True):
        t.against(
            lambda *_, seen=seen: seen,
            arguments,
            wanted,
            axes=axes,
            mistakes=mistakes[field],
            any_dtype=True,
            what=f"field {field} of {name}",
        )
