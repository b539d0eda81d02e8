"""The checks' own SAE and the parts of its training: plain, and independent of what the learner writes."""

import torch
from torch import Tensor, nn

from ..cases import Case

PARAMETERS = {"W_enc": "d_in d_sae", "b_enc": "d_sae", "W_dec": "d_sae d_in", "b_dec": "d_in"}
"""The SAE's parameters and their axes."""


class SAE(nn.Module):
    """A TopK SAE with the chapter's attributes and methods, random and non-zero in all of them."""

    def __init__(self, case: Case, d_in: int, d_sae: int, k: int, scale: float) -> None:
        super().__init__()
        self.W_enc = nn.Parameter(torch.empty(d_in, d_sae, device=case.device))
        self.b_enc = nn.Parameter(torch.empty(d_sae, device=case.device))
        self.W_dec = nn.Parameter(torch.empty(d_sae, d_in, device=case.device))
        self.b_dec = nn.Parameter(torch.empty(d_in, device=case.device))
        self.k, self.scale = k, scale
        case.fill(self, 0.3)

    def pre_activations(self, x: Tensor) -> Tensor:
        """``[... d_sae]`` of ``x`` ``[... d_in]``."""
        return (x * self.scale - self.b_dec) @ self.W_enc + self.b_enc

    def encode(self, x: Tensor) -> Tensor:
        """Latents ``[... d_sae]``."""
        return topk(self.pre_activations(x), self.k)

    def unit_decoder(self) -> Tensor:
        """``[d_sae d_in]``, each row at length 1."""
        return unit(self.W_dec)

    def decode(self, latents: Tensor) -> Tensor:
        """The reconstruction ``[... d_in]``."""
        return (latents @ self.unit_decoder() + self.b_dec) / self.scale

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``."""
        return self.decode(self.encode(x))


def unit(W_dec: Tensor) -> Tensor:
    """Rows of length 1; a row of zeros stays zero."""
    return W_dec / W_dec.norm(dim=-1, keepdim=True).clamp(min=1e-8)


def topk(pre_activations: Tensor, k: int) -> Tensor:
    """The k largest of each row where they are, if positive, and 0 elsewhere."""
    least = pre_activations.detach().sort(dim=-1, descending=True).values[..., k - 1 : k]
    return pre_activations.relu() * (pre_activations.detach() >= least)


def learning_rate_factor(step: int, n_steps: int, warm_up: int, decay: int) -> float:
    """Up in a line, 1, and down in a line."""
    up = (step + 1) / warm_up if step < warm_up else 1.0
    down = (n_steps - step) / decay if n_steps - step < decay else 1.0
    return min(up, down)


def auxiliary_loss(residual: Tensor, pre_activations: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    """AuxK (Gao et al. 2024, section 2.4 and A.2), as SAELens computes it.

    ``min(n / K, 1) · mean over tokens of |Σ_j z_j d_j − residual|²``, the sum over the ``min(K, n)`` dead
    latents with the largest pre-activations z.
    """
    return auxk(residual.detach(), pre_activations, decoder, dead)


def auxk(
    residual: Tensor, pre_activations: Tensor, decoder: Tensor, dead: Tensor, most: int | None = None
) -> Tensor:
    """The same without detaching; at most ``most`` latents take part if it is given."""
    places = dead.nonzero().squeeze(-1)
    n_dead, K = len(places), residual.shape[-1] // 2
    if n_dead == 0:
        return residual.new_zeros(())
    candidates = pre_activations[..., places]
    count = min(K if most is None else most, n_dead)
    least = candidates.detach().sort(dim=-1, descending=True).values[..., count - 1 : count]
    output = (candidates * (candidates.detach() >= least)) @ decoder[places]
    return (output - residual).pow(2).sum(-1).mean() * min(n_dead / K, 1.0)


def next_token_log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """``[rows pos-1]``: what each position gave to the token after it."""
    right = torch.nn.functional.one_hot(tokens[:, 1:], logits.shape[-1]).to(logits)
    chosen = (logits[:, :-1] * right).sum(-1)
    return chosen - logits[:, :-1].logsumexp(-1)


def cross_entropy(logits: Tensor, tokens: Tensor) -> Tensor:
    """The mean over all next-token predictions."""
    return -next_token_log_probs(logits, tokens).mean()
