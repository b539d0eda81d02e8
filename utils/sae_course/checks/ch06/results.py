"""What a learner returned, as tensors that a check can compare: arrays, lists of them, two named fields."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..failure import CheckFailed


def as_tensor(value: Any) -> Tensor | None:
    """An array, a tensor, or a list of arrays or numbers, on the CPU; None for anything else."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, list | tuple):
        try:
            value = np.array([one.numpy(force=True) if isinstance(one, Tensor) else one for one in value])
        except (TypeError, ValueError):  # rows of uneven length
            return None
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return None
    return torch.tensor(value.tolist(), dtype=_DTYPES.get(value.dtype.kind)).reshape(value.shape)


_DTYPES = {"b": torch.bool, "i": torch.int64, "u": torch.int64, "f": torch.float64}


def two_fields(result: Any, kind: str, fields: Sequence[str], what: str) -> list[Any]:
    """The fields of a learner's NamedTuple; the chapter asks for them by name.

    Args:
        kind: the NamedTuple's name in the exercise.
        what: the learner's function.

    Raises:
        CheckFailed: where it is something else.
    """
    if result is None:
        raise CheckFailed(f"{what} returned nothing (None): is there a `return`?", kind="none")
    if not isinstance(result, type) and all(hasattr(result, name) for name in fields):
        return [getattr(result, name) for name in fields]
    wanted = f"{kind}({', '.join(fields)})"
    seen = f"a {type(result).__name__}"
    if isinstance(result, tuple | list):
        seen += f" of {len(result)}"
    elif isinstance(result, Tensor | np.ndarray):
        seen = f"{'a tensor' if isinstance(result, Tensor) else 'an array'} of shape {tuple(result.shape)}"
    elif isinstance(result, type):
        seen = "the class itself"
    raise CheckFailed(
        f"{what} returned {seen}; expected {wanted}.",
        kind="type",
        likely=f"`return {wanted}` gives both a name.",
    )
