"""Chapter 08's SAEs and record: whole, as the course says, a piece of it made again; and the two fakes."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from sae_course import evals
from sae_course.evals.baselines import NAMES, TRUE, TWIN
from sae_course.evals.scores import Report
from sae_course.models import load_model
from sae_course.notebooks import record_evaluation
from sae_course.runtime import CourseError
from sae_course.training import evaluation, planted, recorded_file
from sae_course.training.shipped import WEIGHTS


def test_names_that_there_are_not() -> None:
    with pytest.raises(CourseError, match='no finished SAE of chapter "04": there are 03, 05, 06'):
        evaluation.finished_sae("04", "mini")
    with pytest.raises(CourseError, match='no "Fig": it has Amber, Birch'):
        evaluation.scorecard_sae("Fig")
    with pytest.raises(CourseError, match='no planted SAE "fake": there are random decoder, rotated axes'):
        planted.planted("fake")
    with pytest.raises(CourseError, match="Chapter 08 has no setting 'row'"):
        evaluation.evaluation_config(row=3)


@pytest.mark.parametrize("name", list(planted.MAKERS))
def test_changed_weights_of_a_fake_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(planted.place(name), tmp_path / "fake")
    content = bytearray((tmp_path / "fake" / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (tmp_path / "fake" / WEIGHTS).write_bytes(content)
    monkeypatch.setattr(planted, "place", lambda name: tmp_path / "fake")
    with pytest.raises(CourseError, match="was changed"):
        planted.planted(name)


def test_the_random_decoder_was_never_trained() -> None:
    """Its decoder directions are spread as those of random vectors are: cosines of size 1 / √128."""
    W_dec = planted.planted("random decoder").W_dec.detach()
    directions = torch.nn.functional.normalize(W_dec, dim=1)
    cosines = (directions @ directions.T)[~torch.eye(len(W_dec), dtype=torch.bool)]
    assert float(cosines.std()) == pytest.approx(128**-0.5, rel=0.02)
    assert abs(float(cosines.mean())) < 0.005


def test_the_rotated_axes_are_orthogonal_and_come_in_pairs() -> None:
    sae = planted.planted("rotated axes")
    half = planted.DIRECTIONS
    W_dec = sae.W_dec.detach()
    torch.testing.assert_close(W_dec[:half] @ W_dec[:half].T, torch.eye(half), atol=2e-3, rtol=0)
    torch.testing.assert_close(W_dec[half:], -W_dec[:half])


def test_the_rotated_axes_are_made_again() -> None:
    again, kept = planted.rotated_axes(), planted.planted("rotated axes")
    x = torch.randn(50, 512, generator=torch.Generator().manual_seed(0))
    # The same space, whichever way round an eigenvector comes out.
    torch.testing.assert_close(again(x), kept(x), atol=0.02, rtol=0)


def test_a_site_has_labels_of_its_positions() -> None:
    for chapter, site in evaluation.SITES.items():
        model = load_model(site.model, "mini", device="cpu", quiet=True)
        rows = record_evaluation.held_out(site.model, 6)
        labels = evaluation.labels_for(chapter, rows, model.tokenizer, scale="mini")
        assert labels.values.shape[:2] == rows[:, site.positions].shape
        sae = evaluation.finished_sae(chapter, "mini", device="cpu")
        x = evals.harvest(model, rows, sae.cfg.metadata.hook_name)[:, site.positions]
        assert evals.units_of(sae, x).a.shape[:2] == labels.values.shape[:2]


def test_a_part_that_was_changed_or_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CourseError, match='no part "layers": it has reports, twin'):
        evaluation.recorded_evaluation("layers")
    whole = json.loads(json.dumps(recorded_file.read(evaluation.FILE)))
    whole["parts"]["k"][0]["decoder cosine"] += 0.1
    monkeypatch.setattr(recorded_file, "read", lambda file: whole)
    with pytest.raises(CourseError, match="changed by hand"):
        evaluation.recorded_evaluation("k")
    with pytest.raises(CourseError, match="changed by hand"):
        evaluation.recorded_reports()


def test_every_part_has_every_setting_and_seed() -> None:
    wanted = {"k": (["k"], 5), "widths": (["layer", "d_sae"], 8), "control": (["edited", "k"], 25)}
    for part, (settings, count) in wanted.items():
        rows = evaluation.recorded_evaluation(part)
        groups = rows.groupby(settings)
        assert len(groups) == count, part
        assert all(sorted(group["seed"]) == list(record_evaluation.SEEDS) for _, group in groups), part
        assert rows.notna().all(axis=None)
    assert list(evaluation.recorded_reports()) == list(evaluation.FIVE)


def test_both_fakes_win_on_variance_and_on_loss() -> None:
    reports = evaluation.recorded_reports()
    name_of = {what: name for name, what in evaluation.FIVE.items()}
    for fake, chapter in evaluation.FAKES.items():
        for metric in ("explained variance", "CE recovered"):
            fakes, real = (reports[name_of[what]].of(metric).value for what in (fake, chapter))
            assert fakes > real, (fake, metric)


def largest_margin(report: Report) -> float:
    """Errors by which it is ahead of its best baseline, where it is so most (exercise 8.10)."""
    fit = ("explained variance", "CE recovered", "KL recovered")
    margins = []
    for metric in report.run:
        own = report.of(metric)
        whose = [name for name in NAMES if name != TRUE and not (name == TWIN and metric in fit)]
        others = [one for one in (report.of(metric, name) for name in whose) if not one.why]
        if not own.better or own.why or math.isnan(own.error) or not others:
            continue
        best = max(others, key=lambda one: own.better * one.value)
        spread = math.hypot(*(0.0 if math.isnan(one.error) else one.error for one in (own, best)))
        margins.append(own.better * (own.value - best.value) / spread if spread else 0.0)
    return max(margins)


def test_the_report_unmasks_both_fakes_and_nobody_else() -> None:
    """Ahead by 3 errors of every dictionary that nobody trained, in anything: the real ones, and no fake."""
    for name, report in evaluation.recorded_reports().items():
        assert (largest_margin(report) > 3) == (evaluation.FIVE[name] not in evaluation.FAKES), name


def test_what_the_chapter_says_of_k_and_of_widths_holds() -> None:
    by_k = evaluation.recorded_evaluation("k").groupby("k").mean()
    assert by_k["CE recovered"].is_monotonic_increasing
    assert by_k["F1 of the best unit"].is_monotonic_decreasing
    assert by_k["decoder cosine"].idxmin() == max(record_evaluation.KS)
    by_width = evaluation.recorded_evaluation("widths").groupby(["layer", "d_sae"]).mean()
    for layer in record_evaluation.GEMMA_LAYERS:
        assert by_width.loc[layer]["latents for a told feature"].is_monotonic_increasing
        assert by_width.loc[layer]["features told"].is_monotonic_increasing


def test_a_piece_of_the_record_is_made_again() -> None:
    row = next(iter(record_evaluation.twins()))
    kept = evaluation.recorded_evaluation("twin").iloc[0]
    for name, value in row.items():
        assert kept[name] == (pytest.approx(value, rel=2e-3) if isinstance(value, float) else value)
