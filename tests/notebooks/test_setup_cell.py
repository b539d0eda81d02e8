"""The generated first cell, run as on Colab (a stand-in for it, a repository on disk) and elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sae_course.notebooks.template import Address, badges, read_address, setup_cell
from sae_course.runtime import CourseError

PACKAGE = """\
VERSION = {version!r}
def setup(notebook, keep_on_drive):
    print("setup", VERSION, notebook, keep_on_drive)
"""
INSTALL = (
    "import sys, pathlib\nwith pathlib.Path('installed').open('a') as f:\n    print(*sys.argv[1:], file=f)\n"
)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A course with a release v1 between two other commits."""
    folder = tmp_path / "origin"
    (folder / "utils" / "sae_course").mkdir(parents=True)
    (folder / "utils" / "install.py").write_text(INSTALL)
    git(folder.parent, "init", "--quiet", "origin")
    for version in ("earlier", "v1", "later"):
        (folder / "utils" / "sae_course" / "__init__.py").write_text(PACKAGE.format(version=version))
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", version)
        if version == "v1":
            git(folder, "tag", "v1")
    return folder


def run_cell(code: str, folder: Path, colab: bool, environment: dict[str, str] | None = None) -> str:
    """What the cell prints, run twice in one process, as an impatient learner would."""
    fake = (
        "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\n" if colab else ""
    )
    script = f"{fake}for _ in range(2):\n    exec({json.dumps(code)})\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout


def test_on_colab_it_clones_the_release_once_and_installs(repository: Path, tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.mkdir()
    code = setup_cell("chapters/01_sums", Address(repository.as_uri(), "v1"))
    assert run_cell(code, content, colab=True) == "setup v1 chapters/01_sums False\n" * 2
    assert (content / "installed").read_text() == "--colab\n" * 2
    log = ["git", "log", "--oneline"]
    commits = subprocess.run(
        log, cwd=content / "sae-course", capture_output=True, text=True, check=True
    ).stdout
    assert commits.count("\n") == 1  # shallow
    ticked = code.replace("KEEP_ON_DRIVE = False", "KEEP_ON_DRIVE = True")
    assert "01_sums True" in run_cell(ticked, content, colab=True)


def test_elsewhere_it_only_calls_setup(repository: Path, tmp_path: Path) -> None:
    here = tmp_path / "laptop"
    here.mkdir()
    code = setup_cell("solutions/01_sums", Address("https://example.org/nowhere", "v1"))
    environment = {"PYTHONPATH": str(repository / "utils"), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    assert run_cell(code, here, False, environment) == "setup later solutions/01_sums False\n" * 2
    assert not list(here.iterdir())


def test_it_is_few_lines_with_colabs_form_field() -> None:
    lines = setup_cell("chapters/01_sums", Address("https://github.com/a/b", "v1")).split("\n")
    assert len(lines) < 16
    assert 'KEEP_ON_DRIVE = False  # @param {type:"boolean"}' in lines
    assert "@REPOSITORY@" not in "".join(lines)
    assert "@RELEASE@" not in "".join(lines)


def test_badges_are_for_github_only() -> None:
    assert badges("01_sums", Address("https://github.com/a/b.git", "v1")).count("github/a/b/blob/v1/") == 2
    assert badges("01_sums", Address("https://gitlab.com/a/b", "v1")) == ""


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "[tool.sae-course]\nrepository = 'https://github.com/a/b'",
        "[tool.sae-course]\nrepository = 'https://github.com/a/b\"]); import os #'\nrelease = 'v1'",
        "[tool.sae-course]\nrepository = '--upload-pack=x'\nrelease = 'v1'",
        "[tool",
    ],
)
def test_bad_settings_are_one_line(settings: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(settings)
    with pytest.raises(CourseError, match=r"tool\.sae-course") as caught:
        read_address(tmp_path)
    assert "\n" not in str(caught.value)
