"""What chapter 07 quotes: untouched, as the course says, and a piece of it made again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sae_course.notebooks import record_gemma
from sae_course.runs import Run
from sae_course.runtime import CourseError
from sae_course.training import change, gemma, preset, recorded_file, train


def test_a_part_that_was_changed_or_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CourseError, match='no part "layers": it has scaling, widths'):
        gemma.recorded_gemma("layers")
    whole = json.loads(json.dumps(recorded_file.read(gemma.FILE)))
    whole["parts"]["widths"][0]["L0"] += 0.1
    monkeypatch.setattr(recorded_file, "read", lambda file: whole)
    with pytest.raises(CourseError, match="changed by hand"):
        gemma.recorded_gemma("widths")


def test_every_part_has_every_setting_and_seed() -> None:
    wanted = {"scaling": (["activations", "layer"], 8), "widths": (["layer", "d_sae"], 8)}
    for part, (settings, count) in wanted.items():
        rows = gemma.recorded_gemma(part)
        groups = rows.groupby(settings)
        assert len(groups) == count, part
        assert all(sorted(group["seed"]) == list(record_gemma.SEEDS) for _, group in groups), part
        assert rows[["L0", "explained variance", "loss recovered", "dead"]].notna().all(axis=None)


def test_what_the_chapter_says_of_scaling_holds_for_every_seed() -> None:
    """Unscaled, L0 rises with every layer to several times the first; scaled, it stays near it."""
    rows = gemma.recorded_gemma("scaling")
    for seed in record_gemma.SEEDS:
        of_seed = rows[rows["seed"] == seed].sort_values("layer")
        by_way = {
            way: of_seed[of_seed["activations"] == way]["L0"].to_numpy() for way in ("as they are", "scaled")
        }
        assert (by_way["as they are"][1:] > by_way["as they are"][:-1]).all()
        assert by_way["as they are"][-1] > 3 * by_way["as they are"][0]
        assert by_way["scaled"].max() < 1.4 * by_way["scaled"].min()


def test_what_the_chapter_says_of_widths_holds() -> None:
    """Each doubling gives less than the last; the widest has the most dead; the earlier layer gains more."""
    means = gemma.recorded_gemma("widths").groupby(["layer", "d_sae"]).mean()
    gains = {}
    for layer in record_gemma.WIDTH_LAYERS:
        explained = means.loc[layer]["explained variance"].to_numpy()
        steps = explained[1:] - explained[:-1]
        assert (steps > 0).all()
        assert (steps[1:] < steps[:-1] + 0.001).all()
        assert means.loc[layer]["dead"].idxmax() == max(record_gemma.WIDTHS)
        gains[layer] = explained[-1] - explained[0]
    assert gains[1] > gains[3]


def test_a_piece_of_a_recorded_training_is_made_again(
    tmp_path: Path, stop_after: Callable[[int], None]
) -> None:
    """The first steps of one SAE; another processor may round differently."""
    stop_after(record_gemma.PIECE)
    cfg = record_gemma.config("widths", "batchtopk", 3, 0)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, folder=tmp_path / "a", check=False, show=False)
    found = Run.load(tmp_path / "a").metrics["metrics/explained_variance"].loc[record_gemma.PIECE - 1]
    provenance = recorded_file.read(gemma.FILE)["provenance"]
    wanted = provenance[f"explained variance after {record_gemma.PIECE} steps"]["0"]
    assert found == pytest.approx(wanted, abs=0.01)


def test_settings_that_there_are_not_are_told() -> None:
    with pytest.raises(CourseError, match="no setting 'tokens': it has model, preset"):
        gemma.gemma_config(tokens=3)
    assert "live_tokens" in str(gemma.gemma_config())


def test_the_full_run_is_the_preset_on_a_gpu_wherever_this_is() -> None:
    cfg = gemma.full_run(architecture="jumprelu", layer=20)
    assert (cfg.device, cfg.llm_device, cfg.act_store_device, cfg.sae.device) == ("cuda",) * 4
    assert cfg.hook_name == "blocks.20.hook_resid_post"
    assert cfg.sae.architecture() == "jumprelu"
    assert cfg.training_tokens == preset("gemma", "full", "today").training_tokens


def test_the_finished_sae_at_mini_scale_is_the_shipped_one() -> None:
    sae = gemma.finished_sae("mini", device="cpu")
    assert sae.cfg.d_sae == preset("gemma", "mini").sae.d_sae


def test_a_model_in_bfloat16_trains_an_sae_in_float32(tmp_path: Path) -> None:
    cfg = preset("gemma", "mini", "today")
    cfg = change(
        cfg,
        training_tokens=4 * cfg.train_batch_size_tokens,
        n_batches_in_buffer=16,
        store_batch_size_prompts=4,
        n_batches_for_norm_estimate=1,
        n_eval_batches=1,
        model_from_pretrained_kwargs={"dtype": "bfloat16"},
        device="cpu",
    )
    run = train(cfg, folder=tmp_path / "a", check=False, show=False)
    assert str(run.sae("cpu").W_dec.dtype) == "torch.float32"
    # Eight bits of precision: near the float32 model's activations, and not equal to them.
    exact = train(
        change(cfg, model_from_pretrained_kwargs={}), folder=tmp_path / "b", check=False, show=False
    )
    half, whole = (one.final["reconstruction_quality.explained_variance"] for one in (run, exact))
    assert half == pytest.approx(whole, abs=0.02)
    assert half != whole


def test_a_dtype_that_no_model_has_is_refused() -> None:
    from sae_course.models import load_model  # noqa: PLC0415

    with pytest.raises(CourseError, match="float32, bfloat16 or float16, not 'int8'"):
        load_model("gemma-2-2b", "mini", dtype="int8")
