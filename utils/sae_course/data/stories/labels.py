"""The truth of every token of a story, computed from the tokens alone."""

import numpy as np

from ..labels import Labels
from .features import FEATURES
from .labels_memory import Memory
from .labels_reading import Ints, Mask, Reading
from .labels_reference import Kind, Reference
from .labels_story import Story
from .labels_syntax import SUBORDINATE, Syntax
from .labels_words import CLASSES

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


def labels(tokens: Ints) -> Labels:
    """Which of `FEATURES` are true at each token.

    Each value depends only on the tokens up to its own, and on none before the latest BOS or EOS; so rows,
    prompts without BOS, generations and cut rows are all the same to it. At PAD, BOS and EOS all are False.

    Args:
        tokens: ids of the stories' vocabulary, [batch, pos], or one row [pos] (read as a batch of one).

    Raises:
        CourseError: when the tokens are not integers in that shape, or not of the vocabulary.
    """
    reading = Reading(tokens)
    truth = _words(reading) | _states(reading)
    values = np.empty((*reading.tokens.shape, len(NAMES)), bool)
    for index, name in enumerate(NAMES):
        np.logical_and(truth[name], reading.word, out=values[:, :, index])
    return Labels(NAMES, values)


def _words(reading: Reading) -> dict[str, Mask]:
    return {name: reading.is_in(name) for name in NAMES if name in CLASSES}


def _states(reading: Reading) -> dict[str, Mask]:
    syntax = Syntax(reading)
    reference, memory, story = Reference(syntax), Memory(reading), Story(syntax)
    return (
        _syntax(reading, reference)
        | _reference(reading, reference, memory)
        | _memory(reading, memory)
        | _story(reading, story)
    )


def _syntax(reading: Reading, reference: Reference) -> dict[str, Mask]:
    syntax = reference.syntax
    inside, item, after_and = syntax.list_items()
    verb = reading.is_any("past-tense verb", "base verb", "-ing form") & ~reading.equals(
        "was", "were", "named"
    )
    timed = syntax.clause_from("when", "while", "before", "after")
    return {
        "base verb after to": reading.is_in("base verb") & reading.before(reading.equals("to")),
        "exclamation or question mark": reading.equals("!", "?"),
        "first word of a sentence": syntax.first_word,
        "inside a quote": syntax.inside_quote,
        "question": syntax.question(),
        "subordinate clause": syntax.clause_from(*SUBORDINATE),
        "subordinate clause: when": syntax.clause_from("when"),
        "subordinate clause: because": syntax.clause_from("because"),
        "after a when-clause": reading.since(syntax.comma & reading.before(timed), syntax.sentence_end),
        "negated clause": syntax.negated(),
        "verb has come": syntax.verb_has_come,
        "noun due": syntax.noun_due,
        "noun due: after a": syntax.phrase(reading.equals("a", "an")),
        "noun due: after the": syntax.phrase(reading.equals("the")),
        "noun due: after a possessive": syntax.phrase(reading.is_in("possessive")),
        "noun due: after a preposition": syntax.phrase(reading.is_in("preposition")),
        "object of the verb": syntax.object_of(verb) & ~reference.head,
        "object of a preposition": syntax.object_of(reading.is_in("preposition")) & ~reference.head,
        "list": inside,
        "list: second item": item == 2,
        "list: third item or later": item > 2,
        "list: item after and": after_and,
    }


def _reference(reading: Reading, reference: Reference, memory: Memory) -> dict[str, Mask]:
    syntax, subject, speaker = reference.syntax, reference.subject, reference.speaker()
    name, new = reference.name, reference.name & ~memory.word_again
    n_names = reading.count(new)
    near, known = reference.antecedents()
    together, again = reference.pair()
    given = again & (reading.last(reading.is_in("verb of giving")) > reading.last(name))
    return {
        "subject: female": subject == Kind.FEMALE,
        "subject: male": subject == Kind.MALE,
        "subject: plural": subject == Kind.PLURAL,
        "subject: animal": subject == Kind.ANIMAL,
        "subject: thing": subject == Kind.THING,
        "subject: it": subject == Kind.IT,
        "subject: speaker": subject == Kind.SPEAKER,
        "subject: by pronoun": (subject != Kind.NONE)
        & reading.latest(reading.is_in("subject pronoun"), reference.head),
        "quote: speaker female": speaker == Kind.FEMALE,
        "quote: speaker male": speaker == Kind.MALE,
        "quote: speaker not known": syntax.inside_quote & (speaker == Kind.NONE),
        "last name: female": reading.latest(reading.is_in("name: female"), name),
        "last name: male": reading.latest(reading.is_in("name: male"), name),
        "name: seen before": name & memory.word_again,
        "name: first time": new,
        "one name so far": n_names == 1,
        "three or more names so far": n_names > 2,
        "pronoun: antecedent in this sentence": near,
        "pronoun: antecedent before this sentence": known & ~near,
        "two names together": together,
        "two names together, one again": again,
        "the other name is due": given & reading.equals("to"),
    }


def _memory(reading: Reading, memory: Memory) -> dict[str, Mask]:
    return {
        "content word again": memory.word_again & reading.is_any("noun", "name", "adjective", "verb"),
        "pair again": memory.pair_again,
        "run of three again": memory.three_again,
        "number: next in order": memory.next_of("number"),
        "ordinal: next in order": memory.next_of("ordinal"),
        "day: next in order": memory.next_of("day"),
        "next number due": memory.number_due(),
        "next day due": memory.day_due(),
    }


def _story(reading: Reading, story: Story) -> dict[str, Mask]:
    feeling = reading.is_in("feeling")
    return {
        "story: first sentence": story.first_sentence(),
        "story: opening": story.opening,
        "story: problem": story.problem,
        "story: ending": story.ending,
        "mood: unpleasant": reading.latest(reading.is_in("feeling: unpleasant"), feeling),
        "mood: pleasant": reading.latest(reading.is_in("feeling: pleasant"), feeling),
        "register: notice": story.register("notice"),
        "register: recipe": story.register("recipe"),
        "register: letter": story.register("dear"),
    }
