"""Check of 5.6: the target's latents when one source latent is 0 everywhere, and nothing else changes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...evals.sites import Site
from ..core import exercise
from ..mistakes import Guesses
from ..trial import Function, Trial
from .subject import KINDS, SIZES, Before, before, half_firing, leaves_no_trace, tiny_arguments, without

Edit = Callable[[Tensor, Site, int], Tensor]
"""The z that goes on, from the z that is there, the source and its latent."""


def _as(change: Callable[[Tensor, int], Tensor]) -> Edit:
    """Right but for what happens to the latent activations; ``change`` has a copy of its own."""

    def edit(z: Tensor, source: Site, latent: int) -> Tensor:
        a = source.sae.encode(z)
        return z + source.sae.decode(change(a.clone(), latent)) - source.sae.decode(a)

    return edit


def _zero(a: Tensor, where: Any) -> Tensor:
    a[where] = 0
    return a


def _changed(z: Tensor, source: Site, latent: int) -> Tensor:
    return source.sae.decode(_zero(source.sae.encode(z), (..., latent)))


def _only(z: Tensor, source: Site, latent: int) -> Tensor:
    """The reconstruction from one latent alone."""
    a = source.sae.encode(z)
    return source.sae.decode(a - _zero(a.clone(), (..., latent)))


MISTAKES: dict[str, Edit] = {
    "the SAE's error is dropped: decode(changed) went on alone; z + decode(changed) − decode(a) keeps it.": (
        _changed
    ),
    "the reconstruction was added to z: what the ablation adds is the difference of two of them.": (
        lambda z, source, latent: z + _changed(z, source, latent)
    ),
    "the latent was added once more, not taken away: the sign is the wrong way round.": (
        lambda z, source, latent: 2 * z - without(source, z, latent)
    ),
    "b_dec was taken away with the latent: decode adds it, so take the difference of two decodes.": (
        lambda z, source, latent: z - _only(z, source, latent)
    ),
    "every latent was ablated: only one is, a[..., latent].": _as(lambda a, latent: 0 * a),
    "all other latents were ablated, and this one kept.": (
        lambda z, source, latent: z + _only(z, source, latent) - source.sae.decode(source.sae.encode(z))
    ),
    "a[:, latent] is a position, not a latent: a[..., latent].": (
        _as(lambda a, latent: _zero(a, (slice(None), latent)))
    ),
    "only the last position was ablated: the latent is to be 0 at every token.": (
        _as(lambda a, latent: _zero(a, (slice(None), -1, latent)))
    ),
}
CLEAN = (
    "this is what the target does without any ablation. Does the source's hook return the new z? And a "
    "change in place (a[..., latent] = 0) changes every name of a: begin with a.clone()."
)
CHANGE = "this is the change of the target's latents; their activations are wanted, with the latent ablated."
NOT_ENCODED = "the target's z; its latents are wanted: target.sae.encode(z)."
SOURCES = "these are the source's latents: ablate at the source, and read at the target."
WRONG_READER = "the source's SAE has read the target's z: target.sae.encode(z)."
WRONG_WRITER = "the target's SAE was used at the source: the latent is one of source.sae."


@exercise("5.6", "without_latent", minutes=7, hints=1)
def without_latent(t: Trial, student: Function) -> None:
    """Three kinds of SAE with errors and biases, a source latent that fires at about half of the tokens.

    No hook stays on the model.
    """
    sentences = [*MISTAKES, CLEAN, CHANGE, NOT_ENCODED, SOURCES, WRONG_READER, WRONG_WRITER]
    for number, case in enumerate(t.cases(len(KINDS), **SIZES)):
        arguments = tiny_arguments(case, KINDS[number])
        now = before(**arguments)
        arguments["latent"] = half_firing(now.a)
        t.against(
            student,
            arguments,
            _right(now, **arguments),
            axes="rows pos d_target",
            mistakes=Guesses(sentences, partial(_guesses, now, **arguments)),
        )
        if number == 0:
            leaves_no_trace(t, student, arguments)


def _right(now: Before, *, model: Any, source: Site, target: Site, tokens: Tensor, latent: int) -> Tensor:
    (at_target,) = _onwards(model, source, target, tokens, [without(source, now.z, latent)])
    return target.sae.encode(at_target).detach()


@torch.no_grad()
def _onwards(model: Any, source: Site, target: Site, tokens: Tensor, new: list[Tensor]) -> tuple[Tensor, ...]:
    """The target's z for each new z at the source, all in one run."""
    many = tokens.repeat(len(new), 1)
    with model.hooks(fwd_hooks=[(source.hook_point, lambda z, hook: torch.cat(new))]):
        _, cache = model.run_with_cache(many, names_filter=target.hook_point)
    return cache[target.hook_point].split(len(tokens))


@torch.no_grad()
def _guesses(
    now: Before, *, model: Any, source: Site, target: Site, tokens: Tensor, latent: int
) -> dict[str, Tensor]:
    z, a, b = now
    new = [without(source, z, latent), without(target, z, latent)]
    new += [edit(z, source, latent) for edit in MISTAKES.values()]
    right, by_target, *wrong = _onwards(model, source, target, tokens, new)
    return {
        **{sentence: target.sae.encode(there) for sentence, there in zip(MISTAKES, wrong, strict=True)},
        CLEAN: b,
        CHANGE: target.sae.encode(right) - b,
        NOT_ENCODED: right,
        SOURCES: a,
        WRONG_READER: source.sae.encode(right),
        WRONG_WRITER: target.sae.encode(by_target),
    }
