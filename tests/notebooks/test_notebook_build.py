"""The two notebooks that a source makes, and how `build` keeps them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import Result
from made_up import FIGURE, PNG, Project, outputs, printed

from sae_course.notebooks import commands, template
from sae_course.notebooks.outputs import PLOTLY, cleaned, folded
from sae_course.runtime import CourseError


def cells(path: Path) -> list[Any]:
    return list(nbformat.read(path, as_version=4).cells)


def sources(path: Path) -> str:
    return "\n".join(cell.source for cell in cells(path))


def test_both_are_valid_notebooks_with_everything_in_its_place(project: Project) -> None:
    project.publish()
    for path in (project.solution, project.exercise):
        book = json.loads(path.read_text())
        nbformat.validate(nbformat.from_dict(book))
        assert book["metadata"]["kernelspec"]["name"] == "python3"
        assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
        assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
        assert path.read_text().endswith("}\n")
    solution, exercise = cells(project.solution), cells(project.exercise)
    assert all(
        not cell.outputs and cell.execution_count is None for cell in exercise if cell.cell_type == "code"
    )
    for path, made in (("solutions", solution), ("chapters", exercise)):
        title, setup = made[0].source.split("\n"), made[1].source
        assert title[0] == "# Chapter 01: sums"
        assert "https://colab.research.google.com/github/someone/course/blob/v9.8.7/" in title[2]
        assert title[4] == "Adding things up."
        assert f'setup("{path}/01_sums", keep_on_drive=KEEP_ON_DRIVE)' in setup
        header = next(cell for cell in made if cell.source.startswith("### Exercise 1.1"))
        assert header.source.split("\n")[2] == "> Difficulty ●●○○○ · importance ●●●●● · about 10 minutes"
        assert header.source.endswith("\n\nOf a list.")
        assert next(c for c in made if "import math" in c.source).metadata.jupyter.source_hidden is True
        hints = [cell.source for cell in made if "hint" in cell.metadata.get("tags", [])]
        assert hints[0].startswith(
            "<details>\n<summary>Hint 1</summary>\n\nUse a comprehension.\n\n</details>"
        )
        assert "Hint 2" in hints[1]
        assert (
            made[-1].source == "<details>\n<summary>Answer</summary>\n\nBecause of its scale.\n\n</details>"
        )
    assert "math.fsum(squares)\n\n\ncheck.total(total)" in sources(project.solution)
    assert "SOLUTION" not in sources(project.solution) + sources(project.exercise)


def test_the_exercise_has_stub_hints_solution_and_expected_output_in_this_order(project: Project) -> None:
    project.publish()
    made = cells(project.exercise)
    start = next(i for i, cell in enumerate(made) if cell.source.startswith("### Exercise 1.1"))
    stub, figure, first, second, solution, expected = made[start + 1 : start + 7]
    assert stub.source == (
        'def total(values):\n    """The sum of a list."""\n    # TODO: add the squares of all of them\n'
        '    raise NotImplementedError("Exercise 1.1: write the \\"total\\"")\n\n\ncheck.total(total)'
    )
    assert figure.source == 'print("a figure")'
    assert ["Hint 1" in first.source, "Hint 2" in second.source] == [True, True]
    assert solution.source.startswith(
        "<details>\n<summary>Solution</summary>\n\n```python\ndef total(values):"
    )
    assert "    return math.fsum(squares)\n" in solution.source
    assert expected.source == (
        "<details>\n<summary>Expected output</summary>\n\n```text\n✔ 14.0\na figure\n```\n\n"
        f'<img alt="the figure that this cell draws" src="data:image/png;base64,{PNG}">\n\n</details>'
    )
    tagged = next(i for i, cell in enumerate(made) if cell.source == 'print("mean 2.0")')
    assert "```text\nmean 2.0\n```" in made[tagged + 1].source


def test_builds_are_byte_identical(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    before = project.solution.read_bytes(), project.exercise.read_bytes()
    for _ in range(2):
        assert cli("build").exit_code == 0
        assert (project.solution.read_bytes(), project.exercise.read_bytes()) == before


def test_a_change_of_prose_keeps_the_outputs(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    project.edit("Adding things up.", "Adding things.")
    assert "another version" in cli("build", "--check").stderr
    result = cli("build", "01")
    assert result.exit_code == 0, result.output
    assert "Adding things." in sources(project.exercise)
    assert "Adding things." in sources(project.solution)
    assert [cell.outputs[0].text for cell in cells(project.solution) if cell.get("outputs")][
        -1
    ] == "mean 2.0\n"
    assert cli("build", "--check").exit_code == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return math.fsum(squares)", "return math.fsum(squares) + 0.0"),
        ('print("a figure")', 'print("a picture")'),
        ('["expected", "headline"]', '["expected", "headline", "skip-execution"]'),
    ],
)
def test_a_change_of_code_asks_for_an_execution(
    old: str, new: str, project: Project, cli: Callable[..., Result]
) -> None:
    project.publish()
    before = project.solution.read_bytes(), project.exercise.read_bytes()
    project.edit(old, new)
    for arguments in (["build"], ["build", "--check"]):
        result = cli(*arguments)
        assert result.exit_code == 1
        assert "build --execute 01" in result.stderr
        assert (project.solution.read_bytes(), project.exercise.read_bytes()) == before


def test_never_executed(project: Project, cli: Callable[..., Result]) -> None:
    for arguments in (["build"], ["build", "--check"]):
        result = cli(*arguments)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert "build --execute 01" in result.stderr
    assert not list(project.root.rglob("*.ipynb"))


def test_another_address_needs_no_execution(project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    settings = project.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("someone", "OWNER").replace("v9.8.7", "v10"))
    result = cli("build")
    assert result.exit_code == 0
    assert result.stdout.count("placeholder https://github.com/OWNER/course") == 1
    assert '"v10"' in sources(project.exercise)
    assert "OWNER/course/blob/v10" in sources(project.solution)


def test_another_set_up_cell_asks_for_an_execution(
    project: Project, cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.publish()
    other = project.root / "other.tmpl"
    other.write_text(template.TEMPLATE.read_text().replace("setup(", "setup_all("))
    monkeypatch.setattr(template, "TEMPLATE", other)
    assert "code has changed" in cli("build").stderr


def test_an_inserted_cell_renames_no_other(project: Project) -> None:
    project.edit("# ## Afterwards\n", '# ## Afterwards\n# %%\nprint("again")\n# %%\nprint("again")\n')
    project.publish([*outputs()[:5], [], [], outputs()[5]])
    before = [cell.id for cell in cells(project.exercise)]
    project.edit("# Adding things up.", "# Adding things up.\n# %%\nprint(0)")
    project.publish([outputs()[0], [], *outputs()[1:5], [], [], outputs()[5]])
    after = [cell.id for cell in cells(project.exercise)]
    assert len(after) == len(before) + 1 == len(set(after))
    assert set(before) < set(after)


def test_a_folder_that_cannot_be_written_leaves_both_as_they_were(
    project: Project, cli: Callable[..., Result]
) -> None:
    project.publish()
    before = project.solution.read_bytes()
    project.edit("Adding things up.", "Adding things.")
    project.exercise.unlink()
    (project.root / "chapters").rmdir()
    (project.root / "chapters").write_text("a file where the folder should be")
    result = cli("build")
    assert isinstance(result.exception, CourseError)
    assert "chapters/01_sums.ipynb can't be written" in str(result.exception)
    assert "\n" not in str(result.exception)
    assert project.solution.read_bytes() == before


def test_unknown_chapter_and_no_chapter(project: Project, cli: Callable[..., Result]) -> None:
    for command in ("build", "run"):
        result = cli(command, "07")
        assert isinstance(result.exception, CourseError)
        assert str(result.exception) == "there is no chapter '07': there are 01 (sums)."
    project.source.unlink()
    assert "no chapter yet" in str(cli("build").exception)


@pytest.mark.parametrize("command", ["build", "run"])
def test_without_the_authors_tools(
    command: str, project: Project, cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda module: None if module == "jupytext" else module)
    result = cli(command)
    assert isinstance(result.exception, CourseError)
    assert str(result.exception).startswith("jupytext not installed")
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("name", ["1", "01", "01_sums", "solutions/01_sums.py", "chapters/01_sums.ipynb"])
def test_a_chapter_has_many_names(name: str, project: Project, cli: Callable[..., Result]) -> None:
    project.publish()
    assert cli("build", "--check", name).exit_code == 0


def test_progress_bars_widgets_and_unused_defaults_are_dropped() -> None:
    def stream(name: str, text: str) -> dict[str, Any]:
        return {"output_type": "stream", "name": name, "text": text}

    bar = "\r  0%|   | 0/3\r 33%|#  | 1/3\r100%|###| 3/3\n"
    widget = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"application/vnd.jupyter.widget-view+json": {}},
    }
    template = {"data": {"scatter": [1], "bar": [2]}, "layout": {}}
    figure = {"data": [{"y": [1]}], "layout": {"template": template}}
    shown = cleaned(
        [
            stream("stderr", bar),
            widget,
            stream("stdout", "one\n"),
            stream("stdout", "step 1\rstep 2\n"),
            stream("stderr", bar + "a warning\n"),
            {"output_type": "display_data", "metadata": {}, "transient": {}, "data": {PLOTLY: figure}},
            {
                "output_type": "execute_result",
                "metadata": {},
                "execution_count": 99,
                "data": {"text/plain": "3"},
            },
        ],
        4,
    )
    assert shown[:2] == [stream("stdout", "one\nstep 2\n"), stream("stderr", "a warning\n")]
    assert shown[2]["data"][PLOTLY]["layout"]["template"]["data"] == {"scatter": [1]}
    assert "transient" not in shown[2]
    assert shown[3]["execution_count"] == 4
    assert len(shown) == 4


def test_expected_output_is_fenced_whatever_it_holds() -> None:
    text = folded([printed("```\n</details>\x1b[1m\n```"), FIGURE, printed("after\n")])
    assert "````text\n```\n</details>\n```\n````\n\n<img" in text
    assert text.endswith("```text\nafter\n```\n\n</details>")
    assert folded([{"output_type": "stream", "name": "stderr", "text": "a warning"}]) == ""
