"""What chapter 05 quotes: untouched, as the course promises, and pieces of it made again."""

import json
from typing import Any

import pytest

from sae_course.evals import Site
from sae_course.notebooks import induction_experiment, record_induction
from sae_course.runtime import CourseError
from sae_course.training import induction, recorded_file
from sae_course.training.settings import as_dict
from sae_course.training.ship_saes import config


@pytest.fixture(scope="module")
def sites() -> dict[int, Site]:
    """The shipped SAEs: those of the record's first seed, rounded to float16."""
    return {
        layer: Site(f"blocks.{layer}.attn.hook_z", induction.finished_sae(layer, "mini", device="cpu"))
        for layer in induction.LAYERS
    }


def test_a_part_that_was_changed_or_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CourseError, match='no part "heads": it has circuits, widths, splitting, models'):
        induction.recorded_induction("heads")
    whole = json.loads(json.dumps(recorded_file.read(induction.FILE)))
    whole["parts"]["models"][0]["median"] += 0.1
    monkeypatch.setattr(recorded_file, "read", lambda file: whole)
    with pytest.raises(CourseError, match="changed by hand"):
        induction.recorded_induction("models")


def test_every_part_has_every_setting_and_seed() -> None:
    keys = {
        "circuits": ["k"],
        "widths": ["layer", "d_sae"],
        "splitting": ["layer", "from"],
        "models": ["compared", "layer"],
    }
    for part, settings in keys.items():
        rows = induction.recorded_induction(part)
        assert all(
            set(group["seed"]) == set(record_induction.SEEDS) for _, group in rows.groupby(settings)
        ), part
    assert set(induction.recorded_induction("circuits")["k"]) == set(record_induction.KS)
    assert set(induction.recorded_induction("widths")["d_sae"]) == set(record_induction.WIDTHS)


def test_the_chapters_settings_reach_what_the_course_promises_with_every_seed() -> None:
    rows = induction.recorded_induction("circuits")
    chapter = rows[rows["k"] == induction.sae_config(0, "mini").sae.k]
    assert len(chapter) == len(record_induction.SEEDS)
    assert (chapter["pairs over half"] >= 3).all()
    assert (5 * chapter["control"].abs() <= 0.5).all()
    assert (rows["rank correlation"] >= 0.5).all()
    for model in recorded_file.read(induction.FILE)["provenance"]["models"].values():
        assert model["induction score"] >= 0.5


def test_the_shipped_saes_are_trained_as_the_chapter_says() -> None:
    for layer in induction.LAYERS:
        shipped = as_dict(config(f"attn-only-2l-layer-{layer}"))
        wanted = as_dict(record_induction.config(layer, seed=0))
        assert json.dumps(shipped, sort_keys=True) == json.dumps(wanted, sort_keys=True)


def test_the_same_latents_are_found_again(sites: dict[int, Site]) -> None:
    row = _chapters_first()
    found = induction_experiment.found(sites)
    assert int(found.previous.sum()) == pytest.approx(row["previous-token latents"], abs=2)
    assert int(found.induction.sum()) == pytest.approx(row["induction latents"], abs=4)


def test_the_second_models_first_steps_come_out_the_same() -> None:
    provenance = recorded_file.read(induction.FILE)["provenance"]
    recorded = provenance[f"other model's loss over {record_induction.PIECE} steps"]
    assert record_induction.first_loss() == pytest.approx(recorded, rel=0.01)


def test_settings_and_layers_that_there_are_not() -> None:
    assert induction.induction_config(n_pairs=3).n_pairs == 3
    with pytest.raises(CourseError, match="no setting 'pairs': it has model, n_words"):
        induction.induction_config(pairs=3)
    with pytest.raises(CourseError, match="layers 0 and 1, and none 2"):
        induction.finished_sae(2)
    assert induction.sae_config(1, "full").sae.k == 16
    assert induction.sae_config(1, "full").hook_name == "blocks.1.attn.hook_z"
    assert induction.sae_config(0, "mini", k=3).sae.k == 3


def _chapters_first() -> Any:
    rows = induction.recorded_induction("circuits")
    return rows[(rows["k"] == induction.sae_config(0, "mini").sae.k) & (rows["seed"] == 0)].iloc[0]
