"""Check of 4.10: the variance of the activations that an evaluation's two numbers imply."""

from collections.abc import Callable
from typing import Any

from ...clinic.archive import in_memory
from ...runs import Run
from ...runs.files import METRICS, Line
from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial
from .asking import missing_metric

ERROR = "reconstruction_quality.mse"
EXPLAINED = "reconstruction_quality.explained_variance"
LENGTH = "shrinkage.l2_norm_in"
Read = Callable[[Run, str], float]


def _last(run: Run, metric: str) -> float:
    return run.final[metric]


def _from(read: Read = _last, *, error: str = ERROR, explained: str = EXPLAINED, length: str = LENGTH) -> Any:
    """Right but for which numbers are taken, and how."""
    return lambda run: read(run, error) / (1 - read(run, explained)) / read(run, length) ** 2


def _of(formula: Callable[[float, float, float], float]) -> Callable[[Run], float]:
    """Of the right numbers: the error, the unexplained share, and the length."""
    return lambda run: formula(run.final[ERROR], 1 - run.final[EXPLAINED], run.final[LENGTH])


_implied = _of(lambda error, unexplained, length: error / unexplained / length**2)

MISTAKES: dict[str, Callable[[Run], float]] = {
    "it is not divided by the squared length: shrinkage.l2_norm_in, squared.": _of(
        lambda error, unexplained, length: error / unexplained
    ),
    "it is divided by the length, not by its square: a variance goes with a length squared.": _of(
        lambda error, unexplained, length: error / unexplained / length
    ),
    "it is multiplied by the squared length; divide by it. Mind the brackets after a /.": _of(
        lambda error, unexplained, length: error / unexplained * length**2
    ),
    "this divides by the explained share; the error is what is left: 1 − explained variance.": _of(
        lambda error, unexplained, length: error / (1 - unexplained) / length**2
    ),
    "this multiplies by the unexplained share: the error is that share of the variance, so divide.": _of(
        lambda error, unexplained, length: error * unexplained / length**2
    ),
    "this is upside down.": lambda run: 1 / _implied(run),
    "the square root was taken: a variance is wanted.": lambda run: _implied(run) ** 0.5,
    "error and explained variance are those of training (losses/…, metrics/…); take the evaluation's, "
    "reconstruction_quality.…": _from(error="losses/mse_loss", explained="metrics/explained_variance"),
    "the explained variance is that of training (metrics/…), the error the evaluation's: take both from "
    "reconstruction_quality.": _from(explained="metrics/explained_variance"),
    "the error is that of training (losses/…), the explained variance the evaluation's: take both from "
    "reconstruction_quality.": _from(error="losses/mse_loss"),
    "the length is that of the reconstructions, l2_norm_out; that of the activations is l2_norm_in.": _from(
        length="shrinkage.l2_norm_out"
    ),
    "these are the first values of the run; take the last ones: run.final.": _from(
        lambda run, metric: float(run.metrics[metric].dropna().iloc[0])
    ),
    "these are means over the whole run; take the last values: run.final.": _from(
        lambda run, metric: float(run.metrics[metric].mean())
    ),
}


@exercise("4.10", "implied_variance", minutes=5, hints=2)
def implied_variance(t: Trial, student: Function) -> None:
    """Short runs of random numbers, in which training and evaluation disagree."""
    for case in t.cases(5):
        run = _run(case)
        try:
            t.against(student, {"run": run}, _implied, mistakes=MISTAKES)
        except CheckFailed as failure:
            if failure.kind == "nan":
                failure.likely = (
                    "not every row of run.metrics has every metric, and where it wasn't taken there is NaN: "
                    "run.final has the last value of each."
                )
            failure.likely = failure.likely or missing_metric(failure, run)
            raise


def _run(case: Case) -> Run:
    """Trained and evaluated at the steps at which a recorded run is, and last evaluated alone."""
    length = case.number(3.0, 11.0)

    def trained() -> Line:
        return {
            "losses/mse_loss": length**2 * case.number(0.05, 0.6),
            "metrics/explained_variance": case.number(0.3, 0.9),
            "metrics/l0": case.number(10, 40),
            "sparsity/dead_features": int(case.integers("1", 0, 90)),
        }

    def evaluated() -> Line:
        return {
            ERROR: length**2 * case.number(0.05, 0.6),
            EXPLAINED: case.number(0.3, 0.9),
            LENGTH: length * case.number(0.9, 1.1),
            "shrinkage.l2_norm_out": length * case.number(0.6, 0.8),
            "shrinkage.l2_ratio": case.number(0.6, 0.8),
        }

    lines: list[Line] = []
    for step in (4, 9, 14, 19, 24):
        lines.append({"step": step, **trained()})
        if step % 10 == 9:
            lines.append({"step": step, **evaluated()})
    lines.append({"step": 26, **evaluated()})
    return in_memory("a run", {METRICS: lines})
