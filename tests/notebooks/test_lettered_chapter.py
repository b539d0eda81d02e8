"""A chapter with a letter, 03a, through the builder: rules, both notebooks, its names, README."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from click.testing import Result
from made_up import CHAPTER, Project

from sae_course.checks.catalogue import catalogue
from sae_course.notebooks import files, rules
from sae_course.notebooks.readme import write_readme
from sae_course.notebooks.source import parse
from sae_course.notebooks.template import Address

LETTERED = CHAPTER.replace("Chapter 01", "Chapter 03a")
for _number in ("1.1", "1.2", "1.A"):
    LETTERED = LETTERED.replace(_number, f"3a{_number[1:]}")


@pytest.fixture
def lettered(project: Project) -> Project:
    """The made-up chapter as 03a, published, beside an unlettered one's source."""
    project.source = project.source.with_name("03a_sums.py")
    project.source.write_text(LETTERED)
    project.solution = project.source.with_suffix(".ipynb")
    project.exercise = project.exercise.with_name("03a_sums.ipynb")
    project.publish()
    return project


def test_rules_and_parts(lettered: Project) -> None:
    chapter = parse(lettered.source, lettered.root)
    assert rules.problems(chapter) == []
    assert (chapter.number, chapter.short) == ("03a", "3a")
    assert [task.number for task in chapter.tasks] == ["3a.1", "3a.2", "3a.A"]
    book = nbformat.read(lettered.exercise, as_version=4)
    text = "\n".join(cell.source for cell in book.cells)
    assert 'raise NotImplementedError("Exercise 3a.1: ' in text
    assert "### Exercise 3a.2: write the mean" in text
    assert [(part.chapter, [one.number for one in part.exercises]) for part in catalogue(lettered.root)] == [
        ("03a", ["3a.1", "3a.2"])
    ]


def test_another_chapters_number_is_refused(lettered: Project) -> None:
    for wrong in ("3.2", "03a.2", "3b.2"):
        lettered.source.write_text(LETTERED.replace("3a.2", wrong))
        found = [problem.message for problem in rules.problems(parse(lettered.source, lettered.root))]
        assert any("it must be numbered like 3a.3" in message for message in found), wrong


@pytest.mark.parametrize("name", ["3a", "03a", "03a_sums", "chapters/03a_sums.ipynb"])
def test_its_names(name: str, lettered: Project, cli: Callable[..., Result]) -> None:
    assert files.sources(lettered.root, (name,)) == [lettered.source]
    assert cli("build", "--check", name).exit_code == 0


def test_two_chapters_of_one_number_with_different_letters_are_no_strays(lettered: Project) -> None:
    other = lettered.source.with_name("03b_sums.py")
    other.write_text(LETTERED.replace("3a", "3b"))
    assert files.strays(lettered.root) == []
    assert [path.stem for path in files.sources(lettered.root)] == ["01_sums", "03a_sums", "03b_sums"]


def test_its_row_in_the_readme(lettered: Project) -> None:
    path: Path = lettered.root / "README.md"
    path.write_text("<!-- chapters -->\n<!-- /chapters -->\n")
    write_readme(
        lettered.root, [parse(lettered.source, lettered.root)], Address("https://github.com/a/b", "v1")
    )
    assert "[03a: sums](chapters/03a_sums.ipynb)" in path.read_text()
    assert "| 2 | 1 | 14 |" in path.read_text()
