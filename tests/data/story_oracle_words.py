"""What the slow reader knows of words, gathered from the lexicon on its own."""

from sae_course.data.stories import lexicon as lex
from sae_course.data.stories.vocabulary import WORD_IDS

SPECIAL = {"<pad>", "<bos>", "<eos>"}
MARKS = {".", "!", "?"}
STARTERS = {"when", "while", "because", "until", "if", "before", "after", "but", "so", "then", "that"}
ASKING = {"is", "are", "was", "were", "am", "can", "could", "will", "would", "must", "should", "did", "does"}
SUBORDINATE = {"when", "while", "because", "until", "if", "before", "after"}


def both(words):
    """The words and those of their plurals that the vocabulary has."""
    return set(words) | {lex.plural(w) for w in words if lex.plural(w) in WORD_IDS}


def all_of(groups):
    return [word for words in groups.values() for word in words]


ANIMALS = both([*all_of(lex.ANIMALS), "animal", "pet", "bird", "bug"])
FEELINGS = set(all_of(lex.FEELINGS))
NAMES = {*lex.FEMALE_NAMES, *lex.MALE_NAMES, *lex.PET_NAMES}
RELATIVES = set(lex.FAMILY_GENDER)
GENDER = {**lex.FAMILY_GENDER, **lex.PEOPLE_GENDER, **lex.NAME_GENDER}
FEMALE = {w for w, g in GENDER.items() if g == "female"} | {"she", "her", "herself"}
MALE = {w for w, g in GENDER.items() if g == "male"} | {"he", "him", "his", "himself"}
SINGULARS = [
    *all_of(lex.ANIMALS), *all_of(lex.FOODS), *all_of(lex.TOYS), *all_of(lex.PLACES), *lex.DRINKS,
    *lex.CLOTHES, *lex.TREASURES, *lex.TOOLS, *lex.FLOWERS, *lex.FURNITURE, *lex.CONTAINERS, *lex.VEHICLES,
    *lex.BODY, *lex.NATURE, *lex.SKY, *lex.OTHER_NOUNS, *lex.FAMILY_GENDER, *lex.PEOPLE_GENDER, *lex.HELPERS,
    *lex.OTHER_PEOPLE, *lex.WEATHER_NOUNS,
]  # fmt: skip
PLURALS = {lex.plural(w) for w in SINGULARS if lex.plural(w) != w and lex.plural(w) in WORD_IDS}
PLURALS |= {*lex.PEOPLE_PLURALS, "clothes"}
NOUNS = {*SINGULARS, *PLURALS}
ADJECTIVES = {*lex.COLOURS, *lex.SIZES, *lex.QUALITIES, *lex.TRAITS, *lex.WEATHER, *FEELINGS}
PEOPLE = {*RELATIVES, *lex.PEOPLE_GENDER, *lex.HELPERS, *lex.PEOPLE_PLURALS, *lex.OTHER_PEOPLE}
PEOPLE |= {"everyone"}
PAST = {p for b, p, _ in lex.VERBS.values() if p and p != b and p not in NOUNS}
BASE = {b for b, _, _ in lex.VERBS.values() if b} - {"be", "have", "do", *NOUNS}
ING = {i for _, _, i in lex.VERBS.values() if i and i not in NOUNS}
VERBS = {form for forms in lex.VERBS.values() for form in forms if form and form not in NOUNS}
VERBS |= {"hurt", *lex.BE, *lex.MODALS}
FILLERS = {
    "very",
    *lex.ARTICLES,
    *lex.POSSESSIVES,
    *ADJECTIVES,
    *lex.NUMBERS,
    *lex.ORDINALS,
    *lex.QUANTIFIERS,
}
HER, HIM = {"she", "her", "herself"}, {"he", "him", "his", "himself"}
ME = {*lex.OBJECT_PRONOUNS}
OPENERS = {
    "noun due": {"a", "an", "the", *lex.POSSESSIVES},
    "noun due: after a": {"a", "an"},
    "noun due: after the": {"the"},
    "noun due: after a possessive": set(lex.POSSESSIVES),
    "noun due: after a preposition": set(lex.PREPOSITIONS),
    "definite": {"the", *lex.POSSESSIVES},
    "verb": (PAST | BASE | ING) - {"was", "were", "named"},
}
"""What opens a phrase that then waits for its noun."""
SERIES = {"number": lex.NUMBERS, "ordinal": lex.ORDINALS, "day": lex.DAYS}

LOOKUP = {
    "animal": ANIMALS,
    "animal: pet": both([*lex.ANIMALS["pets"], "pet"]),
    "animal: farm": both(lex.ANIMALS["farm"]),
    "animal: wild": both(lex.ANIMALS["wild"]),
    "animal: bird": both([*lex.ANIMALS["birds"], "bird"]),
    "animal: bug": both([*lex.ANIMALS["bugs"], "bug"]),
    "food": both([*all_of(lex.FOODS), "food", "fruit", "vegetable", "treat"]),
    "food: fruit": both([*lex.FOODS["fruit"], "fruit"]),
    "food: vegetable": both([*lex.FOODS["vegetables"], "vegetable"]),
    "food: treat": both([*lex.FOODS["sweets"], *lex.FOODS["baked"], "treat"]),
    "toy": both([*all_of(lex.TOYS), "toy"]),
    "place": both([*all_of(lex.PLACES), "place"]),
    "place: outdoors": both(lex.PLACES["outdoors"]),
    "place: indoors": both(lex.PLACES["indoors"]),
    "feeling": FEELINGS,
    "feeling: pleasant": set(lex.FEELINGS["pleasant"]),
    "feeling: unpleasant": set(lex.FEELINGS["unpleasant"]),
    "colour": set(lex.COLOURS),
    "adjective": ADJECTIVES,
    "name": NAMES,
    "name: female": set(lex.FEMALE_NAMES),
    "name: male": set(lex.MALE_NAMES),
    "name: pet": set(lex.PET_NAMES),
    "family member": RELATIVES,
    "female word": FEMALE,
    "male word": MALE,
    "number": set(lex.NUMBERS),
    "ordinal": set(lex.ORDINALS),
    "day": set(lex.DAYS),
    "verb of speaking": set(lex.SPEAKING),
    "verb of giving": set(lex.GIVING),
    "negation": set(lex.NEGATION),
    "plural noun": PLURALS,
    "past-tense verb": PAST,
    "base verb": BASE,
    "preposition": set(lex.PREPOSITIONS),
    "sentence mark": MARKS,
    "exclamation or question mark": {"!", "?"},
}


CLAUSE_ENDS = {",", "and", "or", *STARTERS}
VERB_ENDS = {*lex.QUESTION_WORDS, *STARTERS}
QUESTIONS = {*lex.QUESTION_WORDS, *ASKING}
BEFORE_IT = {"and", "do", "have", *ASKING}
ITEM = {"a", "an", "some", "very", *lex.NUMBERS, *(ADJECTIVES - VERBS), *NOUNS}
NAMED = NOUNS | NAMES | ME
OBJECTS = NAMED - {"her"}
CONTENT = NOUNS | NAMES | ADJECTIVES | VERBS
DEFINITE = OPENERS["definite"]
KINDS = {
    "speaker": {"i"},
    "listener": {"you"},
    "it": {"it"},
    "plural": {*PLURALS, "they", "we"},
    "male": MALE,
    "female": FEMALE,
    "animal": {*ANIMALS, *lex.PET_NAMES},
    "other person": PEOPLE,
}


def kind_of(word):
    """What sort of subject a word makes."""
    return next((kind for kind, words in KINDS.items() if word in words), "thing")
