"""The benchmark's parts run and give figures; how large they are is the machine's affair."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sae_course.notebooks import bench_evals, bench_toys, bench_training
from sae_course.notebooks.bench import data_rows, model_rows, seconds_of, toy_steps_per_second


def test_figures_are_positive() -> None:
    assert toy_steps_per_second(2, steps=5) > 0
    assert seconds_of("import json") < seconds_of("import time; time.sleep(1.5)")


def test_data_and_models_have_their_rows() -> None:
    names = [name for name, _ in data_rows(n_rows=64, n_games=4096)]
    assert names == ["stories, without labels", "labels of stories", "random games of Othello"]
    loaded = model_rows()
    assert len(loaded) == 4
    assert all(figure.endswith(" s") for _, figure in loaded)


def test_training_here_and_by_saelens_is_measured_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One small run of each: quality and seconds; eight at once in the place of one."""
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    theirs, our = (kind("standard", 0, 3 * 4096) for kind in (bench_training.stock, bench_training.ours))
    assert our["recovered"] == pytest.approx(theirs["recovered"], abs=0.1)
    assert our["l0"] == pytest.approx(theirs["l0"], rel=0.1)
    assert bench_training.many(0, 2 * 4096)["seconds"] > 0
    assert len(list(tmp_path.glob("runs/*/l1=*"))) == len(bench_training.L1S)


def test_the_training_rows_compare_runs_of_one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(*arguments: Any) -> dict[str, float]:
        asked.append(arguments)
        seconds = 20.0 if arguments[0] == "stock" else 10.0
        return {"seconds": seconds, "recovered": 0.9, "l0": 9.0, "gigabytes": 1.0}

    monkeypatch.setattr(bench_training, "measured", measured)
    found = dict(bench_training.rows(1_000_000))
    assert found["gain, standard, 3 seeds in turn"] == "2.00 ×"
    assert "0.5 × one run" in found["train_many, 8 L1 coefficients"]
    assert [one[0] for one in asked[:4]] == ["stock", "ours"] * 2, "in turn"
    assert "25,000 tokens/s" in found["train, 250,000 tokens"]


def test_measuring_is_priced_in_forward_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_evals, "ROWS", 8)
    monkeypatch.setattr(bench_evals, "ATTRIBUTED", (2, 33))
    monkeypatch.setattr(bench_evals, "_REPEATS", 1)
    monkeypatch.setattr(bench_evals, "BOARD_GAMES", 30)
    monkeypatch.setattr(bench_evals, "BOARD_UNITS", 200)
    threads = torch.get_num_threads()
    found = dict(bench_evals.rows())
    torch.set_num_threads(threads)
    assert found["a forward pass over 2,048 tokens"].endswith(" s")
    assert found["a dashboard of 8 latents"].endswith("forward passes")
    assert float(found["the dashboard, in the notebook"].split()[0]) < 60
    (pairs,) = (name for name in found if name.startswith("attribution of "))
    assert pairs.endswith(" pairs of latents, 66 tokens")
    assert float(found[pairs].removesuffix(" forward passes")) > 1
    seconds, passes = found["boards of 200 units × 188 properties, 1,770 positions"].split(" s, ")
    assert float(seconds) >= 0
    assert float(passes.removesuffix(" forward passes")) > 0


def test_toys_at_once_beside_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_toys, "STEPS", 3)
    monkeypatch.setattr(bench_toys, "N_INST", 4)
    threads = torch.get_num_threads()
    found = dict(bench_toys.rows())
    torch.set_num_threads(threads)
    assert float(found["toy SAE of chapter 02a, 4 at once"].split()[0]) > 0
    assert all(value.endswith(" ×") for name, value in found.items() if name.startswith("gain"))
