"""The made-up project, and the commands run inside it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_up import Project

from sae_course.notebooks import commands


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def cli(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``cli("build", "--check")`` in the made-up project."""
    monkeypatch.chdir(project.root)

    def invoke(command: str, *arguments: str) -> Result:
        return CliRunner().invoke(getattr(commands, command), arguments)

    return invoke
