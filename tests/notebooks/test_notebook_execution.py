"""Executing: the author's build and `run`. Five kernels start, which is why this file takes 20 s."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
import pytest
from click.testing import Result
from made_up import Project

from sae_course.notebooks import build
from sae_course.runtime import CourseError

FAILING = """\
# %% [markdown]
# # Chapter 02: fails
# %% [markdown] exercise="2.1" difficulty=1 importance=1 minutes=1
# ### Exercise 2.1: fail
# %%
def f():
    ### BEGIN SOLUTION
    raise ValueError("first line\\nsecond line")
    ### END SOLUTION


check = None
if check:
    check.f(f)
f()
# %%
print("never")
"""

PROBE = """\
import os, sys
print(os.environ["SAE_COURSE_SCALE"], os.environ["SAE_COURSE_RENDERER"], os.getcwd().endswith("solutions"))
print(len(os.listdir(os.environ["SAE_COURSE_HOME"])), os.environ["SAE_COURSE_HOME"] != "somebody's")
print("\\r 50%|#", end="", file=sys.stderr)
print("\\r100%|##", file=sys.stderr)
"""


def test_executing_keeps_small_outputs_and_a_failing_chapter_keeps_the_old_ones(
    project: Project, cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAE_COURSE_HOME", "somebody's")
    monkeypatch.setattr(build, "find_chrome", lambda: None)  # an author's; this chapter draws nothing
    project.edit('print("a figure")\n', PROBE)
    result = cli("build", "--execute")
    assert result.exit_code == 0, result.output
    book = nbformat.read(project.solution, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, 7))
    (probe,) = code[3].outputs  # and nothing of the progress bar
    assert probe.text == "mini plotly_mimetype+png True\n0 True\n"
    assert all(set(cell.metadata) <= {"tags", "cellView", "jupyter"} for cell in code)
    assert book.metadata.language_info == {
        "name": "python",
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "pygments_lexer": "ipython3",
    }
    assert code[2].outputs[0].text == "\x1b[32m✔\x1b[0m 14.0\n"
    assert cli("build", "--check").exit_code == 0

    before = project.solution.read_bytes(), project.exercise.read_bytes()
    project.edit("return math.fsum(squares)", "return math.fsum(squarse)")
    result = cli("build", "--execute")
    assert result.exit_code == 1
    line = next(
        n for n, text in enumerate(project.source.read_text().split("\n"), 1) if text.startswith("def total")
    )
    assert result.stderr.strip().split("\n")[-1] == (
        f"solutions/01_sums.py:{line}: exercise 1.1: the cell fails: NameError: name 'squarse' is not defined"
    )
    assert (project.solution.read_bytes(), project.exercise.read_bytes()) == before


def test_run_reports_on_all_chapters_though_one_fails(
    project: Project, cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAE_COURSE_SCALE", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (project.root / "solutions" / "02_fails.py").write_text(FAILING)
    figure = "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 2])).show()\n"
    project.edit('print("a figure")\n', figure)
    project.edit('print("mean 2.0")', 'print()\nprint("mean 2.0 </td>")\nprint("second")')
    result = cli("run")
    assert result.exit_code == 1, result.output
    good, bad = (line for line in result.stdout.split("\n") if "Chapter 0" in line)
    assert re.search(r"Chapter 01: sums +│ +\d+ │ +6 │ +0\.\d\d GB │ mean 2\.0 </td> ", good), good
    assert "2 of 3" not in bad
    assert "1 of 3" in bad
    assert (
        "✘ solutions/02_fails.py:6: exercise 2.1: the cell fails: ValueError: first line second line" in bad
    )
    folder = project.root / "build"
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        "01_sums.html",
        "02_fails.html",
        "executed/01_sums.ipynb",
        "executed/02_fails.ipynb",
        "plotly.min.js",
        "report.html",
    ]
    report = (folder / "report.html").read_text()
    assert 'href="01_sums.html"' in report
    assert "mean 2.0 &lt;/td&gt;" in report
    assert "ValueError: first line second line" in report
    page = (folder / "01_sums.html").read_text()
    assert '<script src="plotly.min.js"></script>' in page
    assert "Plotly.newPlot" in page
    assert "require.js" not in page
    nbformat.validate(nbformat.from_dict(json.loads((folder / "executed" / "01_sums.ipynb").read_text())))
    assert not project.solution.exists()  # running publishes nothing


def test_ctrl_c_ends_the_kernel_with_one_line(project: Project) -> None:
    flag = project.root / "running"
    project.edit('print("a figure")', f"open({str(flag)!r}, 'w').close()\nimport time\ntime.sleep(600)")
    # The path would be refused in a chapter; here it is how the test sees that the cell has begun.
    code = (
        "from sae_course.notebooks import build, commands, rules\n"
        "build.rules.problems = lambda chapter: []\n"
        "commands.run(standalone_mode=False)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if flag.exists():
            break
        time.sleep(0.1)
    kernels = psutil.Process(process.pid).children(recursive=True)
    assert kernels
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert err.strip().split("\n")[-1] == "stopped: 0 of 1 chapters were run to their end."
    assert "Traceback" not in out + err
    assert not psutil.wait_procs(kernels, timeout=10)[1]
    assert [path.name for path in (project.root / "build").rglob("*")] == ["plotly.min.js"]


def test_a_folder_that_cannot_be_written_fails_before_anything_runs(
    project: Project, cli: Callable[..., Result]
) -> None:
    (project.root / "taken").write_text("a file")
    result = cli("run", "--output", "taken")
    assert isinstance(result.exception, CourseError)
    assert "can't be written" in str(result.exception)
    assert "\n" not in str(result.exception)


def test_without_a_chrome_an_authors_build_says_so(
    project: Project, cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium = pytest.importorskip("choreographer.browsers.chromium")
    monkeypatch.setattr(chromium.Chromium, "find_browser", staticmethod(lambda skip_local: None))
    result = cli("build", "--execute")
    assert isinstance(result.exception, CourseError)
    assert str(result.exception).startswith("no Chrome or Chromium was found")
    assert not list(Path(project.root).rglob("*.ipynb"))
