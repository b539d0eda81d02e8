"""Sentences, quotes, clauses, phrases and lists, from the words and marks alone."""

from functools import cached_property

import numpy as np

from .labels_reading import Ints, Mask, Reading

SUBORDINATE = ("when", "while", "because", "until", "if", "before", "after")
CLAUSE_STARTERS = (*SUBORDINATE, "but", "so", "then", "that")
INVERTED = (
    "is",
    "are",
    "was",
    "were",
    "am",
    "can",
    "could",
    "will",
    "would",
    "must",
    "should",
    "did",
    "does",
)
"""Verbs that ask, where they come first in a sentence ("can we go ?")."""


class Syntax:
    """The marks and phrases of a reading. Attributes are masks over the tokens, [batch, pos]."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.mark = reading.is_in("sentence mark")
        self.quote_mark = reading.equals('"')
        self.comma = reading.equals(",")
        # The opening mark is inside, since what follows it is; the closing mark is not.
        self.inside_quote = reading.word & (reading.count(self.quote_mark) % 2 == 1)
        self.opening = self.quote_mark & self.inside_quote
        self.closing = self.quote_mark & ~self.inside_quote
        self.tag_verb = reading.is_in("verb of speaking") & reading.before(self.closing)
        self.first_word = self._first_words()
        self.sentence_end = self.mark | self.quote_mark

    def _first_words(self) -> Mask:
        """The word after a story's beginning, a sentence mark, an opening quote, or a quote closed after one.

        The verb of `" … ? " asked Mary` is none.
        """
        reading = self.reading
        ended = self.mark | self.opening | (self.closing & reading.before(self.mark))
        begins = (reading.first | reading.before(ended)) & reading.word
        return begins & ~self.quote_mark & ~self.mark & ~self.tag_verb

    @cached_property
    def verb_has_come(self) -> Mask:
        """From a clause's first verb on. A form that stands in a noun phrase ("the lost ball") is no verb."""
        reading = self.reading
        verb = reading.is_in("verb") & ~reading.before(self.noun_due)
        boundary = self.sentence_end | self.comma | reading.is_in("question word")
        return reading.since(verb, boundary | reading.equals(*CLAUSE_STARTERS))

    def phrase(self, opening: Mask) -> Mask:
        """From a phrase's opening word to the token before its noun, or before whatever else ended it."""
        reading = self.reading
        filler = reading.is_any("article", "possessive", "adjective", "number", "ordinal", "quantifier")
        return reading.since(opening, ~filler & ~reading.equals("very") & ~opening)

    @cached_property
    def noun_due(self) -> Mask:
        """Between an article or a possessive and its noun."""
        return self.phrase(self.reading.is_any("article", "possessive"))

    def object_of(self, governor: Mask) -> Mask:
        """A noun, name or object pronoun after the governing word, but for the words of its own phrase.

        "her" is left out: what it is shows only in the word after it.
        """
        reading = self.reading
        able = reading.is_any("noun", "name", "object pronoun") & ~reading.equals("her")
        return reading.before(self.phrase(governor)) & able

    def question(self) -> Mask:
        """From the word that shows it (what, can, or the you of "do you") to the token before the mark."""
        reading = self.reading
        inverted = reading.is_in("question word") | reading.equals(*INVERTED)
        do_you = reading.before(self.first_word & reading.equals("do", "have")) & reading.is_in(
            "subject pronoun"
        )
        return reading.since((self.first_word & inverted) | do_you, self.sentence_end)

    def clause_from(self, *starters: str) -> Mask:
        """From a starting word to the token before the next comma, mark or quote."""
        return self.reading.since(self.reading.equals(*starters), self.sentence_end | self.comma)

    def negated(self) -> Mask:
        """From a negation to the token before the next comma, mark, quote or conjunction."""
        reading = self.reading
        ends = self.sentence_end | self.comma | reading.equals("and", "or", *CLAUSE_STARTERS)
        return reading.since(reading.is_in("negation"), ends)

    def list_items(self) -> tuple[Mask, Ints, Mask]:
        """(inside a list, the number of the item that this token is in or 0, whether "and" stood before it).

        A list is known from the first word of its second item; an item is an indefinite or bare noun phrase.
        """
        reading = self.reading
        noun, conjunction = reading.is_in("noun"), reading.equals("and")
        definite = self.phrase(reading.equals("the") | reading.is_in("possessive"))
        quality = reading.is_in("adjective") & ~reading.is_in("verb")  # "a hole and hurt her arm" is no list
        opener = reading.equals("a", "an", "some", "very") | reading.is_in("number") | quality | noun
        listing = opener | self.comma | conjunction
        separator = (self.comma | conjunction) & reading.before(noun & ~reading.before(definite))
        separator |= conjunction & reading.before(separator & self.comma)
        starts_item = opener & reading.before(separator)
        items = reading.count(starts_item)
        index = items - reading.latest(items, ~listing)  # since the last word that no list is made of
        inside = (index > 0) & listing
        item = inside & opener
        after_and = reading.latest(reading.before(conjunction), starts_item)
        return inside, np.where(item, index + 1, 0), item & after_and
