"""Bank for 8.2 kl_recovered."""

import numpy as np
import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch08.divergence import kl_recovered

kls = Bank(kl_recovered)


def log_chances(*logits):
    return [one.log_softmax(-1) for one in logits]


def kl(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def right(clean, with_sae, ablated):
    log_p, log_q, log_r = log_chances(clean, with_sae, ablated)
    return float(1 - kl(log_p, log_q).mean() / kl(log_p, log_r).mean())


@kls.right
def as_in_the_chapter(clean, with_sae, ablated):
    return right(clean, with_sae, ablated)


@kls.right
def with_kl_div(clean, with_sae, ablated):
    p = clean.softmax(dim=-1)
    to_sae = F.kl_div(F.log_softmax(with_sae, dim=-1), p, reduction="batchmean")
    return 1 - to_sae / F.kl_div(F.log_softmax(ablated, dim=-1), p, reduction="batchmean")


@kls.right
def with_log_targets(clean, with_sae, ablated):
    log_p, log_q, log_r = log_chances(clean.double(), with_sae.double(), ablated.double())
    lost = F.kl_div(log_q, log_p, log_target=True, reduction="none").sum()
    return 1 - (lost / F.kl_div(log_r, log_p, log_target=True, reduction="none").sum()).item()


@kls.right
def by_cross_entropies(clean, with_sae, ablated):
    own, sae, gone = (F.cross_entropy(one, clean.softmax(-1)) for one in (clean, with_sae, ablated))
    return (gone - sae) / (gone - own)


@kls.right
def by_softmax_and_log(clean, with_sae, ablated):
    p, q, r = (torch.softmax(one, 1) for one in (clean, with_sae, ablated))
    return 1.0 - torch.sum(p * torch.log2(p / q)) / torch.sum(p * torch.log2(p / r))


@kls.right
def with_distributions(clean, with_sae, ablated):
    p, q, r = (torch.distributions.Categorical(logits=one) for one in (clean, with_sae, ablated))
    divergence = torch.distributions.kl_divergence
    return 1 - divergence(p, q).mean() / divergence(p, r).mean()


@kls.right
def in_numpy(clean, with_sae, ablated):
    p, q, r = (np.exp(one.double().numpy()) for one in (clean, with_sae, ablated))
    p, q, r = (one / one.sum(axis=-1, keepdims=True) for one in (p, q, r))
    return 1 - np.sum(p * np.log(p / q)) / np.sum(p * np.log(p / r))


def apart(name, message, rule, other=None, dim=-1):
    """Something else than a KL of log-probabilities."""

    def variant(clean, with_sae, ablated):
        p, q, r = (one.log_softmax(dim) for one in (clean, with_sae, ablated))
        return 1 - rule(p, q).mean() / (other or rule)(p, r).mean()

    variant.__name__ = name
    kls.wrong(message)(variant)


def ratio(name, message, rule):
    """Another use of the two right KLs."""

    def variant(clean, with_sae, ablated):
        p, q, r = log_chances(clean, with_sae, ablated)
        return float(rule(kl(p, q), kl(p, r)))

    variant.__name__ = name
    kls.wrong(message)(variant)


def predicted(name, message, predict):
    """Something else for log-probabilities."""

    def variant(clean, with_sae, ablated):
        p, q, r = predict(clean), predict(with_sae), predict(ablated)
        return 1 - kl(p, q).mean() / kl(p, r).mean()

    variant.__name__ = name
    kls.wrong(message)(variant)


def backwards(p, q):
    return kl(q, p)


apart("reversed_kl", r"this is KL\(q‖p\)", backwards)
apart("kl_div_arguments", r"this is KL\(q‖p\)", lambda p, q: F.kl_div(p, q.exp(), reduction="sum"))
apart("weighted_by_the_other", r"this is KL\(q‖p\)", lambda p, q: (q.exp() * (p - q)).sum(-1))
apart("reversed_above", r"the wrong way round: KL\(p‖q\)", backwards, kl)
apart("reversed_below", r"the wrong way round: KL\(p‖r\)", kl, backwards)
apart("no_weights", "the weights p_v are missing", lambda p, q: (p - q).sum(-1))
apart("log_weights", "the weights are log-probabilities", lambda p, q: (p * (p - q)).sum(-1))
apart("cross_entropy", "this is of cross-entropies", lambda p, q: (p.exp() * q).sum(-1))
apart(
    "entropy_above",
    "the model's own entropy",
    lambda p, q: (p.exp() * p).sum(-1),
    lambda p, q: -(p.exp() * q).sum(-1),
)
apart(
    "chances", "this is of differences of probabilities", lambda p, q: (p.exp() * (p.exp() - q.exp())).sum(-1)
)
apart(
    "kl_div_of_chances",
    "F.kl_div takes log q first",
    lambda p, q: F.kl_div(q.exp(), p.exp(), reduction="batchmean"),
)
apart("no_logarithm", "p_v / q_v in the place", lambda p, q: (p.exp() * p.exp() / q.exp()).sum(-1))
apart("absolute", "the difference lost its sign", lambda p, q: (p.exp() * (p - q).abs()).sum(-1))
apart("squared", "the difference is squared", lambda p, q: (p.exp() * (p - q) ** 2).sum(-1))
apart(
    "total_variation",
    "how far the probabilities are apart",
    lambda p, q: (p.exp() - q.exp()).abs().sum(-1) / 2,
)
apart("squared_logs", "how far the logarithms are apart", F.mse_loss)
apart("over_tokens", "the softmax goes over the tokens", kl, dim=0)

predicted("logits_for_chances", "the logits were taken for log-prob", lambda logits: logits)
predicted("over_everything", "the softmax goes over all tokens", lambda x: x - x.flatten().logsumexp(0))
predicted("softmax_twice", "the softmax was taken twice", lambda x: F.log_softmax(F.softmax(x, -1), -1))
predicted("no_log", "taken for their logarithms", lambda x: x.softmax(-1))
predicted("log_of_logits", "a logarithm of something negative", lambda x: x.log())

ratio("mean_of_ratios", "each token's own ratio", lambda sae, gone: 1 - (sae / gone).mean())
ratio("medians", "the median over", lambda sae, gone: 1 - sae.median() / gone.median())
ratio("mean_over_sum", "averaged, the other one summed", lambda sae, gone: 1 - sae.mean() / gone.sum())
ratio("lost", "the 1 − is missing", lambda sae, gone: sae.sum() / gone.sum())
ratio("lost_less_one", "less 1: the wrong way", lambda sae, gone: (sae.mean() - gone.mean()) / gone.mean())
ratio("upside_down", "this is upside down", lambda sae, gone: 1 - gone.mean() / sae.mean())
ratio("difference", "this is the difference of the two", lambda sae, gone: gone.mean() - sae.mean())
ratio(
    "by_the_sum",
    "divided by the sum of both",
    lambda sae, gone: (gone - sae).sum() / (gone + sae).sum(),
)
ratio("one_kl", "this is the SAE's KL itself", lambda sae, gone: sae.mean())
ratio("percent", "in percent", lambda sae, gone: 100 - 100 * sae.mean() / gone.mean())
ratio("cut_off", "what is below 0 is cut off", lambda sae, gone: max(0, 1 - sae.mean() / gone.mean()))
ratio("squared_ratio", "expected", lambda sae, gone: 1 - (sae.mean() / gone.mean()) ** 2)


@kls.wrong("likeliest token is looked at")
def of_one_word(clean, with_sae, ablated):
    word = clean.argmax(-1)
    own, sae, gone = (F.cross_entropy(one, word) for one in (clean, with_sae, ablated))
    return 1 - (sae - own) / (gone - own)


@kls.wrong("from the SAE's prediction to the ablated one")
def from_the_sae(clean, with_sae, ablated):
    log_p, log_q, log_r = log_chances(clean, with_sae, ablated)
    return 1 - kl(log_p, log_q).mean() / kl(log_q, log_r).mean()


@kls.wrong("from the ablated prediction to the SAE's")
def from_the_ablation(clean, with_sae, ablated):
    log_p, log_q, log_r = log_chances(clean, with_sae, ablated)
    return 1 - kl(log_p, log_q).mean() / kl(log_r, log_q).mean()


@kls.wrong("differences of logits")
def logits_in_the_difference(clean, with_sae, ablated):
    p = clean.softmax(-1)
    lost, gone = ((p * (clean - other)).sum(-1).mean() for other in (with_sae, ablated))
    return 1 - lost / gone


@kls.wrong("log_target=True")
def kl_div_without_log_target(clean, with_sae, ablated):
    log_p, log_q, log_r = log_chances(clean, with_sae, ablated)
    return 1 - F.kl_div(log_q, log_p, reduction="sum") / F.kl_div(log_r, log_p, reduction="sum")


@kls.wrong("this is upside down")
def changed_places(clean, with_sae, ablated):
    return right(clean, ablated, with_sae)


@kls.wrong(r"a tensor of shape \(7,\); expected a single number")
def each_token(clean, with_sae, ablated):
    log_p, log_q, log_r = log_chances(clean, with_sae, ablated)
    return 1 - kl(log_p, log_q) / kl(log_p, log_r)


@kls.wrong("the mean over tokens is missing")
def float_of_many(clean, with_sae, ablated):
    return float(each_token(clean, with_sae, ablated))


@kls.wrong("or keepdim=True")
def by_hand_without_keepdim(clean, with_sae, ablated):
    p = clean.exp() / clean.exp().sum(-1)
    return float((p * (p.log() - with_sae.log_softmax(-1))).sum())


@kls.wrong("changed its input clean")
def normalized_in_place(clean, with_sae, ablated):
    clean -= clean.logsumexp(-1, keepdim=True)
    return right(clean, with_sae, ablated)
