"""The loss of one SAE on a batch and its gradients, written out, a few hundred rows at a time.

With pre-activations p = (x - b_dec) W_enc + b_enc, a mask m of the latents that fire (`active`), activations
z = m p and reconstruction x̂ = z W_dec + b_dec, SAELens minimises the mean over the batch of

    |x̂ - x|² + λ Σ_j z_j |W_dec,j|       (the second term for Standard only)

and TopK's auxiliary loss (`revival`). With e = x̂ - x and B rows in the batch:

    dL/dx̂ = 2 e / B                      dL/dW_dec = zᵀ dL/dx̂ + (λ/B) (Σ z_j) W_dec,j / |W_dec,j|
    dL/dp = m (dL/dx̂ W_decᵀ + (λ/B) |W_dec|)
    dL/dW_enc = (x - b_dec)ᵀ dL/dp       dL/db_enc = Σ dL/dp
    dL/db_dec = Σ dL/dx̂ - W_enc dL/db_enc      (the second term when b_dec is subtracted from the input)

Why by hand and in chunks: a batch's pre-activations are 16 MB for each SAE, and on a CPU an operation that
reads and writes them from memory costs more than a matrix product. A few hundred rows stay in the cache
through all of it, and there is no graph to keep.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from . import active
from .revival import Revival

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from sae_lens import TrainingSAE

CHUNK = {"cpu": 2**18}
"""Pre-activations in a chunk, by the type of the device: 1 MB. Elsewhere `LARGEST`, 1 GB."""
LARGEST = 2**28


class Outcome(NamedTuple):
    """What a step found on its way."""

    losses: dict[str, Tensor]
    """SAELens' losses by its names; what is minimised is their sum."""
    errors: "Float[Tensor, ' batch']"
    """Squared distance of each reconstruction from its input."""
    fired: "Float[Tensor, ' d_sae']"
    """Rows in which each latent fired."""
    lowest: "Float[Tensor, '1'] | None"
    """BatchTopK: the lowest score that fired, infinite when none did."""


@torch.no_grad()
def backward(
    sae: "TrainingSAE[Any]",
    x: "Float[Tensor, 'batch d_in']",
    dead: "Bool[Tensor, ' d_sae']",
    coefficients: dict[str, float],
) -> Outcome:
    """The losses at ``x``; their gradients are put into the parameters' ``grad``.

    Args:
        sae: one of SAELens' training classes for Standard, TopK and BatchTopK.
        dead: the latents that TopK's auxiliary loss is to revive.
        coefficients: ``{"l1": λ}`` for Standard, else empty.
    """
    W_enc, b_enc, W_dec, b_dec = (p.detach() for p in (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec))
    to_W_enc, to_b_enc, to_W_dec, to_b_dec = (
        _zeroed(p) for p in (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    )
    batch, d_sae = len(x), len(b_enc)
    centred = x - b_dec if sae.cfg.apply_b_dec_to_input else x
    norm = W_dec.norm(dim=1)
    rows = max(1, min(batch, CHUNK.get(x.device.type, LARGEST) // d_sae))
    parts = [slice(start, min(start + rows, batch)) for start in range(0, batch, rows)]
    buffers = [x.new_empty(rows, d_sae) for _ in range(3)]

    def encoded(part: slice) -> Tensor:
        inputs = centred[part]
        return torch.mm(inputs, W_enc, out=buffers[0][: len(inputs)]).add_(b_enc)

    rule, lowest = _rule(sae, norm, encoded, parts)
    revival = _revival(sae, norm, dead, batch)
    l1 = coefficients.get("l1")
    errors, fired, total = x.new_empty(batch), x.new_zeros(d_sae), x.new_zeros(d_sae)

    for part in parts:
        pre = encoded(part)
        mask, d_pre = (buffer[: len(pre)] for buffer in buffers[1:])
        mask = rule(pre, mask, d_pre)
        unrevived = pre[:, revival.places] if revival else pre
        acts = pre.mul_(mask)
        error = torch.mm(acts, W_dec).add_(b_dec).sub_(x[part])
        errors[part] = error.square().sum(dim=1)
        fired += mask.sum(dim=0)

        d_out = error * (2 / batch)
        to_W_dec.addmm_(acts.T, d_out)
        to_b_dec += d_out.sum(dim=0)
        torch.mm(d_out, W_dec.T, out=d_pre)
        if l1 is not None:
            total += acts.sum(dim=0)
            d_pre += l1 / batch * norm
        d_pre *= mask
        if revival:
            d_pre.index_add_(1, revival.places, revival.add(unrevived, error))
        to_W_enc.addmm_(centred[part].T, d_pre)
        to_b_enc += d_pre.sum(dim=0)

    if sae.cfg.apply_b_dec_to_input:
        to_b_dec -= W_enc @ to_b_enc
    losses = {"mse_loss": errors.mean()}
    if l1 is not None:
        losses["l1_loss"] = l1 / batch * (total @ norm)
        to_W_dec += (l1 / batch * total / norm.clamp(min=torch.finfo(norm.dtype).tiny))[:, None] * W_dec
    else:
        losses["auxiliary_reconstruction_loss"] = revival.loss if revival else x.new_zeros(())
        if revival:
            to_W_dec.index_add_(0, revival.places, revival.to_W_dec)
    return Outcome(losses, errors, fired, lowest)


def _zeroed(parameter: "torch.nn.Parameter") -> Tensor:
    """The parameter's gradient, set to zero in place, so that no new memory is touched at each step."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad.zero_()


def _rule(
    sae: "TrainingSAE[Any]", norm: Tensor, encoded: Callable[[slice], Tensor], parts: list[slice]
) -> tuple[active.Rule, Tensor | None]:
    """Which latents fire; for BatchTopK, which reads the whole batch first, the lowest score that does."""
    architecture = sae.cfg.architecture()
    if architecture == "standard":
        return active.relu, None
    scale = _scale(sae, norm)
    if architecture == "topk":
        return active.topk(sae.cfg.k, scale), None

    sample = encoded(slice(None, None, len(parts))).mul(scale)
    scores = lambda: (encoded(part).mul_(scale) for part in parts)  # noqa: E731
    threshold, lowest = active.batch_threshold(scores, sample, sae.cfg.k, parts[-1].stop)
    return active.batchtopk(threshold, scale), lowest


def _revival(sae: "TrainingSAE[Any]", norm: Tensor, dead: Tensor, batch: int) -> Revival | None:
    coefficient = getattr(sae.cfg, "aux_loss_coefficient", 0.0)
    if coefficient == 0 or not dead.any():
        return None
    return Revival(dead, sae.W_dec.detach(), _scale(sae, norm), coefficient, batch)


def _scale(sae: "TrainingSAE[Any]", norm: Tensor) -> Tensor:
    """What scores are pre-activations times."""
    return norm if sae.cfg.rescale_acts_by_decoder_norm else torch.ones_like(norm)
