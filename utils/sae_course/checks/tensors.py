"""What is wrong with a tensor: its shape with named axes, its dtype, its device, its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .failure import CheckFailed


@dataclass(frozen=True)
class Rules:
    """How a result is compared."""

    rtol: float = 1e-4
    """Relative to the expected entry."""
    atol: float = 2e-5
    """Relative to the largest expected entry, so that small results are not passed unseen."""
    any_dtype: bool = False
    """Accept another dtype where the values agree (a mask as floats, say)."""


def tensor_difference(
    actual: Tensor, expected: Tensor, what: str, axes: str, rules: Rules
) -> CheckFailed | None:
    """The first thing wrong with a tensor; None if it agrees.

    Args:
        what: the result's name in a message.
        axes: the axes' names, ``"batch d_in"``; may be empty.
    """
    names = axes.split()
    if actual.shape != expected.shape:
        return _shape(actual, expected, what, names)
    if actual.dtype != expected.dtype and not rules.any_dtype:
        return CheckFailed(
            f"{what} has dtype {_short(actual.dtype)}; expected {_short(expected.dtype)}.",
            kind="dtype",
            likely=_dtype_reason(actual.dtype, expected.dtype),
        )
    if actual.device.type != expected.device.type:
        return CheckFailed(
            f"{what} is on device {actual.device}; expected {expected.device}, where the inputs are.",
            kind="device",
            likely="a tensor made without device=x.device.",
        )
    if expected.numel() == 0:
        return None
    return value_difference(actual.detach(), expected.detach(), what, names, rules)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _dtype_reason(actual: torch.dtype, expected: torch.dtype) -> str:
    if actual == torch.float64:
        return "a float64 tensor mixed in, from NumPy or from dtype=torch.float64."
    if expected.is_floating_point and actual == torch.bool:
        return "a comparison such as (x > 0) not turned into numbers with .float()."
    if expected.is_floating_point and not actual.is_floating_point:
        return "integer arithmetic, .long(), .int() or a whole-number division."
    if expected == torch.bool:
        return "a comparison such as (x > 0) is missing."
    return ""


def named(names: Sequence[str], shape: Sequence[int]) -> str:
    """``[batch, inst] = (7, 3)``, or the shape alone."""
    return f"[{', '.join(names)}] = {tuple(shape)}" if names else str(tuple(shape))


def _shape(actual: Tensor, expected: Tensor, what: str, names: Sequence[str]) -> CheckFailed:
    seen, wanted = tuple(actual.shape), tuple(expected.shape)
    return CheckFailed(
        f"{what} has shape {seen}; expected {named(names, wanted)}.",
        kind="shape",
        likely=_shape_reason(seen, wanted, names),
    )


def shape_difference(value: Tensor, shape: Sequence[int], what: str, axes: str) -> CheckFailed | None:
    """What is wrong with a tensor's shape alone."""
    if value.shape == torch.Size(shape):
        return None
    return _shape(value, torch.empty(tuple(shape), device="meta"), what, axes.split())


def _shape_reason(seen: tuple[int, ...], wanted: tuple[int, ...], names: Sequence[str]) -> str:
    """Swapped, missing, kept or extra axes."""
    called = list(names) or [f"number {i}" for i in range(len(wanted))]
    if sorted(seen) == sorted(wanted):
        moved = [called[i] for i in range(len(wanted)) if seen[i] != wanted[i]]
        return f"the axes {' and '.join(moved)} are in the wrong order."
    if len(seen) == len(wanted):
        ones = [called[i] for i in range(len(wanted)) if seen[i] == 1 != wanted[i]]
        rest = [i for i in range(len(wanted)) if seen[i] != wanted[i] and seen[i] != 1]
        if ones and not rest:
            return f"axis {' and '.join(ones)} has size 1: was it summed or averaged over (with keepdim)?"
    for i in range(len(wanted)):
        if seen == wanted[:i] + wanted[i + 1 :]:
            return f"axis {called[i]} is missing: was it summed or averaged over?"
    for i in range(len(seen)):
        if wanted == seen[:i] + seen[i + 1 :]:
            why = "keepdim=True, or an unsqueeze" if seen[i] == 1 else "a sum or mean over it is missing"
            return f"there is an axis too many, of size {seen[i]} at position {i}: {why}."
    if not wanted:
        return "a single number is wanted: a sum or mean over the axes that are left."
    return ""


def value_difference(
    actual: Tensor, expected: Tensor, what: str, names: Sequence[str], rules: Rules
) -> CheckFailed | None:
    """What is wrong with the values of a tensor of the right shape."""
    if actual.is_meta or expected.is_meta:
        return None
    seen, wanted = actual.detach().double(), expected.detach().double()
    bad = ~torch.isfinite(seen) & torch.isfinite(wanted)
    if bad.any():
        return _not_finite(actual, bad, what, names)
    wrong, gap = _wrong(seen, wanted, rules)
    if not wrong.any():
        return None
    furthest = int(torch.where(wrong, gap, -1.0).argmax())
    at = tuple(int(i) for i in np.unravel_index(furthest, gap.shape)) if gap.shape else ()
    place = f" at {_position(at, names)}" if at else ""
    text = f"{what} gives {_show(actual[at])}{place}; expected {_show(expected[at])}"
    if wrong.numel() > 1:
        count = int(wrong.sum())
        many = f"all {count}" if count == wrong.numel() else f"{count} of {wrong.numel()}"
        text += f" ({many} values are wrong; this one is the furthest off)"
    return CheckFailed(f"{text}.", kind="values", likely=_value_reason(seen, wanted, rules))


def _wrong(seen: Tensor, wanted: Tensor, rules: Rules) -> tuple[Tensor, Tensor]:
    """Which entries are too far off, and how far each is."""
    gap = torch.nan_to_num((seen - wanted).abs(), nan=0.0, posinf=0.0)
    size = torch.nan_to_num(wanted.abs(), nan=0.0, posinf=0.0)
    wrong = gap > rules.atol * size.max() + rules.rtol * size + 1e-12
    return wrong | (torch.isfinite(seen) != torch.isfinite(wanted)), gap


def _position(at: Sequence[int], names: Sequence[str]) -> str:
    named = len(names) == len(at)
    return "[" + ", ".join(f"{names[i]}={k}" if named else str(k) for i, k in enumerate(at)) + "]"


def _show(value: Any) -> str:
    value = value.item() if isinstance(value, Tensor) else value
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _not_finite(actual: Tensor, bad: Tensor, what: str, names: Sequence[str]) -> CheckFailed:
    first = tuple(int(i) for i in bad.nonzero()[0])
    place = f" at {_position(first, names)}" if first else ""
    value = _show(actual[first].float())
    kind = "NaN (not a number)" if value == "nan" else value
    count = f" ({int(bad.sum())} of {bad.numel()} values are NaN or infinite)" if bad.numel() > 1 else ""
    return CheckFailed(
        f"{what} gives {kind}{place}{count}.",
        kind="nan",
        likely="a division by zero, the logarithm of zero, or an overflow in exp.",
    )


def _value_reason(seen: Tensor, wanted: Tensor, rules: Rules) -> str:
    """What simple rule turns the expected values into these, where there is one."""
    if not bool(seen.any()):
        return "every value is zero: is the result ever filled in?"
    scale = wanted.abs().max()
    large = wanted.abs() > 1e-3 * scale
    if not bool(large.any()):
        return ""
    factor = float((seen[large] / wanted[large]).median())
    if wanted.numel() == 1 or bool(_wrong(seen, wanted * factor, rules)[0].any()):
        return ""
    if abs(factor + 1) < 1e-3:
        return "the sign is the wrong way round, everywhere."
    return f"every value is the expected one times {factor:.4g}."
