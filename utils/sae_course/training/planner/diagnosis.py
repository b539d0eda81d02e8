"""Why was I out of memory? The phase that a run fails in, and the tensor that a message is about."""

import re
from dataclasses import dataclass

from ...runtime import CourseError
from .machines import GIB
from .memory import FLOAT, PHASES, logits_bytes, sum_of
from .plan import Plan
from .workload import Workload

NEAR = 0.02
"""A size names a tensor when it is within this share of the tensor's."""
_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_WHEN = {
    "loading": "while the model is loaded",
    "filling": "when the buffer is filled: the first time before the first step, and again beside the old "
    "one",
    "step": "in the first step",
    "evaluation": "at the first evaluation",
}


@dataclass(frozen=True)
class Reading:
    """Where a run runs out of memory, and why. Shows itself as text."""

    plan: Plan
    phase: str | None
    """The first, in the order of a training, that needs more than there is; None where all fit."""
    tensor: str
    """What the message's allocation was, by its size; empty where it matches nothing, or there was none."""

    def __str__(self) -> str:
        plan, lines = self.plan, []
        if self.tensor:
            lines.append(f"The allocation that failed has the size of {self.tensor}.")
        if self.phase is None:
            lines.append(
                f"By the plan the run fits ({plan.peak / GIB:.1f} of {(plan.machine.memory or 0) / GIB:.1f} "
                "GiB). So something else is on the GPU (a notebook's earlier model? restart it; nvidia-smi "
                "shows who has what), or memory is in pieces: "
                "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True."
            )
            return "\n".join(lines)
        need = sum_of(list(plan.parts), plan.fullest, self.phase)
        lines.append(
            f"It fails {_WHEN[self.phase]}: {need / GIB:.1f} GiB are needed and {plan.machine.what} has "
            f"{(plan.machine.memory or 0) / GIB:.1f}."
        )
        largest = sorted(
            ((row.get(self.phase, 0), name) for name, row in plan.bytes_by_phase().items()), reverse=True
        )
        lines.append(
            "Largest there: " + ", ".join(f"{name} {size / GIB:.1f} GiB" for size, name in largest[:4]) + "."
        )
        lines += plan._verdict()[1:]
        return "\n".join(lines)


def diagnose(plan: Plan, message: str = "") -> Reading:
    """Read a run that went out of memory, with or without the message that PyTorch gave.

    Raises:
        CourseError: for a message in which no allocation is named, and for a machine without a limit.
    """
    if plan.machine.memory is None:
        raise CourseError('Out of memory is read for a GPU: name it, such as gpu="T4".')
    memory = plan.machine.memory
    phase = next((one for one in PHASES if sum_of(list(plan.parts), plan.fullest, one) > memory), None)
    tensor = ""
    if message:
        found = re.search(r"[Tt]ried to allocate ([\d.]+) ?([KMGT]iB)", message)
        if not found:
            raise CourseError(
                "In this message no allocation is named: paste the line of torch.OutOfMemoryError that says "
                '"Tried to allocate … GiB".'
            )
        size = float(found[1]) * _UNITS[found[2]]
        tensor = " or ".join(
            name for name, known in tensors(plan.work).items() if abs(size / known - 1) < NEAR
        )
    return Reading(plan, phase, tensor)


def tensors(work: Workload) -> dict[str, float]:
    """Bytes of the large single tensors of a run, by what they are."""
    shape, context = work.shape, work.context_size
    rows = {"filling": work.store_batch_size_prompts, "evaluation": work.eval_batch_size_prompts}
    found: dict[str, float] = {
        f"the logits of {work.eval_batch_size_prompts} rows (eval_batch_size_prompts)": logits_bytes(work),
        "the activation buffer (n_batches_in_buffer)": FLOAT * work.buffer_tokens * work.d_in,
        "a [batch, d_sae] tensor (train_batch_size_tokens, d_sae)": FLOAT
        * work.train_batch_size_tokens
        * work.d_sae,
        "the SAE's encoder or decoder (d_sae)": FLOAT * work.d_in * work.d_sae,
        "the model's embedding": work.model_bytes * shape.d_vocab * shape.d_model,
    }
    for phase, n in rows.items():
        setting = "store_batch_size_prompts" if phase == "filling" else "eval_batch_size_prompts"
        found[f"attention's scores in {phase} ({setting}, context_size)"] = (
            work.model_bytes * n * shape.n_heads * context**2
        )
        if shape.d_mlp:
            found[f"the MLP's hidden layer in {phase} ({setting})"] = (
                work.model_bytes * n * context * shape.d_mlp
            )
        found[f"latents of {n} rows in {phase}"] = FLOAT * n * context * work.d_sae
    return found
