"""Many small logistic regressions at once, by Newton's method."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_STEPS = 60
_CLOSE = 1e-3  # of a step, in standardised weights: the next one would be about its square
_NOTHING = 0.01  # nats, of the whole loss
_TINY = 1e-6  # keeps the curvature above 0 where all probabilities are 0 or 1, to float32's precision
_AT_ONCE = 400_000  # inputs, so that they stay in the cache


def logistic_fits(
    x: Float[Tensor, "features k n"], truth: Bool[Tensor, "features n"], penalty: float
) -> tuple[Float[Tensor, "features k"], Float[Tensor, " features"]]:
    """Weights and bias of each problem's logistic regression, in float64.

    Each minimises Σ −log p(truth) + penalty / 2 · ‖w‖² by Newton's steps: the slope is divided by the
    curvature. Where a step goes too far (the slope along it is turned round, and as steep as before or
    steeper), it is halved until it doesn't. The penalty keeps the optimum finite where the classes can be
    separated.

    Args:
        x: inputs of mean 0 and standard deviation 1, so that the penalty is fair to all of them.
        truth: true and false at least once each.
        penalty: above 0.
    """
    size = max(1, _AT_ONCE // x[0].numel())
    parts = [_fit(*part, penalty) for part in zip(x.split(size), truth.split(size), strict=True)]
    weights = torch.cat(parts)
    return weights[:, :-1], weights[:, -1]


def _fit(
    x: Float[Tensor, "features k n"], truth: Bool[Tensor, "features n"], penalty: float
) -> Float[Tensor, "features k_and_1"]:
    inputs = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    y = truth.to(x.dtype)
    ridge = torch.full(inputs.shape[1:2], penalty, dtype=torch.float64)
    ridge[-1] = 0  # the bias is free
    rate = truth.double().mean(1)
    weights = torch.zeros(inputs.shape[:2], dtype=torch.float64)
    weights[:, -1] = (rate / (1 - rate)).log()
    p, slope = _slope(inputs, y, weights, ridge)
    for _ in range(_STEPS):
        curve = torch.bmm(inputs * (p * (1 - p))[:, None], inputs.transpose(1, 2)).double()
        curve = curve + (ridge + _TINY).diag()
        step = torch.linalg.solve(curve, slope)
        descent = (slope * step).sum(1)
        p, slope = _slope(inputs, y, weights - step, ridge)
        while (too_far := -(slope * step).sum(1) > descent + _NOTHING).any():
            step = torch.where(too_far[:, None], step / 2, step)
            descent = torch.where(too_far, descent / 2, descent)
            p, slope = _slope(inputs, y, weights - step, ridge)
        weights = weights - step
        if step.abs().max() < _CLOSE:
            break
    return weights


def _slope(
    inputs: Tensor, y: Tensor, weights: Tensor, ridge: Tensor
) -> tuple[Float[Tensor, "features n"], Float[Tensor, "features k_and_1"]]:
    """The probabilities, and the loss' gradient."""
    p = torch.bmm(weights[:, None].to(inputs.dtype), inputs)[:, 0].sigmoid()
    return p, torch.bmm(inputs, (p - y)[..., None])[..., 0].double() + ridge * weights
