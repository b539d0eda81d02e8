"""The files of a run folder: their names, and reading and appending lines so that a cut is noticed."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..runtime import CourseError, read_json

FORMAT = 1
RUN = "run.json"
METRICS = "metrics.jsonl"
HISTOGRAMS = "histograms.jsonl"
SAE = "sae"

Line = dict[str, Any]


def append(path: Path, line: Line) -> None:
    """Add a line to a file that exists: all of it, or, where that fails, nothing.

    Raises:
        OSError: when the file can't be written; it then ends where it did before.
    """
    data = to_bytes([line])
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size
        try:
            written = 0
            while written < len(data):  # a disk that fills up takes part of a line first
                written += os.write(descriptor, data[written:])
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Wait until what was appended is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_bytes(lines: list[Line]) -> bytes:
    """Lines as they stand in a file."""
    return b"".join(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n" for line in lines)


def sums(data: bytes) -> dict[str, Any]:
    """What run.json keeps about a finished file: the number of lines and the SHA-256."""
    return {"lines": data.count(b"\n"), "sha256": hashlib.sha256(data).hexdigest()}


def read_record(folder: Path) -> dict[str, Any]:
    """A folder's run.json.

    Raises:
        CourseError: when there is no such folder, it holds no run, or run.json is cut short, of a newer
            course, or no record of a run.
    """
    path = folder / RUN
    try:
        record = read_json(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CourseError(_no_run(folder)) from error
    except CourseError as error:
        if isinstance(error.__cause__, NotADirectoryError):
            raise CourseError(_no_run(folder)) from error
        raise CourseError(
            f"{path} is cut short or not JSON ({error.__cause__}): copy the folder anew from where it came. "
            f"{METRICS} beside it stands by itself, and pandas.read_json(…, lines=True) reads it."
        ) from error
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise CourseError(
            f'{path} is no record of a run: it has no "format", the number it should begin with.'
        )
    if record["format"] > FORMAT:
        raise CourseError(
            f"{path} has format {record['format']} and this course knows up to {FORMAT}: update the course."
        )
    kinds = {"name": str, "config": dict, "notes": dict, "versions": dict, "final": dict, "files": dict}
    for key, kind in kinds.items():
        if not isinstance(record.get(key), kind):
            words = "a text" if kind is str else "an object"
            raise CourseError(
                f'{path} is no record of a run: "{key}" should be {words}, not {record.get(key)!r}.'
            )
    if record.get("status") not in ("running", "finished"):
        raise CourseError(
            f'{path} is no record of a run: "status" should be "running" or "finished", not '
            f"{record.get('status')!r}."
        )
    return record


def check(folder: Path, record: dict[str, Any]) -> None:
    """See that the files of a finished run are as they were when it finished.

    Raises:
        CourseError: when one is missing, cut off or changed.
    """
    for name in (METRICS, HISTOGRAMS):
        if record["status"] == "finished" and name in record["files"]:
            _read(folder / name, record["files"][name])


def read_lines(folder: Path, name: str, expected: dict[str, Any] | None) -> list[Line]:
    """The lines of ``metrics.jsonl`` or ``histograms.jsonl``.

    What stands after the last end of line was cut while it was written, and is left out.

    Args:
        expected: what run.json keeps about the file (`sums`); None for an unfinished run.

    Raises:
        CourseError: when the file is not as expected, or a line before the last is unreadable.
    """
    path = folder / name
    whole, end, _ = _read(path, expected).rpartition(b"\n")
    texts = whole.split(b"\n") if end else []
    lines = []
    for number, text in enumerate(texts, start=1):
        try:
            line = json.loads(text, parse_constant=lambda _: None)  # NaN, which other programs write
        except ValueError:
            line = None
        if wrong := _wrong(line, name):
            raise CourseError(
                f"{path}: line {number} of {len(texts)} can't be read ({wrong}): {_shown(text)}. Copy "
                "the file anew from where it came, or take that line out of it."
            )
        lines.append(line)
    return lines


def _read(path: Path, expected: dict[str, Any] | None) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if expected is None:
            return b""  # killed before the first line
        raise CourseError(
            f"{path} is missing; it should have {expected.get('lines')} lines. {_ADVICE}"
        ) from error
    except OSError as error:
        raise CourseError(f"{path} can't be read ({error.strerror or error}).") from error
    if expected is None:
        return data
    found = sums(data)
    if found["lines"] < expected.get("lines", 0):
        raise CourseError(f"{path} is cut off: {found['lines']} of {expected['lines']} lines. {_ADVICE}")
    if found["sha256"] != expected.get("sha256"):
        raise CourseError(
            f"{path} was changed after the run had finished: it has {found['lines']} lines, as it had "
            f"{expected.get('lines')}, and another SHA-256. {_ADVICE}"
        )
    return data


_ADVICE = "Copy it anew from where it came, or read what is there with Run.load(folder, check=False)."


def _wrong(line: Any, name: str) -> str:
    """What is wrong with a line; nothing if it is right."""
    if not isinstance(line, dict):
        return "it is no JSON object"
    if type(line.get("step")) is not int:
        return 'it has no whole number as "step"'
    if name == HISTOGRAMS:
        counts, edges = line.get("counts"), line.get("edges")
        fine = isinstance(line.get("name"), str) and _numbers(counts) and _numbers(edges)
        if not fine or len(edges) != len(counts) + 1:  # type: ignore[arg-type]
            return 'it needs a "name", "counts" and one more "edges" than counts'
        return ""
    odd = [key for key, value in line.items() if value is not None and not _is_number(value)]
    return f"{odd[0]} is not a number" if odd else ""


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_number, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(text: bytes) -> str:
    words = text[:60].decode(errors="replace")
    return words + "…" if len(text) > 60 else words


def _no_run(folder: Path) -> str:
    if not folder.exists():
        return f"There is no folder {folder}: a run is loaded from the folder that it was recorded in."
    if not folder.is_dir():
        return f"{folder} is a file: a run is loaded from the folder that it was recorded in."
    inside = sorted(path.parent.name for path in folder.glob(f"*/{RUN}"))
    if inside:
        shown = ", ".join(inside[:5]) + (", …" if len(inside) > 5 else "")
        return f"{folder} is not a run; it holds runs: {shown}. Load one of those, or list_runs(folder)."
    return f"{folder} holds no run: there is no {RUN} in it."
