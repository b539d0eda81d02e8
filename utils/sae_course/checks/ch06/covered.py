"""Check of 6.5 coverage: how good the best latent is for a property, averaged over properties."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import exercise
from ..trial import Function, Trial
from .f1_scores import two_games

Rule = Callable[[Tensor, Tensor], Tensor | float]


def _places(scores: Tensor) -> list[tuple[int, int]]:
    """The latent and the level that are best for each property, tried one after the other."""
    found = []
    for j in range(scores.shape[2]):
        best, place = -1.0, (0, 0)
        for i, levels in enumerate(scores[..., j].tolist()):
            for k, f1 in enumerate(levels):
                if f1 > best:
                    best, place = f1, (i, k)
        found.append(place)
    return found


def _each(choosing: Tensor, measuring: Tensor) -> Tensor:
    """The F1 of each property's best latent, float64."""
    places = _places(choosing)
    return torch.stack([measuring[i, k, j].double() for j, (i, k) in enumerate(places)])


def _right(choosing: Tensor, measuring: Tensor) -> float:
    each = _each(choosing, measuring).tolist()
    return sum(each) / len(each)


def _of_each(summary: Callable[[Tensor], Tensor]) -> Rule:
    """Another summary of the right F1s."""
    return lambda choosing, measuring: summary(_each(choosing, measuring))


def _of_latents(choosing: Tensor, measuring: Tensor) -> float:
    """What 6.4 gives, averaged."""
    return _right(choosing.permute(2, 1, 0), measuring.permute(2, 1, 0))


def _one_level(choosing: Tensor, measuring: Tensor) -> float:
    level = choosing.amax(dim=0).mean(dim=1).argmax()
    return _right(choosing[:, level, None], measuring[:, level, None])


def _one_latent(choosing: Tensor, measuring: Tensor) -> Tensor:
    place = choosing.flatten(0, 1).mean(dim=1).argmax()
    return measuring.flatten(0, 1)[place].mean()


def _averaged_levels(choosing: Tensor, measuring: Tensor) -> float:
    return _right(choosing.mean(dim=1, keepdim=True), measuring.mean(dim=1, keepdim=True))


def _over_levels(choosing: Tensor, measuring: Tensor) -> float:
    """The best latent at each level, averaged over levels."""
    levels = range(choosing.shape[1])
    return sum(_right(choosing[:, k, None], measuring[:, k, None]) for k in levels) / len(levels)


def _latents_of(choosing: Tensor, measuring: Tensor) -> Tensor:
    """Of each property's latent, the F1 at all levels, on the games that measure: ``[property level]``."""
    return torch.stack([measuring[i, :, j] for j, (i, _) in enumerate(_places(choosing))])


def _levels_of(choosing: Tensor, measuring: Tensor) -> Tensor:
    """At each property's level, the F1 of all latents: ``[property latent]``."""
    return torch.stack([measuring[:, k, j] for j, (_, k) in enumerate(_places(choosing))])


def _latents_by_average(choosing: Tensor, measuring: Tensor) -> Tensor:
    """The latent by its average over levels, then its best level."""
    latent = choosing.mean(dim=1).argmax(dim=0)
    at = torch.arange(choosing.shape[2], device=choosing.device)
    return measuring[latent, choosing[latent, :, at].argmax(dim=1), at].mean()


def _all_properties_at_each_place(choosing: Tensor, measuring: Tensor) -> Tensor:
    return torch.stack([measuring[i, k] for i, k in _places(choosing)]).mean()


def _looked_up_in_another_order(choosing: Tensor, measuring: Tensor) -> Tensor:
    place = choosing.flatten(0, 1).argmax(dim=0, keepdim=True)
    return measuring.transpose(0, 1).flatten(0, 1).gather(0, place).mean()


MISTAKES: dict[str, Rule] = {
    "this is the F1 on `choosing`, which is partly luck; look the same places up in `measuring`.": (
        lambda choosing, measuring: _right(choosing, choosing)
    ),
    "this is the highest F1 on `measuring`; latent and level must be chosen on `choosing`.": (
        lambda choosing, measuring: _right(measuring, measuring)
    ),
    "`choosing` and `measuring` have changed places.": lambda choosing, measuring: _right(
        measuring, choosing
    ),
    "this is the mean of both sets of games; take the F1 on `measuring` alone.": (
        lambda choosing, measuring: (_right(choosing, choosing) + _right(choosing, measuring)) / 2
    ),
    "the places were chosen on both sets of games together; choose on `choosing` alone.": (
        lambda choosing, measuring: _right(choosing + measuring, measuring)
    ),
    "this is each latent's best property (exercise 6.4), averaged over latents; it must be each property's "
    "best latent, averaged over properties.": _of_latents,
    "this is one F1 for each property: take their mean.": _of_each(lambda each: each.float()),
    "this is the sum over properties; their mean is wanted.": _of_each(lambda each: each.sum()),
    "this is the median over properties; their mean is wanted.": _of_each(lambda each: each.median()),
    "this is the highest F1 of all properties; their mean is wanted.": _of_each(lambda each: each.amax()),
    "this is the share of properties with an F1 above 0.5; the mean of the F1 is wanted.": _of_each(
        lambda each: (each > 0.5).double().mean()
    ),
    "this is the mean over all latents and levels; take the best one for each property first.": (
        lambda choosing, measuring: measuring.mean()
    ),
    "all properties have the same level here; each has its own.": _one_level,
    "all properties have the same latent here, the best on average; each has its own.": _one_latent,
    "only level 0 was looked at; look at all levels.": lambda choosing, measuring: _right(
        choosing[:, :1], measuring[:, :1]
    ),
    "the F1 was averaged over levels first; choose latent and level together.": _averaged_levels,
    "the latent was chosen by its average over levels; choose latent and level together, by the highest "
    "F1.": _latents_by_average,
    "this is the best latent at each level, averaged over levels; choose the level, too.": _over_levels,
    "the latent was chosen, and its F1 averaged over levels; take the level chosen with it.": (
        lambda choosing, measuring: _latents_of(choosing, measuring).mean()
    ),
    "the level was chosen on `measuring`; choose it on `choosing`, with the latent.": (
        lambda choosing, measuring: _latents_of(choosing, measuring).amax(dim=1).mean()
    ),
    "the latent was chosen on `measuring`; choose it on `choosing`, with the level.": (
        lambda choosing, measuring: _levels_of(choosing, measuring).amax(dim=1).mean()
    ),
    "measuring[latent, level] looks up every property at each place; index the property as well, with "
    "torch.arange(n_properties).": _all_properties_at_each_place,
    "the place was looked up in a tensor that is flattened in another order: transpose both, or neither.": (
        _looked_up_in_another_order
    ),
}


@exercise("6.5", "coverage", minutes=6, hints=1)
def coverage(t: Trial, student: Function) -> None:
    """Several numbers of latents, levels and properties; no two scores of a property are equal."""
    for number, case in enumerate(t.cases(5)):
        sizes = ((13, 5, 11), (11, 7, 5), (17, 3, 7), (5, 11, 13), (7, 5, 17))[number]
        case.sizes |= dict(zip(("latent", "level", "property"), sizes, strict=True))
        mistakes = {sentence: _as_number(rule) for sentence, rule in MISTAKES.items()}
        t.against(student, dict(two_games(case)), _right, mistakes=mistakes)


def _as_number(rule: Rule) -> Rule:
    """A float, which a learner's float and tensor can both be compared with; not where there are several."""

    def made(choosing: Tensor, measuring: Tensor) -> Tensor | float:
        result = rule(choosing, measuring)
        return result if isinstance(result, Tensor) and result.dim() else float(result)

    return made
