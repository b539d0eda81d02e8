"""Bank for 2a.6 auxk_loss."""

# ruff: noqa: PLR0912 - one function with a switch for each slip

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch02a import auxiliary

bank = Bank(auxiliary.auxk_loss)


def loss(slip=""):
    """A right loss, with one slip."""

    def auxk_loss(residual, pre, dead, W_dec):
        n_inst, batch, d_in = residual.shape
        d_sae, most = pre.shape[-1], d_in // 2
        if slip == "tied":
            pre = residual @ W_dec.transpose(1, 2)
        if slip == "tied unit":
            pre = residual @ F.normalize(W_dec, dim=-1).transpose(1, 2)
        others = {"live": ~dead, "everyone": dead | ~dead, "all masks": dead.any(0).expand(n_inst, -1)}
        may = others.get(slip, dead)[:, None].expand_as(pre)
        hidden = pre.masked_fill(~may, -torch.inf)
        if slip == "by size":
            hidden = pre.abs().masked_fill(~may, -torch.inf)
        if slip == "smallest":
            hidden = (-pre).masked_fill(~may, -torch.inf)
        if slip == "hidden with 0":
            hidden = pre * may
        if slip == "topk first":
            hidden = pre
        wanted = {"d_in": d_in, "all dead": d_sae}.get(slip, most)
        if slip in ("whole batch", "few of batch"):
            flat = hidden.flatten(1)
            places = flat.topk(most * (batch if slip == "whole batch" else 1)).indices
            chosen = torch.zeros_like(flat).scatter(-1, places, 1.0).view_as(pre) * may
        else:
            places = hidden.topk(min(wanted, d_sae), dim=-1).indices
            chosen = torch.zeros_like(pre).scatter(-1, places, 1.0)
            chosen = chosen if slip == "hidden with 0" else chosen * may
        kept = (pre * may if slip == "hidden with 0" else pre) * chosen
        if slip == "topk first":
            kept = kept * dead[:, None]
        if slip == "relu":
            kept = kept.relu()
        if slip == "infinite":
            kept = torch.zeros_like(pre).scatter(-1, places, hidden.topk(most, dim=-1).values)
        if slip == "detached pre":
            kept = kept.detach()
        vectors = {
            "raw decoder": W_dec,
            "wrong axis": F.normalize(W_dec, dim=1),
            "detached length": W_dec / W_dec.detach().norm(dim=-1, keepdim=True),
            "detached decoder": F.normalize(W_dec, dim=-1).detach(),
        }.get(slip, F.normalize(W_dec, dim=-1))
        target = {"added": -residual, "nothing": 0 * residual}.get(slip, residual)
        square = (kept @ vectors - target) ** 2
        if slip == "norm":
            square = (kept @ vectors - target).norm(dim=-1, keepdim=True)
        error = square.mean((1, 2)) if slip == "mean" else square.sum(-1).mean(-1)
        error = square.sum((1, 2)) if slip == "sum" else error
        if slip == "per sample":
            return square.sum(-1)
        n_dead = dead.sum(-1)
        share = n_dead / most
        scale = {
            "no scale": torch.ones_like(share),
            "no clamp": share,
            "upside down": (most / n_dead).clamp(max=1).nan_to_num(posinf=0) * (n_dead > 0),
            "scale d_in": (n_dead / d_in).clamp(max=1),
            "scale d_sae": n_dead / d_sae,
            "scale of all": (dead.sum() / most).clamp(max=1),
            "whole numbers": (n_dead // most).clamp(max=1),
        }.get(slip, share.clamp(max=1))
        result = scale * error
        return {"instances": result.mean(), "detached": result.detach(), "added up": result.sum()}.get(
            slip, result
        )

    return auxk_loss


bank.right(loss())


@bank.right
def as_hinted(residual, pre, dead, W_dec):
    most = residual.shape[-1] // 2
    values, places = pre.masked_fill(~dead[:, None], -torch.inf).topk(most, dim=-1)
    values = torch.where(values > -torch.inf, values, 0)
    explained = torch.zeros_like(pre).scatter(-1, places, values) @ F.normalize(W_dec, dim=-1)
    return (dead.sum(-1) / most).clamp(max=1) * (explained - residual).pow(2).sum(-1).mean(-1)


@bank.right
def instance_by_instance(residual, pre, dead, W_dec):
    losses = []
    for i in range(len(residual)):
        n_dead, most = int(dead[i].sum()), residual.shape[2] // 2
        if n_dead == 0:
            losses.append(torch.zeros((), device=pre.device))
            continue
        own, vectors = pre[i][:, dead[i]], W_dec[i][dead[i]]
        best = own.topk(min(most, n_dead))
        kept = torch.zeros_like(own).scatter(1, best.indices, best.values)
        explained = kept @ (vectors / vectors.norm(dim=1, keepdim=True))
        losses.append(min(1, n_dead / most) * ((residual[i] - explained) ** 2).sum(1).mean())
    return torch.stack(losses)


@bank.right
def by_rank(residual, pre, dead, W_dec):
    most = residual.shape[-1] // 2
    with torch.no_grad():
        # Dead ones first, however small, then by size
        far = pre.abs().max() + 1
        order = (pre + 10 * far * dead[:, None]).argsort(-1, descending=True).argsort(-1)
        mask = (order < most) & dead[:, None]
    explained = torch.einsum("ibk,ikd->ibd", pre * mask, W_dec / W_dec.norm(dim=-1)[..., None])
    error = torch.nn.functional.mse_loss(explained, residual, reduction="none").sum(2).mean(1)
    return error * torch.minimum(dead.float().sum(1) / most, torch.ones(len(dead)))


@bank.right
def in_float64(residual, pre, dead, W_dec):
    return as_hinted(residual.double(), pre.double(), dead, W_dec.double()).to(pre)


def in_place(residual, pre, dead, W_dec):
    pre.data.masked_fill_(~dead[:, None], -torch.inf)
    return as_hinted(residual, pre, dead, W_dec)


for name, message, slip in [
    ("minus_infinity", "the -inf of hidden ones", "infinite"),
    ("the_live", "wrong way round", "live"),
    ("everyone", "all latents may take part", "everyone"),
    ("topk_first", "and then the dead among them", "topk first"),
    ("masks_mixed", "dead in one instance", "all masks"),
    ("with_relu", "negative pre-activations are lost", "relu"),
    ("hidden_with_zero", "negative pre-activations are lost|with -inf", "hidden with 0"),
    ("by_size", "by absolute value", "by size"),
    ("smallest", "the smallest take part", "smallest"),
    ("all_dead", "all dead latents take part", "all dead"),
    ("as_many_as_d_in", "d_in latents take part", "d_in"),
    ("k_per_batch", "on average", "whole batch"),
    ("few_of_batch", "only d_in // 2 take part in the whole", "few of batch"),
    ("tied", "and the decoder: encoder and decoder are not tied", "tied"),
    ("tied_unit", "and the unit decoder", "tied unit"),
    ("raw_decoder", "is not at unit length", "raw decoder"),
    ("wrong_axis", "normalised along d_sae", "wrong axis"),
    ("added", "residual is added", "added"),
    ("to_nothing", "compares with 0", "nothing"),
    ("no_scale", r"scale min\(1, .* is missing", "no scale"),
    ("no_clamp", "grows above 1", "no clamp"),
    ("upside_down", "upside down", "upside down"),
    ("scale_by_d_in", "n_dead / d_in;", "scale d_in"),
    ("scale_by_d_sae", "share of dead latents", "scale d_sae"),
    ("scale_of_all", "all instances together", "scale of all"),
    ("scale_in_whole_numbers", "gives", "whole numbers"),
    ("averaged", "averaged over d_in", "mean"),
    ("summed", "summed over the batch", "sum"),
    ("instances_averaged", "instances were averaged", "instances"),
    ("instances_added", "shape", "added up"),
    ("detached_length", "lengths are detached", "detached length"),
    ("detached_decoder", "no gradient flows back to W_dec", "detached decoder"),
    ("no_straight_through", "no gradient flows back to pre", "detached pre"),
    ("detached", "no gradient can flow", "detached"),
    ("per_sample", "too many", "per sample"),
    ("not_squared", "gives", "norm"),
]:
    variant = loss(slip)
    variant.__name__ = name
    bank.wrong(message)(variant)
bank.wrong("changed its input pre")(in_place)


@bank.wrong("gives")
def explains_something_with_nobody_dead(residual, pre, dead, W_dec):
    right = as_hinted(residual, pre, dead, W_dec)
    return torch.where(dead.any(-1), right, residual.pow(2).sum(-1).mean(-1))
