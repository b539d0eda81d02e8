"""Bank for 8.8 effective_share."""

import math

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch08.effects import effective_share

shares = Bank(effective_share)


def centred(x):
    return x - x.median(-1, keepdim=True).values


def changed(clean, ablated):
    return centred(ablated - clean)


def share(above, below, size):
    return torch.where(below > 0, above / below / size, 0.0)


def of(change):
    return share(change.abs().sum(-1) ** 2, (change**2).sum(-1), change.shape[-1])


@shares.right
def as_in_the_chapter(clean, ablated):
    change = ablated - clean
    change = change - change.median(-1, keepdim=True).values
    squares = change.square().sum(-1)
    share = change.abs().sum(-1).square() / squares / change.shape[-1]
    return torch.where(squares > 0, share, 0.0)


@shares.right
def norms(clean, ablated):
    """The other sign: the median of an odd number changes its sign with them."""
    change = clean - ablated
    change = change - change.quantile(0.5, dim=1)[:, None]
    ratio = change.norm(p=1, dim=1) / change.norm(dim=1)
    return ratio.pow(2).div(clean.size(1)).nan_to_num(nan=0.0)


@shares.right
def by_log_probabilities(clean, ablated):
    """A constant on all logits changes nothing, so these do as well as logits."""
    change = torch.log_softmax(ablated, -1) - torch.log_softmax(clean, -1)
    return of(centred(change))


@shares.right
def by_means(clean, ablated):
    change = changed(clean, ablated)
    return change.abs().mean(-1).square() / change.square().mean(-1).clamp(min=1e-20)


@shares.right
def one_by_one(clean, ablated):
    found = torch.zeros(len(clean), dtype=torch.float64)
    for i, row in enumerate((ablated.double() - clean.double()).tolist()):
        middle = sorted(row)[len(row) // 2]
        squares = sum((x - middle) ** 2 for x in row)
        if squares:
            found[i] = sum(abs(x - middle) for x in row) ** 2 / squares / len(row)
    return found


@shares.right
def in_numpy(clean, ablated):
    change = (ablated - clean).double().numpy()
    change = change - np.median(change, axis=1, keepdims=True)
    squares = np.einsum("nv,nv->n", change, change)
    above = np.abs(change).sum(axis=1) ** 2
    return torch.from_numpy(
        np.divide(above, change.shape[1] * squares, out=np.zeros(len(change)), where=squares != 0)
    )


def slip(name, message, rule):
    def variant(clean, ablated):
        return rule(clean, ablated)

    variant.__name__ = name
    shares.wrong(message)(variant)


def slip_of(name, message, rule):
    """Of the right change, and d_vocab."""
    slip(name, message, lambda clean, ablated: rule(changed(clean, ablated), clean.shape[-1]))


def absolute(d):
    return d.abs().sum(-1)


def squares(d):
    return d.square().sum(-1)


# The change.

slip("median_left_in", "the median is still in the change", lambda clean, ablated: of(ablated - clean))
slip(
    "mean_off",
    "the mean is taken off",
    lambda clean, ablated: of((ablated - clean) - (ablated - clean).mean(dim=1, keepdim=True)),
)
slip(
    "index_off",
    "the median's index",
    lambda clean, ablated: of((ablated - clean) - (ablated - clean).median(1, True)[1]),
)
slip(
    "median_over_ablations",
    "the median over the ablations is taken off",
    lambda clean, ablated: of((ablated - clean) - (ablated - clean).median(dim=0, keepdim=True)[0]),
)
slip(
    "one_median",
    "one median over all ablations",
    lambda clean, ablated: of((ablated - clean) - torch.median(ablated - clean)),
)
slip(
    "logits_without_their_medians",
    "each without their own median",
    lambda clean, ablated: of(centred(clean) - centred(ablated)),
)
slip(
    "median_off_the_squares_only",
    "in the sum of squares only",
    lambda clean, ablated: share(
        absolute(ablated - clean) ** 2, squares(changed(clean, ablated)), clean.shape[-1]
    ),
)
slip(
    "median_off_the_absolute_values_only",
    "in the sum of absolute values only",
    lambda clean, ablated: share(
        absolute(changed(clean, ablated)) ** 2, squares(ablated - clean), clean.shape[-1]
    ),
)


@shares.wrong(r"the median of \|Δ\| is taken off")
def absolute_first(clean, ablated):
    sizes = torch.abs(clean - ablated)
    return of(centred(sizes))


slip(
    "ablated_alone",
    "of the logits without the latent",
    lambda _, ablated: of(centred(ablated)),
)
slip("clean_alone", "of the clean logits", lambda clean, _: of(centred(clean)))
slip(
    "of_probabilities",
    "of the change of the probabilities",
    lambda clean, ablated: of(centred(clean.softmax(-1) - ablated.softmax(-1))),
)
slip(
    "quartile_off",
    "quartile_off gives",
    lambda clean, ablated: of((ablated - clean) - (ablated - clean).quantile(0.25, -1, keepdim=True)),
)

# The two sums.

slip_of("squared_first", "squared before the sum", lambda d, v: share((d.abs() ** 2).sum(-1), squares(d), v))
slip_of("no_absolute_value", "cancel", lambda d, v: share(d.sum(-1) ** 2, squares(d), v))
slip_of("not_squared", r"the sum of \|Δ\| is not squared", lambda d, v: share(absolute(d), squares(d), v))
slip_of("both_squared", "below is squared, too", lambda d, v: share(absolute(d) ** 2, squares(d) ** 2, v))
slip_of("both_absolute", r"both sums are of \|Δ\|", lambda d, v: share(absolute(d) ** 2, absolute(d), v))
slip_of("l1_over_l2", "the share has its square", lambda d, v: share(d.norm(1, -1), d.norm(2, -1), v))
slip_of("root", "this is the root of the share", lambda d, _: of(d) ** 0.5)
slip_of("of_squares", "Δ is squared twice", lambda d, v: share(squares(d) ** 2, (d**4).sum(-1), v))
slip_of(
    "upside_down",
    "upside down: above stands",
    lambda d, v: share(v * squares(d), absolute(d) ** 2, 1),
)
slip_of("sums_upside_down", "1 divided by what the two", lambda d, v: share(squares(d), absolute(d) ** 2, v))
slip_of("sum_over_all", "summed over all ablations", lambda d, v: absolute(d) ** 2 / (d**2).sum() / v)
slip_of("sum_of_both_over_all", "gives", lambda d, v: of(d.flatten()).expand(len(d)) * (len(d) + 1))

# The size of the vocabulary.

slip_of("no_v", "this is a number of tokens", lambda d, _: share(absolute(d) ** 2, squares(d), 1))
slip_of("times_v", "multiplied by d_vocab", lambda d, v: share(absolute(d) ** 2, squares(d), 1 / v))
slip_of("v_twice", "divided by d_vocab twice", lambda d, v: d.abs().mean(-1) ** 2 / squares(d).clamp(1e-20))
slip_of("by_n", "by the number of ablations", lambda d, _: share(absolute(d) ** 2, squares(d), len(d)))
slip_of(
    "by_variance", "once more; below", lambda d, _: share(d.abs().mean(-1) ** 2, d.var(-1, correction=0), 1)
)
slip_of("ddof", "and divides by d_vocab − 1", lambda d, _: share(d.abs().mean(-1) ** 2, d.std(-1) ** 2, 1))
slip_of("untouched", "what is not touched", lambda d, _: (1 - of(d)) * (squares(d) > 0))
slip_of("thrice", "times 3", lambda d, _: 3 * of(d))

# Where nothing changes.


@shares.wrong("0 / 0 is NaN")
def nan_where_nothing_changes(clean, ablated):
    change = ablated - clean
    change = change - change.median(-1, keepdim=True).values
    return change.abs().sum(-1).square() / (change**2).sum(-1) / change.shape[-1]


slip_of(
    "one_where_nothing_changes",
    "the share is 0, not 1",
    lambda d, _: torch.where(d.any(-1), of(d), 1.0),
)
slip_of(
    "one_token_where_nothing_changes",
    "not 1 / d_vocab",
    lambda d, v: of(d).clamp(min=1 / v),
)

# Shapes and kinds.

slip_of("one_number", "single|shape", lambda d, _: of(d).mean())
slip_of("with_keepdim", "an axis too many", lambda d, _: of(d)[:, None])
slip_of("a_list", "returned a list; expected a tensor", lambda d, _: of(d).tolist())
slip_of("an_array", "a NumPy array", lambda d, _: of(d).numpy())
slip_of("squeezed", r"has shape \(\); expected \[n\] = \(1,\)", lambda d, _: of(d).squeeze())


@shares.wrong("shape")
def over_the_ablations(clean, ablated):
    change = ablated - clean
    change = change - change.median(-1, keepdim=True).values
    return change.abs().sum(0).square() / change.square().sum(0) / change.shape[-1]


@shares.wrong("keepdim=True")
def without_keepdim(clean, ablated):
    change = ablated - clean
    return of(change - change.median(-1).values)


@shares.wrong(r"take \.values")
def without_values(clean, ablated):
    change = ablated - clean
    return of(change - change.median(-1, keepdim=True))


@shares.wrong("changed its input ablated")
def in_place(clean, ablated):
    ablated -= clean
    ablated -= ablated.median(-1, keepdim=True).values
    return of(ablated)


@shares.wrong("gives")
def count_of_large_changes(clean, ablated):
    sizes = changed(clean, ablated).abs()
    return (sizes > sizes.mean(-1, keepdim=True)).float().mean(-1)


@shares.wrong("gives")
def entropy(clean, ablated):
    sizes = changed(clean, ablated).abs()
    p = sizes / sizes.sum(-1, keepdim=True).clamp(min=math.ulp(0.1))
    return (-torch.special.xlogy(p, p).sum(-1)).exp() / sizes.shape[-1] * (sizes.sum(-1) > 0)
