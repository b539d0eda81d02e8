"""Record chapter 01's comparison at both scales, with the chapter's own code.

``python -m sae_course.notebooks.record_toy`` takes about 20 minutes on one core. It goes on where it was
stopped, run by run, and writes ``utils/sae_course/training/recorded/toy.json`` at the end.
"""

import dataclasses
import hashlib
import platform
from pathlib import Path
from typing import Any

from ..runtime import project_root, read_json, write_json
from ..training.toy import ToyConfig, checksum, toy_config
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

    def untrained(W: Any, seed: int) -> Any:
        return chapter["new_sae"](seed)

    start, how = {
        "no cure": (untrained, {}),
        "control: random dictionary": (chapter["random_dictionary"], {}),
        "control: true dictionary": (chapter["true_dictionary"], {}),
        "random directions": (untrained, {"revive": chapter["random_revival"](0)}),
        "directions by squared loss": (untrained, {"revive": chapter["revival_by_loss"](0)}),
        "auxiliary loss": (untrained, {"auxiliary": chapter["weighted_auxiliary"]}),
        "no cure, encoder copied": (chapter["copied_encoder"], {}),
    }[method]
    return chapter["over_seeds"](start, **how)[0]


def main() -> None:
    """Run what is missing, then write the record."""
    import torch  # noqa: PLC0415 - the room's import stays light

    torch.set_num_threads(1)
    root = project_root()
    partial = root / "build" / "record_toy.json"
    code = hashlib.sha256((root / SOURCE).read_bytes()).hexdigest()
    done: dict[str, Any] = {}
    if partial.is_file():
        done = read_json(partial)
    runs: dict[str, Any] = {}
    for scale in ("mini", "full"):
        config = toy_config(scale)
        chapter = load_chapter(config)
        methods: dict[str, list[Any]] = {}
        for method in METHODS:
            for seed in SEEDS:
                key = f"{scale}/{method}/{seed}/{dataclasses.astuple(config)}"
                if key not in done:
                    done[key] = run(chapter, method, seed)
                    write_json(partial, done)
                    print(key.rpartition("/")[0], done[key], flush=True)
                methods.setdefault(method, []).append(done[key])
        runs[scale] = {"config": dataclasses.asdict(config), "seeds": list(SEEDS), "methods": methods}
    provenance = {
        "script": "python -m sae_course.notebooks.record_toy",
        "source": SOURCE,
        "source_sha256": code,
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, CPU, 1 thread",
        "runs_sha256": checksum(runs),
    }
    out = Path(__file__).parents[1] / "training" / "recorded" / "toy.json"
    write_json(out, {"provenance": provenance, "runs": runs})
    print(f"written: {out.relative_to(root)}")


if __name__ == "__main__":
    main()
