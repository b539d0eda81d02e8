"""Banks for 1.4 parameters, 1.5 unit_decoder, 1.6 sae_forward and 1.7 sae_loss."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from bank import Bank
from torch import Tensor, nn

from sae_course.checks import ch01 as check

made = Bank(check.parameters)


def unit(W, dim):
    return F.normalize(W, dim=dim)


def maker(name, encoder=None, decoder=None, b_enc=None, b_dec=None):
    """An SAE class whose parts can be made otherwise: functions of (n_inst, d_in, d_sae, generator)."""

    class Made(nn.Module):
        def __init__(self, n_inst, d_in, d_sae, generator):
            super().__init__()
            sizes = (n_inst, d_in, d_sae, generator)
            self.W_enc = nn.Parameter((encoder or right_encoder)(*sizes))
            self.W_dec = nn.Parameter((decoder or right_decoder)(*sizes))
            self.b_enc = nn.Parameter(b_enc(*sizes) if b_enc else torch.zeros(n_inst, d_sae))
            self.b_dec = nn.Parameter(b_dec(*sizes) if b_dec else torch.zeros(n_inst, d_in))

    Made.__name__ = name
    return Made


def right_encoder(n, d, k, g):
    return unit(torch.randn(n, d, k, generator=g), 1)


def right_decoder(n, d, k, g):
    return unit(torch.randn(n, k, d, generator=g), 2)


made.right(maker("Drawn"))
made.right(
    maker("OtherOrder", decoder=lambda n, d, k, g: unit(torch.empty(n, k, d).normal_(generator=g), -1))
)


@made.right
class CopiedEncoder(nn.Module):
    def __init__(self, n_inst, d_in, d_sae, generator):
        super().__init__()
        W = torch.randn(n_inst, d_sae, d_in, generator=generator)
        self.W_dec = nn.Parameter(W / W.norm(dim=-1, keepdim=True))
        self.W_enc = nn.Parameter(self.W_dec.detach().mT.clone())
        self.b_enc = nn.Parameter(torch.zeros((n_inst, d_sae)))
        self.b_dec = nn.Parameter(torch.zeros((n_inst, d_in)))


@made.wrong("share their memory")
class Tied(nn.Module):
    def __init__(self, n_inst, d_in, d_sae, generator):
        super().__init__()
        self.W_dec = nn.Parameter(right_decoder(n_inst, d_in, d_sae, generator))
        self.W_enc = nn.Parameter(self.W_dec.data.transpose(1, 2))
        self.b_enc = nn.Parameter(torch.zeros(n_inst, d_sae))
        self.b_dec = nn.Parameter(torch.zeros(n_inst, d_in))


@made.wrong("b_dec is no trainable parameter")
class PlainTensor(nn.Module):
    def __init__(self, n_inst, d_in, d_sae, generator):
        super().__init__()
        self.W_enc = nn.Parameter(right_encoder(n_inst, d_in, d_sae, generator))
        self.W_dec = nn.Parameter(right_decoder(n_inst, d_in, d_sae, generator))
        self.b_enc = nn.Parameter(torch.zeros(n_inst, d_sae))
        self.b_dec = torch.zeros(n_inst, d_in)


@made.wrong("has no b_dec")
class NoDecoderBias(nn.Module):
    def __init__(self, n_inst, d_in, d_sae, generator):
        super().__init__()
        self.W_enc = nn.Parameter(right_encoder(n_inst, d_in, d_sae, generator))
        self.W_dec = nn.Parameter(right_decoder(n_inst, d_in, d_sae, generator))
        self.b_enc = nn.Parameter(torch.zeros(n_inst, d_sae))


@made.wrong("raised AttributeError")
class NoSuper(nn.Module):
    def __init__(self, n_inst, d_in, d_sae, generator):
        self.W_enc = nn.Parameter(right_encoder(n_inst, d_in, d_sae, generator))


def wrong_parts(name, message, **parts):
    made.wrong(message)(maker(name, **parts))


def randn(g, *shape):
    return torch.randn(shape, generator=g)


wrong_parts("ZeroWeights", "all zero", encoder=lambda n, d, k, g: torch.zeros(n, d, k))
wrong_parts("NotNormalised", "it is not normalised", decoder=lambda n, d, k, g: randn(g, n, k, d))
wrong_parts("EncoderAxis", "wrong axis, dim=2", encoder=lambda n, d, k, g: unit(randn(g, n, d, k), -1))
wrong_parts("DecoderAxis", "wrong axis, dim=1", decoder=lambda n, d, k, g: unit(randn(g, n, k, d), 1))
wrong_parts("OverInstances", "over the instances", decoder=lambda n, d, k, g: unit(randn(g, n, k, d), 0))
wrong_parts(
    "WholeMatrix",
    "whole matrix",
    decoder=lambda n, d, k, g: unit(randn(g, n, k, d), (1, 2)),
)
wrong_parts(
    "SameForAll",
    "the same for every instance",
    encoder=lambda n, d, k, g: unit(randn(g, d, k), 0).repeat(n, 1, 1),
)
wrong_parts(
    "SameLatents",
    "the same for every latent",
    decoder=lambda n, d, k, g: unit(randn(g, n, 1, d), -1).repeat(1, k, 1),
)
wrong_parts(
    "UniformWeights",
    "torch.rand",
    encoder=lambda n, d, k, g: unit(torch.rand(n, d, k, generator=g), 1),
)
wrong_parts("RandomBias", "b_enc is to start as zero", b_enc=lambda n, d, k, g: randn(g, n, k))
wrong_parts("OneBias", "b_dec", b_dec=lambda n, d, k, g: torch.zeros(d))
wrong_parts("SwappedEncoder", "wrong order", encoder=lambda n, d, k, g: unit(randn(g, n, k, d), 1))
wrong_parts("OneInstance", "is missing", encoder=lambda n, d, k, g: unit(randn(g, d, k), 0))
wrong_parts("GlobalRandom", "global random", encoder=lambda n, d, k, g: unit(torch.randn(n, d, k), 1))
wrong_parts("Doubles", "float64", b_enc=lambda n, d, k, g: torch.zeros(n, k, dtype=torch.float64))
wrong_parts(
    "OwnGenerator",
    "took no random number",
    encoder=lambda n, d, k, g: right_encoder(n, d, k, torch.Generator().manual_seed(0)),
    decoder=lambda n, d, k, g: right_decoder(n, d, k, torch.Generator().manual_seed(1)),
)
wrong_parts("SeededAnew", "seeded anew", encoder=lambda n, d, k, g: right_encoder(n, d, k, g.manual_seed(0)))


units = Bank(check.unit_decoder)


@units.right
def with_normalize(W_dec):
    return F.normalize(W_dec, dim=-1)


@units.right
def with_clamp(W_dec):
    return W_dec / torch.linalg.vector_norm(W_dec, dim=2, keepdim=True).clamp_min(1e-8)


@units.right
def by_einsum(W_dec):
    squares = torch.einsum("ikd,ikd->ik", W_dec, W_dec)
    return W_dec * torch.rsqrt(squares + 1e-12)[..., None]


@units.right
def plus_epsilon(W_dec):
    return W_dec / (W_dec.norm(dim=-1, keepdim=True) + 1e-8)


@units.wrong("gives NaN")
def no_guard(W_dec):
    return W_dec / W_dec.norm(dim=-1, keepdim=True)


@units.wrong("gradient is NaN")
def hidden_division(W_dec):
    norm = W_dec.norm(dim=-1, keepdim=True)
    return torch.where(norm > 0, W_dec / norm, W_dec)


@units.wrong("gradient is NaN")
def root_of_zero(W_dec):
    return W_dec / W_dec.pow(2).sum(-1, keepdim=True).sqrt().clamp(min=1e-8)


@units.wrong("along d_sae")
def along_latents(W_dec):
    return F.normalize(W_dec)


@units.wrong("over the instances")
def along_instances(W_dec):
    return F.normalize(W_dec, dim=0)


@units.wrong("whole tensor")
def all_at_once(W_dec):
    return W_dec / torch.sqrt((W_dec**2).sum())


@units.wrong("squared norm")
def no_root(W_dec):
    return W_dec / (W_dec**2).sum(dim=-1, keepdim=True)


@units.wrong("absolute values")
def by_l1(W_dec):
    return F.normalize(W_dec, p=1, dim=-1)


@units.wrong("root of the mean square")
def by_rms(W_dec):
    return W_dec / (W_dec**2).mean(dim=-1, keepdim=True).sqrt()


@units.wrong("comes back as it was")
def unchanged(W_dec):
    F.normalize(W_dec, dim=-1)
    return W_dec


@units.wrong("multiplied by the norm")
def times(W_dec):
    return W_dec * W_dec.norm(dim=-1)[..., None]


@units.wrong("shorter than 1")
def only_shorten(W_dec):
    return W_dec / W_dec.norm(dim=-1, keepdim=True).clamp(min=1.0)


@units.wrong("norm was detached")
def detached_norm(W_dec):
    with torch.no_grad():
        norm = W_dec.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    return W_dec / norm


@units.wrong("cut off")
def through_data(W_dec):
    return F.normalize(W_dec.data, dim=-1)


@units.wrong("changed its input")
def in_place(W_dec):
    with torch.no_grad():
        W_dec /= W_dec.norm(dim=-1, keepdim=True)
    return W_dec


@units.wrong("raised RuntimeError|shape")
def no_keepdim(W_dec):
    return W_dec / W_dec.norm(dim=-1)


@units.wrong("is missing")
def norm_only(W_dec):
    return W_dec.norm(dim=-1)


class Out(NamedTuple):
    pre_activations: Tensor
    latents: Tensor
    reconstruction: Tensor


forwards = Bank(check.sae_forward)


@forwards.right
def with_einsum(sae, h):
    pre = torch.einsum("...id,idk->...ik", h - sae.b_dec, sae.W_enc) + sae.b_enc
    acts = pre.clamp(min=0)
    return Out(pre, acts, torch.einsum("bik,ikd->bid", acts, F.normalize(sae.W_dec, dim=-1)) + sae.b_dec)


@forwards.right
def with_matmul(sae, h):
    x = (h - sae.b_dec).transpose(0, 1)
    pre = (x @ sae.W_enc).transpose(0, 1) + sae.b_enc
    acts = torch.relu(pre)
    W_dec = sae.W_dec / (sae.W_dec**2).sum(-1, keepdim=True).sqrt()
    return Out(pre, acts, (acts.transpose(0, 1) @ W_dec).transpose(0, 1) + sae.b_dec)


@forwards.right
def bias_folded_in(sae, h):
    norm = sae.W_dec.norm(dim=-1)
    offset = sae.b_enc - torch.einsum("id,idk->ik", sae.b_dec, sae.W_enc)
    pre = torch.einsum("bid,idk->bik", h, sae.W_enc) + offset
    acts = F.relu(pre)
    return Out(pre, acts, torch.einsum("bik,ikd->bid", acts / norm, sae.W_dec) + sae.b_dec)


def run(sae, h, *, W_enc=None, W_dec=None, before=None, after=None, b_enc=None, act=F.relu):
    """A forward pass with parts to exchange."""
    before = sae.b_dec if before is None else before
    after = sae.b_dec if after is None else after
    b_enc = sae.b_enc if b_enc is None else b_enc
    pre = ((h - before)[:, :, None] @ (sae.W_enc if W_enc is None else W_enc))[:, :, 0] + b_enc
    acts = act(pre)
    W_dec = F.normalize(sae.W_dec, dim=2) if W_dec is None else W_dec
    return Out(pre, acts, (acts[:, :, None] @ W_dec)[:, :, 0] + after)


ZERO = torch.zeros(())
SLIPS = {
    "b_dec is not subtracted": lambda sae, h: run(sae, h, before=ZERO),
    "b_dec is added before": lambda sae, h: run(sae, h, before=-sae.b_dec),
    "b_dec is not added": lambda sae, h: run(sae, h, after=ZERO),
    "b_dec is used nowhere": lambda sae, h: run(sae, h, before=ZERO, after=ZERO),
    "b_enc is missing": lambda sae, h: run(sae, h, b_enc=ZERO),
    "both biases are missing": lambda sae, h: run(sae, h, before=ZERO, after=ZERO, b_enc=ZERO),
    "not at unit length": lambda sae, h: run(sae, h, W_dec=sae.W_dec),
    "along the wrong axis": lambda sae, h: run(sae, h, W_dec=F.normalize(sae.W_dec, dim=1)),
    "ReLU on the latents is missing": lambda sae, h: run(sae, h, act=lambda pre: pre),
    "ReLU on the reconstruction": lambda sae, h: run(sae, h)._replace(
        reconstruction=run(sae, h).reconstruction.relu()
    ),
    "W_dec transposed": lambda sae, h: run(sae, h, W_enc=sae.W_dec.mT),
    "encoder was normalised": lambda sae, h: run(sae, h, W_enc=F.normalize(sae.W_enc, dim=1)),
    "decoder of instance 0": lambda sae, h: run(sae, h, W_dec=F.normalize(sae.W_dec[0], dim=1)),
    "after the ReLU": lambda sae, h: run(sae, h)._replace(pre_activations=run(sae, h).latents),
    "decoder was detached": lambda sae, h: run(sae, h, W_dec=F.normalize(sae.W_dec, dim=2).detach()),
    "norm of the decoder was detached": lambda sae, h: run(
        sae, h, W_dec=sae.W_dec / sae.W_dec.norm(dim=2, keepdim=True).data
    ),
    "has shape|wrong order": lambda sae, h: Out(*(part.transpose(0, 1) for part in run(sae, h))),
    "changed its input sae.W_dec": lambda sae, h: (
        sae.W_dec.data.copy_(F.normalize(sae.W_dec.data, dim=-1)) is None or run(sae, h)
    ),
    "changed its input h": lambda sae, h: run(sae, h.sub_(sae.b_dec.detach())),
    "expected a NamedTuple": lambda sae, h: run(sae, h).reconstruction,
    "no gradient flows back to sae.b_dec|gradient": lambda sae, h: run(
        sae, h, before=sae.b_dec.detach(), after=sae.b_dec.detach()
    ),
    "field latents|field reconstruction": lambda sae, h: run(sae, h, act=F.gelu),
}
for number, (text, slip) in enumerate(SLIPS.items()):
    slip.__name__ = f"slip_{number}"
    forwards.wrong(text)(slip)


@forwards.wrong("from the pre-activations")
def decodes_pre(sae, h):
    right = run(sae, h)
    return right._replace(reconstruction=run(sae, h, act=lambda pre: pre).reconstruction)


@forwards.wrong("latents were detached")
def detaches_latents(sae, h):
    right = run(sae, h)
    W_dec = F.normalize(sae.W_dec, dim=2)
    return right._replace(
        reconstruction=torch.einsum("bik,ikd->bid", right.latents.detach(), W_dec) + sae.b_dec
    )


@forwards.wrong("cut off")
def without_graph(sae, h):
    with torch.no_grad():
        return run(sae, h)


class Terms(NamedTuple):
    total: Tensor
    mse: Tensor
    l1: Tensor


losses = Bank(check.sae_loss)


def error(h, out):
    return ((h - out.reconstruction) ** 2).sum(-1).mean(0) / h.shape[-1]


def penalty(out):
    return out.latents.norm(p=1, dim=-1).mean(0)


@losses.right
def in_two_means(h, out, l1_coefficient):
    mse, l1 = (h - out.reconstruction).square().mean(-1).mean(0), out.latents.sum(-1).mean(0)
    return Terms(mse + l1_coefficient * l1, mse, l1)


@losses.right
def by_library(h, out, l1_coefficient):
    mse = F.mse_loss(out.reconstruction, h, reduction="none").mean(dim=(0, 2))
    l1 = out.latents.abs().sum(dim=2).sum(dim=0) / len(h)
    return Terms(mse.add(l1, alpha=l1_coefficient), mse, l1)


@losses.right
def by_norms(h, out, l1_coefficient):
    return Terms(error(h, out) + l1_coefficient * penalty(out), error(h, out), penalty(out))


def of(mse, l1, c):
    return Terms(mse + c * l1, mse, l1)


LOSS_SLIPS = {
    "summed over d_in": lambda h, out, c: of(error(h, out) * h.shape[-1], penalty(out), c),
    "squared error is summed over the batch": lambda h, out, c: of(error(h, out) * len(h), penalty(out), c),
    "absolute error": lambda h, out, c: of((h - out.reconstruction).abs().mean((0, 2)), penalty(out), c),
    "square root too many": lambda h, out, c: of(error(h, out) ** 0.5, penalty(out), c),
    "averaged over the latents": lambda h, out, c: of(error(h, out), out.latents.mean(-1).mean(0), c),
    "activations are summed over the batch": lambda h, out, c: of(error(h, out), out.latents.sum((0, 2)), c),
    "activations are squared": lambda h, out, c: of(error(h, out), (out.latents**2).sum(-1).mean(0), c),
    "L0": lambda h, out, c: of(error(h, out), (out.latents != 0).float().sum(-1).mean(0), c),
    "penalty is on pre_activations": lambda h, out, c: of(
        error(h, out), out.pre_activations.abs().sum(-1).mean(0), c
    ),
    "lacks l1_coefficient": lambda h, out, c: of(error(h, out), penalty(out), 1),
    "lacks the penalty": lambda h, out, c: of(error(h, out), penalty(out), 0),
    "penalty is subtracted": lambda h, out, c: of(error(h, out), penalty(out), -c),
    "multiplies the error": lambda h, out, c: Terms(
        c * error(h, out) + penalty(out), error(h, out), penalty(out)
    ),
    "multiplies both": lambda h, out, c: Terms(
        c * (error(h, out) + penalty(out)), error(h, out), penalty(out)
    ),
    "already holds l1_coefficient": lambda h, out, c: Terms(
        error(h, out) + c * penalty(out), error(h, out), c * penalty(out)
    ),
    "cut off from": lambda h, out, c: of(error(h, Out(*map(torch.detach, out))), penalty(out), c),
    "right values, but cut off": lambda h, out, c: of(
        error(h, out), penalty(Out(*map(torch.detach, out))), c
    ),
    "cut off": lambda h, out, c: Terms(*(part.detach() for part in by_norms(h, out, c))),
    "was it summed or averaged|has shape": lambda h, out, c: Terms(
        *(part.mean() for part in by_norms(h, out, c))
    ),
    "expected a NamedTuple": lambda h, out, c: by_norms(h, out, c).total,
    "is missing, or has another name|expected a NamedTuple": lambda h, out, c: tuple(by_norms(h, out, c)),
    "axis too many|has shape": lambda h, out, c: of(
        (h - out.reconstruction).pow(2).mean(-1), penalty(out), c
    ),
    "changed its input": lambda h, out, c: (h.sub_(1) is None) or by_norms(h, out, c),
}
for number, (text, slip) in enumerate(LOSS_SLIPS.items()):
    slip.__name__ = f"slip_{number}"
    losses.wrong(text)(slip)
