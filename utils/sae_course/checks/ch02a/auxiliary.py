"""Check of 2a.6 auxk_loss: dead latents explain what the live ones left over."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference
from .inputs import decoder

N_LATENTS, N_ALIVE = 23, 6
Choice = Callable[[Tensor, Tensor, int], Tensor]


def _strongest(pre: Tensor, may: Tensor, most: int) -> Tensor:
    """Which entries are among the ``most`` largest of those in their row that may take part."""
    order = pre.detach().masked_fill(~may, -torch.inf).argsort(dim=-1, descending=True)
    return (order.argsort(dim=-1) < most) & may


def _of_dead(pre: Tensor, dead: Tensor, d_in: int) -> Tensor:
    return _strongest(pre, dead[:, None].expand_as(pre), d_in // 2)


def _share(dead: Tensor, d_in: int) -> Tensor:
    return dead.sum(-1) / (d_in // 2)


def _wrong(
    choose: Choice = _of_dead,
    *,
    values: Callable[[Tensor], Tensor] = lambda pre: pre,
    vectors: Callable[[Tensor], Tensor] = reference.unit,
    target: Callable[[Tensor], Tensor] = lambda residual: residual,
    scale: Callable[[Tensor, int], Tensor] = lambda dead, d_in: _share(dead, d_in).clamp(max=1),
    then: Callable[[Tensor, int, int], Tensor] = lambda loss, batch, d_in: loss,
) -> Callable[..., Tensor]:
    """The loss with slips: which take part, with what, as which vectors, towards what, with which scale."""

    def wrong(residual: Tensor, pre: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
        batch, d_in = residual.shape[1:]
        taking_part = values(pre) * choose(pre, dead, d_in)
        error = reference.squared_error(taking_part @ vectors(W_dec), target(residual))
        return then(scale(dead, d_in) * error, batch, d_in)

    return wrong


def _over_batch(times: Callable[[int], int]) -> Choice:
    """The strongest of an instance's whole batch, so many."""

    def choose(pre: Tensor, dead: Tensor, d_in: int) -> Tensor:
        may = dead[:, None].expand_as(pre).flatten(1)
        return _strongest(pre.flatten(1), may, d_in // 2 * times(pre.shape[1])).view_as(pre)

    return choose


def _tied(residual: Tensor, pre: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
    return reference.auxk_loss(residual, residual @ W_dec.mT, dead, W_dec)


def _tied_unit(residual: Tensor, pre: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
    return reference.auxk_loss(residual, residual @ reference.unit(W_dec).mT, dead, W_dec)


def _infinite(residual: Tensor, pre: Tensor, dead: Tensor, W_dec: Tensor) -> Tensor:
    """NaN where an instance has fewer dead latents than take part."""
    right = reference.auxk_loss(residual, pre, dead, W_dec)
    return torch.where(_share(dead, residual.shape[-1]) < 1, torch.nan, right)


MISTAKES: Mistakes = {
    "fewer dead latents than take part: the -inf of hidden ones meets the matrix. Make them 0 before.": (
        _infinite
    ),
    "the mask is the wrong way round: the live latents take part.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre, ~dead, d_in)
    ),
    "all latents may take part; only the dead ones.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre, torch.ones_like(dead), d_in)
    ),
    "the largest of all latents are taken, and then the dead among them; the largest of the dead.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre, torch.ones_like(dead), d_in) & dead[:, None]
    ),
    "a latent that is dead in one instance takes part in all; each instance has its own mask.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre, dead.any(0).expand_as(dead), d_in)
    ),
    "negative pre-activations are lost (a ReLU, or the live ones hidden with 0): the dead ones' take part as "
    "they are; hide the live with -inf.": _wrong(values=torch.relu),
    "the largest by absolute value take part; by value.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre.abs(), dead, d_in)
    ),
    "the smallest take part; the largest.": _wrong(lambda pre, dead, d_in: _of_dead(-pre, dead, d_in)),
    "all dead latents take part on every sample; only the d_in // 2 largest.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre, dead, 2 * N_LATENTS)
    ),
    "d_in latents take part; half as many, d_in // 2.": _wrong(
        lambda pre, dead, d_in: _of_dead(pre, dead, 2 * d_in)
    ),
    "d_in // 2 a sample on average: the largest of the whole batch; of each sample, d_in // 2.": _wrong(
        _over_batch(lambda batch: batch)
    ),
    "only d_in // 2 take part in the whole batch; as many on each sample.": _wrong(
        _over_batch(lambda batch: 1)
    ),
    "the pre-activations are computed anew, from the residual and the decoder: encoder and decoder are not "
    "tied; take pre.": _tied,
    "the pre-activations are computed anew, from the residual and the unit decoder: encoder and decoder are "
    "not tied; take pre.": _tied_unit,
    "the decoder is not at unit length: F.normalize(W_dec, dim=-1).": _wrong(vectors=lambda W: W),
    "the decoder is normalised along d_sae; a latent's vector lies along the last axis.": _wrong(
        vectors=lambda W: W / W.norm(dim=1, keepdim=True)
    ),
    "the residual is added; it is what the dead latents are to equal.": _wrong(target=lambda e: -e),
    "this compares with 0: the dead latents are to equal the residual.": _wrong(target=torch.zeros_like),
    "the scale min(1, n_dead / (d_in // 2)) is missing.": _wrong(
        scale=lambda dead, d_in: torch.ones_like(dead[:, 0])
    ),
    "the scale grows above 1: min(1, ...), .clamp(max=1).": _wrong(scale=_share),
    "the scale is upside down: n_dead / (d_in // 2).": _wrong(
        scale=lambda dead, d_in: torch.where(dead.any(-1), 1 / _share(dead, d_in), 0.0).clamp(max=1)
    ),
    "the scale has n_dead / d_in; n_dead / (d_in // 2).": _wrong(
        scale=lambda dead, d_in: (dead.sum(-1) / d_in).clamp(max=1)
    ),
    "the scale has n_dead / d_sae, the share of dead latents; n_dead / (d_in // 2).": _wrong(
        scale=lambda dead, d_in: dead.float().mean(-1)
    ),
    "the scale counts the dead of all instances together; of each, dead.sum(-1).": _wrong(
        scale=lambda dead, d_in: _share(dead.flatten(), d_in).clamp(max=1)
    ),
    "the squared error is averaged over d_in; sum over it.": _wrong(
        then=lambda loss, batch, d_in: loss / d_in
    ),
    "the squared error is summed over the batch; average over it.": _wrong(
        then=lambda loss, batch, d_in: loss * batch
    ),
    "the instances were averaged; each has a loss of its own.": _wrong(
        then=lambda loss, batch, d_in: loss.mean()
    ),
    "the decoder's lengths are detached in the division: the gradient would lengthen its vectors.": _wrong(
        vectors=lambda W: W / W.norm(dim=-1, keepdim=True).detach()
    ),
}


def _n_dead(number: int, most: int, few: int) -> list[int]:
    """How many of each instance are dead, turn by turn."""
    if number == 0:
        return [2 * most + 3, most + 1, 2 * most + 5]
    if number == 1:
        return [1, 0, 2]  # fewer than can take part in all instances together
    return [few, 0, 2 * most + 3, 1, most, N_LATENTS, N_LATENTS - 2]


def _dead(case: Case, number: int, d_in: int) -> Tensor:
    """``[inst d_sae]``: in the first case enough everywhere, then few, then any number."""
    counts = _n_dead(number, d_in // 2, 2 + int(case.integers("1", 0, d_in // 2 - 2)))
    first = int(case.integers("1", 0, len(counts)))
    n_dead = torch.tensor([counts[(first + i) % len(counts)] for i in range(case.size("inst"))])
    order = case.uniform("inst d_sae", 0.0, 1.0)
    if number == 0:
        order[:, -N_ALIVE:] += 1  # alive in all instances
    return order.argsort(dim=-1).argsort(dim=-1) < n_dead.to(case.device)[:, None]


@exercise("2a.6", "auxk_loss", minutes=9, hints=2)
def auxk_loss(t: Trial, student: Function) -> None:
    """Values and gradients with more dead latents than can take part, fewer, one, all and none."""
    for number, case in enumerate(t.cases(7, d_sae=N_LATENTS)):
        case.sizes["d_in"] = d_in = (8, 10, 9)[number % 3]
        if number < 2:
            case.sizes["inst"] = 3
        t.against(
            student,
            {
                "residual": case.normal("inst batch d_in"),
                "pre": (case.normal("inst batch d_sae") - 0.3).requires_grad_(),
                "dead": _dead(case, number, d_in),
                "W_dec": decoder(case, grad=True),
            },
            reference.auxk_loss,
            axes="inst",
            wrt=["pre", "W_dec"],
            mistakes=MISTAKES,
        )
