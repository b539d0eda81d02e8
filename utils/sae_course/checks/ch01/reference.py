"""The checks' own toy model and SAE: plain, and independent of what the learner writes."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..cases import Case

PARAMETERS = {
    "W_enc": "inst d_in d_sae",
    "b_enc": "inst d_sae",
    "W_dec": "inst d_sae d_in",
    "b_dec": "inst d_in",
}
"""The SAE's parameters and their axes."""


class Output(NamedTuple):
    """What an SAE makes of a batch."""

    pre_activations: Tensor
    latents: Tensor
    reconstruction: Tensor


class Loss(NamedTuple):
    """Each ``[inst]``."""

    total: Tensor
    mse: Tensor
    l1: Tensor


OUTPUT_AXES = {
    "pre_activations": "batch inst d_sae",
    "latents": "batch inst d_sae",
    "reconstruction": "batch inst d_in",
}
LOSS_AXES = {"total": "inst", "mse": "inst", "l1": "inst"}


class Parameters(nn.Module):
    """A holder for the four parameters, all zero."""

    def __init__(self, n_inst: int, d_in: int, d_sae: int, device: str = "cpu") -> None:
        super().__init__()
        self.W_enc = nn.Parameter(torch.zeros(n_inst, d_in, d_sae, device=device))
        self.b_enc = nn.Parameter(torch.zeros(n_inst, d_sae, device=device))
        self.W_dec = nn.Parameter(torch.zeros(n_inst, d_sae, d_in, device=device))
        self.b_dec = nn.Parameter(torch.zeros(n_inst, d_in, device=device))


def random_sae(case: Case, scale: float = 1.0) -> Parameters:
    """An SAE with random non-zero parameters, biases too, and a decoder that is not of unit length.

    Its sizes are the case's axes ``inst``, ``d_in`` and ``d_sae``.
    """
    sae = Parameters(case.size("inst"), case.size("d_in"), case.size("d_sae"), case.device)
    case.fill(sae, scale)
    return sae


def unit(W_dec: Tensor) -> Tensor:
    """``[inst d_sae d_in]`` with each latent's vector at length 1; a vector of zeros stays zero."""
    return W_dec / W_dec.norm(dim=-1, keepdim=True).clamp(min=1e-8)


def encode(sae: nn.Module, h: Tensor) -> Tensor:
    """Pre-activations ``[batch inst d_sae]`` of ``h`` ``[batch inst d_in]``."""
    W_enc: Tensor = sae.get_parameter("W_enc")
    centred = h - sae.get_parameter("b_dec")
    return torch.einsum("bid,idk->bik", centred, W_enc) + sae.get_parameter("b_enc")


def decode(sae: nn.Module, latents: Tensor) -> Tensor:
    """The reconstruction ``[batch inst d_in]`` from ``latents`` ``[batch inst d_sae]``."""
    W_dec = unit(sae.get_parameter("W_dec"))
    return torch.einsum("bik,ikd->bid", latents, W_dec) + sae.get_parameter("b_dec")


def forward(sae: nn.Module, h: Tensor) -> Output:
    """The forward pass of ``h`` ``[batch inst d_in]``."""
    pre = encode(sae, h)
    latents = pre.relu()
    return Output(pre, latents, decode(sae, latents))


def loss(h: Tensor, out: Output, l1_coefficient: float) -> Loss:
    """The loss of a forward pass, for each instance."""
    mse = (out.reconstruction - h).pow(2).mean(dim=(0, 2))
    l1 = out.latents.abs().sum(dim=2).mean(dim=0)
    return Loss(mse + l1_coefficient * l1, mse, l1)


def step(
    sae: nn.Module,
    optimiser: torch.optim.Optimizer,
    h: Tensor,
    l1_coefficient: float,
    auxiliary: Callable[[Tensor, Output], Tensor] | None = None,
) -> tuple[Output, Loss]:
    """One training step; returns the forward pass and its loss, from before the update."""
    optimiser.zero_grad()
    out = forward(sae, h)
    terms = loss(h, out, l1_coefficient)
    total = terms.total.sum()
    if auxiliary is not None:
        total = total + auxiliary(h, out).sum()
    total.backward()
    optimiser.step()
    return out, terms


def features(
    shape: tuple[int, ...], feature_probability: float, generator: torch.Generator, device: str = "cpu"
) -> Tensor:
    """Feature magnitudes: 0 where absent, uniform in [0, 1) where present."""
    magnitude = torch.rand(shape, generator=generator, device=generator.device)
    present = torch.rand(shape, generator=generator, device=generator.device) < feature_probability
    return (magnitude * present).to(device)
