"""Bank for 5.3 explained_by."""

import numpy as np
import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks import ch05 as check

explained = Bank(check.explained_by)


@explained.right
def in_a_loop(latents, groups):
    mean = latents.mean(0)
    between = torch.zeros_like(mean)
    for i in groups.unique():
        chosen = latents[groups == i]
        between += len(chosen) * (chosen.mean(0) - mean) ** 2
    total = ((latents - mean) ** 2).sum(0)
    return torch.where(total == 0, torch.zeros_like(total), between / total)


@explained.right
def by_index_add(latents, groups):
    sizes = torch.bincount(groups)
    sums = torch.zeros(len(sizes), latents.shape[1]).index_add_(0, groups, latents)
    means = sums / sizes.clamp(min=1)[:, None]
    apart = means[groups] - latents.mean(0)
    return apart.square().sum(0) / (latents - latents.mean(0)).square().sum(0).clamp(min=1e-9)


@explained.right
def one_minus_within(latents, groups):
    _, index, sizes = groups.unique(return_inverse=True, return_counts=True)
    one_hot = F.one_hot(index).float()
    means = one_hot.T @ latents / sizes[:, None]
    within = (latents - means[index]).pow(2).mean(0)
    total = latents.var(0, unbiased=False)
    return torch.where(total > 1e-8, 1 - within / total, 0)


@explained.right
def of_variances(latents, groups):
    means = torch.zeros(100, latents.shape[1]).scatter_reduce(
        0, groups[:, None].expand_as(latents), latents, "mean", include_self=False
    )
    return (means[groups].var(0) / latents.var(0)).nan_to_num(0.0)


@explained.right
def in_numpy(latents, groups):
    a, ids = latents.numpy().astype(float), groups.numpy()
    out = np.zeros(a.shape[1])
    for j in range(a.shape[1]):
        if a[:, j].std() > 0:
            own = np.array([a[ids == i, j].mean() for i in ids])
            out[j] = own.var() / a[:, j].var()
    return torch.tensor(out, dtype=torch.float32)


def centred(x, mean=None):
    return (x - (x.mean(0) if mean is None else mean)).pow(2).sum(0)


def table(latents, groups):
    """Each id's size and mean, whether a token has it or not."""
    sizes = torch.bincount(groups)
    sums = torch.zeros(len(sizes), latents.shape[1]).index_add(0, groups, latents)
    return sizes, sums / sizes.clamp(min=1)[:, None], sums


def guarded(part, total):
    return torch.where(total > 0, part / total, 0.0)


@explained.wrong("each group counts once; its size")
def unweighted(latents, groups):
    means = torch.stack([latents[groups == i].mean(0) for i in groups.unique()])
    return guarded(centred(means, latents.mean(0)), centred(latents))


@explained.wrong("counts each group once; weigh each")
def variance_of_means(latents, groups):
    means = torch.stack([latents[groups == i].mean(0) for i in groups.unique()])
    return guarded(means.var(0), latents.var(0))


@explained.wrong("compared with their own mean")
def mean_of_means(latents, groups):
    ids, sizes = groups.unique(return_counts=True)
    means = torch.stack([latents[groups == i].mean(0) for i in ids])
    between = (sizes[:, None] * (means - means.mean(0)) ** 2).sum(0)
    return guarded(between, centred(latents))


@explained.wrong("left within the groups")
def within(latents, groups):
    _, means, _ = table(latents, groups)
    return guarded((latents - means[groups]).pow(2).sum(0), centred(latents))


@explained.wrong("over that within them")
def between_over_within(latents, groups):
    _, means, _ = table(latents, groups)
    return guarded(centred(means[groups]), (latents - means[groups]).pow(2).sum(0))


@explained.wrong("the square root was taken")
def correlation_ratio(latents, groups):
    return by_index_add(latents, groups).sqrt()


@explained.wrong("not subtracted, above or below")
def about_zero(latents, groups):
    _, means, _ = table(latents, groups)
    return guarded(means[groups].pow(2).sum(0), latents.pow(2).sum(0))


@explained.wrong("sums stand where their means should")
def sums_for_means(latents, groups):
    sizes, _, sums = table(latents, groups)
    between = (sizes[:, None] * (sums - latents.mean(0)).pow(2)).sum(0)
    return guarded(between, centred(latents))


@explained.wrong("each latent has its own")
def one_mean(latents, groups):
    _, means, _ = table(latents, groups)
    return centred(means[groups], latents.mean()) / centred(latents, latents.mean())


@explained.wrong("divided by n − 1")
def unbiased_below(latents, groups):
    _, means, _ = table(latents, groups)
    return guarded(centred(means[groups]) / len(latents), latents.var(0))


@explained.wrong("the ids were sorted, the latents not")
def consecutive_blocks(latents, groups):
    sizes = groups.unique(return_counts=True)[1]
    blocks = latents.split(sizes.tolist())
    between = sum(len(block) * (block.mean(0) - latents.mean(0)) ** 2 for block in blocks)
    return guarded(between, centred(latents))


@explained.wrong("every run of equal ids")
def runs(latents, groups):
    _, index = torch.unique_consecutive(groups, return_inverse=True)
    return by_index_add(latents, index)


@explained.wrong("range.number of different ids. doesn't reach")
def ids_as_indices(latents, groups):
    between = torch.zeros(latents.shape[1])
    for i in range(len(groups.unique())):
        if (groups == i).any():
            chosen = latents[groups == i]
            between += len(chosen) * (chosen.mean(0) - latents.mean(0)) ** 2
    return guarded(between, centred(latents))


@explained.wrong("counts as a group of size 1")
def clamped_weights(latents, groups):
    sizes = torch.bincount(groups).clamp(min=1)
    _, means, _ = table(latents, groups)
    return guarded((sizes[:, None] * (means - latents.mean(0)).pow(2)).sum(0), centred(latents))


@explained.wrong("a group of size 0, whose mean is 0/0")
def empty_groups(latents, groups):
    means = torch.stack([latents[groups == i].mean(0) for i in range(int(groups.max()) + 1)])
    sizes = torch.bincount(groups)
    return guarded((sizes[:, None] * (means - latents.mean(0)).pow(2)).sum(0), centred(latents))


@explained.wrong("doesn't vary gives 0/0")
def nan_if_constant(latents, groups):
    _, means, _ = table(latents, groups)
    return centred(means[groups]) / centred(latents)


@explained.wrong("doesn't vary gives 1")
def one_if_constant(latents, groups):
    _, means, _ = table(latents, groups)
    return 1 - guarded((latents - means[groups]).pow(2).sum(0), centred(latents))


@explained.wrong("axis d_sae is missing")
def one_number(latents, groups):
    _, means, _ = table(latents, groups)
    return centred(means[groups]).sum() / centred(latents).sum()


@explained.wrong("every value is the expected one times")
def mean_over_sum(latents, groups):
    _, means, _ = table(latents, groups)
    return guarded((means[groups] - latents.mean(0)).pow(2).mean(0), centred(latents))


@explained.wrong("changed its input latents")
def centred_in_place(latents, groups):
    latents -= latents.mean(0)
    _, means, _ = table(latents, groups)
    return guarded(means[groups].pow(2).sum(0), latents.pow(2).sum(0))
