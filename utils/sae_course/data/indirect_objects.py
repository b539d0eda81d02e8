"""Two people, and one of them gives: prompts that end where the other's name comes, each with its opposite.

"When Mary and John went to the park, John gave a ball to" is followed by Mary. With one word changed, "…
Mary gave a ball to", it is followed by John. The indirect-object task of Wang et al. 2022, "Interpretability
in the Wild" (arXiv 2211.00593), in words that the stories have, so that any model of text may be asked.
"""

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .stories import lexicon

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FEWEST_NAMES = 4
_PLACES = ("park", "garden", "forest", "beach", "river", "farm", "field", "lake", "zoo", "shop", "school")
_GIFTS = ("ball", "kite", "book", "hat", "coat", "scarf", "robot", "doll", "truck", "drum", "puzzle", "dress")


class IndirectObjects(NamedTuple):
    """Prompts of one length. In the swapped ones the giver is the other of the two, and so is the answer."""

    tokens: Int[np.ndarray, "n pos"]
    swapped: Int[np.ndarray, "n pos"]
    """The same but for the giver's name."""
    answer: Int[np.ndarray, " n"]
    """Who gets it: the token that follows ``tokens``, and the giver of ``swapped``."""
    other: Int[np.ndarray, " n"]
    """Who gives: the token that would follow ``swapped``."""
    answer_first: Bool[np.ndarray, " n"]
    """Whether the answer is the first of the two names."""
    giver_at: int
    """The place of the giver's name, where alone the two prompts differ."""
    text: tuple[str, ...]


STORY = "Once upon a time, {one} had a friend named {two}. One day, {one} and {two} were at home. "
"""A beginning in which both are named, twice and in their order: small models do the task in a story only."""


def indirect_objects(
    tokenizer: "PreTrainedTokenizerBase",
    n: int,
    *,
    before: str = "",
    n_names: int = 8,
    seed: int = 0,
    bos: bool = True,
) -> IndirectObjects:
    """Prompts with names, places and gifts that are single tokens in this tokenizer.

    Each ordered pair of names comes as often as any other, but for a remainder. In two prompts the answer is
    the first of the two names, in the next two the second, and so on: among even rows and among odd ones
    alike, it is each half of the time.

    Args:
        tokenizer: a model's, ``model.tokenizer``; ``data.stories.tokenizer()``.
        n: prompts.
        before: what stands before each, with {one} and {two} for its names: `STORY`, or nothing.
        n_names: how many names take part: the fewer, the more often each is seen.
        seed: another gives other prompts; nothing of it is shared with models, data or SAEs of that seed.
        bos: whether prompts begin with BOS, as most models expect.

    Raises:
        CourseError: when there is nothing to draw, no tokenizer or BOS, or too few words are single tokens.
    """
    if tokenizer is None:
        raise CourseError("This model has no tokenizer, so it reads no names: take a model of text.")
    if n < 1 or n_names < FEWEST_NAMES:
        raise CourseError(
            f"{n} prompts with {n_names} names: it takes at least one prompt, and {FEWEST_NAMES} names."
        )
    start = [tokenizer.bos_token_id] if bos else []
    if start == [None]:
        raise CourseError("This tokenizer has no BOS token: ask for prompts without one, bos=False.")
    names, verbs, places, gifts = _words(tokenizer)
    stream = np.random.Generator(np.random.PCG64(stream_seed("indirect objects", seed)))
    taking_part = [names[i] for i in stream.permutation(len(names))[:n_names]]
    pairs = list(permutations(taking_part, 2))
    drawn = np.concatenate([stream.permutation(len(pairs)) for _ in range(-(-n // len(pairs)))])[:n]
    answer_first = np.arange(n) // 2 % 2 == 0
    texts: list[str] = []
    swapped: list[str] = []
    for pair, first in zip(drawn, answer_first, strict=True):
        answer, giver = pairs[pair]
        one, two = (answer, giver) if first else (giver, answer)
        place, verb, gift = (words[stream.integers(len(words))] for words in (places, verbs, gifts))
        begin = f"{before.format(one=one, two=two)}When {one} and {two} went to the {place},"
        texts.append(f"{begin} {giver} {verb} a {gift} to")
        swapped.append(f"{begin} {answer} {verb} a {gift} to")
    tokens, opposite = (
        np.array([start + _ids(tokenizer, text) for text in some], dtype=np.int64)
        for some in (texts, swapped)
    )
    giver_at = int((tokens[0] != opposite[0]).nonzero()[0][0])
    return IndirectObjects(
        tokens, opposite, opposite[:, giver_at], tokens[:, giver_at], answer_first, giver_at, tuple(texts)
    )


def _words(tokenizer: "PreTrainedTokenizerBase") -> list[list[str]]:
    """Names, verbs, places and gifts that are one token each where the prompts have them."""
    before = ("to", "Mary", "to the", "gave a")
    words = (tuple(lexicon.NAME_GENDER), lexicon.GIVING, _PLACES, _GIFTS)
    fits = [
        [word for word in some if _is_single(tokenizer, ahead, word)]
        for ahead, some in zip(before, words, strict=True)
    ]
    if len(fits[0]) < FEWEST_NAMES or not all(fits):
        raise CourseError(
            f"In this tokenizer {len(fits[0])} names, {len(fits[1])} verbs of giving, {len(fits[2])} places "
            f"and {len(fits[3])} gifts are single tokens; it takes {FEWEST_NAMES} names and one of each of "
            "the others. Its vocabulary is too small, or of another kind of text: take another model."
        )
    return fits


def _is_single(tokenizer: "PreTrainedTokenizerBase", before: str, word: str) -> bool:
    """Whether the word is one known token after ``before``, and leaves that as it was."""
    ids, ahead = _ids(tokenizer, f"{before} {word}"), _ids(tokenizer, before)
    return ids[:-1] == ahead and ids[-1] != tokenizer.unk_token_id


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))
