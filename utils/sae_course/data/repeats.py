"""Lists of words that come twice: text in which everybody knows where the repeats are."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ..runtime import CourseError
from ..runtime.streams import stream_seed


class Repeats(NamedTuple):
    """Rows of BOS, ``period`` different words, and the same words again in the same order."""

    tokens: Int[np.ndarray, "rows 2*period+1"]
    period: int

    @property
    def first(self) -> Bool[np.ndarray, "rows pos"]:
        """The first list from its second word on: as many places as ``second``, all but one with its words.

        The first word is left out: all that stands before it is BOS.
        """
        return self._places(2, self.period + 1)

    @property
    def second(self) -> Bool[np.ndarray, "rows pos"]:
        """The second list but for its last word, after which nothing comes that was seen to come.

        At its first word what follows is known already: the word was there before.
        """
        return self._places(self.period + 1, 2 * self.period)

    @property
    def followed(self) -> Int[np.ndarray, "rows pos"]:
        """At each place of ``second``, the place of what followed this word last time; −1 elsewhere."""
        places = np.broadcast_to(np.arange(self.tokens.shape[1]), self.tokens.shape)
        return np.where(self.second, places - self.period + 1, -1)

    def _places(self, start: int, stop: int) -> Bool[np.ndarray, "rows pos"]:
        found = np.zeros(self.tokens.shape, dtype=bool)
        found[:, start:stop] = True
        return found


def repeated_lists(
    words: Int[np.ndarray, " words"], n_rows: int, period: int, *, bos: int, seed: int = 0
) -> Repeats:
    """Rows of ``period`` of the words, drawn without replacement in random order, twice.

    No word stands twice in one list, so that each word of the second list has one place where it stood
    before.

    Args:
        words: token ids to draw from, such as `common_tokens`.
        bos: the id that each row begins with.
        seed: another gives other rows; nothing of it is shared with models, data or SAEs of that seed.

    Raises:
        CourseError: when there are fewer words than a list has, or nothing to draw.
    """
    if n_rows < 1 or period < 3:
        raise CourseError(
            f"{n_rows} rows of lists of {period} words: it takes at least one row, and three words."
        )
    if len(np.unique(words)) < period:
        raise CourseError(
            f"A list of {period} different words can't be drawn from {len(np.unique(words))}: give more "
            "words, or a shorter period."
        )
    stream = np.random.Generator(np.random.PCG64(stream_seed("repeated lists", seed)))
    different = np.unique(words)
    lists = np.stack([stream.permutation(different)[:period] for _ in range(n_rows)])
    begins = np.full((n_rows, 1), bos, dtype=np.int64)
    return Repeats(np.concatenate([begins, lists, lists], axis=1), period)


def common_tokens(rows: Int[np.ndarray, "rows pos"], n: int, *, without: set[int]) -> Int[np.ndarray, " n"]:
    """The ``n`` most frequent token ids of some text, most frequent first.

    Args:
        without: ids that are no words: BOS, padding.

    Raises:
        CourseError: when there are not so many.
    """
    ids, counts = np.unique(rows, return_counts=True)
    kept = ~np.isin(ids, list(without))
    ids, counts = ids[kept], counts[kept]
    if len(ids) < n:
        raise CourseError(
            f"These rows hold {len(ids)} different tokens, and {n} were asked for: read more rows."
        )
    return ids[np.argsort(-counts, kind="stable")][:n]
