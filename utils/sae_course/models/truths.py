"""The truth of tokens: all of it for stories and games; of published text, what the tokens show."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from ..data.labels import Labels
from ..runtime import CourseError
from .names import choose_scale, entry

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Mask = Bool[np.ndarray, "batch pos"]

NOT_PUBLISHED = (
    "The published text comes without its truth: here is what the tokens themselves show (spelling, quotes, "
    "repeats), and no subjects, references, clauses, moods or plots."
)
NOT_YOURS = "There is no truth for a text of your own: nobody has written its features down."


def truth(
    name: str,
    tokens: "Int[np.ndarray, 'batch pos'] | Tensor",
    scale: str | None = None,
    *,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> Labels:
    """What is true at each token that ``name`` reads; each label depends on the tokens up to its own only.

    ============  ==========================  =======================================
    data          mini                        full
    ============  ==========================  =======================================
    Othello       all of ``data.othello``     the same: the vocabulary is the same
    stories       all of ``data.stories``     `RULES`, over the spelling of the tokens
    your text     none                        (there is none)
    ============  ==========================  =======================================

    Where some or all of it is not known, ``missing`` of the result says so in one line.

    Args:
        tokens: ids [batch, pos], or one row [pos], which is read as a batch of one.
        tokenizer: the model's (``model.tokenizer``); needed for published text alone.

    Raises:
        CourseError: for an unknown name or scale, tokens of another kind, or a missing tokenizer.
    """
    wanted = entry(name)
    chosen = choose_scale(wanted, scale)
    rows = _as_rows(tokens)
    if wanted.data == "othello":
        from ..data.othello.labels import labels as of_games  # noqa: PLC0415

        return of_games(rows)
    if wanted.own:
        return Labels((), np.zeros((*rows.shape, 0), dtype=np.bool_), NOT_YOURS)
    if chosen == "mini":
        from ..data.stories.labels import labels as of_stories  # noqa: PLC0415

        return of_stories(rows)
    if tokenizer is None:
        raise CourseError(
            "The truth of published text is read off the tokens' spelling: give tokenizer=model.tokenizer."
        )
    reading = Spelled(rows, tokenizer)
    values = np.stack([rule(reading) & ~reading.special for rule in RULES.values()], axis=-1)
    return Labels(tuple(RULES), values, NOT_PUBLISHED)


def token_labels(
    tokens: "Int[np.ndarray, 'batch pos'] | Tensor", tokenizer: "PreTrainedTokenizerBase", most: int = 80
) -> Labels:
    """Which token stands at each place, as labels: one for each of the ``most`` frequent ones in ``tokens``.

    Raises:
        CourseError: for tokens of another kind.
    """
    rows = _as_rows(tokens)
    ids, counts = np.unique(rows, return_counts=True)
    frequent = ids[np.argsort(-counts, kind="stable")][:most]
    names = tuple(repr(tokenizer.decode([int(token)])) for token in frequent)
    return Labels(names, np.stack([rows == token for token in frequent], axis=-1))


def _as_rows(tokens: "np.ndarray | Tensor") -> Int[np.ndarray, "batch pos"]:
    rows = tokens if isinstance(tokens, np.ndarray) else np.asarray(tokens.detach().cpu())
    if rows.ndim not in (1, 2) or not np.issubdtype(rows.dtype, np.integer):
        raise CourseError(
            f"truth() takes token ids [batch, pos], whole numbers; these are {rows.dtype} {list(rows.shape)}."
        )
    return np.atleast_2d(rows)


class Spelled:
    """Rows of published text with the spelling of each token, as the rules read them.

    A rule on spelling looks at each distinct token once; a rule on order is a running maximum or a count. A
    document begins after a special token (BOS, EOS, padding).
    """

    def __init__(self, rows: Int[np.ndarray, "batch pos"], tokenizer: "PreTrainedTokenizerBase") -> None:
        ids, places = np.unique(rows, return_inverse=True)
        self._places: Int[np.ndarray, "batch pos"] = places.reshape(rows.shape)
        self._texts = tokenizer.batch_decode(
            [[int(token)] for token in ids], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        self.special: Mask = np.isin(rows, tokenizer.all_special_ids)
        self._where = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)

    def table(self, look: Callable[[str], object]) -> np.ndarray:
        """What ``look`` says of each token's text, [batch, pos]; it is asked once for each distinct token."""
        return np.array([look(text) for text in self._texts])[self._places]

    def token(self, look: Callable[[str], object]) -> Mask:
        """Where ``look`` is true of the token's text."""
        return self.table(lambda text: bool(look(text)))

    def word(self, words: frozenset[str]) -> Mask:
        """Where the token, without spaces and in small letters, is one of ``words``."""
        return self.token(lambda text: text.strip().lower() in words)

    def last(self, mask: Mask) -> Int[np.ndarray, "batch pos"]:
        """The place of the last token so far where ``mask`` is true; -1 where there was none."""
        return np.maximum.accumulate(np.where(mask, self._where, -1), axis=1)

    @staticmethod
    def before(mask: Mask) -> Mask:
        """Where ``mask`` is true of the token before."""
        return np.concatenate([np.zeros_like(mask[:, :1]), mask[:, :-1]], axis=1)

    @cached_property
    def inside_quote(self) -> Mask:
        """Quote marks open and close in turn; a new line or document begins outside."""
        marks = self.table(lambda text: sum(text.rpartition("\n")[2].count(mark) for mark in '"“”'))
        count = np.cumsum(marks, axis=1)
        begin = self.last(self.special | self.token(lambda text: "\n" in text))
        before = np.take_along_axis(count - marks, np.maximum(begin, 0), axis=1)
        return (count - before) % 2 == 1

    @cached_property
    def inside_url(self) -> Mask:
        """From http, www or :// to the token before the next that begins with a space."""
        start = self.last(
            self.token(lambda text: any(sign in text.lower() for sign in ("http", "www.", "://")))
        )
        stop = self.last(self.special | self.token(lambda text: text[:1].isspace()))
        return (start >= 0) & (start >= stop)

    def again(self, n: int) -> Mask:
        """Where the last ``n`` tokens, in that order, were in the document before."""
        shape = n_rows, n_pos = self._places.shape
        document = np.cumsum(self.special, axis=1) + np.arange(n_rows)[:, None] * (n_pos + 1)
        # A number for each distinct run of 1, 2, … n tokens of a document, from that of the run one shorter.
        # A run that begins before its row or document holds what is nowhere else in it, and is never found.
        run, nothing = document, len(self._texts)
        for back in range(n):
            shifted = np.pad(self._places, ((0, 0), (back, 0)), constant_values=nothing)[:, :n_pos]
            _, run = np.unique(run * (nothing + 1) + shifted, return_inverse=True)
            run = run.reshape(shape)
        _, first, which = np.unique(run, return_index=True, return_inverse=True)
        return np.arange(run.size).reshape(shape) > first[which].reshape(shape)


def _words(feature: str) -> Callable[[Spelled], Mask]:
    """The stories' class of words by that name; only classes that are small in any text are used here."""

    def rule(reading: Spelled) -> Mask:
        from ..data.stories.labels_words import CLASSES  # noqa: PLC0415

        return reading.word(frozenset(CLASSES[feature]))

    return rule


_MONTHS = frozenset(
    [
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ]
)
_PRONOUNS = frozenset(["i", "you", "he", "she", "it", "we", "they", "me", "him", "her", "us", "them"])
_ENDS = ".!?"

# Words, spelling, place, memory. Where a name is also the stories', it means the same.
RULES: dict[str, Callable[[Spelled], Mask]] = {
    **{
        name: _words(name)
        for name in (
            "number",
            "ordinal",
            "day",
            "colour",
            "negation",
            "possessive",
            "preposition",
        )
    },
    "month": lambda r: r.word(_MONTHS),
    "pronoun": lambda r: r.word(_PRONOUNS),
    "he, him or his": lambda r: r.word(frozenset(("he", "him", "his"))),
    "she or her": lambda r: r.word(frozenset(("she", "her", "hers"))),
    "comma": lambda r: r.token(lambda text: text.strip() == ","),
    "sentence mark": lambda r: r.token(lambda text: text.strip() in set(_ENDS)),
    "exclamation or question mark": lambda r: r.token(lambda text: text.strip() in ("!", "?")),
    "begins with a space": lambda r: r.token(lambda text: text.startswith(" ")),
    "goes on a word": lambda r: (
        r.token(lambda text: text[:1].isalpha()) & r.before(r.token(lambda text: text[-1:].isalpha()))
    ),
    "capital first letter": lambda r: r.token(lambda text: text.strip()[:1].isupper()),
    "all capitals": lambda r: r.token(lambda text: len(text.strip()) > 1 and text.isupper()),
    "digit": lambda r: r.token(lambda text: any(letter.isdigit() for letter in text)),
    "punctuation": lambda r: r.token(lambda text: text.strip() and not any(c.isalnum() for c in text)),
    "new line": lambda r: r.token(lambda text: "\n" in text),
    "outside ASCII": lambda r: r.token(lambda text: not text.isascii()),
    "after a sentence mark": lambda r: r.before(r.token(lambda text: text.strip()[-1:] in set(_ENDS))),
    "first of a line": lambda r: r.before(r.token(lambda text: text.endswith("\n"))),
    "first of a document": lambda r: r.before(r.special),
    "inside a quote": lambda r: r.inside_quote,
    "closing quote": lambda r: (
        r.before(r.inside_quote) & ~r.inside_quote & r.token(lambda text: any(mark in text for mark in '"“”'))
    ),
    "inside a URL": lambda r: r.inside_url,
    "token again": lambda r: r.again(1),
    "pair again": lambda r: r.again(2),
    "run of three again": lambda r: r.again(3),
}
