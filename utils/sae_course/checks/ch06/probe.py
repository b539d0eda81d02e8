"""Check of 6.2 probe_loss: the cross-entropy of a linear probe of a whole board."""

import math
import re
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
CLASSES = {0: 0, 1: 1, -1: 2}
"""What stands on a square -> its class."""
SIZES = (
    {"n": 7, "d_in": 5, "square": 11},
    {"n": 13, "d_in": 11, "square": 5},
    {"n": 5, "d_in": 7, "square": 17},
    {"n": 11, "d_in": 13, "square": 7},
)


def _loss(weight: Tensor, bias: Tensor, x: Tensor, board: Tensor) -> Tensor:
    """Square by square and class by class: the logarithm of a sum, less the right logit."""
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for square in range(board.shape[1]):
        logits = (x @ weight[:, square] + bias[square]).double()
        for value, place in CLASSES.items():
            there = logits[board[:, square] == value]
            total = total + (there.exp().sum(dim=1).log() - there[:, place]).sum()
    return (total / board.numel()).float()


def _logits(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """``[n square 3]``"""
    return torch.tensordot(x, weight, dims=1) + bias


def _classes(board: Tensor) -> Tensor:
    """``[n square]``"""
    return torch.where(board < 0, 2, board.long())


def _entries(logits: Tensor, classes: Tensor) -> Tensor:
    """The cross-entropy of each token and square, ``[n square]``."""
    return logits.logsumexp(dim=-1) - _right(logits, classes)


def _right(values: Tensor, classes: Tensor) -> Tensor:
    """Of three values, that of the right class."""
    return values.gather(-1, classes[..., None])[..., 0]


def _of(rule: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """A slip in what is made of the right logits and classes."""
    return lambda weight, bias, x, board: rule(_logits(weight, bias, x), _classes(board))


def _taking(reduce: Callable[[Tensor], Tensor]) -> Rule:
    """Another reduction of the right entries."""
    return _of(lambda logits, classes: reduce(_entries(logits, classes)))


def _from(probabilities: Callable[[Tensor], Tensor]) -> Rule:
    """Other probabilities: those of ``softmax(dim=1)``, say."""
    return _of(lambda logits, classes: -_right(probabilities(logits), classes).log().mean())


def _with(classes: Callable[[Tensor], Tensor]) -> Rule:
    """Right, for other classes."""
    return lambda weight, bias, x, board: _entries(_logits(weight, bias, x), classes(board.long())).mean()


def _likelihood(logits: Tensor, classes: Tensor) -> Tensor:
    return _right(logits.softmax(dim=-1), classes)


def _one_hot(classes: Tensor) -> Tensor:
    return F.one_hot(classes, 3).float()


def _carrying(logits: Tensor, classes: Tensor) -> Tensor:
    """0, with the gradient of minus the right logits."""
    right = _right(logits, classes).mean()
    return right.detach() - right


def _reshaped(logits: Tensor, classes: Tensor) -> Tensor:
    """The three classes taken from three stretches of each token's numbers."""
    n, squares, _ = logits.shape
    return _entries(logits.reshape(n, 3, squares).transpose(1, 2), classes).mean()


def _other_order(logits: Tensor, classes: Tensor) -> Tensor:
    """The logits token by token, the classes square by square."""
    return _entries(logits, classes.T.reshape(classes.shape)).mean()


def _no_bias(weight: Tensor, bias: Tensor, x: Tensor, board: Tensor) -> Tensor:
    return _entries(_logits(weight, torch.zeros_like(bias), x), _classes(board)).mean()


MISTAKES: dict[str, Rule] = {
    "this is summed over tokens and squares; average over both.": _taking(torch.sum),
    "this is summed over squares; average over them, too.": _taking(lambda entries: entries.sum(1).mean()),
    "this is summed over tokens; average over them, too.": _taking(lambda entries: entries.sum(0).mean()),
    "this is averaged over the three classes, too, which makes it a third: only the right class counts.": (
        _taking(lambda entries: entries.mean() / 3)
    ),
    "the sign is turned: the loss is minus the mean log-probability.": _taking(
        lambda entries: -entries.mean()
    ),
    "mine and theirs are swapped: +1 is class 1, −1 is class 2.": _with(lambda board: (-board) % 3),
    "the classes are board + 1, so that theirs is 0 and empty 1; 0 is empty, 1 mine, 2 theirs.": _with(
        lambda board: board + 1
    ),
    "theirs counts as mine here (abs): −1 is class 2.": _with(torch.abs),
    "theirs counts as empty here: −1 is class 2. (Clamping makes 0 of −1; uint8 makes 255 of it, and 255 % 3 "
    "is 0.)": _with(lambda board: board.clamp(min=0)),
    "the bias is missing.": _no_bias,
    "the softmax was taken over squares; it goes over the three classes, the last axis of the logits.": _from(
        lambda logits: logits.softmax(dim=1)
    ),
    "the softmax was taken over tokens; it goes over the three classes, the last axis of the logits.": _from(
        lambda logits: logits.softmax(dim=0)
    ),
    "the softmax was taken over squares and classes together; each square has its own, over three classes.": (
        _from(lambda logits: logits.flatten(1).softmax(dim=1).view_as(logits))
    ),
    "softmax was taken twice: cross_entropy takes the logits themselves.": _of(
        lambda logits, classes: _entries(logits.softmax(dim=-1), classes).mean()
    ),
    "the loss is cut off from some of the logits it is made of: all of softmax has to carry gradients.": _of(
        lambda logits, classes: _entries(logits.detach(), classes).mean() + _carrying(logits, classes)
    ),
    "there is no softmax: nll_loss needs log-probabilities, cross_entropy takes the logits.": _of(
        lambda logits, classes: -_right(logits, classes).mean()
    ),
    "this is in bits (log2); nats are wanted, with the natural logarithm.": _taking(
        lambda entries: entries.mean() / math.log(2)
    ),
    "the logarithm is missing: this is minus the mean probability of the right class.": _of(
        lambda logits, classes: -_likelihood(logits, classes).mean()
    ),
    "this is 1 minus the probability of the right class; minus its logarithm is wanted.": _of(
        lambda logits, classes: 1 - _likelihood(logits, classes).mean()
    ),
    "this is the logarithm of the mean probability; average the logarithms.": _of(
        lambda logits, classes: -_likelihood(logits, classes).mean().log()
    ),
    "this is the mean squared error of the probabilities; cross-entropy is minus the logarithm of the right "
    "one.": _of(lambda logits, classes: F.mse_loss(logits.softmax(dim=-1), _one_hot(classes))),
    "this is the mean squared error of the logits; cross-entropy is wanted.": _of(
        lambda logits, classes: F.mse_loss(logits, _one_hot(classes))
    ),
    "each class is judged by itself here (binary cross-entropy); a square is one of three: softmax, "
    "cross_entropy.": _of(
        lambda logits, classes: F.binary_cross_entropy_with_logits(logits, _one_hot(classes))
    ),
    "empty squares are left out; the average goes over all squares.": _of(
        lambda logits, classes: _entries(logits, classes)[classes > 0].mean()
    ),
    "reshape mixes squares and classes; to move an axis, transpose(1, 2).": _of(_reshaped),
    "logits and classes no longer belong together: one is flattened token by token, the other square by "
    "square.": _of(_other_order),
}
RAISED = {
    r"\b64\b": "the boards of this case don't have 64 squares: take their number from weight.shape[1].",
    r"-1 is out of bounds|must be non-negative": "−1 is no class: theirs has to become 2.",
    r"dtype|LongTensor|must be long|scalar type": "torch wants classes as int64: board.long().",
    r"target size|batch_size": (
        "cross_entropy wants logits [·, 3] and classes [·]: flatten tokens and squares together in both."
    ),
    r"batch2|mat1|size of tensor": (
        "the product takes the wrong axes. In an einsum d_in is summed over; n, square and class stay."
    ),
}
"""What torch says when it can't go on -> what is meant."""


@exercise("6.2", "probe_loss", minutes=6, hints=1)
def probe_loss(t: Trial, student: Function) -> None:
    """Values, and gradients of weight and bias, on boards of several sizes with uneven classes."""
    for number, case in enumerate(t.cases(len(SIZES))):
        case.sizes |= SIZES[number]
        try:
            t.against(
                student, _inputs(case), _loss, mistakes=MISTAKES, wrt=["weight", "bias"], any_dtype=True
            )
        except CheckFailed as failure:
            if failure.kind == "raised":
                said = (likely for words, likely in RAISED.items() if re.search(words, failure.problem))
                failure.likely = next(said, "")
            raise


def _inputs(case: Case) -> dict[str, Any]:
    kind = case.uniform("n square", 0.0, 1.0)
    board = torch.where(kind < 0.5, 0, torch.where(kind < 0.8, 1, -1))
    return {
        "weight": case.normal("d_in square 3", scale=0.4, grad=True),
        "bias": case.normal("square 3", grad=True),
        "x": case.normal("n d_in"),
        "board": board.to(torch.int8),
    }
