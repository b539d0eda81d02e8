"""Check of 2a.10 detector_f1: does a latent fire when its feature is there?"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference

N_SAMPLES = 29
Detector = Callable[[Tensor, Tensor, Tensor], Tensor]
F1 = reference.f1


def _truth(present: Tensor, feature: Tensor) -> Tensor:
    """``[inst batch d_sae]``: whether each latent's feature, ``[inst d_sae]``, is present."""
    return torch.stack([there[:, own] for there, own in zip(present, feature, strict=True)])


def _ratios(rule: Callable[[Tensor, Tensor], Tensor]) -> Detector:
    """Another rule for precision and recall."""

    def wrong(fires: Tensor, present: Tensor, cosine: Tensor) -> Tensor:
        truth = _truth(present, cosine.abs().argmax(-1))
        hits = (fires & truth).sum(1).float()
        return rule(hits / fires.sum(1).clamp(min=1), hits / truth.sum(1).clamp(min=1))

    return wrong


def _counts(rule: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Detector:
    """Another rule for hits, false alarms and misses, each ``[inst batch d_sae]``."""

    def wrong(fires: Tensor, present: Tensor, cosine: Tensor) -> Tensor:
        truth = _truth(present, cosine.abs().argmax(-1))
        return rule((fires & truth).float(), (fires & ~truth).float(), (truth & ~fires).float())

    return wrong


def _of_counts(hits: Tensor, alarms: Tensor, misses: Tensor) -> Tensor:
    return 2 * hits / (2 * hits + alarms + misses).clamp(min=1)


def _best(fires: Tensor, present: Tensor, cosine: Tensor) -> Tensor:
    """The best F1 that any feature gives."""
    features = [F1(fires, present, torch.full_like(cosine[..., 0], j)) for j in range(cosine.shape[-1])]
    return torch.stack(features).amax(0)


def _most_hits(fires: Tensor, present: Tensor, cosine: Tensor) -> Tensor:
    together = torch.einsum("ibk,ibf->ikf", fires.float(), present.float())
    return F1(fires, present, together.argmax(-1))


MISTAKES: Mistakes = {
    "0 / 0 where a latent has no hit, such as a dead one: 0 is wanted there, so clamp what you divide by.": (
        lambda fires, present, cosine: torch.where(
            (score := reference.detector_f1(fires, present, cosine)) > 0, score, torch.nan
        )
    ),
    "the cosine has its sign: a latent's feature is the one with the largest *absolute* cosine.": (
        lambda fires, present, cosine: F1(fires, present, cosine.argmax(-1))
    ),
    "the feature with the smallest cosine; with the largest.": (
        lambda fires, present, cosine: F1(fires, present, cosine.abs().argmin(-1))
    ),
    "a latent's feature is chosen by what it fires for; by its direction, the cosine.": _best,
    "a latent's feature is the one most often present when it fires; the one nearest by cosine.": _most_hits,
    "instance 0's features are taken for all; each instance has its own.": (
        lambda fires, present, cosine: F1(fires, present, cosine.abs().argmax(-1)[:1].expand(len(fires), -1))
    ),
    "this is precision alone.": _ratios(lambda precision, recall: precision),
    "this is recall alone.": _ratios(lambda precision, recall: recall),
    "the arithmetic mean of precision and recall; F1 is 2 p r / (p + r).": _ratios(
        lambda precision, recall: (precision + recall) / 2
    ),
    "the geometric mean of precision and recall; F1 is 2 p r / (p + r).": _ratios(
        lambda precision, recall: (precision * recall).sqrt()
    ),
    "the smaller of precision and recall; F1 is 2 p r / (p + r).": _ratios(torch.minimum),
    "the product of precision and recall: the division by their sum is missing.": _ratios(
        lambda precision, recall: 2 * precision * recall
    ),
    "the factor 2 is missing: F1 is 2 p r / (p + r).": _ratios(
        lambda precision, recall: precision * recall / (precision + recall).clamp(min=1e-12)
    ),
    "hits over hits and both errors (Jaccard); in F1 the hits count twice.": _counts(
        lambda hits, alarms, misses: hits.sum(1) / (hits + alarms + misses).sum(1).clamp(min=1)
    ),
    "accuracy: samples where it rightly keeps silent count, too; in F1 they don't.": _counts(
        lambda hits, alarms, misses: 1 - (alarms + misses).mean(1)
    ),
    "one F1 from all latents' counts together; each latent has its own.": _counts(
        lambda hits, alarms, misses: _of_counts(*(one.sum((1, 2)) for one in (hits, alarms, misses)))
    ),
    "the mean over the latents; each one's F1 is wanted.": (
        lambda fires, present, cosine: reference.detector_f1(fires, present, cosine).mean(-1)
    ),
    "the instances' counts are added up; each has its own.": _counts(
        lambda hits, alarms, misses: _of_counts(*(one.sum((0, 1)) for one in (hits, alarms, misses))).expand(
            len(hits), -1
        )
    ),
    "the F1 of each sample, averaged; counts are taken over the whole batch, then divided.": _counts(
        lambda hits, alarms, misses: _of_counts(hits, alarms, misses).mean(1)
    ),
}
SQUARE: Mistakes = {
    "the largest over the latents (dim=-2) is each feature's latent; each latent's feature, dim=-1.": (
        lambda fires, present, cosine: F1(fires, present, cosine.abs().argmax(-2))
    ),
    "latent k is compared with feature k; with the feature nearest to it.": (
        lambda fires, present, cosine: F1(
            fires, present, torch.arange(cosine.shape[1], device=cosine.device).expand(len(fires), -1)
        )
    ),
}


def _inputs(case: Case) -> dict[str, Tensor]:
    """Latents that tell something of their feature; a dead one, one always on, a feature never present."""
    cosine = torch.tanh(case.normal("inst d_sae features"))
    present = case.mask("inst batch features", 0.35)
    nearest = cosine.abs().argmax(-1)
    present[0, :, nearest[0, 1]] = False
    fires = torch.where(
        case.mask("inst batch d_sae", 0.7), _truth(present, nearest), case.mask("inst batch d_sae")
    )
    fires[:, :, 0] = False
    fires[:, :, 2] = True
    return {"fires": fires, "present": present, "cosine": cosine}


@exercise("2a.10", "detector_f1", minutes=7, hints=2)
def detector_f1(t: Trial, student: Function) -> None:
    """Latents of every quality, dead ones too; features that are never present; cosines of either sign."""
    for number, case in enumerate(t.cases(6, batch=N_SAMPLES)):
        if number == 0:
            case.sizes.update(d_sae=8, features=8)
        t.against(
            student,
            _inputs(case),
            reference.detector_f1,
            axes="inst d_sae",
            any_dtype=True,
            mistakes=SQUARE | MISTAKES if number == 0 else MISTAKES,
        )
