"""What chapter 06 quotes: untouched, as the course says, and pieces of it made again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sae_course.notebooks import othello_experiment, record_othello
from sae_course.runs import Run
from sae_course.runtime import CourseError
from sae_course.training import othello, recorded_file, train

GRADES = [
    f"{grade}, {group}" for grade in ("coverage", "reconstruction") for group in ("occupied", "empty", "both")
]


def test_a_part_that_was_changed_or_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CourseError, match='no part "games": it has dictionaries, architectures, sparsity'):
        othello.recorded_othello("games")
    whole = json.loads(json.dumps(recorded_file.read(othello.FILE)))
    whole["parts"]["layers"][0]["L0"] += 0.1
    monkeypatch.setattr(recorded_file, "read", lambda file: whole)
    with pytest.raises(CourseError, match="changed by hand"):
        othello.recorded_othello("layers")


def test_every_part_has_every_setting_and_seed() -> None:
    keys = {
        "dictionaries": ["hook", "dictionary"],
        "architectures": ["hook", "architecture"],
        "sparsity": ["hook", "l1"],
        "layers": ["hook", "layer"],
    }
    counts = {"dictionaries": 10, "architectures": 8, "sparsity": 6, "layers": 12}
    for part, settings in keys.items():
        groups = othello.recorded_othello(part).groupby(settings)
        assert len(groups) == counts[part], part
        assert all(sorted(group["seed"]) == list(record_othello.SEEDS) for _, group in groups), part
        assert othello.recorded_othello(part)[GRADES].notna().all(axis=None)


def differs(a: str, b: str, grade: str, hook: str) -> float:
    """By how many of the larger spread (standard deviation over seeds) a is above b."""
    rows = othello.recorded_othello("dictionaries").query("hook == @hook").groupby("dictionary")[grade]
    means, spread = rows.mean(), rows.std()
    return float((means[a] - means[b]) / max(spread[a], spread[b]))


def test_the_mlps_sae_reconstructs_more_than_its_neurons_and_than_the_twins() -> None:
    for group in ("occupied", "empty", "both"):
        for other in ("neurons", "SAE of the random twin", "random directions"):
            assert differs("SAE", other, f"reconstruction, {group}", "MLP") > 1, (group, other)


def test_a_part_of_the_scores_is_made_again() -> None:
    """Neurons and random directions of the first seed's games: no training is in them."""
    rows = othello.recorded_othello("dictionaries").query("hook == 'MLP' and seed == 0")
    cfg = record_othello.config("MLP", "standard", 0)
    l0 = round(float(rows.query("dictionary == 'SAE'")["L0"].iloc[0]))
    found = {
        "neurons": record_othello._plain(cfg.hook_name, 0),
        "random directions": record_othello._random(cfg.hook_name, 0, cfg.sae.d_sae, l0),
    }
    for name, scores in found.items():
        row = rows[rows["dictionary"] == name].iloc[0]
        for grade in GRADES:
            assert scores[grade] == pytest.approx(row[grade], abs=0.01), (name, grade)


def test_a_piece_of_a_recorded_training_is_made_again(
    tmp_path: Path, stop_after: Callable[[int], None]
) -> None:
    """The MLP's first steps; another processor may round differently."""
    stop_after(record_othello.PIECE)
    cfg = record_othello.config("MLP", "standard", 0)
    with pytest.raises(KeyboardInterrupt):
        train(
            cfg,
            folder=tmp_path / "a",
            model=othello_experiment.model(),
            b_dec_init_method="mean",
            check=False,
            show=False,
        )
    found = Run.load(tmp_path / "a").metrics["metrics/explained_variance"].loc[record_othello.PIECE - 1]
    provenance = recorded_file.read(othello.FILE)["provenance"]
    wanted = provenance[f"explained variance after {record_othello.PIECE} steps"]["0"]
    assert found == pytest.approx(wanted, abs=0.01)


def test_settings_and_hooks_that_there_are_not_are_told() -> None:
    with pytest.raises(CourseError, match="no setting 'games': it has model, positions"):
        othello.othello_config(games=3)
    with pytest.raises(CourseError, match='compares MLP and residual stream, and no "attention"'):
        othello.sae_config("attention")
    assert "choose_games" in str(othello.othello_config())
