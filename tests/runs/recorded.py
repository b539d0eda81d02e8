"""Small made-up runs."""

from pathlib import Path
from typing import Any

from sae_course.runs import Recorder

DENSITY = "plots/feature_density_line_chart"


def config(k: int = 16, seed: int = 0, **settings: Any) -> dict[str, Any]:
    return {
        "model_name": "tiny-stories-1L-21M",
        "hook_name": "blocks.0.hook_mlp_out",
        "lr": 3e-4,
        "seed": seed,
        "sae": {"architecture": "topk", "d_in": 128, "d_sae": 1024, "k": k},
        "logger": {"run_name": f"run {k} {seed}"},
        **settings,
    }


def record(
    folder: Path,
    *,
    name: str | None = None,
    k: int = 16,
    seed: int = 0,
    steps: int = 50,
    histograms: bool = True,
    finish: bool = True,
) -> Recorder:
    """A run logged every tenth step, with an evaluation and a histogram at every fiftieth."""
    recorder = Recorder.create(
        folder, name=name or folder.name, config=config(k, seed), notes={"device": "cpu"}
    )
    for step in range(9, steps, 10):
        recorder.log(step, {"metrics/l0": k + 100 / (step + 1) + seed, "sparsity/dead_features": step % 3})
        if step % 50 == 49:
            recorder.log(step, {"model_performance_preservation": {"ce_loss_score": 0.9}})
        if histograms and step % 20 == 9:
            recorder.histogram(step, DENSITY, [1, step, 0], [-10, -6, -3, 0])
    if finish:
        recorder.finish({"tokens": 1024 * steps}, seconds=12.5)
    return recorder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
