"""Check of 5.3 explained_by: the share of a latent's variance that lies between groups of tokens."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor], Tensor]


class Parts(NamedTuple):
    """What the share is made of, token by token: no list of groups, so that no id can be left out."""

    a: Tensor
    """Activations ``[n d_sae]``, float64."""
    own: Tensor
    """The mean of each token's own group ``[n d_sae]``."""
    size: Tensor
    """The size of each token's own group ``[n 1]``."""
    mean: Tensor
    """``[d_sae]``"""

    @property
    def total(self) -> Tensor:
        """Squared distances from the mean, summed over tokens."""
        return _squares(self.a - self.mean)

    @property
    def between(self) -> Tensor:
        """The same, of the groups' means."""
        return _squares(self.own - self.mean)


def _squares(x: Tensor) -> Tensor:
    return x.pow(2).sum(0)


def _parts(latents: Tensor, groups: Tensor) -> Parts:
    a, same = latents.double(), (groups[:, None] == groups).double()
    size = same.sum(1, keepdim=True)
    return Parts(a, same @ a / size, size, a.mean(0))


def _share(part: Tensor, total: Tensor, otherwise: float = 0.0) -> Tensor:
    return torch.where(total > 0, part / total, otherwise).float()


def _explained(latents: Tensor, groups: Tensor) -> Tensor:
    parts = _parts(latents, groups)
    return _share(parts.between, parts.total)


def _of(rule: Callable[[Parts], Tensor]) -> Rule:
    """A slip in what is made of the right parts."""
    return lambda latents, groups: rule(_parts(latents, groups))


def _with(labels: Callable[[Tensor], Tensor]) -> Rule:
    """Right, for other groups."""
    return lambda latents, groups: _explained(latents, labels(groups))


def _runs(groups: Tensor) -> Tensor:
    return (groups.diff(prepend=groups[:1]) != 0).cumsum(0)


def _variances_of_means(latents: Tensor, groups: Tensor) -> Tensor:
    parts = _parts(latents, groups)
    ids = groups.unique()
    means = torch.stack([parts.own[groups == i][0] for i in ids])
    return _share(means.var(0), parts.a.var(0))


def _uneven_centre(parts: Parts) -> Tensor:
    """The groups' means around their own mean, in which each counts once."""
    centre = (parts.own / parts.size).sum(0) / (1 / parts.size).sum()
    return _share(_squares(parts.own - centre), parts.total)


def _first_ids(latents: Tensor, groups: Tensor) -> Tensor:
    """A loop over as many ids as there are different ones, from 0."""
    parts = _parts(latents, groups)
    reached = groups < len(groups.unique())
    return _share(_squares((parts.own - parts.mean)[reached]), parts.total)


def _empty_as_one(latents: Tensor, groups: Tensor) -> Tensor:
    parts = _parts(latents, groups)
    empty = int(groups.max()) + 1 - len(groups.unique())
    return _share(parts.between + empty * parts.mean**2, parts.total)


def _empty_as_nan(latents: Tensor, groups: Tensor) -> Tensor:
    empty = int(groups.max()) + 1 > len(groups.unique())
    return _explained(latents, groups) * (float("nan") if empty else 1.0)


MISTAKES: dict[str, Rule] = {
    "each group counts once; its size n_g is to weigh it.": _of(
        lambda parts: _share(_squares((parts.own - parts.mean) / parts.size.sqrt()), parts.total)
    ),
    "the variance of the groups' means counts each group once; weigh each by its size n_g, around the mean "
    "of all tokens.": _variances_of_means,
    "the groups' means are compared with their own mean, in which each group counts once; ā is the "
    "mean of all tokens.": _of(_uneven_centre),
    "this is the share that is left within the groups; 1 minus it is wanted.": _of(
        lambda parts: _share(_squares(parts.a - parts.own), parts.total)
    ),
    "this is the variance between the groups over that within them; divide by all the variance.": _of(
        lambda parts: _share(parts.between, _squares(parts.a - parts.own))
    ),
    "the square root was taken; a share of the variance is wanted.": _of(
        lambda parts: _share(parts.between, parts.total).sqrt()
    ),
    "the mean ā is not subtracted, above or below: these are shares of the sum of squares.": _of(
        lambda parts: _share(_squares(parts.own), _squares(parts.a))
    ),
    "the groups' sums stand where their means should: divide each by its n_g.": _of(
        lambda parts: _share(_squares(parts.own * parts.size - parts.mean), parts.total)
    ),
    "ā is a single number; each latent has its own, latents.mean(dim=0).": _of(
        lambda parts: _share(_squares(parts.own - parts.a.mean()), _squares(parts.a - parts.a.mean()))
    ),
    "the variance below is divided by n − 1 (.var does it), that above by n.": _of(
        lambda parts: _share(parts.between, parts.total) * (1 - 1 / len(parts.a))
    ),
    "the ids were sorted, the latents not: they no longer belong together.": _with(
        lambda groups: groups.sort().values
    ),
    "every run of equal ids is taken for a group of its own; a group is all tokens with an id, wherever they "
    "stand.": _with(_runs),
    "ids have gaps, so range(number of different ids) doesn't reach all of them: loop over groups.unique(), "
    "or up to groups.max() + 1.": _first_ids,
    "an id that no token has counts as a group of size 1, with mean 0: clamp the sizes where you divide by "
    "them, not where they weigh.": _empty_as_one,
    "an id that no token has is a group of size 0, whose mean is 0/0, and one NaN makes the sum NaN: divide "
    "by sizes.clamp(min=1).": _empty_as_nan,
    "a latent that doesn't vary gives 0/0; 0 is wanted.": _of(
        lambda parts: _share(parts.between, parts.total, float("nan"))
    ),
    "a latent that doesn't vary gives 1; 0 is wanted.": _of(
        lambda parts: _share(parts.between, parts.total, 1.0)
    ),
}


@exercise("5.3", "explained_by", minutes=8, hints=2)
def explained_by(t: Trial, student: Function) -> None:
    """Groups of uneven size, in no order; then ids with gaps, groups of one, latents that don't vary."""
    for number, case in enumerate(t.cases(4, n=53)):
        groups = _groups(case, 8, gaps=number > 0)
        latents = _latents(case, groups)
        if number > 0:
            latents[:, 1] = case.uniform("63", 0.5, 3.0)[groups]  # its group decides it altogether
        if number > 1:
            # One dead, one constant: 2, so that its mean is 2 in whatever order it is summed.
            latents[:, 0], latents[:, 2] = 0.0, 2.0
        t.against(
            student, {"latents": latents, "groups": groups}, _explained, axes="d_sae", mistakes=MISTAKES
        )


def _groups(case: Case, number: int, *, gaps: bool) -> Tensor:
    """Each of ``number`` ids at least once, the first ones more often, the last two once.

    Without gaps the ids are the first ones; with gaps they lie anywhere from 3 to 62.
    """
    n = case.size("n")
    often = (number - 2) * case.uniform(f"{n - number}", 0.0, 1.0).pow(2)
    which = torch.cat([torch.arange(number, device=case.device), often.long()])
    order = torch.randperm(n, generator=case.generator)
    some = torch.randperm(60 if gaps else number, generator=case.generator)[:number]
    ids = 3 + some if gaps else some
    return ids.to(case.device)[which][order.to(case.device)]


def _latents(case: Case, groups: Tensor) -> Tensor:
    """Latents that their group says more or less about."""
    effect = case.normal("63 d_sae")[groups]
    weight = case.uniform("d_sae", 0.1, 0.9)
    mixed = weight * effect + (1 - weight) * case.normal("n d_sae")
    return (mixed + 0.3).relu() * case.uniform("d_sae", 0.5, 3.0)
