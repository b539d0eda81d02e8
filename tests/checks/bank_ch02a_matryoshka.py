"""Bank for 2a.9 matryoshka_loss."""

import math

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02a import matryoshka

bank = Bank(matryoshka.matryoshka_loss)


def error(y, h):
    return (y - h).pow(2).sum(-1).mean(-1)


@bank.right
def width_by_width(h, latents, W_dec, b_dec, widths):
    losses = [error(latents[..., :w] @ W_dec[:, :w] + b_dec[:, None], h) for w in widths]
    return torch.stack(losses).sum(0)


@bank.right
def piece_by_piece(h, latents, W_dec, b_dec, widths):
    partial, begin, total = b_dec.unsqueeze(1).expand_as(h).clone(), 0, 0
    for end in widths:
        partial = partial + torch.einsum("ibk,ikd->ibd", latents[:, :, begin:end], W_dec[:, begin:end])
        total, begin = total + error(partial, h), end
    return total


@bank.right
def with_masks(h, latents, W_dec, b_dec, widths):
    masks = torch.stack([torch.arange(latents.shape[-1], device=h.device) < w for w in widths]).to(h)
    all_at_once = torch.einsum("wk,ibk,ikd->wibd", masks, latents, W_dec) + b_dec[None, :, None]
    return ((all_at_once - h) ** 2).sum(-1).mean(-1).sum(0)


@bank.right
def unit_once_more(h, latents, W_dec, b_dec, widths):
    return width_by_width(h, latents, F.normalize(W_dec, dim=-1), b_dec, widths)


@bank.right
def in_own_place(h, latents, W_dec, b_dec, widths):
    total = torch.zeros(h.shape[0], device=h.device)
    for w in widths:
        y = latents[..., :w] @ W_dec[:, :w, :]
        y += b_dec[:, None]
        total += (h - y).square().sum(dim=(1, 2)) / h.shape[1]
    return total


def made_of(pick, bias=lambda i: 1):
    """A loss with other latents for each width: ``pick`` is given begin and end of its part, and d_sae."""

    def matryoshka_loss(h, latents, W_dec, b_dec, widths):
        total, before = 0, 0
        for i, w in enumerate(widths):
            kept = list(pick(before, w, latents.shape[-1]))
            y = latents[..., kept] @ W_dec[:, kept] + bias(i) * b_dec[:, None]
            total, before = total + error(y, h), w
        return total

    return matryoshka_loss


def with_widths(change):
    def matryoshka_loss(h, latents, W_dec, b_dec, widths):
        total = torch.zeros(len(h))
        for w in change(list(widths), latents.shape[-1]):
            total = total + error(latents[..., :w] @ W_dec[:, :w] + b_dec[:, None], h)
        return total

    return matryoshka_loss


def joined(join):
    def matryoshka_loss(h, latents, W_dec, b_dec, widths):
        return join([error(latents[..., :w] @ W_dec[:, :w] + b_dec[:, None], h) for w in widths])

    return matryoshka_loss


def largest(losses):
    return torch.stack(losses).max(dim=0).values


def added_outputs(h, latents, W_dec, b_dec, widths):
    return error(sum(latents[..., :w] @ W_dec[:, :w] + b_dec[:, None] for w in widths), h)


def tied(h, latents, W_dec, b_dec, widths):
    latents = F.relu((h - b_dec[:, None]) @ W_dec.transpose(1, 2))
    return width_by_width(h, latents, W_dec, b_dec, widths)


def stopped(which):
    def matryoshka_loss(*inputs):
        return width_by_width(*(one.detach() if i == which else one for i, one in enumerate(inputs)))

    return matryoshka_loss


def pops(h, latents, W_dec, b_dec, widths):
    if isinstance(widths, tuple):
        return width_by_width(h, latents, W_dec, b_dec, widths)
    total = 0
    while widths:
        total = total + width_by_width(h, latents, W_dec, b_dec, [widths.pop()])
    return total


def in_place(h, latents, W_dec, b_dec, widths):
    W_dec.data[:] = W_dec.data * 2
    return width_by_width(h, latents, W_dec / 2, b_dec, widths)


def later_detached(h, latents, W_dec, b_dec, widths):
    """Each width's part learns from its own reconstruction only."""
    total, before = 0, 0
    for w in widths:
        own = torch.cat([latents[..., :before].detach(), latents[..., before:w]], -1)
        total, before = total + width_by_width(h, own, W_dec[:, :w], b_dec, [w]), w
    return total


for name, message, wrong in [
    ("slices", "don't overlap", made_of(lambda begin, end, d_sae: range(begin, end))),
    ("the_rest", r"latents \*from\* the width on", made_of(lambda begin, end, d_sae: range(end, d_sae))),
    ("all_latents", "every width has all latents", made_of(lambda begin, end, d_sae: range(d_sae))),
    ("one_too_few", "a latent too few", made_of(lambda begin, end, d_sae: range(end - 1))),
    ("the_last", "gives", made_of(lambda begin, end, d_sae: range(d_sae - end, d_sae))),
    ("no_bias", "b_dec is missing", made_of(lambda begin, end, d_sae: range(end), lambda i: 0)),
    (
        "first_bias",
        "first width's reconstruction only",
        made_of(lambda begin, end, d_sae: range(end), lambda i: i == 0),
    ),
    ("bias_piles_up", "piles up", made_of(lambda begin, end, d_sae: range(end), lambda i: i + 1)),
    ("bias_subtracted", "b_dec is subtracted", made_of(lambda begin, end, d_sae: range(end), lambda i: -1)),
    ("no_last", "last width is left out", with_widths(lambda widths, d_sae: widths[:-1])),
    ("no_first", "first width is left out", with_widths(lambda widths, d_sae: widths[1:])),
    ("last_only", "only the last width", with_widths(lambda widths, d_sae: widths[-1:])),
    ("first_only", "only the first width", with_widths(lambda widths, d_sae: widths[:1])),
    ("whole_too", "is counted whatever the widths", with_widths(lambda widths, d_sae: [*widths, d_sae])),
    ("whole_last", "takes the last width's place", with_widths(lambda widths, d_sae: [*widths[:-1], d_sae])),
    ("mean_of_widths", "averaged over the widths", joined(lambda losses: torch.stack(losses).mean(0))),
    ("product", "multiplied", joined(math.prod)),
    ("largest", "the largest of the widths", joined(largest)),
    ("each_width", "shape|too many", joined(torch.stack)),
    ("a_list", "returned a list", joined(lambda losses: losses)),
    ("outputs_added", "added up before the error", added_outputs),
    ("mean_over_d_in", "averaged over d_in", lambda h, *rest: width_by_width(h, *rest) / h.shape[-1]),
    ("sum_over_batch", "summed over the batch", lambda h, *rest: width_by_width(h, *rest) * h.shape[1]),
    ("mean_of_instances", "instances were averaged", lambda *inputs: width_by_width(*inputs).mean()),
    ("tied", "not tied", tied),
    ("latents_detached", "no width teaches the encoder", stopped(1)),
    ("decoder_detached", "the decoder is detached", stopped(2)),
    ("bias_detached", "b_dec is detached", stopped(3)),
    ("detached", "no gradient can flow", lambda *inputs: width_by_width(*inputs).detach()),
    ("later_detached", "with respect to latents", later_detached),
    (
        "of_the_batch",
        "raised|shape|gives",
        lambda h, a, W, b, widths: error(a[:, : widths[0]] @ W + b[:, None], h),
    ),
    ("widths_popped", r"changed its input widths", pops),
    ("in_place", "changed its input W_dec", in_place),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
