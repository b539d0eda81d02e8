"""The stories' labels: by hand, against a slow reader, against the grammar, and that they look only back."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from story_cases import CASES
from story_oracle import read_row

from sae_course.data.stories.features import FEATURES
from sae_course.data.stories.features_page import FILE, base_rates
from sae_course.data.stories.labels import labels
from sae_course.data.stories.labels_reading import Reading
from sae_course.data.stories.labels_reference import Kind, Reference
from sae_course.data.stories.labels_syntax import Syntax
from sae_course.data.stories.rows import Story, rows, story
from sae_course.data.stories.tale import Sentence
from sae_course.data.stories.vocabulary import BOS, EOS, PAD, WORD_IDS, WORDS
from sae_course.runtime import CourseError, project_root

NAMES = tuple(feature.name for feature in FEATURES)


def ids(text: str) -> np.ndarray:
    return np.array([WORD_IDS[word] for word in text.split()])


@pytest.fixture(scope="module")
def told() -> np.ndarray:
    return rows(160, 128, split="test")


@pytest.fixture(scope="module")
def soups(told: np.ndarray) -> np.ndarray:
    """Rows that no grammar would write: any words, common words, and pieces of stories in the wrong order."""
    rng = np.random.default_rng(0)
    common = np.concatenate(
        [ids('<pad> <bos> <eos> , . ! " and but the a her Mary John Rex said named you it'), [*range(4, 90)]]
    )
    anything = rng.integers(0, len(WORDS), (40, 128))
    frequent = rng.choice(common, (60, 128))
    pieces = told.reshape(-1, 4)
    shuffled = rng.permutation(pieces).reshape(told.shape)[:100]
    return np.concatenate([anything, frequent, shuffled])


# --- by hand ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "text"), CASES, ids=[f"{name}: {text[:30]}" for name, text in CASES])
def test_feature_by_hand(name: str, text: str) -> None:
    truth = labels(ids(text.replace("*", "")))[name][0]
    words = text.replace("*", "").split()
    assert " ".join(w + "*" * int(t) for w, t in zip(words, truth, strict=True)) == text


def test_every_feature_has_a_case() -> None:
    assert {name for name, _ in CASES} == set(NAMES)


# --- against the slow reader --------------------------------------------------------------------------
def assert_as_read(tokens: np.ndarray) -> None:
    values = labels(tokens).values
    for row, truth in zip(tokens, values, strict=True):
        for position, (found, expected) in enumerate(zip(truth, read_row(row), strict=True)):
            names = {NAMES[index] for index in np.flatnonzero(found)}
            text = " ".join(WORDS[token] for token in row[max(0, position - 20) : position + 1])
            assert names == expected, f"{names ^ expected} after: {text}"


def test_stories_as_the_slow_reader_says(told: np.ndarray) -> None:
    assert_as_read(told)


def test_notices_as_the_slow_reader_says() -> None:
    assert_as_read(rows(80, 128, split="test", register="notices"))


def test_soups_as_the_slow_reader_says(soups: np.ndarray) -> None:
    assert_as_read(soups)


# --- what a label may depend on -----------------------------------------------------------------------
def test_labels_look_only_back(told: np.ndarray, soups: np.ndarray) -> None:
    tokens = np.concatenate([told[:60], soups[::3]])
    values = labels(tokens).values
    for cut in (1, 2, 17, 64, 127):
        assert np.array_equal(labels(tokens[:, :cut]).values, values[:, :cut])


def test_rows_and_stories_do_not_know_each_other(told: np.ndarray) -> None:
    values = labels(told).values
    assert np.array_equal(labels(told[7]).values[0], values[7])
    halves = np.concatenate([told[:1, 1:60], [[EOS]], told[1:2, 1:60]], axis=1)
    assert np.array_equal(labels(halves).values[0, 60:], values[1, 1:60])


def test_a_prompt_needs_no_bos(told: np.ndarray) -> None:
    assert np.array_equal(labels(told[:, 1:]).values, labels(told).values[:, 1:])


def test_padding_is_nothing(told: np.ndarray) -> None:
    padding = np.full((len(told), 5), PAD)
    values = labels(np.concatenate([padding, told, padding], axis=1)).values
    assert np.array_equal(values[:, 5:-5], labels(told).values)
    specials = np.isin(np.concatenate([padding, told, padding], axis=1), (PAD, BOS, EOS))
    assert not values[specials].any()


def test_an_empty_batch_has_no_labels() -> None:
    assert labels(np.zeros((0, 8), int)).values.shape == (0, 8, len(NAMES))
    assert labels(np.zeros((3, 0), int)).values.shape == (3, 0, len(NAMES))


@pytest.mark.parametrize(
    "tokens", [np.array([[1, len(WORDS)]]), np.array([-1]), np.array([[0.5]]), np.zeros((2, 2, 2), int)]
)
def test_what_is_no_row_of_ids_is_refused(tokens: np.ndarray) -> None:
    with pytest.raises(CourseError, match=r"^labels (need|found) "):
        labels(tokens)


# --- against the grammar ------------------------------------------------------------------------------
class Told(NamedTuple):
    """Stories with what the grammar knows, and their tokens as one batch."""

    stories: list[Story]
    tokens: np.ndarray

    def sentences(self) -> Iterator[tuple[Sentence, int, slice]]:
        """Each sentence, the row it is in, and where."""
        for row, tale in enumerate(self.stories):
            begin = 0
            for sentence in tale.sentences:
                end = begin + len(sentence.words.split())
                yield sentence, row, slice(begin, end)
                begin = end


@pytest.fixture(scope="module")
def annotated() -> Told:
    stories = [story(index, split="test") for index in range(500)]
    longest = max(len(tale.tokens) for tale in stories)
    return Told(stories, np.array([tale.tokens + [PAD] * (longest - len(tale.tokens)) for tale in stories]))


def test_phases_are_the_grammars(annotated: Told) -> None:
    truth = labels(annotated.tokens)
    phases = {name: truth[f"story: {name}"] for name in ("opening", "problem", "ending")}
    for sentence, row, where in annotated.sentences():
        found = [name for name, mask in phases.items() if mask[row, where.stop - 1]]
        assert found == [sentence.phase], sentence.words


# The grammar's kinds, and what the words alone say: "it" may be an animal; the flowers or an animal can be
# the thing that a sentence is about.
KINDS = {
    "female": {Kind.FEMALE},
    "male": {Kind.MALE},
    "plural": {Kind.PLURAL},
    "animal": {Kind.ANIMAL, Kind.IT},
    "thing": {Kind.THING, Kind.IT, Kind.PLURAL, Kind.ANIMAL},
    "neutral": {Kind.PERSON},
}


def test_subjects_are_the_grammars(annotated: Told) -> None:
    reference = Reference(Syntax(Reading(annotated.tokens)))
    checked = 0
    for sentence, row, where in annotated.sentences():
        told = ~reference.syntax.inside_quote[row, where] & reference.syntax.verb_has_come[row, where]
        said = [kind for kind in reference.subject[row, where][told] if kind != Kind.NONE]
        if sentence.subject and said:
            # "there was a girl named Mary": the grammar means Mary; what follows "there" is no subject here.
            there = " there " in f" {sentence.words}" and said[0] == Kind.THING
            found = {said[0], said[-1]} if there else {said[0]}
            assert found & KINDS[sentence.subject] or (there and found == {Kind.THING}), (sentence, found)
            checked += 1
    assert checked > 6000


def test_speakers_are_the_grammars(annotated: Told) -> None:
    truth = labels(annotated.tokens)
    speaker = {who: truth[f"quote: speaker {who}"] for who in ("female", "male", "not known")}
    checked = dict.fromkeys(speaker, 0)
    for sentence, row, where in annotated.sentences():
        words = sentence.words.split()
        # Where one quote begins the sentence, or comes soon after, the grammar's subject is who speaks.
        if words.count('"') != 2 or words.index('"') > 5:
            continue
        who = "not known" if words[0] == '"' else sentence.subject
        if who in speaker:
            inside = where.start + words.index('"') + 1
            assert [name for name, mask in speaker.items() if mask[row, inside]] == [who], sentence
            checked[who] += 1
    assert min(checked.values()) > 100


def test_the_other_name_follows_where_it_is_due(annotated: Told) -> None:
    """The one who gets the gift is the one of the two whom the sentence named once."""
    found = np.argwhere(labels(annotated.tokens)["the other name is due"])
    for row, position in found:
        words = annotated.stories[row].words
        begin = max([-1, *(i for i in range(position) if words[i] in {".", "!", "?", '"'})])
        first, second, again = [word for word in words[begin + 1 : position] if word[0].isupper()]
        assert words[position + 1] == ({first, second} - {again}).pop(), words[begin : position + 2]
    assert len(found) > 100


# --- the table ----------------------------------------------------------------------------------------
def test_no_two_features_are_the_same(told: np.ndarray) -> None:
    both = np.concatenate([told, rows(160, 128, split="test", register="notices")])
    columns = labels(both).values.reshape(-1, len(NAMES))
    assert len(np.unique(columns, axis=1).T) == len(NAMES)
    assert len(set(NAMES)) == len(NAMES) == len({feature.meaning for feature in FEATURES})


RARE = {
    "register: notice": "never in a story",
    "register: recipe": "never in a story",
    "register: letter": "never in a story",
}


def test_features_are_neither_rare_nor_nearly_always_true() -> None:
    rates = base_rates("stories", 400)
    outside = {name for name, rate in rates.items() if not 0.001 <= rate <= 0.6}
    assert outside <= RARE.keys()


def test_the_page_says_what_the_table_and_the_stories_say() -> None:
    lines = (project_root() / FILE).read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")
    ][1:]
    assert [tuple(row[:3]) for row in cells] == [(f.name, f.group, f.meaning) for f in FEATURES]
    for column, register in ((3, "stories"), (4, "notices")):
        rates = base_rates(register, 300)
        for row in cells:
            written = float(row[column]) / 100
            assert rates[row[0]] == pytest.approx(written, rel=0.35, abs=0.001), (row, rates[row[0]])
