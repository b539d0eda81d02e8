"""What the mini presets reach, measured: every architecture on every model, three seeds.

``python -m sae_course.training.record_presets`` takes about an hour on two cores. It goes on where it was
stopped, and writes ``recorded/presets.json`` at the end; docs/presets.md shows it. With names, only those are
trained, and the record keeps what it has of the others.
"""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..runs import Run
from ..runtime import home, project_root, write_json
from . import recorded_file
from .architectures import CONFIGS
from .preset_values import PRESETS
from .recorded_file import checksum

SEEDS = (0, 1, 2)
FILE = "presets.json"
ELSEWHERE = {"othello-resid": "residual stream"}
"""Presets whose figures are in chapter 06's record, by the name of their hook point there."""
PIECE = 40
"""Steps whose explained variance is recorded too, so that a test can make a piece of a run again."""
RECORDED = tuple(name for name in PRESETS if name not in ELSEWHERE)
METRICS = {
    "loss recovered": "model_performance_preservation.ce_loss_score",
    "L0": "sparsity.l0",
    "explained variance": "reconstruction_quality.explained_variance",
    "dead": "sparsity/dead_features",
}

_FORMS = {
    "loss recovered": (100, "{:.1f}"),
    "L0": (1, "{:.1f}"),
    "explained variance": (1, "{:.3f}"),
    "dead": (100, "{:.0f}"),
}


def config(name: str, architecture: str, seed: int) -> Any:
    """A mini preset on the CPU, so that a record can be reproduced anywhere."""
    from .presets import preset  # noqa: PLC0415 - SAELens, seconds
    from .settings import change  # noqa: PLC0415

    recipe = "seed" if architecture == "gated" else "today"
    cfg = preset(name, "mini", recipe, architecture=architecture, seed=seed)
    return change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")


def settings() -> dict[str, dict[str, Any]]:
    """What the runs are trained with, by preset and architecture; without SAELens' version."""
    from .settings import as_dict  # noqa: PLC0415

    found: dict[str, dict[str, Any]] = {}
    for name in RECORDED:
        found[name] = {}
        for architecture in CONFIGS:
            whole = as_dict(config(name, architecture, 0))
            whole["sae"].pop("metadata", None)
            found[name][architecture] = {
                key: value for key, value in whole.items() if not key.startswith("sae_lens")
            }
    return found


def measured(run: Run) -> dict[str, float]:
    """A finished run's figures: at the end of the training, on the SAE as it was saved."""
    found = {label: run.final[name] for label, name in METRICS.items()}
    found["dead"] /= run.config["sae"]["d_sae"]
    piece = run.metrics["metrics/explained_variance"].dropna()
    found[f"explained variance after {PIECE} steps"] = float(piece.loc[PIECE - 1])
    return {label: round(value, 5) for label, value in found.items()}


def record(*names: str) -> None:
    """Train them all, or those named, and write the record."""
    from .runner import train_many  # noqa: PLC0415

    results: dict[str, Any] = dict(recorded()) if names else {}
    for name in names or RECORDED:
        results[name] = {architecture: [] for architecture in CONFIGS}
        for seed in SEEDS:
            cfgs = {architecture: config(name, architecture, seed) for architecture in CONFIGS}
            folder = home() / "record-presets" / f"{name}-{seed}"
            for architecture, run in train_many(cfgs, folder=folder).items():
                results[name][architecture].append(measured(run))
    results = {name: results[name] for name in RECORDED}
    provenance = {
        "command": f"python -m {__spec__.name}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {package: version(package) for package in ("sae-lens", "transformer-lens", "torch")},
        "sha256": checksum(results),
        "settings_sha256": checksum(settings()),
    }
    path = Path(__file__).parent / "recorded" / FILE
    write_json(path, {"provenance": provenance, "seeds": list(SEEDS), "results": results})
    print(f"Written to {path.relative_to(project_root())}.")


def recorded() -> dict[str, dict[str, list[dict[str, float]]]]:
    """By preset and architecture: `measured` of each seed.

    Raises:
        CourseError: when the file was changed after it was recorded.
    """
    results: dict[str, dict[str, list[dict[str, float]]]] = recorded_file.untouched(FILE, read(), "results")
    return results


def read() -> dict[str, Any]:
    """The whole file."""
    return recorded_file.read(FILE)


def _runs(name: str) -> dict[str, list[dict[str, float]]]:
    if name not in ELSEWHERE:
        return recorded()[name]
    from .othello import recorded_othello  # noqa: PLC0415 - pandas

    rows = recorded_othello("architectures")
    rows = rows[rows["hook"] == ELSEWHERE[name]]
    return {str(key): group.to_dict("records") for key, group in rows.groupby("architecture", sort=False)}


def table(name: str) -> str:
    """A preset's results as a Markdown table: mean and standard deviation over the seeds."""
    lines = ["| architecture | loss recovered | L0 | explained variance | dead |", "|---|---|---|---|---|"]
    for architecture, runs in _runs(name).items():
        cells = []
        for label in METRICS:
            values = [run[label] for run in runs]
            scale, form = _FORMS[label]
            shown = " ± ".join(form.format(scale * value) for value in (mean(values), stdev(values)))
            cells.append(shown + (" %" if scale == 100 else ""))
        lines.append(f"| {architecture} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    record(*sys.argv[1:])
