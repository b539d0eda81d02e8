"""A folder that can be carried to a room without a network: models, tokens, wheels and the course."""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ... import __version__
from ...models.prefetched import FOLDER, INDEX, folder_of
from ...runtime import CourseError, project_root, write_atomic
from ...runtime.writing import replacing
from . import manifest
from .fetch import check_disk
from .wanted import Files, Rows, Wanted

COURSE = "sae-course"
_NOT_CARRIED = {".git", ".venv", "build", "node_modules", "__pycache__", ".ipynb_checkpoints"}
_README = """\
The course "Train sparse autoencoders", version {version}, for a room without a network.
Full scale of the chapters: {chapters}. Mini scale, the default without a GPU, needs neither hf nor
home/prefetched.
{wheels}

Copy this folder to each machine's own disk. Then, in it (Linux, macOS):

1. Install:
   python3 -m zipfile -e course.zip .
   python3 sae-course/utils/install.py --dev --venv sae-course/.venv{source}

2. In every new terminal:
   export HF_HOME="$PWD/hf" HF_HUB_OFFLINE=1 SAE_COURSE_HOME="$PWD/home"

3. Run:
   sae-course/.venv/bin/jupyter lab --notebook-dir=sae-course/chapters

In Windows' PowerShell, with python for python3 and sae-course\\.venv\\Scripts for sae-course/.venv/bin, 2 is:
   $env:HF_HOME = "$PWD\\hf"; $env:HF_HUB_OFFLINE = "1"; $env:SAE_COURSE_HOME = "$PWD\\home"

Is everything here as it was made?
   sae-course/.venv/bin/sae-course prefetch --verify .
"""
_WHEELS = "The wheels are for Python {python} on {system}, no other."
_NO_WHEELS = "There are no wheels here: step 1 needs a network, or an environment that is there already."


def make(
    folder: Path, wanted: Wanted, chapters: list[str], *, wheels: bool, show: Callable[[str], None] = print
) -> None:
    """Make a bundle of what was fetched. Interrupted, the same call goes on (``folder.part``).

    Raises:
        CourseError: for a folder that is there already, too small a disk, a file that the cache lacks, and
            wheels that can't be had.
    """
    folder = folder.absolute()
    refuse_existing(folder)
    part = folder.with_name(f"{folder.name}.part")
    check_disk({part: sum(one.bytes for one in wanted.files) + sum(one.bytes for one in wanted.rows)})
    part.mkdir(parents=True, exist_ok=True)
    show("models and tokens")
    expected = {part / manifest.NAME}
    for source, target in _copied(wanted, part):
        _copy(source, target)
        expected.add(target)
    for files in wanted.files:
        head = _repository(files, part) / "refs" / "main"
        write_atomic(head, files.revision)
        expected.add(head)
    _only(part / "hf", expected)
    _only(part / "home", expected)
    show("the course")
    _course(part / "course.zip", show)
    if wheels:
        _fetch_wheels(part / "wheels", show)
    elif (part / "wheels").exists():
        shutil.rmtree(part / "wheels")
    write_atomic(part / "README.txt", _readme(chapters, wheels))
    show("checksums")
    manifest.write(part, _about(chapters, wheels))
    os.replace(part, folder)


def refuse_existing(folder: Path) -> None:
    """Raise CourseError where a bundle's folder is taken: nothing is written over."""
    if folder.exists():
        raise CourseError(
            f"{folder} is there already: sae-course prefetch --verify {folder} checks it; for a new bundle, "
            "delete it or give another name."
        )


def _repository(files: Files, part: Path) -> Path:
    return part / "hf" / "hub" / files.source.folder.name


def _copied(wanted: Wanted, part: Path) -> Iterator[tuple[Path, Path]]:
    """Each file of the cache and of the rows, and where it goes. Without the cache's links, which a memory
    stick can't hold: huggingface_hub reads plain files in ``snapshots`` as well."""
    for files in wanted.files:
        for path in files.sizes:
            at = Path("snapshots", files.revision, path)
            yield files.source.folder / at, _repository(files, part) / at
    for rows in wanted.rows:
        folder = folder_of(rows.source.repository)
        for name in [*_parts(rows), INDEX]:
            yield folder / name, part / "home" / FOLDER / folder.name / name


def _parts(rows: Rows) -> list[str]:
    kept = rows.kept
    return [] if kept is None else [name for name, _ in kept.parts]


def _copy(source: Path, target: Path) -> None:
    """A copy, unless the same is there. ``source`` may be a link."""
    if not source.is_file():
        raise CourseError(f"{source} is missing: run the same command again, which fetches it.")
    same = target.is_file() and target.stat().st_size == source.stat().st_size
    if same and manifest.sha256(target) == manifest.sha256(source):
        return
    with replacing(target) as path:
        shutil.copyfile(source, path)


def _only(folder: Path, expected: set[Path]) -> None:
    """Delete what an earlier try with other chapters left."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in expected:
            path.unlink()


def _course(target: Path, show: Callable[[str], None]) -> None:
    """The last commit where this is a git checkout, else what is there."""
    root = project_root()
    git = ["git", "-C", str(root)]
    with replacing(target) as path:
        archive = [*git, "archive", "--format=zip", f"--prefix={COURSE}/", "-o", str(path), "HEAD"]
        try:
            done = subprocess.run(archive, capture_output=True, check=False).returncode == 0
        except OSError:  # no git
            done = False
        if not done:
            _zip(root, path)
            return
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    if count := len(changed.stdout.splitlines()):
        show(f"  of the last commit: {count} changed files are not in it")


def _zip(root: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, names, files in os.walk(root):
            names[:] = sorted(name for name in names if name not in _NOT_CARRIED)
            for name in sorted(files):
                file = Path(folder, name)
                archive.write(file, Path(COURSE, file.relative_to(root)))


def _fetch_wheels(folder: Path, show: Callable[[str], None]) -> None:
    show("wheels")
    command = [sys.executable, str(project_root() / "utils" / "install.py"), "--download", str(folder)]
    if subprocess.run(command, check=False).returncode:
        raise CourseError(
            "The wheels could not be fetched: see above. The same command goes on; --no-wheels leaves them "
            "out."
        )


def _about(chapters: list[str], wheels: bool) -> dict[str, object]:
    return {
        "course": __version__,
        "chapters": chapters,
        "wheels": wheels,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "system": f"{platform.system()} {platform.machine()}",
    }


def _readme(chapters: list[str], wheels: bool) -> str:
    about = _about(chapters, wheels)
    return _README.format(
        version=__version__,
        chapters=", ".join(chapters),
        wheels=_WHEELS.format(**about) if wheels else _NO_WHEELS,
        source=" --wheels wheels" if wheels else "",
    )
