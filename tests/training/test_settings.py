"""Configurations: changed copies, what follows from a change, JSON and back, names, printing."""

import copy
import json
import math
from typing import Any

import pytest
from sae_lens import LoggingConfig, StandardTrainingSAEConfig

from sae_course.runtime import CourseError
from sae_course.training.describe import describe, differences
from sae_course.training.preset_values import PRESETS
from sae_course.training.presets import RECIPES, preset
from sae_course.training.settings import as_dict, change, digest, from_dict, name_of


@pytest.fixture(scope="module")
def today() -> Any:
    return preset("tinystories", "mini", "today")


@pytest.fixture(scope="module")
def seed() -> Any:
    return preset("tinystories", "full")


def test_a_name_is_found_wherever_it_is(today: Any) -> None:
    before = copy.deepcopy(today)
    new = change(today, lr=1e-3, k=32, wandb_log_frequency=7)
    assert (new.lr, new.sae.k, new.logger.wandb_log_frequency) == (1e-3, 32, 7)
    assert today == before, "change mutated what it was given"
    assert new.sae is not today.sae
    assert new.logger is not today.logger
    assert new.sae.metadata is not today.sae.metadata
    assert change(today) == today


def test_parts_can_be_replaced_whole(today: Any) -> None:
    sae = StandardTrainingSAEConfig(d_in=128, d_sae=64)
    logger = LoggingConfig(log_to_wandb=True, run_name="mine")
    new = change(today, sae=sae, l1_coefficient=3, logger=logger)
    assert (new.sae.d_sae, new.sae.l1_coefficient, new.logger.run_name) == (64, 3, "mine")
    assert (sae.l1_coefficient, logger.run_name) == (1.0, "mine")
    for wrong in (None, {"d_sae": 3}, StandardTrainingSAEConfig):
        with pytest.raises(CourseError, match="sae is an SAE's training configuration"):
            change(today, sae=wrong)
    with pytest.raises(CourseError, match="logger is"):
        change(today, logger=None)


def test_lengths_in_steps_keep_their_share(seed: Any) -> None:
    half = change(seed, training_tokens=seed.training_tokens // 2)
    assert (half.lr_warm_up_steps, half.lr_decay_steps, half.sae.l1_warm_up_steps) == (1500, 3000, 1500)
    assert (half.dead_feature_window, half.feature_sampling_window) == (500, 1000)
    assert half.logger.eval_every_n_wandb_logs == seed.logger.eval_every_n_wandb_logs // 2
    wide = change(seed, train_batch_size_tokens=2 * seed.train_batch_size_tokens)
    assert wide == change(half, train_batch_size_tokens=8192, training_tokens=seed.training_tokens)
    assert wide.lr_decay_steps == 3000
    given = change(seed, training_tokens=seed.training_tokens // 2, lr_decay_steps=10, l1_warm_up_steps=0)
    assert (given.lr_decay_steps, given.sae.l1_warm_up_steps) == (10, 0)
    off = change(seed, lr_warm_up_steps=0)
    assert change(off, training_tokens=10 * 4096).lr_warm_up_steps == 0
    assert change(seed, training_tokens=4096 * 2).dead_feature_window == 1  # never 0


def test_what_else_follows(today: Any) -> None:
    assert change(today, lr=1e-2).lr_end == pytest.approx(1e-3)
    assert change(today, lr=1e-2, lr_end=0.5).lr_end == 0.5
    assert change(change(today, lr_end=0.3e-2), lr=1e-3).lr_end == pytest.approx(1e-3)
    widths = change(preset("gemma", "mini", architecture="matryoshka_batchtopk"), d_sae=128)
    assert widths.sae.matryoshka_widths == [64, 128]
    moved = change(change(today, act_store_device="meta"), device="cuda")
    assert (moved.device, moved.sae.device, moved.llm_device) == ("cuda", "cuda", "cuda")
    assert moved.act_store_device == "meta"
    low = change(today, dtype="bfloat16")
    assert low.dtype == low.sae.dtype == "bfloat16"


def test_the_runs_name_in_wandb_follows_unless_it_is_ones_own(today: Any) -> None:
    assert change(today, lr=0.5).logger.run_name == "batchtopk-1024-LR-0.5-Tokens-1.049e+06"
    mine = change(today, run_name="mine")
    assert change(mine, lr=0.5).logger.run_name == "mine"


def test_what_saelens_adds_to_paths_does_not_pile_up(today: Any) -> None:
    new = change(today, checkpoint_path="somewhere")
    assert new.checkpoint_path == "somewhere"
    assert change(change(new, k=3), k=16).checkpoint_path == "somewhere"
    assert from_dict(as_dict(new)).checkpoint_path == "somewhere"


def test_numbers_become_what_saelens_expects(today: Any) -> None:
    new = change(today, training_tokens=2e6, k=8, seqpos_slice=[1, None], exclude_special_tokens=[0, 1])
    assert (new.training_tokens, new.seqpos_slice) == (2_000_000, (1, None))
    assert isinstance(new.training_tokens, int)
    assert new.exclude_special_tokens == [0, 1]
    assert change(today, sequence_separator_token="eos").sequence_separator_token == "eos"
    assert change(today, sequence_separator_token=5).sequence_separator_token == 5
    assert change(today, hook_head_index=None).hook_head_index is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 1}, "There is no setting learning_rate"),
        ({"l1_coeficient": 1}, "did you mean l1_coefficient"),
        ({"wandb_log_freqency": 1}, "did you mean wandb_log_frequency"),
        ({"l1_coefficient": 2}, 'a setting of standard and gated; this SAE is "batchtopk"'),
        ({"target_l0": 2}, "a setting of jumprelu;"),
        ({"expansion_factor": 8}, "give d_sae"),
        ({"hook_layer": 1}, "change hook_name"),
        ({"metadata": 1}, "There is no setting metadata"),
        ({"lr": "fast"}, "lr is a number, not 'fast'"),
        ({"lr": True}, "lr is a number, not True"),
        ({"lr": math.nan}, "lr is a number, not nan"),
        ({"lr": 0}, "lr is more than 0"),
        ({"training_tokens": -1}, "training_tokens is more than 0"),
        ({"training_tokens": 1.5}, "training_tokens is a whole number, not 1.5"),
        ({"autocast": "yes"}, "autocast is True or False"),
        ({"model_name": 3}, "model_name is a text"),
        ({"normalize_activations": "mean"}, "'expected_average_only_in'"),
        ({"sequence_separator_token": "dot"}, "'bos' or 'eos' or 'sep' or None"),
        ({"seqpos_slice": (300, None)}, "SAELens refuses this configuration: The slice"),
        ({"context_size": -4}, "SAELens refuses"),
    ],
)
def test_a_wrong_change_is_told(today: Any, changes: dict[str, Any], message: str) -> None:
    before = copy.deepcopy(today)
    with pytest.raises(CourseError, match=message.replace("(", r"\(")):
        change(today, **changes)
    assert today == before


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("scale", ["mini", "full"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_json_and_back(name: str, scale: str, recipe: str) -> None:
    cfg = preset(name, scale, recipe)
    text = json.dumps(as_dict(cfg), allow_nan=False)
    again = from_dict(json.loads(text))
    assert again == cfg
    assert type(again.sae) is type(cfg.sae)
    assert again.seqpos_slice == cfg.seqpos_slice  # a tuple again
    assert as_dict(again) == json.loads(text)
    assert digest(again) == digest(cfg)


def test_what_is_no_configuration_is_told(today: Any) -> None:
    good = as_dict(today)
    for wrong in (
        {},
        {key: value for key, value in good.items() if key != "sae"},
        good | {"from_the_future": 1},
        good | {"sae": good["sae"] | {"architecture": "dense"}},
        good | {"logger": good["logger"] | {"colour": "red"}},
        good | {"sae": 3},
    ):
        with pytest.raises(CourseError, match="no configuration that SAELens can read"):
            from_dict(wrong)
    assert good == as_dict(today)


def test_names(today: Any, seed: Any) -> None:
    assert name_of(today) == "tiny-stories-1L-21M-batchtopk-1024-k16"
    assert name_of(seed) == "tiny-stories-1L-21M-gated-16384-l1-4"
    assert name_of(change(today, seed=3, k=2.5)) == "tiny-stories-1L-21M-batchtopk-1024-k2.5-seed3"
    other = change(today, dataset_path="sae-course:tiny-stories-1L-21M/notices")
    assert name_of(other) == "tiny-stories-1L-21M-batchtopk-1024-k16-notices"
    assert name_of(preset("othello", "full", "today")) == "othello-gpt-L5-batchtopk-16384-k128"
    assert name_of(change(today, model_name="../some one/model:2")) == "some-one-model-2-batchtopk-1024-k16"


def test_the_digest_is_of_what_affects_the_weights(today: Any) -> None:
    same = change(
        today,
        checkpoint_path="x",
        device="cuda",
        n_eval_batches=3,
        log_to_wandb=True,
        feature_sampling_window=5,
        verbose=True,
        k=16,
    )
    assert digest(same) == digest(today)
    assert len(digest(today)) == 64
    for name, value in {
        "lr": 1e-4,
        "k": 8,
        "seed": 1,
        "training_tokens": 4096,
        "dead_feature_window": 3,
        "autocast": False,
        "hook_name": "blocks.0.hook_resid_post",
        "dataset_path": "x",
    }.items():
        assert digest(change(today, **{name: value})) != digest(today), name


def test_a_description_gives_what_follows(seed: Any) -> None:
    shown = describe(preset("othello", "full"))
    rows = {name: value for group in shown.groups.values() for name, value in group.items()}
    assert rows["steps"] == "48,828"
    assert rows["tokens per sequence"] == "49 of 59"
    assert rows["buffer"] == "25,088 tokens, 12.2 batches, 206 MB"
    assert rows["tokens per latent"] == "6,104"
    assert rows["warm-up and decay"] == "20% and 20% of the steps"
    assert rows["l1_coefficient"] == "5"
    assert rows["lr"] == "0.0002"
    text = str(shown)
    assert text.startswith("othello-gpt-L5-gated-16384-l1-5\n\nmodel and data\n")
    assert max(map(len, text.splitlines())) < 110
    assert "lr_end" in str(describe(change(seed, lr_scheduler_name="cosineannealing")))
    assert "lr_end" not in str(describe(seed))
    html = describe(change(seed, model_name="<b>"))._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_differences_are_a_table(today: Any) -> None:
    new = change(today, lr=1e-3, checkpoint_path="x")
    found = differences(today, new, names=("one", "<two>"))
    assert list(found.rows) == ["lr", "lr_end"]
    assert str(found).splitlines() == [
        "        one     <two>",
        "lr      0.003   0.001",
        "lr_end  0.0003  0.0001",
    ]
    assert "&lt;two&gt;" in found._repr_html_()
    assert bool(found)
    same = differences(today, copy.deepcopy(today))
    assert not same
    assert str(same) == "no difference"
    recipes = differences(preset("gemma", "mini"), preset("gemma", "mini", "today"))
    assert recipes.shown()["sae.k"][0] == "–"
    assert recipes.names[1] == name_of(preset("gemma", "mini", "today"))
    with pytest.raises(CourseError, match="two configurations or more"):
        differences(today)
    with pytest.raises(CourseError, match="1 names were given for 2"):
        differences(today, new, names=("one",))
