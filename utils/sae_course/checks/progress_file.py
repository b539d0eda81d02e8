"""The progress file: read, changed under a lock, kept aside when it is broken."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..runtime import CourseError, home, read_json, write_atomic, write_json
from .numbers import order

VERSION = 1
PATIENCE = 5.0  # seconds to wait for another notebook that is writing


@dataclass
class Entry:
    """One exercise, as recorded."""

    title: str = ""
    chapter: str = ""
    minutes: int = 0
    attempts: int = 0
    failures: int = 0
    """Failures since the last success."""
    solved: str = ""
    """The day it was first solved; empty if it never was."""
    last: str = ""
    """``passed`` or ``failed``."""
    message: str = ""
    """What was wrong at the last failure."""


def path() -> Path:
    """``progress.json`` in the learner's folder."""
    return home() / "progress.json"


def read() -> dict[str, Entry]:
    """What is recorded; nothing if there is no file yet.

    Raises:
        CourseError: when the file is broken; it has then been kept aside. Also when it can't be read.
    """
    try:
        return _load()
    except _Broken:
        with _lock():
            try:
                return _load()  # another process may have dealt with it meanwhile
            except _Broken as broken:
                raise CourseError(_keep_aside(broken)) from None


def update(change: Callable[[dict[str, Entry]], None]) -> tuple[dict[str, Entry], str]:
    """Read, change and write back, with no other process in between.

    Returns:
        The entries as written, and a sentence if the old file was broken and kept aside.

    Raises:
        CourseError: when the folder can't be written.
    """
    note = ""
    with _lock():
        try:
            entries = _load()
        except _Broken as broken:
            note, entries = _keep_aside(broken), {}
        change(entries)
        _write(entries)
    return entries, note


def forget(which: Callable[[Entry], bool]) -> tuple[int, Path | None]:
    """Remove entries, after copying the file; how many, and the copy."""
    with _lock():
        entries = _load_or_explain()
        kept = {number: entry for number, entry in entries.items() if not which(entry)}
        if len(kept) == len(entries):
            return 0, None
        copy = _beside("backup")
        write_atomic(copy, path().read_bytes())
        _write(kept)
    return len(entries) - len(kept), copy


class _Broken(Exception):
    """The file is not what this program writes."""


def _load() -> dict[str, Entry]:
    try:
        content = read_json(path())
    except FileNotFoundError:
        return {}
    except CourseError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise _Broken("not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("exercises"), dict):
        raise _Broken("no exercises in it")
    if content.get("version") != VERSION:
        if isinstance(content.get("version"), int) and content["version"] > VERSION:
            raise CourseError(f"{path()} was written by a newer version of the course: update this one.")
        raise _Broken("no version in it")
    return {number: _entry(number, value) for number, value in content["exercises"].items()}


def _entry(number: str, value: Any) -> Entry:
    if not isinstance(value, dict):
        raise _Broken(f"exercise {number} is no table")
    known = {field.name: field.type for field in fields(Entry)}
    for name, item in value.items():
        if name in known and (isinstance(item, bool) or not isinstance(item, known[name])):  # type: ignore[arg-type]
            raise _Broken(f"{name} of exercise {number} is {item!r}")
    return Entry(**{name: item for name, item in value.items() if name in known})


def _load_or_explain() -> dict[str, Entry]:
    try:
        return _load()
    except _Broken as broken:
        raise CourseError(_keep_aside(broken)) from None


def _write(entries: dict[str, Entry]) -> None:
    exercises = {
        number: asdict(entry) for number, entry in sorted(entries.items(), key=lambda item: order(item[0]))
    }
    write_json(path(), {"version": VERSION, "exercises": exercises})


def _beside(word: str) -> Path:
    """A name that is not taken, ``progress.broken-20261121T101500Z.json``."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    candidates = (path().with_name(f"progress.{word}-{stamp}{suffix}.json") for suffix in _suffixes())
    return next(candidate for candidate in candidates if not candidate.exists())


def _suffixes() -> Iterator[str]:
    yield ""
    number = 2
    while True:
        yield f"-{number}"
        number += 1


def _keep_aside(broken: _Broken) -> str:
    """Rename the broken file; says so in one sentence."""
    aside = _beside("broken")
    try:
        os.replace(path(), aside)
    except OSError as error:
        raise CourseError(
            f"{path()} is broken ({broken}) and can't be renamed ({error.strerror}): move it away by hand."
        ) from error
    return f"the progress file was broken ({broken}): it is kept as {aside}, and a new one is begun."


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Keep other notebooks out.

    Raises:
        CourseError: when the folder can't be written, or another process holds the lock for too long.
    """
    from filelock import FileLock, SoftFileLock, Timeout  # noqa: PLC0415 - keeps the package's import instant

    file = path().with_name("progress.json.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(file, timeout=PATIENCE).acquire()
        except NotImplementedError:  # a file system without locks, such as some mounted drives
            held = SoftFileLock(file.with_suffix(".soft"), timeout=PATIENCE).acquire()
    except Timeout:
        raise CourseError(f"{path()} is in use by another notebook, for {PATIENCE:.0f} s now.") from None
    except OSError as error:
        raise CourseError(
            f"{file.parent} can't be written ({error.strerror or error}): check its permissions, or set "
            "SAE_COURSE_HOME to a folder of yours."
        ) from error
    with held:
        yield
