"""Random inputs for a check: named axes of different prime sizes, and no zeros to hide behind."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PRIMES = (3, 5, 7, 11, 13, 17)  # without 2: a sum over two entries is too easily a factor 2


class Case:
    """One set of random inputs.

    An axis gets its size when its name is first used, and keeps it: ``case.normal("batch d_in")`` and
    ``case.normal("d_in d_sae")`` fit together. Sizes are different primes, so that swapped axes show.
    """

    def __init__(self, generator: torch.Generator, device: str, sizes: dict[str, int], label: str) -> None:
        self.generator = generator
        self.device = device
        self.sizes = dict(sizes)
        self.label = label
        order = torch.randperm(len(PRIMES), generator=generator).tolist()
        self._free = [PRIMES[i] for i in order if PRIMES[i] not in sizes.values()]

    def size(self, axis: str) -> int:
        """The size of an axis; a number stands for itself."""
        if axis.isdigit():
            return int(axis)
        if axis not in self.sizes:
            if not self._free:
                raise ValueError(f"no prime size left for axis {axis!r}: give sizes in trial.cases(...)")
            self.sizes[axis] = self._free.pop()
        return self.sizes[axis]

    def shape(self, axes: str) -> tuple[int, ...]:
        """``"batch d_in"`` as a shape."""
        return tuple(self.size(axis) for axis in axes.split())

    def normal(self, axes: str = "", *, scale: float = 1.0, grad: bool = False) -> Tensor:
        """Normal values pushed away from zero by a tenth of ``scale``."""
        values = torch.randn(self.shape(axes), generator=self.generator)
        return self._finish((values + torch.where(values < 0, -0.1, 0.1)) * scale, grad)

    def uniform(self, axes: str = "", low: float = 0.1, high: float = 1.0, *, grad: bool = False) -> Tensor:
        """Values in [low, high)."""
        values = torch.rand(self.shape(axes), generator=self.generator)
        return self._finish(low + (high - low) * values, grad)

    def unit(self, axes: str, *, along: str, grad: bool = False) -> Tensor:
        """Random directions: norm 1 along one of the axes."""
        values = self.normal(axes)
        return self._finish(values / values.norm(dim=axes.split().index(along), keepdim=True), grad)

    def integers(self, axes: str, low: int, high: int) -> Tensor:
        """Whole numbers in [low, high), int64."""
        values = torch.randint(low, high, self.shape(axes), generator=self.generator)
        return values.to(self.device)

    def mask(self, axes: str, p: float = 0.5) -> Tensor:
        """Booleans, true with probability ``p``; at least one of each where there is room for both."""
        flat = torch.rand(self.shape(axes), generator=self.generator).reshape(-1) < p
        if flat.numel() > 1 and bool(flat.all() | ~flat.any()):
            flat[0] = ~flat[0]
        return flat.reshape(self.shape(axes)).to(self.device)

    def number(self, low: float = 0.1, high: float = 1.0) -> float:
        """One Python float in [low, high)."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def fill(self, module: nn.Module, scale: float = 1.0) -> nn.Module:
        """Give every parameter of a module random non-zero values; returns the module."""
        with torch.no_grad():
            for parameter in module.parameters():
                values = torch.randn(parameter.shape, generator=self.generator)
                values = (values + torch.where(values < 0, -0.1, 0.1)) * scale
                parameter.copy_(values)
        return module

    def _finish(self, values: Tensor, grad: bool) -> Tensor:
        return values.to(self.device).requires_grad_(grad)


def make_cases(number: int, generator: torch.Generator, device: str, sizes: dict[str, int]) -> Iterator[Case]:
    """``number`` cases from one generator."""
    for i in range(number):
        yield Case(generator, device, sizes, f"Case {i + 1} of {number}")


def fresh(value: Any) -> Any:
    """A deep copy that shares nothing with the original, and keeps what is shared inside it.

    An optimizer beside its model in one dictionary still holds the copied model's parameters. Generators
    keep their state; a tensor that is not a leaf becomes one.
    """
    memo: dict[int, Any] = {}
    for item in _hard_to_copy(value):
        if isinstance(item, torch.Generator):
            twin = torch.Generator(device=item.device)
            twin.set_state(item.get_state())
            memo[id(item)] = twin
        else:
            memo[id(item)] = item.detach().clone().requires_grad_(item.requires_grad)
    return copy.deepcopy(value, memo)


def _hard_to_copy(value: Any) -> Iterator[Any]:
    """What deepcopy refuses: generators, and tensors in the middle of a graph."""
    if isinstance(value, torch.Generator) or (isinstance(value, Tensor) and not value.is_leaf):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _hard_to_copy(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _hard_to_copy(item)


def changed(before: Any, after: Any, name: str) -> str:  # noqa: PLR0911 - one case a line
    """The name of the first thing inside an argument that differs from its copy; empty if nothing does."""
    if isinstance(before, Tensor):
        same = (
            isinstance(after, Tensor)
            and before.shape == after.shape
            and before.dtype == after.dtype
            and (before.is_meta or torch.equal(torch.nan_to_num(before), torch.nan_to_num(after)))
        )
        return "" if same else name
    if isinstance(before, nn.Module):
        old, new = before.state_dict(), after.state_dict()
        if old.keys() != new.keys():
            return f"{name} (its parameters' names)"
        return next((hit for key in old if (hit := changed(old[key], new[key], f"{name}.{key}"))), "")
    if isinstance(before, dict):
        if before.keys() != after.keys():
            return f"{name} (its keys)"
        return next(
            (hit for key in before if (hit := changed(before[key], after[key], f"{name}[{key!r}]"))), ""
        )
    if isinstance(before, list | tuple):
        if len(before) != len(after):
            return f"{name} (its length)"
        pairs = enumerate(zip(before, after, strict=True))
        return next((hit for i, (old, new) in pairs if (hit := changed(old, new, f"{name}[{i}]"))), "")
    if isinstance(before, np.ndarray):
        return "" if np.array_equal(before, after, equal_nan=before.dtype.kind == "f") else name
    if isinstance(before, set | int | float | str):
        return "" if before == after else name
    return ""


def tensors_in(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Every tensor inside an argument, with a name for a message."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, nn.Module):
        yield from ((f"{name}.{key}", item) for key, item in value.state_dict(keep_vars=True).items())
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_in(item, f"{name}[{key!r}]")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from tensors_in(item, f"{name}[{i}]")


def describe(arguments: dict[str, Any]) -> str:
    """``x (7, 3, 2), k = 4``: the inputs of a case in one line."""
    return ", ".join(_brief(name, value) for name, value in arguments.items())


def _brief(name: str, value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{name} {tuple(value.shape)}"
    if isinstance(value, bool | int | str | None):
        return f"{name} = {value!r}"
    if isinstance(value, float):
        return f"{name} = {value:.4g}"
    return f"{name}: {type(value).__name__}"
