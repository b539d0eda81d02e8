"""Chapter 02a's recorded comparison: every architecture over a range of sparsity, and what lies beneath."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...runtime import CourseError
from .. import recorded_file
from .wrong_recorded import curve_over

if TYPE_CHECKING:
    import pandas as pd

    from ...figures.runs import Curve

FILE = "toy_variants.json"
NAMES = {
    "explained_variance": "explained variance",
    "mcc": "recovery (MCC)",
    "f1": "F1 of latents as detectors",
    "shrinkage": "shrinkage",
    "dead": "dead latents",
    "decoder_cosine": "mean |cosine| in the decoder",
    "least_decoder_cosine": "least cosine in the decoder",
}


def recorded_comparison() -> dict[str, Any]:
    """What ``python -m sae_course.training.toys.record`` measured.

    Returns:
        ``settings``; ``variants`` and ``baselines``: by name a list of rows, one for each SAE, with its
        ``value`` (of the setting that says how sparse), its ``world`` and its scores.

    Raises:
        CourseError: when the file was changed after it was recorded.
    """
    found = recorded_file.read(FILE)
    record: dict[str, Any] = recorded_file.untouched(FILE, found, "record")
    return record


def frontiers(
    record: dict[str, Any], names: Sequence[str], metrics: Sequence[str], *, baselines: bool = False
) -> "dict[str, list[Curve]]":
    """Metrics against L0, to be drawn: a panel for each metric, a curve for each architecture.

    Args:
        record: of `recorded_comparison`.
        names: of the architectures.
        metrics: of `NAMES`.
        baselines: whether to add these, as controls.

    Raises:
        CourseError: for a name that there isn't.
    """
    rows = {name: _rows(record["variants"], name) for name in names}
    frozen = record["variants"]["frozen random decoder"]
    below = {**record["baselines"], "frozen random decoder": frozen} if baselines else {}
    return {
        NAMES[metric]: [
            *(_curve(name, rows[name], metric) for name in names),
            *(_curve(name, found, metric, control=True) for name, found in below.items()),
        ]
        for metric in metrics
    }


def recorded_table(record: dict[str, Any], k: int, columns: Sequence[str]) -> "pd.DataFrame":
    """What was recorded with ``k`` latents a sample: mean ± standard deviation over worlds, best F1 first.

    Of the architectures those that have a ``k``; and the baselines.

    Args:
        record: of `recorded_comparison`.
        k: latents that fire on a sample.
        columns: of the scores.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    rows = [
        {"name": name, **{column: row[column] for column in columns}, "order": row["f1"]}
        for name, found in (record["variants"] | record["baselines"]).items()
        for row in found
        if row["value"] in (k, 0)  # 0: the true features, of which there are as many as there are
    ]
    groups = pd.DataFrame(rows).groupby("name")
    order = groups["order"].mean().sort_values(ascending=False).index
    mean, deviation = groups[list(columns)].mean().loc[order], groups[list(columns)].std().loc[order]
    return mean.map("{:.3f}".format) + " ± " + deviation.map("{:.3f}".format)


def _rows(variants: dict[str, Any], name: str) -> list[dict[str, float]]:
    if name not in variants:
        raise CourseError(f'"{name}" was not recorded: there are {", ".join(variants)}.')
    found: list[dict[str, float]] = variants[name]
    return found


def _curve(name: str, rows: list[dict[str, float]], metric: str, control: bool = False) -> "Curve":
    curve = curve_over(rows, metric, name, along="value", control=control)
    l0 = curve_over(rows, "l0", name, along="value").values
    order = l0.argsort()
    low, high = (None if edge is None else edge[order] for edge in (curve.low, curve.high))
    return curve._replace(steps=l0[order], values=curve.values[order], low=low, high=high)
