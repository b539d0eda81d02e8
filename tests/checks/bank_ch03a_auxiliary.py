"""Bank for 3a.7 auxiliary_loss."""

# ruff: noqa: PLR0912 - one function with a switch for each slip

import torch
from bank import Bank

from sae_course.checks.ch03a import auxiliary

bank = Bank(auxiliary.auxiliary_loss)


def loss(slip=""):
    """A right auxiliary loss, with one slip."""

    def auxiliary_loss(residual, pre_activations, decoder, dead):
        n, K = int(dead.sum()), residual.shape[-1] // 2
        if n == 0:
            return None if slip == "none" else residual.new_zeros(())
        if slip == "d_in":
            K = residual.shape[-1]
        may = {"living": ~dead, "everyone": torch.ones_like(dead)}.get(slip, dead)
        if slip == "masked with 0":
            candidates = pre_activations * may
        else:
            candidates = pre_activations.masked_fill(~may, -torch.inf)
        count = min(n, K)
        if slip == "living":
            count = min(K, int(may.sum()))
        if slip == "too many":
            count = K
        if slip == "all dead":
            count = n
        values, places = candidates.topk(count, dim=-1)
        if slip == "relu":
            values = values.relu()
        taking_part = torch.zeros_like(pre_activations).scatter(-1, places, values)
        if slip == "detached pre":
            taking_part = taking_part.detach()
        output = taking_part @ (decoder.detach() if slip == "detached decoder" else decoder)
        target = residual if slip == "not detached" else residual.detach()
        if slip == "added":
            target = -target
        if slip == "nothing":
            target = torch.zeros_like(target)
        square = (output - target).pow(2)
        if slip == "per token":
            return square.sum(-1)
        if slip == "l1":
            square = (output - target).abs()
        error = square.mean() if slip == "mean" else square.sum(-1).mean()
        error = square.sum() if slip == "sum" else error
        K = residual.shape[-1] // 2
        if slip == "living":
            n = int(may.sum())
        factor = {"no factor": 1.0, "no min": n / K, "upside down": min(K / n, 1.0)}.get(
            slip, min(n / K, 1.0)
        )
        return factor * error

    return auxiliary_loss


bank.right(loss())


@bank.right
def among_the_dead(residual, pre_activations, decoder, dead):
    if not dead.any():
        return torch.tensor(0.0)
    places = torch.where(dead)[0]
    most = min(residual.shape[1] // 2, len(places))
    strongest = pre_activations[:, places].topk(most)
    output = torch.einsum("bk,bkd->bd", strongest.values, decoder[places][strongest.indices])
    error = torch.nn.functional.mse_loss(output, residual.detach()) * residual.shape[1]
    return error * min(1, len(places) / (residual.shape[1] // 2))


@bank.right
def token_by_token(residual, pre_activations, decoder, dead):
    total = 0.0
    n, K = dead.sum().item(), residual.shape[1] // 2
    for target, row in zip(residual.data, pre_activations, strict=True):
        order = [j for j in row.argsort(descending=True).tolist() if dead[j]][:K]
        output = sum(row[j] * decoder[j] for j in order) if order else target
        total = total + ((output - target) ** 2).sum()
    return total / len(residual) * min(n / K, 1)


for name, message, slip in [
    ("not_detached", "is a target: detach it", "not detached"),
    ("with_relu", "negative pre-activations are lost", "relu"),
    ("masked_with_zero", "negative pre-activations are lost|-inf", "masked with 0"),
    ("the_living", "wrong way round", "living"),
    ("everyone", "all latents may take part", "everyone"),
    ("all_dead", "all dead latents take part", "all dead"),
    ("as_many_as_d_in", "d_in // 2", "d_in"),
    ("too_many", "takes living ones", "too many"),
    ("no_factor", "is missing: few dead", "no factor"),
    ("no_min", "grows above 1", "no min"),
    ("factor_upside_down", "upside down", "upside down"),
    ("averaged", "averaged over d_in", "mean"),
    ("summed", "summed over the batch", "sum"),
    ("added", "added, not subtracted", "added"),
    ("to_nothing", "compares with 0", "nothing"),
    ("detached_decoder", "no gradient flows back to decoder", "detached decoder"),
    ("detached_pre", "no gradient flows back to pre_activations", "detached pre"),
    ("one_each", "a single number is wanted|too many", "per token"),
    ("absolute", "gives", "l1"),
    ("none_dead_none", "returned nothing \\(None\\): 0 is wanted", "none"),
]:
    variant = loss(slip)
    variant.__name__ = name
    bank.wrong(message)(variant)


@bank.wrong("has its own places")
def misplaced(residual, pre_activations, decoder, dead):
    n, K = dead.sum().item(), residual.shape[1] // 2
    if n == 0:
        return 0
    values, places = pre_activations[:, dead].topk(min(n, K))
    rows = torch.stack([decoder[p] for p in places])
    output = (values[..., None] * rows).sum(1)
    return (output - residual.detach()).pow(2).sum(-1).mean() * min(1, n / K)


@bank.wrong("NaN|raised|no dead latent")
def none_dead_nan(residual, pre_activations, decoder, dead):
    if not dead.any():
        return torch.zeros(0).mean()
    return loss()(residual, pre_activations, decoder, dead)
