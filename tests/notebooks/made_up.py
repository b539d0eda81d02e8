"""A small made-up chapter and project, built without a kernel: its outputs are made up too."""

from pathlib import Path
from typing import Any

from sae_course.notebooks import build, files, template
from sae_course.notebooks.outputs import PLOTLY

PYPROJECT = """\
[tool.sae-course]
repository = "https://github.com/someone/course"
release = "v9.8.7"
"""

# Every part of a chapter once. `check` is a stand-in, so that a kernel needs nothing of the checks' room.
CHAPTER = '''\
# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # Chapter 01: sums
# Adding things up.
# %% tags=["fold"]
import math
from types import SimpleNamespace

tick = "\\x1b[32m✔\\x1b[0m"
check = SimpleNamespace(total=lambda f: print(tick, f([1, 2, 3])), mean=lambda f: print(f([1, 3])))
marker = """
# %% not a cell
"""


# %% [markdown] exercise="1.1" difficulty=2 importance=5 minutes=10
# ### Exercise 1.1: write the "total"
#
# Of a list.
# %%
def total(values):
    """The sum of a list."""
    # TODO: add the squares of all of them
    ### BEGIN SOLUTION
    squares = [value * value for value in values]
    return math.fsum(squares)
    ### END SOLUTION


check.total(total)
# %%
print("a figure")
# %% [markdown] tags=["hint"]
# Use a comprehension.
# %% [markdown] tags=["hint"]
# Then add.
# %% [markdown] exercise="1.2" difficulty=1 importance=1 minutes=1
# ### Exercise 1.2: write the mean
# %%
def mean(values):
    ### BEGIN SOLUTION
    return math.fsum(values) / max(len(values), 1)
    ### END SOLUTION


check.mean(mean)
# %% [markdown]
# ## Afterwards
# %% tags=["expected", "headline"]
print("mean 2.0")
# %% [markdown] question="1.A" difficulty=1 importance=3 minutes=3
# ### Question 1.A: why the mean?
# %% [markdown] tags=["answer"]
# Because of its scale.
'''

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FIGURE = {
    "output_type": "display_data",
    "data": {PLOTLY: {"data": [{"type": "scatter", "y": [1, 2]}], "layout": {}}, "image/png": PNG},
    "metadata": {},
}


def printed(text: str) -> dict[str, Any]:
    """An output on stdout."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def outputs() -> list[list[dict[str, Any]]]:
    """What each code cell of CHAPTER puts out, the set-up cell first."""
    return [
        [printed("chapter 01\n")],
        [],
        [printed("\x1b[32m✔\x1b[0m 14.0\n")],
        [printed("a figure\n"), FIGURE],
        [printed("2.0\n")],
        [printed("mean 2.0\n")],
    ]


class Project:
    """A folder with a chapter in it."""

    def __init__(self, root: Path, source: str = CHAPTER) -> None:
        self.root = root
        for folder in ("solutions", "chapters"):
            (root / folder).mkdir()
        (root / "pyproject.toml").write_text(PYPROJECT)
        self.source = root / "solutions" / "01_sums.py"
        self.solution = self.source.with_suffix(".ipynb")
        self.exercise = root / "chapters" / "01_sums.ipynb"
        self.source.write_text(source)

    @property
    def address(self) -> template.Address:
        """The address in its pyproject.toml."""
        return template.read_address(self.root)

    def pair(self, shown: list[list[dict[str, Any]]] | None = None) -> build.Pair:
        """Its notebooks as an execution with these outputs would make them."""
        chapter = build.load(self.source, self.root)
        results = list(enumerate(outputs() if shown is None else shown, 1))
        return build.make_pair(
            chapter, files.files_of(self.source, self.root), self.root, self.address, results
        )

    def publish(self, shown: list[list[dict[str, Any]]] | None = None) -> None:
        """Write both notebooks, as executed with these outputs, whatever is wrong with them."""
        pair = self.pair(shown)
        self.solution.write_text(files.text_of(pair.solution))
        self.exercise.write_text(files.text_of(pair.exercise))

    def edit(self, old: str, new: str) -> None:
        """Replace ``old``, which must be there once, in its source."""
        text = self.source.read_text()
        assert text.count(old) == 1, (text.count(old), old)
        self.source.write_text(text.replace(old, new))
