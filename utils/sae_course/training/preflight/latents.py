"""Checks of the SAE's own settings: windows, sparsity, precision."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from .amounts import architecture, has_aux_loss, steps
from .findings import Finding

if TYPE_CHECKING:
    from .amounts import Config

LOW_PRECISION = ("bfloat16", "float16", "torch.bfloat16", "torch.float16")
L0_SATURATES = 1.0
"""JumpReLU's l0_coefficient (step mode) from which on L0 hardly falls: 26.6 there, 26.4 at 10 (measured)."""


def dead_window(cfg: "Config") -> Iterator[Finding]:
    total, window = steps(cfg), cfg.dead_feature_window
    if not total or window < total:
        return
    revived = has_aux_loss(cfg)
    yield Finding(
        "dead-window",
        "wastes" if revived else "notice",
        f"dead_feature_window = {window:,} steps, and the run has {total:,}.",
        "No latent can count as dead"
        + (", so the loss that revives dead latents never starts" if revived else "")
        + ": a run of 488 steps with a window of 1,000 reported 0 dead where 434 of 512 were.",
        f"dead_feature_window = {max(1, total // 10)}.",
    )


def histogram_window(cfg: "Config") -> Iterator[Finding]:
    total, window = steps(cfg), cfg.feature_sampling_window
    if total and window > total:
        yield Finding(
            "histogram-window",
            "notice",
            f"feature_sampling_window = {window:,} steps, and the run has {total:,}.",
            "The density histogram is taken when a window ends: this run has none.",
            f"feature_sampling_window = {max(1, total // 10)}.",
        )


def sparsity(cfg: "Config") -> Iterator[Finding]:
    k, d_sae = getattr(cfg.sae, "k", None), cfg.sae.d_sae
    if k is not None and not 0 < k <= d_sae:
        yield Finding(
            "k-range",
            "stops",
            f"sae.k = {k} with d_sae = {d_sae:,}.",
            "There are not so many latents to choose from: torch refuses at the first step."
            if k > d_sae
            else "No latent may be active.",
            f"sae.k = {max(1, min(32, d_sae // 16))}.",
        )
    widths = getattr(cfg.sae, "matryoshka_widths", None)
    if widths is not None:
        yield from _matryoshka(list(widths), d_sae)
    if architecture(cfg) == "jumprelu":
        yield from _jumprelu(cfg)


def _matryoshka(widths: list[int], d_sae: int) -> Iterator[Finding]:
    increasing = all(one < other for one, other in pairwise(widths))
    if widths and increasing and widths[0] > 0 and widths[-1] <= d_sae:
        return
    yield Finding(
        "matryoshka-widths",
        "stops",
        f"sae.matryoshka_widths = {widths} with d_sae = {d_sae:,}.",
        "The levels are parts of one dictionary, each inside the next: SAELens refuses others when it builds "
        "the SAE.",
        f"sae.matryoshka_widths = {[d_sae // 16, d_sae // 4, d_sae]}.",
    )


def _jumprelu(cfg: "Config") -> Iterator[Finding]:
    mode, target = cfg.sae.jumprelu_sparsity_loss_mode, cfg.sae.target_l0
    if mode == "quadratic" and (target is None or not 0 < target <= cfg.sae.d_sae):
        yield Finding(
            "target-l0",
            "stops",
            f"sae.target_l0 = {target} with jumprelu_sparsity_loss_mode = quadratic.",
            "The quadratic loss is about a target: SAELens refuses when it builds the SAE.",
            f"sae.target_l0 = {max(1, min(32, cfg.sae.d_sae // 16))}.",
        )
    if mode == "step" and cfg.sae.l0_coefficient > L0_SATURATES:
        yield Finding(
            "l0-saturated",
            "notice",
            f"sae.l0_coefficient = {cfg.sae.l0_coefficient:g}.",
            "JumpReLU's L0 saturates in its coefficient: at .001, .01, .1, 1 and 10 it was 364, 124, 36, "
            "26.6 and 26.4.",
            'sae.l0_coefficient = 1.0 or less, or "quadratic" as sae.jumprelu_sparsity_loss_mode.',
        )


def aux_loss_space(cfg: "Config") -> Iterator[Finding]:
    normalised = cfg.sae.normalize_activations
    if getattr(cfg.sae, "aux_loss_coefficient", None) is not None and normalised in (
        "constant_norm_rescale",
        "layer_norm",
    ):
        yield Finding(
            "auxk-normalisation",
            "stops",
            f'sae.normalize_activations = "{normalised}" with {architecture(cfg)}.',
            "SAELens raises an error at the first dead latent, which is after dead_feature_window "
            f"({cfg.dead_feature_window:,}) steps: AuxK would mix two spaces.",
            'sae.normalize_activations = "expected_average_only_in" or "none".',
        )


def precision(cfg: "Config") -> Iterator[Finding]:
    if str(cfg.sae.dtype) in LOW_PRECISION:
        yield Finding(
            "low-precision",
            "wastes",
            f'sae.dtype = "{cfg.sae.dtype}": the parameters have low precision.',
            "Adam's small steps are rounded away: explained variance was .616 against .727 with float32. "
            "Autocast gives the speed without that loss.",
            'sae.dtype = "float32" and autocast = True.',
        )


CHECKS = (dead_window, histogram_window, sparsity, aux_loss_space, precision)
