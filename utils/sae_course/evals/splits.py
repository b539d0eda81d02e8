"""Splitting: a feature for which one SAE has one latent, and a wider one several, each for a part.

An SAE with more latents may spend them on finer features: one latent for animals in a narrow SAE, in a wide
one a latent for pets, one for birds, one for a single word (Bricken et al. 2023, "Towards Monosemanticity",
*Feature splitting*). Here the number of latents of a feature is that of its `main_latents`, those that tell
it together and each of which raises F1 by at least .03, on the rows that chose them and on others too: the
luck of choosing among a thousand latents would be counted as splitting otherwise, and more so in a wider SAE.
Features that an SAE's latents don't tell have no number: a best latent is there for each of them, and
counted as "not split" it would make a bad SAE look whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..data.labels import Labels
from ..runs.view import table
from ..runtime import CourseError
from .halves import Rows, halves, left_out_words
from .main_latents import JUMP, MOST, MainLatents, main_latents
from .uncertainty import Difference, Estimate, difference, over
from .units import Units

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


class Neighbours(NamedTuple):
    """The latents whose directions are nearest to one latent's, the nearest first."""

    latents: Int[Tensor, " n"]
    cosine: Float[Tensor, " n"]


@dataclass(frozen=True)
class Families:
    """Some latents as a tree: two branches join at the mean distance, 1 − cosine, of their latents."""

    latents: tuple[int, ...]
    names: tuple[str, ...]
    """Of the latents, in their order."""
    linkage: Float[np.ndarray, "joins 4"] = field(repr=False)
    """As SciPy has it: the two branches, their distance, the number of latents."""
    order: tuple[int, ...]
    """Places in ``latents``, as the tree's leaves stand."""
    left_out: int
    """Further latents that were given."""

    def figure(self, title: str) -> "go.Figure":
        """The tree, under a title that says the finding."""
        from ..figures.families import draw_dendrogram  # noqa: PLC0415 - plotly

        return draw_dendrogram(self.linkage, self.names, title)


@dataclass(frozen=True, repr=False)
class Splitting:
    """How many latents tell a feature, in SAEs of several widths. Shows itself as a table of the SAEs."""

    features: tuple[str, ...]
    """That were looked at."""
    latents: dict[str, tuple[MainLatents, ...]] = field(repr=False)
    """By SAE, for every feature."""
    live: dict[str, int]
    """Latents of each SAE that fire at all on these tokens."""
    jump: float
    """By how much each latent raises F1."""
    left_out: dict[str, int]
    """Features too rare, or too common, and the smaller half's number of true tokens."""

    def number(self, name: str) -> Float[np.ndarray, " features"]:
        """Latents of each feature in one SAE; NaN where they don't tell it.

        Raises:
            CourseError: when there is no such SAE.
        """
        return np.array([one.confirmed(self.jump) if one.told else nan for one in self._of(name)])

    def f1(self, name: str) -> Float[np.ndarray, " features"]:
        """Of "any of its latents fires", on the measuring half, whether or not that tells the feature."""
        return np.array([one.f1 for one in self._of(name)])

    def told(self, name: str) -> float:
        """The share of features that an SAE's latents tell."""
        return float(np.mean([one.told for one in self._of(name)]))

    def mean(self, name: str) -> Estimate:
        """Latents per feature, over the features that this SAE tells."""
        return over(self.number(name), "features")

    def against(self, name: str, other: str) -> Difference:
        """How many more latents per feature one SAE has, over the features that both tell.

        Raises:
            CourseError: when there is no such SAE, or both tell fewer than two features.
        """
        return difference(self.number(name), self.number(other))

    def family(self, name: str, feature: str) -> dict[int, str]:
        """The latents of a feature and of its children ("animal: pet"), each with the feature that it tells.

        For `families`. Only features that the SAE tells; a latent of several is named after the last of them.

        Raises:
            CourseError: when there is no such SAE or feature.
        """
        if feature not in self.features:
            raise CourseError(f'There is no feature "{feature}" among these {len(self.features)}.')
        pairs = zip(self.features, self._of(name), strict=True)
        kin = [(one, found) for one, found in pairs if one == feature or one.startswith(f"{feature}: ")]
        return {latent: one for one, found in kin if found.told for latent in found.latents}

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per feature; columns ``(SAE, "latents")`` and ``(SAE, "F1")``."""
        import pandas as pd  # noqa: PLC0415 - half a second

        columns = {
            (name, column): values
            for name in self.latents
            for column, values in (("latents", self.number(name)), ("F1", self.f1(name)))
        }
        return pd.DataFrame(columns, index=pd.Index(self.features, name="feature"))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for the number of latents where they don't tell the feature."""
        saes = {
            name: {
                "live": self.live[name],
                "latents": [list(one.latents) for one in found],
                "number": [None if np.isnan(n) else int(n) for n in self.number(name)],
                "f1": self.f1(name).tolist(),
            }
            for name, found in self.latents.items()
        }
        return {"features": list(self.features), "saes": saes, "jump": self.jump, "left out": self.left_out}

    def __str__(self) -> str:
        lines = [
            f"{name}: " + ", ".join(f"{head} {cell}" for head, cell in zip(_HEAD, cells, strict=True))
            for name, cells in self._rows().items()
        ]
        return "\n  ".join([*self._words(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "<br>".join(self._words()) + table(_HEAD, self._rows())

    def _words(self) -> list[str]:
        words = (f"latents per feature, of {len(self.features)} features", left_out_words(self.left_out))
        return [line for line in words if line]

    def _rows(self) -> dict[str, list[str]]:
        return {
            name: [
                f"{self.live[name]:,}",
                f"{100 * self.told(name):.0f} %",
                str(self.mean(name)),
                str(over(self.f1(name), "features")),
            ]
            for name in self.latents
        }

    def _of(self, name: str) -> tuple[MainLatents, ...]:
        if name not in self.latents:
            raise CourseError(f'There is no SAE "{name}" here: there are {", ".join(self.latents)}.')
        return self.latents[name]


_HEAD = ["live latents", "features told", "latents per told feature", "F1 over all features"]


def splitting(
    units: "Mapping[str, Units] | Sequence[Units]",
    labels: Labels,
    *,
    choose: Rows | None = None,
    jump: float = JUMP,
    most: int = MOST,
) -> Splitting:
    """For each SAE, how many latents tell each labelled feature.

    Args:
        units: of SAEs on the same tokens, the narrowest first; called by their own names where not by others.
        labels: the truth of these tokens.
        choose: the rows that choose, by number or as a mask; even rows when not given.
        jump: by how much each further latent must raise F1.
        most: latents of one feature.

    Raises:
        CourseError: for no SAE, two of one name, units of other tokens, or too few features to score.
    """
    named = dict(units) if isinstance(units, Mapping) else {one.name: one for one in units}
    if not named or len(named) < len(units):
        raise CourseError(
            f"splitting takes SAEs with a name each; these are {len(units)} with {len(named)} names: give a "
            'dictionary, such as {"512 latents": units, "2,048 latents": units}.'
        )
    parts = halves(labels, choose)
    found = {}
    for name, one in named.items():
        a = parts.split(one.a, f"The units of {name}")
        found[name] = tuple(main_latents(*a, (parts.choosing, parts.measuring), jump=jump, most=most))
    live = {name: len(one.live) for name, one in named.items()}
    return Splitting(parts.names, found, live, jump, parts.left_out)


def neighbours(directions: Float[Tensor, "units d_in"], latent: int, n: int = 10) -> Neighbours:
    """The ``n`` other latents whose directions have the largest cosine with one latent's.

    Raises:
        CourseError: when there is no such latent.
    """
    _check(directions, [latent])
    unit = torch.nn.functional.normalize(directions.detach().float(), dim=1)
    cosine = unit @ unit[latent]
    cosine[latent] = -torch.inf
    best = cosine.topk(min(n, len(directions) - 1))
    return Neighbours(best.indices.cpu(), best.values.cpu())


def families(
    directions: Float[Tensor, "units d_in"],
    latents: "Mapping[int, str] | Sequence[int] | None" = None,
    *,
    most: int = 60,
) -> Families:
    """A tree of latents by their directions: average linkage at the distance 1 − cosine.

    Args:
        directions: of all latents.
        latents: those of the tree, and how they are called, as `Splitting.family` gives them; or their
            numbers alone; all when not given.
        most: leaves; of more latents the first are taken.

    Raises:
        CourseError: for fewer than two latents, one given twice, or one that there isn't.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage  # noqa: PLC0415 - a quarter of a second
    from scipy.spatial.distance import squareform  # noqa: PLC0415

    numbers = list(range(len(directions)) if latents is None else latents)
    _check(directions, numbers)
    kept = numbers[:most]
    if len(kept) < 2 or len(set(kept)) < len(kept):
        raise CourseError(f"A tree needs at least 2 latents, each of them once; these are {kept}.")
    unit = torch.nn.functional.normalize(directions[kept].detach().cpu().double(), dim=1)
    distance = (1 - unit @ unit.T).clamp(min=0).fill_diagonal_(0).numpy()
    joins = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    called = latents if isinstance(latents, Mapping) else {}
    names = tuple(f"{one} {called[one]}" if one in called else str(one) for one in kept)
    return Families(tuple(kept), names, joins, tuple(leaves_list(joins).tolist()), len(numbers) - len(kept))


def _check(directions: Tensor, latents: Sequence[int]) -> None:
    if unknown := [one for one in latents if not 0 <= one < len(directions)]:
        raise CourseError(f"There is no latent {unknown[0]}: there are {len(directions)}, from 0.")
