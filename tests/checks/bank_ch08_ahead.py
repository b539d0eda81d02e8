"""Bank for 8.10 margins."""

import math

import numpy as np
import pandas as pd
import torch
from bank import Bank

from sae_course.checks.ch08.ahead import margins

tables = Bank(margins)


@tables.right
def as_in_the_chapter(scores):
    found = {}
    for metric, rows in scores.groupby("metric", sort=False):
        own = rows[rows["whose"] == "SAE"].iloc[0]
        others = rows[(rows["whose"] != "SAE") & rows["value"].notna()]
        if others.empty:
            found[metric] = float("nan")
            continue
        best = others.loc[(others["value"] * own["better"]).idxmax()]
        ahead = own["better"] * (own["value"] - best["value"])
        errors = [0.0 if pd.isna(error) else error for error in (own["error"], best["error"])]
        spread = (errors[0] ** 2 + errors[1] ** 2) ** 0.5
        if spread:
            found[metric] = ahead / spread
        else:
            found[metric] = 0.0 if ahead == 0 else float("inf") * (1 if ahead > 0 else -1)
    return pd.Series(found)


@tables.right
def by_merging(scores):
    """A metric without baselines is missing in the one half, and comes back as NaN."""
    scores = scores.assign(merit=scores["value"] * scores["better"], error=scores["error"].fillna(0.0))
    own = scores[scores["whose"] == "SAE"].set_index("metric")
    others = scores[scores["whose"] != "SAE"].dropna(subset=["merit"]).sort_values("merit")
    best = others.groupby("metric").last()
    both = own.join(best, rsuffix="_best").reindex(scores["metric"].unique())
    gap = both["merit"] - both["merit_best"]
    with np.errstate(all="ignore"):
        margin = gap / np.hypot(both["error"], both["error_best"])
    return margin.mask(gap == 0, 0.0)


@tables.right
def in_plain_python(scores):
    groups = {}
    for row in scores.to_dict("records"):
        groups.setdefault(row["metric"], {})[row["whose"]] = row
    found = []
    for rows in groups.values():
        own = rows.pop("SAE")
        ran = [row for row in rows.values() if row["value"] == row["value"]]
        ran.sort(key=lambda row: row["value"], reverse=own["better"] > 0)
        if not ran:
            found.append(None)
            continue
        errors = [e for e in (own["error"], ran[0]["error"]) if not math.isnan(e)]
        gap = (own["value"] - ran[0]["value"]) * own["better"]
        spread = math.sqrt(sum(e * e for e in errors))
        found.append(gap / spread if spread else math.copysign(math.inf, gap) if gap else 0)
    return pd.Series(found, index=list(groups), dtype="float64", name="margin")


@tables.right
def with_apply_and_torch(scores):
    def margin(rows):
        is_own = (rows["whose"] == "SAE").to_numpy()
        value, error, better = (
            torch.tensor(rows[c].to_numpy(dtype=float)) for c in ("value", "error", "better")
        )
        merit = torch.nan_to_num(value * better, nan=-math.inf)
        if merit[~is_own].isneginf().all():
            return torch.tensor(math.nan)
        best = merit.masked_fill(torch.tensor(is_own), -math.inf).argmax()
        own = int(is_own.argmax())
        squares = error.nan_to_num(0.0).square()
        gap = merit[own] - merit[best]
        return (
            gap.sign() * (gap.abs() / (squares[own] + squares[best]).sqrt()).nan_to_num(0.0, posinf=math.inf)
            if gap
            else gap
        )

    return pd.Series({metric: margin(rows) for metric, rows in scores.groupby("metric", sort=False)})


NAN, INF = math.nan, math.inf


def best_of(others, better):
    return others.loc[(others["value"] * better).idxmax()]


def infinite(gap, better):
    return math.copysign(INF, gap) if gap else 0.0


def root(own, best):
    return math.sqrt(own**2 + best**2)


def compute(
    scores, *, others=None, best=best_of, gap=None, spread=root, flat=infinite, unknown=0.0, none=NAN
):
    """The margins, with what is given for a part of them."""
    found = {}
    for metric, rows in scores.groupby("metric", sort=False):
        own = rows[rows["whose"] == "SAE"].iloc[0]
        ran = rows[(rows["whose"] != "SAE") & rows["value"].notna()] if others is None else others(rows)
        if ran.empty:
            if none is not None:
                found[metric] = none
            continue
        rival = best(ran, own["better"])
        ahead = gap(own, rival) if gap else own["better"] * (own["value"] - rival["value"])
        size = spread(*(unknown if pd.isna(row["error"]) else row["error"] for row in (own, rival)))
        found[metric] = ahead / size if size else flat(ahead, own["better"])
    return pd.Series(found)


def slip(name, message, **parts):
    def variant(scores):
        return compute(scores, **parts)

    variant.__name__ = name
    tables.wrong(message)(variant)


def then(name, message, change):
    """Something done to the right margins."""

    def variant(scores):
        return change(as_in_the_chapter(scores), scores)

    variant.__name__ = name
    tables.wrong(message)(variant)


# The best baseline.

slip(
    "largest_value",
    "the best baseline has the largest value here",
    best=lambda others, _: others.loc[others["value"].idxmax()],
)
slip(
    "smallest_value",
    "the best baseline has the smallest value here",
    best=lambda others, _: others.loc[others["value"].idxmin()],
)
slip("worst", "over the worst baseline", best=lambda others, better: best_of(others, -better))
slip("first", "over the first baseline", best=lambda others, _: others.iloc[0])
slip("last", "over the last baseline", best=lambda others, _: others.iloc[-1])
slip(
    "mean",
    "over the mean of the baselines",
    best=lambda others, _: {"value": others["value"].mean(), "error": others["error"].fillna(0.0).mean()},
)
slip("with_itself", "the SAE itself is among", others=lambda rows: rows[rows["value"].notna()])
slip(
    "every_sae",
    'a baseline with "SAE" in its name',
    others=lambda rows: rows[~rows["whose"].str.contains("SAE") & rows["value"].notna()],
)
slip(
    "position_for_label",
    "raised KeyError|gives",
    best=lambda others, better: others.loc[int((others["value"] * better).argmax())],
)


@tables.wrong("the first row of a metric is taken for the SAE's")
def first_row_is_the_sae(scores):
    first = ~scores["metric"].duplicated()
    return compute(scores.assign(whose=first.map({True: "SAE", False: "a baseline"})))


def all_margins(scores):
    """Of every metric, over each of its baselines."""
    for metric, rows in scores.groupby("metric", sort=False):
        own = rows[rows["whose"] == "SAE"]
        others = rows[(rows["whose"] != "SAE") & rows["value"].notna()]
        pairs = [pd.concat([own, others[others["whose"] == who]]) for who in others["whose"]]
        yield metric, [as_in_the_chapter(pair).iloc[0] for pair in pairs] or [NAN]


@tables.wrong("the least of the margins")
def least(scores):
    return pd.Series({metric: min(found) for metric, found in all_margins(scores)})


@tables.wrong("the largest of the margins")
def largest(scores):
    return pd.Series({metric: max(found) for metric, found in all_margins(scores)})


@tables.wrong("expected variance|expected .*, variance|one number for each metric")
def over_each_baseline(scores):
    found = [(metric, one) for metric, ones in all_margins(scores) for one in ones]
    return pd.Series([one for _, one in found], index=[metric for metric, _ in found])


# The difference.

slip(
    "better_forgotten_in_the_difference",
    "the SAE is ahead when its value is smaller",
    gap=lambda own, best: own["value"] - best["value"],
)


@tables.wrong("`better` is not looked at")
def better_forgotten(scores):
    return compute(scores.assign(better=1))


@tables.wrong("better_of_the_first_row gives")
def better_of_the_first_row(scores):
    return compute(scores.assign(better=scores["better"].iloc[0]))


then("other_way_round", "the sign is the wrong way round", lambda found, _: -found)
then("no_sign", "the sign is lost", lambda found, _: found.abs())
slip(
    "relative",
    "relative gives",
    gap=lambda own, best: own["better"] * (own["value"] - best["value"]) / best["value"],
)

# The standard error of the difference.

slip("added", "the two errors were added", spread=lambda own, best: own + best)
slip("no_root", "the root is missing", spread=lambda own, best: own**2 + best**2)
slip("not_squared", "not squared under the root", spread=lambda own, best: (own + best) ** 0.5)
slip("own_error", "only the SAE's error", spread=lambda own, best: own)
slip("best_error", "only the baseline's error", spread=lambda own, best: best)
slip("mean_square", "the mean of the two squared errors", spread=lambda *two: np.mean(np.square(two)) ** 0.5)
slip("mean_error", "by the mean of the two errors", spread=lambda *two: np.mean(two))
slip("larger_error", "by the larger error", spread=max)
slip("difference_of_squares", "of_squares gives", spread=lambda own, best: abs(own**2 - best**2) ** 0.5)
slip("difference_alone", "the difference itself", spread=lambda own, best: 1)
slip("multiplied", "multiplied by its standard", spread=lambda *two: 1 / root(*two) if any(two) else 0)
slip("in_percent", "in_percent gives", spread=lambda own, best: root(own, best) / 100)
