"""The docs page of the mini models: up to date, and true to its models; on tiny random ones."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sae_course.data.othello.board import boards
from sae_course.data.othello.vocabulary import encode as encode_moves
from sae_course.data.stories.vocabulary import BOS, EOS, WORD_IDS, WORDS, encode
from sae_course.models import page, page_attention, page_gemma, page_othello, page_sampling, page_stories
from sae_course.models.cards import SHIPPED, Behaviour, Card, TrainingRecord
from sae_course.models.load import hooked_model
from sae_course.models.measures import othello as othello_measures
from sae_course.models.measures.stories import held_out_rows, indirect_object_cases, pronoun_cases
from sae_course.models.page_section import Findings, Picture
from sae_course.models.plain import untrained
from sae_course.models.ship import file_names
from sae_course.models.specs import ModelSpec, TrainingSpec, mini_specs
from sae_course.runtime import CourseError, project_root

PNG = b"\x89PNG\r\n\x1a\n"


def tiny(name: str) -> ModelSpec:
    spec = mini_specs()[name]
    n_layers, n_ctx = min(spec.n_layers, 2), min(spec.n_ctx, 144)
    small = replace(spec, n_layers=n_layers, n_ctx=n_ctx, d_model=16, n_heads=2, d_head=8, d_mlp=32)
    small = replace(small, training=TrainingSpec(rows=8, steps=20))
    return replace(small, n_key_value_heads=1, window=16) if spec.gemma2 else small


def random_model(spec: ModelSpec, seed: int = 0) -> Any:
    return hooked_model(spec, file_names(spec, untrained(spec, seed).state_dict()))


def card_of(spec: ModelSpec) -> Card:
    curve = tuple((step, 5 / step, 6 / step if step % 5 == 0 else None) for step in range(1, 21))
    record = TrainingRecord(
        1_000_000, 60.0, f"sae-course train-model {spec.name}", "a machine", 1, "2.9", curve
    )
    behaviours = (
        Behaviour("reached one", 97.0, "sentence one", "sample one", "%", 95.0, ">=", 50.0),
        Behaviour("missed one", 2.5, "sentence | two", "sample two", "%", 1.0, "<=", 90.0),
        Behaviour("below a 5-gram model", 0.25, "sentence three", "sample three", "nats"),
    )
    return Card(
        spec.name, "a published one", spec, 1234, "float16", "ab" * 32, 2468, record, 0.875, behaviours
    )


def ship(folder: Path, spec: ModelSpec) -> Card:
    card = card_of(spec)
    folder.mkdir(exist_ok=True)
    (folder / f"{spec.name}.json").write_text(card.to_text(), encoding="utf-8")
    return card


def blank(figures: Any) -> list[bytes]:
    return [PNG for _ in figures]


def found(*names: str) -> Findings:
    return Findings([Picture(name, None, f"alt {name}", f"note {name}") for name in names], ["1. a sample"])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in page.NAMES if name != "othello-gpt"])
def test_a_section_is_written_from_model_and_card(name: str, tmp_path: Path) -> None:
    spec = tiny(name)
    card = ship(tmp_path / "cards", spec)
    findings = page.look_into(random_model(spec), random_model(spec, 1), card)
    page.write_section(tmp_path, name, findings, blank, tmp_path / "cards")
    text = (tmp_path / page.FILE).read_text(encoding="utf-8")
    assert len(re.findall(r"^\d+\. \*\*", text, re.MULTILINE)) == 10
    assert len(findings.pictures) >= 3
    for picture in findings.pictures:
        assert picture.figure.layout.title.text
        assert f"](models/{name}-{picture.name}.png)" in text
        assert (tmp_path / page.PICTURES / f"{name}-{picture.name}.png").read_bytes() == PNG


def test_othello_s_section_has_ten_games() -> None:
    spec = tiny("othello-gpt")
    findings = page_othello.othello(random_model(spec), random_model(spec, 1), card_of(spec), share=0.01)
    assert [picture.name for picture in findings.pictures] == ["loss", "games", "layers", "board"]
    assert len([line for line in findings.samples if re.match(r"\d+\. \d+: `[A-H][1-8]", line)]) == 10


def test_the_page_says_what_the_card_says(tmp_path: Path) -> None:
    spec = tiny("tiny-stories-1L-21M")
    ship(tmp_path / "cards", spec)
    page.write_section(tmp_path, spec.name, found("loss"), blank, tmp_path / "cards")
    text = (tmp_path / page.FILE).read_text(encoding="utf-8")
    for words in (
        "a published one", "1,234 parameters", "1.0 million tokens", "60 s", "a machine",
        "`abababababababab…`", f"`sae-course train-model {spec.name}`",
        "| reached one | 97.0 % | ≥ 95.0 % | yes | 50.0 % |",
        "| missed one | 2.5 % | ≤ 1.0 % | **missed** | 90.0 % | sentence \\| two |",
        "**Missed:** missed one is 2.5 %, not ≤ 1.0 %.", "1 of 2 reached; **missed:** missed one",
        "note loss", "1. a sample",
    ):  # fmt: skip
        assert words in text, words


def test_one_section_is_renewed_and_the_others_stay(tmp_path: Path) -> None:
    shipped = tmp_path / "cards"
    for name in reversed(page.NAMES[:3]):
        ship(shipped, tiny(name))
        page.write_section(tmp_path, name, found("loss", "old"), blank, shipped)
    before = page.sections(tmp_path)
    page.write_section(tmp_path, page.NAMES[1], found("loss", "new"), blank, shipped)
    after = page.sections(tmp_path)
    assert list(after) == list(page.NAMES[:3]), "in the page's order, whatever was written first"
    assert [name for name in after if after[name] != before[name]] == [page.NAMES[1]]
    pictures = {path.name for path in (tmp_path / page.PICTURES).iterdir()}
    assert f"{page.NAMES[1]}-new.png" in pictures
    assert f"{page.NAMES[1]}-old.png" not in pictures
    assert f"{page.NAMES[0]}-old.png" in pictures


def test_a_page_is_stale_when_a_card_changed(tmp_path: Path) -> None:
    shipped = tmp_path / "cards"
    first, second = page.NAMES[:2]
    card = ship(shipped, tiny(first))
    assert page.stale(tmp_path, shipped) == [first]
    page.write_section(tmp_path, first, found("loss"), blank, shipped)
    assert page.stale(tmp_path, shipped) == []
    ship(shipped, tiny(second))
    assert page.stale(tmp_path, shipped) == [second]
    (shipped / f"{first}.json").write_text(replace(card, held_out_loss=0.9).to_text(), encoding="utf-8")
    assert page.stale(tmp_path, shipped) == sorted((first, second))


def test_the_shipped_page_is_up_to_date() -> None:
    assert page.stale(project_root()) == [], "python -m sae_course.models.page NAME"
    shipped = {path.stem for path in SHIPPED.glob("*.json")}
    assert set(page.sections(project_root())) == shipped


def test_the_shipped_pictures_are_there_and_small() -> None:
    folder = project_root() / page.PICTURES
    named = re.findall(r"!\[[^\]]+\]\(models/([^)]+)\)", "".join(page.sections(project_root()).values()))
    files = {path.name: path.read_bytes() for path in folder.glob("*")}
    assert sorted(files) == sorted(named)
    for name, data in files.items():
        assert data.startswith(PNG), name
        assert len(data) < 150_000, name
    assert sum(map(len, files.values())) < 1_200_000


def test_an_unknown_model_is_refused() -> None:
    spec = replace(tiny("tiny-stories-1L-21M"), name="shakespeare")
    with pytest.raises(CourseError, match='no part for "shakespeare"; it has for tiny-stories'):
        page.look_into(None, None, card_of(spec))  # type: ignore[arg-type]
    with pytest.raises(CourseError, match="shakespeare: no such model is shipped"):
        page.main(["shakespeare"])


class Stub:
    """A model whose logits at the end of a row are a function of the row."""

    def __init__(self, after: Any, d_vocab: int) -> None:
        self.after, self.cfg = after, SimpleNamespace(device="cpu", n_ctx=256, d_vocab=d_vocab)

    def __call__(self, tokens: torch.Tensor, return_type: str) -> torch.Tensor:
        out = torch.full((*tokens.shape, self.cfg.d_vocab), -1e9)
        for row, ids in enumerate(tokens.tolist()):
            end = max(at for at, token in enumerate(ids) if token != 0)  # what comes after fills up
            out[row, end, self.after(ids[: end + 1])] = 0.0
        return out


def test_a_story_is_told_on_until_it_ends() -> None:
    openings = [encode("Mary was happy."), encode("One day, Tom ran.")]
    model = Stub(lambda ids: [EOS] if len(ids) > 8 else [WORD_IDS["again"]], len(WORDS))
    assert page_sampling.tell_on(model, openings) == [  # type: ignore[arg-type]
        ("Mary was happy.", " Again again again again", True),
        ("One day, Tom ran.", " Again again", True),
    ]
    endless = Stub(lambda ids: [WORD_IDS["again"]], len(WORDS))
    told = page_sampling.tell_on(endless, openings, length=7)  # type: ignore[arg-type]
    assert told == [("Mary was happy.", " Again again", False), ("One day, Tom ran.", "", False)]


def test_stories_come_again_from_their_seed_and_alone() -> None:
    model = random_model(tiny("tiny-stories-1L-21M"))
    openings = [encode("Mary was happy."), encode("One day, Tom ran to the park.")]
    told = page_sampling.tell_on(model, openings, length=30)
    assert page_sampling.tell_on(model, openings, length=30) == told
    assert page_sampling.tell_on(model, openings, length=30, seed=1) != told


def test_rows_of_different_length_are_read_at_their_own_end() -> None:
    model = random_model(tiny("tiny-stories-1L-21M"))
    rows = [[BOS, 5, 6, 7], [BOS, 8]]
    together = page_sampling.next_probabilities(model, rows)
    alone = np.concatenate([page_sampling.next_probabilities(model, [row]) for row in rows])
    assert np.allclose(together, alone, atol=1e-6)
    assert np.allclose(together.sum(-1), 1)


def test_a_token_is_drawn_by_its_probability() -> None:
    luck = np.random.default_rng(0).random(20_000)
    drawn = page_sampling.draw(np.tile([0.5, 0.0, 0.2, 0.3], (len(luck), 1)), luck)
    assert np.allclose(np.bincount(drawn, minlength=4) / len(luck), [0.5, 0, 0.2, 0.3], atol=0.01)


def test_a_player_of_the_rules_plays_to_the_end() -> None:
    def legal(ids: list[int]) -> list[int]:
        return np.flatnonzero(boards(np.array([ids])).legal_tokens[0, -1]).tolist() or [0]

    played = page_sampling.play_itself(Stub(legal, 61), n=2)  # type: ignore[arg-type]
    for game in played:
        assert game.broken is None
        assert game.crossed is None
        assert game.board.over[0, -1]
        assert encode_moves(game.moves) == list(game.tokens)


@pytest.mark.parametrize(("token", "name", "crossed"), [(1, "A1", 0), (0, "no move", None)])
def test_a_game_stops_at_the_first_illegal_move(token: int, name: str, crossed: int | None) -> None:
    for game in page_sampling.play_itself(Stub(lambda ids: [token], 61), n=3):  # type: ignore[arg-type]
        assert len(game.tokens) == 1
        assert (game.broken, game.broken_name, game.crossed) == (token, name, crossed)
        assert game.moves.endswith(f"({name})")


def test_the_page_s_probes_are_the_measure_s() -> None:
    model = random_model(tiny("othello-gpt"))
    accuracies, majority = othello_measures.probe_accuracies(model, 0.01)
    probes = page_othello._Probes.trained(model, 0.01)
    assert np.allclose(probes.accuracies, accuracies)
    assert probes.majority == pytest.approx(majority)


def test_the_name_is_swapped_in_the_first_fitting_row() -> None:
    texts = (
        "There was a boy named Tom. He ran.",  # two persons
        "The dog ran. He was happy.",  # none
        "Tom ran home. She was happy.",  # not hers
        "One day, Lucy ran home. Lucy was happy. She sang.",  # twice the same: two mentions
        "One day, Lucy ran home. She sang. He sang.",
    )
    rows = np.full((len(texts), 16), EOS)
    for row, text in zip(rows, texts, strict=True):
        ids = [BOS, *encode(text)][:16]
        row[: len(ids)] = ids
    swapped = page_stories.swapped_opening(rows)
    assert (swapped.name, swapped.other) == ("Lucy", "John")
    assert [WORDS[answer] for answer in swapped.answers] == ["she", "he"]
    assert swapped.rows == tuple([BOS, *encode(f"One day, {name} ran home.")] for name in ("Lucy", "John"))
    with pytest.raises(ValueError, match="no row"):
        page_stories.swapped_opening(rows[:4])


def test_attention_to_a_person_as_counted_by_hand() -> None:
    model = random_model(tiny("tiny-stories-1L-21M"))
    text = "Tom and Lucy ran to the king. She gave him"
    row = np.array([[BOS, *encode(text)]])
    cases = pronoun_cases(row)
    assert [WORDS[case.answer] for case in cases] == ["she", "him"]
    words = [WORDS[token] for token in row[0]]
    expected = np.zeros(2)
    for pos, right in ((words.index("she"), ["Lucy"]), (words.index("him"), ["Tom", "king"])):
        for head in range(2):
            pattern = page_stories.attention_pattern(model, row[0].tolist(), 0, head)
            expected[head] += sum(pattern[pos - 1, words.index(word)] for word in right) / 2
    assert np.allclose(page_stories.attention_to_person(model, row, cases)[0], expected, atol=1e-6)


def test_the_phrase_is_in_the_vocabulary_once() -> None:
    assert len(set(page_attention.PHRASE)) == len(page_attention.PHRASE)
    assert set(page_attention.PHRASE) <= set(WORDS)


def test_logits_before_cases_and_the_order_of_names() -> None:
    model = random_model(tiny("gemma-2-2b"))
    rows = held_out_rows(model)
    cases = indirect_object_cases(rows)
    logits = page_gemma.before_cases(model, rows, cases)
    for number in (0, len(cases) // 2, len(cases) - 1):
        row, pos = cases[number].row, cases[number].pos
        alone = model(torch.from_numpy(rows[row : row + 1, :pos]), return_type="logits")[0, -1]
        assert np.allclose(logits[number], alone.detach(), atol=1e-4)
    text = "Tom and Lucy ran home, and {} gave a cake to {}."
    row = np.array([[BOS, *encode(text.format("Lucy", "Tom")), *encode(text.format("Tom", "Lucy"))]])
    orders = [page_gemma._giver_is_first(row, case) for case in indirect_object_cases(row)]
    assert orders == [False, True]
