"""Check of 6.3 as_classifier: precision, recall and F1 of a latent at several thresholds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..fields import compare_fields
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]


class Counts(NamedTuple):
    """What the three are made of."""

    hits: Tensor
    """``[threshold property]``, float64; as the others."""
    fired: Tensor
    """``[threshold 1]``"""
    true: Tensor
    """``[property]``"""
    n: int

    @property
    def neither(self) -> Tensor:
        """Tokens that are not above the threshold and don't have the property, ``[threshold property]``."""
        return self.n - self.fired - self.true + self.hits


Score = Callable[[Counts], Tensor]


def _scores(latent: Tensor, truth: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sets of tokens, one after the other."""
    having = [{i for i, true in enumerate(column) if true} for column in truth.T.tolist()]
    rows = []
    for threshold in thresholds.tolist():
        above = {i for i, value in enumerate(latent.tolist()) if value > threshold}
        rows.append([_score(above, true) for true in having])
    precision, recall, f1 = torch.tensor(rows, device=latent.device).unbind(dim=-1)
    return precision, recall, f1


def _score(above: set[int], true: set[int]) -> tuple[float, float, float]:
    hits = len(above & true)
    precision = hits / len(above) if above else 0.0
    recall = hits / len(true)
    return precision, recall, 2 / (1 / precision + 1 / recall) if hits else 0.0


def _counts(fires: Tensor, truth: Tensor) -> Counts:
    """From ``fires [threshold n]``, as numbers."""
    fires, true = fires.double(), truth.double()
    return Counts(fires @ true, fires.sum(dim=1, keepdim=True), true.sum(dim=0), len(truth))


def _fires(latent: Tensor, thresholds: Tensor) -> Tensor:
    return latent > thresholds[:, None]


def _precision(counts: Counts, otherwise: float = 0.0) -> Tensor:
    return torch.where(counts.fired > 0, counts.hits / counts.fired, otherwise)


def _recall(counts: Counts) -> Tensor:
    return counts.hits / counts.true


def _f1(counts: Counts) -> Tensor:
    return 2 * counts.hits / (counts.fired + counts.true)


def _of(score: Score) -> Rule:
    """What is made of the right counts."""
    return lambda latent, truth, thresholds: score(_counts(_fires(latent, thresholds), truth)).float()


def _means(mean: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Another mean of precision and recall than the harmonic one."""
    return _of(lambda counts: mean(_precision(counts), _recall(counts)))


def _firing(fires: Callable[[Tensor, Tensor], Tensor], score: Score) -> Rule:
    """Right, but for which tokens are above a threshold: ``fires(latent, thresholds)``, ``[threshold n]``."""
    return lambda latent, truth, thresholds: score(_counts(fires(latent, thresholds), truth)).float()


def _hits_weighted(latent: Tensor, truth: Tensor, thresholds: Tensor) -> Tensor:
    counts = _counts(_fires(latent, thresholds), truth)
    weighted = _counts(latent * _fires(latent, thresholds), truth)
    return _precision(counts._replace(hits=weighted.hits)).float()


def _common(score: Score) -> dict[str, Rule]:
    """What goes wrong with all three."""
    return {
        "a latent that is exactly at a threshold is not above it: > instead of ≥.": _firing(
            lambda latent, thresholds: latent >= thresholds[:, None], score
        ),
        "these are the tokens below the threshold; latent > threshold is wanted.": _firing(
            lambda latent, thresholds: latent < thresholds[:, None], score
        ),
        "the activations were summed; count the tokens: fires is True or False, so 1 or 0.": _firing(
            lambda latent, thresholds: latent * _fires(latent, thresholds), score
        ),
        "the thresholds are not shares of the maximum: compare the latent with them as they are.": _firing(
            lambda latent, thresholds: _fires(latent, thresholds * latent.max()), score
        ),
        "this is the accuracy: it counts the tokens where neither is so as hits, too.": _of(
            lambda counts: (counts.hits + counts.neither) / counts.n
        ),
        "the hits were counted in int8, which ends at 127: multiply floats.": _of(
            lambda counts: score(counts._replace(hits=(counts.hits + 128) % 256 - 128))
        ),
    }


PRECISION: dict[str, Rule] = {
    "this is recall: precision divides by the number of tokens above the threshold, and comes first.": _of(
        _recall
    ),
    "where nothing is above the threshold, this is 0/0; 0 is wanted: divide by fired.clamp(min=1).": _of(
        lambda counts: _precision(counts, float("nan"))
    ),
    "where nothing is above the threshold, this is 1; 0 is wanted.": _of(
        lambda counts: _precision(counts, 1.0)
    ),
    "fired + 1 changes every precision; fired.clamp(min=1) changes only a 0.": _of(
        lambda counts: counts.hits / (counts.fired + 1)
    ),
    "the hits are divided by all tokens; divide by those above the threshold.": _of(
        lambda counts: counts.hits / counts.n
    ),
    "all tokens without the property are counted as false positives; only those above the threshold "
    "are.": _of(lambda counts: counts.hits / (counts.hits + counts.n - counts.true)),
    "the tokens where neither is so are counted as false positives; these are fired − hits.": (
        _of(lambda counts: counts.hits / (counts.hits + counts.neither))
    ),
    "the hits are weighted by their activations; count them.": _hits_weighted,
    **_common(_precision),
}
RECALL: dict[str, Rule] = {
    "this is precision: recall divides by the number of tokens with the property, and comes second.": _of(
        _precision
    ),
    "the hits are divided by all tokens; divide by those that have the property.": _of(
        lambda counts: counts.hits / counts.n
    ),
    "all tokens that are not above the threshold are counted as false negatives; only those with the "
    "property are.": _of(lambda counts: counts.hits / (counts.hits + counts.n - counts.fired)),
    "the tokens where neither is so are counted as false negatives; these are true − hits.": (
        _of(lambda counts: counts.hits / (counts.hits + counts.neither))
    ),
    "divided by the tokens of all properties together; each property has its own number, sum(dim=0).": _of(
        lambda counts: counts.hits / counts.true.sum()
    ),
    "this is the share of the tokens without the property; take those that have it.": _of(
        lambda counts: (counts.fired - counts.hits) / (counts.n - counts.true)
    ),
    **_common(_recall),
}
F1: dict[str, Rule] = {
    "this is half of F1: there is a 2 in 2 · hits / (fired + true).": _of(lambda counts: _f1(counts) / 2),
    "this is the arithmetic mean of precision and recall; F1 is the harmonic one.": _means(
        lambda precision, recall: (precision + recall) / 2
    ),
    "this is the geometric mean of precision and recall; F1 is the harmonic one.": _means(
        lambda precision, recall: (precision * recall).sqrt()
    ),
    "this is precision times recall; divide by their mean, and it is F1.": _means(torch.mul),
    "this is the smaller one of precision and recall; F1 is their harmonic mean.": _means(torch.minimum),
    "the hits are divided by the tokens where either is so; F1 is 2 · hits / (fired + true).": _of(
        lambda counts: counts.hits / (counts.fired + counts.true - counts.hits)
    ),
    "without any hits, precision and recall are 0, and their harmonic mean 0/0; 0 is wanted, and "
    "2 · hits / (fired + true) gives it.": _means(
        lambda precision, recall: 2 * precision * recall / (precision + recall)
    ),
    **_common(_f1),
}
FIELDS = {"precision": PRECISION, "recall": RECALL, "f1": F1}
"""Kinds of failure after which there are no three tensors to compare."""
RAISED = {
    "not implemented for 'Bool'": "booleans can't be multiplied as matrices: .float() first.",
    "same dtype": "one factor is boolean, the other is not: .float() for both.",
    "output dtype": "booleans have no mean: .float() first.",
    "size of tensor a": (
        "an axis of size 1 is missing: thresholds[:, None] is compared with every token, and "
        "sum(dim=1, keepdim=True) divides every property."
    ),
    "mat1 and mat2": "[threshold n] @ [n property]: the tokens are what is summed over.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("6.3", "as_classifier", minutes=8, hints=1)
def as_classifier(t: Trial, student: Function) -> None:
    """First a latent that meets no threshold exactly; then some that do, and thresholds that nothing reaches.

    The three are compared one after the other: a slip in one is named whatever the others are.
    """
    for number, case in enumerate(t.cases(4)):
        arguments = _inputs(case, number)
        compare_fields(
            t,
            student,
            arguments,
            _scores(**arguments),
            mistakes=FIELDS,
            axes="threshold property",
            kind="Classifier",
            raised=RAISED,
        )


def _inputs(case: Case, number: int) -> dict[str, Any]:
    """A latent that has to do with some of the properties; 0 at about half of the tokens, but for case 0.

    In cases 0 and 1 there are hits everywhere. After that a property is never hit, another is always true,
    and nothing is above two of the thresholds. The last case has more tokens than a byte can count.
    """
    n_properties, n_thresholds = ((7, 5), (5, 11), (11, 7), (7, 5))[number]
    case.sizes |= {"n": 613 if number == 3 else 53, "property": n_properties, "threshold": n_thresholds}
    strength = case.uniform("n", 0.0, 1.0)
    base, slope = case.uniform("property", 0.2, 0.5), case.normal("property", scale=0.3)
    truth = case.uniform("n property", 0.0, 1.0) < base + slope * (strength[:, None] - 0.5)
    latent = 3 * strength**2 + 0.05
    truth[latent.argmax()] = True
    if number == 0:
        return {"latent": latent, "truth": truth, "thresholds": _between(case, latent, n_thresholds)}
    latent = (latent - 0.8).relu()
    if number > 1:
        truth[:, 0] &= latent == 0
        truth[latent.argmin(), 0] = True
        truth[:, 1] = True
    firing = latent[latent > 0].sort().values
    met = [torch.zeros_like(firing[0]), firing[len(firing) // 3]]
    if number > 1:
        met += [firing[-1], firing[-1] + 0.5]
    thresholds = torch.cat([torch.stack(met), _between(case, firing, n_thresholds - len(met))])
    order = torch.randperm(n_thresholds, generator=case.generator).to(case.device)
    return {"latent": latent, "truth": truth, "thresholds": thresholds[order]}


def _between(case: Case, values: Tensor, number: int) -> Tensor:
    """Thresholds in the middle between two values each, with some values on either side."""
    ordered = values.sort().values
    places = case.integers(str(number), len(ordered) // 8, len(ordered) * 7 // 8)
    return (ordered[places] + ordered[places + 1]) / 2
