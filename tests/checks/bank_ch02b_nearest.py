"""Bank for 2b.9 agreement."""

import torch
import torch.nn.functional as F
from bank import Bank
from bank_ch02b_cosines import cosines, unit, whole
from scipy.optimize import linear_sum_assignment

from sae_course.checks.ch02b import nearest as check

agreeing = Bank(check.agreement)


@agreeing.right
def with_matmul(W_one, W_other):
    return cosines(W_one, W_other).max(dim=2).values.mean(dim=1)


@agreeing.right
def with_einsum(W_one, W_other):
    cosine = torch.einsum("ind,imd->inm", W_one, W_other)
    cosine = cosine / W_one.norm(dim=-1)[:, :, None] / W_other.norm(dim=-1)[:, None]
    return cosine.amax(-1).sum(-1) / W_one.shape[1]


@agreeing.right
def with_broadcasting(W_one, W_other):
    return F.cosine_similarity(W_one[:, :, None], W_other[:, None], dim=-1).amax(2).mean(1)


@agreeing.right
def by_distance(W_one, W_other):
    squared = torch.cdist(unit(W_one).double(), unit(W_other).double()).pow(2)
    return (1 - squared.amin(2) / 2).mean(1).float()


@agreeing.right
def by_instance(W_one, W_other):
    return torch.stack(
        [(unit(one) @ unit(other).T).max(1)[0].mean() for one, other in zip(W_one, W_other, strict=True)]
    )


def nearest(cosine):
    return cosine.amax(2).mean(1)


def matched(W_one, W_other):
    return [one[linear_sum_assignment(one, maximize=True)] for one in cosines(W_one, W_other)]


def one_way(W_one, W_other):
    return nearest(cosines(W_one, W_other))


def in_place_at_last(W_one, W_other):
    W_other.div_(W_other.norm(dim=-1, keepdim=True))
    return one_way(W_one, W_other)


for name, message, wrong in [
    ("absolute", "absolute cosines: a latent", lambda one, other: nearest(cosines(one, other).abs())),
    (
        "absolute_late",
        "after the maximum",
        lambda one, other: cosines(one, other).amax(2).abs().mean(1),
    ),
    ("wrong_axis", "for each latent of the \\*other", lambda one, other: cosines(one, other).amax(1).mean(1)),
    (
        "matching",
        r"a one-to-one pairing is another number \(MCC\): here",
        lambda one, other: torch.stack([cosine.mean() for cosine in matched(one, other)]),
    ),
    (
        "matching_or_nothing",
        "one-to-one pairing is another number",
        lambda one, other: torch.stack([cosine.sum() for cosine in matched(one, other)]) / one.shape[1],
    ),
    (
        "both_directions",
        "mean over both directions",
        lambda one, other: (one_way(one, other) + one_way(other, one)) / 2,
    ),
    ("products", "neither is normalised", lambda one, other: nearest(one @ other.mT)),
    ("raw_other", "W_other is not normalised", lambda one, other: nearest(unit(one) @ other.mT)),
    ("raw_one", "W_one is not normalised", lambda one, other: nearest(one @ unit(other).mT)),
    ("unit_columns", "along the wrong axis", lambda one, other: nearest(unit(one, 1) @ unit(other, 1).mT)),
    ("whole", "one length for", lambda one, other: nearest(whole(one) @ whole(other).mT)),
    ("all_pairs", "over all pairs", lambda one, other: cosines(one, other).mean((1, 2))),
    ("smallest", "the smallest cosine", lambda one, other: cosines(one, other).amin(2).mean(1)),
    ("largest", "the largest cosine of all", lambda one, other: cosines(one, other).amax((1, 2))),
    ("worst", "the worst latent's", lambda one, other: cosines(one, other).amax(2).amin(1)),
    ("median", "the median", lambda one, other: cosines(one, other).amax(2).median(1).values),
    ("sum", "summed over", lambda one, other: cosines(one, other).amax(2).sum(1)),
    ("squared", "squared", lambda one, other: nearest(cosines(one, other).square())),
    (
        "all_instances",
        r"\*all\* instances",
        lambda one, other: torch.einsum("ind,jmd->injm", unit(one), unit(other)).amax((2, 3)).mean(1),
    ),
    ("first_instance", "W_other of instance 0", lambda one, other: nearest(unit(one) @ unit(other[0]).T)),
    ("mean", "averaged over the instances", lambda one, other: one_way(one, other).mean()),
    ("distance", "1 - cosine", lambda one, other: 1 - one_way(one, other)),
    (
        "place_by_place",
        "place by place",
        lambda one, other: cosines(one, other).diagonal(dim1=1, dim2=2).mean(1),
    ),
    ("per_latent", "has shape", lambda one, other: cosines(one, other).amax(2)),
    ("as_a_pair", "tuple of 2", lambda one, other: (one_way(one, other), one_way(other, one))),
    ("in_place", "changed its input", in_place_at_last),
]:
    wrong.__name__ = name
    agreeing.wrong(message)(wrong)
