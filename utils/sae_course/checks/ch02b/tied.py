"""Checks of 2b.5 tied_pre_activations and 2b.6 starting_bias: a decoder that encodes, and where it starts."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial, name_of
from . import reference

right = reference.tied_pre_activations


def _first(tensor: Tensor) -> Tensor:
    """Instance 0's, for every instance."""
    return tensor[:1].expand_as(tensor)


TIED_MISTAKES: Mistakes = {
    "W_dec is detached: a tied decoder learns from encoding, too, and this path is cut.": (
        lambda h, W, b_enc, b_dec: right(h, W.detach(), b_enc, b_dec)
    ),
    "b_dec is detached: it learns from encoding, too, and this path is cut.": (
        lambda h, W, b_enc, b_dec: right(h, W, b_enc, b_dec.detach())
    ),
    "b_enc is detached, and can't learn.": lambda h, W, b_enc, b_dec: right(h, W, b_enc.detach(), b_dec),
    "b_dec is not subtracted: encoding starts at the centre that decoding returns to.": (
        lambda h, W, b_enc, b_dec: right(h, W, b_enc, 0 * b_dec)
    ),
    "b_dec is added; it is to be subtracted from h.": lambda h, W, b_enc, b_dec: right(h, W, b_enc, -b_dec),
    "b_enc is missing.": lambda h, W, b_enc, b_dec: right(h, W, 0 * b_enc, b_dec),
    "b_enc is subtracted; it is to be added.": lambda h, W, b_enc, b_dec: right(h, W, -b_enc, b_dec),
    "both biases are missing.": lambda h, W, b_enc, b_dec: h @ W.mT,
    "the ReLU comes later: pre-activations are wanted as they are.": (
        lambda h, W, b_enc, b_dec: right(h, W, b_enc, b_dec).relu()
    ),
    "W_dec is brought to unit length; the tied encoder is W_dec as it is, transposed.": (
        lambda h, W, b_enc, b_dec: right(h, W / W.norm(dim=-1, keepdim=True), b_enc, b_dec)
    ),
    "W_dec is divided by its squared lengths (a projection); take it as it is, transposed.": (
        lambda h, W, b_enc, b_dec: right(h, W / W.pow(2).sum(-1, keepdim=True), b_enc, b_dec)
    ),
    "this is W_dec's pseudo-inverse; tied means its transpose.": (
        lambda h, W, b_enc, b_dec: (h - b_dec[:, None]) @ torch.linalg.pinv(W) + b_enc[:, None]
    ),
    "h is brought to unit length; take it as it is.": (
        lambda h, W, b_enc, b_dec: right(h / h.norm(dim=-1, keepdim=True), W, b_enc, b_dec)
    ),
    "the batch's mean is subtracted; b_dec is.": (
        lambda h, W, b_enc, b_dec: right(h - h.mean(1, keepdim=True), W, b_enc, 0 * b_dec)
    ),
    "every instance used the W_dec of instance 0.": (
        lambda h, W, b_enc, b_dec: right(h, _first(W), b_enc, b_dec)
    ),
    "every instance used the b_enc of instance 0.": (
        lambda h, W, b_enc, b_dec: right(h, W, _first(b_enc), b_dec)
    ),
    "every instance used the b_dec of instance 0.": (
        lambda h, W, b_enc, b_dec: right(h, W, b_enc, _first(b_dec))
    ),
    "the instances were mixed: summed over inst, where each has its own h and W_dec.": (
        lambda h, W, b_enc, b_dec: (
            torch.einsum("ibd,ikd->bk", h - b_dec[:, None], W).expand(len(h), -1, -1) + b_enc[:, None]
        )
    ),
}
TIED_SQUARE: Mistakes = {
    "W_dec is not transposed: it goes from latents to dimensions, encoding the other way round.": (
        lambda h, W, b_enc, b_dec: right(h, W.mT, b_enc, b_dec)
    ),
    "b_dec is subtracted after the product; it belongs to h, before it.": (
        lambda h, W, b_enc, b_dec: right(h, W, b_enc - b_dec, 0 * b_dec)
    ),
    "b_enc and b_dec are swapped.": lambda h, W, b_enc, b_dec: right(h, W, b_dec, b_enc),
    "both biases, [inst, ...], meet the batch of [inst, batch, ...]: b_enc[:, None], b_dec[:, None].": (
        lambda h, W, b_enc, b_dec: (h - b_dec) @ W.mT + b_enc
    ),
    "b_dec, [inst, d_in], meets the batch of h, [inst, batch, d_in]: b_dec[:, None].": (
        lambda h, W, b_enc, b_dec: (h - b_dec) @ W.mT + b_enc[:, None]
    ),
    "b_enc, [inst, d_sae], meets the batch of [inst, batch, d_sae]: b_enc[:, None].": (
        lambda h, W, b_enc, b_dec: (h - b_dec[:, None]) @ W.mT + b_enc
    ),
}


@exercise("2b.5", "tied_pre_activations", minutes=3, hints=1)
def tied_pre_activations(t: Trial, student: Function) -> None:
    """Values, and gradients of the decoder and both biases; the first case is square, with inst = batch."""
    for number, case in enumerate(t.cases(5)):
        if number == 0:
            case.sizes.update(inst=5, batch=5, d_in=7, d_sae=7)
        if number == 4:
            case.sizes["inst"] = 1
        W_dec = case.unit("inst d_sae d_in", along="d_in") * case.uniform("inst d_sae 1", 0.3, 2.5)
        t.against(
            student,
            {
                "h": case.normal("inst batch d_in", grad=True),
                "W_dec": W_dec.requires_grad_(),
                "b_enc": case.normal("inst d_sae", grad=True),
                "b_dec": case.normal("inst d_in", grad=True),
            },
            right,
            axes="inst batch d_sae",
            wrt=["h", "W_dec", "b_enc", "b_dec"],
            mistakes=TIED_SQUARE | TIED_MISTAKES if number == 0 else TIED_MISTAKES if number < 4 else {},
        )


def _each(rule: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A slip in what is made of one instance's batch ``[batch d_in]``."""
    return lambda h: torch.stack([rule(one) for one in h])


def _median_point(one: Tensor) -> Tensor:
    """The geometric median, by Weiszfeld's iteration."""
    point = one.mean(0)
    for _ in range(100):
        weight = 1 / (one - point).norm(dim=-1, keepdim=True).clamp(min=1e-9)
        point = (weight * one).sum(0) / weight.sum()
    return point


BIAS_MISTAKES: Mistakes = {
    "this is the median; the mean is wanted, where the squared error from a constant is smallest.": _each(
        lambda one: one.median(0).values
    ),
    "this is the geometric median, a start that some use; the mean is wanted.": _each(_median_point),
    "zeros are the start to be replaced: the mean activation is wanted.": _each(lambda one: 0 * one[0]),
    "summed over the batch; average over it.": _each(lambda one: one.sum(0)),
    "the sign: b_dec is added when decoding, so it starts at the mean itself.": _each(
        lambda one: -one.mean(0)
    ),
    "this is the first sample; the mean over the batch is wanted.": _each(lambda one: one[0]),
    "halfway between the least and the greatest is no mean.": _each(
        lambda one: (one.amin(0) + one.amax(0)) / 2
    ),
    "absolute values were averaged.": _each(lambda one: one.abs().mean(0)),
    "only what is positive was averaged (a ReLU before the mean).": _each(lambda one: one.relu().mean(0)),
    "the mean is brought to unit length; take it as it is.": _each(
        lambda one: one.mean(0) / one.mean(0).norm()
    ),
    "each sample is brought to unit length first; average them as they are.": _each(
        lambda one: (one / one.norm(dim=-1, keepdim=True)).mean(0)
    ),
    "this is the standard deviation; the mean is wanted.": _each(lambda one: one.std(0)),
    "one mean for all instances; each has its own.": lambda h: h.mean((0, 1)).expand(len(h), -1),
    "every instance got the mean of instance 0.": lambda h: h[:1].mean(1).expand(len(h), -1),
    "the mean runs over d_in, too: one number for an instance; each dimension has its own.": (
        lambda h: h.mean((1, 2))[:, None].expand(-1, h.shape[2])
    ),
}
BIAS_SQUARE: Mistakes = {
    "averaged over d_in (dim=2, or -1); the batch is dim=1.": lambda h: h.mean(2),
    "averaged over the instances (dim=0); the batch is dim=1.": lambda h: h.mean(0),
}


@exercise("2b.6", "starting_bias", minutes=2, hints=1)
def starting_bias(t: Trial, student: Function) -> None:
    """Skew activations about their own centre; some carry a gradient, which must end here."""
    for number, case in enumerate(t.cases(5)):
        if number == 0:
            case.sizes.update(inst=5, batch=5, d_in=5)
        skew = case.normal("inst batch d_in").exp() * case.uniform("inst 1 1", 0.5, 1.5)
        h = (skew + case.normal("inst 1 d_in")).requires_grad_(number > 1)
        result = t.against(
            student,
            {"h": h},
            reference.starting_bias,
            axes="inst d_in",
            mistakes=BIAS_SQUARE | BIAS_MISTAKES if number == 0 else BIAS_MISTAKES,
        )
        t.require(
            result.grad_fn is None,
            f"{name_of(student)} gives the right values, but tracked for gradients back to h; a start is no "
            "part of what trains.",
            kind="gradient",
            likely="@torch.no_grad() above the function, or .detach().",
        )
