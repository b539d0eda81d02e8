"""Bank for 8.9 sparse_edit."""

import numpy as np
import torch
from bank import Bank
from torch import nn

from sae_course.checks.ch08.editing import sparse_edit

edits = Bank(sparse_edit)


@edits.right
def as_in_the_chapter(a, swapped, W_dec, gradient, k):
    change = swapped - a
    effect = (change * (gradient @ W_dec.T)).abs()
    chosen = effect.topk(k, dim=-1).indices
    kept = torch.zeros_like(change).scatter_(-1, chosen, change.gather(-1, chosen))
    return kept @ W_dec


@edits.right
def with_a_mask(a, swapped, W_dec, gradient, k):
    effect = (swapped - a).mul(torch.einsum("nd,sd->ns", gradient, W_dec)).square()
    order = effect.argsort(dim=1, descending=True)
    return torch.where(order.argsort(dim=1) < k, swapped - a, 0.0) @ W_dec


@edits.right
def prompt_by_prompt(a, swapped, W_dec, gradient, k):
    rows = []
    for before, after, g in zip(a, swapped, gradient, strict=True):
        effect = [abs(float((y - x) * (d @ g))) for x, y, d in zip(before, after, W_dec, strict=True)]
        best = sorted(range(len(effect)), key=effect.__getitem__)[-k:]
        rows.append(sum((after[j] - before[j]) * W_dec[j] for j in best))
    return torch.stack(rows)


@edits.right
def decoder_rows_picked(a, swapped, W_dec, gradient, k):
    """Signs and lengths that don't matter for the choice are another's."""
    effect = (a - swapped) * (nn.functional.normalize(gradient, dim=-1) @ W_dec.T)
    chosen = effect.abs().sort(dim=-1, descending=True).indices[:, :k]
    rows = torch.arange(len(a), device=a.device)[:, None]
    return torch.einsum("nk,nkd->nd", (swapped - a)[rows, chosen], W_dec[chosen])


@edits.right
def by_two_reconstructions(a, swapped, W_dec, gradient, k):
    edited = a.clone()
    writes = (swapped - a)[..., None] * W_dec
    chosen = (writes * gradient[:, None]).sum(-1).abs().topk(k).indices
    edited.scatter_(1, chosen, swapped.gather(1, chosen))
    return edited.double() @ W_dec.double() - a.double() @ W_dec.double()


@edits.right
def in_numpy(a, swapped, W_dec, gradient, k):
    a, swapped, W_dec, gradient = (x.numpy().astype(np.float64) for x in (a, swapped, W_dec, gradient))
    change = swapped - a
    effect = np.abs(change * (gradient @ W_dec.T))
    dropped = np.argsort(effect, axis=1)[:, : a.shape[1] - k]
    np.put_along_axis(change, dropped, 0.0, axis=1)
    return torch.from_numpy(change @ W_dec).float()


def effects(a, swapped, W_dec, gradient):
    return (swapped - a) * (gradient @ W_dec.T)


def add(amounts, chosen, W_dec):
    return torch.zeros_like(amounts).scatter(-1, chosen, amounts.gather(-1, chosen)) @ W_dec


def slip(name, message, rule):
    def variant(a, swapped, W_dec, gradient, k):
        return rule(a, swapped, W_dec, gradient, k)

    variant.__name__ = name
    edits.wrong(message)(variant)


def chosen_by(name, message, score):
    def rule(a, swapped, W_dec, gradient, k):
        chosen = score(a, swapped, W_dec, gradient).topk(k, dim=-1).indices
        return add(swapped - a, chosen.expand(len(a), -1), W_dec)

    slip(name, message, rule)


def adds(name, message, amounts):
    def rule(a, swapped, W_dec, gradient, k):
        effect = effects(a, swapped, W_dec, gradient)
        return add(amounts(a, swapped, effect), effect.abs().topk(k, dim=-1).indices, W_dec)

    slip(name, message, rule)


# The choice.

chosen_by("with_its_sign", "by the effect with its sign", effects)
chosen_by("smallest", "whose effect is smallest", lambda *given: -effects(*given).abs())
chosen_by("most_negative", "the most negative effect", lambda *given: -effects(*given))
chosen_by("by_change", r"by their change \|a′ − a\| alone", lambda a, swapped, *_: (a - swapped).abs())
chosen_by("by_slope", r"by \|d·g\| alone", lambda a, swapped, W_dec, g: (g @ W_dec.T).abs())
chosen_by(
    "by_length",
    "how much they write",
    lambda a, swapped, W_dec, g: ((swapped - a)[..., None] * W_dec).norm(dim=-1),
)
chosen_by("by_swapped", "chosen by a′·", lambda a, swapped, W_dec, g: (swapped * (g @ W_dec.T)).abs())
chosen_by("by_old", r"chosen by a·\(d·g\)", lambda a, swapped, W_dec, g: (a * (g @ W_dec.T)).abs())
chosen_by(
    "unit_decoder",
    "divided by their length for the choice",
    lambda a, swapped, W_dec, g: effects(a, swapped, nn.functional.normalize(W_dec, dim=-1), g).abs(),
)
chosen_by("by_mean", "same for all prompts", lambda *given: effects(*given).abs().mean(0)[None])
chosen_by("of_the_first", "latents of the first one", lambda *given: effects(*given).abs()[0][None])
chosen_by(
    "mean_gradient",
    "the gradient was averaged",
    lambda a, swapped, W_dec, g: ((swapped - a) * (W_dec @ g.mean(0))).abs(),
)
chosen_by(
    "absolute_entries",
    "absolute_entries gives",
    lambda a, swapped, W_dec, g: (swapped - a).abs() * (g.abs() @ W_dec.abs().T),
)
slip(
    "first_latents",
    "the first k latents; those",
    lambda a, swapped, W_dec, g, k: (swapped - a)[:, :k] @ W_dec[:k],
)
slip(
    "one_more",
    r"k \+ 1 latents",
    lambda a, swapped, W_dec, g, k: as_in_the_chapter(a, swapped, W_dec, g, k + 1),
)
slip(
    "one_less",
    "k − 1 latents",
    lambda a, swapped, W_dec, g, k: as_in_the_chapter(a, swapped, W_dec, g, k - 1),
)
slip(
    "only_one",
    "the one most telling",
    lambda a, swapped, W_dec, g, k: as_in_the_chapter(a, swapped, W_dec, g, 1),
)
slip("all_latents", "the edit of all latents", lambda a, swapped, W_dec, g, k: (swapped - a) @ W_dec)


@edits.wrong("the edit of all the others")
def the_others(a, swapped, W_dec, gradient, k):
    chosen = effects(a, swapped, W_dec, gradient).abs().topk(k, dim=-1).indices
    return (swapped - a).scatter(-1, chosen, 0.0) @ W_dec


@edits.wrong("from all prompts together")
def of_all_together(a, swapped, W_dec, gradient, k):
    chosen = effects(a, swapped, W_dec, gradient).abs().flatten().topk(k).indices
    mask = torch.zeros(a.numel()).index_fill(0, chosen, 1.0).view_as(a)
    return (mask * (swapped - a)) @ W_dec


@edits.wrong("along the prompts")
def along_the_prompts(a, swapped, W_dec, gradient, k):
    change = swapped - a
    chosen = effects(a, swapped, W_dec, gradient).abs().topk(k, dim=0).indices
    return torch.zeros_like(change).scatter(0, chosen, change.gather(0, chosen)) @ W_dec


# What is added.

slip("wrong_way_round", "a − a′; from a", lambda a, swapped, *rest: as_in_the_chapter(swapped, a, *rest))
adds("swapped_values", "swapped values are added", lambda a, swapped, _: swapped)
adds("old_values", "old values are added", lambda a, swapped, _: a)
adds("silenced", "silenced", lambda a, swapped, _: -a)
adds("no_sign", "the change lost its sign", lambda a, swapped, _: (swapped - a).abs())
adds("rising_only", "only latents that rise", lambda a, swapped, _: (swapped - a).relu())
adds("ones", "without the change a′", lambda a, swapped, _: torch.ones_like(a))
adds("absolute_effects", "topk's values", lambda a, swapped, effect: effect.abs())
adds("signed_effects", "the effects were added; they", lambda a, swapped, effect: effect)
adds("twice", "times 2", lambda a, swapped, _: 2 * (swapped - a))
adds("signs", "signs gives", lambda a, swapped, effect: (swapped - a).sign())
slip(
    "mean_over_chosen",
    "the mean over the chosen",
    lambda a, swapped, W_dec, g, k: as_in_the_chapter(a, swapped, W_dec, g, k) / k,
)
slip(
    "with_reconstruction",
    "the reconstruction is in it",
    lambda a, swapped, W_dec, g, k: a @ W_dec + as_in_the_chapter(a, swapped, W_dec, g, k),
)
slip(
    "with_swapped_reconstruction",
    "the swapped reconstruction",
    lambda a, swapped, W_dec, g, k: swapped @ W_dec + as_in_the_chapter(a, swapped, W_dec, g, k),
)


@edits.wrong(r"change.gather\(-1, chosen\) is missing")
def not_gathered(a, swapped, W_dec, gradient, k):
    change = swapped - a
    chosen = effects(a, swapped, W_dec, gradient).abs().topk(k).indices
    return torch.zeros_like(a).scatter_(-1, chosen, change) @ W_dec


# Shapes and kinds.


@edits.wrong("shape")
def latents_not_written(a, swapped, W_dec, gradient, k):
    change = swapped - a
    chosen = effects(a, swapped, W_dec, gradient).abs().topk(k).indices
    return torch.zeros_like(a).scatter_(-1, chosen, change.gather(-1, chosen))


@edits.wrong("shape")
def one_edit_for_all(a, swapped, W_dec, gradient, k):
    return as_in_the_chapter(a, swapped, W_dec, gradient, k).mean(0)


@edits.wrong("gradient \\[n d_in\\] @ W_dec.T")
def not_transposed(a, swapped, W_dec, gradient, k):
    return (swapped - a) * (gradient @ W_dec)


@edits.wrong("take .indices")
def topk_as_a_tensor(a, swapped, W_dec, gradient, k):
    chosen = effects(a, swapped, W_dec, gradient).topk(k)
    return chosen.abs() @ W_dec


@edits.wrong("want topk's .indices")
def values_as_indices(a, swapped, W_dec, gradient, k):
    chosen = effects(a, swapped, W_dec, gradient).abs().topk(k).values
    return torch.zeros_like(a).scatter_(-1, chosen, swapped - a) @ W_dec


@edits.wrong("changed its input swapped")
def in_place(a, swapped, W_dec, gradient, k):
    swapped -= a
    chosen = (swapped * (gradient @ W_dec.T)).abs().topk(k).indices
    return torch.zeros_like(a).scatter_(-1, chosen, swapped.gather(-1, chosen)) @ W_dec
