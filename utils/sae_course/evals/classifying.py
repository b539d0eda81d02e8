"""A score with a threshold: precision, recall, and the threshold that serves both best."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Classified(NamedTuple):
    """What "above the threshold" is worth as a classifier, by feature. All in float64, on the CPU."""

    f1: Float[Tensor, " features"]
    """2 · hits / (predicted + true): the harmonic mean of precision and recall"""
    precision: Float[Tensor, " features"]
    """hits / predicted; 0 where nothing is predicted"""
    recall: Float[Tensor, " features"]
    """hits / true"""


def classified(
    scores: Float[Tensor, "n features"],
    truth: Bool[Tensor, "n features"],
    threshold: Float[Tensor, " features"] | float = 0.0,
) -> Classified:
    """Each column's score above its threshold as a classifier of the same column's truth."""
    predicted = scores.cpu().double() > threshold
    truth = truth.cpu()
    hits = (predicted & truth).sum(0).double()
    n_predicted, n_true = predicted.sum(0).double(), truth.sum(0).double()
    return Classified(
        f1=2 * hits / (n_predicted + n_true),
        precision=hits / n_predicted.clamp(min=1),
        recall=hits / n_true,
    )


def best_threshold(
    scores: Float[Tensor, "n features"], truth: Bool[Tensor, "n features"]
) -> Float[Tensor, " features"]:
    """The threshold with the best F1 on these tokens, by feature; −∞ where all tokens are above it."""
    ordered, order = scores.cpu().double().sort(dim=0, descending=True)
    true = truth.cpu().gather(0, order).double()
    n = len(ordered)
    predicted = torch.arange(1, n + 1, dtype=torch.float64)[:, None]
    f1 = 2 * true.cumsum(0) / (predicted + true.sum(0))
    below = torch.cat([ordered[1:], torch.full_like(ordered[:1], -torch.inf)])
    # Equal scores are above a threshold together, or not at all.
    best = torch.where(ordered > below, f1, -1.0).argmax(0, keepdim=True)
    return ((ordered.gather(0, best) + below.gather(0, best)) / 2)[0]
