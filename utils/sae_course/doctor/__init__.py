"""``sae-course doctor``: one line per thing that matters here, and what to do about it."""

from .examine import examine
from .finding import Finding

__all__ = ["Finding", "examine"]
