"""A training run as it was recorded: loaded, asked, shown, saved."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from ..runtime import CourseError, write_atomic, write_json
from .files import FORMAT, HISTOGRAMS, METRICS, RUN, SAE, Line, read_lines, read_record, sums, to_bytes
from .files import check as check_files
from .metrics import MAIN, axis, find

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go
    import sae_lens
    from jaxtyping import Float


class Histograms(NamedTuple):
    """One histogram as it changed over training."""

    steps: list[int]
    """When it was taken, rising: n."""
    counts: "list[Float[np.ndarray, ' bins']]"
    """How many values lay in each bin: n arrays."""
    edges: "list[Float[np.ndarray, ' bins+1']]"
    """Of the bins: n arrays. SAELens' and W&B's bins differ from step to step."""


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A training run's record. Shows itself as text, and as a table in a notebook.

    >>> run = Run.load("runs/topk-16")                     # doctest: +SKIP
    >>> run.final["metrics/explained_variance"]            # doctest: +SKIP
    >>> run.metrics["metrics/l0"].plot()                   # doctest: +SKIP
    """

    name: str
    folder: Path | None
    """Where it was loaded from; None for one that is in memory only."""
    status: Literal["running", "finished"]
    """``running`` too after a kill: until the run is resumed and finished."""
    config: dict[str, Any]
    """SAELens' configuration as plain values; empty for an import without one."""
    notes: dict[str, Any]
    versions: dict[str, str]
    started: str | None
    """Date and time, ISO 8601."""
    seconds: float | None
    """That training took; None until it is finished."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Lines and SHA-256 of a finished run's files; empty where they need not agree."""
    end: dict[str, Any] = field(default_factory=dict)
    """``final`` and ``step`` of a finished run, as run.json has them."""
    lines: Mapping[str, Sequence[Line]] | None = None
    """What stands in the .jsonl files, of a run in memory; None where the folder has it."""

    @classmethod
    def load(cls, folder: str | Path, *, check: bool = True) -> "Run":
        """The run in a folder; an unfinished one too, as far as it got. Changes nothing on disk.

        Metrics and histograms are read when they are asked for.

        Args:
            folder: that `Recorder` or `train` wrote.
            check: whether the files of a finished run must be as they were when it finished. Without, what
                is there of a damaged run is read.

        Raises:
            CourseError: when there is no run there, or it is of a newer course, cut off, or changed.
        """
        folder = Path(folder)
        record = read_record(folder)
        if check:
            check_files(folder, record)
        finished = record["status"] == "finished"
        return cls(
            name=record["name"],
            folder=folder,
            status=record["status"],
            config=record["config"],
            notes=record["notes"],
            versions=record["versions"],
            started=record.get("started"),
            seconds=record.get("seconds"),
            files=record["files"] if finished and check else {},
            end={"final": record["final"], "step": record.get("step")} if finished else {},
        )

    @cached_property
    def metrics(self) -> "pd.DataFrame":
        """Every metric over training: a row per ``step``, a column per metric, NaN where it wasn't taken.

        Raises:
            CourseError: when metrics.jsonl was changed, or one of its lines is unreadable.
        """
        import pandas as pd  # noqa: PLC0415 - half a second

        rows: dict[int, Line] = {}
        for line in self.lines_of(METRICS):
            rows.setdefault(line["step"], {}).update(line)
        table = pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="step", dtype="int64"))
        return table.drop(columns="step", errors="ignore").astype("float64").sort_index()

    @cached_property
    def final(self) -> dict[str, float]:
        """The last value of each metric, by SAELens' own name; NaN where it was no number.

        Raises:
            CourseError: as `metrics`.
        """
        last: Line = dict(self.end.get("final", {}))
        if not last:
            for line in self.lines_of(METRICS):
                last.update(line)
            last.pop("step", None)
        return {name: float("nan") if value is None else value for name, value in last.items()}

    @cached_property
    def step(self) -> int | None:
        """The last step with a metric, from 0; None when there is none yet."""
        if "step" in self.end:
            return cast("int | None", self.end["step"])
        return max((line["step"] for line in self.lines_of(METRICS)), default=None)

    @cached_property
    def histogram_names(self) -> list[str]:
        """The histograms that `histogram` knows."""
        return list(dict.fromkeys(line["name"] for line in self.lines_of(HISTOGRAMS)))

    def histogram(self, name: str = "plots/feature_density_line_chart") -> Histograms:
        """A histogram over training: by default that of log10 of the latents' firing frequencies.

        Args:
            name: in full or its last part: ``W_dec_norms``.

        Raises:
            CourseError: when there is no such histogram, or histograms.jsonl can't be read.
        """
        import numpy as np  # noqa: PLC0415

        name = find(name, self.histogram_names, "histogram")
        at = {line["step"]: line for line in self.lines_of(HISTOGRAMS) if line["name"] == name}
        steps = sorted(at)
        return Histograms(
            steps,
            [np.asarray(at[step]["counts"], dtype=float) for step in steps],
            [np.asarray(at[step]["edges"], dtype=float) for step in steps],
        )

    def sae(self, device: str = "cpu") -> "sae_lens.SAE[Any]":
        """The trained SAE, in SAELens' inference class.

        Raises:
            CourseError: when the run has none (unfinished, imported), or its files can't be read.
        """
        place = None if self.folder is None else self.folder / SAE
        if place is None or not place.is_dir():
            why = "it was not loaded from a folder" if place is None else f"there is no folder {place}"
            hint = " It comes when the run is finished." if self.status == "running" else ""
            raise CourseError(f'The run "{self.name}" has no trained SAE: {why}.{hint}')
        from sae_lens import SAE as Inference  # noqa: PLC0415 - seconds

        try:
            return Inference.load_from_disk(place, device=device)
        except Exception as error:
            raise CourseError(
                f'The SAE of the run "{self.name}" in {place} can\'t be loaded ({error}): copy the '
                "folder anew from where it came, or train again."
            ) from error

    def show(self, *metrics: str) -> "go.Figure":
        """Curves over training, a panel for each metric.

        Args:
            metrics: names in full, or their last part (``l0``); the most important ones if none is given.

        Raises:
            CourseError: when the run has no such metric, or none at all.
        """
        from ..figures.runs import Curve, draw_panels  # noqa: PLC0415 - plotly

        table = self.metrics
        names = [find(name, table.columns) for name in metrics] or [name for name in MAIN if name in table]
        names = names or list(table.columns)[:4]
        if not names:
            raise CourseError(f'The run "{self.name}" has recorded no metric yet: there is nothing to show.')
        panels = {}
        for name in names:
            taken = table[name].dropna()
            panels[axis(name)] = [Curve(self.name, taken.index.to_numpy(), taken.to_numpy())]
        ends = (f"{name} {self.final[name]:.4g}" for name in names[:4])
        return draw_panels(panels, f"{self.name}, at the end: {', '.join(ends)}")

    def save(self, folder: str | Path) -> "Run":
        """Write the run into a folder that holds none, and load it from there.

        Raises:
            CourseError: when the folder holds a run or can't be written.
        """
        from .record import make_room  # noqa: PLC0415 - that module is about writing

        folder = Path(folder)
        make_room(folder)
        data = {file: to_bytes(list(self.lines_of(file))) for file in (METRICS, HISTOGRAMS)}
        for file, content in data.items():
            write_atomic(folder / file, content)
        if self.folder is not None and (self.folder / SAE).is_dir():
            try:
                shutil.copytree(self.folder / SAE, folder / SAE)
            except (OSError, shutil.Error) as error:
                raise CourseError(f"The SAE can't be copied to {folder / SAE} ({error}).") from error
        # Last: without it, the folder is no run yet.
        write_json(folder / RUN, self._record({file: sums(content) for file, content in data.items()}))
        return type(self).load(folder)

    def _record(self, files: dict[str, Any]) -> dict[str, Any]:
        finished = self.status == "finished"
        last = {name: value if isfinite(value) else None for name, value in self.final.items()}
        return {
            "format": FORMAT,
            "name": self.name,
            "status": self.status,
            "config": self.config,
            "versions": self.versions,
            "started": self.started,
            "seconds": self.seconds,
            "step": self.step if finished else None,
            "final": last if finished else {},
            "files": files if finished else {},
            "notes": self.notes,
        }

    @cached_property
    def _cache(self) -> dict[str, Sequence[Line]]:
        return {}

    def lines_of(self, file: str) -> Sequence[Line]:
        """What stands in metrics.jsonl or histograms.jsonl (docs/runs.md), a dictionary for each line.

        Raises:
            CourseError: when the file was changed, or one of its lines is unreadable.
        """
        if self.lines is not None:
            return self.lines.get(file, [])
        if file not in self._cache:
            self._cache[file] = read_lines(cast(Path, self.folder), file, self.files.get(file))
        return self._cache[file]

    def __str__(self) -> str:
        from .view import run_text  # noqa: PLC0415 - the view imports this module

        return run_text(self)

    def _repr_html_(self) -> str:
        from .view import run_html  # noqa: PLC0415

        return run_html(self)

    def __repr__(self) -> str:
        # Without its folder: a notebook keeps this in its outputs, and a path is the machine's.
        return f"<run {self.name}, {self.status}>"
