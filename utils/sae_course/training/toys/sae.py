"""The common class of all toy SAEs: several independent copies, side by side in one tensor."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class Pass(NamedTuple):
    """What a training pass gives."""

    latents: Float[Tensor, "inst batch d_sae"]
    """As training sees them: of a BatchTopK SAE the batch's largest, not those above its threshold."""
    reconstruction: Float[Tensor, "inst batch d_in"]
    loss: Float[Tensor, " inst"]


class ToySAE(nn.Module):
    """``n_inst`` independent SAEs. A variant says how it encodes, and what it minimises.

    ``pre = (h - b_dec) W_enc + b_enc``, ``h_hat = latents W_dec + b_dec``; encoder and decoder are untied.
    """

    def __init__(self, n_inst: int, d_in: int, d_sae: int, generator: torch.Generator) -> None:
        """Random decoder vectors of length .1, as in SAELens; the encoder starts as their copy.

        Args:
            generator: on the device where the parameters are to be. Not the one that made the world.
        """
        super().__init__()
        device = generator.device
        W_dec = torch.randn(n_inst, d_sae, d_in, generator=generator, device=device)
        self.W_dec = nn.Parameter(0.1 * functional.normalize(W_dec, dim=-1))
        self.W_enc = nn.Parameter(self.W_dec.detach().transpose(1, 2).clone())
        self.b_enc = nn.Parameter(torch.zeros(n_inst, d_sae, device=device))
        self.b_dec = nn.Parameter(torch.zeros(n_inst, d_in, device=device))

    def pre_activations(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        """What the activation function is applied to."""
        return (h - self.b_dec[:, None]) @ self.W_enc + self.b_enc[:, None]

    def decode(self, latents: Float[Tensor, "inst batch d_sae"]) -> Float[Tensor, "inst batch d_in"]:
        """The reconstruction."""
        return latents @ self.W_dec + self.b_dec[:, None]

    def encode(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        """The latents, as the trained SAE computes them."""
        raise NotImplementedError(f"{type(self).__name__} says how it encodes.")

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        """Latents, reconstruction and loss of a batch.

        Args:
            dead: the latents that have not fired for a while.
        """
        raise NotImplementedError(f"{type(self).__name__} says what it minimises.")

    def forward(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_in"]:
        """The reconstruction of an encoding."""
        return self.decode(self.encode(h))


def squared_error(
    reconstruction: Float[Tensor, "inst batch d_in"], h: Float[Tensor, "inst batch d_in"]
) -> Float[Tensor, " inst"]:
    """Summed over dimensions, averaged over the batch, as in SAELens."""
    return (reconstruction - h).pow(2).sum(-1).mean(-1)
