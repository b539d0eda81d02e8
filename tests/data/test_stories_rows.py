"""Rows of tokens: the same again from the same address, other ones from any other."""

import hashlib

import numpy as np
import pytest

from sae_course.data.stories.rows import BLOCK, rows, story
from sae_course.data.stories.vocabulary import BOS, EOS, PAD, UNK, WORDS, decode, encode
from sae_course.runtime.errors import CourseError


def test_the_rows_that_the_models_were_trained_on() -> None:
    """The shipped models' data: a change of a word or of a stream would make them strangers to it."""
    digest = hashlib.sha256(" ".join(WORDS).encode())
    for register in ("stories", "notices"):
        for split in ("train", "test"):
            digest.update(rows(512, 256, split=split, register=register).astype("<u2").tobytes())
    assert digest.hexdigest()[:16] == "45bc9f1111aaee4a"


@pytest.mark.parametrize("start", [1, BLOCK - 1, BLOCK, 2 * BLOCK + 7])
@pytest.mark.parametrize("register", ["stories", "notices"])
def test_any_slice_can_be_made_again(start: int, register: str) -> None:
    whole = rows(4 * BLOCK, 64, register=register)
    assert np.array_equal(rows(70, 64, register=register, start=start), whole[start : start + 70])


def test_a_longer_row_begins_as_the_shorter_of_its_block_does() -> None:
    assert np.array_equal(rows(1, 300)[:, :64], rows(1, 64))


def test_rows_are_whole_stories_between_marks() -> None:
    batch = rows(100, 600)
    assert batch.dtype == np.uint16
    assert batch.shape == (100, 600)
    assert (batch[:, 0] == BOS).all()
    assert (batch[:, 1:] != BOS).all()
    assert (batch != PAD).all()
    assert (batch != UNK).all()
    for row in batch:
        ends = np.flatnonzero(row == EOS)
        assert 2 <= len(ends) <= 6
        texts = [decode(part.tolist()) for part in np.split(row[1:], ends - 1)]
        assert all(text.removeprefix("<eos> ")[-1] in '.!?"' for text in texts[:-1])


@pytest.mark.parametrize("other", [{"seed": 1}, {"split": "test"}, {"register": "notices"}, {"start": 640}])
def test_another_address_is_other_text(other: dict[str, object]) -> None:
    here, there = rows(64, 128), rows(64, 128, **other)  # type: ignore[arg-type]
    assert not {row.tobytes() for row in here} & {row.tobytes() for row in there}


def test_train_and_test_share_no_story() -> None:
    def stories(split: str) -> set[bytes]:
        return {row[: np.argmax(row == EOS)].tobytes() for row in rows(2_000, 256, split=split)}

    train, test = stories("train"), stories("test")
    assert len(train) == len(test) == 2_000
    assert not train & test


def test_text_and_tokens_are_the_same_story() -> None:
    for register in ("stories", "notices"):
        for index in range(300):
            told = story(index, register=register)
            assert encode(told.text) == told.tokens
            assert [WORDS[token] for token in told.tokens] == told.words
    for row in rows(50, 200).tolist():
        assert encode(decode(row)) == row


def test_readable_text() -> None:
    words = 'one day , Mary asked , " where is my ball ? " " here ! " said Tom on monday . i see " pop " .'
    text = 'One day, Mary asked, "Where is my ball?" "Here!" said Tom on Monday. I see "Pop".'
    assert decode(encode(words)) == text
    assert encode(text) == encode(words)


def test_any_spelling_and_unknown_words() -> None:
    assert encode("MARY went") == encode("Mary WENT") == encode("mary went")
    assert encode("Mary saw a spaceship.")[3:] == [UNK, encode(".")[0]]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"split": "validation"}, "validation.*train, test"),
        ({"register": "poems"}, "poems.*stories, notices"),
        ({"n_rows": 0}, "0 rows"),
        ({"n_ctx": 1}, "of 1 tokens"),
        ({"start": -1}, "from row -1"),
    ],
)
def test_a_wrong_address_is_named(bad: dict[str, object], said: str) -> None:
    with pytest.raises(CourseError, match=said):
        rows(**{"n_rows": 1, "n_ctx": 8, **bad})  # type: ignore[arg-type]


def test_a_token_of_another_vocabulary_is_named() -> None:
    with pytest.raises(CourseError, match="50256"):
        decode([1, 50256])
