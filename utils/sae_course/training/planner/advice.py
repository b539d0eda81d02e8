"""What to change in a run that doesn't fit: what costs nothing first, the SAE itself last."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .machines import Machine
from .memory import PHASES, parts, peak, sum_of
from .workload import CPU, GPU, SECOND, Workload, changed


@dataclass(frozen=True)
class Change:
    """One setting with another value."""

    setting: str
    """As it is written in SAELens' configuration."""
    value: Any
    saves: int
    """Bytes of the peak, after the changes before it; 0 where it helps a phase that a larger one hides."""
    costs: str
    """What is lost by it."""

    def __str__(self) -> str:
        return f"{self.setting} = {self.value!r}"


def advice(work: Workload, machine: Machine) -> tuple[list[Change], Workload]:
    """Changes after which the run fits, and that run; it may not fit even then.

    They are tried in this order, and kept where the peak needs them: evaluation's rows; the buffer in the
    computer's memory; fewer rows in the model at once; the model in bfloat16, then on a second GPU;
    a smaller batch; a narrower SAE.
    """
    if machine.memory is None or fits(work, machine):
        return [], work
    made: list[tuple[str, Any, str]] = []
    now = work
    for setting, value, costs in _candidates(work):
        if fits(now, machine):
            break
        new = _with(now, setting, value)
        if _excess(new, machine) < _excess(now, machine):
            made = [one for one in made if one[0] != setting] + [(setting, value, costs)]
            now = new
    made = _needed(work, made, machine)
    changes, at = [], work
    for setting, value, costs in made:
        new = _with(at, setting, value)
        changes.append(Change(setting, value, _peak(at) - _peak(new), costs))
        at = new
    return changes, at


def fits(work: Workload, machine: Machine) -> bool:
    """Whether the peak of every GPU is below what it has."""
    found = parts(work)
    return machine.memory is None or all(peak(found, device) <= machine.memory for device in (GPU, SECOND))


def _peak(work: Workload) -> int:
    """Of the GPU on which most lies."""
    found = parts(work)
    return max(peak(found, device) for device in (GPU, SECOND))


def _excess(work: Workload, machine: Machine) -> int:
    """Bytes that are too many, over all phases: one that a larger one hides must fit, too."""
    found, there = parts(work), machine.memory or 0
    return sum(max(0, sum_of(found, device, phase) - there) for device in (GPU, SECOND) for phase in PHASES)


def _candidates(work: Workload) -> Iterator[tuple[str, Any, str]]:
    for rows in _halves(work.eval_batch_size_prompts):
        yield (
            "eval_batch_size_prompts",
            rows,
            "nothing but time in evaluations: n_eval_batches gives the tokens back",
        )
    if work.act_store_device != CPU:
        yield (
            "act_store_device",
            "cpu",
            "a copy of each batch to the GPU; the computer's memory holds the buffer",
        )
    for rows in _halves(work.store_batch_size_prompts):
        yield "store_batch_size_prompts", rows, "a little speed: the model reads fewer rows at once"
    if work.model_bytes > 2:
        yield (
            "model_from_pretrained_kwargs",
            {"dtype": "bfloat16"},
            "activations with 8 bits of precision, as large models are trained anyway",
        )
    if work.llm_device == GPU:
        yield "llm_device", "cuda:1", "a second GPU"
    for size in _halves(work.train_batch_size_tokens):
        if size >= 512:
            yield "train_batch_size_tokens", size, "another training: noisier steps, and more of them"
    for width in _halves(work.d_sae):
        if width >= work.d_in:
            yield "d_sae", width, "another SAE: fewer latents"


def _halves(value: int) -> Iterator[int]:
    while value > 1:
        value //= 2
        yield value


def _with(work: Workload, setting: str, value: Any) -> Workload:
    return changed(work, {setting: value})


def _needed(work: Workload, made: list[tuple[str, Any, str]], machine: Machine) -> list[tuple[str, Any, str]]:
    """Without those that turned out not to be needed, the costliest tried first."""
    for one in reversed(made.copy()):
        rest = [other for other in made if other is not one]
        now = work
        for setting, value, _ in rest:
            now = _with(now, setting, value)
        if fits(now, machine):
            made = rest
    return made
