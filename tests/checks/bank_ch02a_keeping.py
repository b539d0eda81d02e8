"""Banks for 2a.5 topk and 2a.7 batch_topk."""

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02a import keeping

top = Bank(keeping.topk)


@top.right
def by_scatter(pre, k):
    values, places = pre.topk(k, dim=-1)
    return torch.zeros_like(pre).scatter(-1, places, F.relu(values))


@top.right
def relu_first(pre, k):
    best = torch.topk(pre.relu(), k)
    out = torch.zeros_like(pre)
    out.scatter_(2, best.indices, best.values)
    return out


@top.right
def by_least(pre, k):
    least = pre.kthvalue(pre.shape[-1] - k + 1, dim=-1, keepdim=True).values
    return torch.where((pre >= least) & (pre > 0), pre, 0.0)


@top.right
def by_rank(pre, k):
    with torch.no_grad():
        mask = pre.argsort(dim=-1, descending=True).argsort(dim=-1) < k
    return pre.clamp(min=0) * mask


@top.right
def row_by_row(pre, k):
    out = torch.zeros_like(pre)
    for i in range(pre.shape[0]):
        for b in range(pre.shape[1]):
            places = pre[i, b].topk(k).indices
            out[i, b, places] = pre[i, b, places].relu()
    return out


def scattered(pre, k, value=lambda v: v, chosen=lambda pre: pre):
    places = chosen(pre).topk(k, dim=-1).indices
    return torch.zeros_like(pre).scatter(-1, places, value(pre.gather(-1, places)))


def along(axis):
    def topk(pre, k):
        values, places = pre.topk(min(k, pre.shape[axis]), dim=axis)
        return torch.zeros_like(pre).scatter(axis, places, values.relu())

    return topk


def whole_batch(pre, k):
    return by_scatter(pre.flatten(1), k * pre.shape[1]).view_as(pre)


def masked(pre, k):
    """Right values; the straight-through way back is missing."""
    return by_scatter(pre.detach(), k)


def by_numpy(pre, k):
    return torch.from_numpy(by_scatter(pre.detach(), k).numpy())


def in_place(pre, k):
    pre.data[pre < by_scatter(pre, k).clamp(min=1e-9)] = 0
    return pre * 1


def through_gradient_of_all(pre, k):
    """Right values; the gradient goes to every latent, as if nothing were cut off."""
    return pre + (by_scatter(pre, k) - pre).detach()


for name, message, wrong in [
    ("no_relu", "negative ones among the k largest", scattered),
    ("by_size", "by absolute value; by value", lambda pre, k: scattered(pre, k, chosen=torch.abs)),
    ("by_size_relu", "by absolute value, then ReLU", lambda pre, k: scattered(pre, k, torch.relu, torch.abs)),
    ("sizes", "the absolute values; ", lambda pre, k: scattered(pre, k, torch.abs, torch.abs)),
    ("k_per_batch", "that is BatchTopK", whole_batch),
    (
        "k_of_instance",
        "only k are kept of an instance",
        lambda pre, k: by_scatter(pre.flatten(1), k).view_as(pre),
    ),
    (
        "k_of_all",
        "only k are kept of the whole tensor",
        lambda pre, k: by_scatter(pre.flatten(), k).view_as(pre),
    ),
    ("over_instances", "over the instances", along(0)),
    ("over_batch", "over the batch", along(1)),
    ("values_only", "only the k values are returned; ", lambda pre, k: pre.topk(k).values.relu()),
    ("raw_values", "only the k values are returned, with", lambda pre, k: pre.topk(k)[0]),
    (
        "first_places",
        "in the first places",
        lambda pre, k: F.pad(pre.topk(k)[0].relu(), (0, pre.shape[-1] - k)),
    ),
    ("relu_only", "k is not used", lambda pre, k: pre.relu()),
    ("one_less", "only k - 1", lambda pre, k: pre.relu() * (pre > pre.topk(k).values[..., -1:])),
    ("one_more", r"k \+ 1 are kept", lambda pre, k: by_scatter(pre, min(k + 1, pre.shape[-1]))),
    ("smallest", "k smallest are kept: ", lambda pre, k: scattered(pre, k, chosen=torch.neg)),
    ("smallest_relu", "smallest are kept, then", lambda pre, k: scattered(pre, k, torch.relu, torch.neg)),
    ("mask", "mask of what is kept", lambda pre, k: (by_scatter(pre, k) > 0).float()),
    ("subtracted", "was subtracted", lambda pre, k: (pre - pre.topk(k).values[..., -1:]).relu()),
    ("no_straight_through", "no gradient can flow", masked),
    ("by_numpy", "no gradient can flow", by_numpy),
    ("gradient_to_all", "gradient|with respect to pre", through_gradient_of_all),
    ("places", "dtype int64|shape", lambda pre, k: pre.topk(k, dim=-1).indices),
    ("fixed_k", "gives", lambda pre, k: by_scatter(pre, 3)),
    ("in_place", "changed its input pre", in_place),
    ("softmax", "gives", lambda pre, k: by_scatter(pre.softmax(-1), k)),
]:
    wrong.__name__ = name
    top.wrong(message)(wrong)


batch = Bank(keeping.batch_topk)


@batch.right
def flattened(pre, k):
    flat = F.relu(pre).flatten(1)
    values, places = flat.topk(k * pre.shape[1], dim=-1)
    return torch.zeros_like(flat).scatter(-1, places, values).view_as(pre)


@batch.right
def relu_last(pre, k):
    n_inst, n, d_sae = pre.shape
    flat = pre.reshape(n_inst, n * d_sae)
    best = flat.topk(n * k, sorted=False)
    return torch.zeros_like(flat).scatter(1, best.indices, best.values).relu().reshape(n_inst, n, d_sae)


@batch.right
def by_smallest_kept(pre, k):
    count = k * pre.shape[1]
    least = pre.flatten(1).sort(dim=1, descending=True).values[:, count - 1, None, None]
    return torch.where(pre >= least, pre, 0.0).clamp(min=0)


@batch.right
def instance_by_instance(pre, k):
    out = []
    for one in pre:
        kept = torch.zeros(one.numel(), dtype=torch.bool, device=pre.device)
        kept[one.flatten().argsort()[one.numel() - k * len(one) :]] = True
        out.append(one.relu() * kept.view(one.shape))
    return torch.stack(out)


def count(number, on=lambda pre: pre.flatten(1)):
    """The largest, so many, of what ``on`` makes of the pre-activations."""

    def batch_topk(pre, k):
        flat = on(pre)
        return by_scatter(flat, min(number(pre, k), flat.shape[-1])).view_as(pre)

    return batch_topk


def ordered(pre, k):
    flat = pre.flatten(1).relu()
    values = flat.topk(k * pre.shape[1]).values
    return F.pad(values, (0, flat.shape[1] - values.shape[1])).view_as(pre)


def transposed(pre, k):
    n_inst, n, d_sae = pre.shape
    return flattened(pre, k).transpose(1, 2).reshape(n_inst, n, d_sae)


def by_size(then):
    def batch_topk(pre, k):
        return then(pre * (flattened(pre.abs(), k) != 0))

    return batch_topk


def smallest(then):
    def batch_topk(pre, k):
        flat = pre.flatten(1)
        values, places = flat.topk(k * pre.shape[1], largest=False)
        return then(torch.zeros_like(flat).scatter(-1, places, values)).view_as(pre)

    return batch_topk


def raw(pre, k):
    return scattered(pre.flatten(1), k * pre.shape[1]).view_as(pre)


def lowest(pre, k):
    return pre.relu().flatten(1).topk(k * pre.shape[1]).values[:, -1, None, None]


for name, message, wrong in [
    ("k_per_sample", "that is TopK", by_scatter),
    (
        "all_instances",
        "of all instances together; each",
        count(lambda pre, k: k * len(pre) * pre.shape[1], torch.flatten),
    ),
    (
        "one_batch_of_all",
        "batch of all instances together; as many",
        count(lambda pre, k: k * pre.shape[1], torch.flatten),
    ),
    ("only_k", "only k are kept of an instance's", count(lambda pre, k: k)),
    ("only_k_of_all", "only k are kept of the whole tensor", count(lambda pre, k: k, torch.flatten)),
    ("times_inst", r"k \* inst are kept", count(lambda pre, k: k * pre.shape[0])),
    ("times_d_sae", r"k \* d_sae are kept", count(lambda pre, k: k * pre.shape[-1])),
    ("each_latent", "of each latent over the batch", along(1)),
    ("negative_kept", "negative ones", raw),
    ("by_size", "absolute value; by value", by_size(lambda kept: kept)),
    ("by_size_relu", "absolute value, then ReLU", by_size(torch.relu)),
    ("smallest", "smallest are kept: ", smallest(lambda kept: kept)),
    ("smallest_relu", "smallest are kept, then", smallest(torch.relu)),
    ("mask", "mask of what is kept", lambda pre, k: (flattened(pre, k) > 0).float()),
    ("relu_only", "k is not used", lambda pre, k: pre.relu()),
    ("one_less", "one too few", lambda pre, k: pre.relu() * (pre > lowest(pre, k))),
    ("subtracted", "was subtracted", lambda pre, k: (pre - lowest(pre, k)).relu()),
    ("flat", "view_as", lambda pre, k: flattened(pre, k).flatten(1)),
    ("ordered", "in order of size", ordered),
    ("transposed", "swapped on the way", transposed),
    ("no_straight_through", "no gradient can flow", lambda pre, k: flattened(pre.detach(), k)),
    (
        "gradient_to_all",
        "gradient|with respect to pre",
        lambda pre, k: pre + (flattened(pre, k) - pre).detach(),
    ),
    ("k_of_samples_then_batch", "gives", lambda pre, k: flattened(by_scatter(pre, k), max(1, k // 2))),
    ("fixed_k", "gives", lambda pre, k: flattened(pre, 3)),
    ("in_place", "changed its input pre", in_place),
    ("values_only", "shape", lambda pre, k: pre.flatten(1).topk(k * pre.shape[1]).values.relu()),
]:
    wrong.__name__ = name
    batch.wrong(message)(wrong)
