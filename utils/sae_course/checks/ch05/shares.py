"""Check of 5.2: what share of a latent's decoder row lies in each head's part of hook_z."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial

Shares = Callable[[Tensor, int], Tensor]


def _of_parts(W_dec: Tensor, n_heads: int, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """``[d_sae head]``: ``measure`` of each head's part ``[d_sae d_head]``, cut with slices."""
    d_head = W_dec.shape[1] // n_heads
    return torch.stack([measure(W_dec[:, h * d_head : (h + 1) * d_head]) for h in range(n_heads)], dim=1)


def _squared(part: Tensor) -> Tensor:
    return (part * part).sum(dim=-1)


def _length(part: Tensor) -> Tensor:
    return _squared(part).sqrt()


def _squares(W_dec: Tensor, n_heads: int) -> Tensor:
    return _of_parts(W_dec, n_heads, _squared)


def _shares(W_dec: Tensor, n_heads: int) -> Tensor:
    return _squares(W_dec, n_heads) / _squared(W_dec)[:, None]


def _with(measure: Callable[[Tensor], Tensor]) -> Shares:
    """Right but for what is summed and compared: each row's sum to 1."""

    def wrong(W_dec: Tensor, n_heads: int) -> Tensor:
        parts = _of_parts(W_dec, n_heads, measure)
        return parts / parts.sum(dim=1, keepdim=True)

    return wrong


def _over(total: Callable[[Tensor, Tensor], Tensor]) -> Shares:
    """Right but for what the squared lengths are divided by: ``total(W_dec, squares)``."""

    def wrong(W_dec: Tensor, n_heads: int) -> Tensor:
        squares = _squares(W_dec, n_heads)
        return squares / total(W_dec, squares)

    return wrong


def _interleaved(W_dec: Tensor, n_heads: int) -> Tensor:
    return torch.stack([_squared(W_dec[:, h::n_heads]) for h in range(n_heads)], dim=1)


def _mixed_rows(W_dec: Tensor, n_heads: int) -> Tensor:
    """Each latent's parts taken from all over the matrix."""
    d_head = W_dec.shape[1] // n_heads
    return _squared(W_dec.reshape(n_heads, len(W_dec), d_head)).T


def _normalised(squares: Shares) -> Shares:
    def wrong(W_dec: Tensor, n_heads: int) -> Tensor:
        found = squares(W_dec, n_heads)
        return found / found.sum(dim=1, keepdim=True)

    return wrong


MISTAKES: dict[str, Shares] = {
    "the entries were summed without being squared first.": _with(lambda part: part.sum(dim=-1)),
    "these are shares of the absolute values; square the entries.": _with(
        lambda part: part.abs().sum(dim=-1)
    ),
    "these are shares of the lengths; leave out the square root, so that they are of the squared length.": (
        _with(_length)
    ),
    "each part's length over the row's: its square is wanted, or the shares don't sum to 1.": (
        lambda W_dec, n_heads: _shares(W_dec, n_heads).sqrt()
    ),
    "each part's mean was subtracted, as for a variance; the squared length is measured from 0.": _with(
        lambda part: _squared(part - part.mean(dim=-1, keepdim=True))
    ),
    "the row is cut as if heads were interleaved: the first d_head entries are head 0's, so "
    "unflatten(1, (n_heads, -1)).": _normalised(_interleaved),
    "the rows are mixed up: reshape(n_heads, d_sae, d_head) takes parts from other latents' rows; cut "
    "each row, reshape(d_sae, n_heads, d_head).": _normalised(_mixed_rows),
    "n_heads was taken as the length of a part; it is the number of parts.": lambda W_dec, n_heads: _shares(
        W_dec, W_dec.shape[1] // n_heads
    ),
    "these are the squared lengths themselves: divide by each row's sum.": _squares,
    "divided by the sum over latents; each latent's own shares sum to 1, so sum over heads.": _over(
        lambda W_dec, squares: squares.sum(dim=0)
    ),
    "divided by the sum over the whole matrix; divide each row by its own.": _over(
        lambda W_dec, squares: squares.sum()
    ),
    "divided by the row's length; divide by its square.": _over(
        lambda W_dec, squares: _length(W_dec)[:, None]
    ),
    "divided by the largest part; divide by the sum of all.": _over(
        lambda W_dec, squares: squares.amax(dim=1, keepdim=True)
    ),
    "softmax was taken; divide by the sum.": lambda W_dec, n_heads: _squares(W_dec, n_heads).softmax(dim=1),
    "the shares were averaged over latents; each latent keeps its own.": lambda W_dec, n_heads: _shares(
        W_dec, n_heads
    ).mean(dim=0),
}


@exercise("5.2", "head_shares", minutes=4, hints=1)
def head_shares(t: Trial, student: Function) -> None:
    """Rows of very different lengths, none of them 1, most of each in one head's part."""
    for number, case in enumerate(t.cases(4, d_sae=11)):
        n_heads, d_head = ((5, 3), (3, 7), (7, 3), (3, 5))[number]
        t.against(student, _inputs(case, n_heads, d_head), _shares, axes="d_sae head", mistakes=MISTAKES)


def _inputs(case: Case, n_heads: int, d_head: int) -> dict[str, Any]:
    case.sizes |= {"head": n_heads, "d_head": d_head}
    in_head = case.uniform("d_sae head 1", 0.2, 1.0)
    strongest = case.integers("d_sae", 0, n_heads)
    in_head[torch.arange(len(in_head), device=case.device), strongest] *= 3
    length = case.uniform("d_sae 1", 0.4, 3.0)
    W_dec = (case.normal("d_sae head d_head") * in_head).flatten(1)
    return {"W_dec": length * W_dec, "n_heads": n_heads}
