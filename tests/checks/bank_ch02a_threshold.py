"""Bank for 2a.8 update_threshold."""

import torch
from bank import Bank

from sae_course.checks.ch02a import threshold as module

bank = Bank(module.update_threshold)


@bank.right
def with_infinity(threshold, latents, rate):
    smallest = torch.where(latents > 0, latents, torch.inf).flatten(1).amin(-1)
    return torch.where(smallest < torch.inf, (1 - rate) * threshold + rate * smallest, threshold)


@bank.right
def instance_by_instance(threshold, latents, rate):
    new = threshold.clone()
    for i, one in enumerate(latents):
        if (one > 0).any():
            new[i] += rate * (one[one != 0].min() - threshold[i])
    return new


@bank.right
def by_lerp(threshold, latents, rate):
    fired = latents.flatten(1) > 0
    smallest = latents.flatten(1).masked_fill(~fired, 1e9).min(dim=1).values
    return torch.lerp(threshold, torch.where(fired.any(1), smallest, threshold), rate)


@bank.right
def in_float64(threshold, latents, rate):
    return with_infinity(threshold.double(), latents.double(), rate)


def moved(statistic):
    """The running mean of another statistic, which is given an instance's activations."""

    def update_threshold(threshold, latents, rate):
        new = [
            (1 - rate) * old + rate * statistic(one) if one.any() else old
            for old, one in zip(threshold, latents, strict=True)
        ]
        return torch.stack(new)

    return update_threshold


def smallest_of(latents):
    return torch.where(latents > 0, latents, torch.inf).flatten(1).amin(-1)


def kept_where_silent(rule):
    """A rule for old thresholds, smallest activations and the rate."""

    def update_threshold(threshold, latents, rate):
        smallest = smallest_of(latents)
        return torch.where(smallest < torch.inf, rule(threshold, smallest, rate), threshold)

    return update_threshold


def anyhow(rule):
    """The same, not looking at whether something fired."""

    def update_threshold(threshold, latents, rate):
        return rule(threshold, smallest_of(latents), rate)

    return update_threshold


def running(old, new, rate):
    return (1 - rate) * old + rate * new


def forgot_to_return_the_new(threshold, latents, rate):
    new = running(threshold, smallest_of(latents), rate)
    new = threshold
    return new


def together(threshold, latents, rate):
    return running(threshold, latents[latents > 0].min(), rate) if (latents > 0).any() else threshold


def all_or_none(threshold, latents, rate):
    smallest = smallest_of(latents)
    return threshold if smallest.isinf().any() else running(threshold, smallest, rate)


def above_threshold(threshold, latents, rate):
    fires = latents > threshold[:, None, None]
    smallest = torch.where(fires, latents, torch.inf).flatten(1).amin(-1)
    return torch.where(smallest.isinf(), threshold, running(threshold, smallest, rate))


def with_nan(threshold, latents, rate):
    return torch.stack(
        [
            running(old, one[one > 0].min() if one.any() else torch.tensor(torch.nan), rate)
            for old, one in zip(threshold, latents, strict=True)
        ]
    )


def in_place(threshold, latents, rate):
    new = with_infinity(threshold, latents, rate)
    threshold.copy_(new)
    return threshold


def in_place_latents(threshold, latents, rate):
    latents[latents == 0] = torch.inf
    return torch.where(
        latents.flatten(1).amin(1).isinf(), threshold, running(threshold, latents.flatten(1).amin(1), rate)
    )


def samples_own(one):
    rows = [row[row > 0].min() for row in one if (row > 0).any()]
    return sum(rows) / len(rows)


for name, message, wrong in [
    ("not_updated", "is not updated", lambda threshold, latents, rate: threshold),
    ("not_updated_either", "is not updated", forgot_to_return_the_new),
    ("swapped", "are swapped", kept_where_silent(lambda old, new, rate: rate * old + (1 - rate) * new)),
    ("replaced", "smallest activation itself", kept_where_silent(lambda old, new, rate: new)),
    ("added", "not taken times 1 - rate", kept_where_silent(lambda old, new, rate: old + rate * new)),
    ("away", "moves away", kept_where_silent(lambda old, new, rate: (1 + rate) * old - rate * new)),
    ("zero_counts", r"smallest \*positive\* one", moved(torch.min)),
    ("largest", "the largest activation", moved(torch.max)),
    ("mean", "the mean activation", moved(lambda one: one.sum() / (one > 0).sum())),
    ("mean_of_all", "mean of all entries", moved(torch.mean)),
    ("median", "the median", moved(lambda one: one[one > 0].median())),
    ("each_sample", "samples' own smallest", moved(samples_own)),
    ("together", "all instances together", together),
    ("infinite", "it became infinite", anyhow(running)),
    ("nan", "it became infinite or NaN", with_nan),
    (
        "zeroed",
        "it became 0",
        anyhow(lambda old, new, rate: torch.where(new.isinf(), 0.0, running(old, new, rate))),
    ),
    (
        "decays",
        "it decayed",
        anyhow(lambda old, new, rate: running(old, torch.where(new.isinf(), 0.0, new), rate)),
    ),
    ("all_or_none", "holds up all", all_or_none),
    (
        "only_up",
        "can only rise; it",
        kept_where_silent(lambda old, new, rate: torch.maximum(old, running(old, new, rate))),
    ),
    (
        "only_down",
        "can only fall",
        kept_where_silent(lambda old, new, rate: torch.minimum(old, running(old, new, rate))),
    ),
    ("above_threshold", r"above the threshold\*", above_threshold),
    ("mean_of_instances", "instances' mean", lambda *inputs: with_infinity(*inputs).mean()),
    ("kept_axes", "too many", lambda *inputs: with_infinity(*inputs)[:, None]),
    ("number", "a Python float|expected", lambda *inputs: with_infinity(*inputs).mean().item()),
    ("geometric", "gives", kept_where_silent(lambda old, new, rate: old ** (1 - rate) * new**rate)),
    ("in_place", "changed its input threshold", in_place),
    ("in_place_latents", "changed its input latents", in_place_latents),
    (
        "of_the_batch_axis",
        "shape|gives|raised",
        lambda threshold, latents, rate: running(threshold, latents.amin(1), rate),
    ),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
