"""A chapter's settings: a dataclass that a learner prints, and gets with other values."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from ..runtime import CourseError
from .smoke import settings as smoke_settings

T = TypeVar("T")


def shown(config: Any, width: int) -> str:
    """A line for each setting, its name in so many columns."""
    return "\n".join(f"{name:{width}} {value}" for name, value in dataclasses.asdict(config).items())


def changed(kind: type[T], chapter: str, changes: dict[str, Any], smoke: Mapping[str, Any]) -> T:
    """A chapter's settings, with other values for any field; in a smoke run ``smoke``'s where none is given.

    Raises:
        CourseError: for a setting that there isn't.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if unknown := [name for name in changes if name not in known]:
        raise CourseError(f"Chapter {chapter} has no setting {unknown[0]!r}: it has {', '.join(known)}.")
    return kind(**smoke_settings(smoke, changes))
