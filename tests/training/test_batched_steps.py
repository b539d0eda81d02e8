"""Every step of the batched learner equals SAELens' own trainer's on each SAE by itself."""

from typing import Any

import pytest
import torch
from batched_cases import ARCHITECTURES, STEPS, batches, configs, new_saes, oracles, scalers
from sae_lens.training.activation_scaler import ActivationScaler

from sae_course.training.batched import BatchedLearner

# Both compute in float32 but add in another order; Adam divides by a gradient's size, so the difference of a
# vanishing gradient counts as much as any. Weights are of size 0.1 to 1 and move by up to 0.1 in these steps.
WEIGHTS = {"rtol": 1e-4, "atol": 2e-5}


def _learner(cfgs: dict[str, Any], given: dict[str, ActivationScaler] | None = None) -> BatchedLearner:
    return BatchedLearner(cfgs, new_saes(cfgs), given or scalers(cfgs))


def _assert_same_sae(ours: Any, theirs: Any) -> None:
    mine, other = ours.state_dict(), theirs.state_dict()
    assert mine.keys() == other.keys()
    for name, value in mine.items():
        torch.testing.assert_close(value, other[name], **WEIGHTS, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_steps_equal_saelens_trainer(architecture: str) -> None:
    cfgs = configs(architecture)
    learner, trainers = _learner(cfgs), oracles(cfgs, new_saes(cfgs))
    norms: list[float] = []
    dead = dict.fromkeys(cfgs, 0.0)
    windows = 0
    learner.logging = True
    for batch in batches():
        window = learner.window()
        learner.step(batch)
        logged = learner.log()
        for name, trainer in trainers.items():
            expected = trainer.maybe_reset_sparsity()
            _assert_same_window(window.get(name, {}), expected)
            windows += bool(expected)
            hook = trainer.optimizer.register_step_post_hook(
                lambda optimizer, *_: norms.append(_norm(optimizer))
            )
            output = trainer.step(batch)
            hook.remove()
            trainer.n_training_steps += 1
            entries = trainer.build_train_step_log_dict(output, trainer.n_training_samples)
            assert logged[name] == pytest.approx(entries, rel=2e-4, abs=2e-5)
            dead[name] = max(dead[name], entries["sparsity/dead_features"])
    for name, trainer in trainers.items():
        mine = learner.members[name].trainer
        _assert_same_sae(learner.saes()[name], trainer.sae)
        assert torch.equal(mine.act_freq_scores, trainer.act_freq_scores)
        assert torch.equal(mine.n_forward_passes_since_fired, trainer.n_forward_passes_since_fired)
        assert mine.n_frac_active_samples == trainer.n_frac_active_samples
    # The cases are what they are meant to be: clipping at times, dead latents, full windows.
    assert any(norm > 0.999 for norm in norms)
    assert any(norm < 0.9 for norm in norms)
    assert all(count > 0 for count in dead.values())
    assert windows > 0


def _norm(optimizer: Any) -> float:
    """Of the gradients after clipping."""
    grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
    return torch.cat([grad.flatten() for grad in grads]).norm().item()


def _assert_same_window(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if hasattr(value, "histogram"):
            assert list(ours[name].histogram) == list(value.histogram)
        else:
            assert ours[name] == pytest.approx(value)


@pytest.mark.parametrize("architecture", ["topk", "batchtopk"])
def test_steps_equal_without_rescaling(architecture: str) -> None:
    cfgs = configs(architecture, {"rescale_acts_by_decoder_norm": False, "apply_b_dec_to_input": False})
    learner, trainers = _learner(cfgs), oracles(cfgs, new_saes(cfgs))
    # In these no latent is nearer to the edge of the top k than 6e-6. With seed 0 two are within 3e-8, and
    # which of them fires differs between processors.
    for batch in batches(seed=1):
        learner.step(batch)
        for trainer in trainers.values():
            trainer.step(batch)
    for name, trainer in trainers.items():
        assert trainer.dead_neurons.any() or architecture == "batchtopk"
        _assert_same_sae(learner.saes()[name], trainer.sae)


@pytest.mark.parametrize("mode", ["expected_average_only_in", "covariance_whitening"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_end_is_saelens_end(architecture: str, mode: str) -> None:
    cfgs = configs(architecture, {"normalize_activations": mode})
    scaler = ActivationScaler()
    if mode == "expected_average_only_in":
        scaler.scaling_factor = 1.7
    else:
        scaler.estimate_whitening(12, iter(batches(20, seed=9)), 20)
    given = scalers(cfgs, **vars(scaler))
    learner, trainers = _learner(cfgs, given), oracles(cfgs, new_saes(cfgs), given)
    for batch in batches():
        learner.window()
        learner.step(batch)
    finished = learner.finish()
    for name, trainer in trainers.items():
        trainer.data_provider = iter(batches())
        expected = trainer.fit()
        _assert_same_sae(finished[name], expected)
        assert finished[name].cfg.metadata.l0 == pytest.approx(expected.cfg.metadata.l0)
        assert finished[name].cfg.metadata.num_dead_features == expected.cfg.metadata.num_dead_features
        assert finished[name].cfg.normalize_activations == "none"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_autocast_stays_near_saelens_autocast(architecture: str) -> None:
    cfgs = configs(architecture, autocast=True)
    learner, trainers = _learner(cfgs), oracles(cfgs, new_saes(cfgs))
    losses: dict[str, list[float]] = {name: [] for name in cfgs}
    learner.logging = True
    for batch in batches():
        learner.step(batch)
        for name, entries in learner.log().items():
            losses[name].append(entries["losses/mse_loss"])
    for name, trainer in trainers.items():
        theirs = [trainer.step(batch).losses["mse_loss"].item() for batch in batches()]
        assert losses[name] == pytest.approx(theirs, rel=0.05)
    assert torch.get_float32_matmul_precision() == "highest"


def test_as_many_steps_as_the_configuration_says() -> None:
    learner = _learner(configs("standard"))
    for batch in batches():
        learner.step(batch)
    learner.logging = True
    learner.step(batches()[0])
    assert {entries["details/n_training_samples"] for entries in learner.log().values()} == {64 * (STEPS + 1)}
