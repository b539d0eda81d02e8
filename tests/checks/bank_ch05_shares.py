"""Bank for 5.2 head_shares."""

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch05 import shares as checks

shares = Bank(checks.head_shares)


def cut(W_dec, n_heads):
    """``[d_sae head d_head]``."""
    return W_dec.unflatten(1, (n_heads, -1))


def compared(parts):
    return parts / parts.sum(dim=1, keepdim=True)


@shares.right
def unflattened(W_dec, n_heads):
    return compared(cut(W_dec, n_heads).pow(2).sum(dim=-1))


@shares.right
def norms_squared(W_dec, n_heads):
    by_head = W_dec.reshape(len(W_dec), n_heads, W_dec.shape[1] // n_heads)
    return by_head.norm(dim=2) ** 2 / W_dec.norm(dim=1, keepdim=True) ** 2


@shares.right
def unit_rows_in_chunks(W_dec, n_heads):
    return torch.stack([part.square().sum(1) for part in F.normalize(W_dec, dim=1).chunk(n_heads, dim=1)], -1)


@shares.right
def mean_squares(W_dec, n_heads):
    return F.normalize(cut(W_dec, n_heads).square().mean(-1), p=1, dim=-1)


@shares.right
def einsum_row_by_row(W_dec, n_heads):
    rows = []
    for row in W_dec:
        parts = row.view(n_heads, -1)
        rows.append(torch.einsum("hd,hd->h", parts, parts) / (row @ row))
    return torch.stack(rows)


def slip(name, message, of):
    """A function of the cut rows, ``[d_sae head d_head]``."""

    def variant(W_dec, n_heads):
        return of(cut(W_dec, n_heads))

    variant.__name__ = name
    shares.wrong(message)(variant)


def squares(parts):
    return parts.pow(2).sum(dim=-1)


slip("not_squared", "without being squared", lambda parts: compared(parts.sum(-1)))
slip("absolute_values", "absolute values", lambda parts: compared(parts.abs().sum(-1)))
slip("lengths", "shares of the lengths", lambda parts: compared(parts.norm(dim=-1)))
slip(
    "length_ratio",
    "shares don't sum to 1",
    lambda parts: parts.norm(dim=-1) / squares(parts).sum(1, True).sqrt(),
)
slip("variances", "mean was subtracted", lambda parts: compared(parts.var(dim=-1)))
slip("not_divided", "divide by each row's sum", squares)
slip("over_latents", "each latent's own shares", lambda parts: squares(parts) / squares(parts).sum(dim=0))
slip("over_everything", "over the whole matrix", lambda parts: squares(parts) / squares(parts).sum())
slip(
    "over_length",
    "divided by the row's length",
    lambda parts: squares(parts) / squares(parts).sum(1, True).sqrt(),
)
slip("over_largest", "largest part", lambda parts: squares(parts) / squares(parts).max(1, True).values)
slip("softmaxed", "softmax was taken", lambda parts: squares(parts).softmax(-1))
slip("averaged", "averaged over latents", lambda parts: compared(squares(parts)).mean(0))
slip("transposed", "axes d_sae and head are in the wrong order", lambda parts: compared(squares(parts)).T)
slip("each_entrys_share", "axis too many", lambda parts: parts**2 / (parts**2).sum((1, 2), keepdim=True))


@shares.wrong("heads were interleaved")
def d_head_first(W_dec, n_heads):
    return compared(W_dec.unflatten(1, (-1, n_heads)).pow(2).sum(dim=1))


@shares.wrong("rows are mixed up")
def heads_first(W_dec, n_heads):
    return compared(W_dec.reshape(n_heads, len(W_dec), -1).pow(2).sum(dim=-1).T)


@shares.wrong("taken as the length of a part")
def parts_of_n_heads(W_dec, n_heads):
    return compared(squares(cut(W_dec, W_dec.shape[1] // n_heads)))


@shares.wrong("changed its input W_dec")
def in_place(W_dec, n_heads):
    return compared(cut(W_dec, n_heads).square_().sum(dim=-1))
