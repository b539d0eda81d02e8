"""Bank for 2a.4 threshold_gradients."""

import torch
from bank import Bank

from sae_course.checks.ch02a import straight_through

bank = Bank(straight_through.threshold_gradients)


@bank.right
def by_window(pre, threshold, bandwidth):
    near = ((pre - threshold).abs() < bandwidth / 2).to(pre)
    return -near / bandwidth, -near * threshold / bandwidth


@bank.right
def by_two_sides(pre, threshold, bandwidth):
    low, high = threshold - bandwidth / 2, threshold + bandwidth / 2
    step = torch.where((low < pre) & (pre <= high), -1.0, 0.0) / bandwidth
    return step, step * threshold


@bank.right
def by_rectangle(pre, threshold, bandwidth):
    distance = (pre - threshold) / bandwidth
    kernel = ((distance > -0.5) & (distance < 0.5)).float() / bandwidth
    return [-1 * kernel, -(threshold * kernel)]


@bank.right
def entry_by_entry(pre, threshold, bandwidth):
    step, jump = torch.zeros_like(pre), torch.zeros_like(pre)
    for i, b, k in (((pre - threshold) ** 2).sqrt() <= bandwidth / 2).nonzero().tolist():
        step[i, b, k] = -1 / bandwidth
        jump[i, b, k] = -threshold[i, 0, k] / bandwidth
    return step, jump


def within(window, step=lambda z, t, w: -1 / w, jump=lambda z, t, w: -t / w):
    def threshold_gradients(pre, threshold, bandwidth):
        near = window(pre - threshold, bandwidth).float()
        return near * step(pre, threshold, bandwidth), near * jump(pre, threshold, bandwidth)

    return threshold_gradients


def half(gap, width):
    return gap.abs() < width / 2


def around_zero(pre, threshold, bandwidth):
    near = (pre.abs() < bandwidth / 2).float()
    return -near / bandwidth, -near * threshold / bandwidth


def true_derivative(pre, threshold, bandwidth):
    return torch.zeros_like(pre), torch.zeros_like(pre)


def by_autograd(pre, threshold, bandwidth):
    """The missing straight-through estimate: what autograd itself says."""
    theta = threshold.expand_as(pre).clone().requires_grad_()
    total = ((pre > theta) * pre + 0 * theta).sum()
    (gradient,) = torch.autograd.grad(total, theta)
    return gradient, gradient


def with_gradient_of_pre(pre, threshold, bandwidth):
    step, jump = by_window(pre, threshold, bandwidth)
    return step, jump + (pre > threshold).float()


def one_threshold(pre, threshold, bandwidth):
    return by_window(pre, threshold.mean(0, keepdim=True), bandwidth)


def in_place(pre, threshold, bandwidth):
    pre -= threshold
    return by_window(pre, 0 * threshold, bandwidth)


for name, message, wrong in [
    ("no_straight_through", "true derivative", true_derivative),
    ("no_straight_through_autograd", "true derivative", by_autograd),
    ("swapped", "wrong way round", lambda *inputs: by_window(*inputs)[::-1]),
    ("sign", "both derivatives are negative", within(half, lambda z, t, w: 1 / w, lambda z, t, w: t / w)),
    ("sign_of_step", "sign of the step's", within(half, lambda z, t, w: 1 / w)),
    ("sign_of_jump", "sign of the jump's", within(half, jump=lambda z, t, w: t / w)),
    ("no_bandwidth", "1/bandwidth is missing: ", within(half, lambda z, t, w: -1, lambda z, t, w: -t)),
    ("no_bandwidth_jump", "1/bandwidth is missing in the jump", within(half, jump=lambda z, t, w: -t)),
    ("no_bandwidth_step", "1/bandwidth is missing in the step", within(half, step=lambda z, t, w: -1)),
    ("times_bandwidth", "divide by it", within(half, lambda z, t, w: -w, lambda z, t, w: -t * w)),
    (
        "half_bandwidth",
        "half the bandwidth;",
        within(half, lambda z, t, w: -2 / w, lambda z, t, w: -2 * t / w),
    ),
    ("bandwidth_squared", "twice", within(half, jump=lambda z, t, w: -t / w**2)),
    ("wide", "a whole bandwidth to either side", within(lambda gap, w: gap.abs() < w)),
    ("upper", "upper half only", within(lambda gap, w: (gap > 0) & (gap < w / 2))),
    ("lower", "lower half only", within(lambda gap, w: (gap < 0) & (gap > -w / 2))),
    ("no_abs", "absolute value is missing", within(lambda gap, w: gap < w / 2)),
    ("outside", r"\*outside\* the window", within(lambda gap, w: gap.abs() > w / 2)),
    ("everywhere", "there is no window", within(lambda gap, w: torch.ones_like(gap))),
    ("around_zero", "window is around 0", around_zero),
    ("no_threshold", "threshold is missing in the jump's", within(half, jump=lambda z, t, w: -1 / w)),
    ("pre_for_threshold", "has the pre-activation where", within(half, jump=lambda z, t, w: -z / w)),
    ("gap_for_threshold", "has pre - threshold where", within(half, jump=lambda z, t, w: -(z - t) / w)),
    ("gradient_of_pre", "contains the gradient for pre", with_gradient_of_pre),
    (
        "summed",
        "summed over the batch already",
        lambda *inputs: tuple(one.sum(1, keepdim=True) for one in by_window(*inputs)),
    ),
    ("instances_mixed", "gives", one_threshold),
    ("mask", "dtype bool", lambda z, t, w: (half(z - t, w), half(z - t, w) * t)),
    ("step_only", "expected a tuple of 2", lambda *inputs: by_window(*inputs)[0]),
    (
        "triangle",
        "gives",
        lambda z, t, w: (-(1 - (z - t).abs() / w).relu() / w, -t * (1 - (z - t).abs() / w).relu() / w),
    ),
    ("in_place", "changed its input pre", in_place),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
