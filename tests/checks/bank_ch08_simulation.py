"""Bank for 8.7 simulation_scores."""

import statistics
from typing import NamedTuple

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch08.simulation import simulation_scores

scores = Bank(simulation_scores)


class Scores(NamedTuple):
    top: float
    top_and_others: float


def corrcoef(x, y):
    """NaN where one doesn't vary."""
    return torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1]


def pearson(x, y):
    return float(corrcoef(x, y).nan_to_num(0.0))


def with_score(score):
    """The exercise's function, with a score of ``[rows pos]`` twice."""

    def variant(activation, simulated, top, others):
        together = torch.cat([top, others])
        return Scores(
            score(activation[top], simulated[top]), score(activation[together], simulated[together])
        )

    return variant


@scores.right
def as_in_the_chapter(activation, simulated, top, others):
    def correlation(rows):
        x, y = activation[rows].flatten(), simulated[rows].flatten()
        if x.std() == 0 or y.std() == 0:
            return 0.0
        return float(torch.corrcoef(torch.stack([x, y]))[0, 1])

    return Scores(correlation(top), correlation(torch.cat([top, others])))


@scores.right
def a_tuple_of_tensors(activation, simulated, top, others):
    found = with_score(lambda x, y: corrcoef(x, y).nan_to_num(0.0))(activation, simulated, top, others)
    return tuple(found)


@scores.right
def in_numpy(activation, simulated, top, others):
    def correlation(rows):
        x, y = activation.numpy()[rows].ravel(), simulated.numpy()[rows].ravel()
        return np.corrcoef(x, y)[0, 1] if np.ptp(x) and np.ptp(y) else 0

    return Scores(correlation(top.numpy()), correlation(np.append(top, others)))


@scores.right
def by_means_of_products(activation, simulated, top, others):
    def correlation(x, y):
        x, y = x.double(), y.double()
        spread = (x.var(correction=0) * y.var(correction=0)).sqrt()
        return ((x * y).mean() - x.mean() * y.mean()) / spread if spread > 0 else torch.tensor(0.0)

    return with_score(correlation)(activation, simulated, top, others)


@scores.right
def with_a_small_number_below(activation, simulated, top, others):
    def correlation(x, y):
        x, y = (x - x.mean()).ravel(), (y - y.mean()).ravel()
        return x @ y / (x.norm() * y.norm() + 1e-8)

    return with_score(correlation)(activation, simulated, top, others)


@scores.right
def cosine_of_centred_rows_by_a_mask(activation, simulated, top, others):
    found = []
    mask = torch.zeros(len(activation), dtype=torch.bool)
    for rows in (top, others):
        mask[rows] = True
        x, y = (values[mask] - values[mask].mean() for values in (activation, simulated))
        found.append(torch.cosine_similarity(x.flatten(), y.flatten(), dim=0).item())
    return Scores(*found)


@scores.right
def with_the_standard_library(activation, simulated, top, others):
    def correlation(rows):
        x, y = (
            [value for row in rows for value in values[row].tolist()] for values in (activation, simulated)
        )
        try:
            return statistics.correlation(x, y)
        except statistics.StatisticsError:
            return 0

    return Scores(correlation(top), correlation([*top, *others]))


def slip(name, message, rule):
    def variant(activation, simulated, top, others):
        return rule(activation, simulated, top, others)

    variant.__name__ = name
    scores.wrong(message)(variant)


def slip_of(name, message, score):
    """With another score of the right rows."""
    slip(name, message, with_score(score))


def slip_together(name, message, rule):
    """The first score is right."""
    slip(
        name,
        f"field top_and_others[^|]*{message}",
        lambda activation, simulated, top, others: Scores(
            pearson(activation[top], simulated[top]), rule(activation, simulated, top, others)
        ),
    )


def by_row(x, y):
    return sum(map(pearson, x, y)) / len(x)


def off(values):
    return (values - values.mean()).flatten()


# What never varies.

slip_of("nan", "field top [^|]*0 / 0 is NaN: where the simulation or", lambda x, y: float(corrcoef(x, y)))
slip_of(
    "nan_if_the_activation_is_still",
    "field top [^|]*0 / 0 is NaN",
    lambda x, y: corrcoef(x, y) if y.std() > 0 else 0.0,
)
slip_of("one_if_still", "the score is 0, not 1", lambda x, y: corrcoef(x, y).nan_to_num(1.0))


@scores.wrong("field top [^|]*0 / 0 is NaN")
def looks_at_all_rows_for_what_varies(activation, simulated, top, others):
    if activation.std() == 0 or simulated.std() == 0:
        return Scores(0.0, 0.0)
    return with_score(corrcoef)(activation, simulated, top, others)


# Another score.

slip_of("mean_over_rows", "the mean of the single rows' correlations; take", by_row)
slip_of("mean_over_positions", "the mean of the positions' correlations", lambda x, y: by_row(x.T, y.T))
slip_of("means_of_rows", "over their positions first", lambda x, y: pearson(x.mean(-1), y.mean(-1)))
slip_of("means_of_positions", "the rows were averaged first", lambda x, y: pearson(x.sum(0), y.sum(0)))
slip_of("squared", "the correlation squared", lambda x, y: pearson(x, y) ** 2)
slip_of("absolute", "the sign is lost", lambda x, y: abs(pearson(x, y)))
slip_of("clamped", "a negative score is set to 0", lambda x, y: max(0.0, pearson(x, y)))
slip_of("cosine", "this is the cosine", lambda x, y: (x * y).sum() / (x.norm() * y.norm()))
slip_of(
    "covariance",
    "this is the covariance; divide",
    lambda x, y: torch.cov(torch.stack([off(x), off(y)]))[0, 1],
)
slip_of(
    "slope",
    "by the variance of the activation",
    lambda x, y: off(x) @ off(y) / off(x).square().sum().clamp(1e-9),
)
slip_of(
    "other_slope",
    "by the variance of the simulation",
    lambda x, y: off(x) @ off(y) / off(y).square().sum().clamp(1e-9),
)
slip_of(
    "deviations_by_n_less_1",
    "divides by n, the deviations by n − 1",
    lambda x, y: (off(x) * off(y)).mean() / (x.std() * y.std()).clamp(1e-9),
)
slip_of(
    "covariance_by_n_less_1",
    "divides by n − 1, the deviations by n",
    lambda x, y: off(x) @ off(y) / (x.numel() - 1) / (x.var(correction=0) * y.var(correction=0)).sqrt(),
)
slip_of("explained", "the explained variance", lambda x, y: 1 - (y - x).pow(2).mean() / x.var(correction=0))
slip_of("squared_error", "the mean squared error", torch.nn.functional.mse_loss)
slip_of("absolute_error", "gives", lambda x, y: (x - y).abs().mean())
slip_of("where_it_fires", "only tokens where the latent fires", lambda x, y: pearson(x[x > 0], y[x > 0]))
slip_of("firing", "this correlates firing or not", lambda x, y: pearson((x > 0).float(), (y > 0).float()))
slip_of(
    "with_itself",
    r"entry \[0, 0\]",
    lambda x, y: torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 0].nan_to_num(0.0),
)

# Other rows.


def of(choose, other_choice):
    """Right, of the rows that the two choose."""
    return lambda activation, simulated, top, others: Scores(
        *(
            pearson(activation[rows(top, others)], simulated[rows(top, others)])
            for rows in (choose, other_choice)
        )
    )


def first(top, _):
    return top


def second(_, others):
    return others


def both(top, others):
    return torch.cat([top, others])


slip("all_rows", "all rows are used here; use the rows", of(lambda *_: slice(None), both))
slip("first_rows", "these are the first rows", of(lambda top, _: slice(len(top)), both))
slip(
    "columns",
    "`top` was used on the positions",
    lambda a, s, top, _: Scores(*[pearson(a[:, top], s[:, top])] * 2),
)
slip("others_first", "this is the score on `others`; the first", of(second, both))
slip("changed_places", "on both together; the first is on", of(both, first))
slip("top_twice", "field top_and_others[^|]*this is the score on `top` again", of(first, first))
slip("others_alone", "on `others` alone; top and others", of(first, second))
slip("all_rows_together", "all rows are used here, also those", of(first, lambda *_: slice(None)))
slip_together(
    "mean_of_two_scores",
    "mean of the scores on top and on others; take",
    lambda a, s, *rows: statistics.mean(pearson(a[one], s[one]) for one in rows),
)
slip_together(
    "weighted_mean_of_two_scores",
    "mean of the scores on top and on others, by",
    lambda a, s, *rows: (
        sum(pearson(a[one], s[one]) * len(one) for one in rows) / sum(len(one) for one in rows)
    ),
)
slip_together(
    "mean_over_rows_together",
    "here, this is the mean of the single rows",
    lambda a, s, *rows: by_row(a[torch.cat(rows)], s[torch.cat(rows)]),
)
slip_together(
    "nan_together", "0 / 0 is NaN here", lambda a, s, *rows: corrcoef(a[torch.cat(rows)], s[torch.cat(rows)])
)
slip_together("squared_together", "gives", lambda a, s, *rows: pearson(a[both(*rows)], s[both(*rows)]) ** 2)


@scores.wrong("as on `top` one side doesn't vary; together, it does")
def gives_up_early(activation, simulated, top, others):
    if activation[top].std() == 0 or simulated[top].std() == 0:
        return Scores(0.0, 0.0)
    return with_score(pearson)(activation, simulated, top, others)


# Shapes, kinds, and what torch says.


@scores.wrong("top . others adds up row numbers")
def added_rows(activation, simulated, top, others):
    rows = top + others
    return Scores(pearson(activation[top], simulated[top]), pearson(activation[rows], simulated[rows]))


slip_of("matrix", "gives a 2 × 2 matrix", lambda x, y: float(torch.corrcoef(torch.stack([off(x), off(y)]))))
slip_of(
    "matrix_as_it_is", "a single number|a number", lambda x, y: torch.corrcoef(torch.stack([off(x), off(y)]))
)
slip_of(
    "not_flat", "the rows before they are stacked", lambda x, y: torch.corrcoef(torch.stack([x, y]))[0, 1]
)
slip_of("no_keepdim", "without keepdim", lambda x, y: ((x - x.mean(1)) * (y - y.mean(1))).mean())
slip("one_score", "expected Scores", lambda a, s, top, _: pearson(a[top], s[top]))
slip("a_tensor", "expected Scores", lambda *given: torch.tensor(with_score(pearson)(*given)))
slip("three", "expected 2", lambda *given: (*with_score(pearson)(*given), 0.0))


@scores.wrong("changed its input activation")
def in_place(activation, simulated, top, others):
    activation -= activation.mean()
    return with_score(pearson)(activation, simulated, top, others)
