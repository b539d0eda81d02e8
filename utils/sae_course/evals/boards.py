"""Coverage and board reconstruction: what single units of a dictionary say about a game's board.

Both are of Karvonen et al., *Measuring Progress in Dictionary Learning for Language Model Interpretability
with Board Game Models*, 2024 (arXiv 2408.00113), as its code has them (github.com/adamkarvonen/
SAE_BoardGameEval: ``circuits/f1_analysis.py``, ``analysis.py``, ``eval_board_reconstruction.py``). A unit at
the level k is a classifier: it fires where its activation is above k/10 of its maximum, k = 0, 1, … 9.

- **Coverage** of a set of properties is the mean over them of the best unit's F1.
- **Reconstruction**: a unit speaks for a property when its precision is at least .95 and it was right at
  least 10 times. A property is said to be there where any unit that speaks for it fires; the F1 is taken of
  all that is said, over all boards at once.

What differs here. Units, levels and what they speak for are chosen on one half of the games, and both numbers
measured on the other; the published code does both on the same games. It takes one level for all properties;
here each property's best unit brings its own. And where it counts occupied squares only, it seems to divide
the sum of their 128 F1s by 192: in its results for neurons (``autoencoders/saved_data/
othello-6-10-mlp-acts-f1_results.csv``), "128 properties above 0" stands as .667 of what is possible, and
layer 5 has a coverage of .529 (the paper: .549). If so, such a coverage c is 1.5 c by the definition above;
the reconstruction is not affected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from scipy import sparse
from torch import Tensor

from ..data.labels import Labels
from ..data.othello.labels import BOARD
from ..data.othello.vocabulary import PLAYABLE
from ..runs.view import table
from ..runtime import CourseError
from .halves import Rows, halves, left_out_words

if TYPE_CHECKING:
    import pandas as pd

LEVELS = 10
"""Thresholds: 0, .1, … .9 of a unit's maximum on the choosing games."""
PRECISE, RIGHT = 0.95, 10
"""What a unit needs on the choosing games to speak for a property: precision, and times it was right."""
_AT_ONCE = 4096

Groups = Mapping[str, Sequence[str]]


class Said(NamedTuple):
    """What was said about all the boards, against the truth."""

    f1: float
    """2 · hits / (said + true), over all boards and properties of the group at once"""
    precision: float
    recall: float


@dataclass(frozen=True, repr=False)
class BoardScores:
    """Coverage and reconstruction of one dictionary. Shows itself as text and table."""

    properties: tuple[str, ...]
    """That were scored."""
    groups: dict[str, tuple[str, ...]] = field(repr=False)
    """Which squares count: the scored properties of each group."""
    base_rate: np.ndarray = field(repr=False)
    """The share of the measuring boards of which each property is true; as all below by property."""
    unit: np.ndarray = field(repr=False)
    """The best unit, by F1 on the choosing games."""
    level: np.ndarray = field(repr=False)
    """Its level there: the unit is said to fire above level / 10 of its maximum."""
    f1: np.ndarray = field(repr=False)
    """Of that unit at that level on the measuring games; as the next two."""
    precision: np.ndarray = field(repr=False)
    recall: np.ndarray = field(repr=False)
    reconstruction: dict[str, Said]
    """By group, on the measuring games."""
    at_level: dict[str, int]
    """By group: the level whose reconstruction was best on the choosing games."""
    speaking: dict[str, tuple[int, int]]
    """By group: how many units speak at that level, and for how many properties together."""
    n_units: int
    n_boards: int
    """In the measuring half."""
    left_out: dict[str, int]
    """Properties too rare, or too common, to be scored, and the smaller half's number of true boards."""

    def coverage(self, group: str) -> float:
        """The mean of the best units' F1 over the group's properties."""
        return float(self.f1[self._of(group)].mean())

    def always(self, group: str) -> float:
        """The coverage of a single unit that always fires: 2 p / (1 + p), with p the base rate."""
        rate = self.base_rate[self._of(group)]
        return float((2 * rate / (1 + rate)).mean())

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per property: ``unit``, ``level``, ``F1``, ``precision``, ``recall``, ``base rate``."""
        import pandas as pd  # noqa: PLC0415 - half a second

        columns = {
            "unit": self.unit,
            "level": self.level / LEVELS,
            "F1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "base rate": self.base_rate,
        }
        return pd.DataFrame(columns, index=pd.Index(self.properties, name="property"))

    def row(self) -> dict[str, float]:
        """The scores as a table's row: ``coverage, occupied``, ``reconstruction, occupied``, and so on."""
        cover = {f"coverage, {group}": self.coverage(group) for group in self.groups}
        return cover | {f"reconstruction, {group}": said.f1 for group, said in self.reconstruction.items()}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "properties": {name: list(row) for name, row in self.table.astype(object).T.items()},
            "columns": list(self.table.columns),
            "groups": {group: list(names) for group, names in self.groups.items()},
            "coverage": {group: self.coverage(group) for group in self.groups},
            "always": {group: self.always(group) for group in self.groups},
            "reconstruction": {group: said._asdict() for group, said in self.reconstruction.items()},
            "at level": {group: level / LEVELS for group, level in self.at_level.items()},
            "speaking": {group: list(counts) for group, counts in self.speaking.items()},
            "n_units": self.n_units,
            "n_boards": self.n_boards,
            "left out": self.left_out,
        }

    def __str__(self) -> str:
        lines = [
            f"{group}: " + ", ".join(f"{key} {value}" for key, value in words.items())
            for group, words in self._summary().items()
        ]
        return "\n  ".join([self._head(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        summary = self._summary()
        columns = list(next(iter(summary.values())))
        rows = {group: [words[column] for column in columns] for group, words in summary.items()}
        return self._head() + table(columns, rows)

    def _head(self) -> str:
        out = left_out_words(self.left_out)
        what = (
            f"what {self.n_units:,} units say about {self.n_boards:,} boards of other games than they were "
        )
        return f"{what}chosen on{f' ({out})' if out else ''}"

    def _summary(self) -> dict[str, dict[str, str]]:
        return {
            group: {
                "coverage": f"{self.coverage(group):.3f}",
                "always firing": f"{self.always(group):.3f}",
                "reconstruction": f"{said.f1:.3f}",
                "precision": f"{said.precision:.3f}",
                "recall": f"{said.recall:.3f}",
                "units that speak": f"{self.speaking[group][0]:,} for {self.speaking[group][1]} of "
                f"{len(self.groups[group])} properties, above {self.at_level[group] / LEVELS:.1f} of their "
                "maximum",
            }
            for group, said in self.reconstruction.items()
        }

    def _of(self, group: str) -> np.ndarray:
        if group not in self.groups:
            raise CourseError(f'There is no group "{group}" here: there are {", ".join(self.groups)}.')
        return _columns(self.properties, self.groups[group])


def board_scores(
    units: Float[Tensor, "rows pos units"] | Float[Tensor, "n units"],
    labels: Labels,
    groups: Groups = BOARD,
    *,
    choose: Rows | None = None,
) -> BoardScores:
    """Coverage and reconstruction of single units, for each group of properties (see the top of this file).

    Only what is above 0 counts as firing: give a unit that speaks by low values with the other sign, too.

    Args:
        units: activations of the labels' tokens: of an SAE, of neurons, a probe's probabilities.
        labels: the truth of these tokens; of it, what is in the groups.
        groups: names of properties; by default ``occupied`` (mine or theirs: what is published), ``empty``
            and ``both``.
        choose: the games that choose, by number or as a mask; even rows when not given.

    Raises:
        CourseError: when units and labels are not of the same tokens, there are no units, they aren't finite,
            a group holds no property that can be scored, or there is no such property.
    """
    parts = halves(_of_groups(labels, groups), choose)
    choosing, measuring = (half.float().cpu() for half in parts.split(units, "The units"))
    if not choosing.shape[1]:
        raise CourseError(f"There are no units here: their activations are {list(units.shape)}.")
    kept = {group: tuple(name for name in names if name in parts.names) for group, names in groups.items()}
    if empty := [group for group, names in kept.items() if not names]:
        raise CourseError(
            f'No property of the group "{empty[0]}" is true, and false, often enough in each half to be '
            "scored: take more games."
        )
    highest = choosing.amax(0)
    first, second = (_without_zeros(firing_levels(half, highest)) for half in (choosing, measuring))
    chosen = _Counts.of(first, parts.choosing)
    unit, level = chosen.best()
    found = _Counts.of(second, parts.measuring).at(unit, level)
    speaks = chosen.speaks()
    each = [_said(first, voices, parts.choosing, k) for k, voices in enumerate(speaks)]
    reconstructed, levels, speaking = {}, {}, {}
    for group, names in kept.items():
        columns = _columns(parts.names, names)
        levels[group] = k = int(np.argmax([tally.over(columns).f1 for tally in each]))
        reconstructed[group] = _said(second, speaks[k], parts.measuring, k).over(columns)
        of_group = speaks[k][:, columns]
        speaking[group] = int(of_group.any(1).sum()), int(of_group.any(0).sum())
    return BoardScores(
        properties=parts.names,
        groups=kept,
        base_rate=parts.measuring.double().mean(0).numpy(),
        unit=unit,
        level=level,
        f1=found.f1,
        precision=found.precision,
        recall=found.recall,
        reconstruction=reconstructed,
        at_level=levels,
        speaking=speaking,
        n_units=choosing.shape[1],
        n_boards=len(measuring),
        left_out=parts.left_out,
    )


def board_f1(
    said: Bool[Tensor, "rows pos properties"], labels: Labels, groups: Groups = BOARD
) -> dict[str, Said]:
    """What anybody says about boards, such as a linear probe, by group; scored as a reconstruction is.

    Args:
        said: of the groups' properties, in the order of the labels' names.

    Raises:
        CourseError: when it is not of the labels' tokens and the groups' properties.
    """
    truth = _of_groups(labels, groups)
    is_tensor = isinstance(said, Tensor)
    if not is_tensor or tuple(said.shape) != truth.values.shape or said.dtype != torch.bool:
        found = f"{said.dtype} {list(said.shape)}" if is_tensor else type(said).__name__
        raise CourseError(
            f"said must be a tensor of booleans {list(truth.values.shape)}, one for each token and property; "
            f"it is {found}."
        )
    tally = _Tally.of(said.cpu().numpy().reshape(-1, len(truth)), truth.values.reshape(-1, len(truth)))
    return {group: tally.over(_columns(truth.names, names)) for group, names in groups.items()}


def board_properties(by_class: Shaped[Tensor, "*batch 64 3"]) -> Shaped[Tensor, "*batch 188"]:
    """What is said of each square, in the order of `BOARD`'s ``both``: mine, theirs, empty (not the centre).

    Args:
        by_class: of each square empty, mine and theirs, as linear probes here have them: probabilities, or
            booleans.

    Raises:
        CourseError: for another shape.
    """
    if tuple(by_class.shape[-2:]) != (64, 3):
        raise CourseError(f"by_class is [..., 64, 3]: empty, mine, theirs; this is {list(by_class.shape)}.")
    empty, mine, theirs = by_class.unbind(-1)
    return torch.cat([mine, theirs, empty[..., PLAYABLE.tolist()]], dim=-1)


def firing_levels(
    activations: Float[Tensor, "n units"], highest: Float[Tensor, " units"]
) -> UInt8[Tensor, "n units"]:
    """How many of the thresholds 0, .1, … .9 of its maximum a unit is above: at level k it fires when > k.

    Raises:
        CourseError: when an activation isn't finite.
    """
    # A unit that was never above 0 on the choosing games has no thresholds: it stays silent.
    top = torch.where(highest > 0, highest, torch.inf).double()
    parts = []
    for some in activations.split(_AT_ONCE):
        # In doubles: single precision rounds half of a maximum to above level 5 for one unit in ten.
        scaled = some.to(torch.float64, copy=True).mul_(LEVELS).div_(top)
        if not scaled.sum().isfinite():
            raise CourseError(
                "Some of the units' activations are NaN or infinite: they say nothing of a board."
            )
        parts.append(scaled.ceil_().clamp_(0, LEVELS).to(torch.uint8))
    return torch.cat(parts)


def _without_zeros(levels: UInt8[Tensor, "n units"]) -> list[sparse.csr_array]:
    """Of so many tokens at once: the units that fire at any level."""
    return [sparse.csr_array(some.numpy()) for some in levels.split(_AT_ONCE)]


class _Counts(NamedTuple):
    """For each unit, level and property: how often the unit fired, was right, and could have been."""

    hits: Float[np.ndarray, "units level properties"]
    fired: Float[np.ndarray, "units level 1"]
    true: Float[np.ndarray, " properties"]

    @classmethod
    def of(cls, firing: list[sparse.csr_array], truth: Bool[Tensor, "n properties"]) -> "_Counts":
        n_units, n_properties = firing[0].shape[1], truth.shape[1]
        hits = np.zeros((n_units * LEVELS, n_properties), np.float32)
        fired = np.zeros(n_units * LEVELS, np.float32)
        for some, true in zip(firing, truth.split(_AT_ONCE), strict=True):
            # Each firing once, at its highest level; those below follow by summing.
            column = some.indices * LEVELS + some.data - 1
            shape = (some.shape[0], n_units * LEVELS)
            once = sparse.csr_array((np.ones(some.nnz, np.float32), column, some.indptr), shape=shape)
            hits += once.T @ true.numpy().astype(np.float32)
            fired += once.sum(0)
        return cls(
            _from_above(hits.reshape(n_units, LEVELS, n_properties)),
            _from_above(fired.reshape(n_units, LEVELS, 1)),
            truth.sum(0).numpy(),
        )

    def best(self) -> "tuple[Int[np.ndarray, ' properties'], Int[np.ndarray, ' properties']]":
        """The unit and level with the highest F1, for each property; of equal ones the first."""
        f1 = 2 * self.hits / (self.fired + self.true)
        where = f1.reshape(-1, f1.shape[-1]).argmax(0)
        return where // LEVELS, where % LEVELS

    def at(self, unit: Int[np.ndarray, " properties"], level: Int[np.ndarray, " properties"]) -> "_Scores":
        """How each property's unit does at its level."""
        hits = self.hits[unit, level, np.arange(len(unit))].astype(float)
        fired = self.fired[unit, level, 0].astype(float)
        return _Scores(2 * hits / (fired + self.true), hits / fired.clip(min=1), hits / self.true)

    def speaks(self) -> "list[Bool[np.ndarray, 'units properties']]":
        """At each level: which units speak for which properties."""
        wanted = (self.hits >= RIGHT) & (self.hits >= PRECISE * self.fired)
        return [wanted[:, k] for k in range(LEVELS)]


class _Scores(NamedTuple):
    f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


def _from_above(counts: np.ndarray) -> np.ndarray:
    """Counts at a level or any above it."""
    return counts[:, ::-1].cumsum(1)[:, ::-1]


class _Tally(NamedTuple):
    """For each property: how often it was said and true, said, and true."""

    hits: Int[np.ndarray, " properties"]
    said: Int[np.ndarray, " properties"]
    true: Int[np.ndarray, " properties"]

    @classmethod
    def of(cls, said: Bool[np.ndarray, "n properties"], true: Bool[np.ndarray, "n properties"]) -> "_Tally":
        return cls((said & true).sum(0), said.sum(0), true.sum(0))

    def over(self, columns: Int[np.ndarray, " group"]) -> Said:
        """All that was said of these properties at once."""
        hits, said, true = (int(counts[columns].sum()) for counts in self)
        return Said(2 * hits / max(said + true, 1), hits / max(said, 1), hits / max(true, 1))


def _said(
    firing: list[sparse.csr_array],
    speaks: Bool[np.ndarray, "units properties"],
    truth: Bool[Tensor, "n properties"],
    level: int,
) -> _Tally:
    """What the units that speak say at a level, against the truth."""
    voices = sparse.csr_array(speaks.astype(np.float32))
    tallies = []
    for some, true in zip(firing, truth.split(_AT_ONCE), strict=True):
        fires = (some.data > level).astype(np.float32)
        above = sparse.csr_array((fires, some.indices, some.indptr), shape=some.shape)
        tallies.append(_Tally.of((above @ voices).toarray() > 0, true.numpy()))
    return _Tally(*(np.sum(counts, axis=0) for counts in zip(*tallies, strict=True)))


def _of_groups(labels: Labels, groups: Groups) -> Labels:
    """The truth of the groups' properties, in the order of the labels' names."""
    if not groups:
        raise CourseError(
            'There are no groups here: name some properties, such as {"corners": ["A1 is mine"]}.'
        )
    if empty := [group for group, names in groups.items() if not names]:
        raise CourseError(f'The group "{empty[0]}" names no property.')
    named = labels.only(dict.fromkeys(name for names in groups.values() for name in names))
    return labels.only(name for name in labels.names if name in named)


def _columns(names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    place = {name: at for at, name in enumerate(names)}
    return np.array([place[name] for name in wanted])
