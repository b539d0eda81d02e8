"""Whether the right gradient flows back from a result, and whether it shares memory with an input."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .cases import tensors_in
from .failure import CheckFailed


def paired(actual: Any, expected: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """The tensors of a result beside those of the expected one, for results that agree in structure."""
    if isinstance(expected, Tensor):
        if isinstance(actual, Tensor):
            yield actual, expected
    elif hasattr(expected, "_fields"):
        for name in expected._fields:
            yield from paired(getattr(actual, name), getattr(expected, name))
    elif isinstance(expected, dict):
        for key in expected:
            yield from paired(actual[key], expected[key])
    elif isinstance(expected, list | tuple):
        for seen, wanted in zip(actual, expected, strict=True):
            yield from paired(seen, wanted)


def cut_off(actual: Any, expected: Any, what: str) -> CheckFailed | None:
    """A result without its graph where the reference has one."""
    if all(seen.requires_grad or not wanted.requires_grad for seen, wanted in paired(actual, expected)):
        return None
    return CheckFailed(
        f"{what} gives the right values, but cut off from the parameters: no gradient can flow back "
        "through them (requires_grad is False).",
        kind="detached",
        likely=".detach(), .data, .item(), torch.tensor(...) or torch.no_grad() on the way.",
    )


def alias(actual: Any, inputs: dict[str, Any], what: str) -> CheckFailed | None:
    """A result that shares its memory with an input."""
    memory = {
        tensor.untyped_storage().data_ptr(): name
        for key, value in inputs.items()
        for name, tensor in tensors_in(value, key)
        if not tensor.is_meta
    }
    for _, tensor in tensors_in(actual, what):
        if shared := memory.get(tensor.untyped_storage().data_ptr()):
            return CheckFailed(
                f"the result of {what} shares its memory with the input {shared}: changing one changes "
                "the other.",
                kind="alias",
                likely="a view, or the input itself, was returned; .clone() makes it independent.",
            )
    return None


def gradients(
    actual: Any, expected: Any, inputs: dict[str, Any], wrt: Sequence[str]
) -> dict[str, Tensor | None]:
    """Gradients of a fixed combination of the result's entries; None where none flows.

    Args:
        actual: the result to differentiate.
        expected: a result of the same structure; where it has no gradient, none is asked of ``actual``.
        inputs: the arguments that ``actual`` was made from.
        wrt: names in ``inputs``, ``"W_dec"`` or ``"sae.W_dec"``.
    """
    stream = torch.Generator().manual_seed(0)
    terms = []
    for seen, wanted in paired(actual, expected):
        weights = torch.rand(wanted.shape, generator=stream) + 0.5
        if wanted.requires_grad and seen.requires_grad:
            terms.append((seen * weights.to(seen)).sum())
    if not terms:
        return dict.fromkeys(wrt)
    leaves = [_leaf(inputs, name) for name in wrt]
    # The graph is kept: two results that share a part of it are both differentiated.
    found = torch.autograd.grad(torch.stack(terms).sum(), leaves, allow_unused=True, retain_graph=True)
    return dict(zip(wrt, found, strict=True))


def _leaf(inputs: dict[str, Any], name: str) -> Tensor:
    head, *rest = name.split(".")
    value = inputs[head]
    for part in rest:
        value = getattr(value, part)
    return value


def finite_differences(function: Callable[[Tensor], Tensor], at: Tensor, step: float = 1e-6) -> Tensor:
    """The gradient of a scalar function by central differences in float64: the slow oracle for a gradient."""
    at = at.detach().double()
    gradient = torch.empty_like(at)
    for i in range(at.numel()):
        up, down = at.clone(), at.clone()
        up.view(-1)[i] += step
        down.view(-1)[i] -= step
        gradient.view(-1)[i] = (float(function(up)) - float(function(down))) / (2 * step)
    return gradient
