"""Checks of 3b.3 auroc and 3b.4 best_latent: how well one latent tells a label."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial


def _below(scores: Tensor, labels: Tensor) -> tuple[float, float, int]:
    """Pairs in which the labelled token scores higher, and that tie; and the number of all pairs."""
    with_it, without = scores[labels].double(), scores[~labels].double().sort().values
    less = int(torch.searchsorted(without, with_it).sum())
    up_to = int(torch.searchsorted(without, with_it, right=True).sum())
    return less, up_to - less, len(with_it) * len(without)


def _auroc(scores: Tensor, labels: Tensor, tie: float = 0.5) -> float:
    wins, ties, pairs = _below(scores, labels)
    return (wins + tie * ties) / pairs


def _from_ranks(scores: Tensor, labels: Tensor, ranks: Tensor) -> float:
    """Mann and Whitney's formula, for ranks from 1."""
    n = int(labels.sum())
    total = float(ranks[labels].double().sum())
    return (total - n * (n + 1) / 2) / (n * (len(labels) - n))


def _by_order(scores: Tensor, labels: Tensor) -> float:
    return _from_ranks(scores, labels, scores.argsort(stable=True).argsort() + 1)


def _dense(scores: Tensor, labels: Tensor) -> float:
    return _from_ranks(scores, labels, scores.unique(return_inverse=True)[1] + 1)


def _from_zero(scores: Tensor, labels: Tensor) -> float:
    """Ties right, and ranks that begin at 0."""
    return _auroc(scores, labels) - 1 / int((~labels).sum())


def _without_ties(scores: Tensor, labels: Tensor) -> float:
    wins, ties, pairs = _below(scores, labels)
    return wins / (pairs - ties) if pairs > ties else 0.0


def _rate(of: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], float]:
    """A share of tokens, with "it fires" as the guess."""
    return lambda scores, labels: float(of(scores > 0, labels).double().mean())


AUROC_MISTAKES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "a tie counts as a win (>=); it counts half.": lambda scores, labels: _auroc(scores, labels, 1.0),
    "a tie counts as a loss (> alone); it counts half.": lambda scores, labels: _auroc(scores, labels, 0.0),
    "pairs that tie are left out altogether; each counts half.": _without_ties,
    "the wrong way round: the chance that a token without the label scores higher.": lambda scores, labels: (
        1 - _auroc(scores, labels)
    ),
    "either sign is taken, whichever is better: a latent that is silent on the label has less "
    "than ½.": lambda scores, labels: max(_auroc(scores, labels), 1 - _auroc(scores, labels)),
    "tied tokens get different ranks, by their order (argsort of argsort); they share their mean rank.": (
        _by_order
    ),
    "tied tokens share a rank, but the next one is only 1 higher (unique); give each its place in the "
    "sorted list.": _dense,
    "the ranks begin at 0 where the formula takes them from 1.": _from_zero,
    "divided by the square of n; there are (with the label) × (without it) pairs.": lambda scores, labels: (
        _auroc(scores, labels) * _below(scores, labels)[2] / len(labels) ** 2
    ),
    'this is the accuracy of "it fires" as a guess; AUROC compares pairs of tokens.': _rate(
        lambda fires, labels: fires == labels
    ),
    "this is the share of labelled tokens on which it fires; AUROC compares pairs of tokens.": _rate(
        lambda fires, labels: fires[labels]
    ),
    "this is how often a token on which it fires has the label; AUROC compares pairs of tokens.": _rate(
        lambda fires, labels: labels[fires]
    ),
    "this is Somers' D, 2 AUROC − 1 (the Gini coefficient): wins minus losses.": lambda scores, labels: (
        2 * _auroc(scores, labels) - 1
    ),
}


def _scores(case: Case, labels: Tensor, effect: float) -> Tensor:
    """Normal scores, higher on the label by ``effect``."""
    return case.normal("n") + effect * labels


@exercise("3b.3", "auroc", minutes=6, hints=2)
def auroc(t: Trial, student: Function) -> None:
    """All pairs, ties half: on scores without ties, with many, with all alike, and on 20,000 tokens."""
    for number, case in enumerate(t.cases(7, n=41)):
        labels = case.mask("n", 0.3)
        if number == 0:
            scores = _scores(case, labels, 0.8)  # without ties
        elif number == 1:
            scores = (_scores(case, labels, 0.7) - 0.6).relu()
        elif number == 2:
            scores = (_scores(case, labels, 1.0) * 2).round() / 2
        elif number == 3:
            scores = _scores(case, labels, -1.5).relu()
        elif number == 4:
            scores = torch.zeros_like(labels, dtype=torch.float32)
        elif number == 5:
            scores = case.normal("n").abs() * labels  # all without the label are alike
        else:
            labels, scores = _many(case)
        try:
            t.against(student, {"scores": scores, "labels": labels}, _auroc, mistakes=AUROC_MISTAKES)
        except CheckFailed as failure:
            if failure.kind == "time":
                failure.likely = (
                    "every pair in a loop of Python; compare whole tensors, or use ranks: this case has "
                    f"{len(scores):,} tokens."
                )
            elif failure.kind == "values" and number > 0:
                failure.likely = (
                    "without ties yours was right; here many tokens have equal scores, and each pair of them "
                    "counts half."
                )
            raise


def _many(case: Case) -> tuple[Tensor, Tensor]:
    """A latent that is mostly silent, over 20,000 tokens, few of which have the label."""
    case.sizes["n"] = 20_000
    labels = torch.zeros(20_000, dtype=torch.bool, device=case.device)
    labels[case.integers("40", 0, 20_000)] = True
    return labels, (_scores(case, labels, 2.0) - 1.8).relu()


Best = tuple[float, float]


def _part(x: Tensor, which: str) -> Tensor:
    """Some tokens of ``[rows pos ...]``, flat."""
    half = len(x) // 2
    parts: dict[str, Tensor] = {
        "all": x,
        "even": x[::2],
        "odd": x[1::2],
        "first": x[:half],
        "last": x[half:],
        "even positions": x[:, ::2],
        "odd positions": x[:, 1::2],
        "even tokens": x.flatten(0, 1)[None, ::2],
        "odd tokens": x.flatten(0, 1)[None, 1::2],
    }
    return parts[which].flatten(0, 1)


def _areas(scores: Tensor, labels: Tensor, tie: float = 0.5) -> Tensor:
    """Every latent's AUROC on tokens ``[n d_sae]``, from all pairs."""
    gap = scores[labels][:, None] - scores[~labels][None]
    return ((gap > 0).double() + tie * (gap == 0)).mean((0, 1))


def _areas_on(latents: Tensor, label: Tensor, which: str, tie: float = 0.5) -> Tensor:
    return _areas(_part(latents, which), _part(label, which), tie)


def _picks(
    choose: str, measure: str, *, tie: float = 0.5, value: Callable[[Tensor], Tensor] = lambda areas: areas
) -> Callable[[Tensor, Tensor], Best]:
    """The latent with the highest ``value`` on some tokens, and its AUROC on others."""

    def pick(latents: Tensor, label: Tensor) -> Best:
        index = int(value(_areas_on(latents, label, choose, tie)).argmax())
        return index, float(_areas_on(latents, label, measure, tie)[index])

    return pick


_best = _picks("even", "odd")


def _by(value: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Best]:
    """Chosen by another number than AUROC, of the even rows."""

    def pick(latents: Tensor, label: Tensor) -> Best:
        index = int(value(_part(latents, "even"), _part(label, "even")).argmax())
        return index, float(_areas_on(latents, label, "odd")[index])

    return pick


def _optimist(latents: Tensor, label: Tensor) -> Best:
    return _best(latents, label)[0], float(_areas_on(latents, label, "odd").max())


def _row_by_row(latents: Tensor, label: Tensor) -> Best:
    """Chosen by the mean of each row's AUROC."""
    rows = [_areas(*row) for row in zip(latents[::2], label[::2], strict=True)]
    index = int(torch.stack(rows).nanmean(0).argmax())
    return index, float(_areas_on(latents, label, "odd")[index])


def _transposed(latents: Tensor, label: Tensor) -> Best:
    """Labels flattened position by position, activations row by row."""

    def area(half: slice) -> Tensor:
        return _areas(latents[half].flatten(0, 1), label[half].T.flatten())

    index = int(area(slice(0, None, 2)).argmax())
    return index, float(area(slice(1, None, 2))[index])


BEST_MISTAKES: dict[str, Callable[[Tensor, Tensor], Best]] = {
    "the latent was chosen on all rows: choose on the even ones only, or its AUROC is too good.": _picks(
        "all", "odd"
    ),
    "this is the AUROC on the rows that chose the latent: give that on the odd rows.": _picks("even", "even"),
    "this is the AUROC on all rows, those too that chose the latent: on the odd rows only.": _picks(
        "even", "all"
    ),
    "all rows choose and all rows measure: even rows choose, odd rows measure.": _picks("all", "all"),
    "the halves are the wrong way round: rows 0, 2, ... choose, rows 1, 3, ... measure.": _picks(
        "odd", "even"
    ),
    "the odd rows choose as well as measure: the even ones choose.": _picks("odd", "odd"),
    "this is the highest AUROC of any latent on the odd rows; that of the chosen one is wanted.": _optimist,
    "the first half of the rows chooses and the second measures: take every other row.": _picks(
        "first", "last"
    ),
    "every other position, [:, ::2], in place of every other row, [::2].": _picks(
        "even positions", "odd positions"
    ),
    "every other token: take every other row before rows and positions are flattened.": _picks(
        "even tokens", "odd tokens"
    ),
    "this is the worst latent: argmax, not argmin.": _picks("even", "odd", value=lambda areas: -areas),
    "a latent that is silent on the label was chosen: the highest AUROC, not the furthest from ½.": _picks(
        "even", "odd", value=lambda areas: (areas - 0.5).abs()
    ),
    "a tie counts as a win in this AUROC; it counts half.": _picks("even", "odd", tie=1.0),
    "a tie counts as a loss in this AUROC; it counts half.": _picks("even", "odd", tie=0.0),
    "the latent was chosen by its mean activation on the label, not by its AUROC.": _by(
        lambda latents, label: latents[label].mean(0)
    ),
    "the latent was chosen by a difference of mean activations, not by its AUROC.": _by(
        lambda latents, label: latents[label].mean(0) - latents[~label].mean(0)
    ),
    "each row's AUROC was averaged; one AUROC over all tokens of a half compares tokens of different "
    "rows, too.": _row_by_row,
    "the latent's index comes first, then its AUROC.": lambda latents, label: _best(latents, label)[::-1],
    "latents and label are flattened in different orders: row by row, both.": _transposed,
}


@exercise("3b.4", "best_latent", minutes=4, hints=1)
def best_latent(t: Trial, student: Function) -> None:
    """One half of the rows chooses, the other measures; another latent is best on each."""
    for number, case in enumerate(t.cases(4, pos=13, d_sae=11)):
        case.sizes["rows"] = (9, 8, 11, 10)[number]
        t.against(student, _tempting(case, silent=number > 0), _best, mistakes=BEST_MISTAKES)


STRENGTHS = ((2.2, 0.9), (0.5, 2.6), (1.9, 1.9), (0.8, 0.8), (0.0, 0.4), (-0.2, -0.2))
"""How much stronger some latents are on the label, on even and on odd rows."""


def _tempting(case: Case, silent: bool) -> dict[str, Any]:
    """Latents: the best on either half and on all rows, a dead one, two large ones; at choice one that is
    silent on the label, and tells it better than any other."""
    rows, pos, d_sae = case.shape("rows pos d_sae")
    even = (torch.arange(rows, device=case.device) % 2 == 0)[:, None]
    while True:
        label = case.mask("rows pos", 0.35)
        mean = torch.full((rows, pos, d_sae), -0.3, device=case.device)
        for latent, (on_even, on_odd) in enumerate(STRENGTHS):
            mean[..., latent] += label * torch.where(even, on_even, on_odd)
        if silent:
            mean[..., 5] += 2.0 - 5.0 * label
        mean[..., 6] -= 100.0
        level = torch.randperm(rows, generator=case.generator).to(case.device)
        mean[..., 7] += 4 * label + 5 * level[:, None]  # perfect in each row, and each row has its own level
        latents = (mean + case.normal("rows pos d_sae", scale=0.8)).relu()
        latents[..., 3] *= 30  # large where it fires
        latents[..., 4] += 90  # large everywhere
        latents = latents[..., torch.randperm(d_sae, generator=case.generator).to(case.device)]
        areas = [_areas_on(latents, label, which) for which in ("all", "even", "odd")]
        clear = all(float(top[0] - top[1]) > 1e-3 for top in (one.topk(2).values for one in areas))
        furthest = (areas[1] - 0.5).abs().argmax() != areas[1].argmax()
        if clear and len({int(one.argmax()) for one in areas}) == 3 and bool(furthest) == silent:
            return {"latents": latents, "label": label}
