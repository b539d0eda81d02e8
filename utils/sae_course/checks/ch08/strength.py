"""Check of 8.6 precision_by_strength: is the feature true where a latent fires weakly, and strongly?"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..raised import meaning
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor, int], Tensor]
"""As the exercise's function: a, truth, bins."""
OfSorted = Callable[[Tensor, int], Tensor]
"""From the truth where the latent fires, weakest first, as numbers, and bins."""
SIZES = ((47, 31, 5), (59, 22, 7), (38, 43, 3), (41, 0, 6), (23, 17, 1), (7, 13, 7))
"""Of each case: tokens where it fires, others, bins. The last: always firing, one group, one token each."""


def _right(a: Tensor, truth: Tensor, bins: int) -> Tensor:
    """Token by token; the groups by their sizes: the first ones have one more where it doesn't divide."""
    pairs = sorted(pair for pair in zip(a.tolist(), truth.tolist(), strict=True) if pair[0] > 0)
    size, more = divmod(len(pairs), bins)
    shares, begin = [], 0
    for i in range(bins):
        group = pairs[begin : begin + size + (i < more)]
        begin += len(group)
        shares.append(sum(true for _, true in group) / len(group))
    return torch.tensor(shares, device=a.device)


def _split(values: Tensor, bins: int) -> list[Tensor]:
    return list(values.tensor_split(bins))


def _means(groups: list[Tensor]) -> Tensor:
    return torch.stack([group.mean() for group in groups])


def _sizes(values: Tensor, bins: int) -> Tensor:
    return values.new_tensor([len(group) for group in _split(values, bins)])


def _of(rule: OfSorted) -> Rule:
    """Of the truth in the right order."""

    def wrong(a: Tensor, truth: Tensor, bins: int) -> Tensor:
        return rule(truth[a > 0][a[a > 0].argsort()].float(), bins)

    return wrong


def _in_order(order: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """The right groups of something else, from a and truth of all tokens."""
    return lambda a, truth, bins: _means(_split(order(a, truth).float(), bins))


def _where(fires: Callable[[Tensor], Tensor]) -> Rule:
    """Right, of other tokens."""
    return _in_order(lambda a, truth: truth[fires(a)][a[fires(a)].argsort()])


def _by_width(lowest: Callable[[Tensor], Any]) -> Rule:
    """Bins of equal width in the activation; NaN where there is nothing in one."""

    def wrong(a: Tensor, truth: Tensor, bins: int) -> Tensor:
        fired, true = a[a > 0], truth[a > 0].float()
        low = float(lowest(fired))
        at = ((fired - low) / (fired.max() - low) * bins).long().clamp(max=bins - 1)
        return _means([true[at == i] for i in range(bins)])

    return wrong


def _remainder(first: bool) -> OfSorted:
    """Groups of the same size; what is left over goes to the last one, or nowhere."""

    def wrong(true: Tensor, bins: int) -> Tensor:
        size = len(true) // bins
        ends = [*((i + 1) * size for i in range(bins - 1)), bins * size if first else len(true)]
        return _means([true[i * size : end] for i, end in enumerate(ends)])

    return wrong


def _weighted(a: Tensor, truth: Tensor, bins: int) -> Tensor:
    """The share of the activation, not of the tokens."""
    strength = a[a > 0].sort().values
    true = truth[a > 0][a[a > 0].argsort()].float()
    parts = zip(_split(strength, bins), _split(true, bins), strict=True)
    return torch.stack([(s * t).sum() / s.sum() for s, t in parts])


def _strengths(a: Tensor, _: Tensor, bins: int) -> Tensor:
    return _means(_split(a[a > 0].sort().values, bins))


def _at_least(true: Tensor, bins: int) -> Tensor:
    return torch.stack([torch.cat(_split(true, bins)[i:]).mean() for i in range(bins)])


def _at_most(true: Tensor, bins: int) -> Tensor:
    return torch.stack([torch.cat(_split(true, bins)[: i + 1]).mean() for i in range(bins)])


def _sums(true: Tensor, bins: int) -> Tensor:
    return _means(_split(true, bins)) * _sizes(true, bins)


MISTAKES: dict[str, Rule] = {
    "the tokens where the latent is silent are still there; leave them out first: a > 0.": _where(
        lambda a: a >= 0
    ),
    "only activations above their mean are looked at here; the weak firings are what it is about: a > 0.": (
        _where(lambda a: a > a.mean())
    ),
    "the strongest come first here; weakest first is wanted, as argsort gives them.": _of(
        lambda true, bins: _means(_split(true.flip(0), bins))
    ),
    "the groups are right, their order isn't: weakest first.": _of(
        lambda true, bins: _means(_split(true, bins)).flip(0)
    ),
    "`truth` is still in the order of the tokens; the activation's is wanted: truth[fires][order].": (
        _in_order(lambda a, truth: truth[a > 0])
    ),
    "`order` counts among the firing tokens only; it is used on all tokens here: truth[fires][order].": (
        _in_order(lambda a, truth: truth[a[a > 0].argsort()])
    ),
    "the order is that of all tokens, and the mask that of the tokens before they were sorted.": _in_order(
        lambda a, truth: truth[a.argsort()][a > 0]
    ),
    "this sorts by ranks, argsort of argsort; the first argsort alone is the order.": _in_order(
        lambda a, truth: truth[a > 0][a[a > 0].argsort().argsort()]
    ),
    "`truth` is sorted by itself here; one order, that of the activation, is for both.": _in_order(
        lambda a, truth: truth[a > 0].long().sort().values
    ),
    "these bins have the same width, from 0 to the largest activation; the same number of tokens is "
    "wanted.": _by_width(lambda fired: 0),
    "these bins have the same width, from the smallest to the largest activation; the same number of tokens "
    "is wanted.": _by_width(torch.min),
    "chunk fills all groups but the last; as near as can be to equal is torch.tensor_split.": _of(
        lambda true, bins: _means(list(true.chunk(bins)))
    ),
    "`bins` is the number of groups; here it is the size of each: tensor_split, not split.": _of(
        lambda true, bins: _means(list(true.split(bins)))
    ),
    "the strongest tokens are lost where the number doesn't divide by `bins`: torch.tensor_split.": _of(
        _remainder(first=True)
    ),
    "the last group gets all that is left over; as near as can be to equal is torch.tensor_split.": _of(
        _remainder(first=False)
    ),
    "these are counts of true tokens; divide by the size of the group.": _of(_sums),
    "the counts are divided by all true tokens; divide by the size of the group.": _of(
        lambda true, bins: _sums(true, bins) / true.sum()
    ),
    "the counts are divided by all tokens where the latent fires; divide by the size of the group.": _of(
        lambda true, bins: _sums(true, bins) / len(true)
    ),
    "the counts are divided by all tokens; divide by the size of the group.": lambda a, truth, bins: (
        _of(_sums)(a, truth, bins) / len(a)
    ),
    "the counts are divided by n / bins; each group has its own size.": _of(
        lambda true, bins: _sums(true, bins) / (len(true) / bins)
    ),
    "the counts are divided by n // bins; each group has its own size.": _of(
        lambda true, bins: _sums(true, bins) / (len(true) // bins)
    ),
    "this is the share of the tokens that fire at least so strongly; each group is by itself.": _of(
        _at_least
    ),
    "this is the share of the tokens that fire at most so strongly; each group is by itself.": _of(_at_most),
    "the tokens are weighted by the activation; every token counts once.": _weighted,
    "these are mean activations; the share of tokens where the feature is true is wanted.": _strengths,
    "this is the share at which the feature is false.": _of(
        lambda true, bins: 1 - _means(_split(true, bins))
    ),
}
RAISED = {
    "could not infer output dtype": "the mean of booleans; .float() makes 0s and 1s of them.",
    "The shape of the mask": "the mask must be as long as what it is used on: once a[fires] is taken, "
    "nothing is silent any more.",
    "only integer tensors of a single element": "`order` is an index, and stands behind truth[fires].",
    "out of bounds": "`order` counts among the firing tokens, or among all: use it on those that it counts.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.6", "precision_by_strength", minutes=7, hints=1)
def precision_by_strength(t: Trial, student: Function) -> None:
    """Numbers of firings that don't divide by bins; then no silent token, a single group, one token each."""
    for number, case in enumerate(t.cases(len(SIZES))):
        case.sizes |= dict(zip(("fires", "silent", "bins"), SIZES[number], strict=True))
        with meaning(RAISED):
            t.against(student, _inputs(case), _right, axes="bins", mistakes=MISTAKES, any_dtype=True)


def _inputs(case: Case) -> dict[str, Any]:
    """Activations that are all different, few of them large, and none near another: no ties.

    The feature is true mostly where they are large, and at all silent tokens or none: whoever leaves them in
    gets the same in whatever order a sort puts them.
    """
    fires, silent = case.size("fires"), case.size("silent")
    ranks = torch.arange(fires, device=case.device) + case.uniform("fires", 0.0, 0.6)
    strength = (0.15 + (ranks / fires) ** 3) * case.number(1.0, 4.0)
    chance = 0.1 + 0.75 * (ranks / fires) ** 2
    true = case.uniform("fires", 0.0, 1.0) < chance
    true[:2], true[-2:] = _both(case), _both(case)
    elsewhere = (case.uniform("1", 0.0, 1.0) < 0.5).expand(silent)
    order = torch.randperm(fires + silent, generator=case.generator).to(case.device)
    a = torch.cat([strength, torch.zeros(silent, device=case.device)])[order]
    return {"a": a, "truth": torch.cat([true, elsewhere])[order], "bins": case.size("bins")}


def _both(case: Case) -> Tensor:
    """True and false, in any order."""
    return torch.randperm(2, generator=case.generator).bool().to(case.device)
