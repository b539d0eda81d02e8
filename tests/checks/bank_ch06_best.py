"""Bank for 6.4 best_properties."""

from typing import NamedTuple

import numpy as np
import torch
from bank import Bank

from sae_course.checks import ch06 as check

best = Bank(check.best_properties)


class Best(NamedTuple):
    """As in the chapter."""

    property: torch.Tensor
    level: torch.Tensor
    f1: torch.Tensor


def each(scores):
    return torch.arange(len(scores), device=scores.device)


def place_of(scores):
    """The place in ``[property level]``."""
    return scores.transpose(1, 2).flatten(1).argmax(dim=1)


def place_by_level(scores):
    """The place in ``[level property]``."""
    return scores.flatten(1).argmax(dim=1)


def right(choosing, measuring):
    place, n_levels = place_of(choosing), choosing.shape[1]
    property, level = place // n_levels, place % n_levels
    return Best(property, level, measuring[each(choosing), level, property])


@best.right
def as_in_the_chapter(choosing, measuring):
    n_levels = choosing.shape[1]
    by_property = choosing.transpose(1, 2).flatten(1)
    place = by_property.argmax(dim=1)
    f1 = measuring.transpose(1, 2).flatten(1).gather(1, place[:, None])[:, 0]
    return Best(place // n_levels, place % n_levels, f1)


@best.right
def one_after_the_other(choosing, measuring):
    property = choosing.amax(dim=1).argmax(dim=1)
    level = choosing[each(choosing), :, property].argmax(dim=1)
    return property, level, measuring[each(choosing), level, property]


@best.right
def unravelled_int32(choosing, measuring):
    by_property = choosing.permute(0, 2, 1)
    place = torch.tensor([int(one.argmax()) for one in by_property])
    property, level = torch.unravel_index(place, by_property.shape[1:])
    found = torch.stack([one[k, j] for one, k, j in zip(measuring, level, property, strict=True)])
    return Best(property.int(), level.to(torch.uint8), found)


@best.right
def loops_in_lists(choosing, measuring):
    rows = []
    for i in range(len(choosing)):
        best_f1, row = -1.0, None
        for j in range(choosing.shape[2]):
            for k in range(choosing.shape[1]):
                if choosing[i, k, j] > best_f1:
                    best_f1, row = choosing[i, k, j], (j, k, float(measuring[i, k, j]))
        rows.append(row)
    property, level, f1 = zip(*rows, strict=True)
    return [torch.tensor(property), torch.tensor(level), torch.tensor(f1, dtype=torch.float64)]


@best.right
def maxima_of_maxima(choosing, measuring):
    highest, level_of = choosing.max(dim=1)
    property = highest.max(dim=1, keepdim=True).indices
    level = level_of.gather(1, property)
    f1 = measuring.flatten(1).gather(1, level * choosing.shape[2] + property)
    return Best(level=level.squeeze(1), f1=f1.squeeze(1), property=property.squeeze(1))


@best.right
def in_numpy(choosing, measuring):
    by_property = np.swapaxes(choosing.numpy(), 1, 2)
    place = by_property.reshape(len(choosing), -1).argmax(1)
    property, level = np.unravel_index(place, by_property.shape[1:])
    f1 = measuring.numpy()[np.arange(len(choosing)), level, property]
    return Best(torch.from_numpy(property), torch.from_numpy(level), torch.from_numpy(f1))


def chosen(name, message, choose):
    """Another choice, a function of both sets of games; its F1 is looked up as it should be."""

    def variant(choosing, measuring):
        property, level = choose(choosing, measuring)
        return Best(property, level, measuring[each(choosing), level, property])

    variant.__name__ = name
    best.wrong(message)(variant)


def fields(name, message, **made):
    """Right, but for the fields given: functions of the right result and both sets of games."""

    def variant(choosing, measuring):
        found = right(choosing, measuring)
        return found._replace(**{key: make(found, choosing, measuring) for key, make in made.items()})

    variant.__name__ = name
    best.wrong(message)(variant)


def both(scores):
    return right(scores, scores)[:2]


def at_a_level(choosing, level):
    return choosing[each(choosing), level].argmax(1), level


def average_first(choosing, _):
    property = choosing.mean(1).argmax(1)
    return property, choosing[each(choosing), :, property].argmax(1)


def one_level(choosing, _):
    level = choosing.mean(dim=(0, 2)).argmax()
    return choosing[:, level].argmax(1), level.expand(len(choosing))


def last(choosing, _):
    property, level = both(choosing.flip(1, 2))
    return choosing.shape[2] - 1 - property, choosing.shape[1] - 1 - level


def last_by_level(choosing, _):
    place = choosing[0].numel() - 1 - place_by_level(choosing.flip(1, 2))
    return place % choosing.shape[2], place // choosing.shape[2]


def last_level(choosing, _):
    property = both(choosing)[0]
    return property, choosing.shape[1] - 1 - choosing[each(choosing), :, property].flip(1).argmax(1)


PROPERTY, LEVEL, F1 = "field property of (.|\n)*", "field level of (.|\n)*", "field f1 of (.|\n)*"

# Which property: all of these look up the F1 where they say.
chosen("on_measuring", PROPERTY + "was chosen on `measuring`", lambda c, m: both(m))
chosen("on_both", PROPERTY + "both sets of games together", lambda c, m: both(c + m))
chosen("averaged_over_levels", PROPERTY + "averaged over levels first", average_first)
chosen(
    "level_first",
    PROPERTY + "level was chosen first, by the average",
    lambda c, m: at_a_level(c, c.mean(2).argmax(1)),
)
chosen("one_level_for_all", PROPERTY + "all latents have the same level", one_level)
chosen("level_0", PROPERTY + "only level 0", lambda c, m: at_a_level(c, torch.zeros_like(each(c))))
chosen(
    "by_level",
    PROPERTY + "first level, then the first property",
    lambda c, m: (place_by_level(c) % c.shape[2], place_by_level(c) // c.shape[2]),
)
chosen("last_of_equals", PROPERTY + "the last was taken; take the first", last)
chosen("last_of_equals_by_level", PROPERTY + "the last in the order of levels", last_by_level)
fields(
    "swapped", PROPERTY + "changed places", property=lambda r, c, m: r.level, level=lambda r, c, m: r.property
)
fields("place", PROPERTY + "place in the flattened tensor", property=lambda r, c, m: place_of(c))
fields("not_rounded", PROPERTY + "// instead of /", property=lambda r, c, m: place_of(c) / c.shape[1])
fields(
    "by_the_number_of_properties",
    PROPERTY + "divided by the number of properties",
    property=lambda r, c, m: place_of(c) // c.shape[2],
)
fields(
    "not_transposed",
    PROPERTY + r"use transpose\(1, 2\) before",
    property=lambda r, c, m: place_by_level(c) // c.shape[1],
    level=lambda r, c, m: place_by_level(c) % c.shape[1],
)


@best.wrong(PROPERTY + r"best latent for each property \(exercise 6.5\)")
def per_property(choosing, measuring):
    place = choosing.flatten(0, 1).argmax(dim=0)
    f1 = measuring.flatten(0, 1).gather(0, place[None])[0]
    return Best(place // choosing.shape[1], place % choosing.shape[1], f1)


@best.wrong(PROPERTY + "all latents together")
def one_for_all(choosing, measuring):
    place = choosing.argmax()
    rest = place // choosing.shape[2]
    return Best(place % choosing.shape[2], rest % choosing.shape[1], measuring.flatten()[place])


# Which level, for the right property.
chosen(
    "level_on_measuring",
    LEVEL + "level was chosen on `measuring`",
    lambda c, m: (both(c)[0], m[each(c), :, both(c)[0]].argmax(1)),
)
chosen(
    "level_on_average",
    LEVEL + "best level on average",
    lambda c, m: (both(c)[0], c.mean(2).argmax(1)),
)
chosen("one_by_one", LEVEL + "chosen one by one", lambda c, m: (c.amax(1).argmax(1), c.amax(2).argmax(1)))
chosen("last_of_equal_levels", LEVEL + "equally good levels of a property the last", last_level)
fields("place_as_level", LEVEL + "place in the flattened tensor", level=lambda r, c, m: place_of(c))
fields("rest_of_properties", LEVEL + "is the remainder", level=lambda r, c, m: place_of(c) % c.shape[2])
fields(
    "level_by_levels",
    LEVEL + "divide by the number of properties",
    level=lambda r, c, m: place_by_level(c) // c.shape[1],
)
fields("threshold", LEVEL + "not its threshold", level=lambda r, c, m: r.level / 10)
fields(
    "last_level_of_equal_places",
    LEVEL + "the last was taken; take the first",
    level=lambda r, c, m: last(c, m)[1],
)

# What they are worth.
fields("f1_on_choosing", F1 + "partly luck", f1=lambda r, c, m: c.amax((1, 2)))
fields(
    "highest_on_measuring", F1 + "this is the highest F1 on `measuring`;", f1=lambda r, c, m: m.amax((1, 2))
)
fields(
    "highest_over_levels",
    F1 + "highest F1 on `measuring` over levels",
    f1=lambda r, c, m: m[each(c), :, r.property].amax(1),
)
fields(
    "highest_over_properties",
    F1 + "highest F1 on `measuring` over properties",
    f1=lambda r, c, m: m[each(c), r.level].amax(1),
)
fields("mean_over_levels", F1 + "averaged over levels", f1=lambda r, c, m: m[each(c), :, r.property].mean(1))
fields(
    "mean_of_both",
    F1 + "mean of the F1 on both",
    f1=lambda r, c, m: (c.amax((1, 2)) + m[each(c), r.level, r.property]) / 2,
)
fields("with_a_colon", F1 + "instead of the colon", f1=lambda r, c, m: m[:, r.level, r.property])
fields(
    "another_order",
    F1 + "flattened in another order",
    f1=lambda r, c, m: m.flatten(1).gather(1, place_of(c)[:, None]).squeeze(1),
)
fields("mean_over_latents", F1 + "each latent's F1 is wanted", f1=lambda r, c, m: r.f1.mean())
fields("axis_kept", F1 + "an axis too many, of size 1", f1=lambda r, c, m: r.f1[:, None])


@best.wrong("fields property, level, f1")
def no_f1(choosing, measuring):
    return right(choosing, measuring)[:2]


@best.wrong("right values, and dtype float32; whole numbers")
def float_levels(choosing, measuring):
    found = right(choosing, measuring)
    return found._replace(level=found.level.float())


@best.wrong("changed its input choosing")
def struck_out(choosing, measuring):
    found = right(choosing, measuring)
    choosing[each(choosing), found.level, found.property] = 0
    return found
