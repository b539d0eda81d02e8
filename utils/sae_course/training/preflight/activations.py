"""Checks of the activations themselves: how far their mean is from zero."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .findings import Finding

if TYPE_CHECKING:
    from torch import Tensor

    from .amounts import Config

FAR_OFF = 2.0
"""Norm of the mean over the root mean square deviation from it.

Measured with BatchTopK on the mini TinyStories MLP output, moved away from zero (128 to 512, k 16, 400 steps
of 1,024 tokens, lr 3e-3); b_dec starts at 0, as in SAELens:

    ===================================  =====  =====  =====  =====  =====  ============  =============
    offset                                   0    1.5      3      5     10  10, at mean   10, whitened
    dead latents, %                        0.2     15     36     69     92           4.5              0
    explained variance about the mean     .853   .796   .701   .606   .420          .831           .835
    ===================================  =====  =====  =====  =====  =====  ============  =============

With lr 3e-4 1.5 is enough for 55 % dead, since b_dec moves by about lr in a step. The hook points of the four
mini models' presets have .17, .58, .69 and .41, at other layers at most 1.51. At .69 (Othello, layer 3, 512
to 1,024, k 32) a b_dec that begins at the mean still took dead latents from 16 % to .2 % and explained
variance from .701 to .825: the limit says where much is lost for certain, not what is best.
"""


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
            "b_dec begins at 0 and moves by about lr in a step, and until it is there latents die: 36 % at 3 "
            "and 92 % at 10, against .2 % at 0. Scaling the activations does not remove their mean.",
            'sae.normalize_activations = "covariance_whitening", or an SAE whose b_dec begins at the mean.',
        )


def offset(activations: "Tensor") -> float:
    """Norm of the mean over the root mean square deviation from it; [rows, positions, ...]."""
    flat = activations.float().flatten(2).flatten(0, 1) if activations.ndim > 2 else activations.float()
    mean = flat.mean(0)
    deviation = (flat - mean).pow(2).sum(-1).mean().sqrt()
    return float(mean.norm() / deviation.clamp(min=1e-12))
