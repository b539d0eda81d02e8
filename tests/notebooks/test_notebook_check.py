"""`build --check`: what it finds in the committed notebooks, and that it is quick."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from made_up import FIGURE, PNG, Project, outputs, printed

from sae_course import notebooks
from sae_course.notebooks import build, privacy

Edit = Callable[[dict[str, Any]], object]


def _cell(book: dict[str, Any], start: str) -> dict[str, Any]:
    return next(cell for cell in book["cells"] if "".join(cell["source"]).startswith(start))


def _set(book: dict[str, Any], start: str, key: str, value: Any) -> None:
    _cell(book, start)[key] = value


# Hand edits of a notebook: what is done to it, and what the message names.
EDITS: dict[str, tuple[Edit, str]] = {
    "code": (lambda b: _set(b, "def total", "source", ["def total(values): ..."]), "source of cell"),
    "prose": (lambda b: _set(b, "## After", "source", ["## Before"]), "source of cell"),
    "badge": (lambda b: b["cells"][0]["source"].pop(), "source of cell 1"),
    "set-up": (lambda b: b["cells"][1]["source"].pop(), "source of cell 2"),
    "hint": (lambda b: b["cells"].remove(_cell(b, "<details>\n<summary>Hint 1")), "source of cell"),
    "id": (lambda b: _set(b, "def total", "id", "abc"), "id of cell"),
    "cell metadata": (lambda b: _set(b, "def total", "metadata", {"x": 1}), "metadata of cell"),
    "added cell": (
        lambda b: b["cells"].append({"cell_type": "markdown", "id": "z", "metadata": {}, "source": ["x"]}),
        "cells",
    ),
    "kernel": (lambda b: b["metadata"]["kernelspec"].update(name="conda"), "metadata"),
    "role": (lambda b: b["metadata"]["sae_course"].update(role="other"), "metadata"),
    "source hash": (lambda b: b["metadata"]["sae_course"].update(source_sha256="0"), "another version"),
    "version": (lambda b: b.update(nbformat_minor=4), ""),
}
SOLUTION_EDITS: dict[str, tuple[Edit, str]] = {
    "output": (lambda b: _set(b, 'print("mean', "outputs", [printed("mean 3.0\n")]), "outputs were changed"),
    "output removed": (lambda b: _set(b, 'print("mean', "outputs", []), "outputs were changed"),
    "count": (lambda b: _set(b, 'print("mean', "execution_count", 7), "outputs were changed"),
    "outputs hash": (
        lambda b: b["metadata"]["sae_course"].update(outputs_sha256="0"),
        "outputs were changed",
    ),
    "code hash": (lambda b: b["metadata"]["sae_course"].update(code_sha256="0"), "code has changed"),
    "code cell removed": (lambda b: b["cells"].remove(_cell(b, 'print("mean')), "cells were added"),
}
EXERCISE_EDITS: dict[str, tuple[Edit, str]] = {
    "an output": (lambda b: _set(b, "def total", "outputs", [printed("x\n")]), "outputs of cell"),
    "expected output": (
        lambda b: _set(b, "<details>\n<summary>Expected", "source", ["<details>\n", "15"]),
        "source of cell",
    ),
    "solution": (lambda b: b["cells"].remove(_cell(b, "<details>\n<summary>Solution")), "source of cell"),
}
ALL = [
    *(("solutions", name, *edit) for name, edit in (EDITS | SOLUTION_EDITS).items()),
    *(("chapters", name, *edit) for name, edit in (EDITS | EXERCISE_EDITS).items()),
]


@pytest.mark.parametrize("edited", ALL, ids=[f"{a}-{b}" for a, b, *_ in ALL])
def test_a_hand_edit_is_found(
    edited: tuple[str, str, Edit, str], project: Project, cli: Callable[..., Result]
) -> None:
    folder, name, edit, message = edited
    project.publish()
    assert cli("build", "--check").exit_code == 0
    path = project.root / folder / "01_sums.ipynb"
    book = json.loads(path.read_text())
    edit(book)
    path.write_text(json.dumps(book, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    before = path.read_bytes()
    result = cli("build", "--check")
    assert result.exit_code == 1, name
    assert f"{folder}/01_sums.ipynb" in result.stderr
    assert message in result.stderr
    assert "sae-course build" in result.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"<<<<<<< ours\n{", b"\xff\xfe", b'{"cells": 3, "nbformat": 4}']
)
@pytest.mark.parametrize("folder", ["solutions", "chapters"])
def test_what_is_no_notebook(
    content: bytes, folder: str, project: Project, cli: Callable[..., Result]
) -> None:
    project.publish()
    (project.root / folder / "01_sums.ipynb").write_bytes(content)
    result = cli("build", "--check")
    assert result.exit_code == 1, result.exception
    assert f"{folder}/01_sums.ipynb" in result.stderr


def test_reformatting_is_found(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    project.exercise.write_text(json.dumps(json.loads(project.exercise.read_text())))
    assert "its formatting" in cli("build", "--check").stderr


def test_a_missing_exercise_notebook(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    project.exercise.unlink()
    assert "chapters/01_sums.ipynb: is missing" in cli("build", "--check").stderr


@pytest.mark.parametrize("folder", ["solutions", "chapters"])
def test_an_orphan(folder: str, project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    (project.root / folder / "05_gone.ipynb").write_text("{}")
    result = cli("build", "--check")
    assert result.exit_code == 1
    assert f"{folder}/05_gone.ipynb: its source solutions/05_gone.py is gone" in result.stderr


def test_two_chapters_of_one_number(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    (project.root / "solutions" / "01_twin.py").write_text(project.source.read_text())
    assert "chapter 01 is already solutions/01_sums.py" in cli("build", "--check").stderr


SECRET = "hf_" + "a1B2c3D4" * 4
# name: (an output of the cell that prints "a figure", part of the message)
UNPUBLISHABLE: dict[str, tuple[dict[str, Any], str]] = {
    "kernel's path": (
        {"output_type": "stream", "name": "stderr", "text": "/tmp/ipykernel_77/1.py:3: UserWarning: x\n"},
        "machine path /tmp/ipykernel_77/1.py:3:: a warning or a stack trace?",
    ),
    "Mac's kernel path": (printed("/var/folders/x1/T/ipykernel_1/2.py\n"), "machine path /var/folders"),
    "home": (printed("saved to /home/anna/x.pt\n"), "/home/anna/x.pt"),
    "root": (printed("in '/root/.cache'\n"), "/root/.cache"),
    "package": (printed("/opt/v/lib/python3.11/site-packages/torch/a.py:1: x\n"), "site-packages/torch"),
    "Windows": (printed("C:\\Users\\anna\\x\n"), "C:\\Users\\anna"),
    "traceback": (
        {
            "output_type": "error",
            "ename": "E",
            "evalue": "x",
            "traceback": ["\x1b[0;31m\x1b[1m/tmp/a.py\x1b[0m"],
        },
        "/tmp/a.py",
    ),
    "in a figure": (
        {**FIGURE, "data": {**FIGURE["data"], "text/html": "<a href='/tmp/x.html'>"}},
        "/tmp/x.html",
    ),
    "token": (printed(f"using {SECRET}\n"), "a Hugging Face token (hf_a…)"),
    "GitHub token": (printed("ghp_" + "aB3" * 12), "a GitHub token"),
    "API key": (printed("sk-proj-" + "aB3" * 12), "an API key"),
    "AWS": (printed("AKIA" + "ABCD1234" * 2), "an AWS key"),
    "W&B": (printed("wandb: key " + "0123456789" * 4), "a Weights & Biases key"),
    "token in an address": (printed("http://localhost:8888/?token=" + "0f1e2d3c4b" * 4), "a token"),
    "no picture": (
        {**FIGURE, "data": {k: v for k, v in FIGURE["data"].items() if k != "image/png"}},
        "has no PNG",
    ),
    "marker": (printed("### BEGIN SOLUTION\n"), "solution marker"),
}


@pytest.mark.parametrize("name", UNPUBLISHABLE)
def test_an_output_that_must_not_be_published(
    name: str, project: Project, cli: Callable[..., Result]
) -> None:
    output, message = UNPUBLISHABLE[name]
    shown = outputs()
    shown[3] = [output]
    project.publish(shown)
    line = project.source.read_text().split('print("a figure")')[0].count("\n") + 1
    for arguments in (["build"], ["build", "--check"]):
        result = cli(*arguments)
        assert result.exit_code == 1
        assert f"solutions/01_sums.py:{line}: " in result.stderr
        assert message in result.stderr
        assert SECRET not in result.stderr


def test_the_projects_own_folder_is_a_machine_path(tmp_path: Path) -> None:
    root = tmp_path.parents[-1] / "srv" / "course"  # of no pattern
    root_project = Project(tmp_path)
    chapter = build.load(root_project.source, tmp_path)
    assert build.output_problems(chapter, 1, [printed(f"see {root}/x\n")], Path("/elsewhere")) == []
    assert len(build.output_problems(chapter, 1, [printed(f"see {root}/x\n")], root)) == 1


def test_what_must_not_be_published_is_not_written(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    before = project.exercise.read_bytes()
    project.edit("# Adding things up.", f"# {SOLUTION_LINE}, math.fsum(squares)")
    assert cli("build").exit_code == 1
    assert project.exercise.read_bytes() == before


def test_pictures_and_arrays_are_not_read_as_text(project: Project, cli: Callable[..., Result]) -> None:
    figure = {
        "data": [{"type": "scatter", "y": {"bdata": "A/tmp/x /root/AKIAABCDEFGHIJKLMNOP"}}],
        "layout": {},
    }
    shown = outputs()
    shown[3] = [{**FIGURE, "data": {next(iter(FIGURE["data"])): figure, "image/png": PNG}}]
    project.publish(shown)
    assert cli("build", "--check").exit_code == 0


@pytest.mark.parametrize("piece", ["x", "/", "a/b", "sk-", "hf_", "token=", "-", "wandb ", "AKIA", "a:\\\\"])
def test_long_lines_are_searched_in_no_time(piece: str) -> None:
    start = time.monotonic()
    list(privacy.find(piece * 100_000))
    assert time.monotonic() - start < 5  # 0.1 s; a quadratic pattern takes an hour


def test_a_notebook_over_2_mb(project: Project, cli: Callable[..., Result]) -> None:
    shown = outputs()
    shown[3] = [printed("many words " * 200_000)]
    project.publish(shown)
    result = cli("build", "--check")
    assert result.exit_code == 1
    assert "has 2.2 MB" in result.stderr
    line = project.source.read_text().split('print("a figure")')[0].count("\n") + 1
    assert f"solutions/01_sums.py:{line} alone" in result.stderr


SOLUTION_LINE = "squares = [value * value for value in values]"
# Where a solution may turn up: (old, new) in the source. Each gives a whole or half of one away.
LEAKS = {
    "later code": ('print("mean 2.0")', "values = [1]\ntotal_now = [value * value for value in values]"),
    "earlier code": ("import math\n", f"import math\n\nvalues = [1]\n{SOLUTION_LINE}\n"),
    "prose": ("# Adding things up.", f"# Write `{SOLUTION_LINE}`."),
    "a comment": ('print("a figure")', f'print("a figure")  # {SOLUTION_LINE}'),
    "the docstring": ('"""The sum of a list."""', f'"""Return math.fsum(squares) of {SOLUTION_LINE}."""'),
    "another exercise's hint": ("# Then add.", "# return math.fsum( values )/max(len(values),1)"),
    "an answer": ("# Because of its scale.", f"# See {SOLUTION_LINE}."),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_solution_outside_its_fold(name: str, project: Project, cli: Callable[..., Result]) -> None:
    project.edit(*LEAKS[name])
    project.publish()
    result = cli("build", "--check")
    assert result.exit_code == 1, result.output
    assert "gives away the solution of exercise 1." in result.stderr
    assert all(line.startswith("solutions/01_sums.py:") for line in result.stderr.strip().split("\n"))


def test_a_solution_in_the_expected_output(project: Project, cli: Callable[..., Result]) -> None:
    shown = outputs()
    shown[2] = [printed(f"your line: {SOLUTION_LINE}\n")]
    project.publish(shown)
    assert "the expected output of exercise 1.1 gives away" in cli("build", "--check").stderr


STEPS = "optimizer.zero_grad(set_to_none=True)\n    loss.backward()\n    optimizer.step()"
HARMLESS = {
    "a common line": ('print("mean 2.0")', "def again(x):\n    return math.fsum(x)\n\n\nagain([1])"),
    "a short line": ('print("mean 2.0")', "values = [1]\nprint(sum(values))"),
    "a training loop": ('print("mean 2.0")', f"values = []\nif values:\n    {STEPS}"),
    "one line of many in its own hint": ("# Then add.", f"# Such as `{SOLUTION_LINE}`"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_common_lines_are_no_leak(name: str, project: Project, cli: Callable[..., Result]) -> None:
    project.edit(*HARMLESS[name])
    if name.startswith("a "):  # the solution that shares its lines
        body = {
            "a short line": "return sum(values)",
            "a training loop": f"{STEPS}\n    return len(values)",
        }
        project.edit(
            "return math.fsum(values) / max(len(values), 1)", body.get(name, "return math.fsum(values)")
        )
    if name.startswith("one line"):
        project.edit("return math.fsum(squares)", "return math.fsum(squares) + math.fsum([0.0])")
    project.publish()
    result = cli("build", "--check")
    assert result.exit_code == 0, result.stderr


def test_check_takes_seconds_and_loads_nothing_heavy(project: Project) -> None:
    project.publish()
    code = (
        "import sys\n"
        "from sae_course.notebooks.commands import build\n"
        "build(['--check'], standalone_mode=False)\n"
        "print(sorted({'torch', 'plotly', 'numpy', 'transformer_lens'} & set(sys.modules)))\n"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["✔ 1 chapter checked", "[]"], done.stderr
    assert time.monotonic() - start < 15  # 2 s on two idle cores


def test_the_room_imports_at_once() -> None:
    rooms = Path(notebooks.__file__).parent
    names = [f"sae_course.notebooks.{path.stem}" for path in rooms.glob("*.py") if path.stem != "__init__"]
    heavy = "{'jupytext', 'nbformat', 'nbconvert', 'rich', 'torch', 'plotly'}"
    code = f"import sys, {', '.join(names)}\nprint({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
