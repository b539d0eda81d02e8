"""The closed vocabulary of the stories: token id <-> word, text -> ids, ids -> readable text."""

import re
from collections.abc import Iterable

from ...runtime.errors import CourseError
from . import lexicon as lex

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")


def _all_words() -> tuple[str, ...]:
    """Every word of the lexicon once, in the order of its classes: ids follow from the lexicon alone."""
    words: dict[str, None] = dict.fromkeys(SPECIALS)

    def add(*groups: object) -> None:
        for group in groups:
            if isinstance(group, str):
                words[group] = None
            elif isinstance(group, dict):
                add(*group.keys() if not isinstance(next(iter(group.values())), tuple) else group.values())
            elif isinstance(group, tuple):
                add(*group)

    add(
        lex.PUNCTUATION,
        lex.ARTICLES,
        lex.SUBJECT_PRONOUNS,
        lex.OBJECT_PRONOUNS,
        lex.POSSESSIVES,
    )
    add(
        lex.CONJUNCTIONS,
        lex.PREPOSITIONS,
        lex.BE,
        lex.MODALS,
        lex.THIRD_PERSON,
        lex.PARTICIPLES,
        lex.NEGATION,
        lex.DEMONSTRATIVES,
    )
    add(lex.INDEFINITES, lex.QUANTIFIERS, lex.QUESTION_WORDS, lex.ADVERBS, lex.OTHER_WORDS)
    add(lex.NAME_GENDER, lex.PET_NAMES, lex.FAMILY_GENDER, lex.PEOPLE_GENDER, lex.HELPERS)
    add(lex.PEOPLE_PLURALS, lex.OTHER_PEOPLE)
    add(lex.ANIMALS, tuple(lex.plural(a) for group in lex.ANIMALS.values() for a in group))
    add(
        lex.FOODS,
        lex.FOOD_PLURALS,
        lex.NOISES,
        lex.DRINKS,
        lex.TOYS,
        lex.CLOTHES,
        lex.TREASURES,
        lex.TOOLS,
        lex.FLOWERS,
    )
    add(
        lex.FURNITURE,
        lex.CONTAINERS,
        lex.VEHICLES,
        lex.BODY,
        lex.PLACES,
        lex.NATURE,
        lex.SKY,
        lex.OTHER_NOUNS,
    )
    add(lex.THING_PLURALS)
    add(lex.COLOURS, lex.SIZES, lex.QUALITIES, lex.TRAITS, lex.FEELINGS, lex.WEATHER, lex.WEATHER_NOUNS)
    add(lex.NUMBERS, lex.ORDINALS, lex.DAYS)
    add(tuple(form for forms in lex.VERBS.values() for form in forms if form))
    return tuple(words)


WORDS: tuple[str, ...] = _all_words()
WORD_IDS: dict[str, int] = {word: index for index, word in enumerate(WORDS)}


def encode(text: str) -> list[int]:
    """Token ids of a text in any spelling; no ``<bos>`` is added, unknown words are ``<unk>``."""
    return [WORD_IDS.get(word, UNK) for word in split_words(text)]


def split_words(text: str) -> list[str]:
    """Words and punctuation, lower-case except names."""
    return [_SPELLING.get(word.lower(), word.lower()) for word in _WORD.findall(text)]


_WORD = re.compile(r"<[a-z]+>|[^\W_]+|[^\w\s]|_")
_SPELLING = {word.lower(): word for word in WORDS if word != word.lower()}
_NO_SPACE_BEFORE = frozenset(".,!?:")


def decode(ids: Iterable[int]) -> str:
    """Readable text: capitals where a sentence starts, punctuation and quotes attached.

    Raises:
        CourseError: for an id outside the vocabulary.
    """
    pieces: list[str] = []
    inside = False  # a quote
    capital, space = True, False
    for token in ids:
        if not 0 <= token < len(WORDS):
            raise CourseError(
                f"Token {token} is not in the stories' vocabulary: its ids go from 0 to {len(WORDS) - 1}."
            )
        word = WORDS[token]
        if word in SPECIALS:
            pieces.append((" " if space else "") + word)
            inside, capital, space = False, True, True
        elif word == '"':
            pieces.append('"' if inside or not space else ' "')
            capital, space = (capital, True) if inside else (True, False)
            inside = not inside
        elif word in _NO_SPACE_BEFORE:
            pieces.append(word)
            capital, space = word in ".!?", True
        else:
            if (
                word == "i"
                or word in lex.DAYS
                or (capital and not (pieces and pieces[-1] == '"' and not inside and word in lex.SPEAKING))
            ):
                word = word[0].upper() + word[1:]
            pieces.append((" " if space else "") + word)
            capital, space = False, True
    return "".join(pieces)
