"""Bank for 2a.3 gated_loss."""

# ruff: noqa: PLR0917 - the exercise's own arguments

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02a import gated

bank = Bank(gated.gated_loss)


def error(y, h):
    return (y - h).pow(2).sum(-1).mean(-1)


def penalty(a, W):
    return (a * W.norm(dim=-1)[:, None]).sum(-1).mean(-1)


@bank.right
def three_terms(h, reconstruction, gate, W_dec, b_dec, coefficient):
    opened = F.relu(gate)
    alone = opened @ W_dec + b_dec[:, None]
    return error(reconstruction, h) + coefficient * penalty(opened, W_dec) + error(alone, h)


@bank.right
def by_einsum(h, reconstruction, gate, W_dec, b_dec, coefficient):
    opened = torch.where(gate > 0, gate, 0.0)
    alone = torch.einsum("ibk,ikd->ibd", opened, W_dec) + b_dec[:, None, :]
    both = (reconstruction - h).square() + (alone - h).square()
    sparsity = torch.einsum("ibk,ik->ib", opened, torch.linalg.vector_norm(W_dec, dim=-1))
    return (both.sum(2) + coefficient * sparsity).mean(1)


@bank.right
def instance_by_instance(h, reconstruction, gate, W_dec, b_dec, coefficient):
    losses = []
    for i in range(len(h)):
        opened = gate[i].clamp(min=0)
        alone = torch.addmm(b_dec[i], opened, W_dec[i])
        d_in = h.shape[-1]
        errors = d_in * (F.mse_loss(reconstruction[i], h[i]) + F.mse_loss(alone, h[i]))
        losses.append(errors + coefficient * (opened.mean(0) * W_dec[i].norm(dim=1)).sum())
    return torch.stack(losses)


def of(rule):
    """A rule for the three terms, and for what they are made of."""

    def gated_loss(h, reconstruction, gate, W_dec, b_dec, coefficient):
        a = F.relu(gate)
        terms = error(reconstruction, h), penalty(a, W_dec), error(a @ W_dec + b_dec[:, None], h)
        return rule(*terms, h, reconstruction, gate, W_dec, b_dec[:, None], coefficient)

    return gated_loss


def mse(y, h):
    return (y - h).pow(2).mean((1, 2))


def paper(h, reconstruction, gate, W_dec, b_dec, coefficient):
    a = F.relu(gate)
    with torch.no_grad():
        frozen, bias = W_dec.clone(), b_dec.clone()
    return error(reconstruction, h) + coefficient * penalty(a, W_dec) + error(a @ frozen + bias[:, None], h)


def tied(h, reconstruction, gate, W_dec, b_dec, coefficient):
    gate = (h - b_dec[:, None]) @ W_dec.transpose(1, 2)
    return three_terms(h, reconstruction, gate, W_dec, b_dec, coefficient)


def in_place(h, reconstruction, gate, W_dec, b_dec, coefficient):
    gate.data.clamp_(min=0)
    return three_terms(h, reconstruction, gate, W_dec, b_dec, coefficient)


for name, message, wrong in [
    ("no_auxiliary", "auxiliary term is missing", of(lambda e, p, a, h, y, g, W, b, c: e + c * p)),
    ("no_penalty", "penalty is missing", of(lambda e, p, a, h, y, g, W, b, c: e + a)),
    ("no_error", "error of the reconstruction is missing", of(lambda e, p, a, h, y, g, W, b, c: c * p + a)),
    ("error_twice", "there twice", of(lambda e, p, a, h, y, g, W, b, c: 2 * e + c * p)),
    ("no_bias", "lacks b_dec", of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error(F.relu(g) @ W, h))),
    (
        "to_output",
        "with the reconstruction; with h",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error(F.relu(g) @ W + b, y)),
    ),
    ("no_coefficient", "coefficient is missing", of(lambda e, p, a, h, y, g, W, b, c: e + p + a)),
    ("on_auxiliary", "is on the auxiliary term; ", of(lambda e, p, a, h, y, g, W, b, c: e + p + c * a)),
    ("on_both", "auxiliary term, too", of(lambda e, p, a, h, y, g, W, b, c: e + c * (p + a))),
    ("subtracted", "penalty is subtracted", of(lambda e, p, a, h, y, g, W, b, c: e - c * p + a)),
    (
        "raw_penalty",
        "missing in the penalty",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * penalty(g, W) + a),
    ),
    (
        "raw_auxiliary",
        "missing in the auxiliary rec",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error(g @ W + b, h)),
    ),
    (
        "raw",
        "in the penalty and in",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * penalty(g, W) + error(g @ W + b, h)),
    ),
    ("absolute", r"on \|gate\|", of(lambda e, p, a, h, y, g, W, b, c: e + c * penalty(g.abs(), W) + a)),
    (
        "counted",
        "open gates are counted",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * penalty((g > 0).float(), W) + a),
    ),
    (
        "mask_auxiliary",
        "made of open gates as 0 and 1",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error((g > 0).float() @ W + b, h)),
    ),
    (
        "no_lengths",
        "lengths are missing",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * F.relu(g).sum(-1).mean(-1) + a),
    ),
    (
        "unit_auxiliary",
        "is at unit length",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error(F.relu(g) @ F.normalize(W, dim=-1) + b, h)),
    ),
    ("tied", "not tied", tied),
    (
        "mean_over_d_in",
        "averaged over d_in",
        of(lambda e, p, a, h, y, g, W, b, c: mse(y, h) + c * p + mse(F.relu(g) @ W + b, h)),
    ),
    (
        "sum_over_batch",
        "summed over the batch",
        of(lambda e, p, a, h, y, g, W, b, c: (e + c * p + a) * len(h[0])),
    ),
    (
        "mean_over_latents",
        "averaged over the latents",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p / len(W[0]) + a),
    ),
    (
        "mean_of_instances",
        "instances were averaged",
        of(lambda e, p, a, h, y, g, W, b, c: (e + c * p + a).mean()),
    ),
    ("as_in_the_paper", "The paper does that", paper),
    (
        "W_dec_detached",
        "W_dec is detached in the auxiliary",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error(F.relu(g) @ W.data + b, h)),
    ),
    (
        "lengths_detached",
        "lengths are detached",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * penalty(F.relu(g), W.detach()) + a),
    ),
    (
        "gate_detached",
        "there to teach it",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + error(F.relu(g.detach()) @ W + b, h)),
    ),
    (
        "output_detached",
        "no gradient flows back to reconstruction",
        of(lambda e, p, a, h, y, g, W, b, c: error(y.detach(), h) + c * p + a),
    ),
    ("detached", "no gradient can flow", of(lambda e, p, a, h, y, g, W, b, c: (e + c * p + a).detach())),
    (
        "not_squared",
        "gives",
        of(lambda e, p, a, h, y, g, W, b, c: e + c * p + (F.relu(g) @ W + b - h).norm(dim=-1).mean(-1)),
    ),
    ("three", "a tuple of 3", of(lambda e, p, a, h, y, g, W, b, c: (e, c * p, a))),
    ("in_place", "changed its input gate", in_place),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
