"""Sparse codes against scikit-learn's, and dictionaries that no SAE learned, on an easy world."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sae_course import CourseError
from sae_course.data.toys import Sample, ToyWorld, orthogonal_directions
from sae_course.evals.dictionaries import cosines, paired_cosine
from sae_course.training.toys import baselines
from sae_course.training.toys.baselines import BASELINES, Coded, _largest, _some, _update, with_dictionary
from sae_course.training.toys.coding import omp

K = 2
LEARNED = ["ICA", "dictionary learning", "K-SVD"]


def stream(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Dictionary learning, slow and more patient than this world asks for, sees fewer samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "PASSED", 4000)
        yield


@pytest.fixture(scope="module")
def world() -> ToyWorld:
    """Two worlds of 8 orthogonal features in 16 dimensions, 0.8 of them present on average."""
    directions = orthogonal_directions(2, 8, 16, stream(0))
    return ToyWorld(directions, torch.full((8,), 0.1), torch.tensor([(1.0, 0.15)] * 8))


@pytest.fixture(scope="module")
def train(world: ToyWorld) -> Tensor:
    return world.sample(4000, stream(1)).activations


@pytest.fixture(scope="module")
def test(world: ToyWorld) -> Sample:
    return world.sample(500, stream(2))


@pytest.fixture(scope="module")
def coded(train: Tensor, test: Sample) -> dict[str, Coded]:
    """Every baseline, at as many vectors as there are features."""
    return {name: method(train, test.activations, 8, K, 0) for name, method in BASELINES.items()}


# ---------------------------------------------------------------- dictionaries


@pytest.mark.parametrize("name", LEARNED)
def test_learned_dictionaries_are_the_features(
    coded: dict[str, Coded], world: ToyWorld, test: Sample, name: str
) -> None:
    result = coded[name]
    cosine = cosines(result.decoder, world.directions)
    assert (paired_cosine(cosine) > 0.95).all(), paired_cosine(cosine)
    # where a sample has no more features than latents, they are its features
    few = (test.features > 0).sum(-1) <= K
    order = cosine.abs().argmax(1)  # each feature's latent
    for i in range(2):
        contribution = (result.latents[i] * result.decoder[i].norm(dim=-1)).abs()[:, order[i]]
        assert (contribution - test.features[i])[few[i]].abs().mean() < 0.05


@pytest.mark.parametrize("name", ["PCA", "random dictionary, OMP"])
def test_what_does_not_look_for_features_does_not_find_them(
    coded: dict[str, Coded], world: ToyWorld, name: str
) -> None:
    assert (paired_cosine(cosines(coded[name].decoder, world.directions)) < 0.8).all()


@pytest.mark.parametrize("name", BASELINES)
def test_every_sample_has_k_latents(coded: dict[str, Coded], test: Sample, name: str) -> None:
    present = test.activations.norm(dim=-1) > 0
    centred = name in ("PCA", "random dictionary, OMP")
    assert torch.equal((coded[name].latents != 0).sum(-1), K * (present | centred))


@pytest.mark.parametrize("name", BASELINES)
def test_a_reconstruction_is_the_latents_vectors_and_a_constant(
    coded: dict[str, Coded], test: Sample, train: Tensor, name: str
) -> None:
    result = coded[name]
    constant = result.reconstruction - result.latents @ result.decoder
    assert torch.allclose(constant, constant[:, :1], atol=1e-5)
    centred = name in ("PCA", "random dictionary, OMP")
    expected = train.mean(1, keepdim=True) if centred else torch.zeros(())
    assert (constant - expected).abs().max() < (0.02 if name == "ICA" else 1e-5)
    error = (test.activations - result.reconstruction).pow(2).sum((1, 2))
    assert (error < (test.activations - test.activations.mean(1, keepdim=True)).pow(2).sum((1, 2))).all()


@pytest.mark.parametrize("name", ["PCA", "ICA"])
def test_with_all_components_nothing_is_lost(train: Tensor, test: Sample, name: str) -> None:
    """On samples that vary in 8 of 16 dimensions around a mean that has a part in the others."""
    away = torch.linspace(-1, 1, 16)
    result = BASELINES[name](train + away, test.activations + away, 64, 8, 0)
    assert result.decoder.shape == (2, {"PCA": 16, "ICA": 8}[name], 16)
    assert torch.allclose(result.reconstruction, test.activations + away, atol=1e-3)


@pytest.mark.parametrize("name", BASELINES)
def test_a_seed_says_everything(train: Tensor, test: Sample, coded: dict[str, Coded], name: str) -> None:
    np.random.seed(5)
    torch.manual_seed(5)
    again = BASELINES[name](train[:1], test.activations[:1], 8, K, 0)
    for one, other in zip(again, coded[name], strict=True):  # nor does the second world change the first
        assert torch.allclose(one, other[:1], atol=1e-5)
    different = BASELINES[name](train[:1], test.activations[:1], 8, K, 1)
    assert torch.equal(different.decoder, again.decoder) == (name == "PCA")


def test_what_is_largest_is_what_adds_most() -> None:
    latents = torch.tensor([[[3.0, -2.0, 2.5]]])
    decoder = torch.diag(torch.tensor([1.0, 10.0, 1.0]))[None]
    assert torch.equal(_largest(latents, decoder, 1), torch.tensor([[[0.0, -2.0, 0.0]]]))
    assert torch.equal(_largest(latents, decoder, 2), torch.tensor([[[3.0, -2.0, 0.0]]]))


def test_nothing_is_learned_from_samples_of_zeros(train: Tensor, test: Sample, world: ToyWorld) -> None:
    late = torch.cat([torch.zeros(1, 9000, 16), train[:1]], 1)  # more than K-SVD takes
    result = BASELINES["K-SVD"](late, test.activations[:1], 8, K, 0)
    assert paired_cosine(cosines(result.decoder, world.directions[:1])) > 0.95
    assert torch.allclose(_some(late[0, 8990:], 50, stream(9)).norm(dim=-1), torch.ones(50))


def test_instances_draw_different_directions(coded: dict[str, Coded]) -> None:
    one, other = coded["random dictionary, OMP"].decoder
    assert (one - other).abs().max() > 0.1


# ---------------------------------------------------------------- one round of K-SVD


def test_a_round_leaves_less_over_and_its_first_vector_is_the_best() -> None:
    samples = torch.randn(60, 16, generator=stream(6))
    unit = normalize(torch.randn(10, 16, generator=stream(7)), dim=-1)
    latents = omp(unit[None], samples[None], 3)[0]
    users = latents[:, 0] != 0
    missing = (samples - latents[:, 1:] @ unit[1:])[users]
    before = (samples - latents @ unit).pow(2).sum()
    support = latents != 0
    _update(unit, samples, latents)
    assert (samples - latents @ unit).pow(2).sum() < 0.95 * before
    assert torch.equal(latents != 0, support)
    assert torch.allclose(unit.norm(dim=-1), torch.ones(10))
    assert abs(torch.linalg.svd(missing).Vh[0] @ unit[0]) > 0.9999


def test_unused_vectors_become_the_largest_residuals() -> None:
    samples = torch.diag(torch.tensor([1.0, 3.0, 2.0, 4.0]))
    unit = torch.eye(4)[[3, 0, 0, 0]].clone()  # the fourth sample is coded by the first vector
    latents = torch.zeros(4, 4)
    latents[3, 0] = 4
    _update(unit, samples, latents)
    assert torch.equal(unit.abs(), torch.eye(4)[[3, 1, 2, 0]])
    latents[3, 0] = 0
    _update(unit, torch.zeros(4, 4), latents)
    assert torch.equal(unit.norm(dim=-1), torch.ones(4)), "where nothing is left over, an unused one stays"


# ---------------------------------------------------------------- a dictionary that is given


def test_codes_over_the_true_dictionary(world: ToyWorld, test: Sample) -> None:
    parameter = torch.nn.Parameter(world.directions.clone())
    greedy = with_dictionary(parameter, test.activations, 8, "OMP")
    assert torch.allclose(greedy.latents, test.features, atol=1e-5)
    assert not any(tensor.requires_grad for tensor in greedy)
    present = test.activations[:, (test.features > 0).any(-1).all(0)]  # of samples with features, 1.4 each
    convex = with_dictionary(parameter, present, 1, "FISTA")
    assert torch.equal(convex.reconstruction, convex.latents @ world.directions)
    assert (convex.latents >= 0).all()
    assert (((convex.latents > 0).sum(-1).float().mean(-1) - 1).abs() <= 0.02).all()
    assert not any(tensor.requires_grad for tensor in convex)


# ---------------------------------------------------------------- what can't be


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    ("d_sae", "k", "n", "says"),
    [
        (8, 0, 100, "k has to lie"),
        (8, 9, 100, "= 8: 9"),
        (64, 17, 100, "= 16: 17"),
        (32, 2, 20, "d_sae = 32"),
    ],
)
def test_numbers_that_cannot_be(name: str, d_sae: int, k: int, n: int, says: str) -> None:
    samples = torch.randn(1, n, 16, generator=stream(8))
    with pytest.raises(CourseError, match=says):
        BASELINES[name](samples, samples, d_sae, k, 0)


def test_samples_of_zeros_do_not_count(train: Tensor) -> None:
    with pytest.raises(CourseError, match="0 samples other than 0"):
        BASELINES["K-SVD"](torch.zeros_like(train), train, 8, 2, 0)


def test_ica_says_how_many_dimensions_vary(train: Tensor) -> None:
    with pytest.raises(CourseError, match="= 8: 9"):
        BASELINES["ICA"](train, train, 16, 9, 0)


def test_shapes_that_do_not_fit(train: Tensor) -> None:
    for method in BASELINES.values():
        with pytest.raises(CourseError, match=r"\[2, 4000, 16\] and \[1, 4000, 16\]"):
            method(train, train[:1], 8, 2, 0)


def test_another_coder(world: ToyWorld, test: Sample) -> None:
    with pytest.raises(CourseError, match="'LARS'"):
        with_dictionary(world.directions, test.activations, 2, "LARS")
