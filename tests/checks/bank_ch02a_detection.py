"""Bank for 2a.10 detector_f1."""

import torch
from bank import Bank
from scipy.optimize import linear_sum_assignment

from sae_course.checks.ch02a import detection

bank = Bank(detection.detector_f1)


def presence(present, nearest):
    return present.gather(2, nearest[:, None].expand(-1, present.shape[1], -1))


@bank.right
def by_clamps(fires, present, cosine):
    truth = presence(present, cosine.abs().argmax(-1))
    hits = (fires & truth).sum(1).float()
    precision = hits / fires.sum(1).clamp(min=1)
    recall = hits / truth.sum(1).clamp(min=1)
    return 2 * precision * recall / (precision + recall).clamp(min=1e-12)


@bank.right
def by_counts(fires, present, cosine):
    nearest = (cosine**2).max(dim=2).indices
    truth = torch.take_along_dim(present, nearest[:, None], dim=2)
    wrong = (fires != truth).sum(1)
    twice = 2 * (fires * truth).sum(1)
    return torch.where(twice > 0, twice / (twice + wrong), 0.0)


@bank.right
def by_products(fires, present, cosine):
    chosen = torch.nn.functional.one_hot(cosine.abs().argmax(-1), cosine.shape[-1]).float()
    truth = torch.einsum("ikf,ibf->ibk", chosen, present.float())
    hits = torch.einsum("ibk,ibk->ik", truth, fires.float())
    return (2 * hits / (fires.float().sum(1) + truth.sum(1))).nan_to_num(0)


@bank.right
def latent_by_latent(fires, present, cosine):
    scores = torch.zeros(cosine.shape[:2], dtype=torch.float64)
    for i in range(len(cosine)):
        for k in range(cosine.shape[1]):
            there = present[i, :, cosine[i, k].abs().argmax()]
            hits = (fires[i, :, k] & there).sum().item()
            if hits:
                precision, recall = hits / fires[i, :, k].sum().item(), hits / there.sum().item()
                scores[i, k] = 2 / (1 / precision + 1 / recall)
    return scores.to(cosine.device)


@bank.right
def with_epsilon(fires, present, cosine):
    truth = presence(present, cosine.abs().argmax(-1)).float()
    hits = (fires.float() * truth).sum(1)
    precision, recall = hits / (fires.sum(1) + 1e-8), hits / (truth.sum(1) + 1e-8)
    return 2 * precision * recall / (precision + recall + 1e-8)


def matched(choose):
    """F1 with another choice of each latent's feature."""

    def detector_f1(fires, present, cosine):
        truth = presence(present, choose(fires, present, cosine))
        hits = (fires & truth).sum(1)
        return 2 * hits / (fires.sum(1) + truth.sum(1)).clamp(min=1)

    return detector_f1


def joined(rule):
    """Another rule for precision and recall."""

    def detector_f1(fires, present, cosine):
        truth = presence(present, cosine.abs().argmax(-1))
        hits = (fires & truth).sum(1).float()
        return rule(hits / fires.sum(1).clamp(min=1), hits / truth.sum(1).clamp(min=1))

    return detector_f1


def counted(rule):
    """Another rule for hits, firings and presences, sample by sample."""

    def detector_f1(fires, present, cosine):
        truth = presence(present, cosine.abs().argmax(-1))
        return rule((fires & truth).float(), fires.float(), truth.float())

    return detector_f1


def unclamped(hits, fires, there):
    precision, recall = hits.sum(1) / fires.sum(1), hits.sum(1) / there.sum(1)
    return 2 * precision * recall / (precision + recall)


def micro(hits, fires, there):
    return 2 * hits.sum((1, 2)) / (fires.sum((1, 2)) + there.sum((1, 2)))


def instances_added(hits, fires, there):
    return (2 * hits.sum((0, 1)) / (fires.sum((0, 1)) + there.sum((0, 1))).clamp(min=1)).repeat(len(hits), 1)


def by_activity(fires, present, cosine):
    f, p = fires.float(), present.float()
    together = f.transpose(1, 2) @ p
    return (2 * together / (f.sum(1)[..., None] + p.sum(1)[:, None]).clamp(min=1)).argmax(-1)


def most_hits(fires, present, cosine):
    return (fires.float().transpose(1, 2) @ present.float()).argmax(-1)


def one_to_one(fires, present, cosine):
    """Pairs, as in MCC: latents that find no partner are given feature 0."""
    pairs = torch.zeros(cosine.shape[:2], dtype=torch.long)
    for i, values in enumerate(cosine.abs()):
        rows, columns = linear_sum_assignment(values, maximize=True)
        pairs[i, rows] = torch.as_tensor(columns)
    return pairs


def in_place(fires, present, cosine):
    cosine.abs_()
    return by_clamps(fires, present, cosine)


for name, message, wrong in [
    ("zero_by_zero", "0 / 0", counted(unclamped)),
    ("signed", "has its sign", matched(lambda f, p, c: c.argmax(-1))),
    ("furthest", "smallest cosine", matched(lambda f, p, c: c.abs().argmin(-1))),
    ("by_activity", "chosen by what it fires for", matched(by_activity)),
    ("most_hits", "most often present", matched(most_hits)),
    ("one_to_one", "gives", matched(one_to_one)),
    (
        "instance_0",
        "instance 0's features",
        matched(lambda f, p, c: c.abs().argmax(-1)[:1].repeat(len(c), 1)),
    ),
    ("wrong_axis", r"dim=-2\)", matched(lambda f, p, c: c.abs().argmax(-2))),
    ("in_order", "latent k is compared", matched(lambda f, p, c: torch.arange(c.shape[1]).repeat(len(c), 1))),
    ("precision", "precision alone", joined(lambda p, r: p)),
    ("recall", "recall alone", joined(lambda p, r: r)),
    ("mean", "arithmetic mean", joined(lambda p, r: (p + r) / 2)),
    ("geometric", "geometric mean", joined(lambda p, r: (p * r) ** 0.5)),
    ("smaller", "smaller of precision", joined(torch.minimum)),
    ("product", "division by their sum", joined(lambda p, r: 2 * p * r)),
    ("no_2", "factor 2 is missing", joined(lambda p, r: p * r / (p + r + 1e-12))),
    ("jaccard", "Jaccard", counted(lambda h, f, p: h.sum(1) / (f + p - h).sum(1).clamp(min=1))),
    ("accuracy", "accuracy", counted(lambda h, f, p: (f == p).float().mean(1))),
    ("micro", "from all latents' counts together", counted(micro)),
    ("macro", "mean over the latents", lambda *inputs: by_clamps(*inputs).mean(-1)),
    ("instances_added", "instances' counts are added up", counted(instances_added)),
    ("each_sample", "F1 of each sample", counted(lambda h, f, p: (2 * h / (f + p).clamp(min=1)).mean(1))),
    ("three", "a tuple of 3", joined(lambda p, r: (p, r, 2 * p * r / (p + r).clamp(min=1e-12)))),
    ("both", "a tuple of 2", joined(lambda p, r: (p, r))),
    ("number", "a Python float", lambda *inputs: by_clamps(*inputs).mean().item()),
    ("dead_is_1", "gives", lambda f, p, c: torch.where(f.any(1), by_clamps(f, p, c), 1.0)),
    ("per_feature", "raised|shape|gives", lambda f, p, c: by_clamps(p, f, c.transpose(1, 2))),
    ("in_place", "changed its input cosine", in_place),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
