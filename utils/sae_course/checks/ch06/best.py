"""Check of 6.4 best_properties: properties and levels chosen on some games, and their F1 on others."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cases import Case
from ..compare import difference
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from .f1_scores import two_games


class Best(NamedTuple):
    """As in the exercise."""

    property: Tensor
    level: Tensor
    f1: Tensor


Numbers = Callable[[Tensor, Tensor], Tensor]
"""One field, from both sets of games."""
WHOLE = ("property", "level")
"""The fields that are numbers of something: whole."""


def _chosen(scores: Tensor) -> list[tuple[int, int]]:
    """The property and the level of each latent, tried one after the other."""
    found = []
    for levels in scores.tolist():
        best, place = -1.0, (0, 0)
        for j in range(len(levels[0])):
            for k, properties in enumerate(levels):
                if properties[j] > best:
                    best, place = properties[j], (j, k)
        found.append(place)
    return found


def _right(choosing: Tensor, measuring: Tensor) -> Best:
    places = _chosen(choosing)
    f1 = [float(measuring[i, k, j]) for i, (j, k) in enumerate(places)]
    return Best(
        torch.tensor([j for j, _ in places], device=choosing.device),
        torch.tensor([k for _, k in places], device=choosing.device),
        torch.tensor(f1, device=choosing.device),
    )


def _property(scores: Tensor) -> Tensor:
    return _right(scores, scores).property


def _level(scores: Tensor) -> Tensor:
    return _right(scores, scores).level


def _last(scores: Tensor) -> Best:
    """Of equally good places the last."""
    found = _right(scores.flip(1, 2), scores)
    return Best(scores.shape[2] - 1 - found.property, scores.shape[1] - 1 - found.level, found.f1)


def _by_level(scores: Tensor) -> Tensor:
    """Places in the games' own order ``[latent, level · property]``; of equally good ones the first."""
    return scores.flatten(1).argmax(dim=1)


def _by_property(scores: Tensor) -> Tensor:
    """Places in the order ``[latent, property · level]``."""
    return scores.mT.flatten(1).argmax(dim=1)


def _at_level(scores: Tensor, level: Tensor) -> Tensor:
    """Of each latent, the scores at its own level: ``[latent property]``."""
    return scores[torch.arange(len(scores), device=scores.device), level]


def _at_property(scores: Tensor, property: Tensor) -> Tensor:
    """Of each latent, the scores of its own property: ``[latent level]``."""
    return scores[torch.arange(len(scores), device=scores.device), :, property]


def _levels_for(choosing: Tensor, measuring: Tensor) -> Tensor:
    """The best level on the games that measure, for the property chosen."""
    return _at_property(measuring, _property(choosing)).argmax(dim=1)


def _one_level(choosing: Tensor, measuring: Tensor) -> Tensor:
    return choosing[:, choosing.mean(dim=(0, 2)).argmax()].argmax(dim=1)


def _every_latent_at_each_place(choosing: Tensor, measuring: Tensor) -> Tensor:
    found = _right(choosing, measuring)
    return measuring[:, found.level, found.property]


def _looked_up_in_another_order(choosing: Tensor, measuring: Tensor) -> Tensor:
    return measuring.flatten(1).gather(1, _by_property(choosing)[:, None])[:, 0]


BY_LEVEL = (
    "of equally good ones this is the first level, then the first property; the property comes first, so "
    "flatten [property level], with transpose(1, 2)."
)
LAST = "of equally good ones the last was taken; take the first: in a loop, compare with >, not with ≥."
LAST_LEVEL = (
    "of equally good ones this is the last in the order of levels; take the first property, then the first "
    "level."
)
PLACE = "this is the place in the flattened tensor: divide it into a property and a level, with // and %."
MEASURED = (
    "this was chosen on `measuring`: what is chosen must come from `choosing` alone, and only the F1 from "
    "`measuring`."
)
PROPERTY: dict[str, Numbers] = {
    MEASURED: lambda choosing, measuring: _property(measuring),
    "this was chosen on both sets of games together; choose on `choosing` alone.": (
        lambda choosing, measuring: _property(choosing + measuring)
    ),
    "property and level have changed places.": lambda choosing, measuring: _level(choosing),
    "the F1 was averaged over levels first; take the single highest F1 over levels and properties.": (
        lambda choosing, measuring: choosing.mean(dim=1).argmax(dim=1)
    ),
    "the level was chosen first, by the average over properties; choose both at once, by the single highest "
    "F1.": lambda choosing, measuring: _at_level(choosing, choosing.mean(dim=2).argmax(dim=1)).argmax(dim=1),
    "all latents have the same level here; each chooses its own.": _one_level,
    "only level 0 was looked at; look at all levels.": lambda choosing, measuring: choosing[:, 0].argmax(1),
    PLACE: lambda choosing, measuring: _by_property(choosing),
    "the place is divided without being rounded down: // instead of /.": (
        lambda choosing, measuring: _by_property(choosing) / choosing.shape[1]
    ),
    "the place is divided by the number of properties; where it counts [property level], divide by that of "
    "levels.": lambda choosing, measuring: _by_property(choosing) // choosing.shape[2],
    "choosing.flatten(1) puts levels first, [level property], and the place was taken apart as if properties "
    "stood first: use transpose(1, 2) before.": (
        lambda choosing, measuring: _by_level(choosing) // choosing.shape[1]
    ),
    "this is the best latent for each property (exercise 6.5); the best property of each latent is wanted.": (
        lambda choosing, measuring: choosing.flatten(0, 1).argmax(dim=0) // choosing.shape[1]
    ),
    "this is the best place of all latents together; each latent has its own: argmax(dim=1).": (
        lambda choosing, measuring: choosing.flatten().argmax() % choosing.shape[2]
    ),
    BY_LEVEL: lambda choosing, measuring: _by_level(choosing) % choosing.shape[2],
    LAST: lambda choosing, measuring: _last(choosing).property,
    LAST_LEVEL: lambda choosing, measuring: (
        choosing.shape[2] - 1 - _by_level(choosing.flip(1, 2)) % choosing.shape[2]
    ),
}
LEVEL: dict[str, Numbers] = {
    "the level was chosen on `measuring`; only the F1 must come from there.": _levels_for,
    "this is the best level on average over properties; take the best one for the property chosen.": (
        lambda choosing, measuring: choosing.mean(dim=2).argmax(dim=1)
    ),
    PLACE: lambda choosing, measuring: _by_property(choosing),
    "the place in [property level] is divided by the number of properties: the level is the remainder of a "
    "division by the number of levels.": lambda choosing, measuring: (
        _by_property(choosing) % choosing.shape[2]
    ),
    "the place in [level property] is divided by the number of levels: divide by the number of properties.": (
        lambda choosing, measuring: _by_level(choosing) // choosing.shape[1]
    ),
    "the level's number is wanted, not its threshold.": lambda choosing, measuring: _level(choosing) / 10,
    "property and level were chosen one by one; where several places are equally good, they may not belong "
    "together: take the best level of the property chosen.": lambda choosing, measuring: choosing.amax(
        dim=2
    ).argmax(dim=1),
    LAST: lambda choosing, measuring: _last(choosing).level,
    "of equally good levels of a property the last was taken; take the first.": (
        lambda choosing, measuring: (
            choosing.shape[1] - 1 - _at_property(choosing, _property(choosing)).flip(1).argmax(dim=1)
        )
    ),
}
F1: dict[str, Numbers] = {
    "this is the F1 on `choosing`, which is partly luck; look the same place up in `measuring`.": (
        lambda choosing, measuring: _right(choosing, choosing).f1
    ),
    "this is the highest F1 on `measuring`; take the F1 there at the property and level that were chosen on "
    "`choosing`.": lambda choosing, measuring: measuring.amax(dim=(1, 2)),
    "this is the highest F1 on `measuring` over levels; the level was chosen on `choosing`, too.": (
        lambda choosing, measuring: _at_property(measuring, _property(choosing)).amax(dim=1)
    ),
    "this is the highest F1 on `measuring` over properties; the property was chosen on `choosing`, too.": (
        lambda choosing, measuring: _at_level(measuring, _level(choosing)).amax(dim=1)
    ),
    "this is averaged over levels; take the F1 at the level chosen.": (
        lambda choosing, measuring: _at_property(measuring, _property(choosing)).mean(dim=1)
    ),
    "this is the mean of the F1 on both sets of games; take that on `measuring` alone.": (
        lambda choosing, measuring: (_right(choosing, choosing).f1 + _right(choosing, measuring).f1) / 2
    ),
    "measuring[:, level, property] looks up every latent's place in every latent; instead of the colon, "
    "torch.arange(n_latents) takes each its own.": _every_latent_at_each_place,
    "the place was looked up in a tensor that is flattened in another order: transpose both, or "
    "neither.": _looked_up_in_another_order,
    "this is the mean over latents; each latent's F1 is wanted.": (
        lambda choosing, measuring: _right(choosing, measuring).f1.mean()
    ),
}
MISTAKES = {"property": PROPERTY, "level": LEVEL, "f1": F1}


@exercise("6.4", "best_properties", minutes=8, hints=2)
def best_properties(t: Trial, student: Function) -> None:
    """Games without equal scores; then, in the last two cases, with several best places for a latent.

    The fields are compared one after the other: a slip in one is named whatever the others are.
    """
    name = name_of(student)
    for number, case in enumerate(t.cases(5)):
        arguments = _inputs(case, number)
        right = _right(**arguments)
        fields = _fields(t.call(student, arguments), right, name)
        for i, field in enumerate(Best._fields):
            seen, what = fields[i], f"field {field} of {name}"
            t.against(
                lambda *_, seen=seen: seen,
                arguments,
                right[i],
                axes="latent",
                mistakes=MISTAKES[field],
                any_dtype=True,
                what=what,
            )
            if field in WHOLE:
                _require_whole(seen, what)


def _fields(result: Any, right: Best, name: str) -> list[Any]:
    """By name where there are names; a plain tuple's by position."""
    if all(hasattr(result, field) for field in Best._fields):
        return [getattr(result, field) for field in Best._fields]
    if isinstance(result, tuple | list) and len(result) == len(right):
        return list(result)
    raise difference(result, right, name) or CheckFailed(f"{name} returned no three values.", kind="type")


def _require_whole(seen: Tensor, what: str) -> None:
    if seen.dtype.is_floating_point or seen.dtype == torch.bool:
        raise CheckFailed(
            f"{what} has the right values, and dtype {str(seen.dtype).removeprefix('torch.')}; whole numbers "
            "are wanted, which can be used as indices.",
            kind="dtype",
            likely="/ instead of //, or a tensor made for the results without dtype=torch.long.",
        )


def _inputs(case: Case, number: int) -> dict[str, Any]:
    """In cases 3 and 4, latents with several best places in turn, and a dead one."""
    n_levels, n_properties = ((5, 11), (11, 5), (7, 3), (5, 7), (7, 5))[number]
    case.sizes |= {"latent": (13, 17, 11, 17, 13)[number], "level": n_levels, "property": n_properties}
    games = two_games(case)
    if number < 3:
        return dict(games)
    choosing = games["choosing"]
    for latent in range(len(choosing)):
        low, high = _two(case, n_levels)
        first, second = _two(case, n_properties)
        equal = [
            [(high, first), (low, second)],
            [(low, first), (high, first)],
            [(low, first), (low, second)],
            [(high, first), (high, second), (low, second)],
        ][latent % 4]
        for level, property in equal:
            choosing[latent, level, property] = 1.0
    choosing[4] = 0.0
    return dict(games)


def _two(case: Case, number: int) -> tuple[int, int]:
    """Two different numbers below ``number``, the lower one first."""
    one, other = torch.randperm(number, generator=case.generator)[:2].tolist()
    return min(one, other), max(one, other)
