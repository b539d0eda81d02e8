"""The toy worlds of chapters 02a and 02b, by name."""

from typing import TYPE_CHECKING

from .toys import ToyWorld, random_directions

if TYPE_CHECKING:
    import torch

MAGNITUDE = (1.0, 0.15)
"""Mean and standard deviation of a present feature's magnitude."""


def crowded_world(
    n_inst: int,
    generator: "torch.Generator",
    *,
    n_features: int = 64,
    d_in: int = 32,
    probability: float = 0.03,
) -> ToyWorld:
    """More features than dimensions, all equally rare, independent of each other.

    Args:
        n_inst: worlds side by side, each with directions of its own.
        generator: for the directions.
    """
    import torch  # noqa: PLC0415 - a second

    return ToyWorld(
        directions=random_directions(n_inst, n_features, d_in, generator),
        probability=torch.full((n_features,), probability, device=generator.device),
        magnitude=torch.tensor([(1.0, 0.3)] * n_features, device=generator.device),
    )


ROOTS, CHILDREN, GRANDCHILDREN = 16, 3, 4
KNOWN = ROOTS * (1 + CHILDREN)
"""Features of the first two generations of `family_world`: as many as the SAEs there have latents."""


def family_world(n_inst: int, generator: "torch.Generator", *, d_in: int = 128) -> ToyWorld:
    """256 features in three generations: 16 roots, 3 children of each, 4 children of each of those.

    Roots grow rarer, from .3 to .05; each four neighbours are correlated. A child is present only with its
    parent, and only one of its siblings is: each with probability .3, a grandchild with .2.

    Args:
        n_inst, generator: as for `crowded_world`.
        d_in: dimensions of the activations.
    """
    import torch  # noqa: PLC0415

    parent = [-1] * ROOTS
    parent += [root for root in range(ROOTS) for _ in range(CHILDREN)]
    parent += [child for child in range(ROOTS, KNOWN) for _ in range(GRANDCHILDREN)]
    roots = torch.logspace(-0.523, -1.301, ROOTS).tolist()
    chances = roots + [0.3] * (KNOWN - ROOTS) + [0.2] * (len(parent) - KNOWN)
    family = torch.arange(ROOTS) // 4
    correlation = torch.where(family[:, None] == family, 0.4, 0.0).fill_diagonal_(1)
    device = generator.device
    return ToyWorld(
        directions=random_directions(n_inst, len(parent), d_in, generator),
        probability=torch.tensor(chances, device=device),
        magnitude=torch.tensor([MAGNITUDE] * len(parent), device=device),
        parent=tuple(parent),
        exclusive=True,
        correlation=correlation.to(device),
    )
