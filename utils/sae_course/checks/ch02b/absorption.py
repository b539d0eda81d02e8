"""Check of 2b.8 absorption_rate: whether a parent's latent falls silent where its child is present."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference

right = reference.absorption_rate


def _share(of: Tensor, among: Tensor) -> Tensor:
    """Of the samples ``among``, the share that is ``of``, [inst]; NaN where there are none."""
    return (of & among).float().sum(1) / among.float().sum(1)


def _between(
    with_child: Callable[[Tensor, Tensor], Tensor] = lambda parent, child: parent & child,
    without: Callable[[Tensor, Tensor], Tensor] = lambda parent, child: parent & ~child,
    rule: Callable[[Tensor, Tensor], Tensor] = lambda first, second: first - second,
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The shares silent among other samples, or put together in another way; 0 where one is missing."""

    def wrong(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
        first = _share(~fires, with_child(parent, child))
        second = _share(~fires, without(parent, child))
        return torch.where(first.isnan() | second.isnan(), 0.0, rule(first, second).nan_to_num(0.0))

    return wrong


def _counted(denominator: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Counts in place of shares, over one common denominator."""

    def wrong(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
        both, alone = parent & child, parent & ~child
        counts = (~fires & both).float().sum(1) - (~fires & alone).float().sum(1)
        there = both.any(1) & alone.any(1)
        return torch.where(there, counts / denominator(parent, child), 0.0)

    return wrong


def _pooled(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    pooled = [one.reshape(1, -1) for one in (fires, parent, child)]
    return right(*pooled).expand(len(fires))


def _missing_is_zero(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    """Each share by itself is 0 where it has no samples."""
    shares = _share(~fires, parent & child), _share(~fires, parent & ~child)
    return shares[0].nan_to_num(0.0) - shares[1].nan_to_num(0.0)


def _all_or_nothing(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    """Zeros for everyone as soon as one instance lacks a kind of sample."""
    there = (parent & child).any(1) & (parent & ~child).any(1)
    return right(fires, parent, child) * there.all()


def _asked_backwards(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    """The share with the child among the silent ones, less that among those where it fires."""
    there = (parent & child).any(1) & (parent & ~child).any(1)
    shares = _share(child, ~fires & parent), _share(child, fires & parent)
    return torch.where(there, (shares[0] - shares[1]).nan_to_num(0.0), 0.0)


MISTAKES: Mistakes = {
    "the sign: a latent that is silent with the child and fires without it has a rate above 0.": (
        lambda *given: -right(*given)
    ),
    "only the share silent with the child: a latent that is weak everywhere would look absorbed. Take off "
    "the share silent with the parent alone.": _between(rule=lambda first, second: first),
    "only the share silent with the parent alone.": _between(rule=lambda first, second: second),
    "this is a ratio of the two shares; their difference is wanted.": _between(
        rule=lambda first, second: first / second
    ),
    "the difference is divided by the second share; it is wanted as it is.": _between(
        rule=lambda first, second: (first - second) / second
    ),
    "the two shares are added up; the second is to be taken off.": _between(
        rule=lambda first, second: first + second
    ),
    "negative rates are cut off (clamp, relu): a latent that fires more readily with the child is below 0.": (
        _between(rule=lambda first, second: (first - second).clamp(min=0))
    ),
    "the absolute value was taken: the sign says which way it goes.": _between(
        rule=lambda first, second: (first - second).abs()
    ),
    "`parent alone` holds all samples with the parent; leave out those with the child: parent & ~child.": (
        _between(without=lambda parent, child: parent)
    ),
    "samples without the parent are counted as `parent alone`: parent & ~child, not ~child.": _between(
        without=lambda parent, child: ~child
    ),
    "the second share is among samples without the parent; it is to be there, without the child.": _between(
        without=lambda parent, child: ~parent
    ),
    "the second share is among all samples; among those with the parent alone.": _between(
        without=lambda parent, child: torch.ones_like(parent)
    ),
    "the first share is among all samples with the child; the parent has to be there: parent & child.": (
        _between(with_child=lambda parent, child: child)
    ),
    "`and` became `or`: with parent *and* child, parent & child.": _between(
        with_child=lambda parent, child: parent | child
    ),
    "parent and child are swapped.": lambda fires, parent, child: right(fires, child, parent),
    "the presence of the parent is not used: child against ~child.": _between(
        lambda parent, child: child, lambda parent, child: ~child
    ),
    "counts of silent samples over the whole batch; each share is among its own kind of sample.": _counted(
        lambda parent, child: torch.full((len(parent),), parent.shape[1], device=parent.device)
    ),
    "both counts are divided by the samples with the parent; each share is among its own kind of sample.": (
        _counted(lambda parent, child: parent.sum(1))
    ),
    "counts were subtracted; shares are wanted.": _counted(
        lambda parent, child: torch.ones(len(parent), device=parent.device)
    ),
    "asked backwards: of the samples with parent and child the share that is silent, not of the silent "
    "ones the share with the child.": _asked_backwards,
    "where one kind of sample is missing, the other share is left over; nothing can be compared then: 0.": (
        _missing_is_zero
    ),
    "one instance without a kind of sample makes all rates 0; each instance is on its own.": _all_or_nothing,
    "the instances were mixed: samples of all of them counted together.": _pooled,
    "averaged over the instances; each has a rate of its own.": lambda *given: right(*given).mean(),
}


def _samples(case: Case, number: int) -> dict[str, Tensor]:
    """A parent's latent that falls silent with the child in some instances, and more without it in others.

    A few samples have the child without the parent. From the third case on some instances lack a kind.
    """
    n_inst = case.size("inst")
    parent, child = case.mask("inst batch", 0.6), case.mask("inst batch", 0.5)
    parent[:, :9] = torch.tensor([1, 1, 1, 1, 1, 1, 0, 0, 0], dtype=torch.bool)
    child[:, :9] = torch.tensor([1, 1, 1, 0, 0, 0, 1, 1, 0], dtype=torch.bool)
    absorbed = torch.where(torch.arange(n_inst)[:, None] % 2 == 0, 0.3, 0.7).to(case.device)
    chance = torch.where(child, absorbed, 1 - absorbed) * torch.where(parent, 1.0, 0.4)
    fires = case.uniform("inst batch", 0.0, 1.0) < chance
    fires[:, :6] = torch.tensor([1, 0, 1, 0, 1, 0], dtype=torch.bool)
    if number >= 2:
        child[0] &= ~parent[0]  # never both
        child[1] |= parent[1]  # never the parent alone
        fires[0, 3:5], fires[1, 0] = False, False
    if number == 3:
        parent[2] = False
    return {"fires": fires, "parent": parent, "child": child}


@exercise("2b.8", "absorption_rate", minutes=5, hints=2)
def absorption_rate(t: Trial, student: Function) -> None:
    """Rates above and below 0; then instances without one kind of sample, without either."""
    for number, case in enumerate(t.cases(5, batch=43)):
        case.sizes["inst"] = (5, 3, 5, 7, 11)[number]
        try:
            t.against(student, _samples(case, number), right, axes="inst", mistakes=MISTAKES, any_dtype=True)
        except CheckFailed as failure:
            if failure.kind == "nan":
                failure.likely = (
                    "where one kind of sample is missing, its share is 0/0: torch.where(both kinds there, "
                    "difference, 0), or nan_to_num() on the difference."
                )
            raise
