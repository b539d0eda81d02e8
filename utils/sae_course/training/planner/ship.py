"""Record what the course ships: this machine's calibration, and the plan against the code at full size.

``python -m sae_course.training.planner.ship`` takes about a quarter of an hour on two cores, and goes on
where it was stopped (``build/calibration``). It writes ``recorded/calibration.json``; then docs/planner.md is
to be made anew (``python -m sae_course.training.planner.page``).
"""

from pathlib import Path
from typing import Any

from ...runtime import project_root, write_json
from ..recorded_file import checksum
from .calibrate import calibrate
from .calibration import FILE
from .memory import evaluation_bytes, forward_bytes, loss_bytes, step_bytes
from .workload import Workload

CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("gemma", "batchtopk", {}),
    ("gemma", "batchtopk", {"eval_batch_size_prompts": 8}),
    ("gemma", "batchtopk", {"model_dtype": "bfloat16"}),
    ("gemma", "batchtopk", {"store_batch_size_prompts": 2, "context_size": 512}),
    ("gemma", "standard", {}),
    ("gemma", "topk", {}),
    ("gemma", "gated", {}),
    ("gemma", "jumprelu", {"d_sae": 65_536}),
    ("gemma", "matryoshka_batchtopk", {}),
    ("tinystories", "batchtopk", {}),
    ("tinystories", "standard", {}),
    ("attn-only-2l", "batchtopk", {}),
    ("othello-resid", "gated", {}),
)
"""Preset at full scale, architecture, and what else is changed."""


def trace(preset_name: str, architecture: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Planned and traced bytes of a run on a GPU, by phase."""
    from ..presets import preset  # noqa: PLC0415 - SAELens, seconds
    from ..settings import change  # noqa: PLC0415
    from .traced import traced  # noqa: PLC0415
    from .workload import changed, of_config  # noqa: PLC0415

    cfg = preset(preset_name, "full", "today", architecture=architecture)
    if "d_sae" in changes:
        cfg = change(cfg, d_sae=changes["d_sae"])
    work = changed(of_config(cfg, on_gpu=True), changes)
    words = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in changes.items()
    )
    return {
        "run": ", ".join(part for part in (f"{preset_name} {architecture}", words) if part),
        "planned": planned(work),
        "traced": traced(work, cfg.sae),
    }


def planned(work: Workload) -> dict[str, int | None]:
    """The plan's bytes for what `traced` traces; None where it doesn't trace what decides."""
    gradients = 4 * work.sae_parameters
    loss = loss_bytes(work)
    return {
        "fill": forward_bytes(work),
        "step": step_bytes(work) + gradients,
        "evaluation": loss if loss == evaluation_bytes(work) else None,
    }


def main() -> None:
    """Measure, trace, write."""
    folder = project_root() / "build" / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    traces = [trace(*case) for case in CASES]
    found = calibrate(folder=folder)
    path = Path(__file__).parents[1] / "recorded" / FILE
    provenance = {
        "command": f"python -m {__spec__.name}",
        "sha256": checksum(found),
        "traced_sha256": checksum(traces),
    }
    write_json(path, {"provenance": provenance, "measured": found, "traced": traces})
    print(f"Written to {path.relative_to(project_root())}.")


if __name__ == "__main__":
    main()
