"""The worlds of chapter 02b: each has the law that its experiment rests on."""

import math

import pytest
import torch

from sae_course.data.toy_small_worlds import (
    correlated_world,
    offset_world,
    orthogonal_world,
    pair_world,
    parent_world,
    pentagon_world,
    square_world,
)
from sae_course.data.toy_worlds import crowded_world

N = 20_000


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("probability", [1.0, 0.3])
def test_square_features_are_uniform_along_the_axes(probability: float) -> None:
    sample = square_world(2, probability).sample(N, stream(1))
    assert torch.equal(sample.activations, sample.features)
    present = sample.features > 0
    assert present.float().mean((0, 1)) == pytest.approx([probability] * 2, abs=0.02)
    values = sample.features[present].sort().values
    assert values[[len(values) // 4, len(values) // 2, -1]] == pytest.approx([0.25, 0.5, 1.0], abs=0.02)


def test_a_pentagon_has_72_degrees_between_neighbours_and_a_turn_of_its_own() -> None:
    world = pentagon_world(3, stream(2), probability=0.05)
    assert world.directions.norm(dim=-1) == pytest.approx(torch.ones(3, 5).numpy(), abs=1e-6)
    neighbours = (world.directions * world.directions.roll(1, dims=1)).sum(-1)
    assert neighbours == pytest.approx(torch.full((3, 5), math.cos(2 * math.pi / 5)).numpy(), abs=1e-5)
    assert len({round(x, 4) for x in world.directions[:, 0, 0].tolist()}) == 3
    assert world.probability.tolist() == pytest.approx([0.05] * 5)


def test_the_pentagons_control_differs_in_its_directions_only() -> None:
    control, world = (make(2, stream(3), probability=0.1) for make in (orthogonal_world, pentagon_world))
    assert control.directions @ control.directions.mT == pytest.approx(
        torch.eye(5).repeat(2, 1, 1).numpy(), abs=1e-5
    )
    assert torch.equal(control.probability, world.probability)
    assert torch.equal(control.magnitude, world.magnitude)
    assert control.uniform
    assert world.uniform


def test_an_offset_is_so_many_standard_deviations_long_and_changes_nothing_else() -> None:
    world = crowded_world(2, stream(4), n_features=12, d_in=6)
    moved = offset_world(world, 10.0, stream(5))
    plain, sample = world.sample(N, stream(6)), moved.sample(N, stream(6))
    assert moved.offset is not None
    assert torch.equal(plain.features, sample.features)
    assert torch.allclose(sample.activations, plain.activations + moved.offset[:, None], atol=1e-6)
    h = plain.activations
    deviation = (h - h.mean(1, keepdim=True)).pow(2).sum(-1).mean(-1).sqrt()
    assert moved.offset.norm(dim=-1) / deviation == pytest.approx([10.0, 10.0], rel=0.05)
    assert torch.equal(moved.of([1, 1]).offset, moved.offset[[1, 1]])


def test_correlated_features_keep_their_rates() -> None:
    world = correlated_world(2, stream(7))
    assert world.directions @ world.directions.mT == pytest.approx(
        torch.eye(50).repeat(2, 1, 1).numpy(), abs=1e-5
    )
    assert world.l0 == pytest.approx(9.875, abs=1e-3)
    assert world.correlation is not None
    assert world.correlation.diagonal() == pytest.approx([1.0] * 50, abs=1e-5)
    present = (world.sample(N, stream(8)).features > 0).float()
    assert present.mean((0, 1)) == pytest.approx(torch.linspace(0.345, 0.05, 50).numpy(), abs=0.01)
    apart = ~torch.eye(50, dtype=torch.bool)
    pairs = torch.corrcoef(present.flatten(0, 1).T)[apart]
    assert torch.corrcoef(torch.stack([pairs, world.correlation[apart]]))[0, 1] > 0.9
    assert pairs.abs().mean() > 0.05


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.8])
def test_a_pair_is_correlated_as_said(correlation: float) -> None:
    world = pair_world(2, stream(9), correlation=correlation)
    first, second = (world.sample(N, stream(10)).features > 0).flatten(0, 1).T
    assert first.float().mean() == pytest.approx(0.4, abs=0.01)
    assert second.float().mean() == pytest.approx(0.25, abs=0.01)
    excess = (first & second).float().mean() - 0.1
    assert excess == pytest.approx({-0.5: -0.058, 0.0: 0.0, 0.8: 0.115}[correlation], abs=0.01)


def test_without_a_hierarchy_children_are_as_frequent_and_on_their_own() -> None:
    for hierarchy in (True, False):
        present = parent_world(2, stream(11), hierarchy=hierarchy).sample(N, stream(12)).features > 0
        parent, child = present[..., :4], present[..., 4:]
        assert parent.float().mean() == pytest.approx(0.2, abs=0.01)
        assert child.float().mean() == pytest.approx(0.08, abs=0.01)
        alone = (child & ~parent).float().mean()
        assert alone == pytest.approx(0.0 if hierarchy else 0.064, abs=0.01 if not hierarchy else 0)
