"""The training loop of 3a.8 as the check runs it, right and with each of the slips that it knows."""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ...training.by_hand import HandConfig
from . import reference
from .reference import PARAMETERS, SAE

MSE, L0, DEAD = "mse, step by step", "l0, step by step", "dead, step by step"
Result = dict[str, Tensor]
"""The records, step by step, and the parameters after the last."""

SLIPS = {
    "constant": "the learning rate stays the same; it is config.lr * learning_rate_factor(step, ...).",
    "ahead": "the learning rate is a step ahead: the factor of `step` belongs to the update of `step`.",
    "behind": "the learning rate is a step behind: set it before optimiser.step().",
    "compounded": "the factor is multiplied into the rate again and again; it is config.lr times the factor.",
    "factor alone": "the learning rate is the factor alone: config.lr * learning_rate_factor(...).",
    "no zero_grad": "gradients add up over the steps: optimiser.zero_grad() before backward().",
    "no clip": "gradients are not clipped: clip_grad_norm_(...) between backward() and step().",
    "clip 1": "gradients are clipped to a norm of 1; to config.clip.",
    "clip values": "single entries are clipped (clip_grad_value_); the norm is to be (clip_grad_norm_).",
    "mean": "the squared error is averaged over d_in; it is summed.",
    "sum": "the squared error is summed over the batch; it is averaged.",
    "no scale": "`scale ** 2` is missing in mse.",
    "one scale": "mse is multiplied by scale; by scale ** 2, as the error is squared.",
    "later": "`silent > dead_window`: a latent is dead from dead_window silent steps on, so >=.",
    "after": "`dead` is computed after `silent` was updated; it says who was dead before this step.",
    "tokens": "`silent` counts tokens; it counts steps: silent + 1.",
    "never reset": "`silent` is not set back to 0 when a latent fires.",
    "all": "a latent counts as silent unless it fires on every token; any one is enough, .any(dim=0).",
    "first token": "only the first token of the batch is looked at: a latent fired if it did on any.",
    "candidates": "`silent` looks at the pre-activations; a latent fires where it is above 0 *after* topk.",
    "no auxiliary": "the auxiliary loss is not part of what is differentiated.",
    "no coefficient": "config.aux_coefficient is not used.",
    "raw residual": "the residual for the auxiliary loss is not scaled: sae.scale * (x - reconstruction).",
    "raw decoder": "auxiliary_loss was given W_dec as it is; it takes the decoder with rows of length 1.",
    "from latents": "auxiliary_loss was given the latents; it takes the pre-activations.",
    "living": "auxiliary_loss was given the mask of the living; True is for the dead.",
    "new optimiser": "the optimiser is made anew in every step and forgets its moments; make it once.",
    "sgd": "this is plain gradient descent; Adam is wanted.",
    "same batch": "the same batch is used in every step: next(batches) belongs inside the loop.",
    "relu": "the latents are ReLU's; topk(pre_activations, sae.k) is wanted.",
    "frozen": "W_dec is not trained: the optimiser is to hold all of sae.parameters().",
    "normalised": "W_dec was normalised after the step; decode does that by itself.",
    "still": "the SAE has not changed: is optimiser.step() called, and after backward()?",
    "total": 'the record\'s "mse" is the whole loss, with the auxiliary term.',
    "l0 share": 'the record\'s "l0" is the share of the latents that fire; how many fire is wanted.',
    "l0 total": 'the record\'s "l0" is summed over the batch; the average over its tokens is wanted.',
    "dead share": 'the record\'s "dead" is a share; the number of dead latents is wanted.',
    "alive": 'the record\'s "dead" counts those that are not dead.',
    "dead after": 'the record\'s "dead" is counted after `silent` was updated; count before.',
}


@dataclass(frozen=True)
class Setup:
    """What one training starts from; equal for equal numbers."""

    fingerprint: float
    config: HandConfig
    sae: SAE = field(compare=False)
    batches: list[Tensor] = field(compare=False)


@lru_cache(maxsize=4096)
def result_of(setup: Setup, slip: str = "") -> Result:
    """What training from ``setup`` gives, with one slip. Kept: many answers are held against the same."""
    with torch.enable_grad():
        return _train(copy.deepcopy(setup.sae), setup.batches, setup.config, slip)


def _train(sae: SAE, batches: list[Tensor], config: HandConfig, slip: str) -> Result:
    trained = [p for name, p in sae.named_parameters() if slip != "frozen" or name != "W_dec"]
    kind = torch.optim.SGD if slip == "sgd" else torch.optim.Adam
    optimiser: Any = kind(trained, lr=config.lr)
    silent = torch.zeros_like(sae.b_enc, dtype=torch.long)
    source: Iterator[Tensor] = itertools.repeat(batches[0]) if slip == "same batch" else iter(batches)
    records: dict[str, list[Tensor]] = {MSE: [], L0: [], DEAD: []}
    for step in range(config.n_steps):
        x = next(source)
        if slip == "new optimiser":
            optimiser = kind(trained, lr=config.lr)
        pre = sae.pre_activations(x)
        latents = pre.relu() if slip == "relu" else reference.topk(pre, sae.k)
        before, silent = silent, _silent(silent, pre, latents, slip)
        dead, later = _dead(before, silent, config.dead_window, slip), silent >= config.dead_window
        mse, loss = _losses(sae, x, pre, latents, dead, config, slip)
        if slip != "no zero_grad":
            optimiser.zero_grad()
        loss.backward()
        _update(sae, optimiser, step, config, slip)
        records[MSE].append(loss if slip == "total" else mse)
        records[L0].append(_l0(latents, slip))
        records[DEAD].append(_count(later if slip == "dead after" else dead, slip))
    kept = {name: torch.stack(values).detach() for name, values in records.items()}
    return kept | {name: sae.get_parameter(name).detach().clone() for name in PARAMETERS}


def _silent(silent: Tensor, pre: Tensor, latents: Tensor, slip: str) -> Tensor:
    """Steps since each latent last fired, this step included."""
    fires = (pre if slip == "candidates" else latents).detach() > 0
    fired = fires[0] if slip == "first token" else fires.all(0) if slip == "all" else fires.any(0)
    return torch.where(
        fired, silent if slip == "never reset" else 0, silent + (len(pre) if slip == "tokens" else 1)
    )


def _dead(before: Tensor, after: Tensor, window: int, slip: str) -> Tensor:
    if slip == "later":
        return before > window
    return (after if slip == "after" else before) >= window


def _losses(  # noqa: PLR0917 - what the loss is made of
    sae: SAE, x: Tensor, pre: Tensor, latents: Tensor, dead: Tensor, config: HandConfig, slip: str
) -> tuple[Tensor, Tensor]:
    """The mse, and what is differentiated."""
    residual = x - sae.decode(latents)
    error = residual.pow(2).sum(-1).mean() * sae.scale**2
    mse = {
        "mean": error / x.shape[1],
        "sum": error * len(x),
        "no scale": error / sae.scale**2,
        "one scale": error / sae.scale,
    }.get(slip, error)
    auxiliary = reference.auxiliary_loss(
        residual if slip == "raw residual" else sae.scale * residual,
        latents if slip == "from latents" else pre,
        sae.W_dec if slip == "raw decoder" else sae.unit_decoder(),
        ~dead if slip == "living" else dead,
    )
    weight = {"no auxiliary": 0.0, "no coefficient": 1.0}.get(slip, config.aux_coefficient)
    return mse, mse + weight * auxiliary


def _update(sae: SAE, optimiser: Any, step: int, config: HandConfig, slip: str) -> None:
    """Clip, set the learning rate, and step."""
    if slip == "clip values":
        nn.utils.clip_grad_value_(sae.parameters(), config.clip)
    elif slip != "no clip":
        nn.utils.clip_grad_norm_(sae.parameters(), 1.0 if slip == "clip 1" else config.clip)
    at = {"ahead": min(step + 1, config.n_steps - 1), "behind": max(step - 1, 0)}.get(slip, step)
    factor = reference.learning_rate_factor(at, config.n_steps, config.warm_up_steps, config.decay_steps)
    for group in optimiser.param_groups:
        base = {"compounded": group["lr"], "factor alone": 1.0}.get(slip, config.lr)
        group["lr"] = config.lr if slip == "constant" else base * factor
    if slip != "still":
        optimiser.step()
    if slip == "normalised":
        sae.W_dec.data.copy_(reference.unit(sae.W_dec.data))


def _l0(latents: Tensor, slip: str) -> Tensor:
    count = (latents > 0).float().sum()
    return {"l0 share": count / latents.numel(), "l0 total": count}.get(slip, count / len(latents))


def _count(dead: Tensor, slip: str) -> Tensor:
    share = dead.float().mean()
    return {"dead share": share, "alive": (1 - share) * len(dead)}.get(slip, share * len(dead))
