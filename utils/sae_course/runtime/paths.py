"""Where things are: the learner's own folder, and the course's checkout."""

import os
from pathlib import Path

from .errors import CourseError


def home() -> Path:
    """The folder for what must outlive a session (progress, runs, checkpoints); not created here.

    ``SAE_COURSE_HOME`` if set, else the operating system's place for user data.
    """
    if value := os.environ.get("SAE_COURSE_HOME"):
        return Path(value).expanduser()
    import platformdirs  # noqa: PLC0415 - only where it is needed: the import costs 20 ms

    return Path(platformdirs.user_data_dir("sae-course", appauthor=False))


def project_root() -> Path:
    """The checkout that holds ``chapters`` and ``solutions``.

    Looked for from the working folder upwards, then around this file.

    Raises:
        CourseError: when neither is inside a checkout of the course.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "solutions").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    raise CourseError(
        f"{here} is not inside a checkout of the course (no folder above it has solutions/ and "
        "pyproject.toml): change into the cloned folder first."
    )
