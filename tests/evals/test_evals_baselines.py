"""Baselines where the best answer is known, and where a bug would flatter them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals.baselines import neuron_units, pca_units, random_units, true_units
from sae_course.evals.units import Units


def explained(units: Units, rows: Tensor | slice = slice(None)) -> float:
    assert units.reconstruction is not None
    x, out = units.x[rows], units.reconstruction[rows]
    return 1 - float((x - out).square().sum() / (x - x.mean((0, 1))).square().sum())


def stretched(rows: int = 20, seed: int = 0) -> Tensor:
    """Eight directions, of which three carry nearly everything; far from zero."""
    g = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=g)).Q
    sizes = torch.tensor([5.0, 3.0, 2.0, 0.1, 0.1, 0.1, 0.1, 0.1])
    return torch.randn(rows, 30, 8, generator=g) * sizes @ turn + 4.0


FIT = torch.arange(20) % 2 == 0


def test_pca_explains_what_the_largest_variances_hold() -> None:
    x = stretched()
    units = pca_units(x, 3, FIT)
    share = 1 - 5 * 0.01 / (25 + 9 + 4 + 5 * 0.01)
    assert explained(units) == pytest.approx(share, abs=0.001)
    assert units.a.shape[-1] == 6
    assert int((units.a != 0).sum(-1).max()) == 3  # of either sign one is silent
    assert explained(pca_units(x, 8, FIT)) == pytest.approx(1, abs=1e-5)
    assert explained(pca_units(x, 99, FIT)) == pytest.approx(1, abs=1e-5)


def test_pca_is_fitted_on_the_fitting_rows_alone() -> None:
    x = stretched()
    other = x.clone()
    other[~FIT] = torch.randn(10, 30, 8, generator=torch.Generator().manual_seed(1))
    same = pca_units(other, 2, FIT)
    torch.testing.assert_close(same.directions, pca_units(x, 2, FIT).directions)


def test_coordinates_keep_the_largest_and_all_of_them_everything() -> None:
    x = stretched()
    units = neuron_units(x, 2, FIT)
    assert int((units.a != 0).sum(-1).max()) == 2
    off = (x - x[FIT].mean((0, 1))).abs()
    kept = torch.zeros_like(off).scatter_(-1, off.topk(2, dim=-1).indices, 1.0).bool()
    assert torch.equal(units.a != 0, kept)
    assert explained(neuron_units(x, 8, FIT)) == pytest.approx(1, abs=1e-5)


def test_neurons_write_what_the_mlp_writes_and_a_norms_scale_is_found() -> None:
    g = torch.Generator().manual_seed(2)
    neurons, W_out = torch.randn(20, 30, 5, generator=g).relu(), torch.randn(5, 8, generator=g)
    scale = torch.rand(8, generator=g) + 0.5
    x = neurons @ W_out * scale + 1.0
    units = neuron_units(x, 5, FIT, neurons, W_out)
    torch.testing.assert_close(units.directions, W_out * scale)
    assert explained(units) == pytest.approx(1, abs=1e-5)


def test_a_random_dictionary_codes_with_k_and_more_explain_more() -> None:
    x = stretched()
    found = [random_units(x, 64, k, FIT) for k in (1, 3, 8)]
    for k, units in zip((1, 3, 8), found, strict=True):
        assert int((units.a != 0).sum(-1).max()) <= k
        assert float(units.a.min()) >= 0
        torch.testing.assert_close(units.directions.norm(dim=1), torch.ones(64))  # type: ignore[union-attr]
    assert 0 < explained(found[0]) < explained(found[1]) < explained(found[2]) < 1


@pytest.mark.parametrize(("d_sae", "k"), [(8, 8), (16, 16), (512, 256)])
def test_a_dense_code_of_a_random_dictionary_does_not_diverge(d_sae: int, k: int) -> None:
    assert 0 < explained(random_units(stretched(), d_sae, k, FIT)) <= 1


def test_the_random_dictionary_has_a_seed_of_its_own() -> None:
    x = stretched()
    one, again, other = (random_units(x, 16, 2, FIT, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.a, again.a)
    assert not torch.equal(one.a, other.a)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    random_units(x, 16, 2, FIT)
    assert torch.equal(before, torch.get_rng_state())


def test_true_features_explain_what_is_made_of_them_and_no_more() -> None:
    g = torch.Generator().manual_seed(4)
    truth = torch.rand(20, 30, 3, generator=g) < 0.3
    directions = torch.randn(3, 8, generator=g)
    labels = Labels(("a", "b", "c"), truth.numpy())
    x = truth.float() @ directions + 2.0
    units = true_units(x, labels, FIT)
    torch.testing.assert_close(units.directions, directions, atol=0.01, rtol=0.01)
    assert explained(units) == pytest.approx(1, abs=1e-4)
    noise = x.var((0, 1)).sum() ** 0.5 / 8**0.5 * torch.randn(x.shape, generator=g)
    assert explained(true_units(x + noise, labels, FIT)) == pytest.approx(0.5, abs=0.05)


def test_true_features_that_are_sums_of_others_or_never_true_are_no_trouble() -> None:
    g = torch.Generator().manual_seed(5)
    one = torch.rand(20, 30, 1, generator=g) < 0.3
    values = np.concatenate([one.numpy(), one.numpy(), np.zeros_like(one.numpy())], axis=-1)
    x = one.float() @ torch.randn(1, 8, generator=g)
    units = true_units(x, Labels(("a", "a too", "never"), values), FIT)
    assert explained(units) == pytest.approx(1, abs=1e-3)
    assert float(units.directions[2].abs().max()) == 0  # type: ignore[index]
