"""Bank for 8.10 margins: what is wrong where something is missing, and in the Series."""

import numpy as np
import pandas as pd
from bank_ch08_ahead import INF, NAN, as_in_the_chapter, best_of, compute, infinite, root, slip, tables, then

# What is missing.

then(
    "spoilt",
    "a baseline that wasn't run spoils",
    lambda found, scores: found.where(
        scores.groupby("metric", sort=False)["value"].apply(lambda v: v.notna().all())
    ),
)
slip(
    "filled_with_0",
    "has the value 0 here",
    others=lambda rows: rows[rows["whose"] != "SAE"].fillna({"value": 0.0}),
)
slip(
    "not_left_out",
    "a baseline that wasn't run spoils|Encountered all NA|leave out those not run",
    others=lambda rows: rows[rows["whose"] != "SAE"],
    best=lambda others, better: others.iloc[int(np.argmax(others["value"].to_numpy() * better))],
)
slip("unknown_is_nan", "makes the margin NaN", unknown=NAN)
slip("unknown_is_1", "counts as 1 here", unknown=1.0)
slip(
    "left_out_with_its_error",
    "a baseline whose error isn't known",
    others=lambda rows: rows[rows["whose"] != "SAE"].dropna(),
)


@tables.wrong("dropna")
def rows_dropped(scores):
    scores = scores[scores["value"].notna() | (scores["whose"] == "SAE")].dropna(subset=["value", "error"])
    return compute(scores)


def both_or_none(scores, found):
    for metric, rows in scores.groupby("metric", sort=False):
        own = rows[rows["whose"] == "SAE"].iloc[0]
        others = rows[(rows["whose"] != "SAE") & rows["value"].notna()]
        if others.empty:
            continue
        best = best_of(others, own["better"])
        if pd.isna(own["error"]) or pd.isna(best["error"]):
            found[metric] = infinite(own["better"] * (own["value"] - best["value"]), 1)
    return found


then(
    "both_errors_or_none",
    "the other is forgotten, too",
    lambda found, scores: both_or_none(scores, found),
)

slip("zero_for_none", "where no baseline was run, this is 0", none=0.0)
slip("infinite_for_none", "where no baseline was run, this is infinite", none=INF)
slip("left_out_for_none", "of which no baseline was run stays", none=None)


@tables.wrong("no baseline is left where none was run")
def first_of_none(scores):
    def margin(rows):
        rows = rows[rows["value"].notna()]
        own, best = rows[rows["whose"] == "SAE"].iloc[0], rows[rows["whose"] != "SAE"]
        best = best.iloc[(best["value"] * own["better"]).argsort().iloc[-1]]
        spread = root(*np.nan_to_num([own["error"], best["error"]]))
        gap = own["better"] * (own["value"] - best["value"])
        return gap / spread if spread else infinite(gap, 1)

    return pd.Series({metric: margin(rows) for metric, rows in scores.groupby("metric", sort=False)})


@tables.wrong("a division by zero where both")
def divided_anyway(scores):
    def divide(gap, better):
        return float(gap) / 0.0

    return compute(scores, flat=divide)


slip("flat_0", "where both errors are 0, this is 0", flat=lambda gap, better: 0.0)
slip("flat_nan", "where both errors are 0, this is NaN", flat=lambda gap, better: NAN)
slip("flat_gap", "where both errors are 0, this is the difference", flat=lambda gap, better: gap)
slip("flat_sign", "this is the sign of the difference", flat=lambda gap, better: np.sign(gap))
slip("flat_inf", "infinitely far ahead, even", flat=lambda gap, better: INF if gap else 0.0)
slip("flat_inf_always", "flat_inf_always gives inf", flat=lambda gap, better: INF)
slip("flat_without_better", "`better` is forgotten", flat=lambda gap, better: infinite(gap * better, 1))
slip("nothing_is_nan", "is NaN here", flat=lambda gap, better: np.sign(gap) * INF)
slip("nothing_is_inf", "is infinite here", flat=lambda gap, better: INF if gap >= 0 else -INF)
slip("nothing_is_minus_inf", "is −∞ here", flat=lambda gap, better: INF if gap > 0 else -INF)

# The Series.

then("sorted_metrics", "groupby sorts", lambda found, _: found.sort_index())
then("by_pivot", "groupby sorts", lambda found, _: found.sort_values())
then("without_labels", "the index of the Series are", lambda found, _: found.reset_index(drop=True))
then("a_dictionary", "returned a dict; expected a pd.Series", lambda found, _: found.to_dict())
then("an_array", "returned a ndarray; expected", lambda found, _: found.to_numpy())
then("a_frame", "returned a DataFrame; expected", lambda found, _: found.to_frame())
then("words", "gives a str for", lambda found, _: found.map("{:.1f} standard errors".format))
then("rounded", "rounded gives", lambda found, _: found.round(1))


@tables.wrong("changed its input scores")
def new_column(scores):
    scores["merit"] = scores["value"] * scores["better"]
    return as_in_the_chapter(scores)


@tables.wrong("changed its input scores")
def errors_filled_in_place(scores):
    scores.loc[scores["error"].isna(), "error"] = 0.0
    return as_in_the_chapter(scores)
