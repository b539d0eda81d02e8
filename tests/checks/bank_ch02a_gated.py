"""Bank for 2a.2 gated_latents."""

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02a import gated

bank = Bank(gated.gated_latents)


@bank.right
def one_product(x, W_enc, b_gate, b_mag, r_mag):
    product = x @ W_enc
    gate = product + b_gate[:, None]
    return gate, (gate > 0) * F.relu(product * r_mag.exp()[:, None] + b_mag[:, None])


@bank.right
def two_products(x, W_enc, b_gate, b_mag, r_mag):
    gate = torch.baddbmm(b_gate.unsqueeze(1), x, W_enc)
    magnitude = torch.baddbmm(b_mag.unsqueeze(1), x, W_enc * torch.exp(r_mag).unsqueeze(1)).relu()
    return gate, torch.where(gate > 0, magnitude, torch.zeros_like(magnitude))


@bank.right
def from_the_gate(x, W_enc, b_gate, b_mag, r_mag):
    gate = torch.einsum("ibd,idk->ibk", x, W_enc) + b_gate[:, None, :]
    latents = (gate - b_gate[:, None]) * r_mag[:, None].exp() + b_mag[:, None]
    return gate, latents.masked_fill((gate <= 0) | (latents <= 0), 0)


@bank.right
def in_own_place(x, W_enc, b_gate, b_mag, r_mag):
    gate = x @ W_enc
    magnitude = gate * r_mag.exp()[:, None] + b_mag[:, None]
    gate = gate + b_gate[:, None]
    magnitude = magnitude.clamp(min=0) * torch.heaviside(gate.detach(), torch.zeros_like(gate))
    return [gate, magnitude]


def latents_of(rule):
    """Learners' answers as a rule for product, gate's bias, magnitude's bias and scale."""

    def gated_latents(x, W_enc, b_gate, b_mag, r_mag):
        return rule(x @ W_enc, b_gate[:, None], b_mag[:, None], r_mag[:, None])

    return gated_latents


def size(p, m, r):
    return F.relu(p * torch.exp(r) + m)


def added_in_place(x, W_enc, b_gate, b_mag, r_mag):
    product = x @ W_enc
    gate = product
    gate += b_gate[:, None]
    return gate, (gate > 0) * size(product, b_mag[:, None], r_mag[:, None])


def unit_encoder(x, W_enc, *rest):
    return one_product(x, F.normalize(W_enc, dim=1), *rest)


def unit_inputs(x, W_enc, *rest):
    return one_product(x, F.normalize(W_enc, dim=2), *rest)


def transposed(x, W_enc, *rest):
    return one_product(x, W_enc.transpose(1, 2), *rest)


def inputs_scaled(x, W_enc, b_gate, b_mag, r_mag):
    gate = x @ W_enc + b_gate[:, None]
    return gate, (gate > 0) * F.relu((x * r_mag[:, None].exp()) @ W_enc + b_mag[:, None])


def in_place(x, W_enc, b_gate, b_mag, r_mag):
    r_mag.data = r_mag.data.exp()
    return one_product(x, W_enc, b_gate, b_mag, r_mag.log())


for name, message, wrong in [
    ("swapped", "wrong way round", lambda *inputs: one_product(*inputs)[::-1]),
    (
        "no_exp",
        "exponential is missing",
        latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * F.relu(p * r + m))),
    ),
    ("exp_minus", r"e\^-r_mag", latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * size(p, m, -r)))),
    ("no_scale", "r_mag is not used", latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * F.relu(p + m)))),
    ("added_in_place", "magnitudes contain b_gate", added_in_place),
    (
        "of_the_gate",
        "contain b_gate",
        latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * size(p + g, m, r))),
    ),
    (
        "bias_scaled",
        "b_mag is scaled",
        latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * F.relu((p + m) * r.exp()))),
    ),
    (
        "biases_swapped",
        "b_mag are swapped",
        latents_of(lambda p, g, m, r: (p + m, (p + m > 0) * size(p, g, r))),
    ),
    ("no_b_mag", "b_mag is missing", latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * size(p, 0, r)))),
    ("no_b_gate", "b_gate is missing", latents_of(lambda p, g, m, r: (p, (p > 0) * size(p, m, r)))),
    (
        "minus_b_gate",
        "b_gate is subtracted",
        latents_of(lambda p, g, m, r: (p - g, (p - g > 0) * size(p, m, r))),
    ),
    ("no_relu", "magnitudes' ReLU", latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * (p * r.exp() + m)))),
    ("no_gate", "gate is not applied", latents_of(lambda p, g, m, r: (p + g, size(p, m, r)))),
    (
        "by_the_gate",
        "multiplied by the gate;",
        latents_of(lambda p, g, m, r: (p + g, (p + g) * size(p, m, r))),
    ),
    ("by_relu", r"by ReLU\(gate\)", latents_of(lambda p, g, m, r: (p + g, F.relu(p + g) * size(p, m, r)))),
    ("sigmoid", "a sigmoid", latents_of(lambda p, g, m, r: (p + g, torch.sigmoid(p + g) * size(p, m, r)))),
    (
        "gate_closed",
        "opens where it is negative",
        latents_of(lambda p, g, m, r: (p + g, (p + g < 0) * size(p, m, r))),
    ),
    ("gate_only", "magnitudes are missing", latents_of(lambda p, g, m, r: (p + g, F.relu(p + g)))),
    (
        "after_relu",
        "after a ReLU",
        latents_of(lambda p, g, m, r: (F.relu(p + g), (p + g > 0) * size(p, m, r))),
    ),
    (
        "gate_as_mask",
        "as 0 and 1",
        latents_of(lambda p, g, m, r: ((p + g > 0).float(), (p + g > 0) * size(p, m, r))),
    ),
    ("gate_as_bool", "dtype bool", latents_of(lambda p, g, m, r: (p + g > 0, (p + g > 0) * size(p, m, r)))),
    ("tied_unit_encoder", "brought to unit length", unit_encoder),
    ("unit_rows", "gives", unit_inputs),
    ("tied_transposed", "is transposed", transposed),
    ("inputs_scaled", "scales the dimensions of x", inputs_scaled),
    (
        "detached_product",
        "detached in the magnitudes",
        latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * size(p.detach(), m, r))),
    ),
    (
        "detached_gate",
        "no gradient can flow",
        latents_of(lambda p, g, m, r: ((p + g).detach(), (p + g > 0) * size(p, m, r))),
    ),
    (
        "detached_scale",
        "no gradient flows back to r_mag",
        latents_of(lambda p, g, m, r: (p + g, (p + g > 0) * size(p, m, r.detach()))),
    ),
    ("latents_only", "expected a tuple of 2", lambda *inputs: one_product(*inputs)[1]),
    ("three", "expected 2", lambda *inputs: (*one_product(*inputs), 0)),
    ("in_place", "changed its input r_mag", in_place),
    ("no_axis", "raised RuntimeError", lambda x, W, g, m, r: (x @ W + g, F.relu(x @ W * r.exp() + m))),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
