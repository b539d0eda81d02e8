"""What the exercises ask for, once more: slow and plain, instance by instance where that is plainest.

Independent of what the learner writes; a test holds each against SAELens' own. They import nothing but
torch: SAELens takes seconds.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def lengths(W_dec: Tensor) -> Tensor:
    """``[inst d_sae]``: how long each latent's decoder vector is."""
    return W_dec.pow(2).sum(-1).sqrt()


def unit(W_dec: Tensor) -> Tensor:
    """``[inst d_sae d_in]``, each latent's vector at length 1."""
    return W_dec / lengths(W_dec)[..., None]


def squared_error(reconstruction: Tensor, h: Tensor) -> Tensor:
    """``[inst]``: summed over ``d_in``, averaged over the batch."""
    return (reconstruction - h).pow(2).sum(dim=(1, 2)) / h.shape[1]


def l1_penalty(latents: Tensor, W_dec: Tensor) -> Tensor:
    """``[inst]``: activations times lengths, summed over latents, averaged over the batch."""
    return torch.einsum("ibk,ik->i", latents, lengths(W_dec)) / latents.shape[1]


def gated_latents(
    x: Tensor, W_enc: Tensor, b_gate: Tensor, b_mag: Tensor, r_mag: Tensor
) -> tuple[Tensor, Tensor]:
    """The gate's pre-activations, and the latents (Rajamanoharan et al., 2024, equations 6 and 7)."""
    gate = torch.einsum("ibd,idk->ibk", x, W_enc) + b_gate.unsqueeze(1)
    W_mag = W_enc * r_mag.exp().unsqueeze(1)
    magnitude = (torch.einsum("ibd,idk->ibk", x, W_mag) + b_mag.unsqueeze(1)).clamp(min=0)
    return gate, torch.where(gate > 0, magnitude, 0.0)


def gated_loss(  # noqa: PLR0917 - the exercise's
    h: Tensor, reconstruction: Tensor, gate: Tensor, W_dec: Tensor, b_dec: Tensor, coefficient: float
) -> Tensor:
    """``[inst]``: reconstruction, the gate's sparsity, and what the gate alone reconstructs."""
    opened = gate.clamp(min=0)
    alone = torch.einsum("ibk,ikd->ibd", opened, W_dec) + b_dec.unsqueeze(1)
    return (
        squared_error(reconstruction, h) + coefficient * l1_penalty(opened, W_dec) + squared_error(alone, h)
    )


def threshold_gradients(pre: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
    """The derivatives by the threshold of step and jump, blurred over a window of one bandwidth."""
    inside = (pre > threshold - bandwidth / 2) & (pre < threshold + bandwidth / 2)
    step = torch.where(inside, -1 / bandwidth, 0.0)
    return step, torch.where(inside, -threshold / bandwidth, 0.0)


def topk(pre: Tensor, k: int) -> Tensor:
    """Of the last axis the ``k`` largest where they are, if positive, and 0 elsewhere."""
    least = pre.detach().sort(dim=-1, descending=True).values[..., k - 1 : k]
    return pre.relu() * (pre.detach() >= least)


def batch_topk(pre: Tensor, k: int) -> Tensor:
    """The ``k * batch`` largest of each instance's batch."""
    return torch.stack([topk(one.reshape(-1), k * len(one)).reshape(one.shape) for one in pre])


def auxk_loss(residual: Tensor, pre: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
    """``[inst]``: AuxK (Gao et al., 2024, section 2.4 and A.2), as SAELens computes it."""
    most = residual.shape[-1] // 2
    losses = []
    for i, places in enumerate(dead[j].nonzero().squeeze(-1) for j in range(len(dead))):
        if len(places) == 0:
            losses.append(pre[i].sum() * 0)
            continue
        candidates = pre[i][:, places]
        least = candidates.detach().sort(dim=-1, descending=True).values[:, : min(most, len(places))][:, -1:]
        explained = (candidates * (candidates.detach() >= least)) @ unit(W_dec)[i, places]
        error = (explained - residual[i]).pow(2).sum() / len(explained)
        losses.append(error * min(1.0, len(places) / most))
    return torch.stack(losses)


def update_threshold(threshold: Tensor, latents: Tensor, rate: float) -> Tensor:
    """``[inst]``: a step of the running mean of the smallest positive activation, where there is one."""
    after = threshold.clone()
    for i, one in enumerate(latents):
        positive = one[one > 0]
        if positive.numel():
            after[i] = (1 - rate) * threshold[i] + rate * positive.sort().values[0]
    return after


def matryoshka_loss(
    h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]
) -> Tensor:
    """``[inst]``: for each width, the squared error with all further latents at 0."""
    total = h.new_zeros(len(h))
    for width in widths:
        first = torch.arange(latents.shape[-1], device=h.device) < width
        total = total + squared_error(
            torch.einsum("ibk,ikd->ibd", latents * first, W_dec) + b_dec.unsqueeze(1), h
        )
    return total


def detector_f1(fires: Tensor, present: Tensor, cosine: Tensor) -> Tensor:
    """``[inst d_sae]``: ``2 hits / (2 hits + false alarms + misses)``, and 0 without a hit."""
    return f1(fires, present, cosine.abs().argmax(-1))


def f1(fires: Tensor, present: Tensor, feature: Tensor) -> Tensor:
    """The same with the feature of each latent, ``[inst d_sae]``, given."""
    n_inst, _, d_sae = fires.shape
    values = torch.zeros(n_inst, d_sae, device=fires.device)
    for i in range(n_inst):
        for k in range(d_sae):
            fired, there = fires[i, :, k], present[i, :, int(feature[i, k])]
            hits, wrong = int((fired & there).sum()), int((fired ^ there).sum())
            values[i, k] = 2 * hits / (2 * hits + wrong) if hits else 0.0
    return values
