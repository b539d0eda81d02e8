"""The progress file loses nothing, and a check works without it."""

import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from toy_check import energy, right

from sae_course import progress
from sae_course.checks import CheckFailed, progress_file
from sae_course.checks.commands import progress as command
from sae_course.checks.progress import record
from sae_course.runtime import CourseError, session


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A checkout with one chapter of three exercises, one of them without a check."""
    root = tmp_path / "course"
    (root / "solutions").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / "chapters").mkdir()

    def header(number, title, minutes):
        source = f"### Exercise {number}: {title}\n\n> Difficulty"
        return {
            "cell_type": "markdown",
            "metadata": {"exercise": number, "minutes": minutes},
            "source": source,
        }

    def code(source):
        return {"cell_type": "code", "metadata": {}, "source": [source]}

    hint = {"cell_type": "markdown", "metadata": {"tags": ["hint"]}, "source": "<details>"}
    cells = [
        header("1.3", "the <energy>", 10),
        code("check.energy(energy)"),
        hint,
        header("1.4", "the rest", 15),
        code("check.rest(rest)"),
        header("1.5", "only a question", 99),
    ]
    (root / "chapters" / "01_toy_models.ipynb").write_text(json.dumps({"cells": cells}))
    (root / "chapters" / "02_broken.ipynb").write_text("{")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def nowhere(monkeypatch):
    """No checkout."""
    monkeypatch.setattr("sae_course.checks.catalogue.project_root", _no_checkout)


def _no_checkout():
    raise CourseError("no checkout")


def try_and_fail(times=1):
    for _ in range(times):
        with pytest.raises(CheckFailed) as caught:
            energy(lambda x, W: None)
    return str(caught.value)


def recorded(learner):
    return json.loads((learner / "progress.json").read_text())["exercises"]["1.3"]


def test_attempts_are_counted(learner):
    try_and_fail(2)
    assert (recorded(learner)["attempts"], recorded(learner)["failures"]) == (2, 2)
    assert recorded(learner)["message"] == "your function returned nothing (None): is there a `return`?"
    energy(right)
    entry = recorded(learner)
    assert (entry["attempts"], entry["failures"], entry["last"]) == (3, 0, "passed")
    assert entry["solved"].startswith("20")
    try_and_fail()
    assert (recorded(learner)["failures"], recorded(learner)["solved"]) == (1, entry["solved"])


def test_the_day_of_the_first_success_stays(learner):
    energy(right)
    content = json.loads((learner / "progress.json").read_text())
    content["exercises"]["1.3"]["solved"] = "2026-01-02"
    (learner / "progress.json").write_text(json.dumps(content))
    energy(right)
    assert recorded(learner)["solved"] == "2026-01-02"


def test_an_untouched_exercise_is_no_attempt(learner):
    def unwritten(x, W):
        raise NotImplementedError

    with pytest.raises(CheckFailed, match="not written yet"):
        energy(unwritten)
    assert not (learner / "progress.json").exists()


def test_a_solution_notebook_is_nobodys_progress(learner, monkeypatch):
    monkeypatch.setattr(session, "_current", session.Session(notebook="solutions/01_toy"))
    energy(right)
    assert "Hint" not in try_and_fail(4)
    assert not learner.exists()


def test_solved_tried_and_left_with_minutes(course):
    before = progress()
    assert [line.status for line in before.chapters[0].lines] == ["left", "left"]
    try_and_fail()
    assert "0 of 2 solved, 1 tried · about 25 of 25 minutes left" in str(progress())
    energy(right)
    text = str(progress())
    assert "01 toy models" in text
    assert "1 of 2 solved · about 15 of 25 minutes left" in text
    assert all(part in text for part in ("✔", "the <energy>", "2 tries"))
    html = progress()._repr_html_()
    assert all(part in html for part in ("the &lt;energy&gt;", "1 of 2 solved"))
    assert progress().to_dict()["chapters"][0]["lines"][0]["status"] == "solved"


def test_in_a_notebook_rich_is_not_left_to_display_by_itself(course, monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert "0 of 2 solved" in str(progress())


def test_without_a_checkout_what_was_tried_is_shown(nowhere):
    assert str(progress()) == "No exercise has been tried yet."
    energy(right)
    text = str(progress())
    assert all(part in text for part in ("1.3", "Only exercises that were tried"))


def test_exercises_stand_in_their_order(nowhere):
    for number in ("1.10", "1.2", "2a.1"):
        record(number, passed=True, title="t", chapter=number[0].zfill(2), minutes=1, message="")
    shown = [line.number for part in progress().chapters for line in part.lines]
    assert shown == ["1.2", "1.10", "2a.1"]


def test_several_notebooks_at_once_lose_nothing(learner):
    code = (
        "from sae_course.checks import progress\n"
        "for i in range(20):\n"
        "    saved = progress.record('1.3', passed=False, title='t', chapter='01', minutes=1, message='')\n"
        "    assert not saved.note, saved.note\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert recorded(learner)["attempts"] == 80


BROKEN = ["{", "[]", '{"version": 1}', '{"version": 1, "exercises": {"1.3": {"attempts": "many"}}}', ""]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_kept_aside_and_the_check_goes_on(learner, capsys, content):
    learner.mkdir()
    (learner / "progress.json").write_text(content)
    energy(right)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "✔ 1.3 energy (6 cases)"
    assert len(out) == 2
    assert "was broken" in out[1]
    (aside,) = learner.glob("progress.broken-*.json")
    assert aside.read_text() == content
    assert recorded(learner)["attempts"] == 1


def test_the_command_says_that_the_file_was_broken_once(learner):
    learner.mkdir()
    (learner / "progress.json").write_bytes(b"\xff\x00")
    result = CliRunner().invoke(command)
    assert isinstance(result.exception, CourseError)
    assert "it is kept as" in str(result.exception)
    assert "\n" not in str(result.exception)
    assert len(list(learner.glob("progress.broken-*"))) == 1
    assert CliRunner().invoke(command).exit_code == 0


def test_two_broken_files_in_one_second_are_both_kept(learner):
    learner.mkdir()
    for content in ("{", "}"):
        (learner / "progress.json").write_text(content)
        energy(right)
    assert sorted(file.read_text() for file in learner.glob("progress.broken-*")) == ["{", "}"]


def test_a_newer_file_is_not_touched(learner, capsys):
    learner.mkdir()
    newer = '{"version": 2, "exercises": {}}'
    (learner / "progress.json").write_text(newer)
    energy(right)
    assert "newer version" in capsys.readouterr().out
    assert (learner / "progress.json").read_text() == newer


def test_a_check_works_where_nothing_can_be_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "file" / "home"))
    energy(right)
    out = capsys.readouterr().out
    assert out.startswith("✔ 1.3 energy (6 cases)\n  (Progress was not saved: ")
    assert "Hint 1" in try_and_fail(3)
    with pytest.raises(CourseError):
        progress()


def test_a_lock_held_too_long_is_said(learner, monkeypatch, capsys):
    monkeypatch.setattr(progress_file, "PATIENCE", 0.1)
    holder = (
        "from sae_course.checks import progress_file; import time\n"
        "with progress_file._lock():\n    print('held', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        start = time.monotonic()
        energy(right)
        assert time.monotonic() - start < 3
        process.kill()
    assert "in use by another notebook" in capsys.readouterr().out
    energy(right)  # a killed holder leaves no lock behind
    assert recorded(learner)["attempts"] == 1


def test_the_command_shows_one_chapter_and_refuses_an_unknown_one(course):
    energy(right)
    assert "1 of 2 solved" in CliRunner().invoke(command, ["--chapter", "1"]).output
    result = CliRunner().invoke(command, ["--chapter", "7"])
    assert str(result.exception) == "there is no chapter '7' with exercises: there is 01."


def test_reset_asks_and_keeps_a_copy(course, learner):
    energy(right)
    was = (learner / "progress.json").read_text()
    assert "Nothing was changed" in CliRunner().invoke(command, ["--reset"], input="n\n").output
    assert (learner / "progress.json").read_text() == was
    output = CliRunner().invoke(command, ["--reset", "--chapter", "01"], input="y\n").output
    assert "1 exercise forgotten" in output
    (copy,) = learner.glob("progress.backup-*.json")
    assert copy.read_text() == was
    assert progress().chapters[0].count("left") == 2
    assert "nothing to forget" in CliRunner().invoke(command, ["--reset", "--yes"]).output


def test_nothing_heavy_is_imported():
    code = (
        "import sys, sae_course.checks.progress, sae_course.checks.commands\n"
        "heavy = {'torch', 'numpy', 'plotly', 'rich', 'filelock', 'nbformat'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
