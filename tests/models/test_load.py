"""Loading a model: the right weights under the right names, one line said, clear words for each failure."""

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import NAMES, own_model, shipped, tiny_spec

from sae_course.models import MODELS, cards, entry, load, load_model, random_twin
from sae_course.models.batches import batches
from sae_course.models.cards import Card
from sae_course.models.plain import GemmaTrainee
from sae_course.runtime import CourseError, Session


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of shipped models, and an empty home."""
    monkeypatch.setattr(cards, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "home"))
    return tmp_path / "shipped"


@pytest.mark.parametrize("name", NAMES)
def test_the_logits_are_the_trainees(name: str, folder: Path) -> None:
    trainee = shipped(tiny_spec(name), folder)
    tokens = torch.randint(1, 61, (3, 30), generator=torch.Generator().manual_seed(0))
    model = load_model(name, "mini", quiet=True)
    with torch.no_grad():
        # For Gemma the trainee is `transformers`' own class.
        assert (model(tokens) - trainee(tokens)).abs().max() < 1e-4
    assert type(model).__name__ == "HookedSAETransformer"
    assert not model.training
    assert all(
        parameter.requires_grad and parameter.dtype == torch.float32 for parameter in model.parameters()
    )


def test_text_models_read_text_and_othello_has_no_tokenizer(folder: Path) -> None:
    for name in ("tiny-stories-1L-21M", "othello-gpt"):
        shipped(tiny_spec(name), folder)
    model = load_model("tiny-stories-1L-21M", "mini", quiet=True)
    words = model.to_str_tokens("Mary went to the park.")
    assert words[0] == "<bos>"
    assert [word.strip() for word in words[1:4]] == ["Mary", "went", "to"]
    assert model.tokenizer.pad_token_id == 0
    assert load_model("othello-gpt", "mini", quiet=True).tokenizer is None


def test_one_line_says_what_was_loaded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped(tiny_spec("attn-only-2l-demo"), folder)
    load_model("attn-only-2l-demo", "mini")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert line.startswith("attn-only-2l-demo (mini): our stand-in, 2 layers, d_model 32, ")
    assert line.endswith("parameters, trained on 33 M tokens of stories and drills\n")
    load_model("attn-only-2l-demo", "mini", quiet=True)
    assert capsys.readouterr().out == ""


def test_the_deprecation_is_silenced_here_and_only_here(folder: Path) -> None:
    from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds, for the tests that need it

    spec = tiny_spec("othello-gpt")
    shipped(spec, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model("othello-gpt", "mini", quiet=True)
    with pytest.warns(DeprecationWarning, match="HookedTransformer"):
        HookedSAETransformer(spec.hooked_config())


def test_the_session_decides_where_no_scale_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sae_course.runtime import session  # noqa: PLC0415 - what setup() changes

    shipped(tiny_spec("othello-gpt"), folder)
    asked = []

    def published(wanted: object, device: str, dtype: str) -> None:
        asked.append(wanted)
        raise CourseError("no network")

    monkeypatch.setattr(load, "_published", published)
    load_model("othello-gpt", quiet=True)  # without setup() the session is mini
    assert asked == []
    monkeypatch.setattr(session, "_current", Session(scale="full"))
    with pytest.raises(CourseError, match="no network"):
        load_model("othello-gpt", quiet=True)  # and the scale is not swapped for the one that would work
    load_model("othello-gpt", "mini", quiet=True)
    assert len(asked) == 1
    with pytest.raises(CourseError, match="no scale 'medium'"):
        load_model("othello-gpt", "medium")


def cut(folder: Path) -> None:
    path = folder / "othello-gpt.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flip(folder: Path) -> None:
    path = folder / "othello-gpt.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def swap_weights(folder: Path) -> None:
    shipped(replace(tiny_spec("othello-gpt"), name="gemma-2-2b"), folder, seed=4)  # another of the same size
    shutil.copy(folder / "gemma-2-2b.safetensors", folder / "othello-gpt.safetensors")


def swap_both(folder: Path) -> None:
    shipped(tiny_spec("attn-only-2l-demo"), folder)
    for ending in ("json", "safetensors"):
        shutil.copy(folder / f"attn-only-2l-demo.{ending}", folder / f"othello-gpt.{ending}")


def edit_card(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "othello-gpt.json"
        card = json.loads(path.read_text())
        card["spec"] |= changes
        path.write_text(json.dumps(card))

    return edit


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "cut off"),
        (flip, "checksum"),
        (swap_weights, "checksum"),
        (swap_both, "card of attn-only-2l-demo, not of othello-gpt"),
        (lambda folder: (folder / "othello-gpt.safetensors").unlink(), "safetensors is missing"),
        (lambda folder: (folder / "othello-gpt.json").unlink(), "json is missing"),
        (lambda folder: (folder / "othello-gpt.json").write_text('{"format": 1'), "can.t be read"),
        (edit_card(n_layers=3), "not the weights of othello-gpt"),
        (edit_card(n_layers=1), "not the weights of othello-gpt"),
        (edit_card(d_mlp=32), "not the weights of othello-gpt"),
    ],
    ids=[
        "cut",
        "flip",
        "swap weights",
        "swap both",
        "no weights",
        "no card",
        "card",
        "more",
        "fewer",
        "shape",
    ],
)
def test_files_that_are_not_right(damage: Callable[[Path], None], words: str, folder: Path) -> None:
    shipped(tiny_spec("othello-gpt"), folder)
    damage(folder)
    with pytest.raises(CourseError, match=words) as caught:
        load_model("othello-gpt", "mini")
    if "missing" in words or "checksum" in words:
        assert "sae-course train-model othello-gpt" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("tiny-stories", "tiny-stories-1L-21M"),
        ("tiny-stories-1l-21m", "tiny-stories-1L-21M"),
        ("othelo-gpt", "othello-gpt"),
        ("google/gemma-2-2b", "gemma-2-2b"),
        ("roneneldan/TinyStories-1Layer-21M", "tiny-stories-1L-21M"),
        ("gemma", "gemma-2-2b"),
        ("shakespear", "shakespeare"),
    ],
)
def test_an_unknown_name_meets_the_nearest(name: str, nearest: str, folder: Path) -> None:
    own_model("shakespeare", cards.own_models())
    with pytest.raises(CourseError, match="did you mean") as caught:
        entry(name)
    assert str(caught.value).partition("did you mean ")[2].startswith(nearest)


def test_a_name_like_no_other_meets_the_list(folder: Path) -> None:
    for name in ("zzz", "", "../models/x", "/etc/passwd"):
        with pytest.raises(CourseError, match="there are tiny-stories-1L-21M, "):
            load_model(name)


def test_a_learners_own_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_model("shakespeare", cards.own_models())
    model = load_model("shakespeare")
    assert "shakespeare (mini): your own model, 1 layer, " in capsys.readouterr().out
    assert model.to_string(model.to_tokens("The cat sat.", prepend_bos=False)[0]) == "The cat sat."
    with pytest.raises(CourseError, match="no published counterpart"):
        load_model("shakespeare", "full")
    (cards.own_models() / "shakespeare.tokenizer.json").unlink()
    with pytest.raises(CourseError, match=r"tokenizer\.json is missing"):
        load_model("shakespeare")


@pytest.mark.parametrize("name", NAMES)
def test_a_random_twin_is_the_same_only_untrained(name: str, folder: Path) -> None:
    shipped(tiny_spec(name), folder)
    state = torch.random.get_rng_state()
    first, again, other = (random_twin(name, "mini", seed) for seed in (0, 0, 1))
    assert torch.equal(state, torch.random.get_rng_state())
    trained = load_model(name, "mini", quiet=True)
    assert first.cfg.to_dict() == trained.cfg.to_dict()
    weights = [dict(model.named_parameters()) for model in (first, again, other, trained)]
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key])
        assert value.shape == weights[3][key].shape
    # Shortformer positions begin as sinusoids, whatever the seed.
    fixed = {"pos_embed.W_pos"} if tiny_spec(name).shortformer else set()
    matrices = [key for key in weights[0] if "W_" in key and key not in fixed]
    assert len(matrices) > 4
    for key in matrices:
        assert not torch.equal(weights[0][key], weights[2][key])
        assert not torch.equal(weights[0][key], weights[3][key])


def test_the_room_is_entered_without_torch() -> None:
    script = (
        "import sys, sae_course.models as room; room.entry('othello-gpt'); room.truth\n"
        "heavy = {'torch', 'transformers', 'transformer_lens', 'sae_lens', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_model_trained_anew_is_the_one_that_loads_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped(tiny_spec("othello-gpt"), folder)
    shipped(tiny_spec("othello-gpt"), cards.own_models(), seed=4)
    theirs = load_model("othello-gpt", "mini")
    assert "as you trained it" in capsys.readouterr().out
    (cards.own_models() / "othello-gpt.safetensors").unlink()
    with pytest.raises(CourseError, match=r"delete .*othello-gpt\.json to have the course's"):
        load_model("othello-gpt", "mini")
    (cards.own_models() / "othello-gpt.json").unlink()
    ours = load_model("othello-gpt", "mini")
    assert "as you trained it" not in capsys.readouterr().out
    assert not torch.equal(ours.W_E, theirs.W_E)


def test_the_shipped_models_are_all_there_and_small() -> None:
    files = [cards.SHIPPED / f"{name}.{ending}" for name in MODELS for ending in ("json", "safetensors")]
    assert [path.name for path in files if not path.exists()] == []
    assert sum(path.stat().st_size for path in files) <= 16e6


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_as_good_as_its_card_says(name: str) -> None:
    """Not its figures, which a command measures again, but that nothing was lost on the way."""
    card = Card.read(cards.SHIPPED / f"{name}.json")
    model = load_model(name, "mini", quiet=True)
    # The card's loss is on stories, without the attention-only model's drills.
    reads = "othello" if name == "othello-gpt" else "stories"
    batch = batches(replace(card.spec, data=reads), "test")(0)
    with torch.no_grad():
        loss = batch.loss(model(batch.tokens)).item()
    assert loss == pytest.approx(card.held_out_loss, rel=0.1)


def test_the_shipped_gemma_has_the_same_logits_in_transformers() -> None:
    card = Card.read(cards.SHIPPED / "gemma-2-2b.json")
    state = load_file(cards.SHIPPED / "gemma-2-2b.safetensors")
    theirs = GemmaTrainee(card.spec).gemma.eval()
    found = theirs.load_state_dict(state, strict=False)
    assert found.missing_keys == ["lm_head.weight"]  # tied to the embedding
    assert not found.unexpected_keys
    tokens = batches(card.spec, "test")(0).tokens[:4]
    with torch.no_grad():
        difference = (
            (theirs(tokens).logits - load_model("gemma-2-2b", "mini", quiet=True)(tokens)).abs().max()
        )
    assert difference < 1e-3
