"""Check of 7.7 ways: several SAEs on the same tokens, streamed one by one, together, or from a cache."""

import math
from collections.abc import Callable
from typing import NamedTuple

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from .amounts import Rule, compare_numbers

N_SAES = (5, 1, 7, 11)
"""By case."""
BYTES_EACH = (4, 2, 4, 2)
"""By case. 4 comes first: there, a factor 2 too many is not the same as 4 bytes in place of bytes_each."""


class Plan(NamedTuple):
    """The arguments of ways."""

    n_saes: int
    tokens: int
    d_in: int
    bytes_each: int
    model_seconds: float
    sae_seconds: float
    disk: float


class Ways(NamedTuple):
    """Seconds in total, and what the cache takes on the disk."""

    stream: float
    together: float
    cache: float
    disk_bytes: float


def _seconds(p: Plan, models: int, saes: int, passes: int) -> float:
    """So many times every token in the model, in an SAE, and over the disk."""
    over_disk = p.d_in * p.bytes_each / p.disk
    return p.tokens * (models * p.model_seconds + saes * p.sae_seconds + passes * over_disk)


def _right(p: Plan) -> Ways:
    n = p.n_saes
    return Ways(
        stream=_seconds(p, models=n, saes=n, passes=0),
        together=_seconds(p, models=1, saes=n, passes=0),
        cache=_seconds(p, models=1, saes=n, passes=1 + n),
        disk_bytes=math.prod((p.bytes_each, p.d_in, p.tokens)),
    )


def _times(models: str = "0", saes: str = "0", passes: str = "0") -> Rule:
    """Other numbers of times: ``0``, ``1``, ``2``, ``n``, ``n+1`` or ``2n``."""

    def wrong(p: Plan) -> float:
        n = p.n_saes
        known = {"0": 0, "1": 1, "2": 2, "n": n, "n+1": n + 1, "2n": 2 * n}
        return _seconds(p, known[models], known[saes], known[passes])

    return wrong


def _cache_with(over_disk: Callable[[Plan], float]) -> Rule:
    """Right, but for the seconds of a pass over the disk."""
    return lambda p: _seconds(p, 1, p.n_saes, 0) + (1 + p.n_saes) * over_disk(p)


def _units(field: str) -> dict[str, Rule]:
    """What goes wrong with all three times."""
    return {
        "this is for one token; multiply by `tokens`.": lambda p: getattr(_right(p), field) / p.tokens,
        "these are minutes; seconds are wanted.": lambda p: getattr(_right(p), field) / 60,
        "these are hours; seconds are wanted.": lambda p: getattr(_right(p), field) / 3600,
        "this is for each SAE; the total is wanted.": lambda p: getattr(_right(p), field) / p.n_saes,
    }


STREAM: dict[str, Rule] = {
    "the model is run once here; one SAE after the other, it is run for each.": _times("1", "n"),
    "only one SAE's steps are in it; each SAE makes its own.": _times("n", "1"),
    "this is one SAE; there are `n_saes`, one after the other.": _times("1", "1"),
    "the SAEs' steps are missing. Nothing runs at the same time: add them.": _times("n", "0"),
    "the model's forward passes are missing. Nothing runs at the same time: add them.": _times("0", "n"),
    "the disk is in it; a stream never touches it.": _times("n", "n", "1"),
    "the disk is in it, for each SAE; a stream never touches it.": _times("n", "n", "n"),
    **_units("stream"),
}
TOGETHER: dict[str, Rule] = {
    "the model is run for each SAE here; together, it is run once.": _times("n", "n"),
    "only one SAE's steps are in it; nothing runs at the same time, so add those of each.": _times("1", "1"),
    "the model is run for each SAE, and one SAE makes steps; it is the other way round.": _times("n", "1"),
    "the SAEs' steps are missing: `n_saes` for each token.": _times("1", "0"),
    "the model's forward pass is missing. Nothing runs at the same time: add it.": _times("0", "n"),
    "the disk is in it; a stream never touches it, with many SAEs or one.": _times("1", "n", "1"),
    "the disk is in it, for each SAE; a stream never touches it, with many SAEs or one.": _times(
        "1", "n", "n"
    ),
    **_units("together"),
}
DISK_BYTES: dict[str, Rule] = {
    "multiplied by `n_saes`; the cache is kept once, for all SAEs.": lambda p: (
        p.tokens * p.d_in * p.bytes_each * p.n_saes
    ),
    "this is how many numbers there are; each has `bytes_each` bytes.": lambda p: p.tokens * p.d_in,
    "`d_in` is missing: an activation has d_in numbers.": lambda p: p.tokens * p.bytes_each,
    "this is one token; there are `tokens`.": lambda p: p.d_in * p.bytes_each,
    "every number has 4 bytes here; take `bytes_each`.": lambda p: 4 * p.tokens * p.d_in,
    "these are bits; a byte has 8 of them.": lambda p: 8 * p.tokens * p.d_in * p.bytes_each,
    "this is in GB (10⁹ bytes); bytes are wanted.": lambda p: p.tokens * p.d_in * p.bytes_each / 1e9,
    "this is in GiB (1024³ bytes); bytes are wanted.": lambda p: p.tokens * p.d_in * p.bytes_each / 1024**3,
    "these are the seconds of a pass over the disk; its bytes are wanted.": _times("0", "0", "1"),
    "this is twice the cache: what is read is no more than what was written.": lambda p: (
        2 * p.tokens * p.d_in * p.bytes_each
    ),
    "this is what is written and read in all; the cache lies on the disk once.": lambda p: (
        (1 + p.n_saes) * p.tokens * p.d_in * p.bytes_each
    ),
}
CACHE: dict[str, Rule] = {
    "the model's run is missing: it makes what is written.": _times("0", "n", "n+1"),
    "writing is missing: one pass over the disk, before the reading.": _times("1", "n", "n"),
    "model's run and writing are missing; only the training from the disk is in it.": _times("0", "n", "n"),
    "the cache is read once here; each SAE reads all of it.": _times("1", "n", "2"),
    "only one pass over the disk is in it; the cache is written once, and read `n_saes` times.": _times(
        "1", "n", "1"
    ),
    "the disk is missing, or with one token alone: all are written once, and read `n_saes` times.": _times(
        "1", "n", "0"
    ),
    "the cache is written for each SAE here; once is enough, for all.": _times("1", "n", "2n"),
    "the SAEs' steps are missing. Nothing runs at the same time as reading: add them.": _times(
        "1", "0", "n+1"
    ),
    "only one SAE's steps are in it; each SAE makes its own.": _times("1", "1", "n+1"),
    "the model is run for each SAE here; the cache is there so that it is run once.": _times("n", "n", "n+1"),
    "everything is done for each SAE here, from the model to the writing; both are done once.": _times(
        "n", "n", "2n"
    ),
    "this is with one SAE; there are `n_saes`, which all read and make steps.": _times("1", "1", "2"),
    "multiplied by `disk`; bytes divided by bytes a second are seconds.": _cache_with(
        lambda p: p.tokens * p.d_in * p.bytes_each * p.disk
    ),
    "`disk` is divided by the bytes: the other way round.": _cache_with(
        lambda p: p.disk / (p.tokens * p.d_in * p.bytes_each)
    ),
    "`bytes_each` is missing in what goes over the disk.": _cache_with(lambda p: p.tokens * p.d_in / p.disk),
    "`d_in` is missing in what goes over the disk.": _cache_with(lambda p: p.tokens * p.bytes_each / p.disk),
    "the disk's bytes are taken as bits: `disk` is bytes a second.": _cache_with(
        lambda p: 8 * p.tokens * p.d_in * p.bytes_each / p.disk
    ),
    "bytes were added to seconds: divide them by `disk`.": _cache_with(
        lambda p: p.tokens * p.d_in * p.bytes_each
    ),
    **_units("cache"),
}
MISTAKES = {"stream": STREAM, "together": TOGETHER, "disk_bytes": DISK_BYTES, "cache": CACHE}
"""The bytes come before the cache: they are a part of it."""


@exercise("7.7", "ways", minutes=8, hints=1)
def ways(t: Trial, student: Function) -> None:
    """Model, SAE and disk take about the same time for a token, so that each shows."""
    for number, case in enumerate(t.cases(len(N_SAES))):
        plan = _plan(case, number)
        compare_numbers(t, student, plan, _right(plan), mistakes=MISTAKES, kind="Ways")


def _plan(case: Case, number: int) -> Plan:
    """A pass over the disk takes longer than an SAE's step, and five steps longer than the model.

    So the longer one of two, where their sum is wanted, is the same one for every seed, and can be named.
    """
    d_in, bytes_each = int(case.integers("", 500, 3_000)), BYTES_EACH[number]
    return Plan(
        n_saes=N_SAES[number],
        tokens=int(case.integers("", 2_000_000, 9_000_000)),
        d_in=d_in,
        bytes_each=bytes_each,
        model_seconds=case.number(2.1e-5, 4e-5),
        sae_seconds=case.number(0.9e-5, 1.4e-5),
        disk=d_in * bytes_each / case.number(1.6e-5, 2e-5),
    )
