"""Bank for 1.8 training_step."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from bank import Bank
from torch import Tensor

from sae_course.checks import ch01 as check

steps = Bank(check.training_step)


class Out(NamedTuple):
    pre_activations: Tensor
    latents: Tensor
    reconstruction: Tensor


class Terms(NamedTuple):
    total: Tensor
    mse: Tensor
    l1: Tensor


def forward(sae, h):
    pre = torch.einsum("bid,idk->bik", h - sae.b_dec, sae.W_enc) + sae.b_enc
    acts = F.relu(pre)
    return Out(pre, acts, torch.einsum("bik,ikd->bid", acts, F.normalize(sae.W_dec, dim=-1)) + sae.b_dec)


def loss_of(h, out, c):
    mse, l1 = (h - out.reconstruction).square().mean((0, 2)), out.latents.sum(-1).mean(0)
    return Terms(mse + c * l1, mse, l1)


def terms(sae, h, c, auxiliary):
    out = forward(sae, h)
    loss = loss_of(h, out, c)
    return out, loss, loss.total if auxiliary is None else loss.total + auxiliary(h, out)


@steps.right
def usual(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, loss, total = terms(sae, h, l1_coefficient, auxiliary)
    optimiser.zero_grad()
    total.sum().backward()
    optimiser.step()
    return out, loss


@steps.right
def each_by_itself(sae, optimiser, h, l1_coefficient, auxiliary=None):
    sae.zero_grad(set_to_none=False)
    out, loss, total = terms(sae, h, l1_coefficient, auxiliary)
    for one in total:
        one.backward(retain_graph=True)
    optimiser.step()
    return Out(*(part.detach() for part in out)), loss


@steps.right
def with_vector(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, loss, total = terms(sae, h, l1_coefficient, auxiliary)
    parameters = list(sae.parameters())
    for p, g in zip(parameters, torch.autograd.grad(total, parameters, torch.ones_like(total)), strict=True):
        p.grad = g
    optimiser.step()
    return out, loss._replace(total=total)


def variant(sae, optimiser, h, c, auxiliary, *, scalar=torch.sum, zero=True, steps=1):
    out, loss, total = terms(sae, h, c, auxiliary)
    if zero:
        optimiser.zero_grad()
    scalar(total).backward()
    for _ in range(steps):
        optimiser.step()
    return out, loss


@steps.wrong("zero_grad\\(\\) before")
def no_zero_grad(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, zero=False)


@steps.wrong("zero_grad\\(\\) before")
def zero_grad_last(sae, optimiser, h, l1_coefficient, auxiliary=None):
    result = variant(sae, optimiser, h, l1_coefficient, auxiliary, zero=False)
    optimiser.zero_grad()
    return result


@steps.wrong("nothing moved")
def zero_grad_between(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, loss, total = terms(sae, h, l1_coefficient, auxiliary)
    total.sum().backward()
    optimiser.zero_grad()
    optimiser.step()
    return out, loss


@steps.wrong("nothing moved")
def no_step(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, steps=0)


@steps.wrong("the mean over instances")
def mean(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, scalar=torch.mean)


@steps.wrong("only instance 0")
def first(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, scalar=lambda total: total[0])


@steps.wrong("product over instances")
def product(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, scalar=torch.prod)


@steps.wrong("step\\(\\) is called twice")
def double(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, steps=2)


@steps.wrong("the loss goes up")
def uphill(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return variant(sae, optimiser, h, l1_coefficient, auxiliary, scalar=lambda total: -total.sum())


@steps.wrong("two whole steps")
def repeated(sae, optimiser, h, l1_coefficient, auxiliary=None):
    result = usual(sae, optimiser, h, l1_coefficient, None)
    usual(sae, optimiser, h, l1_coefficient, auxiliary)
    return result


@steps.wrong("never called it")
def auxiliary_ignored(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return usual(sae, optimiser, h, l1_coefficient)


@steps.wrong("auxiliary is not part of what is differentiated")
def auxiliary_without_gradient(sae, optimiser, h, l1_coefficient, auxiliary=None):
    extra = auxiliary and (lambda h, out: auxiliary(h, out).detach())
    return usual(sae, optimiser, h, l1_coefficient, extra)


@steps.wrong("auxiliary is not part of what is differentiated")
def auxiliary_too_late(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, loss = usual(sae, optimiser, h, l1_coefficient)
    return out, loss if auxiliary is None else loss._replace(total=loss.total + auxiliary(h, out))


@steps.wrong("the other way round")
def auxiliary_swapped(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return usual(sae, optimiser, h, l1_coefficient, auxiliary and (lambda h, out: auxiliary(out, h)))


@steps.wrong("the whole output")
def auxiliary_of_latents(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return usual(sae, optimiser, h, l1_coefficient, auxiliary and (lambda h, out: auxiliary(h, out.latents)))


@steps.wrong("called auxiliary 2 times")
def auxiliary_twice(sae, optimiser, h, l1_coefficient, auxiliary=None):
    result = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    if auxiliary is not None:
        auxiliary(h, result[0])
    return result


@steps.wrong("raised TypeError")
def auxiliary_always(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return usual(sae, optimiser, h, l1_coefficient, lambda *both: auxiliary(*both) if both else None)


@steps.wrong("forward pass after the update")
def after_update(sae, optimiser, h, l1_coefficient, auxiliary=None):
    usual(sae, optimiser, h, l1_coefficient, auxiliary)
    out = forward(sae, h)
    return out, loss_of(h, out, l1_coefficient)


@steps.wrong("loss from after the update")
def later_loss(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, _ = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    return out, loss_of(h, forward(sae, h), l1_coefficient)


@steps.wrong("output from after the update")
def later_output(sae, optimiser, h, l1_coefficient, auxiliary=None):
    _, loss = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    return forward(sae, h), loss


@steps.wrong("only the mse")
def error_only(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, loss, _ = terms(sae, h, l1_coefficient, auxiliary)
    optimiser.zero_grad()
    loss.mse.sum().backward()
    optimiser.step()
    return out, loss


@steps.wrong("normalised in place")
def normalises(sae, optimiser, h, l1_coefficient, auxiliary=None):
    result = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    sae.W_dec.data = F.normalize(sae.W_dec.data, dim=-1)
    return result


@steps.wrong("put a new tensor in the place of sae.W_dec")
def replaces(sae, optimiser, h, l1_coefficient, auxiliary=None):
    result = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    sae.W_dec = torch.nn.Parameter(sae.W_dec.detach().clone())
    return result


@steps.wrong("but not b_dec")
def forgets_b_dec(sae, optimiser, h, l1_coefficient, auxiliary=None):
    old = sae.b_dec.detach().clone()
    result = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    sae.b_dec.data.copy_(old)
    return result


@steps.wrong("W_dec")
def detached_decoder(sae, optimiser, h, l1_coefficient, auxiliary=None):
    sae.W_dec.requires_grad_(False)
    result = usual(sae, optimiser, h, l1_coefficient, auxiliary)
    sae.W_dec.requires_grad_(True)
    return result


@steps.wrong("gives|values are wrong")
def clips(sae, optimiser, h, l1_coefficient, auxiliary=None):
    out, loss, total = terms(sae, h, l1_coefficient, auxiliary)
    optimiser.zero_grad()
    total.sum().backward()
    torch.nn.utils.clip_grad_norm_(sae.parameters(), 0.1)
    optimiser.step()
    return out, loss


@steps.wrong("the loss comes first")
def wrong_way_round(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return usual(sae, optimiser, h, l1_coefficient, auxiliary)[::-1]


@steps.wrong("Terms of 3; expected 2")
def loss_only(sae, optimiser, h, l1_coefficient, auxiliary=None):
    return usual(sae, optimiser, h, l1_coefficient, auxiliary)[1]


@steps.wrong("None")
def no_return(sae, optimiser, h, l1_coefficient, auxiliary=None):
    usual(sae, optimiser, h, l1_coefficient, auxiliary)
