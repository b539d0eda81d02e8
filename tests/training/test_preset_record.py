"""What the presets are said to reach, and a piece of it made again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sae_course import CourseError
from sae_course.runs import Run
from sae_course.training import recorded_file, train
from sae_course.training.architectures import CONFIGS
from sae_course.training.preset_values import PRESETS
from sae_course.training.record_presets import (
    ELSEWHERE,
    PIECE,
    SEEDS,
    checksum,
    config,
    read,
    recorded,
    settings,
    table,
)


def test_the_record_was_made_with_the_presets_as_they_are() -> None:
    assert read()["provenance"]["settings_sha256"] == checksum(settings()), "record them again"
    assert [*recorded(), *ELSEWHERE] == sorted(PRESETS, key=lambda name: name in ELSEWHERE)
    assert all(list(found) == list(CONFIGS) for found in recorded().values())
    assert all(len(runs) == len(SEEDS) for found in recorded().values() for runs in found.values())


def test_a_piece_of_the_record_is_reproduced(tmp_path: Path, stop_after: Callable[[int], None]) -> None:
    """The first steps of a recorded run; another processor may round differently."""
    stop_after(PIECE)
    with pytest.raises(KeyboardInterrupt):
        train(config("tinystories", "batchtopk", 1), folder=tmp_path / "a", show=False)
    found = Run.load(tmp_path / "a").metrics["metrics/explained_variance"].loc[PIECE - 1]
    wanted = recorded()["tinystories"]["batchtopk"][1][f"explained variance after {PIECE} steps"]
    assert found == pytest.approx(wanted, abs=0.01)


def test_the_presets_reach_what_the_course_promises() -> None:
    """Chapter 03: 97 % of the loss recovered at L0 of at most 20, with at most 10 % dead."""
    for run in recorded()["tinystories"]["batchtopk"]:
        assert run["loss recovered"] >= 0.97
        assert run["L0"] <= 20
        assert run["dead"] <= 0.1
    for name, found in recorded().items():
        for architecture in ("batchtopk", "gated"):
            assert min(run["loss recovered"] for run in found[architecture]) > 0.85, (name, architecture)


def test_a_table_has_a_row_for_each_architecture_and_its_spread() -> None:
    rows = table("tinystories").splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == list(CONFIGS)
    assert all(row.count("±") == 4 for row in rows)


def test_a_preset_that_is_recorded_elsewhere_has_its_table_too() -> None:
    rows = table("othello-resid").splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["standard", "gated", "topk", "batchtopk"]
    assert all(row.count("±") == 4 for row in rows)


def test_a_record_changed_by_hand_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = read()
    changed["results"]["tinystories"]["batchtopk"][0]["L0"] = 1.0
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "presets.json").write_text(json.dumps(changed))
    monkeypatch.setattr(recorded_file.resources, "files", lambda _: tmp_path)
    with pytest.raises(CourseError, match="changed by hand"):
        recorded()
