"""Parsing a source, and everything that is refused in one, with its line."""

from collections.abc import Callable

import pytest
from click.testing import Result
from made_up import CHAPTER, Project

from sae_course.notebooks import rules
from sae_course.notebooks.source import blocks, heading, parse


def test_cells_know_their_lines_and_exercises_their_cells(project: Project) -> None:
    chapter = parse(project.source, project.root)
    lines = CHAPTER.split("\n")
    for cell in chapter.cells:
        assert lines[cell.line - 1].startswith("# %%")
        first = cell.source.split("\n")[0]
        assert lines[cell.first - 1].removeprefix("# ") == first
    assert [(t.kind, t.number, t.stop - t.start) for t in chapter.tasks] == [
        ("exercise", "1.1", 5),
        ("exercise", "1.2", 2),
        ("question", "1.A", 2),
    ]
    assert [
        block.text.strip() for cell in chapter.cells if cell.kind == "code" for block in blocks(cell.source)
    ][1] == "return math.fsum(values) / max(len(values), 1)"
    assert rules.problems(chapter) == []


def test_a_heading_in_a_fence_is_none() -> None:
    assert heading("```\n# a comment\n```\ntext") is None
    assert heading("text\n## Two ##") == "Two"


HEADER = '# %% [markdown] exercise="1.1" difficulty=2 importance=5 minutes=10'
BODY = "    squares = [value * value for value in values]"
CHECK = "check.total(total)"

# name: (old, new, the line that must be named, part of the message)
REFUSED = {
    "no difficulty": (" difficulty=2", "", 'exercise="1.1"', "1.1 has no difficulty"),
    "no importance": (" importance=5", "", 'exercise="1.1"', "1.1 has no importance"),
    "no minutes": (" minutes=10", "", 'exercise="1.1"', "1.1 has no minutes"),
    "difficulty 0": ("difficulty=2", "difficulty=0", 'exercise="1.1"', "from 1 to 5"),
    "difficulty 6": ("difficulty=2", "difficulty=6", 'exercise="1.1"', "from 1 to 5"),
    "difficulty true": ("difficulty=2", "difficulty=true", 'exercise="1.1"', "from 1 to 5"),
    "difficulty text": ("difficulty=2", 'difficulty="2"', 'exercise="1.1"', "from 1 to 5"),
    "unreadable": ("difficulty=2", "difficulty=two", 'exercise="1.1"', "can't be read"),
    "question's minutes": (" minutes=3", "", 'question="1.A"', "1.A has no minutes"),
    "unknown key": ("difficulty=2", "dificulty=2", 'exercise="1.1"', "unknown cell metadata dificulty"),
    "unknown tag": ('["answer"]', '["anwser"]', '["anwser"]', "unknown tag 'anwser'"),
    "tags not a list": (
        'tags=["answer"]',
        'tags="answer"',
        'tags="answer"',
        "is not of type 'array'",
    ),
    "tag on the wrong kind": (
        '# %% tags=["fold"]',
        '# %% tags=["hint"]',
        'tags=["hint"]',
        "belongs on a markdown",
    ),
    "orphaned metadata": (
        "# %% [markdown]\n# ## Aft",
        "# %% [markdown] minutes=3\n# ## Aft",
        "minutes=3\n",
        "without",
    ),
    "no check": (CHECK, "total([1])", 'exercise="1.1"', "neither a check"),
    "check in a comment": (CHECK, f"# {CHECK}", 'exercise="1.1"', "neither a check"),
    "check in the solution": (
        f"    ### END SOLUTION\n\n\n{CHECK}",
        f"    {CHECK}\n    ### END SOLUTION",
        'exercise="1.1"',
        "neither a check",
    ),
    "no answer": (
        '# %% [markdown] tags=["answer"]\n# Because of its scale.\n',
        "",
        'question="1.A"',
        "no answer",
    ),
    "no solution": (
        "    ### BEGIN SOLUTION\n    return math.fsum(values) / max(len(values), 1)\n    ### END SOLUTION",
        "    return 1",
        'exercise="1.2"',
        "no solution",
    ),
    "empty solution": (
        "    return math.fsum(values) / max(len(values), 1)",
        "    # nothing",
        "    ### BEGIN SOLUTION\n    # nothing",
        "without code",
    ),
    "nested": (
        BODY,
        f"    ### BEGIN SOLUTION\n{BODY}",
        f"    ### BEGIN SOLUTION\n{BODY}",
        "inside the solution",
    ),
    "unclosed": (
        "    return math.fsum(squares)\n    ### END SOLUTION",
        "    return math.fsum(squares)",
        f"    ### BEGIN SOLUTION\n{BODY}",
        "without END",
    ),
    "closed in the next cell": (
        "    return math.fsum(squares)\n    ### END SOLUTION",
        "    return math.fsum(squares)\n# %%\n### END SOLUTION",
        "### END SOLUTION\n\n\ncheck.total",
        "END SOLUTION without BEGIN",
    ),
    "leftover end": (
        'print("a figure")',
        "### END SOLUTION",
        "### END SOLUTION\n# %% [markdown] tags",
        "without BEGIN",
    ),
    "misspelt": (BODY, f"    ## Begin  solution\n{BODY}", "    ## Begin", "alone on its line"),
    "with text": (
        BODY,
        f"    ### BEGIN SOLUTION of 1\n{BODY}",
        "    ### BEGIN SOLUTION of",
        "alone on its line",
    ),
    "in markdown": ("# Then add.", "# ### BEGIN SOLUTION", "# ### BEGIN", "outside a code cell"),
    "outside an exercise": (
        'print("mean 2.0")',
        "### BEGIN SOLUTION\n1\n### END SOLUTION",
        "### BEGIN SOLUTION\n1",
        "outside an exercise",
    ),
    "after the hints": (
        "# Then add.",
        "# Then add.\n# %%\n### BEGIN SOLUTION\n1\n### END SOLUTION",
        "### BEGIN SOLUTION\n1",
        "outside an exercise",
    ),
    "duplicate": ("1.2: write", "1.1: write", 'exercise="1.2"', "must start with the heading"),
    "another chapter's": (HEADER, HEADER.replace("1.1", "2.1"), 'exercise="2.1"', "numbered like 1.3"),
    "question with a digit": ('question="1.A"', 'question="1.1"', 'question="1.1"', "numbered like 1.A"),
    "heading's number": ("Exercise 1.1: write", "Exercise 1.7: write", 'exercise="1.1"', "Exercise 1.1: …"),
    "code header": (HEADER, HEADER.replace(" [markdown]", ""), 'exercise="1.1"', "must be a Markdown cell"),
    "both": (" minutes=3", ' minutes=3 exercise="1.3"', 'question="1.A"', "not of both"),
    "stray hint": (
        "# ## Afterwards",
        '# ## Afterwards\n# %% [markdown] tags=["hint"]\n# A',
        'tags=["hint"]\n# A',
        "outside",
    ),
    "no title": (
        "# # Chapter 01: sums",
        "# Chapter 01",
        "# %% [markdown]\n# Chapter",
        "start with the title",
    ),
    "raw": ("# %% [markdown]\n# ## Aft", "# %% [raw]\n# ## Aft", "# %% [raw]", "raw cell"),
    "empty cell": ('print("a figure")', "", "# %%\n\n# %% [markdown] tags", "empty cell"),
    "broken header": ("{display_name: Python 3,", "{display_name: [", "#   kernelspec", "isn't valid YAML"),
    "not Python": ("import math", "import math math", "import math math", "not valid Python"),
    "not Python in the middle": (BODY, f"{BODY} +", BODY, "not valid Python"),
    "not Python without its solution": (
        "    return math.fsum(values) / max(len(values), 1)\n    ### END SOLUTION\n",
        "    if values:\n        a = 1\n    ### END SOLUTION\n    else:\n        a = 2\n",
        "    ### BEGIN SOLUTION\n    if",
        "with its solution taken out",
    ),
    "a home folder": ("# Of a list.", "# In /home/anna/list.", "# In /home", "machine path /home/anna/list"),
    "a Windows folder": ("# Of a list.", "# In C:\\Users\\anna.", "# In C:", "machine path C:"),
    "a temporary file": ('print("a figure")', 'open("/tmp/x.txt")', 'open("/tmp', "machine path /tmp/x.txt"),
    "a token": ('print("a figure")', f'login("hf_{"a1B2" * 8}")', "login(", "a Hugging Face token (hf_a…)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_line(name: str, project: Project) -> None:
    old, new, where, message = REFUSED[name]
    project.edit(old, new)
    text = project.source.read_text()
    line = text[: text.index(where)].count("\n") + 1
    found = rules.problems(parse(project.source, project.root))
    assert any(problem.line == line and message in problem.message for problem in found), [
        *map(str, found),
        line,
    ]
    assert all(problem.file == "solutions/01_sums.py" for problem in found)


def test_duplicate_numbers_name_both_lines(project: Project) -> None:
    project.edit('exercise="1.2"', 'exercise="1.1"')
    project.edit("Exercise 1.2", "Exercise 1.1")
    (problem,) = rules.problems(parse(project.source, project.root))
    assert problem.message == "exercise 1.1 is already at line 19"
    assert problem.line > 19


def test_all_problems_at_once_one_line_each_and_exit_2(project: Project, cli: Callable[..., Result]) -> None:
    project.edit(" difficulty=2", "")
    project.edit(CHECK, "")
    project.edit('question="1.A"', 'question="3.A"')
    for arguments in (["build"], ["build", "--check"], ["build", "--execute"], ["run"]):
        result = cli(*arguments)
        assert result.exit_code == 2, arguments
        lines = result.stderr.strip().split("\n")
        assert len(lines) == 4, lines
        assert all(line.startswith("solutions/01_sums.py:") for line in lines)
    assert not project.solution.exists()


def test_not_utf8(project: Project) -> None:
    project.source.write_bytes(CHAPTER.encode() + "\n# é".encode("latin-1"))
    (problem,) = rules.problems(parse(project.source, project.root))
    assert problem.line == CHAPTER.count("\n") + 2
    assert "not UTF-8" in problem.message


def test_file_name(project: Project) -> None:
    bad = project.source.with_name("1-Sums.py")
    project.source.rename(bad)
    (problem,) = rules.problems(parse(bad, project.root))
    assert "NN_name.py" in problem.message


def test_a_chapter_with_a_letter_numbers_its_exercises_with_it(project: Project) -> None:
    lettered = project.source.with_name("02a_sums.py")
    text = CHAPTER
    for number in ("1.1", "1.2", "1.A"):
        text = text.replace(number, f"2a{number[1:]}")
    lettered.write_text(text)
    assert rules.problems(parse(lettered, project.root)) == []


def test_an_exercise_may_be_answered_instead_of_checked(project: Project) -> None:
    project.edit(CHECK, "")
    project.edit("# Use a comprehension.", '# Use one.\n# %% [markdown] tags=["answer"]\n# 14.')
    assert rules.problems(parse(project.source, project.root)) == []


@pytest.mark.parametrize(
    "text",
    [
        'x = tokenizer("<|endoftext|>", token="<|endoftext|>")',
        "see https://example.org/home/anna and https://example.org/root/x",
        'revision="0123456789abcdef0123456789abcdef01234567"',
        "the task-specific, risk-averse sk-learn of hf_hub_download(...)",
        "token = resid_pre_layer_0_final_position_embedding",
        "a/tmp/b and ~/tmp and square/root and /rooted",
    ],
)
def test_no_false_alarm(text: str, project: Project) -> None:
    project.edit("# Adding things up.", f"# {text}")
    found = rules.problems(parse(project.source, project.root))
    assert [*map(str, found)] == []
