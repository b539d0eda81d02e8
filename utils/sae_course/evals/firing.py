"""How often each latent fires, and which never do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..runs.view import number, table
from ..runtime import CourseError
from .autoencoder import Autoencoder, as_tokens, encode, ready

if TYPE_CHECKING:
    import plotly.graph_objects as go

    Chunks = Float[Tensor, "*batch d_in"] | Iterable[Float[Tensor, "*batch d_in"]]


@dataclass(frozen=True, repr=False)
class Densities:
    """Every latent's share of the tokens. Shows itself as text, and as a histogram (`figure`)."""

    n_tokens: int
    """That were looked at: "dead" means "did not fire on these"."""
    fire: Float[Tensor, " d_sae"] = field(repr=False)
    """The share of tokens at which each latent's activation is not 0. In float64, on the CPU."""
    mean_activation: Float[Tensor, " d_sae"] = field(repr=False)
    """Each latent's mean activation where it fires; NaN where it never does."""

    @property
    def dead(self) -> Bool[Tensor, " d_sae"]:
        """Latents that never fired over these tokens. A rare one looks dead on few tokens."""
        return self.fire == 0

    @property
    def dead_fraction(self) -> float:
        """The share of latents that are dead."""
        return float(self.dead.double().mean())

    @property
    def l0(self) -> float:
        """Latents that fire at a token, on average: the densities' sum."""
        return float(self.fire.sum())

    def figure(
        self, title: str | None = None, controls: "Mapping[str, Densities] | None" = None
    ) -> "go.Figure":
        """A histogram of log10 density; dead latents, which have no logarithm, are counted in the legend.

        Args:
            title: the finding; the dead and the median live density when not given.
            controls: by name, drawn grey.
        """
        from ..figures.densities import Density, draw_densities  # noqa: PLC0415 - plotly

        shown = [Density("latents", self.fire.numpy(), self.n_tokens)]
        for name, one in (controls or {}).items():
            shown.append(Density(name, one.fire.numpy(), one.n_tokens, control=True))
        return draw_densities(shown, title or self._finding())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for a mean activation that there isn't."""
        means = [None if isnan(value) else value for value in self.mean_activation.tolist()]
        return {"n_tokens": self.n_tokens, "fire": self.fire.tolist(), "mean_activation": means}

    def __str__(self) -> str:
        return "\n  ".join(
            [f"firing of {len(self.fire):,} latents"]
            + [f"{key}: {words}" for key, words in self._lines().items()]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return table([f"{len(self.fire):,} latents"], {key: [words] for key, words in self._lines().items()})

    def _finding(self) -> str:
        live = self.fire[~self.dead]
        middle = (
            f"; a live one fires on {100 * float(live.median()):.2g} % of tokens (median)"
            if len(live)
            else ""
        )
        return f"{100 * self.dead_fraction:.1f} % of latents are dead over {self.n_tokens:,} tokens{middle}"

    def _lines(self) -> dict[str, str]:
        live = self.fire[~self.dead]
        lines = {
            "dead": f"{int(self.dead.sum()):,} ({100 * self.dead_fraction:.1f} %) never fired over "
            f"{self.n_tokens:,} tokens",
            "L0": number(self.l0),
        }
        if len(live):
            lines["density of the live"] = (
                f"{float(live.min()):.2g} to {float(live.max()):.2g}, median {float(live.median()):.2g}"
            )
        return lines


def densities(sae: Autoencoder, activations: "Chunks", *, chunk: int = 8192) -> Densities:
    """How often each latent fires.

    Args:
        activations: one tensor, or a list or iterator of them, read once: many tokens need not be in memory
            together.
        chunk: tokens at once.

    Raises:
        CourseError: for no activations, or those of another d_in than the SAE's.
    """
    fires: Tensor | None = None
    total: Tensor | None = None
    n_tokens = 0
    with ready(sae):
        for part in _parts(activations, chunk):
            a = encode(sae, part)
            n_tokens += len(a)
            count, size = (a != 0).sum(0).cpu().double(), a.sum(0).cpu().double()
            fires = count if fires is None else fires + count
            total = size if total is None else total + size
    if fires is None or total is None:
        raise CourseError("There are no activations here: nothing was counted.")
    return Densities(n_tokens, fires / n_tokens, total / torch.where(fires > 0, fires, torch.nan))


@torch.no_grad()
def latent_activations(
    sae: Autoencoder, activations: Float[Tensor, "*batch d_in"], *, chunk: int = 8192
) -> Float[Tensor, "*batch d_sae"]:
    """What `feature_scores` takes for an SAE: ``encode``, in chunks, without gradients.

    Args:
        chunk: tokens at once.

    Raises:
        CourseError: for no activations, or those of another d_in than the SAE's.
    """
    x = as_tokens(activations)
    with ready(sae):
        a = torch.cat([encode(sae, part) for part in x.split(chunk)])
    return a.reshape(*activations.shape[:-1], -1)


def _parts(activations: "Chunks", chunk: int) -> Iterable[Float[Tensor, "n d_in"]]:
    for some in [activations] if isinstance(activations, Tensor) else activations:
        yield from as_tokens(some).split(chunk)
