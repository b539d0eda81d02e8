"""Small trained SAEs that come with the course, for those who skip ahead: a finished run for each preset."""

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError

if TYPE_CHECKING:
    from ..runs import Run

RUNS: dict[str, dict[str, Any]] = {
    "tinystories": {"architecture": "topk"},
    "attn-only-2l-layer-0": {"layer": 0, "architecture": "topk", "k": 8},
    "attn-only-2l-layer-1": {"layer": 1, "architecture": "topk", "k": 8},
    "othello": {},
    "othello-boards": {"preset": "othello", "architecture": "standard", "b_dec_init_method": "mean"},
    "gemma": {},
    "tinystories-twin": {"preset": "tinystories", "architecture": "topk"},
    "attn-only-2l-layer-1-twin": {"preset": "attn-only-2l", "layer": 1, "architecture": "topk", "k": 8},
    "othello-boards-twin": {
        "preset": "othello",
        "architecture": "standard",
        "b_dec_init_method": "mean",
    },
}
"""By its name, what each was trained with, beyond the mini preset of the recipe "today".

Those of the attention-only model are chapter 05's, ``othello-boards`` is chapter 06's. A name that ends in
``-twin`` is the same SAE trained on the model's random-weights twin: a baseline of `evals.report`."""
TWIN = "-twin"
WEIGHTS = "sae_weights.safetensors"


def shipped_names() -> list[str]:
    """The SAEs that there are, as `shipped_run` takes them."""
    return list(RUNS)


def shipped_run(name: str) -> "Run":
    """The finished run of a mini preset: its record, and the trained SAE (``.sae()``).

    The weights are rounded to float16; ``run.notes["shipped"]`` says what that costs, what the SAE was
    measured to do on held-out tokens, and the command that trained it.

    Args:
        name: one of `shipped_names`.

    Raises:
        CourseError: for a name that there isn't, and for weights that were changed.
    """
    from ..runs import Run  # noqa: PLC0415 - pandas

    if name not in RUNS:
        raise CourseError(f'There is no shipped SAE "{name}": there are {", ".join(RUNS)}.')
    run = Run.load(place(name))
    weights = place(name) / "sae" / WEIGHTS
    if hashlib.sha256(weights.read_bytes()).hexdigest() != run.notes["shipped"]["sha256"]:
        raise CourseError(
            f"The shipped SAE {name} was changed (its checksum doesn't fit): install the course again, or "
            f"train it anew with {run.notes['shipped']['command']}."
        )
    return run


def place(name: str) -> Path:
    """The folder of a shipped run."""
    return Path(str(resources.files(__package__))) / "shipped_runs" / name
