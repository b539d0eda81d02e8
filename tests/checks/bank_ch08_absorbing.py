"""Bank for 8.5 absorbed."""

# ruff: noqa: PLR0917 - the exercise takes six arguments

import numpy as np
import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch08.absorbing import absorbed

absorptions = Bank(absorbed)


def along(W_dec, probe):
    return W_dec @ probe


def cosines(W_dec, probe):
    return F.normalize(W_dec, dim=-1) @ probe


def rule(silent, cosine, share, least_cosine, least_share):
    return silent & (cosine >= least_cosine) & (share >= least_share)


def is_silent(a, main):
    return (a[:, main] == 0).all(-1)


def positive_sum(contributions):
    return contributions.relu().sum(-1)


@absorptions.right
def as_in_the_chapter(a, W_dec, probe, main, least_cosine, least_share):
    silent = (a[:, main] == 0).all(-1)
    along = W_dec @ probe
    contributions = a * along
    largest = contributions.max(-1)
    cosine = (along / W_dec.norm(dim=-1))[largest.indices]
    share = largest.values / contributions.clamp(min=0).sum(-1)
    return silent & (cosine >= least_cosine) & (share >= least_share)


@absorptions.right
def multiplied_out_where_something_contributes(a, W_dec, probe, main, least_cosine, least_share):
    contributions = torch.einsum("nj,jd,d->nj", a, W_dec, probe)
    value, best = contributions.topk(1)
    total = torch.where(contributions > 0, contributions, 0.0).sum(1, keepdim=True)
    enough = (total > 0) & (value >= least_share * total)
    pointing = F.cosine_similarity(W_dec, probe[None], dim=1)[best] >= least_cosine
    return (enough & pointing).squeeze(1) & ~(a[:, main] > 0).any(1)


@absorptions.right
def without_the_main_latents(a, W_dec, probe, main, least_cosine, least_share):
    """Where they are silent, they contribute nothing."""
    others = torch.ones(len(W_dec), dtype=torch.bool)
    others[main] = False
    given = a[:, others] * (W_dec[others] @ probe)
    best = given.argmax(-1)
    share = given.amax(-1) / (given.relu().sum(-1) + 1e-9)
    silent = a.index_select(-1, main).sum(-1) == 0
    return rule(silent, cosines(W_dec[others], probe)[best], share, least_cosine, least_share)


@absorptions.right
def token_by_token(a, W_dec, probe, main, least_cosine, least_share):
    found = torch.zeros(len(a), dtype=torch.bool)
    for i, token in enumerate(a):
        given = token * (W_dec * probe).sum(-1)
        if token[main].any() or not (given > 0).any():
            continue
        best = W_dec[given.argmax()]
        share = given.max() / given[given > 0].sum()
        found[i] = bool(best @ probe / best.norm() >= least_cosine) and bool(share >= least_share)
    return found


@absorptions.right
def in_numpy(a, W_dec, probe, main, least_cosine, least_share):
    a, W_dec, probe, main = (np.asarray(one) for one in (a, W_dec, probe, main))
    given = a.astype(float) * (W_dec.astype(float) @ probe)
    best = given.argsort(axis=1)[:, -1]
    cosine = W_dec @ probe / np.linalg.norm(W_dec, axis=1)
    total = np.maximum(given, 0).sum(axis=1)
    share = np.divide(given.max(axis=1), total, out=np.zeros(len(a)), where=total > 0)
    silent = ~a[:, main].any(axis=1)
    return torch.from_numpy(silent & (cosine[best] >= least_cosine) & (share >= least_share))


@absorptions.right
def by_the_latent_that_is_largest(a, W_dec, probe, main, least_cosine, least_share):
    """A latent has such a share and is the largest."""
    given = (a * along(W_dec, probe)).double()
    is_best = F.one_hot(given.max(1).indices, len(W_dec)).bool()
    share = (given / positive_sum(given)[:, None]).nan_to_num(nan=-1.0)
    there = is_best & (share >= least_share) & (cosines(W_dec, probe) >= least_cosine)
    return torch.logical_and(there.any(1), a[:, main].eq(0).all(1))


def slip(name, message, change):
    """``change`` gives what is other than usual: silent, score, cosines, cosine, total or share."""

    def variant(a, W_dec, probe, main, least_cosine, least_share):
        given = a * along(W_dec, probe)
        usual = {"silent": is_silent(a, main), "given": given, "cosines": cosines(W_dec, probe)}
        usual |= {"least_cosine": least_cosine, "least_share": least_share}
        usual |= change(a=a, W_dec=W_dec, probe=probe, main=main, **usual)
        given = usual["given"]
        best = usual.get("score", given).argmax(-1)
        value = given.gather(-1, best[:, None]).squeeze(-1)
        share = usual.get("share", value / usual.get("total", positive_sum(given)))
        cosine = usual.get("cosine", usual["cosines"][best])
        return rule(usual["silent"], cosine, share, usual["least_cosine"], usual["least_share"])

    variant.__name__ = name
    absorptions.wrong(message)(variant)


# The main latents.

slip("silence_not_looked_at", "silent isn't looked at", lambda a, **_: {"silent": torch.ones(len(a)).bool()})
slip(
    "any_silent",
    "one silent main latent is enough",
    lambda a, main, **_: {"silent": (a[:, main] == 0).any(-1)},
)
slip("firing", "asks for main latents that fire", lambda silent, **_: {"silent": ~silent})
slip(
    "any_firing", "asks for main latents that fire", lambda a, main, **_: {"silent": (a[:, main] > 0).any(-1)}
)
slip("first_main", "only the first main latent", lambda a, main, **_: {"silent": a[:, main[0]] <= 0})
slip(
    "first_latents",
    "here the first latents are taken",
    lambda a, main, **_: {"silent": ~a[:, : len(main)].any(1)},
)
slip(
    "nearly_silent",
    "need only be small here",
    lambda a, main, **_: {"silent": a[:, main].amax(-1) < 0.1},
)
slip("mean_silent", "gives", lambda a, main, **_: {"silent": a[:, main].mean(-1) < 0.4})

# The cosine and the share.

slip("no_cosine", "the cosine isn't looked at", lambda a, **_: {"cosine": torch.ones(len(a))})
slip("no_share", "any share is enough here", lambda a, **_: {"share": torch.ones(len(a))})
slip(
    "silence_alone",
    "only the main latents' silence",
    lambda a, **_: {"cosine": torch.ones(len(a)), "share": torch.ones(len(a))},
)
slip("not_divided", r"d · p is no cosine", lambda W_dec, probe, **_: {"cosines": torch.mv(W_dec, probe)})
slip(
    "contribution_for_cosine",
    "the largest contribution is compared with `least_cosine`",
    lambda given, **_: {"cosine": given.max(1)[0]},
)
slip(
    "multiplied_by_length",
    "is multiplied by the decoder vector's length",
    lambda W_dec, probe, **_: {"cosines": W_dec.norm(dim=1) * (W_dec @ probe)},
)
slip(
    "cosine_in_the_contribution",
    "the contributions are a · cosine",
    lambda a, cosines, **_: {"given": a * cosines},
)
slip(
    "no_activation",
    "nothing is absorbed here",
    lambda a, W_dec, probe, **_: {"given": (W_dec @ probe).repeat(len(a), 1)},
)
slip(
    "firing_or_not",
    "only as firing or not",
    lambda a, W_dec, probe, **_: {"given": (a > 0).float() * (W_dec @ probe)},
)
slip("largest_activation", "with the largest activation", lambda a, **_: {"score": a})
slip(
    "largest_cosine",
    "with the largest cosine",
    lambda a, cosines, **_: {"score": torch.where(a > 0, cosines, 0.0)},
)
slip("largest_size", "largest without its sign", lambda given, **_: {"score": given.abs()})


@absorptions.wrong("counts the latents without the main ones")
def index_of_fewer(a, W_dec, probe, main, least_cosine, least_share):
    others = [j for j in range(a.shape[1]) if j not in main.tolist()]
    given = a[:, others] * along(W_dec, probe)[others]
    largest = given.max(-1)
    cosine = cosines(W_dec, probe)[largest.indices]
    share = largest.values / positive_sum(given)
    return rule(is_silent(a, main), cosine, share, least_cosine, least_share)


@absorptions.wrong("any latent with such a share")
def any_latent(a, W_dec, probe, main, least_cosine, least_share):
    given = a * along(W_dec, probe)
    share = given / positive_sum(given)[:, None]
    return is_silent(a, main) & rule(share > -1, cosines(W_dec, probe), share, least_cosine, least_share).any(
        1
    )


slip(
    "all_that_point",
    "are added up for the share",
    lambda given, cosines, least_cosine, **_: {
        "share": positive_sum(given[:, cosines >= least_cosine]) / positive_sum(given)
    },
)
slip("total_with_negative", "has the negative contributions", lambda given, **_: {"total": given.sum(1)})
slip("total_of_sizes", "has the absolute values", lambda given, **_: {"total": given.norm(p=1, dim=-1)})
slip(
    "total_of_the_others",
    "leaves the largest contribution itself out",
    lambda given, **_: {"total": positive_sum(given) - given.amax(1)},
)
slip("total_of_all_tokens", "nothing is absorbed here", lambda given, **_: {"total": given.relu().sum()})
slip("total_by_latent_mean", "any share is enough here", lambda given, **_: {"total": given.relu().mean(1)})
slip("no_total", "compared with `least_share`; divide", lambda given, **_: {"total": torch.ones(len(given))})
slip(
    "share_of_activations",
    "the share is one of activations",
    lambda a, given, **_: {"share": a[torch.arange(len(a)), given.argmax(1)] / a.sum(1)},
)
slip(
    "share_of_squares",
    "gives",
    lambda given, **_: {"share": given.amax(1) ** 2 / given.relu().square().sum(1)},
)

# The thresholds.

slip(
    "thresholds_changed_places",
    "the thresholds have changed places",
    lambda least_cosine, least_share, **_: {"least_cosine": least_share, "least_share": least_cosine},
)
slip(
    "above_the_cosine", "a cosine of exactly", lambda least_cosine, **_: {"least_cosine": least_cosine + 1e-6}
)
slip("above_the_share", "a share of exactly", lambda least_share, **_: {"least_share": least_share + 1e-6})
slip(
    "above_both",
    "cosine and share must both",
    lambda least_cosine, least_share, **_: {
        "least_cosine": least_cosine + 1e-6,
        "least_share": least_share + 1e-6,
    },
)


def parts(a, W_dec, probe, main):
    """The three things that are compared."""
    given = a * along(W_dec, probe)
    value, best = given.max(-1)
    return is_silent(a, main), cosines(W_dec, probe)[best], value / positive_sum(given)


@absorptions.wrong("one of cosine and share is enough")
def one_of_two(a, W_dec, probe, main, least_cosine, least_share):
    silent, cosine, share = parts(a, W_dec, probe, main)
    return silent & ((cosine >= least_cosine) | (share >= least_share))


@absorptions.wrong("one condition is enough")
def one_of_three(a, W_dec, probe, main, least_cosine, least_share):
    silent, cosine, share = parts(a, W_dec, probe, main)
    return silent | (cosine >= least_cosine) | (share >= least_share)


@absorptions.wrong("this is where it is not absorbed")
def turned_round(*given):
    return ~as_in_the_chapter(*given)


@absorptions.wrong("where nothing contributes, nothing stands in")
def zero_is_enough(a, W_dec, probe, main, least_cosine, least_share):
    given = a * along(W_dec, probe)
    largest = given.max(-1)
    pointing = cosines(W_dec, probe)[largest.indices] >= least_cosine
    return is_silent(a, main) & pointing & (largest.values >= least_share * positive_sum(given))


slip(
    "everything_where_nothing_contributes",
    "where nothing contributes, nothing stands in",
    lambda given, **_: {"share": (given.amax(1) / positive_sum(given)).nan_to_num(1.0)},
)
