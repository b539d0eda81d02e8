"""Principal components: the directions that a linear method finds without any labels, as a baseline."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..runtime import CourseError
from .autoencoder import as_tokens


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
