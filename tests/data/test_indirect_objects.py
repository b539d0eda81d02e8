"""Prompts whose answer is a name, and their opposites: one token apart, balanced, in any tokenizer."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from sae_course.data.indirect_objects import indirect_objects
from sae_course.data.stories import UNK, WORDS, lexicon
from sae_course.data.stories.tokenizer import tokenizer
from sae_course.data.text import train_tokenizer
from sae_course.runtime import CourseError

NAMES = ("Mary", "John", "Anna", "Tom", "Emma")


def trained(names: tuple[str, ...] = NAMES) -> Any:
    """A byte-level BPE, as GPT-2's is, that saw the words of prompts in the middle of lines."""
    words = (
        f"When {{}} and {{}} went to the {place}, {{}} gave a {gift} to {{}}"
        for place in ("park", "farm", "shop")
        for gift in ("ball", "hat")
    )
    pairs = [(one, other) for one in names for other in names if one != other]
    lines = [line.format(one, other, one, other) for line in words for one, other in pairs]
    return train_tokenizer("\n".join(lines * 30), 420)


def test_a_prompt_and_its_opposite_differ_in_the_giver_alone() -> None:
    fast = tokenizer()
    task = indirect_objects(fast, 40)
    assert task.tokens.shape == task.swapped.shape == (40, 15)
    for i, text in enumerate(task.text):
        words = [WORDS[token] for token in task.tokens[i]]
        first, second, giver = words[2], words[4], words[task.giver_at]
        answer, other = WORDS[task.answer[i]], WORDS[task.other[i]]
        assert {first, second} == {answer, other}
        assert giver == other != answer
        assert (first == answer) == task.answer_first[i]
        apart = (task.tokens[i] != task.swapped[i]).nonzero()[0]
        assert apart.tolist() == [task.giver_at]
        assert task.swapped[i, task.giver_at] == task.answer[i]
        assert fast.encode(text) == task.tokens[i].tolist()
        assert text.endswith(" to")
        assert words[11] in lexicon.GIVING
    assert UNK not in task.tokens


def test_names_and_orders_are_balanced_in_either_half() -> None:
    task = indirect_objects(tokenizer(), 2 * 56, n_names=8)
    pairs = Counter(zip(task.answer.tolist(), task.other.tolist(), strict=True))
    assert set(pairs.values()) == {2}
    assert len(pairs) == 56
    for half in (task.answer_first[::2], task.answer_first[1::2]):
        assert half.mean() == 0.5
    assert len(np.unique(indirect_objects(tokenizer(), 6000, n_names=100).answer)) == len(lexicon.NAME_GENDER)


def test_the_seed_decides() -> None:
    one, again, other = (indirect_objects(tokenizer(), 30, seed=seed) for seed in (0, 0, 1))
    assert one.text == again.text
    assert (one.tokens == again.tokens).all()
    assert set(one.answer) != set(other.answer)
    assert len(set(one.text)) == 30


def test_without_bos() -> None:
    task = indirect_objects(tokenizer(), 4, bos=False)
    assert (task.tokens == indirect_objects(tokenizer(), 4).tokens[:, 1:]).all()
    assert (task.tokens[:, task.giver_at] == task.other).all()


def test_a_tokenizer_whose_words_begin_with_spaces() -> None:
    fast = trained()
    task = indirect_objects(fast, 30, n_names=5)
    assert {fast.decode([token]) for token in task.answer} == {f" {name}" for name in NAMES}
    for text, row in zip(task.text, task.tokens, strict=True):
        assert fast.decode(row[1:]) == text
    assert (task.swapped[:, task.giver_at] == task.answer).all()


class Split:
    """The stories' tokenizer without BOS, which reads these words as others: as two, or as an unknown one."""

    bos_token_id = None
    unk_token_id = UNK

    def __init__(self, *words: str, by: str = "to to") -> None:
        self.words, self.by, self.whole = words, by, tokenizer()

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        for word in self.words:
            text = text.replace(word, self.by)
        return self.whole.encode(text, add_special_tokens=add_special_tokens)


@pytest.mark.parametrize("by", ["to to", "quux"])
def test_words_that_are_no_single_tokens_are_left_out(by: str) -> None:
    split = Split(*tuple(lexicon.NAME_GENDER)[5:], "ball", "park", "gave", by=by)
    task = indirect_objects(split, 400, bos=False)  # type: ignore[arg-type]
    assert {WORDS[token] for token in task.answer} == set(tuple(lexicon.NAME_GENDER)[:5])
    assert not any(word in text for text in task.text for word in ("ball", "park", "gave"))


def test_errors() -> None:
    fast = tokenizer()
    with pytest.raises(CourseError, match="no tokenizer"):
        indirect_objects(None, 4)  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="0 prompts with 8 names"):
        indirect_objects(fast, 0)
    with pytest.raises(CourseError, match=r"4 prompts with 3 names: it takes .* 4 names"):
        indirect_objects(fast, 4, n_names=3)
    with pytest.raises(CourseError, match=r"no BOS token.*bos=False"):
        indirect_objects(Split(), 4)  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="3 names, 6 verbs of giving, 11 places and 12 gifts"):
        indirect_objects(Split(*tuple(lexicon.NAME_GENDER)[3:]), 4, bos=False)  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="52 names, 0 verbs of giving"):
        indirect_objects(Split(*lexicon.GIVING), 4, bos=False)  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="single tokens; it takes 4 names"):
        indirect_objects(trained(("Xerxes", "Zuleika", "Quentin")), 4)
