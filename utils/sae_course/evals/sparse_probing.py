"""How well a few units tell a feature, however they are weighed: sparse probes.

Where a feature is spread over units, no single one tells it, and a linear probe of all of them always does.
A probe that may read k units is between: the k are chosen by how far apart a unit's means are where the
feature is true and where it is false, and a logistic regression reads these k (Gurnee et al. 2023, "Finding
Neurons in a Haystack", arXiv 2305.01610; as a score of SAEs in SAEBench, Karvonen et al. 2025,
arXiv 2503.09532). A good SAE needs few latents where neurons, or a random dictionary, need many.

Two things differ from SAEBench. It ranks by the plain difference of means. That is in each unit's own scale,
and favours the large ones: here the difference is divided by the unit's standard deviation over all tokens,

    s = |mean where true − mean where false| / standard deviation,

one rule for latents, neurons and principal components. And it reports the accuracy on tasks with as many true
as false examples; here features are as rare as they are, where accuracy says little, so the numbers are AUROC
and F1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..data.labels import Labels
from ..runs.view import table
from ..runtime import CourseError
from .classifying import best_threshold, classified
from .halves import Halves, Rows, halves, left_out_words
from .newton import logistic_fits
from .ranking import auroc
from .uncertainty import Difference, Estimate, difference, over

if TYPE_CHECKING:
    import pandas as pd

    from .probing import Probes

MEASURES = ("AUROC", "F1")


class SparseProbe(NamedTuple):
    """Of one source and one k, for every feature; measured on the measuring half."""

    units: Int[Tensor, "features k"]
    """That it reads, the furthest apart first; −1 where fewer than k vary on the choosing half."""
    auroc: Float[Tensor, " features"]
    f1: Float[Tensor, " features"]
    """At the threshold that has the best F1 on the choosing half."""


@dataclass(frozen=True, repr=False)
class SparseProbes:
    """Probes that read k units, of several sources. Shows itself as a table: sources by k."""

    features: tuple[str, ...]
    """That were probed."""
    ks: tuple[int, ...]
    sources: dict[str, dict[int, SparseProbe]] = field(repr=False)
    """By source and k."""
    n_units: dict[str, int]
    """That each source had to choose from."""
    dense: Float[Tensor, " features"] | None = field(repr=False)
    """AUROC of the probe that reads the activations themselves: what there is to be read."""
    left_out: dict[str, int]
    """Features too rare, or too common, and the smaller half's number of true tokens."""
    n_tokens: int
    """In the measuring half."""

    def mean(self, source: str, k: int, measure: str = "AUROC") -> Estimate:
        """Over the features. ``measure`` is "AUROC" or "F1".

        Raises:
            CourseError: when there is no such source, k or measure.
        """
        return over(self._values(source, k, measure), "features")

    def against(self, source: str, other: str, k: int, measure: str = "AUROC") -> Difference:
        """How far one source is above another, paired by feature.

        Raises:
            CourseError: as `mean`, and where fewer than two features were probed.
        """
        return difference(self._values(source, k, measure), self._values(other, k, measure))

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per source; the means over features, in columns ``("AUROC", k)`` and ``("F1", k)``."""
        import pandas as pd  # noqa: PLC0415 - half a second

        columns = [(measure, k) for measure in MEASURES for k in self.ks]
        rows = [[self.mean(name, k, measure).value for measure, k in columns] for name in self.sources]
        return pd.DataFrame(rows, index=list(self.sources), columns=pd.MultiIndex.from_tuples(columns))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        sources = {
            name: {
                str(k): {"units": one.units.tolist(), "auroc": one.auroc.tolist(), "f1": one.f1.tolist()}
                for k, one in by_k.items()
            }
            for name, by_k in self.sources.items()
        }
        dense = None if self.dense is None else [None if isnan(one) else one for one in self.dense.tolist()]
        return {
            "features": list(self.features),
            "ks": list(self.ks),
            "sources": sources,
            "units": self.n_units,
            "dense auroc": dense,
            "left out": self.left_out,
            "n_tokens": self.n_tokens,
        }

    def __str__(self) -> str:
        lines = [
            f"{name}: "
            + ", ".join(f"{head} {cell}" for head, cell in zip(self._columns(), cells, strict=True))
            for name, cells in self._rows().items()
        ]
        return "\n  ".join([*self._head(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "<br>".join(self._head()) + table(self._columns(), self._rows())

    def _columns(self) -> list[str]:
        return [f"{measure}, k = {k}" for measure in MEASURES for k in self.ks]

    def _rows(self) -> dict[str, list[str]]:
        return {
            f"{name} ({self.n_units[name]:,} units)": [
                str(self.mean(name, k, measure)) for measure in MEASURES for k in self.ks
            ]
            for name in self.sources
        }

    def _head(self) -> list[str]:
        ceiling = "" if self.dense is None else f"a probe of all activations: AUROC {over(self.dense)}"
        lines = (
            f"probes of k units, mean over {len(self.features)} features, on other rows than they were "
            f"trained on ({self.n_tokens:,} tokens)",
            ceiling,
            left_out_words(self.left_out),
        )
        return [line for line in lines if line]

    def _values(self, source: str, k: int, measure: str) -> Tensor:
        if source not in self.sources:
            raise CourseError(f'There is no source "{source}" here: there are {", ".join(self.sources)}.')
        if k not in self.ks:
            raise CourseError(
                f"There is no probe of {k} units here: there are {', '.join(map(str, self.ks))}."
            )
        if measure not in MEASURES:
            raise CourseError(f'There is no measure "{measure}" here: there are {", ".join(MEASURES)}.')
        one = self.sources[source][k]
        return one.auroc if measure == "AUROC" else one.f1


def sparse_probes(
    units: "Mapping[str, Float[Tensor, 'rows pos units']]",
    labels: Labels,
    *,
    ks: Sequence[int] = (1, 2, 5),
    choose: Rows | None = None,
    penalty: float = 1.0,
    probes: "Probes | None" = None,
) -> SparseProbes:
    """Probes of k units for every labelled feature, for an SAE and its baselines side by side.

    Units are chosen, probes trained and thresholds set on one half of the rows; the other half measures. Each
    probe minimises Σ −log p(truth) + penalty / 2 · ‖w‖² over inputs of mean 0 and standard deviation 1, as in
    `linear_probes`. A unit that is low where the feature is true is as good as one that is high.

    Args:
        units: activations by the name of their source: ``{"SAE": …, "neurons": …, "random twin": …}``.
        labels: the truth of the same tokens.
        ks: how many units a probe may read.
        choose: the rows that choose, by number or as a mask; even rows when not given.
        penalty: how strongly large weights are held back.
        probes: of the activations themselves, to be shown beside; their AUROC is the ceiling.

    Raises:
        CourseError: when a source is not of the labels' tokens, or has too few units or NaNs, when k or the
            penalty are not above 0, or too few features can be scored.
    """
    parts = halves(labels, choose)
    ks = _checked(units, ks, penalty)
    dense = None if probes is None else torch.tensor([probes.auroc_of(name) for name in parts.names])
    return SparseProbes(
        features=parts.names,
        ks=ks,
        sources={name: _of_source(values, parts, name, ks, penalty) for name, values in units.items()},
        n_units={name: values.shape[-1] for name, values in units.items()},
        dense=dense,
        left_out=parts.left_out,
        n_tokens=len(parts.measuring),
    )


def _checked(units: Mapping[str, Tensor], ks: Sequence[int], penalty: float) -> tuple[int, ...]:
    if not units:
        raise CourseError('There are no units here: give a dictionary, such as {"SAE": activations}.')
    found = tuple(sorted(set(ks)))
    if not found or found[0] < 1:
        raise CourseError(f"ks are numbers of units, 1 or more; these are {list(ks)}.")
    if not penalty > 0:
        raise CourseError(
            f"The penalty must be above 0, or a probe that is never wrong has no end; not {penalty}."
        )
    return found


def _of_source(
    values: Tensor, parts: Halves, name: str, ks: tuple[int, ...], penalty: float
) -> dict[int, SparseProbe]:
    choosing, measuring = (half.cpu().float() for half in parts.split(values, f'The units "{name}"'))
    if values.shape[-1] < ks[-1]:
        raise CourseError(
            f"{name} has {values.shape[-1]} units, so a probe can't read {ks[-1]} of them: take smaller ks."
        )
    mean, deviation = choosing.mean(0), choosing.std(0, correction=0)
    if not deviation.isfinite().all() or not measuring.mean(0).isfinite().all():
        raise CourseError(f"Some activations of {name} are NaN or infinite: no probe can be trained on them.")
    units = _furthest(choosing - mean, deviation, parts.choosing, ks[-1])
    # A unit that doesn't vary where units are chosen is no input, whatever it does elsewhere.
    scale = torch.where(deviation > 0, 1 / deviation, 0.0)
    train, test = (_inputs(half, units, mean, scale) for half in (choosing, measuring))
    found = {}
    for k in ks:
        weights = logistic_fits(train[:, :k], parts.choosing.T, penalty)[0].float()[:, None]
        read = [torch.bmm(weights, half[:, :k])[:, 0].T for half in (train, test)]
        threshold = best_threshold(read[0], parts.choosing)
        chosen = units[:, :k]
        found[k] = SparseProbe(
            units=torch.where(deviation[chosen] > 0, chosen, -1),
            auroc=auroc(read[1], parts.measuring).diagonal().clone(),
            f1=classified(read[1], parts.measuring, threshold).f1,
        )
    return found


def _furthest(
    centred: Float[Tensor, "n units"],
    deviation: Float[Tensor, " units"],
    truth: Bool[Tensor, "n features"],
    k: int,
) -> Int[Tensor, "features k"]:
    """The k units whose means differ most, in their standard deviations, the best first."""
    # All tokens sum to 0, so the false ones to minus the sum of the true ones: the distance of the means is
    # this sum, times a number that is the same for all units of a feature.
    apart = (truth.float().T @ centred).abs()
    return torch.where(deviation > 0, apart / deviation, -1.0).topk(k, dim=1).indices


def _inputs(
    values: Float[Tensor, "n units"],
    units: Int[Tensor, "features k"],
    mean: Float[Tensor, " units"],
    scale: Float[Tensor, " units"],
) -> Float[Tensor, "features k n"]:
    chosen, where = units.unique(return_inverse=True)
    return ((values[:, chosen] - mean[chosen]) * scale[chosen]).T[where]
