"""Toy worlds keep the law that they state, and correlate their features as SAELens' generator does."""

import math
from typing import Any

import pytest
import torch
from sae_lens.synthetic import ActivationGenerator
from torch import Tensor
from torch.testing import assert_close

from sae_course import CourseError
from sae_course.data.toy_worlds import KNOWN, MAGNITUDE, crowded_world, family_world
from sae_course.data.toys import ToyWorld, orthogonal_directions, random_directions

SIGMAS = 4.5  # every draw is seeded: what passes once passes always


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def world(probability: list[float], n_inst: int = 1, d_in: int = 8, **law: Any) -> ToyWorld:
    return ToyWorld(
        directions=random_directions(n_inst, len(probability), d_in, rng(99)),
        probability=torch.tensor(probability),
        magnitude=law.pop("magnitude", torch.tensor([(1.0, 0.1)] * len(probability))),
        **law,
    )


def assert_rates(found: Tensor, expected: Tensor, n: float | Tensor) -> None:
    """Shares of n draws are the expected ones, as far as n draws can tell."""
    error = (expected * (1 - expected) / n).sqrt().clamp(min=1e-9)
    off = ((found - expected) / error).abs().max()
    assert off < SIGMAS, f"{off:.1f} standard errors: {found} for {expected}"


def together(one: Tensor, other: Tensor) -> Tensor:
    """[some, other's]: how often each of the one is present with each of the other."""
    return one.double().T @ other.double() / len(one)


# Three generations: two roots; children of root 0; grandchildren of its second child. The last siblings'
# probabilities sum to 1: one of them is always there.
LAW = [0.5, 0.3, 0.4, 0.3, 0.2, 0.5, 0.3, 0.2]
PARENT = (-1, -1, 0, 0, 0, 3, 3, 3)
PRESENCE = [0.5, 0.3, 0.2, 0.15, 0.1, 0.075, 0.045, 0.03]


@pytest.mark.parametrize("exclusive", [False, True])
def test_presence_and_l0(exclusive: bool) -> None:
    family = world(LAW, n_inst=3, parent=PARENT, exclusive=exclusive)
    assert family.presence.tolist() == pytest.approx(PRESENCE)
    assert family.l0 == pytest.approx(sum(PRESENCE))
    present = family.sample(40_000, rng()).features > 0
    for each in present:
        assert_rates(each.double().mean(0), torch.tensor(PRESENCE), 40_000)
    counts = present.sum(-1).double()
    error = counts.std() / math.sqrt(counts.numel())
    assert abs(counts.mean() - family.l0) < SIGMAS * error


def test_features_without_parents_are_independent_within_and_between_worlds() -> None:
    rates = [0.5, 0.2, 0.05]
    plain = world(rates, n_inst=2)
    assert plain.presence.tolist() == pytest.approx(rates)
    n = 60_000
    present = plain.sample(n, rng()).features > 0
    rate = torch.tensor(rates * 2)
    both = together(present.transpose(0, 1).flatten(1), present.transpose(0, 1).flatten(1))
    off_diagonal = ~torch.eye(6, dtype=torch.bool)
    assert_rates(both[off_diagonal], torch.outer(rate, rate)[off_diagonal], n)


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_child_is_there_only_with_its_parent(exclusive: bool) -> None:
    present = world(LAW, parent=PARENT, exclusive=exclusive).sample(40_000, rng()).features[0] > 0
    for child, parent in enumerate(PARENT):
        if parent >= 0:
            with_parent = present[present[:, parent], child]
            assert not present[~present[:, parent], child].any()
            assert_rates(with_parent.double().mean(), torch.tensor(LAW[child]), len(with_parent))
    # Siblings: never two of them, or as often as chance has it.
    for parent, siblings in ((0, [2, 3, 4]), (3, [5, 6, 7])):
        given = present[present[:, parent]][:, siblings]
        if exclusive:
            assert int(given.sum(-1).max()) == 1
        else:
            p = torch.tensor([LAW[child] for child in siblings])
            pairs = torch.triu_indices(3, 3, offset=1)
            both = together(given, given)
            assert_rates(both[*pairs], torch.outer(p, p)[*pairs], len(given))
    if exclusive:  # .5 + .3 + .2 = 1
        assert present[present[:, 3]][:, 5:].any(-1).float().mean() > 0.999
    # The roots have nothing to exclude each other for, and the other root's children don't heed this one.
    assert_rates(together(present[:, :1], present[:, 1:2]), torch.tensor([[0.15]]), len(present))
    assert_rates(together(present[:, 1:2], present[:, 2:3]), torch.tensor([[0.06]]), len(present))


def test_siblings_of_different_parents_go_together() -> None:
    law, parent = [1.0, 1.0, 0.5, 0.5, 0.5, 0.5], (-1, -1, 0, 0, 1, 1)
    present = world(law, parent=parent, exclusive=True).sample(20_000, rng()).features[0] > 0
    assert not (present[:, 2] & present[:, 3]).any()
    assert_rates(together(present[:, 2:4], present[:, 4:6]), torch.full((2, 2), 0.25), len(present))


def test_normal_magnitudes_are_cut_off_at_0() -> None:
    magnitude = torch.tensor([(1.0, 0.15), (3.0, 0.5), (0.2, 1.0)])
    features = world([1.0, 1.0, 1.0], magnitude=magnitude).sample(100_000, rng()).features[0].double()
    assert features.min() == 0
    assert features.mean(0)[:2].tolist() == pytest.approx([1, 3], abs=0.01)
    assert features.std(0)[:2].tolist() == pytest.approx([0.15, 0.5], rel=0.02)
    # E max(0, x) = m Phi(m/s) + s phi(m/s)
    expected = 0.2 * 0.5 * (1 + math.erf(0.2 / math.sqrt(2))) + math.exp(-0.02) / math.sqrt(2 * math.pi)
    assert features.mean(0)[2].item() == pytest.approx(expected, rel=0.02)


def test_uniform_magnitudes() -> None:
    magnitude = torch.tensor([(1.0, 0.1), (4.0, 0.1)])
    features = world([1.0, 0.5], magnitude=magnitude, uniform=True).sample(100_000, rng()).features[0]
    for column, mean in zip(features.T, (1, 4), strict=True):
        size = column[column > 0]
        assert size.max() <= 2 * mean
        assert size.mean().item() == pytest.approx(mean, rel=0.02)
        assert size.std().item() == pytest.approx(2 * mean / math.sqrt(12), rel=0.02)
    assert_rates((features > 0).double().mean(0), torch.tensor([1.0, 0.5]), 100_000)


CORRELATION = torch.tensor([[1, 0.8, -0.4, 0], [0.8, 1, 0, 0], [-0.4, 0, 1, 0.5], [0, 0, 0.5, 1]])


def test_correlated_features_fire_together_as_in_saelens() -> None:
    rates, n = [0.5, 0.3, 0.2, 0.05], 100_000
    correlated = world([*rates, 0.4], n_inst=2, correlation=CORRELATION)
    first, second = correlated.sample(n, rng()).features > 0
    with torch.random.fork_rng():
        torch.manual_seed(1)
        generator = ActivationGenerator(4, torch.tensor(rates), 0.1, correlation_matrix=CORRELATION)
        theirs = generator.sample(n) > 0
    expected = together(theirs, theirs)
    for mine in (first, second):
        assert_rates(mine.double().mean(0), torch.tensor([*rates, 0.4]), n)
        assert_rates(together(mine[:, :4], mine[:, :4]), expected, n / 2)  # both sides have an error
        # The feature beyond the matrix is independent of the others.
        rate = torch.tensor(rates)
        assert_rates(together(mine[:, :4], mine[:, 4:]), 0.4 * rate[:, None], n)
    # And every world draws its own.
    assert_rates(together(first[:, :4], second[:, :4]), torch.outer(rate, rate), n)


def test_two_halves_fire_together_as_often_as_the_arcsine_says() -> None:
    correlation = torch.tensor([[1, 0.6], [0.6, 1]])
    present = world([0.5, 0.5], correlation=correlation).sample(100_000, rng()).features[0] > 0
    expected = 1 / 4 + math.asin(0.6) / (2 * math.pi)
    assert_rates(together(present[:, :1], present[:, 1:]), torch.tensor([[expected]]), 100_000)


def test_activations_are_sums_of_directions() -> None:
    sample = world(LAW, n_inst=2, parent=PARENT, exclusive=True).sample(50, rng())
    directions = world(LAW, n_inst=2).directions
    assert sample.features.shape == (2, 50, 8)
    for i in range(2):
        for b in range(50):
            expected = torch.zeros(8)
            for k, size in enumerate(sample.features[i, b]):
                expected += size * directions[i, k]
            assert_close(sample.activations[i, b], expected)


def test_the_generator_decides_and_nothing_else() -> None:
    family = family_world(2, rng(5))
    first, again, other = (family.sample(20, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.activations, again.activations)
    assert torch.equal(first.features, again.features)
    assert not torch.equal(first.features, other.features)
    assert not torch.equal(first.features[0], first.features[1])
    assert torch.equal(family.directions, family_world(2, rng(5)).directions)
    generator = rng(1)
    assert not torch.equal(family.sample(20, generator).features, family.sample(20, generator).features)
    before = torch.random.get_rng_state()
    family.sample(20, rng(1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_some_of_the_worlds() -> None:
    four = world(LAW, n_inst=4, parent=PARENT, exclusive=True)
    some = four.of([3, 1, 1])
    assert (some.n_inst, some.n_features, some.d_in) == (3, 8, 8)
    assert torch.equal(some.directions, four.directions[[3, 1, 1]])
    assert (some.parent, some.exclusive, some.l0) == (four.parent, True, four.l0)


@pytest.mark.parametrize("make", [random_directions, orthogonal_directions])
def test_directions_are_unit_vectors_that_prefer_none(make: Any) -> None:
    directions = make(3000, 3, 4, rng())
    assert directions.shape == (3000, 3, 4)
    assert_close(directions.norm(dim=-1), torch.ones(3000, 3))
    # Uniform on the sphere: mean 0, second moments 1/4.
    assert directions.mean(0).abs().max() < SIGMAS * math.sqrt(1 / 4 / 3000)
    second = torch.einsum("nfi,nfj->fij", directions, directions) / 3000
    assert (second - torch.eye(4) / 4).abs().max() < 0.02


@pytest.mark.parametrize("n_features", [1, 5, 7])
def test_orthogonal_directions(n_features: int) -> None:
    directions = orthogonal_directions(4, n_features, 7, rng())
    products = directions @ directions.transpose(1, 2)
    assert_close(products, torch.eye(n_features).expand(4, -1, -1), atol=1e-5, rtol=0)
    assert directions.is_contiguous()


def test_more_features_than_dimensions_cannot_be_orthogonal() -> None:
    with pytest.raises(CourseError, match="8 features can't be orthogonal in 7 dimensions"):
        orthogonal_directions(1, 8, 7, rng())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parent": (-1, 0)}, "parent has 2 entries for 3 features"),
        ({"magnitude": torch.ones(4, 2)}, "magnitude has 4 entries for 3 features"),
        ({"probability": torch.ones(2)}, "probability has 2 entries for 3 features"),
        ({"parent": (-1, 1, 0)}, "stand before it"),
        ({"parent": (1, -1, 0)}, "stand before it"),
        ({"parent": (-1, -2, 0)}, "stand before it"),
        ({"parent": (-1, 0, 0), "exclusive": True}, "sum to 1.1"),
    ],
)
def test_worlds_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    law = {"probability": torch.tensor([0.1, 0.5, 0.6]), "magnitude": torch.ones(3, 2)} | changes
    with pytest.raises(CourseError, match=message):
        ToyWorld(directions=random_directions(1, 3, 4, rng()), **law)


def test_crowded_world() -> None:
    crowded = crowded_world(3, rng(), n_features=20, d_in=10, probability=0.1)
    assert (crowded.n_inst, crowded.n_features, crowded.d_in) == (3, 20, 10)
    assert crowded.l0 == pytest.approx(2)
    assert crowded.parent is crowded.correlation is None
    present = crowded.sample(20_000, rng()).features[0] > 0
    assert_rates(present.double().mean(0), torch.full((20,), 0.1), 20_000)
    as_it_comes = crowded_world(1, rng())
    assert (as_it_comes.n_features, as_it_comes.d_in, as_it_comes.l0) == (64, 32, pytest.approx(1.92))


def test_family_world_is_what_its_docstring_says() -> None:
    family = family_world(2, rng())
    assert (family.n_inst, family.n_features, family.d_in, KNOWN) == (2, 256, 128, 64)
    assert family.parent is not None
    generation = [0] * 256
    for child, parent in enumerate(family.parent):
        generation[child] = 0 if parent < 0 else generation[parent] + 1
    assert generation == [0] * 16 + [1] * 48 + [2] * 192
    children = [family.parent.count(parent) for parent in range(256)]
    assert children == [3] * 16 + [4] * 48 + [0] * 192
    roots = family.probability[:16]
    assert roots[[0, 15]].tolist() == pytest.approx([0.3, 0.05], abs=1e-3)
    ratio = roots[1:] / roots[:-1]
    assert_close(ratio, torch.full((15,), (0.05 / 0.3) ** (1 / 15)), atol=1e-3, rtol=0)
    assert (family.probability[16:64] == 0.3).all()
    assert (family.probability[64:] == 0.2).all()
    assert (family.magnitude == torch.tensor(MAGNITUDE)).all()
    assert family.exclusive
    assert family.correlation is not None
    assert family.correlation.shape == (16, 16)
    for i in range(16):
        for j in range(16):
            near = i // 4 == j // 4
            assert family.correlation[i, j].item() == pytest.approx(1 if i == j else 0.4 if near else 0)
    # A root brings .9 children, and each of them .8 grandchildren.
    assert family.l0 == pytest.approx(roots.sum().item() * (1 + 0.9 * (1 + 0.8)))


def test_family_world_keeps_its_law() -> None:
    family = family_world(2, rng())
    present = family.sample(10_000, rng(1)).features > 0
    assert_rates(present.double().mean((0, 1)), family.presence, 20_000)
    counts = present.sum(-1).double()
    assert abs(counts.mean() - family.l0) < SIGMAS * counts.std() / math.sqrt(counts.numel())
    parent = torch.tensor(family.parent)
    assert (present[..., 16:] <= present[..., parent[16:]]).all()
    for eldest, n, siblings in ((16, 16, 3), (64, 48, 4)):
        flock = present[..., eldest : eldest + n * siblings].unflatten(-1, (n, siblings))
        assert int(flock.sum(-1).max()) == 1
    # Neighbours come together more often than chance has it, others don't.
    roots = present[..., :16].flatten(0, 1)
    both, chance = together(roots, roots), torch.outer(family.presence[:16], family.presence[:16])
    assert all(both[i, j] > 1.3 * chance[i, j] for i in range(16) for j in range(i) if i // 4 == j // 4)
    far = [(i, j) for i in range(16) for j in range(i) if i // 4 != j // 4]
    assert_rates(
        torch.stack([both[pair] for pair in far]), torch.stack([chance[pair] for pair in far]), 20_000
    )
