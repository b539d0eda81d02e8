"""Sparse codes over a fixed dictionary, beside scikit-learn's."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sae_course import CourseError
from sae_course.training.toys.coding import fista, fista_at_l0, omp


def stream(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture
def crowd() -> tuple[Tensor, Tensor]:
    """Two dictionaries of 40 vectors of several lengths in 16 dimensions, and 50 samples at random."""
    lengths = 0.5 + torch.rand(2, 40, 1, generator=stream(4))
    vectors = normalize(torch.randn(2, 40, 16, generator=stream(3)), dim=-1)
    return lengths * vectors, torch.randn(2, 50, 16, generator=stream(5))


@pytest.fixture
def orthogonal() -> tuple[Tensor, Tensor]:
    """Two dictionaries of 8 orthogonal vectors in 16 dimensions, and 500 samples of .8 of them on average."""
    dictionary = torch.linalg.qr(torch.randn(2, 16, 8, generator=stream(0))).Q.mT
    present = torch.rand(2, 500, 8, generator=stream(1)) < 0.1
    return dictionary, present * (1 + 0.15 * torch.randn(2, 500, 8, generator=stream(2))) @ dictionary


@pytest.mark.parametrize("k", [1, 3, 8])
def test_omp_is_scikit_learns(crowd: tuple[Tensor, Tensor], k: int) -> None:
    from sklearn.linear_model import orthogonal_mp  # noqa: PLC0415 - a second

    dictionary, samples = crowd
    latents = omp(dictionary, samples, k)
    assert ((latents != 0).sum(-1) == k).all()
    for i in range(2):
        length = dictionary[i].norm(dim=-1)
        unit = (dictionary[i] / length[:, None]).double().numpy()
        expected = orthogonal_mp(unit.T, samples[i].double().numpy().T, n_nonzero_coefs=k)
        assert np.allclose((latents[i] * length).numpy(), expected.T, atol=1e-5)


def test_omp_stops_where_nothing_is_left(crowd: tuple[Tensor, Tensor]) -> None:
    dictionary, _ = crowd
    dictionary[:, 5] = 0  # a dead latent's
    dictionary[:, 7] = 2 * dictionary[:, 6]
    samples = torch.stack([torch.zeros(2, 16), 3 * dictionary[:, 6], -dictionary[:, 0]], 1)
    latents = omp(dictionary, samples, 4)
    assert (latents != 0).sum(-1).tolist() == [[0, 1, 1]] * 2
    assert torch.allclose(latents @ dictionary, samples, atol=1e-5)
    # the vector that is taken is also the first of those that would add nothing
    assert torch.equal(omp(torch.eye(3)[None], torch.eye(3)[None, :1], 2), torch.eye(3)[None, :1])


@pytest.mark.parametrize("l1", [0.0, 0.2, 2.0])
def test_fista_is_the_lassos_optimum(crowd: tuple[Tensor, Tensor], l1: float) -> None:
    from sklearn.linear_model import Lasso, LinearRegression  # noqa: PLC0415 - a second

    dictionary, samples = (tensor.double() for tensor in crowd)
    dictionary = dictionary if l1 else dictionary[:, :12]  # without a penalty, more than 16 are not unique
    length = dictionary.norm(dim=-1)
    latents = fista(dictionary, samples, l1, steps=3000)
    for i in range(2):
        unit = (dictionary[i] / length[i, :, None]).T.numpy()
        model: Any = LinearRegression(positive=True, fit_intercept=False)
        if l1:  # scikit-learn's is |y - Xw|² / (2 d_in) + alpha |w|
            model = Lasso(l1 / (2 * 16), positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
        expected = model.fit(unit, samples[i].T.numpy()).coef_
        assert np.allclose((latents[i] * length[i]).numpy(), expected, atol=1e-4)
    assert (latents >= 0).all()


def test_fista_takes_a_penalty_for_each_instance_and_any_start(crowd: tuple[Tensor, Tensor]) -> None:
    dictionary, samples = crowd
    together = fista(dictionary, samples, torch.tensor([0.3, 1.5]))
    for i, l1 in enumerate((0.3, 1.5)):
        alone = fista(dictionary[i : i + 1], samples[i : i + 1], l1)
        assert torch.allclose(alone[0], together[i], atol=1e-5)
    begun = fista(dictionary, samples, torch.tensor([0.3, 1.5]), start=torch.ones(2, 50, 40))
    assert torch.allclose(begun, together, atol=1e-3)
    stays = fista(dictionary, samples, torch.tensor([0.3, 1.5]), steps=1, start=together)
    assert torch.allclose(stays, together, atol=1e-5)


def test_fista_works_on_more_samples_than_one_chunk(crowd: tuple[Tensor, Tensor]) -> None:
    dictionary, samples = crowd
    many = samples.repeat(1, 13, 1)
    latents = fista(dictionary, many, 1.0).view(2, 13, 50, 40)
    assert torch.allclose(latents, fista(dictionary, samples, 1.0)[:, None].expand_as(latents), atol=1e-4)


def test_fista_meets_an_l0(orthogonal: tuple[Tensor, Tensor]) -> None:
    dictionary, samples = orthogonal
    scale = torch.tensor([1.0, 5.0])[:, None, None]  # which the second instance's penalty has to follow
    latents, l1 = fista_at_l0(dictionary, samples * scale, 0.5)
    l0 = (latents > 0).sum(-1).float().mean(-1)
    assert ((l0 - 0.5).abs() <= 0.01).all()
    assert 3 < l1[1] / l1[0] < 7
    assert torch.allclose(latents, fista(dictionary, samples * scale, l1), atol=1e-3)


def test_codes_that_cannot_be(orthogonal: tuple[Tensor, Tensor]) -> None:
    dictionary, samples = orthogonal
    with pytest.raises(CourseError, match="at least 0: -1"):
        fista(dictionary, samples, -1.0)
    with pytest.raises(CourseError, match="No penalty gives a mean L0 within 2% of k = 6"):
        fista_at_l0(dictionary, samples, 6)
    for code in (omp, fista, fista_at_l0):
        with pytest.raises(CourseError, match=r"\[2, 8, 16\] and \[500, 16\]"):
            code(dictionary, samples[0], 2)
