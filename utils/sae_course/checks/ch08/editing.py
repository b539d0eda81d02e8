"""Check of 8.9 sparse_edit: what a few latents add to the activation when they are set to other values."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..raised import meaning
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]
"""As the exercise's function: a, swapped, W_dec, gradient, k."""
Score = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From a, swapped, W_dec and gradient, ``[n d_sae]``, or ``[1 d_sae]`` for the same latents everywhere."""
SIZES = ((5, 17, 7), (3, 23, 11), (7, 13, 5), (1, 19, 13), (5, 29, 3))
"""Of each case: n, d_sae, d_in."""
K = (3, 4, 1, 2, 7)
SPARSE = 4
"""The case in which most latents are silent under both prompts."""
GAP = 2e-3
"""How far the last latent chosen is ahead of the first one not chosen: rounding must not decide."""


def _right(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor, k: int) -> Tensor:
    """Prompt by prompt and latent by latent, in float64."""
    decoder = W_dec.tolist()
    edits = []
    for before, after, g in zip(a.tolist(), swapped.tolist(), gradient.tolist(), strict=True):
        changes = [y - x for x, y in zip(before, after, strict=True)]
        writes = [[c * entry for entry in d] for c, d in zip(changes, decoder, strict=True)]
        writes.sort(key=lambda write: -abs(sum(w * slope for w, slope in zip(write, g, strict=True))))
        edits.append([math.fsum(column) for column in zip(*writes[:k], strict=True)])
    return torch.tensor(edits, device=a.device)


def _effect(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor) -> Tensor:
    return (swapped - a) * (gradient @ W_dec.T)


def _add(amounts: Tensor, chosen: Tensor, W_dec: Tensor) -> Tensor:
    """What amounts ``[n d_sae]`` of the latents in ``chosen [n k]`` write."""
    return torch.zeros_like(amounts).scatter(-1, chosen, amounts.gather(-1, chosen)) @ W_dec


def _chosen_by(score: Score) -> Rule:
    """The right edit of the latents that have the largest of something else."""

    def wrong(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor, k: int) -> Tensor:
        scores = score(a, swapped, W_dec, gradient).expand_as(a)
        return _add(swapped - a, scores.topk(k, dim=-1).indices, W_dec)

    return wrong


def _adds(amounts: Score) -> Rule:
    """The right latents, set to something else."""

    def wrong(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor, k: int) -> Tensor:
        chosen = _effect(a, swapped, W_dec, gradient).abs().topk(k, dim=-1).indices
        return _add(amounts(a, swapped, W_dec, gradient), chosen, W_dec)

    return wrong


def _with_k(change: Callable[[int], int]) -> Rule:
    return lambda a, swapped, W_dec, gradient, k: _right(a, swapped, W_dec, gradient, change(k))


def _then(change: Callable[..., Tensor]) -> Rule:
    """Of the right edit, and the arguments."""
    return lambda *arguments: change(_right(*arguments), *arguments)


def _first_changes(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor, k: int) -> Tensor:
    """What scatter does with changes that were not gathered."""
    chosen = _effect(a, swapped, W_dec, gradient).abs().topk(k, dim=-1).indices
    return torch.zeros_like(a).scatter(-1, chosen, swapped - a) @ W_dec


def _of_all_prompts(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor, k: int) -> Tensor:
    """The k largest of all prompts together."""
    effect = _effect(a, swapped, W_dec, gradient).abs()
    least = effect.flatten().topk(k).values[-1]
    return ((swapped - a) * (effect >= least)) @ W_dec


def _along_prompts(a: Tensor, swapped: Tensor, W_dec: Tensor, gradient: Tensor, k: int) -> Tensor:
    """For each latent, the prompts in which it tells most."""
    effect = _effect(a, swapped, W_dec, gradient).abs()
    least = effect.topk(k, dim=0).values[-1]
    return ((swapped - a) * (effect >= least)) @ W_dec


MISTAKES: dict[str, Rule] = {
    "the latents were chosen by the effect with its sign; take its absolute value.": _chosen_by(_effect),
    "the latents whose effect is smallest were chosen; the largest are wanted.": _chosen_by(
        lambda *given: -_effect(*given).abs()
    ),
    "the latents with the most negative effect were chosen; take the absolute value, and the largest.": (
        _chosen_by(lambda *given: -_effect(*given))
    ),
    "the latents were chosen by their change |a′ − a| alone; times d·g, it is the effect.": _chosen_by(
        lambda a, swapped, *_: (swapped - a).abs()
    ),
    "the latents were chosen by |d·g| alone; times the change, it is the effect.": _chosen_by(
        lambda a, swapped, W_dec, gradient: (gradient @ W_dec.T).abs()
    ),
    "the latents were chosen by how much they write, |a′ − a|·‖d‖; the gradient is missing.": _chosen_by(
        lambda a, swapped, W_dec, _: (swapped - a).abs() * W_dec.norm(dim=-1)
    ),
    "the latents were chosen by a′·(d·g); the change a′ − a belongs there.": _chosen_by(
        lambda a, swapped, W_dec, gradient: (swapped * (gradient @ W_dec.T)).abs()
    ),
    "the latents were chosen by a·(d·g); the change a′ − a belongs there.": _chosen_by(
        lambda a, swapped, W_dec, gradient: (a * (gradient @ W_dec.T)).abs()
    ),
    "the decoder vectors were divided by their length for the choice; take them as they are.": _chosen_by(
        lambda a, swapped, W_dec, gradient: _effect(
            a, swapped, W_dec / W_dec.norm(dim=-1, keepdim=True), gradient
        ).abs()
    ),
    "the latents are the same for all prompts, by their mean effect; each prompt has its own k.": _chosen_by(
        lambda *given: _effect(*given).abs().mean(0, keepdim=True)
    ),
    "all prompts get the latents of the first one; each has its own k.": _chosen_by(
        lambda *given: _effect(*given).abs()[:1]
    ),
    "the gradient was averaged over the prompts; each prompt has its own.": _chosen_by(
        lambda a, swapped, W_dec, gradient: _effect(a, swapped, W_dec, gradient.mean(0, True)).abs()
    ),
    "these are the first k latents; those with the largest effect are wanted.": _chosen_by(
        lambda a, *_: -torch.arange(a.shape[-1], device=a.device, dtype=a.dtype)[None]
    ),
    "k latents were chosen from all prompts together; each prompt has its own k: dim=-1.": _of_all_prompts,
    "topk went along the prompts (dim=0); it goes along the latents, for each prompt: dim=-1.": (
        _along_prompts
    ),
    "this is the edit of k + 1 latents.": _with_k(lambda k: k + 1),
    "this is the edit of k − 1 latents.": _with_k(lambda k: k - 1),
    "this is the edit of the one most telling latent; k of them are wanted.": _with_k(lambda _: 1),
    "this is the edit of all latents; only the chosen ones change.": (
        lambda a, swapped, W_dec, gradient, k: (swapped - a) @ W_dec
    ),
    "this is the edit of all the others; the chosen ones change.": _then(
        lambda edit, a, swapped, W_dec, *_: (swapped - a) @ W_dec - edit
    ),
    "the change is the wrong way round, a − a′; from a to a′ it is a′ − a.": _then(lambda edit, *_: -edit),
    "the latents' swapped values are added; a is there already, so only a′ − a comes on top.": _adds(
        lambda a, swapped, *_: swapped
    ),
    "the latents' old values are added; a′ − a is what changes.": _adds(lambda a, *_: a),
    "the old values are taken off, so the latents are silenced; they are set to a′.": _adds(lambda a, *_: -a),
    "the change lost its sign; a latent that falls takes its decoder vector off.": _adds(
        lambda a, swapped, *_: (swapped - a).abs()
    ),
    "only latents that rise are changed; one that falls takes its decoder vector off.": _adds(
        lambda a, swapped, *_: (swapped - a).clamp(min=0)
    ),
    "the decoder vectors were added as often as chosen, without the change a′ − a.": _adds(
        lambda a, *_: torch.ones_like(a)
    ),
    "the effects were added (topk's values); they are for the choice, the edit is (a′ − a)·d.": _adds(
        lambda *given: _effect(*given).abs()
    ),
    "the effects were added; they are for the choice, the edit is (a′ − a)·d.": _adds(_effect),
    "the changes of the first k latents went to the chosen ones: change.gather(-1, chosen) is missing.": (
        _first_changes
    ),
    "the swapped reconstruction is in it, too; only what the k latents add is wanted.": _then(
        lambda edit, a, swapped, W_dec, *_: swapped @ W_dec + edit
    ),
    "the reconstruction is in it, too; only what the k latents add is wanted.": _then(
        lambda edit, a, swapped, W_dec, *_: a @ W_dec + edit
    ),
    "this is the mean over the chosen latents; their sum is wanted.": _then(
        lambda edit, *given: edit / given[-1]
    ),
}
RAISED = {
    "return_types": "topk gives values and indices: take .indices.",
    "shapes cannot be multiplied": "gradient [n d_in] @ W_dec.T is d·g, and kept [n d_sae] @ W_dec the edit.",
    "int64 for index": "scatter, gather and indexing want topk's .indices.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.9", "sparse_edit", minutes=8, hints=2)
def sparse_edit(t: Trial, student: Function) -> None:
    """Several prompts, then k = 1, then a single prompt, then more latents than change."""
    for number, case in enumerate(t.cases(len(SIZES))):
        case.sizes |= dict(zip(("n", "d_sae", "d_in"), SIZES[number], strict=True))
        arguments = _inputs(case, K[number], sparse=number == SPARSE)
        with meaning(RAISED):
            t.against(student, arguments, _right, axes="n d_in", mistakes=MISTAKES, any_dtype=True)


def _inputs(case: Case, k: int, sparse: bool) -> dict[str, Any]:
    """Latents that rise and fall, decoder vectors of different lengths, and a clear choice."""
    while True:
        inputs = {
            "a": case.uniform("n d_sae", 0.1, 2.0),
            "swapped": case.uniform("n d_sae", 0.1, 2.0),
            "W_dec": case.normal("d_sae d_in") * case.uniform("d_sae 1", 0.4, 1.6),
            "gradient": case.normal("n d_in"),
        }
        if sparse:
            _silence(inputs, k)
        effect = _effect(**inputs).abs().sort(descending=True).values
        ahead = effect[:, k - 1] - effect[:, k]
        if sparse or bool((ahead > GAP * effect[:, 0]).all()):
            return {**inputs, "k": k}


def _silence(inputs: dict[str, Any], k: int) -> None:
    """Leave k − 1 latents that fire under a prompt or its swapped one, so that any k hold them all."""
    for row in range(len(inputs["a"])):
        live = torch.arange(k - 1, device=inputs["a"].device) * 3 + row
        silent = torch.ones_like(inputs["a"][row], dtype=torch.bool).index_fill(0, live, False)
        inputs["a"][row, silent] = inputs["swapped"][row, silent] = 0.0
        inputs["a"][row, live[0]] = inputs["swapped"][row, live[1]] = 0.0
