"""One setting with several values, in one batch of instances."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...runtime import CourseError


def spread_over(values: float | Sequence[float], like: Tensor) -> Tensor:
    """A value for each instance: the first for the first few, the next for as many after them.

    Args:
        values: one, or as many as divide the number of instances.
        like: a tensor whose first axis is the instances'.

    Returns:
        [inst], of the same kind.

    Raises:
        CourseError: when the number of values doesn't divide the number of instances.
    """
    several = [values] if isinstance(values, int | float) else list(values)
    copies = parts(len(several), len(like))
    return torch.tensor(several, dtype=like.dtype, device=like.device).repeat_interleave(copies)


def parts(n_values: int, n_inst: int) -> int:
    """How many consecutive instances each value has.

    Raises:
        CourseError: as `spread_over` does.
    """
    if n_values == 0 or n_inst % n_values:
        raise CourseError(f"{n_values} values of a setting can't be spread evenly over {n_inst} instances.")
    return n_inst // n_values
