"""Check of 8.10 margins: how far the SAE is ahead of its best baseline, in standard errors."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import torch

from ..cases import Case, fresh
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of
from .ahead_slips import MISTAKES, NAN, RIGHT, Row

METRICS = ("variance", "probes", "absorbed", "KL", "spread", "loss")
"""Not in alphabetical order. Less is better of every second one, in some cases of the others."""
BASELINES = ("SAE of a random model", "PCA", "random directions", "neurons")


class Situation(NamedTuple):
    """What is special in a case."""

    what: str
    """For the message."""
    alter: Callable[[int, list[Row]], list[Row]]
    """The rows of a metric, from its number and ordinary rows: first the SAE, then the best baseline."""
    raised: str
    """What an exception is likely to come from."""


def _ordinary(_: int, rows: list[Row]) -> list[Row]:
    return rows


def _one_is_named_so(_: int, rows: list[Row]) -> list[Row]:
    """The best baseline has "SAE" in its name; values below 0."""
    names = [rows[0].whose, BASELINES[0], *(name for name in BASELINES if name != BASELINES[0])]
    return [row._replace(whose=who, value=row.value - 2) for row, who in zip(rows, names, strict=False)]


def _without_a_baseline(i: int, rows: list[Row]) -> list[Row]:
    """The best one, or another one, or none of them wasn't run."""
    missing = (1, 3, 0)[i % 3]
    return [row._replace(value=NAN, error=NAN) if j == missing > 0 else row for j, row in enumerate(rows)]


def _without_an_error(i: int, rows: list[Row]) -> list[Row]:
    """The SAE's, the best baseline's, or one that doesn't matter."""
    return [row._replace(error=NAN) if j == i % 3 else row for j, row in enumerate(rows)]


def _without_baselines(i: int, rows: list[Row]) -> list[Row]:
    return [rows[0], *(row._replace(value=NAN, error=NAN) for row in rows[1:])] if i in {1, 4} else rows


def _without_errors(i: int, rows: list[Row]) -> list[Row]:
    """0 or not known, both the SAE's and the best baseline's; in the last two metrics, no difference."""
    errors = ((0.0, 0.0), (NAN, NAN), (NAN, 0.0), (0.0, NAN))[i % 4]
    own, best = (row._replace(error=error) for row, error in zip(rows, errors, strict=False))
    return [own._replace(value=best.value) if i >= 4 else own, best, *rows[2:]]


SITUATIONS = (
    Situation("", _ordinary, ""),
    Situation("the best baseline has SAE in its name", _one_is_named_so, ""),
    Situation(
        "some baselines were not run", _without_a_baseline, "a baseline's NaN: leave out those not run."
    ),
    Situation(
        "some errors are not known",
        _without_an_error,
        "dropna() drops rows whose error is NaN, too; leave out by the value alone.",
    ),
    Situation(
        "no baseline was run for some metrics",
        _without_baselines,
        "no baseline is left where none was run; look for that first, and give NaN.",
    ),
    Situation(
        "some errors are 0",
        _without_errors,
        "a division by zero where both errors are 0: the sign of the difference times infinity.",
    ),
)


@exercise("8.10", "margins", minutes=8, hints=2)
def margins(t: Trial, student: Function) -> None:
    """Ordinary metrics first; then one thing at a time that may be missing."""
    passed: list[list[Row]] = []
    for number, case in enumerate(t.cases(len(SITUATIONS))):
        situation = SITUATIONS[number]
        table = _table(case, number, situation)
        groups = _by_metric(table)
        _note(t, table)
        seen = _margins(t, student, table, situation)
        right = {metric: RIGHT(rows) for metric, rows in groups.items()}
        wrong = [metric for metric, wanted in right.items() if not _same(seen[metric], wanted)]
        if wrong:
            raise _failure(student, situation, groups, seen, wrong[0], passed)
        passed += groups.values()


def _table(case: Case, number: int, situation: Situation) -> list[Row]:
    """All rows, shuffled; the SAE's is a metric's first where others lack something or are named alike.

    So leaving out rows changes no metric's place, and the first name with "SAE" in it is the SAE's.
    """
    rows = []
    for i, metric in enumerate(METRICS):
        rows += situation.alter(i, _rows(case, metric, i, 1 if (i + number // 3) % 2 else -1))
    order = torch.randperm(len(rows), generator=case.generator).tolist()
    rows = [rows[j] for j in order]
    for metric in METRICS if situation.what else ():
        at = {row.whose: j for j, row in enumerate(rows) if row.metric == metric}
        own, first = at["SAE"], min(at.values())
        rows[own], rows[first] = rows[first], rows[own]
    return rows


def _rows(case: Case, metric: str, i: int, better: int) -> list[Row]:
    """The SAE ahead of all, behind the best or in between, the best baseline, and the others.

    The best one has a small error, the second one a large one: the least margin is not that over the best.
    """
    gap = case.number(0.1, 0.2) * (-1 if i in {2, 3} else 1)
    values = [gap, 0.0, -case.number(0.03, 0.05), -case.number(0.07, 0.3)]
    own_error = case.number(0.02, 0.03) if i % 3 else case.number(0.005, 0.007)
    errors = [
        own_error,
        case.number(0.01, 0.015),
        case.number(0.1, 0.15),
        case.number(0.03, 0.05),
    ]
    base = case.number(0.5, 0.9)
    names = ["SAE", *(BASELINES[1 + (i + j) % 3] for j in range(3))]
    return [
        Row(metric, whose, base + better * value, error, better)
        for whose, value, error in zip(names, values, errors, strict=True)
    ]


def _by_metric(table: list[Row]) -> dict[str, list[Row]]:
    """In the order of each metric's first row."""
    found: dict[str, list[Row]] = {}
    for row in table:
        found.setdefault(row.metric, []).append(row)
    return found


def _note(t: Trial, table: list[Row]) -> None:
    """For a self-test: which mistakes show."""
    if t.shown is not None:
        groups = list(_by_metric(table).values())
        for sentence, rule in MISTAKES.items():
            shows = any(not _same(rule(rows), RIGHT(rows)) for rows in groups)
            t.shown[sentence] = t.shown.get(sentence, False) or shows


def _margins(t: Trial, student: Function, table: list[Row], situation: Situation) -> dict[str, float]:
    """What the learner's function gives, by metric; it must be a Series of them all, in order."""
    name, given = name_of(student), pd.DataFrame(table)
    kept = fresh(given)
    try:
        result = t.call(student, {"scores": given})
    except CheckFailed as failure:
        if failure.kind == "raised":
            failure.likely = situation.raised
        raise
    if not given.equals(kept):
        raise CheckFailed(
            f"{name} changed its input scores, which its caller may still need.",
            kind="changed input",
            likely="a new column or inplace=True; begin with scores = scores.copy().",
        )
    t.require(result is not None, f"{name} returned nothing (None): is there a `return`?", kind="none")
    t.require(
        isinstance(result, pd.Series),
        f"{name} returned a {type(result).__name__}; expected a pd.Series with a number for each metric.",
        likely="pd.Series({metric: margin, …}).",
        kind="type",
    )
    _labelled(t, name, list(result.index), list(_by_metric(table)))
    return {metric: _number(value, name, metric) for metric, value in zip(result.index, result, strict=True)}


def _labelled(t: Trial, name: str, seen: list[Any], metrics: list[str]) -> None:
    """Require an index of all metrics in their order."""
    if sorted(map(str, seen)) == sorted(metrics):
        t.require(
            seen == metrics,
            f"{name} has the order {', '.join(map(str, seen))}; expected {', '.join(metrics)}.",
            likely="groupby sorts, unless sort=False; a pivot and a set lose the order, too.",
            kind="order",
        )
        return
    missing = [metric for metric in metrics if metric not in seen]
    shown = ", ".join(map(str, seen[:8])) or "empty"
    likely = "one number for each metric, not for each row." if not missing else ""
    if missing and len(seen) == len(metrics):
        likely = "the index of the Series are the metrics: pd.Series({metric: margin, …})."
    elif missing:
        likely = "a metric of which no baseline was run stays, with NaN."
    t.require(
        False, f"The index of {name} is {shown}; expected {', '.join(metrics)}.", likely=likely, kind="index"
    )


def _number(value: Any, name: str, metric: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise CheckFailed(
            f"{name} gives a {type(value).__name__} for {metric}; expected a number.", kind="type"
        ) from None


def _same(seen: float, wanted: float) -> bool:
    """Also of NaN and of either infinity."""
    if math.isnan(wanted) or math.isnan(seen):
        return math.isnan(wanted) and math.isnan(seen)
    return math.isclose(seen, wanted, rel_tol=1e-4, abs_tol=1e-9)


def _failure(  # noqa: PLR0917
    student: Function,
    situation: Situation,
    groups: dict[str, list[Row]],
    seen: dict[str, float],
    metric: str,
    passed: list[list[Row]],
) -> CheckFailed:
    """About one metric, with its rows; a mistake explains all of them, and best if it fits what was right."""
    rows = groups[metric]
    failure = CheckFailed(
        f"{name_of(student)} gives {seen[metric]:.5g} for {metric}; expected {RIGHT(rows):.5g}.",
        kind="values",
    )
    failure.offered = list(MISTAKES)
    scores = {
        sentence: sum(_same(rule(group), RIGHT(group)) for group in passed)
        for sentence, rule in MISTAKES.items()
        if all(_same(seen[key], rule(group)) for key, group in groups.items())
    }
    failure.named = sorted(scores, key=lambda sentence: -scores[sentence])
    said = "; ".join(f"{row.whose} {row.value:.3g} ± {row.error:.2g}" for row in rows)
    special = f" ({situation.what})" if situation.what else ""
    failure.case = f"The rows of {metric}{special}: {said}; better {rows[0].better:+d}"
    return failure
