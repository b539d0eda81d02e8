"""Checks of the sparse autoencoder: 1.4 parameters, 1.5 unit_decoder, 1.6 sae_forward, 1.7 sae_loss."""

from typing import Any

import torch
from torch import Tensor, nn

from ..core import exercise
from ..trial import Function, Trial
from . import reference
from .reference import LOSS_AXES, OUTPUT_AXES, PARAMETERS, Loss, Output, random_sae

WEIGHTS = {"W_enc": 1, "W_dec": 2}
"""The axis along which each latent's vector lies."""


@exercise("1.4", "parameters", minutes=5, hints=1)
def parameters(t: Trial, student: Function) -> None:
    """Four trainable parameters: weights random, of length 1 for each latent, untied; biases zero."""
    for case in t.cases(4):
        sizes = {"n_inst": case.size("inst"), "d_in": case.size("d_in"), "d_sae": case.size("d_sae")}
        seed = int(torch.randint(2**31, (), generator=t.generator))
        generator = torch.Generator(device=t.device).manual_seed(seed)
        untouched, elsewhere = generator.get_state(), torch.get_rng_state()
        sae = t.call(student, {**sizes, "generator": generator})
        t.parameters(sae, {name: (axes, case.shape(axes)) for name, axes in PARAMETERS.items()})
        for name in PARAMETERS:
            _plain(t, getattr(sae, name), name)
        _untied(t, sae)
        for name in ("b_enc", "b_dec"):
            t.require(not bool(getattr(sae, name).any()), f"{name} is to start as zero, and does not.")
        for name in WEIGHTS:
            _random_directions(t, getattr(sae, name).detach(), name)
        _from_generator(t, student, sizes, sae, (generator, untouched, elsewhere, seed))


def _plain(t: Trial, value: Tensor, name: str) -> None:
    t.require(value.dtype == torch.float32, f"{name} has dtype {value.dtype}; expected torch.float32.")
    t.require(
        value.device.type == torch.device(t.device).type,
        f"{name} is on {value.device}; expected the generator's device, {t.device}.",
        likely="device=generator.device is missing.",
    )
    t.require(bool(torch.isfinite(value).all()), f"{name} has entries that are NaN or infinite.", kind="nan")


def _untied(t: Trial, sae: nn.Module) -> None:
    memory = [getattr(sae, name).untyped_storage().data_ptr() for name in WEIGHTS]
    t.require(
        memory[0] != memory[1],
        "W_enc and W_dec share their memory: training one changes the other, so they are tied.",
        kind="alias",
        likely="W_enc is a view of W_dec; draw it by itself (or .clone() it).",
    )


def _random_directions(t: Trial, W: Tensor, name: str) -> None:
    along = WEIGHTS[name]
    t.require(
        bool(W.any()),
        f"{name} is all zero: no gradient could tell its latents apart.",
        likely="zeros belong to the biases.",
    )
    norms = W.norm(dim=along)
    if float((norms - 1).abs().max()) > 1e-4:
        other = 3 - along
        likely = "it is not normalised."
        if float((W.norm(dim=other) - 1).abs().max()) < 1e-4:
            likely = (
                f"normalised along the wrong axis, dim={other}: a latent's vector lies along dim={along}."
            )
        elif float((W.norm(dim=(1, 2)) - 1).abs().max()) < 1e-4 or abs(float(W.norm()) - 1) < 1e-4:
            likely = "the whole matrix was normalised at once, not each latent's vector."
        elif float((W.norm(dim=0) - 1).abs().max()) < 1e-4:
            likely = f"normalised over the instances, dim=0: a latent's vector lies along dim={along}."
        t.require(
            False,
            f"the latents' vectors in {name} have lengths from {float(norms.min()):.3g} to "
            f"{float(norms.max()):.3g}; expected 1.",
            likely=likely,
        )
    for axis, what in ((0, "instance"), (3 - along, "latent")):
        t.require(
            not torch.allclose(W, W.narrow(axis, 0, 1)),
            f"{name} is the same for every {what}; each is to have random numbers of its own.",
            likely="one draw was repeated: draw with the full shape.",
        )
    # As many negative entries as positive ones: W has at least 45 entries
    t.rate(
        int((W > 0).sum()),
        W.numel(),
        0.5,
        f"the share of positive entries in {name}",
        likely="torch.rand (0 to 1) where torch.randn is wanted: directions should point anywhere.",
    )


def _from_generator(
    t: Trial, student: Function, sizes: dict[str, int], sae: Any, drawn: tuple[Any, Tensor, Tensor, int]
) -> None:
    generator, untouched, elsewhere, seed = drawn
    t.require(
        not torch.equal(generator.get_state(), untouched),
        "the SAE took no random number from the generator that it was given.",
        likely="generator=generator is missing in torch.randn(...).",
        kind="generator",
    )
    t.require(
        torch.equal(torch.get_rng_state(), elsewhere),
        "the SAE touched torch's global random numbers; all randomness is to come from the generator.",
        likely="generator=generator is missing in one of the draws.",
        kind="generator",
    )
    second = t.call(student, {**sizes, "generator": generator})
    same = torch.Generator(device=t.device).manual_seed(seed)
    again = t.call(student, {**sizes, "generator": same})
    for name in WEIGHTS:
        first = getattr(sae, name)
        t.require(
            not torch.equal(first, getattr(second, name)),
            f"two SAEs made one after the other with one generator have the same {name}.",
            likely="the generator is seeded anew inside, or the parameter belongs to the class.",
            kind="generator",
        )
        t.require(
            torch.equal(first, getattr(again, name)),
            f"a generator with the same seed gives another {name}, so a run could not be repeated.",
            likely="generator=generator is missing in one of the draws.",
            kind="generator",
        )


@exercise("1.5", "unit_decoder", minutes=2, hints=1)
def unit_decoder(t: Trial, student: Function) -> None:
    """Each latent's vector at length 1, with the gradient through the norm; zeros stay finite."""
    mistakes = {
        "normalised along d_sae (dim=1); a latent's vector lies along d_in, the last axis.": lambda W: (
            W / W.norm(dim=1, keepdim=True)
        ),
        "normalised over the instances (dim=0); a latent's vector lies along the last axis.": lambda W: (
            W / W.norm(dim=0, keepdim=True)
        ),
        "the whole tensor was normalised at once; each latent's vector has a norm of its own.": lambda W: (
            W / W.norm()
        ),
        "divided by the squared norm: a square root is missing.": lambda W: (
            W / W.pow(2).sum(-1, keepdim=True)
        ),
        "divided by the sum of absolute values, not by the length.": lambda W: (
            W / W.abs().sum(-1, keepdim=True)
        ),
        "divided by the root of the mean square, not of the sum of squares.": lambda W: (
            W / W.pow(2).mean(-1, keepdim=True).sqrt()
        ),
        "W_dec comes back as it was: nothing is divided.": lambda W: W * 1.0,
        "multiplied by the norm, not divided.": lambda W: W * W.norm(dim=-1, keepdim=True),
        "vectors shorter than 1 are left as they were; they must be lengthened.": lambda W: (
            W / W.norm(dim=-1, keepdim=True).clamp(min=1)
        ),
        "the norm was detached; gradients must flow through the division, too.": lambda W: (
            W / W.norm(dim=-1, keepdim=True).detach()
        ),
    }
    for number, case in enumerate(t.cases(6)):
        # Lengths around 1, or far below it
        scale = 0.05 if number % 2 else case.size("d_in") ** -0.5
        W_dec = case.normal("inst d_sae d_in", scale=scale, grad=True)
        t.against(
            student,
            {"W_dec": W_dec},
            reference.unit,
            axes="inst d_sae d_in",
            wrt=["W_dec"],
            mistakes=mistakes,
            atol=1e-4,
        )
        if number < 4:
            continue
        with torch.no_grad():
            W_dec[0, 1] = 0
        t.against(student, {"W_dec": W_dec}, reference.unit, axes="inst d_sae d_in", atol=1e-4)
        leaf = W_dec.detach().clone().requires_grad_()
        result = t.call(student, {"W_dec": leaf})
        (gradient,) = torch.autograd.grad(result.sum(), leaf)
        t.require(
            bool(torch.isfinite(gradient).all()),
            "unit_decoder gives finite values for a vector of zeros, but its gradient is NaN or infinite.",
            kind="nan",
            likely="a square root at 0, or a division by 0 that torch.where hides; "
            ".norm(...).clamp(min=1e-8) has neither.",
        )


def _forward(  # one switch for each slip
    sae: Any,
    h: Tensor,
    *,
    subtract: float = 1,
    add: float = 1,
    b_enc: float = 1,
    W_enc: Tensor | None = None,
    W_dec: Tensor | None = None,
    latents_relu: bool = True,
    decode_pre: bool = False,
    output_relu: bool = False,
) -> Output:
    W_enc = sae.W_enc if W_enc is None else W_enc
    W_dec = reference.unit(sae.W_dec) if W_dec is None else W_dec
    pre = torch.einsum("bid,idk->bik", h - subtract * sae.b_dec, W_enc) + b_enc * sae.b_enc
    latents = pre.relu() if latents_relu else pre
    out = torch.einsum("bik,ikd->bid", pre if decode_pre else latents, W_dec) + add * sae.b_dec
    return Output(pre, latents, out.relu() if output_relu else out)


FORWARD_MISTAKES = {
    "b_dec is not subtracted before the encoder.": lambda sae, h: _forward(sae, h, subtract=0),
    "b_dec is added before the encoder; it is to be subtracted.": lambda sae, h: _forward(
        sae, h, subtract=-1
    ),
    "b_dec is not added after the decoder.": lambda sae, h: _forward(sae, h, add=0),
    "b_dec is used nowhere: subtract it before the encoder, add it after the decoder.": lambda sae, h: (
        _forward(sae, h, add=0, subtract=0)
    ),
    "b_enc is missing.": lambda sae, h: _forward(sae, h, b_enc=0),
    "both biases are missing.": lambda sae, h: _forward(sae, h, add=0, subtract=0, b_enc=0),
    "the decoder is not at unit length: use unit_decoder(sae.W_dec).": lambda sae, h: _forward(
        sae, h, W_dec=sae.W_dec
    ),
    "the decoder is normalised along the wrong axis.": lambda sae, h: _forward(
        sae, h, W_dec=sae.W_dec / sae.W_dec.norm(dim=1, keepdim=True)
    ),
    "the ReLU on the latents is missing.": lambda sae, h: _forward(sae, h, latents_relu=False),
    "the reconstruction is decoded from the pre-activations, not from the latents.": lambda sae, h: _forward(
        sae, h, decode_pre=True
    ),
    "a ReLU on the reconstruction: activations can be negative.": lambda sae, h: _forward(
        sae, h, output_relu=True
    ),
    "the encoder is W_dec transposed (tied), not W_enc.": lambda sae, h: _forward(
        sae, h, W_enc=sae.W_dec.transpose(1, 2)
    ),
    "the encoder was normalised; only the decoder is.": lambda sae, h: _forward(
        sae, h, W_enc=sae.W_enc / sae.W_enc.norm(dim=1, keepdim=True)
    ),
    "every instance used the decoder of instance 0.": lambda sae, h: _forward(
        sae, h, W_dec=reference.unit(sae.W_dec)[:1].expand_as(sae.W_dec)
    ),
    "the field pre_activations holds the latents, after the ReLU.": lambda sae, h: _forward(sae, h)._replace(
        pre_activations=_forward(sae, h).latents
    ),
    "the decoder was detached: it would never learn.": lambda sae, h: _forward(
        sae, h, W_dec=reference.unit(sae.W_dec).detach()
    ),
    "the norm of the decoder was detached; gradients must flow through the division.": lambda sae, h: (
        _forward(sae, h, W_dec=sae.W_dec / sae.W_dec.norm(dim=-1, keepdim=True).detach())
    ),
    "the latents were detached before decoding: the encoder would not learn from the error.": lambda sae, h: (
        _forward(sae, h)._replace(reconstruction=reference.decode(sae, _forward(sae, h).latents.detach()))
    ),
}


@exercise("1.6", "sae_forward", minutes=6, hints=2)
def sae_forward(t: Trial, student: Function) -> None:
    """Pre-activations, latents and reconstruction, with random biases and a decoder of any length."""
    for case in t.cases(6):
        t.against(
            student,
            {"sae": random_sae(case), "h": case.normal("batch inst d_in")},
            reference.forward,
            axes=OUTPUT_AXES,
            wrt=[f"sae.{name}" for name in PARAMETERS],
            mistakes=FORWARD_MISTAKES,
        )


def _loss(mse: Any, l1: Any, total: Any = None) -> Any:
    """A loss made of three functions: of h and out, of out, and of (mse, l1, coefficient)."""
    total = total or (lambda error, penalty, coefficient: error + coefficient * penalty)

    def wrong(h: Tensor, out: Output, l1_coefficient: float) -> Loss:
        error, penalty = mse(h, out), l1(out)
        return Loss(total(error, penalty, l1_coefficient), error, penalty)

    return wrong


def _mse(h: Tensor, out: Output) -> Tensor:
    return (out.reconstruction - h).pow(2).mean(dim=(0, 2))


def _l1(out: Output) -> Tensor:
    return out.latents.sum(2).mean(0)


LOSS_MISTAKES = {
    "the squared error is summed over d_in; it is to be averaged.": _loss(
        lambda h, out: (out.reconstruction - h).pow(2).sum(2).mean(0), _l1
    ),
    "the squared error is summed over the batch; it is to be averaged.": _loss(
        lambda h, out: (out.reconstruction - h).pow(2).mean(2).sum(0), _l1
    ),
    "the absolute error, not the squared one.": _loss(
        lambda h, out: (out.reconstruction - h).abs().mean((0, 2)), _l1
    ),
    "a square root too many: the mean squared error has none.": _loss(
        lambda h, out: _mse(h, out).sqrt(), _l1
    ),
    "the activations are averaged over the latents; they are to be summed.": _loss(
        _mse, lambda out: out.latents.mean((0, 2))
    ),
    "the activations are summed over the batch; they are to be averaged there.": _loss(
        _mse, lambda out: out.latents.sum((0, 2))
    ),
    "the activations are squared; L1 takes them as they are.": _loss(
        _mse, lambda out: out.latents.pow(2).sum(2).mean(0)
    ),
    "active latents are counted (L0); L1 sums their activations.": _loss(
        _mse, lambda out: (out.latents > 0).float().sum(2).mean(0)
    ),
    "the penalty is on pre_activations; it is on the latents.": _loss(
        _mse, lambda out: out.pre_activations.abs().sum(2).mean(0)
    ),
    "total lacks l1_coefficient.": _loss(_mse, _l1, lambda mse, l1, c: mse + l1),
    "total lacks the penalty.": _loss(_mse, _l1, lambda mse, l1, c: mse + 0 * l1),
    "the penalty is subtracted; it is to be added.": _loss(_mse, _l1, lambda mse, l1, c: mse - c * l1),
    "l1_coefficient multiplies the error, not the penalty.": _loss(
        _mse, _l1, lambda mse, l1, c: c * mse + l1
    ),
    "l1_coefficient multiplies both terms.": _loss(_mse, _l1, lambda mse, l1, c: c * (mse + l1)),
    "the field l1 already holds l1_coefficient; it belongs in total only.": (
        lambda h, out, c: Loss(_mse(h, out) + c * _l1(out), _mse(h, out), c * _l1(out))
    ),
}


@exercise("1.7", "sae_loss", minutes=4, hints=1)
def sae_loss(t: Trial, student: Function) -> None:
    """Error averaged over d_in, activations summed over the latents, both averaged over the batch."""
    for number, case in enumerate(t.cases(6)):
        pre = case.normal("batch inst d_sae")
        # Where a gradient is compared no latent is 0: there |a| and a have different ones, and both are right
        latents = case.uniform("batch inst d_sae") if number < 4 else pre.relu()
        out = Output(
            pre.requires_grad_(),
            latents.detach().requires_grad_(),
            case.normal("batch inst d_in", grad=True),
        )
        t.against(
            student,
            {"h": case.normal("batch inst d_in"), "out": out, "l1_coefficient": case.number(0.1, 0.6)},
            reference.loss,
            axes=LOSS_AXES,
            wrt=["out.reconstruction", "out.latents"] if number < 4 else [],
            mistakes=LOSS_MISTAKES,
        )
