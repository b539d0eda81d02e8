"""A report: what it says of SAEs whose numbers are known, what it shows, keeps and refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from known import HOOK, Own
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals import report, units_of
from sae_course.evals.baselines import NAMES, TRUE, TWIN
from sae_course.evals.scores import OWN, Report, Score
from sae_course.evals.sections import SECTIONS
from sae_course.models import random_twin, truth
from sae_course.runtime import CourseError
from sae_course.training import shipped_run

FAST = ["reconstruction", "firing"]


class Perfect:
    """Two latents for each coordinate: nothing is lost, nothing is sparse."""

    def __init__(self, d_in: int) -> None:
        self.W_dec = torch.cat([torch.eye(d_in), -torch.eye(d_in)])

    def encode(self, x: Tensor) -> Tensor:
        return torch.cat([x, -x], dim=-1).relu()

    def decode(self, a: Tensor) -> Tensor:
        return a @ self.W_dec


@pytest.fixture(scope="module")
def perfect(model: Any, tokens: Tensor) -> Report:
    return report(model, Perfect(128), tokens, HOOK, only=FAST, name="perfect")


def test_a_perfect_sae_has_perfect_numbers(perfect: Report) -> None:
    assert perfect.of("explained variance").value == pytest.approx(1, abs=1e-6)
    assert perfect.of("CE recovered").value == pytest.approx(1, abs=1e-4)
    assert perfect.of("KL recovered").value == pytest.approx(1, abs=1e-4)
    assert perfect.of("L0").value == pytest.approx(128)
    assert perfect.of("dense (share of live latents)").value > 0.9


def test_the_baselines_have_the_saes_own_l0(perfect: Report) -> None:
    for whose in ("PCA", "neurons"):
        assert perfect.of("L0", whose).value == pytest.approx(128)


def test_nothing_is_blank_and_every_gap_has_its_reason(perfect: Report) -> None:
    assert perfect.whose == [OWN, *NAMES]
    for metric in perfect.metrics:
        for whose in perfect.whose:
            score = perfect.of(metric, whose)
            assert (score.value == score.value) != bool(score.why), (metric, whose)
    assert perfect.of("L0", TWIN).why == "no SAE of the random twin was given"
    assert perfect.of("L0", TRUE).why == "no truth was given"
    assert "no SAE of the random twin was given" in str(perfect)
    assert perfect.why()[f"L0, {TWIN}"] == "no SAE of the random twin was given"
    assert not perfect.table.isna().any(axis=None)


@pytest.fixture(scope="module")
def whole(model: Any, tokens: Tensor) -> Report:
    """All sections, of an SAE with random weights; the twin's too."""
    labels = truth("tiny-stories-1L-21M", tokens, "mini")
    twin = random_twin("tiny-stories-1L-21M", "mini", device="cpu")
    others = {"itself": Own(128, 200)}
    return report(
        model, Own(128, 200), tokens, HOOK, labels=labels, twin=(twin, Own(128, 200, 1)), others=others
    )


def test_every_section_is_in_it(whole: Report) -> None:
    assert {score.section for score in whole.scores} == set(SECTIONS)
    assert whole.of("found again in itself").value == 1
    assert whole.of("answer swapped by 1 latent").why == "no prompts were given"
    assert whole.of("coverage of the board").why == "these labels are of no board"
    assert whole.of("AUROC of the best unit", TRUE).value == 1


def test_sparse_control_is_that_of_the_sae_and_its_baselines(model: Any) -> None:
    """All coordinates set are the whole activation; a few latents do more than as many at random."""
    from sae_course.data.indirect_objects import STORY, indirect_objects  # noqa: PLC0415

    task = indirect_objects(model.tokenizer, 32, before=STORY)
    sae = shipped_run("tinystories").sae("cpu")
    rows = torch.as_tensor(task.tokens)
    found = report(model, sae, rows, task=task, only=["sparse control"])
    for k in (1, 4, 16):
        metric = f"answer swapped by {k} latent{'s' * (k > 1)}"
        for whose in (OWN, "PCA", "neurons", TRUE):
            assert not found.of(metric, whose).why, (metric, whose)
        assert "set to what they are" in found.of(metric, "frozen random decoder").why
        assert found.of(metric).value > found.of(f"… by {k} at random").value + 0.1
    assert (
        found.of("answer swapped by 4 latents").value
        > found.of("answer swapped by 4 latents", "neurons").value
    )


def test_a_random_models_loss_is_no_baseline(whole: Report) -> None:
    assert "there is nothing to recover" in whole.of("CE recovered", TWIN).why


def test_a_random_sae_is_not_ahead_of_a_random_dictionary(whole: Report) -> None:
    own, other = (whole.of("5 units probed, AUROC", whose) for whose in (OWN, "frozen random decoder"))
    assert abs(own.value - other.value) < 0.1


def test_it_is_the_same_again(model: Any, tokens: Tensor, perfect: Report) -> None:
    again = report(model, Perfect(128), tokens, HOOK, only=FAST, name="perfect")
    assert json.dumps(again.as_dict()) == json.dumps(perfect.as_dict())


def test_rows_are_halved_at_random(model: Any, tokens: Tensor) -> None:
    """A text may have its kinds of rows in turn: halves by parity would be of different kinds."""
    from sae_course.evals.reporting import _half  # noqa: PLC0415

    half = _half(40, 0)
    assert int(half.sum()) == 20
    assert not torch.equal(half, torch.arange(40) % 2 == 0)
    assert not torch.equal(half, _half(40, 1))


def test_saved_and_loaded_it_is_the_same(perfect: Report, tmp_path: Path) -> None:
    place = perfect.save(tmp_path / "report.json")
    loaded = Report.load(place)
    assert loaded.as_dict() == perfect.as_dict()
    assert "NaN" not in place.read_text(encoding="utf-8")
    assert loaded.of("L0", TWIN).value != loaded.of("L0", TWIN).value
    with pytest.raises(CourseError, match="no report at"):
        Report.load(tmp_path / "none.json")
    place.write_text('{"format": 0}', encoding="utf-8")
    with pytest.raises(CourseError, match="no report of this version"):
        Report.load(place)


def test_it_shows_itself(perfect: Report) -> None:
    assert "perfect: blocks.0.hook_mlp_out" in str(perfect)
    assert "<th>explained variance</th>" in perfect._repr_html_()
    figure = perfect.figure()
    assert {trace.name for trace in figure.data} == set(perfect.whose)
    assert figure.data[-1].name == OWN  # drawn last, above the others
    assert "perfect" in figure.layout.title.text


def test_a_difference_that_could_be_seen() -> None:
    scores = tuple(
        Score("s", "m", who, 0.5, error, "9 rows", 1) for who, error in ((OWN, 0.03), ("PCA", 0.04))
    )
    one = Report("x", HOOK, "model", 9, 90, scores, {})
    assert one.detectable("m", "PCA") == pytest.approx(2.8 * 0.05, rel=0.01)
    with pytest.raises(CourseError, match='no metric "n": it has m'):
        one.of("n")
    with pytest.raises(CourseError, match='knows no "ICA": it knows SAE, PCA'):
        one.of("m", "ICA")


def test_errors(model: Any, tokens: Tensor) -> None:
    labels = truth("tiny-stories-1L-21M", tokens, "mini")
    with pytest.raises(CourseError, match="no hook point"):
        report(model, Perfect(128), tokens, "blocks.9.hook_mlp_out")
    with pytest.raises(CourseError, match="Where does this SAE sit"):
        report(model, Perfect(128), tokens)
    with pytest.raises(CourseError, match="at least 4 rows"):
        report(model, Perfect(128), tokens[:1], HOOK)
    with pytest.raises(CourseError, match='no section "loss": it has reconstruction'):
        report(model, Perfect(128), tokens, HOOK, only=["loss"])
    with pytest.raises(CourseError, match="of the same rows and positions"):
        report(model, Perfect(128), tokens, HOOK, labels=labels, positions=slice(1, None), only=FAST)
    broken = Own(128, 20)
    with torch.no_grad():
        broken.W_enc[0, 0] = torch.nan
    with pytest.raises(CourseError, match=r"weights that are NaN or infinite \(W_enc\)"):
        report(model, broken, tokens, HOOK, only=FAST)
    silent = Own(128, 20)
    with torch.no_grad():
        silent.b_enc.fill_(-1e6)
    with pytest.raises(CourseError, match="No latent of SAE fires"):
        report(model, silent, tokens, HOOK, only=FAST)


def test_an_sae_of_another_width_is_refused(model: Any, tokens: Tensor) -> None:
    from known import theirs  # noqa: PLC0415

    with pytest.raises(CourseError, match=r"takes activations of width 64, and .* has 128"):
        report(model, theirs(HOOK, 64), tokens, HOOK)


def test_labels_that_know_nothing_say_why(model: Any, tokens: Tensor) -> None:
    none = Labels((), torch.zeros(*tokens.shape, 0, dtype=torch.bool).numpy(), "Nobody wrote it down.")
    found = report(
        model, Perfect(128), tokens, HOOK, labels=none, only=["truth", "absorption", "consistency"]
    )
    assert {score.why for score in found.scores} == {"Nobody wrote it down."}


def test_units_are_those_of_the_sae(model: Any, tokens: Tensor, activations: Tensor) -> None:
    own = Own(128, 30)
    units = units_of(own, activations)
    torch.testing.assert_close(units.a, own.encode(activations).detach())
