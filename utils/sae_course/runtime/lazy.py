"""A room's table of contents without its cost: a name's file is imported when the name is asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package (PEP 562): looks a name up in the module that has it.

    Args:
        package: its ``__name__``.
        places: name -> module of the package. No function may have its own module's name: once that is
            imported, the name would be the module.
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{places[name]}", package), name)

    return find
