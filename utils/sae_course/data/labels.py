"""The truth of every token, as booleans with names."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from ..runtime import CourseError


@dataclass(frozen=True)
class Labels:
    """What is true at every token: ``labels["inside a quote"]`` is a mask over the tokens.

    Where the true features are only partly known (real text, at full scale), ``names`` holds those that can
    be computed and ``missing`` says in one line what is not here; a chapter runs the same with fewer.
    """

    names: tuple[str, ...]
    values: Bool[np.ndarray, "batch pos feature"]
    missing: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[-1] != len(self.names) or self.values.dtype != np.bool_:
            raise CourseError(
                f"labels need a boolean array [batch, pos, {len(self.names)}], one entry for each of their "
                f"{len(self.names)} names; this one is {self.values.dtype} {list(self.values.shape)}."
            )

    def __getitem__(self, name: str) -> Bool[np.ndarray, "batch pos"]:
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.4)
            hint = f" Nearest: {', '.join(near)}." if near else ""
            why = f" {self.missing}" if self.missing else ""
            raise CourseError(f'There is no feature "{name}" among these {len(self.names)}.{hint}{why}')
        return self.values[:, :, self.names.index(name)]

    def only(self, names: Iterable[str]) -> "Labels":
        """Some of the features, in the order given.

        Raises:
            CourseError: for one that there isn't, as ``labels[name]``.
        """
        wanted = tuple(names)
        for name in wanted:
            self[name]
        chosen = [self.names.index(name) for name in wanted]
        return Labels(wanted, self.values[..., chosen], self.missing)

    def joined(self, other: "Labels") -> "Labels":
        """These features and another's, of the same tokens.

        Raises:
            CourseError: when they are of other tokens, or share a name.
        """
        if self.values.shape[:2] != other.values.shape[:2] or set(self.names) & set(other.names):
            shared = sorted(set(self.names) & set(other.names))[:3]
            raise CourseError(
                "Labels are joined for the same tokens and without a name in common; these are of "
                f"{list(self.values.shape[:2])} and {list(other.values.shape[:2])} tokens, and share "
                f"{shared}."
            )
        missing = " ".join(dict.fromkeys(text for text in (self.missing, other.missing) if text))
        return Labels(self.names + other.names, np.concatenate([self.values, other.values], axis=-1), missing)

    def at(self, positions: slice) -> "Labels":
        """Only these positions of each row, as an SAE with ``seqpos_slice`` sees them."""
        return Labels(self.names, self.values[:, positions], self.missing)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)

    def base_rates(self) -> dict[str, float]:
        """The share of tokens at which each feature is true."""
        rates = self.values.reshape(-1, len(self.names)).mean(axis=0) if self.values.size else []
        return dict(zip(self.names, (float(rate) for rate in rates), strict=False))

    def of_next(self) -> "Labels":
        """What is true of the token that comes next, [batch, pos - 1]: "next: sentence mark"."""
        return Labels(tuple(f"next: {name}" for name in self.names), self.values[:, 1:].copy(), self.missing)

    def __repr__(self) -> str:
        batch, pos, n_features = self.values.shape
        text = f"Labels({n_features} features of {batch} × {pos} tokens)"
        return f"{text}: {self.missing}" if self.missing else text
