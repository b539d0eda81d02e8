"""A run's record."""

from .history import History

__all__ = ["History"]
