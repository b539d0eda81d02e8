"""Bank for 8.6 precision_by_strength."""

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch08.strength import precision_by_strength

precisions = Bank(precision_by_strength)


def sorted_truth(a, truth):
    """As numbers, where it fires, weakest first."""
    fires = a > 0
    return truth[fires][a[fires].argsort()].float()


def means(groups):
    return torch.stack([group.float().mean() for group in groups])


def share(values, bins):
    return means(values.tensor_split(bins))


@precisions.right
def as_in_the_chapter(a, truth, bins):
    fires = a > 0
    order = a[fires].argsort()
    groups = truth[fires][order].float().tensor_split(bins)
    return torch.stack([group.mean() for group in groups])


@precisions.right
def sorted_first(a, truth, bins):
    values, order = torch.sort(a)
    return share(truth[order][values != 0], bins)


@precisions.right
def the_last_of_all(a, truth, bins):
    n_fires = int(torch.count_nonzero(a))
    order = a.argsort()[len(a) - n_fires :]
    counts = [truth[group].sum() / len(group) for group in torch.tensor_split(order, bins)]
    return torch.tensor(counts, dtype=torch.float64)


@precisions.right
def strongest_first_and_turned_round(a, truth, bins):
    at = a.nonzero().squeeze(1)
    return share(truth[at[a[at].sort(descending=True).indices.flip(0)]].double(), bins)


@precisions.right
def in_numpy(a, truth, bins):
    order = np.argsort(a.numpy(), kind="stable")
    order = order[a.numpy()[order] > 0]
    return torch.as_tensor([truth.numpy()[group].mean() for group in np.array_split(order, bins)])


@precisions.right
def by_ranks(a, truth, bins):
    """Each firing token's group, from its rank."""
    true = sorted_truth(a, truth)
    sizes = torch.tensor([len(true) // bins + (i < len(true) % bins) for i in range(bins)])
    group = torch.repeat_interleave(torch.arange(bins), sizes)
    return torch.zeros(bins).index_add(0, group, true) / torch.bincount(group)


@precisions.right
def with_python_lists(a, truth, bins):
    pairs = sorted((x, t) for x, t in zip(a.tolist(), truth.tolist(), strict=True) if x)
    groups = torch.tensor([t for _, t in pairs], dtype=torch.float16).tensor_split(bins)
    return torch.stack([group.float().mean() for group in groups])


def slip(name, message, rule):
    def variant(a, truth, bins):
        return rule(a, truth, bins)

    variant.__name__ = name
    precisions.wrong(message)(variant)


def slip_of(name, message, rule):
    """Of the truth in the right order."""
    slip(name, message, lambda a, truth, bins: rule(sorted_truth(a, truth), bins))


# Which tokens, in which order.

slip(
    "silent_left_in",
    "the tokens where the latent is silent are still there",
    lambda a, truth, bins: share(truth[a.argsort()], bins),
)
slip(
    "at_least_zero",
    "the tokens where the latent is silent are still there",
    lambda a, truth, bins: share(truth[a >= 0][a[a >= 0].argsort()], bins),
)
slip(
    "above_the_mean",
    "only activations above their mean",
    lambda a, truth, bins: share(truth[a > a.mean()][a[a > a.mean()].argsort()], bins),
)
slip(
    "strongest_first",
    "the strongest come first",
    lambda a, truth, bins: share(truth[a > 0][a[a > 0].argsort(descending=True)], bins),
)
slip_of("groups_turned_round", "the groups are right", lambda true, bins: share(true, bins).flip(0))
slip("not_sorted", "still in the order of the tokens", lambda a, truth, bins: share(truth[a > 0], bins))
slip(
    "order_of_the_firing_on_all",
    "used on all tokens",
    lambda a, truth, bins: share(truth[torch.argsort(a[a > 0])], bins),
)
slip(
    "sorted_then_masked",
    "the mask that of the tokens before",
    lambda a, truth, bins: share(truth[a.argsort()][a > 0], bins),
)
slip(
    "argsort_of_argsort",
    "sorts by ranks",
    lambda a, truth, bins: share(truth[a > 0][a[a > 0].argsort().argsort()], bins),
)
slip(
    "truth_sorted_by_itself",
    "`truth` is sorted by itself",
    lambda a, truth, bins: share(truth[a > 0].float().sort().values, bins),
)
slip(
    "true_tokens_alone",
    "gives|shape",
    lambda a, truth, bins: share((a[a > 0] * truth[a > 0]).sort().values, bins),
)

# The groups.


@precisions.wrong("the same width, from 0 to")
def width_from_zero(a, truth, bins):
    edges = torch.linspace(0, float(a.max()), bins + 1)[1:-1]
    at = torch.bucketize(a[a > 0], edges)
    return means(truth[a > 0][at == i] for i in range(bins))


@precisions.wrong("the same width, from the smallest")
def width_from_the_smallest(a, truth, bins):
    fired, true = a[a > 0], truth[a > 0]
    edges = torch.linspace(float(fired.min()), float(fired.max()), bins + 1)[1:-1]
    return means(true[torch.bucketize(fired, edges) == i] for i in range(bins))


slip_of("chunked", "chunk fills all groups but the last", lambda true, bins: means(true.chunk(bins)))
slip_of("groups_of_bins", "here it is the size of each", lambda true, bins: means(true.split(bins)))
slip_of(
    "remainder_dropped",
    "the strongest tokens are lost",
    lambda true, bins: true[: len(true) // bins * bins].reshape(bins, -1).mean(-1),
)


@precisions.wrong("the last group gets all that is left over")
def remainder_last(a, truth, bins):
    true = sorted_truth(a, truth)
    size = len(true) // bins
    sizes = [size] * (bins - 1)
    return means(true.split([*sizes, len(true) - sum(sizes)]))


@precisions.wrong("gives")
def larger_groups_last(a, truth, bins):
    groups = sorted_truth(a, truth).flip(0).tensor_split(bins)
    return means(groups[::-1])


slip_of("one_group_too_few", "shape", lambda true, bins: share(true, max(bins - 1, 1)))
slip_of("one_group_too_many", "shape", lambda true, bins: share(true, bins + 1))

# The share.


def counts(true, bins):
    return torch.stack([group.sum() for group in true.tensor_split(bins)])


slip_of("counted", "these are counts of true tokens", counts)
slip_of("of_the_true", "divided by all true tokens", lambda true, bins: counts(true, bins) / true.sum())
slip_of(
    "of_the_firing",
    "divided by all tokens where the latent fires",
    lambda true, bins: counts(true, bins) / len(true),
)
slip(
    "of_all",
    "divided by all tokens; divide",
    lambda a, truth, bins: counts(sorted_truth(a, truth), bins) / len(a),
)
slip_of("of_the_mean_size", r"divided by n / bins", lambda true, bins: counts(true, bins) / len(true) * bins)
slip_of(
    "of_the_whole_size", r"divided by n // bins", lambda true, bins: counts(true, bins) / (len(true) // bins)
)


@precisions.wrong("fire at least so strongly")
def at_least_so_strong(a, truth, bins):
    true = sorted_truth(a, truth)
    starts = [len(true) - len(torch.cat(true.tensor_split(bins)[i:])) for i in range(bins)]
    return means(true[start:] for start in starts)


slip_of(
    "at_most_so_strong",
    "fire at most so strongly",
    lambda true, bins: means(torch.cat(true.tensor_split(bins)[: i + 1]) for i in range(bins)),
)


@precisions.wrong("weighted by the activation")
def weighted(a, truth, bins):
    groups = a[a > 0].argsort().tensor_split(bins)
    fired, true = a[a > 0], truth[a > 0].float()
    return torch.stack([(fired[g] @ true[g]) / fired[g].sum() for g in groups])


slip("strengths", "these are mean activations", lambda a, truth, bins: share(a[a > 0].sort().values, bins))
slip_of("share_of_false", "at which the feature is false", lambda true, bins: share(1 - true, bins))
slip_of("of_all_firings", "gives|shape", lambda true, bins: true.mean().expand(bins))
slip_of("median", "gives", lambda true, bins: torch.stack([g.median() for g in true.tensor_split(bins)]))

# Shapes, kinds, and what torch says.

slip_of("a_list", "returned a list", lambda true, bins: [float(g.mean()) for g in true.tensor_split(bins)])
slip_of("an_array", "a NumPy array", lambda true, bins: share(true, bins).numpy())
slip_of("with_an_axis", "axis too many|has shape", lambda true, bins: share(true, bins)[:, None])
slip_of("one_number", "shape", lambda true, bins: share(true, bins).mean())


@precisions.wrong(r"the mean of booleans; \.float")
def mean_of_booleans(a, truth, bins):
    groups = truth[a > 0][a[a > 0].argsort()].tensor_split(bins)
    return torch.stack([group.mean() for group in groups])


@precisions.wrong("the mask must be as long")
def masked_twice(a, truth, bins):
    a = a[a > 0]
    return share(truth[a > 0][a.argsort()], bins)


@precisions.wrong("use it on those that it counts|the latent is silent")
def order_of_all_on_the_firing(a, truth, bins):
    return share(truth[a > 0][a.argsort()], bins)


@precisions.wrong("changed its input truth")
def in_place(a, truth, bins):
    found = share(sorted_truth(a, truth), bins)
    truth ^= a > 0
    return found


@precisions.wrong("changed its input a")
def sorted_in_place(a, truth, bins):
    found = share(sorted_truth(a, truth), bins)
    a.copy_(a.sort().values)
    return found
