"""Check of 3a.9 splice: the model with the reconstruction in the activation's place."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..core import exercise
from ..trial import Function, Trial
from . import tiny
from .reference import SAE, cross_entropy

Edit = Callable[[Tensor], Tensor]


def _rebuilt(sae: Any) -> Edit:
    return lambda value: sae.decode(sae.encode(value))


def _splice(model: Any, sae: Any, tokens: Tensor, hook_point: str) -> Tensor:
    return tiny.run(model, tokens, hook_point, _rebuilt(sae))


def _plain(model: Any, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(tokens)
    return logits


def _edited(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Logits with ``change(activation, reconstruction)`` in the activation's place."""

    def logits(model: Any, sae: Any, tokens: Tensor, hook_point: str) -> Tensor:
        return tiny.run(model, tokens, hook_point, lambda value: change(value, _rebuilt(sae)(value)))

    return logits


def _spliced_at(hook_point: str) -> Callable[..., Tensor]:
    return lambda model, sae, tokens, _: _splice(model, sae, tokens, hook_point)


def _last_only(value: Tensor, rebuilt: Tensor) -> Tensor:
    return torch.cat([value[:, :-1], rebuilt[:, -1:]], dim=1)


SPLICE_MISTAKES = {
    "these are the model's own logits: does the hook *return* the reconstruction?": (
        lambda model, sae, tokens, hook_point: _plain(model, tokens)
    ),
    "the reconstruction is added to the activation; it replaces it.": _edited(lambda x, y: x + y),
    "the SAE's error stands there; the reconstruction is wanted.": _edited(lambda x, y: x - y),
    "the activation is set to 0; the reconstruction is wanted.": _edited(lambda x, y: torch.zeros_like(x)),
    "only the last position is replaced; all are to be.": _edited(_last_only),
    "the reconstruction's mean over the rows stands in every row.": _edited(
        lambda x, y: y.mean(0, keepdim=True).expand_as(y)
    ),
    "the scale is undone a second time; decode does it.": (
        lambda model, sae, tokens, hook_point: tiny.run(
            model, tokens, hook_point, lambda value: _rebuilt(sae)(value) / sae.scale
        )
    ),
    "the activation was scaled before encode, which does it itself.": (
        lambda model, sae, tokens, hook_point: tiny.run(
            model, tokens, hook_point, lambda value: _rebuilt(sae)(value * sae.scale)
        )
    ),
    "topk is missing: the pre-activations were decoded; encode gives the latents.": (
        lambda model, sae, tokens, hook_point: tiny.run(
            model, tokens, hook_point, lambda value: sae.decode(sae.pre_activations(value))
        )
    ),
    'the hook point is fixed to "blocks.0.hook_mlp_out": take the one that is given.': _spliced_at(
        "blocks.0.hook_mlp_out"
    ),
    "these are probabilities; logits are wanted.": (
        lambda model, sae, tokens, hook_point: _splice(model, sae, tokens, hook_point).softmax(-1)
    ),
    "these are log-probabilities; logits are wanted.": (
        lambda model, sae, tokens, hook_point: _splice(model, sae, tokens, hook_point).log_softmax(-1)
    ),
    "this is the loss; the logits are wanted.": (
        lambda model, sae, tokens, hook_point: cross_entropy(_splice(model, sae, tokens, hook_point), tokens)
    ),
    "this is the reconstruction itself; the logits that the model makes of it are wanted.": (
        lambda model, sae, tokens, hook_point: _rebuilt(sae)(tiny.read(model, tokens, hook_point))
    ),
    "only the last position's logits; those of all positions are wanted.": (
        lambda model, sae, tokens, hook_point: _splice(model, sae, tokens, hook_point)[:, -1]
    ),
}


@exercise("3a.9", "splice", minutes=5, hints=2)
def splice(t: Trial, student: Function) -> None:
    """Logits of a tiny transformer with a TopK SAE spliced in, at three hook points; no hook left behind."""
    model: Any = None
    for case, hook_point in zip(t.cases(3), tiny.HOOK_POINTS[1:], strict=True):
        if model is None:
            model = tiny.tiny_model(case)
            before = tiny.weights(model)
        watched = tiny.Watched(student)
        sae = SAE(case, tiny.D_MODEL, 19, k=4, scale=case.number(0.4, 0.8))
        tokens = case.integers("rows 9", 0, tiny.D_VOCAB)
        arguments = {"model": model, "sae": sae, "tokens": tokens, "hook_point": hook_point}
        t.against(watched.function, arguments, _splice, axes="rows pos d_vocab", mistakes=SPLICE_MISTAKES)
        watched.require_clean(t, model, before)
