"""Checks of the run's length and of everything that is counted in its steps."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .amounts import learned_threshold, steps
from .findings import Finding

if TYPE_CHECKING:
    from .amounts import Config

LR_RANGE = (1e-6, 1e-2)
"""Outside, Adam moves a weight of size .1 by less than a hundred-thousandth, or by a tenth, in a step."""
NORM_SHARE = 0.2
"""Of the run, that estimating a normalisation may take."""
THRESHOLD_SHARE = 0.97
"""Of its value, that a BatchTopK threshold must have reached at the end of the run.

Measured with a target L0 of 8: at .62, .86 and 1.00 of it, L0 was 37, 13 and 7.9.
"""
SCHEDULERS = ("constant", "cosineannealing", "cosineannealingwarmrestarts")


def numbers_that_must_be_positive(cfg: "Config") -> Iterator[Finding]:
    """Zero or less, where every other check divides by them."""
    names = (
        "training_tokens",
        "train_batch_size_tokens",
        "context_size",
        "n_batches_in_buffer",
        "store_batch_size_prompts",
    )
    values = {name: getattr(cfg, name) for name in names}
    values |= {f"sae.{name}": getattr(cfg.sae, name) for name in ("d_in", "d_sae")}
    wrong = [f"{name} = {value}" for name, value in values.items() if value <= 0]
    if wrong:
        yield Finding(
            "not-positive",
            "stops",
            f"{', '.join(wrong)}: must be positive.",
            "There is nothing to train, or nothing to train on.",
            f"{', '.join(text.split(' = ')[0] for text in wrong)}: a number of 1 or more.",
        )


def run_length(cfg: "Config") -> Iterator[Finding]:
    if cfg.training_tokens < cfg.train_batch_size_tokens:
        yield Finding(
            "run-too-short",
            "stops",
            f"training_tokens = {cfg.training_tokens:,} is less than one batch of "
            f"{cfg.train_batch_size_tokens:,} (train_batch_size_tokens).",
            "SAELens makes one step and stops, without a word.",
            f"training_tokens = {1000 * cfg.train_batch_size_tokens} for 1,000 steps.",
        )


def learning_rate(cfg: "Config") -> Iterator[Finding]:
    low, high = LR_RANGE
    if not low <= cfg.lr <= high:
        yield Finding(
            "lr-range",
            "wastes",
            f"lr = {cfg.lr:g} is outside {low:g} to {high:g}.",
            "Adam moves each weight by about lr in a step: too little to learn in any run, or so much that "
            "most latents die at once."
            if cfg.lr > 0
            else "Nothing is learned.",
            "lr = 3e-4.",
        )
    wrong = [f"{name} = {getattr(cfg, name)}" for name in _BETAS if not 0 <= getattr(cfg, name) < 1]
    if wrong:
        yield Finding(
            "adam-beta",
            "stops",
            f"{' and '.join(wrong)}: must be at least 0 and below 1.",
            "torch refuses such an optimizer, after the model was loaded.",
            "adam_beta1 = 0.9 and adam_beta2 = 0.999.",
        )


_BETAS = ("adam_beta1", "adam_beta2")


def lr_schedule(cfg: "Config") -> Iterator[Finding]:
    total, warm_up, decay = steps(cfg), cfg.lr_warm_up_steps, cfg.lr_decay_steps
    name = cfg.lr_scheduler_name.lower()
    if name not in SCHEDULERS:
        yield Finding(
            "lr-scheduler",
            "stops",
            f'lr_scheduler_name = "{cfg.lr_scheduler_name}" is none of {", ".join(SCHEDULERS)}.',
            "SAELens refuses it, after the model was loaded.",
            'lr_scheduler_name = "constant".',
        )
    elif decay > 0 and cfg.lr_end == 0 and name != "constant":
        yield Finding(
            "lr-end",
            "stops",
            f"lr_end = 0 with {name} and lr_decay_steps = {decay:,}: a decay from 0 to 0.",
            "SAELens refuses it, after the model was loaded.",
            "lr_decay_steps = 0, or lr_end = lr / 10.",
        )
    elif total:
        yield from _overlap(cfg, name, total - warm_up - decay)


def _overlap(cfg: "Config", name: str, between: int) -> Iterator[Finding]:
    """
    Args:
        between: steps left between warm-up and decay.
    """
    restarts = name == "cosineannealingwarmrestarts"
    crash = (
        between < cfg.n_restart_cycles
        if restarts
        else name != "constant" and between == 0 == cfg.lr_decay_steps
    )
    # Measured: a constant schedule with 60 + 60 of 100 steps jumps from .67 lr to lr when the decay starts;
    # cosine annealing with 60 + 40, from lr to lr_end.
    if not crash and (between > 0 or (between == 0 and name == "constant")):
        return
    total, warm_up, decay = steps(cfg), cfg.lr_warm_up_steps, cfg.lr_decay_steps
    yield Finding(
        "lr-schedule",
        "stops" if crash else "wastes",
        f"lr_warm_up_steps + lr_decay_steps = {warm_up:,} + {decay:,}, and the run has {total:,} steps"
        + (f" for n_restart_cycles = {cfg.n_restart_cycles:,}." if restarts else "."),
        f"{name} needs steps between the two: torch refuses, after the model was loaded."
        if crash
        else "The learning rate jumps where the two overlap, or never gets to lr, or never gets to zero: "
        "latents end half-trained.",
        f"lr_warm_up_steps = {total // 10} and lr_decay_steps = {total // 5}, or more training_tokens"
        + (", and n_restart_cycles = 1." if restarts else "."),
    )


def coefficient_warm_up(cfg: "Config") -> Iterator[Finding]:
    total = steps(cfg)
    for name, coefficient in (("l1_warm_up_steps", "l1_coefficient"), ("l0_warm_up_steps", "l0_coefficient")):
        wanted = getattr(cfg.sae, name, 0)
        if total and wanted > total:
            final = getattr(cfg.sae, coefficient)
            yield Finding(
                "coefficient-warm-up",
                "wastes",
                f"sae.{name} = {wanted:,}, and the run has {total:,} steps: {coefficient} ends at "
                f"{final * total / wanted:.3g} instead of {final:g}.",
                "L0 ends far above what the coefficient stands for, and the run compares with no other.",
                f"sae.{name} = {total // 10}.",
            )


def norm_estimate(cfg: "Config") -> Iterator[Finding]:
    total = steps(cfg)
    estimated = cfg.sae.normalize_activations in ("expected_average_only_in", "covariance_whitening")
    if estimated and total and cfg.n_batches_for_norm_estimate > NORM_SHARE * total:
        yield Finding(
            "norm-estimate",
            "wastes" if cfg.n_batches_for_norm_estimate >= total else "notice",
            f"n_batches_for_norm_estimate = {cfg.n_batches_for_norm_estimate:,} batches are read before the "
            f"first of {total:,} steps ({cfg.sae.normalize_activations}).",
            "The model reads them for the normalisation alone: "
            f"{cfg.n_batches_for_norm_estimate / total:.0%} of the run's own tokens.",
            f"n_batches_for_norm_estimate = {max(1, total // 20)}.",
        )


def topk_threshold(cfg: "Config") -> Iterator[Finding]:
    total = steps(cfg)
    if not total or not learned_threshold(cfg):
        return
    rate = cfg.sae.topk_threshold_lr
    reached = 1 - (1 - rate) ** total
    if reached < THRESHOLD_SHARE:
        yield Finding(
            "threshold-unconverged",
            "wastes",
            f"sae.topk_threshold_lr = {rate:g}: after {total:,} steps the threshold is at {reached:.0%} of "
            "its value.",
            "The finished SAE uses that threshold, a running mean that begins at 0: with a target L0 of 8 it "
            "measured 37 at 62 %, 13 at 86 % and 7.9 at the end of a longer run.",
            f"sae.topk_threshold_lr = {1 - 0.01 ** (1 / total):.2g}, or more training_tokens.",
        )


CHECKS = (
    run_length,
    learning_rate,
    lr_schedule,
    coefficient_warm_up,
    norm_estimate,
    topk_threshold,
)
