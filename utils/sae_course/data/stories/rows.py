"""Token rows for training: ``<bos>``, then whole stories with ``<eos>`` between, cut at the row's end."""

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...runtime.errors import CourseError
from ...runtime.streams import stream_seed
from .grammar import tell_story
from .notices import tell_notice
from .tale import Sentence
from .vocabulary import BOS, EOS, WORD_IDS, decode

BLOCK = 64
"""Rows made from one random stream: any slice can be made again by making its blocks."""
SPLITS = ("train", "test")
REGISTERS: dict[str, Callable[[random.Random], list[Sentence]]] = {
    "stories": tell_story,
    "notices": tell_notice,
}


class Story(NamedTuple):
    """One story, or one notice."""

    sentences: tuple[Sentence, ...]

    @property
    def words(self) -> list[str]:
        return " ".join(sentence.words for sentence in self.sentences).split()

    @property
    def tokens(self) -> list[int]:
        """Token ids, without ``<bos>`` and ``<eos>``."""
        return [WORD_IDS[word] for word in self.words]

    @property
    def text(self) -> str:
        """As a reader wants it: capitals, and no space before a full stop."""
        return decode(self.tokens)


def story(index: int, seed: int = 0, split: str = "train", register: str = "stories") -> Story:
    """Story number ``index`` of a stream of its own (not the one that ``rows`` reads)."""
    _check(split, register)
    rng = random.Random(stream_seed(f"stories/{split}/{register}/single/{index}", seed))
    return Story(tuple(REGISTERS[register](rng)))


def rows(  # noqa: PLR0917 - one address of a row
    n_rows: int, n_ctx: int, seed: int = 0, split: str = "train", register: str = "stories", start: int = 0
) -> np.ndarray:
    """Rows ``start`` to ``start + n_rows`` of an endless stream, uint16 ``[n_rows, n_ctx]``.

    A row is ``<bos>``, a story, ``<eos>``, the next story, and so on; the last is cut off at the row's end.
    So every row starts at the start of a story and can be labelled alone. Row ``i`` depends on nothing but
    (seed, split, register, n_ctx, i).

    Raises:
        CourseError: for an unknown split or register, or a size below 1.
    """
    _check(split, register)
    if n_rows < 1 or n_ctx < 2 or start < 0:
        raise CourseError(
            f"rows() was asked for {n_rows} rows of {n_ctx} tokens from row {start}. "
            "It needs at least 1 row of at least 2 tokens, and a start of 0 or more.",
        )
    tell = REGISTERS[register]
    out = np.empty((n_rows, n_ctx), dtype=np.uint16)
    first, last = start // BLOCK, (start + n_rows - 1) // BLOCK
    for block in range(first, last + 1):
        rng = random.Random(stream_seed(f"stories/{split}/{register}/{block}", seed))
        begin = block * BLOCK
        for row in range(begin, min(begin + BLOCK, start + n_rows)):
            tokens = _row(rng, n_ctx, tell)
            if row >= start:
                out[row - start] = tokens
    return out


def _row(rng: random.Random, n_ctx: int, tell: Callable[[random.Random], list[Sentence]]) -> list[int]:
    ids = WORD_IDS
    tokens = [BOS]
    while len(tokens) < n_ctx:
        for sentence in tell(rng):
            tokens += [ids[word] for word in sentence.words.split()]
        tokens.append(EOS)
    return tokens[:n_ctx]


def _check(split: str, register: str) -> None:
    for kind, value, known in (("split", split, SPLITS), ("register", register, tuple(REGISTERS))):
        if value not in known:
            raise CourseError(f'The stories have no {kind} "{value}". Known: {", ".join(known)}.')
