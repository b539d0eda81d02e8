"""How well an SAE reconstructs activations, and how many latents it takes: every number by its equation."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..runs.view import number, table
from .autoencoder import Autoencoder, as_tokens, decode, encode, ready


@dataclass(frozen=True)
class Reconstruction:
    """What an SAE does to activations x, of which it makes x̂ from latent activations a. ⟨ ⟩ is over tokens.

    The three explained variances divide the same error by different things. About the mean, a constant x̂
    = ⟨x⟩ scores 0. About zero, it scores what the mean's length is worth: where activations share a large
    mean, as in a residual stream, nearly 1 without any latent. The mean of per-token ratios gives every token
    the same weight, so a few tokens that lie near the mean, with little to explain, can pull it far down (to
    −∞), while the others weigh by their squared distance. Papers and libraries write "explained variance" for
    each of them: compare only numbers of one formula, on the same tokens.
    """

    n_tokens: int
    """Over which everything here was measured."""
    l0: float
    """⟨number of latents with a ≠ 0⟩"""
    l1: float
    """⟨Σ |a|⟩ over the latents; scales with the activations and with the decoder's norms"""
    mse: float
    """⟨‖x − x̂‖²⟩ / d_in. SAELens' ``mse`` leaves out the division by d_in."""
    explained_variance: float
    """1 − Σ‖x − x̂‖² / Σ‖x − ⟨x⟩‖², sums over tokens: 1 − FVU. SAELens: ``ExplainedVarianceCalculator`` in
    evals.py. NaN where nothing varies."""
    explained_variance_about_zero: float
    """1 − Σ‖x − x̂‖² / Σ‖x‖²"""
    explained_variance_per_token: float
    """⟨1 − ‖x − x̂‖² / ‖x − ⟨x⟩‖²⟩. SAELens: ``explained_variance_legacy``, there called "old, incorrect"; its
    ⟨x⟩ is that of each batch."""
    cosine: float
    """⟨x · x̂ / (‖x‖ ‖x̂‖)⟩; 0 for a token where either is 0"""
    shrinkage: float
    """Σ‖x̂‖ / Σ‖x‖ over the tokens with x ≠ 0, a ratio of sums as in chapter 01: below 1 is too small"""
    norm_ratio: float
    """⟨‖x̂‖ / ‖x‖⟩ over the tokens with x ≠ 0, every token alike. SAELens: ``l2_ratio``."""
    relative_bias: float
    """⟨‖x̂‖²⟩ / ⟨x · x̂⟩: 1 / the factor by which x̂ would best be multiplied (Rajamanoharan et al. 2024, Gated
    SAEs, equation 10). SAELens: ``relative_reconstruction_bias``. A short x̂ is forgiven for what it leaves
    out in other directions: this alone measures shrinkage. NaN where x̂ = 0 everywhere."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n  ".join(
            [f"reconstruction of {self.n_tokens:,} tokens"]
            + [f"{name}: {words}" for name, words in _shown(self).items()]
        )

    def _repr_html_(self) -> str:
        head = [f"{self.n_tokens:,} tokens"]
        return table(head, {name: [words] for name, words in _shown(self).items()})


def _shown(result: Reconstruction) -> dict[str, str]:
    return {
        "L0": number(result.l0),
        "L1": number(result.l1),
        "MSE": number(result.mse),
        "explained variance": number(result.explained_variance),
        "… about zero": number(result.explained_variance_about_zero),
        "… mean of tokens": number(result.explained_variance_per_token),
        "cosine": number(result.cosine),
        "shrinkage": number(result.shrinkage),
        "relative bias": number(result.relative_bias),
    }


def reconstruction(
    sae: Autoencoder, activations: Float[Tensor, "*batch d_in"], *, chunk: int = 8192
) -> Reconstruction:
    """Measure an SAE on activations.

    Args:
        activations: of every token that counts; `harvest` gives them.
        chunk: tokens at once.

    Raises:
        CourseError: for no activations, or those of another d_in than the SAE's.
    """
    x = as_tokens(activations)
    n, d_in = x.shape
    mean = sum(part.double().sum(0) for part in _cpu(x, chunk)) / n
    total: defaultdict[str, float] = defaultdict(float)
    with ready(sae):
        for part in x.split(chunk):
            a = encode(sae, part)
            out = decode(sae, a, part)
            for name, value in _sums(part.cpu().double(), out.cpu().double(), a, mean).items():
                total[name] += float(value)
    return Reconstruction(
        n_tokens=n,
        l0=total["fires"] / n,
        l1=total["size"] / n,
        mse=total["error"] / n / d_in,
        explained_variance=1 - _ratio(total["error"], total["variance"]),
        explained_variance_about_zero=1 - _ratio(total["error"], total["square"]),
        explained_variance_per_token=total["by_token"] / n,
        cosine=total["cosine"] / n,
        shrinkage=_ratio(total["norm_out"], total["norm_in"]),
        norm_ratio=_ratio(total["norm_ratio"], total["present"]),
        relative_bias=_ratio(total["square_out"], total["product"]),
    )


def _cpu(x: Float[Tensor, "n d_in"], chunk: int) -> list[Tensor]:
    """In chunks on the CPU: sums are taken in float64, which an Apple GPU doesn't have."""
    return [part.cpu() for part in x.split(chunk)]


def _sums(
    x: Float[Tensor, "n d_in"],
    out: Float[Tensor, "n d_in"],
    a: Float[Tensor, "n d_sae"],
    mean: Tensor | float,
) -> dict[str, Tensor]:
    """Each quantity's sum over some tokens, in float64."""
    error = (x - out).square().sum(-1)
    distance = (x - mean).square().sum(-1)
    norm_in, norm_out, product = x.norm(dim=-1), out.norm(dim=-1), (x * out).sum(-1)
    present = norm_in > 0
    both = norm_in * norm_out
    return {
        "fires": (a != 0).sum(),
        "size": a.abs().sum(-1).cpu().double().sum(),
        "error": error.sum(),
        "variance": distance.sum(),
        "square": x.square().sum(-1).sum(),
        "by_token": (1 - error / distance).sum(),
        "cosine": torch.where(both > 0, product / both, 0.0).sum(),
        "norm_out": norm_out[present].sum(),
        "norm_in": norm_in.sum(),
        "norm_ratio": (norm_out[present] / norm_in[present]).sum(),
        "present": present.sum(),
        "square_out": norm_out.square().sum(),
        "product": product.sum(),
    }


def _ratio(above: float, below: float) -> float:
    return above / below if below else float("nan")
