"""Check of 5.8: a source latent's ablation that reaches the target's queries, keys or values alone."""

from collections.abc import Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...evals.sites import Site
from ..core import exercise
from ..mistakes import Guesses
from ..trial import Function, Trial
from .ablation import _changed
from .subject import KINDS, SIZES, Before, before, half_firing, leaves_no_trace, tiny_arguments, without

PARTS = ("q", "k", "v", "k")
"""Which part is asked for, case by case."""
OTHERS = {
    part: f"the {name} (hook_{part}) know of the ablation, and `part` asks for another: "
    'replace "hook_z" by f"hook_{part}".'
    for part, name in (("q", "queries"), ("k", "keys"), ("v", "values"))
}
ALL = (
    "queries, keys and values all know of the ablation. It belongs to the first run alone: the second has no "
    "hook at the source, and is the one that is read."
)
REST = (
    "all but the part know of the ablation: keep it in the ablated run, and put it in place in the clean one."
)
CLEAN = (
    "this is what the target does without any ablation. Is the part kept in the ablated run, at the target's "
    "own layer, and does the second run's hook return it? And begin with a.clone() before you change a."
)
CHANGE = "this is the change of the target's latents; their activations are wanted."
NOT_ENCODED = "the target's z; its latents are wanted: target.sae.encode(z)."
NO_ERROR = "the SAE's error is dropped in the ablated run: z + decode(changed) − decode(a) keeps it."


@exercise("5.8", "through_one_input", minutes=9, hints=2)
def through_one_input(t: Trial, student: Function) -> None:
    """Each of the three parts in turn, against the attention of the target's layer written out.

    No hook stays on the model.
    """
    sentences = [*OTHERS.values(), ALL, REST, CLEAN, CHANGE, NOT_ENCODED, NO_ERROR]
    for number, case in enumerate(t.cases(len(KINDS), **SIZES)):
        arguments = tiny_arguments(case, KINDS[number])
        now = before(**arguments)
        arguments |= {"latent": half_firing(now.a), "part": PARTS[number]}
        t.against(
            student,
            arguments,
            _right(now, **arguments),
            axes="rows pos d_target",
            mistakes=Guesses(sentences, partial(_guesses, now, **arguments)),
        )
        if number == 0:
            leaves_no_trace(t, student, arguments)


class _Reads:
    """What the target's layer reads in several runs, and the z it makes of a mixture of them."""

    @torch.no_grad()
    def __init__(self, model: Any, source: Site, target: Site, tokens: Tensor, z: list[Tensor]) -> None:
        """``z``: at the source, in each of the runs; the first is the clean one."""
        points = {part: target.hook_point.replace("hook_z", f"hook_{part}") for part in "qkv"}
        with model.hooks(fwd_hooks=[(source.hook_point, lambda value, hook: torch.cat(z))]):
            _, cache = model.run_with_cache(tokens.repeat(len(z), 1), names_filter=list(points.values()))
        self.runs = {part: cache[point].split(len(tokens)) for part, point in points.items()}

    def z(self, changed: Collection[str], run: int = 1) -> Tensor:
        """The target's z when some of q, k, v are those of another run, and the rest are the clean one's."""
        q, k, v = (self.runs[part][run if part in changed else 0] for part in "qkv")
        scores = torch.einsum("rqhd,rkhd->rhqk", q, k) / q.shape[-1] ** 0.5
        ahead = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        return torch.einsum("rhqk,rkhd->rqhd", scores.masked_fill(ahead, -torch.inf).softmax(-1), v)


@torch.no_grad()
def _right(
    now: Before, *, model: Any, source: Site, target: Site, tokens: Tensor, latent: int, part: str
) -> Tensor:
    reads = _Reads(model, source, target, tokens, [now.z, without(source, now.z, latent)])
    return target.sae.encode(reads.z(part))


@torch.no_grad()
def _guesses(
    now: Before, *, model: Any, source: Site, target: Site, tokens: Tensor, latent: int, part: str
) -> dict[str, Tensor]:
    z = [now.z, without(source, now.z, latent), _changed(now.z, source, latent)]
    reads = _Reads(model, source, target, tokens, z)

    def b(changed: Collection[str], run: int = 1) -> Tensor:
        return target.sae.encode(reads.z(changed, run))

    return {
        **{sentence: b(other) for other, sentence in OTHERS.items()},
        ALL: b("qkv"),
        REST: b(set("qkv") - {part}),
        CLEAN: now.b,
        CHANGE: b(part) - now.b,
        NOT_ENCODED: reads.z(part),
        NO_ERROR: b(part, run=2),
    }
