"""`train`: SAELens' own steps, everything it would log, and the same weights from the same seed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import wandb
from sae_lens.training.activation_scaler import ActivationScaler
from sae_lens.training.sae_trainer import SAETrainer
from safetensors.torch import load_file
from small import BATCH, NAME, small

from sae_course import CourseError
from sae_course.models import load_model, random_twin
from sae_course.runs import Run
from sae_course.training import learners
from sae_course.training import runner as runner_module
from sae_course.training.assemble import new_sae, runner_for
from sae_course.training.buffer import Buffer
from sae_course.training.runner import train, train_many
from sae_course.training.source import find


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    return load_model(NAME, "mini", quiet=True)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "sae" / "sae_weights.safetensors")


def quietly(cfg: Any, folder: Path, model: Any, **more: Any) -> Run:
    return train(cfg, folder=folder, model=model, check=False, show=False, **more)


class Sent:
    """What SAELens sends to W&B."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[tuple[int, dict[str, Any]]] = []
        for name in ("init", "finish", "log_artifact"):
            monkeypatch.setattr(wandb, name, lambda *args, **settings: None)
        monkeypatch.setattr(wandb, "log", lambda what, step: self.lines.append((step, dict(what))))

    def metrics(self) -> dict[tuple[int, str], float]:
        return {
            (step, name): value
            for step, line in self.lines
            for name, value in line.items()
            if isinstance(value, int | float)
        }

    def histograms(self) -> dict[tuple[int, str], Any]:
        return {
            (step, name): value
            for step, line in self.lines
            for name, value in line.items()
            if isinstance(value, wandb.Histogram)
        }


@pytest.mark.parametrize("architecture", ["standard", "batchtopk", "topk", "gated", "jumprelu"])
def test_a_run_is_what_saelens_own_trainer_makes_of_the_same_batches(
    architecture: str, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights, and every metric and histogram that it sends to W&B, at the same steps."""
    monkeypatch.setattr(learners, "_written_out", lambda members: False)
    cfg = small(architecture)
    run = quietly(cfg, tmp_path / "ours", model)

    sent = Sent(monkeypatch)
    runner = runner_for({"a": cfg}, find(cfg, model))
    buffer = Buffer(runner.activations_store, [cfg.hook_name], cfg.seed)
    settings = small(architecture).to_sae_trainer_config()
    settings.logger.log_to_wandb = True
    trainer: Any = SAETrainer(
        cfg=settings, sae=new_sae(cfg), data_provider=(batch[cfg.hook_name] for batch in buffer)
    )
    theirs = trainer.fit()

    theirs.save_inference_model(tmp_path / "theirs")
    wanted = load_file(tmp_path / "theirs" / "sae_weights.safetensors")
    for name, value in weights(tmp_path / "ours").items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-4, atol=1e-5)
    assert len(sent.metrics()) > 100
    for (step, name), value in sent.metrics().items():
        assert run.metrics.loc[step, name] == pytest.approx(value, rel=1e-3, abs=1e-4), (step, name)
    for (step, name), picture in sent.histograms().items():
        found = run.histogram(name)
        place = list(found.steps).index(step)
        assert sum(found.counts[place]) == sum(picture.histogram) or name.startswith("weights")
    assert {"plots/feature_density_line_chart", "weights/W_dec_norms"} <= set(run.histogram_names)


@pytest.mark.parametrize("architecture", ["standard", "batchtopk", "topk"])
def test_gradients_that_are_written_out_make_the_same_run(
    architecture: str, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step by step they are compared elsewhere. Over a run, a near-tie at a threshold that rounding decides
    the other way gives its latent another first gradient, and Adam makes a whole step of it: so the metrics.
    """
    cfg = small(architecture)
    ours = quietly(cfg, tmp_path / "ours", model)
    monkeypatch.setattr(learners, "_written_out", lambda members: False)
    theirs = quietly(cfg, tmp_path / "theirs", model)
    assert ours.metrics.index.equals(theirs.metrics.index)
    assert list(ours.metrics) == list(theirs.metrics)
    for name in ("metrics/explained_variance", "metrics/l0", "losses/mse_loss", "sparsity.l0"):
        assert ours.metrics[name].dropna().to_numpy() == pytest.approx(
            theirs.metrics[name].dropna().to_numpy(), rel=0.02
        )


def test_evaluations_come_when_saelens_would_make_them_and_after_the_end(model: Any, tmp_path: Path) -> None:
    run = quietly(small(), tmp_path / "a", model)
    evaluated = run.metrics["model_performance_preservation.ce_loss_score"].dropna()
    assert list(evaluated.index) == [19, 39, 59, 60]
    without = run.metrics["model_performance_preservation.ce_loss_without_sae"].dropna()
    assert without.nunique() == 1, "every evaluation reads the same rows"
    assert run.final["model_performance_preservation.ce_loss_score"] > 0.3


def test_the_end_is_measured_on_the_sae_as_it_was_saved(model: Any, tmp_path: Path) -> None:
    """A BatchTopK SAE is saved with a threshold; one that has not converged shows in L0."""
    run = quietly(small("batchtopk", topk_threshold_lr=0.001), tmp_path / "a", model)
    l0 = run.metrics["sparsity.l0"].dropna()
    assert l0.loc[59] == pytest.approx(8, abs=0.5)
    assert l0.loc[60] > 12
    assert run.sae().cfg.architecture() == "jumprelu"


def test_the_same_seed_gives_the_same_weights_and_record_and_another_does_not(
    model: Any, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    quietly(small(), tmp_path / "a", model)
    torch.manual_seed(2)
    torch.rand(7)
    quietly(small(), tmp_path / "b", model)
    quietly(small(seed=1), tmp_path / "c", model)
    for file in ("sae/sae_weights.safetensors", "metrics.jsonl", "histograms.jsonl"):
        contents = [(tmp_path / run / file).read_bytes() for run in "abc"]
        assert contents[0] == contents[1] != contents[2], file


def test_training_leaves_the_callers_configuration_and_random_state_alone(model: Any, tmp_path: Path) -> None:
    cfg, before = small(), small()
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    quietly(cfg, tmp_path / "a", model)
    assert torch.equal(torch.rand(1), wanted)
    assert cfg.to_dict() == before.to_dict()


def test_the_finished_sae_attaches_to_the_model(model: Any, tmp_path: Path) -> None:
    sae = quietly(small(), tmp_path / "a", model).sae()
    tokens = torch.randint(4, 1000, (2, 16))
    plain = model(tokens)
    with model.saes(saes=[sae]):
        spliced = model(tokens)
    assert not torch.allclose(plain, spliced)
    assert sae.cfg.metadata.hook_name == "blocks.0.hook_mlp_out"
    assert sae.cfg.metadata.num_dead_features is not None


def test_hook_z_is_trained_saved_and_attached(tmp_path: Path) -> None:
    cfg = small(
        model_name="attn-only-2l-demo",
        dataset_path="sae-course:attn-only-2l-demo",
        hook_name="blocks.1.attn.hook_z",
        reshape_activations="hook_z",
    )
    run = train(cfg, folder=tmp_path / "a", check=False, show=False)
    model = load_model("attn-only-2l-demo", "mini", quiet=True)
    with model.saes(saes=[run.sae()]):
        assert model(torch.randint(4, 1000, (1, 16))).shape == (1, 16, 1096)
    assert run.final["model_performance_preservation.ce_loss_score"] < 1


def test_sequence_positions_are_left_out(tmp_path: Path) -> None:
    cfg = small(
        model_name="othello-gpt",
        dataset_path="sae-course:othello-gpt",
        hook_name="blocks.3.hook_resid_post",
        context_size=59,
        seqpos_slice=(5, -5),
        prepend_bos=False,
    )
    run = train(cfg, folder=tmp_path / "a", check=False, show=False)
    assert run.final["metrics/explained_variance"] > 0.1


def test_a_control_model_takes_the_place_of_the_named_one(model: Any, tmp_path: Path) -> None:
    twin = random_twin(NAME, "mini")
    a, b = quietly(small(), tmp_path / "a", model), quietly(small(), tmp_path / "b", twin)
    assert a.notes["model"] != b.notes["model"]
    key = "model_performance_preservation.ce_loss_without_sae"
    assert b.final[key] > a.final[key] + 3


@pytest.mark.parametrize(
    "setting",
    [
        {"use_cached_activations": True},
        {"prefetch_llm_batches": True},
        {"n_checkpoints": 3},
        {"resume_from_checkpoint": "somewhere"},
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(
    setting: dict[str, Any], model: Any, tmp_path: Path
) -> None:
    with pytest.raises(CourseError, match=next(iter(setting))):
        quietly(small(**setting), tmp_path / "a", model)
    assert not (tmp_path / "a").exists()


def test_what_saelens_refuses_is_one_message(model: Any, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="decay_steps"):
        quietly(small(lr_scheduler_name="cosineannealing", lr_end=0.0), tmp_path / "a", model)
    with pytest.raises(CourseError, match="no SAE that training could go on from"):
        quietly(small(from_pretrained_path=str(tmp_path / "nothing")), tmp_path / "a", model)


def test_many_at_once_are_what_each_is_alone(model: Any, tmp_path: Path) -> None:
    """Two architectures, a second hook point, and a pair that is trained as one batch of parameters."""
    cfgs = {
        "one": small(l1_coefficient=1.0),
        "two": small(l1_coefficient=4.0, lr=2e-3),
        "k": small("topk"),
        "elsewhere": small(hook_name="blocks.0.hook_resid_pre"),
    }
    runs = train_many(cfgs, folder=tmp_path / "many", model=model, check=False, show=False)
    assert list(runs) == list(cfgs)
    plain = {
        name: small(l1_coefficient=value, normalize_activations="none")
        for name, value in (("a", 1.0), ("b", 4.0))
    }
    together = train_many(plain, folder=tmp_path / "plain", model=model, check=False, show=False)
    for name, cfg in plain.items():
        alone = quietly(cfg, tmp_path / f"alone-{name}", model)
        for key, value in weights(tmp_path / f"alone-{name}").items():
            torch.testing.assert_close(weights(tmp_path / "plain" / name)[key], value, rtol=1e-3, atol=1e-5)
        for key, value in alone.final.items():
            assert together[name].final[key] == pytest.approx(value, rel=1e-2, abs=1e-3), key


def test_runs_that_cannot_share_a_stream_are_refused(model: Any, tmp_path: Path) -> None:
    cfgs = {"a": small(), "b": small(context_size=16)}
    with pytest.raises(CourseError, match=r"context_size is 32 in a and 16 in b"):
        train_many(cfgs, folder=tmp_path / "x", model=model, check=False, show=False)
    assert not (tmp_path / "x").exists()


def test_wandb_gets_what_is_recorded(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch)
    begun: list[Any] = []
    monkeypatch.setattr(wandb, "init", lambda **settings: begun.append(SimpleNamespace(**settings)))
    run = quietly(small(steps=20, logger={"log_to_wandb": True}), tmp_path / "a", model)
    assert begun[0].project == "sae_lens_training"
    assert begun[0].config["lr"] == 1e-3
    recorded = {
        (int(step), name): value
        for name, column in run.metrics.items()
        for step, value in column.dropna().items()
    }
    assert sent.metrics() == pytest.approx(recorded)
    assert {name for _, name in sent.histograms()} == set(run.histogram_names)


def test_wandb_that_refuses_is_one_message(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**settings: Any) -> None:
        raise wandb.Error("No API key configured.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(CourseError, match=r"No API key.*WANDB_MODE=offline"):
        quietly(small(steps=10, logger={"log_to_wandb": True}), tmp_path / "a", model)
    assert not (tmp_path / "a").exists()


def test_the_last_batch_may_pass_the_total_as_in_saelens(model: Any, tmp_path: Path) -> None:
    run = quietly(small(training_tokens=10 * BATCH + 1), tmp_path / "a", model)
    assert run.final["details/n_training_samples"] == 11 * BATCH


def test_scalings_agree_with_saelens_own_estimate(model: Any) -> None:
    cfgs = {"a": small(), "b": small("gated"), "c": small(hook_name="blocks.0.hook_resid_pre")}
    runner = runner_for(cfgs, find(cfgs["a"], model))
    _, found_learners = learners.learners_for(cfgs, runner, estimate=True)
    found = {name: scaler for learner in found_learners for name, scaler in learner.scalers().items()}
    store = runner_for(cfgs, find(cfgs["a"], model)).activations_store
    buffer = Buffer(store, ["blocks.0.hook_mlp_out", "blocks.0.hook_resid_pre"], 0)
    batches = [next(buffer) for _ in range(3)]
    for name, cfg in cfgs.items():
        wanted = ActivationScaler()
        wanted.estimate_scaling_factor(128, iter([batch[cfg.hook_name] for batch in batches]), 3)
        assert found[name].scaling_factor == pytest.approx(wanted.scaling_factor)


def begun(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Each SAE's b_dec before its first step, filled in while a training runs."""
    found: dict[str, torch.Tensor] = {}
    groups = learners._groups

    def watched(cfgs: dict[str, Any]) -> list[list[str]]:
        found.update({name: runner.saes[name].b_dec.detach().clone() for name in cfgs})
        return groups(cfgs)

    def kept(cfgs: Any, given: Any) -> Any:
        nonlocal runner
        runner = made(cfgs, given)
        return runner

    runner: Any = None
    made = runner_module.runner_for
    monkeypatch.setattr(runner_module, "runner_for", kept)
    monkeypatch.setattr(learners, "_groups", watched)
    return found


def test_b_dec_begins_at_the_mean_of_what_the_sae_reads(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaled as its inputs are, at each SAE's own hook point; zeros where nothing else is said."""
    hooks = {"a": "blocks.0.hook_mlp_out", "b": "blocks.0.hook_resid_pre"}
    cfgs: dict[str, Any] = {name: small(steps=3, hook_name=hook) for name, hook in hooks.items()}
    cfgs["as it is"] = small(steps=3, normalize_activations="none")
    found = begun(monkeypatch)
    arguments: dict[str, Any] = {"model": model, "check": False, "show": False}
    train_many(cfgs, folder=tmp_path / "mean", b_dec_init_method="mean", **arguments)
    runner = runner_for(cfgs, find(cfgs["a"], model))
    buffer = Buffer(runner.activations_store, list(hooks.values()), cfgs["a"].seed)
    batches = [next(buffer) for _ in range(cfgs["a"].n_batches_for_norm_estimate)]
    for name, cfg in cfgs.items():
        acts = torch.cat([batch[cfg.hook_name] for batch in batches])
        scale = 1.0 if name == "as it is" else cfg.sae.d_in**0.5 / acts.norm(dim=-1).mean()
        torch.testing.assert_close(found[name], acts.mean(0) * scale, rtol=1e-4, atol=1e-5)
    zeros = train_many(cfgs, folder=tmp_path / "zeros", **arguments)
    assert all(not b_dec.any() for b_dec in found.values())
    assert zeros["a"].notes.get("b_dec_init_method") is None


def test_where_b_dec_begins_belongs_to_the_training(model: Any, tmp_path: Path) -> None:
    run = quietly(small(steps=3), tmp_path / "a", model, b_dec_init_method="mean")
    assert run.notes["b_dec_init_method"] == "mean"
    with pytest.raises(CourseError):  # another training than the one in the folder
        quietly(small(steps=3), tmp_path / "a", model)
    with pytest.raises(CourseError, match='"zeros" or "mean", not \'median\''):
        quietly(small(), tmp_path / "b", model, b_dec_init_method="median")


def test_with_an_offset_the_mean_explains_what_zeros_cannot(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Activations ten times as far from 0 as they spread: from zeros, the steps go into the offset."""
    original = Buffer.__next__

    def far_off(self: Buffer) -> dict[str, torch.Tensor]:
        return {hook: acts + 10 * acts.std() for hook, acts in original(self).items()}

    monkeypatch.setattr(Buffer, "__next__", far_off)
    found = {}
    for method in ("zeros", "mean"):
        run = quietly(small(steps=40), tmp_path / method, model, b_dec_init_method=method)
        found[method] = run.metrics["metrics/explained_variance"].dropna().iloc[-1]
    assert found["mean"] > found["zeros"] + 0.1
