"""Bank for 3a.8 train."""

# ruff: noqa: PLR0912, PLR0915 - one function with a switch for each slip

import torch
import torch.nn.functional as F
from bank import Bank
from torch import nn
from tqdm import tqdm

from sae_course.checks.ch03a import training

bank = Bank(training.train)


def topk(pre_activations, k):
    values, places = pre_activations.topk(k, dim=-1)
    return torch.zeros_like(pre_activations).scatter(-1, places, values.relu())


def learning_rate_factor(step, n_steps, warm_up, decay):
    return min(1, (step + 1) / max(warm_up, 1), (n_steps - step) / max(decay, 1))


def auxiliary_loss(residual, pre_activations, decoder, dead):
    n, K = int(dead.sum()), residual.shape[-1] // 2
    if n == 0:
        return residual.new_zeros(())
    values, places = pre_activations.masked_fill(~dead, -torch.inf).topk(min(n, K), dim=-1)
    output = torch.zeros_like(pre_activations).scatter(-1, places, values) @ decoder
    return min(n / K, 1) * (output - residual.detach()).pow(2).sum(-1).mean()


def loop(slip=""):
    """A right training loop with one slip."""

    def train(sae, batches, config):
        parameters = [sae.W_enc, sae.b_enc, sae.b_dec] if slip == "frozen" else list(sae.parameters())

        def new():
            kind = {"sgd": torch.optim.SGD, "AdamW": torch.optim.AdamW}.get(slip, torch.optim.Adam)
            if slip == "betas":
                return kind(parameters, lr=config.lr, betas=(0.5, 0.9))
            return kind(parameters, lr=config.lr)

        optimiser = new()
        silent = torch.zeros(sae.W_enc.shape[1], dtype=torch.long)
        history = []
        first = next(batches) if slip == "same batch" else None
        n_steps = config.n_steps - (slip == "one too few") + (slip == "one too many")
        for step in tqdm(range(n_steps)):
            x = next(batches) if first is None else first
            if slip == "new optimiser":
                optimiser = new()
            at = {"ahead": min(step + 1, config.n_steps - 1), "behind": max(step - 1, 0)}.get(slip, step)
            factor = learning_rate_factor(at, config.n_steps, config.warm_up_steps, config.decay_steps)
            if slip == "no warm-up":
                factor = learning_rate_factor(at, config.n_steps, 0, config.decay_steps)
            for group in optimiser.param_groups:
                if slip == "compounded":
                    group["lr"] *= factor
                elif slip == "factor alone":
                    group["lr"] = factor
                elif slip != "constant":
                    group["lr"] = config.lr * factor

            pre = sae.pre_activations(x)
            latents = F.relu(pre) if slip == "relu" else topk(pre, sae.k)
            residual = sae.scale * (x - sae.decode(latents))
            mse = residual.pow(2).sum(dim=-1).mean()
            if slip == "mean":
                mse = residual.pow(2).mean()
            elif slip == "sum":
                mse = residual.pow(2).sum()
            elif slip == "no scale":
                mse = (x - sae.decode(latents)).pow(2).sum(-1).mean()
            elif slip == "one scale":
                mse = sae.scale * (x - sae.decode(latents)).pow(2).sum(-1).mean()
            fires = (pre if slip == "candidates" else latents).detach() > 0
            fired = {"all": fires.all(0), "first token": fires[0]}.get(slip, fires.any(0))
            after = torch.where(fired, silent if slip == "never reset" else 0, silent + 1)
            if slip == "tokens":
                after = torch.where(fired, 0, silent + len(x))
            dead = silent >= config.dead_window
            if slip == "later":
                dead = silent > config.dead_window
            elif slip == "after":
                dead = after >= config.dead_window
            auxiliary = auxiliary_loss(
                x - sae.decode(latents) if slip == "raw residual" else residual,
                latents if slip == "from latents" else pre,
                sae.W_dec if slip == "raw decoder" else sae.unit_decoder(),
                ~dead if slip == "living" else dead,
            )
            if slip == "no auxiliary":
                auxiliary = auxiliary.detach()
            loss = mse + (1 if slip == "no coefficient" else config.aux_coefficient) * auxiliary

            if slip != "no zero_grad":
                optimiser.zero_grad()
            if slip == "clip first":
                nn.utils.clip_grad_norm_(sae.parameters(), config.clip)
            loss.backward()
            if slip == "clip values":
                nn.utils.clip_grad_value_(sae.parameters(), config.clip)
            elif slip not in ("no clip", "clip first"):
                norm = {"clip 1": 1.0, "clip 2": 2 * config.clip}.get(slip, config.clip)
                nn.utils.clip_grad_norm_(sae.parameters(), norm)
            if slip != "still":
                optimiser.step()
            if slip == "normalised":
                with torch.no_grad():
                    sae.W_dec /= sae.W_dec.norm(dim=-1, keepdim=True)
            silent = after

            counted = after >= config.dead_window if slip == "dead after" else dead
            number = int((~counted if slip == "alive" else counted).sum())
            l0 = (latents > 0).float().sum(-1).mean().item()
            if slip == "l0 share":
                l0 = (latents > 0).float().mean().item()
            elif slip == "l0 total":
                l0 = int((latents > 0).sum())
            record = {
                "mse": (loss if slip == "total" else mse).item(),
                "l0": l0,
                "dead": number / len(dead) if slip == "dead share" else number,
            }
            if slip == "vectors":
                record["dead"] = dead
            if slip == "no l0":
                del record["l0"]
            history.append(record["mse"] if slip == "floats" else record)
        return None if slip == "none" else history[-1] if slip == "last" else history

    return train


bank.right(loop())


@bank.right
def with_scheduler(sae, batches, config):
    optimiser = torch.optim.Adam(sae.parameters(), lr=config.lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda t: learning_rate_factor(t, config.n_steps, config.warm_up_steps, config.decay_steps),
    )
    last = torch.full_like(sae.b_enc, -1)
    history = []
    for step, x in zip(range(config.n_steps), batches, strict=False):
        latents = sae.encode(x)
        dead = step - 1 - last >= config.dead_window
        error = x - sae(x)
        mse = sae.scale**2 * error.square().sum(1).mean(0)
        loss = mse
        if dead.any() and config.aux_coefficient:
            decoder = F.normalize(sae.W_dec, dim=1)
            extra = auxiliary_loss(sae.scale * error, sae.pre_activations(x), decoder, dead)
            loss = loss + config.aux_coefficient * extra
        sae.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(sae.parameters()), max_norm=config.clip)
        optimiser.step()
        scheduler.step()
        last[latents.detach().amax(0) > 0] = step
        history += [
            {"mse": mse.detach(), "l0": latents.gt(0).sum() / len(x), "dead": dead.sum(), "step": step}
        ]
    return history


@bank.right
def in_other_words(sae, batches, config):
    records, silent = [], sae.b_enc.detach() * 0
    adam = torch.optim.Adam(list(sae.parameters()), config.lr)
    for t, x in enumerate(batches):
        if t == config.n_steps:
            break
        pre = sae.pre_activations(x)
        z = topk(pre, config.k)
        dead = silent > config.dead_window - 1
        target = x * sae.scale
        out = z @ sae.unit_decoder() + sae.b_dec
        mse = F.mse_loss(out, target) * config.d_in
        total = mse + auxiliary_loss(target - out, pre, sae.unit_decoder(), dead) * config.aux_coefficient
        total.backward()
        norm = torch.cat([p.grad.flatten() for p in sae.parameters()]).norm()
        for p in sae.parameters():
            p.grad *= min(1.0, config.clip / (norm.item() + 1e-6))
        adam.param_groups[0]["lr"] = config.lr * learning_rate_factor(
            t, config.n_steps, config.warm_up_steps, config.decay_steps
        )
        adam.step()
        adam.zero_grad()
        silent = (silent + 1) * (z.detach().sum(0) == 0)
        l0 = (z != 0).sum(1).float().mean()
        records.append({"mse": mse.item(), "l0": float(l0), "dead": float(dead.sum())})
    return tuple(records)


for name, message, slip in [
    ("constant_rate", "stays the same", "constant"),
    ("rate_ahead", "a step ahead", "ahead"),
    ("rate_behind", "a step behind", "behind"),
    ("rate_compounded", "again and again", "compounded"),
    ("factor_for_rate", "the factor alone", "factor alone"),
    ("no_zero_grad", "gradients add up", "no zero_grad"),
    ("no_clip", "not clipped", "no clip"),
    ("clips_too_early", "not clipped", "clip first"),
    ("clips_to_one", "to a norm of 1", "clip 1"),
    ("clips_values", "single entries", "clip values"),
    ("mean_over_d_in", "the squared error is averaged over d_in", "mean"),
    ("sum_over_batch", "summed over the batch", "sum"),
    ("no_scale", "is missing in mse", "no scale"),
    ("one_scale", "multiplied by scale; ", "one scale"),
    ("dead_later", "silent > dead_window", "later"),
    ("dead_sooner", "after `silent` was updated; it says", "after"),
    ("counts_tokens", "counts tokens", "tokens"),
    ("never_reset", "not set back", "never reset"),
    ("every_token", "on every token", "all"),
    ("first_token", "only the first token", "first token"),
    ("candidates", r"\*after\* topk", "candidates"),
    ("no_auxiliary", "not part of what is differentiated", "no auxiliary"),
    ("no_coefficient", "aux_coefficient is not used", "no coefficient"),
    ("raw_residual", "is not scaled: ", "raw residual"),
    ("raw_decoder", "W_dec as it is", "raw decoder"),
    ("from_latents", "was given the latents", "from latents"),
    ("for_the_living", "mask of the living", "living"),
    ("new_optimiser", "forgets its moments", "new optimiser"),
    ("plain_descent", "plain gradient descent", "sgd"),
    ("same_batch", "same batch", "same batch"),
    ("relu", "ReLU's", "relu"),
    ("decoder_frozen", "W_dec is not trained", "frozen"),
    ("normalises", "W_dec was normalised", "normalised"),
    ("still", "has not changed", "still"),
    ("total_recorded", "is the whole loss", "total"),
    ("share_of_latents", "share of the latents that fire", "l0 share"),
    ("latents_in_all", "summed over the batch; the average", "l0 total"),
    ("share_of_dead", '"dead" is a share', "dead share"),
    ("alive", "those that are not dead", "alive"),
    ("dead_counted_after", "is counted after", "dead after"),
    ("one_too_few", r"history has \d+ records; expected one for each", "one too few"),
    ("one_too_many", r"history has \d+ records; expected one for each", "one too many"),
    ("no_l0", 'has no "l0"; its keys: mse, dead', "no l0"),
    ("records_of_vectors", r'"dead" in record 0 of the history is a Tensor of shape \(24,\)', "vectors"),
    ("records_of_floats", "expected a dictionary", "floats"),
    ("last_record", "expected a list", "last"),
    ("no_return", "return history", "none"),
    ("other_betas", "look at the update", "betas"),
    ("other_clip", "look at the update", "clip 2"),
    ("no_warm_up", "look at the update", "no warm-up"),
]:
    variant = loop(slip)
    variant.__name__ = name
    bank.wrong(message)(variant)


@bank.wrong("changed the batches")
def changes_batches(sae, batches, config):
    def halves():
        for x in batches:
            yield x.div_(2)

    return loop()(sae, halves(), config)
