"""Bank for 2a.1 l1_penalty."""

import torch
from bank import Bank

from sae_course.checks.ch02a import penalty

bank = Bank(penalty.l1_penalty)


@bank.right
def by_norms(latents, W_dec):
    return (latents * W_dec.norm(dim=-1)[:, None]).sum(-1).mean(-1)


@bank.right
def by_product(latents, W_dec):
    lengths = torch.linalg.vector_norm(W_dec, dim=2, keepdim=True)
    return (latents @ lengths).squeeze(-1).mean(dim=1)


@bank.right
def mean_first(latents, W_dec):
    return torch.einsum("ik,ik->i", latents.mean(1), W_dec.square().sum(2).sqrt())


@bank.right
def one_by_one(latents, W_dec):
    total = torch.zeros(len(latents), device=latents.device)
    for i in range(len(latents)):
        for k in range(W_dec.shape[1]):
            total[i] += latents[i, :, k].abs().mean() * W_dec[i, k].norm()
    return total


@bank.right
def in_float64(latents, W_dec):
    return (latents.double() * W_dec.double().norm(dim=-1)[:, None]).sum(-1).mean(-1).to(latents)


def weighed(latents, weights):
    return (latents * weights[:, None]).sum(-1).mean(-1)


def in_place(latents, W_dec):
    latents.data *= W_dec.norm(dim=-1)[:, None].data
    return latents.sum(-1).mean(-1)


for name, message, wrong in [
    ("no_lengths", "lengths are missing", lambda a, W: a.sum(-1).mean(-1)),
    ("unit_lengths", "lengths are missing", lambda a, W: weighed(a, torch.ones_like(W[..., 0]))),
    ("mean_over_latents", "averaged over the latents", lambda a, W: weighed(a, W.norm(dim=-1)) / a.shape[-1]),
    ("mean_of_all", "averaged over the latents", lambda a, W: (a * W.norm(dim=-1)[:, None]).mean((1, 2))),
    ("sum_over_batch", "summed over the batch", lambda a, W: (a * W.norm(dim=-1)[:, None]).sum((1, 2))),
    ("no_mean", "too many|missing", lambda a, W: (a * W.norm(dim=-1)[:, None]).sum(-1)),
    ("mean_of_instances", "instances were averaged", lambda a, W: weighed(a, W.norm(dim=-1)).mean()),
    ("sum_of_instances", "instances were added up", lambda a, W: weighed(a, W.norm(dim=-1)).sum()),
    ("along_d_sae", "along d_sae", lambda a, W: weighed(a, W.norm(dim=1))),
    ("over_instances", "dtype|raised|shape", lambda a, W: weighed(a, W.norm(dim=0))),
    ("whole_matrix", "instance's whole decoder", lambda a, W: a.sum(-1).mean(-1) * W.norm(dim=(1, 2))),
    ("whole_tensor", "all decoders together", lambda a, W: a.sum(-1).mean(-1) * W.norm()),
    ("mean_length", "the mean length", lambda a, W: a.sum(-1).mean(-1) * W.norm(dim=-1).mean(-1)),
    ("squared", "square root is missing", lambda a, W: weighed(a, W.pow(2).sum(-1))),
    ("absolute", "absolute entries", lambda a, W: weighed(a, W.norm(p=1, dim=-1))),
    ("rms", r"root of the \*mean\* square", lambda a, W: weighed(a, W.pow(2).mean(-1).sqrt())),
    ("divided", "divided by the lengths", lambda a, W: (a / W.norm(dim=-1)[:, None]).sum(-1).mean(-1)),
    ("of_the_sum", "contributions added up", lambda a, W: (a @ W).norm(dim=-1).mean(-1)),
    ("squared_latents", "activations are squared", lambda a, W: weighed(a.pow(2), W.norm(dim=-1))),
    ("counted", "latents that fire are counted", lambda a, W: weighed((a > 0).float(), W.norm(dim=-1))),
    ("detached_lengths", "does not feel", lambda a, W: weighed(a, W.detach().norm(dim=-1))),
    ("lengths_by_data", "does not feel", lambda a, W: weighed(a, W.data.norm(dim=-1))),
    (
        "detached_latents",
        "no gradient flows back to latents",
        lambda a, W: weighed(a.detach(), W.norm(dim=-1)),
    ),
    ("detached", "no gradient can flow", lambda a, W: weighed(a, W.norm(dim=-1)).detach()),
    ("number", "Python float|a number|float", lambda a, W: weighed(a, W.norm(dim=-1)).sum().tolist()),
    ("in_place", "changed its input latents", in_place),
    ("negative", "sign", lambda a, W: -weighed(a, W.norm(dim=-1))),
    ("broadcast", "raised|shape", lambda a, W: (a * W.norm(dim=-1)).sum(-1).mean(-1)),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
