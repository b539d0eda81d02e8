"""Where a training keeps its run: a new folder, or the one in which it was stopped."""

import hashlib
import json
import shutil
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ..runtime import CourseError, home, locking, write_json
from . import checkpoint


class Place(NamedTuple):
    """A folder, and what is in it."""

    folder: Path
    state: str
    """``new``, ``stopped`` (a checkpoint to go on from), ``begun`` (stopped before one) or ``finished``."""


def choose(folder: Path | None, name: str, identity: dict[str, Any]) -> Place:
    """The folder of a training.

    Without a folder it is ``home()/runs/NAME``, or the first of NAME-2, NAME-3, … that is free or holds this
    very training, stopped. A finished run is never continued or replaced there.

    Args:
        identity: what makes it this training: configurations, model and data, as JSON.

    Raises:
        CourseError: when the folder asked for holds something else.
    """
    if folder is not None:
        state = _state(folder, identity)
        if state == "other":
            raise CourseError(
                f"{folder} holds another run (its configuration, model or data differ), or other files: name "
                "another folder."
            )
        return Place(folder, state)
    for number in count(1):
        candidate = home() / "runs" / (name if number == 1 else f"{name}-{number}")
        if (state := _state(candidate, identity)) not in ("other", "finished"):
            return Place(candidate, state)
    raise AssertionError("unreachable")


def begin(folder: Path, identity: dict[str, Any]) -> None:
    """Note in a folder whose it is, and remove what a killed process left half-written there.

    Raises:
        CourseError: when it can't be written.
    """
    sweep(folder, checkpoint.FILE, _IDENTITY)
    write_json(folder / _IDENTITY, identity)


def sweep(folder: Path, *names: str) -> None:
    """Remove what a killed process left of writing these files (see `runtime.writing.replacing`)."""
    for name in names:
        for left in folder.glob(f".{name}.*"):
            shutil.rmtree(left, ignore_errors=True)


def finish(folder: Path) -> None:
    """Note that the training there is finished, and delete its checkpoint."""
    (folder / _FINISHED).touch()
    checkpoint.remove(folder)


def is_finished(folder: Path) -> bool:
    """Whether a training came to its end there."""
    return (folder / _FINISHED).exists()


_IDENTITY, _FINISHED = "training.json", "training.finished"


def _state(folder: Path, identity: dict[str, Any]) -> str:
    if not folder.exists():
        return "new"
    if folder.is_dir() and all(path.name.startswith(f".{_IDENTITY}.") for path in folder.iterdir()):
        return "new"  # or killed in its first moment
    try:
        found = json.loads((folder / _IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "other"
    if found != json.loads(json.dumps(identity)):
        return "other"
    if (folder / _FINISHED).exists():
        return "finished"
    return "stopped" if (folder / checkpoint.FILE).exists() else "begun"


def exclusive(name: str, folder: Path | None) -> AbstractContextManager[None]:
    """While it is open, no other process trains in this folder, or chooses one for this name.

    Raises:
        CourseError: when one does, or when the folder for locks can't be written.
    """
    lock = name
    if folder is not None:
        lock = f"{folder.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"
    return locking.exclusive(home() / "runs" / f".{lock}.lock", name)
