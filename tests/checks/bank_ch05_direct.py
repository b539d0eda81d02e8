"""Bank for 5.9 direct_attribution."""

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch05 import direct as checks

direct = Bank(checks.direct_attribution)


def cut(values, direction):
    """The direction as ``[head d_head]``."""
    return direction.unflatten(0, (values.shape[1], -1))


def dots(values, by_head):
    return torch.einsum("shd,hd->hs", values, by_head)


@direct.right
def attention_times_dots(pattern, values, direction):
    return pattern * dots(values, cut(values, direction))


@direct.right
def one_einsum(pattern, values, direction):
    return torch.einsum("hs,shd,hd->hs", pattern, values, direction.view(values.shape[1:]))


@direct.right
def elementwise(pattern, values, direction):
    return ((values * direction.reshape(values.shape[1:])).sum(dim=2) * pattern.T).T


@direct.right
def head_by_head(pattern, values, direction):
    parts = direction.chunk(values.shape[1])
    return torch.stack([attention * (values[:, h] @ parts[h]) for h, attention in enumerate(pattern)])


@direct.right
def gradient_times_pattern(pattern, values, direction):
    leaf = pattern.clone().requires_grad_()
    z = torch.einsum("hs,shd->hd", leaf, values).flatten()
    return pattern * torch.autograd.grad(z @ direction, leaf)[0]


def slip(name, message, of):
    """A function of the pattern, the values and the direction's parts ``[head d_head]``."""

    def variant(pattern, values, direction):
        return of(pattern, values, cut(values, direction))

    variant.__name__ = name
    direct.wrong(message)(variant)


slip("no_pattern", "pattern is not used", lambda p, v, d: dots(v, d))
slip("softmax_again", "which is one already", lambda p, v, d: p.softmax(-1) * dots(v, d))
slip("pattern_twice", "comes in twice", lambda p, v, d: p * dots(v * p.T[..., None], d))
slip("over_heads_first", "summed over heads before", lambda p, v, d: p * torch.einsum("shd,hd->s", v, d))
slip("all_parts", "sum of the direction's parts", lambda p, v, d: p * torch.einsum("shd,gd->hs", v, d))
slip("first_part", "head 0's part", lambda p, v, d: p * torch.einsum("shd,d->hs", v, d[0]))
slip("unit_direction", "direction was brought to length 1", lambda p, v, d: p * dots(v, d / d.norm()))
slip("unit_parts", "part of the direction was brought", lambda p, v, d: p * dots(v, F.normalize(d, dim=-1)))
slip("unit_values", "as in a cosine", lambda p, v, d: p * dots(F.normalize(v, dim=-1), d))
slip("mean_over_d_head", "mean over d_head", lambda p, v, d: p * (v * d).mean(-1).T)
slip("lengths", "each value's length", lambda p, v, d: p * v.norm(dim=-1).T)
slip("from_first", r"this is \[from head\]", lambda p, v, d: (p * dots(v, d)).T)
slip("over_tokens", "summed over source tokens", lambda p, v, d: torch.einsum("hs,shd,hd->h", p, v, d))
slip("over_heads", "summed over heads; leave", lambda p, v, d: torch.einsum("hs,shd,hd->s", p, v, d))
slip("positive_only", "hold a latent back", lambda p, v, d: (p * dots(v, d)).clamp(min=0))


@direct.wrong("these are shares")
def shares(pattern, values, direction):
    terms = attention_times_dots(pattern, values, direction)
    return terms / terms.sum()


@direct.wrong("heads were interleaved")
def d_head_first(pattern, values, direction):
    return pattern * dots(values, direction.unflatten(0, (-1, values.shape[1])).T)


@direct.wrong("values are mixed up")
def reshaped_values(pattern, values, direction):
    by_head = values.reshape(len(pattern), -1, values.shape[2])
    return pattern * torch.einsum("hsd,hd->hs", by_head, cut(values, direction))


@direct.wrong("changed its input values")
def weighted_in_place(pattern, values, direction):
    values *= pattern.T[..., None]
    return dots(values, cut(values, direction))


@direct.wrong("there is an axis too many")
def terms_of_each_entry(pattern, values, direction):
    return torch.einsum("hs,shd,hd->hsd", pattern, values, cut(values, direction))
