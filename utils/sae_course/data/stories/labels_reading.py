"""Rows of tokens, read from left to right all at once: where stories begin, what is remembered in them."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from ...runtime import CourseError
from .labels_words import class_columns
from .vocabulary import BOS, EOS, PAD, WORD_IDS, WORDS

Mask = Bool[np.ndarray, "batch pos"]
Ints = Int[np.ndarray, "batch pos"]


class Reading:
    """Token rows with the few operations from which every label is made.

    Each looks only at the tokens up to its own position and never past the beginning of its story: nothing
    is remembered across BOS, EOS and PAD. A row may also begin in the middle of things, without BOS.

    Positions are integers along the row, and -1 where there is none. Tokens are [batch, pos], or one row.

    Raises:
        CourseError: when the tokens are not integers in that shape, or not of the stories' vocabulary.
    """

    def __init__(self, tokens: Ints) -> None:
        array = np.asarray(tokens)
        if array.ndim == 1:
            array = array[None]
        if array.ndim != 2 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
            raise CourseError(
                f"labels need integer token ids [batch, pos], or one row of them; "
                f"these are {array.dtype} {list(array.shape)}."
            )
        if array.size and (array.min() < 0 or array.max() >= len(WORDS)):
            raise CourseError(
                f"labels found token ids from {array.min()} to {array.max()}; the stories' vocabulary has "
                f"0 to {len(WORDS) - 1}. Use the stories' own tokenizer for the text."
            )
        self.tokens = array.astype(np.int64)
        special = (array == PAD) | (array == BOS) | (array == EOS)
        self.word = ~special
        self._here = np.arange(array.shape[1], dtype=np.int32)[None]
        self._first = np.maximum.accumulate(np.where(special, self._here + 1, 0), axis=1)
        self._classes: dict[str, Mask] = {}

    def is_in(self, name: str) -> Mask:
        """Whether each token is in a class of `labels_words.CLASSES`."""
        if name not in self._classes:
            self._classes[name] = class_columns()[name][self.tokens]
        return self._classes[name]

    def is_any(self, *names: str) -> Mask:
        """Whether each token is in one of several classes."""
        return np.logical_or.reduce([self.is_in(name) for name in names])

    def equals(self, *words: str) -> Mask:
        """Whether each token is one of a few words; one that the vocabulary lacks is never seen."""
        return np.logical_or.reduce([self.tokens == WORD_IDS.get(word, -1) for word in words])

    @cached_property
    def story(self) -> Ints:
        """A number for each story, different in every row."""
        row = np.arange(len(self.tokens), dtype=np.int64)[:, None]
        return self._first + row * (self.tokens.shape[1] + 1)

    @cached_property
    def first(self) -> Mask:
        """The first word of each story."""
        return self.word & (self._first == self._here)

    def last(self, event: Mask) -> Ints:
        """Where `event` was last true, this token included, in this story."""
        where = np.maximum.accumulate(np.where(event, self._here, -1), axis=1)
        return np.where(where >= self._first, where, -1)

    def at(self, value: np.ndarray, position: Ints) -> np.ndarray:
        """`value` at an earlier position; 0 or False where the position is -1."""
        found = np.take_along_axis(value, np.maximum(position, 0), axis=1)
        return np.where(position >= 0, found, np.zeros((), value.dtype))

    def before(self, value: np.ndarray, steps: int = 1) -> np.ndarray:
        """`value` a few tokens earlier in this story; 0 or False where there was no word yet."""
        shifted = np.zeros_like(value)
        shifted[:, steps:] = value[:, : max(value.shape[1] - steps, 0)]
        return np.where(self._here - steps >= self._first, shifted, np.zeros((), value.dtype))

    def latest(self, value: np.ndarray, event: Mask) -> np.ndarray:
        """`value` where `event` was last true in this story; 0 or False where it never was."""
        return self.at(value, self.last(event))

    def count(self, event: Mask) -> Ints:
        """How often `event` was true in this story so far, this token included."""
        total = np.cumsum(event & self.word, axis=1, dtype=np.int32)
        earlier = np.take_along_axis(total, np.maximum(self._first - 1, 0), axis=1)
        return total - np.where(self._first > 0, earlier, 0)

    def since(self, event: Mask, until: Mask) -> Mask:
        """From each `event`, itself included, to the token before the next `until`."""
        return self.last(event) > self.last(until)
