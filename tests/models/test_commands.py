"""`sae-course models`, `train-model`: from a text file to a model that generates, and is measured."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import click
import pytest
from test_cards import CARD
from trainees import GEMMA, PLAIN, text

from sae_course.models import cards as cards_module
from sae_course.models import commands, figures, own_text, produce, ship, specs
from sae_course.models.cards import Behaviour, Card
from sae_course.models.load import load_model
from sae_course.models.own_text import OwnText, prepare
from sae_course.runtime import CourseError
from sae_course.runtime.writing import write_json

SHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "shakespeare.txt"
LIKE = "tiny-stories-1L-21M"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A learner's folder, no shipped model, and minis of the size of a test."""
    small = {
        LIKE: replace(PLAIN, name=LIKE, data="stories", n_ctx=32, d_vocab=1400),
        "gemma-2-2b": replace(GEMMA, name="gemma-2-2b", data="stories", n_ctx=32),
        "othello-gpt": replace(PLAIN, name="othello-gpt", data="othello", n_ctx=59, d_vocab=61),
    }
    monkeypatch.setattr(specs, "mini_specs", lambda: small)
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cards_module, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "text.txt").write_text(text(), encoding="utf-8")
    return tmp_path / "home"


def course(*arguments: str) -> None:
    name, *rest = arguments
    command = {"models": commands.models, "train-model": commands.train_model}[name]
    command.main(list(rest), standalone_mode=False)


def train(home: Path, *arguments: str) -> None:
    course("train-model", "likes", "--text", str(home.parent / "text.txt"), "--vocab", "300", *arguments)


def files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir())


@pytest.mark.parametrize("like", [LIKE, "gemma-2-2b"])
def test_from_a_text_to_a_model(like, home, capsys):
    train(home, "--like", like, "--steps", "120")
    said = capsys.readouterr()
    assert "120 steps of 4 × 32 tokens" in said.out
    assert "About" in said.err
    assert files(home) == [
        f"likes.{end}" for end in ("json", "rows.safetensors", "safetensors", "tokenizer.json")
    ]
    assert not (home / "training" / "likes").exists(), "the checkpoint is gone"

    card = Card.read(home / "models" / "likes.json")
    assert (
        card.training.command
        == f"sae-course train-model likes --text text.txt --like {like} --vocab 300 --steps 120"
    )
    assert card.training.tokens == 120 * 4 * 32
    found = {behaviour.name: behaviour for behaviour in card.behaviours}
    assert set(found) == {"held-out loss", "below a unigram model", "below a bigram model"}
    assert found["below a unigram model"].reached
    assert all(one.control is not None for one in card.behaviours)
    assert found["held-out loss"].control > card.held_out_loss + 0.5

    model = load_model("likes", quiet=True)
    assert sum(p.numel() for p in model.parameters()) >= card.parameters
    again = model.to_string(model.to_tokens("Anna likes apples.\n"))
    assert "Anna likes apples.\n" in again[0]
    made = model.generate("Anna likes", max_new_tokens=8, temperature=0, verbose=False)
    assert made.startswith("Anna likes")
    assert len(made) > len("Anna likes")

    course("models", "likes", "--measure")
    assert "All 6 figures are what the card says." in capsys.readouterr().out


def test_a_wrong_figure_is_found(home, capsys):
    train(home, "--steps", "5")
    path = home / "models" / "likes.json"
    card = json.loads(path.read_text())
    card["behaviours"][1]["value"] += 0.02
    write_json(path, card)
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        course("models", "likes", "--measure")
    assert left.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:5] for line in lines if line.startswith("✘")] == [
        ["below", "a", "unigram", "model"]
    ]
    assert lines[-1] == "1 of 6 figures are not what the card says."


def test_ctrl_c_and_on(home, capsys, monkeypatch):
    train(home, "--steps", "12")
    whole = (home / "models" / "likes.safetensors").read_bytes()
    real = produce.train

    def interrupted(spec, read, folder, *, on_progress, **settings):
        def watch(step, line):
            if step == 5:
                signal.raise_signal(signal.SIGINT)
            on_progress(step, line)

        return real(spec, read, folder, on_progress=watch, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(produce, "train", interrupted)
        with pytest.raises(click.Abort):
            train(home, "--steps", "12", "--again")
    assert "The same command goes on from the checkpoint." in capsys.readouterr().err
    assert (home / "models" / "likes.safetensors").read_bytes() == whole, (
        "the old model stays until the new is done"
    )
    (home / "models" / "likes.json").unlink()
    train(home, "--steps", "12")
    assert "Going on from step 5." in capsys.readouterr().err
    assert (home / "models" / "likes.safetensors").read_bytes() == whole


def test_ctrl_c_while_measuring_ends_at_once_and_loses_nothing(home, capsys, monkeypatch):
    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        pytest.fail("Ctrl-C was not heard")

    with monkeypatch.context() as patch:
        patch.setattr(produce, "figures", interrupted)
        with pytest.raises(click.Abort):
            train(home, "--steps", "5")
    assert not (home / "models").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    capsys.readouterr()
    train(home, "--steps", "5")
    assert "step 5" not in capsys.readouterr().err, "nothing is trained again"


def test_another_text_does_not_go_on_from_the_checkpoint(home, monkeypatch):
    def stopped(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(produce, "train", stopped)
        with pytest.raises(click.Abort):
            train(home, "--steps", "5")
    (home.parent / "text.txt").write_text(text(seed=1), encoding="utf-8")
    with pytest.raises(CourseError, match=r"another text.*--again"):
        train(home, "--steps", "5")
    train(home, "--steps", "5", "--again")
    assert (home / "models" / "likes.json").exists()


def test_a_finished_model_is_not_trained_again(home, capsys, monkeypatch):
    train(home, "--steps", "5")
    monkeypatch.setattr(produce, "train", lambda *_, **__: pytest.fail("it was trained again"))
    train(home, "--steps", "7")
    assert "likes is trained already" in capsys.readouterr().out


def test_a_full_disk_while_shipping_leaves_no_card(home, monkeypatch):
    def full(path, content):
        raise CourseError(f"{path} can't be written (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr(ship, "write_atomic", full)
        with pytest.raises(CourseError, match=r"likes\.safetensors can't be written"):
            train(home, "--steps", "5")
    assert "likes.json" not in files(home)
    assert (home / "training" / "likes" / "checkpoint.safetensors").exists(), "nothing is lost"
    train(home, "--steps", "5")
    assert "likes.json" in files(home)


def test_a_mini_model_is_shipped_as_an_author_does(home, capsys, monkeypatch):
    loss = Behaviour("top move illegal", 50.0, "", "", unit="%", target=1.0, better="<=")
    monkeypatch.setattr(figures, "measure", lambda name, model: [loss])
    out = home.parent / "shipped"
    course("train-model", "othello-gpt", "--steps", "5", "--out", str(out))
    capsys.readouterr()
    assert sorted(path.name for path in out.iterdir()) == ["othello-gpt.json", "othello-gpt.safetensors"]
    card = Card.read(out / "othello-gpt.json")
    assert card.training.command == "sae-course train-model othello-gpt --steps 5"
    assert card.stands_in_for.startswith("Baidicoot/Othello-GPT")
    assert card.behaviours == (replace(loss, control=50.0),)
    assert 3 < card.held_out_loss < 5
    course("models")
    table = capsys.readouterr().out
    assert "✘ top move illegal" in table
    assert "50.0 % (target ≤ 1)" in table
    course("models", "othello-gpt", "--measure")
    assert "All 3 figures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "none of the course's models.*--text FILE"),
        ([LIKE, "--text", "TEXT"], "name of its own"),
        (["a/b", "--text", "TEXT"], "can't be a model's name"),
        ([".hidden", "--text", "TEXT"], "can't be a model's name"),
        (["x.tokenizer", "--text", "TEXT"], "can't be a model's name"),
        (["mine", "--text", "TEXT", "--like", "gpt-5"], 'gpt-5" is no model that reads text'),
        (["mine", "--text", "TEXT", "--like", "othello-gpt"], "no model that reads text"),
        (["mine", "--text", "TEXT", "--vocab", "100"], "vocabulary of 100"),
        (["mine", "--text", "NONE"], "no file"),
        (["mine", "--text", "TEXT", "--device", "quantum"], "quantum"),
    ],
)
def test_bad_input_is_one_sentence(arguments, said, home):
    place = {"TEXT": str(home.parent / "text.txt"), "NONE": str(home.parent / "none.txt")}
    with pytest.raises(CourseError, match=said):
        course("train-model", *(place.get(one, one) for one in arguments))
    assert not (home / "models").exists()


@pytest.mark.parametrize("option", [["--like", LIKE], ["--vocab", "300"]])
def test_options_of_own_text_need_a_text(option, home):
    with pytest.raises(click.UsageError, match="--text FILE"):
        course("train-model", "mine", *option)


def test_two_trainings_of_one_name(home):
    with produce.exclusive("likes"), pytest.raises(CourseError, match="another process"):
        train(home, "--steps", "5")


def test_models_without_a_model(home, capsys):
    course("models")
    assert "no model here yet" in capsys.readouterr().out
    with pytest.raises(CourseError, match=f'no model "tiny-storys".*{LIKE}'):
        course("models", "tiny-storys")
    with pytest.raises(CourseError, match=f"sae-course train-model {LIKE}"):
        course("models", LIKE)
    (home / "models").mkdir(parents=True)
    (home / "models" / "torn.json").write_text("{")
    with pytest.raises(CourseError, match=r"torn\.json is not a model's card"):
        course("models", "torn")
    with pytest.raises(click.UsageError, match="NAME"):
        course("models", "--measure")


def test_one_card_whole(home, capsys):
    (home / "models").mkdir(parents=True)
    (home / "models" / "tiny.json").write_text(CARD.to_text(), encoding="utf-8")
    course("models", "tiny")
    assert "1,234,567" in capsys.readouterr().out


def test_the_number_of_steps_follows_the_text(home, monkeypatch):
    path = home.parent / "text.txt"
    monkeypatch.setattr(own_text, "FEWEST", 1)
    spec, own = prepare("mine", path, LIKE, 300)
    assert spec.training.steps == 6 * len(own.train) // 4
    monkeypatch.setattr(own_text, "MOST", 100)
    assert prepare("mine", path, LIKE, 300)[0].training.steps == 100
    monkeypatch.setattr(own_text, "MOST", 9000)
    monkeypatch.setattr(own_text, "FEWEST", 5000)
    assert prepare("mine", path, LIKE, 300)[0].training.steps == 5000
    with pytest.raises(CourseError, match="can't be read"):
        OwnText.read("mine", home)


@pytest.mark.skipif(
    not SHAKESPEARE.exists(), reason="shared/data/shakespeare.txt is not beside this checkout"
)
def test_shakespeare_in_a_few_steps(home, capsys):
    course("train-model", "bard", "--text", str(SHAKESPEARE), "--steps", "60")
    card = Card.read(home / "models" / "bard.json")
    assert card.spec.d_vocab == 2000
    assert card.held_out_loss < 7.0 < max(one.control for one in card.behaviours)
    assert (
        load_model("bard", quiet=True)
        .generate("ROMEO:", max_new_tokens=5, verbose=False)
        .startswith("ROMEO:")
    )
