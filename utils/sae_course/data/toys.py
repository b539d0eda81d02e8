"""Toy worlds: sparse features with known directions, several worlds side by side.

SAELens' ``synthetic`` module makes one world at a time from torch's global random state, and takes seconds
to import; here each draw is from a named generator, and worlds share one tensor. A test compares the two.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..runtime import CourseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from jaxtyping import Float
    from torch import Tensor


class Sample(NamedTuple):
    """A batch of samples of every world."""

    activations: "Float[Tensor, 'inst batch d_in']"
    """What an SAE sees."""
    features: "Float[Tensor, 'inst batch features']"
    """The truth: each feature's magnitude, 0 where it is absent."""


@dataclass(frozen=True)
class ToyWorld:
    """Worlds of one law, each with its own directions: ``activations = features @ directions + offset``."""

    directions: "Float[Tensor, 'inst features d_in']"
    probability: "Float[Tensor, ' features']"
    """That a feature is present; of a child, given that its parent is."""
    magnitude: "Float[Tensor, 'features 2']"
    """Mean and standard deviation of a present feature's magnitude, which is cut off at 0."""
    parent: "tuple[int, ...] | None" = None
    """For each feature the one without which it is never present, or -1. Parents stand before children."""
    exclusive: bool = False
    """Whether at most one of a parent's children is present; their probabilities sum to at most 1."""
    correlation: "Float[Tensor, 'some some'] | None" = None
    """Of the Gaussians whose upper tails are the first features' presence (a Gaussian copula)."""
    uniform: bool = False
    """Magnitudes uniform between 0 and twice the mean, in place of normal."""
    offset: "Float[Tensor, 'inst d_in'] | None" = None
    """A constant that is added to the activations."""

    def __post_init__(self) -> None:
        n_features = self.directions.shape[1]
        for name in ("probability", "magnitude", "parent"):
            value = getattr(self, name)
            if value is not None and len(value) != n_features:
                raise CourseError(f"{name} has {len(value)} entries for {n_features} features.")
        if self.parent is not None and any(
            parent >= child or parent < -1 for child, parent in enumerate(self.parent)
        ):
            raise CourseError("parent: every feature's parent has to stand before it, or be -1.")
        if self.exclusive:
            most = float((self._siblings[1] + self.probability).max())
            if most > 1 + 1e-6:  # the last of them would be rarer than `presence` says
                raise CourseError(f"probability: exclusive siblings' sum to {most:.3g}, and can't exceed 1.")

    @property
    def n_inst(self) -> int:
        """How many worlds there are side by side."""
        return len(self.directions)

    @property
    def d_in(self) -> int:
        """Dimensions of the activations."""
        return self.directions.shape[2]

    @property
    def n_features(self) -> int:
        """Features of each world."""
        return self.directions.shape[1]

    @property
    def presence(self) -> "Float[Tensor, ' features']":
        """How often each feature is present, its parents' rarity included; correlation left out."""
        rate = self.probability.clone()
        for child, parent in enumerate(self.parent or ()):
            if parent >= 0:
                rate[child] = rate[child] * rate[parent]
        return rate

    @property
    def l0(self) -> float:
        """How many features are present in a sample, on average."""
        return float(self.presence.sum())

    def sample(self, batch_size: int, generator: "torch.Generator") -> Sample:
        """A batch of every world, each world's its own.

        Args:
            batch_size: samples of each world.
            generator: on the directions' device.
        """
        import torch  # noqa: PLC0415 - a second

        shape = (self.n_inst, batch_size, self.n_features)
        device = self.directions.device
        chance = torch.rand(shape, generator=generator, device=device)
        if self.correlation is not None:
            some = len(self.correlation)
            gaussian = torch.randn(*shape[:2], some, generator=generator, device=device)
            chance[..., :some] = torch.special.ndtr(-gaussian @ torch.linalg.cholesky(self.correlation).T)
        if self.exclusive:  # siblings share the eldest's number, and divide the line from 0 to 1 between them
            eldest, begin = self._siblings
            chance = chance[..., eldest].sub_(begin)
            present = (chance >= 0).logical_and_(chance < self.probability)
        else:
            present = chance < self.probability
        above, generations = self._above
        for _ in range(generations):  # once for each, and what a grandparent lacks has reached the grandchild
            present = present & present[..., above]
        mean, deviation = self.magnitude.T
        if self.uniform:
            size = 2 * mean * torch.rand(shape, generator=generator, device=device)
        else:
            size = torch.randn(shape, generator=generator, device=device)
            size.mul_(deviation).add_(mean).clamp_(min=0)
        features = size.mul_(present)
        activations = features @ self.directions
        return Sample(activations if self.offset is None else activations + self.offset[:, None], features)

    @cached_property
    def _above(self) -> "tuple[Tensor, int]":
        """For each feature its parent, or itself where it has none; and how many generations follow."""
        import torch  # noqa: PLC0415

        depth: list[int] = []
        for parent in self.parent or ():
            depth.append(0 if parent < 0 else depth[parent] + 1)
        above = [child if parent < 0 else parent for child, parent in enumerate(self.parent or ())]
        return torch.tensor(above, device=self.directions.device), max(depth, default=0)

    @cached_property
    def _siblings(self) -> "tuple[Tensor, Tensor]":
        """For each feature, the first of its parent's children, and where its own part of the line begins."""
        import torch  # noqa: PLC0415

        eldest: list[int] = []
        begin: list[float] = []
        taken: dict[int, tuple[int, float]] = {}
        for child, parent in enumerate(self.parent or [-1] * self.n_features):
            first, end = taken.get(parent, (child, 0.0)) if parent >= 0 else (child, 0.0)
            eldest.append(first)
            begin.append(end)
            taken[parent] = first, end + float(self.probability[child])
        device = self.directions.device
        return torch.tensor(eldest, device=device), torch.tensor(begin, device=device)

    def of(self, instances: "Sequence[int]") -> "ToyWorld":
        """Some of the worlds."""
        some = list(instances)
        offset = None if self.offset is None else self.offset[some]
        return replace(self, directions=self.directions[some], offset=offset)


def random_directions(
    n_inst: int, n_features: int, d_in: int, generator: "torch.Generator"
) -> "Float[Tensor, 'inst features d_in']":
    """Unit vectors in random directions."""
    import torch  # noqa: PLC0415

    directions = torch.randn(n_inst, n_features, d_in, generator=generator, device=generator.device)
    return torch.nn.functional.normalize(directions, dim=-1)


def orthogonal_directions(
    n_inst: int, n_features: int, d_in: int, generator: "torch.Generator"
) -> "Float[Tensor, 'inst features d_in']":
    """Orthogonal unit vectors, in random rotations.

    Raises:
        CourseError: for more features than dimensions.
    """
    import torch  # noqa: PLC0415

    if n_features > d_in:
        raise CourseError(f"{n_features} features can't be orthogonal in {d_in} dimensions.")
    gaussian = torch.randn(n_inst, d_in, n_features, generator=generator, device=generator.device)
    Q, R = torch.linalg.qr(gaussian)
    signs = R.diagonal(dim1=1, dim2=2).sign()  # of LAPACK's choice: it would prefer half of all directions
    return (Q * signs[:, None]).transpose(1, 2).contiguous()
