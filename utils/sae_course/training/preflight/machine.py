"""Checks of the buffer and of the machine: memory, devices, files."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.memory import cgroup_room
from .amounts import buffer_tokens, row_tokens
from .findings import Finding

if TYPE_CHECKING:
    from .amounts import Config

GIB = 2**30
BARELY = 1.5
"""A buffer of fewer model batches than this is filled by one forward pass, or two."""
BUFFERS = 3
"""Buffers in memory at once."""
STEP_TENSORS = 4
"""Tensors of [batch, d_sae] alive in a training step: pre-activations, activations, and their gradients."""


def row_slice(cfg: "Config") -> Iterator[Finding]:
    if row_tokens(cfg) == 0:
        yield Finding(
            "seqpos-slice",
            "stops",
            f"seqpos_slice = {cfg.seqpos_slice} leaves nothing of a context of {cfg.context_size}.",
            "There is no activation to train on.",
            "seqpos_slice = (None,), or a longer context_size.",
        )


def buffer_size(cfg: "Config") -> Iterator[Finding]:
    held, batch, row = buffer_tokens(cfg), cfg.train_batch_size_tokens, row_tokens(cfg)
    if not row:
        return
    rows = f"n_batches_in_buffer = {cfg.n_batches_in_buffer} rows of {row} tokens"
    if held < batch:
        yield Finding(
            "buffer-too-small",
            "stops",
            f"The buffer holds {held:,} tokens ({rows}) and a batch is {batch:,}.",
            "SAELens refuses at the first step, after model and data were loaded.",
            f"n_batches_in_buffer = {max(-(-4 * batch // row), 4 * cfg.store_batch_size_prompts)}.",
        )
    elif (
        cfg.activations_mixing_fraction <= 0
        or cfg.n_batches_in_buffer < BARELY * cfg.store_batch_size_prompts
    ):
        unmixed = cfg.activations_mixing_fraction <= 0
        yield Finding(
            "buffer-unmixed",
            "notice",
            "activations_mixing_fraction = 0: activations are served in the order of the text."
            if unmixed
            else f"The buffer holds {cfg.n_batches_in_buffer} rows and the model reads "
            f"{cfg.store_batch_size_prompts} at once (store_batch_size_prompts).",
            "A batch then comes from a few texts, and its gradient is theirs.",
            "activations_mixing_fraction = 0.5."
            if unmixed
            else f"n_batches_in_buffer = {max(4 * cfg.store_batch_size_prompts, cfg.n_batches_in_buffer)}.",
        )
    if not 0 <= cfg.activations_mixing_fraction <= 1:
        yield Finding(
            "mixing-fraction",
            "stops",
            f"activations_mixing_fraction = {cfg.activations_mixing_fraction} is not between 0 and 1.",
            "SAELens refuses at the first step, after model and data were loaded.",
            "activations_mixing_fraction = 0.5.",
        )


def needed_memory(cfg: "Config") -> dict[str, tuple[int, int]]:
    """Bytes that a run takes beside the model: device -> (buffer, SAE with Adam and a step's activations).

    The buffer counts three times, as measured on SAELens' (3.05 times): the old one, the new one and a
    shuffled copy are there when it is refilled. SAELens holds it in float32 whatever the dtype.
    """
    d_in, d_sae, batch = cfg.sae.d_in, cfg.sae.d_sae, cfg.train_batch_size_tokens
    model_batch = cfg.store_batch_size_prompts * row_tokens(cfg)
    buffer = BUFFERS * 4 * d_in * (max(buffer_tokens(cfg), model_batch) + model_batch)
    size = 2 if str(cfg.sae.dtype).endswith("16") else 8 if str(cfg.sae.dtype).endswith("64") else 4
    sae = 4 * size * (2 * d_in * d_sae + d_in + d_sae) + STEP_TENSORS * size * batch * d_sae
    needs = {str(cfg.act_store_device): (buffer, 0)}
    before = needs.get(str(cfg.device), (0, 0))
    needs[str(cfg.device)] = (before[0], sae)
    return needs


def free_memory(device: str) -> int | None:
    """Bytes that can still be had on ``device``; None where nobody says."""
    if device.startswith("cuda"):
        import torch  # noqa: PLC0415 - a second

        return torch.cuda.mem_get_info(torch.device(device))[0] if torch.cuda.is_available() else None
    if device != "cpu":
        return None
    import psutil  # noqa: PLC0415 - only here

    room = cgroup_room()
    available = psutil.virtual_memory().available
    return available if room is None else min(available, room)


def devices(cfg: "Config") -> Iterator[Finding]:
    import torch  # noqa: PLC0415 - a second

    for name in ("device", "llm_device", "act_store_device"):
        wanted = str(getattr(cfg, name))
        try:
            torch.empty(1, device=wanted)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            said = (str(error).strip().splitlines() or [""])[0]
            yield Finding(
                "device-missing",
                "stops",
                f'{name} = "{wanted}" can\'t be used here ({said[:120]}).',
                "Nothing can be computed on it.",
                'device = "cpu"; llm_device and act_store_device follow it.',
            )
            return


def memory(cfg: "Config") -> Iterator[Finding]:
    for device, (buffer, sae) in needed_memory(cfg).items():
        free = free_memory(device)
        if free is None or buffer + sae <= free:
            continue
        if buffer > sae:
            change = f"n_batches_in_buffer = {max(1, cfg.n_batches_in_buffer * free // (2 * buffer))}"
            change += "." if device == "cpu" else ', or act_store_device = "cpu".'
        else:
            smaller = max(cfg.sae.d_in, cfg.sae.d_sae * free // (2 * sae))
            change = f"sae.d_sae = {smaller}, a smaller train_batch_size_tokens, or a larger machine."
        yield Finding(
            "memory",
            "stops",
            f"The run takes about {(buffer + sae) / GIB:.1f} GiB on {device} beside the model "
            f"({buffer / GIB:.1f} for the activation buffer, {sae / GIB:.1f} for SAE, Adam and a step), and "
            f"{free / GIB:.1f} GiB are free.",
            "The process is killed when the buffer is filled or at the first step, without a message on many "
            "machines.",
            change,
        )


def places(cfg: "Config") -> Iterator[Finding]:
    for name in ("output_path", "checkpoint_path"):
        value = getattr(cfg, name)
        if value is not None and (problem := _not_writable(Path(value))):
            yield Finding(
                "output-unwritable",
                "stops",
                f'{name} = "{value}": {problem}.',
                "SAELens writes there only when it has trained: the run would be lost.",
                f"{name} = None, or a folder of your own.",
            )
    wanted = [name for name in ("from_pretrained_path", "resume_from_checkpoint") if getattr(cfg, name)]
    if cfg.use_cached_activations:
        wanted.append("cached_activations_path")
    for name in wanted:
        value = getattr(cfg, name)
        if not Path(str(value)).exists():
            yield Finding(
                "path-missing",
                "stops",
                f'{name} = "{value}" doesn\'t exist.',
                "SAELens looks for it only after the model was loaded.",
                "use_cached_activations = False."
                if name == "cached_activations_path"
                else f"{name} = None, or the folder's real path.",
            )


def _not_writable(path: Path) -> str:
    """Why nothing can be written under ``path``, which need not exist yet; empty when it can."""
    while not path.exists() and path != path.parent:
        path = path.parent
    if not path.is_dir():
        return f"{path} is a file"
    return "" if os.access(path, os.W_OK | os.X_OK) else f"{path} is read-only"


CHECKS = (row_slice, buffer_size, places)
HERE = (devices, memory)
"""Of this machine, which a run that is only planned will not use."""
