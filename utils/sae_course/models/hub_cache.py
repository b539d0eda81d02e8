"""A repository on the hub, and the folder in which huggingface_hub keeps what was fetched of it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .names import Entry


@dataclass(frozen=True)
class Source:
    """A repository on the hub."""

    entry: Entry
    kind: Literal["model", "dataset"]

    @property
    def repository(self) -> str:
        if self.kind == "model" or self.entry.dataset is None:
            return self.entry.repository
        return self.entry.dataset.repository

    @property
    def folder(self) -> Path:
        """Where huggingface_hub keeps its files."""
        from huggingface_hub import constants  # noqa: PLC0415 - it reads the environment when imported

        return Path(constants.HF_HUB_CACHE) / f"{self.kind}s--{self.repository.replace('/', '--')}"


def remove_damaged(source: Source, limit: float = float("inf")) -> list[str]:
    """Delete the cached files of a repository whose contents do not have the hash that names them.

    The hub names a large file by its SHA-256 and a small one by its git hash. Without this, a file that was
    damaged on disk would be found in the cache, and fail, every time.

    Args:
        limit: the size in bytes from which files are left unread.

    Returns:
        The first 12 characters of each deleted file's hash.
    """
    removed = []
    for blob in sorted((source.folder / "blobs").glob("*")):
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name) or blob.stat().st_size > limit:
            continue
        large = len(blob.name) == 64
        with blob.open("rb") as file:
            digest = hashlib.sha256() if large else hashlib.sha1(b"blob %d\0" % blob.stat().st_size)
            while chunk := file.read(2**20):
                digest.update(chunk)
        if digest.hexdigest() != blob.name:
            blob.unlink()
            removed.append(blob.name[:12])
    return removed
