"""A training checkpoint: one safetensors file that replaces the last one whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..runtime import CourseError
from ..runtime.writing import write_tensors

FORMAT = 1
FILE = "checkpoint.safetensors"


def save(folder: Path, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Write the checkpoint of ``folder`` in the place of the one before.

    Raises:
        CourseError: when it can't be written; the one before is then still there.
    """
    contents = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {"format": str(FORMAT), "numbers": json.dumps(numbers), "sha256": _digest(contents)}
    write_tensors(folder / FILE, contents, metadata)


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The checkpoint in ``folder``, or None where there is none.

    Raises:
        CourseError: when it is cut off, changed, or of a later version of the course.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copied: the tensors lie in the mapped file, which Windows would not let be replaced.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        version, numbers = int(metadata["format"]), json.loads(metadata["numbers"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CourseError(f"{path} can't be read as a checkpoint ({error}). {_anew(folder)}") from error
    if version > FORMAT:
        raise CourseError(
            f"{path} was written by a later version of the course (format {version}, this one reads "
            f"{FORMAT}): update sae-course. {_anew(folder)}"
        )
    if _digest(tensors) != metadata.get("sha256"):
        raise CourseError(f"{path} was changed after it was written: its checksum differs. {_anew(folder)}")
    return tensors, numbers


def remove(folder: Path) -> None:
    """Delete the checkpoint of a finished run."""
    (folder / FILE).unlink(missing_ok=True)


def _anew(folder: Path) -> str:
    return f"Delete {folder} to train anew."


def _digest(tensors: dict[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(name.encode())
        whole.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
