"""For each feature whose truth is known, the one unit that tells it best: of an SAE, and of its baselines."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..data.labels import Labels
from ..runs.view import table
from ..runtime import CourseError
from .classifying import best_threshold, classified
from .halves import Halves, Rows, halves, left_out_words
from .ranking import auroc

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from .probing import Probes

GOOD = 0.9
"""An AUROC from which a unit, or a probe, is said to read a feature."""
_DENSE = 0.5  # share of non-zeros from which "fires" says nothing


class Source(NamedTuple):
    """The best unit of one source for each feature, all [features]; measured on the measuring half."""

    n_units: int
    """That there were to choose from: the best of more units is better by luck, on the choosing half."""
    dense: bool
    """Read at a threshold and with either sign, both chosen too; otherwise a unit speaks by firing."""
    unit: np.ndarray
    sign: np.ndarray
    """−1 where the unit's low values mean the feature."""
    threshold: np.ndarray
    """Of sign × activation, above which the feature is said to be there; 0 where firing says it."""
    auroc: np.ndarray
    f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True, repr=False)
class FeatureScores:
    """How well single units tell the labelled features. Shows itself as a summary, or as a `figure`."""

    features: tuple[str, ...]
    """That were scored."""
    base_rate: np.ndarray = field(repr=False)
    """The share of the measuring half's tokens at which each is true: what precision is without any skill."""
    sources: dict[str, Source] = field(repr=False)
    left_out: dict[str, int]
    """Features too rare, or too common, to be scored, and the smaller half's number of true tokens."""
    n_tokens: int
    """In the measuring half."""

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per feature; columns ``("all", "base rate")`` and, for each source, as `best` has them."""
        import pandas as pd  # noqa: PLC0415 - half a second

        columns: dict[tuple[str, str], np.ndarray] = {("all", "base rate"): self.base_rate}
        for name, source in self.sources.items():
            columns |= {(name, column): values for column, values in _columns(source).items()}
        return pd.DataFrame(columns, index=pd.Index(self.features, name="feature"))

    def best(self, source: str) -> "pd.DataFrame":
        """One source's units, best first.

        Columns: ``unit``, ``AUROC``, ``F1``, ``precision``, ``recall``, ``sign`` (of a dense source), ``base
        rate``.

        Raises:
            CourseError: when there is no such source.
        """
        self._source(source)
        one = self.table[source].copy()
        one["base rate"] = self.base_rate
        return one.sort_values("AUROC", ascending=False, kind="stable")

    def share(self, at_least: float = GOOD) -> dict[str, float]:
        """The share of features for which the source's best unit has an AUROC of ``at_least``."""
        return {name: float((source.auroc >= at_least).mean()) for name, source in self.sources.items()}

    def readable(self, probes: "Probes", probe_auroc: float = GOOD) -> list[str]:
        """The features that are there to be read: a linear probe has an AUROC of at least ``probe_auroc``."""
        return [name for name in self.features if probes.auroc_of(name) >= probe_auroc]

    def share_of_readable(
        self, probes: "Probes", *, probe_auroc: float = GOOD, unit: float = GOOD
    ) -> dict[str, float]:
        """As `share`, among the features that a linear probe can read; NaN where it reads none.

        Args:
            probe_auroc, unit: the AUROC that the probe, and the best unit, must have.
        """
        readable = np.isin(self.features, self.readable(probes, probe_auroc))
        if not readable.any():
            return dict.fromkeys(self.sources, float("nan"))
        return {name: float((source.auroc[readable] >= unit).mean()) for name, source in self.sources.items()}

    def figure(
        self, title: str | None = None, *, controls: Collection[str] = (), probes: "Probes | None" = None
    ) -> "go.Figure":
        """Every feature's AUROC by source, in the order of the first; ``controls`` are drawn grey.

        Args:
            title: the finding; the share of good AUROCs by source when not given.
            controls: names of sources.
            probes: drawn as a line above: what there is to be read.

        Raises:
            CourseError: when there is no such source.
        """
        from ..figures.feature_scores import draw_feature_scores  # noqa: PLC0415 - plotly

        for name in controls:
            self._source(name)
        ceiling = None if probes is None else [probes.auroc_of(name) for name in self.features]
        shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.share().items())
        return draw_feature_scores(
            self.features,
            {name: source.auroc for name, source in self.sources.items()},
            title or f"Told by a single unit with AUROC ≥ {GOOD}, of {len(self.features)} features: {shares}",
            controls=controls,
            ceiling=ceiling,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {
            name: {column: values.tolist() for column, values in _columns(source).items()}
            | {"units": source.n_units, "dense": source.dense}
            for name, source in self.sources.items()
        }
        return {
            "features": list(self.features),
            "base rate": self.base_rate.tolist(),
            "sources": plain,
            "left out": self.left_out,
            "n_tokens": self.n_tokens,
        }

    def __str__(self) -> str:
        lines = [
            f"{name} ({source.n_units:,} units): "
            + ", ".join(f"{key} {value}" for key, value in words.items())
            for (name, source), words in zip(self.sources.items(), self._summary().values(), strict=True)
        ]
        return "\n  ".join([*self._head(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = self._summary()
        head = list(next(iter(rows.values())))
        return "<br>".join(self._head()) + table(
            head, {name: list(words.values()) for name, words in rows.items()}
        )

    def _head(self) -> list[str]:
        what = (
            f"the best single unit for each of {len(self.features)} features, chosen on other rows than the "
        )
        return [
            line
            for line in (f"{what}{self.n_tokens:,} tokens measured on", left_out_words(self.left_out))
            if line
        ]

    def _summary(self) -> dict[str, dict[str, str]]:
        shares = self.share()
        return {
            name: {
                f"AUROC ≥ {GOOD}": f"{100 * shares[name]:.0f} %",
                "median AUROC": f"{np.median(source.auroc):.3f}",
                "median F1": f"{np.median(source.f1):.2f}",
            }
            for name, source in self.sources.items()
        }

    def _source(self, name: str) -> Source:
        if name not in self.sources:
            raise CourseError(f'There is no source "{name}" here: there are {", ".join(self.sources)}.')
        return self.sources[name]


def feature_scores(
    units: "Mapping[str, Float[Tensor, 'rows pos units'] | Float[Tensor, 'n units']]",
    labels: Labels,
    *,
    choose: Rows | None = None,
    signed: bool | Collection[str] = False,
) -> FeatureScores:
    """The best single unit for each labelled feature, for an SAE and its baselines side by side.

    The best of a thousand units looks good on the tokens that it was picked on, by luck alone. So the unit
    with the highest AUROC is chosen on one half of the rows and every number is measured on the other. F1,
    precision and recall take "fires" (> 0) as the classifier. A source that is never silent (neurons,
    principal components: it has negative values, or most are not 0) gets a threshold instead, the one with
    the best F1 on the choosing half, and may use its low values as well as its high ones: a baseline with
    every advantage.

    Args:
        units: activations by the name of their source: ``{"SAE": …, "neurons": …, "random twin": …}``.
        labels: the truth of the same tokens.
        choose: the rows that choose, by number or as a mask; even rows when not given.
        signed: sources to be read at a threshold and with either sign though they look sparse; True for all.

    Raises:
        CourseError: when a source is not of the labels' tokens, or too few features can be scored.
    """
    parts = halves(labels, choose)
    if not units:
        raise CourseError('There are no units here: give a dictionary, such as {"SAE": activations}.')
    told = set(units) if signed is True else set(signed or ())
    if told - set(units):
        raise CourseError(f"signed names {sorted(told - set(units))}, and the sources are {sorted(units)}.")
    return FeatureScores(
        features=parts.names,
        base_rate=parts.measuring.double().mean(0).numpy(),
        sources={name: _score(values, parts, name, name in told) for name, values in units.items()},
        left_out=parts.left_out,
        n_tokens=len(parts.measuring),
    )


def _score(values: Tensor, parts: Halves, name: str, dense: bool) -> Source:
    choosing, measuring = (half.cpu() for half in parts.split(values, f'The units "{name}"'))
    dense = dense or bool((choosing < 0).any()) or int(choosing.count_nonzero()) > _DENSE * choosing.numel()
    areas = auroc(choosing, parts.choosing)
    # A unit that says the opposite, AUROC < ½, is as good when its low values count.
    unit = (torch.maximum(areas, 1 - areas) if dense else areas).argmax(1)
    flip = areas.gather(1, unit[:, None])[:, 0] < 0.5
    sign = torch.where(flip & torch.tensor(dense), -1, 1)
    chosen, where = unit.unique(return_inverse=True)
    measured = auroc(measuring[:, chosen], parts.measuring).gather(1, where[:, None])[:, 0]
    threshold = torch.zeros(len(unit), dtype=torch.float64)
    if dense:
        threshold = best_threshold(sign * choosing[:, unit], parts.choosing)
    as_classifier = classified(sign * measuring[:, unit], parts.measuring, threshold)
    return Source(
        n_units=values.shape[-1],
        dense=dense,
        unit=unit.numpy(),
        sign=sign.numpy(),
        threshold=threshold.numpy(),
        auroc=torch.where(sign > 0, measured, 1 - measured).numpy(),
        f1=as_classifier.f1.numpy(),
        precision=as_classifier.precision.numpy(),
        recall=as_classifier.recall.numpy(),
    )


def _columns(source: Source) -> dict[str, np.ndarray]:
    columns = {
        "unit": source.unit,
        "AUROC": source.auroc,
        "F1": source.f1,
        "precision": source.precision,
        "recall": source.recall,
    }
    return columns | ({"sign": source.sign} if source.dense else {})
