"""Chapter 02a's settings, its comparison, and what was recorded of it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sae_course import CourseError
from sae_course.data.toy_worlds import crowded_world
from sae_course.evals.dictionaries import scores_table
from sae_course.training import recorded_file
from sae_course.training.toys import BatchTopK, Gated, Standard, saelens_differences
from sae_course.training.toys.compare import VARIANTS, train_variant
from sae_course.training.toys.config import variants_config
from sae_course.training.toys.record import PIECE_STEPS, settings, used
from sae_course.training.toys.recorded import FILE, frontiers, recorded_comparison
from sae_course.training.toys.score import score_toys

METRICS = ("explained_variance", "mcc", "f1", "l0")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return recorded_comparison()


@pytest.mark.parametrize("name", ["L1", "BatchTopK"])
def test_a_piece_of_the_record_is_made_again(name: str, record: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    rows = train_variant(name, dataclasses.replace(settings(), steps=PIECE_STEPS))
    for row, kept in zip(rows, record["piece"][name], strict=True):
        for metric in METRICS:
            assert row[metric] == pytest.approx(kept[metric], rel=0.02, abs=2e-3), (metric, row["value"])


def test_every_variant_at_every_value_in_every_world(record: dict[str, Any]) -> None:
    worlds = record["settings"]["n_inst"]
    assert worlds >= 3
    for name, variant in VARIANTS.items():
        found = sorted((row["value"], row["world"]) for row in record["variants"][name])
        assert found == sorted((value, world) for value in variant.values for world in range(worlds))


def test_the_record_was_made_with_the_settings_of_today(record: dict[str, Any]) -> None:
    assert record["settings"] == json.loads(json.dumps(used()))


def test_a_changed_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = recorded_file.read(FILE)
    changed["record"]["variants"]["L1"][0]["f1"] = 1.0
    monkeypatch.setattr(recorded_file, "read", lambda file: changed)
    with pytest.raises(CourseError, match="changed by hand"):
        recorded_comparison()


def test_the_lesson_of_the_chapter_is_in_the_record(record: dict[str, Any]) -> None:
    """At the truth's own L0 the one that explains most is not the one that detects best, in any world."""

    def at(name: str, k: int, metric: str) -> list[float]:
        return [row[metric] for row in record["variants"][name] if row["value"] == k]

    for k in (4, 5, 6):
        assert min(at("BatchTopK", k, "explained_variance")) > max(at("Matryoshka", k, "explained_variance"))
        assert max(at("BatchTopK", k, "f1")) < min(at("Matryoshka", k, "f1"))
        assert max(at("frozen random decoder", k, "f1")) < 0.2


def test_frontiers_are_in_the_order_of_l0_with_their_spread(record: dict[str, Any]) -> None:
    panels = frontiers(record, ["L1", "TopK"], ["f1"], baselines=True)
    (curves,) = panels.values()
    assert [curve.name for curve in curves][:2] == ["L1", "TopK"]
    assert {curve.name for curve in curves if curve.control} == {
        *record["baselines"],
        "frozen random decoder",
    }
    for curve in curves:
        assert (curve.steps[1:] > curve.steps[:-1]).all()
        assert (curve.low <= curve.values).all()  # type: ignore[operator]
        assert (curve.values <= curve.high).all()  # type: ignore[operator]
    rows = [row["f1"] for row in record["variants"]["TopK"] if row["value"] == 4]
    place = sorted({row["value"] for row in record["variants"]["TopK"]}).index(4)
    assert curves[1].values[place] == pytest.approx(sum(rows) / len(rows))


def test_an_unknown_name_is_one_message(record: dict[str, Any]) -> None:
    with pytest.raises(CourseError, match='"Gate" was not recorded'):
        frontiers(record, ["Gate"], ["f1"])


def test_saelens_differences_see_a_difference() -> None:
    stream = torch.Generator().manual_seed(0)
    h = torch.randn(2, 9, 6, generator=stream)
    dead = torch.zeros(2, 10, dtype=torch.bool)
    same = Gated(2, 6, 10, stream, coefficient=0.3)
    assert max(saelens_differences(same, h, dead, "gated", 0.3)) < 1e-5
    assert saelens_differences(same, h, dead, "gated", 0.4).loss > 1e-3
    with pytest.raises(CourseError, match="has the parameters"):
        saelens_differences(Standard(2, 6, 10, stream, coefficient=0.3), h, dead, "gated", 0.3)
    with pytest.raises(CourseError, match="no architecture"):
        saelens_differences(same, h, dead, "gatd", 0.3)


def test_scores_side_by_side() -> None:
    stream = torch.Generator().manual_seed(0)
    world = crowded_world(2, stream)
    sae = BatchTopK(4, world.d_in, 16, stream, k=3)
    scores = score_toys(sae, world, stream, samples=100)
    table = scores_table({"mine": scores}, ["l0", "dead"])
    assert list(table.columns) == ["l0", "dead"]
    assert table.loc["mine", "l0"] == f"{scores.l0.mean():.3f} ± {scores.l0.std():.3f}"
    with pytest.raises(CourseError, match="There is no score 'L0'"):
        scores_table({"mine": scores}, ["L0"])


def test_both_scales_have_the_same_settings() -> None:
    mini, full = variants_config("mini"), variants_config("full")
    assert full.n_inst > mini.n_inst
    assert full.steps > mini.steps
    assert [line.split()[0] for line in str(mini).splitlines()] == [
        field.name for field in dataclasses.fields(mini)
    ]


def test_the_recorded_file_is_small() -> None:
    file = Path(recorded_file.__file__).parent / "recorded" / FILE
    assert file.stat().st_size < 200_000
