"""Bank for 6.8 effect."""

from typing import NamedTuple

import torch
from bank import Bank

from sae_course.checks import ch06 as check

moves = Bank(check.effect)


class Effect(NamedTuple):
    """As in the chapter."""

    gained: torch.Tensor
    lost: torch.Tensor


def mean_over(delta, which):
    return (delta * which).sum(dim=1) / which.sum(dim=1).clamp(min=1)


@moves.right
def as_in_the_chapter(before, after, gained, lost):
    delta, rest = after - before, ~(gained | lost)
    up = mean_over(delta, gained) - mean_over(delta, rest)
    down = mean_over(delta, rest) - mean_over(delta, lost)
    return Effect(up[gained.any(dim=1)].mean(), down[lost.any(dim=1)].mean())


@moves.right
def loop_over_boards(before, after, gained, lost):
    up, down = [], []
    for b, a, g, down_here in zip(before, after, gained, lost, strict=True):
        delta = a - b
        rest = delta[torch.logical_not(g) & torch.logical_not(down_here)].mean()
        if g.sum() > 0:
            up.append(delta[g].mean() - rest)
        if down_here.sum() > 0:
            down.append(-(delta[down_here].mean() - rest))
    return Effect(sum(up) / len(up), sum(down) / len(down))


@moves.right
def with_nan(before, after, gained, lost):
    delta = after - before

    def mean(which):
        return delta.masked_fill(~which, float("nan")).nanmean(dim=1)

    rest = mean(~gained & ~lost)
    return Effect(lost=(rest - mean(lost)).nanmean(), gained=(mean(gained) - rest).nanmean())


@moves.right
def log_probabilities_and_weights(before, after, gained, lost):
    """What all logits of a board have in common cancels."""
    delta = after.log_softmax(dim=-1) - before.log_softmax(dim=-1)
    delta = delta - mean_over(delta, ~(gained | lost))[:, None]

    def average(which):
        weights = which / which.sum(dim=1, keepdim=True).clamp(min=1) / which.any(dim=1).sum()
        return (weights * delta).sum()

    return Effect(average(gained), -average(lost))


def slip(name, message, one):
    """Both from ``one(delta, which, rest)``; the other with the sign turned."""

    def variant(before, after, gained, lost):
        delta, rest = after - before, ~(gained | lost)
        return Effect(one(delta, gained, rest), -one(delta, lost, rest))

    variant.__name__ = name
    moves.wrong(message)(variant)


def other_delta(name, message, change):
    """Right for another Δ."""

    def variant(before, after, gained, lost):
        return as_in_the_chapter(torch.zeros_like(before), change(before, after), gained, lost)

    variant.__name__ = name
    moves.wrong(message)(variant)


def has(which):
    return which.any(dim=1)


def gap(delta, which, rest):
    return mean_over(delta, which) - mean_over(delta, rest)


slip("no_baseline", "nothing is subtracted", lambda d, w, r: mean_over(d, w)[has(w)].mean())
slip(
    "all_moves", "mean over all moves; it must", lambda d, w, r: (mean_over(d, w) - d.mean(1))[has(w)].mean()
)
slip("own_kind_left_out", "all moves but those of the one", lambda d, w, r: gap(d, w, ~w)[has(w)].mean())
slip("all_at_once", "averaged at once", lambda d, w, r: d[w].mean() - d[r].mean())
slip("one_baseline", "each board has its own", lambda d, w, r: (mean_over(d, w) - d[r].mean())[has(w)].mean())
slip(
    "baseline_of_all_boards",
    "averaged over all boards; subtract it on each",
    lambda d, w, r: mean_over(d, w)[has(w)].mean() - mean_over(d, r).mean(),
)
slip("counted_as_0", "count as 0 in the average", lambda d, w, r: (gap(d, w, r) * has(w)).mean())
slip("mean_of_none", "with 0 for their mean", lambda d, w, r: gap(d, w, r).mean())
slip("none_over_none", "the mean 0/0", lambda d, w, r: ((d * w).sum(1) / w.sum(1) - mean_over(d, r)).mean())
slip("sums", "these are sums", lambda d, w, r: ((d * w).sum(1) - (d * r).sum(1))[has(w)].mean())
slip("sum_less_mean", "less a mean", lambda d, w, r: ((d * w).sum(1) - mean_over(d, r))[has(w)].mean())
slip(
    "by_all_moves", "number of all moves", lambda d, w, r: ((d * w).mean(1) - (d * r).mean(1))[has(w)].mean()
)
slip("summed_over_boards", "effects are summed; their", lambda d, w, r: gap(d, w, r)[has(w)].sum())
slip(
    "each_board",
    "axis too many|there is an axis|a single number is wanted",
    lambda d, w, r: gap(d, w, r)[has(w)],
)
slip("item", "returned a Python float", lambda d, w, r: gap(d, w, r)[has(w)].mean().item())
slip("each_sign_lost", "each board's effect has lost", lambda d, w, r: gap(d, w, r)[has(w)].abs().mean())
other_delta("absolute", r"Δ has lost its sign", lambda before, after: (after - before).abs())
other_delta("other_way", "before and after have changed", lambda before, after: before - after)
other_delta("after_alone", "these are the logits after", lambda before, after: after)
other_delta(
    "probabilities", "change of probabilities", lambda before, after: after.softmax(1) - before.softmax(1)
)


@moves.wrong("field lost of (.|\n)*the sign is not turned")
def sign_not_turned(before, after, gained, lost):
    up, down = as_in_the_chapter(before, after, gained, lost)
    return Effect(up, -down)


@moves.wrong("gained and lost have changed places")
def swapped(before, after, gained, lost):
    up, down = as_in_the_chapter(before, after, gained, lost)
    return Effect(down, up)


@moves.wrong("this is the effect at the moves gained")
def gained_twice(before, after, gained, lost):
    up, _ = as_in_the_chapter(before, after, gained, lost)
    return Effect(up, up)


@moves.wrong("moves gained are held against moves lost")
def against_each_other(before, after, gained, lost):
    delta, both = after - before, has(gained) & has(lost)
    up = gap(delta, gained, lost)[both].mean()
    return Effect(up, up)


@moves.wrong("only boards with both kinds")
def both_kinds(before, after, gained, lost):
    both = has(gained) & has(lost)
    return as_in_the_chapter(before[both], after[both], gained[both], lost[both])


@moves.wrong("field lost of (.|\n)*nothing is subtracted")
def lost_without_baseline(before, after, gained, lost):
    up, _ = as_in_the_chapter(before, after, gained, lost)
    return Effect(up, -mean_over(after - before, lost)[has(lost)].mean())


@moves.wrong("changed its input after")
def in_place(before, after, gained, lost):
    after -= before
    return as_in_the_chapter(torch.zeros_like(after), after, gained, lost)


@moves.wrong(r"returned a tuple of 2; expected Effect\(gained, lost\)")
def plain_tuple(before, after, gained, lost):
    return tuple(as_in_the_chapter(before, after, gained, lost))


@moves.wrong(r"returned a tensor of shape \(2,\); expected Effect\(gained, lost\)")
def stacked(before, after, gained, lost):
    return torch.stack(as_in_the_chapter(before, after, gained, lost))
