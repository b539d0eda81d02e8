"""Writing a run's record while it trains."""

import errno
import math
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path
from typing import Any

from ..runtime import CourseError, write_atomic, write_json
from .configs import plain
from .files import (
    FORMAT,
    HISTOGRAMS,
    METRICS,
    RUN,
    Line,
    append,
    read_lines,
    read_record,
    sums,
    sync,
    to_bytes,
)

_PACKAGES = ("sae-course", "sae-lens", "transformer-lens", "torch", "numpy")


class Recorder:
    """Writes a run folder, line by line (docs/runs.md); `Run.load` reads it, while it grows too.

    A line is handed to the system whole as it comes, and is safe from a power cut after `flush`. A process
    killed at any moment leaves at worst one cut last line, which `resume` removes.

    >>> recorder = Recorder.create("runs/a", name="a", config=cfg)    # doctest: +SKIP
    >>> recorder.log(9, {"metrics/l0": 31.2})                         # doctest: +SKIP
    >>> recorder.finish(seconds=12.5)                                 # doctest: +SKIP
    """

    def __init__(self, folder: Path, record: dict[str, Any], lines: Sequence[Line] = ()) -> None:
        """Not for use: `create` begins a run and `resume` goes on with one."""
        self.folder = folder
        self._record = record
        self.final: dict[str, float | None] = {}
        """The last value of each metric so far; None where it is no number."""
        self.step: int | None = None
        """The highest step with a line in metrics.jsonl."""
        for line in lines:
            self._keep(line)
        self._safe: int | None = self.step

    @classmethod
    def create(
        cls, folder: str | Path, *, name: str, config: Any, notes: Mapping[str, Any] | None = None
    ) -> "Recorder":
        """Begin a run in a folder that holds none.

        Args:
            folder: made if it isn't there. Other files in it are left alone.
            name: of the run, in tables and legends.
            config: SAELens' configuration object, or a dictionary.
            notes: anything else worth keeping: device, threads, the model's fingerprint.

        Raises:
            CourseError: when the folder holds a run, or can't be written.
        """
        folder = Path(folder)
        make_room(folder)
        record = new_record(
            name, config, notes or {}, started=datetime.now(UTC).isoformat(timespec="seconds")
        )
        # The record first: a folder with lines and no record would be no run, and one without lines is.
        write_json(folder / RUN, record)
        for file in (METRICS, HISTOGRAMS):
            write_atomic(folder / file, "")
        return cls(folder, record)

    @classmethod
    def resume(cls, folder: str | Path, step: int, *, reopen: bool = False) -> "Recorder":
        """Go on with an unfinished run: every line of ``step`` and later goes, and a cut last line.

        Raises:
            CourseError: when the folder holds no run, or a finished one, or can't be read or written; no line
                before ``step`` is lost then.
        """
        folder = Path(folder)
        record = read_record(folder)
        if record["status"] == "finished" and reopen:
            record |= {"status": "running", "final": {}, "files": {}}
            write_json(folder / RUN, record)  # first: its lines are about to be fewer than it says
        elif record["status"] == "finished":
            raise CourseError(
                f'The run "{record["name"]}" in {folder} is finished: there is nothing to resume. '
                "Load it with Run.load(folder), or train into another folder."
            )
        kept: dict[str, list[Line]] = {}
        for file in (METRICS, HISTOGRAMS):  # both are read before one is written
            kept[file] = [line for line in read_lines(folder, file, None) if line["step"] < step]
        for file, lines in kept.items():
            write_atomic(folder / file, to_bytes(lines))
        return cls(folder, record, kept[METRICS])

    @property
    def name(self) -> str:
        """Of the run."""
        return str(self._record["name"])

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl. A step may have several.

        Args:
            step: SAELens' ``n_training_steps`` when it logs, from 0.
            metrics: name and number (or a tensor of one); a dictionary in it is flattened with dots, as W&B
                shows it. NaN and infinity are written as null: JSON has neither.

        Raises:
            CourseError: when a value is no number, or the line can't be written (full disk, …).
        """
        line = {"step": int(step), **_flat(metrics)}
        self._append(METRICS, line)
        self._keep(line)

    def histogram(self, step: int, name: str, counts: Sequence[float], edges: Sequence[float]) -> None:
        """Add a line to histograms.jsonl.

        Args:
            counts: how many values lie in each bin: n.
            edges: of the bins, rising: n + 1.

        Raises:
            CourseError: when the two don't fit each other, or the line can't be written (full disk, …).
        """
        heights, bounds = ([_number(name, value) for value in values] for values in (counts, edges))
        if len(bounds) != len(heights) + 1 or None in heights or None in bounds:
            raise CourseError(
                f'The histogram "{name}" of step {step} has {len(heights)} counts and {len(bounds)} edges: '
                "it needs finite counts, and finite edges, one more than counts."
            )
        self._append(HISTOGRAMS, {"step": int(step), "name": name, "counts": heights, "edges": bounds})

    def flush(self) -> None:
        """Wait until every line so far is on the disk. Raises CourseError (full disk, …)."""
        try:
            for file in (METRICS, HISTOGRAMS):
                sync(self.folder / file)
        except OSError as error:
            raise self._refused(error, "what was recorded last", self._safe) from error
        self._safe = self.step

    def finish(self, final_notes: Mapping[str, Any] | None = None, seconds: float | None = None) -> None:
        """The run is complete: write its final metrics and the sums of its files to run.json.

        Args:
            final_notes: added to the notes: tokens per second, steps, tokens.
            seconds: that training took.

        Raises:
            CourseError: when that can't be written; the run is then still there, unfinished.
        """
        self._open()
        self.flush()
        record = self._record | {
            "status": "finished",
            "seconds": seconds,
            "step": self.step,
            "final": self.final,
            "files": {file: sums((self.folder / file).read_bytes()) for file in (METRICS, HISTOGRAMS)},
            "notes": self._record["notes"] | plain(final_notes or {}),
        }
        try:
            write_json(self.folder / RUN, record)
        except CourseError as error:
            if isinstance(error.__cause__, OSError):
                raise self._refused(error.__cause__, "the end", self.step) from error
            raise
        self._record = record

    def _keep(self, line: Line) -> None:
        self.final.update({name: value for name, value in line.items() if name != "step"})
        self.step = line["step"] if self.step is None else max(self.step, line["step"])

    def _append(self, file: str, line: Line) -> None:
        self._open()
        try:
            append(self.folder / file, line)
        except OSError as error:
            raise self._refused(error, f"step {line['step']}", self.step) from error

    def _open(self) -> None:
        if self._record["status"] == "finished":
            raise CourseError(
                f'The run "{self.name}" in {self.folder} is finished: nothing can be added to it.'
            )

    def _refused(self, error: OSError, what: str, step: int | None) -> CourseError:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
        why = "the disk is full" if full else error.strerror or str(error)
        kept = "Nothing was recorded before." if step is None else f"Kept: all lines up to step {step}."
        advice = "Free some space" if full else "Check the folder"
        return CourseError(
            f'{what[0].upper()}{what[1:]} of the run "{self.name}" could not be recorded in {self.folder} '
            f"({why}). {kept} {advice}, then resume the run."
        )


def new_record(name: str, config: Any, notes: Mapping[str, Any], *, started: str | None) -> dict[str, Any]:
    """The contents of run.json when a run begins."""
    return {
        "format": FORMAT,
        "name": name,
        "status": "running",
        "config": plain(config),
        "versions": _versions(),
        "started": started,
        "seconds": None,
        "step": None,
        "final": {},
        "files": {},
        "notes": plain(notes),
    }


def make_room(folder: Path) -> None:
    """See that a run can be begun in a folder.

    Raises:
        CourseError: when it is a file, or holds a run already.
    """
    if _has(folder / RUN):
        try:
            held = read_record(folder)
            what = f'the {"finished" if held["status"] == "finished" else "unfinished"} run "{held["name"]}"'
        except CourseError:
            what = f"a {RUN} that can't be read"
    elif any(_has(folder / file) and (folder / file).stat().st_size for file in (METRICS, HISTOGRAMS)):
        what = f"a run's lines without their {RUN}"
    else:
        return
    raise CourseError(
        f"{folder} already holds {what}, and nothing is overwritten: choose another folder, resume that run, "
        "or delete the folder."
    )


def _has(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CourseError(f"{path} can't be looked at ({error.strerror or error}).") from error


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _flat(metrics: Mapping[str, Any], above: str = "") -> dict[str, float | None]:
    flat: dict[str, float | None] = {}
    for key, value in metrics.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        elif name == "step":
            raise CourseError('A metric can\'t be called "step": that is what its line is about.')
        else:
            flat[name] = _number(name, value)
    return flat


def _number(name: str, value: Any) -> float | None:
    """A number as JSON can hold it; None for NaN and infinity."""
    if value is None:
        return None
    if isinstance(value, Integral):  # NumPy's too
        return int(value)
    try:
        if isinstance(value, str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CourseError(f'"{name}" should be a number; it is {str(value)[:60]!r}.') from error
    return number if math.isfinite(number) else None
