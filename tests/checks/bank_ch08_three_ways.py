"""Bank for 8.1 explained_variance."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch08.three_ways import explained_variance

ways = Bank(explained_variance)


class ThreeWays(NamedTuple):
    """As in the chapter."""

    about_mean: float
    about_zero: float
    per_token: float


def right(x, x_hat):
    error = (x - x_hat).square().sum(-1)
    from_mean = (x - x.mean(0)).square().sum(-1)
    from_zero = x.square().sum(-1)
    return ThreeWays(
        float(1 - error.sum() / from_mean.sum()),
        float(1 - error.sum() / from_zero.sum()),
        float((1 - error / from_mean).mean()),
    )


@ways.right
def as_in_the_chapter(x, x_hat):
    return right(x, x_hat)


@ways.right
def tensors_of_means(x, x_hat):
    error = (x_hat - x).pow(2).mean(dim=1)
    center = x.mean(dim=0, keepdim=True)
    from_mean = ((x - center) ** 2).mean(dim=1)
    shares = error / from_mean
    return 1 - error.mean() / from_mean.mean(), 1 - error.mean() / (x * x).mean(), 1 - shares.mean()


@ways.right
def by_variance_and_norms(x, x_hat):
    lost = torch.linalg.norm(x - x_hat) ** 2
    kept = x.var(0, correction=0).sum() * len(x)
    ratio = torch.linalg.vector_norm(x - x_hat, dim=-1) / torch.cdist(x, x.mean(0)[None])[:, 0]
    return ThreeWays((kept - lost) / kept, 1 - lost / x.norm() ** 2, 1 - ratio.square().mean())


@ways.right
def in_numpy(x, x_hat):
    x, x_hat = x.double().numpy(), x_hat.double().numpy()
    error, center = x - x_hat, x - np.mean(x, axis=0)
    each = np.einsum("nd,nd->n", error, error) / np.einsum("nd,nd->n", center, center)
    return SimpleNamespace(
        per_token=np.mean(1 - each),
        about_zero=1 - np.sum(error**2) / np.sum(x**2),
        about_mean=1 - np.sum(error**2) / np.sum(center**2),
    )


@ways.right
def token_by_token(x, x_hat):
    mean = sum(x) / len(x)
    lost = zero = about = shares = 0.0
    for one, other in zip(x.double(), x_hat.double(), strict=True):
        error, far = float((one - other) @ (one - other)), float((one - mean) @ (one - mean))
        lost, zero, about = lost + error, zero + float(one @ one), about + far
        shares += 1 - error / far
    return [1 - lost / about, 1 - lost / zero, shares / len(x)]


class Parts:
    """What the variants are made of."""

    def __init__(self, x, x_hat):
        self.x, self.x_hat, self.mean = x, x_hat, x.mean(0)
        self.error = squares(x - x_hat)
        self.far = squares(x - self.mean)
        self.zero = squares(x)
        self.right = right(x, x_hat)


def squares(y):
    return (y**2).sum(-1)


def slip(name, message, **made):
    """Right, but for the fields given: functions of the parts."""

    def variant(x, x_hat):
        parts = Parts(x, x_hat)
        return parts.right._replace(**{field: make(parts) for field, make in made.items()})

    variant.__name__ = name
    ways.wrong(message)(variant)


def by_size(name, message, size):
    """Another size in the place of squared lengths, in all three."""

    def variant(x, x_hat):
        error, far, zero = size(x - x_hat), size(x - x.mean(0)), size(x)
        return ThreeWays(
            1 - error.sum() / far.sum(), 1 - error.sum() / zero.sum(), 1 - (error / far).mean().item()
        )

    variant.__name__ = name
    ways.wrong(message)(variant)


MEAN, ZERO, TOKEN = (f"field {name} of (.|\n)*" for name in ThreeWays._fields)


def by_token(p):
    return 1 - p.error / p.far


# All three.
by_size("norms", MEAN + "the lengths are not squared", lambda y: y.norm(dim=-1))
by_size("absolute", MEAN + "these are absolute values", lambda y: y.abs().mean(-1))
by_size("added_first", MEAN + "added before they were squared", lambda y: y.sum(-1) ** 2)
by_size("no_square", MEAN + "the entries are not squared", lambda y: y.sum(-1))
slip("not_explained", MEAN + "the 1 − is missing", about_mean=lambda p: p.error.sum() / p.far.sum())
slip("not_explained_zero", ZERO + "the 1 − is missing", about_zero=lambda p: p.error.sum() / p.zero.sum())
slip("not_explained_token", TOKEN + "the 1 − is missing", per_token=lambda p: (p.error / p.far).mean())
slip("less_one", MEAN + "less 1: the wrong way", about_mean=lambda p: p.error.sum() / p.far.sum() - 1)
slip("upside_down", MEAN + "upside down", about_mean=lambda p: 1 - p.far.sum() / p.error.sum())
slip("upside_down_token", TOKEN + "upside down", per_token=lambda p: 1 - (p.far / p.error).mean())
slip(
    "mean_over_d_in_once",
    MEAN + "averaged over d_in, the other one summed",
    about_mean=lambda p: 1 - (p.x - p.x_hat).square().mean(-1).sum() / p.far.sum(),
)
slip(
    "residual_variance",
    MEAN + "off by a constant has an error",
    about_mean=lambda p: 1 - (p.x - p.x_hat).var(0).sum() / p.x.var(0).sum(),
)
slip("of_x_hat", MEAN + "x_hat alone", about_mean=lambda p: 1 - squares(p.x_hat).sum() / p.far.sum())
slip("percent", MEAN + "in percent", about_mean=lambda p: 100 * p.right.about_mean)
slip("cut_off", MEAN + "what is below 0 is cut off", about_mean=lambda p: max(p.right.about_mean, 0.0))
slip("cut_off_zero", ZERO + "what is below 0 is cut off", about_zero=lambda p: max(p.right.about_zero, 0.0))


@ways.wrong(MEAN + "not taken off below; this is about_zero")
def changed_places(x, x_hat):
    found = right(x, x_hat)
    return ThreeWays(found.about_zero, found.about_mean, found.per_token)


# About the mean.
slip(
    "one_mean",
    MEAN + "a single number; the mean activation",
    about_mean=lambda p: 1 - p.error.sum() / squares(p.x - p.x.mean()).sum(),
)
slip(
    "own_mean",
    MEAN + "the mean is over d_in, for each token",
    about_mean=lambda p: 1 - p.error.sum() / squares(p.x - p.x.mean(-1, keepdim=True)).sum(),
)
slip(
    "mean_of_x_hat",
    MEAN + "that of the reconstructions",
    about_mean=lambda p: 1 - p.error.sum() / squares(p.x - p.x_hat.mean(0)).sum(),
)
slip(
    "how_far_x_hat_is",
    MEAN + "how far x_hat is from the mean",
    about_mean=lambda p: 1 - p.error.sum() / squares(p.x_hat - p.mean).sum(),
)
slip(
    "correction",
    MEAN + "divides by n − 1 here",
    about_mean=lambda p: 1 - p.error.mean() / p.x.var(0).sum(),
)
slip(
    "mean_over_sum",
    MEAN + "averaged over tokens, what",
    about_mean=lambda p: 1 - p.error.mean() / p.far.sum(),
)
slip(
    "variance_of_x_hat",
    MEAN + "how much x_hat varies",
    about_mean=lambda p: p.x_hat.std(0).square().sum() / p.x.var(0).sum(),
)
slip("root", MEAN + "this is the root", about_mean=lambda p: 1 - (p.error.sum() / p.far.sum()) ** 0.5)
slip("mean_of_shares", MEAN + "each token's share, per_token", about_mean=lambda p: by_token(p).mean())
slip(
    "by_dimension",
    MEAN + "each dimension's share",
    about_mean=lambda p: (1 - (p.x - p.x_hat).square().mean(0) / p.x.var(0, correction=0)).mean(),
)
slip("doubled", "field about_mean of doubled gives", about_mean=lambda p: 2 * p.right.about_mean)

# About zero.
slip("about_mean_twice", ZERO + "about zero, it is the sum", about_zero=lambda p: p.right.about_mean)
slip(
    "mean_of_shares_zero",
    ZERO + "the mean of each token's share",
    about_zero=lambda p: 1 - (p.error / p.zero).mean(),
)
slip(
    "x_hat_below",
    ZERO + "the squares of x_hat",
    about_zero=lambda p: 1 - p.error.sum() / squares(p.x_hat).sum(),
)
slip(
    "mean_over_sum_zero",
    ZERO + "averaged over tokens, the squares",
    about_zero=lambda p: 1 - p.error.mean() / p.zero.sum(),
)

# Token by token.
slip("about_mean_again", TOKEN + "about_mean; first each", per_token=lambda p: p.right.about_mean)
slip("about_zero_again", TOKEN + "about_zero; first each", per_token=lambda p: p.right.about_zero)
slip("mean_below", TOKEN + "about_mean; first each", per_token=lambda p: (1 - p.error / p.far.mean()).mean())
slip("token_zero", TOKEN + "each token's share is of", per_token=lambda p: (1 - p.error / p.zero).mean())
slip(
    "token_own_mean",
    TOKEN + "the mean of each token is over its own",
    per_token=lambda p: (1 - p.error / squares(p.x - p.x.mean(1, keepdim=True))).mean(),
)
slip(
    "token_one_mean",
    TOKEN + "a single number in per_token",
    per_token=lambda p: (1 - p.error / squares(p.x - p.x.mean())).mean(),
)
slip(
    "token_mean_of_x_hat",
    TOKEN + "the mean of the reconstructions is in",
    per_token=lambda p: (1 - p.error / squares(p.x - p.x_hat.mean(0))).mean(),
)
slip(
    "token_by_dimension",
    TOKEN + "a share for each dimension",
    per_token=lambda p: (1 - (p.x - p.x_hat).square().sum(0) / (p.x - p.mean).square().sum(0)).mean(),
)
slip("token_sum", TOKEN + "shares of the tokens are added", per_token=lambda p: by_token(p).sum())
slip("token_less_sum", TOKEN + "1 less the sum", per_token=lambda p: 1 - (p.error / p.far).sum())
slip("token_median", TOKEN + "the median over", per_token=lambda p: by_token(p).median())
slip(
    "token_mean_error",
    TOKEN + "the mean error is divided by each",
    per_token=lambda p: 1 - (p.error.mean() / p.far).mean(),
)
slip("token_clipped", TOKEN + "count as 0 here", per_token=lambda p: by_token(p).relu().mean())
slip("token_list", TOKEN + r"a tensor of shape \(17,\); expected a single number", per_token=by_token)


@ways.wrong("the mean activation is one vector")
def no_keepdim(x, x_hat):
    return 1 - squares(x - x_hat).sum() / squares(x - x.mean(-1)).sum()


@ways.wrong("a sum or mean over tokens is missing")
def float_of_many(x, x_hat):
    parts = Parts(x, x_hat)
    return ThreeWays(parts.right.about_mean, parts.right.about_zero, float(by_token(parts)))


@ways.wrong(r"expected ThreeWays\(about_mean, about_zero, per_token\)")
def one_of_three(x, x_hat):
    return right(x, x_hat).about_mean


@ways.wrong("a tuple of 2; expected 3")
def two_of_three(x, x_hat):
    return tuple(right(x, x_hat))[:2]


@ways.wrong("changed its input x")
def centered_in_place(x, x_hat):
    found = right(x, x_hat)
    x -= x.mean(0)
    return found
