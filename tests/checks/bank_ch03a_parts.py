"""Banks for 3a.4 activation_scale, 3a.5 topk and 3a.6 learning_rate_factor."""

import math

import torch
from bank import Bank

from sae_course.checks.ch03a import parts

scales = Bank(parts.activation_scale)


@scales.right
def over_mean_norm(activations):
    return float(activations.shape[1] ** 0.5 / activations.norm(dim=1).mean())


@scales.right
def as_tensor(activations):
    n, d_in = activations.shape
    return math.sqrt(d_in) * n / activations.square().sum(-1).sqrt().sum()


for name, message, wrong in [
    ("inverse", "the inverse", lambda x: x.norm(dim=1).mean() / x.shape[1] ** 0.5),
    ("no_root", "without its square root", lambda x: x.shape[1] / x.norm(dim=1).mean().item()),
    ("to_one", "become 1 on average", lambda x: 1 / x.norm(dim=-1).mean()),
    ("root_of_n", r"sqrt\(n\)", lambda x: len(x) ** 0.5 / x.norm(dim=1).mean()),
    ("by_std", "standard deviation", lambda x: (1 / x.std()).item()),
    ("norm_of_mean", "norm of the mean activation", lambda x: x.shape[1] ** 0.5 / x.mean(0).norm()),
    ("rms", "mean \\*squared\\* norm", lambda x: (x.shape[1] / x.pow(2).sum(1).mean()) ** 0.5),
    ("squared", "mean squared norm; ", lambda x: x.shape[1] ** 0.5 / x.pow(2).sum(1).mean()),
    ("wrong_axis", "wrong axis", lambda x: x.shape[1] ** 0.5 / x.norm(dim=0).mean()),
    ("one_norm", "all activations together", lambda x: x.shape[1] ** 0.5 / x.norm()),
    ("centred", "taken off first", lambda x: x.shape[1] ** 0.5 / (x - x.mean(0)).norm(dim=1).mean()),
    ("mean_of_ratios", "below the line", lambda x: (x.shape[1] ** 0.5 / x.norm(dim=1)).mean()),
    ("median", "the median norm", lambda x: x.shape[1] ** 0.5 / x.norm(dim=1).median()),
    ("one_each", "expected a single number", lambda x: x.shape[1] ** 0.5 / x.norm(dim=1)),
    ("scaled", "expected a single number", lambda x: x * over_mean_norm(x)),
]:
    wrong.__name__ = name
    scales.wrong(message)(wrong)


top = Bank(parts.topk)


@top.right
def by_scatter(pre_activations, k):
    values, places = pre_activations.topk(k, dim=-1)
    return torch.zeros_like(pre_activations).scatter(-1, places, values.relu())


@top.right
def relu_first(pre_activations, k):
    positive = pre_activations.relu()
    values, places = torch.topk(positive, k)
    out = torch.zeros_like(positive)
    out.scatter_(-1, places, values)
    return out


@top.right
def by_threshold(pre_activations, k):
    least = pre_activations.topk(k, dim=-1).values.min(dim=-1, keepdim=True).values
    return torch.where((pre_activations >= least) & (pre_activations > 0), pre_activations, 0.0)


@top.right
def by_rank(pre_activations, k):
    rank = pre_activations.argsort(dim=-1, descending=True).argsort(dim=-1)
    return torch.nn.functional.relu(pre_activations) * (rank < k)


def scattered(pre, k, value=lambda v: v, chosen=lambda pre: pre):
    places = chosen(pre).topk(k, dim=-1).indices
    return torch.zeros_like(pre).scatter(-1, places, value(pre.gather(-1, places)))


def along_first(pre, k):
    values, places = pre.topk(min(k, len(pre)), dim=0)
    return torch.zeros_like(pre).scatter(0, places, values.relu())


def in_place(pre, k):
    pre[pre < pre.topk(k, dim=-1).values[..., -1:]] = 0
    return pre.relu()


for name, message, wrong in [
    ("no_relu", "negative ones among the k largest", scattered),
    ("by_size", "by absolute value; by value", lambda pre, k: scattered(pre, k, chosen=torch.abs)),
    (
        "by_size_relu",
        "by absolute value, then ReLU",
        lambda pre, k: scattered(pre, k, torch.relu, torch.abs),
    ),
    ("sizes", "the absolute values; ", lambda pre, k: scattered(pre, k, torch.abs, torch.abs)),
    (
        "batch",
        "BatchTopK",
        lambda pre, k: by_scatter(pre.flatten(), k * (pre.numel() // pre.shape[-1])).view(pre.shape),
    ),
    (
        "batch_of_k",
        "only k are kept in the whole",
        lambda pre, k: by_scatter(pre.flatten(), k).view(pre.shape),
    ),
    ("first_axis", "along axis 0", along_first),
    ("values_only", "only the k values are returned; ", lambda pre, k: pre.topk(k)[0].relu()),
    ("raw_values", "only the k values are returned, with", lambda pre, k: pre.topk(k)[0]),
    (
        "first_places",
        "stand in the first places",
        lambda pre, k: torch.nn.functional.pad(pre.topk(k)[0].relu(), (0, pre.shape[-1] - k)),
    ),
    ("relu_only", "k is not used", lambda pre, k: pre.relu()),
    ("one_less", "only k - 1", lambda pre, k: pre.relu() * (pre > pre.topk(k).values[..., -1:])),
    ("one_more", "k \\+ 1 are kept", lambda pre, k: by_scatter(pre, min(k + 1, pre.shape[-1]))),
    ("smallest", "k smallest are kept: ", lambda pre, k: scattered(pre, k, chosen=torch.neg)),
    ("smallest_relu", "smallest are kept, then", lambda pre, k: scattered(pre, k, torch.relu, torch.neg)),
    ("mask", "the mask of what is kept", lambda pre, k: by_scatter(pre, k).gt(0).float()),
    ("subtracted", "was subtracted", lambda pre, k: (pre - pre.topk(k).values[..., -1:]).relu()),
    ("detached", "no gradient can flow", lambda pre, k: by_scatter(pre.detach(), k)),
    ("places", "expected float32|expected", lambda pre, k: pre.topk(k, dim=-1).indices),
    ("in_place", "raised RuntimeError|changed its input", in_place),
    ("fixed_k", "gives", lambda pre, k: by_scatter(pre, 3)),
]:
    wrong.__name__ = name
    top.wrong(message)(wrong)


factors = Bank(parts.learning_rate_factor)


@factors.right
def by_min(step, n_steps, warm_up, decay):
    return min(1, (step + 1) / max(warm_up, 1), (n_steps - step) / max(decay, 1))


@factors.right
def by_cases(step, n_steps, warm_up, decay):
    factor = 1.0
    if step < warm_up:
        factor = (step + 1) / warm_up
    if step >= n_steps - decay:
        factor = min(factor, 1 - (step - (n_steps - decay)) / decay)
    return factor


@factors.right
def with_numpy(step, n_steps, warm_up, decay):
    lines = [torch.tensor(1.0)]
    if warm_up > 0:
        lines.append(torch.tensor((step + 1) / warm_up))
    if decay > 0:
        lines.append(torch.tensor((n_steps - step) / decay))
    return torch.stack(lines).min()


def up(step, warm_up):
    return min(1.0, (step + 1) / warm_up) if warm_up else 1.0


def down(step, n, decay):
    return min(1.0, (n - step) / decay) if decay else 1.0


@factors.wrong("step counts from 0")
def starts_at_nothing(step, n_steps, warm_up, decay):
    return min(1.0 if step >= warm_up else step / warm_up, down(step, n_steps, decay))


@factors.wrong("falls to 0 one step early")
def ends_at_nothing(step, n_steps, warm_up, decay):
    left = n_steps - 1 - step
    return min(up(step, warm_up), left / decay if left < decay else 1)


@factors.wrong("brackets are missing")
def without_brackets(step, n_steps, warm_up, decay):
    if step < warm_up:
        return step + 1 / warm_up
    return down(step, n_steps, decay)


@factors.wrong("no decay")
def rise_only(step, n_steps, warm_up, decay):
    return up(step, warm_up)


@factors.wrong("no warm-up")
def fall_only(step, n_steps, warm_up, decay):
    return down(step, n_steps, decay)


@factors.wrong("no warm-up")
def constant(step, n_steps, warm_up, decay):
    return 1.0


@factors.wrong("rising above 1")
def rises_on(step, n_steps, warm_up, decay):
    if step >= n_steps - decay:
        return (n_steps - step) / decay
    return (step + 1) / warm_up if warm_up else 1.0


@factors.wrong("above 1 before the decay")
def falls_from_above(step, n_steps, warm_up, decay):
    if step < warm_up:
        return (step + 1) / warm_up
    return (n_steps - step) / decay if decay else 1.0


@factors.wrong("from the end of the warm-up on")
def falls_at_once(step, n_steps, warm_up, decay):
    if step < warm_up:
        return (step + 1) / warm_up
    return (n_steps - step) / (n_steps - warm_up)


@factors.wrong("first `decay` steps after")
def falls_early(step, n_steps, warm_up, decay):
    if step < warm_up:
        return (step + 1) / warm_up
    return max(0, 1 - (step - warm_up) / decay) if decay else 1.0


@factors.wrong("are multiplied")
def product(step, n_steps, warm_up, decay):
    return up(step, warm_up) * down(step, n_steps, decay)


@factors.wrong("the rise goes first")
def rise_first(step, n_steps, warm_up, decay):
    if step < warm_up:
        return (step + 1) / warm_up
    return down(step, n_steps, decay)


@factors.wrong("the fall goes first")
def fall_first(step, n_steps, warm_up, decay):
    if n_steps - step <= decay:
        return (n_steps - step) / decay
    return up(step, warm_up)


@factors.wrong("upside down")
def falls_upwards(step, n_steps, warm_up, decay):
    if step >= n_steps - decay:
        return min(up(step, warm_up), (step + 1 - n_steps + decay) / decay)
    return up(step, warm_up)


@factors.wrong("like a cosine")
def cosine(step, n_steps, warm_up, decay):
    if step >= n_steps - decay:
        past = (step - (n_steps - decay)) / decay
        return min(up(step, warm_up), 0.5 * (1 + math.cos(math.pi * past)))
    return up(step, warm_up)


@factors.wrong("ZeroDivisionError(.|\n)*Your line")
def divides_by_nothing(step, n_steps, warm_up, decay):
    return min(1.0, (step + 1) / warm_up, (n_steps - step) / decay)


@factors.wrong("gives|values")
def steps_from_one(step, n_steps, warm_up, decay):
    return min(1, (step + 2) / max(warm_up, 1), (n_steps - step) / max(decay, 1))
