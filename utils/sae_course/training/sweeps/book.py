"""What a sweep's folder says of it: ``sweep.json``, its trials' settings and configurations."""

import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...runs.configs import differences
from ...runs.files import RUN
from ...runtime import CourseError, read_json, write_json
from .. import folders
from ..settings import as_dict
from .grid import Trial

FILE, LOGS, FORMAT = "sweep.json", "logs", 1

# A new version of SAELens is not another training.
_NOT_OURS = ("sae_lens_version", "sae_lens_training_version")


def check_name(name: str) -> None:
    """Raise CourseError for what can't be a folder's name on every system."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}", name) or name.endswith("."):
        raise CourseError(
            f'"{name}" can\'t be a name: up to 120 letters, digits, dots, dashes and underscores can, not a '
            "dot or a dash first."
        )


def enter(folder: Path, trials: Sequence[Trial]) -> str:
    """Write the trials into the sweep's book, beside those that it has; the sweep's id.

    Raises:
        CourseError: when the folder holds something else, or one of these trials was begun with another
            configuration.
    """
    found = _found(folder)
    here: dict[str, Any] = found["trials"] if found else {}
    for trial in trials:
        check_name(trial.name)
        if trial.name == LOGS:
            raise CourseError(f'A trial can\'t be called "{LOGS}": the sweep keeps its logs there.')
        if trial.name in here and (folder / trial.name).exists():  # what wasn't begun may still change
            _check_same(folder.name, trial, here[trial.name]["config"])
    new = {trial.name: {"settings": trial.settings, "config": as_dict(trial.cfg)} for trial in trials}
    identity = found["id"] if found else uuid.uuid4().hex
    write_json(folder / FILE, {"format": FORMAT, "id": identity, "trials": here | new})
    return identity


def read(folder: Path) -> dict[str, Any]:
    """The book of a sweep.

    Raises:
        CourseError: when there is none, it can't be read, or it is of a later version of the course.
    """
    found = _found(folder)
    if found is None:
        raise CourseError(f"{folder} holds no sweep (there is no {FILE}).")
    return found


def is_same(folder: Path, identity: str) -> bool:
    """Whether this folder, seen from here, is the sweep's own: on the same disk or a shared one."""
    try:
        return bool(read_json(folder / FILE)["id"] == identity)
    except (OSError, CourseError, KeyError, TypeError):
        return False


def is_finished(folder: Path) -> bool:
    """Whether a trial's folder holds its finished run."""
    return folders.is_finished(folder)


def clean(folder: Path) -> None:
    """Remove what a killed process left half-written in a sweep's folder."""
    folders.sweep(folder, FILE)
    for left in folder.glob(".*.part"):
        shutil.rmtree(left, ignore_errors=True)


def _found(folder: Path) -> dict[str, Any] | None:
    try:
        found = read_json(folder / FILE)
    except FileNotFoundError:
        if folder.exists() and (not folder.is_dir() or any(_foreign(path) for path in folder.iterdir())):
            what = "a run" if (folder / RUN).exists() else "other files"
            raise CourseError(f"{folder} holds {what}, and no sweep: use another name.") from None
        return None
    except NotADirectoryError:
        raise CourseError(f"{folder} can't be a folder: a file is in its way.") from None
    if not isinstance(found, dict) or not isinstance(found.get("trials"), dict) or "id" not in found:
        raise CourseError(f"{folder / FILE} is no sweep's book: use another name, or delete {folder}.")
    if found.get("format", 0) > FORMAT:
        raise CourseError(
            f"{folder / FILE} was written by a later version of the course (format {found['format']}, this "
            f"one reads {FORMAT}): update sae-course, or use another name."
        )
    return found


def _foreign(path: Path) -> bool:
    return not path.name.startswith(f".{FILE}.")


def _check_same(sweep: str, trial: Trial, before: dict[str, Any]) -> None:
    changed = differences(before, as_dict(trial.cfg), ignore=_NOT_OURS)
    if changed:
        name, (was, now) = next(iter(changed.items()))
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise CourseError(
            f"{sweep} has {trial.name} already, with another configuration ({name} was {was!r}, is now "
            f"{now!r}{more}): use another name for this sweep."
        )
