"""Bank for 8.3 paired_difference."""

import statistics
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from bank import Bank
from scipy import stats

from sae_course.checks.ch08.pairs import paired_difference

pairs = Bank(paired_difference)


class Difference(NamedTuple):
    """As in the chapter."""

    value: float
    error: float
    detectable: float


def right(one, other):
    apart = one - other
    error = float(apart.std() / len(apart) ** 0.5)
    return Difference(float(apart.mean()), error, (1.96 + 0.84) * error)


@pairs.right
def as_in_the_chapter(one, other):
    return right(one, other)


@pairs.right
def tensors(one, other):
    delta = torch.sub(one, other)
    error = torch.std(delta) / torch.sqrt(torch.tensor(delta.numel()))
    return one.mean() - other.mean(), error, 1.96 * error + 0.84 * error


@pairs.right
def with_scipy(one, other):
    apart = one.double().numpy() - other.double().numpy()
    return Difference(apart.mean(), stats.sem(apart), 2.8 * stats.sem(apart))


@pairs.right
def with_statistics(one, other):
    apart = [float(x - y) for x, y in zip(one, other, strict=True)]
    error = statistics.stdev(apart) / len(apart) ** 0.5
    return [statistics.mean(apart), error, 2.8 * error]


@pairs.right
def by_the_covariance(one, other):
    """The variance of a difference, from both variances and the covariance, in double precision."""
    (var_one, both), (_, var_other) = torch.cov(torch.stack([one, other]).double())
    error = ((var_one + var_other - 2 * both) / len(one)) ** 0.5
    return SimpleNamespace(detectable=error * 2.8, error=error, value=(one - other).sum() / len(one))


@pairs.right
def with_exact_quantiles(one, other):
    """Divided by n in the deviation, and by n − 1 for the mean; the quantiles with more digits."""
    apart = (one - other).numpy()
    error = np.std(apart) / np.sqrt(len(apart) - 1)
    return Difference(apart.mean(), error, (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error)


def value(name, message, rule):
    """Only the value is another."""

    def variant(one, other):
        return right(one, other)._replace(value=rule(one, other))

    variant.__name__ = name
    pairs.wrong(r"field value of (.|\n)*" + message)(variant)


def error(name, message, rule):
    """The error is another, and what follows from it."""

    def variant(one, other):
        wrong = rule(one, other)
        return Difference(float((one - other).mean()), float(wrong), 2.8 * float(wrong))

    variant.__name__ = name
    pairs.wrong(r"field error of (.|\n)*" + message)(variant)


def of_apart(rule):
    return lambda one, other: rule(one - other)


def detectable(name, message, rule):
    """Only the last one is another: from the differences, and their value and error."""

    def variant(one, other):
        found = right(one, other)
        return found._replace(detectable=float(rule(one - other, found.value, found.error)))

    variant.__name__ = name
    pairs.wrong(r"field detectable of (.|\n)*" + message)(variant)


def sem(x):
    return x.std() / len(x) ** 0.5


def root(x):
    return len(x) ** 0.5


value("other_less_one", "this is other − one", lambda one, other: (other - one).mean())
value("absolute", "the differences lost their sign", lambda one, other: (one - other).abs().mean())
value("absolute_mean", "the mean lost its sign", lambda one, other: abs(one.mean() - other.mean()))
value("added_up", "these are added up", lambda one, other: (one - other).sum())
value("median", "this is the median", lambda one, other: torch.median(one - other))
value("by_n_less_1", "divided by n − 1; that", lambda one, other: (one - other).sum() / (len(one) - 1))
value("relative", "a share of `other`", lambda one, other: one.mean() / other.mean() - 1)
value("mean_of_ratios", "the mean of the ratios", lambda one, other: ((one - other) / other).mean())
value("one_alone", "this is the mean of `one`", lambda one, other: one.mean())
value("both_together", "the mean of both together", lambda one, other: torch.cat([one, other]).mean())
value("sum_of_both", "the two are added; the", lambda one, other: one.mean() + other.mean())
value("t_value", "in standard errors", lambda one, other: (one - other).mean() / sem(one - other))
value("cohens_d", "in standard deviations", lambda one, other: (one - other).mean() / (one - other).std())
value("squared", "the mean of the squared", lambda one, other: ((one - other) ** 2).mean())
value("each", r"a tensor of shape \(11,\); expected a single number", lambda one, other: one - other)
value("tripled", "expected", lambda one, other: 3 * (one - other).mean())

error("unpaired", "added in squares", lambda one, other: (sem(one) ** 2 + sem(other) ** 2) ** 0.5)
error("errors_added", "the errors of both were added. Take", lambda one, other: sem(one) + sem(other))
error("errors_apart", "one error was taken off", lambda one, other: sem(one) - sem(other))
error("concatenated", "that of all 2n measurements", lambda one, other: sem(torch.cat([one, other])))
error(
    "sorted_both",
    "no longer together",
    lambda one, other: (torch.sort(one)[0] - torch.sort(other)[0]).std() / len(one) ** 0.5,
)
error(
    "column_by_mistake", r"other one's; each has", lambda one, other: (one[:, None] - other).std() / root(one)
)
error("all_pairs", r"as if those were n²", lambda one, other: sem((one.unsqueeze(1) - other).flatten()))
error("of_one", "the error of `one` alone", lambda one, other: sem(one))
error("of_other", "the error of `other` alone", lambda one, other: sem(other))
error("deviation", "this is the standard deviation s;", of_apart(lambda x: x.std()))
error("deviation_by_n", "standard deviation, by n:", of_apart(lambda x: x.numpy().std()))
error("divided_by_n", "s is divided by n; by", of_apart(lambda x: x.std() / len(x)))
error("times_root", "multiplied by √n", of_apart(lambda x: x.std() * root(x)))
error("variance_by_n", "the root is missing", of_apart(lambda x: x.var() / len(x)))
error("variance_by_root", "this is the variance divided by √n", of_apart(lambda x: x.var() / root(x)))
error("numpys", r"ddof=1", of_apart(lambda x: np.std(x.numpy()) / np.sqrt(len(x))))
error("n_less_1_twice", "n − 1 is in it twice", of_apart(lambda x: x.std() / (len(x) - 1) ** 0.5))
error("n_of_both", "n is 2n here", of_apart(lambda x: x.std() / (2 * len(x)) ** 0.5))
error("sizes", "lost their sign before the standard", of_apart(lambda x: sem(x.abs())))
error("not_centered", "squares of the differences as they are\\.", of_apart(lambda x: x.norm() / len(x)))
error(
    "not_centered_by_n_less_1",
    "as they are, divided by n − 1",
    of_apart(lambda x: x.norm() / (len(x) * (len(x) - 1)) ** 0.5),
)
error(
    "mean_distance",
    "the mean distance from the mean",
    of_apart(lambda x: (x - x.mean()).abs().mean() / root(x)),
)
error("interval", "half of a 95% interval", of_apart(lambda x: 1.96 * sem(x)))
error("detectable_for_error", "already what is detectable", of_apart(lambda x: 2.8 * sem(x)))
error("relative_error", "the share that the error is", of_apart(lambda x: sem(x) / x.mean().abs()))
error("by_five", "expected", of_apart(lambda x: sem(x) / 5))

detectable("no_power", "0.84 is missing", lambda x, v, e: 1.96 * e)
detectable("power_alone", r"1.96 is missing: \(1.96", lambda x, v, e: 0.84 * e)
detectable("taken_off", "0.84 is taken off", lambda x, v, e: (1.96 - 0.84) * e)
detectable("multiplied", "are multiplied; add", lambda x, v, e: 1.96 * 0.84 * e)
detectable("no_brackets", "brackets are missing", lambda x, v, e: 1.96 + 0.84 * e)
detectable("in_squares", "added in squares; add", lambda x, v, e: (1.96**2 + 0.84**2) ** 0.5 * e)
detectable("four_fifths", "0.8 stands in the place", lambda x, v, e: (1.96 + 0.8) * e)
detectable("one_sided", "1.645 for 1.96", lambda x, v, e: (1.645 + 0.84) * e)
detectable("for_samples", "2.8 is squared", lambda x, v, e: (1.96 + 0.84) ** 2 * e)
detectable("twice", "this is twice", lambda x, v, e: 2 * 2.8 * e)
detectable("half", "this is half", lambda x, v, e: 1.4 * e)
detectable("divided", "are divided by 2.8", lambda x, v, e: e / 2.8)
detectable("error_itself", "this is the error itself", lambda x, v, e: e)
detectable("deviations", "2.8 standard deviations", lambda x, v, e: 2.8 * x.std())
detectable("root_twice", "by √n once more", lambda x, v, e: 2.8 * e / root(x))
detectable("squared_error", "the error was squared", lambda x, v, e: 2.8 * e**2)
detectable("with_value", "the value is in it", lambda x, v, e: v + 2.8 * e)
detectable("with_size_of_value", "the value is in it", lambda x, v, e: abs(v) + 2.8 * e)
detectable("upper_end", "the upper end of an interval", lambda x, v, e: v + 1.96 * e)
detectable("of_the_value", "2.8 times the value", lambda x, v, e: 2.8 * v)
detectable("number_alone", "this is 2.8 alone", lambda x, v, e: 1.96 + 0.84)
detectable("five_errors", "expected", lambda x, v, e: 5 * e)


@pairs.wrong(r"field detectable of (.|\n)*this is not paired: 2.8 times")
def unpaired_detectable(one, other):
    return right(one, other)._replace(detectable=2.8 * ((one.var() + other.var()) / len(one)) ** 0.5)


@pairs.wrong(r"field value of (.|\n)*this is other − one")
def arguments_swapped(one, other):
    return right(other, one)


@pairs.wrong("its root is len")
def root_of_a_number(one, other):
    apart = one - other
    return Difference(apart.mean(), apart.std() / len(apart).sqrt(), 0.0)


@pairs.wrong("torch.sqrt wants a tensor")
def torch_root_of_a_number(one, other):
    apart = one - other
    return Difference(apart.mean(), apart.std() / torch.sqrt(len(apart)), 0.0)


@pairs.wrong("a single number, of all samples")
def floats_of_many(one, other):
    return Difference(float(one - other), 0.0, 0.0)


@pairs.wrong(r"expected Difference\(value, error, detectable\)")
def the_value_alone(one, other):
    return right(one, other).value


@pairs.wrong("a tuple of 2; expected 3")
def nothing_detectable(one, other):
    return right(one, other)[:2]


@pairs.wrong("changed its input one")
def in_place(one, other):
    one -= other
    return Difference(one.mean(), sem(one), 2.8 * sem(one))
