"""README.md's tables are made, and only they."""

from pathlib import Path

import pytest

from sae_course.notebooks.readme import verify_readme, write_readme
from sae_course.notebooks.source import parse
from sae_course.notebooks.template import Address

ADDRESS = Address("https://github.com/someone/sae-course", "v1")
README = (
    "before\n<!-- chapters -->\nold\n<!-- /chapters -->\n"
    "between\n<!-- results -->\n<!-- /results -->\nafter\n"
)
SOURCE = """# %% [markdown]
# # Chapter 03: a | b

# %% [markdown] exercise="3.1" difficulty=1 importance=3 minutes=4
# ### Exercise 3.1: x
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "03_x.py").write_text(SOURCE)
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def test_tables_are_made_from_sources_and_records_and_the_rest_is_left_alone(root: Path) -> None:
    chapters = [parse(root / "solutions" / "03_x.py", root)]
    assert verify_readme(root, chapters, ADDRESS)
    write_readme(root, chapters, ADDRESS)
    assert verify_readme(root, chapters, ADDRESS) == []
    text = (root / "README.md").read_text()
    assert "old" not in text
    for part in ("before\n", "\nbetween\n", "\nafter\n", "chapters/03_x.ipynb", "| 1 | 0 | 4 |", "someone"):
        assert part in text
    assert "| directions by squared loss |" in text


@pytest.mark.parametrize("edit", [("| 1 | 0 | 4 |", "| 1 | 0 | 3 |"), ("no cure |", "no cure, |")])
def test_a_hand_edit_of_a_table_is_seen(root: Path, edit: tuple[str, str]) -> None:
    chapters = [parse(root / "solutions" / "03_x.py", root)]
    write_readme(root, chapters, ADDRESS)
    text = (root / "README.md").read_text()
    assert edit[0] in text
    (root / "README.md").write_text(text.replace(*edit))
    assert verify_readme(root, chapters, ADDRESS)
