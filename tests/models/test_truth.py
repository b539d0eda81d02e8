"""Truth: the data's own labels where they are known, rules over spelling where they are not, and no more."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import own_model

from sae_course.data import othello, stories
from sae_course.data.labels import Labels
from sae_course.data.stories.features import FEATURES
from sae_course.data.stories.labels import labels as story_labels
from sae_course.data.stories.rows import rows
from sae_course.models import cards, token_labels, truth
from sae_course.models.truths import NOT_PUBLISHED, NOT_YOURS, RULES
from sae_course.runtime import CourseError


class Letters:
    """What ``truth`` needs of a tokenizer: here every token is a text given by hand. Token 0 is BOS."""

    all_special_ids = (0,)

    def __init__(self, *texts: str) -> None:
        self.texts = list(dict.fromkeys(("<bos>", *texts)))
        self.ids = np.array([[self.texts.index(text) for text in texts]])

    def batch_decode(self, ids: list[list[int]], **_: object) -> list[str]:
        return ["".join(self.texts[token] for token in row) for row in ids]


def true_of(*texts: str) -> dict[str, list[str]]:
    """The rules that are true of each token: ``{token: [rules]}``, repeats under ``token#place``."""
    tokenizer = Letters(*texts)
    found = truth("gemma-2-2b", tokenizer.ids, "full", tokenizer=tokenizer)
    names = [text if texts.index(text) == place else f"{text}#{place}" for place, text in enumerate(texts)]
    return {name: [rule for rule in found.names if found[rule][0, place]] for place, name in enumerate(names)}


def where(rule: str, *texts: str) -> str:
    """The places where a rule is true, as a string of ``x`` and ``.``."""
    tokenizer = Letters(*texts)
    found = truth("gemma-2-2b", tokenizer.ids, "full", tokenizer=tokenizer)[rule]
    return "".join("x" if value else "." for value in found[0])


def test_stories_have_all_their_labels() -> None:
    tokens = rows(5, 40)
    found, wanted = (
        truth("gemma-2-2b", torch.from_numpy(tokens.astype(np.int64)), "mini"),
        story_labels(tokens),
    )
    assert found.names == wanted.names
    assert (found.values == wanted.values).all()
    assert found.missing == ""
    assert (truth("gemma-2-2b", tokens[0], "mini").values == wanted.values[:1]).all()
    assert stories.__doc__


@pytest.mark.parametrize("scale", ["mini", "full"])
def test_games_have_all_their_labels_at_both_scales(scale: str) -> None:
    tokens = othello.full_games(5).tokens[:, :59]
    found = truth("othello-gpt", tokens, scale)
    assert found.names == othello.FEATURES
    assert (found.values == othello.labels(tokens).values).all()
    assert found.missing == ""


def test_own_text_has_none_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    own_model("mine", cards.own_models())
    found = truth("mine", np.zeros((2, 7), int))
    assert found.values.shape == (2, 7, 0)
    assert found.missing == NOT_YOURS
    with pytest.raises(CourseError, match="no truth for a text of your own"):
        found["inside a quote"]


def test_published_text_says_what_is_not_known() -> None:
    tokenizer = Letters("<bos>", "Hi")
    found = truth("tiny-stories-1L-21M", tokenizer.ids, "full", tokenizer=tokenizer)
    assert found.names == tuple(RULES)
    assert found.missing == NOT_PUBLISHED
    with pytest.raises(CourseError, match="without its truth"):
        found["subject: female"]


def test_words_and_spelling() -> None:
    found = true_of(
        "<bos>", "The", " seven", " Monday", " red", ",", " IBM", " 42", "rd", " She", "!", "\n", "é"
    )
    assert found == {
        "<bos>": [],
        "The": ["capital first letter", "first of a document"],
        " seven": ["number", "begins with a space"],
        " Monday": ["day", "begins with a space", "capital first letter"],
        " red": ["colour", "begins with a space"],
        ",": ["comma", "punctuation"],
        " IBM": ["begins with a space", "capital first letter", "all capitals"],
        " 42": ["begins with a space", "digit"],
        "rd": [],
        " She": ["pronoun", "she or her", "begins with a space", "capital first letter"],
        "!": ["sentence mark", "exclamation or question mark", "punctuation"],
        "\n": ["new line", "after a sentence mark"],
        "é": ["outside ASCII", "first of a line"],
    }


def test_other_words() -> None:
    found = true_of(" third", " never", " his", " under", " March", " ban", "ana", ".")
    assert found == {
        " third": ["ordinal", "begins with a space"],
        " never": ["negation", "begins with a space"],
        " his": ["possessive", "he, him or his", "begins with a space"],
        " under": ["preposition", "begins with a space"],
        " March": ["month", "begins with a space", "capital first letter"],
        " ban": ["begins with a space"],
        "ana": ["goes on a word"],
        ".": ["sentence mark", "punctuation"],
    }


def test_nothing_is_true_of_a_special_token() -> None:
    assert true_of(' "', "a", ".", "\n", "<bos>", "a", "<bos>")["<bos>"] == []
    tokenizer = Letters("a", ".", "<bos>", "<bos>")
    found = truth("gemma-2-2b", tokenizer.ids, "full", tokenizer=tokenizer)
    assert not found.values[0, 2:].any()


@pytest.mark.parametrize(
    ("texts", "inside", "closing"),
    [
        (["He", ' "', "Yes", ",", '"', " he"], ".xxx..", "....x."),
        (['"', "a", '."', ' "', "b"], "xx.xx", "..x.."),
        (["“", "a", "”", "b"], "xx..", "..x."),
        (['"', "a", "\n", "b", '"', "c"], "xx..xx", "......"),  # a new line begins outside
        (['"', "a", "<bos>", "b", '"'], "xx..x", "....."),  # and so does a new document
        (['""', "a"], "..", ".."),
        (["a", '.\n"', "b"], ".xx", "..."),
    ],
)
def test_quotes_open_and_close_in_turn(texts: list[str], inside: str, closing: str) -> None:
    assert where("inside a quote", *texts) == inside
    assert where("closing quote", *texts) == closing


def test_addresses() -> None:
    assert (
        where("inside a URL", "see", " https", "://", "a", ".", "org", " and", " www.", "b", "\n", "c")
        == ".xxxxx.xx.."
    )
    assert where("inside a URL", " http", "<bos>", "a") == "x.."


def test_repeats_count_within_a_document() -> None:
    texts = ["<bos>", "a", "b", "c", "a", "b", "c", "c", "<bos>", "b", "c", "b"]
    assert where("token again", *texts) == "....xxxx...x"
    assert where("pair again", *texts) == ".....xx....."
    assert where("run of three again", *texts) == "......x....."
    assert where("pair again", "a", "a", "a") == "..x"


def test_rules_agree_with_a_slow_reading_of_random_rows() -> None:
    stream = np.random.default_rng(0)
    tokenizer = Letters("a", "b", ' "', "\n", '"c', " http")
    tokens = stream.integers(0, 7, size=(40, 30))
    found = truth("gemma-2-2b", tokens, "full", tokenizer=tokenizer)
    for row, line in enumerate(tokens):
        for place in range(len(line)):
            begin = max((i + 1 for i in range(place + 1) if line[i] == 0), default=0)
            document = line[begin : place + 1]
            for n, name in ((1, "token again"), (2, "pair again"), (3, "run of three again")):
                last = list(document[len(document) - n :])
                earlier = [list(document[i : i + n]) for i in range(len(document) - n)]
                assert found[name][row, place] == (len(document) >= n and last in earlier), (name, row, place)
            written = "".join(tokenizer.texts[token] for token in document).rpartition("\n")[2]
            assert found["inside a quote"][row, place] == (written.count('"') % 2 == 1)
            address = (
                "".join(tokenizer.texts[token] for token in document).replace("\n", " ").rpartition(" ")[2]
            )
            assert found["inside a URL"][row, place] == address.startswith("http")


def test_a_label_depends_on_the_tokens_so_far_only() -> None:
    stream = np.random.default_rng(1)
    tokenizer = Letters("a", "B", ' "', "\n", ".", " http", " two")
    tokens = stream.integers(0, 8, size=(20, 25))
    whole = truth("gemma-2-2b", tokens, "full", tokenizer=tokenizer)
    for length in (1, 7, 24):
        part = truth("gemma-2-2b", tokens[:, :length], "full", tokenizer=tokenizer)
        assert (part.values == whole.values[:, :length]).all()


def test_no_rule_is_idle() -> None:
    texts = [
        "<bos>",
        "Mary",
        "'s",
        "\n",
        ' "',
        "No",
        ",",
        '"',
        " x",
        '"',
        "!",
        " HTTP",
        "s",
        "://",
        "é",
        " 42",
    ]
    texts += " two second Tuesday June blue my to he her you said said a b c a b c".replace(" ", "| ").split(
        "|"
    )[1:]
    found = true_of(*texts)
    assert set(RULES) - {rule for rules in found.values() for rule in rules} == set()


def test_a_shared_name_is_a_name_of_the_stories() -> None:
    shared = {"number", "ordinal", "day", "colour", "negation", "preposition", "sentence mark"}
    shared |= {"exclamation or question mark", "inside a quote", "pair again", "run of three again"}
    assert {feature.name for feature in FEATURES} & set(RULES) == shared


def test_bad_input() -> None:
    with pytest.raises(CourseError, match="give tokenizer=model"):
        truth("gemma-2-2b", np.zeros((1, 4), int), "full")
    with pytest.raises(CourseError, match="whole numbers; these are float64"):
        truth("gemma-2-2b", np.zeros((1, 4)), "mini")
    with pytest.raises(CourseError, match=r"\[batch, pos\]"):
        truth("gemma-2-2b", np.zeros((1, 4, 2), int), "mini")


def test_token_labels_name_the_most_frequent_tokens_and_their_places() -> None:
    class Spelling:
        def decode(self, ids: list[int]) -> str:
            return f" word{ids[0]}"

    tokens = np.array([[1, 5, 5, 7], [1, 5, 9, 7]])
    found = token_labels(tokens, Spelling(), most=3)
    assert found.names[0] == "' word5'"
    assert set(found.names) == {"' word5'", "' word1'", "' word7'"}
    assert (found["' word7'"] == (tokens == 7)).all()


def test_labels_of_the_next_token_are_those_of_the_place_after() -> None:
    values = np.random.default_rng(0).random((2, 5, 3)) < 0.5
    labels = Labels(("a", "b", "c"), values, "why not all")
    ahead = labels.of_next()
    assert ahead.names == ("next: a", "next: b", "next: c")
    assert (ahead.values == values[:, 1:]).all()
    assert ahead.missing == "why not all"
