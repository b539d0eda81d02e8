"""Bank for 3a.3 mixed_batches."""

# ruff: noqa: PLR0911, PLR0912, PLR0915 - one function with a switch for each slip

import torch
from bank import Bank

from sae_course.checks.ch03a import buffer

bank = Bank(buffer.mixed_batches)


@bank.right
def as_in_the_chapter(chunks, batch_size, capacity, generator):
    def shuffled(pieces):
        pool = torch.cat(pieces)
        return pool[torch.randperm(len(pool), generator=generator, device=generator.device)]

    pieces = []
    for chunk in chunks:
        pieces.append(chunk)
        if sum(map(len, pieces)) < capacity:
            continue
        pool = shuffled(pieces)
        served = len(pool) // 2 // batch_size * batch_size
        yield from pool[:served].split(batch_size)
        pieces = [pool[served:]]
    if pieces:
        pool = shuffled(pieces)
        yield from pool[: len(pool) // batch_size * batch_size].split(batch_size)


@bank.right
def with_next(chunks, batch_size, capacity, generator):
    source = iter(chunks)
    pool, more = None, True
    while more:
        while pool is None or len(pool) < capacity:
            chunk = next(source, None)
            if chunk is None:
                more = False
                break
            pool = chunk if pool is None else torch.cat([pool, chunk])
        order = torch.rand(len(pool), generator=generator).argsort()
        count = (len(pool) // 2 if more else len(pool)) // batch_size
        for i in range(count):
            yield pool[order[i * batch_size : (i + 1) * batch_size]]
        pool = pool[order[count * batch_size :]]


@bank.right
def one_batch_at_a_time(chunks, batch_size, capacity, generator):
    rows = []

    def draw():
        order = torch.randperm(len(rows), generator=generator).tolist()
        batch = torch.stack([rows[i] for i in order[:batch_size]])
        rows[:] = [rows[i] for i in order[batch_size:]]
        return batch

    for chunk in chunks:
        rows.extend(chunk)
        while len(rows) >= capacity:
            yield draw()
    while len(rows) >= batch_size:
        yield draw()


@bank.right
def reading_one_ahead(chunks, batch_size, capacity, generator):
    source = iter(chunks)
    pool, ahead = next(source), next(source, None)
    while True:
        while ahead is not None and len(pool) < capacity:
            pool, ahead = torch.cat((pool, ahead)), next(source, None)
        pool = pool.index_select(0, torch.randperm(pool.shape[0], generator=generator))
        last = ahead is None
        for _ in range((len(pool) if last else len(pool) // 2) // batch_size):
            yield pool[:batch_size]
            pool = pool[batch_size:]
        if last:
            return


def mixing(slip):
    """A right buffer with one slip."""

    def permutation(n, generator):
        if slip == "global":
            return torch.randperm(n)
        if slip == "own seed":
            return torch.randperm(n, generator=torch.Generator().manual_seed(0))
        if slip == "reseeded":
            return torch.randperm(n, generator=generator.manual_seed(0))
        if slip == "randint":
            return torch.randint(n, (n,), generator=generator)
        return torch.randperm(n, generator=generator)

    def shuffled(pieces, batch_size, generator, first):
        pool = torch.cat(pieces)
        if slip == "no shuffle" or (slip == "only the first" and not first):
            return pool
        if slip == "batches":
            parts = list(pool.split(batch_size))
            return torch.cat([parts[i] for i in permutation(len(parts), generator)])
        if slip == "half":
            half = len(pool) // 2
            return torch.cat([pool[:half][permutation(half, generator)], pool[half:]])
        if slip == "new only":
            return torch.cat([*pieces[:-1], pieces[-1][permutation(len(pieces[-1]), generator)]])
        if slip == "columns":
            return pool[:, permutation(pool.shape[1], generator)]
        if slip == "each column":
            return torch.stack([c[permutation(len(c), generator)] for c in pool.T], dim=1)
        return pool[permutation(len(pool), generator)]

    def mixed_batches(chunks, batch_size, capacity, generator):
        pieces, first, new = [], True, 0
        if slip == "all at once":
            chunks = list(chunks)
        for chunk in chunks:
            if slip == "in place":
                chunk.mul_(0.5)
            pieces.append(chunk)
            new += len(chunk)
            held = len(pieces) if slip == "counts chunks" else sum(map(len, pieces))
            held = new if slip == "counts new" else held
            if held < (capacity // 4 if slip == "too soon" else capacity):
                continue
            pool = shuffled(pieces, batch_size, generator, first)
            first, new = False, 0
            served = len(pool) // 2 // batch_size * batch_size
            if slip == "part of a batch":
                served = len(pool) // 2
            if slip == "everything":
                served = len(pool) // batch_size * batch_size
            if slip == "everything" and not served:
                pass
            elif slip == "whole pool":
                yield pool[:served]
            elif slip == "rows":
                yield from pool[:served]
            elif slip == "lists":
                yield from pool[:served].tolist()
            else:
                yield from pool[:served].split(batch_size)
            pieces = [pool[served:]]
            if slip == "drops":
                pieces = []
            elif slip == "keeps all":
                pieces = [pool]
            elif slip == "keeps served":
                pieces = [pool[:served]]
            if slip == "once":
                return
        if slip == "forgets the end":
            return
        pool = shuffled(pieces, batch_size, generator, first) if pieces else torch.zeros(0, 5)
        served = len(pool) // batch_size * batch_size
        if slip == "half at the end":
            served = len(pool) // 2 // batch_size * batch_size
        if served or slip == "short":
            yield from pool[: None if slip == "short" else served].split(batch_size)
        while slip == "goes on":
            yield pool[:batch_size]

    return mixed_batches


for name, message, slip in [
    ("no_shuffle", "nothing is shuffled", "no shuffle"),
    ("shuffles_batches", "neighbours in the pool(.|\n)*batches \\(or chunks\\) are shuffled", "batches"),
    ("shuffles_once", "waits longer|not all of the pool|neighbours in", "only the first"),
    ("shuffles_what_it_serves", "waits longer", "half"),
    ("shuffles_new_chunk", "waits longer|neighbours in", "new only"),
    ("shuffles_columns", "none of the activations(.|\n)*axis 0", "columns"),
    ("shuffles_each_column", "none of the activations", "each column"),
    ("global_randomness", "come from elsewhere", "global"),
    ("own_seed", "`generator` is not used", "own seed"),
    ("reseeded", "waits longer|neighbours in|not all of|`generator` is not used", "reseeded"),
    ("with_replacement", "served twice(.|\n)*randint", "randint"),
    ("reads_all", "gathers too much(.|\n)*list\\(chunks\\)", "all at once"),
    ("counts_chunks", "gathers too much(.|\n)*chunks are counted", "counts chunks"),
    ("counts_new", "gathers too much(.|\n)*count the kept half", "counts new"),
    ("serves_too_soon", "the first batch is served when the pool holds", "too soon"),
    ("keeps_nothing", "half of the pool, at least", "everything"),
    ("drops_the_rest", "what is not served of a pool is lost", "drops"),
    ("keeps_all", "served twice(.|\n)*pool\\[served:\\]", "keeps all"),
    ("keeps_served", "served twice", "keeps served"),
    ("part_of_a_batch", "expected \\[batch_size, d_in\\](.|\n)*whole batches only", "part of a batch"),
    ("short_last_batch", "a remainder smaller than a batch is dropped", "short"),
    ("forgets_the_end", "never served(.|\n)*after the last chunk", "forgets the end"),
    ("half_at_the_end", "never served(.|\n)*after the last chunk", "half at the end"),
    ("one_pool", "never served(.|\n)*before the chunks have ended", "once"),
    ("goes_on", "served twice", "goes on"),
    ("whole_pool", "split what is served into batches", "whole pool"),
    ("single_rows", "single activations are yielded", "rows"),
    ("as_lists", "yields a list", "lists"),
    ("changes_chunks", "none of the activations|changed the chunks", "in place"),
]:
    variant = mixing(slip)
    variant.__name__ = name
    bank.wrong(message)(variant)


@bank.wrong("a whole list|list\\(chunks\\)|in a list")
def returns_a_list(chunks, batch_size, capacity, generator):
    return list(as_in_the_chapter(chunks, batch_size, capacity, generator))


@bank.wrong("generator raised StopIteration(.|\n)*for chunk in chunks")
def next_at_the_end(chunks, batch_size, capacity, generator):
    source, pieces = iter(chunks), []
    while True:
        while sum(map(len, pieces)) < capacity:
            pieces.append(next(source))
        pool = torch.cat(pieces)
        pool = pool[torch.randperm(len(pool), generator=generator)]
        served = len(pool) // 2 // batch_size * batch_size
        yield from pool[:served].split(batch_size)
        pieces = [pool[served:]]


@bank.wrong("returned a tuple|yields a|expected")
def returns_one(chunks, batch_size, capacity, generator):
    return next(as_in_the_chapter(chunks, batch_size, capacity, generator))
