"""Notebooks as files: found, read, written, byte for byte the same from build to build."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime import CourseError, write_atomic
from .source import FILE_NAME, Problem


@dataclass(frozen=True)
class Files:
    """A chapter's three files."""

    source: Path
    solution: Path
    exercise: Path


def files_of(source: Path, root: Path) -> Files:
    """The files of the chapter in ``source``."""
    return Files(source, source.with_suffix(".ipynb"), root / "chapters" / f"{source.stem}.ipynb")


def sources(root: Path, chosen: tuple[str, ...] = ()) -> list[Path]:
    """The chapters' sources, in order; with ``chosen``, only those (``1``, ``01``, a name or a path).

    ``03`` is 03a and 03b, where a chapter has parts.

    Raises:
        CourseError: when there is no such chapter, or none at all.
    """
    found = sorted((root / "solutions").glob("*.py"))
    if not found:
        raise CourseError(f"there is no chapter yet: {root / 'solutions'} holds no NN_name.py.")
    if not chosen:
        return found
    by_name = {path.stem: path for path in found} | {
        path.stem.partition("_")[0]: path for path in reversed(found)
    }
    picked = []
    for wanted in chosen:
        name = wanted.replace("\\", "/").rpartition("/")[2].removesuffix(".py").removesuffix(".ipynb")
        path = by_name.get(name) or by_name.get(f"0{name}")
        parts = [p for p in found if p.stem[:2] == name.zfill(2) and p.stem[2:3].isalpha()]
        if path is None and parts:
            picked += parts
            continue
        if path is None:
            there = ", ".join(f"{p.stem.partition('_')[0]} ({p.stem.partition('_')[2]})" for p in found)
            raise CourseError(f"there is no chapter {wanted!r}: there are {there}.")
        picked.append(path)
    return sorted(set(picked))


def strays(root: Path) -> list[Problem]:
    """Notebooks without a source, and chapters that share a number."""
    found = sorted((root / "solutions").glob("*.py"))
    names = {path.stem for path in found}
    problems = []
    for folder in ("chapters", "solutions"):
        for path in sorted((root / folder).glob("*.ipynb")):
            if path.stem not in names:
                message = f"its source solutions/{path.stem}.py is gone: delete the notebook, or restore it"
                problems.append(Problem(f"{folder}/{path.name}", 0, message))
    numbers: dict[str, str] = {}
    for path in found:
        if FILE_NAME.fullmatch(path.stem):
            number = path.stem.partition("_")[0]
            if (other := numbers.setdefault(number, path.name)) != path.name:
                message = f"chapter {number} is already solutions/{other}"
                problems.append(Problem(f"solutions/{path.name}", 0, message))
    return problems


def read_notebook(path: Path) -> Any | None:
    """The notebook in ``path``, its lines joined to texts; None when there is none, or no valid one."""
    from nbformat import reader  # noqa: PLC0415 - takes a second
    from nbformat.validator import iter_validate  # noqa: PLC0415

    try:
        found = reader.reads(path.read_text(encoding="utf-8"))
        return found if found.nbformat == 4 and not any(iter_validate(found)) else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError, reader.NotJSONError):
        return None


def text_of(notebook: Any) -> str:
    """The notebook as it is written: sorted, indented by one, with a newline at its end."""
    import nbformat  # noqa: PLC0415

    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def record_of(notebook: Any) -> dict[str, Any]:
    """What the builder noted in a notebook; empty when it didn't make it."""
    record = notebook.get("metadata", {}).get("sae_course", {})
    return record if isinstance(record, dict) else {}


def write_all(contents: dict[Path, str]) -> None:
    """Write several files, or leave all as they were.

    Raises:
        CourseError: when one can't be written; those before it are put back.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in contents}
    done: list[Path] = []
    try:
        for path, text in contents.items():
            if before[path] == text.encode():
                continue
            write_atomic(path, text)
            done.append(path)
    except CourseError:
        for path in done:
            old = before[path]
            if old is None:
                path.unlink(missing_ok=True)
            else:
                write_atomic(path, old)
        raise
