"""The closed vocabulary of the stories: token id <-> word, text -> ids, ids -> readable text."""

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
        lex.REFLEXIVES,
    )
    add(lex.CONJUNCTIONS, lex.PREPOSITIONS, lex.BE, lex.MODALS, lex.NEGATION, lex.DEMONSTRATIVES)
    add(lex.INDEFINITES, lex.QUANTIFIERS, lex.QUESTION_WORDS, lex.ADVERBS, lex.OTHER_WORDS)
    add(lex.NAME_GENDER, lex.PET_NAMES, lex.FAMILY_GENDER, lex.PEOPLE_GENDER, lex.HELPERS)
    add(lex.PEOPLE_PLURALS, lex.OTHER_PEOPLE)
    add(lex.ANIMALS, tuple(lex.plural(a) for group in lex.ANIMALS.values() for a in group))
    add(lex.FOODS, lex.FOOD_PLURALS, lex.DRINKS, lex.TOYS, lex.CLOTHES, lex.TREASURES, lex.TOOLS, lex.FLOWERS)
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
