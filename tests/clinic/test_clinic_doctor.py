"""The reference doctor: right on held-out runs, silent where it can't know, and showing its evidence."""

from collections.abc import Callable

import numpy as np
import pytest

from sae_course import CourseError
from sae_course.clinic import CAUSES, SEVEN, diagnose, open_ward, readings, score, shelf
from sae_course.clinic.archive import in_memory
from sae_course.clinic.doctor import NOT_SURE, SIGNS
from sae_course.clinic.measured import NAMES
from sae_course.runs import Run
from sae_course.runs.files import HISTOGRAMS, METRICS


@pytest.fixture(scope="module")
def healthy() -> tuple[Run, ...]:
    return open_ward()[0].runs


@pytest.fixture(scope="module")
def reference(healthy: tuple[Run, ...]) -> Callable[[Run], str]:
    return lambda run: diagnose(run, healthy).cause


def test_it_names_the_cause_of_nine_in_ten_held_out_runs(reference: Callable[[Run], str]) -> None:
    found = score(reference)
    assert len(found.truth) >= 40
    assert found.accuracy >= 0.9, found.confusion.to_string()


def test_it_names_the_causes_beyond_the_ward(reference: Callable[[Run], str]) -> None:
    assert score(reference, "held out, beyond").accuracy >= 0.85


def test_it_is_right_about_the_ward_itself(reference: Callable[[Run], str]) -> None:
    for number, patient in enumerate(open_ward()):
        assert [reference(run) for run in patient.runs] == [SEVEN[number]] * len(patient.runs)


def test_every_cause_has_signs_of_known_readings() -> None:
    assert set(SIGNS) == set(CAUSES)
    assert {sign.reading for signs in SIGNS.values() for sign in signs} <= set(NAMES)
    assert all(sign.words for signs in SIGNS.values() for sign in signs)


def test_without_a_healthy_run_it_is_silent_rather_than_wrong() -> None:
    """What it then says is right, or "not sure": most causes can only be told beside a sound run."""
    found = score(lambda run: diagnose(run).cause)
    assert set(found.said) == {NOT_SURE}
    found = score(lambda run: diagnose(run).cause, "held out, beyond")
    said = [(truth, word) for truth, word in zip(found.truth, found.said, strict=True) if word != NOT_SURE]
    assert said, "it should still know something"
    assert all(truth == word for truth, word in said)
    assert found.said.count(NOT_SURE) > 0


def test_its_opinion_shows_values_and_bounds(healthy: tuple[Run, ...]) -> None:
    opinion = diagnose(open_ward()[2].runs[0], healthy)
    text = str(opinion)
    assert opinion.cause == "dictionary too wide"
    assert all(finding.present for finding in opinion.evidence)
    assert f"dead {readings(open_ward()[2].runs[0]).dead:.3g}" in text
    assert "at least 0.12" in text
    assert CAUSES[opinion.cause].cure in text
    assert "<pre>" in opinion._repr_html_()


def test_a_run_with_nothing_in_it_is_no_case(healthy: tuple[Run, ...]) -> None:
    empty = in_memory("empty", {METRICS: [{"step": 9, "metrics/l0": 30.0}], HISTOGRAMS: []})
    opinion = diagnose(empty, healthy)
    assert opinion.cause == NOT_SURE
    assert readings(empty).known() == {"l0": 30.0}


def test_a_run_between_the_causes_gets_the_nearest_one(healthy: tuple[Run, ...]) -> None:
    """As many latents fire as usual, few are dead, and yet it reconstructs badly: no cause of ours."""
    lines = [dict(line) for line in healthy[0].lines_of(METRICS)]
    for line in lines:
        for name in ("metrics/explained_variance", "reconstruction_quality.explained_variance"):
            if name in line:
                line[name] *= 0.8
    opinion = diagnose(
        in_memory("odd", {METRICS: lines, HISTOGRAMS: healthy[0].lines_of(HISTOGRAMS)}), healthy
    )
    assert opinion.cause == NOT_SURE
    assert opinion.nearest in CAUSES
    assert "nearest is" in str(opinion)


def test_the_confusion_matrix_counts_every_run_once() -> None:
    found = score(lambda run: NOT_SURE)
    assert found.accuracy == 0
    assert found.confusion[NOT_SURE].sum() == len(found.truth)
    assert found.worst()[1] == NOT_SURE
    assert found.confusion.to_numpy().sum() == len(found.truth)
    perfect = score(dict_of_truth("held out"))
    assert (perfect.accuracy, perfect.worst()) == (1, None)
    assert (np.diag(perfect.confusion) == 6).all()


def dict_of_truth(part: str) -> Callable[[Run], str]:
    truth = {run.name: cause for _, cause, run in shelf.cases(part)}
    return lambda run: truth[run.name]


def test_a_doctor_with_words_of_its_own_is_told_so() -> None:
    with pytest.raises(CourseError, match="names one of the causes"):
        score(lambda run: "influenza")


@pytest.mark.parametrize("part", ["held out", "held out, beyond"])
def test_a_doctor_is_given_nothing_but_curves(part: str) -> None:
    seen: list[Run] = []

    def curious(run: Run) -> str:
        seen.append(run)
        return NOT_SURE

    score(curious, part)
    assert all(run.config == {} and run.folder is None for run in seen)
    assert len({run.name for run in seen}) == len(seen)


def test_readings_are_what_their_words_say() -> None:
    """On made-up curves whose readings are known in closed form."""
    n = 50
    error = [100 * 0.99**i for i in range(n)]
    lines = [
        {"step": i, "losses/mse_loss": error[i], "metrics/l0": 20.0, "metrics/explained_variance": 0.8,
         "losses/l0_loss": 5.0, "sparsity/dead_features": 16.0}
        for i in range(n)
    ]  # fmt: skip
    lines.append(
        {
            "step": n, "sparsity.l0": 30.0, "reconstruction_quality.explained_variance": 0.9,
            "reconstruction_quality.mse": 10.0, "shrinkage.l2_norm_in": 5.0, "shrinkage.l2_norm_out": 1.5,
            "sparsity.l1": 0.1, "model_performance_preservation.ce_loss_without_sae": 1.0,
            "model_performance_preservation.ce_loss_with_ablation": 4.0,
            "model_performance_preservation.ce_loss_score": 0.95,
        }
    )  # fmt: skip
    counts = {
        "step": n,
        "name": "plots/feature_density_line_chart",
        "counts": [64.0] * 2,
        "edges": [-2, -1, 0],
    }
    found = readings(in_memory("made up", {METRICS: lines, HISTOGRAMS: [counts]}))
    assert found.width == 128
    assert found.dead == pytest.approx(16 / 128)
    assert found.l0_in_evaluation == pytest.approx(1.5)
    assert found.disagreement == pytest.approx(0.1)
    assert found.model_knows == pytest.approx(0.75)
    assert found.variance_of_length == pytest.approx(10 / 0.2 / 25)
    assert found.still_falling == pytest.approx(1 - 0.99**10)
    assert found.penalty == pytest.approx(5 / np.mean(error[-3:]))
    assert found.coarse == 0.5  # 1.5 has few bits, .1 many
    variance = np.asarray(error) / 0.2
    assert found.batch_variation == pytest.approx(variance.std() / variance.mean())
