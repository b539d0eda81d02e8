"""Check of 2a.1 l1_penalty: activations times the lengths of their decoder vectors."""

import torch
from torch import Tensor

from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference
from .inputs import decoder, square


def _weighted(latents: Tensor, weight: Tensor) -> Tensor:
    """The penalty with other weights than the lengths, ``[inst d_sae]`` or what fits to it."""
    return (latents * weight.expand(len(latents), latents.shape[-1]).unsqueeze(1)).sum(
        (1, 2)
    ) / latents.shape[1]


MISTAKES: Mistakes = {
    "the decoder vectors' lengths are missing: halve an activation and double its vector, and the penalty is "
    "cheated.": lambda latents, W_dec: latents.sum(-1).mean(-1),
    "averaged over the latents; sum over them.": (
        lambda latents, W_dec: reference.l1_penalty(latents, W_dec) / latents.shape[-1]
    ),
    "summed over the batch; average over it.": (
        lambda latents, W_dec: reference.l1_penalty(latents, W_dec) * latents.shape[1]
    ),
    "the instances were averaged; each has a penalty of its own.": (
        lambda latents, W_dec: reference.l1_penalty(latents, W_dec).mean()
    ),
    "the instances were added up; each has a penalty of its own.": (
        lambda latents, W_dec: reference.l1_penalty(latents, W_dec).sum()
    ),
    "one length for an instance's whole decoder; each latent's vector has its own, norm(dim=-1).": (
        lambda latents, W_dec: _weighted(latents, W_dec.norm(dim=(1, 2))[:, None])
    ),
    "one length for all decoders together; each latent's vector has its own, norm(dim=-1).": (
        lambda latents, W_dec: _weighted(latents, W_dec.norm())
    ),
    "the mean length for all latents; each has its own.": (
        lambda latents, W_dec: _weighted(latents, W_dec.norm(dim=-1).mean(-1, keepdim=True))
    ),
    "the squared lengths: a square root is missing.": (
        lambda latents, W_dec: _weighted(latents, W_dec.pow(2).sum(-1))
    ),
    "the sum of the vector's absolute entries; its length is wanted.": (
        lambda latents, W_dec: _weighted(latents, W_dec.abs().sum(-1))
    ),
    "the root of the *mean* square; a length is the root of the sum of squares.": (
        lambda latents, W_dec: _weighted(latents, W_dec.pow(2).mean(-1).sqrt())
    ),
    "divided by the lengths; multiply by them.": (
        lambda latents, W_dec: _weighted(latents, 1 / W_dec.norm(dim=-1))
    ),
    "the length of all contributions added up; the sum of their lengths is wanted.": (
        lambda latents, W_dec: (latents @ W_dec).norm(dim=-1).mean(-1)
    ),
    "the activations are squared; L1 takes them as they are.": (
        lambda latents, W_dec: reference.l1_penalty(latents.pow(2), W_dec)
    ),
    "latents that fire are counted; their activations are to be added up.": (
        lambda latents, W_dec: reference.l1_penalty((latents > 0).float(), W_dec)
    ),
    "the lengths are detached: the decoder does not feel that its length costs, and grows.": (
        lambda latents, W_dec: reference.l1_penalty(latents, W_dec.detach())
    ),
}
SQUARE: Mistakes = {
    "lengths along d_sae (dim=1): a latent's vector lies along d_in, the last axis.": (
        lambda latents, W_dec: _weighted(latents, W_dec.norm(dim=1))
    ),
}


@exercise("2a.1", "l1_penalty", minutes=3, hints=1)
def l1_penalty(t: Trial, student: Function) -> None:
    """Values and both gradients: the decoder must feel its length. The second half with silent latents."""
    for number, case in enumerate(t.cases(6)):
        if number == 0:
            square(case)
        if number == 2:
            case.sizes["inst"] = 1
        if number < 3:
            latents = case.uniform("inst batch d_sae", 0.1, 2.0, grad=True)
        else:  # at 0, |a| and a have different gradients, and both are right
            latents = torch.relu(case.normal("inst batch d_sae"))
        t.against(
            student,
            {"latents": latents, "W_dec": decoder(case, grad=True)},
            reference.l1_penalty,
            axes="inst",
            wrt=["latents", "W_dec"] if number < 3 else ["W_dec"],
            mistakes=SQUARE | MISTAKES if number == 0 else MISTAKES,
        )
