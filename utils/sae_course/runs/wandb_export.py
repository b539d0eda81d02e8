"""A run that was recorded by W&B, from a file that it exports."""

import ast
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..runtime import CourseError
from .configs import plain
from .files import HISTOGRAMS, METRICS, Line
from .metrics import find
from .run import Run

_STEPS = ("_step", "Step")
_WHAT = (
    "Expected is a chart's CSV (columns Step and RUN - METRIC), run.history() as CSV, or the history as JSON."
)


class _Row(NamedTuple):
    """One row of an export, of one run: numbers, None for what is no number, and histograms."""

    step: int
    values: dict[str, Any]


def import_wandb(path: str | Path | Sequence[str | Path], name: str | None = None, config: Any = None) -> Run:
    """The run in a W&B export, in memory; `Run.save` writes it as a run folder.

    Understood are a chart's "export as CSV" (its __MIN and __MAX columns are left out), ``run.history()``
    written with ``to_csv``, and the history as JSON: a list of rows, or a row on each line.

    Args:
        path: the file, or several of the same run: W&B exports each chart into its own.
        name: of the run, where the file holds several; otherwise what the run is to be called.
        config: the run's configuration, if at hand: SAELens' object or a dictionary (``run.config``).

    Raises:
        CourseError: when a file is missing, no such export, or damaged (with its line), or it holds several
            runs and none is named.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    runs: dict[str, list[_Row]] = {}
    for one in paths:
        for run, rows in _read(one).items():
            runs.setdefault(run or "", []).extend(rows)
    label, rows = _choose(runs, name, paths)
    imported = _run(label, rows, config, paths)
    if imported.step is None and not imported.histogram_names:
        raise CourseError(f"{_names(paths)} holds no values of the run {label}. {_WHAT}")
    return imported


def _choose(runs: dict[str, list[_Row]], name: str | None, paths: list[Path]) -> tuple[str, list[_Row]]:
    """The run that is asked for; a history names none, and gets the name that is given or its file's."""
    named = [run for run in runs if run]
    if not named:
        return name or (paths[0].stem if paths else "import"), runs.get("", [])
    if len(named) > 1 and name is None:
        raise CourseError(
            f"{_names(paths)} holds {len(named)} runs: {', '.join(named)}. Say which: import_wandb(path, "
            f'name="{named[0]}").'
        )
    if len(named) == 1:
        return name or named[0], runs[named[0]] + runs.get("", [])
    chosen = find(str(name), named, "run")
    return chosen, runs[chosen]


def _run(name: str, rows: list[_Row], config: Any, paths: list[Path]) -> Run:
    metrics: dict[int, Line] = {}
    histograms: list[Line] = []
    for step, values in sorted(rows, key=lambda row: row.step):
        line = metrics.setdefault(step, {"step": step})
        for key, value in values.items():
            if isinstance(value, dict):
                histograms.append({"step": step, "name": key, **value})
            elif not key.startswith("_"):
                line[key] = value
    clock = [row.values["_timestamp"] for row in rows if row.values.get("_timestamp")]
    passed = [row.values["_runtime"] for row in rows if row.values.get("_runtime")]
    return Run(
        name=name,
        folder=None,
        status="finished",
        config={} if config is None else plain(config),
        notes={"imported": f"W&B export {_names(paths)}"},
        versions={},
        started=datetime.fromtimestamp(min(clock), UTC).isoformat(timespec="seconds") if clock else None,
        seconds=max(passed) if passed else None,
        lines={METRICS: [line for line in metrics.values() if len(line) > 1], HISTOGRAMS: histograms},
    )


def _read(path: Path) -> dict[str | None, list[_Row]]:
    """The rows of each run in a file; None for one that the file doesn't name."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise CourseError(f"There is no file {path}: W&B's export is a CSV or JSON file. {_WHAT}") from error
    except OSError as error:
        raise CourseError(f"{path} can't be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise CourseError(f"{path} is no text file in UTF-8 ({error.reason}). {_WHAT}") from error
    start = text.lstrip()[:1]
    if start in ("[", "{"):
        return {None: list(_history(path, enumerate(_json_rows(path, text, start), start=1)))}
    return _table(path, text)


def _json_rows(path: Path, text: str, start: str) -> list[Any]:
    lines = [text] if start == "[" else [line for line in text.splitlines() if line.strip()]
    rows: list[Any] = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
        except ValueError as error:
            where = f"line {number} of {len(lines)}" if start == "{" else "it"
            raise CourseError(f"{path} is cut off or damaged: {where} is no JSON ({error}).") from error
        rows += value if isinstance(value, list) else [value]
    return rows


def _table(path: Path, text: str) -> dict[str | None, list[_Row]]:
    try:
        table = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise CourseError(f"{path} can't be read as CSV ({error}). {_WHAT}") from error
    head, body = (table[0], table[1:]) if table else ([], [])
    if short := [place for place, row in enumerate(body, start=2) if len(row) != len(head)]:
        raise CourseError(
            f"{path} is cut off or damaged: row {short[0]} of {len(table)} has "
            f"{len(body[short[0] - 2])} cells, the first has {len(head)}."
        )
    if twice := [name for name, n in Counter(head).items() if name and n > 1]:
        raise CourseError(
            f'{path} has two columns "{twice[0]}": two runs have the same name. Rename one in W&B, and '
            "export it again."
        )
    texts = {name: [row[place] for row in body] for place, name in enumerate(head)}
    # Text throughout is no metric but a tag, an address, a link to a picture.
    columns = {name: cells for name, cells in texts.items() if name in _STEPS or any(map(_is_value, cells))}
    for name, cells in columns.items():
        odd = [place for place, cell in enumerate(cells, start=2) if cell and not _is_value(cell)]
        if odd:
            raise CourseError(
                f'{path} is damaged: row {odd[0]} has {cells[odd[0] - 2][:40]!r} under "{name}", no number.'
            )
    if any(" - " in name for name in head):
        return _charts(path, columns)
    rows = (
        (number, {name: cells[number - 2] for name, cells in columns.items() if name and cells[number - 2]})
        for number in range(2, len(table) + 1)
    )
    return {None: list(_history(path, rows))}


def _charts(path: Path, columns: dict[str, list[str]]) -> dict[str | None, list[_Row]]:
    """A chart's export: a column for each run and metric; the step is in the first."""
    steps = next((columns[name] for name in _STEPS if name in columns), None)
    if steps is None:
        axis = next(iter(columns), "")
        raise CourseError(
            f'{path} has no column Step; its first is "{axis}". Choose Step as the chart\'s x axis in W&B, '
            "and export it again."
        )
    runs: dict[str | None, list[_Row]] = {}
    for column, cells in columns.items():
        run, dash, metric = column.rpartition(" - ")
        if not dash or metric.endswith(("__MIN", "__MAX")):
            continue
        given = enumerate(zip(steps, cells, strict=True), start=2)
        rows = ((number, {"_step": step, metric: cell}) for number, (step, cell) in given if cell)
        runs.setdefault(run, []).extend(_history(path, rows))
    return runs


def _history(path: Path, rows: Iterable[tuple[int, Any]]) -> Iterator[_Row]:
    """Numbered rows of the history: names and values, nested dictionaries under dotted names."""
    for number, row in rows:
        if not isinstance(row, Mapping):
            raise CourseError(f"{path}: row {number} should be an object of names and values. {_WHAT}")
        step = next((_number(row[name]) for name in _STEPS if name in row), None)
        if step is None or step != int(step):
            raise CourseError(
                f"{path}: row {number} has no whole number as _step; its names are "
                f"{', '.join(map(str, list(row)[:6]))}. {_WHAT}"
            )
        yield _Row(int(step), dict(_values(path, f"row {number}", row)))


def _values(path: Path, where: str, row: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        name = f"{above}{key}"
        if name in _STEPS:
            continue
        item = _literal(value) if isinstance(value, str) and value.startswith("{") else value
        if isinstance(item, Mapping) and item.get("_type") == "histogram":
            yield name, _histogram(path, where, name, item)
        elif isinstance(item, Mapping) and "_type" not in item:
            yield from _values(path, where, item, f"{name}.")
        elif _is_value(item):
            yield name, _number(item)


def _histogram(path: Path, where: str, name: str, value: Mapping[str, Any]) -> dict[str, list[float]]:
    """Counts and edges, of W&B's two ways to write bins: all edges, or the first, a width and how many."""
    counts, edges, packed = value.get("values"), value.get("bins"), value.get("packedBins")
    try:
        if edges is None and packed is not None:
            edges = [packed["min"] + packed["size"] * place for place in range(packed["count"] + 1)]
        counts, edges = [float(x) for x in counts], [float(x) for x in edges]  # type: ignore[union-attr]
        if len(edges) != len(counts) + 1 or not all(map(math.isfinite, counts + edges)):
            raise ValueError
    except (TypeError, ValueError, KeyError) as error:
        raise CourseError(
            f'{path}: {where}: the histogram "{name}" needs "values", and one more "bins" than values (or '
            '"packedBins" with min, size and count).'
        ) from error
    return {"counts": counts, "edges": edges}


def _literal(text: str) -> Any:
    """A cell that holds a dictionary: as JSON, or as Python shows it (`to_csv` writes that)."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def _is_value(value: Any) -> bool:
    """Whether this is a number, NaN and infinity as text too, or a dictionary (a histogram) as text."""
    if isinstance(value, str):
        if value.startswith("{"):
            return isinstance(_literal(value), dict)
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """A finite number; None for NaN, infinity and what is none."""
    try:
        number = value if type(value) is int else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _names(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths)
