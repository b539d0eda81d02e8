"""Fetching what is missing, after a look at the disk."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from ...models.hub import fetching
from ...runtime import CourseError, home
from .rows import fetch_rows
from .wanted import Files, Wanted, amount


def fetch(wanted: Wanted, show: Callable[[str], None] = print) -> None:
    """Fetch what is missing; what is here stays, and what was half fetched goes on.

    Raises:
        CourseError: before anything is fetched when the disk is too small; and whatever can go wrong with the
            hub (see `models.hub.fetching`).
    """
    check_disk({cache(): wanted.missing_files, home(): wanted.missing_rows})
    for files in wanted.files:
        if files.missing:
            show(f"{files.what}: {files.source.repository}")
            _fetch_files(files)
    for rows in wanted.rows:
        if rows.missing_bytes:
            show(f"tokens: {rows.source.repository}")
            fetch_rows(rows)


def cache() -> Path:
    """Where huggingface_hub keeps what it fetches."""
    from huggingface_hub import constants  # noqa: PLC0415 - it reads the environment when imported

    return Path(constants.HF_HUB_CACHE)


def check_disk(needed: Mapping[Path, int]) -> None:
    """Refuse what doesn't fit.

    Args:
        needed: bytes, by the folder that they go to; it need not exist.

    Raises:
        CourseError: naming what is needed, what is free, and what to set.
    """
    by_disk: dict[int, list[tuple[Path, Path, int]]] = {}
    for folder, size in needed.items():
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        by_disk.setdefault(os.stat(there).st_dev, []).append((folder, there, size))
    for places in by_disk.values():
        free, size = shutil.disk_usage(places[0][1]).free, sum(size for *_, size in places)
        if size > free:
            where = " and ".join(str(folder) for folder, _, part in places if part)
            raise CourseError(
                f"The disk is too small: {amount(size)} are to go to {where}, and {amount(free)} are free. "
                "Free some space, or set HF_HOME (models) and SAE_COURSE_HOME (tokens) to folders on a "
                "larger disk."
            )


def _fetch_files(files: Files) -> None:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - it reads the environment when imported

    with fetching(files.source):
        for path in files.missing:
            # By the branch, not the commit: so that the cache knows which commit is the last.
            hf_hub_download(files.source.repository, path)
