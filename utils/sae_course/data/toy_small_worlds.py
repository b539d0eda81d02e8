"""The toy worlds of chapter 02b: each as small as the question it is for."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from .toy_worlds import MAGNITUDE
from .toys import ToyWorld, orthogonal_directions, random_directions

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float
    from torch import Tensor


def square_world(n_inst: int, probability: float, device: "torch.device | str" = "cpu") -> ToyWorld:
    """Two features along the axes of a plane, uniform between 0 and 1 where they are present.

    Args:
        n_inst: worlds side by side, all with the same directions.
        probability: that a feature is present, independently of the other.
    """
    import torch  # noqa: PLC0415 - a second

    return _uniform(torch.eye(2, device=device).repeat(n_inst, 1, 1), probability)


def pentagon_world(n_inst: int, generator: "torch.Generator", *, probability: float) -> ToyWorld:
    """Five features in a plane, 72 degrees apart, as chapter 01's toy model arranges them.

    Args:
        n_inst: worlds side by side, each turned by an angle of its own.
        generator: for the angles.
        probability: that a feature is present, independently of the others; magnitudes are uniform in 0 to 1.
    """
    import torch  # noqa: PLC0415

    turn = torch.rand(n_inst, 1, generator=generator, device=generator.device)
    angle = 2 * math.pi * (turn + torch.arange(5, device=generator.device) / 5)
    return _uniform(torch.stack([angle.cos(), angle.sin()], dim=-1), probability)


def orthogonal_world(
    n_inst: int, generator: "torch.Generator", *, probability: float, n_features: int = 5
) -> ToyWorld:
    """The pentagon's control: the same features with a dimension for each.

    Args:
        n_inst, generator, probability: as for `pentagon_world`.
    """
    return _uniform(orthogonal_directions(n_inst, n_features, n_features, generator), probability)


def _uniform(directions: "Float[Tensor, 'inst features d_in']", probability: float) -> ToyWorld:
    import torch  # noqa: PLC0415

    n_features, device = directions.shape[1], directions.device
    return ToyWorld(
        directions=directions,
        probability=torch.full((n_features,), probability, device=device),
        magnitude=torch.tensor([(0.5, 0.0)] * n_features, device=device),
        uniform=True,
    )


def offset_world(world: ToyWorld, length: float, generator: "torch.Generator") -> ToyWorld:
    """A world with an offset in a random direction.

    Args:
        length: of the offset, in standard deviations of the activations: the root of their mean squared
            distance from their mean, as measured on a few thousand samples.
        generator: for these samples, and then for the directions.
    """
    h = world.sample(4096, generator).activations
    deviation = (h - h.mean(1, keepdim=True)).pow(2).sum(-1).mean(-1).sqrt()
    direction = random_directions(world.n_inst, 1, world.d_in, generator)[:, 0]
    return replace(world, offset=length * deviation[:, None] * direction)


def correlated_world(
    n_inst: int,
    generator: "torch.Generator",
    *,
    n_features: int = 50,
    most: float = 0.345,
    least: float = 0.05,
    factors: int = 10,
    share: float = 0.6,
) -> ToyWorld:
    """Orthogonal features, a dimension for each, whose presences are correlated.

    Args:
        n_inst: worlds side by side, with directions of their own and the same correlations.
        generator: for both.
        most, least: probability of the first and of the last feature; those between fall in a line.
        factors: random common causes, of which each feature has its own mixture.
        share: of a feature's presence that these explain; the rest is its own.
    """
    import torch  # noqa: PLC0415

    device = generator.device
    directions = orthogonal_directions(n_inst, n_features, n_features, generator)
    mixture = random_directions(1, n_features, factors, generator)[0]
    own = torch.eye(n_features, device=device)
    return ToyWorld(
        directions=directions,
        probability=torch.linspace(most, least, n_features, device=device),
        magnitude=torch.tensor([MAGNITUDE] * n_features, device=device),
        correlation=share * mixture @ mixture.T + (1 - share) * own,
    )


def pair_world(
    n_inst: int,
    generator: "torch.Generator",
    *,
    correlation: float,
    probabilities: tuple[float, float] = (0.4, 0.25),
) -> ToyWorld:
    """Two orthogonal features in a plane whose presences are correlated.

    Args:
        n_inst, generator: as for `pentagon_world`.
        correlation: of the Gaussians behind them, between -1 and 1.
        probabilities: of the two.
    """
    import torch  # noqa: PLC0415

    device = generator.device
    return ToyWorld(
        directions=orthogonal_directions(n_inst, 2, 2, generator),
        probability=torch.tensor(probabilities, device=device),
        magnitude=torch.tensor([MAGNITUDE] * 2, device=device),
        correlation=torch.tensor([[1.0, correlation], [correlation, 1.0]], device=device),
    )


def parent_world(
    n_inst: int,
    generator: "torch.Generator",
    *,
    families: int = 4,
    probability: float = 0.2,
    of_child: float = 0.4,
    deviation: float = 0.05,
    hierarchy: bool = True,
) -> ToyWorld:
    """Families of a parent and a child, all orthogonal: first the parents, then the children in that order.

    Args:
        n_inst, generator: as for `pentagon_world`.
        probability: that a parent is present.
        of_child: that a child is present, where its parent is.
        deviation: of magnitudes, whose mean is 1.
        hierarchy: without it a child is as frequent, and comes and goes regardless of its parent.
    """
    import torch  # noqa: PLC0415

    device = generator.device
    child = of_child if hierarchy else of_child * probability
    return ToyWorld(
        directions=orthogonal_directions(n_inst, 2 * families, 2 * families, generator),
        probability=torch.tensor([probability] * families + [child] * families, device=device),
        magnitude=torch.tensor([(1.0, deviation)] * (2 * families), device=device),
        parent=(-1,) * families + tuple(range(families)) if hierarchy else None,
    )
