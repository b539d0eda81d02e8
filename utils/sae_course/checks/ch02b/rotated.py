"""Checks of 2b.1 rotated_latents and 2b.2 l1_costs: a dictionary that isn't the true one, and costs less."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference

ROOT = math.sqrt(2)


def _of(rule: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
    """Three activations from the two coordinates."""
    return lambda x: torch.stack(rule(*x.unbind(1)), dim=1)


def _times(factor: float) -> Callable[[Tensor], Tensor]:
    return lambda x: reference.rotated_latents(x) * factor


def _reordered(*places: int) -> Callable[[Tensor], Tensor]:
    return lambda x: reference.rotated_latents(x)[:, list(places)]


def _one_side(x: Tensor) -> Tensor:
    """The side that the batch as a whole lies on."""
    side = bool(x[:, 0].sum() > x[:, 1].sum())
    return reference.rotated_latents(x) * torch.tensor([1, side, not side], device=x.device)


LATENT_MISTAKES: Mistakes = {
    "the ReLU is missing: an activation is never negative, and only one of the two opposed latents fires.": (
        _of(lambda x, y: ((x + y) / ROOT, (x - y) / ROOT, (y - x) / ROOT))
    ),
    "1/√2 is missing: the dictionary's rows have length 1.": _times(ROOT),
    "divided by 2, as for rows (1, 1) of length √2; these have length 1: divide by √2.": _times(1 / ROOT),
    "the first latent is missing 1/√2.": _of(
        lambda x, y: (x + y, torch.relu(x - y) / ROOT, torch.relu(y - x) / ROOT)
    ),
    "the two opposed latents are missing 1/√2.": _of(
        lambda x, y: ((x + y) / ROOT, torch.relu(x - y), torch.relu(y - x))
    ),
    "the two opposed latents are swapped: the second row is (1, -1)/√2, for what x has more than y.": (
        _reordered(0, 2, 1)
    ),
    "the latents are in another order: (1, 1), then (1, -1), then (-1, 1).": _reordered(1, 2, 0),
    "the third latent is always 0: samples with y > x need it.": _of(
        lambda x, y: ((x + y) / ROOT, torch.relu(x - y) / ROOT, 0 * x)
    ),
    "the second latent takes the difference with its sign, the third nothing: an activation is never "
    "negative.": _of(lambda x, y: ((x + y) / ROOT, (x - y) / ROOT, 0 * x)),
    "both opposed latents fire with |x - y|, and cancel each other.": _of(
        lambda x, y: ((x + y) / ROOT, (x - y).abs() / ROOT, (x - y).abs() / ROOT)
    ),
    "the second latent takes the difference without its sign: what y has more is the third's.": _of(
        lambda x, y: ((x + y) / ROOT, (x - y).abs() / ROOT, 0 * x)
    ),
    "the opposed latents fire with x and with y: it reconstructs, but they cancel each other in part. "
    "Only their difference is needed: relu(x - y), relu(y - x).": _of(
        lambda x, y: ((x + y) / ROOT, x / ROOT, y / ROOT)
    ),
    "the first takes min(x, y), the others the rest: (1, -1) then pulls y below 0. The first has to carry "
    "both, x + y.": _of(
        lambda x, y: (
            torch.minimum(x, y) * ROOT,
            torch.relu(x - y) * ROOT,
            torch.relu(y - x) * ROOT,
        )
    ),
    "the first takes max(x, y); it is to take x + y.": _of(
        lambda x, y: (torch.maximum(x, y) * ROOT, torch.relu(x - y) / ROOT, torch.relu(y - x) / ROOT)
    ),
    "x and y themselves, and nothing for the third: that is the true dictionary, not this one.": _of(
        lambda x, y: (x, y, 0 * x)
    ),
    "the smallest sum of *squares* (a pseudo-inverse, least squares), which may be negative; activations are "
    "not, and their sum is to be smallest.": _of(
        lambda x, y: ((x + y) / ROOT, (x - y) / ROOT / 2, (y - x) / ROOT / 2)
    ),
    "one of the opposed latents is chosen for the whole batch; each sample has its own.": _one_side,
    "the batch's mean was taken off; the activations are those of x as it is.": (
        lambda x: torch.relu(reference.rotated_latents(x - x.mean(dim=0)))
    ),
}


def _diagnosis(latents: object, x: Tensor) -> str:
    """What is wrong with activations of the right shape: below 0, no reconstruction, or too much of them."""
    if not isinstance(latents, Tensor):
        return ""
    seen, target = latents.detach().double(), x.double()
    if float(seen.min()) < -1e-5:
        return "an activation is never negative: torch.relu."
    rebuilt = seen @ reference.DICTIONARY.to(seen)
    if torch.allclose(rebuilt, target, atol=1e-4):
        return "these do reconstruct x, but with too large a sum: the two opposed latents cancel in part."
    return "activations @ dictionary is not x."


def _points(case: Case, number: int) -> Tensor:
    """``[batch 2]``, on both sides of the diagonal; the last cases with points on it, and on the axes."""
    case.sizes["batch"] = (7, 11, 3, 13, 1, 5)[number]
    x = case.uniform("batch 2", 0.05, 1.0)
    if number != 4:  # both sides in every batch of several
        x[0], x[1] = x[0].sort().values, x[1].sort(descending=True).values
    if number == 3:
        x[2], x[3, 1], x[4, 0], x[5] = 0.0, 0.0, 0.0, 0.25
    return x


@exercise("2b.1", "rotated_latents", minutes=8, hints=2)
def rotated_latents(t: Trial, student: Function) -> None:
    """Points of the positive quadrant: on both sides of the diagonal, on it, on the axes; a single one."""
    for number, case in enumerate(t.cases(6)):
        x = _points(case, number)
        try:
            t.against(
                student,
                {"x": x},
                reference.rotated_latents,
                axes="batch latents",
                mistakes=LATENT_MISTAKES,
                any_dtype=True,
            )
        except CheckFailed as failure:
            if failure.kind == "values":
                failure.likely = _diagnosis(t.call(student, {"x": x}), x)
            raise


def _costs(
    rotated: Callable[[float], float], true: Callable[[float], float] = lambda p: p
) -> Callable[[float], tuple[float, float]]:
    """A slip in an expectation; ``rotated`` is in units of √2, so it should be the mean of the larger one."""
    return lambda p: (true(p), ROOT * rotated(p))


def _larger(p: float) -> float:
    return 2 / 3 * p * p + 1 / 2 * 2 * p * (1 - p)


def _per(share: Callable[[float], float]) -> Callable[[float], tuple[float, float]]:
    return lambda p: (p / share(p), ROOT * _larger(p) / share(p))


COST_MISTAKES: Mistakes = {
    "samples with only one of the two present are forgotten: they cost, too, with probability 2p(1 - p).": (
        _costs(lambda p: 2 / 3 * p * p)
    ),
    "samples with one feature count half. Either of the two can be the one: 2p(1 - p); and two latents fire "
    "then, x/√2 each.": _costs(lambda p: 2 / 3 * p * p + 1 / 2 * p * (1 - p)),
    "samples with exactly one feature have the probability 2p(1 - p), not p².": _costs(
        lambda p: 2 / 3 * p * p + 1 / 2 * p * p
    ),
    "2p counts samples with both features again; exactly one is present with probability 2p(1 - p).": _costs(
        lambda p: 2 / 3 * p * p + 1 / 2 * 2 * p
    ),
    "both features are present with probability p², not p.": _costs(lambda p: 2 / 3 * p + p * (1 - p)),
    "two uniform numbers: the larger is 2/3 on average, not 1/2, and they are 1/3 apart, not 0.": _costs(
        lambda p: 1 / 2 * p * p + p * (1 - p)
    ),
    "1/3 is the *smaller* of two uniform numbers, on average; the larger is 2/3.": _costs(
        lambda p: 1 / 3 * p * p + p * (1 - p)
    ),
    "where one feature is alone, its magnitude is 1/2 on average, not 1.": _costs(
        lambda p: 2 / 3 * p * p + 2 * p * (1 - p)
    ),
    "a present feature's magnitude is uniform between 0 and 1, not always 1.": _costs(
        lambda p: p * p + 2 * p * (1 - p), lambda p: 2 * p
    ),
    "this is the first latent alone, (x + y)/√2; one of the opposed two fires as well, |x - y|/√2. (Without "
    "the | |, x - y is 0 on average.)": _costs(lambda p: p / 2),
    "these are the two opposed latents alone, |x - y|/√2; the first fires as well, (x + y)/√2.": _costs(
        lambda p: (1 / 3 * p * p + p * (1 - p)) / 2
    ),
    "√2 is missing: this is the mean of max(x, y), and the activations' sum is √2 max(x, y).": _costs(
        lambda p: _larger(p) / ROOT
    ),
    "divided by √2 where it is multiplied: (x + y)/√2 + |x - y|/√2 is √2 max(x, y).": _costs(
        lambda p: _larger(p) / 2
    ),
    "samples with both features are forgotten: the larger of the two is 2/3 on average.": _costs(
        lambda p: p * (1 - p)
    ),
    "1/√2 is missing: the activations are (x + y)/√2 and |x - y|/√2.": _costs(lambda p: _larger(p) * ROOT),
    "in |x - y|, exactly one of two is present with probability 2p(1 - p), not p(1 - p).": _costs(
        lambda p: (p + 1 / 3 * p * p + 1 / 2 * p * (1 - p)) / 2
    ),
    "two uniform numbers are 1/3 apart on average, not 1/2.": _costs(
        lambda p: (p + 1 / 2 * p * p + p * (1 - p)) / 2
    ),
    "two uniform numbers are 1/3 apart on average; 2/3 is the larger one.": _costs(
        lambda p: (p + 2 / 3 * p * p + p * (1 - p)) / 2
    ),
    "the rotated dictionary's is p times that of p = 1, as if the features always came together.": _costs(
        lambda p: 2 / 3 * p
    ),
    "the rotated dictionary's is that of p = 1, whatever p.": _costs(lambda p: 2 / 3),
    "the true basis' is that of one feature; there are two.": _costs(_larger, lambda p: p / 2),
    "the true basis' has the magnitude 1 for every present feature; it is 1/2 on average.": _costs(
        _larger, lambda p: 2 * p
    ),
    "the true basis' counts samples with both features only (or p² for p).": _costs(_larger, lambda p: p * p),
    "the two come back the wrong way round: first the true basis', then the rotated dictionary's.": (
        lambda p: reference.l1_costs(p)[::-1]
    ),
    "these are costs of a sample in which anything is present; of all samples, empty ones included.": _per(
        lambda p: 1 - (1 - p) ** 2
    ),
    "these are costs of a present feature; of a sample.": _per(lambda p: 2 * p),
}


def _is_near(costs: object, expected: tuple[float, float]) -> bool:
    """Whether both costs are about right, as those of a simulation are."""
    try:
        pairs = zip(costs, expected, strict=True)  # type: ignore[call-overload]
        return all(math.isclose(float(cost), wanted, rel_tol=0.04) for cost, wanted in pairs)
    except (TypeError, ValueError):
        return False


@exercise("2b.2", "l1_costs", minutes=6, hints=2)
def l1_costs(t: Trial, student: Function) -> None:
    """Rare features, frequent ones, and p = 1; closer than a simulation comes."""
    for number, case in enumerate(t.cases(6)):
        p = (case.number(0.25, 0.45), case.number(0.6, 0.8), 1.0, 0.9, 0.5, case.number(0.02, 0.1))[number]
        try:
            t.against(student, {"p": p}, reference.l1_costs, mistakes=COST_MISTAKES, rtol=1e-5, atol=1e-6)
        except CheckFailed as failure:
            if failure.kind == "values" and _is_near(t.call(student, {"p": p}), reference.l1_costs(p)):
                failure.likely = (
                    "close, but not exact. A simulation, however large, is only near: derive the mean, "
                    "case by case (both present, one, none)."
                )
            raise
