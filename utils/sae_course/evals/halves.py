"""Tokens with their truth, in two halves: what is picked on one is measured on the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..data.labels import Labels
from ..runtime import CourseError

LEAST = 30
"""True tokens, and false ones, that a feature needs in either half to be scored."""

Rows = Sequence[int] | Bool[np.ndarray, " rows"] | Int[np.ndarray, " rows"]


@dataclass(frozen=True)
class Halves:
    """Which rows choose and which measure, and the truth of their tokens for every feature that is scored.

    Whole rows, so that no sentence stands in both: neighbouring tokens are alike.
    """

    names: tuple[str, ...]
    """Of the features that are scored."""
    left_out: dict[str, int]
    """The others, and how many tokens they are true of in the half where these are fewer."""
    choosing: Bool[Tensor, "choosing_n features"]
    measuring: Bool[Tensor, "measuring_n features"]
    shape: tuple[int, int] = field(repr=False)
    """rows, pos"""
    rows: Bool[Tensor, " rows"] = field(repr=False)
    """True where a row chooses."""

    def split(
        self, values: Float[Tensor, "rows pos d"] | Float[Tensor, "n d"], what: str
    ) -> tuple[Float[Tensor, "choosing_n d"], Float[Tensor, "measuring_n d"]]:
        """One line for each token, of the choosing and of the measuring half.

        Raises:
            CourseError: when these are not of the same tokens as the labels.
        """
        n_rows, n_pos = self.shape
        shapes = [(n_rows, n_pos), (n_rows * n_pos,)]
        if not isinstance(values, Tensor) or tuple(values.shape[:-1]) not in shapes:
            found = list(getattr(values, "shape", [])) or type(values).__name__
            raise CourseError(
                f"{what} must be of the same tokens as the labels: [{n_rows}, {n_pos}, width] or "
                f"[{n_rows * n_pos}, width]; this is {found}."
            )
        by_row = values.detach().reshape(n_rows, n_pos, values.shape[-1])
        rows = self.rows.to(values.device)
        return by_row[rows].flatten(0, 1), by_row[~rows].flatten(0, 1)


def halves(labels: Labels, choose: Rows | None = None) -> Halves:
    """Even rows choose and odd rows measure, unless told otherwise.

    Args:
        choose: the rows that choose, by number or as a mask; the others measure.

    Raises:
        CourseError: when one half is empty, or no feature is true and false often enough in both.
    """
    n_rows, n_pos, _ = labels.values.shape
    rows = np.zeros(n_rows, dtype=bool)
    picked = np.arange(0, n_rows, 2) if choose is None else np.asarray(choose)
    try:
        rows[picked] = True
    except IndexError as error:
        raise CourseError(f"choose names rows that there aren't: there are {n_rows} ({error}).") from error
    if rows.all() or not rows.any():
        raise CourseError(
            f"{int(rows.sum())} of {n_rows} rows choose: both halves, choosing and measuring, need some."
        )
    parts = [labels.values[which].reshape(-1, len(labels)) for which in (rows, ~rows)]
    true = np.min([part.sum(0) for part in parts], axis=0)
    false = np.min([(~part).sum(0) for part in parts], axis=0)
    kept = np.minimum(true, false) >= LEAST
    if not kept.any():
        raise CourseError(
            f"None of the {len(labels)} features is true, and false, of at least {LEAST} tokens in each "
            f"half of these {n_rows} × {n_pos} tokens: take more rows. {labels.missing}".strip()
        )
    return Halves(
        names=tuple(np.array(labels.names)[kept].tolist()),
        left_out={name: int(true[i]) for i, name in enumerate(labels.names) if not kept[i]},
        choosing=torch.from_numpy(parts[0][:, kept]),
        measuring=torch.from_numpy(parts[1][:, kept]),
        shape=(n_rows, n_pos),
        rows=torch.from_numpy(rows),
    )


def left_out_words(left_out: Mapping[str, int]) -> str:
    """A line on the features that were too rare to be scored; empty where there are none."""
    if not left_out:
        return ""
    return f"{len(left_out)} left out: true, or false, of fewer than {LEAST} tokens in a half"
