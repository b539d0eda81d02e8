"""Bank for 7.1 stream_profile."""

from typing import NamedTuple

import numpy as np
import torch
from bank import Bank
from torch import Tensor

from sae_course.checks.ch07.profile import stream_profile

profiles = Bank(stream_profile)


class Profile(NamedTuple):
    """As in the chapter."""

    norm: Tensor
    first: Tensor
    top_share: Tensor


def right(acts, n_top):
    rest = acts[:, :, 1:]
    norm = rest.norm(dim=-1).mean(dim=(1, 2))
    first = acts[:, :, 0].norm(dim=-1).mean(dim=1) / norm
    return Profile(norm, first, share(rest.square().mean(dim=(1, 2)), n_top))


def share(carried, n_top):
    return carried.topk(n_top, dim=-1).values.sum(dim=-1) / carried.sum(dim=-1)


def mean_square(acts):
    return acts[:, :, 1:].square().mean(dim=(1, 2))


def in_dims(acts, dims):
    carried = mean_square(acts)
    return carried.gather(-1, dims).sum(-1) / carried.sum(-1)


@profiles.right
def as_in_the_chapter(acts, n_top):
    rest = acts[:, :, 1:]
    norm = rest.norm(dim=-1).mean(dim=(1, 2))
    first = acts[:, :, 0].norm(dim=-1).mean(dim=1) / norm
    squares = rest.square().mean(dim=(1, 2))
    top = squares.topk(n_top, dim=-1).values.sum(dim=-1)
    return Profile(norm, first, top / squares.sum(dim=-1))


@profiles.right
def layer_by_layer(acts, n_top):
    rows = []
    for layer in acts:
        norms = (layer**2).sum(-1) ** 0.5
        flat = layer[:, 1:].flatten(0, 1)
        ordered = (flat * flat).sum(0).sort(descending=True).values
        top = ordered[:n_top].sum() / ordered.sum()
        norm = norms[:, 1:].mean()
        rows.append((norm, norms[:, 0].mean() / norm, top))
    return tuple(torch.tensor(column) for column in zip(*rows, strict=True))


@profiles.right
def from_the_sums(acts, n_top):
    norms = torch.linalg.vector_norm(acts, dim=3)
    _, n_rows, n_pos = norms.shape
    first = norms[..., 0].mean(-1)
    norm = (norms.sum((1, 2)) - norms[..., 0].sum(-1)) / (n_rows * (n_pos - 1))
    energy = torch.einsum("lrpd,lrpd->ld", acts[:, :, 1:], acts[:, :, 1:])
    total = norms[:, :, 1:].square().sum((1, 2))
    top = energy.sort(dim=1).values[:, -n_top:].sum(1)
    return Profile(first=first / norm, norm=norm, top_share=top / total)


@profiles.right
def in_double_precision(acts, n_top):
    return list(right(acts.double(), n_top))


@profiles.right
def from_numpy(acts, n_top):
    x = acts.numpy()
    norms = np.linalg.norm(x, axis=-1)
    rest = x[:, :, 1:].reshape(len(x), -1, x.shape[-1])
    squares = (rest**2).mean(axis=1)
    dims = np.argsort(-squares, axis=1)[:, :n_top]
    top = np.take_along_axis(squares, dims, axis=1).sum(axis=1)
    norm = norms[:, :, 1:].mean(axis=(1, 2))
    found = norm, norms[:, :, 0].mean(axis=1) / norm, top / squares.sum(axis=1)
    return Profile(*(torch.from_numpy(one) for one in found))


@profiles.right
def with_a_mask(acts, n_top):
    others = torch.ones(acts.shape[2], dtype=torch.bool)
    others[0] = False
    kept = acts[:, :, others]
    large = torch.zeros(len(acts), acts.shape[-1])
    large.scatter_(1, mean_square(acts).topk(n_top).indices, 1.0)
    carried = (kept * large[:, None, None]).pow(2).sum(-1).mean((1, 2)) / kept.pow(2).sum(-1).mean((1, 2))
    norm = kept.norm(dim=-1).mean(-1).mean(-1)
    return Profile(norm, acts[:, :, ~others].norm(dim=-1).mean((1, 2)) / norm, carried)


# The norm.


@profiles.wrong(r"field norm[^|]*the first position is among the activations; leave it out")
def norm_with_bos(acts, n_top):
    return right(acts, n_top)._replace(norm=acts.norm(dim=-1).mean((1, 2)))


@profiles.wrong(r"field norm[^|]*the first position is among the activations")
def everything_with_bos(acts, n_top):
    norms = acts.norm(dim=-1)
    norm = norms.mean((1, 2))
    return Profile(norm, norms[..., 0].mean(1) / norm, share(acts.square().mean((1, 2)), n_top))


@profiles.wrong("the norm of the mean activation; take the norm of each")
def norm_of_the_mean(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].mean((1, 2)).norm(dim=-1))


@profiles.wrong("the root of the mean squared norm; the mean of the norms")
def root_mean_square(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].square().sum(-1).mean((1, 2)).sqrt())


@profiles.wrong("the mean of the squared norms; the norm is their root")
def no_root(acts, n_top):
    return right(acts, n_top)._replace(norm=mean_square(acts).sum(-1))


@profiles.wrong("root mean square of the entries")
def root_mean_square_of_entries(acts, n_top):
    found = right(acts, n_top)
    return found._replace(norm=found.norm / acts.shape[-1] ** 0.5)


@profiles.wrong("the mean of the entries' absolute values")
def absolute_values(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].abs().flatten(1).mean(1))


@profiles.wrong("the sum of the entries' absolute values")
def l1_norm(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].norm(p=1, dim=-1).mean((1, 2)))


@profiles.wrong("as one long vector")
def norm_of_everything(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].flatten(1).norm(dim=1))


@profiles.wrong("the norm of an activation runs over d_model alone")
def norm_over_three_axes(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].norm(dim=(1, 2, 3)))


@profiles.wrong("the norm runs over the positions")
def norm_over_positions(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].norm(dim=-2).mean((1, 2)))


@profiles.wrong("the norms are added up")
def sum_of_norms(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].norm(dim=-1).flatten(1).sum(1))


@profiles.wrong(r"field norm[^|]*the last position is left out")
def without_the_last(acts, n_top):
    return right(acts.flip(2), n_top)


@profiles.wrong(r"field norm[^|]*the first row is left out")
def rows_for_positions(acts, n_top):
    return right(acts.transpose(1, 2), n_top)


@profiles.wrong("this is the norm at the first position; all the others are wanted")
def norm_of_the_first(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 0].norm(dim=-1).mean(1))


# The first position's.


@profiles.wrong("the mean norm at the first position itself; divide")
def not_relative(acts, n_top):
    return right(acts, n_top)._replace(first=acts[:, :, 0].norm(dim=-1).mean(1))


@profiles.wrong("a multiple of the mean over all positions")
def relative_to_all(acts, n_top):
    norms = acts.norm(dim=-1)
    return right(acts, n_top)._replace(first=norms[..., 0].mean(1) / norms.mean((1, 2)))


@profiles.wrong("this is upside down")
def upside_down(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=1 / found.first)


@profiles.wrong("the norm of the mean activation at the first position")
def first_norm_of_the_mean(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=acts[:, :, 0].mean(1).norm(dim=-1) / found.norm)


@profiles.wrong("the root of the mean squared norm at the first position")
def first_root_mean_square(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=acts[:, :, 0].square().sum(-1).mean(1).sqrt() / found.norm)


@profiles.wrong("a ratio of squared norms")
def ratio_of_squares(acts, n_top):
    squares = acts.square().sum(-1)
    return right(acts, n_top)._replace(first=squares[..., 0].mean(1) / squares[..., 1:].mean((1, 2)))


@profiles.wrong("the mean of the ratios of each row")
def mean_of_ratios(acts, n_top):
    norms = acts.norm(dim=-1)
    return right(acts, n_top)._replace(first=(norms[..., 0] / norms[..., 1:].mean(-1)).mean(-1))


@profiles.wrong("this looks at the first row")
def first_row(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=acts[:, 0].norm(dim=-1).mean(1) / found.norm)


@profiles.wrong("the first position of the first row only")
def first_row_alone(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=acts.norm(dim=-1)[:, 0, 0] / found.norm)


@profiles.wrong("this is the last position")
def last_position(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=acts[:, :, -1].norm(dim=-1).mean(1) / found.norm)


@profiles.wrong("this is the second position")
def second_position(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=acts[:, :, 1].norm(dim=-1).mean(1) / found.norm)


@profiles.wrong("the difference of the two means; the ratio")
def difference_of_norms(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=found.first * found.norm - found.norm)


@profiles.wrong("axis layer is missing|has shape")
def first_of_all_layers(acts, n_top):
    found = right(acts, n_top)
    return found._replace(first=found.first.mean())


# The share.


@profiles.wrong(r"field top_share[^|]*the first position is among the activations; leave it out here, too")
def share_with_bos(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts.square().mean((1, 2)), n_top))


@profiles.wrong("this is the first position's; all the others")
def share_of_the_first(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts[:, :, 0].square().mean(1), n_top))


@profiles.wrong(r"field top_share[^|]*the last position is left out")
def share_without_the_last(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts[:, :, :-1].square().mean((1, 2)), n_top))


@profiles.wrong(r"field top_share[^|]*the first row is left out")
def share_without_the_first_row(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts[:, 1:].square().mean((1, 2)), n_top))


@profiles.wrong("the share of the root mean squares")
def share_of_norms(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts[:, :, 1:].norm(dim=(1, 2)), n_top))


@profiles.wrong("the root of the share")
def root_of_the_share(acts, n_top):
    found = right(acts, n_top)
    return found._replace(top_share=found.top_share**0.5)


@profiles.wrong("the share of the absolute values")
def share_of_absolute_values(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts[:, :, 1:].abs().sum((1, 2)), n_top))


@profiles.wrong("the share of the variance")
def share_of_the_variance(acts, n_top):
    rest = acts[:, :, 1:].flatten(1, 2)
    return right(acts, n_top)._replace(top_share=share(rest.std(1).square(), n_top))


@profiles.wrong("averaged first and squared then")
def square_of_the_mean(acts, n_top):
    return right(acts, n_top)._replace(top_share=share(acts[:, :, 1:].mean((1, 2)) ** 2, n_top))


@profiles.wrong("the same for all layers here")
def dims_over_all_layers(acts, n_top):
    dims = mean_square(acts).mean(0).topk(n_top).indices
    return right(acts, n_top)._replace(top_share=in_dims(acts, dims.expand(len(acts), -1)))


@profiles.wrong("those of the last layer here")
def dims_of_the_last_layer(acts, n_top):
    dims = mean_square(acts)[-1].topk(n_top).indices
    return right(acts, n_top)._replace(top_share=in_dims(acts, dims.expand(len(acts), -1)))


@profiles.wrong("chosen by their mean activation")
def dims_by_mean(acts, n_top):
    dims = acts[:, :, 1:].mean((1, 2)).topk(n_top).indices
    return right(acts, n_top)._replace(top_share=in_dims(acts, dims))


@profiles.wrong("chosen by their mean absolute value")
def dims_by_absolute_value(acts, n_top):
    dims = acts[:, :, 1:].abs().mean((1, 2)).topk(n_top).indices
    return right(acts, n_top)._replace(top_share=in_dims(acts, dims))


@profiles.wrong("chosen by their variance")
def dims_by_variance(acts, n_top):
    dims = acts[:, :, 1:].flatten(1, 2).std(1).topk(n_top).indices
    return right(acts, n_top)._replace(top_share=in_dims(acts, dims))


@profiles.wrong("these are the smallest dimensions")
def smallest(acts, n_top):
    ordered = mean_square(acts).sort(dim=-1).values
    return right(acts, n_top)._replace(top_share=ordered[:, :n_top].sum(1) / ordered.sum(1))


@profiles.wrong("the first n_top dimensions, not the largest")
def first_ones(acts, n_top):
    squares = mean_square(acts)
    return right(acts, n_top)._replace(top_share=squares[:, :n_top].sum(1) / squares.sum(1))


@profiles.wrong("the one largest dimension")
def one_of_them(acts, n_top):
    squares = mean_square(acts)
    return right(acts, n_top)._replace(top_share=squares.amax(-1) / squares.sum(-1))


@profiles.wrong("the mean of the n_top largest")
def mean_of_them(acts, n_top):
    squares = mean_square(acts)
    return right(acts, n_top)._replace(top_share=squares.topk(n_top).values.mean(-1) / squares.sum(-1))


@profiles.wrong("not yet a share")
def no_share(acts, n_top):
    return right(acts, n_top)._replace(top_share=mean_square(acts).topk(n_top).values.sum(-1))


@profiles.wrong("the square of the mean norm")
def share_of_the_mean_norm(acts, n_top):
    found = right(acts, n_top)
    return found._replace(top_share=mean_square(acts).topk(n_top).values.sum(-1) / found.norm**2)


@profiles.wrong("what the others carry")
def the_others(acts, n_top):
    found = right(acts, n_top)
    return found._replace(top_share=1 - found.top_share)


@profiles.wrong("the mean of each activation's own share")
def mean_of_shares(acts, n_top):
    squares = acts[:, :, 1:].square()
    large = torch.zeros(len(acts), acts.shape[-1]).scatter(1, mean_square(acts).topk(n_top).indices, 1.0)
    shares = torch.einsum("lrpd,ld->lrp", squares, large) / squares.sum(-1)
    return right(acts, n_top)._replace(top_share=shares.mean((1, 2)))


@profiles.wrong("chosen anew for each activation")
def dims_of_each_activation(acts, n_top):
    squares = acts[:, :, 1:].square()
    top = squares.topk(n_top, dim=-1).values.sum(-1).mean((1, 2))
    return right(acts, n_top)._replace(top_share=top / squares.sum(-1).mean((1, 2)))


# Of all three.


@profiles.wrong("topk, max, min and sort give values and indices")
def no_values(acts, n_top):
    return mean_square(acts).topk(n_top, dim=-1).sum(dim=-1)


@profiles.wrong("this axis has fewer than n_top entries")
def topk_of_rows(acts, n_top):
    return acts[:, :1, 1:].square().mean((2, 3)).topk(n_top + 1)


@profiles.wrong("an axis is gone already")
def norm_of_the_whole_tensor(acts, n_top):
    return acts[:, :, 1:].norm().mean(dim=(1, 2))


@profiles.wrong("an axis is left over")
def one_mean_too_few(acts, n_top):
    norms = acts.norm(dim=-1)
    return norms[:, :, 1:].mean(2) / norms[:, :, 1:].mean((1, 2))


@profiles.wrong(r"there is an axis too many|expected \[layer\]")
def by_row(acts, n_top):
    return right(acts, n_top)._replace(norm=acts[:, :, 1:].norm(dim=-1).mean(2))


@profiles.wrong("there is an axis too many")
def axes_kept(acts, n_top):
    return Profile(*(one[:, None] for one in right(acts, n_top)))


@profiles.wrong("returned a (tuple|Profile) of 2; expected 3")
def two_of_three(acts, n_top):
    return right(acts, n_top)[:2]


@profiles.wrong(r"a tensor of shape \(3, [^|]*expected Profile\(norm, first, top_share\)")
def stacked(acts, n_top):
    return torch.stack(right(acts, n_top))


@profiles.wrong("missing brackets after")
def the_class_itself(acts, n_top):
    return Profile


@profiles.wrong(r"field norm of lists returned a list; expected a tensor of shape \[layer\]")
def lists(acts, n_top):
    return Profile(*(one.tolist() for one in right(acts, n_top)))


@profiles.wrong("changed its input acts")
def first_position_set_to_zero(acts, n_top):
    found = right(acts, n_top)
    acts[:, :, 0] = 0
    return found


@profiles.wrong("changed its input acts")
def squared_in_place(acts, n_top):
    norms = acts.norm(dim=-1)
    norm = norms[..., 1:].mean((1, 2))
    squares = acts[:, :, 1:].pow_(2).mean((1, 2))
    return Profile(norm, norms[..., 0].mean(1) / norm, share(squares, n_top))


@profiles.wrong("is not written yet")
def as_in_the_notebook(acts, n_top):
    raise NotImplementedError("Exercise 7.1")
