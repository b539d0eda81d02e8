"""Check of 3a.7 auxiliary_loss: the loss that brings dead latents back."""

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from . import reference
from .reference import auxk


def _share(residual: Tensor, dead: Tensor) -> float:
    return int(dead.sum()) / (residual.shape[1] // 2)


def _living(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    return reference.auxiliary_loss(residual, pre, decoder, ~dead)


def _unweighted(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    return reference.auxiliary_loss(residual, pre, decoder, dead) / min(_share(residual, dead), 1.0)


def _everyone(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    value = auxk(residual.detach(), pre, decoder, torch.ones_like(dead), residual.shape[1] // 2)
    return value * min(_share(residual, dead), 1.0)


def _too_many(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    """The K largest of all, where the living are -inf: they take part when fewer than K are dead."""
    values, places = pre.masked_fill(~dead, -torch.inf).topk(residual.shape[1] // 2, dim=-1)
    output = torch.zeros_like(pre).scatter(-1, places, values) @ decoder
    return (output - residual.detach()).pow(2).sum(-1).mean() * min(_share(residual, dead), 1.0)


def _with_bad_weight(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    share = _share(residual, dead)
    return reference.auxiliary_loss(residual, pre, decoder, dead) / min(share, 1.0) * share


def _upside_down(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    share = _share(residual, dead)
    return reference.auxiliary_loss(residual, pre, decoder, dead) / min(share, 1.0) * min(1 / share, 1.0)


def _misplaced(residual: Tensor, pre: Tensor, decoder: Tensor, dead: Tensor) -> Tensor:
    """The strongest of pre[:, dead], whose places among the dead are taken for places among all."""
    values, places = pre[:, dead].topk(min(residual.shape[1] // 2, int(dead.sum())), dim=-1)
    output = torch.einsum("bk,bkd->bd", values, decoder[places])
    return (output - residual.detach()).pow(2).sum(-1).mean() * min(_share(residual, dead), 1.0)


MISTAKES = {
    "the residual is a target: detach it, or the SAE is trained to leave easy residuals over.": auxk,
    "negative pre-activations are lost (a ReLU, or the living masked with 0): the dead latents' take part as "
    "they are; mask the living with -inf.": (
        lambda residual, pre, decoder, dead: auxk(residual.detach(), pre.relu(), decoder, dead)
    ),
    "the mask is the wrong way round: the living latents take part.": _living,
    "all latents may take part; only the dead ones.": _everyone,
    "all dead latents take part on every token; only the min(K, n) strongest.": (
        lambda residual, pre, decoder, dead: auxk(residual.detach(), pre, decoder, dead, len(dead))
    ),
    "d_in latents take part, not half as many: K = d_in // 2.": (
        lambda residual, pre, decoder, dead: auxk(residual.detach(), pre, decoder, dead, residual.shape[1])
    ),
    "with fewer than K dead, the topk takes living ones (-inf) too: take the min(K, n) largest.": _too_many,
    "pre_activations[:, dead] has its own places, among the dead: their rows are decoder[dead][places].": (
        _misplaced
    ),
    "the factor min(n / K, 1) is missing: few dead latents count for less.": _unweighted,
    "the factor n / K grows above 1: min(n / K, 1).": _with_bad_weight,
    "the factor is upside down, K / n: it is min(n / K, 1).": _upside_down,
    "the squared error is averaged over d_in, not summed.": (
        lambda residual, pre, decoder, dead: (
            reference.auxiliary_loss(residual, pre, decoder, dead) / residual.shape[1]
        )
    ),
    "the squared error is summed over the batch, not averaged.": (
        lambda residual, pre, decoder, dead: (
            reference.auxiliary_loss(residual, pre, decoder, dead) * len(residual)
        )
    ),
    "the residual is added, not subtracted: the output should equal it.": (
        lambda residual, pre, decoder, dead: auxk(-residual.detach(), pre, decoder, dead)
    ),
    "this compares with 0: the dead latents' output is to equal the residual.": (
        lambda residual, pre, decoder, dead: auxk(torch.zeros_like(residual), pre, decoder, dead)
    ),
}


def _n_dead(case: Case, kind: int, K: int, d_sae: int) -> int:
    """How many latents are dead: many, few, none, K, all but one, one, few."""
    few = 2 + int(case.integers("1", 0, K - 2))
    return (2 * K + 3, few, 0, K, d_sae - 2, 1, few)[kind]


@exercise("3a.7", "auxiliary_loss", minutes=8, hints=2)
def auxiliary_loss(t: Trial, student: Function) -> None:
    """Values and gradients with more dead latents than K, fewer, exactly K, one and none."""
    for kind, case in enumerate(t.cases(7, d_sae=23)):
        d_in = (8, 10, 9)[kind % 3]
        case.sizes["d_in"] = d_in
        dead = torch.zeros(23, dtype=torch.bool)
        dead[torch.randperm(23, generator=case.generator)[: _n_dead(case, kind, d_in // 2, 23)]] = True
        arguments = {
            "residual": case.normal("batch d_in", grad=True),
            "pre_activations": (case.normal("batch d_sae") - 0.3).requires_grad_(),
            "decoder": case.unit("d_sae d_in", along="d_in", grad=True),
            "dead": dead.to(case.device),
        }
        if not dead.any():
            _nobody_dead(t, student, arguments)
            continue
        t.against(
            student,
            arguments,
            reference.auxiliary_loss,
            wrt=["residual", "pre_activations", "decoder"],
            mistakes=MISTAKES,
        )


def _nobody_dead(t: Trial, student: Function, arguments: dict[str, Tensor]) -> None:
    """Zero, as a tensor or a number: either can be added to a loss."""
    result = t.call(student, arguments)
    t.require(
        result is not None,
        "with no dead latent, auxiliary_loss returned nothing (None): 0 is wanted, to be added to the loss.",
        kind="none",
        likely="`return residual.new_zeros(())` where n is 0.",
    )
    number = isinstance(result, int | float) and not isinstance(result, bool)
    t.close(
        torch.tensor(float(result)) if number else result,
        torch.tensor(0.0, device="cpu" if number else arguments["residual"].device),
        "with no dead latent, auxiliary_loss",
        likely="where n is 0, return residual.new_zeros(()) before anything is divided or averaged.",
    )
