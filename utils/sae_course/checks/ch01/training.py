"""The check of 1.9, the training loop: watched from outside, while it calls the learner's own functions."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from ...training import ToyConfig
from ..cases import Case
from ..core import exercise
from ..trial import Trial
from . import reference
from .reference import PARAMETERS, Parameters

CONFIG = ToyConfig(
    n_inst=7,
    d_hidden=3,
    d_sae=11,
    feature_probability=0.1,
    steps=60,
    batch_size=13,
    lr=0.02,
    lr_decay=0.8,
    l1_coefficient=0.5,
    dead_window=5,
    resample_every=3,
    resample_until=0.9,
)
"""Unlike the chapter's in everything; step 50 is recorded (History's 50) right after a resampling."""
AUX = 0.3
COMPARED = 8
"""Steps whose updates are compared number by number: later ones add up rounding errors."""


@dataclass
class Watch:
    """What was seen of one run."""

    sae: Parameters
    lrs: list[float] = field(default_factory=list)
    optimiser: Any = None
    after: list[dict[str, Tensor]] = field(default_factory=list)
    """Parameters after each step."""
    h: list[Tensor] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)
    reconstructions: list[Tensor] = field(default_factory=list)
    dead: list[Any] = field(default_factory=list)
    """What ``auxiliary`` was given, call by call; ``aux_steps`` says when."""
    aux_steps: list[int] = field(default_factory=list)
    revived: list[tuple[int, Any, Any, Any, Any, Any]] = field(default_factory=list)
    """Step, and what ``revive`` was given."""

    def note_step(self, optimiser: Any, *_: Any) -> None:
        """The optimisers' hook."""
        mine = {id(p) for p in self.sae.parameters()}
        if any(id(p) in mine for group in optimiser.param_groups for p in group["params"]):
            self.optimiser = optimiser
            self.lrs.append(float(optimiser.param_groups[0]["lr"]))
            self.after.append({name: self.sae.get_parameter(name).detach().clone() for name in PARAMETERS})

    def revive(self, sae: Any, optimiser: Any, h: Any, out: Any, dead: Any) -> None:
        """Changes nothing, and remembers."""
        self.revived.append(
            (len(self.lrs) - 1, sae, optimiser, _copy(h), _copy(_latents(out, "revive")), _copy(dead))
        )

    def auxiliary(self, sae: Any, h: Any, out: Any, dead: Any) -> Tensor:
        """A term that pushes pre-activations up, and remembers."""
        self.aux_steps.append(len(self.lrs))
        self.h.append(_copy(h))
        self.latents.append(_copy(_latents(out, "auxiliary")))
        self.reconstructions.append(_copy(out.reconstruction))
        self.dead.append(_copy(dead))
        return -AUX * out.pre_activations.mean(dim=(0, 2))


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _latents(out: Any, name: str) -> Any:
    if not hasattr(out, "latents"):
        raise TypeError(
            f"{name}(sae, ..., h, out, dead) got a {type(out).__name__} as `out`; "
            f"expected the output of sae_forward"
        )
    return out.latents


@contextlib.contextmanager
def _watching(watch: Watch) -> Iterator[None]:
    handle = register_optimizer_step_post_hook(watch.note_step)
    try:
        yield
    finally:
        handle.remove()


def _sae(case: Case) -> Parameters:
    """Latents of every kind: never, seldom and often firing."""
    sae = reference.random_sae(case)
    with torch.no_grad():
        sae.b_dec.mul_(0.1)
        sae.b_enc.copy_(torch.linspace(-1.6, 0.1, CONFIG.d_sae, device=case.device).expand_as(sae.b_enc))
        sae.b_enc[:, 0] = -30.0
    return sae


def _dead_masks(latents: Tensor, resampled: list[int], slip: str = "") -> dict[str, Tensor]:
    """The dead masks that belong to these latents ``[steps batch inst d_sae]``, and the fraction alive.

    Args:
        resampled: the steps at which ``revive`` is called.
        slip: the mistake to make.
    """
    silent = torch.zeros_like(latents[0, 0], dtype=torch.long)
    window, auxiliary, revive, live = CONFIG.dead_window, [], [], []
    stale = torch.zeros_like(silent, dtype=torch.bool)

    def is_dead() -> Tensor:
        if slip == "later":
            return silent > window
        return silent >= (window - 1 if slip == "sooner" else window)

    for step, values in enumerate(latents):
        before = is_dead()
        auxiliary.append(stale if slip == "stale" else before)
        fires = values > 0
        fired = fires[0] if slip == "first" else fires.all(0) if slip == "all" else fires.any(0)
        if slip == "never":
            silent = torch.where(fired, silent, silent + 1)
        else:
            silent = torch.where(fired, 0, silent + 1)
        if step in resampled:
            dead = before if slip == "before" else is_dead()
            revive.append(dead)
            stale = dead
            if slip != "kept":
                silent = torch.zeros_like(silent) if slip == "zeroed" else torch.where(dead, 0, silent)
        live.append((~is_dead()).float().mean(-1))
    empty = latents.new_zeros((0, *silent.shape), dtype=torch.bool)
    return {
        "auxiliary": torch.stack(auxiliary),
        "revive": torch.stack(revive) if revive else empty,
        "live": torch.stack(live),
    }


SLIPS = {
    "later": "`silent > config.dead_window`: a latent is dead from dead_window silent steps on, so >=.",
    "sooner": "the count of silent steps is one too high: 0 for a latent that just fired, and at first.",
    "first": "only the first sample of the batch is looked at: a latent fired if it did on any, .any(dim=0).",
    "all": "a latent counts as silent unless it fires on every sample; any one is enough, .any(dim=0).",
    "never": "`silent` is not set back to 0 when a latent fires.",
    "kept": "`silent` is not set to 0 for the latents that were revived.",
    "zeroed": "`silent` is set to 0 for all latents after a revival: only for those that were dead.",
    "before": "`dead` for revive is from before this step: update `silent` first.",
    "stale": "`dead` for auxiliary is the last revival's: compute it anew in every step.",
}


def _require_steps(t: Trial, watch: Watch) -> None:
    """As many updates as there are steps, at the schedule's learning rates."""
    n = len(watch.lrs)
    t.require(
        n == CONFIG.steps,
        f"the SAE's parameters were updated {n} times; expected {CONFIG.steps}, which is config.steps.",
        likely="training_step is not called once in every step"
        if n
        else "no training_step on this `sae` with this optimiser, or the loop never runs.",
    )
    right = [CONFIG.lr * CONFIG.lr_factor(step) for step in range(n)]
    wrong = {
        "scheduler.step() is never called.": [CONFIG.lr] * n,
        "scheduler.step() is called before the update; it comes after training_step.": [
            CONFIG.lr * CONFIG.lr_factor(step + 1) for step in range(n)
        ],
        "scheduler.step() is called twice a step.": [
            CONFIG.lr * CONFIG.lr_factor(2 * step) for step in range(n)
        ],
    }
    device = watch.sae.b_enc.device
    t.close(
        torch.tensor(watch.lrs, device=device),
        torch.tensor(right, device=device),
        "the learning rate",
        axes="step",
        mistakes={name: torch.tensor(values, device=device) for name, values in wrong.items()},
        likely="call scheduler.step() once at the end of every step.",
    )


def _require_batches(t: Trial, watch: Watch) -> Tensor:
    """A fresh batch for each step, of the right size and sparsity; returns them, stacked."""
    t.require(
        watch.aux_steps == list(range(CONFIG.steps)),
        f"auxiliary was called {len(watch.aux_steps)} times; expected once in each of "
        f"the {CONFIG.steps} steps.",
        likely="hand training_step a function of h and out that calls auxiliary(sae, h, out, dead).",
    )
    shape = (CONFIG.batch_size, CONFIG.n_inst, CONFIG.d_hidden)
    for h in watch.h:
        t.require(
            isinstance(h, Tensor) and tuple(h.shape) == shape,
            f"the batches have shape {tuple(getattr(h, 'shape', ()))}; expected "
            f"[batch, inst, d_hidden] = {shape}.",
            likely="the batch has config.batch_size samples, of the `config` that train was given.",
        )
    batches = torch.stack(watch.h)
    t.require(
        not any(torch.equal(one, two) for one, two in pairwise(batches)),
        "the same batch is used again and again; every step needs a fresh one.",
        likely="make_batch stands before the loop, or the generator is made or seeded anew in every step.",
    )
    absent = int((batches == 0).all(-1).sum())
    count, probability = batches[..., 0].numel(), (1 - CONFIG.feature_probability) ** CONFIG.n_features
    t.rate(
        absent,
        count,
        probability,
        "the share of samples without a feature",
        likely="config.feature_probability.",
    )
    return batches


def _require_dead(t: Trial, watch: Watch, resampled: list[int]) -> dict[str, Tensor]:
    """The dead masks that auxiliary and revive were given; returns the right ones."""
    latents = torch.stack(watch.latents)
    right = _dead_masks(latents, resampled)
    n_inst, d_sae = right["live"].shape[1], latents.shape[-1]
    for name, masks in (("auxiliary", watch.dead), ("revive", [call[-1] for call in watch.revived])):
        for mask in masks:
            t.require(
                isinstance(mask, Tensor) and mask.shape == (n_inst, d_sae) and mask.dtype == torch.bool,
                f"`dead`, as {name} got it, is {_what(mask)}; expected a bool tensor "
                f"[inst, d_sae] = {(n_inst, d_sae)}.",
                likely="dead = silent >= config.dead_window.",
            )
    seen = {"auxiliary": torch.stack(watch.dead)}
    keys = ["auxiliary"]
    if watch.revived:
        seen["revive"] = torch.stack([call[-1] for call in watch.revived])
        keys.append("revive")
    mistakes = {sentence: _dead_masks(latents, resampled, slip) for slip, sentence in SLIPS.items()}
    t.close(
        seen,
        {key: right[key] for key in keys},
        "the `dead` masks that were handed over",
        axes=dict.fromkeys(keys, "call inst latent"),
        mistakes={sentence: {key: masks[key] for key in keys} for sentence, masks in mistakes.items()},
        likely=(
            "`silent` counts the steps since a latent last fired on any sample; dead is "
            "silent >= dead_window."
        ),
    )
    return right


def _what(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"a {type(value).__name__}"


RESAMPLED = [step for step in range(CONFIG.steps) if CONFIG.resamples_at(step)]


def _require_revivals(t: Trial, watch: Watch) -> None:
    """``revive`` called after the right steps, with what belongs to them."""
    seen = [call[0] for call in watch.revived]
    likely = "ask config.resamples_at(step) in every step, with `step` counted from 0, after training_step."
    if seen == [step for step in range(CONFIG.steps) if (step + 1) % CONFIG.resample_every == 0]:
        likely = "config.resample_until is not respected: ask config.resamples_at(step)."
    elif seen == [step - 1 for step in RESAMPLED]:
        likely = "revive is called before training_step, or asks for step + 1: batch, step, then revive."
    elif len(seen) == CONFIG.steps:
        likely = "revive is called in every step: only where config.resamples_at(step) is True."
    t.require(
        seen == RESAMPLED,
        f"revive was called after steps {_few(seen)}; expected {_few(RESAMPLED)}.",
        likely=likely,
    )
    for step, sae, optimiser, h, latents, _ in watch.revived:
        t.require(
            sae is watch.sae, "revive was not given the `sae` that is trained.", likely="revive(sae, ...)."
        )
        t.require(
            optimiser is watch.optimiser,
            "revive was not given the optimiser that trains the SAE.",
            likely="revive(sae, optimiser, h, out, dead).",
        )
        if watch.h:
            t.require(
                torch.equal(h, watch.h[step]) and torch.equal(latents, watch.latents[step]),
                f"revive was not given the batch `h` and the output `out` of its own step ({step}).",
                likely="pass the h of this step and the out that training_step returned for it.",
            )


def _few(steps: list[int]) -> str:
    return ", ".join(map(str, steps[:6])) + (", …" if len(steps) > 6 else "") if steps else "none"


def _require_history(t: Trial, watch: Watch, history: Any, live: Tensor | None) -> None:
    """Records at steps 0 and 50 of mse, live and the decoder."""
    t.require(history is not None, "train returned nothing (None): is there a `return history`?", kind="none")
    t.require(
        all(hasattr(history, name) for name in ("steps", "metrics", "decoders")),
        f"train returned a {type(history).__name__}; expected the History.",
        kind="type",
    )
    right = [step for step in range(CONFIG.steps) if step % history.every == 0]
    t.require(
        list(history.steps) == right,
        f"the history holds steps {_few(list(history.steps))}; expected {_few(right)}.",
        likely="call history.add(step, sae.W_dec, mse=..., live=...) once in every step; it picks by itself.",
    )
    for name in ("mse", "live"):
        t.require(
            name in history.metrics,
            f"the history holds no {name}.",
            likely="history.add(step, sae.W_dec, mse=loss.mse, live=live).",
        )
        for value in history.metrics[name]:
            t.require(
                tuple(value.shape) == (CONFIG.n_inst,),
                f"{name} in the history has shape {tuple(value.shape)}; expected "
                f"[inst] = {(CONFIG.n_inst,)}.",
                likely="one number for each instance: average over the latents only, .mean(dim=-1).",
            )
    for i, step in enumerate(right):
        decoder = torch.as_tensor(history.decoders[i])
        W_dec = watch.after[step]["W_dec"].cpu()
        if decoder.shape != W_dec.shape or not torch.allclose(decoder, reference.unit(W_dec), atol=1e-5):
            t.close(decoder, W_dec, f"the decoder in the history at step {step}", axes="inst latent d_in")
        if live is None:
            continue
        error = (watch.reconstructions[step] - watch.h[step]).pow(2).mean(dim=(0, 2)).cpu()
        total = error + CONFIG.l1_coefficient * watch.latents[step].sum(-1).mean(0).cpu()
        t.close(
            torch.as_tensor(history.metrics["mse"][i]),
            error,
            f"mse in the history at step {step}",
            axes="inst",
            mistakes={"this is the total loss, with the penalty: loss.mse is wanted.": total},
        )
        t.close(
            torch.as_tensor(history.metrics["live"][i]),
            live[step].cpu(),
            f"live in the history at step {step}",
            axes="inst",
            mistakes={"this is the fraction that is dead; live is the rest.": 1 - live[step].cpu()},
            likely="the fraction of latents with silent < config.dead_window, after the revival.",
        )


def _require_updates(t: Trial, watch: Watch, start: Parameters, batches: Tensor) -> None:
    """The first updates are those of the loss with the auxiliary term."""

    def rerun(l1: float, weight: float) -> dict[str, Tensor]:
        sae = Parameters(CONFIG.n_inst, CONFIG.d_hidden, CONFIG.d_sae, str(batches.device))
        sae.load_state_dict(start.state_dict())
        optimiser = torch.optim.Adam(sae.parameters(), lr=CONFIG.lr)
        for step, h in enumerate(batches[:COMPARED]):
            optimiser.param_groups[0]["lr"] = CONFIG.lr * CONFIG.lr_factor(step)
            reference.step(
                sae, optimiser, h, l1, lambda h, out: -weight * AUX * out.pre_activations.mean(dim=(0, 2))
            )
        return {name: sae.get_parameter(name).detach().clone() for name in PARAMETERS}

    default = ToyConfig().l1_coefficient
    t.close(
        watch.after[COMPARED - 1],
        rerun(CONFIG.l1_coefficient, 1.0),
        f"the parameters after {COMPARED} steps",
        axes=PARAMETERS,
        rtol=2e-3,
        atol=2e-3,
        mistakes={
            "auxiliary is called, but its term is not part of the loss: hand it to training_step.": rerun(
                CONFIG.l1_coefficient, 0.0
            ),
            "l1_coefficient is not that of the `config` that train was given.": rerun(default, 1.0),
            "l1_coefficient is not used.": rerun(0.0, 1.0),
        },
        likely="each step is one training_step(sae, optimiser, h, config.l1_coefficient, ...).",
    )


@exercise("1.9", "train", minutes=8, hints=2)
def train(t: Trial, student: Any) -> None:
    """Updates, learning rates, batches, silent counts, revival, auxiliary term and record of the loop.

    Four runs: with both cures, with the auxiliary term, with revival, and with neither and a frozen decoder.
    """
    for i, case in enumerate(t.cases(4, inst=CONFIG.n_inst, d_in=CONFIG.d_hidden, d_sae=CONFIG.d_sae)):
        sae = _sae(case)
        start = Parameters(CONFIG.n_inst, CONFIG.d_hidden, CONFIG.d_sae, case.device)
        start.load_state_dict(sae.state_dict())
        if i == 3:
            sae.W_dec.requires_grad_(False)
        watch = Watch(sae)
        W = case.normal(f"inst d_in {CONFIG.n_features}")
        stream = torch.Generator(case.device).manual_seed(i)
        before = stream.get_state()
        cures = {
            "revive": watch.revive if i in (0, 2) else None,
            "auxiliary": watch.auxiliary if i in (0, 1) else None,
        }
        arguments = {"sae": sae, "W": W, "config": CONFIG, "generator": stream}
        with _watching(watch):
            history = t.call(student, arguments, keywords=cures, may_change=["sae"])
        t.require(
            history is not None, "train returned nothing (None): is there a `return history`?", kind="none"
        )
        _require_steps(t, watch)
        t.require(
            not torch.equal(before, stream.get_state()),
            "the generator is not used: the batches are not repeatable.",
            likely="make_batch(W, config.batch_size, config.feature_probability, generator).",
        )
        if i in (0, 2):
            _require_revivals(t, watch)
        live = None
        if i in (0, 1):
            batches = _require_batches(t, watch)
            live = _require_dead(t, watch, RESAMPLED if i == 0 else [])["live"]
            _require_updates(t, watch, start, batches)
        _require_history(t, watch, history, live)
        t.require(
            i != 3 or torch.equal(sae.W_dec, start.W_dec),
            "a frozen decoder (requires_grad False) has changed.",
            likely="the decoder is changed outside the optimiser.",
        )
