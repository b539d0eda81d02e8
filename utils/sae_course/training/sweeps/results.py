"""What came of a sweep: its runs, a table of them, and what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runs import Run
from ...runs.listing import Runs
from ...runs.metrics import MAIN, short
from ...runs.view import number, table
from ...runtime import CourseError, home
from . import book

if TYPE_CHECKING:
    import pandas as pd

_LOSSES = ("losses/mse_loss", "losses/overall_loss")


@dataclass(frozen=True)
class Sweep:
    """A sweep's trials and what came of them. Shows itself as text, and as a table in a notebook."""

    name: str
    folder: Path
    settings: dict[str, dict[str, Any]]
    """Of each trial: in what it differs from the others."""
    failed: dict[str, str]
    """Why a trial failed, by its name: in the call that gave this, or because its losses are no numbers."""

    @classmethod
    def load(
        cls,
        folder: str | Path,
        names: Sequence[str] | None = None,
        failed: Mapping[str, str] | None = None,
    ) -> "Sweep":
        """The sweep in a folder, finished or not; changes nothing on disk.

        Args:
            folder: a sweep's name, of those in ``home()/runs``, or any folder that holds one.
            names: of its trials; all if not given.
            failed: what is known of failures.

        Raises:
            CourseError: when there is no sweep, or it can't be read.
        """
        kept = home() / "runs" / folder
        folder = kept if (kept / book.FILE).exists() else Path(folder)
        trials = book.read(folder)["trials"]
        settings = {name: trials[name]["settings"] for name in (names or trials)}
        known = {name: why for name in settings if (why := diverged(folder / name))} | dict(failed or {})
        return cls(folder.name, folder, settings, known)

    @property
    def missing(self) -> list[str]:
        """The trials without a finished run, failed ones among them."""
        return [name for name in self.settings if not book.is_finished(self.folder / name)]

    @property
    def runs(self) -> Runs:
        """The finished runs, in the order of the trials. One that can't be loaded is in ``unreadable``."""
        found, unreadable = [], []
        for name in self.settings:
            if book.is_finished(self.folder / name):
                try:
                    found.append(Run.load(self.folder / name))
                except CourseError as error:
                    unreadable.append(str(error))
        return Runs(tuple(found), tuple(unreadable))

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each trial: its settings, its ``status``, its run's final metrics and ``seconds``.

        ``status`` is finished, failed or missing; metrics are NaN where there is no finished run.
        """
        import pandas as pd  # noqa: PLC0415 - half a second

        runs = {run.folder.name: run for run in self.runs if run.folder is not None}
        rows = []
        for name, settings in self.settings.items():
            run = runs.get(name)
            known: dict[str, Any] = {"status": self._status(name)}
            if run is not None:
                known |= {"seconds": run.seconds, **run.final}
            rows.append(settings | known)
        return pd.DataFrame(rows, index=pd.Index(list(self.settings), name="trial"))

    def _status(self, name: str) -> str:
        if name in self.failed:
            return "failed"
        return "finished" if book.is_finished(self.folder / name) else "missing"

    def rows(self) -> tuple[list[str], dict[str, list[str]]]:
        """The table that is shown: its columns, and each trial's cells."""
        frame = self.table
        keys = list(dict.fromkeys(key for settings in self.settings.values() for key in settings))
        metrics = [metric for metric in MAIN if metric in frame]
        cells = {}
        for name, row in zip(self.settings, frame.to_dict("records"), strict=True):
            shown = [str(self.settings[name].get(key, "–")) for key in keys]
            cells[name] = [*shown, row["status"], *(number(float(row[metric])) for metric in metrics)]
        return [*keys, "status", *map(short, metrics)], cells

    def __str__(self) -> str:
        done = len(self.settings) - len(set(self.missing) | set(self.failed))
        lines = [f"{self.name} · {done} of {len(self.settings)} trials finished"]
        return "\n".join([*lines, *(f"✘ {name}: {why}" for name, why in self.failed.items())])

    def _repr_html_(self) -> str:
        return table(*self.rows())

    def __repr__(self) -> str:
        return f"<sweep {self.name}, {len(self.settings)} trials>"


def diverged(folder: Path) -> str:
    """What is wrong with a trial's finished run; empty when nothing is, or it isn't finished.

    Training goes on when its loss is NaN: a trial that ends so has not failed by any exception.
    """
    if not book.is_finished(folder):
        return ""
    try:
        final = Run.load(folder).final
    except CourseError as error:
        return str(error)
    for loss in _LOSSES:
        if not isfinite(final.get(loss, 0.0)):
            return f"it diverged: {loss} is no number at the end (a smaller lr?)"
    return ""
