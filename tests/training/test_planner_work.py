"""What a run asks of a machine: machines by name, sizes of models, workloads of presets and settings."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from small_work import PLAIN, WORK

from sae_course.models import MODELS, load_model
from sae_course.runtime import CourseError
from sae_course.training.architectures import SPARSITY
from sae_course.training.planner import calibration, plan
from sae_course.training.planner.machines import GIB, GPUS, NAMES, machine, smallest_above
from sae_course.training.planner.random_model import random_model
from sae_course.training.planner.shapes import FULL, of_model, shape_of
from sae_course.training.planner.traced import _fake
from sae_course.training.planner.workload import (
    CPU,
    GPU,
    SECOND,
    changed,
    licence,
    of_config,
    of_preset,
)
from sae_course.training.preset_values import PRESETS
from sae_course.training.presets import RECIPES, preset

TINY, ATTN, OTHELLO, GEMMA = MODELS

GATED = replace(
    PLAIN, n_key_value_heads=1, gated=True, norms=4, norm_weights=1, positions=False, soft_cap=True
)


# Machines.


@pytest.mark.parametrize("name", ["4090", "RTX 4090", "rtx-4090", "rtx4090"])
def test_a_gpu_by_its_usual_names(name: str) -> None:
    assert machine(name).name == "4090"


def test_every_machine_has_its_own_name_and_sane_numbers() -> None:
    for name in NAMES:
        assert machine(name).name == name
        assert machine(name.upper()) == machine(name)
    for gpu in GPUS.values():
        printed = float(gpu.what.split(",")[1].removesuffix("GB"))
        assert gpu.memory is not None
        # A GPU has a little less than is printed on the box, which counts in 1024 or in 1000.
        assert 0.9 * printed * 1e9 < gpu.memory < 1.0 * printed * GIB
        assert 0 < gpu.float32 <= gpu.bf16
        assert 1e11 < gpu.bandwidth < 1e13


def test_units_of_a_machine() -> None:
    h200 = machine("H200")
    assert h200.memory == int(139.7 * GIB)
    assert (h200.float32, h200.bf16, h200.bandwidth) == (67e12, 989e12, 4800e9)
    assert machine("T4").bf16 == machine("T4").float32, "a T4's tensor cores know no bfloat16"


def test_a_gpu_that_is_unknown() -> None:
    with pytest.raises(CourseError, match=r'knows no GPU "B200": use T4, L4, 4090, .*H200 or cpu') as error:
        machine("B200")
    assert "two sizes" not in str(error.value)
    with pytest.raises(CourseError, match="A100-40 and A100-80 are its two sizes"):
        machine("a100")


def test_the_processor_has_no_limit_and_its_measured_rates() -> None:
    rates = calibration.rates()
    assert rates is not None
    found = machine("CPU")
    assert found.memory is None
    assert (found.float32, found.bf16, found.bandwidth) == (rates.float32, rates.bf16, rates.bandwidth)


def test_the_smallest_gpu_that_holds_it() -> None:
    l4 = machine("L4").memory
    assert l4 is not None
    assert smallest_above(1) == machine("T4")
    assert smallest_above(l4) == machine("L4")
    assert smallest_above(l4 + 1) == machine("4090")
    assert smallest_above(2**40) is None


# Shapes.


def test_parameters_by_hand() -> None:
    # Attention: four matrices of 3 × 10, three biases of 10, one of 3. MLP: 3 × 7 in and out, 7 + 3.
    # Two norms of 3, weight and bias.
    assert PLAIN.block == (4 * 30 + 3 * 10 + 3) + (2 * 21 + 7 + 3) + 2 * 2 * 3 == 217
    # Embedding, unembedding, positions; the unembedding's bias; the last norm.
    assert PLAIN.parameters == 2 * 217 + 3 * (11 + 11 + 13) + 11 + 2 * 3
    # One key-value head of 5; a third matrix in the MLP; four norms without a bias; no positions.
    assert GATED.block == (2 * 30 + 2 * 15 + 10 + 2 * 5 + 3) + (3 * 21 + 7 + 3) + 4 * 3 == 198
    assert GATED.parameters == 2 * 198 + 3 * (11 + 11) + 11 + 3
    # Attention alone has one norm.
    assert replace(PLAIN, d_mlp=0).block == 153 + 2 * 3


def test_flops_by_hand() -> None:
    # Two for each parameter of a block; for each of 17 positions a product with 2 × 5 numbers, in the
    # scores and again in the average.
    assert PLAIN.flops(1, 17) == 2 * 217 + 2 * 2 * 17 * 10
    assert PLAIN.flops(2, 17) == 2 * PLAIN.flops(1, 17)


@pytest.mark.parametrize("name", MODELS)
def test_the_shape_of_a_mini_model_is_the_models(name: str) -> None:
    model = load_model(name, "mini", device="cpu", quiet=True)
    shape = shape_of(name, "mini")
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    assert of_model(model.cfg) == shape


@pytest.mark.parametrize("name", MODELS)
def test_the_shape_of_a_full_model_is_that_of_transformer_lens(name: str) -> None:
    work = replace(WORK, shape=FULL[name], context_size=FULL[name].n_ctx)
    with _fake():  # no byte is allocated
        model = random_model(work, fake=True)
    assert sum(weight.numel() for weight in model.parameters()) == FULL[name].parameters
    assert replace(of_model(model.cfg), tied=FULL[name].tied) == FULL[name]


def test_full_sizes_that_are_known_elsewhere() -> None:
    assert shape_of(GEMMA, "full").parameters == 3_204_887_808  # as TransformerLens counts it
    # As published: embedding and unembedding are one, and neither attention, MLP nor unembedding has a bias.
    gemma = FULL[GEMMA]
    biases = 26 * ((8 + 2 * 4) * 256 + 2304 + 9216 + 2304) + 256_000
    assert gemma.parameters - 256_000 * 2304 - biases == 2_614_341_888
    assert {name for name, shape in FULL.items() if shape.tied} == {TINY, GEMMA}


def test_a_model_whose_sizes_are_unknown() -> None:
    with pytest.raises(CourseError, match='not those of "gpt2": load it'):
        shape_of("gpt2", "full")


# A workload from a preset, and from SAELens' configuration.


@pytest.mark.parametrize("scale", ["mini", "full"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_as_its_configuration_is(name: str, scale: str) -> None:
    for recipe in RECIPES:
        for architecture in (None, *SPARSITY):
            cfg = preset(name, scale, recipe, architecture=architecture, device="cpu")
            for on_gpu in (False, True):
                mine = of_preset(
                    PRESETS[name], scale, recipe, architecture=architecture, layer=None, on_gpu=on_gpu
                )
                assert mine == of_config(cfg, on_gpu=on_gpu), (recipe, architecture, on_gpu)
                assert mine.device == (GPU if on_gpu else CPU)


def test_another_layer_is_that_many_blocks() -> None:
    work = of_preset(PRESETS["gemma"], "full", "today", architecture=None, layer=25, on_gpu=False)
    assert work.layers == 26
    assert work == of_config(preset("gemma", "full", "today", layer=25, device="cpu"), on_gpu=False)
    for layer in (26, -1):
        with pytest.raises(CourseError, match=f"layers 0 to 25 at full scale, not {layer}"):
            of_preset(PRESETS["gemma"], "full", "today", architecture=None, layer=layer, on_gpu=False)


def test_a_recipe_or_an_architecture_that_there_is_not() -> None:
    tiny: dict[str, Any] = {"layer": None, "on_gpu": False}
    with pytest.raises(CourseError, match='no recipe "old": use seed or today'):
        of_preset(PRESETS["tinystories"], "mini", "old", architecture=None, **tiny)
    with pytest.raises(CourseError, match='no architecture "relu": there are standard, '):
        of_preset(PRESETS["tinystories"], "mini", "today", architecture="relu", **tiny)


def test_devices_that_a_configuration_names() -> None:
    placed = {"device": "cuda", "llm_device": "cuda:1", "act_store_device": "cpu"}
    cfg = preset("gemma", "full", "today", **placed)
    work = of_config(cfg, on_gpu=True)
    assert (work.device, work.llm_device, work.act_store_device) == (GPU, SECOND, CPU)
    # It says itself what is computed in bfloat16: nothing is added to it.
    assert (work.autocast, work.autocast_lm) == (cfg.autocast, cfg.autocast_lm) == (False, False)
    here = of_config(cfg, on_gpu=False)
    assert (here.device, here.llm_device, here.act_store_device) == (CPU, CPU, CPU)
    alike = preset("gemma", "full", device="cuda:1", llm_device="cuda:1", act_store_device="cuda:1")
    work = of_config(alike, on_gpu=True)
    assert (work.device, work.llm_device, work.act_store_device) == (GPU, GPU, GPU)
    apart = preset("gemma", "full", device="cuda:1", llm_device="cuda", act_store_device="cuda:1")
    work = of_config(apart, on_gpu=True)
    assert (work.device, work.llm_device, work.act_store_device) == (GPU, SECOND, GPU)
    first = preset("gemma", "full", device="cuda:0", llm_device="cuda", act_store_device="cuda:0")
    assert of_config(first, on_gpu=True).llm_device == GPU


def test_a_configuration_of_ones_own() -> None:
    cfg = preset(
        "othello",
        "mini",
        "today",
        device="cpu",
        eval_batch_size_prompts=None,
        n_eval_batches=3,
        use_cached_activations=True,
        autocast=False,
        model_from_pretrained_kwargs={"dtype": torch.bfloat16},
        hook_name="hook_embed",
        normalize_activations="none",
        seqpos_slice=(9, 49, 2),
    )
    work = of_config(cfg, on_gpu=False, n_saes=3)
    assert work.eval_batch_size_prompts == cfg.store_batch_size_prompts == 64
    assert (work.n_eval_batches, work.n_saes, work.use_cached_activations) == (3, 3, True)
    assert (work.model_dtype, work.model_bytes) == ("bfloat16", 2)
    assert work.autocast is False
    assert work.layers == 6, "where no block is named, all are run"
    assert work.n_batches_for_norm_estimate == 0, "nothing is estimated"
    assert work.row_tokens == 20
    whitened = preset("othello", "mini", normalize_activations="covariance_whitening", device="cpu")
    assert of_config(whitened, on_gpu=False).n_batches_for_norm_estimate == 20


def test_a_model_that_the_course_does_not_know() -> None:
    model = load_model(TINY, "mini", device="cpu", quiet=True)
    cfg = preset("tinystories", "mini", device="cpu")
    cfg.model_name = "mine"
    with pytest.raises(CourseError, match='"mine": load it and give it as plan'):
        plan(cfg)
    assert plan(cfg, model=model).work.shape == shape_of(TINY, "mini")


def test_derived_numbers() -> None:
    assert WORK.steps == 33
    assert WORK.buffer_tokens == 54
    assert WORK.sae_parameters == 2 * 3 * 8 + 8 + 3
    assert replace(WORK, architecture="jumprelu").sae_parameters == WORK.sae_parameters + 8
    assert replace(WORK, architecture="gated").sae_parameters == WORK.sae_parameters + 16
    assert [replace(WORK, model_dtype=kind).model_bytes for kind in ("float32", "float16", "bfloat16")] == [
        4,
        2,
        2,
    ]
    assert replace(WORK, device=GPU).on_cpu is False
    assert WORK.on_cpu is True


@pytest.mark.parametrize("architecture", SPARSITY)
def test_parameters_of_an_sae_are_saelens(architecture: str) -> None:
    from sae_lens import TrainingSAE  # noqa: PLC0415 - seconds

    cfg = preset("tinystories", "mini", "today", architecture=architecture, device="cpu")
    sae = TrainingSAE.from_dict(cfg.sae.to_dict())
    assert of_config(cfg, on_gpu=False).sae_parameters == sum(one.numel() for one in sae.parameters())


def test_evaluations_and_rows_of_the_estimate() -> None:
    cfg = preset("gemma", "full", "today", device="cpu")
    work = of_config(cfg, on_gpu=False)
    # 300,000 steps, a line in the record every 300, an evaluation every 20 lines, and the last one.
    assert work.n_evaluations == 300_000 // (300 * 20) + 1 == 51
    assert work.n_batches_for_norm_estimate == 100


# Other settings.

NEW: dict[str, Any] = {
    "d_sae": 16,
    "context_size": 12,
    "training_tokens": 2000,
    "train_batch_size_tokens": 20,
    "n_batches_in_buffer": 10,
    "store_batch_size_prompts": 3,
    "eval_batch_size_prompts": 4,
    "n_eval_batches": 5,
    "n_saes": 2,
    "autocast": True,
    "autocast_lm": True,
    "use_cached_activations": True,
    "model_dtype": "bfloat16",
    "llm_device": "cuda:1",
    "act_store_device": "cpu",
}
GIVEN = {"llm_device": SECOND, "act_store_device": CPU}


@pytest.mark.parametrize("name", NEW)
def test_one_setting_is_changed_and_no_other(name: str) -> None:
    work = replace(WORK, device=GPU, llm_device=GPU, act_store_device=GPU)
    new = changed(work, {name: NEW[name]})
    differ = {field.name for field in fields(new) if getattr(new, field.name) != getattr(work, field.name)}
    assert differ == {name} | ({"row_tokens"} if name == "context_size" else set())
    assert getattr(new, name) == GIVEN.get(name, NEW[name])


def test_a_context_loses_as_many_tokens_as_before() -> None:
    assert changed(WORK, {"context_size": 12}).row_tokens == 12 - (10 - 6)
    othello = preset("othello", "full", "today", device="cpu", context_size=40)
    mine = of_preset(PRESETS["othello"], "full", "today", architecture=None, layer=None, on_gpu=False)
    assert changed(mine, {"context_size": 40}) == of_config(othello, on_gpu=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"d_sae": 512, "autocast": False},
        {"store_batch_size_prompts": 2, "eval_batch_size_prompts": 2, "n_batches_in_buffer": 64},
        {"model_from_pretrained_kwargs": {"dtype": "bfloat16"}, "n_eval_batches": 1},
        {"model_from_pretrained_kwargs": {}},
    ],
)
def test_a_preset_with_a_setting_is_its_configuration_with_that_setting(settings: dict[str, Any]) -> None:
    mine = of_preset(PRESETS["gemma"], "full", "today", architecture=None, layer=None, on_gpu=False)
    cfg = preset("gemma", "full", "today", device="cpu", **settings)
    assert changed(mine, settings) == of_config(cfg, on_gpu=False)


def test_names_of_numbers_and_of_devices() -> None:
    work = replace(WORK, device=GPU, llm_device=GPU, act_store_device=GPU)
    for given in (torch.bfloat16, "bfloat16", "torch.bfloat16"):
        assert changed(work, {"model_dtype": given}).model_dtype == "bfloat16"
    assert changed(work, {"training_tokens": 1e3}).training_tokens == 1000
    assert type(changed(work, {"training_tokens": 1e3}).training_tokens) is int
    for name in ("cuda", "cuda:0"):
        assert changed(work, {"llm_device": name}).llm_device == GPU
    # On a laptop everything is on its processor.
    assert changed(WORK, {"act_store_device": "cuda"}).act_store_device == CPU


def test_with_model_is_where_the_model_is() -> None:
    work = replace(WORK, device=GPU, llm_device=GPU, act_store_device=CPU)
    assert changed(work, {"act_store_device": "with_model"}).act_store_device == GPU


def test_more_tokens_are_evaluated_as_often_as_in_the_configuration() -> None:
    mine = of_preset(PRESETS["gemma"], "full", "today", architecture=None, layer=None, on_gpu=False)
    cfg = preset("gemma", "full", "today", device="cpu", training_tokens=10**8)
    # Its lines in the record keep their distance in steps, and evaluations their share of the run, rounded.
    read = of_config(cfg, on_gpu=False)
    new = changed(mine, {"training_tokens": 10**8})
    assert new.n_evaluations == pytest.approx(read.n_evaluations, rel=0.3)
    assert replace(new, n_evaluations=read.n_evaluations) == read


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("d_sae", 1.5, "d_sae is a whole number, not 1.5"),
        ("d_sae", "many", "d_sae is a whole number, not 'many'"),
        ("d_sae", True, "d_sae is a whole number, not True"),
        ("n_saes", None, "n_saes is a whole number, not None"),
        ("model_dtype", "floatt32", "dtype is float32, bfloat16 or float16, not 'floatt32'"),
        ("dtype", "bfloat16", 'does not depend on "dtype"'),  # the SAE's, which is float32
        ("device", "cpu", 'does not depend on "device"'),
        ("training_tokens", float("nan"), "training_tokens is a whole number, not nan"),
        ("training_tokens", float("inf"), "training_tokens is a whole number, not inf"),
        ("autocast", 1, "autocast is true or false, not 1"),
        ("autocast_lm", "yes", "autocast_lm is true or false, not 'yes'"),
        ("lr", 1e-3, 'does not depend on "lr". It reads d_sae, .*llm_device, act_store_device, model_dtype'),
    ],
)
def test_a_setting_that_cannot_be(setting: str, value: Any, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        changed(WORK, {setting: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d_sae": 0}, "d_sae is at least 1, not 0"),
        ({"d_in": 0}, "d_in is at least 1, not 0"),
        ({"context_size": 0}, "context_size is at least 1, not 0"),
        ({"training_tokens": -1000}, "training_tokens is at least 1, not -1,000"),
        ({"train_batch_size_tokens": 0}, "train_batch_size_tokens is at least 1, not 0"),
        ({"n_batches_in_buffer": 0}, "n_batches_in_buffer is at least 1, not 0"),
        ({"store_batch_size_prompts": 0}, "store_batch_size_prompts is at least 1, not 0"),
        ({"eval_batch_size_prompts": 0}, "eval_batch_size_prompts is at least 1, not 0"),
        ({"n_saes": 0}, "n_saes is at least 1, not 0"),
        ({"row_tokens": 0}, "seqpos_slice leaves nothing of a context of 10 tokens"),
        ({"context_size": 14}, "context_size = 14, and none reads 13 tokens at full scale"),
        (
            {"n_batches_in_buffer": 4},
            r"the buffer holds 24 tokens \(n_batches_in_buffer = 4\) and a batch is 30. "
            "Use n_batches_in_buffer = 5 or more",
        ),
        ({"train_batch_size_tokens": 31, "n_batches_in_buffer": 5}, "n_batches_in_buffer = 6 or more"),
        ({"training_tokens": 29}, "29 tokens are less than one batch of 30"),
    ],
)
def test_a_run_that_can_run_nowhere(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CourseError, match=message):
        replace(WORK, **settings).checked()


def test_a_run_that_just_can() -> None:
    just = replace(WORK, context_size=13, n_batches_in_buffer=5, training_tokens=30, n_saes=1)
    assert just.checked() is just


def test_gemma_alone_has_a_licence() -> None:
    assert licence(GEMMA) == "https://huggingface.co/google/gemma-2-2b"
    assert [name for name in MODELS if licence(name)] == [GEMMA]
    assert licence("nobody's") == ""
