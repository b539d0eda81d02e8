"""Ten trials on Ray, while workers and trials are killed: ``sweep_kills.py``. A program of test_sweeps.py.

Kills with SIGKILL, one after another and in mid-training, the Ray worker of a trial, the trial's own process,
and both. Prints as JSON what was killed, how long a trial outlived its worker, what the sweep told, which
trials are missing, and which of the killed ones' records differ from those of the same trial trained here,
never killed.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch

from sae_course.runtime import home
from sae_course.training import checkpoint, grid, sweep
from sae_course.training.runner import train

NAME = "kills"
KINDS = ("worker", "trial", "both", "worker", "both", "trial")
RECORD = ("metrics.jsonl", "histograms.jsonl", "sae/sae_weights.safetensors", "sae/sparsity.safetensors")


def trials() -> list[Any]:
    return grid(
        "tinystories",
        {"k": [4, 8]},
        seeds=range(5),
        scale="mini",
        d_sae=64,
        training_tokens=300 * 256,
        train_batch_size_tokens=256,
        context_size=32,
        n_batches_in_buffer=32,
        n_batches_for_norm_estimate=3,
        n_eval_batches=1,
        eval_batch_size_prompts=4,
        topk_threshold_lr=0.1,
    )


def running() -> Iterator[tuple[str, psutil.Process]]:
    """The trials' processes, by name."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "sae_course.training.sweeps.trial" in words and words[-1].startswith(f"{NAME}/"):
            yield words[-1].partition("/")[2], process


def kill_some(kills: list[tuple[str, str]], outlived: list[float]) -> None:
    """One of each of `KINDS`, each another trial, each after its first checkpoint."""
    while len(kills) < len(KINDS):
        time.sleep(0.05)
        for name, process in running():
            there = (home() / "runs" / NAME / name / checkpoint.FILE).exists()
            if not there or name in [one for one, _ in kills]:
                continue
            kind = KINDS[len(kills)]
            try:
                worker = process.parent()
                if worker is None or not worker.name().startswith("ray::"):
                    continue
                if kind in ("worker", "both"):
                    worker.kill()
                if kind in ("trial", "both"):
                    process.kill()
            except psutil.NoSuchProcess:
                continue
            kills.append((name, kind))
            if kind == "worker":
                began = time.monotonic()
                psutil.wait_procs([process], timeout=30)
                outlived.append(time.monotonic() - began)
            break


def main() -> None:
    torch.set_num_threads(1)
    kills: list[tuple[str, str]] = []
    outlived: list[float] = []
    said: list[str] = []
    planned = trials()
    threading.Thread(target=kill_some, args=(kills, outlived), daemon=True).start()
    began = time.monotonic()
    made = sweep(planned, name=NAME, workers=2, cpus_per_trial=1, checkpoint_every=0.0, tell=said.append)
    seconds = time.monotonic() - began
    different = []
    by_name = {trial.name: trial for trial in planned}
    for name in dict.fromkeys(name for name, _ in kills[:4]):
        whole = train(by_name[name].cfg, name=name, folder=home() / "whole" / name, show=False)
        assert whole.folder is not None
        for file in RECORD:
            if (whole.folder / file).read_bytes() != (made.folder / name / file).read_bytes():
                different.append(f"{name}/{file}")
    print(
        json.dumps(
            {
                "kills": kills,
                "outlived": outlived,
                "said": said,
                "finished": len(made.runs),
                "failed": made.failed,
                "missing": made.missing,
                "different": different,
                "left": [name for name, _ in running()],
                "hidden": [str(path) for path in Path(made.folder).glob(".*")],
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.setdefault("SAE_COURSE_SCALE", "mini")
    main()
