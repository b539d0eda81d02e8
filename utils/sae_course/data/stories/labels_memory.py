"""What was seen before in the story: words, pairs and runs that return, and series that go on."""

import numpy as np

from .labels_reading import Ints, Mask, Reading
from .labels_words import ranks
from .vocabulary import WORDS


class Memory:
    """The repetitions of a reading, [batch, pos]. A run counts by its last token: what follows is unknown."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        size = len(WORDS)
        story, tokens = reading.story, reading.tokens
        self.word_again, _ = self._again(story * size + tokens, 1)
        previous = reading.before(tokens)
        self.pair_again, pair = self._again((story * size + previous) * size + tokens, 2)
        # Two pairs that share their middle word make a run of three. A pair's number is below tokens.size.
        self.three_again, _ = self._again(reading.before(pair) * tokens.size + pair, 3)

    def _again(self, key: Ints, length: int) -> tuple[Mask, Ints]:
        """(whether this run of words was in the story before, a number that is the same for the same run)."""
        reading = self.reading
        complete = reading.word & reading.before(reading.word, length - 1)
        _, where, number = np.unique(key, return_index=True, return_inverse=True)
        again = np.ones(key.size, bool)
        again[where] = False
        return again.reshape(key.shape) & complete, number.reshape(key.shape)

    def next_of(self, series: str) -> Mask:
        """A word of a series ("number", "ordinal", "day") that is next after the one the story had last."""
        reading = self.reading
        member, rank = reading.is_in(series), ranks(series)[reading.tokens]
        earlier = reading.before(reading.latest(rank, member))
        return member & (earlier > 0) & (rank == earlier + 1)

    def number_due(self) -> Mask:
        """A comma in a count: after "one", or after a number that followed on the one before."""
        reading = self.reading
        return reading.equals(",") & reading.before(self.next_of("number") | reading.equals("one"))

    def day_due(self) -> Mask:
        """The word "on" where the story has named a day."""
        reading = self.reading
        return reading.equals("on") & (reading.last(reading.is_in("day")) >= 0)
