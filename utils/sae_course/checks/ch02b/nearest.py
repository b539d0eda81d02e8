"""Check of 2b.9 agreement: whether another SAE found the same latents."""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference

right = reference.agreement


def _unit(W: Tensor, dim: int = -1) -> Tensor:
    return W / W.norm(dim=dim, keepdim=True)


def _cosines(W_one: Tensor, W_other: Tensor) -> Tensor:
    return _unit(W_one) @ _unit(W_other).mT


def _of(
    rule: Callable[[Tensor], Tensor], product: Callable[[Tensor, Tensor], Tensor] = _cosines
) -> Callable[[Tensor, Tensor], Tensor]:
    """A slip in what is made of the cosines ``[inst n m]``."""
    return lambda W_one, W_other: rule(product(W_one, W_other))


def _nearest(cosine: Tensor) -> Tensor:
    return cosine.amax(2).mean(1)


def _paired(cosine: Tensor) -> list[Tensor]:
    """The cosines of a one-to-one pairing with the largest sum, for each instance."""
    return [one[linear_sum_assignment(one.cpu().numpy(), maximize=True)] for one in cosine]


def _pooled(W_one: Tensor, W_other: Tensor) -> Tensor:
    """The nearest latent of all instances."""
    everyone = W_other.flatten(0, 1).expand(len(W_one), -1, -1)
    return right(W_one, everyone)


MISTAKES: Mistakes = {
    "absolute cosines: a latent that points the opposite way is another latent.": _of(
        lambda cosine: _nearest(cosine.abs())
    ),
    "the absolute value is taken after the maximum; the cosine keeps its sign.": _of(
        lambda cosine: cosine.amax(2).abs().mean(1)
    ),
    "the maximum runs over the wrong axis: for each latent of the *other*, its nearest of the one.": (
        _of(lambda cosine: cosine.amax(1).mean(1))
    ),
    "a one-to-one pairing is another number (MCC): here two latents of the one may have the same nearest.": (
        _of(lambda cosine: torch.stack([pairs.mean() for pairs in _paired(cosine)]))
    ),
    "a one-to-one pairing is another number (MCC), and latents left without a partner count as 0: here each "
    "has its nearest, even if another has the same.": _of(
        lambda cosine: torch.stack([pairs.sum() / cosine.shape[1] for pairs in _paired(cosine)])
    ),
    "the mean over both directions; the one's latents alone are asked for.": _of(
        lambda cosine: (cosine.amax(2).mean(1) + cosine.amax(1).mean(1)) / 2
    ),
    "neither is normalised: these are inner products, not cosines.": _of(
        _nearest, lambda one, other: one @ other.mT
    ),
    "W_other is not normalised: the longest vector of it wins.": _of(
        _nearest, lambda one, other: _unit(one) @ other.mT
    ),
    "W_one is not normalised: long vectors of it count for more.": _of(
        _nearest, lambda one, other: one @ _unit(other).mT
    ),
    "normalised along the wrong axis: a latent's vector lies along d_in, dim=-1.": _of(
        _nearest, lambda one, other: _unit(one, 1) @ _unit(other, 1).mT
    ),
    "one length for an instance's whole decoder; each latent has its own, dim=-1.": _of(
        _nearest,
        lambda one, other: (
            one / one.norm(dim=(1, 2), keepdim=True) @ (other / other.norm(dim=(1, 2), keepdim=True)).mT
        ),
    ),
    "the mean over all pairs; for each latent of the one only its nearest counts.": _of(
        lambda cosine: cosine.mean((1, 2))
    ),
    "the smallest cosine of each latent; the largest is wanted.": _of(lambda cosine: cosine.amin(2).mean(1)),
    "the largest cosine of all; each latent of the one has its nearest, then the mean.": _of(
        lambda cosine: cosine.amax((1, 2))
    ),
    "the worst latent's; the mean over the one's latents is wanted.": _of(
        lambda cosine: cosine.amax(2).amin(1)
    ),
    "the median over the one's latents; the mean is wanted.": _of(
        lambda cosine: cosine.amax(2).median(1).values
    ),
    "summed over the one's latents; average over them.": _of(lambda cosine: cosine.amax(2).sum(1)),
    "squared cosines.": _of(lambda cosine: _nearest(cosine.pow(2))),
    "each latent of the one is compared with the latents of *all* instances; with its own instance's.": (
        _pooled
    ),
    "every instance is compared with the W_other of instance 0.": (
        lambda W_one, W_other: right(W_one, W_other[:1].expand_as(W_other))
    ),
    "averaged over the instances; each has a number of its own.": lambda *given: right(*given).mean(),
    "the distance is the other way round: 1 - cosine is 0 for the same direction.": (
        lambda *given: 1 - right(*given)
    ),
    "the latents are compared place by place; the other may have the same in another order.": _of(
        lambda cosine: cosine.diagonal(dim1=1, dim2=2).mean(1)
    ),
}


@exercise("2b.9", "agreement", minutes=4, hints=1)
def agreement(t: Trial, student: Function) -> None:
    """Dictionaries of uneven lengths and sizes, that have some latents in common, and some turned round."""
    for number, case in enumerate(t.cases(6)):
        n, m = ((11, 5), (7, 7), (5, 11), (3, 13), (13, 3), (4, 1))[number]
        case.sizes.update(n=n, m=m, d_in=17 if number % 2 else 8)
        W_one, W_other = case.unit("inst n d_in", along="d_in"), case.unit("inst m d_in", along="d_in")
        shared = min(n, m) // 2
        W_other[:, :shared] = W_one[:, n - shared :] + 0.2 * case.normal(f"inst {shared} d_in")
        W_other[:, shared] = 0.1 * W_other[:, shared] - W_one[:, 0]
        t.against(
            student,
            {
                "W_one": W_one * case.uniform("inst n 1", 0.3, 2.5),
                "W_other": W_other * case.uniform("inst m 1", 0.3, 2.5),
            },
            right,
            axes="inst",
            mistakes=MISTAKES,
        )
