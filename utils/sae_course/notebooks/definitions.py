"""A chapter's own functions and classes, without running the chapter."""

import ast
from pathlib import Path
from typing import Any

_KEPT = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def definitions(source: Path, **extra: Any) -> dict[str, Any]:
    """The namespace that a solution's definitions make: what a chapter teaches, for recording and testing it.

    Only imports, functions, classes and assignments to CONSTANT_NAMES are executed.

    Args:
        source: ``solutions/NN_name.py``.
        extra: names that the functions expect a chapter's cells to have set, such as ``config``.
    """
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, _KEPT) or _is_constant(node)]
    namespace: dict[str, Any] = {"__name__": source.stem, **extra}
    exec(compile(tree, str(source), "exec"), namespace)
    return namespace


def _is_constant(node: ast.stmt) -> bool:
    """Whether a statement is ``NAME = …`` with a name in capitals; one letter, as in ``W``, is a matrix."""
    return (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id.isupper()
        and len(node.targets[0].id) > 1
    )
