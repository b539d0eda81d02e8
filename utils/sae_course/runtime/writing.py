"""Files are written whole or not at all."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .errors import CourseError


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write to a temporary file in the same folder, then rename over ``path``.

    A reader sees the old content or the new, never half of it; a failure leaves the old.

    Raises:
        CourseError: when the folder can't be written (read-only, disk full, …).
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # a temporary file is private; what replaces it should not be
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise CourseError(
            f"{path} can't be written ({error.strerror or error}): check the folder's permissions and "
            "the free disk space, or set SAE_COURSE_HOME to a folder of yours."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


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
