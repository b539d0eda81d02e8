"""Bank for 6.6 reconstruct."""

import torch
from bank import Bank

from sae_course.checks import ch06 as check

saying = Bank(check.reconstruct)


def counted(fires, truth):
    """Hits ``[latent property]`` and how often each latent fired ``[latent 1]``."""
    return fires.float().T @ truth.float(), fires.float().sum(dim=0)[:, None]


def spoken(fires, truth, precise, right):
    hits, fired = counted(fires, truth)
    return (hits >= right) & (hits >= precise * fired)


def voices(other_fires, speaks):
    return other_fires.float() @ speaks.float()


@saying.right
def as_in_the_chapter(fires, truth, other_fires, precise, right):
    hits = fires.float().T @ truth.float()
    fired = fires.float().sum(dim=0)
    speaks = (hits >= right) & (hits >= precise * fired[:, None])
    return other_fires.float() @ speaks.float() > 0


@saying.right
def nan_for_silent_latents(fires, truth, other_fires, precise, right):
    hits, fired = counted(fires, truth)
    speaks = (hits / fired >= precise) * (hits >= right)
    return torch.einsum("ml,lp->mp", other_fires.double(), speaks.double()).bool()


@saying.right
def booleans_only(fires, truth, other_fires, precise, right):
    both = fires[:, :, None] & truth[:, None, :]
    hits, fired = both.sum(0), fires.sum(0).unsqueeze(1).clamp(min=1)
    speaks = torch.logical_and(hits / fired >= precise, hits >= right)
    return (other_fires.unsqueeze(2) & speaks.unsqueeze(0)).any(dim=1)


@saying.right
def loop_over_latents(fires, truth, other_fires, precise, right):
    said = torch.zeros(len(other_fires), truth.shape[1], dtype=torch.bool)
    for i in range(fires.shape[1]):
        there = truth[fires[:, i]].float()
        if len(there):
            speaks = (there.sum(0) >= right) & (there.mean(0) >= precise)
            said |= other_fires[:, i, None] & speaks
    return said


@saying.right
def few_enough_errors(fires, truth, other_fires, precise, right):
    hits, fired = fires.int().T @ truth.int(), fires.int().sum(0)
    wrong = fired[:, None] - hits
    too_often = wrong > (1 - precise) * fired[:, None]
    silent = hits < right
    return (other_fires.int() @ (~(too_often | silent)).int()).clamp(max=1) == 1


@saying.right
def shares_of_tokens(fires, truth, other_fires, precise, right):
    together = fires.float().T @ truth.float() / len(fires)
    precision = together / fires.float().mean(0)[:, None]
    speaks = (precision >= precise) & ((together * len(fires)).round() >= right)
    return other_fires.to(torch.float64) @ speaks.to(torch.float64) > 0.5


@saying.right
def columns_in_numpy(fires, truth, other_fires, precise, right):
    speaks = spoken(fires, truth, precise, right).numpy()
    columns = [other_fires.numpy()[:, speaks[:, j]].any(axis=1) for j in range(truth.shape[1])]
    return torch.stack([torch.from_numpy(column) for column in columns], dim=-1)


def speaking(name, message, rule):
    """Right, if others speak: ``rule(hits, fired, true, n, precise, right)``."""

    def variant(fires, truth, other_fires, precise, right):
        hits, fired = counted(fires, truth)
        speaks = rule(hits, fired, truth.float().sum(0), len(fires), precise, right)
        return voices(other_fires, speaks) > 0

    variant.__name__ = name
    saying.wrong(message)(variant)


def ending(name, message, end):
    """Right up to who speaks: ``end(speaks, fires, other_fires)`` is returned."""

    def variant(fires, truth, other_fires, precise, right):
        return end(spoken(fires, truth, precise, right), fires, other_fires)

    variant.__name__ = name
    saying.wrong(message)(variant)


def only(speaks, score, dim):
    best = score.nan_to_num(0).argmax(dim, keepdim=True)
    return speaks & torch.zeros_like(speaks).scatter(dim, best, True)


def fair(h, f, p, r):
    return (h >= r) & (h >= p * f)


speaking("recall", "this is recall", lambda h, f, t, n, p, r: (h >= r) & (h / t >= p))
speaking("f1", "this is F1", lambda h, f, t, n, p, r: (h >= r) & (2 * h / (f + t) >= p))
speaking("of_all_tokens", "divided by all tokens", lambda h, f, t, n, p, r: (h >= r) & (h / n >= p))
speaking(
    "accuracy",
    "latent and property agree",
    lambda h, f, t, n, p, r: (h >= r) & ((n - f - t + 2 * h) / n >= p),
)
speaking("more_precise", "exactly `precise` is enough", lambda h, f, t, n, p, r: (h >= r) & (h > p * f))
speaking("more_often", "exactly `right` times is enough", lambda h, f, t, n, p, r: (h > r) & (h >= p * f))
speaking("right_ignored", "`right` is not used: a latent", lambda h, f, t, n, p, r: h / f >= p)
speaking("silent_speak", "never fired speaks for everything", lambda h, f, t, n, p, r: h >= p * f)
speaking("precise_ignored", "`precise` is not used", lambda h, f, t, n, p, r: h >= r)
speaking("either", "& instead of", lambda h, f, t, n, p, r: (h >= r) | (h / f >= p))
speaking("fired_often", "must be right, not only fire", lambda h, f, t, n, p, r: (f >= r) & (h / f >= p))
speaking(
    "most_precise_property",
    "only for its most precise property",
    lambda h, f, t, n, p, r: only(fair(h, f, p, r), h / f, 1),
)
speaking(
    "property_of_the_best_f1",
    "only for the property with its highest F1",
    lambda h, f, t, n, p, r: only(fair(h, f, p, r), 2 * h / (f + t), 1),
)
speaking(
    "most_precise_latent",
    "only the most precise latent speaks",
    lambda h, f, t, n, p, r: only(fair(h, f, p, r), h / f, 0),
)
speaking(
    "latent_of_the_best_f1",
    "only the latent with the highest F1",
    lambda h, f, t, n, p, r: only(fair(h, f, p, r), 2 * h / (f + t), 0),
)
speaking(
    "for_all",
    "speaks for all of them here",
    lambda h, f, t, n, p, r: fair(h, f, p, r).any(1, keepdim=True).expand_as(h),
)

ending("all", "all latents that speak", lambda s, f, o: voices(o, s) == s.sum(0))
ending("majority", "more than half of the latents", lambda s, f, o: voices(o, s) / s.sum(0) > 0.5)
ending("two", "two latents must say so", lambda s, f, o: voices(o, s) > 1)
ending("counts", "numbers of latents that say so", lambda s, f, o: voices(o, s))
ending("integer_counts", "numbers of latents that say so", lambda s, f, o: o.int() @ s.int())
ending("who_speaks", "this is who speaks for what", lambda s, f, o: s)
ending("first_games", "said about the first games", lambda s, f, o: voices(f, s) > 0)
ending("zeros_and_ones", "dtype float32; booleans are wanted", lambda s, f, o: (voices(o, s) > 0).float())
ending("clamped", "dtype int32; booleans are wanted", lambda s, f, o: (o.int() @ s.int()).clamp(max=1))
ending("transposed", "wrong order", lambda s, f, o: (voices(o, s) > 0).T)
ending("any_property", "axis property is missing", lambda s, f, o: (voices(o, s) > 0).any(1))


@saying.wrong(r"0s and 1s")
def product_of_booleans(fires, truth, other_fires, precise, right):
    return other_fires @ (fires.T @ truth >= right)


@saying.wrong("returned a NumPy array")
def as_an_array(fires, truth, other_fires, precise, right):
    return as_in_the_chapter(fires, truth, other_fires, precise, right).numpy()


@saying.wrong("`right` is not used: a latent")
def zeros_and_ones_and_a_slip(fires, truth, other_fires, precise, right):
    hits, fired = counted(fires, truth)
    return (voices(other_fires, hits / fired >= precise) > 0).float()


@saying.wrong("changed its input other_fires")
def in_place(fires, truth, other_fires, precise, right):
    other_fires &= spoken(fires, truth, precise, right).any(dim=1)
    return as_in_the_chapter(fires, truth, other_fires, precise, right)
