"""Banks for chapter 01's checks 1.10 to 1.14: matching, score, and the cures for dead latents."""

# ruff: noqa: PLR0912, PLR0917 - one function with a switch for each slip

import functools

import torch
import torch.nn.functional as F
from bank import Bank
from scipy.optimize import linear_sum_assignment

from sae_course.checks.ch01 import evaluation, revival

matching = Bank(evaluation.match_features)


def match(cosine="unit", dead=-1.0, assign="right", maximum=1):
    """The chapter's match_features, with one slip."""
    makers = {
        "unit": lambda W, f: (F.normalize(W, dim=-1), F.normalize(f, dim=1)),
        "raw W_dec": lambda W, f: (W, F.normalize(f, dim=1)),
        "raw features": lambda W, f: (F.normalize(W, dim=-1), f),
        "raw": lambda W, f: (W, f),
        "features axis": lambda W, f: (F.normalize(W, dim=-1), F.normalize(f, dim=2)),
        "W_dec axis": lambda W, f: (F.normalize(W, dim=1), F.normalize(f, dim=1)),
    }

    def match_features(W_dec, features, live):
        found = torch.einsum("ikd,idf->ikf", *makers[cosine.removesuffix(" abs")](W_dec, features))
        if cosine.endswith(" abs"):
            found = found.abs()
        if dead == "flipped":
            found = torch.where(live[..., None], -1.0, found)
        elif dead is not None:
            found = torch.where(live[..., None], found, dead)
        assigned = torch.full_like(found[:, 0], 0.0 if assign == "zero" else -1.0)
        for i, values in enumerate(found):
            matrix = found[0] if assign == "first" else values
            rows, columns = linear_sum_assignment(matrix.cpu(), maximize=assign != "cost")
            if assign == "order":
                assigned[i, : len(rows)] = values[rows, columns]
            else:
                assigned[i, columns] = values[rows, columns]
        best = found.amax(dim=maximum)
        return evaluation.Matching(found, best, best if assign == "max" else assigned)

    return match_features


def add(bank, message, name, variant):
    """A wrong variant with a name of its own."""

    @functools.wraps(variant)
    def named(*args):
        return variant(*args)

    named.__name__ = name
    bank.wrong(message)(named)


matching.right(match())


@matching.right
def by_cosine_similarity(W_dec, features, live):
    cosine = F.cosine_similarity(W_dec[:, :, None], features.transpose(1, 2)[:, None], dim=-1)
    cosine = cosine.masked_fill(~live.unsqueeze(-1), -1)
    assigned = -torch.ones_like(features[:, 0])
    for i in range(len(cosine)):
        for row, column in zip(*linear_sum_assignment(-cosine[i].cpu().numpy()), strict=True):
            assigned[i, column] = cosine[i, row, column]
    return evaluation.Matching(cosine, cosine.max(1)[0], assigned)


for name, message, slip in [
    ("raw_decoder", "W_dec without normalising", {"cosine": "raw W_dec"}),
    ("raw_features", "features without normalising", {"cosine": "raw features"}),
    ("raw_both", "neither W_dec nor features", {"cosine": "raw"}),
    ("features_axis", "features is normalised along the wrong", {"cosine": "features axis"}),
    ("decoder_axis", "W_dec is normalised along the wrong", {"cosine": "W_dec axis"}),
    ("absolute", "absolute values", {"cosine": "unit abs"}),
    ("dead_count", "dead latents are counted", {"dead": None}),
    ("dead_zero", "get cosine 0", {"dead": 0.0}),
    ("dead_flipped", "mask is the wrong way round", {"dead": "flipped"}),
    ("max_over_features", "maximum is taken over the features", {"maximum": 2}),
    ("smallest_cost", "maximize=True is missing", {"assign": "cost"}),
    ("first_instance", "instance 0's pairing", {"assign": "first"}),
    ("maximum_again", "the maximum again", {"assign": "max"}),
    ("unpaired_zero", "is left at 0", {"assign": "zero"}),
]:
    add(matching, message, name, match(**slip))


@matching.wrong("order of the latents")
def latents_order(W_dec, features, live):
    right = match()(W_dec, features, live)
    rows = [c[linear_sum_assignment(c, maximize=True)] for c in right.cosine]
    return right._replace(assigned_cosine=torch.stack(rows))


@matching.wrong("changed its input W_dec")
def normalises_in_place(W_dec, features, live):
    W_dec /= W_dec.norm(dim=-1, keepdim=True)
    return match()(W_dec, features, live)


scoring = Bank(evaluation.score)


@scoring.right
def score(h, out):
    fires = out.latents > 0
    error = (h - out.reconstruction).pow(2).sum(dim=(0, 2))
    variance = (h - h.mean(dim=0)).pow(2).sum(dim=(0, 2))
    present = h.norm(dim=-1) > 0
    shrinkage = (out.reconstruction.norm(dim=-1) * present).sum(dim=0) / h.norm(dim=-1).sum(dim=0)
    return evaluation.Score(
        fires.any(dim=0), fires.float().sum(dim=-1).mean(dim=0), error / variance, shrinkage
    )


@scoring.right
def by_variance(h, out):
    fires = out.pre_activations > 0
    fvu = (h - out.reconstruction).square().mean(0).sum(-1) / h.var(dim=0, unbiased=False).sum(-1)
    seen = torch.where((h != 0).any(-1), out.reconstruction.norm(dim=-1), 0.0).mean(0)
    l0 = fires.sum((0, 2)) / len(h)
    return evaluation.Score(out.latents.amax(0) > 0, l0, fvu, seen / h.norm(dim=-1).mean(0))


def scored(**fields):
    """The right score, with other fields."""
    return lambda h, out: score(h, out)._replace(**{key: make(h, out) for key, make in fields.items()})


def spread(h):
    return (h - h.mean(0)).pow(2)


def missed(h, out):
    return (h - out.reconstruction).pow(2)


def both_norms(h, out):
    return h.norm(dim=-1), out.reconstruction.norm(dim=-1) * (h.norm(dim=-1) > 0)


def fvu_about(mean):
    return scored(fvu=lambda h, out: missed(h, out).sum((0, 2)) / (h - mean(h)).pow(2).sum((0, 2)))


for name, message, variant in [
    (
        "at_least_zero",
        ">= 0",
        scored(
            live=lambda h, out: (out.latents >= 0).any(0),
            l0=lambda h, out: (out.latents >= 0).sum(-1).float().mean(0),
        ),
    ),
    ("live_always", r"every sample \(all\)", scored(live=lambda h, out: (out.latents > 0).all(0))),
    ("live_first", "first sample only", scored(live=lambda h, out: (out.latents > 0)[0])),
    ("live_axis", "live is taken over the wrong axis", scored(live=lambda h, out: (out.latents > 0).any(2))),
    (
        "l0_mean",
        "averaged over the latents",
        scored(l0=lambda h, out: (out.latents > 0).float().mean((0, 2))),
    ),
    (
        "l0_sum",
        "L0 is summed over the batch",
        scored(l0=lambda h, out: (out.latents > 0).float().sum((0, 2))),
    ),
    ("l1", "this is L1", scored(l0=lambda h, out: out.latents.sum(2).mean(0))),
    (
        "l0_live",
        "live latents over the whole batch",
        scored(l0=lambda h, out: (out.latents > 0).any(0).sum(-1).float()),
    ),
    ("about_zero", "about zero", fvu_about(lambda h: 0 * h)),
    ("mixed_instances", "mixes the instances", fvu_about(lambda h: h.mean((0, 1), keepdim=True))),
    ("one_mean", "single number", fvu_about(lambda h: h.mean())),
    ("mean_over_d_in", "runs over d_in too", fvu_about(lambda h: h.mean((0, 2), keepdim=True))),
    (
        "mean_of_ratios",
        "each sample's ratio",
        scored(fvu=lambda h, out: (missed(h, out).sum(2) / spread(h).sum(2)).mean(0)),
    ),
    (
        "fvu_flipped",
        "FVU's ratio is upside",
        scored(fvu=lambda h, out: spread(h).sum((0, 2)) / missed(h, out).sum((0, 2))),
    ),
    (
        "explained",
        "variance explained",
        scored(fvu=lambda h, out: 1 - missed(h, out).sum((0, 2)) / spread(h).sum((0, 2))),
    ),
    (
        "fvu_norms",
        "FVU sums norms",
        scored(fvu=lambda h, out: missed(h, out).sum(2).sqrt().sum(0) / spread(h).sum(2).sqrt().sum(0)),
    ),
    (
        "shrinkage_all",
        "counts samples with h = 0",
        scored(shrinkage=lambda h, out: out.reconstruction.norm(dim=2).sum(0) / h.norm(dim=2).sum(0)),
    ),
    (
        "shrinkage_squares",
        "shrinkage sums squared",
        scored(
            shrinkage=lambda h, out: (
                both_norms(h, out)[1].square().sum(0) / both_norms(h, out)[0].square().sum(0)
            )
        ),
    ),
    (
        "shrinkage_flipped",
        "shrinkage is upside",
        scored(shrinkage=lambda h, out: both_norms(h, out)[0].sum(0) / both_norms(h, out)[1].sum(0)),
    ),
    (
        "shrinkage_ratios",
        "shrinkage averages each",
        scored(
            shrinkage=lambda h, out: (
                (both_norms(h, out)[1] / both_norms(h, out)[0]).nan_to_num().sum(0)
                / (both_norms(h, out)[0] > 0).sum(0)
            )
        ),
    ),
    (
        "nan_ratio",
        "NaN",
        scored(shrinkage=lambda h, out: (out.reconstruction.norm(dim=2) * 0 / (h.norm(dim=2) * 0)).mean(0)),
    ),
]:
    add(scoring, message, name, variant)

replacing = Bank(revival.replace_latents)


def replace(
    length="right",
    where="dead",
    decoder="copy",
    bias="reset",
    moments="right",
    transpose=True,
    step=False,
    b_dec=False,
):
    """A right replace_latents, with one slip."""

    @torch.no_grad()
    def replace_latents(sae, optimiser, dead, directions, scale):
        mask = torch.ones_like(dead) if where == "all" else ~dead if where == "flipped" else dead
        norms = sae.W_enc.norm(dim=1)
        for i in range(len(dead)):
            live = norms[i][~dead[i]]
            mean = live.mean() if len(live) or length == "nan" else 1.0
            size = {
                "no scale": mean,
                "scale only": scale,
                "one": 1.0,
                "all": scale * norms[i].mean(),
                "instances": scale * norms[~dead].mean(),
                "dead": scale * norms[i][dead[i]].mean(),
                "axis": scale * sae.W_enc[i].norm(dim=1).mean(),
            }.get(length, scale * mean)
            if decoder == "copy":
                sae.W_dec[i, mask[i]] = directions[i, mask[i]]
            elif decoder == "scaled":
                sae.W_dec[i, mask[i]] = scale * directions[i, mask[i]]
            new = directions[i].T if transpose else directions[i].reshape(directions[i].T.shape)
            if length != "none":
                sae.W_enc[i][:, mask[i]] = (size * new)[:, mask[i]]
            if bias == "reset":
                sae.b_enc[i, mask[i]] = 0
        if bias == "all":
            sae.b_enc.zero_()
        if b_dec:
            sae.b_dec.zero_()
        for parameter, hit in ((sae.W_dec, dead[..., None]), (sae.W_enc, dead[:, None]), (sae.b_enc, dead)):
            state = optimiser.state[parameter]
            for key in ("exp_avg", "exp_avg_sq"):
                if moments == "careless" or key in state:
                    if moments == "all":
                        state[key].zero_()
                    elif moments not in ("kept", f"{key} kept"):
                        state[key].masked_fill_(hit, 0)
            if step and "step" in state:
                state["step"].zero_()
        if moments == "cleared":
            optimiser.state.clear()

    return replace_latents


replacing.right(replace())


@replacing.right
@torch.no_grad()
def with_where(sae, optimiser, dead, directions, scale):
    directions = F.normalize(directions, dim=-1)
    norms = sae.W_enc.norm(dim=1)
    mean = torch.where(dead, torch.nan, norms).nanmean(dim=-1, keepdim=True).nan_to_num(nan=1.0)
    W_enc = (scale * mean[..., None] * directions).transpose(1, 2)
    sae.W_dec.data = torch.where(dead[..., None], directions, sae.W_dec)
    sae.W_enc.copy_(torch.where(dead[:, None, :], W_enc, sae.W_enc))
    sae.b_enc.masked_fill_(dead, 0)
    for parameter, mask in {sae.W_dec: dead[..., None], sae.W_enc: dead[:, None, :], sae.b_enc: dead}.items():
        for moment in ("exp_avg", "exp_avg_sq"):
            if moment in optimiser.state[parameter]:
                optimiser.state[parameter][moment] *= ~mask


for name, message, slip in [
    ("scale_ignored", "`scale` is not used", {"length": "no scale"}),
    ("scale_alone", "has length `scale`", {"length": "scale only"}),
    ("length_one", "left at length 1", {"length": "one"}),
    ("mean_over_all", "over all latents, the dead too", {"length": "all"}),
    ("mean_over_instances", "over all instances", {"length": "instances"}),
    ("mean_over_dead", "over the dead latents", {"length": "dead"}),
    ("norm_axis", "norms are taken along the wrong axis", {"length": "axis"}),
    ("nan_without_live", "latents are all dead", {"length": "nan"}),
    ("encoder_kept", "encoder is not replaced", {"length": "none"}),
    ("decoder_kept", "decoder is not replaced", {"decoder": "none"}),
    ("decoder_scaled", "decoder's vector has length 1", {"decoder": "scaled"}),
    ("live_too", "live latents' decoders", {"where": "all"}),
    ("flipped", "mask is the wrong way round", {"where": "flipped"}),
    ("reshaped", "with transpose, not", {"transpose": False}),
    ("bias_kept", "bias is not set to 0", {"bias": "none"}),
    ("all_biases", "set to 0 for live latents too", {"bias": "all"}),
    ("b_dec_reset", "b_dec belongs to no latent", {"b_dec": True}),
    ("moments_kept", "memory is not erased", {"moments": "kept"}),
    ("first_moment_kept", "memory is not erased: exp_avg of", {"moments": "exp_avg kept"}),
    ("second_moment_kept", "memory is not erased: exp_avg_sq", {"moments": "exp_avg_sq kept"}),
    ("all_moments", "is erased; live latents", {"moments": "all"}),
    ("state_cleared", "whole state was thrown away", {"moments": "cleared"}),
    ("no_state_yet", "before its first step", {"moments": "careless"}),
    ("step_reset", "step count", {"step": True}),
]:
    add(replacing, message, name, replace(**slip))


@replacing.wrong("another object now")
def rebinds(sae, optimiser, dead, directions, scale):
    replace()(sae, optimiser, dead, directions, scale)
    sae.W_dec = torch.nn.Parameter(sae.W_dec.detach().clone())


@replacing.wrong("in-place operation")
def with_gradients(sae, optimiser, dead, directions, scale):
    sae.W_dec[dead] = directions[dead]


@replacing.wrong("no trainable parameter")
def freezes(sae, optimiser, dead, directions, scale):
    replace()(sae, optimiser, dead, directions, scale)
    sae.W_dec.requires_grad_(False)


drawing = Bank(revival.directions_by_loss)


def draws(
    power=2,
    of="h",
    centre=True,
    normalise=True,
    stream="own",
    how="each",
    zero=True,
    loss=None,
    instance="own",
):
    """A right directions_by_loss, with one slip."""

    @torch.no_grad()
    def directions_by_loss(sae, h, out, generator):
        error = (h - out.reconstruction).pow(2).sum(-1).T if loss is None else loss(h, out)
        weight = error.pow(power) if power >= 0 else (error + 0.1).pow(power)
        if zero:
            weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, 1.0)
        if how == "first loss":
            weight = weight[:1].expand_as(weight)
        if stream == "reseeded":
            generator = torch.Generator(h.device).manual_seed(3)
        n = 1 if how == "one" else sae.b_enc.shape[1]
        use = None if stream == "global" else generator
        drawn = torch.multinomial(weight / weight.sum(1, keepdim=True), n, replacement=True, generator=use)
        if how == "worst":
            drawn = weight.argmax(1, keepdim=True)
        drawn = drawn.expand(len(weight), sae.b_enc.shape[1])
        rows = torch.arange(h.shape[1], device=h.device)[:, None]
        if instance == "rolled":
            rows = rows.roll(1, 0)
        found = {"h": h, "rec": out.reconstruction, "error": h - out.reconstruction + sae.b_dec}[of][
            drawn, rows
        ]
        found = found - sae.b_dec[:, None] if centre else found
        return F.normalize(found, dim=-1) if normalise else found

    return directions_by_loss


drawing.right(draws())
mean_loss = draws(loss=lambda h, out: (h - out.reconstruction).square().mean(-1).T)
mean_loss.__name__ = "mean_over_d_in"
drawing.right(mean_loss)


@drawing.right
def by_cumulative_sums(sae, h, out, generator):
    weight = ((h - out.reconstruction) ** 2).sum(-1) ** 2 + 1e-20
    edges = (weight / weight.sum(0)).cumsum(0).T.contiguous().detach()
    u = torch.rand(sae.b_enc.shape, generator=generator, device=h.device)
    index = torch.searchsorted(edges, u).clamp(max=len(h) - 1)
    rows = [h[index[i], i] - sae.b_dec[i] for i in range(h.shape[1])]
    return torch.stack([row / row.norm(dim=-1, keepdim=True) for row in rows])


for name, message, slip in [
    ("by_loss", "proportional to the loss; it", {"power": 1}),
    ("by_distance", "root of the loss", {"power": 0.5}),
    ("squared_again", "squared once too often", {"power": 4}),
    ("uniform", "every sample is equally likely; the", {"power": 0}),
    ("good_ones", "small loss are preferred", {"power": -2}),
    ("one_for_all", "gets the same sample", {"how": "one"}),
    ("worst", "gets the same sample", {"how": "worst"}),
    ("first_loss", "losses of instance 0", {"how": "first loss"}),
    (
        "mixed_loss",
        "losses are mixed",
        {"loss": lambda h, out: (h - out.reconstruction).pow(2).sum((1, 2)).expand(h.shape[1], -1)},
    ),
    ("other_instance", "samples of other instances", {"instance": "rolled"}),
    ("long", "directions are not normalised", {"normalise": False}),
    ("from_origin", "measured from the origin", {"centre": False}),
    ("raw", "neither centred", {"centre": False, "normalise": False}),
    ("of_reconstruction", "directions of reconstructions", {"of": "rec"}),
    ("of_error", "directions of the error", {"of": "error"}),
    ("global_stream", "generator=generator is missing", {"stream": "global"}),
    ("reseeded", "generator=generator is missing", {"stream": "reseeded"}),
    ("without_loss", "instance without any loss|no loss at all", {"zero": False}),
]:
    add(drawing, message, name, draws(**slip))

auxiliary = Bank(revival.auxiliary_loss)


@auxiliary.right
def auxiliary_loss(sae, h, out, dead):
    residual = (h - out.reconstruction).detach()
    candidates = out.pre_activations.masked_fill(~dead, -torch.inf)
    strongest = F.one_hot(candidates.argmax(dim=-1), candidates.shape[-1]).bool() & dead
    activations = torch.where(strongest, out.pre_activations, 0.0)
    explained = torch.einsum("bik,ikd->bid", activations, F.normalize(sae.W_dec, dim=-1))
    error = (residual - explained).pow(2).mean(dim=-1).mean(dim=0)
    return torch.where(dead.any(dim=-1), error, 0.0)


@auxiliary.right
def by_instances(sae, h, out, dead):
    losses = []
    for i in range(h.shape[1]):
        if not dead[i].any():
            losses.append(torch.zeros((), device=h.device))
            continue
        best, which = out.pre_activations[:, i, dead[i]].max(dim=-1)
        vectors = F.normalize(sae.W_dec[i, dead[i]], dim=-1)[which]
        left = h[:, i] - out.reconstruction[:, i].detach()
        losses.append(F.mse_loss(best[:, None] * vectors, left))
    return torch.stack(losses)


def aux(
    detach=True, relu=False, live=False, every=False, batch=False, absolute=False, raw=False, bias=False,
    frozen=False, target="residual", reduce="mean", empty=True, spoil=False,
):  # fmt: skip
    """A right auxiliary_loss, with one slip."""

    def auxiliary_loss(sae, h, out, dead):
        residual = {"residual": h - out.reconstruction, "h": h, "sign": out.reconstruction - h}[target]
        residual = residual.detach() if detach else residual
        pre = out.latents if relu else out.pre_activations
        pre = pre.detach() if frozen else pre
        if spoil:
            with torch.no_grad():
                out.pre_activations[:, ~dead] = -100.0
        rank = pre.abs() if absolute else pre
        rank = rank if live else rank.masked_fill(~dead, -torch.inf)
        index = rank.sum(0, keepdim=True).expand_as(rank).argmax(-1) if batch else rank.argmax(-1)
        mask = F.one_hot(index, pre.shape[-1]).bool()
        mask = mask if live else mask & dead
        mask = dead.expand_as(mask) if every else mask
        W_dec = sae.W_dec if raw else F.normalize(sae.W_dec, dim=-1)
        explained = torch.einsum("bik,ikd->bid", pre * mask, W_dec)
        explained = explained + sae.b_dec if bias else explained
        error = (residual - explained).pow(2)
        error = {"mean": error.mean((0, 2)), "d_in": error.sum(2).mean(0), "batch": error.mean(2).sum(0)}[
            reduce
        ]
        return error * dead.any(-1) if empty else error

    return auxiliary_loss


for name, message, slip in [
    ("attached", "residual is not detached", {"detach": False}),
    ("after_relu", "after the ReLU", {"relu": True}),
    ("live_too", "live latents take part", {"live": True}),
    ("all_dead", "all dead latents take part", {"every": True}),
    ("one_for_batch", "for the whole batch", {"batch": True}),
    ("absolute", "largest absolute value", {"absolute": True}),
    ("raw_decoder", "W_dec without normalising", {"raw": True}),
    ("with_bias", "b_dec is added", {"bias": True}),
    ("frozen_encoder", "pre-activations are detached", {"frozen": True}),
    ("target_h", "target is h", {"target": "h"}),
    ("sign", "residual's sign", {"target": "sign"}),
    ("summed_d_in", "summed over d_in", {"reduce": "d_in"}),
    ("summed_batch", "summed over the batch", {"reduce": "batch"}),
    ("none_dead", "instance without dead latents has a loss", {"empty": False}),
    ("spoils", "changed out.pre_activations", {"spoil": True}),
]:
    add(auxiliary, message, name, aux(**slip))


@auxiliary.wrong("cut off")
def detached(sae, h, out, dead):
    return auxiliary_loss(sae, h, out, dead).detach()
