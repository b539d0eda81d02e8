"""Checks of 2a.2 gated_latents and 2a.3 gated_loss: whether a latent fires, and how strongly."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference
from .inputs import decoder, square

Rule = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def _of_product(rule: Rule) -> Callable[..., tuple[Tensor, Tensor]]:
    """A slip in what is made of ``x @ W_enc``; the biases and the scale come with a batch axis."""

    def wrong(
        x: Tensor, W_enc: Tensor, b_gate: Tensor, b_mag: Tensor, r_mag: Tensor
    ) -> tuple[Tensor, Tensor]:
        return rule(x @ W_enc, b_gate[:, None], b_mag[:, None], r_mag[:, None])

    return wrong


def _opened(gate: Tensor, magnitude: Tensor) -> tuple[Tensor, Tensor]:
    return gate, magnitude * (gate > 0)


def _magnitude(p: Tensor, b: Tensor, r: Tensor) -> Tensor:
    return torch.relu(r.exp() * p + b)


LATENTS_MISTAKES: Mistakes = {
    "the two come back the wrong way round: first the gate's pre-activations, then the latents.": (
        lambda *inputs: reference.gated_latents(*inputs)[::-1]
    ),
    "the exponential is missing: the scale is e^r_mag, which is never negative.": _of_product(
        lambda p, g, m, r: _opened(p + g, torch.relu(r * p + m))
    ),
    "the scale is e^-r_mag; e^r_mag is wanted.": _of_product(
        lambda p, g, m, r: _opened(p + g, _magnitude(p, m, -r))
    ),
    "r_mag is not used: the magnitudes have a scale of their own, e^r_mag.": _of_product(
        lambda p, g, m, r: _opened(p + g, torch.relu(p + m))
    ),
    "the magnitudes contain b_gate: they start from x @ W_enc alone (did += change it?).": _of_product(
        lambda p, g, m, r: _opened(p + g, _magnitude(p + g, m, r))
    ),
    "b_mag is scaled, too: the scale belongs to x @ W_enc, b_mag is added after it.": _of_product(
        lambda p, g, m, r: _opened(p + g, torch.relu(r.exp() * (p + m)))
    ),
    "b_gate and b_mag are swapped.": _of_product(lambda p, g, m, r: _opened(p + m, _magnitude(p, g, r))),
    "b_mag is missing in the magnitudes.": _of_product(
        lambda p, g, m, r: _opened(p + g, torch.relu(r.exp() * p))
    ),
    "b_gate is missing in the gate.": _of_product(lambda p, g, m, r: _opened(p, _magnitude(p, m, r))),
    "b_gate is subtracted; it is to be added.": _of_product(
        lambda p, g, m, r: _opened(p - g, _magnitude(p, m, r))
    ),
    "the magnitudes' ReLU is missing: an open gate lets negative numbers through.": _of_product(
        lambda p, g, m, r: _opened(p + g, r.exp() * p + m)
    ),
    "the gate is not applied: the latents are the magnitudes where the gate is positive, and 0 elsewhere.": (
        _of_product(lambda p, g, m, r: (p + g, _magnitude(p, m, r)))
    ),
    "the magnitudes are multiplied by the gate; only its sign counts, [gate > 0].": _of_product(
        lambda p, g, m, r: (p + g, (p + g) * _magnitude(p, m, r))
    ),
    "the magnitudes are multiplied by ReLU(gate); an open gate is 1, [gate > 0].": _of_product(
        lambda p, g, m, r: (p + g, torch.relu(p + g) * _magnitude(p, m, r))
    ),
    "the gate is a sigmoid; it is 0 or 1, [gate > 0].": _of_product(
        lambda p, g, m, r: (p + g, torch.sigmoid(p + g) * _magnitude(p, m, r))
    ),
    "the gate opens where it is negative; it is to where it is positive.": _of_product(
        lambda p, g, m, r: (p + g, _magnitude(p, m, r) * (p + g < 0))
    ),
    "the latents are ReLU(gate): the magnitudes are missing.": _of_product(
        lambda p, g, m, r: (p + g, torch.relu(p + g))
    ),
    "the gate comes back after a ReLU; its pre-activations are wanted as they are.": _of_product(
        lambda p, g, m, r: (torch.relu(p + g), _opened(p + g, _magnitude(p, m, r))[1])
    ),
    "the gate comes back as 0 and 1; its pre-activations are wanted, the loss needs them.": _of_product(
        lambda p, g, m, r: ((p + g > 0).float(), _opened(p + g, _magnitude(p, m, r))[1])
    ),
    "the encoder's vectors are brought to unit length, as if it were tied to a unit decoder: use W_enc as it "
    "is.": lambda x, W_enc, *rest: reference.gated_latents(x, W_enc / W_enc.norm(dim=1, keepdim=True), *rest),
    "x @ W_enc is detached in the magnitudes: both paths teach the encoder.": _of_product(
        lambda p, g, m, r: _opened(p + g, _magnitude(p.detach(), m, r))
    ),
}
LATENTS_SQUARE: Mistakes = {
    "W_enc is transposed, as a tied decoder would be: its shape is [inst d_in d_sae] already.": (
        lambda x, W_enc, *rest: reference.gated_latents(x, W_enc.mT, *rest)
    ),
    "r_mag scales the dimensions of x; it belongs to the latents, after the product.": (
        lambda x, W_enc, b_gate, b_mag, r_mag: _opened(
            x @ W_enc + b_gate[:, None], torch.relu((x * r_mag.exp()[:, None]) @ W_enc + b_mag[:, None])
        )
    ),
}


@exercise("2a.2", "gated_latents", minutes=6, hints=1)
def gated_latents(t: Trial, student: Function) -> None:
    """Gate and latents, and the gradients of everything that trains."""
    trained = ["x", "W_enc", "b_gate", "b_mag", "r_mag"]
    for number, case in enumerate(t.cases(6)):
        if number == 0:
            square(case)
        arguments = {
            "x": case.normal("inst batch d_in", grad=True),
            "W_enc": case.normal("inst d_in d_sae", scale=0.4, grad=True),
            **{name: case.normal("inst d_sae", scale=0.6, grad=True) for name in trained[2:]},
        }
        t.against(
            student,
            arguments,
            reference.gated_latents,
            axes=("inst batch d_sae", "inst batch d_sae"),
            wrt=trained,
            mistakes=LATENTS_SQUARE | LATENTS_MISTAKES if number == 0 else LATENTS_MISTAKES,
        )


_error, _penalty = reference.squared_error, reference.l1_penalty


def _alone(opened: Tensor, W_dec: Tensor, b_dec: Tensor) -> Tensor:
    return opened @ W_dec + b_dec[:, None]


def _loss(rule: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A slip in the sum; the rule is given each of the three right terms, and what they are made of."""

    def wrong(h: Tensor, reconstruction: Tensor, *rest: Tensor) -> Tensor:
        gate, W, b, c = rest
        opened = torch.relu(gate)
        terms = _error(reconstruction, h), _penalty(opened, W), _error(_alone(opened, W, b), h)
        return rule(*terms, h, reconstruction, gate, W, b, c)

    return wrong


LOSS_MISTAKES: Mistakes = {
    "the auxiliary term is missing: nothing then teaches the gate when to open.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p
    ),
    "the penalty is missing.": _loss(lambda e, p, a, h, y, g, W, b, c: e + a),
    "the error of the reconstruction is missing.": _loss(lambda e, p, a, h, y, g, W, b, c: c * p + a),
    "the reconstruction's error is there twice; the auxiliary term is the gate's own.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + e
    ),
    "the auxiliary reconstruction lacks b_dec.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(torch.relu(g) @ W, h)
    ),
    "the auxiliary term compares with the reconstruction; with h.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone(torch.relu(g), W, b), y)
    ),
    "the coefficient is missing: it multiplies the penalty.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + p + a
    ),
    "the coefficient is on the auxiliary term; it belongs to the penalty.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + p + c * a
    ),
    "the coefficient is on the auxiliary term, too; it belongs to the penalty alone.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * (p + a)
    ),
    "the penalty is subtracted; add it.": _loss(lambda e, p, a, h, y, g, W, b, c: e - c * p + a),
    "the ReLU is missing in the penalty: closed gates would lower it without end.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * _penalty(g, W) + a
    ),
    "the ReLU is missing in the auxiliary reconstruction: closed gates write, too.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone(g, W, b), h)
    ),
    "the gate's ReLU is missing, in the penalty and in the auxiliary term.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * _penalty(g, W) + _error(_alone(g, W, b), h)
    ),
    "the penalty is on |gate|: a closed gate costs nothing, ReLU(gate).": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * _penalty(g.abs(), W) + a
    ),
    "open gates are counted; the penalty is on how far they are open, ReLU(gate), or it has no gradient.": (
        _loss(lambda e, p, a, h, y, g, W, b, c: e + c * _penalty((g > 0).float(), W) + a)
    ),
    "the auxiliary reconstruction is made of open gates as 0 and 1; of ReLU(gate).": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone((g > 0).float(), W, b), h)
    ),
    "the decoder's lengths are missing in the penalty: use l1_penalty.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * torch.relu(g).sum(-1).mean(-1) + a
    ),
    "the auxiliary term's decoder is at unit length; W_dec as it is.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone(torch.relu(g), reference.unit(W), b), h)
    ),
    "the gate is computed anew from h with the decoder as its encoder: they are not tied; take the gate that "
    "is given.": _loss(
        lambda e, p, a, h, y, g, W, b, c: reference.gated_loss(h, y, (h - b[:, None]) @ W.mT, W, b, c)
    ),
    "the errors are averaged over d_in; sum over it (squared_error does).": _loss(
        lambda e, p, a, h, y, g, W, b, c: (e + a) / h.shape[-1] + c * p
    ),
    "everything is summed over the batch; average over it.": _loss(
        lambda e, p, a, h, y, g, W, b, c: (e + c * p + a) * h.shape[1]
    ),
    "the penalty is averaged over the latents; sum over them.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p / g.shape[-1] + a
    ),
    "the instances were averaged; each has a loss of its own.": _loss(
        lambda e, p, a, h, y, g, W, b, c: (e + c * p + a).mean()
    ),
    "W_dec and b_dec are detached in the auxiliary term. The paper does that; SAELens doesn't, and neither "
    "does this formula.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone(torch.relu(g), W.detach(), b.detach()), h)
    ),
    "W_dec is detached in the auxiliary term. The paper does that; SAELens doesn't, and neither does this "
    "formula.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone(torch.relu(g), W.detach(), b), h)
    ),
    "the decoder's lengths are detached in the penalty: it is to feel that its length costs.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * _penalty(torch.relu(g), W.detach()) + a
    ),
    "the gate is detached in the auxiliary term, which is there to teach it.": _loss(
        lambda e, p, a, h, y, g, W, b, c: e + c * p + _error(_alone(torch.relu(g).detach(), W, b), h)
    ),
}


@exercise("2a.3", "gated_loss", minutes=6, hints=1)
def gated_loss(t: Trial, student: Function) -> None:
    """Three terms and their gradients, by the reconstruction, the gate and the decoder."""
    for case in t.cases(6):
        t.against(
            student,
            {
                "h": case.normal("inst batch d_in"),
                "reconstruction": case.normal("inst batch d_in", grad=True),
                "gate": case.normal("inst batch d_sae", grad=True),
                "W_dec": decoder(case, grad=True),
                "b_dec": case.normal("inst d_in", grad=True),
                "coefficient": case.number(0.3, 0.8),
            },
            reference.gated_loss,
            axes="inst",
            wrt=["reconstruction", "gate", "W_dec", "b_dec"],
            mistakes=LOSS_MISTAKES,
        )
