"""TopK's auxiliary loss: dead latents learn to reconstruct what the live ones miss (AuxK).

Gao et al. 2024, "Scaling and evaluating sparse autoencoders", appendix A.2, as SAELens has it: with error
e = x - x̂ (held fixed), and ẑ the k_aux highest pre-activations among the dead latents, positive or not,

    loss = coefficient * min(dead / (d_in // 2), 1) * mean over the batch of |ẑ W_dec - e|²,
    k_aux = min(d_in // 2, dead).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .active import kth_largest

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Revival:
    """The loss and its gradients for one batch, added up over chunks of rows.

    Only the dead latents' columns are worked on: where few are dead, it costs little.

    Args:
        dead: which latents are.
        scale: of the scores by which the k_aux are chosen (see `active`).
        coefficient: ``aux_loss_coefficient``.
        batch: rows in the whole batch.
    """

    def __init__(
        self,
        dead: "Bool[Tensor, ' d_sae']",
        W_dec: "Float[Tensor, 'd_sae d_in']",
        scale: "Float[Tensor, ' d_sae']",
        coefficient: float,
        batch: int,
    ) -> None:
        half = W_dec.shape[1] // 2
        self.places = dead.nonzero()[:, 0]
        n = len(self.places)
        self.k = min(half, n)
        self.weight = coefficient * min(n / half, 1.0) / batch
        self.W_dec = W_dec[self.places]
        self.scale = scale[self.places]
        self.loss = W_dec.new_zeros(())
        self.to_W_dec = torch.zeros_like(self.W_dec)

    def add(self, pre: "Float[Tensor, 'rows dead']", error: "Float[Tensor, 'rows d_in']") -> Tensor:
        """One chunk: the pre-activations of the dead latents (``pre[:, revival.places]``), and x̂ - x.

        Returns:
            The loss's gradient for those pre-activations.
        """
        chosen = self._chosen(pre)
        acts = pre * chosen
        missed = torch.mm(acts, self.W_dec).add_(error)
        self.loss += self.weight * missed.square().sum()
        missed *= 2 * self.weight
        self.to_W_dec += acts.T @ missed
        return (missed @ self.W_dec.T).mul_(chosen)

    def _chosen(self, pre: Tensor) -> Tensor:
        """1 for the k highest scores of each row, else 0."""
        if self.k == pre.shape[1]:
            return torch.ones_like(pre)
        scores = pre * self.scale
        threshold = kth_largest(scores.clone(), self.k)
        just_below = torch.nextafter(threshold, torch.full_like(threshold, -torch.inf))
        return scores.sub_(just_below).sign_().relu_()
