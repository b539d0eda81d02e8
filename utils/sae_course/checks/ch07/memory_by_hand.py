"""Check of 7.3 training_memory: bytes of the model, the SAE, the buffer and the logits."""

import math
from typing import NamedTuple

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from .amounts import Rule, compare_numbers


class Sizes(NamedTuple):
    """The arguments of training_memory."""

    n_params: int
    model_bytes: int
    d_in: int
    d_sae: int
    buffer_rows: int
    eval_rows: int
    context: int
    d_vocab: int


class Memory(NamedTuple):
    """Bytes."""

    model: float
    sae: float
    buffer: float
    logits: float


def _right(s: Sizes) -> Memory:
    """Every tensor by its shape."""
    weights = [(s.d_in, s.d_sae), (s.d_sae,), (s.d_sae, s.d_in), (s.d_in,)]
    copies = ["weights", "gradients", "average", "average of squares"]
    activations = (s.buffer_rows, s.context, s.d_in)
    return Memory(
        model=math.prod((s.n_params, s.model_bytes)),
        sae=sum(math.prod((*shape, 4)) for shape in weights for _ in copies),
        buffer=sum(math.prod((*activations, 4)) for _ in ("old", "parts", "new")),
        logits=math.prod((s.eval_rows, s.context, s.d_vocab, 4)),
    )


def _sae_params(s: Sizes) -> int:
    return 2 * s.d_in * s.d_sae + s.d_sae + s.d_in


def _units(field: str) -> dict[str, Rule]:
    """What goes wrong with all four."""

    def scaled(factor: float) -> Rule:
        return lambda s: getattr(_right(s), field) * factor

    return {
        "this is in GiB (1024³ bytes); bytes are wanted.": scaled(1 / 1024**3),
        "this is in GB (10⁹ bytes); bytes are wanted.": scaled(1e-9),
        "this is in MiB (1024² bytes); bytes are wanted.": scaled(1 / 1024**2),
        "this is in MB (10⁶ bytes); bytes are wanted.": scaled(1e-6),
        "these are bits; a byte has 8 of them.": scaled(8),
    }


MODEL: dict[str, Rule] = {
    "this is the number of parameters; each takes `model_bytes` bytes.": lambda s: s.n_params,
    "every parameter has 4 bytes here; the model's have `model_bytes`.": lambda s: 4 * s.n_params,
    "every parameter has 2 bytes here; the model's have `model_bytes`.": lambda s: 2 * s.n_params,
    "this is twice the weights. The model is not trained: it has no gradients.": lambda s: (
        2 * s.model_bytes * s.n_params
    ),
    "this is four times the weights. The model is not trained: it has no gradients and no averages.": (
        lambda s: 4 * s.model_bytes * s.n_params
    ),
    "the SAE's weights are in it; they belong to `sae` alone.": lambda s: (
        s.model_bytes * (s.n_params + _sae_params(s))
    ),
    "the SAE's memory is in it; it belongs to `sae` alone.": lambda s: (
        s.model_bytes * s.n_params + 16 * _sae_params(s)
    ),
    **_units("model"),
}
SAE: dict[str, Rule] = {
    "the SAE's numbers have 4 bytes whatever the model's have: 4, not `model_bytes`.": lambda s: (
        4 * s.model_bytes * _sae_params(s)
    ),
    "this is the number of the SAE's parameters: 4 bytes each, and four times that.": _sae_params,
    "this is 4 times the number of parameters: each has 4 bytes, and weights, gradients and Adam's two "
    "averages make it four times that, so 16.": lambda s: 4 * _sae_params(s),
    "this is two times the weights. Weights, gradients and Adam's two averages make four.": lambda s: (
        8 * _sae_params(s)
    ),
    "this is three times the weights. Weights, gradients and Adam's two averages make four: is Adam counted "
    "once, or are the gradients missing?": lambda s: 12 * _sae_params(s),
    "both biases are missing: d_sae of the encoder, d_in of the decoder.": lambda s: 32 * s.d_in * s.d_sae,
    "the decoder's bias is missing: d_in more parameters.": lambda s: 16 * (_sae_params(s) - s.d_in),
    "the encoder's bias is missing: d_sae more parameters.": lambda s: 16 * (_sae_params(s) - s.d_sae),
    "both biases have d_in numbers here; the encoder's has d_sae.": lambda s: (
        16 * (2 * s.d_in * s.d_sae + 2 * s.d_in)
    ),
    "both biases have d_sae numbers here; the decoder's has d_in.": lambda s: (
        16 * (2 * s.d_in * s.d_sae + 2 * s.d_sae)
    ),
    "only one matrix is counted; encoder and decoder are two.": lambda s: (
        16 * (_sae_params(s) - s.d_in * s.d_sae)
    ),
    "this is one matrix alone: the other one and both biases are missing.": lambda s: 16 * s.d_in * s.d_sae,
    "the biases are counted once; they have gradients and averages, too: four times everything.": lambda s: (
        32 * s.d_in * s.d_sae + 4 * (s.d_sae + s.d_in)
    ),
    "these are the model's parameters; the SAE has 2·d_in·d_sae + d_sae + d_in.": lambda s: 16 * s.n_params,
    **_units("sae"),
}
BUFFER: dict[str, Rule] = {
    "the activations have 4 bytes whatever the model's parameters have: 4, not `model_bytes`.": lambda s: (
        3 * s.model_bytes * s.buffer_rows * s.context * s.d_in
    ),
    "the buffer is counted once; while it is filled anew there are three.": lambda s: (
        4 * s.buffer_rows * s.context * s.d_in
    ),
    "the buffer is counted twice; the old one, the new parts and their copy are three.": lambda s: (
        8 * s.buffer_rows * s.context * s.d_in
    ),
    "the buffer is counted four times; the old one, the new parts and their copy are three.": lambda s: (
        16 * s.buffer_rows * s.context * s.d_in
    ),
    "this is how many numbers there are in all three; each has 4 bytes.": lambda s: (
        3 * s.buffer_rows * s.context * s.d_in
    ),
    "this is how many numbers one buffer has: 4 bytes each, and three times that.": lambda s: (
        s.buffer_rows * s.context * s.d_in
    ),
    "`context` is missing: the buffer's rows are of `context` tokens, an activation each.": lambda s: (
        12 * s.buffer_rows * s.d_in
    ),
    "`context` is missing, and the buffer is there three times.": lambda s: 4 * s.buffer_rows * s.d_in,
    "d_in is missing: an activation has d_in numbers.": lambda s: 12 * s.buffer_rows * s.context,
    "d_sae numbers for a token are the SAE's latents; the buffer holds the model's activations, of d_in.": (
        lambda s: 12 * s.buffer_rows * s.context * s.d_sae
    ),
    "these are the rows of the evaluation; the buffer has `buffer_rows`.": lambda s: (
        12 * s.eval_rows * s.context * s.d_in
    ),
    **_units("buffer"),
}
LOGITS: dict[str, Rule] = {
    "the logits have 4 bytes whatever the model's parameters have: 4, not `model_bytes`.": lambda s: (
        s.model_bytes * s.eval_rows * s.context * s.d_vocab
    ),
    "this is how many logits there are; each has 4 bytes.": lambda s: s.eval_rows * s.context * s.d_vocab,
    "these are the logits of one row; a batch has `eval_rows`.": lambda s: 4 * s.context * s.d_vocab,
    "`context` is missing: there are logits at every token of a row.": lambda s: 4 * s.eval_rows * s.d_vocab,
    "d_in numbers for each token are activations; logits are d_vocab.": lambda s: (
        4 * s.eval_rows * s.context * s.d_in
    ),
    "d_sae numbers for each token are latents; logits are d_vocab.": lambda s: (
        4 * s.eval_rows * s.context * s.d_sae
    ),
    "these are the rows of the buffer; an evaluation batch has `eval_rows`.": lambda s: (
        4 * s.buffer_rows * s.context * s.d_vocab
    ),
    "the logits are there once; three times is the buffer.": lambda s: (
        12 * s.eval_rows * s.context * s.d_vocab
    ),
    "the logits are there once; four times is the SAE.": lambda s: 16 * s.eval_rows * s.context * s.d_vocab,
    **_units("logits"),
}
MISTAKES = {"model": MODEL, "sae": SAE, "buffer": BUFFER, "logits": LOGITS}


@exercise("7.3", "training_memory", minutes=8, hints=1)
def training_memory(t: Trial, student: Function) -> None:
    """Models of 4 and of 2 bytes; every size is another number, and none is a factor by itself."""
    for number, case in enumerate(t.cases(4)):
        sizes = _sizes(case, number)
        compare_numbers(t, student, sizes, _right(sizes), mistakes=MISTAKES, kind="Memory")


def _sizes(case: Case, number: int) -> Sizes:
    """4 bytes come first: there, a factor 2 too many is not the same as 4 bytes in place of model_bytes."""

    def whole(low: int, high: int) -> int:
        return int(case.integers("", low, high))

    return Sizes(
        n_params=whole(1_000_000, 900_000_000),
        model_bytes=(4, 2)[number % 2],
        d_in=whole(70, 180),
        d_sae=whole(600, 1900),
        buffer_rows=whole(20, 60),
        eval_rows=whole(5, 15),
        context=whole(200, 500),
        d_vocab=whole(5_000, 60_000),
    )
