"""The stories keep the rules of their language: over thousands of them, by rules written independently."""

import re
from itertools import pairwise
from typing import NamedTuple

import pytest

from sae_course.data.stories import lexicon as lex
from sae_course.data.stories.rows import story
from sae_course.data.stories.tale import Sentence
from sae_course.data.stories.templates import compile_template
from sae_course.data.stories.vocabulary import SPECIALS, WORD_IDS, WORDS

N_STORIES = 6_000
MANY = [*lex.NUMBERS[1:]]
PERSON = {**lex.NAME_GENDER, **lex.FAMILY_GENDER, **lex.PEOPLE_GENDER}
PRONOUN_GENDER = {"he": "male", "his": "male", "him": "male", "she": "female", "her": "female"}


class Told(NamedTuple):
    """A story whose words are split once: these tests read them often."""

    words: list[str]
    text: str
    sentences: tuple[Sentence, ...]


def _tell(number: int, register: str) -> list[Told]:
    stories = (story(i, register=register) for i in range(number))
    return [Told(told.words, " ".join(told.words), told.sentences) for told in stories]


@pytest.fixture(scope="module")
def all_stories() -> list[Told]:
    return _tell(20_000, "stories")


@pytest.fixture(scope="module")
def stories(all_stories: list[Told]) -> list[Told]:
    return all_stories[:N_STORIES]


@pytest.fixture(scope="module")
def notices() -> list[Told]:
    return _tell(4_000, "notices")


def _runs(words: list[str], row: tuple[str, ...]) -> list[list[int]]:
    """Every "one , two , three" in the text, as positions in ``row``."""
    places = {word: place for place, word in enumerate(row)}
    found: list[list[int]] = []
    i = 0
    while i < len(words):
        if words[i] not in places:
            i += 1
            continue
        run = [places[words[i]]]
        while words[i + 1 : i + 2] == [","] and words[i + 2 : i + 3] and words[i + 2] in places:
            i += 2
            run.append(places[words[i]])
        i += 1
        if len(run) > 1:
            found.append(run)
    return found


def test_the_vocabulary_is_small_unambiguous_and_whole() -> None:
    assert 800 <= len(WORDS) <= 1500
    assert len(set(WORDS)) == len(WORDS)
    assert len(lex.NAME_GENDER) >= 44
    assert all(
        word == word.lower()
        for word in WORDS
        if word not in {**lex.NAME_GENDER, **dict.fromkeys(lex.PET_NAMES)}
    )
    # restoring a name's capital from any spelling needs names that are no words
    assert not {name.lower() for name in (*lex.NAME_GENDER, *lex.PET_NAMES)} & set(WORDS)


def test_no_noun_is_also_a_verb() -> None:
    verbs = {form for forms in lex.VERBS.values() for form in forms if form}
    groups = (lex.ANIMALS, lex.FOODS, lex.TOYS, lex.PLACES)
    nouns = {noun for table in groups for group in table.values() for noun in group}
    nouns |= {
        *lex.OTHER_NOUNS,
        *lex.TREASURES,
        *lex.TOOLS,
        *lex.CLOTHES,
        *lex.BODY,
        *lex.NATURE,
        *lex.FURNITURE,
    }
    assert nouns & verbs <= set(lex.AMBIGUOUS)


@pytest.mark.parametrize(
    ("one", "many"),
    [("apple", "apples"), ("mouse", "mice"), ("sheep", "sheep"), ("loaf", "loaves"), ("box", "boxes")],
)
def test_plurals(one: str, many: str) -> None:
    assert lex.plural(one) == many


def test_every_word_is_used_and_no_other(all_stories: list[Told], notices: list[Told]) -> None:
    used = {word for told in (*all_stories, *notices) for word in told.words}
    assert used == set(WORDS) - set(SPECIALS)


def test_no_story_is_told_twice(all_stories: list[Told]) -> None:
    assert len({told.text for told in all_stories}) == len(all_stories)


def test_stories_have_a_bounded_length(stories: list[Told]) -> None:
    lengths = sorted(len(told.words) for told in stories)
    assert lengths[0] >= 90
    assert lengths[-1] <= 230
    assert 130 <= lengths[N_STORIES // 2] <= 200


def test_a_and_an(stories: list[Told], notices: list[Told]) -> None:
    for told in (*stories, *notices):
        for article, word in pairwise(told.words):
            if article in ("a", "an"):
                assert (article == "an") == (word[0] in "aeiou"), f"{article} {word}"


def test_counted_nouns_agree(stories: list[Told], notices: list[Told]) -> None:
    tables = (lex.ANIMALS, lex.FOODS, lex.TOYS)
    nouns = {
        noun for table in tables for group in table.values() for noun in group if noun not in lex.MASS_FOODS
    }
    nouns |= {
        *lex.CLOTHES,
        *lex.TREASURES,
        *lex.FLOWERS,
        "cup",
        "spoon",
        "step",
        "piece",
        "minute",
        "button",
        "friend",
    }
    singular = {noun for noun in nouns if lex.plural(noun) != noun}
    plurals = {lex.plural(noun) for noun in singular}
    counted = 0
    for told in (*stories, *notices):
        for number, word in pairwise(told.words):
            if number in MANY:
                assert word not in singular, f"{number} {word}"
                counted += word in plurals
            elif number in ("one", "a", "an"):
                assert word not in plurals, f"{number} {word}"
    assert counted > N_STORIES / 4


def test_sentences_end_and_quotes_close(stories: list[Told]) -> None:
    for told in stories:
        for sentence in told.sentences:
            words = sentence.words.split()
            assert words.count('"') % 2 == 0, sentence.words
            assert words[-1] in ".!?" or (words[-1] == '"' and words[-2] in ".!?"), sentence.words
            assert not re.search(r"[.,!?] [.,!?]|\bthe the\b|\ba a\b", sentence.words), sentence.words


def test_one_problem_and_one_ending(stories: list[Told]) -> None:
    for told in stories:
        phases = [sentence.phase for sentence in told.sentences]
        assert sorted(phases, key=["opening", "problem", "ending"].index) == phases
        first = {phase: phases.index(phase) for phase in ("problem", "ending")}
        problems = [
            i for i, s in enumerate(told.sentences) if re.match(r"(but )?one day ,|suddenly ,", s.words)
        ]
        assert problems == [first["problem"]]
        endings = [
            i
            for i, s in enumerate(told.sentences)
            if re.match(r"(in the end|at last|from that day on) ,", s.words)
        ]
        assert endings[0] == first["ending"]


def test_a_pronoun_has_somebody_to_mean(stories: list[Told]) -> None:
    for told in stories:
        seen: set[str] = set()
        for word in told.words:
            if word in PRONOUN_GENDER:
                assert PRONOUN_GENDER[word] in seen, told.text
            elif word in PERSON:
                seen.add(PERSON[word])


def test_a_sentence_that_starts_with_a_pronoun_means_its_annotated_subject(stories: list[Told]) -> None:
    started = 0
    for told in stories:
        named: set[str] = set()
        for sentence in told.sentences:
            start = sentence.words.split()[0]
            if start in ("he", "she"):
                person = sentence.subject_name.split()[-1]  # "her mom" is a mom
                assert PERSON[person] == sentence.subject == PRONOUN_GENDER[start]
                assert person in named, told.text
                started += 1
            elif start in lex.NAME_GENDER and sentence.subject != "plural":
                assert sentence.subject_name == start
                assert sentence.subject == lex.NAME_GENDER[start]
            named |= set(sentence.words.split())
    assert started > N_STORIES


def test_he_and_she_are_never_the_other_of_two(stories: list[Told]) -> None:
    """Between the last naming of her as a subject and "she", no other girl begins a sentence."""
    for told in stories:
        latest: dict[str, str] = {}
        for sentence in told.sentences:
            start = sentence.words.split()[0]
            if start in ("he", "she") and sentence.subject in latest:
                assert latest[sentence.subject] == sentence.subject_name, told.text
            latest = {} if sentence.subject == "plural" else latest
            if sentence.subject in ("male", "female"):
                latest[sentence.subject] = sentence.subject_name
            # another clause may have had another subject: then nothing is known any more
            if re.search(r"[,\"] |\b(and|because|while|when|until|so|but)\b", sentence.words):
                latest = {}


def test_numbers_days_and_ordinals_follow_each_other(stories: list[Told]) -> None:
    counts = 0
    for told in stories:
        for run in _runs(told.words, lex.NUMBERS):
            assert run == list(range(run[0], run[0] + len(run))), told.text
            counts += 1
        on_days = re.findall(r"\bon (\w+day) , it was (?:small|big|as)", told.text)
        for before, after in pairwise(on_days):
            assert lex.DAYS[(lex.DAYS.index(before) + 1) % 7] == after
        came = re.search(r"came (\w+) , and \w+ came (\w+)", told.text)
        if came:
            assert lex.ORDINALS.index(came[2]) == lex.ORDINALS.index(came[1]) + 1
    assert counts > N_STORIES / 5


@pytest.mark.parametrize(
    ("start", "times"),
    [
        (r'song went like this : " (.+?) ! "', 4),
        (r'secret song : " (.+?) \. "', 2),
        (r' and sang : " (.+?) ! "', 2),
        (r'and say : (.+?) \. "', 3),
        (r'counted the animals : " (.+?) \. "', 2),
    ],
)
def test_what_is_invented_comes_back_word_for_word(stories: list[Told], start: str, times: int) -> None:
    found = 0
    for told in stories:
        text = told.text
        match = re.search(start, text)
        if match:
            assert text.count(match[1]) >= times, told.text
            found += 1
    assert found > N_STORIES / 100


def test_who_gives_is_not_who_gets(stories: list[Told]) -> None:
    names = "|".join(lex.NAME_GENDER)
    opener = rf"(?:when|after|then|while|the children|(?:{names}) and)"
    gift = re.compile(rf"{opener}.* ({names}) (?:{'|'.join(lex.GIVING)}) an? .+ to ({names}) \.")
    with_gift = 0
    for told in stories:
        gifts = [match for sentence in told.sentences if (match := gift.match(sentence.words))]
        assert all(giver != getter for giver, getter in (match.groups() for match in gifts))
        with_gift += bool(gifts)
    assert with_gift > N_STORIES / 3


def test_what_was_lost_is_what_is_found(stories: list[Told]) -> None:
    searches = 0
    for told in stories:
        text = told.text
        lost = re.search(r"could not find (?:his|her) (\w+)", text)
        if lost:
            assert f"it was the {lost[1]} !" in text
            searches += 1
    assert searches > N_STORIES / 50


def test_notices_say_at_once_what_they_are(notices: list[Told]) -> None:
    for told in notices:
        assert re.match(rf"notice : |recipe : |dear ({'|'.join(lex.NAME_GENDER)}) ,", told.text)
        assert all(sentence.phase is None for sentence in told.sentences)
        assert set(told.words) <= WORD_IDS.keys()


def test_notices_are_other_text(stories: list[Told], notices: list[Told]) -> None:
    def pairs(texts: list[Told]) -> set[tuple[str, str]]:
        return {pair for told in texts for pair in pairwise(told.words)}

    own = pairs(notices)
    assert len(own - pairs(stories)) / len(own) > 0.3


@pytest.mark.parametrize("broken", ["a [b|c", "a ] b", "<A: no mark>", "<A: where ? {toy}>", "<A: no ."])
def test_a_broken_template_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r"template|quote"):
        compile_template(broken)
