"""Several runs side by side: final metrics, what differs in their configurations, curves, histograms."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from itertools import takewhile
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError
from .configs import ASIDE, differences
from .metrics import MAIN, axis, find, short
from .run import Run

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from ..figures.runs import Curve


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Several runs. Shows itself as two tables: what differs, and how it ended."""

    runs: tuple[Run, ...]
    control: Run | None = None
    """One of the runs: drawn grey and dashed."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The runs' names in order; a second run of the same name has its place behind it: ``a (2)``."""
        names: list[str] = []
        for run in self.runs:
            again = 1 + sum(before.name == run.name for before in self.runs[: len(names)])
            names.append(run.name if again == 1 else f"{run.name} ({again})")
        return tuple(names)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """Final metrics: a row per run, a column per metric, the most important first; NaN for none."""
        import pandas as pd  # noqa: PLC0415 - half a second

        columns = dict.fromkeys(name for run in self.runs for name in run.final)
        order = [*(name for name in MAIN if name in columns), *(name for name in columns if name not in MAIN)]
        rows = [[run.final.get(name, float("nan")) for name in order] for run in self.runs]
        index = pd.Index(self.names, name="run")
        return pd.DataFrame(rows, index=index, columns=pd.Index(order), dtype="float64")

    @cached_property
    def differences(self) -> "pd.DataFrame":
        """The settings in which the runs differ: a row per dotted name, a column per run.

        Where a run writes and what it is called is left out; ``–`` where a run lacks the setting.
        """
        import pandas as pd  # noqa: PLC0415

        found = differences(*(run.config for run in self.runs))
        index = pd.Index(list(found), name="setting", dtype="object")
        return pd.DataFrame(list(found.values()), index=index, columns=pd.Index(self.names), dtype="object")

    def curves(
        self, metric: str, *, log: bool = False, by_seed: bool = False, control: Run | str | None = None
    ) -> "go.Figure":
        """A metric of every run over training, overlaid.

        Args:
            metric: its name in full, or the last part (``l0``).
            log: logarithmic heights.
            by_seed: runs that differ only in their seed become one curve: their mean at the steps that all
                of them have, with a band from the smallest to the largest.
            control: a run, or its name: drawn grey and dashed in place of the comparison's own control.

        Raises:
            CourseError: when no run has the metric, or there is no such control.
        """
        from ..figures.runs import draw_curves  # noqa: PLC0415 - plotly

        name = find(metric, self.table.columns)
        grey = self._control(control)
        groups = self._groups() if by_seed else {label: [i] for i, label in enumerate(self.names)}
        curves = []
        for label, members in groups.items():
            runs = [self.runs[i] for i in members]
            curve = mean_curve(runs, name, label, control=any(run is grey for run in runs))
            if curve is not None:
                curves.append(curve)
        if not curves:
            raise CourseError(f'No run has a value of "{name}".')
        return draw_curves(curves, self._ends(name, groups), axis=axis(name), log=log)

    def histogram(
        self, name: str = "plots/feature_density_line_chart", *, control: Run | str | None = None
    ) -> "go.Figure":
        """A histogram of every run, overlaid, with a slider over the steps; runs without it are left out.

        Args:
            name: in full or its last part; by default log10 of the latents' firing frequencies.
            control: as for `curves`.

        Raises:
            CourseError: when no run has the histogram, or there is no such control.
        """
        from ..figures.runs import Changing, draw_histograms  # noqa: PLC0415

        name = find(name, (one for run in self.runs for one in run.histogram_names), "histogram")
        grey = self._control(control)
        series = [
            Changing(label, *run.histogram(name), control=run is grey)
            for label, run in zip(self.names, self.runs, strict=True)
            if name in run.histogram_names
        ]
        first, last = min(one.steps[0] for one in series), max(one.steps[-1] for one in series)
        return draw_histograms(series, f"{short(name)}, step {first:,} to {last:,}", axis=axis(name))

    def page(self) -> str:
        """One HTML page that needs no network: both tables, the main curves, the density histogram."""
        names = [name for name in MAIN if name in self.table]
        figures = [self.curves(name) for name in names]
        if any("plots/feature_density_line_chart" in run.histogram_names for run in self.runs):
            figures.append(self.histogram())
        # The first figure brings plotly itself.
        drawn = (
            figure.to_html(full_html=False, include_plotlyjs=index == 0)
            for index, figure in enumerate(figures)
        )
        title = escape(", ".join(self.names))
        return (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
            f"<body style='font-family: sans-serif'>{self._repr_html_()}{''.join(drawn)}</body></html>"
        )

    def _ends(self, metric: str, groups: dict[str, list[int]]) -> str:
        """The finding: between what a metric ends, and where it ends without a number."""
        having = {
            label: [run for i in members if metric in (run := self.runs[i]).final]
            for label, members in groups.items()
        }
        ends = {
            label: sum(run.final[metric] for run in runs) / len(runs)
            for label, runs in having.items()
            if runs
        }
        lost = [label for label, end in ends.items() if isnan(end)]
        order = sorted((end, label) for label, end in ends.items() if not isnan(end))
        words = [f"{end:.4g} ({label})" for end, label in (*order[:1], *order[1:][-1:])]
        parts = [f"ends at {' to '.join(words)}"] if words else []
        parts += [f"ends without a number: {', '.join(lost)}"] if lost else []
        return f"{metric} {'; '.join(parts)}"

    def _groups(self) -> dict[str, list[int]]:
        """Runs that differ in nothing but their seed, under a name for all of them."""
        groups: list[list[int]] = []
        for place, run in enumerate(self.runs):
            for group in groups:
                other = self.runs[group[0]]
                known = run.config and other.config  # two imports without a configuration may be anything
                if known and not differences(run.config, other.config, ignore=(*ASIDE, "seed")):
                    group.append(place)
                    break
            else:
                groups.append([place])
        named: dict[str, list[int]] = {}
        for group in groups:
            label = _common_name([self.names[i] for i in group])
            named[label if label not in named else f"{label}, {self.names[group[0]]}"] = group
        return named

    def _control(self, asked: Run | str | None) -> Run | None:
        if asked is None:
            return self.control
        if isinstance(asked, str):
            return self.runs[self.names.index(find(asked, self.names, "run"))]
        if not any(run is asked for run in self.runs):
            raise CourseError(f'The control "{asked.name}" is not among the runs that are compared.')
        return asked

    def __str__(self) -> str:
        main = [name for name in MAIN if name in self.table] or list(self.table.columns[:4])
        ends = self.table[main].rename(columns=short)
        parts = [f"{len(self.runs)} runs", ends.to_string(float_format="{:.4g}".format)]
        if len(self.differences):
            parts.append(self.differences.to_string())
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .view import number, table  # noqa: PLC0415

        main = [name for name in MAIN if name in self.table] or list(self.table.columns[:4])
        ends = {label: [number(row[name]) for name in main] for label, row in self.table.iterrows()}
        differ = {str(name): [str(value) for value in row] for name, row in self.differences.iterrows()}
        words = "" if self.control is None else f"control: {escape(self.control.name)}"
        settings = table(self.names, differ) if differ else "The configurations don't differ.<br>"
        return settings + table([short(name) for name in main], ends) + words


def compare(*runs: Run | str | Path, control: Run | str | Path | None = None) -> Comparison:
    """Several runs side by side.

    >>> compare(*list_runs("runs")).curves("l0", log=True)      # doctest: +SKIP

    Args:
        runs: loaded, or their folders.
        control: one of them, or a further one, that figures draw grey and dashed.

    Raises:
        CourseError: when there is no run, or one can't be loaded.
    """
    every = [_loaded(run) for run in runs]
    grey = None if control is None else _loaded(control)
    if grey is not None:
        same = [run for run in every if run is grey or (run.folder is not None and run.folder == grey.folder)]
        grey = same[0] if same else grey
        every = every if same else [*every, grey]
    if not every:
        raise CourseError(
            "There is no run to compare: compare(run, other, …), or compare(*list_runs(folder))."
        )
    return Comparison(tuple(every), grey)


def mean_curve(runs: Sequence[Run], metric: str, label: str, *, control: bool = False) -> "Curve | None":
    """A metric over training: of several runs their mean, with a band from the smallest to the largest.

    At the steps that all of them have. A run without a value is left out; None where there is no other.

    Args:
        metric: its name in full.
        label: of the curve.
        control: whether it is drawn grey and dashed.

    Raises:
        CourseError: when the runs share no step.
    """
    import pandas as pd  # noqa: PLC0415

    from ..figures.runs import Curve  # noqa: PLC0415

    every = [run.metrics[metric].dropna() for run in runs if metric in run.metrics]
    columns = [column for column in every if len(column)]
    if not columns:
        return None
    values = pd.concat(columns, axis=1, join="inner").sort_index()
    if values.empty:
        raise CourseError(
            f'The runs of "{label}" share no step at which {metric} was taken: draw them one by one, '
            "with by_seed=False."
        )
    curve = Curve(label, values.index.to_numpy(), values.mean(axis=1).to_numpy(), control=control)
    if len(columns) > 1:
        curve = curve._replace(low=values.min(axis=1).to_numpy(), high=values.max(axis=1).to_numpy())
    return curve


def _loaded(run: Any) -> Run:
    if isinstance(run, Run):
        return run
    if isinstance(run, str | Path):
        return Run.load(run)
    hint = " Put a star before a list: compare(*runs)." if isinstance(run, Iterable) else ""
    raise CourseError(f"A run to compare is a Run or its folder, not {type(run).__name__}.{hint}")


def _common_name(names: list[str]) -> str:
    """``topk (3 seeds)`` of topk-seed0, topk-seed1 and topk-seed2."""
    if len(names) == 1:
        return names[0]
    shared = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    prefix = re.sub(r"([-_ .·(]+(seed|s)?|seed)[-_ .=]*$", "", "".join(letters[0] for letters in shared))
    return f"{prefix or names[0]} ({len(names)} seeds)"
