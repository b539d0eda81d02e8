"""The recorded comparison of chapter 01, and a piece of it made again."""

import dataclasses
import json
from pathlib import Path

import pytest

from sae_course import CourseError
from sae_course.notebooks.record_toy import METHODS, load_chapter, run
from sae_course.training import recorded_file, recorded_toy_runs, toy_config


@pytest.mark.parametrize("method", ["directions by squared loss", "control: random dictionary"])
def test_a_piece_of_the_record_is_reproduced(method: str) -> None:
    """Same code, same streams; another processor may round differently, and so move an instance or two."""
    recorded = recorded_toy_runs("mini")["methods"][method][0]
    again = run(load_chapter(toy_config("mini")), method, seed=0)
    assert abs(again["recovered"] - recorded["recovered"]) <= 2
    assert again["fvu"] == pytest.approx(recorded["fvu"], rel=0.05)
    assert again["shrinkage"] == pytest.approx(recorded["shrinkage"], rel=0.05)


@pytest.mark.parametrize("scale", ["mini", "full"])
def test_the_record_was_made_at_the_settings_that_the_chapter_has(scale: str) -> None:
    record = recorded_toy_runs(scale)
    assert record["config"] == dataclasses.asdict(toy_config(scale))
    assert list(record["methods"]) == list(METHODS)
    assert all(len(rows) == len(record["seeds"]) == 3 for rows in record["methods"].values())


def test_the_best_cure_recovers_at_least_14_of_16_on_every_seed() -> None:
    record = recorded_toy_runs("mini")["methods"]
    assert min(row["recovered"] for row in record["directions by squared loss"]) >= 14
    assert min(row["recovered"] for row in record["random directions"]) >= 14
    assert max(row["recovered"] for row in record["no cure"]) <= 8, "the disease is gone: so is the chapter"
    assert max(row["recovered"] for row in record["control: random dictionary"]) <= 2
    assert min(row["recovered"] for row in record["control: true dictionary"]) == 16


def test_a_record_changed_by_hand_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(recorded_file.__file__).parent / "recorded"
    record = json.loads((folder / "toy.json").read_text(encoding="utf-8"))
    record["runs"]["mini"]["methods"]["no cure"][0]["recovered"] = 16
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "toy.json").write_text(json.dumps(record))
    monkeypatch.setattr(recorded_file.resources, "files", lambda _: tmp_path)
    with pytest.raises(CourseError, match="changed by hand"):
        recorded_toy_runs("mini")


def test_the_settings_schedule() -> None:
    config = toy_config("mini")
    factors = [config.lr_factor(step) for step in range(config.steps + 1)]
    assert factors[0] == 1
    assert factors[config.steps // 2 - 1] == 1
    assert factors[-1] == 0
    assert sorted(factors, reverse=True) == factors
    assert toy_config("full").lr_factor(19_999) == 1
    due = [step for step in range(config.steps) if config.resamples_at(step)]
    assert due[0] == config.resample_every - 1
    assert due[-1] + 1 <= config.resample_until * config.steps
