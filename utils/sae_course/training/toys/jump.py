"""A step and a jump, with straight-through gradients for their thresholds."""

from typing import Any

import torch
from torch import Tensor


def _near(pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """1 within half a bandwidth of the threshold, a rectangle as kernel."""
    return ((pre - threshold).abs() < bandwidth / 2).to(pre)


def _like(gradient: Tensor, threshold: Tensor) -> Tensor:
    """Summed over the axes along which the threshold was repeated."""
    return gradient.sum_to_size(threshold.shape)


class Step(torch.autograd.Function):
    """1 above the threshold, else 0. Near it, the threshold's gradient is -1/bandwidth; ``pre`` has none."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return (pre > threshold).to(pre)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        pre, threshold = ctx.saved_tensors
        estimate = -_near(pre, threshold, ctx.bandwidth) / ctx.bandwidth
        return None, _like(estimate * gradients[0], threshold), None


class JumpReLU(torch.autograd.Function):
    """``pre`` above the threshold, else 0. Near it, the threshold's gradient is -threshold/bandwidth."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * (pre > threshold)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        pre, threshold = ctx.saved_tensors
        estimate = -(threshold / ctx.bandwidth) * _near(pre, threshold, ctx.bandwidth)
        return (pre > threshold) * gradients[0], _like(estimate * gradients[0], threshold), None
