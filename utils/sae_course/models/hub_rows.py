"""Rows that are read from the hub while somebody uses them: a failure in the middle has its message too."""

import contextlib
from collections.abc import Iterator
from typing import Any

from datasets import IterableDataset, config

from . import hub_client
from .hub import streaming
from .hub_cache import Source


class HubRows(IterableDataset):
    """`datasets.IterableDataset` whose iteration raises `CourseError` where the hub fails."""

    source: Source

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with streaming(self.source):
            for row in super().__iter__():
                yield row
                hub_client.begin()  # the hub may ask a training to wait today, and tomorrow again

    def take(self, n: int) -> "HubRows":
        return hub_rows(super().take(n), self.source)

    def skip(self, n: int) -> "HubRows":
        return hub_rows(super().skip(n), self.source)

    def shuffle(self, *args: Any, **how: Any) -> "HubRows":
        return hub_rows(super().shuffle(*args, **how), self.source)

    def map(self, *args: Any, **how: Any) -> "HubRows":
        return hub_rows(super().map(*args, **how), self.source)


def hub_rows(stream: IterableDataset, source: Source) -> HubRows:
    """The same stream, which knows where its rows come from."""
    stream.__class__ = HubRows
    stream.source = source
    return stream


@contextlib.contextmanager
def few_retries() -> Iterator[None]:
    """For the first row: `datasets` opens or reads a file 20 times, at best half a minute each.

    That is right for a training that nobody watches, and too long for a person who waits for a cell.
    """
    names = ("STREAMING_OPEN_MAX_RETRIES", "STREAMING_READ_MAX_RETRIES")
    before = {name: getattr(config, name) for name in names}
    for name in names:
        setattr(config, name, min(before[name], 2))
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)
