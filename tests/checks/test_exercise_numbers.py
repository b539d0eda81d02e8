"""Numbers with a letter, 3a.1 in chapter 03a, wherever numbers are read, sorted and shown."""

import json

import pytest
from click.testing import CliRunner

from sae_course import progress
from sae_course.checks import CheckFailed, numbers
from sae_course.checks.catalogue import catalogue
from sae_course.checks.commands import progress as command
from sae_course.checks.core import exercise


def check_of(number):
    """A check of one exercise, written outside a chapter's module."""

    @exercise(number, f"task {number}", minutes=7, hints=2)
    def body(t, student):
        for _ in t.cases(1):
            t.require(t.call(student, {}) == 1, "not 1")

    return body


@pytest.mark.parametrize(
    ("number", "chapter"),
    [("1.3", "01"), ("10.2", "10"), ("3a.1", "03a"), ("3b.12", "03b"), ("12c.1", "12c"), ("3A.1", "03a")],
)
def test_the_chapter_of_an_exercise(number, chapter):
    assert numbers.chapter_of(number) == chapter
    assert numbers.CHAPTER.fullmatch(chapter)
    assert check_of(number).chapter == chapter
    assert numbers.chapter_of(chapter) == chapter


def test_a_checks_module_says_its_chapter(monkeypatch):
    check = check_of("9.9")
    for module, chapter in [
        ("sae_course.checks.ch03a", "03a"),
        ("sae_course.checks.ch01", "01"),
        ("03a", "09"),
    ]:
        monkeypatch.setattr(check.body, "__module__", module)
        assert check.chapter == chapter


def test_the_order_of_exercises():
    right = ["1.2", "1.10", "2.1", "3a.1", "3a.2", "3a.10", "3b.1", "10.1", "10a.1"]
    mixed = right[::2] + right[1::2]
    assert sorted(mixed, key=numbers.order) == right
    numbers.order("")
    numbers.order("what..is this")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A checkout with the chapters 01, 03a and 03b."""
    root = tmp_path / "course"
    for folder in ("solutions", "chapters"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").touch()
    for chapter, listed in [("03b_b", ["3b.1"]), ("01_one", ["1.1"]), ("03a_a", ["3a.1", "3a.2", "3a.10"])]:
        cells = []
        for number in listed:
            cells += [
                {
                    "cell_type": "markdown",
                    "metadata": {"exercise": number, "minutes": 7},
                    "source": f"### Exercise {number}: task",
                },
                {"cell_type": "code", "metadata": {}, "source": ["check.task(task)"]},
            ]
        (root / "chapters" / f"{chapter}.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.chdir(root)
    return root


def test_the_catalogue_and_the_table(course, learner, capsys):
    assert [part.chapter for part in catalogue()] == ["01", "03a", "03b"]
    assert [exercise.title for exercise in catalogue()[1].exercises] == ["task"] * 3
    for number in ("3b.1", "3a.10", "1.1", "3a.2", "3a.11"):  # 3a.11 is in no notebook
        check_of(number)(lambda: 1)
    assert capsys.readouterr().out.startswith("✔ 3b.1 task 3b.1 (1 case)\n")
    assert list(json.loads((learner / "progress.json").read_text())["exercises"]) == [
        "1.1",
        "3a.2",
        "3a.10",
        "3a.11",
        "3b.1",
    ]
    shown = {part.chapter: [line.number for line in part.lines] for part in progress().chapters}
    assert shown == {"01": ["1.1"], "03a": ["3a.1", "3a.2", "3a.10", "3a.11"], "03b": ["3b.1"]}
    assert "03a a" in str(progress())
    assert "3 of 4 solved" in str(progress())


@pytest.mark.parametrize("name", ["3a", "03a", "3A"])
def test_one_lettered_chapter_of_the_command(course, learner, name):
    for number in ("3a.2", "3b.1"):
        check_of(number)(lambda: 1)
    output = CliRunner().invoke(command, ["--chapter", name]).output
    assert "1 of 3 solved" in output
    assert "3b.1" not in output
    CliRunner().invoke(command, ["--reset", "--yes", "--chapter", name])
    assert list(json.loads((learner / "progress.json").read_text())["exercises"]) == ["3b.1"]


def test_an_unknown_chapter_lists_those_with_letters(course):
    result = CliRunner().invoke(command, ["--chapter", "3"])
    assert str(result.exception) == "there is no chapter '3' with exercises: there is 01, 03a, 03b."


def test_a_failure_names_the_exercise_and_points_to_a_hint():
    check = check_of("3a.4")
    for hint in ("", "", "Hint 1"):
        with pytest.raises(CheckFailed) as caught:
            check(lambda: 2)
        assert str(caught.value).startswith("✘ 3a.4 task 3a.4\n")
        assert hint in str(caught.value)
