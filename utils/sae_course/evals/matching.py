"""Which latents of two SAEs are the same: by what they do on the same tokens, not by where they point.

Two SAEs of different models, or of the same model with other seeds or widths, number their latents as they
like, and two models have no common directions at all. On the same tokens their activations can be compared.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .grouping import _ROUNDING


@dataclass(frozen=True, repr=False)
class Matches:
    """For each live latent of one SAE, the latent of the other that goes with it best."""

    latents: Int[Tensor, " n"] = field(repr=False)
    """Those that were matched: live ones. On the CPU, as all here."""
    partner: Int[Tensor, " n"] = field(repr=False)
    correlation: Float[Tensor, " n"] = field(repr=False)
    """Pearson's, over the tokens; of the best partner."""
    shuffled: Float[Tensor, " n"] = field(repr=False)
    """The same with the other SAE's tokens in random order: what the best of so many is worth by luck."""

    def share(self, at_least: float = 0.7) -> float:
        """The share of latents whose partner has a correlation of ``at_least``."""
        return float((self.correlation >= at_least).double().mean())

    def shuffled_share(self, at_least: float = 0.7) -> float:
        """The same of the control."""
        return float((self.shuffled >= at_least).double().mean())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "latents": self.latents.tolist(),
            "partner": self.partner.tolist(),
            "correlation": self.correlation.tolist(),
            "shuffled": self.shuffled.tolist(),
        }

    def __str__(self) -> str:
        return (
            f"{len(self.latents):,} live latents: {self.share():.0%} have a partner with correlation ≥ 0.7 "
            f"(shuffled tokens: {self.shuffled_share():.0%}), median {float(self.correlation.median()):.2f}"
        )

    __repr__ = __str__


def match_latents(
    a: Float[Tensor, "*batch d_a"], b: Float[Tensor, "*batch d_b"], *, least: int = 10, seed: int = 0
) -> Matches:
    """For each latent of ``a`` the best partner in ``b``, by Pearson's correlation over the same tokens.

    Args:
        a, b: latent activations on the same tokens.
        least: tokens at which a latent must fire to be matched, or to be a partner: of one that fires once,
            a correlation says nothing.
        seed: of the shuffle.

    Raises:
        CourseError: when they are not of the same tokens, or no latent fires often enough.
    """
    if a.shape[:-1] != b.shape[:-1]:
        raise CourseError(
            f"Latents are matched on the same tokens; these are of {list(a.shape[:-1])} and "
            f"{list(b.shape[:-1])}."
        )
    x, y = a.detach().flatten(0, -2).float(), b.detach().flatten(0, -2).float()
    live, partners = (torch.nonzero((one != 0).sum(0) >= least).flatten() for one in (x, y))
    if not len(live) or not len(partners):
        raise CourseError(f"No latent fires on {least} of these {len(x):,} tokens: take more tokens.")
    stream = torch.Generator().manual_seed(stream_seed("match latents", seed))
    order = torch.randperm(len(y), generator=stream).to(y.device)
    x, y = _standard(x[:, live]), _standard(y[:, partners])
    best = (x.T @ y).max(1)
    luck = (x.T @ y[order]).amax(1)
    return Matches(
        live.cpu(), partners[best.indices].cpu(), best.values.clamp(-1, 1).cpu(), luck.clamp(-1, 1).cpu()
    )


def _standard(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Centred and of length 1; 0 where nothing varies, which rounding doesn't quite say."""
    centred = x - x.mean(0)
    length = centred.norm(dim=0)
    varies = length.square() > _ROUNDING * x.square().sum(0)
    return torch.where(varies, centred / length, 0.0)
