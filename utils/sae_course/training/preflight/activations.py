"""Checks of the activations themselves: how far their mean is from zero."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .findings import Finding

if TYPE_CHECKING:
    from torch import Tensor

    from .amounts import Config

FAR_OFF = 2.0
"""Norm of the mean over the root mean square deviation from it."""


def mean_offset(cfg: "Config", activations: "Tensor") -> Iterator[Finding]:
    """Whether the mean of the activations is so large that b_dec can't get there in time.

    Args:
        activations: [rows, positions, ...] at the hook.
    """
    handled = cfg.sae.normalize_activations == "covariance_whitening" or cfg.from_pretrained_path
    cut = activations[:, slice(*cfg.seqpos_slice)]
    if handled or not len(activations) or not cut.shape[1]:
        return
    ratio = offset(cut if cfg.hook_head_index is None else cut[:, :, cfg.hook_head_index])
    if ratio > FAR_OFF:
        yield Finding(
            "mean-offset",
            "wastes",
            f"The mean of the activations at {cfg.hook_name} is {ratio:.1f} times their deviation from it "
            f"(normalize_activations = {cfg.sae.normalize_activations}).",
            "",
            'sae.normalize_activations = "covariance_whitening", or an SAE whose b_dec begins at the mean.',
        )


def offset(activations: "Tensor") -> float:
    """Norm of the mean over the root mean square deviation from it; [rows, positions, ...]."""
    flat = activations.float().flatten(2).flatten(0, 1) if activations.ndim > 2 else activations.float()
    mean = flat.mean(0)
    deviation = (flat - mean).pow(2).sum(-1).mean().sqrt()
    return float(mean.norm() / deviation.clamp(min=1e-12))
