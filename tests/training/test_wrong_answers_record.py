"""The recorded experiments of chapter 02b, and pieces of them made again."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from sae_course import CourseError
from sae_course.notebooks import record_wrong_answers as recording
from sae_course.training import recorded_file
from sae_course.training.toys.wrong_config import wrong_answers_config
from sae_course.training.toys.wrong_recorded import FILE, curve_over, recorded_wrong_answers


def by_k(rows: list[dict[str, Any]], metric: str) -> dict[int, float]:
    return {k: mean(row[metric] for row in rows if row["k"] == k) for k in sorted({row["k"] for row in rows})}


def test_tying_is_reproduced() -> None:
    """Same code, same streams; another processor may round differently, and so move an instance or two."""
    recorded = [row for row in recorded_wrong_answers("mini")["tying"]["pentagon"] if row["seed"] == 1]
    again = recording.tying("mini", "pentagon", 1)
    assert [row["kind"] for row in again] == [row["kind"] for row in recorded]
    for row, other in zip(again, recorded, strict=True):
        assert abs(row["all_found"] - other["all_found"]) <= 2
        assert row["loss"] == pytest.approx(other["loss"], rel=0.05)
        assert row["features"] == pytest.approx(other["features"], abs=0.05)


def test_saes_over_k_are_reproduced() -> None:
    recorded, again = recorded_wrong_answers("mini")["over_k"], recording.over_k("mini")
    assert [(row["k"], row["world"], row["seed"]) for row in again] == [
        (row["k"], row["world"], row["seed"]) for row in recorded
    ]
    for metric in ("explained_variance", "true_dictionary", "mcc", "agreement", "in_wide", "of_wide"):
        assert by_k(again, metric) == pytest.approx(by_k(recorded, metric), abs=0.03), metric


@pytest.mark.parametrize("scale", recording.SCALES)
def test_the_record_was_made_at_the_settings_and_with_the_code_that_the_chapter_has(scale: str) -> None:
    record, config = recorded_wrong_answers(scale), wrong_answers_config(scale)
    assert record["config"] == json.loads(json.dumps(recording.settings(scale)))
    assert recorded_file.read(FILE)["provenance"]["code_sha256"] == recording.code(), "record it again"
    assert record["seeds"] == [0, 1, 2]
    assert len(record["over_k"]) == len(config.k) * config.k_worlds * config.k_seeds
    assert {name: len(rows) for name, rows in record["tying"].items()} == {"pentagon": 15, "orthogonal": 15}


@pytest.mark.parametrize("scale", recording.SCALES)
def test_a_wrong_l0_beats_the_truth_and_the_decoder_tells(scale: str) -> None:
    rows = recorded_wrong_answers(scale)["over_k"]
    trained, true, mcc, cosine = (
        by_k(rows, name) for name in ("explained_variance", "true_dictionary", "mcc", "decoder_cosine")
    )
    assert trained[5] > true[5] + 0.05
    assert max(mcc, key=mcc.__getitem__) in (10, 11), "the world holds 9.9 features a sample"
    assert min(cosine, key=cosine.__getitem__) in (10, 11)
    assert mcc[25] < mcc[10] - 0.2
    assert trained[25] > trained[5]


@pytest.mark.parametrize("scale", recording.SCALES)
def test_what_starts_at_the_truth_stays_there_tied_or_not(scale: str) -> None:
    for rows in recorded_wrong_answers(scale)["tying"].values():
        found = {
            kind: [row["all_found"] for row in rows if row["kind"] == kind]
            for kind in ("tied, from the truth", "untied, from the truth", "untied, own start")
        }
        assert found["tied, from the truth"] == found["untied, from the truth"] == [16, 16, 16]
        assert max(found["untied, own start"]) <= 4


def test_a_record_changed_by_hand_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = Path(recorded_file.__file__).parent / "recorded"
    record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    record["record"]["mini"]["over_k"][0]["mcc"] = 1.0
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / FILE).write_text(json.dumps(record))
    monkeypatch.setattr(recorded_file.resources, "files", lambda _: tmp_path)
    with pytest.raises(CourseError, match="changed by hand"):
        recorded_wrong_answers("mini")


def test_another_scale_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(CourseError, match='"huge" was not recorded: there are mini, full'):
        recorded_wrong_answers("huge")


def test_a_curve_is_the_mean_with_its_range() -> None:
    rows = [{"k": 3, "mcc": 0.5}, {"k": 1, "mcc": 0.25}, {"k": 3, "mcc": 1.0}]
    curve = curve_over(rows, "mcc", "trained")
    assert list(curve.steps) == [1, 3]
    assert list(curve.values) == [0.25, 0.75]
    assert curve.low is not None
    assert list(curve.low) == [0.25, 0.5]
    assert curve.high is not None
    assert list(curve.high) == [0.25, 1.0]
    assert not curve.control
    with pytest.raises(CourseError, match='The rows have no "f1": there are k, mcc'):
        curve_over(rows, "f1", "trained")


def test_the_pieces_are_kept_by_code_and_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stopped, the recorder goes on with what is missing."""
    (tmp_path / "solutions").mkdir()
    (tmp_path / "training" / "recorded").mkdir(parents=True)
    text = (recording.project_root() / recording.SOURCE).read_text(encoding="utf-8")
    (tmp_path / recording.SOURCE).write_text(text, encoding="utf-8")
    made: list[str] = []
    stop_after = [5]

    def make(name: str) -> list[dict[str, Any]]:
        if len(made) == stop_after[0]:
            raise KeyboardInterrupt
        made.append(name)
        return [{"name": name}]

    names = list(recording.pieces())
    monkeypatch.setattr(recording, "project_root", lambda: tmp_path)
    monkeypatch.setattr(recording, "pieces", lambda: {name: lambda name=name: make(name) for name in names})
    monkeypatch.setattr(recording, "__file__", str(tmp_path / "notebooks" / "record.py"))
    with pytest.raises(KeyboardInterrupt):
        recording.main()
    stop_after[0] = 10**6
    recording.main()
    assert made == names, "each piece once"
    written = json.loads((tmp_path / "training" / "recorded" / FILE).read_text(encoding="utf-8"))
    assert written["record"]["full"]["over_k"] == [{"name": "full/over_k"}]
    assert len(written["record"]["mini"]["tying"]["orthogonal"]) == 3
    for old, new, times in (
        ("def agreement(", "def agreement( ", 1),
        (".amax(2).mean(1)", ".amax(2).mean(-1)", 2),
    ):
        assert old in text
        (tmp_path / recording.SOURCE).write_text(text.replace(old, new), encoding="utf-8")
        recording.main()
        assert made == names * times, "again where the code changed, not where its layout did"
