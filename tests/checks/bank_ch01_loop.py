"""The bank for chapter 01's training loop, 1.9."""

# ruff: noqa: PLR0912, PLR0915, PLR0917 - one function with a switch for each slip

import dataclasses

import torch
from bank import Bank
from tqdm import tqdm

from sae_course.checks.ch01 import reference, training
from sae_course.runs import History
from sae_course.training import ToyConfig

OTHER = ToyConfig()
training_step = reference.step


def make_batch(W, batch_size, feature_probability, generator):
    """Hidden activations of sampled features."""
    shape = (batch_size, W.shape[0], W.shape[2])
    return torch.einsum("bif,idf->bid", reference.features(shape, feature_probability, generator), W)


bank = Bank(training.train)


def loop(slip="", **replaced):
    """A right training loop, with one slip; ``replaced`` settings are those of another config."""

    def train(sae, W, config, generator, revive=None, auxiliary=None):
        config = dataclasses.replace(config, **replaced)
        optimiser = torch.optim.Adam([p for p in sae.parameters() if p.requires_grad], lr=config.lr)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, config.lr_factor)
        silent = torch.zeros_like(sae.b_enc, dtype=torch.long) + (slip == "starts at 1")
        history = History()
        first = make_batch(W, config.batch_size, config.feature_probability, generator)
        stale = silent > 10**6
        l1 = config.l1_coefficient

        def is_dead():
            return silent > config.dead_window if slip == "later" else silent >= config.dead_window

        for step in tqdm(range(config.steps), leave=False):
            h = make_batch(W, config.batch_size, config.feature_probability, generator)
            if slip == "reseeded":
                h = make_batch(W, config.batch_size, config.feature_probability, generator.manual_seed(0))
            h = first if slip == "one batch" else h
            if slip == "schedule first":
                scheduler.step()
            before = is_dead()
            given = stale if slip == "stale" else silent if slip == "counts" else before
            extra = None
            if auxiliary is not None and slip != "no auxiliary":
                extra = lambda h, out, given=given: auxiliary(sae, h, out, given)  # noqa: E731
                if slip == "unused term":
                    extra = lambda h, out, given=given: auxiliary(sae, h, out, given).detach()  # noqa: E731
            out, loss = training_step(sae, optimiser, h, l1, extra)
            if slip == "two updates":
                training_step(sae, optimiser, h, l1)
            if slip not in ("no schedule", "schedule first"):
                scheduler.step()
            if slip == "schedule twice":
                scheduler.step()
            fires = out.latents > 0
            fired = {"first": fires[0], "all": fires.all(0)}.get(slip, fires.any(0))
            silent = torch.where(fired, silent if slip == "never" else 0, silent + 1)
            due = config.resamples_at(step)
            if slip == "every step":
                due = True
            elif slip == "step + 1":
                due = config.resamples_at(step + 1)
            elif slip == "no end":
                due = (step + 1) % config.resample_every == 0
            if (revive is not None or slip == "no None") and due:
                dead = before if slip == "before" else is_dead()
                stale = dead
                revive(sae, optimiser, first if slip == "old h" else h, out, dead)
                if slip == "zeroed":
                    silent = torch.zeros_like(silent)
                elif slip != "kept":
                    silent = torch.where(dead, 0, silent)
            live = (silent < config.dead_window).float().mean(dim=None if slip == "live scalar" else -1)
            live = 1 - live if slip == "dead for live" else live
            if slip != "record at end" or step == config.steps - 1:
                history.add(step, sae.W_dec, mse=loss.total if slip == "total" else loss.mse, live=live)
        if slip == "thaws":
            sae.W_dec.data.mul_(1.1)
        return None if slip == "no return" else history

    return train


bank.right(loop())


@bank.right
def written_otherwise(sae, W, config, generator, revive=None, auxiliary=None):
    trained = [p for p in sae.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=config.lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, config.lr_factor)
    last = torch.full(sae.b_enc.shape, -1, device=W.device)
    history = History()
    for step in range(config.steps):
        h = make_batch(W, config.batch_size, config.feature_probability, generator)
        dead = (step - 1 - last) >= config.dead_window

        def extra(h, out, dead=dead):
            return auxiliary(sae, h, out, dead)

        out, loss = training_step(sae, optimiser, h, config.l1_coefficient, extra if auxiliary else None)
        last[out.latents.amax(0) > 0] = step
        if revive and config.resamples_at(step):
            dead = step - last >= config.dead_window
            revive(sae, optimiser, h, out, dead)
            last[dead] = step
        history.add(step, sae.W_dec, mse=loss.mse, live=(step - last < config.dead_window).float().mean(-1))
        scheduler.step()
    return history


for name, message, slip in [
    ("schedule_never", "never called", "no schedule"),
    ("schedule_first", "called before the update", "schedule first"),
    ("schedule_twice", "twice a step", "schedule twice"),
    ("one_batch", "same batch", "one batch"),
    ("reseeded", "same batch", "reseeded"),
    ("two_updates", "updated 120 times; expected 60", "two updates"),
    ("no_auxiliary", "auxiliary was called 0 times", "no auxiliary"),
    ("term_without_gradient", "not part of the loss", "unused term"),
    ("counts_for_dead", "expected a bool tensor", "counts"),
    ("stale_dead", "last revival's", "stale"),
    ("off_by_one", "silent > config.dead_window", "later"),
    ("starts_at_one", "`dead` masks", "starts at 1"),
    ("first_sample", "only the first sample", "first"),
    ("every_sample", "every sample", "all"),
    ("never_reset", "not set back to 0 when", "never"),
    ("dead_before_step", "from before this step", "before"),
    ("silent_kept", "latents that were revived", "kept"),
    ("silent_zeroed", "for all latents after", "zeroed"),
    ("revives_every_step", "in every step: only where", "every step"),
    ("revives_a_step_early", "asks for step \\+ 1", "step + 1"),
    ("revives_to_the_end", "resample_until", "no end"),
    ("revive_none", "NoneType", "no None"),
    ("old_batch", "of its own step", "old h"),
    ("live_is_a_scalar", "average over the latents only", "live scalar"),
    ("dead_for_live", "fraction that is dead", "dead for live"),
    ("recorded_at_the_end", "history holds steps none", "record at end"),
    ("total_for_mse", "total loss, with the penalty", "total"),
    ("changes_decoder", "frozen decoder|decoder in the history", "thaws"),
    ("no_return", "return history", "no return"),
]:
    variant = loop(slip)
    variant.__name__ = name
    bank.wrong(message)(variant)

for name, message, replaced in [
    ("other_batch_size", "config.batch_size", {"batch_size": 50}),
    ("other_probability", "feature_probability", {"feature_probability": OTHER.feature_probability}),
    ("other_steps", "updated 100 times; expected 60", {"steps": 100}),
    ("other_l1", "not that of the `config`", {"l1_coefficient": OTHER.l1_coefficient}),
    ("no_l1", "l1_coefficient is not used", {"l1_coefficient": 0.0}),
    ("other_window", "`dead` masks", {"dead_window": OTHER.dead_window}),
    ("other_lr", "learning rate", {"lr": OTHER.lr}),
]:
    variant = loop(**replaced)
    variant.__name__ = name
    bank.wrong(message)(variant)
