"""What a word is by itself: the classes of the lexicon, and one table from token id to all of them."""

from functools import cache

import numpy as np
from jaxtyping import Bool, Int

from . import lexicon as lex
from .vocabulary import WORD_IDS, WORDS


def _flat(groups: dict[str, tuple[str, ...]]) -> set[str]:
    return {word for group in groups.values() for word in group}


def _with_plurals(*words: str) -> set[str]:
    return {form for word in words for form in (word, lex.plural(word)) if form in WORD_IDS}


def _gendered(gender: str) -> set[str]:
    nouns = lex.FAMILY_GENDER | lex.PEOPLE_GENDER
    return {word for word, its_gender in nouns.items() if its_gender == gender}


_NOUNS = _with_plurals(
    *_flat(lex.ANIMALS), *_flat(lex.FOODS), *_flat(lex.TOYS), *_flat(lex.PLACES), *lex.DRINKS, *lex.CLOTHES,
    *lex.TREASURES, *lex.TOOLS, *lex.FLOWERS, *lex.FURNITURE, *lex.CONTAINERS, *lex.VEHICLES, *lex.BODY,
    *lex.NATURE, *lex.SKY, *lex.OTHER_NOUNS, *lex.FAMILY_GENDER, *lex.PEOPLE_GENDER, *lex.HELPERS,
    *lex.OTHER_PEOPLE, *lex.WEATHER_NOUNS,
) | set(lex.PEOPLE_PLURALS)  # fmt: skip
_ADJECTIVES = {
    *lex.COLOURS, *lex.SIZES, *lex.QUALITIES, *lex.TRAITS, *lex.WEATHER, *_flat(lex.FEELINGS),
}  # fmt: skip
# "hand" and "wish" are nouns here; "hurt" is a verb as well as a quality.
_FORMS = ({form for forms in lex.VERBS.values() for form in forms} - {""} - _NOUNS) | {"hurt"}
_PAST = {past for base, past, _ in lex.VERBS.values() if past != base} & _FORMS
_BASE = ({base for base, _, _ in lex.VERBS.values()} & _FORMS) - {"be", "have", "do"}

CLASSES: dict[str, set[str]] = {
    # Features by themselves
    "animal": _with_plurals(*_flat(lex.ANIMALS), *lex.ANIMAL_PARENTS.values()),
    "animal: pet": _with_plurals(*lex.ANIMALS["pets"], "pet"),
    "animal: farm": _with_plurals(*lex.ANIMALS["farm"]),
    "animal: wild": _with_plurals(*lex.ANIMALS["wild"]),
    "animal: bird": _with_plurals(*lex.ANIMALS["birds"], "bird"),
    "animal: bug": _with_plurals(*lex.ANIMALS["bugs"], "bug"),
    "food": _with_plurals(*_flat(lex.FOODS), *lex.FOOD_PARENTS.values()),
    "food: fruit": _with_plurals(*lex.FOODS["fruit"], "fruit"),
    "food: vegetable": _with_plurals(*lex.FOODS["vegetables"], "vegetable"),
    "food: treat": _with_plurals(*lex.FOODS["sweets"], *lex.FOODS["baked"], "treat"),
    "toy": _with_plurals(*_flat(lex.TOYS), "toy"),
    "place": _with_plurals(*_flat(lex.PLACES), "place"),
    "place: outdoors": _with_plurals(*lex.PLACES["outdoors"]),
    "place: indoors": _with_plurals(*lex.PLACES["indoors"]),
    "feeling": _flat(lex.FEELINGS),
    "feeling: pleasant": set(lex.FEELINGS["pleasant"]),
    "feeling: unpleasant": set(lex.FEELINGS["unpleasant"]),
    "colour": set(lex.COLOURS),
    "name": {*lex.NAME_GENDER, *lex.PET_NAMES},
    "name: female": set(lex.FEMALE_NAMES),
    "name: male": set(lex.MALE_NAMES),
    "name: pet": set(lex.PET_NAMES),
    "family member": set(lex.FAMILY_GENDER),
    "female word": {*lex.FEMALE_NAMES, *_gendered("female"), "she", "her", "herself"},
    "male word": {*lex.MALE_NAMES, *_gendered("male"), "he", "him", "his", "himself"},
    "number": set(lex.NUMBERS),
    "ordinal": set(lex.ORDINALS),
    "day": set(lex.DAYS),
    "subject pronoun": set(lex.SUBJECT_PRONOUNS),
    "preposition": set(lex.PREPOSITIONS),
    "negation": set(lex.NEGATION),
    "verb of giving": set(lex.GIVING),
    "verb of speaking": set(lex.SPEAKING),
    "plural noun": {
        *lex.PEOPLE_PLURALS, "clothes",
        *(lex.plural(word) for word in _NOUNS if lex.plural(word) != word),
    } & WORD_IDS.keys(),
    "past-tense verb": _PAST,
    "base verb": _BASE,
    "adjective": _ADJECTIVES,
    "sentence mark": {".", "!", "?"},
    # What the rules need
    "noun": _NOUNS,
    "possessive": set(lex.POSSESSIVES),
    "-ing form": {ing for _, _, ing in lex.VERBS.values()} & _FORMS,
    "article": set(lex.ARTICLES),
    "quantifier": set(lex.QUANTIFIERS),
    "question word": set(lex.QUESTION_WORDS),
    "object pronoun": set(lex.OBJECT_PRONOUNS),
    "person": {
        *lex.FAMILY_GENDER, *lex.PEOPLE_GENDER, *lex.HELPERS, *lex.PEOPLE_PLURALS, *lex.OTHER_PEOPLE,
        "everyone",
    },
    "verb": _FORMS | {*lex.BE, *lex.MODALS},
    "she or her": {"she", "her", "herself"},
    "he or him": {"he", "him", "his", "himself"},
}  # fmt: skip


@cache
def class_columns() -> dict[str, Bool[np.ndarray, " vocab"]]:
    """For each class, whether each token of the vocabulary is in it."""
    return {name: np.array([word in words for word in WORDS]) for name, words in CLASSES.items()}


@cache
def ranks(series: str) -> Int[np.ndarray, " vocab"]:
    """1, 2, 3, … for the words of a series ("number", "ordinal" or "day") in order, 0 for all others."""
    words = {"number": lex.NUMBERS, "ordinal": lex.ORDINALS, "day": lex.DAYS}[series]
    return np.array([words.index(word) + 1 if word in words else 0 for word in WORDS], np.int8)
