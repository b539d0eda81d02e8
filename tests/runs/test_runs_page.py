"""docs/runs.md says what is on disk, and the room is light to import."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded import DENSITY, record

from sae_course.runs import Run

PAGE = (Path(__file__).parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
(PANDAS,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "read_json" in code]


def section(title: str) -> set[str]:
    """The fields in the table under a heading."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(title)]
    return set(re.findall(r"^\| `(\w+)` \|", found, re.MULTILINE))


def test_every_field_is_explained(tmp_path: Path) -> None:
    record(tmp_path / "my-run")
    assert section("run.json") == set(json.loads((tmp_path / "my-run" / "run.json").read_text()))
    line = (tmp_path / "my-run" / "histograms.jsonl").read_text().splitlines()[0]
    assert section("histograms.jsonl") == set(json.loads(line))
    for file in (tmp_path / "my-run").iterdir():
        assert f"| `{file.name}` |" in PAGE


@pytest.mark.parametrize("finish", [True, False])
def test_the_lines_of_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finish: bool) -> None:
    record(tmp_path / "my-run", finish=finish)
    monkeypatch.chdir(tmp_path)
    assert len(PANDAS.strip().splitlines()) == 3
    scope = {"pd": pd}
    exec(PANDAS, scope)
    run = Run.load("my-run")
    assert scope["run"]["config"]["sae"] == run.config["sae"]  # type: ignore[index]
    assert scope["run"]["status"] == run.status  # type: ignore[index]
    metrics = scope["metrics"]
    assert list(metrics.index) == list(run.metrics.index)  # type: ignore[attr-defined]
    assert np.allclose(metrics[run.metrics.columns], run.metrics, rtol=1e-12, equal_nan=True)  # type: ignore[index]
    last = scope["histograms"].iloc[-1]  # type: ignore[attr-defined]
    assert last["name"] == DENSITY
    assert last["counts"] == run.histogram().counts[-1].tolist()


def test_importing_the_room_is_instant() -> None:
    heavy = ("torch", "numpy", "pandas", "plotly", "sae_lens", "transformer_lens", "datasets")
    code = (
        "import sys, sae_course.runs\n"
        "from sae_course.runs import *\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
        "room = sae_course.runs\n"
        "print(callable(room.compare), sorted(set(room.__all__)) == room.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True True"]
