"""Check of 3a.3 mixed_batches: what any such buffer does, whatever its code."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Trial, name_of
from .buffer_watch import D_IN, Run, Served, Source, forgetful, ranks, serving


def _go(t: Trial, student: Any, case: Case, run: Run, seed: int) -> tuple[Source, Served, list[int]]:
    """Serve batches from a new source, and require what any use of the buffer needs."""
    source = Source(case, run.lengths, run.capacity)
    most = run.batches or sum(run.lengths) // run.batch_size + 5
    stream = torch.Generator(case.device).manual_seed(seed)
    served = t.call(
        serving(student, most),
        {
            "chunks": source,
            "batch_size": run.batch_size,
            "capacity": run.capacity,
            "generator": stream,
        },
        may_change=True,
    )
    sizes = f"chunks of {min(run.lengths)} to {max(run.lengths)} activations"
    t.case = f"{case.label}: {sizes}, batch_size = {run.batch_size}, capacity = {run.capacity}"
    name = name_of(student)
    _require_iterator(t, served, name)
    _require_shapes(t, served, run, name)
    t.require(
        torch.equal(torch.cat(source.chunks), source.table),
        f"{name} changed the chunks it was given.",
        kind="changed input",
        likely="shuffle a copy: pool[order] makes one, torch.cat too.",
    )
    numbers = _numbers(t, source, served)
    first = served.read[0] if served.batches and not served.ended[0] else run.capacity
    t.require(
        first >= run.capacity,
        f"the first batch is served when the pool holds {first} activations; expected {run.capacity} or more "
        "(capacity).",
        kind="capacity",
        likely="gather chunks until there are at least `capacity` activations, then shuffle and serve.",
    )
    _require_lazy(t, source, served, run, numbers)
    return source, served, numbers


def _require_iterator(t: Trial, served: Served, name: str) -> None:
    if served.problem == "StopIteration":
        t.require(
            False,
            f"{name} raised RuntimeError (generator raised StopIteration) when the chunks came to their end: "
            "what is left in the pool then is to be served.",
            kind="raised",
            likely="next(chunks) inside a generator; `for chunk in chunks:` ends by itself, and "
            "next(chunks, None) gives None.",
        )
    t.require(
        not served.problem,
        f"{name} {served.problem}; expected a generator of batches.",
        kind="type",
        likely="`yield batch`, not `return`: a function with a yield in it is a generator.",
    )


def _require_lazy(t: Trial, source: Source, served: Served, run: Run, numbers: list[int]) -> None:
    if not source.too_far:
        return
    first = not served.batches
    t.require(
        first or not forgetful(served, run, numbers),
        "what is not served of a pool is lost: no activation is ever served after the next chunk was read.",
        kind="lost",
        likely="it must stay in the pool: pool[served:] is the first piece of the next one.",
    )
    t.require(
        False,
        f"it gathers too much: {source.too_far}. The pool is full with {source.capacity} (capacity).",
        kind="capacity",
        likely=(
            "all chunks are read before anything is served (list(chunks), or batches collected in a list); "
            "they may be endless: `yield` as you go. Or chunks are counted where activations should be."
            if first
            else "more chunks are gathered than what was served leaves room for; count the kept half, too."
        ),
    )


def _require_shapes(t: Trial, served: Served, run: Run, name: str) -> None:
    wanted = (run.batch_size, D_IN)
    for i, batch in enumerate(served.batches):
        t.require(
            isinstance(batch, Tensor),
            f"{name} yields a {type(batch).__name__}; expected batches, tensors [batch_size, d_in].",
            kind="type",
        )
        if tuple(batch.shape) == wanted:
            continue
        shape = tuple(batch.shape)
        likely = ""
        if len(shape) == 2 and shape[1] == D_IN and shape[0] < run.batch_size:
            likely = "serve whole batches only: len(pool) // 2 // batch_size * batch_size activations"
            likely += "; at the end, a remainder smaller than a batch is dropped." if served.ended[i] else "."
        elif len(shape) == 2 and shape[1] == D_IN:
            likely = "split what is served into batches: .split(batch_size), and `yield from`."
        elif shape == (D_IN,):
            likely = "single activations are yielded: .split(batch_size) gives batches."
        t.require(
            False,
            f"batch {i} has shape {shape}; expected [batch_size, d_in] = {wanted}.",
            kind="shape",
            likely=likely,
        )


def _numbers(t: Trial, source: Source, served: Served) -> list[int]:
    """The number of every served activation, in order; each was given, and none is served twice."""
    numbers: list[int] = []
    seen: dict[int, int] = {}
    for i, batch in enumerate(served.batches):
        for row in batch.tolist():
            number = source.number_of(row)
            if number is None:
                t.require(
                    False,
                    f"batch {i} holds a row that is none of the activations: changed values, or mixed.",
                    kind="values",
                    likely="shuffle axis 0 alone: pool[torch.randperm(len(pool), generator=generator)].",
                )
                continue
            t.require(
                number not in seen,
                f"an activation is served twice, in batch {seen.get(number)} and in batch {i}.",
                kind="twice",
                likely="what is kept must be what was not served, pool[served:]. Or a random choice with "
                "replacement (torch.randint): a permutation is wanted.",
            )
            seen[number] = i
            numbers.append(number)
    return numbers


def _require_all(t: Trial, source: Source, served: Served, run: Run, numbers: list[int]) -> None:
    """At the end of the chunks, less than a batch is missing."""
    t.require(
        served.stopped, "batches go on after the chunks have ended and everything was served.", kind="end"
    )
    lost = source.read - len(numbers)
    if source.ended and lost < run.batch_size:
        return
    missing = sorted(set(range(source.read)) - set(numbers))
    old = source.read - 2 * (run.capacity + source.largest)
    early = 2 * sum(number < old for number in missing) > len(missing)
    if not source.ended:
        likely = "it stops before the chunks have ended: `for chunk in chunks:`, without a break or return."
    elif early:
        likely = "what is not served must stay in the pool: keep pool[served:] as its first piece."
    else:
        likely = "after the last chunk, what the pool still holds is to be shuffled and served, too."
    t.require(
        False,
        f"{lost} of {source.read} activations are never served (a batch has {run.batch_size}); less than one "
        "batch may be left over at the end.",
        kind="lost",
        likely=likely,
    )


def _require_pool(t: Trial, source: Source, served: Served, run: Run) -> None:
    """Never below half while there is more to come."""
    for i, (read, ended) in enumerate(zip(served.read, served.ended, strict=True)):
        if ended:
            return
        held = read - i * run.batch_size
        t.require(
            held >= run.capacity // 2,
            f"batch {i} is served from a pool of {held}: half of the pool, at least {run.capacity // 2}, "
            "is to be kept, to be mixed with what comes later.",
            kind="kept",
            likely="served = len(pool) // 2 // batch_size * batch_size; pool[served:] begins the next pool.",
        )


def _require_mixed(t: Trial, places: Tensor, numbers: list[int]) -> None:
    """Served activations come from anywhere in the pool, each independently of the one before."""
    in_order = all(one < two for one, two in pairwise(numbers))
    t.require(
        not in_order,
        "activations come out in the order in which they went in: nothing is shuffled.",
        kind="order",
        likely="pool = pool[torch.randperm(len(pool), generator=generator)] before serving.",
    )
    shuffle = "the whole pool, the kept half too, is shuffled before each serving."
    t.mean(
        places,
        0.5,
        12**-0.5,
        "the place in the pool of what is served (0 the oldest, 1 the newest)",
        likely=f"some of the pool waits longer than the rest: {shuffle}",
    )
    t.mean(
        (places[1:] - 0.5) * (places[:-1] - 0.5),
        0.0,
        1 / 12,
        "neighbours in a batch were neighbours in the pool: their places' correlation (times 1/12)",
        likely="batches (or chunks) are shuffled, not the activations: permute the pool's rows, then split.",
    )
    t.mean(
        (places - 0.5).pow(2),
        1 / 12,
        180**-0.5,
        "how far from the pool's middle the served activations stood (squared)",
        likely=f"not all of the pool is equally likely to be served: {shuffle}",
    )


def _require_repeatable(t: Trial, student: Any, case: Case, run: Run, first: Served) -> None:
    """The same generator, the same batches, whatever the global random state; another one, others."""
    source = Source(case, run.lengths, run.capacity)

    def again(seed: int, state: int) -> Served:
        torch.manual_seed(state)
        fresh = Source(case, run.lengths, run.capacity)
        fresh.chunks, fresh.table, fresh.order = (
            list(source.table.split(run.lengths)),
            source.table,
            source.order,
        )
        return t.call(
            serving(student, len(first.batches)),
            {
                "chunks": fresh,
                "batch_size": run.batch_size,
                "capacity": run.capacity,
                "generator": torch.Generator(case.device).manual_seed(seed),
            },
            may_change=True,
        )

    one, same, other = again(1, 1), again(1, 2), again(2, 1)
    t.case = case.label
    t.require(
        _equal(one, same),
        "two runs with the same generator give different batches: some random numbers come from elsewhere.",
        kind="generator",
        likely="torch.randperm(len(pool), generator=generator): without it, the global state is used.",
    )
    t.require(
        not _equal(one, other),
        "generators with different seeds give the same batches: `generator` is not used.",
        kind="generator",
        likely="a generator or a seed of its own; torch.randperm(len(pool), generator=generator).",
    )


def _equal(one: Served, two: Served) -> bool:
    return len(one.batches) == len(two.batches) and all(map(torch.equal, one.batches, two.batches))


def _lengths(case: Case, count: int, low: int, high: int) -> list[int]:
    """Random chunk lengths."""
    return case.integers(str(count), low, high).tolist()


@exercise("3a.3", "mixed_batches", minutes=12, hints=3)
def mixed_batches(t: Trial, student: Any) -> None:
    """Whole batches, nothing twice or lost, no more gathered than needed, well mixed, and repeatable."""
    for i, case in enumerate(t.cases(4)):
        runs = (
            Run(_lengths(case, 150, 4, 21), batch_size=8, capacity=67),
            # What is read is endless for all that the learner's code can tell.
            Run(_lengths(case, 400, 5, 12), batch_size=6, capacity=50, batches=60),
            # The least capacity there may be, and chunks larger than it.
            Run(_lengths(case, 9, 20, 61), batch_size=11, capacity=22),
            # The chunks end before the pool is full.
            Run(_lengths(case, 4, 8, 10), batch_size=7, capacity=90),
        )
        run = runs[i]
        source, served, numbers = _go(t, student, case, run, seed=i)
        if run.batches is None:
            _require_all(t, source, served, run, numbers)
        else:
            t.require(
                len(served.batches) == run.batches,
                f"batches end after {len(served.batches)}, and the chunks have not.",
                kind="end",
                likely="go on gathering after a pool was served: a loop around it.",
            )
        _require_pool(t, source, served, run)
        if i < 2:
            _require_mixed(t, ranks(source, served, run, numbers), numbers)
        if i == 0:
            _require_repeatable(t, student, case, run, served)
