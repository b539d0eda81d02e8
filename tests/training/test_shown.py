"""What a person sees while an SAE trains."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sae_course.training.shown import Shown

METRICS = {"metrics/l0": 15.96, "metrics/explained_variance": 0.8712, "sparsity/dead_features": 3}


def test_a_terminal_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(total=2000, done=0, runs=["a"], d_sae=1024)
    shown.log("a", 9, METRICS)
    shown.step(1000)
    shown.close("a: 2,000 tokens in 3 s, " + shown.words())
    said = capsys.readouterr().err
    assert said.splitlines()[-1].endswith("L0 16.0, explained variance 0.87, dead 3 of 1,024")


def test_of_several_runs_it_says_from_where_to_where() -> None:
    shown = Shown(total=2000, done=0, runs=["a", "b"], d_sae=64)
    shown.log("a", 9, METRICS)
    shown.log("b", 9, METRICS | {"metrics/l0": 40.0})
    shown.log("b", 9, {"sparsity.l0": 1.0})  # an evaluation is not shown
    assert shown.words() == "L0 16.0 to 40.0, explained variance 0.87, dead 3 of 64"


def test_a_notebook_keeps_one_line_and_one_figure(tmp_path: Path) -> None:
    """However often both were drawn; without a machine's path, which a published notebook must not hold."""
    cells = [
        f"import sys, torch; sys.path.insert(0, {str(Path(__file__).parent)!r})\ntorch.set_num_threads(1)",
        "from small import small\nfrom sae_course.training import train, shown\nshown._EVERY = 0.1\n"
        f"train(small(), folder={str(tmp_path / 'run')!r}, check=False)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=300).execute()
    outputs = notebook.cells[1].outputs
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stdout"]
    data = [output["data"] for output in outputs if "data" in output]
    assert len(data) == 3, "the line, the figure, the run itself"
    assert "15,360 tokens in" in data[0]["text/plain"]
    assert "dead" in data[0]["text/plain"]
    figure = data[1]["application/vnd.plotly.v1+json"]
    assert {len(trace["x"]) for trace in figure["data"]} == {12}, "all of the run's logged steps"
    assert str(tmp_path) not in str([one.get("text/plain", "") for one in data])
