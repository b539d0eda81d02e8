"""What a label explains of a latent's activation: the share of its variance that lies between the groups."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError

_ROUNDING = 1e-11
"""A variance below this share of the mean square is rounding: float32 squared, with room."""


def explained_by(
    latents: Float[Tensor, "n d_sae"], groups: Int[Tensor, " n"], *, chunk: int = 256
) -> Float[Tensor, " d_sae"]:
    """η² of each latent: Σ_g n_g (mean of group g − mean)² / Σ_i (a_i − mean)²; 0 for one that doesn't vary.

    The correlation ratio, squared (Pearson 1905; Fisher's one-way analysis of variance). With G groups and no
    connection at all its expectation is (G − 1)/(n − 1), not 0: compare with shuffled groups.

    Args:
        latents: on any device; in chunks of latents, so that many groups fit in memory.
        groups: a whole number for each token, such as the id of the token before it.

    Raises:
        CourseError: when the two are not of the same tokens, or there are fewer than two.
    """
    if latents.ndim != 2 or groups.shape != latents.shape[:1] or len(groups) < 2:
        raise CourseError(
            f"latents are [n, d_sae] and groups [n], of the same tokens; these are {list(latents.shape)} and "
            f"{list(groups.shape)}."
        )
    _, which = groups.to(latents.device).unique(return_inverse=True)
    sizes = torch.bincount(which).to(latents.dtype)[:, None]
    parts = []
    for some in latents.detach().split(chunk, dim=1):
        centred = some - some.mean(0)
        sums = centred.new_zeros(len(sizes), some.shape[1]).index_add_(0, which, centred)
        between, total = (sums.square() / sizes).sum(0), centred.square().sum(0)
        # A constant that isn't exact in binary leaves a rounding error in place of a variance of 0.
        varies = total > _ROUNDING * some.square().sum(0)
        parts.append(torch.where(varies, between / total, 0.0))
    return torch.cat(parts)
