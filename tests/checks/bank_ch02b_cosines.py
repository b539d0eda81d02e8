"""Banks for 2b.4 negated_pairs and 2b.7 decoder_cosine."""

from itertools import combinations

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02b import pairs


def unit(W, dim=-1):
    return F.normalize(W, dim=dim)


def cosines(W, other=None):
    return unit(W) @ unit(W if other is None else other).mT


negated = Bank(pairs.negated_pairs)


@negated.right
def upper_triangle(W_dec, threshold=0.9):
    return (cosines(W_dec) < -threshold).triu(1).sum((1, 2))


@negated.right
def half_of_all(W_dec, threshold=0.9):
    unit_length = W_dec / W_dec.norm(dim=-1, keepdim=True)
    cosine = torch.einsum("ikd,ijd->ikj", unit_length, unit_length)
    return (cosine <= -threshold).sum(dim=(-1, -2)) // 2


@negated.right
def one_by_one(W_dec, threshold=0.9):
    found = torch.zeros(len(W_dec), dtype=torch.int32)
    for i, j in combinations(range(W_dec.shape[1]), 2):
        found += F.cosine_similarity(W_dec[:, i], W_dec[:, j], dim=-1) < -threshold
    return found


@negated.right
def with_indices(W_dec, threshold=0.9):
    i, j = torch.triu_indices(W_dec.shape[1], W_dec.shape[1], offset=1)
    return torch.count_nonzero(cosines(W_dec)[:, i, j] < -threshold, dim=1)


def counted(is_one, product=cosines, count=lambda found: found.triu(1).sum((1, 2))):
    return lambda W_dec, threshold=0.9: count(is_one(product(W_dec), threshold))


def no_default(W_dec, threshold):
    return upper_triangle(W_dec, threshold)


def everywhere(found):
    return found.sum((1, 2))


def below(cosine, threshold):
    return cosine < -threshold


def twins(cosine, threshold):
    return cosine.abs() > threshold


def across(W_dec, threshold=0.9):
    cosine = torch.einsum("ikd,jld->ikjl", unit(W_dec), unit(W_dec))
    return (cosine < -threshold).flatten(1).sum(1) // 2


def in_place(W_dec, threshold=0.9):
    W_dec /= W_dec.norm(dim=-1, keepdim=True)
    return (W_dec @ W_dec.mT < -threshold).triu(1).sum((1, 2))


for name, message, wrong in [
    ("twice", "counted twice", counted(below, count=everywhere)),
    ("absolute", "absolute cosines: near", counted(twins)),
    ("absolute_and_itself", "and the diagonal", counted(twins, count=lambda found: found.triu().sum((1, 2)))),
    ("absolute_twice", "each pair twice, and the diagonal", counted(twins, count=everywhere)),
    ("copies", "the sign: these are near copies", counted(lambda cosine, threshold: cosine > threshold)),
    ("minus_forgotten", "the minus is missing", counted(lambda cosine, threshold: cosine < threshold)),
    ("any_negative", "with a negative cosine", counted(lambda cosine, threshold: cosine < 0)),
    ("products", "inner products", counted(below, lambda W: W @ W.mT)),
    ("wrong_axis", "along the wrong axis", counted(below, lambda W: unit(W, 1) @ unit(W, 1).mT)),
    ("dimensions", "between dimensions", counted(below, lambda W: cosines(W.mT))),
    ("latents", "latents that are some other's", counted(below, count=lambda found: found.any(-1).sum(-1))),
    ("at_most_one", "at most one", counted(below, count=lambda found: found.any(-1).any(-1).int())),
    (
        "share",
        "a share of all pairs",
        counted(below, count=lambda found: found.float().mean((1, 2)) * 11 / 10),
    ),
    ("mean", "a share of all entries", counted(below, count=lambda found: found.float().mean((1, 2)))),
    ("half", "half of it", counted(below, count=lambda found: found.triu(1).sum((1, 2)) // 2)),
    ("sum", "added up", counted(below, count=lambda found: found.triu(1).sum())),
    ("across", "different instances", across),
    (
        "first",
        "number of instance 0",
        lambda W_dec, threshold=0.9: upper_triangle(W_dec[:1], threshold).repeat(len(W_dec)),
    ),
    ("fixed_threshold", "threshold is not used", lambda W_dec, threshold=0.9: upper_triangle(W_dec)),
    ("float", "float32; pairs are counted", lambda *given: upper_triangle(*given).float()),
    ("halved", "float32; pairs are counted", counted(below, count=lambda found: found.sum((1, 2)) / 2)),
    ("least", "gives", lambda W_dec, threshold=0.9: cosines(W_dec).amin((1, 2))),
    ("mask", "has shape", lambda W_dec, threshold=0.9: cosines(W_dec) < -threshold),
    ("a_list", "a list", lambda *given: upper_triangle(*given).tolist()),
    ("no_default", "signature|yours is", no_default),
    ("in_place", "changed its input", in_place),
]:
    wrong.__name__ = name
    negated.wrong(message)(wrong)


overlap = Bank(pairs.decoder_cosine)


@overlap.right
def without_diagonal(W_dec):
    cosine, n = cosines(W_dec).abs(), W_dec.shape[1]
    return (cosine.sum((1, 2)) - cosine.diagonal(dim1=1, dim2=2).sum(1)) / (n * (n - 1))


@overlap.right
def masked(W_dec):
    same = torch.eye(W_dec.shape[1], dtype=torch.bool)
    return cosines(W_dec).abs()[:, ~same].mean(1)


@overlap.right
def with_triangle(W_dec):
    n = W_dec.shape[1]
    return cosines(W_dec).abs().triu(1).sum((1, 2)) / (n * (n - 1) / 2)


@overlap.right
def one_pair_at_a_time(W_dec):
    found = [
        F.cosine_similarity(W_dec[:, i], W_dec[:, j], dim=-1).abs()
        for i, j in combinations(range(W_dec.shape[1]), 2)
    ]
    return sum(found) / len(found)


@overlap.right
def without_the_dead(W_dec):
    means = []
    for vectors in W_dec:
        W = vectors[vectors.norm(dim=-1) > 0]
        cosine = (W @ W.T / W.norm(dim=-1) / W.norm(dim=-1)[:, None]).fill_diagonal_(0)
        means.append(cosine.abs().sum() / (len(W) * (len(W) - 1)))
    return torch.stack(means)


def off(cosine):
    n = cosine.shape[1]
    return cosine.masked_select(~torch.eye(n, dtype=torch.bool)).reshape(len(cosine), n, n - 1)


def whole(W):
    return W / W.flatten(1).norm(dim=1)[:, None, None]


def dead_is_nan(W_dec):
    W = W_dec / W_dec.norm(dim=-1, keepdim=True)
    return off(W @ W.mT).abs().mean((1, 2))


def in_place_again(W_dec):
    W_dec /= W_dec.norm(dim=-1, keepdim=True)
    return masked(W_dec)


for name, message, wrong in [
    ("with_diagonal", "the diagonal is averaged in", lambda W: cosines(W).abs().mean((1, 2))),
    (
        "diagonal_in_the_sum",
        "the diagonal is in the sum",
        lambda W: cosines(W).abs().sum((1, 2)) / (W.shape[1] * (W.shape[1] - 1)),
    ),
    ("by_all_entries", "divided by d_sae²", lambda W: off(cosines(W)).abs().sum((1, 2)) / W.shape[1] ** 2),
    ("signed", "the sign is kept", lambda W: off(cosines(W)).mean((1, 2))),
    ("late_abs", "abs\\(\\) belongs before", lambda W: off(cosines(W)).mean((1, 2)).abs()),
    ("products", "inner products", lambda W: off(W @ W.mT).abs().mean((1, 2))),
    ("wrong_axis", "along the wrong axis", lambda W: off(unit(W, 1) @ unit(W, 1).mT).abs().mean((1, 2))),
    ("whole", "one length for", lambda W: off(whole(W) @ whole(W).mT).abs().mean((1, 2))),
    ("dimensions", "between dimensions", lambda W: masked(W.mT)),
    ("sum", "summed over pairs", lambda W: cosines(W).abs().triu(1).sum((1, 2))),
    ("sum_twice", "summed over all entries", lambda W: off(cosines(W)).abs().sum((1, 2))),
    ("half", "half of it", lambda W: masked(W) / 2),
    ("twice", "twice it", lambda W: 2 * masked(W)),
    ("with_zeros", "zeros of the other", lambda W: cosines(W).abs().triu(1).mean((1, 2))),
    ("squared", "squared cosines", lambda W: off(cosines(W)).pow(2).mean((1, 2))),
    ("root", "root of the mean square", lambda W: off(cosines(W)).pow(2).mean((1, 2)).sqrt()),
    ("nearest", "largest for each latent", lambda W: off(cosines(W)).abs().amax(2).mean(1)),
    ("largest", "largest of all", lambda W: off(cosines(W)).abs().amax((1, 2))),
    ("pooled", "different instances", lambda W: masked(W.flatten(0, 1)[None]).repeat(len(W))),
    ("mean", "averaged over the instances", lambda W: masked(W).mean()),
    ("dead_is_nan", "divided by its length, 0", dead_is_nan),
    ("median", "gives", lambda W: off(cosines(W)).abs().flatten(1).median(1).values),
    ("angles", "gives", lambda W: off(cosines(W)).abs().acos().mean((1, 2))),
    ("per_latent", "has shape", lambda W: off(cosines(W)).abs().mean(2)),
    ("in_place", "changed its input", in_place_again),
]:
    wrong.__name__ = name
    overlap.wrong(message)(wrong)
