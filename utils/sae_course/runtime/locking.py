"""One process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CourseError


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """While it is open, no other process opens it with the same lock file; a killed one has let go of it.

    Args:
        path: of the lock file. Its folder is made if it isn't there.
        what: is being trained, for the message.

    Raises:
        CourseError: when another process has it, or the folder can't be written.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only for this

    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CourseError(
            f"{what} is being trained by another process: wait for it, or use another name."
        ) from error
    except OSError as error:
        raise CourseError(
            f"{path.parent} can't be written ({error.strerror or error}): set SAE_COURSE_HOME to a folder of "
            "yours."
        ) from error
    try:
        yield
    finally:
        lock.release()
