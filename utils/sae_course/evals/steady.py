"""Does a latent mean the same when it fires weakly?

A latent is named after what it fires on most strongly, and most of its firing is weaker. Bricken et al. 2023
("Towards Monosemanticity", *Activation specificity*) look at a latent level by level, and find the weak ones
less specific. Here the tokens at which a latent fires are split by its activation into bins of equal numbers,
and each bin has a precision:

    precision of bin b = P(feature is true | the latent's activation lies in bin b).

Which feature, and whether the latent has a meaning at all, is settled on the choosing rows; the precision is
measured on the others. A latent that has a meaning, a *named* one, keeps a share of it:

    kept = (precision of the lowest bin − base rate) / (precision of the highest bin − base rate).

The base rate is the precision of a latent that knows nothing: "fires weakly, and means nothing then" is 0.
"""

from dataclasses import dataclass, field
from functools import cached_property
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..data.labels import Labels
from ..runs.view import table
from ..runtime import CourseError
from .halves import LEAST, Rows, halves, left_out_words
from .main_latents import single_f1
from .uncertainty import Estimate, over
from .units import Units

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

NAMED = 0.5
"""How far the highest bin's precision must be on the way from the base rate to 1 for a latent to be named."""
LUCK = 0.01
"""And below which the probability must be that so many tokens are true by luck, times the features."""


@dataclass(frozen=True, repr=False)
class Consistency:
    """What latents mean at each level of their activation. Shows itself as a table, or as a `figure`."""

    name: str
    """Of the dictionary."""
    latent: Int[np.ndarray, " latents"] = field(repr=False)
    """Those that were looked at: they fire on ``least`` tokens or more, in either half."""
    feature: tuple[str, ...] = field(repr=False)
    """That each tells best on the choosing half, by the F1 of "it fires"."""
    named: Bool[np.ndarray, " latents"] = field(repr=False)
    """Whether that is its meaning: on the choosing half, the highest bin's precision is at least `NAMED` of
    the way from the base rate to 1, and not by luck."""
    precision: Float[np.ndarray, "latents bins"] = field(repr=False)
    """Of each bin on the measuring half, from the lowest activations to the highest."""
    base_rate: Float[np.ndarray, " latents"] = field(repr=False)
    """Of each latent's feature, on the measuring half."""
    least: int
    n_rarer: int
    """Live latents that fire on fewer tokens, and were left out."""
    left_out: dict[str, int]
    """Features too rare, or too common, and the smaller half's number of true tokens."""
    n_tokens: int
    """In the measuring half."""

    @cached_property
    def kept_by_latent(self) -> Float[np.ndarray, " latents"]:
        """The share of its meaning that each named latent keeps in its lowest bin, clipped to 0 to 1.

        NaN for the others. 0 for a named one whose highest bin is no better than the base rate on the
        measuring half: left out, the worst would raise the mean. The clipping makes chance lower the mean a
        little: a latent that seems to keep more than all can't make up for one that seems to keep less.
        """
        lowest, highest = (self.precision[:, bin] - self.base_rate for bin in (0, -1))
        share = np.divide(lowest, highest, out=np.zeros_like(lowest), where=highest > 0)
        return np.where(self.named, share.clip(0, 1), nan)

    @property
    def kept(self) -> Estimate:
        """The mean of `kept_by_latent` over the named latents; NaN where none is named."""
        return over(self.kept_by_latent, "named latents")

    @property
    def median(self) -> Float[np.ndarray, " bins"]:
        """The named latents' median precision, from the lowest bin to the highest; NaN where none is."""
        return self._quantile(0.5)

    @property
    def lowest(self) -> float:
        """Median precision of the lowest bin."""
        return float(self.median[0])

    @property
    def highest(self) -> float:
        """Median precision of the highest bin."""
        return float(self.median[-1])

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per latent: ``feature``, ``named``, ``base rate``, ``bin 1`` (the lowest), …, ``kept``."""
        import pandas as pd  # noqa: PLC0415 - half a second

        columns = {"feature": self.feature, "named": self.named, "base rate": self.base_rate}
        columns |= dict(zip(self._bins(), self.precision.T, strict=True))
        columns |= {"kept": self.kept_by_latent}
        return pd.DataFrame(columns, index=pd.Index(self.latent, name="latent"))

    def figure(self, title: str | None = None) -> "go.Figure":
        """The named latents' precision by bin: its median and quartiles, beside the base rate.

        Args:
            title: the finding; what is kept when not given.
        """
        from ..figures.consistency import draw_consistency  # noqa: PLC0415 - plotly

        return draw_consistency(
            self.precision[self.named], self.base_rate[self.named], title or self._finding()
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for what there isn't."""
        kept = self.kept
        return {
            "latents": self.latent.tolist(),
            "features": list(self.feature),
            "named": self.named.tolist(),
            "precision": self.precision.tolist(),
            "base rate": self.base_rate.tolist(),
            "kept": _plain(kept.value),
            "kept error": _plain(kept.error),
            "lowest": _plain(self.lowest),
            "highest": _plain(self.highest),
            "least": self.least,
            "rarer": self.n_rarer,
            "left out": self.left_out,
            "n_tokens": self.n_tokens,
        }

    def __str__(self) -> str:
        lines = [self._head(), self._finding()]
        lines += [f"{key}, by bin: {', '.join(cells)}" for key, cells in self._rows().items()]
        return "\n  ".join(lines + self._foot())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = [self._head(), self._finding(), *self._foot()]
        return "<br>".join(head) + (table(self._bins(), self._rows()) if self.named.any() else "")

    def _head(self) -> str:
        return (
            f"{self.name}: {int(self.named.sum()):,} of {len(self.latent):,} latents named after a feature, "
            f"on other rows than the {self.n_tokens:,} tokens measured on"
        )

    def _finding(self) -> str:
        if not self.named.any():
            return "none tells a feature even when it fires most strongly, so there is no meaning to lose"
        return (
            f"where it fires most weakly, a named latent keeps {self.kept} of its meaning: median precision "
            f"{self.lowest:.2f}, and {self.highest:.2f} where it fires most strongly"
        )

    def _foot(self) -> list[str]:
        rarer = (
            f"{self.n_rarer:,} live latents left out: they fire on fewer than {self.least} tokens in a half"
        )
        return [line for line in (rarer if self.n_rarer else "", left_out_words(self.left_out)) if line]

    def _bins(self) -> list[str]:
        return [f"bin {number}" for number in range(1, self.precision.shape[1] + 1)]

    def _rows(self) -> dict[str, list[str]]:
        if not self.named.any():
            return {}
        shown = {"lower quartile": 0.25, "median precision": 0.5, "upper quartile": 0.75}
        return {key: [f"{value:.2f}" for value in self._quantile(at)] for key, at in shown.items()}

    def _quantile(self, at: float) -> Float[np.ndarray, " bins"]:
        if not self.named.any():
            return np.full(self.precision.shape[1], nan)
        return np.quantile(self.precision[self.named], at, axis=0)


def consistency(
    units: Units, labels: Labels, *, bins: int = 4, choose: Rows | None = None, least: int = LEAST
) -> Consistency:
    """The precision of each latent's feature, by how strongly the latent fires.

    A latent's feature is the one with the best F1 for "it fires" on the choosing half. By precision, a
    feature that is nearly always true would be the meaning of every latent. For the same reason a latent
    isn't named by a precision of .5 in its highest bin, but by half of the way from the base rate to 1, which
    is more. And of many features, one is often true of the few tokens in the highest bin of a latent that
    fires rarely: that it is by luck must be unlikely (the binomial distribution's tail, times the number of
    features, is below `LUCK`). A unit with a sign fires as strongly as it is far from 0. Tokens with equal
    activations are shared out among the bins in the order of the text.

    Args:
        bins: levels of the activation, each with as many tokens (or one more).
        choose: the rows that choose, by number or as a mask; even rows when not given.
        least: tokens at which a latent must fire, in either half, to be looked at.

    Raises:
        CourseError: for fewer than two bins, or fewer tokens than bins; when the units are not of the labels'
            tokens, too few features can be scored, or no latent fires often enough.
    """
    if not 2 <= bins <= least:
        raise CourseError(
            f"bins must be at least 2, and at most least, so that each has a token; they are {bins}, and "
            f"least is {least}."
        )
    parts = halves(labels, choose)
    choosing, measuring = (half.cpu() for half in parts.split(units.a, f"The units of {units.name}"))
    counts = torch.stack([half.count_nonzero(0) for half in (choosing, measuring)])
    latent = (counts.amin(0) >= least).nonzero().flatten()
    if not len(latent):
        raise CourseError(
            f"No latent of {units.name} fires on {least} tokens in each half ({len(choosing):,} and "
            f"{len(measuring):,} tokens): take more rows, or a smaller least."
        )
    choosing, measuring = choosing[:, latent], measuring[:, latent]
    feature = single_f1((choosing != 0).float(), parts.choosing).argmax(0)
    before = _counts(choosing, parts.choosing, feature, bins)
    after = _counts(measuring, parts.measuring, feature, bins)
    return Consistency(
        name=units.name,
        latent=latent.numpy(),
        feature=tuple(parts.names[one] for one in feature.tolist()),
        named=_named(before, len(parts.names)),
        precision=after.precision,
        base_rate=after.base_rate,
        least=least,
        n_rarer=int(counts.any(0).sum()) - len(latent),
        left_out=parts.left_out,
        n_tokens=len(measuring),
    )


class _Counts(NamedTuple):
    """Of each latent, in each bin of its activation, the lowest first."""

    hits: Float[np.ndarray, "latents bins"]
    """At which its feature is true."""
    tokens: Int[np.ndarray, "latents bins"]
    base_rate: Float[np.ndarray, " latents"]

    @property
    def precision(self) -> Float[np.ndarray, "latents bins"]:
        return self.hits / self.tokens


def _counts(
    a: Float[Tensor, "n latents"],
    truth: Bool[Tensor, "n features"],
    feature: Int[Tensor, " latents"],
    bins: int,
) -> _Counts:
    token, latent = a.nonzero(as_tuple=True)
    order = np.lexsort((a[token, latent].abs().numpy(), latent.numpy()))  # by latent, then by strength
    latent, token = latent[order], token[order]
    fires = torch.bincount(latent, minlength=a.shape[1])
    rank = torch.arange(len(latent)) - (fires.cumsum(0) - fires)[latent]
    place = latent * bins + rank * bins // fires[latent]
    true = truth[token, feature[latent]].double()
    hits, tokens = (
        torch.bincount(place, weights, a.shape[1] * bins).reshape(-1, bins).numpy()
        for weights in (true, None)
    )
    return _Counts(hits, tokens, truth.double().mean(0)[feature].numpy())


def _named(found: _Counts, n_features: int) -> Bool[np.ndarray, " latents"]:
    """By the highest bin. A feature is false somewhere in either half, so no base rate is 1."""
    from scipy.special import bdtrc  # noqa: PLC0415 - a tenth of a second

    hits, tokens = found.hits[:, -1], found.tokens[:, -1]
    way_up = (hits / tokens - found.base_rate) / (1 - found.base_rate)
    luck = n_features * bdtrc(hits - 1, tokens, found.base_rate)  # so many true, or more
    return (way_up >= NAMED) & (luck < LUCK)


def _plain(value: float) -> float | None:
    return None if isnan(value) else value
