"""Watching a buffer from both ends: what its code reads, what it serves, and so what its pool holds.

The source notes what is asked for and when, and every activation can be recognised. Where batches are drawn
at random from the pool, the rank of each served activation among all those in the pool is uniform, whether
half of the pool or one batch is served between refills.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import Any

import torch
from torch import Tensor

from ..cases import Case

D_IN = 5


class ReadTooFar(Exception):
    """The learner's code asks for more chunks than a pool of this capacity needs."""


class Source:
    """Chunks of numbered activations; notes how many were read, and how many the pool then held."""

    def __init__(self, case: Case, lengths: list[int], capacity: int) -> None:
        self.capacity, self.largest = capacity, max(lengths)
        table = case.normal(f"{sum(lengths)} {D_IN}")
        self.chunks = list(table.clone().split(lengths))
        self.table = table
        self.order = {tuple(row): i for i, row in enumerate(table.tolist())}
        """Activation -> its number."""
        self.place = 0
        self.read = 0
        self.served = 0
        """Set by whoever takes the batches."""
        self.ended = False
        """Whether the learner's code was told that there are no more."""
        self.too_far = ""
        """What was asked for although the pool was full; much more of it and ReadTooFar is raised."""

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        held = self.read - self.served
        if held > self.capacity + self.largest and not self.too_far:
            self.too_far = f"with {held} activations read and not served, it asked for yet another chunk"
        if held > 4 * self.capacity + self.largest:
            raise ReadTooFar
        if self.place == len(self.chunks):
            self.ended = True
            raise StopIteration
        chunk = self.chunks[self.place]
        self.place += 1
        self.read += len(chunk)
        return chunk

    def number_of(self, row: list[float]) -> int | None:
        """Which activation this is; None for one that the source never gave."""
        return self.order.get(tuple(row))


@dataclass
class Served:
    """What one run gave."""

    batches: list[Any] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    """Activations read by the time that each batch was served."""
    ended: list[bool] = field(default_factory=list)
    """Whether the source had ended by then."""
    stopped: bool = False
    """Whether the batches came to their end."""
    problem: str = ""


def serving(student: Any, most: int) -> Any:
    """The learner's function, with up to ``most`` of its batches taken."""
    if not callable(student):
        return student

    @functools.wraps(student)
    def serve(chunks: Source, batch_size: int, capacity: int, generator: torch.Generator) -> Served:
        out = Served()
        try:
            given = student(chunks, batch_size, capacity, generator)
            if given is None or isinstance(given, Tensor | str) or not hasattr(given, "__iter__"):
                out.problem = f"returned {'nothing (None)' if given is None else f'a {type(given).__name__}'}"
                return out
            batches = iter(given)
            for batch in islice(batches, most):
                out.batches.append(batch.detach().clone() if isinstance(batch, Tensor) else batch)
                out.read.append(chunks.read)
                out.ended.append(chunks.ended)
                chunks.served += len(batch) if isinstance(batch, Tensor) and batch.ndim else 0
            out.stopped = len(out.batches) < most
        except ReadTooFar:
            pass
        except RuntimeError as error:
            if not isinstance(error.__cause__, StopIteration):
                raise
            out.problem = "StopIteration"
        return out

    if not hasattr(serve, "__name__"):
        serve.__name__ = type(student).__name__
    return serve


@dataclass(frozen=True)
class Run:
    """One run's setting."""

    lengths: list[int]
    batch_size: int
    capacity: int
    batches: int | None = None
    """How many are taken; all of them if not given."""


def ranks(source: Source, served: Served, run: Run, numbers: list[int]) -> Tensor:
    """For each activation served before the end: its rank in the pool, from 0 (oldest) to 1 (newest).

    A pool may be filled while the next chunk is already at hand; that chunk is then not counted.
    """
    ends = list(accumulate(map(len, source.chunks)))
    behind = dict(zip(ends[1:], ends[:-1], strict=True)) | {ends[0]: ends[0]}
    size = run.batch_size
    open_ = [i for i, ended in enumerate(served.ended) if not ended]
    ahead = all(max(numbers[i * size : (i + 1) * size]) < behind[served.read[i]] for i in open_)
    pool: list[int] = []
    read, ranks = 0, []
    for i in open_:
        now = behind[served.read[i]] if ahead else served.read[i]
        pool += range(read, now)
        read = now
        for number in numbers[i * run.batch_size : (i + 1) * run.batch_size]:
            place = pool.index(number)
            ranks.append((place + 0.5) / len(pool))
            pool.pop(place)
    return torch.tensor(ranks)


def forgetful(served: Served, run: Run, numbers: list[int]) -> bool:
    """Whether nothing that was read before the last refill is ever served."""
    before, now = 0, served.read[0] if served.read else 0
    for i, read in enumerate(served.read):
        if read > now:
            before, now = now, read
        if min(numbers[i * run.batch_size : (i + 1) * run.batch_size]) < before:
            return False
    return True
