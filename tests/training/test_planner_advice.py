"""What to change in a run that doesn't fit, and what a run that failed says."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from sae_course.runtime import CourseError
from sae_course.training import planner
from sae_course.training.planner import Plan
from sae_course.training.planner.advice import advice, fits
from sae_course.training.planner.diagnosis import tensors
from sae_course.training.planner.machines import GIB, GPUS, Machine, machine
from sae_course.training.planner.memory import PHASES, parts, peak, sum_of
from sae_course.training.planner.plan import make
from sae_course.training.planner.workload import GPU, SECOND, Workload, changed
from sae_course.training.presets import preset
from sae_course.training.settings import change

ORDER = (
    "eval_batch_size_prompts",
    "act_store_device",
    "store_batch_size_prompts",
    "model_from_pretrained_kwargs",
    "llm_device",
    "train_batch_size_tokens",
    "d_sae",
)
WIDTHS = (16_384, 65_536, 262_144, 1_048_576)


def with_memory(gib: float) -> Machine:
    return replace(machine("T4"), memory=int(gib * GIB))


ROWS = {"eval_batch_size_prompts": 8}
"""As many rows in an evaluation as SAELens takes by default; the preset reads one."""


def plan(what: Any, **given: Any) -> Plan:
    return planner.plan(what, **((ROWS if what == "gemma" else {}) | given))


def why_out_of_memory(what: Any, message: str = "", **given: Any) -> Any:
    return planner.why_out_of_memory(what, message, **((ROWS if what == "gemma" else {}) | given))


def gemma(**changes: Any) -> Workload:
    """With as many rows in an evaluation as SAELens takes by default."""
    return plan("gemma", gpu="H200", **changes).work


def applied(work: Workload, changes: Any) -> Workload:
    for one in changes:
        work = changed(work, {one.setting: one.value})
    return work


# Advice.

RUNS = [
    *((gemma(d_sae=width), gpu) for width in WIDTHS for gpu in GPUS.values()),
    # Every amount between what nothing helps and what needs nothing.
    *((gemma(), with_memory(gib)) for gib in (2, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 18, 20, 30, 50)),
    *((gemma(n_batches_in_buffer=2048), with_memory(gib)) for gib in (16, 20, 24, 30, 60)),
    *((gemma(train_batch_size_tokens=65_536, n_batches_in_buffer=256), with_memory(g)) for g in (8, 20, 40)),
    *((plan("tinystories", gpu="T4", d_sae=2**18).work, with_memory(gib)) for gib in (4, 8, 12, 16)),
    # The model's activations are what takes most.
    *((gemma(store_batch_size_prompts=128, eval_batch_size_prompts=1), with_memory(g)) for g in (20, 24, 30)),
]


def fullest(work: Workload) -> int:
    """Bytes at the peak of the GPU on which most lies."""
    return max(peak(parts(work), device) for device in (GPU, SECOND))


def test_every_change_is_needed_in_order_and_as_said() -> None:
    asked, enough = set(), 0
    for work, gpu in RUNS:
        changes, after = advice(work, gpu)
        settings = [one.setting for one in changes]
        assert settings == sorted(set(settings), key=ORDER.index)
        assert after == applied(work, changes)
        at = work
        for one in changes:
            new = applied(at, [one])
            assert one.saves == fullest(at) - fullest(new)
            at = new
        asked |= set(settings)
        if not fits(after, gpu):
            continue
        enough += bool(changes)
        for one in changes:
            rest = [other for other in changes if other is not one]
            assert not fits(applied(work, rest), gpu), f"{one} is not needed"
    # All but a smaller buffer: in the computer's memory, where it is put before, it takes nothing of the GPU.
    assert asked == set(ORDER)
    assert enough > 10


def test_a_run_that_fits_needs_nothing() -> None:
    work = gemma()
    needed = peak(parts(work), GPU)
    assert advice(work, replace(machine("H200"), memory=needed)) == ([], work)
    changes, after = advice(work, replace(machine("H200"), memory=needed - 1))
    # The cheapest change is enough, and half as many rows are.
    assert [(one.setting, one.value) for one in changes] == [("eval_batch_size_prompts", 4)]
    assert after.eval_batch_size_prompts == 4
    assert advice(work, replace(machine("H200"), memory=None)) == ([], work)


def test_where_no_change_is_enough_that_is_said() -> None:
    changes, after = advice(gemma(), with_memory(1))
    assert not fits(after, with_memory(1))
    assert len(changes) > 4, "what there is to change is shown all the same"
    made = make("a run", gemma(d_sae=2**24), with_memory(1), None)
    assert not made.fits_changed
    assert "Even this is not enough:" in str(made)
    assert "fits no GPU that the planner knows" in str(made)
    assert "It fits with" not in str(made)


def test_bounds_of_what_is_asked_for() -> None:
    for work, gpu in RUNS:
        _, after = advice(work, gpu)
        after.checked()
        least = max(4 * work.store_batch_size_prompts, 2 * work.train_batch_size_tokens / work.row_tokens)
        if after.n_batches_in_buffer != work.n_batches_in_buffer:
            assert after.n_batches_in_buffer >= least, "it still mixes"
        assert after.train_batch_size_tokens >= min(512, work.train_batch_size_tokens)
        assert after.d_sae >= min(work.d_in, work.d_sae)


def test_what_is_placed_or_small_already_is_not_asked_for() -> None:
    work = gemma(act_store_device="cpu", llm_device="cuda:1", model_dtype="bfloat16")
    changes, _ = advice(work, with_memory(1))
    assert not {"act_store_device", "llm_device", "model_from_pretrained_kwargs"} & {
        one.setting for one in changes
    }


def test_a_change_is_written_as_in_a_configuration() -> None:
    changes, _ = advice(gemma(), machine("T4"))
    assert str(changes[0]) == "eval_batch_size_prompts = 1"
    assert str(changes[1]) == "model_from_pretrained_kwargs = {'dtype': 'bfloat16'}"
    assert all(one.costs for one in changes)


def test_a_phase_that_is_hidden_by_a_larger_one_is_helped_too() -> None:
    # Filling takes more than the evaluation, and both more than there is.
    work, gpu = gemma(n_batches_in_buffer=4096), machine("L4")
    settings = {"act_store_device": "cpu", "eval_batch_size_prompts": 1}
    assert fits(changed(work, settings), gpu)
    changes, after = advice(work, gpu)
    assert fits(after, gpu)
    assert {one.setting for one in changes} <= {*settings, "model_from_pretrained_kwargs"}


def test_a_second_gpu_is_helped_too() -> None:
    work, gpu = gemma(llm_device="cuda:1"), machine("A100-40")
    assert fits(changed(work, {"eval_batch_size_prompts": 1}), gpu)
    assert fits(advice(work, gpu)[1], gpu)


@pytest.mark.parametrize(
    ("gpu", "changes"),
    [
        ("T4", {}),
        ("L4", {}),
        ("T4", {"d_sae": 65_536}),
        ("L4", {"n_batches_in_buffer": 256}),
        ("A100-40", {"d_sae": 262_144}),
    ],
)
def test_saelens_configuration_with_the_changes_fits(gpu: str, changes: dict[str, Any]) -> None:
    on_gpu = {"device": "cuda", "llm_device": "cuda", "act_store_device": "cuda"}
    cfg = preset("gemma", "full", "today", **on_gpu, autocast=True, autocast_lm=True, **ROWS, **changes)
    made = plan(cfg, gpu=gpu)
    assert not made.fits
    assert made.changes
    assert made.work == plan("gemma", gpu=gpu, **changes).work
    again = plan(change(cfg, **{one.setting: one.value for one in made.changes}), gpu=gpu)
    assert again.work == made.changed
    assert again.fits
    first, after = (peak(parts(one.work), GPU) for one in (made, again))
    assert after == first - sum(one.saves for one in made.changes)


def test_the_peak_of_each_gpu_counts() -> None:
    work = gemma(llm_device="cuda:1")
    first, second = (peak(parts(work), device) for device in (GPU, SECOND))
    assert first < second
    assert fits(work, replace(machine("T4"), memory=second))
    assert not fits(work, replace(machine("T4"), memory=second - 1))


# Out of memory: in which phase, and which tensor.


@cache
def made(gib: float, **changes: Any) -> Plan:
    """Gemma's on a GPU of so much memory."""
    found = plan("gemma", gpu="T4", **changes)
    gpu = with_memory(gib)
    after = advice(found.work, gpu)
    return replace(found, machine=gpu, changes=tuple(after[0]), changed=after[1])


def said(size: float) -> str:
    return (
        f"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {size / GIB:.2f} GiB. "
        "GPU 0 has a total capacity of 14.56 GiB of which 1.03 GiB is free."
    )


@pytest.mark.parametrize("phase", ["filling", "step", "evaluation"])
def test_the_first_phase_that_needs_too_much(phase: str) -> None:
    found = made(15)
    needed = [sum_of(list(found.parts), GPU, one) / GIB for one in PHASES]
    at = PHASES.index(phase)
    assert needed == sorted(needed), "each phase of this run needs more than those before it"
    # One byte less than this phase takes.
    reading = why_out_of_memory(made(needed[at] - 2 / GIB))
    assert reading.phase == phase
    when = {
        "filling": "when the buffer is filled",
        "step": "in the first step",
        "evaluation": "at the first eval",
    }
    assert f"It fails {when[phase]}" in str(reading)
    assert f"{needed[at]:.1f} GiB are needed" in str(reading)
    if at + 1 < len(PHASES):
        assert why_out_of_memory(made(needed[at] + 2 / GIB)).phase == PHASES[at + 1]


def test_a_reading_names_the_largest_parts_and_what_to_change() -> None:
    lines = str(why_out_of_memory("gemma", gpu="T4")).splitlines()
    assert lines[0].endswith("16.9 GiB are needed and NVIDIA T4, 16 GB has 14.6.")
    assert lines[1] == (
        "Largest there: model weights 11.9 GiB, activation buffer 2.2 GiB, model activations 1.1 GiB, "
        "Adam 0.6 GiB."
    )
    assert "It fits with" in lines
    assert any(line.startswith("  eval_batch_size_prompts = 1  saves") for line in lines)


def test_a_second_gpu_fails_too() -> None:
    made_ = plan("gemma", gpu="T4", llm_device="cuda:1")
    assert not made_.fits
    reading = why_out_of_memory(made_)
    assert reading.phase == "evaluation"
    # What is largest there is named, and not what is largest on the other.
    assert "Largest there: evaluation 39.1 GiB, model weights 11.9 GiB, CUDA" in str(reading)


def test_a_message_is_about_the_logits() -> None:
    message = said(8 * 1024 * 256_000 * 4)
    assert "7.81 GiB" in message
    reading = why_out_of_memory("gemma", message, gpu="T4")
    assert reading.tensor == "the logits of 8 rows (eval_batch_size_prompts)"
    assert str(reading).startswith(f"The allocation that failed has the size of {reading.tensor}.")
    # By the plan it fails earlier; the reading of the phase is the plan's, that of the tensor the message's.
    assert reading.phase == "filling"


def test_sizes_of_tensors_by_hand() -> None:
    found = tensors(gemma(n_batches_in_buffer=100, store_batch_size_prompts=5, train_batch_size_tokens=2048))
    assert found == {
        "the logits of 8 rows (eval_batch_size_prompts)": 4 * 8 * 1024 * 256_000,
        "the activation buffer (n_batches_in_buffer)": 4 * 100 * 1024 * 2304,
        "a [batch, d_sae] tensor (train_batch_size_tokens, d_sae)": 4 * 2048 * 18_432,
        "the SAE's encoder or decoder (d_sae)": 4 * 2304 * 18_432,
        "the model's embedding": 4 * 256_000 * 2304,
        "attention's scores in filling (store_batch_size_prompts, context_size)": 4 * 5 * 8 * 1024**2,
        "attention's scores in evaluation (eval_batch_size_prompts, context_size)": 4 * 8 * 8 * 1024**2,
        "the MLP's hidden layer in filling (store_batch_size_prompts)": 4 * 5 * 1024 * 9216,
        "the MLP's hidden layer in evaluation (eval_batch_size_prompts)": 4 * 8 * 1024 * 9216,
        "latents of 5 rows in filling": 4 * 5 * 1024 * 18_432,
        "latents of 8 rows in evaluation": 4 * 8 * 1024 * 18_432,
    }
    half = tensors(gemma(model_dtype="bfloat16"))
    assert half["the model's embedding"] == 2 * 256_000 * 2304
    assert (
        half["attention's scores in filling (store_batch_size_prompts, context_size)"] == 2 * 8 * 8 * 1024**2
    )
    assert half["the SAE's encoder or decoder (d_sae)"] == 4 * 2304 * 18_432
    attention = plan("attn-only-2l", gpu="T4").work
    assert not [name for name in tensors(attention) if "MLP" in name]


def test_every_tensor_is_known_by_its_size() -> None:
    found = made(15)
    for name, size in tensors(found.work).items():
        # As PyTorch writes it, to a hundredth.
        unit, word = (GIB, "GiB") if size >= GIB else (2**20, "MiB")
        reading = why_out_of_memory(found, f"Tried to allocate {size / unit:.2f} {word}. GPU 0")
        assert name in reading.tensor


@pytest.mark.parametrize(
    ("message", "bytes_"),
    [
        ("tried to allocate 2.00GiB (GPU 0; 14.76 GiB total capacity", 2 * GIB),
        ("Tried to allocate 2048.00 MiB.", 2 * GIB),
        ("Tried to allocate 2097152.00 KiB.", 2 * GIB),
    ],
)
def test_units_of_a_message(message: str, bytes_: int) -> None:
    # 8 × 64 × 1,048,576 numbers would be the latents' size here.
    found = made(15, d_sae=65_536)
    name = "latents of 8 rows in evaluation"
    assert tensors(found.work)[name] == bytes_
    assert name in why_out_of_memory(found, message).tensor


def test_a_size_that_no_tensor_has() -> None:
    reading = why_out_of_memory(made(15), said(123 * GIB))
    assert reading.tensor == ""
    assert str(reading).startswith("It fails when the buffer is filled")
    logits = 8 * 1024 * 256_000 * 4
    assert why_out_of_memory(made(15), said(1.03 * logits)).tensor == ""
    assert "the logits" in why_out_of_memory(made(15), said(1.015 * logits)).tensor
    assert "the logits" in why_out_of_memory(made(15), said(0.985 * logits)).tensor


def test_a_message_without_an_allocation() -> None:
    with pytest.raises(CourseError, match="no allocation is named"):
        why_out_of_memory("gemma", "CUDA error: an illegal memory access", gpu="T4")


def test_a_run_that_fits_by_plan_failed_for_another_reason() -> None:
    reading = why_out_of_memory("gemma", said(8 * 1024 * 256_000 * 4), gpu="H100")
    assert reading.phase is None
    lines = str(reading).splitlines()
    assert "the logits" in lines[0]
    assert lines[1].startswith("By the plan the run fits (53.7 of 79.1 GiB). So something else is on the GPU")
    assert len(lines) == 2


def test_a_machine_without_a_limit_is_not_read() -> None:
    with pytest.raises(CourseError, match='name it, such as gpu="T4"'):
        why_out_of_memory("gemma")
