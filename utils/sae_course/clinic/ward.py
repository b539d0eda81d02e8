"""The seven recorded runs: their curves and histograms at once, their configurations after a diagnosis."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, TypeAlias

from ..runs import Run
from ..runs.metrics import MAIN, axis, find, short
from ..runtime import CourseError
from . import shelf
from .causes import CAUSES, Cause
from .diagnosis import Diagnosis

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from sae_lens import LanguageModelSAERunnerConfig

    from ..figures.runs import Curve
    from ..training.describe import Differences

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

CONTROL = "run 0"
"""The healthy run, beside which the others are laid."""
BROWSED = (*MAIN, "model_performance_preservation.ce_loss_without_sae", "shrinkage.l2_ratio", "sparsity.l0")


@dataclass(frozen=True)
class Patient:
    """A recorded run, trained with several seeds."""

    name: str
    runs: tuple[Run, ...]
    """One for each seed; their configurations are empty."""

    def ends(self, metric: str) -> list[float]:
        """A metric's last value, for each seed.

        Raises:
            CourseError: when there is no such metric.
        """
        return [run.final[find(metric, run.final)] for run in self.runs]

    def __repr__(self) -> str:
        return f"<{self.name}, {len(self.runs)} seeds>"


@dataclass(frozen=True)
class Revealed:
    """What a run was trained with, beside the healthy run, and why it shows. Shows itself as a table."""

    differences: "Differences"
    """The settings in which the two differ: the run's values, and the healthy run's."""
    cfg: "Config"
    """The run's configuration, for this session's device."""
    cause: Cause

    def __str__(self) -> str:
        if not self.differences:
            return f"{' and '.join(self.differences.names)} have the same configuration."
        return f"{self.differences}\n\n{self.cause.name}: {self.cause.how} {self.cause.cure}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self.differences:
            return f"<p>{escape(str(self))}</p>"
        why = f"<p><b>{escape(self.cause.name)}.</b> {escape(self.cause.how)} {escape(self.cause.cure)}</p>"
        return self.differences._repr_html_() + why


@dataclass(frozen=True)
class Ward:
    """The seven recorded runs. Shows itself as a table: how each ended, mean ± deviation over its seeds."""

    patients: dict[str, Patient]

    def __iter__(self) -> Iterator[Patient]:
        return iter(self.patients.values())

    def __getitem__(self, name: str | int) -> Patient:
        """By name, ``"run 3"``, or number.

        Raises:
            CourseError: when there is no such run.
        """
        name = f"run {name}" if isinstance(name, int) else name
        if name not in self.patients:
            raise CourseError(f'There is no "{name}" in the ward: there are {", ".join(self.patients)}.')
        return self.patients[name]

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that were recorded, by SAELens' names: the most important first."""
        every = dict.fromkeys(name for patient in self for name in patient.runs[0].final)
        return (
            *(name for name in BROWSED if name in every),
            *(name for name in every if name not in BROWSED),
        )

    @cached_property
    def ends(self) -> "pd.DataFrame":
        """How each run ended: a row for each run and seed, a column for each metric."""
        import pandas as pd  # noqa: PLC0415 - half a second

        rows = {(patient.name, seed): run.final for patient in self for seed, run in enumerate(patient.runs)}
        table = pd.DataFrame.from_dict(rows, orient="index")[list(self.metrics)]
        return table.rename_axis(["run", "seed"])

    def curves(self, metric: str, *names: str | int, log: bool = False) -> "go.Figure":
        """A metric over training, overlaid: the mean over seeds, with a band from smallest to largest.

        Args:
            metric: in full, or its last part: ``l0``.
            names: of the runs beside the healthy one; all if none is given.
            log: logarithmic heights.

        Raises:
            CourseError: when there is no such metric or run.
        """
        from ..figures.runs import draw_curves  # noqa: PLC0415 - plotly

        metric = find(metric, self.metrics)
        shown = self._shown(names)
        found = [curve for patient in shown if (curve := self._curve(patient, metric)) is not None]
        ends = ", ".join(f"{one.name} {mean(one.ends(metric)):.3g}" for one in shown)
        return draw_curves(found, f"{short(metric)} ends at: {ends}", axis=axis(metric), log=log)

    def browse(self, *names: str | int) -> "go.Figure":
        """One figure for all: a menu chooses the metric, a button the scale, the legend the runs.

        The controls are plotly's own. They work wherever the figure is drawn, without a kernel; where it
        isn't drawn, the picture shows the first metric.

        Args:
            names: as for `curves`.

        Raises:
            CourseError: when there is no such run.
        """
        from ..figures.browser import draw_browser  # noqa: PLC0415

        metrics = [name for name in BROWSED if name in self.metrics]
        panels = {
            axis(metric): [
                curve for one in self._shown(names) if (curve := self._curve(one, metric)) is not None
            ]
            for metric in metrics
        }
        return draw_browser(panels, "Seven runs: mean over seeds, band from smallest to largest", log=True)

    def histogram(
        self, name: str | int, histogram: str = "plots/feature_density_line_chart", seed: int = 0
    ) -> "go.Figure":
        """A histogram of one run beside the healthy one, with a slider over the steps.

        Args:
            name: of the run.
            histogram: by default log10 of the latents' firing frequencies; or ``W_dec_norms``.
            seed: which of the runs.

        Raises:
            CourseError: when there is no such run, seed or histogram.
        """
        from ..runs import compare  # noqa: PLC0415

        mine, control = self._seed(self[name], seed), self._seed(self[CONTROL], seed)
        figure = compare(mine, control=control).histogram(histogram)
        label = find(histogram, mine.histogram_names, "histogram")
        return figure.update_layout(title_text=f"{axis(label)}: {self[name].name} beside {CONTROL}")

    def reveal(self, name: str | int, diagnosis: Diagnosis) -> Revealed:
        """A run's configuration beside the healthy one's, for those who have named a symptom and a cause.

        Right or wrong: it is the commitment that makes one learn from the answer.

        Raises:
            CourseError: when there is no such run, or the diagnosis is none.
        """
        from ..training.describe import Differences  # noqa: PLC0415 - seconds

        patient = self[name]
        if not isinstance(diagnosis, Diagnosis):
            raise CourseError(
                f"The configuration of {patient.name} is locked until you commit yourself: give a "
                f"Diagnosis(symptom=…, direction=…, cause=…, evidence=…), not {type(diagnosis).__name__}."
            )
        rows, cfg = shelf.configuration(patient.name)
        cause = CAUSES[shelf.answers()[f"{patient.name}, seed 0"]["cause"]]
        return Revealed(Differences((patient.name, CONTROL), rows), cfg, cause)

    def _seed(self, patient: Patient, seed: int) -> Run:
        if seed not in range(len(patient.runs)):
            raise CourseError(f"{patient.name} has the seeds 0 to {len(patient.runs) - 1}, not {seed}.")
        return patient.runs[seed]

    def _shown(self, names: tuple[str | int, ...]) -> list[Patient]:
        asked = [self[name] for name in names] or list(self)
        return [self[CONTROL], *(one for one in asked if one.name != CONTROL)]

    def _curve(self, patient: Patient, metric: str) -> "Curve | None":
        from ..runs.comparison import mean_curve  # noqa: PLC0415

        return mean_curve(patient.runs, metric, patient.name, control=patient.name == CONTROL)

    def _rows(self) -> tuple[list[str], dict[str, list[str]]]:
        metrics = [name for name in BROWSED if name in self.metrics]
        rows = {}
        for patient in self:
            rows[patient.name] = [
                f"{mean(values):.3g} ± {stdev(values):.1g}" for values in map(patient.ends, metrics)
            ]
        return [short(name) for name in metrics], rows

    def __str__(self) -> str:
        import pandas as pd  # noqa: PLC0415

        head, rows = self._rows()
        return str(pd.DataFrame.from_dict(rows, orient="index", columns=head).to_string())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..runs.view import table  # noqa: PLC0415

        head, rows = self._rows()
        return table(head, rows)


def open_ward() -> Ward:
    """The seven recorded runs.

    Raises:
        CourseError: when the record was changed, or can't be read.
    """
    runs = shelf.runs("ward")
    names = sorted({key.partition(",")[0] for key in runs})
    groups = {name: tuple(run for key, run in runs.items() if key.startswith(f"{name},")) for name in names}
    return Ward({name: Patient(name, members) for name, members in groups.items()})
