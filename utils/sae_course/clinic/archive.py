"""Many runs in two small files: their metrics and their histograms as Parquet tables, read back as runs."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs import Run
from ..runs.files import HISTOGRAMS, METRICS, Line
from ..runtime import CourseError, write_atomic

if TYPE_CHECKING:
    import pandas as pd

TABLES = {METRICS: "metrics.parquet", HISTOGRAMS: "histograms.parquet"}
HIDDEN = (
    "details/",
    "token_stats.",
    "metrics/explained_variance_legacy",
    "reconstruction_quality.explained_variance_legacy",
    "losses/pre_act_loss",
    "losses/auxiliary_reconstruction_loss",
    "metrics/topk_threshold",
)
"""Metrics that a sealed run lacks, by how their names begin: settings written down as metrics (learning rate,
coefficients), sizes of the evaluation, explained variance by an older formula, and what some architectures or
settings alone record: that it is there would say which they are."""


def sealed(run: Run, name: str) -> Run:
    """A run's curves and histograms under another name: nothing in it says how it was configured.

    Its configuration, notes, times and versions are left out, and so are the metrics that are settings
    (`HIDDEN`). It lives in memory; `Run.save` writes it.
    """
    metrics: list[Line] = []
    for line in run.lines_of(METRICS):
        kept = {key: value for key, value in line.items() if not key.startswith(HIDDEN)}
        if len(kept) > 1:
            metrics.append(kept)
    lines = {METRICS: metrics, HISTOGRAMS: list(run.lines_of(HISTOGRAMS))}
    return in_memory(name, lines)


def write(folder: Path, runs: Mapping[str, Run]) -> None:
    """Write runs, by a name that is kept with each, into a folder's two tables.

    Numbers are rounded to 32 bits; a histogram's edges are taken to be evenly spaced, as the trainer's are.

    Raises:
        CourseError: for a histogram whose edges aren't, and when a file can't be written.
    """
    import io  # noqa: PLC0415

    import pandas as pd  # noqa: PLC0415 - half a second

    rows = [{"run": name, **line} for name, run in runs.items() for line in run.lines_of(METRICS)]
    metrics = pd.DataFrame(rows)
    numbers = [column for column in metrics if column not in ("run", "step")]
    metrics = metrics.astype(dict.fromkeys(numbers, "float32") | {"step": "int32"})
    histograms = pd.DataFrame(
        [{"run": name, **_even(line)} for name, run in runs.items() for line in run.lines_of(HISTOGRAMS)]
    )
    for table, file in ((metrics, TABLES[METRICS]), (histograms, TABLES[HISTOGRAMS])):
        data = io.BytesIO()
        table.to_parquet(data, compression="zstd", compression_level=19, index=False)
        write_atomic(folder / file, data.getvalue())


def read(folder: Path) -> dict[str, Run]:
    """The runs that `write` wrote, in memory, in their order.

    Raises:
        CourseError: when a file is missing or can't be read.
    """
    lines: dict[str, dict[str, list[Line]]] = {}
    for kind, file in TABLES.items():
        table = _table(folder / file)
        for name, part in table.groupby("run", sort=False):
            make = _metric_lines if kind == METRICS else _histogram_lines
            lines.setdefault(str(name), {METRICS: [], HISTOGRAMS: []})[kind] = make(part)
    return {name: in_memory(name, both) for name, both in lines.items()}


def in_memory(name: str, lines: Mapping[str, list[Line]]) -> Run:
    """A finished run of these lines; nothing is known of its configuration."""
    return Run(
        name=name,
        folder=None,
        status="finished",
        config={},
        notes={},
        versions={},
        started=None,
        seconds=None,
        lines=lines,
    )


def _table(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise CourseError(
            f"{path.name} in {path.parent.name} is missing or can't be read ({error}): restore it with git."
        ) from error


def _metric_lines(part: "pd.DataFrame") -> list[Line]:
    columns = [column for column in part if column not in ("run", "step")]
    found = []
    for step, values in zip(part["step"].tolist(), part[columns].to_numpy("float64"), strict=True):
        taken = zip(columns, values.tolist(), strict=True)
        found.append({"step": step} | {name: value for name, value in taken if not isnan(value)})
    return found


def _even(line: Line) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415

    counts, edges = line["counts"], line["edges"]
    even = np.linspace(edges[0], edges[-1], len(edges))
    if not np.allclose(even, edges, rtol=1e-4, atol=1e-4 * (edges[-1] - edges[0])):
        raise CourseError(f'The bins of the histogram "{line["name"]}" at step {line["step"]} are uneven.')
    whole = np.asarray(counts, "int32")
    return {"step": line["step"], "name": line["name"], "low": edges[0], "high": edges[-1], "counts": whole}


def _histogram_lines(part: "pd.DataFrame") -> list[Line]:
    import numpy as np  # noqa: PLC0415

    return [
        {
            "step": int(row.step),
            "name": row.name,
            "counts": [float(count) for count in row.counts],
            "edges": np.linspace(row.low, row.high, len(row.counts) + 1).tolist(),
        }
        for row in part.itertuples(index=False)
    ]
