"""Check of 7.2 folded: a scale of the activations written into an SAE's weights."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cases import Case
from ..compare import difference
from ..core import exercise
from ..failure import CheckFailed
from ..fields import fields_of
from ..tensors import shape_difference
from ..trial import Function, Trial, name_of


class Weights(NamedTuple):
    """As in the chapter."""

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    threshold: Tensor


class Behaviour(NamedTuple):
    """What an SAE does with x, float64."""

    latents: Tensor
    """``[x d_sae]``"""
    reconstruction: Tensor
    """``[x d_in]``"""


Rule = Callable[[Weights, float, Tensor], Behaviour]
AXES = {
    "W_enc": "d_in d_sae",
    "b_enc": "d_sae",
    "W_dec": "d_sae d_in",
    "b_dec": "d_in",
    "threshold": "d_sae",
}
SAID = {"latents": "the activation of a latent", "reconstruction": "the reconstruction of x"}
"""A field of `Behaviour` in a message."""
SCALES = ((0.15, 0.4), (2.0, 5.0), (0.5, 0.7), (1.4, 1.8))
N_X = 200
MARGIN = 2e-3
"""No pre-activation is nearer to its threshold: rounding must not decide whether a latent is active."""


def _behaviour(weights: Weights, x: Tensor) -> Behaviour:
    """In float64 and on x's device, whatever the weights are."""
    W_enc, b_enc, W_dec, b_dec, threshold = (weight.detach().to(x) for weight in weights)
    before = (x - b_dec) @ W_enc + b_enc
    latents = torch.where(before > threshold, before, 0.0)
    return Behaviour(latents, latents @ W_dec + b_dec)


def _wanted(weights: Weights, scale: float, x: Tensor) -> Behaviour:
    """The SAE as it was trained, at scale·x; what it gives is divided by the scale."""
    latents, reconstruction = _behaviour(weights, scale * x)
    return Behaviour(latents, reconstruction / scale)


def _times(W_enc: int = 1, b_enc: int = 0, W_dec: int = -1, b_dec: int = -1, threshold: int = 0) -> Rule:
    """Other powers of the scale than the right ones, which are the defaults."""
    powers = (W_enc, b_enc, W_dec, b_dec, threshold)

    def wrong(weights: Weights, scale: float, x: Tensor) -> Behaviour:
        return _behaviour(Weights(*(w * scale**k for w, k in zip(weights, powers, strict=True))), x)

    return wrong


def _with_b_enc(change: Callable[[Weights, float], Tensor], b_dec: int) -> Rule:
    """Right, but for a changed b_enc, and b_dec times a power of the scale."""

    def wrong(weights: Weights, scale: float, x: Tensor) -> Behaviour:
        return _behaviour(
            Weights(
                weights.W_enc * scale,
                weights.b_enc + change(weights, scale),
                weights.W_dec / scale,
                weights.b_dec * scale**b_dec,
                weights.threshold,
            ),
            x,
        )

    return wrong


MISTAKES: dict[str, Rule] = {
    "this is the SAE as it was: it still expects scale·x, and gives scale·x back.": _times(0, 0, 0, 0, 0),
    "only W_enc is changed: the decoder still gives scale·x, and the encoder takes off b_dec of scale·x.": (
        _times(1, 0, 0, 0, 0)
    ),
    "only the decoder is changed: the encoder still expects scale·x.": _times(0, 0, -1, -1, 0),
    "only W_dec is changed: the encoder still expects scale·x, and b_dec belongs to scale·x.": (
        _times(0, 0, -1, 0, 0)
    ),
    "b_dec is as it was; but now it is taken off x, and added to the reconstruction of x.": (_times(b_dec=0)),
    "W_dec is as it was: what the latents write is still a part of scale·x.": _times(W_dec=0),
    "b_dec is multiplied by the scale: s·x − b_dec = s·(x − ?).": _times(b_dec=1),
    "W_enc is divided by the scale: x comes in where scale·x was expected.": _times(W_enc=-1),
    "W_dec is multiplied by the scale: scale·x came out, x is wanted.": _times(W_dec=1),
    "the decoder is multiplied by the scale: scale·x came out, x is wanted.": _times(W_dec=1, b_dec=1),
    "this is the wrong way round: the SAE of x as one of scale·x.": _times(-1, 0, 1, 1, 0),
    "b_enc is multiplied by the scale: it is added after the product, which is already as it was.": (
        _times(b_enc=1)
    ),
    "b_enc is divided by the scale: it is added after the product, which is already as it was.": (
        _times(b_enc=-1)
    ),
    "the threshold is multiplied by the scale: if the pre-activations are as they were, so is it.": _times(
        threshold=1
    ),
    "the threshold is divided by the scale: if the pre-activations are as they were, so is it.": _times(
        threshold=-1
    ),
    "b_enc and the threshold are multiplied by the scale, too: what do they have to do with x?": _times(
        b_enc=1, threshold=1
    ),
    "x is reconstructed, but the latents' activations have changed: they are divided by the scale. "
    "They are to stay: let W_enc and W_dec change instead of b_enc and the threshold.": (
        _times(0, -1, 0, -1, -1)
    ),
    "x is reconstructed, but the latents' activations have changed: they are multiplied by the scale. "
    "They are to stay.": _times(2, 1, -2, -1, 1),
    "all five are multiplied by the scale: go through them one by one.": _times(1, 1, 1, 1, 1),
    "all five are divided by the scale: go through them one by one.": _times(-1, -1, -1, -1, -1),
    "b_dec is taken off twice: as the SAE itself takes off b_dec, b_enc need not.": _with_b_enc(
        lambda weights, _: -(weights.b_dec @ weights.W_enc), b_dec=-1
    ),
    "b_enc makes up for b_dec in the encoder, and the latents are right; but the decoder adds b_dec, too.": (
        _with_b_enc(lambda weights, scale: (scale - 1) * (weights.b_dec @ weights.W_enc), b_dec=0)
    ),
}
RAISED = {
    "can't set attribute": (
        "a NamedTuple's fields can't be set: return a new Weights(...), or weights._replace(W_enc=...)."
    ),
    "does not support item assignment": (
        "a NamedTuple can't be changed: return a new Weights(...), or weights._replace(W_enc=...)."
    ),
    "multiply sequence by non-int": "this multiplies the tuple; multiply the tensors in it, one by one.",
    "unsupported operand type(s)": "this divides the tuple, not a tensor in it: weights.W_dec / scale.",
}
"""What Python says when it can't go on -> what is meant."""


@exercise("7.2", "folded", minutes=8, hints=2)
def folded(t: Trial, student: Function) -> None:
    """The returned SAE is run on x, the one it was made of on scale·x: what they do is compared."""
    name = name_of(student)
    for number, case in enumerate(t.cases(len(SCALES))):
        weights, scale, x = _inputs(case, number)
        result = _called(t, student, weights, scale)
        found = _weights(result, weights, name)
        try:
            t.against(
                lambda *_, seen=found, x=x: _behaviour(seen, x),
                {"weights": weights, "scale": scale, "x": x},
                _wanted,
                axes={"latents": "x latent", "reconstruction": "x d_in"},
                mistakes=MISTAKES,
                what=name,
            )
        except CheckFailed as failure:
            for field, said in SAID.items():
                failure.problem = failure.problem.replace(
                    f"field {field} of {name} gives", f"With the weights of {name}, {said} is"
                )
            failure.likely = _where(found, weights, scale)
            raise


def _called(t: Trial, student: Function, weights: Weights, scale: float) -> Any:
    """The learner's result; what is special about a NamedTuple is said of errors, and of changed inputs."""
    try:
        return t.call(student, {"weights": weights, "scale": scale})
    except CheckFailed as failure:
        if failure.kind == "raised":
            said = (likely for words, likely in RAISED.items() if words in failure.problem)
            failure.likely = next(said, failure.likely)
        if failure.kind == "changed input":
            for i, field in enumerate(Weights._fields):
                failure.problem = failure.problem.replace(f"weights[{i}]", f"weights.{field}")
        raise


def _weights(result: Any, weights: Weights, name: str) -> Weights:
    """By name where there are names; a plain tuple's by position. Five tensors of the right shapes.

    Raises:
        CheckFailed: for anything else.
    """
    fields = Weights._fields
    found = fields_of(result, weights, fields, name, "Weights")
    for value, right, field in zip(found, weights, fields, strict=True):
        what = f"field {field} of {name}"
        if not isinstance(value, Tensor) and (failure := difference(value, right, what, AXES[field])):
            raise failure
        if failure := shape_difference(value, right.shape, what, AXES[field]):
            raise failure
    return Weights(*found)


def _where(found: Weights, weights: Weights, scale: float) -> str:
    """Which weights to look at, for a slip that has no sentence of its own: the right ones are unique."""
    right = weights._replace(
        W_enc=weights.W_enc * scale, W_dec=weights.W_dec / scale, b_dec=weights.b_dec / scale
    )
    wrong = [
        field
        for field, seen, wanted in zip(Weights._fields, found, right, strict=True)
        if not torch.allclose(seen.detach().to(wanted), wanted, rtol=1e-4, atol=1e-6)
    ]
    if not wrong or len(wrong) == len(Weights._fields):
        return ""
    return f"look at {' and '.join(wrong)} again; the others are right."


def _inputs(case: Case, number: int) -> tuple[Weights, float, Tensor]:
    """An SAE of scale·x, with no weight zero; the scale; x, at which each latent is now and then active."""
    case.sizes |= {"x": N_X}
    d_in = case.size("d_in")
    weights = Weights(
        W_enc=case.normal("d_in d_sae", scale=d_in**-0.5),
        b_enc=case.normal("d_sae", scale=0.4),
        W_dec=case.normal("d_sae d_in", scale=0.7),
        b_dec=case.normal("d_in", scale=1.0),
        threshold=case.uniform("d_sae", 0.2, 0.8),
    )
    scale = case.number(*SCALES[number])
    x = (case.normal("x d_in") + weights.b_dec).double() / scale
    before = (scale * x - weights.b_dec) @ weights.W_enc.double() + weights.b_enc
    return weights, scale, x[((before - weights.threshold).abs() > MARGIN).all(dim=-1)]
