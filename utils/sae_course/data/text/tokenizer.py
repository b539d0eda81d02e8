"""A tokenizer trained on a text: byte-level BPE, so that any text can be read with it afterwards."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...runtime import CourseError
from ..tokenizers import SPECIAL, wrap
from .rows import split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# The specials and the 256 bytes come first; what is left is learned. More would not fit the rows' 16 bits.
SMALLEST, LARGEST = len(SPECIAL) + 256 + 1, 50_000
# The commonest pairs of a long text are those of its first part.
_READ = 20_000_000


def train_tokenizer(text: str, vocab_size: int = 2000, name: str = "text") -> "PreTrainedTokenizerFast":
    """A tokenizer with at most ``vocab_size`` tokens, trained on the part of ``text`` that a model trains on.

    A short text may have too few repeated pairs for that many.

    Raises:
        CourseError: when ``vocab_size`` is too small for the bytes or too large.
    """
    if not SMALLEST <= vocab_size <= LARGEST:
        raise CourseError(
            f"A vocabulary of {vocab_size:,} tokens can't be made: choose {SMALLEST} to {LARGEST:,} (every "
            "byte is a token; a mini model has room for about 2,000)."
        )
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(split(text)[0][:_READ]), trainer)
    return wrap(tokenizer, name)


def _lines(text: str) -> Iterator[str]:
    yield from text.splitlines(keepends=True)
