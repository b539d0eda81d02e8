"""Bank for 6.5 coverage."""

import numpy as np
import torch
from bank import Bank

from sae_course.checks import ch06 as check

cover = Bank(check.coverage)


def every(scores):
    return torch.arange(scores.shape[2], device=scores.device)


def places(scores):
    """Latent and level of each property's highest F1."""
    place = scores.flatten(0, 1).argmax(dim=0)
    return place // scores.shape[1], place % scores.shape[1]


def each(choosing, measuring):
    """The right F1 of each property."""
    return measuring[(*places(choosing), every(choosing))]


@cover.right
def as_in_the_chapter(choosing, measuring):
    place = choosing.flatten(0, 1).argmax(dim=0, keepdim=True)
    return float(measuring.flatten(0, 1).gather(0, place).mean())


@cover.right
def tensor_of_indexed(choosing, measuring):
    return each(choosing, measuring).mean()


@cover.right
def loops(choosing, measuring):
    total = 0.0
    for j in range(choosing.shape[2]):
        best, found = -1.0, 0.0
        for i in range(choosing.shape[0]):
            for k in range(choosing.shape[1]):
                if choosing[i, k, j] >= best:
                    best, found = choosing[i, k, j], measuring[i, k, j].item()
        total += found
    return total / choosing.shape[2]


@cover.right
def levels_first_and_in_float64(choosing, measuring):
    first = choosing.permute(2, 1, 0).flatten(1).argmax(dim=1)
    rows = measuring.permute(2, 1, 0).flatten(1).double()
    return rows[torch.arange(len(rows)), first].mean()


@cover.right
def a_mask_of_the_best(choosing, measuring):
    return (measuring * (choosing == choosing.amax(dim=(0, 1)))).sum(dim=(0, 1)).mean()


@cover.right
def in_numpy(choosing, measuring):
    first, second = (scores.numpy().reshape(-1, scores.shape[2]) for scores in (choosing, measuring))
    return np.mean(second[first.argmax(axis=0), np.arange(first.shape[1])])


def slip(name, message, of):
    """A function of both sets of games, and no more."""

    def variant(choosing, measuring):
        return of(choosing, measuring)

    variant.__name__ = name
    cover.wrong(message)(variant)


def per_latent(choosing, measuring):
    place = choosing.flatten(1).argmax(dim=1, keepdim=True)
    return measuring.flatten(1).gather(1, place).mean()


def of_each_level(choosing, measuring):
    """Coverage at each level."""
    return torch.stack([each(choosing[:, [k]], measuring[:, [k]]).mean() for k in range(choosing.shape[1])])


def best_level(choosing, measuring):
    return of_each_level(choosing, measuring)[of_each_level(choosing, choosing).argmax()].item()


def one_latent(choosing, measuring):
    place = choosing.flatten(0, 1).mean(dim=1).argmax()
    return measuring.flatten(0, 1)[place].mean()


def averaged(choosing, measuring):
    return each(choosing.mean(1, keepdim=True), measuring.mean(1, keepdim=True)).mean()


def latent_by_average(choosing, measuring):
    latent = choosing.mean(dim=1).argmax(dim=0)
    level = choosing[latent, :, every(choosing)].argmax(dim=1)
    return measuring[latent, level, every(choosing)].mean().item()


def other_order(choosing, measuring):
    place = choosing.flatten(0, 1).argmax(dim=0)
    return measuring.transpose(0, 1).flatten(0, 1)[place, every(choosing)].mean()


slip("on_choosing", "F1 on `choosing`, which is partly luck", lambda c, m: c.amax(dim=(0, 1)).mean())
slip("highest_on_measuring", "highest F1 on `measuring`", lambda c, m: m.amax(dim=(0, 1)).mean().item())
slip("swapped", "`choosing` and `measuring` have changed places", lambda c, m: each(m, c).mean())
slip("mean_of_both", "mean of both sets", lambda c, m: (each(c, c).mean() + each(c, m).mean()) / 2)
slip("chosen_on_both", "both sets of games together", lambda c, m: each(c + m, m).mean())
slip("per_latent", "each latent's best property", per_latent)
slip("not_averaged", "one F1 for each property: take their mean", each)
slip("summed", "sum over properties", lambda c, m: float(each(c, m).sum()))
slip("median", "median over properties", lambda c, m: each(c, m).median())
slip("best_property", "highest F1 of all properties", lambda c, m: each(c, m).max())
slip("share_above_a_half", "share of properties", lambda c, m: (each(c, m) > 0.5).float().mean())
slip("mean_of_everything", "mean over all latents and levels", lambda c, m: m.mean())
slip("best_level", "all properties have the same level", best_level)
slip("one_latent", "all properties have the same latent", one_latent)
slip("level_0", "only level 0", lambda c, m: each(c[:, :1], m[:, :1]).mean())
slip("levels_averaged_first", "averaged over levels first", averaged)
slip("latent_by_average", "latent was chosen by its average", latent_by_average)
slip("mean_over_levels", "best latent at each level, averaged", lambda c, m: of_each_level(c, m).mean())
slip(
    "latents_mean_over_levels",
    "take the level chosen with it",
    lambda c, m: m[places(c)[0], :, every(c)].mean(),
)
slip(
    "level_on_measuring",
    "level was chosen on `measuring`",
    lambda c, m: m[places(c)[0], :, every(c)].amax(1).mean(),
)
slip(
    "latent_on_measuring",
    "latent was chosen on `measuring`",
    lambda c, m: m[:, places(c)[1], every(c)].amax(0).mean(),
)
slip("no_property_index", "index the property as well", lambda c, m: m[places(c)].mean())
slip("other_order", "flattened in another order", other_order)


@cover.wrong("returned a tuple of 2; expected a number")
def with_the_places(choosing, measuring):
    return as_in_the_chapter(choosing, measuring), places(choosing)


@cover.wrong("changed its input measuring")
def in_place(choosing, measuring):
    chosen = choosing == choosing.amax(dim=(0, 1))
    return measuring.mul_(chosen).sum(dim=(0, 1)).mean()
