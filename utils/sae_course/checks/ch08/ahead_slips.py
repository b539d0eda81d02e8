"""Ways to come to the margins of 8.10: the right one, and the likely wrong ones."""

import math
from collections.abc import Callable
from statistics import fmean
from typing import NamedTuple

NAN, INF = math.nan, math.inf


class Row(NamedTuple):
    """Of the table."""

    metric: str
    whose: str
    value: float
    error: float
    better: int


Rule = Callable[[list[Row]], float]
"""The margin, from a metric's rows."""


def _run(rows: list[Row]) -> list[Row]:
    """The baselines that have a value."""
    return [row for row in rows if row.whose != "SAE" and not math.isnan(row.value)]


def _best(others: list[Row]) -> Row:
    return max(others, key=lambda row: row.better * row.value)


def _ahead(own: Row, best: Row) -> float:
    return own.better * (own.value - best.value)


def _flat(own: Row, best: Row) -> float:
    """Where both errors are 0."""
    gap = _ahead(own, best)
    return math.copysign(INF, gap) if gap else 0.0


def _way(
    *,
    run: Callable[[list[Row]], list[Row]] = _run,
    choose: Callable[[list[Row]], Row] = _best,
    ahead: Callable[[Row, Row], float] = _ahead,
    spread: Callable[[float, float], float] = math.hypot,
    flat: Callable[[Row, Row], float] = _flat,
    unknown: float = 0.0,
    none: float = NAN,
) -> Rule:
    """A way to come to a margin; the defaults are the right one."""

    def margin(rows: list[Row]) -> float:
        own = next(row for row in rows if row.whose == "SAE")
        others = run(rows)
        if not others:
            return none
        best = choose(others)
        size = spread(*(unknown if math.isnan(row.error) else row.error for row in (own, best)))
        return ahead(own, best) / size if size else flat(own, best)

    return margin


def _among_all(pick: Callable[[list[float]], float]) -> Rule:
    """One of the margins over the single baselines."""

    def margin(rows: list[Row]) -> float:
        own = next(row for row in rows if row.whose == "SAE")
        return pick([RIGHT([own, other]) for other in _run(rows)] or [NAN])

    return margin


def _mean(others: list[Row]) -> Row:
    """No baseline, but the mean of them."""
    errors = [0.0 if math.isnan(row.error) else row.error for row in others]
    return others[0]._replace(value=fmean(row.value for row in others), error=fmean(errors))


def _with_zeros(rows: list[Row]) -> list[Row]:
    """A baseline that wasn't run has the value 0."""
    filled = [row._replace(value=0.0) if math.isnan(row.value) else row for row in rows]
    return _run(filled)


def _nan_if(found: Callable[[list[Row]], bool]) -> Rule:
    return lambda rows: NAN if found(rows) else RIGHT(rows)


def _of_own(rows: list[Row]) -> Row:
    return next(row for row in rows if row.whose == "SAE")


def _renamed(row: Row, own: str) -> Row:
    """With another one's row as the SAE's, and the SAE's as a baseline's."""
    return row._replace(whose="SAE" if row.whose == own else "not " + row.whose)


def _flat_if_one_is_unknown(rows: list[Row]) -> float:
    """As if no error were known as soon as one isn't."""
    others = _run(rows)
    one_unknown = others and any(math.isnan(row.error) for row in (_of_own(rows), _best(others)))
    return _flat(_of_own(rows), _best(others)) if one_unknown else RIGHT(rows)


RIGHT = _way()
MISTAKES: dict[str, Rule] = {
    "the best baseline has the largest value here; where less is better, it has the smallest.": _way(
        choose=lambda others: max(others, key=lambda row: row.value)
    ),
    "the best baseline has the smallest value here; where more is better, it has the largest.": _way(
        choose=lambda others: min(others, key=lambda row: row.value)
    ),
    "where less is better, the SAE is ahead when its value is smaller: times `better`.": _way(
        ahead=lambda own, best: own.value - best.value,
        flat=lambda own, best: own.better * _flat(own, best),
    ),
    "`better` is not looked at: where it is −1, the smallest value is best, and to be below it is ahead.": (
        lambda rows: RIGHT([row._replace(better=1) for row in rows])
    ),
    "this is the margin over the worst baseline; the best one is wanted.": _way(
        choose=lambda others: min(others, key=lambda row: row.better * row.value)
    ),
    "this is the margin over the first baseline; the best one is wanted.": _way(
        choose=lambda others: others[0]
    ),
    "this is the margin over the last baseline; the best one is wanted.": _way(
        choose=lambda others: others[-1]
    ),
    "this is the margin over the mean of the baselines; the best one is wanted.": _way(choose=_mean),
    "this is the least of the margins; the best baseline is the one with the best value.": _among_all(min),
    "this is the largest of the margins; the best baseline is the one with the best value.": _among_all(max),
    "the SAE itself is among the baselines: where it is the best of all, it is ahead of itself by 0.": _way(
        run=lambda rows: [row for row in rows if not math.isnan(row.value)] if _run(rows) else []
    ),
    'a baseline with "SAE" in its name is left out; the SAE\'s own name is just "SAE".': _way(
        run=lambda rows: [row for row in _run(rows) if "SAE" not in row.whose]
    ),
    'the first row of a metric is taken for the SAE\'s; it is the row where `whose` is "SAE".': (
        lambda rows: RIGHT([_renamed(row, rows[0].whose) for row in rows])
    ),
    "the sign is the wrong way round: better · (SAE − best).": lambda rows: -RIGHT(rows),
    "the sign is lost; where the SAE is behind, the margin is negative.": lambda rows: abs(RIGHT(rows)),
    "the two errors were added; the difference has the root of the sum of their squares.": _way(
        spread=lambda own, best: own + best
    ),
    "the root is missing: √(e² + e²).": _way(spread=lambda own, best: own**2 + best**2),
    "the errors are not squared under the root: √(e² + e²).": _way(
        spread=lambda own, best: math.sqrt(own + best)
    ),
    "only the SAE's error is looked at; the baseline has one, too.": _way(spread=lambda own, _: own),
    "only the baseline's error is looked at; the SAE has one, too.": _way(spread=lambda _, best: best),
    "this is the mean of the two squared errors under the root; their sum is wanted.": _way(
        spread=lambda own, best: math.hypot(own, best) / math.sqrt(2)
    ),
    "the difference is divided by the mean of the two errors; take √(e² + e²).": _way(
        spread=lambda own, best: (own + best) / 2
    ),
    "the difference is divided by the larger error; take √(e² + e²).": _way(spread=max),
    "this is the difference itself; divide it by its standard error.": _way(spread=lambda *_: 1.0),
    "the difference is multiplied by its standard error; divide.": _way(
        spread=lambda own, best: 1 / math.hypot(own, best) if own or best else 0.0
    ),
    "a baseline that wasn't run spoils the metric: leave out its NaN first.": _nan_if(
        lambda rows: any(math.isnan(row.value) for row in rows)
    ),
    "a baseline that wasn't run has the value 0 here; leave it out.": _way(run=_with_zeros),
    "an error that isn't known makes the margin NaN; it counts as 0.": _way(unknown=NAN),
    "an error that isn't known counts as 1 here; it counts as 0.": _way(unknown=1.0),
    "a baseline whose error isn't known is left out; its error counts as 0, and it may be the best.": _way(
        run=lambda rows: [row for row in _run(rows) if not math.isnan(row.error)]
    ),
    "where one error isn't known, the other is forgotten, too; only the unknown one counts as 0.": (
        _flat_if_one_is_unknown
    ),
    "where no baseline was run, this is 0; NaN is wanted: nothing is known.": _way(none=0.0),
    "where no baseline was run, this is infinite; NaN is wanted: nothing is known.": _way(none=INF),
    "where both errors are 0, this is 0; it is the sign of the difference times infinity.": _way(
        flat=lambda *_: 0.0
    ),
    "where both errors are 0, this is NaN; it is the sign of the difference times infinity.": _way(
        flat=lambda *_: NAN
    ),
    "where both errors are 0, this is the difference; it is its sign times infinity.": _way(flat=_ahead),
    "where both errors are 0, this is the sign of the difference; times infinity, it is the margin.": _way(
        flat=lambda own, best: max(-1.0, min(1.0, _flat(own, best)))
    ),
    "where both errors are 0, the SAE is infinitely far ahead, even if it is behind: mind the sign.": _way(
        flat=lambda own, best: abs(_flat(own, best))
    ),
    "where both errors are 0, `better` is forgotten: less may be better.": _way(
        flat=lambda own, best: own.better * _flat(own, best)
    ),
    "no difference, and no errors, is NaN here (0 / 0, or 0 · ∞); the margin is 0.": _way(
        flat=lambda own, best: _flat(own, best) or NAN
    ),
    "no difference, and no errors, is infinite here; the margin is 0.": _way(
        flat=lambda own, best: _flat(own, best) or INF
    ),
    "no difference, and no errors, is −∞ here; the margin is 0.": _way(
        flat=lambda own, best: _flat(own, best) or -INF
    ),
}
