"""How this chapter's checks compare a NamedTuple of numbers."""

import math
from collections.abc import Callable
from typing import Any

from ..failure import CheckFailed
from ..fields import fields_of
from ..trial import Function, Trial, name_of

Rule = Callable[[Any], float]
"""A number from the inputs, a NamedTuple."""
RTOL = 1e-6
EXACT = 1e-9
"""For a factor: nearly every large one is whole within RTOL."""
SMALL = 12
"""A whole number up to this is no sign of the argument that happens to have it."""


def compare_numbers(
    t: Trial,
    student: Function,
    inputs: Any,
    right: Any,
    *,
    mistakes: dict[str, dict[str, Rule]],
    kind: str,
) -> None:
    """Call the learner's function with keywords, and compare its numbers one after the other.

    So a slip in one is named whatever the others are.

    Args:
        inputs: a NamedTuple of the arguments, in the order of the signature.
        right: a NamedTuple of the results.
        mistakes: field -> sentence -> the number that it explains, in the order to look at the fields.
        kind: the name of the learner's NamedTuple.
    """
    name = name_of(student)
    arguments = inputs._asdict()
    seen = _numbers(t.call(student, {}, keywords=arguments), right, name, kind)
    for field, rules in mistakes.items():
        try:
            t.against(
                lambda *_, value=seen[field]: value,
                arguments,
                getattr(right, field),
                mistakes={sentence: _by_position(rule, type(inputs)) for sentence, rule in rules.items()},
                rtol=RTOL,
                atol=0.0,
                what=f"field {field} of {name}",
            )
        except CheckFailed as failure:
            if failure.kind == "values":
                failure.likely = _relation(float(seen[field]), field, right, arguments)
            raise


def _by_position(rule: Rule, inputs: type[Any]) -> Callable[..., float]:
    return lambda *values: rule(inputs(*values))


def _numbers(result: Any, right: Any, name: str, kind: str) -> dict[str, Any]:
    found = fields_of(result, right, right._fields, name, kind)
    return {field: _finite(value) for field, value in zip(right._fields, found, strict=True)}


def _finite(value: Any) -> Any:
    """The value, or infinity for a whole number that no float can hold (`**` for `*`, say)."""
    try:
        if isinstance(value, int):
            float(value)
    except OverflowError:
        return math.inf
    return value


def _relation(seen: float, field: str, right: Any, arguments: dict[str, Any]) -> str:
    """What a number that no mistake explains has to do with the right ones."""
    expected = getattr(right, field)
    if any(math.isclose(seen, round(expected, digits), rel_tol=1e-12) for digits in range(5)):
        return "this is rounded; return the number as it is."
    for other, value in right._asdict().items():
        if other != field and math.isclose(seen, value, rel_tol=RTOL):
            return f"this is right for {other}. Have the fields changed places? ({', '.join(right._fields)})"
    factor = seen / expected
    if factor <= 0:
        return ""
    for ratio, how in ((factor, "times"), (1 / factor, "divided by")):
        for name, value in arguments.items():
            telling = value > SMALL or value != int(value)
            if telling and math.isclose(ratio, value, rel_tol=EXACT):
                return f"this is the expected number {how} `{name}`."
        if 1 < ratio < 1e5 and math.isclose(ratio, round(ratio), rel_tol=EXACT):
            return f"this is the expected number {how} {round(ratio)}."
    return ""
