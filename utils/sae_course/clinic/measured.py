"""What can be read off a run's curves and histograms, as numbers that runs can be compared by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isnan
from statistics import mean
from typing import TYPE_CHECKING, Any

from ..runs import Run
from ..runtime import CourseError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    Curve = Float[np.ndarray, " n"]

BEFORE_DECAY = (0.6, 0.8)
"""Shares of the run between which `Readings.still_falling` looks: after the first descent, and before the
learning rate decays, over the last fifth in the course's presets."""
_PRESERVED = "model_performance_preservation"
_LAST = 3  # values that an end is the mean of


@dataclass(frozen=True, kw_only=True)
class Readings:
    """A run in numbers; None where it recorded too little, or ended without one. Shows itself as a table.

    The trainer's metrics are means of their last three values; the evaluation's are the last.
    """

    l0: float | None = None
    """Latents that fire per token, in training."""
    explained_variance: float | None = None
    """In training, about the mean."""
    loss_recovered: float | None = None
    """Share of the loss that is recovered, against ablation with zeros."""
    dead: float | None = None
    """Share of latents that count as dead at the end."""
    width: int | None = None
    """Latents."""
    still_falling: float | None = None
    """By what share the squared error fell between 60 and 80 % of the run, before the rate decays."""
    fell_at_the_end: float | None = None
    """By what share it fell over the last fifth, while the learning rate decayed."""
    batch_variation: float | None = None
    """How much the variance of a training batch differs from one batch to the next: its standard deviation
    over the logged steps, over its mean. A batch's variance follows from error and explained variance; it has
    nothing to do with the SAE. Of tokens drawn independently, it falls with the root of the batch's size."""
    ce_without_sae: float | None = None
    """The model's own loss on the evaluation's tokens, nats per token."""
    model_knows: float | None = None
    """By what share the model's loss is below that with the hook point ablated: near 0, or negative, where
    the model does not know the text."""
    penalty: float | None = None
    """The sparsity loss over the squared error."""
    l0_in_evaluation: float | None = None
    """L0 in evaluation over L0 in training."""
    disagreement: float | None = None
    """Explained variance in evaluation minus that in training."""
    variance_of_length: float | None = None
    """The variance that error and explained variance imply, over the mean length of an activation, squared:
    about 1 where activations have no mean to speak of, near 0 where most of them is mean."""
    coarse: float | None = None
    """Share of the evaluation's sums over latents that are numbers of 8 significant bits."""

    def known(self) -> dict[str, float]:
        """Those that could be read."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return "\n".join(f"{name:20} {value:.4g}" for name, value in self.known().items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..runs.view import table  # noqa: PLC0415

        return table(["reading"], {name: [f"{value:.4g}"] for name, value in self.known().items()})


NAMES = tuple(field.name for field in fields(Readings))


def readings(run: Run) -> Readings:
    """Everything that a run's record can be asked: its configuration is not looked at.

    Args:
        run: recorded by the course, or imported; what it lacks stays None.

    Raises:
        CourseError: when its files were changed or can't be read.
    """
    values: dict[str, Any] = {
        "l0": _end(run, "metrics/l0"),
        "explained_variance": _end(run, "metrics/explained_variance"),
        "width": _width(run),
        "coarse": _coarse(run),
        "batch_variation": _batch_variation(run),
        "loss_recovered": _last(run, f"{_PRESERVED}.ce_loss_score"),
        "ce_without_sae": _last(run, f"{_PRESERVED}.ce_loss_without_sae"),
    }
    if (dead := _last(run, "sparsity/dead_features")) is not None and values["width"]:
        values["dead"] = dead / values["width"]
    values |= _shape_of_error(run)
    values |= _ratios(run, values)
    return Readings(**values)


def usual(runs: Sequence[Run]) -> Readings:
    """The mean of each reading over several runs; None where one of them lacks it.

    Raises:
        CourseError: when there is no run, or one's files can't be read.
    """
    if not runs:
        raise CourseError("A mean of readings is over at least one run, and none was given.")
    known = [readings(run).known() for run in runs]
    values: dict[str, Any] = {
        name: mean(one[name] for one in known) for name in NAMES if all(name in one for one in known)
    }
    if "width" in values:
        values["width"] = round(values["width"])
    return Readings(**values)


def _column(run: Run, metric: str) -> "Curve":
    import numpy as np  # noqa: PLC0415

    if metric not in run.metrics or isnan(run.final[metric]):
        return np.empty(0)  # a run that ended without a number has no end to be judged by
    return run.metrics[metric].dropna().to_numpy()


def _end(run: Run, metric: str) -> float | None:
    values = _column(run, metric)
    return float(values[-_LAST:].mean()) if len(values) else None


def _last(run: Run, metric: str) -> float | None:
    values = _column(run, metric)
    return float(values[-1]) if len(values) else None


def _width(run: Run) -> int | None:
    """Every latent is counted in a histogram of their densities, the dead ones too."""
    if "plots/feature_density_line_chart" not in run.histogram_names:
        return None
    return round(float(run.histogram().counts[-1].sum()))


def _shape_of_error(run: Run) -> dict[str, float]:
    error = _column(run, "losses/mse_loss")
    if len(error) < 10 or not (error > 0).all():
        return {}

    def at(share: float) -> float:
        middle = min(int(share * len(error)), len(error) - 1)
        return float(error[max(0, middle - 1) : middle + 2].mean())

    begin, end = (at(share) for share in BEFORE_DECAY)
    last = float(error[-_LAST:].mean())
    return {"still_falling": 1 - end / begin, "fell_at_the_end": 1 - last / end}


def _batch_variation(run: Run) -> float | None:
    names = ["losses/mse_loss", "metrics/explained_variance"]
    if not set(names) <= set(run.metrics):
        return None
    error, explained = run.metrics[names].dropna().to_numpy().T
    if len(error) < 10 or not (error > 0).all() or not (explained < 1).all():
        return None
    variance = error / (1 - explained)
    return float(variance.std() / variance.mean())


def _ratios(run: Run, values: dict[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    without, ablated = values["ce_without_sae"], _last(run, f"{_PRESERVED}.ce_loss_with_ablation")
    if without is not None and ablated:
        found["model_knows"] = 1 - without / ablated
    error = _end(run, "losses/mse_loss")
    paid = [_end(run, name) for name in ("losses/l0_loss", "losses/l1_loss")]
    if error and any(value is not None for value in paid):
        found["penalty"] = sum(value for value in paid if value is not None) / error
    if values["l0"] and (l0 := _last(run, "sparsity.l0")) is not None:
        found["l0_in_evaluation"] = l0 / values["l0"]
    explained = _last(run, "reconstruction_quality.explained_variance")
    if explained is not None and values["explained_variance"] is not None:
        found["disagreement"] = explained - values["explained_variance"]
    squared, length = _last(run, "reconstruction_quality.mse"), _last(run, "shrinkage.l2_norm_in")
    trained = values["explained_variance"]
    if squared is not None and length and trained is not None and trained < 1:
        found["variance_of_length"] = squared / (1 - trained) / length**2
    return found


def _coarse(run: Run) -> float | None:
    """Numbers that bfloat16 holds exactly: hardly any by chance, all where it was computed in that format."""
    import numpy as np  # noqa: PLC0415

    values = np.concatenate([_column(run, "sparsity.l1"), _column(run, "shrinkage.l2_norm_out")])
    if not len(values):
        return None
    bits = values.astype(np.float32).view(np.uint32)
    return float((bits & 0xFFFF == 0).mean())
