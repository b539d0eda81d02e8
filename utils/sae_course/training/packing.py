"""Nested state with tensors in it, as tensors by name and JSON: what a checkpoint is written from."""

from typing import Any

from torch import Tensor

State = tuple[dict[str, Tensor], Any]


def pack(value: Any) -> State:
    """Take the tensors out of nested dictionaries, lists and tuples; the rest becomes JSON.

    >>> tensors, rest = pack({"step": 3, "state": {0: torch.zeros(2)}})
    >>> rest
    {'step': 3, 'state': {'__pairs__': [[0, {'__tensor__': '0'}]]}}

    Raises:
        TypeError: for a value that is none of these, a number, a string, True, False or None.
    """
    tensors: dict[str, Tensor] = {}

    def packed(item: Any) -> Any:
        if isinstance(item, Tensor):
            name = str(len(tensors))
            tensors[name] = item.detach()
            return {"__tensor__": name}
        if isinstance(item, dict):
            if all(isinstance(key, str) for key in item):
                return {key: packed(value) for key, value in item.items()}
            return {"__pairs__": [[key, packed(value)] for key, value in item.items()]}
        if isinstance(item, tuple):
            return {"__tuple__": [packed(value) for value in item]}
        if isinstance(item, list):
            return [packed(value) for value in item]
        if item is None or isinstance(item, bool | int | float | str):
            return item
        raise TypeError(f"a checkpoint can't hold {type(item).__name__}")

    rest = packed(value)
    return tensors, rest


def unpack(tensors: dict[str, Tensor], rest: Any) -> Any:
    """What was packed."""
    if isinstance(rest, list):
        return [unpack(tensors, item) for item in rest]
    if not isinstance(rest, dict):
        return rest
    if rest.keys() == {"__tensor__"}:
        return tensors[rest["__tensor__"]]
    if rest.keys() == {"__pairs__"}:
        return {key: unpack(tensors, item) for key, item in rest["__pairs__"]}
    if rest.keys() == {"__tuple__"}:
        return tuple(unpack(tensors, item) for item in rest["__tuple__"])
    return {key: unpack(tensors, item) for key, item in rest.items()}


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every name behind ``prefix``."""
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def within(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
