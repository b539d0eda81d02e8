"""Banks for 4.1 deviations and 4.10 implied_variance."""

import math
import statistics

import numpy as np
import torch
from bank import Bank

from sae_course.checks import ch04 as check

deviations = Bank(check.deviations)


@deviations.right
def by_statistics(value, healthy):
    return (value - statistics.mean(healthy)) / statistics.stdev(healthy)


@deviations.right
def by_numpy(value, healthy):
    return (value - np.mean(healthy)) / np.std(healthy, ddof=1)


@deviations.right
def by_torch(value, healthy):
    healthy = torch.tensor(healthy)
    return (value - healthy.mean()) / healthy.std()


@deviations.right
def by_hand(value, healthy):
    middle = sum(healthy) / len(healthy)
    squares = sum((one - middle) ** 2 for one in healthy)
    return (value - middle) / math.sqrt(squares / (len(healthy) - 1))


def over(name, message, size):
    """Right but for what it is divided by."""

    def variant(value, healthy):
        return (value - sum(healthy) / len(healthy)) / size(np.array(healthy))

    variant.__name__ = name
    deviations.wrong(message)(variant)


over("population", r"divided by n; of a sample .* n − 1", lambda h: h.std())
over("population_by_torch", "of a whole population", lambda h: torch.tensor(h).std(unbiased=False).item())
over("variance", "divides by the variance", lambda h: h.var(ddof=1))
over("standard_error", "divides by the standard error", lambda h: h.std(ddof=1) / len(h) ** 0.5)
over("relative", "divides by the mean: a share", lambda h: h.mean())
over("range", "divides by the range", lambda h: h.max() - h.min())
over("mean_distance", "divides by the mean distance", lambda h: np.abs(h - h.mean()).mean())
over("not_divided", "still to be divided", lambda h: 1)


@deviations.wrong("the sign is lost")
def absolute(value, healthy):
    return abs(by_numpy(value, healthy))


@deviations.wrong("the sign is lost")
def root_of_a_square(value, healthy):
    return ((value - np.mean(healthy)) ** 2 / np.var(healthy, ddof=1)) ** 0.5


@deviations.wrong("the sign is the wrong way round")
def other_way_round(value, healthy):
    return (statistics.mean(healthy) - value) / statistics.stdev(healthy)


@deviations.wrong("taken from the median")
def from_median(value, healthy):
    return (value - statistics.median(healthy)) / statistics.stdev(healthy)


@deviations.wrong("counted among the healthy ones")
def value_among_them(value, healthy):
    every = np.array([value, *healthy])
    return (value - every.mean()) / every.std(ddof=1)


@deviations.wrong("subtract the mean first")
def mean_forgotten(value, healthy):
    return value / statistics.stdev(healthy)


@deviations.wrong("brackets are missing")
def no_brackets(value, healthy):
    return value - statistics.mean(healthy) / statistics.stdev(healthy)


@deviations.wrong("changed its input healthy")
def sorts_them(value, healthy):
    healthy.sort()
    return by_numpy(value, healthy)


@deviations.wrong("changed its input healthy")
def adds_the_value(value, healthy):
    healthy.append(value)
    return by_numpy(value, healthy)


@deviations.wrong("deviations|each_seed returned .*; expected a number")
def each_seed(value, healthy):
    return (value - np.array(healthy)) / np.std(healthy, ddof=1)


@deviations.wrong(r"calls one_argument\(value, healthy\)")
def one_argument(healthy):
    return statistics.stdev(healthy)


@deviations.wrong("raised TypeError")
def list_arithmetic(value, healthy):
    return (value - healthy) / statistics.stdev(healthy)


implied = Bank(check.implied_variance)


def evaluation(run):
    """Error, explained variance, length."""
    return (
        run.final["reconstruction_quality.mse"],
        run.final["reconstruction_quality.explained_variance"],
        run.final["shrinkage.l2_norm_in"],
    )


@implied.right
def from_final(run):
    error = run.final["reconstruction_quality.mse"]
    unexplained = 1 - run.final["reconstruction_quality.explained_variance"]
    length = run.final["shrinkage.l2_norm_in"]
    return error / unexplained / length**2


@implied.right
def in_one_fraction(run):
    error, explained, length = evaluation(run)
    return error / ((1 - explained) * length * length)


@implied.right
def from_the_table(run):
    last = run.metrics.ffill().iloc[-1]
    share = last["reconstruction_quality.mse"] / last["shrinkage.l2_norm_in"] ** 2
    return share / (1 - last["reconstruction_quality.explained_variance"])


@implied.right
def as_a_tensor(run):
    error, explained, length = map(torch.tensor, evaluation(run))
    return error / (1 - explained) / length.square()


def formula(name, message, of):
    """Of the right numbers."""

    def variant(run):
        return of(*evaluation(run))

    variant.__name__ = name
    implied.wrong(message)(variant)


formula("no_length", "not divided by the squared length", lambda e, v, n: e / (1 - v))
formula("length_once", "divided by the length, not by its square", lambda e, v, n: e / (1 - v) / n)
formula("times_length", "multiplied by the squared length", lambda e, v, n: e / (1 - v) * n**2)
formula(
    "missing_brackets",
    "not divided by|multiplied by the squared length",
    lambda e, v, n: e / (1 - v) / n * n**3,
)
formula("explained", "divides by the explained share", lambda e, v, n: e / v / n**2)
formula("multiplied", "multiplies by the unexplained share", lambda e, v, n: e * (1 - v) / n**2)
formula("upside_down", "this is upside down", lambda e, v, n: (1 - v) * n**2 / e)
formula("root", "the square root was taken", lambda e, v, n: (e / (1 - v)) ** 0.5 / n)
formula("wrong_sign", "gives -.*; expected", lambda e, v, n: e / (v - 1) / n**2)


def taken(
    name, message, read, *, error="reconstruction_quality.mse", explained=None, length="shrinkage.l2_norm_in"
):
    """Other numbers, in the right formula."""
    explained = explained or "reconstruction_quality.explained_variance"

    def variant(run):
        return read(run, error) / (1 - read(run, explained)) / read(run, length) ** 2

    variant.__name__ = name
    implied.wrong(message)(variant)


def last(run, metric):
    return run.metrics[metric].dropna().iloc[-1]


TRAINED = {"error": "losses/mse_loss", "explained": "metrics/explained_variance"}
taken("of_training", "error and explained variance are those of training", last, **TRAINED)
taken(
    "variance_of_training", "the explained variance is that of training", last, explained=TRAINED["explained"]
)
taken("error_of_training", "the error is that of training", last, error=TRAINED["error"])
taken("length_out", "that of the reconstructions", last, length="shrinkage.l2_norm_out")
taken("first", "the first values of the run", lambda run, metric: run.metrics[metric].dropna().values[0])
taken("mean", "means over the whole run", lambda run, metric: run.metrics[metric].mean())
taken(
    "first_row",
    r"first_row gives NaN(.|\n)*run\.final has the last",
    lambda run, metric: run.metrics[metric].iloc[0],
)
taken("last_row_of_training", "gives NaN", lambda run, metric: run.metrics[metric].iloc[-1], **TRAINED)
taken(
    "short_name",
    "long names: reconstruction_quality.mse.",
    lambda run, metric: run.final[metric.split(".")[-1]],
)


@implied.wrong("a number|returned a Series|expected a number")
def whole_column(run):
    table = run.metrics
    unexplained = 1 - table["reconstruction_quality.explained_variance"]
    return table["reconstruction_quality.mse"] / unexplained / table["shrinkage.l2_norm_in"] ** 2
