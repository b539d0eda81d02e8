"""Train a mini model: checkpoint, resume, and a loss curve that goes on its card."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..runtime import CourseError, write_atomic
from ..runtime.streams import stream_seed
from .batches import Batches
from .plain import untrained
from .specs import ModelSpec, TrainingSpec


class Progress(NamedTuple):
    """One line of the curve."""

    step: int
    loss: float  # nats per token, averaged since the line before
    held_out: float | None  # the same on held-out sequences, where it was measured


class Trained(NamedTuple):
    """What training leaves behind."""

    state: dict[str, Tensor]
    curve: list[Progress]
    seconds: float  # over all sessions
    tokens: int


def learning_rate(step: int, spec: TrainingSpec) -> float:
    """Warm up linearly, stay, and decay linearly to zero over the last ``spec.decay`` of the steps."""
    left = (spec.steps - step) / max(spec.decay * spec.steps, 1)
    return spec.lr * min((step + 1) / max(spec.warm_up, 1), left, 1.0)


def optimizers(model: nn.Module, spec: TrainingSpec) -> list[torch.optim.Optimizer]:
    """Muon for the matrices that the residual stream passes through, AdamW for everything else."""
    if not hasattr(torch.optim, "Muon"):
        raise CourseError(
            f"Training a mini model needs torch 2.9 or later (it has Muon); this is {torch.__version__}. "
            "Everything else in the course works with it."
        )
    inner: list[nn.Parameter] = []
    outer: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        edge = any(part in name for part in ("embed", "positions", "lm_head"))
        (inner if parameter.ndim == 2 and not edge else outer).append(parameter)
    return [
        torch.optim.Muon(inner, lr=spec.lr, weight_decay=spec.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=spec.lr, weight_decay=spec.weight_decay, betas=(0.9, 0.98)),
    ]


def train(
    spec: ModelSpec,
    batches: Batches,
    folder: Path,
    *,
    held_out: Batches | None = None,
    device: str = "cpu",
    on_progress: Callable[[int, Progress | None], None] = lambda step, line: None,
    checkpoint_every: float = 120.0,
    report_every: int = 50,
) -> Trained:
    """Train ``spec`` from its seed, or go on from the checkpoint in ``folder``.

    Batch i is a function of i and the checkpoint holds everything else, so that on a CPU with as many threads
    a run that was stopped ends with the weights of one that was not, bit for bit.

    Args:
        batches: what to read at each step.
        folder: where the checkpoint is; one of another spec in it is refused.
        held_out: sequences for the curve's second line; their first batch is used.
        on_progress: called after each step, with a line of the curve where one was written. When it raises
            KeyboardInterrupt, a checkpoint is saved first.
        checkpoint_every: seconds between checkpoints.
        report_every: steps between lines of the curve; every tenth has the held-out loss.

    Raises:
        CourseError: when the folder can't be written, or holds another model's checkpoint or a damaged one.
    """
    # The steps and the decay may change while the rate is still constant: the rest must be the same.
    model = untrained(spec, stream_seed("model", spec.training.seed)).to(device)
    using = optimizers(model, spec.training)
    memory = _Memory(model, using)
    path = folder / "checkpoint.safetensors"
    step, curve, seconds, running = 0, [], 0.0, []
    if path.exists():
        found = memory.load(path, spec)
        step, seconds, running = found["step"], found["seconds"], found["running"]
        curve = [Progress(*line) for line in found["curve"]]

    started = saved = time.monotonic()

    def save_checkpoint() -> None:
        spent = seconds + time.monotonic() - started
        memory.save(path, spec, {"step": step, "seconds": spent, "running": running, "curve": curve})

    model.train()
    while step < spec.training.steps:
        running.append(
            _step(model, using, batches(step).to(device), learning_rate(step, spec.training), spec)
        )
        step += 1
        line = None
        if step % report_every == 0 or step == spec.training.steps:
            wanted = held_out and (step % (10 * report_every) == 0 or step == spec.training.steps)
            line = Progress(
                step,
                sum(running) / len(running),
                evaluate(model, held_out, device) if wanted and held_out else None,
            )
            curve.append(line)
            running = []
        try:
            on_progress(step, line)
        except KeyboardInterrupt:
            save_checkpoint()
            raise
        if time.monotonic() - saved > checkpoint_every:
            save_checkpoint()
            saved = time.monotonic()
    save_checkpoint()
    tokens = spec.training.steps * batches(0).tokens.numel()
    return Trained(
        {name: value.detach().cpu() for name, value in model.state_dict().items()},
        curve,
        seconds + time.monotonic() - started,
        tokens,
    )


def _autocast(device: str) -> torch.autocast:
    return torch.autocast(torch.device(device).type, torch.bfloat16)


def _step(
    model: nn.Module, using: list[torch.optim.Optimizer], batch: Any, rate: float, spec: ModelSpec
) -> float:
    with _autocast(str(batch.tokens.device)):
        logits = model(batch.tokens)
    loss = batch.loss(logits)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), spec.training.clip)
    for optimizer in using:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


@torch.no_grad()
def evaluate(model: nn.Module, batches: Batches, device: str = "cpu") -> float:
    """Cross-entropy in nats per token on the first held-out batch."""
    batch = batches(0).to(device)
    with _autocast(device):
        logits = model(batch.tokens)
    return batch.loss(logits).item()


class _Memory:
    """A checkpoint: weights, optimiser states and the curve in one safetensors file; no pickle."""

    def __init__(self, model: nn.Module, using: list[torch.optim.Optimizer]) -> None:
        self.model, self.using = model, using

    def _optimizer_tensors(self) -> Iterator[tuple[str, Tensor]]:
        for which, optimizer in enumerate(self.using):
            for number, state in optimizer.state_dict()["state"].items():
                for key, value in state.items():
                    yield f"optimizer.{which}.{number}.{key}", value

    def save(self, path: Path, spec: ModelSpec, progress: dict[str, Any]) -> None:
        weights = {f"model.{name}": value for name, value in self.model.named_parameters()}
        tensors = weights | dict(self._optimizer_tensors())
        metadata = {"spec": json.dumps(asdict(spec)), "progress": json.dumps(progress)}
        contents = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        write_atomic(path, save(contents, metadata))

    def load(self, path: Path, spec: ModelSpec) -> dict[str, Any]:
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                # Copied: the tensors lie in the mapped file, which Windows would not let be replaced.
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            found, progress = json.loads(metadata["spec"]), json.loads(metadata["progress"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise CourseError(
                f"{path} can't be read as a checkpoint ({error}). Delete it to begin anew."
            ) from error
        _refuse_another(found, asdict(spec), progress["step"], path)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        for which, optimizer in enumerate(self.using):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith(f"optimizer.{which}."):
                    _, _, number, key = name.split(".")
                    state.setdefault(int(number), {})[key] = value
            whole = optimizer.state_dict()
            whole["state"] = state
            optimizer.load_state_dict(whole)
        return progress


def _refuse_another(found: dict[str, Any], wanted: dict[str, Any], step: int, path: Path) -> None:
    """A checkpoint may be continued to another number of steps while its learning rate was still constant."""

    def without_end(spec: dict[str, Any]) -> dict[str, Any]:
        training = {k: v for k, v in spec["training"].items() if k not in ("steps", "decay")}
        return spec | {"training": training}

    def constant_until(spec: dict[str, Any]) -> float:
        return spec["training"]["steps"] * (1 - spec["training"]["decay"])

    same = found == wanted
    longer = without_end(found) == without_end(wanted) and step <= min(
        constant_until(found), constant_until(wanted)
    )
    if not (same or longer):
        raise CourseError(
            f"{path} is the checkpoint of a model with other settings. Delete it to begin anew, or name "
            "another model."
        )
