"""Runs in two tables: what goes in comes out, and a sealed run keeps its curves alone."""

from pathlib import Path

import numpy as np
import pytest

from sae_course import CourseError
from sae_course.clinic import archive
from sae_course.clinic.archive import in_memory, sealed
from sae_course.runs import Recorder, Run
from sae_course.runs.files import HISTOGRAMS, METRICS


@pytest.fixture
def recorded(tmp_path: Path) -> Run:
    recorder = Recorder.create(tmp_path / "run", name="secret", config={"lr": 0.07}, notes={"device": "cpu"})
    for step in range(4):
        recorder.log(
            step,
            {"metrics/l0": 30.5 + step, "details/current_learning_rate": 0.07, "losses/mse_loss": None},
        )
    recorder.log(3, {"sparsity.l0": 31.25})
    recorder.histogram(3, "weights/W_dec_norms", [1, 2, 0], np.linspace(0.1, 0.7, 4).tolist())
    recorder.finish(seconds=12.0)
    return Run.load(tmp_path / "run")


def test_a_sealed_run_keeps_curves_and_histograms_alone(recorded: Run) -> None:
    run = sealed(recorded, "run 1")
    assert run.name == "run 1"
    assert (run.config, run.notes, run.seconds, run.folder) == ({}, {}, None, None)
    assert "details/current_learning_rate" not in run.metrics
    assert run.metrics["metrics/l0"].tolist() == [30.5, 31.5, 32.5, 33.5]
    assert run.histogram("W_dec_norms").counts[0].tolist() == [1, 2, 0]


def test_what_goes_in_comes_out(recorded: Run, tmp_path: Path) -> None:
    runs = {"b": sealed(recorded, "b"), "a": sealed(recorded, "a")}
    archive.write(tmp_path, runs)
    found = archive.read(tmp_path)
    assert list(found) == ["b", "a"]
    for name, run in found.items():
        assert run.name == name
        expected = runs[name].metrics.dropna(axis=1, how="all")  # a table keeps numbers only
        assert run.metrics[list(expected)].equals(expected)
        mine, theirs = run.histogram("W_dec_norms"), runs[name].histogram("W_dec_norms")
        assert mine.steps == theirs.steps
        np.testing.assert_array_equal(mine.counts[0], theirs.counts[0])
        np.testing.assert_allclose(mine.edges[0], theirs.edges[0], rtol=1e-6)


def test_a_sealed_run_can_be_saved_as_a_folder(recorded: Run, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    sealed(recorded, "patient").save(folder)
    text = "".join(path.read_text() for path in folder.iterdir())
    assert "0.07" not in text
    assert "secret" not in text
    assert Run.load(folder).final["metrics/l0"] == 33.5


def test_uneven_bins_are_refused(tmp_path: Path) -> None:
    line = {"step": 1, "name": "odd", "counts": [1.0, 2.0], "edges": [0.0, 1.0, 5.0]}
    run = in_memory("a", {METRICS: [{"step": 1, "metrics/l0": 1.0}], HISTOGRAMS: [line]})
    with pytest.raises(CourseError, match='bins of the histogram "odd" at step 1 are uneven'):
        archive.write(tmp_path, {"a": run})
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_none_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "metrics.parquet").write_text("no table")
    with pytest.raises(CourseError, match="missing or can't be read"):
        archive.read(tmp_path)
