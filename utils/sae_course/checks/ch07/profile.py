"""Check of 7.1 stream_profile: norms of the residual stream by layer, and how few dimensions carry them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..fields import compare_fields
from ..trial import Function, Trial

Rule = Callable[[Tensor, int], Tensor]
"""From ``acts [layer row pos d_model]`` and n_top, one number for each layer."""
SIZES = ((5, 3, 11, 13), (3, 5, 7, 11), (7, 5, 3, 17), (5, 7, 3, 13))
"""Of each case: layer, row, pos, d_model."""
N_TOP = (3, 2, 4, 1)


def _profile(acts: Tensor, n_top: int) -> tuple[Tensor, Tensor, Tensor]:
    """Number by number."""
    rows = []
    for layer in acts.tolist():
        begin = [tokens[0] for tokens in layer]
        rest = [token for tokens in layer for token in tokens[1:]]
        rest_norm = sum(math.hypot(*token) for token in rest) / len(rest)
        begin_norm = sum(math.hypot(*token) for token in begin) / len(begin)
        squares = sorted(sum(x * x for x in column) for column in zip(*rest, strict=True))
        rows.append((rest_norm, begin_norm / rest_norm, sum(squares[-n_top:]) / sum(squares)))
    norm, first, share = torch.tensor(rows, device=acts.device).unbind(dim=-1)
    return norm, first, share


def _rest(acts: Tensor) -> Tensor:
    return acts[:, :, 1:]


def _begin(acts: Tensor) -> Tensor:
    return acts[:, :, :1]


def _mean_norm(acts: Tensor) -> Tensor:
    return acts.norm(dim=-1).mean(dim=(1, 2))


def _norm_of_mean(acts: Tensor) -> Tensor:
    return acts.mean(dim=(1, 2)).norm(dim=-1)


def _root_mean_square(acts: Tensor) -> Tensor:
    return acts.square().sum(dim=-1).mean(dim=(1, 2)).sqrt()


def _share(acts: Tensor, n_top: int) -> Tensor:
    return _share_of(acts.square().mean(dim=(1, 2)), n_top)


def _share_of(carried: Tensor, n_top: int) -> Tensor:
    """Of ``[layer d_model]``, what the largest ones have of the sum."""
    return _sum_of_top(carried, n_top) / carried.sum(dim=-1)


def _sum_of_top(carried: Tensor, n_top: int) -> Tensor:
    return carried.topk(n_top, dim=-1).values.sum(dim=-1)


def _chosen_by(score: Callable[[Tensor], Tensor]) -> Rule:
    """The share of the squares in dimensions that have the largest of something else.

    ``score(rest)`` is ``[layer d_model]``, or ``[d_model]`` for the same dimensions in every layer.
    """

    def wrong(acts: Tensor, n_top: int) -> Tensor:
        mean_square = _rest(acts).square().mean(dim=(1, 2))
        dims = score(_rest(acts)).expand_as(mean_square).topk(n_top, dim=-1).indices
        return mean_square.gather(-1, dims).sum(dim=-1) / mean_square.sum(dim=-1)

    return wrong


def _share_by_token(acts: Tensor, n_top: int) -> Tensor:
    """The mean of each activation's own share, in the right dimensions."""
    square = _rest(acts).square()
    dims = square.mean(dim=(1, 2)).topk(n_top, dim=-1).indices[:, None, None]
    carried = square.gather(-1, dims.expand(*square.shape[:3], n_top)).sum(dim=-1)
    return (carried / square.sum(dim=-1)).mean(dim=(1, 2))


def _top_by_token(acts: Tensor, n_top: int) -> Tensor:
    """The largest dimensions of each activation."""
    square = _rest(acts).square()
    return _sum_of_top(square, n_top).mean(dim=(1, 2)) / square.sum(dim=-1).mean(dim=(1, 2))


def _share_of_mean_norms(acts: Tensor, n_top: int) -> Tensor:
    mean_square = _rest(acts).square().mean(dim=(1, 2))
    return _sum_of_top(mean_square, n_top) / _mean_norm(_rest(acts)).square()


def _ratio_by_row(acts: Tensor) -> Tensor:
    return (_begin(acts).norm(dim=-1).mean(dim=2) / _rest(acts).norm(dim=-1).mean(dim=2)).mean(dim=1)


NORM: dict[str, Rule] = {
    "the first position is among the activations; leave it out: acts[:, :, 1:].": lambda acts, _: _mean_norm(
        acts
    ),
    "this is the norm of the mean activation; take the norm of each activation, then the mean.": (
        lambda acts, _: _norm_of_mean(_rest(acts))
    ),
    "this is the root of the mean squared norm; the mean of the norms is wanted.": (
        lambda acts, _: _root_mean_square(_rest(acts))
    ),
    "this is the mean of the squared norms; the norm is their root.": (
        lambda acts, _: _root_mean_square(_rest(acts)).square()
    ),
    "this is the root mean square of the entries, √d_model times too small for a norm.": (
        lambda acts, _: _rest(acts).square().mean(dim=-1).sqrt().mean(dim=(1, 2))
    ),
    "this is the mean of the entries' absolute values; a norm is the root of a sum of squares.": (
        lambda acts, _: _rest(acts).abs().mean(dim=(1, 2, 3))
    ),
    "this is the sum of the entries' absolute values; the norm is the root of the sum of their squares.": (
        lambda acts, _: _rest(acts).abs().sum(dim=-1).mean(dim=(1, 2))
    ),
    "this is the norm of all activations of a layer as one long vector; each has its own: .norm(dim=-1).": (
        lambda acts, _: _rest(acts).flatten(1).norm(dim=-1)
    ),
    "the norm runs over the positions; it runs over d_model, the last axis: dim=-1.": (
        lambda acts, _: _rest(acts).norm(dim=2).mean(dim=(1, 2))
    ),
    "the norms are added up; their mean is wanted.": (
        lambda acts, _: _rest(acts).norm(dim=-1).sum(dim=(1, 2))
    ),
    "the last position is left out here, the first one is not: acts[:, :, 1:].": (
        lambda acts, _: _mean_norm(acts[:, :, :-1])
    ),
    "the first row is left out here, not the first position: the axes are layer, row, pos, d_model.": (
        lambda acts, _: _mean_norm(acts[:, 1:])
    ),
    "this is the norm at the first position; all the others are wanted.": (
        lambda acts, _: _mean_norm(_begin(acts))
    ),
}
FIRST: dict[str, Rule] = {
    "this is the mean norm at the first position itself; divide it by that of the others.": (
        lambda acts, _: _mean_norm(_begin(acts))
    ),
    "this is a multiple of the mean over all positions; the first one belongs above the line only.": (
        lambda acts, _: _mean_norm(_begin(acts)) / _mean_norm(acts)
    ),
    "this is upside down: the first position's norm is divided by the others'.": (
        lambda acts, _: _mean_norm(_rest(acts)) / _mean_norm(_begin(acts))
    ),
    "this is the norm of the mean activation at the first position; take the norms, then the mean.": (
        lambda acts, _: _norm_of_mean(_begin(acts)) / _mean_norm(_rest(acts))
    ),
    "this takes the root of the mean squared norm at the first position; the mean of the norms is wanted.": (
        lambda acts, _: _root_mean_square(_begin(acts)) / _mean_norm(_rest(acts))
    ),
    "this is a ratio of squared norms.": (
        lambda acts, _: (_root_mean_square(_begin(acts)) / _root_mean_square(_rest(acts))).square()
    ),
    "this is the mean of the ratios of each row; take both means first, then divide.": (
        lambda acts, _: _ratio_by_row(acts)
    ),
    "this looks at the first row, not at the first position of every row: acts[:, :, 0].": (
        lambda acts, _: _mean_norm(acts[:, :1]) / _mean_norm(_rest(acts))
    ),
    "this is the first position of the first row only; take the mean over all rows.": (
        lambda acts, _: acts[:, 0, 0].norm(dim=-1) / _mean_norm(_rest(acts))
    ),
    "this is the last position; the first one is number 0.": (
        lambda acts, _: _mean_norm(acts[:, :, -1:]) / _mean_norm(_rest(acts))
    ),
    "this is the second position: Python counts from 0.": (
        lambda acts, _: _mean_norm(acts[:, :, 1:2]) / _mean_norm(_rest(acts))
    ),
    "this is the difference of the two means; the ratio is wanted.": (
        lambda acts, _: _mean_norm(_begin(acts)) - _mean_norm(_rest(acts))
    ),
}
TOP_SHARE: dict[str, Rule] = {
    "the first position is among the activations; leave it out here, too.": _share,
    "this is the first position's; all the others are wanted.": lambda acts, n_top: _share(
        _begin(acts), n_top
    ),
    "the last position is left out here, the first one is not.": lambda acts, n_top: _share(
        acts[:, :, :-1], n_top
    ),
    "the first row is left out here, not the first position.": lambda acts, n_top: _share(acts[:, 1:], n_top),
    "this is the share of the root mean squares; add up the squares themselves.": (
        lambda acts, n_top: _share_of(_rest(acts).square().mean(dim=(1, 2)).sqrt(), n_top)
    ),
    "this is the root of the share: no root here, the share is one of squares.": (
        lambda acts, n_top: _share(_rest(acts), n_top).sqrt()
    ),
    "this is the share of the absolute values; add up squares.": (
        lambda acts, n_top: _share_of(_rest(acts).abs().mean(dim=(1, 2)), n_top)
    ),
    "this is the share of the variance; nothing is subtracted from the activations here.": (
        lambda acts, n_top: _share_of(_rest(acts).var(dim=(1, 2)), n_top)
    ),
    "the activations were averaged first and squared then; square first.": (
        lambda acts, n_top: _share_of(_rest(acts).mean(dim=(1, 2)).square(), n_top)
    ),
    "the dimensions are the same for all layers here; each layer has its own largest ones.": _chosen_by(
        lambda rest: rest.square().mean(dim=(0, 1, 2))
    ),
    "the dimensions are those of the last layer here; each layer has its own largest ones.": _chosen_by(
        lambda rest: rest[-1].square().mean(dim=(0, 1))
    ),
    "the dimensions were chosen by their mean activation; choose them by their mean square.": _chosen_by(
        lambda rest: rest.mean(dim=(1, 2))
    ),
    "the dimensions were chosen by their mean absolute value; choose them by their mean square.": _chosen_by(
        lambda rest: rest.abs().mean(dim=(1, 2))
    ),
    "the dimensions were chosen by their variance; choose them by their mean square.": _chosen_by(
        lambda rest: rest.var(dim=(1, 2))
    ),
    "these are the smallest dimensions; the largest are wanted.": _chosen_by(
        lambda rest: -rest.square().mean(dim=(1, 2))
    ),
    "these are the first n_top dimensions, not the largest.": _chosen_by(
        lambda rest: -torch.arange(rest.shape[-1], device=rest.device)
    ),
    "this is the share of the one largest dimension; n_top of them are wanted.": (
        lambda acts, n_top: _share(_rest(acts), 1)
    ),
    "this is the mean of the n_top largest; their sum is wanted.": (
        lambda acts, n_top: _share(_rest(acts), n_top) / n_top
    ),
    "this is what the largest carry, not yet a share: divide by the sum over all dimensions.": (
        lambda acts, n_top: _sum_of_top(_rest(acts).square().mean(dim=(1, 2)), n_top)
    ),
    "this is divided by the square of the mean norm; the mean of the squared norms is wanted.": (
        _share_of_mean_norms
    ),
    "this is what the others carry: the share of the largest is 1 minus it.": (
        lambda acts, n_top: 1 - _share(_rest(acts), n_top)
    ),
    "this is the mean of each activation's own share; average the squares first, then divide.": (
        _share_by_token
    ),
    "the largest dimensions were chosen anew for each activation; average over rows and positions first.": (
        _top_by_token
    ),
}
FIELDS = {"norm": NORM, "first": FIRST, "top_share": TOP_SHARE}
"""Kinds of failure after which there are no three tensors to compare."""
RAISED = {
    "return_types": "topk, max, min and sort give values and indices: take .values.",
    "selected index k out of range": "this axis has fewer than n_top entries: dim=-1 of [layer d_model].",
    "Dimension out of range": (
        "an axis is gone already: norm, sum and mean without dim= give a single number of the whole tensor."
    ),
    "dim must be a 2-tuple": "the norm of an activation runs over d_model alone: dim=-1.",
    "must match the size": "an axis is left over: norm and first are one number for each layer.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("7.1", "stream_profile", minutes=8, hints=2)
def stream_profile(t: Trial, student: Function) -> None:
    """The three are compared one after the other: a slip in one is named whatever the later ones are."""
    for number, case in enumerate(t.cases(len(SIZES))):
        arguments = _inputs(case, number)
        right = _profile(**arguments)
        compare_fields(
            t, student, arguments, right, mistakes=FIELDS, axes="layer", kind="Profile", raised=RAISED
        )


def _inputs(case: Case, number: int) -> dict[str, Any]:
    """A stream whose largest dimensions depend on what is meant by it, other ones in every layer.

    Half of the n_top that are largest by their mean square are far below zero everywhere (a small variance,
    the lowest mean), the other half at every fourth activation only (a small mean absolute value). Others
    have the largest mean, or a larger variance. Layers, rows and activations have different sizes, and the
    first position has its own, many times as large, and its own dimensions.
    """
    case.sizes |= dict(zip(("layer", "row", "pos", "d_model"), SIZES[number], strict=True))
    n_top = N_TOP[number]
    acts = torch.stack([_layer(case, n_top) for _ in range(case.size("layer"))])
    begin = case.normal("layer row d_model", scale=4.0)
    massive = case.integers("layer 1 2", 0, case.size("d_model")).expand(-1, case.size("row"), -1)
    begin.scatter_add_(-1, massive, case.normal("layer row 2", scale=40.0))
    acts = acts * case.uniform("layer row pos 1", 0.6, 1.6) * case.uniform("layer row 1 1", 0.6, 1.6)
    acts[:, :, 0] = begin * case.uniform("layer row 1", 0.5, 1.5)
    sizes = case.uniform("layer 1 1 1", 1.0, 20.0)
    sizes[-1] = 0.7 * sizes.min()  # the largest layer, which decides over all of them, is not the last
    return {"acts": acts * sizes, "n_top": n_top}


def _layer(case: Case, n_top: int) -> Tensor:
    """``[row pos d_model]``, the first position still like the others."""
    acts = case.normal("row pos d_model", scale=0.5)
    below = (n_top + 1) // 2
    kinds = torch.tensor([*[0] * below, *[1] * (n_top - below), *[2] * n_top, *[3] * n_top])
    kinds = torch.cat([kinds, torch.full((case.size("d_model") - len(kinds),), 4)])
    kinds = kinds[torch.randperm(len(kinds), generator=case.generator)].to(case.device)
    at = torch.arange(acts[..., 0].numel(), device=case.device).reshape(case.shape("row pos 1"))
    peak = torch.where(at % 4 == 1, 7.5, 0.1) * case.normal("row pos d_model").sign()
    acts = torch.where(kinds == 0, acts - 3.5, acts)
    acts = torch.where(kinds == 1, peak, acts)
    acts = torch.where(kinds == 2, acts.abs() * 0.4 + 2.2, acts)
    return torch.where(kinds == 3, acts * 3.6, acts)
