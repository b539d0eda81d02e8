"""Banks for 3b.2 explained_variances, 3b.3 auroc and 3b.4 best_latent."""

from typing import NamedTuple

import numpy as np
import torch
from bank import Bank
from scipy.stats import mannwhitneyu, rankdata

from sae_course import evals
from sae_course.checks import ch03b as check

variances = Bank(check.explained_variances)


class Explained(NamedTuple):
    about_mean: float
    about_zero: float
    per_token: float


def squares(x):
    return (x**2).sum(-1)


@variances.right
def in_torch(x, x_hat):
    error, centred = squares(x - x_hat), squares(x - x.mean(dim=0))
    return Explained(
        (1 - error.sum() / centred.sum()).item(),
        (1 - error.sum() / squares(x).sum()).item(),
        (1 - error / centred).mean().item(),
    )


@variances.right
def by_mean_squares(x, x_hat):
    mse = torch.nn.functional.mse_loss(x_hat, x)
    error = torch.linalg.vector_norm(x_hat - x, dim=1)
    ratios = (error / torch.cdist(x, x.mean(0, keepdim=True))[:, 0]) ** 2
    return 1 - mse / x.var(0, unbiased=False).mean(), 1 - mse / x.square().mean(), 1 - ratios.mean()


@variances.right
def in_numpy(x, x_hat):
    x, x_hat = x.numpy(), x_hat.numpy()
    error = ((x - x_hat) ** 2).sum(1)
    centred = ((x - x.mean(0)) ** 2).sum(1)
    return [
        1 - error.sum() / centred.sum(),
        1 - error.sum() / (x**2).sum(),
        float(np.mean(1 - error / centred)),
    ]


@variances.right
def in_a_loop(x, x_hat):
    mean, n = x.mean(0), len(x)
    errors = [float((x[i] - x_hat[i]) @ (x[i] - x_hat[i])) for i in range(n)]
    around = [float((x[i] - mean) @ (x[i] - mean)) for i in range(n)]
    sizes = [float(x[i] @ x[i]) for i in range(n)]
    shares = [1 - e / a for e, a in zip(errors, around, strict=True)]
    return 1 - sum(errors) / sum(around), 1 - sum(errors) / sum(sizes), sum(shares) / n


def three(name, message, *, mean=None, zero=None, token=None, centre=lambda x, x_hat: x.mean(0)):
    """Right but for these, functions of x and x_hat."""

    def variant(x, x_hat):
        error, centred = squares(x - x_hat), squares(x - centre(x, x_hat))
        return (
            mean(x, x_hat) if mean else 1 - error.sum() / centred.sum(),
            zero(x, x_hat) if zero else 1 - error.sum() / squares(x).sum(),
            token(x, x_hat) if token else (1 - error / centred).mean(),
        )

    variant.__name__ = name
    variances.wrong(message)(variant)


def changed(name, message, change):
    def variant(x, x_hat):
        return tuple(change(value) for value in in_numpy(x, x_hat))

    variant.__name__ = name
    variances.wrong(message)(variant)


def about_zero(x, x_hat):
    return 1 - squares(x - x_hat).sum() / squares(x).sum()


def about_mean(x, x_hat):
    return 1 - squares(x - x_hat).sum() / squares(x - x.mean(0)).sum()


def per_token(x, x_hat):
    return (1 - squares(x - x_hat) / squares(x - x.mean(0))).mean()


three("one_mean", "it is a vector, over the tokens", centre=lambda x, x_hat: x.mean())
three("own_mean", "each token's own", centre=lambda x, x_hat: x.mean(dim=1)[:, None])
three("their_mean", "the mean is that of x_hat", centre=lambda x, x_hat: x_hat.mean(0))
three("token_first", "about_mean averages each token", mean=per_token)
three("uncentred", "about_mean doesn't subtract", mean=about_zero)
three("centred", "about_zero subtracts", zero=about_mean)
three(
    "zero_by_token", "about_zero averages", zero=lambda x, x_hat: (1 - squares(x - x_hat) / squares(x)).mean()
)
three("swapped", "changed places", mean=about_zero, zero=about_mean)
three("sums_first", "per_token is one ratio", token=about_mean)
three(
    "from_zero",
    r"per_token divides by \|x\|²",
    token=lambda x, x_hat: 1 - (squares(x - x_hat) / squares(x)).mean(),
)
three(
    "summed",
    "per_token is summed",
    token=lambda x, x_hat: (1 - squares(x - x_hat) / squares(x - x.mean(0))).sum(),
)
three(
    "mean_variance",
    "per_token divides each token's error by the",
    token=lambda x, x_hat: (1 - squares(x - x_hat) / squares(x - x.mean(0)).sum()).mean(),
)
three(
    "of_variances",
    "the error's own mean",
    mean=lambda x, x_hat: 1 - (x - x_hat).var(0).sum() / x.var(0).sum(),
)
three(
    "r2_by_dimension",
    "each of the d_in dimensions",
    mean=lambda x, x_hat: (1 - (x - x_hat).pow(2).sum(0) / (x - x.mean(0)).pow(2).sum(0)).mean(),
)
three(
    "variance_of_x_hat",
    "the error, x − x_hat, must come in",
    mean=lambda x, x_hat: squares(x_hat - x.mean(0)).sum() / squares(x - x.mean(0)).sum(),
)
three(
    "by_entry",
    "ratios of single entries",
    token=lambda x, x_hat: (1 - (x - x_hat) ** 2 / (x - x.mean(0)) ** 2).mean(),
)
three("unbiased", r"output 1 of", mean=lambda x, x_hat: 1 - squares(x - x_hat).mean() / x.var(0).sum())
changed("unexplained", "this is what is left", lambda value: 1 - value)
changed("percent", "these are percentages", lambda value: 100 * value)
changed("minus", "the sign is the wrong way", lambda value: -value)


@variances.wrong("the variance is that of x_hat")
def arguments_swapped(x, x_hat):
    return in_torch(x_hat, x)


@variances.wrong("norms, not their squares")
def of_norms(x, x_hat):
    error, centred = (x - x_hat).norm(dim=-1), (x - x.mean(0)).norm(dim=-1)
    return (
        1 - error.sum() / centred.sum(),
        1 - error.sum() / x.norm(dim=-1).sum(),
        (1 - error / centred).mean(),
    )


@variances.wrong("upside down")
def upside_down(x, x_hat):
    error, centred = squares(x - x_hat), squares(x - x.mean(0))
    return 1 - centred.sum() / error.sum(), 1 - squares(x).sum() / error.sum(), (1 - centred / error).mean()


@variances.wrong("output 3 of .* a tensor of shape")
def not_averaged(x, x_hat):
    return about_mean(x, x_hat), about_zero(x, x_hat), 1 - squares(x - x_hat) / squares(x - x.mean(0))


@variances.wrong("a tuple of 2; expected 3|of 2; expected 3")
def only_two(x, x_hat):
    return about_mean(x, x_hat), about_zero(x, x_hat)


areas = Bank(check.auroc)


@areas.right
def by_scipy(scores, labels):
    scores, labels = scores.numpy(), labels.numpy()
    result = mannwhitneyu(scores[labels], scores[~labels], method="asymptotic")
    return result.statistic / (labels.sum() * (~labels).sum())


@areas.right
def all_pairs(scores, labels):
    gap = scores[labels][:, None] - scores[~labels][None]
    return ((gap > 0).float() + 0.5 * (gap == 0).float()).mean().item()


@areas.right
def by_signs(scores, labels):
    return 0.5 + 0.5 * torch.sign(scores[labels].unsqueeze(1) - scores[~labels]).mean()


@areas.right
def by_mean_ranks(scores, labels):
    ranks = torch.tensor(rankdata(scores))
    n = int(labels.sum())
    return float(ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


@areas.right
def of_the_curve(scores, labels):
    levels, place = scores.unique(return_inverse=True)
    hits = torch.bincount(place[labels], minlength=len(levels)).flip(0).cumsum(0) / labels.sum()
    false = torch.bincount(place[~labels], minlength=len(levels)).flip(0).cumsum(0) / (~labels).sum()
    zero = torch.zeros(1)
    return torch.trapezoid(torch.cat([zero, hits]), torch.cat([zero, false]))


@areas.right
def one_labelled_at_a_time(scores, labels):
    others = scores[~labels]
    wins = [(others < score).sum() + 0.5 * (others == score).sum() for score in scores[labels]]
    return float(sum(wins) / (len(wins) * len(others)))


@areas.right
def of_the_course(scores, labels):
    return evals.auroc(scores[:, None], labels[:, None])[0, 0]


def with_ranks(scores, labels, method):
    n = int(labels.sum())
    ranks = torch.as_tensor(rankdata(scores, method=method)).double()
    return float(ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


@areas.wrong(r"a tie counts as a win \(>=\)")
def wins(scores, labels):
    return (scores[labels][:, None] >= scores[~labels]).float().mean()


@areas.wrong("a tie counts as a loss")
def losses(scores, labels):
    return (scores[labels][:, None] > scores[~labels]).float().mean()


@areas.wrong("pairs that tie are left out")
def ties_left_out(scores, labels):
    gap = scores[labels][:, None] - scores[~labels]
    return (gap > 0).sum() / (gap != 0).sum().clamp(min=1)


@areas.wrong("a tie counts as a win")
def highest_ranks(scores, labels):
    n = int(labels.sum())
    up_to = torch.searchsorted(scores[~labels].sort().values, scores[labels], right=True)
    return float(up_to.sum()) / (n * (len(labels) - n))


@areas.wrong("the wrong way round: the chance")
def reversed_pairs(scores, labels):
    return all_pairs(-scores, labels)


@areas.wrong("the wrong way round: the chance")
def reversed_labels(scores, labels):
    return all_pairs(scores, ~labels)


@areas.wrong("the wrong way round: the chance")
def less(scores, labels):
    return (scores[labels][:, None] < scores[~labels]).double().mean()


@areas.wrong("either sign is taken")
def either_sign(scores, labels):
    return max(all_pairs(scores, labels), 1 - all_pairs(scores, labels))


@areas.wrong("argsort of argsort")
def argsorted(scores, labels):
    n = int(labels.sum())
    ranks = torch.argsort(torch.argsort(scores, stable=True)) + 1
    return float(ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


@areas.wrong("without ties yours was right")
def argsorted_otherwise(scores, labels):
    n = int(labels.sum())
    ranks = len(scores) - scores.argsort(descending=True, stable=True).argsort()
    return float(ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


@areas.wrong("the next one is only 1 higher")
def dense_ranks(scores, labels):
    return with_ranks(scores, labels, "dense")


@areas.wrong("without ties yours was right")
def lowest_ranks(scores, labels):
    return with_ranks(scores, labels, "min")


@areas.wrong("ranks begin at 0")
def ranks_from_zero(scores, labels):
    n = int(labels.sum())
    ranks = torch.tensor(rankdata(scores) - 1)
    return float(ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


@areas.wrong("square of n")
def over_n_squared(scores, labels):
    return all_pairs(scores, labels) * int(labels.sum()) * int((~labels).sum()) / len(labels) ** 2


@areas.wrong("this is the accuracy")
def accuracy(scores, labels):
    return ((scores > 0) == labels).float().mean()


@areas.wrong("share of labelled tokens")
def recall(scores, labels):
    return (scores[labels] > 0).float().mean()


@areas.wrong("how often a token on which it fires")
def precision(scores, labels):
    return labels[scores > 0].float().mean()


@areas.wrong("Somers' D")
def gini(scores, labels):
    return torch.sign(scores[labels][:, None] - scores[~labels]).mean()


@areas.wrong("returned a tensor of shape .* expected a single number|returned a tensor of shape")
def unaveraged(scores, labels):
    return torch.sign(scores[labels][:, None] - scores[~labels])


@areas.wrong("changed its input scores")
def sorts_in_place(scores, labels):
    result = all_pairs(scores, labels)
    scores.copy_(scores.sort().values + 1)
    return result


best = Bank(check.best_latent)


@best.right
def of_evals(latents, label):
    even, odd = latents[::2].flatten(0, 1), latents[1::2].flatten(0, 1)
    index = evals.auroc(even, label[::2].reshape(-1, 1))[0].argmax()
    return index, evals.auroc(odd[:, index, None], label[1::2].reshape(-1, 1))[0, 0]


def area(latents, label, tie=0.5):
    """Each latent's AUROC."""
    scores, truth = latents.reshape(-1, latents.shape[-1]), label.reshape(-1)
    pairs = scores[truth][:, None] - scores[~truth][None]
    return (pairs > 0).double().mean((0, 1)) + tie * (pairs == 0).double().mean((0, 1))


@best.right
def by_pairs(latents, label):
    rows = torch.arange(len(label)) % 2 == 0
    choosing = area(latents[rows], label[rows])
    index = int(choosing.argmax())
    return (index, float(area(latents[~rows], label[~rows])[index]))


@best.right
def one_by_one(latents, label):
    found = [0, -1.0]
    for i in range(latents.shape[-1]):
        choosing = by_scipy(latents[0::2, :, i].flatten(), label[0::2].flatten())
        if choosing > found[1]:
            found = [i, choosing]
    found[1] = by_scipy(latents[1::2, :, found[0]].flatten(), label[1::2].flatten())
    return found


def picks(name, message, choose, measure, *, value=lambda areas: areas, tie=0.5):
    """The best on some tokens, measured on others; each a function of [rows pos ...]."""

    def variant(latents, label):
        index = int(value(area(choose(latents), choose(label), tie)).argmax())
        return index, float(area(measure(latents), measure(label), tie)[index])

    variant.__name__ = name
    best.wrong(message)(variant)


def everything(x):
    return x


def even(x):
    return x[::2]


def odd(x):
    return x[1::2]


picks("chosen_on_all", "the latent was chosen on all rows", everything, odd)
picks("choosing_half", "rows that chose the latent", even, even)
picks("measured_on_all", "AUROC on all rows, those too", even, everything)
picks("no_halves", "all rows choose and all rows measure", everything, everything)
picks("swapped_halves", "the wrong way round: rows 0, 2", odd, even)
picks("odd_only", "the odd rows choose as well", odd, odd)
picks("first_half", "the first half of the rows", lambda x: x[: len(x) // 2], lambda x: x[len(x) // 2 :])
picks("positions", "every other position", lambda x: x[:, 0::2], lambda x: x[:, 1::2])
picks("tokens", "every other token", lambda x: x.flatten(0, 1)[::2], lambda x: x.flatten(0, 1)[1::2])
picks("worst", "this is the worst latent", even, odd, value=lambda areas: -areas)
picks("furthest", "silent on the label was chosen", even, odd, value=lambda areas: (areas - 0.5).abs())
picks("ties_win", "a tie counts as a win", even, odd, tie=1.0)
picks("ties_lose", "a tie counts as a loss", even, odd, tie=0.0)


@best.wrong("the highest AUROC of any latent")
def optimist(latents, label):
    return by_pairs(latents, label)[0], area(odd(latents), odd(label)).max()


@best.wrong("chosen by its mean activation")
def by_mean_activation(latents, label):
    index = even(latents)[even(label)].mean(0).argmax()
    return index, area(odd(latents), odd(label))[index]


@best.wrong("difference of mean activations")
def by_difference(latents, label):
    index = (even(latents)[even(label)].mean(0) - even(latents)[~even(label)].mean(0)).argmax()
    return index, area(odd(latents), odd(label))[index]


@best.wrong("flattened in different orders")
def differently_flattened(latents, label):
    flat = [half(latents).flatten(0, 1) for half in (even, odd)]
    index = int(area(flat[0], even(label).T.flatten()).argmax())
    return index, area(flat[1], odd(label).T.flatten())[index]


@best.wrong("best_latent returned a float|expected a tuple of 2")
def auroc_alone(latents, label):
    return by_pairs(latents, label)[1]


@best.wrong("each row's AUROC was averaged")
def row_by_row(latents, label):
    rows = [area(*row) for row in zip(even(latents), even(label), strict=True)]
    index = torch.stack(rows).nanmean(0).argmax()
    return index, area(odd(latents), odd(label))[index]


@best.wrong("the latent's index comes first")
def other_order(latents, label):
    return by_pairs(latents, label)[::-1]
