"""Check of 8.5 absorbed: where another latent stands in for the parent's main latents."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core import exercise
from ..raised import meaning
from ..trial import Function, Trial, name_of
from .absorbing_cases import SITUATIONS, inputs

Rule = Callable[..., Tensor]
"""As the exercise's function."""


class Parts(NamedTuple):
    """What the rule is made of, for a mistake to change a part: ``[n]`` if nothing is said."""

    a: Tensor
    """``[n d_sae]``"""
    along: Tensor
    """d · p ``[d_sae]``"""
    cosines: Tensor
    """``[d_sae]``"""
    contributions: Tensor
    """``[n d_sae]``"""
    main: Tensor
    """``[m]``"""
    silent: Tensor
    cosine: Tensor
    share: Tensor
    """NaN where nothing contributes."""
    least_cosine: float
    least_share: float

    def absorbed(self) -> Tensor:
        return self.silent & (self.cosine >= self.least_cosine) & (self.share >= self.least_share)

    def by(self, score: Tensor) -> Tensor:
        """Where the latent with the largest of something else, ``[n d_sae]``, is the one that counts."""
        best = score.argmax(-1)
        value = self.contributions.gather(-1, best[:, None]).squeeze(-1)
        return self._replace(
            cosine=self.cosines[best], share=value / self.contributions.clamp(min=0).sum(-1)
        ).absorbed()

    def over(self, total: Tensor) -> Tensor:
        """Where the share is that of another total ``[n]``."""
        return self._replace(share=self.contributions.amax(-1) / total).absorbed()


def _parts(  # noqa: PLR0917
    a: Tensor, W_dec: Tensor, probe: Tensor, main: Tensor, least_cosine: float, least_share: float
) -> Parts:
    along = W_dec @ probe
    cosines = along / W_dec.norm(dim=-1)
    contributions = a * along
    value, best = contributions.max(-1)
    share = value / contributions.clamp(min=0).sum(-1)
    silent = (a[:, main] == 0).all(-1)
    return Parts(
        a, along, cosines, contributions, main, silent, cosines[best], share, least_cosine, least_share
    )


def _right(  # noqa: PLR0917
    a: Tensor, W_dec: Tensor, probe: Tensor, main: Tensor, least_cosine: float, least_share: float
) -> Tensor:
    """Token by token, in float64."""
    direction = probe.tolist()
    along = [math.fsum(x * p for x, p in zip(d, direction, strict=True)) for d in W_dec.tolist()]
    lengths = [math.hypot(*d) for d in W_dec.tolist()]
    found = []
    for token in a.tolist():
        given = [x * one for x, one in zip(token, along, strict=True)]
        best = given.index(max(given))
        positive = math.fsum(one for one in given if one > 0)
        found.append(
            not any(token[j] for j in main.tolist())
            and positive > 0
            and along[best] / lengths[best] >= least_cosine
            and given[best] / positive >= least_share
        )
    return torch.tensor(found, device=a.device)


def _of(rule: Callable[[Parts], Tensor]) -> Rule:
    return lambda *given: rule(_parts(*given))


def _index_without_main(p: Parts) -> Tensor:
    """The largest of all but the main latents, its number used for all."""
    kept = torch.ones_like(p.along, dtype=torch.bool)
    kept[p.main] = False
    return p._replace(cosine=p.cosines[p.contributions[:, kept].argmax(-1)]).absorbed()


def _any_latent(p: Parts) -> Tensor:
    shares = p.contributions / p.contributions.clamp(min=0).sum(-1, keepdim=True)
    return p.silent & ((p.cosines >= p.least_cosine) & (shares >= p.least_share)).any(-1)


def _all_that_point(p: Parts) -> Tensor:
    """What all latents with such a cosine make up together."""
    positive = p.contributions.clamp(min=0)
    together = (positive * (p.cosines >= p.least_cosine)).sum(-1)
    return p._replace(share=together / positive.sum(-1)).absorbed()


def _nothing_counts(p: Parts) -> Tensor:
    """The share's condition multiplied out: 0 ≥ 0 where nothing contributes."""
    enough = p.contributions.amax(-1) >= p.least_share * p.contributions.clamp(min=0).sum(-1)
    return p.silent & (p.cosine >= p.least_cosine) & enough


def _share_of_activations(p: Parts) -> Tensor:
    best = p.contributions.argmax(-1, keepdim=True)
    return p._replace(share=p.a.gather(-1, best).squeeze(-1) / p.a.sum(-1)).absorbed()


MISTAKES: dict[str, Rule] = {
    "whether the main latents are silent isn't looked at.": _of(
        lambda p: p._replace(silent=torch.ones_like(p.silent)).absorbed()
    ),
    "one silent main latent is enough here; none of them may fire: .all(-1).": _of(
        lambda p: p._replace(silent=(p.a[:, p.main] == 0).any(-1)).absorbed()
    ),
    "this asks for main latents that fire; none may.": _of(lambda p: p._replace(silent=~p.silent).absorbed()),
    "only the first main latent is looked at; there may be several.": _of(
        lambda p: p._replace(silent=p.a[:, p.main[0]] == 0).absorbed()
    ),
    "`main` are the numbers of the main latents; here the first latents are taken: a[:, main].": _of(
        lambda p: p._replace(silent=(p.a[:, : len(p.main)] == 0).all(-1)).absorbed()
    ),
    "the main latents' activations need only be small here; silent is exactly 0.": _of(
        lambda p: p._replace(silent=(p.a[:, p.main] < 0.1).all(-1)).absorbed()
    ),
    "the cosine isn't looked at: the largest contribution must come from a latent with at least "
    "`least_cosine`.": _of(lambda p: p._replace(cosine=torch.ones_like(p.cosine)).absorbed()),
    "any share is enough here; the largest contribution must be `least_share` of all positive ones.": _of(
        lambda p: p._replace(share=torch.ones_like(p.share)).absorbed()
    ),
    "only the main latents' silence is looked at; something must stand in for them.": _of(lambda p: p.silent),
    "d · p is no cosine: divide it by the decoder vector's length.": _of(
        lambda p: p._replace(cosine=p.along[p.contributions.argmax(-1)]).absorbed()
    ),
    "the largest contribution is compared with `least_cosine`; the cosine has no activation in it.": _of(
        lambda p: p._replace(cosine=p.contributions.amax(-1)).absorbed()
    ),
    "d · p is multiplied by the decoder vector's length; divide by it for the cosine.": _of(
        lambda p: p._replace(cosine=(p.along**2 / p.cosines)[p.contributions.argmax(-1)]).absorbed()
    ),
    "the contributions are a · cosine here; the decoder vectors' lengths belong there, a · (d · p).": _of(
        lambda p: _with_contributions(p, p.a * p.cosines)
    ),
    "the activation counts only as firing or not; the contribution is a · (d · p).": _of(
        lambda p: _with_contributions(p, (p.a > 0) * p.along)
    ),
    "the latent with the largest activation is taken; the largest contribution is a · (d · p).": _of(
        lambda p: p.by(p.a)
    ),
    "the firing latent with the largest cosine is taken; take the one with the largest contribution.": _of(
        lambda p: p.by((p.a > 0) * p.cosines)
    ),
    "the contribution that is largest without its sign is taken; it may point the other way.": _of(
        lambda p: p.by(p.contributions.abs())
    ),
    "the index counts the latents without the main ones; it is used on all of them.": _of(
        _index_without_main
    ),
    "any latent with such a share and cosine counts here; it is about the largest contribution.": _of(
        _any_latent
    ),
    "all latents with such a cosine are added up for the share; the largest contribution counts alone.": _of(
        _all_that_point
    ),
    "the share's denominator has the negative contributions, too; leave them out: .clamp(min=0).": _of(
        lambda p: p.over(p.contributions.sum(-1))
    ),
    "the share's denominator has the absolute values; only positive contributions count: .clamp(min=0).": _of(
        lambda p: p.over(p.contributions.abs().sum(-1))
    ),
    "the share's denominator leaves the largest contribution itself out; it is one of all.": _of(
        lambda p: p.over(p.contributions.clamp(min=0).sum(-1) - p.contributions.amax(-1))
    ),
    "the largest contribution itself is compared with `least_share`; divide by all positive ones.": _of(
        lambda p: p._replace(share=p.contributions.amax(-1)).absorbed()
    ),
    "the share is one of activations; it is one of contributions.": _of(_share_of_activations),
    "the thresholds have changed places: least_cosine is the cosine's.": _of(
        lambda p: p._replace(least_cosine=p.least_share, least_share=p.least_cosine).absorbed()
    ),
    "a cosine of exactly `least_cosine` is enough: ≥ instead of >.": _of(
        lambda p: p.absorbed() & (p.cosine > p.least_cosine)
    ),
    "a share of exactly `least_share` is enough: ≥ instead of >.": _of(
        lambda p: p.absorbed() & (p.share > p.least_share)
    ),
    "cosine and share must both be there exactly or more: ≥ instead of >.": _of(
        lambda p: p.absorbed() & (p.cosine > p.least_cosine) & (p.share > p.least_share)
    ),
    "nothing is absorbed here. Is the activation in the contributions, a · (d · p)? Does each token have its "
    "own sum, .sum(-1)?": _of(lambda p: torch.zeros_like(p.silent)),
    "one of cosine and share is enough here; both are needed.": _of(
        lambda p: p.silent & ((p.cosine >= p.least_cosine) | (p.share >= p.least_share))
    ),
    "one condition is enough here; all three are needed, & instead of |.": _of(
        lambda p: p.silent | (p.cosine >= p.least_cosine) | (p.share >= p.least_share)
    ),
    "this is where it is not absorbed.": _of(lambda p: ~p.absorbed()),
    "where nothing contributes, nothing stands in: 0 ≥ 0 makes these tokens absorbed; ask for more than 0, "
    "or divide.": _of(_nothing_counts),
}
RAISED = {
    "return_types": "max along an axis gives .values and .indices.",
    "out of bounds": "`main` are numbers of latents, the second axis of a: a[:, main].",
    "must match the size": (
        "a is [n d_sae], W_dec [d_sae d_in]. A decoder vector's length is .norm(dim=-1); main latents are "
        "a[:, main]; one number for each token is .all(-1), .sum(-1), .max(-1)."
    ),
    "shapes cannot be multiplied": "d · p of every latent is W_dec @ probe.",
    "size mismatch": "d · p of every latent is W_dec @ probe.",
}
"""What torch says when it can't go on -> what is meant."""


def _with_contributions(p: Parts, contributions: Tensor) -> Tensor:
    """With something else for the contributions."""
    value, best = contributions.max(-1)
    share = value / contributions.clamp(min=0).sum(-1)
    return p._replace(cosine=p.cosines[best], share=share).absorbed()


@exercise("8.5", "absorbed", minutes=10, hints=2)
def absorbed(t: Trial, student: Function) -> None:
    """Tokens of all kinds, away from the thresholds; then exactly on them; then some where nothing fires."""
    name = name_of(student)
    for situation, case in zip(SITUATIONS, t.cases(len(SITUATIONS)), strict=True):
        arguments = inputs(case, situation)
        with meaning(RAISED):
            result = t.call(student, arguments)
        _compare(t, result, arguments, name)


def _compare(t: Trial, result: Any, arguments: dict[str, Any], name: str) -> None:
    """The right tokens first, whatever the dtype."""
    t.against(lambda *_: result, arguments, _right, axes="n", mistakes=MISTAKES, any_dtype=True, what=name)
    t.require(
        result.dtype == torch.bool,
        f"{name} gives the right tokens as dtype {str(result.dtype).removeprefix('torch.')}; booleans are "
        "wanted.",
        likely="`&` of three comparisons is boolean; a product or .float() is not.",
        kind="dtype",
    )
