"""Bank for 5.4 repeat_scores."""

import torch
from bank import Bank

from sae_course.checks import ch05 as check

scores = Bank(check.repeat_scores)


def contrast(f, s):
    return torch.where(s + f > 0, (s - f) / (s + f), 0.0)


@scores.right
def by_indexing(latents, first, second):
    return contrast(latents[first].mean(0), latents[second].mean(0))


@scores.right
def by_multiplying(latents, first, second):
    def mean(mask):
        return (latents * mask.unsqueeze(-1)).sum((0, 1)) / mask.sum()

    f, s = mean(first), mean(second)
    return (s - f) / (s + f).clamp(min=1e-9)


@scores.right
def by_einsum(latents, first, second):
    masks = torch.stack([first, second]).float()
    f, s = torch.einsum("mrp,rpd->md", masks, latents) / masks.sum((1, 2))[:, None]
    return ((s - f) / (s + f)).nan_to_num(0.0)


@scores.right
def in_a_loop(latents, first, second):
    result = torch.zeros(latents.shape[-1])
    for j in range(latents.shape[-1]):
        f, s = latents[..., j][first].mean(), latents[..., j][second].mean()
        if f > 0 or s > 0:
            result[j] = 1 - 2 * f / (s + f)
    return result


def means(name, message, mean):
    """Right but for the mean over a mask."""

    def variant(latents, first, second):
        return contrast(mean(latents, first), mean(latents, second))

    variant.__name__ = name
    scores.wrong(message)(variant)


def made_of(name, message, rule):
    """Another rule for the right means."""

    def variant(latents, first, second):
        return rule(latents[first].mean(0), latents[second].mean(0))

    variant.__name__ = name
    scores.wrong(message)(variant)


means("summed", "sums, or means over all tokens", lambda a, mask: a[mask].sum(0))
means("over_all_places", "sums, or means over all tokens", lambda a, mask: (a * mask[..., None]).mean((0, 1)))
means("counted", "how often a latent fires is counted", lambda a, mask: (a[mask] > 0).float().mean(0))
means(
    "where_it_fires",
    "the mean over the tokens where the latent fires",
    lambda a, mask: a[mask].sum(0) / (a[mask] > 0).sum(0).clamp(min=1),
)
means(
    "row_by_row",
    "each row's mean was averaged",
    lambda a, mask: torch.stack([a[i][mask[i]].mean(0) for i in range(len(a))]).mean(0),
)
means("one_mean_for_all", "axis d_sae is missing", lambda a, mask: a[mask].mean())
made_of("swapped", "f and s have changed places", lambda f, s: contrast(s, f))
made_of("share", r"this is s/\(s \+ f\)", lambda f, s: (s / (s + f)).nan_to_num(0))
made_of("difference", "s − f alone", lambda f, s: s - f)
made_of("ratio", "the ratio s/f", lambda f, s: s / f)
made_of("by_the_larger", "the larger of the two", lambda f, s: ((s - f) / torch.max(s, f)).nan_to_num(0))
made_of("absolute", "the sign is lost", lambda f, s: contrast(f, s).abs())
made_of("nan_if_silent", "silent on both gives 0/0", lambda f, s: (s - f) / (s + f))
made_of("by_half_the_sum", "times 2", lambda f, s: 2 * contrast(f, s))


@scores.wrong("each row has a score here")
def score_of_each_row(latents, first, second):
    rows = zip(latents, first, second, strict=True)
    return torch.stack([contrast(a[f].mean(0), a[s].mean(0)) for a, f, s in rows]).mean(0)


@scores.wrong("not in `second`; BOS and others")
def all_others_for_first(latents, first, second):
    return contrast(latents[~second].mean(0), latents[second].mean(0))


@scores.wrong("not in `first`; BOS and others")
def all_others_for_second(latents, first, second):
    return contrast(latents[first].mean(0), latents[~first].mean(0))


@scores.wrong("changed its input latents")
def zeroed_in_place(latents, first, second):
    latents[~(first | second)] = 0
    return contrast(latents[first].mean(0), latents[second].mean(0))
