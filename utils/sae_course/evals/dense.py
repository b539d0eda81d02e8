"""Dense latents: what are they?

A sparse dictionary is meant to have none that fires on every third token, and nearly all SAEs have some. Are
they a failure of the training, or something that is there at every token? Sun et al. 2025 ("Dense SAE Latents
Are Features, Not Bugs") find that many track something: the position, the token, a few large directions of
the activations; and that many come in antipodal pairs, one signed direction written as two latents. Here each
dense latent is held against what is known of a token without any labels:

- **position**, **token**: η², the share of the activation's variance that lies between the groups
  (`explained_by`). With G groups of n tokens, η² of shuffled groups is (G − 1)/(n − 1) on average, its
  *chance*, and there are many tokens. So a kind is told by what is beyond chance, Kelley's ε²:

      ε² = (η² − chance) / (1 − chance);

- **norm**: Pearson's correlation r of the activation with ‖x‖;
- **principal direction**: the largest |cosine| of the latent's direction with one of the first five principal
  directions of x. A random direction has a squared cosine of 1/d_in with each: in a toy model of few
  dimensions a large one says nothing;
- **half of a pair**: the most negative cosine of its direction with a live latent's, its *antipode*.

A dense latent's kind is the first of these, in this order, that fits: ε² ≥ ½, r² ≥ ½, cosine² ≥ ½, and an
antipode with a cosine below −.9; otherwise it is not explained. More than one may fit: see the table.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runs.view import table
from ..runtime import CourseError
from .grouping import explained_by
from .matching import _standard
from .units import Units

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("position", "token", "norm", "principal direction", "half of a pair", "not explained")
"""In the order in which they are tried."""
EXPLAINED = 0.5
"""ε², and squared correlations and cosines, from which a latent is explained."""
ANTIPODE = -0.9
"""Cosine below which two latents are one signed direction."""
PRINCIPAL = 5
"""Principal directions that are looked at."""
_SHOWN = 12  # rows of the table that it shows of itself


class DenseLatent(NamedTuple):
    """One of them. NaN where there are no directions."""

    latent: int
    density: float
    """The share of tokens at which it fires."""
    position: float
    """η² of the position."""
    token: float
    """η² of the token's id."""
    norm: float
    """Correlation with ‖x‖."""
    principal: float
    """Largest |cosine| with one of the first principal directions."""
    partner: int
    """Its antipode: the live latent whose direction has the most negative cosine with its own; −1: none."""
    cosine: float
    """With its antipode."""
    kind: str
    """Of `KINDS`."""


@dataclass(frozen=True, repr=False)
class DenseLatents:
    """The latents that fire on many tokens, the densest first. Shows itself as a table."""

    name: str
    """Of the dictionary."""
    least: float
    """Share of tokens from which a latent is dense."""
    n_tokens: int
    n_live: int
    """Latents that fire at all on these tokens."""
    latents: tuple[DenseLatent, ...] = field(repr=False)
    position_chance: float
    """What η² of the position is for shuffled tokens, on average."""
    token_chance: float
    variance: float
    """Of what dense latents write together, Σ aᵢ dᵢ, about its mean; divided by the reconstruction's.

    Not a part of a whole: what others write may go with it, or against it, and it can be above 1. NaN without
    directions, and without a reconstruction that varies."""

    @property
    def share(self) -> float:
        """The share of live latents that are dense; NaN where none is live."""
        return len(self.latents) / self.n_live if self.n_live else nan

    @property
    def kind(self) -> tuple[str, ...]:
        """Of each latent."""
        return tuple(one.kind for one in self.latents)

    @property
    def kinds(self) -> dict[str, int]:
        """How many there are of each kind, 0 too."""
        found = Counter(self.kind)
        return {kind: found[kind] for kind in KINDS}

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per dense latent; the columns are the fields of `DenseLatent`."""
        import pandas as pd  # noqa: PLC0415 - half a second

        return pd.DataFrame(self.latents, columns=DenseLatent._fields).set_index("latent")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for what there isn't."""
        return {
            "least": self.least,
            "n_tokens": self.n_tokens,
            "live": self.n_live,
            "share": _plain(self.share),
            "variance": _plain(self.variance),
            "position chance": self.position_chance,
            "token chance": self.token_chance,
            "kinds": self.kinds,
            "latents": [{key: _plain(value) for key, value in one._asdict().items()} for one in self.latents],
        }

    def __str__(self) -> str:
        rows = [
            f"latent {name}: " + ", ".join(f"{head} {cell}" for head, cell in zip(_HEAD, cells, strict=True))
            for name, cells in self._rows().items()
        ]
        return "\n  ".join(self._words() + rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "<br>".join(self._words()) + (table(_HEAD, self._rows()) if self.latents else "")

    def _words(self) -> list[str]:
        what = f"on more than {100 * self.least:.3g} % of {self.n_tokens:,} tokens"
        if not self.latents:
            return [f"{self.name}: none of {self.n_live:,} live latents fires {what}"]
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items() if count)
        more = f"; the {_SHOWN} densest are shown" if len(self.latents) > _SHOWN else ""
        return [
            f"{self.name}: {len(self.latents):,} of {self.n_live:,} live latents ({100 * self.share:.3g} %) "
            f"fire {what}: {kinds}{more}",
            f"what they write together has {_shown(self.variance)} of the reconstruction's variance; by "
            f"chance, η² is {self.position_chance:.2g} for position and {self.token_chance:.2g} for token",
        ]

    def _rows(self) -> dict[str, list[str]]:
        return {
            f"{one.latent}": [
                f"{one.density:.2f}",
                *(_shown(value) for value in (one.position, one.token, one.norm, one.principal)),
                "–" if one.partner < 0 else f"{one.partner} ({one.cosine:.2f})",
                one.kind,
            ]
            for one in self.latents[:_SHOWN]
        }


_HEAD = ["density", "η² position", "η² token", "r with ‖x‖", "|cosine| principal", "antipode", "kind"]


@torch.no_grad()
def dense_latents(units: Units, *, tokens: Int[Tensor, "rows pos"], least: float = 0.1) -> DenseLatents:
    """The latents that fire on more than ``least`` of the tokens, and what explains each.

    Args:
        tokens: the ids of the tokens that the units are of.
        least: a share of the tokens.

    Raises:
        CourseError: for tokens of another shape, fewer than two, and a share outside 0 to 1.
    """
    rows, pos, _ = units.a.shape
    if tuple(tokens.shape) != (rows, pos):
        raise CourseError(
            f"The tokens of {units.name} must be [{rows}, {pos}], as its units are; these are "
            f"{list(tokens.shape)}. Of an SAE for some positions only, give the tokens at these."
        )
    if not 0 <= least < 1:
        raise CourseError(f"least is a share of the tokens, from 0 to below 1; it is {least}.")
    a = units.a.flatten(0, 1)
    density = (a != 0).double().mean(0)
    order = density.argsort(descending=True, stable=True)
    dense = order[density[order] > least]
    own = a[:, dense].double()
    size = units.x.flatten(0, 1).double().norm(dim=1, keepdim=True)
    position, position_chance = _explained(own, torch.arange(pos).repeat(rows))
    token, token_chance = _explained(own, tokens.flatten())
    norm = (_standard(own).T @ _standard(size))[:, 0].clamp(-1, 1)
    principal, partner, cosine = _geometry(units, dense)
    beyond = [_beyond(position, position_chance), _beyond(token, token_chance)]
    kind = _kinds([*beyond, norm.square(), principal.square()], cosine)
    columns = (dense, density[dense], position, token, norm, principal, partner, cosine)
    rows_of_table = zip(*(column.tolist() for column in columns), kind, strict=True)
    return DenseLatents(
        name=units.name,
        least=least,
        n_tokens=rows * pos,
        n_live=len(units.live),
        latents=tuple(DenseLatent(*one) for one in rows_of_table),
        position_chance=position_chance,
        token_chance=token_chance,
        variance=_variance(units, own, dense),
    )


def _explained(
    a: Float[Tensor, "n dense"], groups: Int[Tensor, " n"]
) -> "tuple[Float[Tensor, ' dense'], float]":
    """η² of each latent, and of shuffled groups on average."""
    n_groups = len(groups.unique())
    return explained_by(a, groups), (n_groups - 1) / (len(groups) - 1)


def _beyond(share: Float[Tensor, " dense"], chance: float) -> Float[Tensor, " dense"]:
    """ε²; NaN where every token is a group of its own, and η² is 1 whatever the latent does."""
    return (share - chance) / (1 - chance) if chance < 1 else torch.full_like(share, nan)


def _geometry(
    units: Units, dense: Int[Tensor, " dense"]
) -> "tuple[Float[Tensor, ' dense'], Int[Tensor, ' dense'], Float[Tensor, ' dense']]":
    """Largest |cosine| with a principal direction, the antipode, and the cosine with it."""
    if units.directions is None or not len(dense):
        none = torch.full(dense.shape, nan, dtype=torch.float64, device=dense.device)
        return none, torch.full_like(dense, -1), none
    directions = torch.nn.functional.normalize(units.directions.double(), dim=1)
    own, live = directions[dense], units.live
    principal = (own @ _principal(units.x.flatten(0, 1))).abs().amax(1)
    cosine = own @ directions[live].T
    cosine[live == dense[:, None]] = torch.inf
    least = cosine.min(1)
    alone = least.values.isinf()
    return principal, live[least.indices].masked_fill(alone, -1), least.values.masked_fill(alone, nan)


def _principal(x: Float[Tensor, "n d_in"]) -> Float[Tensor, "d_in few"]:
    """The first principal directions, in columns."""
    centred = x - x.mean(0)
    covariance = (centred.T @ centred).cpu().double()
    return torch.linalg.eigh(covariance).eigenvectors[:, -PRINCIPAL:].to(x.device)  # rising


def _kinds(explained: list[Float[Tensor, " dense"]], cosine: Float[Tensor, " dense"]) -> list[str]:
    fits = [share >= EXPLAINED for share in explained] + [cosine < ANTIPODE]
    by_latent = torch.stack(fits, dim=1).tolist()
    return [next(compress(KINDS, [*one, True])) for one in by_latent]


def _variance(units: Units, own: Float[Tensor, "n dense"], dense: Int[Tensor, " dense"]) -> float:
    if units.directions is None or units.reconstruction is None:
        return nan
    written, all_of_it = own @ units.directions[dense].double(), units.reconstruction.flatten(0, 1).double()
    parts = [float((one - one.mean(0)).square().sum()) for one in (written, all_of_it)]
    return parts[0] / parts[1] if parts[1] else nan


def _shown(value: float) -> str:
    return "–" if isnan(value) else f"{value:.2f}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value
