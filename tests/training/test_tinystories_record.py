"""What chapter 03 quotes: untouched since it was recorded, of this code, and a piece of it made again."""

import json

import pandas as pd
import pytest

from sae_course.notebooks import record_tinystories as script
from sae_course.notebooks.definitions import definitions
from sae_course.runtime import CourseError, project_root
from sae_course.training import tinystories
from sae_course.training.by_hand import hand_config


def test_the_record_is_of_the_chapters_code() -> None:
    assert tinystories.read()["provenance"]["code_sha256"] == script.code_sha256(), (
        "the functions of chapter 03a changed: run python -m sae_course.notebooks.record_tinystories again"
    )


def test_a_part_that_was_changed_or_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CourseError, match='no part "L2": it has'):
        tinystories.recorded_tinystories("L2")
    whole = json.loads(json.dumps(tinystories.read()))
    whole["parts"]["k"][0]["L0"] += 0.1
    monkeypatch.setattr(tinystories, "read", lambda: whole)
    with pytest.raises(CourseError, match="changed by hand"):
        tinystories.recorded_tinystories("k")


def test_every_part_has_every_setting_and_seed() -> None:
    seeds = set(script.SEEDS)
    for part, keys in {
        "by hand": ["variant"],
        "L1": ["coefficient", "tokens"],
        "k": ["k"],
        "data": ["passes"],
    }.items():
        rows = tinystories.recorded_tinystories(part)
        assert all(set(group["seed"]) == seeds for _, group in rows.groupby(keys)), part
    assert set(tinystories.recorded_tinystories("by hand")["variant"]) == set(script.VARIANTS)
    assert set(tinystories.recorded_tinystories("L1")["tokens"]) == set(script.TOKENS["L1"])


def test_both_ways_of_training_agree_and_reach_what_the_course_promises() -> None:
    by_hand = tinystories.recorded_tinystories("by hand").query("variant == 'by hand'")
    with_saelens = tinystories.recorded_tinystories("SAELens")
    for rows in (by_hand, with_saelens):
        assert (rows["loss recovered"] >= 0.97).all()
        assert (rows["L0"] <= 20).all()
        assert (rows["dead"] <= 0.10).all()
    for column in ("loss recovered", "explained variance"):
        pooled = (by_hand[column].std() ** 2 + with_saelens[column].std() ** 2) ** 0.5
        assert abs(by_hand[column].mean() - with_saelens[column].mean()) <= 3 * pooled


def test_the_first_steps_of_the_run_by_hand_come_out_the_same() -> None:
    config = hand_config("mini", device="cpu")
    chapter = definitions(project_root() / script.SOURCE, config=config, device="cpu", model=script.model())
    # The chapter's own loop, over its first steps alone: the learning rate is that of the whole run.
    chapter["tqdm"] = lambda steps, **_: steps[: script.PIECE]
    _, history = chapter["trained"](config)
    row = tinystories.recorded_tinystories("by hand").query("variant == 'by hand' and seed == 0").iloc[0]
    assert len(history) == script.PIECE
    assert history[-1]["mse"] == pytest.approx(row[f"mse after {script.PIECE} steps"], rel=0.01)


def test_a_table_over_seeds_has_mean_and_spread() -> None:
    rows = pd.DataFrame({"k": [1, 1, 2, 2], "L0": [1.0, 3.0, 4.0, 4.0]})
    table = tinystories.over_seeds(rows, "k", {"L0": ".1f"})
    assert table.loc[1, "L0"] == "2.0 ± 1.4"
    assert table.loc[2, "L0"] == "4.0 ± 0.0"
