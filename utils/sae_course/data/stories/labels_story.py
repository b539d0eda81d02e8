"""Where in the story: its register, its phase, its mood."""

from functools import cached_property

from .labels_reading import Mask
from .labels_syntax import Syntax


class Story:
    """The phases and registers of a reading. Attributes are masks over the tokens, [batch, pos]."""

    def __init__(self, syntax: Syntax) -> None:
        self.syntax = syntax
        self.reading = syntax.reading

    def register(self, *words: str) -> Mask:
        """From a story's first word on, where that is one of `words`."""
        reading = self.reading
        return reading.last(reading.first & reading.equals(*words)) >= 0

    @cached_property
    def told(self) -> Mask:
        """A story, not a notice, a recipe or a letter."""
        return self.reading.word & ~self.register("notice", "recipe", "dear")

    def _sentence_began(self, *words: str) -> Mask:
        """The last of `words`, where they began a sentence (after "but" or not) outside a quote."""
        reading, syntax = self.reading, self.syntax
        here = reading.equals(words[0])
        begins = syntax.first_word | (reading.before(syntax.first_word & reading.equals("but")))
        here = here & begins & ~syntax.inside_quote
        for word in words[1:]:
            here = reading.before(here) & reading.equals(word)
        return here

    @cached_property
    def ending(self) -> Mask:
        begins = (
            self._sentence_began("in", "the", "end")
            | self._sentence_began("at", "last")
            | self._sentence_began("from", "that", "day", "on")
        )
        return self.told & (self.reading.last(begins) >= 0)

    @cached_property
    def problem(self) -> Mask:
        begins = self._sentence_began("one", "day") | self._sentence_began("suddenly")
        return self.told & (self.reading.last(begins) >= 0) & ~self.ending

    @cached_property
    def opening(self) -> Mask:
        return self.told & ~self.problem & ~self.ending

    def first_sentence(self) -> Mask:
        """To the sentence mark that ends it, included."""
        return self.reading.word & (self.reading.count(self.reading.before(self.syntax.mark)) == 0)
