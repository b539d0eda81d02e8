"""Check of 7.4 bill: what a training takes in FLOPs, hours and money."""

import math
from typing import NamedTuple

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from .amounts import Rule, compare_numbers

N_SAES = (5, 1, 7, 11)
"""By case. 5 comes first: with 3, a model that is trained, too, looks like one that is run for each SAE."""


class Job(NamedTuple):
    """The arguments of bill."""

    params_read: int
    d_in: int
    d_sae: int
    n_saes: int
    tokens: float
    peak: float
    efficiency: float
    price: float


class Bill(NamedTuple):
    """What a training costs."""

    flops: float
    tokens_per_second: float
    hours: float
    cost: float


def _right(j: Job) -> Bill:
    """Every matrix product of the SAEs by its sizes, then seconds for all tokens at once."""
    encoder, decoder = (1, j.d_in, j.d_sae), (1, j.d_sae, j.d_in)
    of_input = [(1, j.d_sae, j.d_in), (1, j.d_in, j.d_sae)]  # gradients: [1, out] with a matrix [out, in]
    of_weights = [(j.d_in, 1, j.d_sae), (j.d_sae, 1, j.d_in)]  # [in, 1] with [1, out]
    products = [encoder, decoder, *of_input, *of_weights]
    flops = 2 * j.params_read + sum(2 * n * a * b for n, a, b in products for _ in range(j.n_saes))
    seconds = j.tokens * flops / (j.peak * j.efficiency)
    hours = seconds / 60 / 60
    return Bill(flops, j.tokens / seconds, hours, j.price * hours)


def _weights(j: Job) -> int:
    """The numbers in one matrix of all SAEs."""
    return j.n_saes * j.d_in * j.d_sae


def _rate(j: Job) -> float:
    return _right(j).tokens_per_second


def _hours(j: Job) -> float:
    return _right(j).hours


FLOPS: dict[str, Rule] = {
    "one FLOP for each number of a matrix here; a multiplication and an addition are two.": lambda j: (
        j.params_read + 6 * _weights(j)
    ),
    "the model has one FLOP for each parameter here; a multiplication and an addition are two.": lambda j: (
        j.params_read + 12 * _weights(j)
    ),
    "an SAE takes 6·d_in·d_sae FLOPs here: six products, of two FLOPs for each number, are 12.": lambda j: (
        2 * j.params_read + 6 * _weights(j)
    ),
    "an SAE takes 4·d_in·d_sae FLOPs here, as it does forward; four products backward come on top.": (
        lambda j: 2 * j.params_read + 4 * _weights(j)
    ),
    "an SAE takes 8·d_in·d_sae FLOPs here, as for four products. Two forward and four backward are six.": (
        lambda j: 2 * j.params_read + 8 * _weights(j)
    ),
    "an SAE takes 2·d_in·d_sae FLOPs here, as for one product. Two forward and four backward are six.": (
        lambda j: 2 * j.params_read + 2 * _weights(j)
    ),
    "the biases are counted, too; only the matrix products are, of d_in × d_sae.": lambda j: (
        2 * j.params_read + 12 * _weights(j) + 6 * j.n_saes * (j.d_sae + j.d_in)
    ),
    "the model has 6 FLOPs for each parameter here, as if it were trained; it runs forward only, 2.": (
        lambda j: 6 * j.params_read + 12 * _weights(j)
    ),
    "the model runs once for each SAE here; it runs once for all of them.": lambda j: (
        2 * j.params_read * j.n_saes + 12 * _weights(j)
    ),
    "this is with one SAE; there are `n_saes`.": lambda j: 2 * j.params_read + 12 * j.d_in * j.d_sae,
    "the model's FLOPs are missing: 2 for each of `params_read`.": lambda j: 12 * _weights(j),
    "the SAEs' FLOPs are missing: this is the model alone.": lambda j: 2 * j.params_read,
    "these are the FLOPs of all tokens; those of one are wanted.": lambda j: _right(j).flops * j.tokens,
}
TOKENS_PER_SECOND: dict[str, Rule] = {
    "`efficiency` is missing: this is at the machine's peak.": lambda j: j.peak / _right(j).flops,
    "divided by `efficiency`; the machine does less than its peak: multiply.": lambda j: (
        j.peak / j.efficiency / _right(j).flops
    ),
    "these are seconds for each token: the other way round.": lambda j: 1 / _rate(j),
    "multiplied by the FLOPs of a token; divide by them.": lambda j: j.peak * j.efficiency * _right(j).flops,
    "these are the FLOPs that the machine does in a second; divide by those of a token.": lambda j: (
        j.peak * j.efficiency
    ),
    "this is with the model alone; divide by the FLOPs of the model and all SAEs.": lambda j: (
        j.peak * j.efficiency / (2 * j.params_read)
    ),
    "this is with the SAEs alone; divide by the FLOPs of the model and all SAEs.": lambda j: (
        j.peak * j.efficiency / (12 * _weights(j))
    ),
    "this is with one SAE; divide by the FLOPs of the model and all SAEs.": lambda j: (
        j.peak * j.efficiency / (2 * j.params_read + 12 * j.d_in * j.d_sae)
    ),
    "every token is counted once for each SAE; all SAEs learn from the same tokens.": lambda j: (
        _rate(j) * j.n_saes
    ),
    "these are tokens for each SAE, as if they shared them; every SAE learns from all.": lambda j: (
        _rate(j) / j.n_saes
    ),
    "these are tokens in an hour; those in a second are wanted.": lambda j: _rate(j) * 3600,
    "`peak` is in FLOPs a second already: no factor 10¹².": lambda j: _rate(j) * 1e12,
    "this is a whole number, // for / or int(...): keep the fraction.": lambda j: math.floor(_rate(j)),
}
HOURS: dict[str, Rule] = {
    "these are seconds; an hour has 3600.": lambda j: _hours(j) * 3600,
    "these are minutes: divide by 60 once more.": lambda j: _hours(j) * 60,
    "these are days; hours are wanted.": lambda j: _hours(j) / 24,
    "the seconds are multiplied by 3600; divide by it.": lambda j: _hours(j) * 3600**2,
    "tokens_per_second is divided by the tokens: the other way round.": lambda j: _rate(j) / j.tokens / 3600,
    "the tokens are multiplied by tokens_per_second; divide by it.": lambda j: j.tokens * _rate(j) / 3600,
    "the hours are multiplied by `n_saes`; all SAEs learn at the same time.": lambda j: _hours(j) * j.n_saes,
    "the hours are divided by `n_saes`; every SAE learns from all tokens.": lambda j: _hours(j) / j.n_saes,
    "the hours are those at the machine's peak; divide the tokens by tokens_per_second.": lambda j: (
        _hours(j) * j.efficiency
    ),
    "the hours are rounded up; keep the fraction.": lambda j: math.ceil(_hours(j)),
    "the hours are cut off, // for / or int(...): keep the fraction.": lambda j: math.floor(_hours(j)),
}
COST: dict[str, Rule] = {
    "these are the hours; each costs `price`.": _hours,
    "this is the price of an hour; multiply by the hours.": lambda j: j.price,
    "the price was paid for every second; it is for an hour.": lambda j: _right(j).cost * 3600,
    "the price was paid for every minute; it is for an hour.": lambda j: _right(j).cost * 60,
    "the price was paid for every day; it is for an hour.": lambda j: _right(j).cost / 24,
    "the hours are divided by the price; multiply.": lambda j: _hours(j) / j.price,
    "the price was paid for every SAE; they share one machine.": lambda j: _right(j).cost * j.n_saes,
    "the cost is divided by `n_saes`; the whole bill is wanted.": lambda j: _right(j).cost / j.n_saes,
    "the price was paid for every started hour; for the hours as they are is wanted.": lambda j: (
        math.ceil(_hours(j)) * j.price
    ),
}
MISTAKES = {"flops": FLOPS, "tokens_per_second": TOKENS_PER_SECOND, "hours": HOURS, "cost": COST}


@exercise("7.4", "bill", minutes=8, hints=1)
def bill(t: Trial, student: Function) -> None:
    """Model and SAEs take about as many FLOPs, so that both show; the hours are many, and not whole."""
    for number, case in enumerate(t.cases(len(N_SAES))):
        job = _job(case, N_SAES[number])
        compare_numbers(t, student, job, _right(job), mistakes=MISTAKES, kind="Bill")


def _job(case: Case, n_saes: int) -> Job:
    def whole(low: int, high: int) -> int:
        return int(case.integers("", low, high))

    return Job(
        params_read=whole(20_000_000, 90_000_000),
        d_in=whole(300, 900),
        d_sae=whole(1_500, 4_000),
        n_saes=n_saes,
        tokens=float(whole(30_000_000_000, 90_000_000_000)),
        peak=case.number(2e13, 6e13),
        efficiency=case.number(0.22, 0.45),
        price=case.number(1.3, 2.9),
    )
