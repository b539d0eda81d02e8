"""Banks for 2b.5 tied_pre_activations and 2b.6 starting_bias."""

import torch
import torch.nn.functional as F
from bank import Bank
from torch import nn

from sae_course.checks.ch02b import tied

encoding = Bank(tied.tied_pre_activations)


@encoding.right
def with_matmul(h, W_dec, b_enc, b_dec):
    return (h - b_dec[:, None]) @ W_dec.mT + b_enc[:, None]


@encoding.right
def with_einsum(h, W_dec, b_enc, b_dec):
    return torch.einsum("ibd,isd->ibs", h - b_dec.unsqueeze(1), W_dec) + b_enc.unsqueeze(1)


@encoding.right
def with_baddbmm(h, W_dec, b_enc, b_dec):
    return torch.baddbmm(b_enc[:, None], h - b_dec[:, None], W_dec.transpose(1, 2))


@encoding.right
def bias_carried_through(h, W_dec, b_enc, b_dec):
    shift = b_enc - (W_dec @ b_dec[..., None])[..., 0]
    out = h @ W_dec.permute(0, 2, 1)
    out += shift[:, None]
    return out


@encoding.right
def by_a_loop(h, W_dec, b_enc, b_dec):
    return torch.stack([F.linear(*one) for one in zip(h - b_dec[:, None], W_dec, b_enc, strict=True)])


right = with_matmul


def in_place(h, W_dec, b_enc, b_dec):
    with torch.no_grad():
        h -= b_dec[:, None]
    return h @ W_dec.mT + b_enc[:, None]


def every(tensor):
    return tensor[:1].expand_as(tensor)


for name, message, wrong in [
    ("b_dec_forgotten", "b_dec is not subtracted", lambda h, W, e, d: h @ W.mT + e[:, None]),
    ("b_dec_added", "b_dec is added", lambda h, W, e, d: right(h, W, e, -d)),
    ("b_enc_forgotten", "b_enc is missing", lambda h, W, e, d: (h - d[:, None]) @ W.mT),
    ("b_enc_subtracted", "b_enc is subtracted", lambda h, W, e, d: right(h, W, -e, d)),
    ("no_bias", "both biases are missing", lambda h, W, e, d: torch.bmm(h, W.mT)),
    ("latents", "ReLU comes later", lambda h, W, e, d: right(h, W, e, d).relu()),
    ("unit_decoder", "unit length; the tied", lambda h, W, e, d: right(h, F.normalize(W, dim=-1), e, d)),
    (
        "projection",
        "a projection",
        lambda h, W, e, d: right(h, W / W.norm(dim=-1, keepdim=True) ** 2, e, d),
    ),
    (
        "pseudo_inverse",
        "pseudo-inverse",
        lambda h, W, e, d: (h - d[:, None]) @ torch.linalg.pinv(W) + e[:, None],
    ),
    ("unit_h", "h is brought to unit length", lambda h, W, e, d: right(F.normalize(h, dim=-1), W, e, d)),
    (
        "centred_by_batch",
        "the batch's mean",
        lambda h, W, e, d: right(h, W, e, h.mean(1)),
    ),
    ("one_decoder", "W_dec of instance 0", lambda h, W, e, d: right(h, every(W), e, d)),
    ("one_b_enc", "b_enc of instance 0", lambda h, W, e, d: right(h, W, every(e), d)),
    ("one_b_dec", "b_dec of instance 0", lambda h, W, e, d: right(h, W, e, every(d))),
    (
        "instances_mixed",
        "instances were mixed",
        lambda h, W, e, d: (right(h, W, 0 * e, d)).sum(0, keepdim=True) + e[:, None],
    ),
    ("decoder_detached", "W_dec is detached", lambda h, W, e, d: right(h, W.detach(), e, d)),
    ("b_dec_detached", "b_dec is detached", lambda h, W, e, d: right(h, W, e, d.data)),
    ("b_enc_detached", "b_enc is detached", lambda h, W, e, d: right(h, W, e.detach(), d)),
    ("h_detached", "no gradient flows back to h", lambda h, W, e, d: right(h.detach(), W, e, d)),
    ("all_detached", "cut off", lambda h, W, e, d: right(h, W, e, d).detach()),
    ("not_transposed", "W_dec is not transposed", lambda h, W, e, d: (h - d[:, None]) @ W + e[:, None]),
    ("b_dec_after", "b_dec is subtracted after", lambda h, W, e, d: h @ W.mT - d[:, None] + e[:, None]),
    ("biases_swapped", "b_enc and b_dec are swapped", lambda h, W, e, d: right(h, W, d, e)),
    ("no_batch_axis", "both biases, ", lambda h, W, e, d: (h - d) @ W.mT + e),
    ("no_batch_axis_in_b_dec", "b_dec, ", lambda h, W, e, d: (h - d) @ W.mT + e[:, None]),
    ("no_batch_axis_in_b_enc", "b_enc, ", lambda h, W, e, d: (h - d[:, None]) @ W.mT + e),
    ("scaled_by_length", "gives", lambda h, W, e, d: right(h, W, e, d) / W.norm(dim=-1)[:, None]),
    ("in_place", "changed its input h", in_place),
]:
    wrong.__name__ = name
    encoding.wrong(message)(wrong)


start = Bank(tied.starting_bias)


@start.right
def mean(h):
    return h.detach().mean(dim=1)


@start.right
@torch.no_grad()
def by_sum(h):
    return h.sum(1) / h.shape[1]


@start.right
@torch.no_grad()
def with_einsum_again(h):
    return torch.einsum("ibd->id", h) / h.shape[1]


@start.right
def as_parameter(h):
    return nn.Parameter(torch.stack([one.mean(0) for one in h.data]))


def geometric_median(h):
    with torch.no_grad():
        point = h.mean(1, keepdim=True)
        for _ in range(200):
            weight = 1 / (h - point).norm(dim=-1, keepdim=True)
            point = (h * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        return point[:, 0]


for name, message, wrong in [
    ("median", "this is the median", lambda h: h.detach().median(1).values),
    ("geometric", "geometric median", geometric_median),
    ("zeros", "zeros are the start", lambda h: h.new_zeros(h.shape[0], h.shape[2])),
    ("summed", "summed over the batch", lambda h: h.detach().sum(1)),
    ("minus", "the sign", lambda h: -h.detach().mean(1)),
    ("first_sample", "first sample", lambda h: h.detach()[:, 0]),
    ("middle", "halfway", lambda h: (h.detach().amax(1) + h.detach().amin(1)) / 2),
    ("sizes", "absolute values", lambda h: h.detach().abs().mean(1)),
    ("relu", "only what is positive", lambda h: F.relu(h.detach()).mean(1)),
    ("unit_mean", "the mean is brought to unit length", lambda h: F.normalize(mean(h), dim=-1)),
    ("mean_of_units", "each sample is brought", lambda h: F.normalize(h.detach(), dim=-1).mean(1)),
    ("deviation", "standard deviation", lambda h: h.detach().std(1)),
    ("one_for_all", "one mean for all", lambda h: h.detach().flatten(0, 1).mean(0).repeat(len(h), 1)),
    ("first_instance", "mean of instance 0", lambda h: mean(h)[:1].repeat(len(h), 1)),
    (
        "one_number",
        "runs over d_in, too",
        lambda h: h.detach().mean((1, 2), keepdim=True)[:, 0].repeat(1, h.shape[2]),
    ),
    ("over_d_in", r"averaged over d_in", lambda h: h.detach().mean(-1)),
    ("over_instances", r"averaged over the instances", lambda h: h.detach().mean(0)),
    ("tracked", "tracked for gradients", lambda h: h.mean(dim=1)),
    ("tracked_einsum", "tracked for gradients", lambda h: torch.einsum("ibd->id", h) / h.shape[1]),
    ("kept", "keepdim", lambda h: h.detach().mean(1, keepdim=True)),
    ("flat", "axis inst is missing", lambda h: h.detach().mean((0, 1))),
    ("centred", "has shape", lambda h: h.detach() - h.detach().mean(1, keepdim=True)),
    ("of_half", "gives", lambda h: h.detach()[:, : h.shape[1] // 2].mean(1)),
    ("in_numpy", "NumPy", lambda h: h.detach().mean(1).numpy()),
]:
    wrong.__name__ = name
    start.wrong(message)(wrong)
