"""Checks of 3a.1 next_token_log_probs and 3a.2 harvest: the model's predictions, and its activations."""

import math
from typing import Any

import torch
from torch import Tensor

from ..core import exercise
from ..trial import Function, Trial
from . import reference, tiny


def _log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """What each position gave to ``tokens``, of the same length."""
    return logits.log_softmax(-1).gather(-1, tokens[..., None]).squeeze(-1)


LOG_PROB_MISTAKES = {
    "position p's logits are read at token p, which the model was given: they are about token p + 1.": (
        lambda logits, tokens: _log_probs(logits[:, :-1], tokens[:, :-1])
    ),
    "nothing is shifted, and there is one answer too many: logits[:, :-1] go with tokens[:, 1:].": _log_probs,
    "shifted the wrong way: logits[:, :-1] go with tokens[:, 1:].": (
        lambda logits, tokens: _log_probs(logits[:, 1:], tokens[:, :-1])
    ),
    "both are shifted: logits[:, :-1] go with tokens[:, 1:].": (
        lambda logits, tokens: _log_probs(logits[:, 1:], tokens[:, 1:])
    ),
    "the last position's answer is still there; nothing comes after it, leave it out.": (
        lambda logits, tokens: _log_probs(logits, tokens.roll(-1, 1))
    ),
    "these are probabilities: their logarithm is missing.": (
        lambda logits, tokens: reference.next_token_log_probs(logits, tokens).exp()
    ),
    "these are the logits themselves: log_softmax is missing.": (
        lambda logits, tokens: logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ),
    "logarithms to base 2; natural ones are wanted.": (
        lambda logits, tokens: reference.next_token_log_probs(logits, tokens) / math.log(2)
    ),
    "logarithms to base 10; natural ones are wanted.": (
        lambda logits, tokens: reference.next_token_log_probs(logits, tokens) / math.log(10)
    ),
    "softmax goes over the positions; over the vocabulary, dim=-1.": (
        lambda logits, tokens: logits.log_softmax(1)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ),
    "softmax goes over the positions but the last; over the vocabulary, dim=-1.": (
        lambda logits, tokens: logits[:, :-1].log_softmax(1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ),
    "softmax goes over the rows; over the vocabulary, dim=-1.": (
        lambda logits, tokens: logits.log_softmax(0)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ),
    "the largest log-probability of each position; that of the token that came is wanted.": (
        lambda logits, tokens: logits[:, :-1].log_softmax(-1).amax(-1)
    ),
    "the sign is the wrong way round: a log-probability is below 0 (its negative is the loss).": (
        lambda logits, tokens: -reference.next_token_log_probs(logits, tokens)
    ),
    "the mean was taken; one number for each prediction is wanted.": (
        lambda logits, tokens: reference.next_token_log_probs(logits, tokens).mean()
    ),
    "this is the cross-entropy, one number; each token's log-probability is wanted.": reference.cross_entropy,
}


@exercise("3a.1", "next_token_log_probs", minutes=3, hints=1)
def next_token_log_probs(t: Trial, student: Function) -> None:
    """Log-probabilities that random logits give to random next tokens."""
    for case in t.cases(6):
        arguments = {
            "logits": case.normal("rows pos d_vocab", scale=2.0),
            "tokens": case.integers("rows pos", 0, case.size("d_vocab")),
        }
        t.against(
            student,
            arguments,
            reference.next_token_log_probs,
            axes="rows pos-1",
            mistakes=LOG_PROB_MISTAKES,
        )


def _harvest(model: Any, tokens: Tensor, hook_point: str) -> Tensor:
    return tiny.read(model, tokens, hook_point).flatten(0, 1)


def _elsewhere(where: str) -> Any:
    return lambda model, tokens, hook_point: _harvest(model, tokens, where)


def _other_layer(hook_point: str) -> str:
    old, new = ("blocks.0", "blocks.1") if "blocks.0" in hook_point else ("blocks.1", "blocks.0")
    return hook_point.replace(old, new)


def _logits(model: Any, tokens: Tensor, hook_point: str) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(tokens)
    return logits.flatten(0, 1)


HARVEST_MISTAKES = {
    'the hook point is fixed to "blocks.0.hook_mlp_out": take the one that is given.': _elsewhere(
        "blocks.0.hook_mlp_out"
    ),
    "this is the residual stream at the end of the model, whatever the hook point.": _elsewhere(
        "blocks.1.hook_resid_post"
    ),
    "this is the same place in the other layer: the hook point names the layer.": (
        lambda model, tokens, hook_point: _harvest(model, tokens, _other_layer(hook_point))
    ),
    "these are the logits: the activation stands in the cache, cache[hook_point].": _logits,
    "rows and positions are not joined: flatten the first two axes.": tiny.read,
    "flattened the wrong way round: first all positions of row 0, then those of row 1.": (
        lambda model, tokens, hook_point: tiny.read(model, tokens, hook_point).transpose(0, 1).flatten(0, 1)
    ),
    "a position and its d_in are joined (flatten(1)): rows and positions are to be, flatten(0, 1).": (
        lambda model, tokens, hook_point: tiny.read(model, tokens, hook_point).flatten(1)
    ),
    "d_in and the tokens are mixed up: reshape(-1, d_in), or flatten(0, 1), without a transpose.": (
        lambda model, tokens, hook_point: (
            tiny.read(model, tokens, hook_point).transpose(1, 2).reshape(-1, tiny.D_MODEL)
        )
    ),
    "the first position of each row is left out; all tokens are wanted.": (
        lambda model, tokens, hook_point: tiny.read(model, tokens, hook_point)[:, 1:].flatten(0, 1)
    ),
    "only the last position of each row; all tokens are wanted.": (
        lambda model, tokens, hook_point: tiny.read(model, tokens, hook_point)[:, -1]
    ),
    "the mean over each row's positions was taken; every token's activation is wanted.": (
        lambda model, tokens, hook_point: tiny.read(model, tokens, hook_point).mean(1)
    ),
    "only row 0; all rows are wanted.": (
        lambda model, tokens, hook_point: tiny.read(model, tokens, hook_point)[0]
    ),
}


@exercise("3a.2", "harvest", minutes=4, hints=2)
def harvest(t: Trial, student: Function) -> None:
    """Activations of a tiny transformer at four hook points, rows one after another, without gradient."""
    model: Any = None
    for case, hook_point in zip(t.cases(len(tiny.HOOK_POINTS)), tiny.HOOK_POINTS, strict=True):
        if model is None:
            model = tiny.tiny_model(case)
            before = tiny.weights(model)
        watched = tiny.Watched(student)
        result = t.against(
            watched.function,
            {
                "model": model,
                "tokens": case.integers("rows pos", 0, tiny.D_VOCAB)[:, : tiny.N_CTX],
                "hook_point": hook_point,
            },
            _harvest,
            axes="rows*pos d_in",
            mistakes=HARVEST_MISTAKES,
        )
        t.require(
            not result.requires_grad,
            "the activations still hang on the model's computation (requires_grad is True): a buffer full of "
            "them keeps the whole graph in memory.",
            kind="gradient",
            likely="`with torch.no_grad():` around the forward pass, or .detach().",
        )
        watched.require_clean(t, model, before)
