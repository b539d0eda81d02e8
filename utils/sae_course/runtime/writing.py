"""Files are written whole or not at all."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CourseError

if TYPE_CHECKING:
    from torch import Tensor


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder; what was written there replaces ``path`` at the end.

    A reader sees the old content or the new, never half of it; after a failure, the old is there and the
    temporary file is not.

    Raises:
        CourseError: when the folder can't be written (read-only, disk full, …).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A folder of its own: beside the file that it is asked for, safetensors writes a temporary one of its
        # own naming, which a kill would leave where nobody knows it.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            temporary = Path(folder, path.name)
            yield temporary
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)  # safetensors makes a private file; what it replaces was not
            os.replace(temporary, path)
    except OSError as error:
        raise _cant_write(path, error.strerror or str(error)) from error


def _cant_write(path: Path, why: str) -> CourseError:
    return CourseError(
        f"{path} can't be written ({why}): check the folder's permissions and the free disk space, or set "
        "SAE_COURSE_HOME to a folder of yours."
    )


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write to a temporary file in the same folder, then rename over ``path``.

    A reader sees the old content or the new, never half of it; a failure leaves the old.

    Raises:
        CourseError: when the folder can't be written (read-only, disk full, …).
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_tensors(path: Path, tensors: "dict[str, Tensor]", metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all, without a second copy of it in memory.

    Raises:
        CourseError: as `write_atomic` does.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 - the package's import stays instant
    from safetensors.torch import save_file  # noqa: PLC0415

    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata)
    except SafetensorError as error:  # its name for a full disk
        raise _cant_write(path, str(error)) from error


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all. Raises CourseError as `write_atomic` does."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        CourseError: when the file is not readable or not JSON. A missing file raises FileNotFoundError.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} can't be read as JSON ({error}).") from error
