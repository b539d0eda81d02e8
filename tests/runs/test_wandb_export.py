"""Runs from W&B's exports, as its web page and its API write them."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded import DENSITY, config

from sae_course.runs import Run, compare, import_wandb
from sae_course.runtime import CourseError

# As the web page writes it: with the smallest and largest value of the points that it merged for the screen.
HEAD = ["Step"] + [
    f"{column}{end}"
    for column in ("topk-16 - _step", "topk-16 - metrics/l0", "a - b - metrics/l0")
    for end in ("", "__MIN", "__MAX")
]
CELLS = [
    ["9", "9", "9", "9", "26.5", "26.5", "26.5", "", "", ""],
    ["19", "19", "19", "19", "21", "20", "22", "8.5", "8.5", "8.5"],
    ["29", "", "", "", "", "", "", "NaN", "NaN", "NaN"],
]
CHART = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in [HEAD, *CELLS])
EDGES = [-10, -6, -3, 0]
ROWS = [
    {"_step": 9, "_runtime": 1.5, "_timestamp": 1.7e9, "metrics/l0": 26.5, "losses/mse_loss": 3},
    {
        "_step": 9,
        "model_performance_preservation": {"ce_loss_score": 0.9},
        DENSITY: {"_type": "histogram", "values": [1, 2, 3], "bins": EDGES},
        "tags": ["a"],
        "ok": True,
        "picture": {"_type": "image-file", "path": "x.png"},
    },
    {
        "_step": 19,
        "_runtime": 2.5,
        "metrics/l0": "NaN",
        "losses/mse_loss": None,
        DENSITY: {
            "_type": "histogram",
            "values": [4, 5],
            "packedBins": {"min": -10, "size": 2.5, "count": 2},
        },
    },
]


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    path = tmp_path / "chart.csv"
    path.write_text(CHART)
    return path


def assert_is_the_history(run: Run) -> None:
    assert list(run.metrics.columns) == [
        "metrics/l0", "losses/mse_loss", "model_performance_preservation.ce_loss_score",
    ]  # fmt: skip
    assert list(run.metrics.index) == [9, 19]
    assert run.metrics.loc[9].tolist() == [26.5, 3, 0.9]
    assert run.final["losses/mse_loss"] == 3
    steps, counts, edges = run.histogram()
    assert steps == [9, 19]
    assert counts[0].tolist() == [1, 2, 3]
    assert edges[0].tolist() == EDGES
    assert edges[1].tolist() == [-10, -7.5, -5]
    assert run.seconds == 2.5


def test_a_chart(chart: Path) -> None:
    run = import_wandb(chart, "topk-16", config())
    assert run.folder is None
    assert run.metrics.to_dict() == {"metrics/l0": {9: 26.5, 19: 21}}
    assert run.config["sae"]["k"] == 16
    other = import_wandb(chart, "a - b")
    assert list(other.metrics.index) == [19, 29]
    assert math.isnan(other.final["metrics/l0"])
    assert len(compare(run, other).curves("l0").data) == 2
    with pytest.raises(CourseError, match="has no trained SAE: it was not loaded from a folder"):
        run.sae()


def test_a_chart_of_several_runs_needs_a_name(chart: Path) -> None:
    with pytest.raises(CourseError, match=r'holds 2 runs: topk-16, a - b\. Say which: .*name="topk-16"'):
        import_wandb(chart)
    with pytest.raises(CourseError, match=r'no run "topk-8" here. The nearest: topk-16'):
        import_wandb(chart, "topk-8")


def test_a_chart_of_one_run_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"Step","x - metrics/l0"\n9,1\n')
    (tmp_path / "b.csv").write_text('"Step","x - losses/mse_loss"\n9,2\n19,3\n')
    assert import_wandb(tmp_path / "a.csv").name == "x"
    assert import_wandb(tmp_path / "a.csv", "mine").name == "mine"
    both = import_wandb([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert both.final == {"metrics/l0": 1, "losses/mse_loss": 3}
    assert both.notes == {"imported": "W&B export a.csv, b.csv"}, "no path of this machine"


def test_the_history_as_json(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    for text in (
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n".join(map(json.dumps, ROWS)) + "\n",
        "\ufeff" + json.dumps(ROWS),
        json.dumps(ROWS).replace('"NaN"', "NaN"),
    ):
        path.write_text(text, encoding="utf-8")
        run = import_wandb(path)
        assert run.name == "history"
        assert run.started == "2023-11-14T22:13:20+00:00"
        assert_is_the_history(run)
        assert math.isnan(run.final["metrics/l0"])


def test_the_history_as_csv(tmp_path: Path) -> None:
    flat = [
        {k: v for k, v in row.items() if k != "model_performance_preservation"}
        | ({"model_performance_preservation.ce_loss_score": 0.9} if "ok" in row else {})
        for row in ROWS
    ]
    table = pd.DataFrame(flat)[
        ["_step", "_runtime", "metrics/l0", "losses/mse_loss", "model_performance_preservation.ce_loss_score",
         DENSITY, "tags", "ok", "picture"]
    ]  # fmt: skip
    for index in (True, False):
        table.to_csv(tmp_path / "history.csv", index=index)
        run = import_wandb(tmp_path / "history.csv", "mine")
        assert run.name == "mine"
        assert_is_the_history(run)


def test_it_can_be_saved(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps(ROWS))
    run = import_wandb(tmp_path / "history.json", "mine", config())
    saved = run.save(tmp_path / "mine")
    loaded = Run.load(tmp_path / "mine")
    assert saved.metrics.equals(run.metrics)
    assert loaded.metrics.equals(run.metrics)
    assert loaded.final.keys() == run.final.keys()
    assert np.array_equal(loaded.histogram().edges[1], run.histogram().edges[1])
    assert (loaded.name, loaded.status, loaded.config) == ("mine", "finished", run.config)
    assert str(loaded) == str(run)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no whole number as _step|holds no values"),
        ("hello", "holds no values"),
        ('"Step","x - l0"\n', "holds no values of the run"),
        ('"Relative Time (Process)","x - l0"\n1.5,2\n', 'its first is "Relative Time'),
        ('"Step","x - l0","x - l1"\n9,1,2\n19,1\n', "row 3 of 3 has 2 cells, the first has 3"),
        ('"Step","x - l0"\n9,1\n19,1x\n', "row 3 has '1x' under \"x - l0\", no number"),
        ('"Step","x - l0"\nnine,1\n', "row 2 has 'nine' under|row 2 has no whole number as _step"),
        ('"Step","x - l0"\n9.5,1\n', "row 2 has no whole number as _step"),
        ('"Step","x - l0"\n9,"1\n', "can't be read as CSV"),
        ('"Step","x - l0","x - l0"\n9,1,2\n', 'two columns "x - l0": two runs have the same name'),
        ("epoch,l0\n1,2\n", "row 2 has no whole number as _step; its names are epoch, l0"),
        (json.dumps(ROWS)[:-20], "it is no JSON"),
        (json.dumps(ROWS[0]) + "\n" + json.dumps(ROWS[1])[:50], "line 2 of 2 is no JSON"),
        ("[]", "holds no values"),
        ('[{"_step": 1, "_runtime": 3}]', "holds no values"),
        ('"Step","x - _step"\n9,9\n', "holds no values"),
        ("[1]", "row 1 should be an object"),
        ('[{"l0": 1}]', "row 1 has no whole number as _step; its names are l0"),
        ('[{"_step": 1, "h": {"_type": "histogram", "values": [1, 2], "bins": [0, 1]}}]', '"h" needs'),
        ('[{"_step": 1, "h": {"_type": "histogram", "values": [1]}}]', 'histogram "h" needs'),
    ],
)  # fmt: skip
def test_a_damaged_export(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(CourseError, match=words):
        import_wandb(tmp_path / "a")
    assert (tmp_path / "a").read_text() == text


def test_no_export(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00\x01")
    for path, words in (
        (tmp_path / "a", "no text file in UTF-8"),
        (tmp_path, "can't be read"),
        (tmp_path / "b", "no file"),
    ):
        with pytest.raises(CourseError, match=words):
            import_wandb(path)
