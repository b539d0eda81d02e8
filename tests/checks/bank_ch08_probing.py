"""Bank for 8.4 probe_latents."""

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch08.probing import probe_latents

probes = Bank(probe_latents)


def means(a, truth):
    true = truth.to(a.dtype)
    n_true = true.sum(0)[:, None]
    return true.T @ a / n_true, (1 - true).T @ a / (len(a) - n_true)


def apart(a, truth):
    where_true, where_false = means(a, truth)
    return where_true - where_false


def over(difference, scale):
    return torch.where(scale > 0, difference / scale, 0.0)


def scores(a, truth):
    return over(apart(a, truth).abs(), a.std(0, correction=0))


@probes.right
def as_in_the_chapter(a, truth, k):
    return scores(a, truth).topk(k, dim=-1).indices


@probes.right
def feature_by_feature(a, truth, k):
    rows = []
    for true in truth.T:
        score = (a[true].mean(0) - a[~true].mean(0)).abs() / a.std(0)
        rows.append(score.nan_to_num(0.0).argsort(descending=True)[:k])
    return torch.stack(rows).int()


@probes.right
def against_all_tokens_and_a_small_number(a, truth, k):
    """The mean where true less that of all tokens: for each feature a constant times the difference."""
    score = (truth.float().T @ a / truth.sum(0).unsqueeze(1) - a.mean(0)).abs() / (a.std(0) + 1e-8)
    return torch.sort(score, dim=1, descending=True)[1][:, :k]


@probes.right
def squared_correlations(a, truth, k):
    x, y = a.double() - a.double().mean(0), truth.double() - truth.double().mean(0)
    share = (y.T @ x) ** 2 / (x**2).sum(0) / (y**2).sum(0)[:, None]
    share[:, ~a.any(0)] = -torch.inf
    return share.topk(k).indices


@probes.right
def in_numpy(a, truth, k):
    a, truth = a.double().numpy(), truth.numpy()
    deviation = a.std(axis=0)
    chosen = np.zeros((truth.shape[1], k), dtype=np.int64)
    for i in range(truth.shape[1]):
        difference = np.abs(a[truth[:, i]].mean(0) - a[~truth[:, i]].mean(0))
        score = np.divide(difference, deviation, out=np.zeros_like(difference), where=deviation > 0)
        chosen[i] = np.argsort(-score)[:k]
    return torch.from_numpy(chosen)


@probes.right
def dead_ones_in_another_order(a, truth, k):
    """And pooled within the groups, by their sizes: that puts the latents in the same order."""
    n_true = truth.sum(0)[:, None]
    where_true, where_false = means(a, truth)
    squares = (a**2).sum(0) - n_true * where_true**2 - (len(a) - n_true) * where_false**2
    score = ((where_true - where_false) ** 2 / squares.clamp(min=1e-12)).double()
    score[:, ~a.any(0)] = -1 - torch.arange(int((~a.any(0)).sum())).flip(0).double()
    return score.flip(1).argsort(dim=1, descending=True)[:, :k].mul(-1).add(a.shape[1] - 1)


def top(name, message, score):
    """The best by something else, from a and the truth as numbers."""

    def variant(a, truth, k):
        return score(a, truth.float()).expand(truth.shape[1], -1).topk(k, dim=-1).indices

    variant.__name__ = name
    probes.wrong(message)(variant)


def scale(name, message, rule):
    """The right difference in other units, from a and the truth as booleans."""
    top(name, message, lambda a, truth: over(apart(a, truth).abs(), rule(a, truth.bool())))


def each(rule):
    """Something of the tokens where each feature is true, or false."""
    return lambda a, truth: torch.stack([rule(a[one], a[~one]) for one in truth.T])


def chosen(name, message, rule):
    """Something else of the right scores and k."""

    def variant(a, truth, k):
        return rule(scores(a, truth), k)

    variant.__name__ = name
    probes.wrong(message)(variant)


top("no_abs", "the absolute value is missing: a", lambda a, truth: over(apart(a, truth), a.std(0)))
top("no_abs_reversed", "the wrong way round, and", lambda a, truth: over(-apart(a, truth), a.std(0)))
top("no_deviation", "not in units of the latent's own", lambda a, truth: apart(a, truth).abs())
top("one_deviation", "not in units of the latent's own", lambda a, truth: apart(a, truth).abs() / a.std())
top("difference_alone", "neither an absolute value nor", apart)
top("times_deviation", "multiplied by the deviation", lambda a, truth: apart(a, truth).abs() * a.std(0))
scale("variance", "divided by the variance", lambda a, truth: a.var(0))
scale("by_mean", "divided by the latent's mean", lambda a, truth: a.mean(0))
scale("by_largest", "the latent's largest", lambda a, truth: a.max(0).values)
scale("by_norm", "divided by the latent's norm", lambda a, truth: (a**2).mean(0).sqrt())
scale("where_true", "that where the feature is true", each(lambda yes, no: yes.std(0, correction=0)))
scale("where_false", "that where the feature is false", each(lambda yes, no: no.std(0, correction=0)))
scale(
    "within_groups",
    "within the two groups",
    each(lambda yes, no: ((yes.var(0, correction=0) + no.var(0, correction=0)) / 2).sqrt()),
)
scale(
    "welch",
    "this is Welch's t",
    each(lambda yes, no: (yes.var(0, correction=0) / len(yes) + no.var(0, correction=0) / len(no)).sqrt()),
)
top(
    "sums",
    "these are sums where true",
    lambda a, truth: over((truth.T @ a - (1 - truth).T @ a).abs(), a.std(0)),
)
top(
    "both_by_n_true",
    "these are sums where true",
    lambda a, truth: over(((2 * truth - 1).T @ a / truth.sum(0)[:, None]).abs(), a.std(0)),
)
top(
    "means_by_zeros",
    "these are sums where true",
    lambda a, truth: over(
        ((a[:, None] * truth[..., None]).mean(0) - (a[:, None] * (1 - truth)[..., None]).mean(0)).abs(),
        a.std(0),
    ),
)
top(
    "one_sum",
    "only the mean where true",
    lambda a, truth: over((means(a, truth)[0] - (1 - truth).T @ a).abs(), a.std(0)),
)
top(
    "false_by_n",
    "by the number of all tokens",
    lambda a, truth: over((means(a, truth)[0] - (1 - truth).T @ a / len(a)).abs(), a.std(0)),
)
top(
    "firing_tokens",
    "over tokens where the latent fires",
    lambda a, truth: over(
        each(lambda yes, no: (yes.sum(0) / (yes > 0).sum(0) - no.sum(0) / (no > 0).sum(0)).nan_to_num())(
            a, truth.bool()
        ).abs(),
        a.std(0),
    ),
)
top("how_often", "how often the latents fire", lambda a, truth: scores((a > 0).float(), truth))
top("true_alone", "the mean where false is not taken", lambda a, truth: over(means(a, truth)[0], a.std(0)))
top("true_alone_no_units", "by the mean where true alone", lambda a, truth: truth.T @ a)
top("ratio", "the ratio of the two means", lambda a, truth: over(*means(a, truth)))
top("all_features", "the best average score", lambda a, truth: scores(a, truth).mean(0))
top("first_feature", "the latents of the first", lambda a, truth: scores(a, truth[:, :1])[0])
top(
    "euclidean",
    "expected",
    lambda a, truth: -torch.cdist(truth.T.contiguous(), a.T.contiguous()),
)

chosen("smallest", "the smallest scores", lambda score, k: score.argsort(-1)[:, :k])
chosen("best_last", "the best one comes last", lambda score, k: score.argsort(-1)[:, -k:])
chosen("by_number", "in the order of their numbers", lambda score, k: score.topk(k).indices.sort().values)
chosen("from_one", "the best latent is left out", lambda score, k: score.argsort(-1, True)[:, 1 : k + 1])
chosen("ranks", "argsort of argsort", lambda score, k: (-score).argsort(-1).argsort(-1)[:, :k])
chosen("values", "these are the scores, topk's", lambda score, k: score.topk(k).values)
chosen("no_indices", "a tuple of 2; expected a tensor", lambda score, k: score.topk(k))
chosen("along_features", r"goes along the latents, dim=-1", lambda score, k: score[:2].topk(3, dim=0).indices)
chosen("transposed", "in the wrong order", lambda score, k: score.topk(k).indices.T)
chosen("one_more", r"expected \[features, k\]", lambda score, k: score.topk(k + 1).indices)
chosen("twice", "expected", lambda score, k: score.topk(1).indices.expand(-1, k))
chosen("floats", "whole numbers are wanted", lambda score, k: score.topk(k).indices.double())
chosen("a_list", r"a list; expected a tensor", lambda score, k: score.topk(k).indices.tolist())
chosen("an_array", r"leave out .numpy\(\)", lambda score, k: score.topk(k).indices.numpy())
chosen("a_mask", r"has shape \(5, 23\)", lambda score, k: score >= score.topk(k).values[:, -1:])


@probes.wrong("NaN, and topk puts NaN first")
def dead_ones_first(a, truth, k):
    return (apart(a, truth).abs() / a.std(0, correction=0)).topk(k, dim=-1).indices


@probes.wrong("these are the scores, topk's values")
def values_by_n_less_1(a, truth, k):
    return (apart(a, truth).abs() / a.std(0)).nan_to_num().topk(k)[0]


@probes.wrong("NaN, and topk puts NaN first")
def dead_ones_infinite(a, truth, k):
    deviation = a.std(0)
    return torch.where(deviation > 0, apart(a, truth).abs() / deviation, torch.inf).topk(k).indices


@probes.wrong(r"truth.to\(a.dtype\) makes numbers")
def booleans(a, truth, k):
    return truth.T @ a


@probes.wrong("~truth, or numbers first")
def one_less_booleans(a, truth, k):
    return (1 - truth).T


@probes.wrong(r"\[:, None\]")
def counts_in_a_row(a, truth, k):
    return truth.float().T @ a / truth.sum(0)


@probes.wrong(r"truth.T @ a is")
def not_transposed(a, truth, k):
    return truth.float() @ a


@probes.wrong("take .indices")
def sorted_and_cut(a, truth, k):
    return scores(a, truth).sort(descending=True)[:, :k]


@probes.wrong("take .indices")
def topk_as_one_tensor(a, truth, k):
    return scores(a, truth).topk(k).int()


@probes.wrong("changed its input a")
def scaled_in_place(a, truth, k):
    found = scores(a, truth).topk(k).indices
    a /= a.std(0)
    return found
