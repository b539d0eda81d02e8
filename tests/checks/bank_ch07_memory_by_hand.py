"""Bank for 7.3 training_memory."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch07 import memory_by_hand

memories = Bank(memory_by_hand.training_memory)


class Memory(NamedTuple):
    """As in the chapter."""

    model: int
    sae: int
    buffer: int
    logits: int


class Parts(NamedTuple):
    """Other names, in the same order."""

    weights: float
    learner: float
    store: float
    evaluation: float


@memories.right
def as_in_the_chapter(*, n_params, model_bytes, d_in, d_sae, buffer_rows, eval_rows, context, d_vocab):
    return Memory(
        model=model_bytes * n_params,
        sae=4 * 4 * (2 * d_in * d_sae + d_sae + d_in),
        buffer=3 * 4 * buffer_rows * context * d_in,
        logits=4 * eval_rows * context * d_vocab,
    )


def right(**inputs):
    return as_in_the_chapter(**inputs)


@memories.right
def floats_in_a_plain_tuple(*, n_params, model_bytes, d_in, d_sae, buffer_rows, eval_rows, context, d_vocab):
    number = 32 / 8
    one_copy = number * ((d_in + 1) * d_sae + (d_sae + 1) * d_in)
    optimizer = 2 * one_copy
    return (
        float(n_params) * model_bytes,
        one_copy + one_copy + optimizer,
        number * d_in * (buffer_rows * context) * 3,
        number * context * eval_rows * d_vocab,
    )


@memories.right
def measured_on_meta_tensors(*, n_params, model_bytes, d_in, d_sae, buffer_rows, eval_rows, context, d_vocab):
    def size(*shape):
        empty = torch.empty(shape, device="meta")
        return empty.numel() * empty.element_size()

    sae = size(d_in, d_sae) + size(d_sae) + size(d_sae, d_in) + size(d_in)
    return Parts(
        n_params * model_bytes,
        4 * sae,
        3 * size(buffer_rows, context, d_in),
        size(eval_rows, context, d_vocab),
    )


@memories.right
def numbers_of_numpy_and_torch(  # noqa: PLR0917
    n_params, model_bytes, d_in, d_sae, buffer_rows, eval_rows, context, d_vocab
):
    return SimpleNamespace(
        logits=np.prod([4, eval_rows, context, d_vocab], dtype=np.int64),
        buffer=torch.tensor(12.0 * buffer_rows * context * d_in, dtype=torch.float64),
        sae=np.float64(16) * (2 * d_in * d_sae + d_sae + d_in),
        model=np.int64(n_params) * model_bytes,
    )


def slip(name, message, **fields):
    """Right but for these fields, functions of the inputs."""

    def variant(**inputs):
        given = SimpleNamespace(**inputs)
        given.ab = given.d_in * given.d_sae
        given.sae = 2 * given.ab + given.d_sae + given.d_in
        return right(**inputs)._replace(**{field: of(given) for field, of in fields.items()})

    variant.__name__ = name
    memories.wrong(message)(variant)


def all_times(name, message, factor):
    def variant(**inputs):
        return Memory(*(value * factor for value in right(**inputs)))

    variant.__name__ = name
    memories.wrong(message)(variant)


all_times("gib", r"in GiB \(1024³", 1 / 2**30)
all_times("gb", r"in GB \(10⁹", 1 / 10**9)
all_times("mib", r"in MiB \(1024²", 1 / 2**20)
all_times("mb", r"in MB \(10⁶", 1 / 10**6)
all_times("bits", "a byte has 8", 8)
all_times("kib", "the expected number divided by 1024", 1 / 1024)
all_times("negative", "field model of negative gives", -1)

slip("model_count", "field model(.|\n)*this is the number of parameters", model=lambda s: s.n_params)
slip("model_four", "has 4 bytes here; the model's", model=lambda s: s.n_params * 4)
slip("model_two", "has 2 bytes here; the model's", model=lambda s: s.n_params * 2)
slip("model_gradients", "twice the weights", model=lambda s: s.n_params * 2 * s.model_bytes)
slip("model_trained", "four times the weights", model=lambda s: s.n_params * 4 * s.model_bytes)
slip("model_three", "the expected number times 3", model=lambda s: s.n_params * 3 * s.model_bytes)
slip("sae_in_model", "SAE's weights are in it", model=lambda s: (s.n_params + s.sae) * s.model_bytes)
slip(
    "sae_memory_in_model",
    "SAE's memory is in it",
    model=lambda s: s.n_params * s.model_bytes + s.sae * 4 * 4,
)

slip("sae_in_model_bytes", "4, not `model_bytes`", sae=lambda s: s.model_bytes * 4 * s.sae)
slip("sae_count", "this is the number of the SAE's parameters", sae=lambda s: s.sae)
slip("weights_only", "this is 4 times the number of parameters", sae=lambda s: s.sae * 4)
slip("bytes_forgotten_in_sae", "so 16", sae=lambda s: sum([s.sae] * 4))
slip("adam_forgotten", "two times the weights", sae=lambda s: s.sae * 4 * 2)
slip("adam_once", "is Adam counted once", sae=lambda s: s.sae * 4 * (1 + 1 + 1))
slip("gradients_forgotten", "are the gradients missing", sae=lambda s: s.sae * 4 * (1 + 2))
slip("no_biases", "both biases are missing: d_sae", sae=lambda s: 16 * 2 * s.ab)
slip("no_b_dec", "the decoder's bias is missing", sae=lambda s: 16 * (2 * s.ab + s.d_sae))
slip("no_b_enc", "the encoder's bias is missing", sae=lambda s: 16 * (2 * s.ab + s.d_in))
slip("biases_of_d_in", "both biases have d_in", sae=lambda s: 16 * (2 * s.ab + 2 * s.d_in))
slip("biases_of_d_sae", "both biases have d_sae", sae=lambda s: 16 * (2 * s.ab + 2 * s.d_sae))
slip("no_decoder", "only one matrix is counted", sae=lambda s: 16 * (s.ab + s.d_sae + s.d_in))
slip("one_matrix", "this is one matrix alone", sae=lambda s: 16 * s.ab)
slip("biases_once", "the biases are counted once", sae=lambda s: 4 * (4 * 2 * s.ab + s.d_sae + s.d_in))
slip("sae_of_model", "these are the model's parameters", sae=lambda s: 16 * s.n_params)
slip("five_copies", "field sae of five_copies gives", sae=lambda s: 20 * s.sae)
slip("power", "field sae(.|\n)*gives inf", sae=lambda s: s.d_in**s.d_sae)

slip(
    "buffer_in_model_bytes",
    "field buffer(.|\n)*4, not `model_bytes`",
    buffer=lambda s: 3 * s.model_bytes * s.buffer_rows * s.context * s.d_in,
)
slip("buffer_once", "counted once; while", buffer=lambda s: 4 * s.buffer_rows * s.context * s.d_in)
slip("buffer_twice", "counted twice", buffer=lambda s: 2 * 4 * s.buffer_rows * s.context * s.d_in)
slip("buffer_four", "counted four times", buffer=lambda s: 16 * s.buffer_rows * s.context * s.d_in)
slip("buffer_numbers", "in all three; each", buffer=lambda s: 3 * s.buffer_rows * s.context * s.d_in)
slip("buffer_count", "numbers one buffer has", buffer=lambda s: s.buffer_rows * s.context * s.d_in)
slip("rows_as_tokens", "`context` is missing: the buffer", buffer=lambda s: 12 * s.buffer_rows * s.d_in)
slip("rows_as_tokens_once", "and the buffer is there three", buffer=lambda s: 4 * s.buffer_rows * s.d_in)
slip("no_d_in", "d_in is missing: an activation", buffer=lambda s: 12 * s.buffer_rows * s.context)
slip("buffer_of_latents", "the SAE's latents", buffer=lambda s: 12 * s.buffer_rows * s.context * s.d_sae)
slip("buffer_of_eval", "rows of the evaluation", buffer=lambda s: 12 * s.eval_rows * s.context * s.d_in)
slip(
    "buffer_context_twice",
    "the expected number times `context`",
    buffer=lambda s: 12 * s.buffer_rows * s.context**2 * s.d_in,
)
slip("buffer_no_rows", "divided by `buffer_rows`", buffer=lambda s: 12 * s.context * s.d_in)

slip(
    "logits_in_model_bytes",
    "field logits(.|\n)*4, not `model_bytes`",
    logits=lambda s: s.model_bytes * s.eval_rows * s.context * s.d_vocab,
)
slip("logits_count", "how many logits", logits=lambda s: s.eval_rows * s.context * s.d_vocab)
slip("one_row", "logits of one row", logits=lambda s: 4 * s.context * s.d_vocab)
slip("last_token", "logits at every token", logits=lambda s: 4 * s.eval_rows * s.d_vocab)
slip("logits_of_d_in", "are activations; logits", logits=lambda s: 4 * s.eval_rows * s.context * s.d_in)
slip("logits_of_d_sae", "are latents; logits", logits=lambda s: 4 * s.eval_rows * s.context * s.d_sae)
slip("logits_of_buffer", "rows of the buffer; an", logits=lambda s: 4 * s.buffer_rows * s.context * s.d_vocab)
slip("logits_thrice", "three times is the buffer", logits=lambda s: 12 * s.eval_rows * s.context * s.d_vocab)
slip("logits_four", "four times is the SAE", logits=lambda s: 16 * s.eval_rows * s.context * s.d_vocab)


@memories.wrong("this is right for logits. Have the fields changed places")
def buffer_and_logits_swapped(**inputs):
    model, sae, buffer, logits = right(**inputs)
    return Memory(model, sae, logits, buffer)


@memories.wrong("this is right for sae. Have the fields changed places")
def another_order(**inputs):
    model, sae, buffer, logits = right(**inputs)
    return sae, model, buffer, logits


@memories.wrong("a tuple of 3; expected 4")
def three_of_four(**inputs):
    return tuple(right(**inputs))[:3]


@memories.wrong(r"expected Memory\(model, sae, buffer, logits\)")
def summed(**inputs):
    return sum(right(**inputs))


@memories.wrong(r"expected Memory\(model, sae, buffer, logits\)")
def the_class(**inputs):
    return Memory


@memories.wrong("returned nothing")
def no_return(**inputs):
    right(**inputs)


@memories.wrong("keep the first line")
def other_names(*, params, model_bytes, d_in, d_sae, buffer_rows, eval_rows, context, d_vocab):
    return Memory(1, 1, 1, 1)


@memories.wrong("expected a number")
def text(**inputs):
    return Memory(*(f"{value} bytes" for value in right(**inputs)))


@memories.wrong("expected a single number")
def several_numbers(**inputs):
    return Memory(*(torch.tensor([value, value]) for value in right(**inputs)))
