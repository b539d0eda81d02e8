"""Makefile, constraints, conda environment and hosted workflow agree with pyproject.toml and each other."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

COMMANDS = ["help", "run", "test", "test-full", "lab", "notebooks", "bench", "check", "clean"]


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    """``[project]`` of pyproject.toml."""
    return dict(tomllib.loads((root / "pyproject.toml").read_text())["project"])


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``make`` in ``folder``, without what a surrounding make handed down."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))
    }
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """What the Makefile needs of a checkout, without an environment; a space in its path."""
    folder = tmp_path / "a checkout"
    (folder / "utils").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "utils/install.py"):
        shutil.copy(root / name, folder / name)
    return folder


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# ---------------------------------------------------------------- Makefile


def test_help_is_the_default_and_lists_the_commands(checkout: Path) -> None:
    done = make(checkout)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE)[0] == "help"
    assert set(COMMANDS) <= set(re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE))
    assert not (checkout / ".venv").exists()


def test_no_python_that_fits_is_said_with_what_to_do(checkout: Path) -> None:
    done = make(checkout, "PYTHON=/bin/false", "run", "CHAPTER=01")
    assert done.returncode == 2
    assert "No Python that fits was found (/bin/false doesn't)" in done.stderr
    assert "make PYTHON=/path/to/python3.11 run" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_failed_installation_is_tried_again(checkout: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    python = script(
        tmp_path / "bin" / "python-x",
        f'case "$*" in *--check-python*) exit 0;; *) echo "$*" >> "{log}"; mkdir -p .venv/bin; exit 1;; esac',
    )
    for _ in range(2):
        assert make(checkout, f"PYTHON={python}", "run").returncode == 2
    assert log.read_text().splitlines() == ["utils/install.py --dev --venv .venv"] * 2
    assert not (checkout / ".venv" / ".installed").exists()


def test_a_finished_environment_is_used_and_a_moved_one_is_not(checkout: Path, tmp_path: Path) -> None:
    script(checkout / ".venv/bin/python", "exit 0")
    script(checkout / ".venv/bin/sae-course", 'echo "course: $*"')
    stamp = checkout / ".venv" / ".installed"
    stamp.write_text(f"{(checkout / '.venv').resolve()}\n")
    assert make(checkout, "run", "CHAPTER=01").stdout == "course: run 01\n"
    moved = checkout.rename(tmp_path / "elsewhere")
    done = make(moved, "PYTHON=/bin/false", "run")
    assert done.returncode == 2, "its scripts name the old folder"
    assert "course:" not in done.stdout


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "utils/install.py"])
def test_a_newer_definition_updates_the_environment(checkout: Path, name: str) -> None:
    script(checkout / ".venv/bin/python", "exit 0")
    stamp = checkout / ".venv" / ".installed"
    stamp.write_text(f"{(checkout / '.venv').resolve()}\n")
    assert make(checkout, "-q", ".venv/.installed").returncode == 0
    later = stamp.stat().st_mtime + 10
    os.utime(checkout / name, (later, later))
    assert make(checkout, "-q", ".venv/.installed").returncode == 1


# ---------------------------------------------------------------- constraints


def test_every_declared_dependency_has_a_pin_in_its_range(
    install: ModuleType, project: dict[str, Any]
) -> None:
    pins = install.tested()
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert len(wanted) > 20
    for text in wanted:
        requirement = Requirement(text)
        pin = pins.get(install.normalised(requirement.name))
        assert pin is not None, f"{text} has no pin: run `make constraints`"
        assert requirement.specifier.contains(pin), f"{text} is pinned to {pin}"
    assert "sae-vis" in pins


def test_constraints_hold_versions_and_nothing_of_a_machine(root: Path, install: ModuleType) -> None:
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(set(names))
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line), line
    assert not set(install.NOT_PINNED) & set(install.tested())


# ---------------------------------------------------------------- conda and the hosted workflow


def test_conda_environment(root: Path, project: dict[str, Any]) -> None:
    text = (root / "environment.yml").read_text()
    environment = yaml.safe_load(text)
    assert environment["name"] == "sae-course"
    packages = dict(line.partition("=")[::2] for line in environment["dependencies"])
    assert set(packages) == {"python", "pip", "git", "make"}
    assert SpecifierSet(project["requires-python"]).contains(f"{packages['python']}.0")
    assert "python utils/install.py" in text


def test_workflow_runs_what_ci_runs(root: Path, project: dict[str, Any]) -> None:
    workflow = yaml.safe_load((root / ".github/workflows/test.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    job = workflow["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    matrix = {one["python"]: one["expected"] for one in job["strategy"]["matrix"]["include"]}
    assert matrix == {"3.11": False, "3.12": True, "3.13": True}
    assert all(SpecifierSet(project["requires-python"]).contains(f"{version}.0") for version in matrix)


def ci(folder: Path, makefile: str, full: int, some: int = 9999) -> subprocess.CompletedProcess[str]:
    """`.ci/run` with a make of our own; all or some is run at full scale before so many seconds are gone."""
    (folder / "Makefile").write_text(makefile)
    environment = os.environ | {"FULL_BEFORE": str(full), "SOME_BEFORE": str(some)}
    return subprocess.run(
        [folder / ".ci/run"], capture_output=True, text=True, check=False, cwd="/", env=environment
    )


def test_ci_passes_the_status_on_and_ends_with_pytests_line(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / ".ci", tmp_path / ".ci")
    closing = "\x1b[31m== \x1b[1m1 failed\x1b[0m, 2 passed in 0.10s \x1b[31m==\x1b[0m"
    (tmp_path / "says").write_text(f"{closing}\nmore\n")
    done = ci(tmp_path, "test:\n\t@cat says; exit 1\ntest-full:\n\t@echo never\n", 9999)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == "== 1 failed, 2 passed in 0.10s =="
    assert "never" not in done.stdout
    done = ci(tmp_path, "test:\n\t@echo nothing\n", 0, 0)
    assert done.returncode == 0
    assert "full scale: left out" in done.stdout.splitlines()[-2]
    assert done.stdout.splitlines()[-1] == "pytest did not come to its closing line"


def test_ci_runs_the_chapters_at_full_scale_when_time_and_memory_allow(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / ".ci", tmp_path / ".ci")
    makefile = (
        "test:\n\t@echo '== 2 passed in 9.9s =='\ntest-full:\n\t@echo '== 1 failed in 0.5s =='; exit 1\n"
    )
    done = ci(tmp_path, makefile, 9999)
    *_, full, closing = done.stdout.splitlines()
    assert closing == "== 2 passed in 9.9s =="
    if psutil.virtual_memory().total < 15.5e6 * 1024:
        assert "full scale: left out" in full
    else:
        assert done.returncode != 0
        assert full == "full scale: == 1 failed in 0.5s =="
        done = ci(tmp_path, makefile.replace("1 failed", "$(ARGS)"), 0)
        assert done.stdout.splitlines()[-2].startswith("full scale, two chapters of it: == -k 03b or 05_ in")
