"""A chapter's definitions, without running the chapter."""

from pathlib import Path

from sae_course.notebooks.definitions import definitions


def test_only_definitions_are_executed(tmp_path: Path) -> None:
    source = tmp_path / "01_x.py"
    source.write_text(
        "import math\nLIMIT = 3\nvalue = 1 / 0\nW = 1 / 0\nprint('no')\n\n"
        "def f():\n    return math.pi + LIMIT + given\n\nf(1)\n"
    )
    found = definitions(source, given=1)
    assert round(found["f"](), 2) == 7.14
    assert "value" not in found
