"""A course on training sparse autoencoders, from a toy model to Gemma-2-2B.

Importing the package is instant: torch, plotly and the rest are imported by the rooms that use them.

>>> from sae_course import setup
>>> setup()                                             # doctest: +SKIP
"""

from typing import Any

from .runtime.errors import CourseError
from .runtime.session import Session, setup
from .runtime.threads import wait_asleep

wait_asleep()

__version__ = "0.1.0"
__all__ = ["CourseError", "Session", "__version__", "progress", "setup"]


def progress() -> Any:
    """What is solved, tried and left, with minutes; shows itself as a table in a notebook."""
    from .checks.progress import progress as _progress  # noqa: PLC0415 - keeps the package's import instant

    return _progress()
