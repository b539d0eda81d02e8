"""Memory of a plan: part by part by hand, and against a training's own code on tensors without numbers."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sae_lens import TrainingSAE
from sae_lens.evals import get_sparsity_and_variance_metrics
from sae_lens.training.activation_scaler import ActivationScaler
from small_work import PLAIN, on_gpu

from sae_course.figures.memory import draw_memory
from sae_course.models import load_model
from sae_course.runtime.theme import CONTROL
from sae_course.training.planner import memory
from sae_course.training.planner.machines import GIB
from sae_course.training.planner.memory import CUDA_BYTES, PHASES, STEP, Part
from sae_course.training.planner.traced import Alive, _fake, _sae, _step, traced
from sae_course.training.planner.workload import CPU, GPU, SECOND, Workload, changed, of_config
from sae_course.training.presets import preset

LIBRARIES = 1000
# 556 parameters.
WORK = replace(on_gpu(), shape=replace(PLAIN, n_ctx=10_000))
SHAPE, MODEL = WORK.shape, WORK.shape.parameters
SAE = 2 * 3 * 8 + 8 + 3
# Five model batches of 2 × 6 tokens hold the 9 × 6 that are asked for.
BUFFER = 4 * 3 * 60
# Of 2 rows: attention's scores are 2 × 2 × 10², its heads 20 × 10, the residual stream 20 × 3.
ATTENTION = 4 * 400 + 4 * 200 + 4 * 60
CUDA_ = [("CUDA", CUDA_BYTES)]


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process takes was measured, and isn't arithmetic."""
    monkeypatch.setattr(memory, "process_bytes", lambda: LIBRARIES)


def found(work: Workload, device: str, phase: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in memory.parts(work):
        if (part.device, part.phase) == (device, phase):
            sizes[part.name] = sizes.get(part.name, 0) + part.bytes
    return sizes


# By hand.


def test_every_part_of_a_run_on_a_gpu() -> None:
    held = {"CUDA": CUDA_BYTES, "model weights": 4 * MODEL, "SAE weights": 4 * SAE, "Adam": 8 * SAE}
    assert found(WORK, GPU, "filling") == held | {
        "activation buffer": 2 * BUFFER,
        "model activations": 4 * ATTENTION,
    }
    assert found(WORK, GPU, "step") == held | {
        "gradients": 4 * SAE,
        "activation buffer": BUFFER,
        "a step's tensors": int(4 * 30 * (STEP["standard"] * 8 + memory.STEP_INPUTS * 3)),
    }
    # Two passes' logits are kept while the third is in the model: of 3 rows, 600 scores.
    in_model = 2 * 30 * 11 + 4 * 600 + 4 * 300 + 4 * 90
    assert found(WORK, GPU, "evaluation") == held | {"activation buffer": BUFFER, "evaluation": 4 * in_model}
    assert found(WORK, GPU, "loading") == {}
    assert found(WORK, CPU, "loading") == {
        "model, as loaded": 4 * MODEL,
        "model weights": 4 * MODEL,
        "Python and libraries": LIBRARIES,
    }
    assert {part.device for part in memory.parts(WORK) if part.phase != "loading"} == {GPU}


def test_a_tied_model_is_loaded_without_its_second_embedding() -> None:
    tied = replace(WORK, shape=replace(SHAPE, tied=True))
    assert found(tied, CPU, "loading")["model, as loaded"] == 4 * (MODEL - 11 * 3)
    assert found(tied, CPU, "loading")["model weights"] == 4 * MODEL


def test_a_mini_model_is_not_converted() -> None:
    assert found(replace(WORK, scale="mini"), CPU, "loading") == {}


def test_a_buffer_larger_than_the_models_activations_is_there_three_times() -> None:
    # A forward pass comes before the parts are joined: only the larger of the two is a peak.
    large = replace(WORK, n_batches_in_buffer=900)
    assert found(large, GPU, "filling")["activation buffer"] == 3 * 100 * BUFFER * 9 // 10
    assert "model activations" not in found(large, GPU, "filling")
    # 880 tokens take as much as the forward pass does, to the byte.
    equal = replace(WORK, n_batches_in_buffer=880, row_tokens=1, store_batch_size_prompts=1)
    forward = memory.forward_bytes(equal)
    rows = forward // 12
    assert rows * 12 == forward
    at = replace(equal, n_batches_in_buffer=rows)
    assert found(at, GPU, "filling")["activation buffer"] == 3 * forward
    below = replace(equal, n_batches_in_buffer=rows - 1)
    assert found(below, GPU, "filling")["model activations"] == forward


def test_a_buffer_in_the_computers_memory() -> None:
    aside = replace(WORK, act_store_device=CPU)
    # It lies elsewhere than the forward pass, so that both have their peaks.
    assert found(aside, CPU, "filling") == {
        "Python and libraries": LIBRARIES,
        "activation buffer": 3 * BUFFER,
    }
    for phase in ("step", "evaluation"):
        # The process keeps what it has freed.
        assert found(aside, CPU, phase) == {
            "Python and libraries": LIBRARIES,
            "kept from filling": 2 * BUFFER,
            "activation buffer": BUFFER,
        }
    for phase in PHASES:
        assert "activation buffer" not in found(aside, GPU, phase)
    assert found(aside, GPU, "filling")["model activations"] == 4 * ATTENTION
    large = replace(aside, n_batches_in_buffer=900)
    assert found(large, GPU, "filling")["model activations"] == 4 * ATTENTION


def test_a_model_on_a_second_gpu() -> None:
    apart = replace(WORK, llm_device=SECOND)
    assert found(apart, SECOND, "filling") == {
        "CUDA": CUDA_BYTES,
        "model weights": 4 * MODEL,
        "model activations": 4 * ATTENTION,
    }
    assert set(found(apart, SECOND, "evaluation")) == {"CUDA", "model weights", "evaluation"}
    assert set(found(apart, GPU, "evaluation")) == {"CUDA", "SAE weights", "Adam", "activation buffer"}
    assert memory.devices(memory.parts(apart)) == [GPU, SECOND, CPU]


def test_on_a_cpu_the_courses_own_step_keeps_gradients_and_makes_few_tensors() -> None:
    here = replace(WORK, device=CPU, llm_device=CPU, act_store_device=CPU)
    for phase in ("filling", "step", "evaluation"):
        assert found(here, CPU, phase)["Python and libraries"] == LIBRARIES
        assert found(here, CPU, phase)["gradients"] == 4 * SAE
    tensors = found(here, CPU, "step")["a step's tensors"]
    assert tensors == int(4 * 30 * 3 * memory.OWN_INPUTS) + 16 * 2**20
    assert memory.devices(memory.parts(here)) == [CPU]
    # What the process has freed it keeps: here a second buffer, and the forward pass that came with it.
    for phase in ("step", "evaluation"):
        assert found(here, CPU, phase)["kept from filling"] == BUFFER + 4 * ATTENTION
        assert found(here, CPU, phase)["activation buffer"] == BUFFER
    large = replace(here, n_batches_in_buffer=900)
    assert (
        found(large, CPU, "step")["kept from filling"] == 2 * found(large, CPU, "step")["activation buffer"]
    )
    assert "kept from filling" not in found(here, CPU, "filling")
    # An architecture without a step of the course's own takes SAELens'.
    other = replace(here, architecture="jumprelu")
    assert "gradients" not in found(other, CPU, "filling")
    assert found(other, CPU, "step")["a step's tensors"] == int(
        4 * 30 * (STEP["jumprelu"] * 8 + memory.STEP_INPUTS * 3) * memory.CPU_STEP
    )


def test_several_saes_have_their_own_weights_and_take_turns() -> None:
    three = replace(WORK, n_saes=3)
    step = found(three, GPU, "step")
    assert (step["SAE weights"], step["Adam"], step["gradients"]) == (12 * SAE, 24 * SAE, 12 * SAE)
    assert step["a step's tensors"] == found(WORK, GPU, "step")["a step's tensors"]
    assert found(three, GPU, "filling")["gradients"] == 12 * SAE, "the course's own step keeps them"
    assert "gradients" not in found(replace(three, architecture="gated"), GPU, "filling")
    assert [memory.own_step(replace(three, architecture=name)) for name in STEP] == [
        name in ("standard", "topk", "batchtopk") for name in STEP
    ]


def test_a_model_in_bfloat16_and_an_sae_that_is_not() -> None:
    half = replace(WORK, model_dtype="bfloat16")
    assert found(half, GPU, "filling")["model weights"] == 2 * MODEL
    assert found(half, GPU, "filling")["model activations"] == 2 * ATTENTION
    assert found(half, GPU, "filling")["activation buffer"] == 2 * BUFFER
    assert found(half, GPU, "evaluation")["evaluation"] == found(WORK, GPU, "evaluation")["evaluation"] / 2
    assert found(half, GPU, "step")["SAE weights"] == 4 * SAE
    assert found(half, CPU, "loading")["model, as loaded"] == 2 * MODEL
    # With autocast nothing is cast: it is bfloat16 already.
    assert memory.forward_bytes(replace(half, autocast_lm=True)) == 2 * ATTENTION


def forward(rows: int = 2, autocast_lm: bool = False, **shape: Any) -> float:
    """Numbers, not bytes."""
    work = replace(
        WORK, shape=replace(SHAPE, **shape), store_batch_size_prompts=rows, autocast_lm=autocast_lm
    )
    return memory.forward_bytes(work) / 4


def test_a_forward_pass_peaks_in_attention_or_in_the_mlp_or_in_the_projections() -> None:
    assert forward() == ATTENTION
    assert forward(shortformer=True) == ATTENTION + 60  # positions are added to queries and keys
    assert forward(n_key_value_heads=1) == ATTENTION - 200
    # 20 tokens, 5,000 hidden: pre-activations, activations and two of GELU's.
    assert forward(d_mlp=5000) == 4 * 100_000 + 4 * 60
    assert forward(d_mlp=5000, gated=True) == 3 * 100_000 + 3 * 5000 + 5 * 60
    assert forward(d_mlp=0) == ATTENTION
    # Wide heads, few positions: a weight as large as all else, in the product that it is rearranged for.
    assert forward(d_head=500) == 2 * 500 * 3 + 5 * 20 * 1000 + 5 * 60
    assert forward(autocast_lm=True) == pytest.approx(0.78 * ATTENTION, abs=1)
    assert forward(autocast_lm=True, d_mlp=5000) == pytest.approx(0.9 * 400_240, abs=1)


def test_on_a_cpu_few_rows_are_read_at_once() -> None:
    here = replace(WORK, llm_device=CPU, device=CPU, act_store_device=CPU)
    assert memory.forward_bytes(here) == 4 * ATTENTION
    # Scores of 2 heads × 10²: 5,242 rows are the most that 2²⁰ numbers hold.
    most = memory.forward_bytes(replace(here, store_batch_size_prompts=5242))
    assert memory.forward_bytes(replace(here, store_batch_size_prompts=9999)) == most
    assert memory.forward_bytes(replace(here, store_batch_size_prompts=5241)) < most
    long = replace(here, context_size=2000, store_batch_size_prompts=1)
    # A row that is longer than that is read by itself.
    row = 4 * (4 * 2 * 2000**2 + 4 * 2000 * 10 + 4 * 2000 * 3)
    assert memory.forward_bytes(replace(long, store_batch_size_prompts=5)) == row


def test_an_evaluation_peaks_in_the_loss_or_in_the_model_or_in_the_metrics() -> None:
    def numbers(**changes: Any) -> float:
        return memory.evaluation_bytes(replace(WORK, **changes)) / 4

    wide = replace(SHAPE, d_vocab=10_000)
    assert numbers(shape=wide) == 4 * 30 * 10_000
    assert numbers(shape=replace(wide, soft_cap=True)) == 5 * 30 * 10_000
    assert numbers(shape=replace(wide, soft_cap=True), model_dtype="float16") == 5 * 30 * 10_000 / 2
    assert numbers(d_sae=10_000) == 5 * 30 * 10_000
    # SAELens' metrics are of the SAE, in float32.
    assert numbers(d_sae=10_000, model_dtype="float16") == 5 * 30 * 10_000
    # Where the largest are chosen, a CPU sorts.
    assert numbers(d_sae=10_000, architecture="topk") == 5 * 30 * 10_000
    assert numbers(d_sae=10_000, architecture="topk", device=CPU) == 14 * 30 * 10_000
    assert numbers(d_sae=10_000, device=CPU) == 8 * 30 * 10_000
    assert memory.logits_bytes(replace(WORK, model_dtype="float16")) == 2 * 3 * 10 * 11


def test_a_buffer_is_whole_model_batches() -> None:
    assert memory.buffer_bytes(WORK) == BUFFER
    assert memory.buffer_bytes(replace(WORK, n_batches_in_buffer=10)) == BUFFER
    assert memory.buffer_bytes(replace(WORK, n_batches_in_buffer=11)) == 4 * 3 * 72


def test_sums_and_peaks() -> None:
    parts = [Part(GPU, "step", "a", 5), Part(GPU, "step", "b", 7), Part(GPU, "filling", "a", 11)]
    parts.append(Part(CPU, "loading", "a", 100))
    assert memory.sum_of(parts, GPU, "step") == 12
    assert memory.peak(parts, GPU) == 12
    assert memory.peak(parts, CPU) == 100
    assert memory.peak(parts, SECOND) == 0
    assert memory.devices(parts) == [GPU, CPU]


# Against the code. Fake tensors have a shape and no numbers: a full model takes a few seconds.


def planned(work: Workload) -> dict[str, int]:
    return {
        "fill": memory.forward_bytes(work),
        "step": memory.step_bytes(work) + 4 * work.sae_parameters,
        "evaluation": memory.loss_bytes(work),  # SAELens' metrics are compared below
    }


@pytest.mark.parametrize(
    ("name", "architecture", "settings", "layers"),
    [
        ("gemma", "batchtopk", {}, 26),
        # A pass through more layers takes longer, and no more memory.
        ("gemma", "jumprelu", {"model_dtype": "bfloat16", "eval_batch_size_prompts": 1}, 4),
        ("tinystories", "topk", {}, 1),
        ("attn-only-2l", "standard", {}, 2),
        ("othello", "gated", {}, 2),
    ],
)
def test_a_plan_is_near_the_trace_of_a_training(
    name: str, architecture: str, settings: dict[str, Any], layers: int
) -> None:
    cfg = preset(name, "full", "today", architecture=architecture, device="cpu")
    work = changed(of_config(cfg, on_gpu=True), settings)
    shape = replace(work.shape, n_layers=layers)
    work = replace(work, shape=shape, layers=min(layers, work.layers))
    trace, plan = traced(work, cfg.sae), planned(work)
    for phase, size in trace.items():
        assert plan[phase] == pytest.approx(size, rel=0.15), phase


@pytest.mark.parametrize("architecture", STEP)
@pytest.mark.parametrize("name", ["gemma", "othello"])
def test_a_step_of_every_architecture_is_near_its_trace(name: str, architecture: str) -> None:
    # Gemma's inputs are an eighth of its latents: STEP_INPUTS counts there, and hardly in Othello.
    cfg = preset(name, "full", "today", architecture=architecture, device="cpu")
    work = of_config(cfg, on_gpu=True)
    with _fake():
        size = _step(_sae(cfg.sae), work)
    assert planned(work)["step"] == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize("architecture", ["standard", "topk", "batchtopk"])
def test_saelens_metrics_take_no_more_than_planned(architecture: str) -> None:
    # With numbers, and so few layers and a vocabulary so small that only [tokens, d_sae] counts.
    cfg = preset("tinystories", "mini", "today", architecture=architecture, device="cpu", d_sae=8192)
    work = of_config(cfg, on_gpu=False)
    model, sae = (
        load_model(cfg.model_name, "mini", device="cpu", quiet=True),
        TrainingSAE.from_dict(cfg.sae.to_dict()),
    )
    sae.cfg.metadata.hook_name = cfg.hook_name
    rows = torch.randint(2, 1000, (work.eval_batch_size_prompts, work.context_size))
    store = SimpleNamespace(get_batch_tokens=lambda n: rows)
    known = [*model.parameters(), *model.buffers(), *sae.parameters(), *sae.buffers(), rows]
    with Alive(known) as mode, torch.no_grad():
        get_sparsity_and_variance_metrics(
            sae,
            model,
            store,  # type: ignore[arg-type]
            ActivationScaler(),
            n_batches=1,
            compute_l2_norms=True,
            compute_sparsity_metrics=True,
            compute_variance_metrics=True,
            compute_featurewise_density_statistics=True,
            eval_batch_size_prompts=len(rows),
            model_kwargs={},
        )
    # The plan's are what a process was measured to take, workspaces of choosing the largest included.
    on_gpu = memory.evaluation_bytes(replace(work, device=GPU))
    assert mode.peak < on_gpu < 2 * mode.peak
    assert memory.evaluation_bytes(work) >= on_gpu


@pytest.fixture
def alive() -> Iterator[Alive]:
    with Alive() as mode:
        yield mode


def test_a_new_tensor_counts_until_it_is_freed(alive: Alive) -> None:
    a = torch.zeros(100)
    assert alive.bytes == 400
    b = a + 1
    assert alive.bytes == 800
    del a
    assert alive.bytes == 400
    c = b * 2
    assert (alive.bytes, alive.peak) == (800, 800)
    del b, c
    assert (alive.bytes, alive.peak) == (0, 800)


def test_views_and_in_place_operations_add_nothing(alive: Alive) -> None:
    a = torch.zeros(10, 10)
    views = [a.T, a[3:], a.reshape(-1), a.expand(5, 10, 10), a.add_(1.0)]
    assert alive.bytes == 400
    del a
    assert alive.bytes == 400, "a view keeps what it is of"
    views.clear()
    assert alive.bytes == 0


def test_all_tensors_that_an_operation_gives_count(alive: Alive) -> None:
    kept = torch.zeros(100).topk(10)
    assert alive.bytes == 10 * 4 + 10 * 8
    assert alive.peak == 400 + 120
    del kept


def test_what_was_known_before_does_not_count() -> None:
    weight = torch.zeros(100)
    with Alive([weight]) as alive:
        held = [weight.view(10, 10), weight.add_(1.0)]
        assert alive.bytes == 0
        held.append(weight * 2)
        assert alive.bytes == 400
    assert len(held) == 3


def test_gradients_count() -> None:
    weight = torch.ones(100, requires_grad=True)
    with Alive([weight]) as alive:
        (weight * 2).sum().backward()
    assert weight.grad is not None
    assert alive.bytes == 400


# The figure.


def test_bars_are_the_parts_and_the_line_is_what_there_is() -> None:
    parts = {"a": {"filling": GIB, "step": 3 * GIB}, "b": {"step": GIB // 2, "evaluation": 2 * GIB}}
    fig = draw_memory(parts, 4 * GIB, "the finding")
    assert [bar.name for bar in fig.data] == ["a", "b"]
    assert [list(bar.x) for bar in fig.data] == [["filling", "step", "evaluation"]] * 2
    assert [list(bar.y) for bar in fig.data] == [[1, 3, 0], [0, 0.5, 2]]
    assert fig.layout.barmode == "stack"
    assert len({bar.marker.color for bar in fig.data}) == 2
    (line,) = fig.layout.shapes
    assert line.y0 == line.y1 == 4
    assert line.line.color == CONTROL
    assert [note.text for note in fig.layout.annotations] == ["4.0 GiB"]
    assert "the finding" in fig.layout.title.text


def test_without_a_limit_no_line_is_drawn() -> None:
    assert not draw_memory({"a": {"step": GIB}}, None, "t").layout.shapes
