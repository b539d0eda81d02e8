"""Check of 2a.8 update_threshold: the running mean that takes the batch's place in use."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference

Rule = Callable[[Tensor, Tensor, float], Tensor]
Update = Callable[[Tensor, Tensor, float], Tensor]


def _one_by_one(rule: Rule, silent: Callable[[Tensor], Tensor] = lambda old: old) -> Update:
    """A rule for one instance's threshold, activations and rate; ``silent`` where none is positive."""

    def wrong(threshold: Tensor, latents: Tensor, rate: float) -> Tensor:
        pairs = zip(threshold, latents, strict=True)
        return torch.stack([rule(old, one, rate) if one.any() else silent(old) for old, one in pairs])

    return wrong


def _towards(statistic: Callable[[Tensor], Tensor]) -> Update:
    """The running mean of something else than the smallest positive activation."""
    return _one_by_one(lambda old, one, rate: (1 - rate) * old + rate * statistic(one))


def _smallest(one: Tensor) -> Tensor:
    return one[one > 0].min()


def _of_each_sample(one: Tensor) -> Tensor:
    """The mean of the samples' own smallest."""
    return torch.stack([_smallest(sample) for sample in one if sample.any()]).mean()


def _step(old: Tensor, one: Tensor, rate: float) -> Tensor:
    return (1 - rate) * old + rate * _smallest(one)


def _all_together(threshold: Tensor, latents: Tensor, rate: float) -> Tensor:
    return (1 - rate) * threshold + rate * _smallest(latents) if latents.any() else threshold


def _held_up(threshold: Tensor, latents: Tensor, rate: float) -> Tensor:
    right = reference.update_threshold(threshold, latents, rate)
    return right if (latents > 0).flatten(1).any(1).all() else threshold.clone()


def _above(old: Tensor, one: Tensor, rate: float) -> Tensor:
    fired = one[one > old]
    return (1 - rate) * old + rate * fired.min() if len(fired) else old


MISTAKES: Mistakes = {
    "the threshold is not updated: it comes back as it was.": lambda threshold, latents, rate: (
        threshold.clone()
    ),
    "rate and 1 - rate are swapped: a batch moves it by the rate only.": (
        lambda threshold, latents, rate: reference.update_threshold(threshold, latents, 1 - rate)
    ),
    "this is the smallest activation itself; the threshold moves towards it by the rate.": _one_by_one(
        lambda old, one, rate: _smallest(one)
    ),
    "the old threshold is not taken times 1 - rate, so the new one only grows.": _one_by_one(
        lambda old, one, rate: old + rate * _smallest(one)
    ),
    "it moves away from the smallest activation; towards it.": _one_by_one(
        lambda old, one, rate: old - rate * (_smallest(one) - old)
    ),
    "the smallest of all entries is 0, a latent that is silent; the smallest *positive* one.": _towards(
        lambda one: one.min()
    ),
    "the largest activation; the smallest that was kept.": _towards(lambda one: one.max()),
    "the mean activation; the smallest that was kept.": _towards(lambda one: one[one > 0].mean()),
    "the mean of all entries, silent ones too; the smallest that was kept.": _towards(lambda one: one.mean()),
    "the median activation; the smallest that was kept.": _towards(lambda one: one[one > 0].median()),
    "the mean of the samples' own smallest; the smallest of the whole batch.": _towards(_of_each_sample),
    "the smallest of all instances together; each has its own.": _all_together,
    "nothing fired, and it became infinite or NaN: an instance where nothing fired keeps its own.": (
        _one_by_one(_step, lambda old: old + torch.inf)
    ),
    "nothing fired, and it became 0: an instance where nothing fired keeps its own.": _one_by_one(
        _step, torch.zeros_like
    ),
    "nothing fired, and it decayed: an instance where nothing fired keeps its own.": (
        lambda threshold, latents, rate: _one_by_one(_step, lambda old: (1 - rate) * old)(
            threshold, latents, rate
        )
    ),
    "one instance where nothing fired holds up all; the others move.": _held_up,
    "it can only rise; it moves either way.": _one_by_one(
        lambda old, one, rate: torch.maximum(old, _step(old, one, rate))
    ),
    "it can only fall; it moves either way.": _one_by_one(
        lambda old, one, rate: torch.minimum(old, _step(old, one, rate))
    ),
    "the smallest *above the threshold*: then it can only rise; the smallest above 0.": _one_by_one(_above),
    "the instances' mean; each has a threshold of its own.": (
        lambda threshold, latents, rate: reference.update_threshold(threshold, latents, rate).mean()
    ),
}


def _latents(case: Case, number: int) -> Tensor:
    """Sparse activations; from the second case on one instance is silent, in the last all of them are."""
    latents = torch.relu(case.normal("inst batch d_sae") + 0.2) * case.uniform("inst 1 1", 0.3, 2.0)
    if number >= 1:
        latents[int(case.integers("1", 0, case.size("inst")))] = 0
    if number == 3:  # where everything fires, no 0 is the smallest
        latents[-1] = case.uniform("batch d_sae", 0.3, 1.0)
    return torch.zeros_like(latents) if number == 5 else latents


@exercise("2a.8", "update_threshold", minutes=5, hints=1)
def update_threshold(t: Trial, student: Function) -> None:
    """One batch's step, up and down: with instances in which nothing fired, and in which everything did."""
    for number, case in enumerate(t.cases(6)):
        t.against(
            student,
            {
                # Below and above the smallest activation
                "threshold": case.uniform("inst", 0.05, 0.6) * (1 if number % 2 else 0.02),
                "latents": _latents(case, number),
                "rate": case.number(0.05, 0.4),
            },
            reference.update_threshold,
            axes="inst",
            any_dtype=True,  # SAELens keeps it in float64, and so may a learner
            mistakes=MISTAKES,
        )
