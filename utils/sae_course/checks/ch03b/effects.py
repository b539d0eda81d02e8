"""Check of 3b.6: the model's logits when one latent is made stronger or weaker, and nothing else."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..mistakes import Guesses
from ..subjects import no_hooks_left
from ..trial import Function, Trial
from .subject import HOOK_POINTS, KINDS, tiny_model, tiny_sae

Edit = Callable[[Tensor, Any, int, float], Tensor]
"""The new activation, from the old one, the SAE, the latent and the factor."""


def _times(a: Tensor, latent: int, factor: float) -> Tensor:
    """``a`` with one latent multiplied."""
    changed = a.clone()
    changed[..., latent] *= factor
    return changed


def _edit(x: Tensor, sae: Any, latent: int, factor: float) -> Tensor:
    a = sae.encode(x)
    return x + sae.decode(_times(a, latent, factor)) - sae.decode(a)


def _as(change: Callable[[Tensor, int, float], Tensor]) -> Edit:
    """Right but for what happens to the latent activations."""

    def edit(x: Tensor, sae: Any, latent: int, factor: float) -> Tensor:
        a = sae.encode(x)
        return x + sae.decode(change(a.clone(), latent, factor)) - sae.decode(a)

    return edit


def _put(a: Tensor, where: Any, value: Any) -> Tensor:
    a[where] = value
    return a


def _along(direction: Callable[[Any, int], Tensor]) -> Edit:
    """(factor − 1) times the activation along a direction."""
    return lambda x, sae, latent, factor: (
        x + (factor - 1) * sae.encode(x)[..., latent, None] * direction(sae, latent)
    )


def _unit(x: Tensor) -> Tensor:
    return x / x.norm()


def _last_only(x: Tensor, sae: Any, latent: int, factor: float) -> Tensor:
    return torch.cat([x[:, :-1], _edit(x, sae, latent, factor)[:, -1:]], dim=1)


MISTAKES: dict[str, Edit] = {
    "the SAE's error is dropped: the reconstruction goes on alone, and x + (what the change adds) should.": (
        lambda x, sae, latent, factor: sae.decode(_times(sae.encode(x), latent, factor))
    ),
    "factor, where factor − 1 is wanted: the activation is in x once already.": (
        lambda x, sae, latent, factor: _edit(x, sae, latent, factor + 1)
    ),
    "factor, where factor − 1 is wanted, and b_dec comes in as well.": (
        lambda x, sae, latent, factor: (
            x + sae.decode(_times(sae.encode(x), latent, factor) - _times(sae.encode(x), latent, 0))
        )
    ),
    "the reconstruction was added to x: what the change adds is the difference of two of them.": (
        lambda x, sae, latent, factor: x + sae.decode(_times(sae.encode(x), latent, factor))
    ),
    "b_dec comes in once too often: decode adds it, so take the difference of two decodes.": (
        lambda x, sae, latent, factor: x + sae.decode(_times(sae.encode(x), latent, factor) - sae.encode(x))
    ),
    "the change is subtracted; it is to be added: decode(changed) − decode(a).": (
        lambda x, sae, latent, factor: _edit(x, sae, latent, 2 - factor)
    ),
    "every latent was multiplied: only one is, a[..., latent].": _as(lambda a, latent, factor: factor * a),
    "the whole reconstruction was multiplied; only one latent is.": lambda x, sae, latent, factor: (
        x + (factor - 1) * sae.decode(sae.encode(x))
    ),
    "all other latents were dropped: they keep their activations.": _as(
        lambda a, latent, factor: _put(torch.zeros_like(a), (..., latent), factor * a[..., latent])
    ),
    "every latent but this one was multiplied.": (
        _as(lambda a, latent, factor: _put(factor * a, (..., latent), a[..., latent]))
    ),
    "a[:, latent] is a position, not a latent: a[..., latent].": (
        _as(lambda a, latent, factor: _put(a, (slice(None), latent), factor * a[:, latent]))
    ),
    "the latent was set to factor; it is to be multiplied by it.": (
        _as(lambda a, latent, factor: _put(a, (..., latent), factor))
    ),
    "factor was added to the latent; the latent is to be multiplied by it.": (
        _as(lambda a, latent, factor: _put(a, (..., latent), a[..., latent] + factor))
    ),
    "W_dec[latent] is not what decode adds for this SAE, which divides each row by its norm: take the "
    "difference of two decodes.": (_along(lambda sae, latent: sae.W_dec[latent])),
    "the direction was brought to length 1, which decode doesn't do for every SAE: take the difference of "
    "two decodes.": (_along(lambda sae, latent: _unit(sae.W_dec[latent]))),
    "the column of W_enc, which is what the latent reads; what it adds comes from decode.": (
        _along(lambda sae, latent: sae.W_enc[:, latent])
    ),
    "x itself was multiplied, not the latent.": lambda x, sae, latent, factor: factor * x,
    "only the last position was changed: the latent changes at all of them.": _last_only,
    "these are the clean logits. Does the hook return the new activation? And a change in place "
    "(a[...] *= factor) changes every name of a: begin with a.clone().": lambda x, sae, latent, factor: x,
}
CHANGE = "this is the change of the logits; the logits themselves are wanted."
FIXED = "the hook sits at blocks.0.hook_mlp_out, whatever hook_point says."


@exercise("3b.6", "scale_latent", minutes=8, hints=2)
def scale_latent(t: Trial, student: Function) -> None:
    """One latent ablated, halved, doubled, left alone; three kinds of SAE, each with an error and biases.

    A factor of 1 gives the clean logits. No hook stays on the model, or the SAE.
    """
    for number, case in enumerate(t.cases(5, pos=17, d_sae=13, d_vocab=11)):
        factor = (case.number(2.5, 3.5), 0, 1, case.number(0.3, 0.7), 2.0)[number]
        arguments = _subject(case, KINDS[number % 3], HOOK_POINTS[number % len(HOOK_POINTS)]) | {
            "factor": factor
        }
        t.against(
            student,
            arguments,
            _logits(arguments, [_edit])[0],
            axes="rows pos d_vocab",
            mistakes=Guesses([*MISTAKES, CHANGE, FIXED], partial(_guesses, arguments)),
        )
        if number < 2:
            _leaves_no_hook(t, student, arguments)


def _subject(case: Case, kind: str, hook_point: str) -> dict[str, Any]:
    case.sizes |= {"rows": 3, "d_in": 7}
    model, sae = tiny_model(case), tiny_sae(case, kind)
    tokens = case.integers("rows pos", 0, case.size("d_vocab"))
    with torch.no_grad():
        fires = (sae.encode(_activations(model, tokens, hook_point)) > 0).flatten(0, 1).float().mean(0)
    # One that fires on most tokens, and not on all where there is one.
    latent = int(torch.where(fires < 1, fires, fires - 1).argmax())
    return {"model": model, "sae": sae, "tokens": tokens, "hook_point": hook_point, "latent": latent}


def _activations(model: Any, tokens: Tensor, hook_point: str) -> Tensor:
    return model.run_with_cache(tokens, names_filter=hook_point)[1][hook_point]


@torch.no_grad()
def _logits(arguments: dict[str, Any], edits: Iterable[Edit], hook_point: str = "") -> list[Tensor]:
    """The logits ``[rows pos d_vocab]`` when each of the edits is made, at the hook point or another."""
    model, sae, tokens, asked, latent, factor = arguments.values()
    x = _activations(model, tokens, hook_point or asked)
    new = [edit(x, sae, latent, factor) for edit in edits]

    def hook(value: Tensor, hook: Any) -> Tensor:
        return torch.cat(new)

    many = tokens.repeat(len(new), 1)
    logits = model.run_with_hooks(many, return_type="logits", fwd_hooks=[(hook_point or asked, hook)])
    return list(logits.split(len(tokens)))


def _guesses(arguments: dict[str, Any]) -> dict[str, Tensor]:
    right, clean, *wrong = _logits(arguments, [_edit, lambda x, *_: x, *MISTAKES.values()])
    elsewhere = _logits(arguments, [_edit], "blocks.0.hook_mlp_out")[0]
    return {**dict(zip(MISTAKES, wrong, strict=True)), CHANGE: right - clean, FIXED: elsewhere}


def _leaves_no_hook(t: Trial, student: Function, arguments: dict[str, Any]) -> None:
    model, sae = arguments["model"], arguments["sae"]
    t.call(student, arguments)
    no_hooks_left(t, "scale_latent", {"model": model, "sae": sae})
    t.require(
        not sae.use_error_term,
        "after scale_latent, sae.use_error_term is True: it was False before.",
        kind="hooks",
        likely="set it back at the end, with try and finally.",
    )
