"""What the exercises ask for, once more: slow and plain, independent of what the learner writes.

A test holds each against something that knows nothing of it: a linear program, a simulation, SAELens.
"""

import math
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, linear

DICTIONARY = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]) / math.sqrt(2)
"""Of 2b.1 and 2b.2: one latent for what two features share, and two opposed ones for how they differ."""


def rotated_latents(x: Tensor) -> Tensor:
    """``[batch 3]``: what is shared, and of the two opposed latents the one that is needed."""
    difference = x[:, 0] - x[:, 1]
    none = torch.zeros_like(difference)
    one = torch.where(difference > 0, difference, none)
    other = torch.where(difference < 0, -difference, none)
    return torch.stack([x.sum(1), one, other], dim=1) / math.sqrt(2)


def l1_costs(p: float) -> tuple[float, float]:
    """The sum of the rotated activations is ``√2 max(x, y)``; the mean of a maximum, by its distribution.

    ``E max = ∫ 1 - P(x ≤ t)² dt`` from 0 to 1, where ``P(x ≤ t) = 1 - p + p t``: a parabola, for which
    Simpson's rule is exact.
    """
    above = [1 - (1 - p + p * t) ** 2 for t in (0.0, 0.5, 1.0)]
    return 2 * p * 0.5, math.sqrt(2) * (above[0] + 4 * above[1] + above[2]) / 6


def cosine_pairs(W_dec: Tensor) -> Tensor:
    """``[inst pairs]``: the cosine of each pair of different latents; 0 for a vector of zeros."""
    pairs = combinations(range(W_dec.shape[1]), 2)
    return torch.stack([cosine_similarity(W_dec[:, i], W_dec[:, j], dim=-1) for i, j in pairs], dim=1)


def negated_pairs(W_dec: Tensor, threshold: float = 0.9) -> Tensor:
    """``[inst]``: pairs whose cosine is below ``-threshold``."""
    return (cosine_pairs(W_dec) < -threshold).sum(dim=1)


def tied_pre_activations(h: Tensor, W_dec: Tensor, b_enc: Tensor, b_dec: Tensor) -> Tensor:
    """``[inst batch d_sae]``, instance by instance."""
    return torch.stack([linear(h[i] - b_dec[i], W_dec[i], b_enc[i]) for i in range(len(h))])


def starting_bias(h: Tensor) -> Tensor:
    """``[inst d_in]``: the centre of each instance's batch."""
    return torch.stack([torch.einsum("bd->d", one) / len(one) for one in h.detach()])


def decoder_cosine(W_dec: Tensor) -> Tensor:
    """``[inst]``: how much two latents' directions overlap, on average."""
    return cosine_pairs(W_dec).abs().mean(dim=1)


def absorption_rate(fires: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    """``[inst]``, sample by sample: the share silent with the child, less the share silent without."""
    rates = []
    for one in zip(fires.tolist(), parent.tolist(), child.tolist(), strict=True):
        both = [not fired for fired, there, also in zip(*one, strict=True) if there and also]
        alone = [not fired for fired, there, also in zip(*one, strict=True) if there and not also]
        rates.append(sum(both) / len(both) - sum(alone) / len(alone) if both and alone else 0.0)
    return torch.tensor(rates, device=fires.device)


def agreement(W_one: Tensor, W_other: Tensor) -> Tensor:
    """``[inst]``: for each latent of the one its nearest of the other, latent by latent."""
    nearest = [
        cosine_similarity(W_one[:, i : i + 1], W_other, dim=-1).amax(dim=-1) for i in range(W_one.shape[1])
    ]
    return torch.stack(nearest).mean(dim=0)
