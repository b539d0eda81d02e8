"""Absorption: a latent for a general feature that is silent where a latent for a special case has taken over.

"Animal" is true wherever "animal: pet" is. An SAE saves a firing if its latent for pets writes the direction
of "animal" as well, and its latent for animals fires on all animals but pets: sparser, and the latent now has
exceptions that nobody would guess (Chanin et al. 2024, "A is for Absorption", arXiv 2409.14507; as a score of
SAEs in SAEBench, Karvonen et al. 2025, arXiv 2503.09532).

The parent's **main latents** are those of `main_latents`, with one difference. There, what absorbs is one
token among hundreds; here a child may be a third of its parent, and the latent that absorbs it would pass for
one of several among which the parent is split. So a latent that tells a child better than the parent (F1) is
no main latent.

With p the direction of a linear probe for the parent, at length 1, latent j contributes c_j = a_j d_j · p. At
tokens where the parent is true and its probe says so, the parent is **absorbed** where no main latent fires
and the largest contribution is that of a latent with cos(d_j, p) ≥ .1, and at least .4 of Σ_j max(c_j, 0).
The **fraction** counts a part: at each token the share of the up to three largest contributions of other
latents with such a cosine in what they and the main latents contribute; 0 where the former are less than .4
of Σ_j max(c_j, 0). SAEBench has the same two numbers. It compares c with x · p where we have Σ_j max(c_j, 0),
which a mean that all activations share can't shift, and asks for a cosine of only .025 in the first. (Cosines
with a random direction have a deviation of 1 / √d_in, .09 at 128: with few dimensions it is the share that
decides, and the fraction of an SAE without absorption isn't 0.)

A latent that simply misses is no absorption, yet where it misses, something else is the largest. So each
child has its **control**, "elsewhere": the same at the parent's tokens that are not this child's. Misses that
come at random are as frequent there. (Where several children are absorbed, each is in the others' control:
the difference is then too small rather than too large.)

An SAE without any latent for the parent can't absorb it, and an untrained one has none. Such parents are not
scored, and how many were is part of the result: a low rate of few scored parents is nothing to be proud of.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..data.labels import Labels
from ..runtime import CourseError
from .absorbed import Absorption, Child, Parent
from .halves import Halves, Rows, halves
from .main_latents import JUMP, MOST, MainLatents, main_latents, single_f1
from .probing import Probes, linear_probes
from .units import Units

if TYPE_CHECKING:
    Hierarchy = Mapping[str, Sequence[str]]

COSINE = 0.1
SHARE = 0.4
_TOGETHER = 3  # latents that may absorb a part together


class _Tokens(NamedTuple):
    """What happens at some tokens, to one parent."""

    silent: Bool[Tensor, " n"]
    """No main latent fires."""
    absorbed: Bool[Tensor, " n"]
    by: Int[Tensor, " n"]
    """The latent with the largest contribution."""
    fraction: Float[Tensor, " n"]


def absorption(
    units: Units,
    labels: Labels,
    *,
    hierarchy: "Hierarchy | None" = None,
    probes: Probes | None = None,
    choose: Rows | None = None,
    jump: float = JUMP,
    most: int = MOST,
    least: tuple[float, float] = (COSINE, SHARE),
) -> Absorption:
    """How often children absorb their parents. The definition is in this file's first lines.

    Main latents, probes and the name of the latent that absorbs are taken from one half of the rows, and
    every number is measured on the other.

    Args:
        units: of an SAE whose latents write directions.
        labels: the truth of the same tokens.
        hierarchy: the children of each parent; by their names ("animal" and "animal: pet") when not given.
        probes: of ``units.x``, trained on the same choosing rows; trained here when not given.
        choose: the rows that choose, by number or as a mask; even rows when not given.
        jump: by how much a further main latent must raise F1.
        most: main latents of one parent.
        least: the cosine, and the share of the contributions, that the latent which absorbs must have.

    Raises:
        CourseError: for units without directions, a hierarchy with names that aren't labels, probes that
            don't fit, and where no parent and child are true often enough.
    """
    if units.directions is None:
        raise CourseError(f"{units.name} has no directions: absorption asks what each latent writes.")
    parts = halves(labels, choose)
    families, left_out = _families(labels, parts, hierarchy)
    a = parts.split(units.a, f"The units of {units.name}")
    probes = _probes(units, labels, families, probes, choose)
    x = parts.split(units.x, "Activations")
    truth = parts.choosing, parts.measuring
    own, anyone = _mains(a, parts, families, jump, most)
    precision = _precision((a[1].cpu() != 0).float(), parts.measuring)
    found = {}
    for name, children in families.items():
        place = probes.features.index(name)
        probe, bias = probes.directions[place].to(units.x), float(probes.biases[place])
        column = parts.names.index(name)
        at = [(half @ probe + bias > 0).cpu() & true[:, column] for half, true in zip(x, truth, strict=True)]
        taken = [
            _taken(half[here.to(half.device)], units.directions, probe, own[name].latents, least)
            for half, here in zip(a, at, strict=True)
        ]
        columns = {child: parts.names.index(child) for child in children}
        here = {
            child: [true[tokens, i] for true, tokens in zip(truth, at, strict=True)]
            for child, i in columns.items()
        }
        rates = {child: _child(taken, here[child], precision[i]) for child, i in columns.items()}
        found[name] = _parent(own[name], anyone[name], taken[1], rates)
    return Absorption(units.name, found, left_out)


def hierarchy_of(labels: Labels) -> dict[str, list[str]]:
    """The children of each parent, by their names: "animal: pet" is a child of "animal"."""
    kin = {name: [one for one in labels.names if one.startswith(f"{name}: ")] for name in labels.names}
    return {name: children for name, children in kin.items() if children}


def _families(
    labels: Labels, parts: Halves, hierarchy: "Hierarchy | None"
) -> tuple[dict[str, list[str]], list[str]]:
    """Parents with their children, as far as they can be scored; and the names that can't."""
    hierarchy = hierarchy_of(labels) if hierarchy is None else hierarchy
    for name in (one for parent, children in hierarchy.items() for one in (parent, *children)):
        labels[name]
    known = {
        parent: [one for one in children if one in parts.names]
        for parent, children in hierarchy.items()
        if parent in parts.names
    }
    families = {parent: children for parent, children in known.items() if children}
    if not families:
        raise CourseError(
            "Absorption needs a parent and a child that are both true of enough tokens, and none of the "
            f"{len(hierarchy)} parents here has one: take more rows, or name others by "
            'hierarchy={"parent": ["child", …]}.'
        )
    named = {one for parent, children in hierarchy.items() for one in (parent, *children)}
    kept = {one for parent, children in families.items() for one in (parent, *children)}
    return families, sorted(named - kept)


def _probes(
    units: Units, labels: Labels, parents: Mapping[str, object], probes: Probes | None, choose: Rows | None
) -> Probes:
    if probes is None:
        return linear_probes(units.x, labels.only(parents), choose=choose)
    if missing := [name for name in parents if name not in probes.features]:
        raise CourseError(
            f'These probes don\'t have "{missing[0]}": leave out probes=, and they are trained here.'
        )
    if probes.directions.shape[1] != units.x.shape[-1]:
        raise CourseError(
            f"These probes read {probes.directions.shape[1]} numbers, and the activations of {units.name} "
            f"have {units.x.shape[-1]}: they are of another hook point."
        )
    return probes


def _mains(
    a: tuple[Tensor, Tensor], parts: Halves, families: Mapping[str, Sequence[str]], jump: float, most: int
) -> tuple[dict[str, MainLatents], dict[str, MainLatents]]:
    """Each parent's main latents; and what they would be with those that tell a child better."""
    fires = (a[0].cpu() != 0).float()
    f1 = dict(zip(parts.names, single_f1(fires, parts.choosing), strict=True))
    own = torch.stack(
        [f1[parent] >= torch.stack([f1[one] for one in kids]).amax(0) for parent, kids in families.items()]
    )
    columns = [parts.names.index(name) for name in families]
    truth = (parts.choosing[:, columns], parts.measuring[:, columns])
    found = [main_latents(*a, truth, jump=jump, most=most, allowed=allowed) for allowed in (own, None)]
    return dict(zip(families, found[0], strict=True)), dict(zip(families, found[1], strict=True))


def _taken(
    a: Float[Tensor, "n units"],
    directions: Float[Tensor, "units d_in"],
    probe: Float[Tensor, " d_in"],
    main: Sequence[int],
    least: tuple[float, float],
) -> _Tokens:
    least_cosine, least_share = least
    along = directions @ (probe / probe.norm())
    points = along >= least_cosine * directions.norm(dim=1)
    contributions = a * along
    positive = contributions.clamp(min=0).sum(1)
    largest = contributions.max(1)
    mine = list(main)
    silent = (a[:, mine] == 0).all(1)
    enough = (largest.values > 0) & (largest.values >= least_share * positive)
    others = torch.where(points, contributions.clamp(min=0), 0.0)
    others[:, mine] = 0
    theirs = others.topk(min(_TOGETHER, others.shape[1]), dim=1).values.sum(1)
    own = contributions[:, mine].sum(1).clamp(min=0)
    part = (theirs > 0) & (theirs >= least_share * positive)
    return _Tokens(
        silent=silent.cpu(),
        absorbed=(silent & enough & points[largest.indices]).cpu(),
        by=largest.indices.cpu(),
        fraction=torch.where(part, theirs / (theirs + own), 0.0).cpu(),
    )


def _precision(
    fires: Float[Tensor, "n units"], truth: Bool[Tensor, "n features"]
) -> Float[Tensor, "features units"]:
    """The share of a unit's firings at which a feature is true; NaN where it never fires."""
    return (truth.float().T @ fires) / fires.sum(0)


def _child(
    taken: Sequence[_Tokens], here: Sequence[Bool[Tensor, " n"]], precision: Float[Tensor, " units"]
) -> Child:
    (before, after), (then, now) = taken, here
    absorbers = before.by[before.absorbed & then]
    latent = int(absorbers.bincount().argmax()) if len(absorbers) else None
    return Child(
        n=int(now.sum()),
        silent=_mean(after.silent[now]),
        absorbed=_mean(after.absorbed[now]),
        elsewhere=_mean(after.absorbed[~now]),
        fraction=_mean(after.fraction[now]),
        fraction_elsewhere=_mean(after.fraction[~now]),
        latent=latent,
        precision=nan if latent is None else float(precision[latent]),
    )


def _parent(own: MainLatents, anyone: MainLatents, taken: _Tokens, children: Mapping[str, Child]) -> Parent:
    n = len(taken.silent)
    if not own.told:
        # Rates of a parent without a main latent would be read as results.
        children = {name: Child(one.n, nan, nan, nan, nan, nan, None, nan) for name, one in children.items()}
        taken = _Tokens(*[taken.silent[:0]] * 4)
    return Parent(
        main=own.latents,
        f1=own.f1,
        scored=own.told,
        split=anyone.told and not own.told,
        n=n,
        silent=_mean(taken.silent),
        absorbed=_mean(taken.absorbed),
        fraction=_mean(taken.fraction),
        children=dict(children),
    )


def _mean(values: Tensor) -> float:
    return float(values.double().mean()) if len(values) else nan
