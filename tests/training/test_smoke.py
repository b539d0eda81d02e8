"""A smoke run: the same widths and methods, hardly any data, and nothing of it when nobody asked."""

import re

import pytest

from sae_course.models import names, streams
from sae_course.runtime import CourseError, session, setup
from sae_course.training import describe, preset, toy_config
from sae_course.training.by_hand import hand_config
from sae_course.training.gemma import full_run, gemma_config
from sae_course.training.induction import induction_config
from sae_course.training.othello import othello_config
from sae_course.training.preset_values import PRESETS
from sae_course.training.published import PUBLISHED, of_chapter, published_sae
from sae_course.training.smoke import BATCH, STEPS, nearest_hook
from sae_course.training.toys.config import variants_config
from sae_course.training.toys.wrong_config import wrong_answers_config

CONFIGS = (
    toy_config,
    variants_config,
    wrong_answers_config,
    hand_config,
    induction_config,
    othello_config,
    gemma_config,
)


@pytest.fixture
def smoke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAE_COURSE_SMOKE", "1")
    monkeypatch.setattr(session, "_current", session.Session(smoke=True))


def test_setup_says_that_no_result_means_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "_current", session.current())
    for value, found in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("SAE_COURSE_SMOKE", value)
        assert setup("solutions/01_x", scale="mini", device="cpu").smoke is found
        assert ("no result means anything" in capsys.readouterr().out) is found


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("scale", ["mini", "full"])
@pytest.mark.parametrize("recipe", ["seed", "today"])
def test_a_preset_keeps_its_widths_and_loses_its_data(name: str, scale: str, recipe: str) -> None:
    usual, short = preset(name, scale, recipe), preset(name, scale, recipe, smoke=True)
    assert short.training_tokens == STEPS * BATCH
    assert short.train_batch_size_tokens == BATCH
    assert short.context_size <= max(names.SMOKE_TOKENS, 59)
    assert (short.sae.d_in, short.sae.d_sae) == (usual.sae.d_in, usual.sae.d_sae)
    assert type(short.sae) is type(usual.sae)
    assert short.lr == usual.lr
    assert short.seqpos_slice == usual.seqpos_slice
    assert short.n_batches_in_buffer * short.context_size >= short.train_batch_size_tokens
    layers = names.MODELS[usual.model_name].smoke_layers
    at = int(re.search(r"blocks\.(\d+)", short.hook_name)[1])
    assert layers is None or scale == "mini" or at == layers - 1
    assert describe(short)


def test_a_hook_point_is_moved_to_the_last_layer_only_where_it_has_to_be() -> None:
    assert nearest_hook("blocks.12.hook_resid_post", 2) == "blocks.1.hook_resid_post"
    assert nearest_hook("blocks.1.attn.hook_z", 2) == "blocks.1.attn.hook_z"
    assert nearest_hook("hook_embed", 2) == "hook_embed"


def test_outside_a_smoke_run_nothing_is_cut_and_in_one_every_chapter_is(smoke: None) -> None:
    short = [settings() for settings in CONFIGS]
    assert preset("gemma", "full").training_tokens == STEPS * BATCH
    assert full_run().training_tokens == preset("gemma", "full", smoke=False).training_tokens > 1e9
    session._current = session.Session()
    usual = [settings() for settings in CONFIGS]
    assert preset("gemma", "full").training_tokens > 1e9
    for before, after in zip(usual, short, strict=True):
        assert type(before) is type(after)
        assert before != after


def test_what_is_asked_for_goes_before_what_a_smoke_run_cuts(smoke: None) -> None:
    assert gemma_config(live_tokens=9000).live_tokens == 9000
    assert hand_config(scaled_latents=7).scaled_latents == 7
    assert preset("tinystories", "mini", training_tokens=4096).training_tokens == 4096


def test_published_text_is_cut_and_a_game_is_not(smoke: None) -> None:
    lengths = {name: streams._usual_length(one) for name, one in names.MODELS.items()}
    assert lengths.pop("othello-gpt") == 59
    assert set(lengths.values()) == {names.SMOKE_TOKENS}
    session._current = session.Session()
    assert streams._usual_length(names.MODELS["gemma-2-2b"]) == 1024


def test_every_published_sae_belongs_to_a_preset_and_a_chapter() -> None:
    for name, one in PUBLISHED.items():
        assert name in of_chapter(one.chapter)
        hook = PRESETS[name].hook.format(layer=one.layers[0])
        assert name == "gemma" or one.name.format(layer=one.layers[0]).startswith(hook)
        assert max(one.layers) < PRESETS[name].full.layers
    assert of_chapter("01") == []


def test_an_sae_that_was_not_published_is_one_message() -> None:
    with pytest.raises(
        CourseError, match=r'No SAE was published for "othello-resid" .* attn-only-2l, othello'
    ):
        published_sae("othello-resid")
    with pytest.raises(CourseError, match="published for layer 0 and 1, and none for layer 2"):
        published_sae("attn-only-2l", 2)
