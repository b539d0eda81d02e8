"""Lists that come twice: what is known of every place in them, against a loop over the words."""

import numpy as np
import pytest

from sae_course.data.repeats import Repeats, common_tokens, repeated_lists
from sae_course.runtime import CourseError

WORDS = np.array([40, 7, 19, 3, 100, 55, 21, 8, 63, 12])


@pytest.mark.parametrize("period", [3, 6, 10])
def test_each_row_is_bos_and_a_list_and_the_same_list(period: int) -> None:
    made = repeated_lists(WORDS, 50, period, bos=1, seed=2)
    assert made.tokens.shape == (50, 2 * period + 1)
    assert np.issubdtype(made.tokens.dtype, np.integer)
    assert made.period == period
    for row in made.tokens.tolist():
        one, two = row[1 : period + 1], row[period + 1 :]
        assert row[0] == 1
        assert one == two
        assert len(set(one)) == period, "each word once"
        assert set(one) <= set(WORDS.tolist())


@pytest.mark.parametrize("period", [3, 6, 10])
def test_what_is_known_of_each_place(period: int) -> None:
    made = repeated_lists(WORDS, 20, period, bos=1)
    assert made.first.shape == made.second.shape == made.followed.shape == made.tokens.shape
    for row, words in enumerate(made.tokens.tolist()):
        for place, word in enumerate(words):
            before = [at for at in range(place) if words[at] == word]
            # The word stood before and something comes next: that which followed it then.
            known = bool(before) and place < 2 * period
            assert made.second[row, place] == known
            assert made.first[row, place] == (1 < place <= period)
            if known:
                assert made.followed[row, place] == before[0] + 1
                assert words[made.followed[row, place]] == words[place + 1]
            else:
                assert made.followed[row, place] == -1
    # What follows is, each place once, what `first` marks.
    for row in range(20):
        followed = made.followed[row][made.second[row]]
        assert followed.tolist() == np.flatnonzero(made.first[row]).tolist()


def test_the_seed_decides_and_nothing_else() -> None:
    rows = {seed: repeated_lists(WORDS, 30, 5, bos=1, seed=seed).tokens for seed in (0, 1)}
    assert not np.array_equal(rows[0], rows[1])
    np.random.seed(7)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    again = repeated_lists(WORDS, 30, 5, bos=1).tokens
    assert np.array_equal(again, rows[0])
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index]
    assert np.array_equal(repeated_lists(np.tile(WORDS[::-1], 2), 30, 5, bos=1).tokens, rows[0])
    assert len({tuple(row) for row in rows[0].tolist()}) == 30


def test_every_word_comes_at_every_place() -> None:
    one = repeated_lists(WORDS, 4000, 4, bos=1).tokens[:, 1:5]
    for place in range(4):
        counts = np.array([(one[:, place] == word).sum() for word in WORDS])
        assert np.abs(counts - 400).max() < 4.5 * np.sqrt(4000 * 0.1 * 0.9)


@pytest.mark.parametrize(
    ("n_words", "n_rows", "period", "message"),
    [
        (10, 0, 5, "0 rows of lists of 5 words"),
        (10, 1, 2, "lists of 2 words"),
        (4, 1, 5, "5 different words can't be drawn from 4"),
    ],
)
def test_lists_that_cannot_be(n_words: int, n_rows: int, period: int, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        repeated_lists(np.tile(WORDS[:n_words], 3), n_rows, period, bos=1)


def test_common_tokens() -> None:
    rows = np.array([[1, 5, 5, 9, 2], [1, 9, 5, 4, 2], [1, 4, 8, 0, 0]])
    assert common_tokens(rows, 3, without={1, 0}).tolist() == [5, 2, 4]  # of as many, the smaller id
    assert common_tokens(rows, 2, without=set()).tolist() == [1, 5]
    assert common_tokens(rows, 6, without={1}).tolist() == [5, 0, 2, 4, 9, 8]
    with pytest.raises(CourseError, match="hold 5 different tokens, and 6 were asked for"):
        common_tokens(rows, 6, without={1, 0})


def test_repeats_are_a_plain_pair() -> None:
    tokens, period = repeated_lists(WORDS, 2, 4, bos=1)
    assert np.array_equal(Repeats(tokens, period).second, repeated_lists(WORDS, 2, 4, bos=1).second)
