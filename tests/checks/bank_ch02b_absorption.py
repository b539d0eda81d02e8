"""Bank for 2b.8 absorption_rate."""

import torch
from bank import Bank

from sae_course.checks.ch02b import absorption

bank = Bank(absorption.absorption_rate)


@bank.right
def with_where(fires, parent, child):
    both, alone = parent & child, parent & ~child
    with_child = (~fires & both).sum(1) / both.sum(1).clamp(min=1)
    without = (~fires & alone).sum(1) / alone.sum(1).clamp(min=1)
    return torch.where(both.any(1) & alone.any(1), with_child - without, 0.0)


@bank.right
def with_nan_to_num(fires, parent, child):
    both, alone = parent & child, parent & ~child
    fired_with = (fires & both).sum(-1) / both.sum(-1)
    fired_without = (fires & alone).sum(-1) / alone.sum(-1)
    return (fired_without - fired_with).nan_to_num(0)


@bank.right
def with_floats(fires, parent, child):
    fires, parent, child = fires.double(), parent.double(), child.double()
    both, alone = parent * child, parent * (1 - child)
    rate = ((1 - fires) * both).sum(1) / both.sum(1) - ((1 - fires) * alone).sum(1) / alone.sum(1)
    rate[rate.isnan()] = 0.0
    return rate


@bank.right
def instance_by_instance(fires, parent, child):
    rates = []
    for f, p, c in zip(fires, parent, child, strict=True):
        silent, extra = ~f[p], c[p]
        if extra.all() or not extra.any():
            rates.append(torch.tensor(0.0))
        else:
            rates.append(silent[extra].float().mean() - silent[~extra].float().mean())
    return torch.stack(rates)


def share(of, among):
    return (of & among).float().sum(1) / among.float().sum(1)


def rate(with_child=lambda p, c: p & c, without=lambda p, c: p & ~c, rule=lambda a, b: a - b):
    """With other samples, or other arithmetic, and 0 where a share is missing."""

    def absorption_rate(fires, parent, child):
        first, second = share(~fires, with_child(parent, child)), share(~fires, without(parent, child))
        return torch.where(torch.isfinite(first + second), rule(first, second), torch.zeros(()))

    return absorption_rate


right = with_where


def counts(fires, parent, child):
    both, alone = parent & child, parent & ~child
    there = both.any(1) & alone.any(1)
    return ((~fires & both).sum(1) - (~fires & alone).sum(1)).float() * there


def backwards(fires, parent, child):
    there = (parent & child).any(1) & (parent & ~child).any(1)
    return (share(child, parent & ~fires) - share(child, parent & fires)).nan_to_num(0) * there


def left_over(fires, parent, child):
    both, alone = parent & child, parent & ~child
    first = (~fires & both).sum(1) / both.sum(1).clamp(min=1)
    return first - (~fires & alone).sum(1) / alone.sum(1).clamp(min=1)


def left_over_by_nan(fires, parent, child):
    shares = share(~fires, parent & child), share(~fires, parent & ~child)
    return shares[0].nan_to_num() - shares[1].nan_to_num()


def missing_is_nan(fires, parent, child):
    return share(~fires, parent & child) - share(~fires, parent & ~child)


def only_if_nowhere(fires, parent, child):
    both, alone = parent & child, parent & ~child
    if not both.any() or not alone.any():
        return torch.zeros(len(fires))
    return share(~fires, both) - share(~fires, alone)


def all_or_nothing(fires, parent, child):
    if not ((parent & child).any(1) & (parent & ~child).any(1)).all():
        return torch.zeros(len(fires))
    return right(fires, parent, child)


def pooled(fires, parent, child):
    silent = ~fires
    return (silent[parent & child].float().mean() - silent[parent & ~child].float().mean()).repeat(len(fires))


def in_place(fires, parent, child):
    child &= parent
    return right(fires, parent, child)


for name, message, wrong in [
    ("sign", "the sign", lambda *given: -right(*given)),
    ("shares_that_fire", "the sign", lambda f, p, c: right(~f, p, c)),
    ("first_share", "only the share silent with the child", rate(rule=lambda a, b: a)),
    ("second_share", "only the share silent with the parent alone", rate(rule=lambda a, b: b)),
    ("ratio", "a ratio", rate(rule=lambda a, b: a / b)),
    ("relative", "divided by the second", rate(rule=lambda a, b: a / b - 1)),
    ("sum", "added up", rate(rule=lambda a, b: a + b)),
    ("clamped", "cut off", rate(rule=lambda a, b: (a - b).relu())),
    ("absolute", "absolute value", rate(rule=lambda a, b: (a - b).abs())),
    ("all_parents", "holds all samples with the parent", rate(without=lambda p, c: p)),
    ("no_child", "samples without the parent are counted", rate(without=lambda p, c: ~c)),
    ("no_parent", "among samples without the parent", rate(without=lambda p, c: ~p)),
    ("everyone", "second share is among all", rate(without=lambda p, c: p | ~p)),
    ("any_child", "the parent has to be there", rate(with_child=lambda p, c: c)),
    ("either", "`and` became `or`", rate(with_child=lambda p, c: p | c)),
    ("swapped", "parent and child are swapped", lambda f, p, c: right(f, c, p)),
    ("parent_unused", "the parent is not used", rate(lambda p, c: c, lambda p, c: ~c)),
    ("counts", "counts were subtracted", counts),
    ("counts_by_batch", "over the whole batch", lambda f, p, c: counts(f, p, c) / f.shape[1]),
    (
        "counts_by_parent",
        "by the samples with the parent",
        lambda f, p, c: counts(f, p, c) / p.sum(1).clamp(min=1),
    ),
    ("backwards", "asked backwards", backwards),
    ("left_over", "left over", left_over),
    ("left_over_by_nan", "left over", left_over_by_nan),
    ("missing_is_nan", "is 0/0", missing_is_nan),
    ("only_if_nowhere", "is 0/0", only_if_nowhere),
    ("all_or_nothing", "makes all rates 0", all_or_nothing),
    ("pooled", "instances were mixed", pooled),
    ("mean", "averaged over the instances", lambda *given: right(*given).mean()),
    ("per_sample", "has shape", lambda f, p, c: (~f & p & c).float()),
    ("of_the_batch", "gives", lambda f, p, c: (~f & p & c).float().mean(1)),
    ("in_place", "changed its input child", in_place),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
