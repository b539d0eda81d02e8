"""The gradients that are written out, against autograd through SAELens' own forward pass, in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from batched_cases import ARCHITECTURES, BATCH, D_SAE, batches, configs, new_saes
from sae_lens.saes.sae import TrainStepInput

from sae_course.training.batched import active, gradients


def _sae(architecture: str, **settings: Any) -> Any:
    sae = new_saes(configs(architecture, settings))["run-1"].double()
    sae.dtype = torch.float64
    return sae


def _coefficients(architecture: str) -> dict[str, float]:
    return {"l1": 0.7} if architecture == "standard" else {}


def _compare(sae: Any, x: torch.Tensor, dead: torch.Tensor, coefficients: dict[str, float]) -> None:
    found = gradients.backward(sae, x, dead, coefficients)
    ours = {name: p.grad.clone() for name, p in sae.named_parameters()}
    for p in sae.parameters():
        p.grad = None
    output = sae.training_forward_pass(
        TrainStepInput(x, coefficients, dead, n_training_steps=0, is_logging_step=False)
    )
    output.loss.backward()
    assert {name: value.item() for name, value in found.losses.items()} == pytest.approx(
        {name: value.item() for name, value in output.losses.items()}, rel=1e-10
    )
    for name, p in sae.named_parameters():
        torch.testing.assert_close(
            ours[name], p.grad, rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert torch.equal(found.fired, output.feature_acts.bool().double().sum(0))
    torch.testing.assert_close(found.errors, (output.sae_out - x).square().sum(-1))


@pytest.mark.parametrize("rows", [7, BATCH])
@pytest.mark.parametrize("apply_b_dec", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_autograds(
    architecture: str, apply_b_dec: bool, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gradients.CHUNK, "cpu", rows * D_SAE)
    sae = _sae(architecture, apply_b_dec_to_input=apply_b_dec)
    for x in batches(2):
        _compare(sae, x.double(), torch.zeros(D_SAE, dtype=torch.bool), _coefficients(architecture))


@pytest.mark.parametrize("n_dead", [3, 6, 25, D_SAE])
@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("architecture", ["topk", "batchtopk"])
def test_the_auxiliary_losses_gradients_are_autograds(architecture: str, rescale: bool, n_dead: int) -> None:
    sae = _sae(architecture, rescale_acts_by_decoder_norm=rescale)
    dead = torch.zeros(D_SAE, dtype=torch.bool)
    dead[torch.randperm(D_SAE)[:n_dead]] = True  # some of them fire all the same
    for x in batches(2):
        _compare(sae, x.double(), dead, {})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_latent_without_a_direction_has_saelens_gradient(architecture: str) -> None:
    sae = (
        _sae(architecture, rescale_acts_by_decoder_norm=False)
        if architecture != "standard"
        else _sae("standard")
    )
    sae.W_dec.data[5] = 0
    _compare(sae, batches(2)[1].double(), torch.zeros(D_SAE, dtype=torch.bool), _coefficients(architecture))


def test_batchtopk_reports_the_lowest_score_that_fires() -> None:
    sae = _sae("batchtopk", k=1.5)
    x = batches(2)[1].double()
    output = sae.training_forward_pass(TrainStepInput(x, {}, None, 0, False))
    lowest = output.feature_acts[output.feature_acts > 0].min()
    found = gradients.backward(sae, x, torch.zeros(D_SAE, dtype=torch.bool), {})
    assert found.lowest is not None
    assert found.lowest.item() == pytest.approx(lowest.item(), rel=1e-12)


def test_batchtopk_with_fewer_positive_scores_than_asked() -> None:
    sae = _sae("batchtopk", k=30)
    sae.b_enc.data -= 0.3
    _compare(sae, batches(2)[1].double(), torch.zeros(D_SAE, dtype=torch.bool), {})
    sae.b_enc.data -= 100
    _compare(sae, batches(2)[1].double(), torch.zeros(D_SAE, dtype=torch.bool), {})
    assert (
        gradients.backward(sae, batches(1)[0].double(), torch.zeros(D_SAE, dtype=torch.bool), {}).lowest
        == np.inf
    )


def test_topk_with_fewer_positive_scores_than_k() -> None:
    sae = _sae("topk", k=30)
    sae.b_enc.data -= 0.3
    _compare(sae, batches(2)[1].double(), torch.zeros(D_SAE, dtype=torch.bool), {})


def test_kth_largest_is_the_sorted_rows_kth() -> None:
    values = torch.randn(5, 33)
    for k in (1, 2, 17, 33):
        expected = values.sort(dim=-1, descending=True).values[:, k - 1 : k]
        assert torch.equal(active.kth_largest(values.clone(), k), expected)


@pytest.mark.parametrize("favour", [0.0, 5.0, -5.0])
@pytest.mark.parametrize("k", [0.5, 2.0, 9.0])
def test_batchtopks_threshold_is_exact_whatever_the_sample(k: float, favour: float) -> None:
    scores = torch.randn(50, 10, generator=torch.Generator().manual_seed(1))
    sample = scores[::7].clone() + favour  # unlike the batch: its bound lets too few through, or all
    threshold, lowest = active.batch_threshold(lambda: scores.split(13), sample, k, 50)
    acts = scores.relu()
    chosen = torch.topk(acts.flatten(), int(k * 50)).values
    fires = acts[active.reaching(scores.clone(), threshold).bool()]
    assert torch.equal(fires.sort(descending=True).values, chosen[chosen > 0])
    assert lowest.item() == chosen[chosen > 0].min()


def test_batchtopk_that_asks_for_none() -> None:
    scores = torch.ones(2, 3)
    threshold, lowest = active.batch_threshold(lambda: [scores], scores.clone(), 0.1, 2)
    assert lowest == torch.inf
    assert not active.reaching(scores, threshold).any()


def test_equal_scores_at_the_threshold_all_fire() -> None:
    scores = torch.tensor([[3.0, 2.0, 2.0, 1.0], [0.0, 0.0, -1.0, -2.0]])
    mask = active.topk(2, torch.ones(4))(scores, torch.empty(2, 4), torch.empty(2, 4))
    assert mask.tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]]
