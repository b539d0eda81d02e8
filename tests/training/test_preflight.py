"""Each finding has a sound configuration with one thing changed, which has that finding and no other."""

import ast
import inspect
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sae_lens import (
    BatchTopKTrainingSAEConfig,
    GatedTrainingSAEConfig,
    JumpReLUTrainingSAEConfig,
    LanguageModelSAERunnerConfig,
    LoggingConfig,
    MatryoshkaBatchTopKTrainingSAEConfig,
    StandardTrainingSAEConfig,
    TopKTrainingSAEConfig,
)

from sae_course.models import MODELS, load_model, random_twin, token_stream
from sae_course.runtime import CourseError
from sae_course.training import source
from sae_course.training.preflight import Finding, Report, activations, hooks, look, machine, preflight
from sae_course.training.preflight import __file__ as package

TINY, ATTN, OTHELLO, GEMMA = MODELS
WHERE = {
    TINY: {"hook_name": "blocks.0.hook_mlp_out", "d_in": 128, "context_size": 256},
    ATTN: {"hook_name": "blocks.0.attn.hook_z", "d_in": 128, "context_size": 256},
    OTHELLO: {"hook_name": "blocks.3.mlp.hook_post", "d_in": 512, "context_size": 59},
    GEMMA: {"hook_name": "blocks.2.hook_resid_post", "d_in": 128, "context_size": 256},
}
SAES = {
    "batchtopk": (BatchTopKTrainingSAEConfig, {"k": 16}),
    "topk": (TopKTrainingSAEConfig, {"k": 16}),
    "matryoshka": (MatryoshkaBatchTopKTrainingSAEConfig, {"k": 16, "matryoshka_widths": [64, 256, 1024]}),
    "standard": (StandardTrainingSAEConfig, {"l1_coefficient": 5.0, "l1_warm_up_steps": 70}),
    "gated": (GatedTrainingSAEConfig, {"l1_coefficient": 5.0, "l1_warm_up_steps": 70}),
    "jumprelu": (JumpReLUTrainingSAEConfig, {"l0_coefficient": 1.0, "l0_warm_up_steps": 70}),
}


def config(name: str = TINY, sae: str = "batchtopk", **changes: Any) -> LanguageModelSAERunnerConfig:
    """A sound configuration; then with ``changes``, ``sae.k`` for the SAE's, as if typed by hand."""
    where = dict(WHERE[name])
    cls, own = SAES[sae]
    reshaped = "hook_z" if where["hook_name"].endswith("hook_z") else "none"
    settings = cls(d_in=where.pop("d_in"), d_sae=1024, reshape_activations=reshaped, **own)
    cfg = LanguageModelSAERunnerConfig(
        sae=settings,
        model_name=name,
        dataset_path=f"sae-course:{name}",
        prepend_bos=name != OTHELLO,
        seqpos_slice=(5, -5) if name == OTHELLO else (None,),
        training_tokens=1_500_000,
        train_batch_size_tokens=2048,
        store_batch_size_prompts=32,
        n_batches_in_buffer=128,
        lr=3e-3,
        lr_warm_up_steps=70,
        lr_decay_steps=140,
        dead_feature_window=100,
        feature_sampling_window=100,
        logger=LoggingConfig(log_to_wandb=False),
        checkpoint_path=None,
        output_path=None,
        verbose=False,
        seed=0,
        **where,
    )
    for key, value in changes.items():
        part, _, field = key.rpartition("__")
        assert hasattr(getattr(cfg, part) if part else cfg, field)
        setattr(getattr(cfg, part) if part else cfg, field, value)
    return cfg


@pytest.fixture(scope="module", autouse=True)
def loaded_once() -> Iterator[None]:
    """Each model is read from its file once: nothing here changes one that was loaded by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "load_model", cache(load_model))
        yield


@pytest.fixture(scope="module")
def tiny() -> Any:
    return load_model(TINY, "mini", device="cpu", quiet=True)


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    """[32, 256], which begin with BOS."""
    return torch.tensor([row["tokens"] for row in islice(token_stream(TINY, "mini"), 32)])


def of(tokens: torch.Tensor) -> Dataset:
    return Dataset.from_dict({"tokens": tokens.tolist()})


# From the configuration alone.
SETTINGS = [
    ("not-positive", {"train_batch_size_tokens": 0}),
    ("not-positive", {"context_size": 0}),
    ("not-positive", {"sae__d_sae": -1}),
    ("run-too-short", {"training_tokens": 2047}),
    ("lr-range", {"lr": 0.1}),
    ("lr-range", {"lr": 1e-7}),
    ("lr-range", {"lr": 0.0}),
    ("adam-beta", {"adam_beta1": 1.0}),
    ("lr-scheduler", {"lr_scheduler_name": "linear"}),
    ("lr-end", {"lr_scheduler_name": "cosineannealing", "lr_end": 0.0}),
    ("lr-schedule", {"lr_warm_up_steps": 10_000}),
    ("lr-schedule", {"lr_warm_up_steps": 600, "lr_decay_steps": 600}),
    ("lr-schedule", {"lr_scheduler_name": "cosineannealing", "lr_warm_up_steps": 592}),
    ("lr-schedule", {"lr_scheduler_name": "cosineannealingwarmrestarts", "n_restart_cycles": 1000}),
    ("coefficient-warm-up", {"sae": "standard", "sae__l1_warm_up_steps": 10_000}),
    ("coefficient-warm-up", {"sae": "gated", "sae__l1_warm_up_steps": 10_000}),
    ("coefficient-warm-up", {"sae": "jumprelu", "sae__l0_warm_up_steps": 10_000}),
    ("norm-estimate", {"sae__normalize_activations": "expected_average_only_in"}),
    (
        "norm-estimate",
        {"sae__normalize_activations": "covariance_whitening", "n_batches_for_norm_estimate": 200},
    ),
    ("threshold-unconverged", {"sae__topk_threshold_lr": 0.001}),
    ("threshold-unconverged", {"sae": "matryoshka", "sae__topk_threshold_lr": 0.001}),
    ("dead-window", {"dead_feature_window": 1000}),
    ("dead-window", {"sae": "standard", "dead_feature_window": 1000}),
    ("histogram-window", {"feature_sampling_window": 1000}),
    ("k-range", {"sae__k": 1025}),
    ("k-range", {"sae": "topk", "sae__k": 0}),
    ("matryoshka-widths", {"sae": "matryoshka", "sae__matryoshka_widths": []}),
    ("matryoshka-widths", {"sae": "matryoshka", "sae__matryoshka_widths": [256, 64, 1024]}),
    ("matryoshka-widths", {"sae": "matryoshka", "sae__matryoshka_widths": [64, 2048]}),
    ("target-l0", {"sae": "jumprelu", "sae__jumprelu_sparsity_loss_mode": "quadratic"}),
    ("l0-saturated", {"sae": "jumprelu", "sae__l0_coefficient": 10.0}),
    ("auxk-normalisation", {"sae": "topk", "sae__normalize_activations": "layer_norm"}),
    ("low-precision", {"sae__dtype": "bfloat16"}),
    ("seqpos-slice", {"seqpos_slice": (300, 400)}),
    ("buffer-too-small", {"n_batches_in_buffer": 7}),
    ("buffer-unmixed", {"n_batches_in_buffer": 32}),
    ("buffer-unmixed", {"activations_mixing_fraction": 0.0}),
    ("mixing-fraction", {"activations_mixing_fraction": 1.5}),
    ("memory", {"n_batches_in_buffer": 10**9}),
    ("memory", {"sae__d_sae": 10**9}),
    ("device-missing", {"device": "cuda:99"}),
    ("path-missing", {"from_pretrained_path": "nowhere/sae"}),
    ("path-missing", {"use_cached_activations": True, "cached_activations_path": "nowhere/cache"}),
    ("model-unknown", {"model_name": "tinystories-1M"}),
    ("model-unknown", {"dataset_path": "sae-course:tinystories-1M"}),
    ("dataset-other-model", {"dataset_path": f"sae-course:{OTHELLO}"}),
    ("dataset-other-model", {"name": OTHELLO, "dataset_path": f"sae-course:{GEMMA}"}),
    ("dataset-other-model", {"dataset_path": "chanind/openwebtext-gemma"}),
    ("reshape-other-hook", {"sae__reshape_activations": "hook_z"}),
    ("hook-z-shape", {"name": ATTN, "sae__reshape_activations": "none"}),
    ("hook-heads", {"name": ATTN, "hook_name": "blocks.0.attn.hook_q", "sae__reshape_activations": "none"}),
    ("hook-heads", {"name": ATTN, "hook_name": "blocks.0.attn.hook_v"}),
]
# With the model and a few rows.
LOOKS = [
    ("hook-unknown", {"hook_name": "blocks.0.mlp_out"}),
    (
        "hook-silent",
        {"name": ATTN, "hook_name": "blocks.0.hook_mlp_out", "sae__reshape_activations": "none"},
    ),
    ("hook-layer", {"hook_name": "blocks.1.hook_mlp_out"}),
    ("hook-silent", {"hook_name": "blocks.0.attn.hook_result"}),
    ("hook-not-per-token", {"hook_name": "blocks.0.attn.hook_pattern"}),
    ("hook-head-index", {"hook_head_index": 0}),
    ("hook-head-index", {"name": ATTN, "hook_head_index": 4, "sae__d_in": 32}),
    ("d-in", {"sae__d_in": 1024}),
    ("d-in", {"name": ATTN, "hook_head_index": 3}),
    ("context-beyond-model", {"context_size": 257}),
    ("bos-none", {"name": OTHELLO, "prepend_bos": True}),
    ("exclude-nothing", {"name": OTHELLO, "exclude_special_tokens": True}),
    ("exclude-nothing", {"exclude_special_tokens": [1, 5000]}),
    ("loss-too-high", {"dataset_path": f"sae-course:{TINY}/notices"}),
    ("loss-too-high", {"dataset_path": f"sae-course:{ATTN}"}),
    ("loss-too-high", {"name": GEMMA, "dataset_path": f"sae-course:{ATTN}"}),
]


def broken(case: dict[str, Any]) -> LanguageModelSAERunnerConfig:
    case = dict(case)
    return config(case.pop("name", TINY), case.pop("sae", "batchtopk"), **case)


def label(value: Any) -> str:
    return "-".join(map(str, value.values())) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(("code", "case"), SETTINGS, ids=label)
def test_a_setting_that_is_wrong(code: str, case: dict[str, Any]) -> None:
    assert preflight(broken(case)).codes == [code]


@pytest.mark.parametrize(("code", "case"), LOOKS, ids=label)
def test_what_the_model_shows(code: str, case: dict[str, Any]) -> None:
    assert preflight(broken(case)).codes == [code]


def test_the_buffers_size_is_in_the_finding_and_rows_at_once_do_not_enter_it() -> None:
    (finding,) = preflight(config(n_batches_in_buffer=7, store_batch_size_prompts=500))
    assert "1,792 tokens" in finding.what
    assert "2,048" in finding.what


def test_a_longer_run_makes_the_threshold_converge() -> None:
    assert preflight(config(sae__topk_threshold_lr=0.001, training_tokens=10**7)).codes == []
    (finding,) = preflight(config(sae__topk_threshold_lr=0.001))
    rate = float(finding.change.split("=")[1].split(",")[0])
    assert preflight(config(sae__topk_threshold_lr=rate)).codes == []


@pytest.mark.parametrize(
    ("scheduler", "warm_up", "decay", "severity"),
    [
        ("constant", 733, 0, "wastes"),
        ("cosineannealing", 592, 140, "wastes"),
        ("cosineannealing", 732, 0, "stops"),
        ("cosineannealingwarmrestarts", 592, 140, "stops"),
    ],
)
def test_a_schedule_that_crashes_stops_and_one_that_jumps_wastes(
    scheduler: str, warm_up: int, decay: int, severity: str
) -> None:
    cfg = config(lr_scheduler_name=scheduler, lr_warm_up_steps=warm_up, lr_decay_steps=decay)
    (finding,) = preflight(cfg)
    assert (finding.code, finding.severity) == ("lr-schedule", severity)


@pytest.mark.parametrize(("sae", "severity"), [("batchtopk", "wastes"), ("standard", "notice")])
def test_a_dead_window_wastes_the_run_only_where_latents_are_revived(sae: str, severity: str) -> None:
    (finding,) = preflight(config(sae=sae, dead_feature_window=1000))
    assert finding.severity == severity


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert preflight(config(output_path=str(tmp_path / "new" / "folder"))).codes == []
    assert preflight(config(output_path=str(tmp_path / "file" / "folder"))).codes == ["output-unwritable"]
    assert preflight(config(checkpoint_path=str(tmp_path / "file"))).codes == ["output-unwritable"]


def test_memory_counts_buffer_and_sae(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config()
    buffer = 3 * 4 * 128 * (128 + 32) * 256
    parameters = 2 * 128 * 1024 + 128 + 1024
    sae = 4 * 4 * parameters + 4 * 4 * 2048 * 1024
    assert machine.needed_memory(cfg) == {"cpu": (buffer, sae)}
    monkeypatch.setattr(machine, "free_memory", lambda device: buffer + sae)
    assert list(machine.memory(cfg)) == []
    monkeypatch.setattr(machine, "free_memory", lambda device: buffer + sae - 1)
    assert [finding.code for finding in machine.memory(cfg)] == ["memory"]


def test_memory_is_counted_where_each_part_lies() -> None:
    cfg = config(device="cuda", sae__dtype="bfloat16")
    needed = machine.needed_memory(cfg)
    assert set(needed) == {"cpu", "cuda"}
    assert needed["cpu"][1] == 0
    assert needed["cuda"][0] == 0
    assert needed["cuda"][1] == machine.needed_memory(config())["cpu"][1] // 2


# Rows of a learner's own.


def test_rows_shorter_than_the_context(tiny: Any, rows: torch.Tensor) -> None:
    assert preflight(config(), tiny, of(rows[:, :200])).codes == ["context-beyond-rows"]
    assert preflight(config(context_size=200), tiny, of(rows[:, :200])).codes == []
    uneven = Dataset.from_dict({"tokens": [*rows[:5].tolist(), rows[5, :100].tolist(), *rows[6:].tolist()]})
    (finding,) = preflight(config(), tiny, uneven)
    assert "100 tokens" in finding.what


def test_ids_that_the_model_does_not_know(tiny: Any, rows: torch.Tensor) -> None:
    beyond = rows.clone()
    beyond[3, 7] = 1096
    assert preflight(config(), tiny, of(beyond)).codes == ["ids-beyond-vocabulary"]
    beyond[3, 7] = 1095
    assert preflight(config(), tiny, of(beyond)).codes == []


def test_bos_missing_and_doubled(tiny: Any, rows: torch.Tensor) -> None:
    without = of(rows[:, 1:])
    assert preflight(config(context_size=255), tiny, without).codes == ["bos-missing"]
    assert preflight(config(context_size=255, prepend_bos=False), tiny, without).codes == []
    twice = torch.cat([rows[:, :1], rows[:, :-1]], 1)
    assert preflight(config(), tiny, of(twice)).codes == ["bos-doubled"]


def test_a_tokenizer_that_is_not_the_models(tiny: Any, rows: torch.Tensor) -> None:
    other = torch.randperm(1096, generator=torch.Generator().manual_seed(0))
    other = torch.where(torch.arange(1096) == 1, 1, other)  # both have the same BOS
    assert preflight(config(), tiny, of(other[rows])).codes == ["loss-too-high"]


def test_a_given_model_is_compared_with_its_card_as_well() -> None:
    gemma_ = load_model(GEMMA, "mini", device="cpu", quiet=True)
    drills = token_stream(ATTN, "mini")  # better than the frequencies, and far from the card
    (finding,) = preflight(config(GEMMA), gemma_, drills)
    assert finding.code == "loss-too-high"
    assert "its card says 0.51" in finding.what
    assert preflight(config(GEMMA), gemma_, token_stream(GEMMA, "mini")).codes == []


def test_random_weights_are_a_notice() -> None:
    report = preflight(config(), random_twin(TINY, "mini", device="cpu"))
    assert report.codes == ["model-untrained"]
    assert report.ok


def test_a_large_mean(rows: torch.Tensor) -> None:
    model = load_model(TINY, "mini", device="cpu", quiet=True)
    with torch.no_grad():
        # LayerNorm takes it out again, so that the model itself is the same.
        model.blocks[0].mlp.b_out += 30.0
    assert preflight(config(), model).codes == ["mean-offset"]
    whitened = config(sae__normalize_activations="covariance_whitening", n_batches_for_norm_estimate=20)
    assert preflight(whitened, model).codes == []


def test_offset_is_the_norm_of_the_mean_over_the_deviation() -> None:
    values = torch.tensor([[[3.0, 1.0], [3.0, -1.0]]])
    assert activations.offset(values) == pytest.approx(3.0)
    assert activations.offset(values[..., None]) == pytest.approx(3.0)  # a head dimension is flattened


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset.from_dict({"words": ["a"]}),
        Dataset.from_dict({"tokens": []}),
        Dataset.from_dict({"text": ["too little"]}),
    ],
    ids=["columns", "empty", "little"],
)
def test_data_that_give_no_rows(tiny: Any, dataset: Dataset) -> None:
    assert preflight(config(), tiny, dataset).codes == ["not-loaded"]


def test_data_that_is_not_there() -> None:
    report = preflight(
        config(dataset_path="nobody/nothing"), load_model(TINY, "mini", device="cpu", quiet=True)
    )
    assert report.codes == ["not-loaded"]
    with pytest.raises(CourseError, match="nobody/nothing"):
        report.raise_if_stops()


def test_the_hook_is_checked_even_where_the_data_is_missing(tiny: Any) -> None:
    cfg = config(dataset_path="nobody/nothing", hook_name="blocks.0.mlp_out")
    assert preflight(cfg, tiny).codes == ["not-loaded", "hook-unknown"]


# No false alarm.


@pytest.mark.parametrize("name", MODELS)
def test_a_sound_configuration_has_no_finding(name: str) -> None:
    assert preflight(config(name)).codes == []


@pytest.mark.parametrize("sae", SAES)
def test_no_architecture_has_a_finding_of_its_own(tiny: Any, rows: torch.Tensor, sae: str) -> None:
    assert preflight(config(sae=sae), tiny, of(rows)).codes == []


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("context", [16, 59])
def test_short_contexts_are_sound(name: str, context: int) -> None:
    cfg = config(name, context_size=context, n_batches_in_buffer=1024)
    assert preflight(cfg).codes == []


def test_text_is_tokenised_as_saelens_does_it(tiny: Any, rows: torch.Tensor) -> None:
    text = Dataset.from_dict({"text": [tiny.tokenizer.decode(row[1:]) for row in rows]})
    assert preflight(config(), tiny, text).codes == []
    seen = look.first_rows(config(), tiny, text)
    assert not seen.tokenised
    assert seen.tokens is not None
    assert (seen.tokens[:, 0] == tiny.tokenizer.bos_token_id).all()


def test_a_streamed_dataset_is_left_where_it_was(tiny: Any) -> None:
    stream = token_stream(TINY, "mini")
    first = next(iter(stream))
    assert preflight(config(), tiny, stream).codes == []
    assert next(iter(stream)) == first


def presets() -> Iterator[tuple[str, str, str, str | None]]:
    try:
        from sae_course.training.presets import PRESETS, RECIPES  # noqa: PLC0415
    except ImportError:
        return
    from sae_course.training.architectures import CONFIGS  # noqa: PLC0415

    for name in PRESETS:
        for scale in ("mini", "full"):
            for recipe in RECIPES:
                yield name, scale, recipe, None
            for architecture in CONFIGS:
                yield name, scale, "today", architecture


@pytest.mark.parametrize(("name", "scale", "recipe", "architecture"), list(presets()))
def test_no_preset_has_a_finding(name: str, scale: str, recipe: str, architecture: str | None) -> None:
    module = pytest.importorskip("sae_course.training.presets")
    cfg = module.preset(name, scale, recipe, architecture=architecture)
    report = preflight(cfg, offline=scale == "full")
    assert report.codes == [], str(report)


# Offline.


def gemma(**changes: Any) -> LanguageModelSAERunnerConfig:
    cfg = config(
        GEMMA,
        dataset_path="chanind/openwebtext-gemma",
        hook_name="blocks.12.hook_resid_post",
        context_size=1024,
        sae__d_in=2304,
    )
    for key, value in changes.items():
        setattr(cfg.sae if key == "d_in" else cfg, key, value)
    return cfg


def test_gemma_is_checked_without_its_weights() -> None:
    assert preflight(gemma(), offline=True).codes == []
    (finding,) = preflight(gemma(d_in=2048), offline=True)
    assert finding.code == "d-in"
    assert "[1, 8, 2304]" in finding.what
    assert preflight(gemma(hook_name="blocks.26.hook_resid_post"), offline=True).codes == ["hook-layer"]
    assert preflight(gemma(context_size=8193, n_batches_in_buffer=999), offline=True).codes == [
        "context-beyond-model"
    ]


def test_offline_says_nothing_of_this_machine() -> None:
    assert preflight(
        gemma(device="cuda:99", llm_device="cuda:99", n_batches_in_buffer=10**9), offline=True
    ).ok


def test_offline_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert preflight(gemma(), offline=True).codes == []


# What a report says.


def test_nearest_names() -> None:
    known = ["hook_embed", "blocks.0.attn.hook_z", "blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out"]
    assert hooks.nearest("blocks.1.mlp_out", known)[0] == "blocks.1.hook_mlp_out"
    assert hooks.nearest("blocks.0.hook_z", known)[0] == "blocks.0.attn.hook_z"


def test_a_report_shows_itself() -> None:
    notice = Finding("b", "notice", "what <b>", "why", "this = 1")
    stops = Finding("a", "stops", "it & that", "because", "that = 2")
    report = Report.of([notice, stops])
    assert report.codes == ["a", "b"]
    assert not report.ok
    assert not report
    assert len(report) == 2
    assert str(report).startswith("✘ a (stops): it & that\n  because\n  Change: that = 2\n\n· b")
    assert "what &lt;b&gt;" in report._repr_html_()
    assert json.loads(json.dumps(report.as_dict()))["findings"][1]["change"] == "this = 1"
    with pytest.raises(CourseError, match="One thing stops this run") as error:
        report.raise_if_stops()
    assert "that = 2" in str(error.value)
    assert "this = 1" not in str(error.value)


def test_a_report_with_only_notices_is_ok() -> None:
    report = Report.of([Finding("b", "notice", "what", "why", "change")])
    assert report.ok
    report.raise_if_stops()
    assert str(Report()) == "✔ Nothing found that would stop or waste this run."
    assert "Nothing found" in Report()._repr_html_()


def test_long_lines_are_wrapped_and_hook_names_stay_whole() -> None:
    what = "hook_name = blocks.0.attn.hook_z " * 12
    lines = str(Finding("a", "stops", what, "why", "change")).split("\n")
    assert max(map(len, lines)) <= 100
    assert sum(line.count("blocks.0.attn.hook_z") for line in lines) == 12


def codes_in_the_package() -> set[str]:
    found = set()
    for path in Path(package).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                found.add(ast.literal_eval(node.args[0]))
    return found


def test_every_finding_is_tested() -> None:
    tested = {code for code, _ in (*SETTINGS, *LOOKS)}
    text = inspect.getsource(inspect.getmodule(test_every_finding_is_tested) or ast)
    elsewhere = {code for code in codes_in_the_package() if f'["{code}"]' in text}
    assert codes_in_the_package() == tested | elsewhere
