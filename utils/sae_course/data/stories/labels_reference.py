"""Who is meant: the clause's subject, who speaks, and which two people a sentence named together."""

from enum import IntEnum

import numpy as np

from .labels_reading import Ints, Mask
from .labels_syntax import INVERTED, Syntax


class Kind(IntEnum):
    """What a subject can be."""

    NONE = 0
    FEMALE = 1
    MALE = 2
    PLURAL = 3
    ANIMAL = 4
    THING = 5
    IT = 6
    """A thing or an animal."""
    SPEAKER = 7
    """I."""
    LISTENER = 8
    """You."""
    PERSON = 9
    """Somebody of unknown gender: the baker, everyone."""


class Reference:
    """The subjects and speakers of a reading. Arrays are [batch, pos]."""

    def __init__(self, syntax: Syntax) -> None:
        self.syntax = syntax
        self.reading = syntax.reading
        self.name = self.reading.is_in("name")
        self.kind = self._kinds()
        self.head, self.joined = self._heads()
        self.subject = self._subjects()

    def _kinds(self) -> Ints:
        """The kind of subject that each token would be."""
        reading = self.reading
        kind = np.zeros(reading.tokens.shape, np.int8)
        # Later lines win: "girls" is a noun, a person and a plural.
        kind[reading.is_in("noun") | reading.equals("there")] = Kind.THING
        kind[reading.equals("it")] = Kind.IT
        kind[reading.is_in("person")] = Kind.PERSON
        kind[reading.is_any("animal", "name: pet")] = Kind.ANIMAL
        kind[reading.is_in("female word")] = Kind.FEMALE
        kind[reading.is_in("male word")] = Kind.MALE
        kind[reading.is_in("plural noun") | reading.equals("they", "we")] = Kind.PLURAL
        kind[reading.equals("i")] = Kind.SPEAKER
        kind[reading.equals("you")] = Kind.LISTENER
        return kind

    def _heads(self) -> tuple[Mask, Mask]:
        """(where a clause's subject is settled, which of these are the second of "A and B").

        That is at a name, a pronoun or the noun of a definite phrase, before the clause's verb and after no
        preposition; or right after the verb that follows a quote (`" … " said Mary`).
        """
        reading, syntax = self.reading, self.syntax
        conjunction = reading.equals("and")
        after_and = reading.before(conjunction)
        # After anything but another name or thing, "and" starts a clause: "… was second and Sam was third".
        could_join = reading.is_any("name", "noun", "object pronoun")
        new_clause = after_and & ~reading.before(could_join, 2)
        place = ~reading.before(syntax.verb_has_come) & ~reading.before(reading.is_in("preposition"))
        # "there was a girl named Mary" presents the subject; "she had a dog named Rex" does not.
        presented = reading.equals("named") & reading.since(reading.equals("there"), syntax.sentence_end)
        place |= new_clause | reading.before(syntax.tag_verb | presented)

        called = syntax.inside_quote & reading.before(syntax.comma)  # `" thank you , Mary ! "`
        bare = reading.is_in("name") & ~called & ~reading.before(reading.equals("dear"))
        bare |= reading.is_in("family member") & ~called & ~reading.before(syntax.noun_due)
        bare |= reading.equals("everyone", "there")
        pronoun = reading.equals("he", "she", "they", "we", "i")
        asked = reading.before(reading.equals(*INVERTED, "do", "have"))
        afterwards = reading.before(reading.equals("after", "before"))
        either = reading.equals("it", "you") & ((place & ~afterwards) | after_and | asked)
        definite = reading.equals("the") | reading.is_in("possessive")
        opening = (definite & place) | (reading.equals("a", "an") & syntax.first_word)
        noun = reading.before(syntax.phrase(opening)) & reading.is_in("noun")
        # "after the rain" is no clause, "after the children came" is.
        noun &= (self.kind != Kind.THING) | ~reading.before(syntax.phrase(definite & afterwards))
        head = (bare & place) | pronoun | either | noun

        joins = after_and & reading.before(head, 2)
        joined = joins & self.name
        joined_noun = reading.before(syntax.phrase(definite & joins)) & reading.is_in("noun")
        joined |= joined_noun | (self.name & reading.before(joined_noun))  # "… and her friend John"
        return head | joined, joined

    def _subjects(self) -> Ints:
        """The kind of the clause's subject, from its head to the token before the sentence's end."""
        reading, syntax = self.reading, self.syntax
        kind = np.where(self.joined, np.int8(Kind.PLURAL), self.kind)
        # `" Rex , you need a bath ! "`: a name that a comma follows in a quote was only called.
        ends = syntax.sentence_end | (syntax.comma & reading.before(self.name & syntax.inside_quote))
        return reading.latest(np.where(self.head, kind, np.int8(Kind.NONE)), self.head | ends)

    def speaker(self) -> Ints:
        """Inside a quote, the kind of the subject that introduced it; NONE where it comes after the quote."""
        reading, syntax = self.reading, self.syntax
        introduced = reading.latest(reading.before(self.subject), syntax.opening)
        return np.where(syntax.inside_quote, introduced, np.int8(Kind.NONE))

    def antecedents(self) -> tuple[Mask, Mask]:
        """(at a pronoun of one gender: did the sentence name such a person before, did the story)."""
        reading, syntax = self.reading, self.syntax
        near = np.zeros_like(reading.word)
        known = np.zeros_like(reading.word)
        for pronouns, words in (("she or her", "female word"), ("he or him", "male word")):
            pronoun = reading.is_in(pronouns)
            person = reading.is_in(words) & ~pronoun
            near |= pronoun & reading.since(person, syntax.sentence_end)
            known |= pronoun & (reading.last(person) >= 0)
        return near, known

    def pair(self) -> tuple[Mask, Mask]:
        """(two people were named together in this sentence, and then one of the two again)."""
        reading, syntax = self.reading, self.syntax
        together = self.name & reading.before(reading.equals("and")) & reading.before(self.name, 2)
        named = reading.since(together, syntax.sentence_end)
        first = reading.latest(reading.before(reading.tokens, 2), together)
        second = reading.latest(reading.tokens, together)
        again = named & ~together & self.name & ((reading.tokens == first) | (reading.tokens == second))
        return named, reading.since(again, syntax.sentence_end)
