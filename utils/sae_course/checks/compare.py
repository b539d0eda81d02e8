"""What is wrong with a result, said the way a person would: nothing, another type, a wrong part of it."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .failure import CheckFailed
from .tensors import Rules, named, tensor_difference, value_difference

Axes = str | Sequence[Any] | dict[str, Any]


def difference(  # noqa: PLR0911 - one type a line
    actual: Any, expected: Any, what: str, axes: Axes = "", rules: Rules | None = None
) -> CheckFailed | None:
    """The first thing wrong with ``actual``, ready to raise; None if it agrees with ``expected``.

    Args:
        what: the result's name in a message, such as ``"loss"`` or ``"field l0 of loss"``.
        axes: the axes' names, ``"batch d_in"``; a sequence or dict of them for a tuple, NamedTuple or dict.
    """
    rules = rules or Rules()
    if actual is None and expected is not None:
        return CheckFailed(f"{what} returned nothing (None): is there a `return`?", kind="none")
    if expected is None:
        if actual is None:
            return None
        return _wrong_type(actual, "None: it should change its input and return nothing", what)
    if isinstance(expected, Tensor):
        names = axes if isinstance(axes, str) else ""
        if isinstance(actual, Tensor):
            return tensor_difference(actual, expected, what, names, rules)
        return _wrong_type(actual, f"a tensor of shape {named(names.split(), expected.shape)}", what)
    if isinstance(expected, bool | str):
        return _exact(actual, expected, what)
    if isinstance(expected, Number):
        return _number(actual, expected, what, rules)
    if isinstance(expected, tuple | list):
        return _sequence(actual, expected, what, axes, rules)
    if isinstance(expected, dict):
        return _dictionary(actual, expected, what, axes, rules)
    raise TypeError(f"a check compares tensors, numbers, tuples and dicts, not {type(expected).__name__}")


def agrees(actual: Any, expected: Any, rules: Rules | None = None) -> bool:
    """Whether the two are the same result."""
    return difference(actual, expected, "", "", rules) is None


def _wrong_type(actual: Any, wanted: str, what: str) -> CheckFailed:
    seen, likely = f"a {type(actual).__name__}", ""
    if isinstance(actual, Tensor):
        seen = f"a tensor of shape {tuple(actual.shape)}"
    elif isinstance(actual, np.ndarray | np.generic):
        seen, likely = "a NumPy array", "leave out .numpy(), or wrap it in torch.as_tensor(...)."
    elif isinstance(actual, float | int) and wanted.startswith("a tensor"):
        seen, likely = f"a Python {type(actual).__name__}", "leave out .item() or float(...)."
    elif isinstance(actual, tuple):
        seen = f"a tuple of {len(actual)}"
        if wanted.startswith("a tensor"):
            likely = "a comma at the end of the line, or more than one value after `return`."
    elif hasattr(actual, "gi_frame"):
        seen, likely = "a generator", "`yield` instead of `return`."
    elif callable(actual):
        likely = "missing brackets after a function's name."
    return CheckFailed(f"{what} returned {seen}; expected {wanted}.", kind="type", likely=likely)


def _exact(actual: Any, expected: Any, what: str) -> CheckFailed | None:
    if isinstance(actual, Tensor) and actual.numel() == 1:
        actual = actual.item()
    if isinstance(actual, np.generic):
        actual = actual.item()
    if type(actual) is not type(expected):
        return _wrong_type(actual, f"{expected!r}, a {type(expected).__name__}", what)
    if actual == expected:
        return None
    return CheckFailed(f"{what} gives {actual!r}; expected {expected!r}.", kind="values")


def _number(actual: Any, expected: Any, what: str, rules: Rules) -> CheckFailed | None:
    if isinstance(actual, Tensor):
        if actual.numel() != 1:
            return _wrong_type(actual, "a single number", what)
        actual = actual.item()
    if isinstance(actual, np.generic):
        actual = actual.item()
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        return _wrong_type(actual, "a number", what)
    return value_difference(
        torch.tensor(actual, dtype=torch.float64),
        torch.tensor(expected, dtype=torch.float64),
        what,
        [],
        rules,
    )


def _sequence(
    actual: Any, expected: Sequence[Any], what: str, axes: Axes, rules: Rules
) -> CheckFailed | None:
    fields: Sequence[str] | None = getattr(expected, "_fields", None)
    if fields is not None:
        wanted = f"a NamedTuple with the fields {', '.join(fields)}"
        missing = [name for name in fields if not hasattr(actual, name)]
        if missing:
            wrong = _wrong_type(actual, wanted, what)
            if hasattr(actual, "_fields"):
                wrong.likely = f"the field {missing[0]} is missing, or has another name."
            return wrong
        items = [(f"field {name} of {what}", getattr(actual, name), name) for name in fields]
    else:
        kind = "tuple" if isinstance(expected, tuple) else "list"
        if not isinstance(actual, tuple | list):
            return _wrong_type(actual, f"a {kind} of {len(expected)}", what)
        if len(actual) != len(expected):
            return CheckFailed(
                f"{what} returned a {type(actual).__name__} of {len(actual)}; expected {len(expected)}.",
                kind="length",
            )
        items = [(f"output {i + 1} of {what}", item, str(i)) for i, item in enumerate(actual)]
    for i, (name, item, key) in enumerate(items):
        if failure := difference(item, expected[i], name, _axes_of(axes, key, i), rules):
            return failure
    return None


def _axes_of(axes: Axes, key: str, position: int) -> Axes:
    """The axes of one of several results."""
    if isinstance(axes, dict):
        return axes.get(key, "")
    return axes[position] if axes and not isinstance(axes, str) else ""


def _dictionary(
    actual: Any, expected: dict[Any, Any], what: str, axes: Axes, rules: Rules
) -> CheckFailed | None:
    if not isinstance(actual, dict):
        return _wrong_type(actual, f"a dictionary with the keys {', '.join(map(str, expected))}", what)
    if missing := [key for key in expected if key not in actual]:
        return CheckFailed(
            f"{what} returned a dictionary with the keys {', '.join(map(str, actual)) or '(none)'}; "
            f"{missing[0]!r} is missing.",
            kind="length",
        )
    for key, value in expected.items():
        axis = axes.get(key, "") if isinstance(axes, dict) else ""
        if failure := difference(actual[key], value, f"entry {key!r} of {what}", axis, rules):
            return failure
    return None
