"""The references of 5.5, 5.6 and 5.8 against a layer written out, and finite differences through it."""

import pytest
import torch

from sae_course.checks.cases import make_cases
from sae_course.checks.ch05 import ablation, attribution, inputs, subject
from sae_course.checks.gradients import finite_differences


@pytest.fixture(params=range(len(subject.KINDS)), ids=[" to ".join(kinds) for kinds in subject.KINDS])
def case(request):
    stream = torch.Generator().manual_seed(7 + request.param)
    (made,) = make_cases(1, stream, "cpu", subject.SIZES)
    return made, subject.tiny_arguments(made, subject.KINDS[request.param])


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def layer_one(model, tokens, z, unchanged=None, part="qkv"):
    """The second layer's z, from the first layer's.

    ``unchanged``: the first layer's z for those of queries, keys and values that ``part`` leaves out.
    """
    first, attn, norm = model.blocks[0].attn, model.blocks[1].attn, model.blocks[1].ln1

    def read(name, W, b):
        x = model.W_E[tokens] + first.b_O
        x = x + torch.einsum("rphd,hdm->rpm", z if name in part else unchanged, first.W_O)
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.pow(2).mean(-1, keepdim=True) + model.cfg.eps).sqrt() * norm.w + norm.b
        if name != "v":  # shortformer's positions
            x = x + model.W_pos[: tokens.shape[1]]
        return torch.einsum("rpm,hmd->rphd", x, W) + b

    q = read("q", attn.W_Q, attn.b_Q)
    k = read("k", attn.W_K, attn.b_K)
    v = read("v", attn.W_V, attn.b_V)
    scores = torch.einsum("rqhd,rkhd->rhqk", q, k) / model.cfg.d_head**0.5
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return torch.einsum("rhqk,rkhd->rqhd", scores.masked_fill(ahead, -torch.inf).softmax(-1), v)


def in_double(*modules):
    for module in modules:
        module.double()
        if hasattr(module, "W_dec"):
            module.dtype = torch.float64


def test_attribution_is_what_finite_differences_give(case):
    made, arguments = case
    model, source, target, tokens = arguments.values()
    now = subject.before(**arguments)
    latent, where = subject.half_firing(now.b), made.mask("rows pos")
    seen = attribution._right(now, **arguments, latent=latent, where=where)
    in_double(model, source.sae, target.sae)
    z = now.z.double()
    a = source.sae.encode(z)

    @torch.no_grad()
    def total(up):
        changed = z + source.sae.decode(up * a) - source.sae.decode(a)
        return target.sae.encode(layer_one(model, tokens, changed))[..., latent][where].sum()

    differences = finite_differences(total, torch.ones(a.shape[-1]))
    close(seen, differences.float())
    assert seen.abs().max() > 1e-2


@torch.no_grad()
def test_an_ablation_is_the_layer_above_run_on_what_is_left(case):
    _, arguments = case
    model, source, target, tokens = arguments.values()
    z, a, b = now = subject.before(**arguments)
    latent = subject.half_firing(a)
    left = a.clone()
    left[..., latent] = 0
    changed = z + source.sae.decode(left) - source.sae.decode(a)
    seen = ablation._right(now, **arguments, latent=latent)
    close(seen, target.sae.encode(layer_one(model, tokens, changed)))
    assert (seen - b).abs().max() > 1e-2
    for part in "qkv":
        through = inputs._right(now, **arguments, latent=latent, part=part)
        close(through, target.sae.encode(layer_one(model, tokens, changed, z, part)))
        assert (through - b).abs().max() > 1e-2


def test_the_latents_that_are_picked_fire_sometimes(case):
    _, arguments = case
    _, a, b = subject.before(**arguments)
    for latents in (a, b):
        share = (latents[..., subject.half_firing(latents)] > 0).float().mean()
        assert 0.1 < share < 0.9
