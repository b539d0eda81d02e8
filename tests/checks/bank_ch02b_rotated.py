"""Banks for 2b.1 rotated_latents and 2b.2 l1_costs."""

import math

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02b import rotated

latents = Bank(rotated.rotated_latents)
ROWS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
R = 2**0.5
OPPOSED = torch.tensor([0.0, 1.0, 1.0])


@latents.right
def relu_of_the_product(x):
    return torch.relu(x @ (ROWS / R).T)


@latents.right
def with_einsum(x):
    return torch.einsum("bd,kd->bk", x, F.normalize(ROWS, dim=-1)).clamp(min=0)


@latents.right
def in_double(x):
    return torch.relu(x.double() @ ROWS.double().T / math.sqrt(2))


@latents.right
def by_the_larger(x):
    least, most = x.amin(-1), x.amax(-1)
    shared = (least + most) / R
    rest = most / R - least / R
    first = x[:, 0] > x[:, 1]
    return torch.stack([shared, torch.where(first, rest, 0.0), torch.where(first, 0.0, rest)], -1)


@latents.right
def sample_by_sample(x):
    rows = [[(a + b) / R, max(a - b, 0.0) / R, max(b - a, 0.0) / R] for a, b in x.tolist()]
    return torch.tensor(rows)


@latents.right
def filled_in_place(x):
    out = x.new_zeros(len(x), 3)
    out[:, 0] = x.sum(1)
    out[:, 1] = x[:, 0] - x[:, 1]
    out[:, 2] = -out[:, 1]
    out[out < 0] = 0
    return out.div_(R)


def stacked(rule):
    return lambda x: torch.stack(rule(x[:, 0], x[:, 1]), dim=1)


right = relu_of_the_product


def cancelling(x):
    """Reconstructs, with 1 more in both opposed latents."""
    return right(x) + OPPOSED


def by_the_batch(x):
    a, b = x.sum(0)
    return right(x) * torch.tensor([1.0, float(a > b), float(a <= b)])


def in_place(x):
    x /= R
    return torch.stack([x.sum(1), (x[:, 0] - x[:, 1]).relu(), (x[:, 1] - x[:, 0]).relu()], 1)


for name, message, wrong in [
    ("no_relu", "ReLU is missing", lambda x: x @ ROWS.T / R),
    ("no_root", "1/√2 is missing", lambda x: (x @ ROWS.T).relu()),
    ("halves", "divided by 2, as for", lambda x: (x @ ROWS.T).relu() / 2),
    (
        "first_without_root",
        "first latent is missing",
        lambda x: right(x) * torch.tensor([R, 1, 1]),
    ),
    ("opposed_without_root", "opposed latents are missing", lambda x: right(x) * torch.tensor([1, R, R])),
    ("swapped", "swapped", lambda x: right(x)[:, [0, 2, 1]]),
    ("last_first", "another order", lambda x: right(x)[:, [1, 2, 0]]),
    ("never_the_third", "third latent is always 0", lambda x: right(x) * torch.tensor([1.0, 1, 0])),
    ("signed_second", "with its sign, the third", stacked(lambda a, b: ((a + b) / R, (a - b) / R, 0 * a))),
    (
        "both_opposed",
        r"both opposed latents fire with \|x",
        stacked(lambda a, b: ((a + b) / R, (a - b).abs() / R, (b - a).abs() / R)),
    ),
    (
        "all_to_the_second",
        "without its sign",
        stacked(lambda a, b: ((a + b) / R, (a - b).abs() / R, torch.zeros_like(a))),
    ),
    ("opposed_as_they_are", "cancel each other in part", stacked(lambda a, b: ((a + b) / R, a / R, b / R))),
    ("cancelling", "too large a sum", cancelling),
    ("cancelling_by_the_smaller", "too large a sum", lambda x: right(x) + x.amin(1)[:, None] * OPPOSED),
    (
        "smaller_first",
        r"min\(x, y\)",
        stacked(lambda a, b: (R * torch.min(a, b), R * (a - b).relu(), R * (b - a).relu())),
    ),
    (
        "larger_first",
        r"max\(x, y\)",
        stacked(lambda a, b: (R * torch.max(a, b), (a - b).relu() / R, (b - a).relu() / R)),
    ),
    ("true_basis", "the true dictionary", lambda x: F.pad(x, (0, 1))),
    ("pseudo_inverse", "pseudo-inverse", lambda x: x @ torch.linalg.pinv(ROWS / R)),
    (
        "least_squares",
        "pseudo-inverse",
        lambda x: torch.linalg.lstsq(ROWS.T / R, x.T, driver="gelsd").solution.T,
    ),
    (
        "least_squares_relu",
        "activations @ dictionary is not x",
        lambda x: (x @ torch.linalg.pinv(ROWS / R)).relu(),
    ),
    ("by_the_batch", "for the whole batch", by_the_batch),
    ("centred", "mean was taken off", lambda x: right(x - x.mean(0))),
    ("softmax", "is not x", lambda x: right(x).softmax(-1)),
    ("reconstruction", "latents", lambda x: right(x) @ ROWS / R),
    ("batch_last", "wrong order|latents", lambda x: right(x).T),
    ("a_tuple", "tuple of 3", lambda x: right(x).unbind(1)),
    ("summed", "latents", lambda x: right(x).sum(1)),
    ("in_place", "changed its input x", in_place),
]:
    wrong.__name__ = name
    latents.wrong(message)(wrong)


costs = Bank(rotated.l1_costs)


@costs.right
def closed(p):
    return p, math.sqrt(2) * p * (1 - p / 3)


@costs.right
def by_cases(p):
    both, one = p * p, 2 * p * (1 - p)
    true = both * (1 / 2 + 1 / 2) + one * 1 / 2
    rotated = both * (1 + 1 / 3) / math.sqrt(2) + one * (1 / 2 + 1 / 2) / math.sqrt(2)
    return true, rotated


@costs.right
def with_tensors(p):
    p = torch.tensor(p)
    return [p, 2**0.5 * (p**2 * 2 / 3 + p * (1 - p))]


@costs.right
def by_quadrature(p):
    t = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    larger = (1 - (1 - p + p * t) ** 2).mean()
    return (2 * p * t).mean().item(), (larger * 2**0.5).item()


def of(rotated_cost, true=lambda p: p):
    return lambda p: (true(p), R * rotated_cost(p))


def larger(p):
    return p * p * 2 / 3 + p * (1 - p)


def simulated(p, n=200_000):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, 2, generator=generator) * (torch.rand(n, 2, generator=generator) < p)
    return x.sum(1).mean().item(), right(x).sum(1).mean().item()


for name, message, wrong in [
    ("only_both", "are forgotten", of(lambda p: p * p * 2 / 3)),
    ("one_counted_half", "count half", of(lambda p: p * p * 2 / 3 + p * (1 - p) / 2)),
    ("one_with_p_squared", "not p²", of(lambda p: p * p * 2 / 3 + p * p / 2)),
    ("one_with_2p", "counts samples with both features again", of(lambda p: p * p * 2 / 3 + p)),
    ("both_with_p", "p², not p", of(lambda p: p * 2 / 3 + p * (1 - p))),
    ("larger_is_half", "2/3 on average, not 1/2", of(lambda p: p * p / 2 + p * (1 - p))),
    ("smaller", r"1/3 is the \*smaller", of(lambda p: p * p / 3 + p * (1 - p))),
    ("alone_with_1", "feature is alone, its magnitude", of(lambda p: p * p * 2 / 3 + 2 * p * (1 - p))),
    ("all_ones", "not always 1", of(lambda p: p * p + 2 * p * (1 - p), lambda p: 2 * p)),
    ("first_alone", "first latent alone", of(lambda p: p / 2)),
    ("opposed_alone", "two opposed latents alone", of(lambda p: (p * p / 3 + p * (1 - p)) / 2)),
    ("no_root", "√2 is missing", lambda p: (p, larger(p))),
    ("over_root", "divided by √2", lambda p: (p, larger(p) / R)),
    ("only_one", "samples with both features are forgotten: the larger", of(lambda p: p * (1 - p))),
    ("whole_length", "1/√2 is missing", lambda p: (p, 2 * larger(p))),
    ("apart_with_both_only", "count half", lambda p: (p, (p + p * p / 3) / R)),
    ("apart_with_one_only", "1/3 apart, not 0", lambda p: (p, (2 * p - p * p) / R)),
    (
        "apart_with_one_half",
        r"in \|x - y\|, exactly one",
        lambda p: (p, (p + p * p / 3 + p * (1 - p) / 2) / R),
    ),
    ("half_apart", "1/3 apart on average, not 1/2", lambda p: (p, (2 * p - p * p / 2) / R)),
    ("larger_apart", "2/3 is the larger one", lambda p: (p, (2 * p - p * p / 3) / R)),
    ("always_together", "always came together", of(lambda p: p * 2 / 3)),
    ("as_if_always", "whatever p", of(lambda p: 2 / 3)),
    ("one_feature", "there are two", of(larger, lambda p: p / 2)),
    ("true_of_1", "true basis' has the magnitude 1", of(larger, lambda p: 2 * p)),
    ("true_of_both", "counts samples with both", of(larger, lambda p: p * p)),
    ("swapped", "wrong way round", lambda p: (R * larger(p), p)),
    (
        "per_filled_sample",
        "anything is present",
        lambda p: (p / (1 - (1 - p) ** 2), R * larger(p) / (1 - (1 - p) ** 2)),
    ),
    ("per_feature", "of a present feature", lambda p: (1 / 2, R * (1 - p / 3) / 2)),
    ("difference", r"expected", lambda p: p - R * larger(p)),
    ("as_a_tensor", "expected a tuple|returned a tensor", lambda p: torch.tensor([p, R * larger(p)])),
    ("rounded", "derive", lambda p: (round(p, 3), round(R * larger(p), 3))),
    ("per_latent", "gives", of(lambda p: larger(p) / 3)),
]:
    wrong.__name__ = name
    costs.wrong(message)(wrong)


@costs.wrong("A simulation, however large.*\n?.*derive")
def monte_carlo(p):
    return simulated(p)


@costs.wrong("derive")
def large_monte_carlo(p):
    n = 3_000_000
    x = torch.rand(n, 2) * (torch.rand(n, 2) < p)
    return p, (R * x.amax(1).mean()).item()
