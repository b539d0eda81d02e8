"""Probes against SciPy's optimum of the same loss, and principal components against NumPy's SVD."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals import auroc, linear_probes, pca_directions, random_directions
from sae_course.models import truth
from sae_course.runtime import CourseError


def optimum(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """By L-BFGS-B in float64, one feature alone, inputs standardised; given back in the inputs' own scale."""
    mean, deviation = x.mean(0), x.std(0, ddof=1)
    z = (x - mean) / deviation

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        logits = z @ v[:-1] + v[-1]
        value = np.logaddexp(0, logits).sum() - logits @ y + penalty / 2 * v[:-1] @ v[:-1]
        rest = 1 / (1 + np.exp(-logits)) - y
        return value, np.append(z.T @ rest + penalty * v[:-1], rest.sum())

    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-14, "gtol": 1e-6}
    best = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options=options).x
    w = best[:-1] / deviation
    return w, best[-1] - mean @ w


@pytest.fixture(scope="module")
def labels(tokens: Tensor) -> Labels:
    return truth("tiny-stories-1L-21M", tokens, "mini")


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_against_scipy(activations: Tensor, labels: Labels, penalty: float) -> None:
    probes = linear_probes(activations, labels, penalty=penalty)
    assert len(probes.features) > 8
    train, test = (activations[i::2].reshape(-1, 128).double().numpy() for i in (0, 1))
    for at in range(0, len(probes.features), 4):
        name = probes.features[at]
        y = labels[name][::2].reshape(-1)
        w, bias = optimum(train, y, penalty)
        true = torch.from_numpy(labels[name][1::2].reshape(-1, 1))
        area = float(auroc(torch.from_numpy(test @ w)[:, None], true))
        assert probes.auroc_of(name) == pytest.approx(area, abs=0.003), name
        ours = train @ probes.directions[at].double().numpy() + float(probes.biases[at])
        assert np.corrcoef(ours, train @ w + bias)[0, 1] > 0.999
        assert abs(ours - (train @ w + bias)).max() < 0.3


def test_a_rare_feature_converges_too() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(60, 100, 20, generator=g) @ torch.randn(20, 20, generator=g)  # axes of unlike size
    logits = x @ torch.randn(20, 2, generator=g) / 2 + torch.tensor([-18.0, 0])
    values = torch.rand(logits.shape, generator=g) < logits.sigmoid()
    labels = Labels(("rare", "common"), values.numpy())
    probes = linear_probes(x, labels, steps=16)  # without the division, 6 % off
    assert probes.features == labels.names
    assert labels.base_rates()["rare"] < 0.06
    train = x[::2].reshape(-1, 20).double().numpy()
    for at in range(2):
        w, _ = optimum(train, values[::2, :, at].reshape(-1).numpy(), 1.0)
        ours = probes.directions[at].double().numpy()
        assert np.linalg.norm(ours - w) < 0.02 * np.linalg.norm(w)


def test_it_is_trained_on_one_half_and_measured_on_the_other() -> None:
    g = torch.Generator().manual_seed(3)
    x = torch.randn(20, 10, 60, generator=g)
    values = torch.rand(20, 10, 1, generator=g) < 0.5
    probes = linear_probes(x, Labels(("chance",), values.numpy()))
    seen = auroc(x[::2].reshape(-1, 60) @ probes.directions.T, values[::2].reshape(-1, 1))
    assert float(seen) > 0.9
    assert abs(probes.auroc_of("chance") - 0.5) < 0.2
    assert float(probes.scores.f1) < 0.8
    assert (probes.n_trained, probes.n_tokens) == (100, 100)


def test_an_axis_without_variance_and_one_twice(activations: Tensor, labels: Labels) -> None:
    plain = linear_probes(activations, labels)
    more = torch.cat([activations, torch.ones_like(activations[..., :2]), activations[..., :1]], dim=-1)
    found = linear_probes(more, labels)
    assert found.directions.isfinite().all()
    assert float((found.auroc - plain.auroc).abs().max()) < 0.02


def test_a_seed_draws_the_tokens(activations: Tensor, labels: Labels) -> None:
    found = [linear_probes(activations, labels, seed=seed, most=100, steps=20) for seed in (0, 0, 1)]
    assert found[0].n_trained == 100
    assert torch.equal(found[0].directions, found[1].directions)
    assert not torch.equal(found[0].directions, found[2].directions)


def test_it_shows_itself(activations: Tensor, labels: Labels) -> None:
    with torch.no_grad():  # as a caller may have it
        probes = linear_probes(activations, labels, steps=10)
    assert f"linear probes of {len(probes.features)} features" in str(probes)
    assert list(probes.table.columns) == ["AUROC", "F1", "precision", "recall"]
    assert "median AUROC" in probes._repr_html_()
    assert len(probes.as_dict()["auroc"]) == len(probes.features)
    assert np.isnan(probes.auroc_of("no such feature"))


def test_errors(activations: Tensor, labels: Labels) -> None:
    with pytest.raises(CourseError, match="same tokens"):
        linear_probes(activations[:, 1:], labels)
    broken = activations.clone()
    broken[3, 4, 5] = torch.nan
    with pytest.raises(CourseError, match="NaN or infinite"):
        linear_probes(broken, labels)


def test_principal_components(activations: Tensor) -> None:
    found: Any = pca_directions(activations, 5)
    assert found.shape == (*activations.shape[:2], 5)
    x = activations.reshape(-1, 128).double().numpy()
    _, _, axes = np.linalg.svd(x - x.mean(0), full_matrices=False)
    expected = (x - x.mean(0)) @ axes[:5].T
    flat = found.reshape(-1, 5).double().numpy()
    for i in range(5):
        sign = np.sign(flat[:, i] @ expected[:, i])
        np.testing.assert_allclose(sign * flat[:, i], expected[:, i], atol=2e-3 * abs(expected[:, i]).max())
    assert list(flat.var(0)) == sorted(flat.var(0), reverse=True)
    with pytest.raises(CourseError, match="128 principal directions"):
        pca_directions(activations, 129)


def test_random_directions_are_lines_through_the_mean_of_which_k_fire(activations: Tensor) -> None:
    found = random_directions(activations, 200, 7, seed=1)
    assert found.shape == (*activations.shape[:2], 200)
    assert (found >= 0).all()
    assert int((found > 0).sum(-1).max()) == 7
    # Where a direction fires it is linear in the activation, with a unit vector and nothing left over.
    x = activations.flatten(0, 1).double()
    centred, values = x - x.mean(0), found.flatten(0, 1).double()
    everything = random_directions(activations, 200, 200, seed=1).flatten(0, 1).double()
    for unit in range(0, 200, 50):
        on = everything[:, unit] > 0
        direction = torch.linalg.lstsq(centred[on], everything[on, unit]).solution
        assert float(direction.norm()) == pytest.approx(1, abs=1e-3)
        along = centred @ direction
        torch.testing.assert_close(everything[:, unit], along.relu(), atol=1e-3, rtol=1e-3)
    # The k largest of them, and these alone.
    torch.testing.assert_close(
        values, torch.where(everything >= everything.topk(7).values[:, -1:], everything, 0)
    )
    assert torch.equal(found, random_directions(activations, 200, 7, seed=1))
    assert not torch.equal(found, random_directions(activations, 200, 7, seed=2))
    with pytest.raises(CourseError, match="1 to 200 can fire at a token; you asked for 0"):
        random_directions(activations, 200, 0)
