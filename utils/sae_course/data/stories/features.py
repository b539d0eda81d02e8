"""The features of the stories: the name of each, its group, and what it means in one sentence.

They are true or false at every token, and depend on that token and the ones before it in the same story.
``labels`` computes them, and docs/story-features.md says how often each is true. A "mark" here is one of
. ! ? or a quote mark; a state lasts from the token that shows it to the token before the one that ends it.
"""

from typing import NamedTuple


class Feature(NamedTuple):
    """One true or false thing about a token."""

    name: str
    group: str
    meaning: str


_SUBJECT = "The clause's subject is {}: from the word that settles it to the next subject or mark."
_DUE = "A noun is still to come after {}: from that word on, while only words of a noun's phrase follow."
_SUBORDINATE = "From {} to the token before the next comma or mark."
_SEEN = "The word and the {} before it were in the story before, in this order{}."

_GROUPS: dict[str, dict[str, str]] = {
    "word": {
        "animal": "An animal, one or several, or a word for a kind of them (animal, pet, bird, bug).",
        "animal: pet": "An animal kept at home, such as dog or rabbits, or the word pet.",
        "animal: farm": "An animal of the farm, such as cow or hens.",
        "animal: wild": "A wild animal that is neither bird nor bug, such as fox or mice.",
        "animal: bird": "A bird, such as owl or swans, or the word bird.",
        "animal: bug": "A bug, such as bee or ants, or the word bug.",
        "food": "Something to eat, or a word for a kind of it (food, fruit, vegetable, treat).",
        "food: fruit": "A fruit, such as plum or apples, or the word fruit.",
        "food: vegetable": "A vegetable, such as carrot or beans, or the word vegetable.",
        "food: treat": "Something sweet or baked, such as cake or cookies, or the word treat.",
        "toy": "A toy, such as kite or balls, or the word toy.",
        "place": "A place to go to, indoors or outdoors, or the word place.",
        "place: outdoors": "A place under the sky, such as park or river.",
        "place: indoors": "A place under a roof, such as kitchen or shop.",
        "feeling": "A feeling: pleasant, unpleasant or neither (surprised, sleepy, shy).",
        "feeling: pleasant": "A pleasant feeling, such as happy or proud.",
        "feeling: unpleasant": "An unpleasant feeling, such as sad or worried.",
        "adjective": "A quality: a colour, a size, a feeling, the weather, or another such as soft or brave.",
        "colour": "A colour, such as red.",
        "name": "The name of a character or of a pet.",
        "name: female": "The name of a girl or woman, such as Mary.",
        "name: male": "The name of a boy or man, such as John.",
        "name: pet": "The name of a pet, such as Rex.",
        "family member": "A relative, such as mom or uncle.",
        "female word": "A name, noun or pronoun for one who is female: Mary, girl, mom, she, her, herself.",
        "male word": "A name, noun or pronoun for one who is male: John, boy, dad, he, him, his, himself.",
        "number": "A number in words, from one to twenty.",
        "ordinal": "A place in an order, from first to tenth.",
        "day": "A day of the week.",
        "verb of speaking": "A past form that goes with a quote, such as said or asked.",
        "verb of giving": "A past form that goes with one who gets something, such as gave or showed.",
        "negation": "A word that denies, such as not, no or never.",
        "preposition": "A word such as in, under or with, whether or not a noun follows.",
    },
    "form": {
        "plural noun": "A noun in a plural form that differs from its singular, such as dogs or children.",
        "past-tense verb": "A past form that differs from the verb's base form, such as went or was.",
        "base verb": "A verb in the form that follows to or can, such as go; be, have and do are left out.",
        "base verb after to": "Such a base verb right after the word to.",
        "sentence mark": "A full stop, an exclamation mark or a question mark.",
        "exclamation or question mark": "An exclamation mark or a question mark.",
        "first word of a sentence": (
            "The word written with a capital: first in the story or in a quote, after a sentence mark, or "
            "after a quote that ended in one, but for a verb of speaking there."
        ),
    },
    "syntax": {
        "inside a quote": "From an opening quote mark to the token before the closing one.",
        "question": (
            "The sentence asks: from a first word such as what or can, or from the pronoun after a first do "
            "or have, to the token before the next mark."
        ),
        "subordinate clause": _SUBORDINATE.format("when, while, because, until, if, before or after"),
        "subordinate clause: when": _SUBORDINATE.format("when"),
        "subordinate clause: because": _SUBORDINATE.format("because"),
        "after a when-clause": (
            "From the comma that ends a clause with when, while, before or after to the token before the "
            "next mark."
        ),
        "negated clause": "From a negation to the token before the next comma, mark or conjunction.",
        "verb has come": (
            "From a clause's first verb to the token before the next comma, mark, question word, or "
            "conjunction other than and."
        ),
        "noun due": _DUE.format("an article or possessive"),
        "noun due: after a": _DUE.format("a or an"),
        "noun due: after the": _DUE.format("the"),
        "noun due: after a possessive": _DUE.format("his, her, my and the like"),
        "noun due: after a preposition": _DUE.format("a preposition"),
        "object of the verb": (
            "A noun, name or object pronoun that follows a verb (no form of be or can), at once or after "
            "words of its own phrase, and is no subject; her is left out."
        ),
        "object of a preposition": (
            "A noun, name or object pronoun that follows a preposition, at once or after words of its own "
            "phrase, and is no subject; her is left out."
        ),
        "list": (
            "From the first word of a list's second item, as long as only nouns, numbers, adjectives, a, an, "
            "some, and, and commas follow."
        ),
        "list: second item": "A word of the second of several bare or indefinite nouns with commas or and.",
        "list: third item or later": "A word of the third item of a list, or of a later one.",
        "list: item after and": "A word of a list's item before which the word and stands.",
    },
    "reference": {
        "subject: female": _SUBJECT.format("female, by name, noun or she"),
        "subject: male": _SUBJECT.format("male, by name, noun or he"),
        "subject: plural": _SUBJECT.format("several, such as Mary and John, the children, they or we"),
        "subject: animal": _SUBJECT.format("an animal, by its noun or its name"),
        "subject: thing": _SUBJECT.format("a thing, by its noun, or there"),
        "subject: it": _SUBJECT.format("the word it, for a thing or an animal"),
        "subject: speaker": _SUBJECT.format("the word i"),
        "subject: by pronoun": _SUBJECT.format("a pronoun, whichever it is"),
        "quote: speaker female": "Inside a quote that the sentence introduced with a female subject.",
        "quote: speaker male": "Inside a quote that the sentence introduced with a male subject.",
        "quote: speaker not known": "Inside a quote that no subject introduced: the speaker comes after it.",
        "last name: female": "The name that the story mentioned last is female.",
        "last name: male": "The name that the story mentioned last is male.",
        "name: seen before": "A name that was in the story before.",
        "name: first time": "A name that was not in the story before.",
        "one name so far": "The story has mentioned exactly one name, once or more often.",
        "three or more names so far": "The story has mentioned three different names or more.",
        "pronoun: antecedent in this sentence": (
            "She, her, he, him, his (or with self) where a noun or name of that gender came since the last "
            "mark."
        ),
        "pronoun: antecedent before this sentence": (
            "She, her, he, him, his (or with self) where a noun or name of that gender came, but only before "
            "the last mark."
        ),
        "two names together": "From the second name of a pair (Mary and John) to before the next mark.",
        "two names together, one again": (
            "From where the sentence names one of such a pair again to the token before the next mark."
        ),
        "the other name is due": (
            "At the word to, where one of such a pair was named again and then a verb of giving came."
        ),
    },
    "memory": {
        "content word again": "A noun, name, adjective or verb that was in the story before.",
        "pair again": _SEEN.format("one", ": what an induction head predicts"),
        "run of three again": _SEEN.format("two", ""),
        "number: next in order": "A number that is one more than the last number in the story.",
        "ordinal: next in order": "An ordinal that is one more than the last ordinal in the story.",
        "day: next in order": "A day that follows the last day in the story, in the same week.",
        "next number due": "A comma after one, or after a number that was one more than the last.",
        "next day due": "The word on, where the story has mentioned a day.",
    },
    "story": {
        "story: first sentence": "To the first sentence mark of the text, included.",
        "story: opening": "In a story, before its problem begins.",
        "story: problem": "In a story, from a sentence's first one day or suddenly to its ending.",
        "story: ending": "In a story, from a sentence's first in the end, at last or from that day on.",
        "mood: unpleasant": "The feeling that the story mentioned last is unpleasant.",
        "mood: pleasant": "The feeling that the story mentioned last is pleasant.",
        "register: notice": "In a notice: a text whose first word is notice.",
        "register: recipe": "In a recipe: a text whose first word is recipe.",
        "register: letter": "In a letter: a text whose first word is dear.",
    },
}

FEATURES: tuple[Feature, ...] = tuple(
    Feature(name, group, meaning) for group, features in _GROUPS.items() for name, meaning in features.items()
)
