"""A bundle's checksums: written last, so that a bundle which is half made has none."""

import hashlib
from pathlib import Path
from typing import Any

from ...runtime import CourseError, read_json, write_json

NAME = "manifest.json"
FORMAT = 1


def write(folder: Path, about: dict[str, Any]) -> None:
    """Sizes and SHA-256 of every file in ``folder``.

    Args:
        about: what else the manifest says.
    """
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in _files(folder)
    }
    write_json(folder / NAME, {"format": FORMAT, **about, "files": files})


def faults(folder: Path) -> list[str]:
    """What is not as it was made: ``changed: …``, ``missing: …`` or ``extra: …``, by path.

    What is written when the bundle is used is no fault: progress and runs in ``home``, the libraries' own
    files in ``hf``.

    Raises:
        CourseError: for a folder that is no bundle, or not a whole one.
    """
    path = folder / NAME
    try:
        files = read_json(path)["files"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CourseError(
            f"{folder} is no whole bundle: it has no {NAME}, which is written last. Make it again, with the "
            "same command: sae-course prefetch CHAPTER --bundle DIR."
        ) from error
    except (KeyError, TypeError) as error:
        raise CourseError(f"{path} is not the manifest of a bundle.") from error
    found = []
    for name, said in files.items():
        file = folder / name
        if not file.is_file():
            found.append(f"missing: {name}")
        elif file.stat().st_size != said["bytes"] or sha256(file) != said["sha256"]:
            found.append(f"changed: {name}")
    there = {one.relative_to(folder).as_posix() for one in _files(folder)} - {NAME}
    return found + [f"extra: {name}" for name in sorted(there - set(files)) if not _of_use(name)]


def _of_use(name: str) -> bool:
    """Whether a file is one that working with the bundle writes."""
    ours = ("home/prefetched/", "hf/hub/models--")
    return name.startswith(("home/", "hf/")) and not name.startswith(ours)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sha256(path: Path) -> str:
    """Of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
