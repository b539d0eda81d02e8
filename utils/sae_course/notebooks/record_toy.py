"""Record chapter 01's comparison at both scales, with the chapter's own code.

``python -m sae_course.notebooks.record_toy`` takes about 20 minutes on one core. It goes on where it
was stopped, run by run, and writes ``utils/sae_course/training/recorded/toy.json`` at the end.
"""

import dataclasses
import hashlib
import itertools
import os
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..runtime import project_root, read_json, write_json
from ..training.recorded_file import checksum
from ..training.toy import ToyConfig, toy_config
from .definitions import definitions

SEEDS = (0, 1, 2)
SOURCE = "solutions/01_toy_superposition.py"
METHODS = (
    "no cure",
    "control: random dictionary",
    "control: true dictionary",
    "random directions",
    "directions by squared loss",
    "auxiliary loss",
    "no cure, encoder copied",
)


def load_chapter(config: ToyConfig) -> dict[str, Any]:
    """The solution's functions at these settings, on the CPU, so that a record can be reproduced anywhere."""
    chapter = definitions(project_root() / SOURCE, config=config, device="cpu")
    chapter["tqdm"] = lambda steps, **_: steps
    return chapter


def run(chapter: dict[str, Any], method: str, seed: int) -> dict[str, float]:
    """Train and measure one method on one seed, as the chapter's cells do."""
    chapter["toy_models"] = {seed: chapter["train_toy_model"](chapter["config"].feature_probability, seed)}

    start, how = {
        "no cure": ("untrained", {}),
        "control: random dictionary": ("random_dictionary", {}),
        "control: true dictionary": ("true_dictionary", {}),
        "random directions": ("untrained", {"revival": chapter["random_revival"]}),
        "directions by squared loss": ("untrained", {"revival": chapter["revival_by_loss"]}),
        "auxiliary loss": ("untrained", {"auxiliary": chapter["weighted_auxiliary"]}),
        "no cure, encoder copied": ("copied_encoder", {}),
    }[method]
    return chapter["over_seeds"](chapter[start], **how)[0]


def _run(scale: str, method: str, seed: int) -> dict[str, float]:
    """One run in a process of its own, on one thread: that is fastest, and rounds the same everywhere."""
    import torch  # noqa: PLC0415 - the room's import stays light

    torch.set_num_threads(1)
    return run(load_chapter(toy_config(scale)), method, seed)


def main() -> None:
    """Run what is missing, a process per core, then write the record."""
    import torch  # noqa: PLC0415

    root = project_root()
    partial = root / "build" / "record_toy.json"
    code = hashlib.sha256((root / SOURCE).read_bytes()).hexdigest()
    done: dict[str, Any] = read_json(partial) if partial.is_file() else {}

    def key(scale: str, method: str, seed: int) -> str:
        """What a run depends on: the chapter's source and the settings too."""
        return f"{scale}/{method}/{seed}/{code[:16]}/{dataclasses.astuple(toy_config(scale))}"

    wanted = list(itertools.product(("mini", "full"), METHODS, SEEDS))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_run, *which): which for which in wanted if key(*which) not in done}
        for future in as_completed(running):
            which = running[future]
            done[key(*which)] = future.result()
            write_json(partial, done)
            print(*which, done[key(*which)], flush=True)

    runs: dict[str, Any] = {}
    for scale in ("mini", "full"):
        methods = {method: [done[key(scale, method, seed)] for seed in SEEDS] for method in METHODS}
        config = dataclasses.asdict(toy_config(scale))
        runs[scale] = {"config": config, "seeds": list(SEEDS), "methods": methods}
    provenance = {
        "script": "python -m sae_course.notebooks.record_toy",
        "source": SOURCE,
        "source_sha256": code,
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, CPU, 1 thread a run",
        "runs_sha256": checksum(runs),
    }
    out = Path(__file__).parents[1] / "training" / "recorded" / "toy.json"
    write_json(out, {"provenance": provenance, "runs": runs})
    print(f"written: {out.relative_to(root)}")


if __name__ == "__main__":
    main()
