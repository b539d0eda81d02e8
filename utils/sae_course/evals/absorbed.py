"""What `absorption` finds: how often another latent stands in for a parent's, by parent and child."""

from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from ..runs.view import table
from .main_latents import in_words
from .uncertainty import Difference, Estimate, difference, over

if TYPE_CHECKING:
    import pandas as pd


class Child(NamedTuple):
    """One child of a parent. Rates are over tokens of the measuring half where the parent's probe says so."""

    n: int
    """Such tokens of the child."""
    silent: float
    """The share of them at which no main latent of the parent fires."""
    absorbed: float
    """The share at which another latent stands in for it as well."""
    elsewhere: float
    """The control: `absorbed` at the parent's tokens that are not this child's. NaN where there are none."""
    fraction: float
    """How much of the parent's direction others contribute, on average."""
    fraction_elsewhere: float
    latent: int | None
    """Which absorbs most often, on the choosing half; None where none does."""
    precision: float
    """The share of the tokens where that latent fires at which the child is true."""


class Parent(NamedTuple):
    """One parent, with its children. Rates are over all its tokens where its probe says so."""

    main: tuple[int, ...]
    """Its main latents."""
    f1: float
    """Of "any of them fires", on the measuring half."""
    scored: bool
    """Whether they tell it, on the choosing half: otherwise its rates say nothing."""
    split: bool
    """Not scored, and together with latents that rather tell a child, they would tell it."""
    n: int
    """Its tokens."""
    silent: float
    absorbed: float
    fraction: float
    children: dict[str, Child]


@dataclass(frozen=True, repr=False)
class Absorption:
    """How often children absorb their parents. Shows itself as a table of parents and children."""

    name: str
    """Of the dictionary."""
    parents: dict[str, Parent] = field(repr=False)
    left_out: list[str]
    """Parents and children that are true of too few tokens, or have no child or parent left."""

    @property
    def scored(self) -> dict[str, Parent]:
        """The parents for which there is a main latent."""
        return {name: parent for name, parent in self.parents.items() if parent.scored}

    @property
    def rate(self) -> Estimate:
        """The share of tokens at which a parent is absorbed, over the scored parents."""
        return over([parent.absorbed for parent in self.scored.values()], "parents")

    @property
    def fraction(self) -> Estimate:
        """The part of a parent's direction that others contribute, over the scored parents."""
        return over([parent.fraction for parent in self.scored.values()], "parents")

    @property
    def main_f1(self) -> Estimate:
        """Of the main latents, over all parents, scored or not."""
        return over([parent.f1 for parent in self.parents.values()], "parents")

    @property
    def told(self) -> Estimate:
        """The share of parents that were scored: those for which there is a main latent."""
        return over([float(parent.scored) for parent in self.parents.values()], "parents")

    def against_elsewhere(self) -> Difference:
        """How much more often a parent is absorbed at a child's tokens than at its others, over the children.

        Raises:
            CourseError: with fewer than two children of scored parents.
        """
        children = self._children()
        return difference([one.absorbed for one in children], [one.elsewhere for one in children])

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per parent and child.

        Columns: ``tokens``, ``silent``, ``absorbed``, ``elsewhere``, ``fraction``, ``fraction elsewhere``,
        ``latent`` and its ``precision``, and of the parent ``main F1`` and whether it was ``scored``.
        """
        import pandas as pd  # noqa: PLC0415 - half a second

        rows = {
            (name, child): {
                "tokens": one.n,
                "silent": one.silent,
                "absorbed": one.absorbed,
                "elsewhere": one.elsewhere,
                "fraction": one.fraction,
                "fraction elsewhere": one.fraction_elsewhere,
                "latent": one.latent,
                "precision": one.precision,
                "main F1": parent.f1,
                "scored": parent.scored,
            }
            for name, parent in self.parents.items()
            for child, one in parent.children.items()
        }
        frame = pd.DataFrame(rows.values(), index=pd.MultiIndex.from_tuples(rows, names=["parent", "child"]))
        return frame.astype({"latent": "Int64"})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN is None."""
        parents = {
            name: _plain(parent._asdict())
            | {"children": {child: _plain(one._asdict()) for child, one in parent.children.items()}}
            for name, parent in self.parents.items()
        }
        return {"name": self.name, "parents": parents, "left out": self.left_out}

    def __str__(self) -> str:
        lines = []
        for name, cells in self._rows().items():
            known = [
                f"{head} {cell}" for head, cell in zip(_HEAD, cells, strict=True) if cell not in ("", "–")
            ]
            lines.append(f"{name}: {', '.join(known)}")
        return "\n  ".join([*self._words(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "<br>".join(self._words()) + table(_HEAD, self._rows())

    def _words(self) -> list[str]:
        words = [
            f"absorption in {self.name}: rate {self.rate}, fraction {self.fraction}; {len(self.scored)} of "
            f"{len(self.parents)} parents scored, main F1 over all of them {self.main_f1}"
        ]
        if not self.scored:
            words.append(
                "no parent has a latent of its own, so nothing could be absorbed: no result, not a good one"
            )
        if len([one for one in self._children() if not isnan(one.elsewhere)]) > 1:
            words.append(f"absorbed at a child's tokens less elsewhere: {self.against_elsewhere()}")
        if self.left_out:
            words.append(f"{len(self.left_out)} left out: true of too few tokens")
        return words

    def _rows(self) -> dict[str, list[str]]:
        rows = {}
        for name, parent in self.parents.items():
            if not parent.scored:
                why = "only latents of its children tell it" if parent.split else "no latent tells it"
                rows[name] = [f"not scored: {why}", f"{parent.f1:.2f}", f"{parent.n:,}", *["–"] * 6]
                continue
            rows[name] = [
                in_words(parent.main),
                f"{parent.f1:.2f}",
                *_cells(parent.n, parent.silent, parent.absorbed),
                "–",
            ]
            rows[name] += [*_cells(parent.fraction), "–", "–"]
            for child, one in parent.children.items():
                by = "–" if one.latent is None else f"{one.latent} (precision {one.precision:.2f})"
                rates = _cells(
                    one.n, one.silent, one.absorbed, one.elsewhere, one.fraction, one.fraction_elsewhere
                )
                called = f"… {child}" if child.startswith(name) else f"… {child} (of {name})"
                rows[called] = ["", "", *rates, by]
        return rows

    def _children(self) -> list[Child]:
        return [one for parent in self.scored.values() for one in parent.children.values()]


_HEAD = [
    "main",
    "F1",
    "tokens",
    "silent",
    "absorbed",
    "absorbed elsewhere",
    "fraction",
    "fraction elsewhere",
    "absorbed by",
]


def _cells(*values: float) -> list[str]:
    return [
        f"{value:,}" if isinstance(value, int) else "–" if isnan(value) else f"{value:.2f}"
        for value in values
    ]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, float) and isnan(value):
            return None
        return list(value) if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in values.items()}
