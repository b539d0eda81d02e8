"""Directions that were not learned by sparsity, as baselines: principal components, and random ones."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .autoencoder import as_tokens

_AT_ONCE = 8192


@torch.no_grad()
def pca_directions(activations: Float[Tensor, "*batch d_in"], n: int) -> Float[Tensor, "*batch n"]:
    """Activations along their n directions of largest variance, the largest first: for `feature_scores`.

    (x − mean) · u for each eigenvector u of the covariance. A direction's sign means nothing.

    Args:
        n: directions, at most d_in.

    Raises:
        CourseError: for no activations, or more directions than there are.
    """
    x = as_tokens(activations)
    if not 1 <= n <= x.shape[1]:
        raise CourseError(f"There are {x.shape[1]} principal directions; you asked for {n}.")
    mean = x.mean(0)
    covariance = ((x - mean).T @ (x - mean) / len(x)).cpu().double()
    _, vectors = torch.linalg.eigh(covariance)  # rising
    directions = vectors.flip(1)[:, :n].to(x.device, x.dtype)
    return ((x - mean) @ directions).reshape(*activations.shape[:-1], n)


@torch.no_grad()
def random_directions(
    activations: Float[Tensor, "*batch d_in"], n: int, k: int, *, seed: int = 0
) -> Float[Tensor, "*batch n"]:
    """A dictionary that nobody trained: at each token the k largest of n random directions, the rest 0.

    relu((x − mean) · u) for directions u of length 1, drawn uniformly: what a TopK SAE of this width and L0
    is worth before its first step.

    Args:
        n: directions.
        k: that fire at a token, at most.
        seed: of the directions.

    Raises:
        CourseError: for no activations, and for k outside 1 to n.
    """
    x = as_tokens(activations)
    if not 1 <= k <= n:
        raise CourseError(f"Of {n} directions 1 to {n} can fire at a token; you asked for {k}.")
    stream = torch.Generator().manual_seed(stream_seed("random directions", seed))
    drawn = torch.randn(x.shape[1], n, generator=stream)
    directions = (drawn / drawn.norm(dim=0)).to(x.device, x.dtype)
    mean = x.mean(0)
    parts = []
    for some in x.split(_AT_ONCE):
        along = ((some - mean) @ directions).relu()
        largest = along.topk(k, dim=1)
        parts.append(torch.zeros_like(along).scatter_(1, largest.indices, largest.values))
    return torch.cat(parts).reshape(*activations.shape[:-1], n)
