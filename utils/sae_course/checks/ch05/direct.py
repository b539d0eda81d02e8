"""Check of 5.9: what each head and source token adds to a latent's pre-activation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial

Attribution = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of ``pattern [head from]``, ``values [from head d_head]`` and ``direction [d_in]``."""


def _cut(direction: Tensor, values: Tensor) -> Tensor:
    """The direction as ``[head d_head]``, cut with slices."""
    d_head = values.shape[2]
    return torch.stack([direction[h * d_head : (h + 1) * d_head] for h in range(values.shape[1])])


def _dots(values: Tensor, by_head: Tensor) -> Tensor:
    """Each value's dot product with its head's part, ``[head from]``."""
    return torch.stack([values[:, h] @ by_head[h] for h in range(len(by_head))])


def _direct(pattern: Tensor, values: Tensor, direction: Tensor) -> Tensor:
    return pattern * _dots(values, _cut(direction, values))


def _reading(change: Callable[[Tensor], Tensor]) -> Attribution:
    """Right but for the direction ``[head d_head]``, which is changed after it is cut."""
    return lambda pattern, values, direction: pattern * _dots(values, change(_cut(direction, values)))


def _weighted(weights: Callable[[Tensor], Tensor]) -> Attribution:
    """Right but for the pattern."""
    return lambda pattern, values, direction: _direct(weights(pattern), values, direction)


def _then(change: Callable[[Tensor], Tensor]) -> Attribution:
    """Right, with something more done to the terms."""
    return lambda pattern, values, direction: change(_direct(pattern, values, direction))


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def _interleaved(pattern: Tensor, values: Tensor, direction: Tensor) -> Tensor:
    return pattern * _dots(values, direction.reshape(values.shape[2], values.shape[1]).T)


def _mixed_values(pattern: Tensor, values: Tensor, direction: Tensor) -> Tensor:
    """``[from head d_head]`` read as ``[head from d_head]``."""
    positions, n_heads, d_head = values.shape
    return _direct(pattern, values.reshape(n_heads, positions, d_head).transpose(0, 1), direction)


def _every_head(pattern: Tensor, values: Tensor, direction: Tensor) -> Tensor:
    return pattern * _dots(values, _cut(direction, values)).sum(dim=0)


MISTAKES: dict[str, Attribution] = {
    "the pattern is not used: a token counts as much as the head looks at it.": _weighted(torch.ones_like),
    "softmax was taken of the pattern, which is one already: its rows sum to 1.": _weighted(
        lambda pattern: pattern.softmax(dim=-1)
    ),
    "the attention comes in twice.": _weighted(torch.square),
    "the direction is cut as if heads were interleaved: its first d_head entries are head 0's, so "
    "unflatten(0, (n_heads, -1)).": _interleaved,
    "the values are mixed up: they are [from head d_head], and a reshape doesn't swap axes; transpose "
    "does.": _mixed_values,
    "the dot products were summed over heads before the pattern came in: each head's value has its own "
    "part of the direction, and its own weight.": _every_head,
    "every head was given the sum of the direction's parts; each has its own part.": _reading(
        lambda by_head: by_head.sum(dim=0).expand_as(by_head)
    ),
    "every head was given head 0's part of the direction; each has its own part.": _reading(
        lambda by_head: by_head[:1].expand_as(by_head)
    ),
    "the direction was brought to length 1; take it as it is.": _reading(
        lambda by_head: by_head / by_head.norm()
    ),
    "each head's part of the direction was brought to length 1; take it as it is.": _reading(_unit),
    "the values were brought to length 1, as in a cosine; take the dot product.": (
        lambda pattern, values, direction: _direct(pattern, _unit(values), direction)
    ),
    "this is the mean over d_head; a dot product is the sum.": lambda pattern, values, direction: (
        _direct(pattern, values, direction) / values.shape[2]
    ),
    "this is each value's length; take its dot product with the direction.": (
        lambda pattern, values, direction: pattern * values.norm(dim=-1).T
    ),
    "this is [from head]: transpose it.": _then(lambda terms: terms.T),
    "the terms were summed over source tokens; leave them apart.": _then(lambda terms: terms.sum(dim=1)),
    "the terms were summed over heads; leave them apart.": _then(lambda terms: terms.sum(dim=0)),
    "these are shares of the sum; give the terms themselves.": _then(lambda terms: terms / terms.sum()),
    "negative terms are 0 here; a token can hold a latent back, too.": _then(torch.relu),
}


@exercise("5.9", "direct_attribution", minutes=6, hints=1)
def direct_attribution(t: Trial, student: Function) -> None:
    """The terms for random values and directions; heads, their size and the tokens differ in number."""
    for number, case in enumerate(t.cases(4)):
        heads, d_head, tokens = ((3, 5, 7), (5, 3, 11), (7, 3, 5), (3, 7, 5))[number]
        case.sizes |= {"head": heads, "d_head": d_head, "from": tokens}
        t.against(student, _inputs(case), _direct, axes="head from", mistakes=MISTAKES)


def _inputs(case: Case) -> dict[str, Any]:
    return {
        "pattern": case.normal("head from", scale=1.5).softmax(dim=-1),
        "values": case.normal("from head d_head"),
        "direction": case.normal("head d_head").flatten(),
    }
