"""A card is what was written, or one clear sentence on why it can't be read."""

import hashlib
import json
from dataclasses import replace

import pytest
from trainees import GEMMA, PLAIN

from sae_course.models import cards as room
from sae_course.models.cards import SHIPPED, Behaviour, Card, TrainingRecord, cards, own_models
from sae_course.runtime import CourseError

PRONOUNS = Behaviour(
    "pronouns", 97.25, "the share of <b>right</b> ones", "2,000 stories", unit="%", target=95.0, control=1.5
)
ILLEGAL = Behaviour("illegal", 2.0, "the share", "1,000 games", unit="%", target=1.0, better="<=")
LOSS = Behaviour("held-out loss", 2.5, "cross-entropy", "1,000 rows", unit="nats")
RECORD = TrainingRecord(
    12345,
    3725.5,
    "sae-course train-model tiny",
    "Linux, 2 cores",
    2,
    "2.13",
    ((50, 3.5, None), (100, 2.5, 2.6)),
)
CARD = Card(
    "tiny",
    "a big one",
    PLAIN,
    1_234_567,
    "float16",
    "ab" * 32,
    2_469_134,
    RECORD,
    2.5,
    (PRONOUNS, ILLEGAL, LOSS),
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path))
    monkeypatch.setattr(room, "SHIPPED", tmp_path / "shipped")
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("spec", [PLAIN, GEMMA])
def test_what_was_written_is_read(spec, tmp_path):
    card = replace(CARD, spec=spec)
    assert Card.read(write(tmp_path / "tiny.json", card.to_text())) == card
    assert json.loads(card.to_text()) == json.loads(json.dumps(card.to_json()))
    assert "   [50, 3.5, null],\n" in card.to_text(), "the curve is a line each"


def test_a_truncated_card_at_any_place(tmp_path):
    text = CARD.to_text().rstrip()
    for length in range(0, len(text), 37):
        with pytest.raises(CourseError, match=r"tiny\.json is not a model's card that can be read"):
            Card.read(write(tmp_path / "tiny.json", text[:length]))


def changed(**fields):
    return CARD.to_json() | fields


BROKEN = {
    "no object": ([], 'no "format"'),
    "no format": ({k: v for k, v in CARD.to_json().items() if k != "format"}, 'no "format"'),
    "newer": (changed(format=2), "format 2 and this course knows up to 1: update"),
    "missing": ({k: v for k, v in CARD.to_json().items() if k != "parameters"}, "lacks parameters"),
    "unknown": (changed(colour="red"), "unknown field colour"),
    "a number as text": (changed(parameters="many"), "parameters.*whole number.*many"),
    "a boolean as number": (changed(weights_bytes=True), "weights_bytes.*whole number"),
    "no spec": (changed(spec=None), '"spec" should be an object'),
    "spec lacks": (changed(spec={"name": "tiny"}), '"spec" lacks'),
    "training of spec": (changed(spec=CARD.to_json()["spec"] | {"training": 3}), "spec.training"),
    "no behaviours": (changed(behaviours={}), "behaviours.*list"),
    "unit": (changed(behaviours=[CARD.to_json()["behaviours"][0] | {"unit": "miles"}]), "miles"),
    "better": (changed(behaviours=[CARD.to_json()["behaviours"][0] | {"better": ">"}]), "better.*'>='"),
    "curve": (changed(training=CARD.to_json()["training"] | {"curve": [[1, 2]]}), "line of its curve"),
    "curve no list": (changed(training=CARD.to_json()["training"] | {"curve": 7}), "curve"),
    "dtype": (changed(dtype="float8"), "float8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_card(name, tmp_path):
    value, said = BROKEN[name]
    with pytest.raises(CourseError, match=said):
        Card.read(write(tmp_path / "tiny.json", json.dumps(value)))


def test_a_missing_card(tmp_path):
    with pytest.raises(CourseError, match="missing"):
        Card.read(tmp_path / "none.json")


def test_reached_looks_at_the_right_side():
    assert PRONOUNS.reached
    assert not ILLEGAL.reached
    assert replace(ILLEGAL, value=1.0).reached
    assert not replace(PRONOUNS, value=94.99).reached
    assert LOSS.reached is None


def test_all_cards_shipped_first_and_a_broken_one_hides_none(home):
    write(home / "shipped" / "b.json", replace(CARD, name="b").to_text())
    write(home / "shipped" / "a.json", replace(CARD, name="a").to_text())
    write(home / "models" / "0.json", replace(CARD, name="0").to_text())
    write(home / "models" / "0.tokenizer.json", "{}")
    write(home / "models" / "bad.json", "{")
    found = cards()
    assert found.names == ("a", "b", "0")
    assert own_models() == home / "models"
    assert len(found.unreadable) == 1
    write(home / "models" / "a.json", replace(CARD, name="a", parameters=7).to_text())
    assert [card.parameters for card in cards() if card.name == "a"] == [7], "the learner's stands for it"
    assert "bad.json" in str(found)
    assert "bad.json" in found._repr_html_()


def test_no_card_at_all(home):
    assert "no model here yet" in str(cards())
    assert "no model here yet" in cards()._repr_html_()


def test_a_card_shows_all_its_figures():
    text = str(CARD)
    for part in (
        "1,234,567",
        "2.47 MB",
        "abababab",
        "12,345 tokens",
        "62 min",
        "2.500 nats",
        "sae-course train",
    ):
        assert part in text, part
    lines = {
        line.split("  ")[0][:1]: line for line in text.splitlines() if "pronouns" in line or "illegal" in line
    }
    assert "97.2 %" in lines["✔"]
    assert "≥ 95.0 %" in lines["✔"]
    assert "1.5 %" in lines["✔"]
    assert "≤ 1.0 %" in lines["✘"]


def test_the_table_says_reached_or_missed(home):
    write(home / "shipped" / "tiny.json", CARD.to_text())
    text = " ".join(str(cards()).split())
    assert "✔ pronouns 97.2 %" in text
    assert "✘ illegal 2.0 %" in text
    assert "1.23 M" in text
    assert max(map(len, str(cards()).splitlines())) <= 110


def test_html_is_escaped(home):
    assert "<b>" not in CARD._repr_html_()
    assert "&lt;b&gt;right" in CARD._repr_html_()
    write(home / "models" / "tiny.json", replace(CARD, stands_in_for="<script>").to_text())
    assert "<script>" not in cards()._repr_html_()


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_cards_are_of_their_weights(path):
    card = Card.read(path)
    weights = path.with_suffix(".safetensors").read_bytes()
    assert card.name == path.stem
    assert len(weights) == card.weights_bytes
    assert hashlib.sha256(weights).hexdigest() == card.weights_sha256
    assert {behaviour.name for behaviour in card.behaviours if behaviour.target is not None}


def test_shipped_weights_fit_together():
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.safetensors")) <= 16_000_000
