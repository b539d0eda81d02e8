"""SAEs whose sparsity a penalty buys: with an L1 norm, gated, and JumpReLU."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .jump import JumpReLU, Step
from .sae import Pass, ToySAE, squared_error
from .sweep import spread_over


class Standard(ToySAE):
    """ReLU, and an L1 penalty in which each latent counts as much as its decoder vector is long.

    ``loss = squared error + coefficient * sum_k latent_k |W_dec[k]|`` (Anthropic, *Circuits Updates*, April
    2024; SAELens' StandardTrainingSAE).
    """

    def __init__(
        self,
        n_inst: int,
        d_in: int,
        d_sae: int,
        generator: torch.Generator,
        *,
        coefficient: float | Sequence[float],
    ) -> None:
        """As `ToySAE`.

        Args:
            coefficient: one for all, or several, each for as many consecutive instances.
        """
        super().__init__(n_inst, d_in, d_sae, generator)
        self.register_buffer("coefficient", spread_over(coefficient, self.b_enc))
        self.coefficient: Tensor

    def encode(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        return self.pre_activations(h).relu()

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        latents = self.encode(h)
        reconstruction = self.decode(latents)
        penalty = (latents * self.W_dec.norm(dim=-1)[:, None]).sum(-1).mean(-1)
        return Pass(latents, reconstruction, squared_error(reconstruction, h) + self.coefficient * penalty)


class Gated(ToySAE):
    """One path says whether a latent fires, another how strongly (Rajamanoharan et al., 2024, section 3.2).

    Both read the same encoder directions; the second rescales them by ``exp(r_mag)``. The penalty falls on
    the first path only, which is trained by reconstructing alone, through the same decoder. The paper stops
    that reconstruction's gradient at the decoder; SAELens does not, and neither does this.
    """

    def __init__(
        self,
        n_inst: int,
        d_in: int,
        d_sae: int,
        generator: torch.Generator,
        *,
        coefficient: float | Sequence[float],
    ) -> None:
        """As `Standard`."""
        super().__init__(n_inst, d_in, d_sae, generator)
        self.register_buffer("coefficient", spread_over(coefficient, self.b_enc))
        self.coefficient: Tensor
        del self.b_enc
        self.b_gate, self.b_mag, self.r_mag = (
            nn.Parameter(torch.zeros(n_inst, d_sae, device=generator.device)) for _ in range(3)
        )

    def gate(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        """The gate's pre-activations: a latent fires where they are positive."""
        return (h - self.b_dec[:, None]) @ self.W_enc + self.b_gate[:, None]

    def encode(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        return self._latents(self.gate(h))

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        gate = self.gate(h)
        latents = self._latents(gate)
        reconstruction = self.decode(latents)
        open_by = gate.relu()
        penalty = (open_by * self.W_dec.norm(dim=-1)[:, None]).sum(-1).mean(-1)
        auxiliary = squared_error(self.decode(open_by), h)
        loss = squared_error(reconstruction, h) + self.coefficient * penalty + auxiliary
        return Pass(latents, reconstruction, loss)

    def _latents(self, gate: Float[Tensor, "inst batch d_sae"]) -> Float[Tensor, "inst batch d_sae"]:
        size = (gate - self.b_gate[:, None]) * self.r_mag.exp()[:, None] + self.b_mag[:, None]
        return (gate > 0) * size.relu()


class JumpReLUSAE(ToySAE):
    """A latent fires where its pre-activation exceeds a learned threshold; each firing costs the same.

    ``loss = squared error + coefficient * L0``. Neither has a gradient for the threshold: both are given one
    by a straight-through estimator (`jump`; Rajamanoharan et al., *Jumping Ahead*, 2024, section 4).
    """

    def __init__(
        self,
        n_inst: int,
        d_in: int,
        d_sae: int,
        generator: torch.Generator,
        *,
        coefficient: float | Sequence[float],
        threshold: float = 0.01,
        bandwidth: float = 0.05,
    ) -> None:
        """As `Standard`.

        Args:
            coefficient: as for `Standard`.
            threshold: where all thresholds start.
            bandwidth: how near to its threshold a pre-activation must lie to move it.
        """
        super().__init__(n_inst, d_in, d_sae, generator)
        self.register_buffer("coefficient", spread_over(coefficient, self.b_enc))
        self.coefficient: Tensor
        self.threshold = nn.Parameter(torch.full_like(self.b_enc, threshold))
        self.bandwidth = bandwidth

    def encode(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        pre = self.pre_activations(h)
        return pre.relu() * (pre > self.threshold[:, None])

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        with torch.no_grad():
            self.threshold.clamp_(min=0)  # below 0, the gate would let negative numbers through
        pre, threshold = self.pre_activations(h), self.threshold[:, None]
        latents: Any = JumpReLU.apply(pre, threshold, self.bandwidth)
        fires: Any = Step.apply(pre, threshold, self.bandwidth)
        reconstruction = self.decode(latents)
        l0 = fires.sum(-1).mean(-1)
        return Pass(latents, reconstruction, squared_error(reconstruction, h) + self.coefficient * l0)
