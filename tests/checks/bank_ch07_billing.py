"""Bank for 7.4 bill."""

import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from bank import Bank

from sae_course.checks.ch07 import billing

bills = Bank(billing.bill)


class Bill(NamedTuple):
    """As in the chapter."""

    flops: float
    tokens_per_second: float
    hours: float
    cost: float


@bills.right
def as_in_the_chapter(*, params_read, d_in, d_sae, n_saes, tokens, peak, efficiency, price):
    flops = 2 * params_read + n_saes * 6 * 2 * d_in * d_sae
    tokens_per_second = peak * efficiency / flops
    hours = tokens / tokens_per_second / 3600
    return Bill(flops, tokens_per_second, hours, hours * price)


def right(**inputs):
    return as_in_the_chapter(**inputs)


@bills.right
def from_the_whole_work(*, params_read, d_in, d_sae, n_saes, tokens, peak, efficiency, price):
    forward = 2 * d_in * d_sae + 2 * d_sae * d_in
    backward = 2 * forward
    for_one = params_read + params_read
    for _ in range(n_saes):
        for_one += forward + backward
    seconds = tokens * for_one / peak / efficiency
    return for_one, tokens / seconds, seconds / 60 / 60, price * seconds / 3600


@bills.right
def by_seconds_for_a_token(**inputs):
    j = SimpleNamespace(**inputs)
    flops = np.dot([2.0, 12.0], [j.params_read, j.d_in * j.d_sae * j.n_saes])
    seconds = flops / (j.efficiency * j.peak)
    hours = seconds * (j.tokens / 3600)
    return SimpleNamespace(cost=j.price * hours, hours=hours, flops=flops, tokens_per_second=1 / seconds)


@bills.right
def by_parameters(params_read, d_in, d_sae, n_saes, tokens, peak, efficiency, price):  # noqa: PLR0917
    flops = 2 * (params_read + 3 * n_saes * (2 * d_in * d_sae))
    in_an_hour = 3600 * efficiency * peak / flops
    return [float(flops), in_an_hour / 3600, tokens / in_an_hour, tokens / in_an_hour * price]


def of(inputs):
    """The inputs with what the variants are made of."""
    given = SimpleNamespace(**inputs)
    given.ab = given.d_in * given.d_sae
    given.right = right(**inputs)
    given.flops, given.rate, given.h, given.paid = given.right
    return given


def work(name, message, flops):
    """Other FLOPs, and all that follows from them."""

    def variant(**inputs):
        j = of(inputs)
        wrong = flops(j)
        rate = j.peak * j.efficiency / wrong
        hours = j.tokens / rate / 3600
        return Bill(wrong, rate, hours, hours * j.price)

    variant.__name__ = name
    bills.wrong(message)(variant)


def speed(name, message, rate):
    """Other tokens per second, and all that follows from them."""

    def variant(**inputs):
        j = of(inputs)
        wrong = rate(j)
        hours = j.tokens / wrong / 3600
        return Bill(j.flops, wrong, hours, hours * j.price)

    variant.__name__ = name
    bills.wrong(message)(variant)


def time(name, message, hours):
    """Other hours, and the cost of them."""

    def variant(**inputs):
        j = of(inputs)
        return Bill(j.flops, j.rate, hours(j), hours(j) * j.price)

    variant.__name__ = name
    bills.wrong(message)(variant)


def money(name, message, cost):
    """Only the cost is another."""

    def variant(**inputs):
        j = of(inputs)
        return j.right._replace(cost=cost(j))

    variant.__name__ = name
    bills.wrong(message)(variant)


work("one_flop", "one FLOP for each number", lambda j: j.params_read + j.n_saes * 6 * j.ab)
work("one_flop_model", "the model has one FLOP", lambda j: j.params_read + j.n_saes * 12 * j.ab)
work("one_flop_sae", "takes 6·d_in·d_sae FLOPs here", lambda j: 2 * j.params_read + j.n_saes * 6 * j.ab)
work("forward_only", "takes 4·d_in·d_sae FLOPs here", lambda j: 2 * j.params_read + j.n_saes * 4 * j.ab)
work("backward_once", "takes 8·d_in·d_sae", lambda j: 2 * j.params_read + j.n_saes * 2 * (2 + 2) * j.ab)
work("backward_only", "Two forward and four", lambda j: 2 * j.params_read + j.n_saes * 4 * 2 * j.ab)
work("one_product", "takes 2·d_in·d_sae", lambda j: 2 * j.params_read + j.n_saes * 2 * j.ab)
work("five_products", "field flops of five_products", lambda j: 2 * j.params_read + j.n_saes * 10 * j.ab)
work(
    "with_biases",
    "the biases are counted",
    lambda j: 2 * j.params_read + j.n_saes * 6 * (2 * j.ab + j.d_in + j.d_sae),
)
work("model_trained", "6 FLOPs for each parameter", lambda j: 6 * (j.params_read + 2 * j.n_saes * j.ab))
work("model_each", "the model runs once for each", lambda j: j.n_saes * (2 * j.params_read + 12 * j.ab))
work("one_sae", "this is with one SAE; there", lambda j: 2 * j.params_read + 12 * j.ab)
work("saes_only", "the model's FLOPs are missing", lambda j: 12 * j.ab * j.n_saes)
work("model_only", "the SAEs' FLOPs are missing", lambda j: 2 * j.params_read)
work("all_tokens", "the FLOPs of all tokens", lambda j: j.tokens * j.flops)
work("thrice", "the expected number times 3", lambda j: j.flops * 3)

speed("at_peak", "`efficiency` is missing", lambda j: j.peak / j.flops)
speed("over_efficiency", "divided by `efficiency`", lambda j: j.peak / j.flops / j.efficiency)
speed("seconds_a_token", "seconds for each token", lambda j: j.flops / (j.peak * j.efficiency))
speed("times_flops", "multiplied by the FLOPs", lambda j: j.peak * j.efficiency * j.flops)
speed("no_flops", "that the machine does in a second", lambda j: j.efficiency * j.peak)
speed("of_the_model", "with the model alone", lambda j: j.peak * j.efficiency / (2 * j.params_read))
speed("of_the_saes", "with the SAEs alone", lambda j: j.peak * j.efficiency / (j.n_saes * 12 * j.ab))
speed(
    "of_one_sae",
    "with one SAE; divide",
    lambda j: j.peak * j.efficiency / (2 * j.params_read + 12 * j.ab),
)
speed("times_saes", "counted once for each SAE", lambda j: j.rate * j.n_saes)
speed("shared", "as if they shared", lambda j: j.rate / j.n_saes)
speed("an_hour", "tokens in an hour", lambda j: j.rate * 60 * 60)
speed("teraflops", "no factor 10¹²", lambda j: j.peak * 1e12 * j.efficiency / j.flops)
speed("whole", "this is a whole number", lambda j: j.peak * j.efficiency // j.flops)
speed("of_all", "the expected number times `tokens`", lambda j: j.rate * j.tokens)

time("seconds", "these are seconds; an hour", lambda j: j.tokens / j.rate)
time("minutes", "these are minutes", lambda j: j.tokens / j.rate / 60)
time("days", "these are days", lambda j: j.tokens / j.rate / 3600 / 24)
time("times_3600", "are multiplied by 3600", lambda j: j.tokens / j.rate * 3600)
time("upside_down", "is divided by the tokens", lambda j: j.rate / j.tokens / 3600)
time("multiplied", "tokens are multiplied by", lambda j: j.rate * j.tokens / 3600)
time("for_each", "multiplied by `n_saes`", lambda j: j.n_saes * j.tokens / j.rate / 3600)
time("divided", "divided by `n_saes`", lambda j: j.tokens / j.rate / 3600 / j.n_saes)
time("peak_hours", "at the machine's peak; divide", lambda j: j.tokens * j.flops / j.peak / 3600)
time("started", "hours are rounded up", lambda j: math.ceil(j.h))
time("cut", "hours are cut off", lambda j: j.tokens / j.rate // 3600)
time("two_digits", "this is rounded", lambda j: round(j.h, 2))
time("no_tokens", "the expected number divided by `tokens`", lambda j: 1 / j.rate / 3600)
time("efficiency_again", "field hours of", lambda j: j.h / j.efficiency)

money("no_price", "these are the hours; each", lambda j: j.h)
money("price_alone", "price of an hour; multiply", lambda j: j.price)
money("by_second", "for every second", lambda j: j.h * 3600 * j.price)
money("by_minute", "for every minute", lambda j: j.h * 60 * j.price)
money("by_day", "for every day", lambda j: j.h / 24 * j.price)
money("over_price", "divided by the price", lambda j: j.h / j.price)
money("each_pays", "for every SAE; they share", lambda j: j.h * j.price * j.n_saes)
money("shared_bill", "the whole bill", lambda j: j.h * j.price / j.n_saes)
money("started_hours", "for every started hour", lambda j: math.ceil(j.h) * j.price)
money("price_twice", "the expected number times `price`", lambda j: j.h * j.price**2)
money("cents", "this is rounded", lambda j: round(j.h * j.price, 2))


@bills.wrong("this is right for cost. Have the fields changed places")
def hours_and_cost_swapped(**inputs):
    flops, rate, hours, cost = right(**inputs)
    return Bill(flops, rate, cost, hours)


@bills.wrong(r"expected Bill\(flops, tokens_per_second, hours, cost\)")
def the_cost_alone(**inputs):
    return right(**inputs).cost


@bills.wrong("a tuple of 2; expected 4")
def hours_and_cost(**inputs):
    return tuple(right(**inputs))[2:]


@bills.wrong("keep the first line")
def other_names(*, params, d_in, d_sae, n_saes, tokens, peak, efficiency, price):
    return Bill(1, 1, 1, 1)
