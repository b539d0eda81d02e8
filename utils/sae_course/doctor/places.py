"""The learner's folder, their progress, and the kernel that notebooks start."""

import shutil
import sys
import tempfile
from pathlib import Path

from ..checks import progress_file
from ..runtime import CourseError, home, read_json
from .finding import Finding
from .packages import how_to_install

KERNEL = "python3"
MENDED = "the next check keeps it aside and starts a new one"


def home_finding() -> Finding:
    """Whether progress, runs and checkpoints can be written: a file is, and removed again."""
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        text = f"{folder} can't be written ({error.strerror or error})"
        return Finding("fail", "your data", text, "set SAE_COURSE_HOME to a folder of yours")
    return Finding("ok", "your data", f"{folder} can be written")


def progress_finding() -> Finding:
    """Whether the progress file, if there is one yet, can be read. Looks only; a check mends it."""
    path = progress_file.path()
    try:
        content = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return Finding("ok", "progress", "none recorded yet")
    except CourseError as error:
        return Finding("note", "progress", f"{error}".rstrip("."), MENDED)
    if not isinstance(content, dict) or not isinstance(content.get("exercises"), dict):
        return Finding("note", "progress", f"{path} holds no exercises", MENDED)
    return Finding("ok", "progress", f"{path} can be read")


def kernel_finding() -> Finding:
    """The kernel ``python3``, which every notebook of the course names."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel  # noqa: PLC0415 - may be missing

    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        return Finding("fail", "kernel", f"there is no Jupyter kernel {KERNEL}", how_to_install())
    program = spec.argv[0] if spec.argv else ""
    # As jupyter_client does when it starts one: a bare name means the Python that asks.
    bare = {"python", "python3", f"python3.{sys.version_info.minor}"}
    found = sys.executable if program in bare else shutil.which(program)
    if found is None:
        text = f"the kernel {KERNEL} starts {program!r}, which is not there"
        return Finding("fail", "kernel", text, f"{sys.executable} -m ipykernel install --sys-prefix")
    if not _same_environment(Path(found)):
        text = f"notebooks start {found}, not {sys.executable}"
        return Finding("note", "kernel", text, f"{sys.executable} -m ipykernel install --sys-prefix")
    return Finding("ok", "kernel", f"{KERNEL} ({found})")


def _same_environment(python: Path) -> bool:
    """Whether ``python`` is of the environment that runs this (links between its own names don't matter)."""
    return python.absolute().parent == Path(sys.executable).absolute().parent
