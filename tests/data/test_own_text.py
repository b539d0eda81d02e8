"""Own text: what can't be read is said in one sentence, and what can comes back as it was."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from sae_course.data.text import read_text, split, text_rows, train_tokenizer
from sae_course.data.text import rows as rows_module
from sae_course.data.text.rows import FEWEST_HELD_OUT, FEWEST_TRAIN
from sae_course.data.tokenizers import dump, read, wrap
from sae_course.runtime import CourseError

SHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "shakespeare.txt"

WORDS = ["Anna", "Béla", "likes", "hates", "snow", "naïve", "日本", "🙂", "and", "drums"]


def made_up(n_words: int = 6000, seed: int = 0) -> str:
    picked = np.random.default_rng(seed).integers(0, len(WORDS), n_words)
    return "".join(WORDS[i] + ("\n" if place % 9 == 8 else " ") for place, i in enumerate(picked))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(made_up(), 300)


def written(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty.*blank"),
        (b"\xef\xbb\xbf", "empty"),
        (b"word \xe9 word", r"not UTF-8 text \(byte 5 is 0xe9\).*iconv"),
        ("wörd".encode("utf-16"), r"not UTF-8.*byte 0 is 0xff.*perhaps UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", r"binary.*byte 0 is 0x89"),
        (b"plain letters \0 and more", r"binary.*byte 14 is zero"),
        (b"whole until " + "é".encode()[:1], r"byte 12 is 0xc3"),
    ],
)
def test_what_is_no_text(raw, said, tmp_path):
    with pytest.raises(CourseError, match=said):
        read_text(written(tmp_path, raw))


def test_what_is_no_file(tmp_path):
    with pytest.raises(CourseError, match="no file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(CourseError, match="is a folder"):
        read_text(tmp_path)
    with pytest.raises(CourseError, match="is a device"):
        read_text(Path(os.devnull))


def test_byte_order_mark_and_line_ends(tmp_path):
    raw = b"\xef\xbb\xbf" + "één\r\ntwo\rthree\n".encode()
    assert read_text(written(tmp_path, raw)) == "één\ntwo\nthree\n"


def test_the_last_tenth_is_held_out_from_a_line_on():
    text = made_up()
    train, held_out = split(text)
    assert train + held_out == text
    assert len(held_out) / len(text) == pytest.approx(0.1, abs=0.01)
    assert train.endswith("\n")
    one_line = "a" * 10_000
    assert [len(part) for part in split(one_line)] == [9_000, 1_000]


def test_any_text_comes_back(tokenizer):
    for text in (made_up(50, seed=3), "Ein Löwe?\n\n  \t«Ça»  über 9 €, \u200b\u0301", "", "<notes>"):
        assert tokenizer.decode(tokenizer.encode(text)[1:]) == text


def test_special_tokens(tokenizer):
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "<bos>", "<eos>"]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    batch = tokenizer(["snow", "snow and drums and snow"], padding=True)["input_ids"]
    assert [row[0] for row in batch] == [1, 1]
    assert batch[0][-1] == 0


def test_the_vocabulary_has_the_size_asked_for_if_the_text_has_enough(tokenizer):
    assert len(tokenizer) == 300
    assert len(train_tokenizer("ab " * 3000, 2000)) == 259 + 2, "ab, and the same after a space"
    for size in (0, 259, 50_001):
        with pytest.raises(CourseError, match=r"260 to 50,000"):
            train_tokenizer(made_up(), size)


def test_the_tokenizer_learns_from_the_training_part_only():
    text = "ab cd " * 5000 + "\n" + "xyzzy " * 300
    assert "xyzzy" not in split(text)[0]
    assert not [token for token in train_tokenizer(text, 300).get_vocab() if "xy" in token]


def test_the_same_text_gives_the_same_tokenizer(tokenizer):
    assert dump(train_tokenizer(made_up(), 300)) == dump(tokenizer)


def test_rows_are_the_text_in_order(tokenizer):
    text = made_up()
    train, held_out = text_rows(text, tokenizer, 32)
    for rows, part in zip((train, held_out), split(text), strict=True):
        assert rows.dtype == np.uint16
        assert rows.shape[1] == 32
        assert (rows[:, 0] == 1).all()
        again = tokenizer.decode(rows[:, 1:].ravel())
        assert part.startswith(again.rstrip("\ufffd"))
        assert len(part) - len(again) < 32 * 10, "less than a row is left out"


def test_long_texts_are_tokenised_in_pieces(tokenizer, monkeypatch):
    text = made_up()
    whole = text_rows(text, tokenizer, 32)
    monkeypatch.setattr(rows_module, "_AT_ONCE", 500)
    pieces = text_rows(text, tokenizer, 32)
    assert (whole[0] == pieces[0]).all()
    assert (whole[1] == pieces[1]).all()
    one_line = text.replace("\n", " ")  # no place to cut at but inside the words
    again = tokenizer.decode(text_rows(one_line, tokenizer, 32)[0][:, 1:].ravel())
    assert one_line.startswith(again.rstrip("\ufffd"))


def test_rows_after_a_truncated_call(tokenizer):
    """`to_tokens` truncates to the model's context, and a fast tokenizer remembers that."""
    whole = text_rows(made_up(), tokenizer, 32)[0]
    tokenizer("snow and snow and snow", truncation=True, max_length=3, padding=True)
    assert text_rows(made_up(), tokenizer, 32)[0].shape == whole.shape


def test_a_short_text_says_how_much_is_needed(tokenizer):
    with pytest.raises(
        CourseError, match=r"has [\d,]+ tokens.*256 at once needs about 14,200.*50 rows.*5 held"
    ) as told:
        text_rows(made_up(1000), tokenizer, 256)
    assert "too short" in str(told.value)
    # And that much is enough.
    tokens = len(tokenizer.encode(made_up())) - 1
    n_words = int(6000 * 14_200 / tokens * 1.03)
    train, held_out = text_rows(made_up(n_words), tokenizer, 256)
    assert len(train) >= FEWEST_TRAIN
    assert len(held_out) >= FEWEST_HELD_OUT


def test_a_tokenizer_file(tokenizer, tmp_path):
    path = tmp_path / "mine.tokenizer.json"
    with pytest.raises(CourseError, match="missing"):
        read(path)
    tokenizer("snow and snow and snow", truncation=True, max_length=3)
    text = dump(tokenizer)
    assert json.loads(text)["truncation"] is None
    assert json.loads(text)["padding"] is None
    path.write_text(text, encoding="utf-8")
    again = read(path)
    assert again.encode("snow and naïve 日本") == tokenizer.encode("snow and naïve 日本")
    for damaged in (text[:-5], "", "{}", "[1]"):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(CourseError, match=r"can't be read as a tokenizer.*Train the model again"):
            read(path)


def test_a_tokenizer_without_our_special_tokens_is_refused():
    with pytest.raises(CourseError, match="should be 0, 1 and 2"):
        wrap(Tokenizer(models.WordLevel({"<bos>": 0, "<pad>": 1, "<eos>": 2}, unk_token="<pad>")), "odd")


@pytest.mark.skipif(
    not SHAKESPEARE.exists(), reason="shared/data/shakespeare.txt is not beside this checkout"
)
def test_shakespeare():
    text = read_text(SHAKESPEARE)
    tokenizer = train_tokenizer(text, 2000)
    train, held_out = text_rows(text, tokenizer, 256)
    assert len(tokenizer) == 2000
    assert len(train) > 1000
    assert len(held_out) > 100
    assert tokenizer.decode(train[0][1:]) == text[: len(tokenizer.decode(train[0][1:]))]
