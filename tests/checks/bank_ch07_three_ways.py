"""Bank for 7.7 ways."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from bank import Bank

from sae_course.checks.ch07 import three_ways

plans = Bank(three_ways.ways)


class Ways(NamedTuple):
    """As in the chapter."""

    stream: float
    together: float
    cache: float
    disk_bytes: int


@plans.right
def as_in_the_chapter(*, n_saes, tokens, d_in, bytes_each, model_seconds, sae_seconds, disk):
    disk_bytes = tokens * d_in * bytes_each
    model, sae, pass_over = tokens * model_seconds, tokens * sae_seconds, disk_bytes / disk
    return Ways(
        stream=n_saes * (model + sae),
        together=model + n_saes * sae,
        cache=model + pass_over + n_saes * (pass_over + sae),
        disk_bytes=disk_bytes,
    )


def right(**inputs):
    return as_in_the_chapter(**inputs)


@plans.right
def one_sae_after_the_other(*, n_saes, tokens, d_in, bytes_each, model_seconds, sae_seconds, disk):
    size = float(bytes_each * d_in * tokens)
    stream, together, cache = 0.0, tokens * model_seconds, tokens * model_seconds + size / disk
    for _ in range(n_saes):
        stream += tokens * model_seconds
        stream += tokens * sae_seconds
        together += tokens * sae_seconds
        cache += size / disk
        cache += tokens * sae_seconds
    return stream, together, cache, size


@plans.right
def a_matrix_product(**inputs):
    p, n = SimpleNamespace(**inputs), inputs["n_saes"]
    each = np.array([p.model_seconds, p.sae_seconds, p.d_in * p.bytes_each / p.disk])
    times = np.array([[n, n, 0], [1, n, 0], [1, n, 1 + n]])
    stream, together, cache = p.tokens * (times @ each)
    return SimpleNamespace(
        cache=cache, disk_bytes=p.tokens * p.bytes_each * p.d_in, stream=stream, together=together
    )


@plans.right
def by_differences(n_saes, tokens, d_in, bytes_each, model_seconds, sae_seconds, disk):  # noqa: PLR0917
    stream = n_saes * tokens * (model_seconds + sae_seconds)
    together = stream - (n_saes - 1) * tokens * model_seconds
    disk_bytes = tokens * d_in * bytes_each
    return Ways(stream, together, together + (n_saes + 1) * disk_bytes / disk, disk_bytes)


def slip(name, message, **fields):
    """Right but for these. M, S and P: all tokens in the model, in an SAE, over the disk."""

    def variant(**inputs):
        p = SimpleNamespace(**inputs, n=inputs["n_saes"], T=inputs["tokens"])
        p.B = p.T * p.d_in * p.bytes_each
        p.M, p.S, p.P = p.T * p.model_seconds, p.T * p.sae_seconds, p.B / p.disk
        return right(**inputs)._replace(**{field: of(p) for field, of in fields.items()})

    variant.__name__ = name
    plans.wrong(message)(variant)


def cached(name, message, over_disk):
    """Other seconds of a pass over the disk."""
    slip(name, message, cache=lambda p: p.M + over_disk(p) + p.n * (over_disk(p) + p.S))


def times(name, message, factor):
    """All three times are others by a factor."""

    def variant(**inputs):
        p = SimpleNamespace(**inputs)
        *seconds, disk_bytes = right(**inputs)
        return Ways(*(value * factor(p) for value in seconds), disk_bytes)

    variant.__name__ = name
    plans.wrong(message)(variant)


times("for_one_token", "this is for one token; multiply", lambda p: 1 / p.tokens)
times("minutes", "these are minutes", lambda p: 1 / 60)
times("hours", "these are hours", lambda p: 1 / 3600)
times("days", "the expected number divided by 86400", lambda p: 1 / 86400)
times("for_each_sae", "this is one SAE; there are", lambda p: 1 / p.n_saes)

slip("stream_model_once", "the model is run once here; one SAE", stream=lambda p: p.M + p.n * p.S)
slip("stream_saes_once", "only one SAE's steps are in it", stream=lambda p: p.n * p.M + p.S)
slip("stream_of_one", "this is one SAE; there are", stream=lambda p: p.M + p.S)
slip("stream_no_saes", "SAEs' steps are missing. Nothing runs", stream=lambda p: p.n * p.M)
slip("stream_no_model", "forward passes are missing", stream=lambda p: p.n * p.S)
slip("stream_at_the_same_time", "Nothing runs at the same time", stream=lambda p: p.n * max(p.M, p.S))
slip("stream_writes", "the disk is in it; a stream never", stream=lambda p: p.n * (p.M + p.S) + p.P)
slip("stream_reads", "the disk is in it, for each", stream=lambda p: p.n * (p.M + p.S + p.P))

slip("together_model_each", "run for each SAE here; together", together=lambda p: p.n * (p.M + p.S))
slip("together_saes_once", "one SAE's steps are in it; nothing", together=lambda p: p.M + p.S)
slip("together_swapped", "it is the other way round", together=lambda p: p.n * p.M + p.S)
slip("together_no_saes", "`n_saes` for each token", together=lambda p: p.M)
slip("together_no_model", "forward pass is missing", together=lambda p: p.n * p.S)
slip("together_at_the_same_time", "Nothing runs at the", together=lambda p: max(p.M, p.n * p.S))
slip(
    "together_reads", "for each SAE; a stream never(.|\n)*or one", together=lambda p: p.M + p.n * (p.S + p.P)
)
slip(
    "together_writes",
    "the disk is in it; a stream never(.|\n)*or one",
    together=lambda p: p.M + p.P + p.n * p.S,
)
slip("together_as_cache", "this is right for cache", together=lambda p: p.M + p.P + p.n * (p.S + p.P))
slip("together_shared", "for each SAE; the total", together=lambda p: (p.M + p.n * p.S) / p.n)

slip("kept_for_each", "the cache is kept once", disk_bytes=lambda p: p.B * p.n)
slip("numbers", "how many numbers there are", disk_bytes=lambda p: p.T * p.d_in)
slip("no_d_in", "`d_in` is missing: an activation", disk_bytes=lambda p: p.T * p.bytes_each)
slip("one_token", "this is one token; there are", disk_bytes=lambda p: p.d_in * p.bytes_each)
slip("four_bytes", "has 4 bytes here; take", disk_bytes=lambda p: p.T * p.d_in * 4)
slip("two_bytes", "the expected number divided by 2", disk_bytes=lambda p: p.T * p.d_in * 2)
slip("bits", "these are bits; a byte", disk_bytes=lambda p: p.B * 8)
slip("gb", "in GB", disk_bytes=lambda p: p.B / 1e9)
slip("gib", "in GiB", disk_bytes=lambda p: p.B / 2**30)
slip("disk_seconds", "seconds of a pass", disk_bytes=lambda p: p.P)
slip("there_and_back", "this is twice the cache", disk_bytes=lambda p: 2 * p.B)
slip("all_traffic", "written and read in all", disk_bytes=lambda p: (p.n + 1) * p.B)

slip("no_model", "the model's run is missing", cache=lambda p: p.P + p.n * (p.P + p.S))
slip("no_writing", "writing is missing: one pass", cache=lambda p: p.M + p.n * (p.P + p.S))
slip("only_training", "model's run and writing", cache=lambda p: p.n * (p.P + p.S))
slip("read_once", "the cache is read once here", cache=lambda p: p.M + p.P + p.P + p.n * p.S)
slip("no_reading", "only one pass over the disk", cache=lambda p: p.M + p.P + p.n * p.S)
slip("no_disk", "the disk is missing, or", cache=lambda p: p.M + p.n * p.S)
slip("written_for_each", "written for each SAE here", cache=lambda p: p.M + p.n * (2 * p.P + p.S))
slip("no_steps", "SAEs' steps are missing. Nothing(.|\n)*reading", cache=lambda p: p.M + p.P + p.n * p.P)
slip("while_reading", "as reading: add them", cache=lambda p: p.M + p.P + p.n * max(p.P, p.S))
slip("steps_once", "only one SAE's steps are in it", cache=lambda p: p.M + p.P + p.n * p.P + p.S)
slip("model_for_each", "so that it is run once", cache=lambda p: p.P + p.n * (p.M + p.P + p.S))
slip("all_for_each", "from the model to the writing", cache=lambda p: p.n * (p.M + 2 * p.P + p.S))
slip("cache_of_one", "this is with one SAE", cache=lambda p: p.M + 2 * p.P + p.S)
slip("cache_for_each", "for each SAE; the total", cache=lambda p: (p.M + p.P) / p.n + p.P + p.S)
cached("times_disk", "multiplied by `disk`", lambda p: p.B * p.disk)
cached("disk_over", "`disk` is divided by the bytes", lambda p: p.disk / p.B)
cached("no_bytes", "`bytes_each` is missing in", lambda p: p.T * p.d_in / p.disk)
cached("cache_no_d_in", "`d_in` is missing in", lambda p: p.T * p.bytes_each / p.disk)
cached("cache_no_tokens", "with one token alone", lambda p: p.d_in * p.bytes_each / p.disk)
cached("cache_bits", "are taken as bits", lambda p: 8 * p.P)
cached("bytes_as_seconds", "bytes were added to seconds", lambda p: p.B)


@plans.wrong("the model is run once here")
def stream_and_together_swapped(**inputs):
    stream, together, cache, disk_bytes = right(**inputs)
    return Ways(together, stream, cache, disk_bytes)


@plans.wrong("this is right for disk_bytes. Have the fields changed places")
def bytes_first(**inputs):
    *seconds, disk_bytes = right(**inputs)
    return (disk_bytes, *seconds)


@plans.wrong("a tuple of 3; expected 4")
def without_bytes(**inputs):
    return tuple(right(**inputs))[:3]


@plans.wrong(r"expected Ways\(stream, together, cache, disk_bytes\)")
def as_a_dictionary(**inputs):
    return right(**inputs)._asdict()


@plans.wrong("keep the first line")
def other_names(*, n, tokens, d_in, bytes_each, model_seconds, sae_seconds, disk):
    return Ways(1, 1, 1, 1)
