"""Checks of 2a.5 topk and 2a.7 batch_topk: the largest of each sample, or of each instance's batch."""

import torch
from torch import Tensor

from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference
from .inputs import uneven

N_LATENTS = 19


def _in_one(pre: Tensor, count: int) -> Tensor:
    """The ``count`` largest of all entries."""
    return reference.topk(pre.reshape(-1), min(count, pre.numel())).view_as(pre)


def _each(pre: Tensor, count: int) -> Tensor:
    """The ``count`` largest of each instance's batch."""
    flat = pre.flatten(1)
    return reference.topk(flat, min(count, flat.shape[1])).view_as(pre)


def _along(pre: Tensor, k: int, axis: int) -> Tensor:
    """The ``k`` largest along another axis than the last."""
    return reference.topk(pre.movedim(axis, -1), min(k, pre.shape[axis])).movedim(-1, axis)


def _raw(pre: Tensor, k: int) -> Tensor:
    """The ``k`` largest of the last axis where they are, with negative ones."""
    return pre * (pre >= pre.sort(dim=-1, descending=True).values[..., k - 1 : k])


def _raw_batch(pre: Tensor, k: int) -> Tensor:
    return _raw(pre.flatten(1), k * pre.shape[1]).view_as(pre)


def _least(pre: Tensor, k: int) -> Tensor:
    return pre.sort(dim=-1, descending=True).values[..., k - 1 : k]


def _least_batch(pre: Tensor, k: int) -> Tensor:
    return _least(pre.flatten(1), k * pre.shape[1])[..., None]


def _ordered(pre: Tensor, count: int) -> Tensor:
    """The largest of the last axis in order of size, then zeros."""
    places = torch.arange(pre.shape[-1], device=pre.device)
    return torch.relu(pre).sort(dim=-1, descending=True).values * (places < count)


TOPK_MISTAKES: Mistakes = {
    "negative ones among the k largest are kept: they are to be 0 (ReLU).": _raw,
    "the k largest by absolute value; by value.": lambda pre, k: pre * (reference.topk(pre.abs(), k) > 0),
    "the k largest by absolute value, then ReLU; by value.": (
        lambda pre, k: torch.relu(pre * (reference.topk(pre.abs(), k) > 0))
    ),
    "the absolute values; pre-activations below 0 are to be 0.": lambda pre, k: reference.topk(pre.abs(), k),
    "k * batch are kept of the whole batch (that is BatchTopK); k of each sample.": (
        lambda pre, k: _each(pre, k * pre.shape[1])
    ),
    "only k are kept of an instance's whole batch; k of each sample.": _each,
    "only k are kept of the whole tensor; k of each sample.": _in_one,
    "the k largest over the instances (dim=0); over the latents, dim=-1.": lambda pre, k: _along(pre, k, 0),
    "the k largest over the batch (dim=1); over the latents, dim=-1.": lambda pre, k: _along(pre, k, 1),
    "only the k values are returned; put them where they were, zeros elsewhere.": (
        lambda pre, k: _ordered(pre, k)[..., :k]
    ),
    "only the k values are returned, with negative ones; put them where they were, zeros elsewhere.": (
        lambda pre, k: pre.sort(dim=-1, descending=True).values[..., :k]
    ),
    "the k values stand in the first places; put them where they were.": _ordered,
    "this is ReLU alone; k is not used.": lambda pre, k: torch.relu(pre),
    "only k - 1 are kept: the k-th largest itself stays, >=.": (
        lambda pre, k: torch.relu(pre) * (pre > _least(pre, k))
    ),
    "k + 1 are kept.": lambda pre, k: reference.topk(pre, min(k + 1, pre.shape[-1])),
    "the k smallest are kept: the k largest are wanted.": lambda pre, k: -_raw(-pre, k),
    "the k smallest are kept, then ReLU: the k largest are wanted.": (
        lambda pre, k: torch.relu(-_raw(-pre, k))
    ),
    "this is the mask of what is kept; the values are wanted.": (
        lambda pre, k: (reference.topk(pre, k) > 0).float()
    ),
    "the k-th largest was subtracted from what is kept.": lambda pre, k: torch.relu(pre - _least(pre, k)),
}


@exercise("2a.5", "topk", minutes=4, hints=1)
def topk(t: Trial, student: Function) -> None:
    """Values and gradients: samples with fewer than k positive ones, k from 1 to d_sae."""
    every = (4, 1, 3, 7, 2, N_LATENTS)
    for case, k in zip(t.cases(len(every), d_sae=N_LATENTS), every, strict=True):
        t.against(
            student,
            {"pre": uneven(case, grad=True), "k": k},
            reference.topk,
            axes="inst batch d_sae",
            wrt=["pre"],
            mistakes=TOPK_MISTAKES,
        )


BATCH_MISTAKES: Mistakes = {
    "k of each sample are kept (that is TopK); k * batch of the whole batch, wherever they are.": (
        reference.topk
    ),
    "the largest of all instances together; each has a batch of its own, .flatten(1).": (
        lambda pre, k: _in_one(pre, k * pre.shape[0] * pre.shape[1])
    ),
    "k * batch of all instances together; as many of each, .flatten(1).": (
        lambda pre, k: _in_one(pre, k * pre.shape[1])
    ),
    "only k are kept of an instance's batch; k * batch, so that it is k a sample on average.": _each,
    "only k are kept of the whole tensor; k * batch of each instance.": _in_one,
    "k * inst are kept: the batch is axis 1, pre.shape[1].": lambda pre, k: _each(pre, k * pre.shape[0]),
    "k * d_sae are kept: the batch is axis 1, pre.shape[1].": lambda pre, k: _each(pre, k * pre.shape[2]),
    "the k largest of each latent over the batch (dim=1); of the batch as a whole, latents and all.": (
        lambda pre, k: _along(pre, k, 1)
    ),
    "negative ones among the largest are kept: they are to be 0 (ReLU).": _raw_batch,
    "the largest by absolute value; by value.": (
        lambda pre, k: pre * (reference.batch_topk(pre.abs(), k) > 0)
    ),
    "the largest by absolute value, then ReLU; by value.": (
        lambda pre, k: torch.relu(pre * (reference.batch_topk(pre.abs(), k) > 0))
    ),
    "the smallest are kept: the largest are wanted.": lambda pre, k: -_raw_batch(-pre, k),
    "the smallest are kept, then ReLU: the largest are wanted.": (
        lambda pre, k: torch.relu(-_raw_batch(-pre, k))
    ),
    "this is the mask of what is kept; the values are wanted.": (
        lambda pre, k: (reference.batch_topk(pre, k) > 0).float()
    ),
    "this is ReLU alone; k is not used.": lambda pre, k: torch.relu(pre),
    "one too few is kept: the smallest of the largest stays itself, >=.": (
        lambda pre, k: torch.relu(pre) * (pre > _least_batch(pre, k))
    ),
    "the smallest that is kept was subtracted from all.": (
        lambda pre, k: torch.relu(pre - _least_batch(pre, k).clamp(min=0))
    ),
    "the rows were not put back into their shape: .view_as(pre).": (
        lambda pre, k: reference.batch_topk(pre, k).flatten(1)
    ),
    "the values stand in order of size; put them where they were (scatter).": (
        lambda pre, k: _ordered(pre.flatten(1), k * pre.shape[1]).view_as(pre)
    ),
    "the batch and the latents were swapped on the way: flatten(1) and view_as undo each other only without "
    "a transpose.": lambda pre, k: reference.batch_topk(pre, k).mT.reshape(pre.shape),
}


@exercise("2a.7", "batch_topk", minutes=5, hints=1)
def batch_topk(t: Trial, student: Function) -> None:
    """Values and gradients: rich and poor samples, instances of different scale, k from 1 to d_sae."""
    every = (3, 1, 5, 2, 14, N_LATENTS)
    for case, k in zip(t.cases(len(every), d_sae=N_LATENTS), every, strict=True):
        t.against(
            student,
            {"pre": uneven(case, grad=True), "k": k},
            reference.batch_topk,
            axes="inst batch d_sae",
            wrt=["pre"],
            mistakes=BATCH_MISTAKES,
        )
