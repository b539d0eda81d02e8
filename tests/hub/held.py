"""What the hub of these tests holds, and what goes wrong with it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SMALL_NAMES = (".json", ".md", ".txt", ".gitattributes")
"""Files that are kept in git itself; the others lie in large-file storage."""


@dataclass
class Fault:
    """What befalls requests: a status in place of an answer, or a file that doesn't come as it should."""

    kind: Literal["status", "cut", "stall", "checksum", "answer lost"]
    """``cut`` and ``stall``: after half of a file the connection ends, or says nothing more. ``checksum``:
    the file is not the one that its name says, at the right size. ``answer lost``: what was asked for is
    done, and the connection ends before the answer."""
    times: float = float("inf")
    """Requests that it still befalls."""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)

    def strikes(self, *kinds: str) -> bool:
        if self.kind not in kinds or self.times <= 0:
            return False
        self.times -= 1
        return True


NONE = Fault("status", times=0)


@dataclass
class Repository:
    """What the hub holds under one name, and how it behaves when it is asked for it."""

    files: dict[str, bytes | Path] = field(default_factory=dict)
    """Contents, or where they lie: a large file is streamed from disk."""
    behaviour: Literal["serve", "gated", "gated, logged out", "gone"] = "serve"
    fault: Fault = field(default_factory=lambda: NONE)
    private: bool = False
    _etags: dict[str, str] = field(default_factory=dict)
    """Of files on disk, which are hashed once."""

    def etag(self, path: str) -> str:
        """As the hub names files: a large one by its SHA-256, a small one by its git hash."""
        if path not in self._etags:
            data = self.files[path]
            if isinstance(data, Path):
                with data.open("rb") as file:
                    self._etags[path] = hashlib.file_digest(file, "sha256").hexdigest()
            elif path.endswith(SMALL_NAMES):
                return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            else:
                return hashlib.sha256(data).hexdigest()
        return self._etags[path]

    def size(self, path: str) -> int:
        """In bytes."""
        data = self.files[path]
        return data.stat().st_size if isinstance(data, Path) else len(data)
