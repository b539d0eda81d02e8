"""Check of 2a.4 threshold_gradients: what a threshold is told by a step that is flat."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference

Pair = tuple[Tensor, Tensor]


def _within(
    window: Callable[[Tensor, float], Tensor] = lambda gap, width: gap.abs() < width / 2,
    step: Callable[[Tensor, Tensor, float], Tensor] = lambda pre, theta, width: torch.full_like(
        pre, -1 / width
    ),
    jump: Callable[[Tensor, Tensor, float], Tensor] = lambda pre, theta, width: -theta / width + 0 * pre,
) -> Callable[[Tensor, Tensor, float], Pair]:
    """Estimates with another window, or another value in it; ``gap`` is ``pre - threshold``."""

    def wrong(pre: Tensor, threshold: Tensor, bandwidth: float) -> Pair:
        near = window(pre - threshold, bandwidth)
        values = step(pre, threshold, bandwidth), jump(pre, threshold, bandwidth)
        return near * values[0], near * values[1]

    return wrong


def _times(step: Callable[[float], float], jump: Callable[[float], float]) -> Callable[..., Pair]:
    """The right estimates times factors that depend on the bandwidth."""

    def wrong(pre: Tensor, threshold: Tensor, bandwidth: float) -> Pair:
        right = reference.threshold_gradients(pre, threshold, bandwidth)
        return right[0] * step(bandwidth), right[1] * jump(bandwidth)

    return wrong


def _summed(pre: Tensor, threshold: Tensor, bandwidth: float) -> Pair:
    step, jump = reference.threshold_gradients(pre, threshold, bandwidth)
    return step.sum(1, keepdim=True), jump.sum(1, keepdim=True)


def _with_pre(pre: Tensor, threshold: Tensor, bandwidth: float) -> Pair:
    step, jump = reference.threshold_gradients(pre, threshold, bandwidth)
    return step, jump + (pre > threshold)


MISTAKES: Mistakes = {
    "zero everywhere is the true derivative; the straight-through estimate is wanted in its place.": _times(
        lambda width: 0.0, lambda width: 0.0
    ),
    "the two come back the wrong way round: first the step's, then the jump's.": (
        lambda *inputs: reference.threshold_gradients(*inputs)[::-1]
    ),
    "the sign: a higher threshold means fewer that fire, so both derivatives are negative.": _times(
        lambda width: -1.0, lambda width: -1.0
    ),
    "the sign of the step's: a higher threshold means fewer that fire.": _times(
        lambda width: -1.0, lambda width: 1.0
    ),
    "the sign of the jump's: a higher threshold takes activations away.": _times(
        lambda width: 1.0, lambda width: -1.0
    ),
    "1/bandwidth is missing: the narrower the window, the steeper the step in it.": _times(
        lambda width: width, lambda width: width
    ),
    "1/bandwidth is missing in the jump's.": _times(lambda width: 1.0, lambda width: width),
    "1/bandwidth is missing in the step's.": _times(lambda width: width, lambda width: 1.0),
    "multiplied by the bandwidth; divide by it.": _times(lambda width: width**2, lambda width: width**2),
    "divided by half the bandwidth; the whole window is one bandwidth wide.": _times(
        lambda width: 2.0, lambda width: 2.0
    ),
    "the jump's is divided by the bandwidth twice.": _times(lambda width: 1.0, lambda width: 1 / width),
    "the window reaches a whole bandwidth to either side; half of one, |pre - threshold| < bandwidth / 2.": (
        _within(window=lambda gap, width: gap.abs() < width)
    ),
    "the window has an upper half only; pre-activations just below the threshold count as well.": _within(
        window=lambda gap, width: (gap > 0) & (gap < width / 2)
    ),
    "the window has a lower half only; pre-activations just above the threshold count as well.": _within(
        window=lambda gap, width: (gap < 0) & (gap > -width / 2)
    ),
    "the absolute value is missing: everything far below the threshold counts as near.": _within(
        window=lambda gap, width: gap < width / 2
    ),
    "this is what lies *outside* the window.": _within(window=lambda gap, width: gap.abs() >= width / 2),
    "there is no window: far from the threshold both are 0.": _within(
        window=lambda gap, width: torch.ones_like(gap)
    ),
    "the window is around 0; around the threshold, |pre - threshold|.": (
        lambda pre, threshold, bandwidth: (
            -1.0 * (pre.abs() < bandwidth / 2) / bandwidth,
            -threshold * (pre.abs() < bandwidth / 2) / bandwidth,
        )
    ),
    "the threshold is missing in the jump's: what stops firing takes its activation, about the threshold, "
    "along.": _within(jump=lambda pre, theta, width: torch.full_like(pre, -1 / width)),
    "the jump's has the pre-activation where the threshold belongs.": _within(
        jump=lambda pre, theta, width: -pre / width
    ),
    "the jump's has pre - threshold where the threshold belongs.": _within(
        jump=lambda pre, theta, width: -(pre - theta) / width
    ),
    "the jump's contains the gradient for pre, [pre > threshold]; the threshold's alone.": _with_pre,
    "summed over the batch already; one number for each entry is wanted (backward adds up later).": (_summed),
}


def _inputs(case: Case) -> dict[str, Tensor | float]:
    """Pre-activations in the window, just outside it, and far away; none on its edge or on the threshold."""
    threshold, bandwidth = case.uniform("inst 1 d_sae", 0.02, 1.2), case.number(0.05, 0.6)
    kind = case.integers("inst batch d_sae", 0, 3)
    low, high = (torch.tensor(ends, device=case.device)[kind] for ends in ((0.05, 0.6, 1.2), (0.4, 0.9, 6.0)))
    distance = low + (high - low) * case.uniform("inst batch d_sae", 0.0, 1.0)
    side = torch.where(case.mask("inst batch d_sae"), 1.0, -1.0)
    return {"pre": threshold + side * distance * bandwidth, "threshold": threshold, "bandwidth": bandwidth}


@exercise("2a.4", "threshold_gradients", minutes=8, hints=1)
def threshold_gradients(t: Trial, student: Function) -> None:
    """Both estimates, in the window and outside, at thresholds of every size."""
    for case in t.cases(6):
        t.against(
            student,
            _inputs(case),
            reference.threshold_gradients,
            axes=("inst batch d_sae", "inst batch d_sae"),
            mistakes=MISTAKES,
        )
