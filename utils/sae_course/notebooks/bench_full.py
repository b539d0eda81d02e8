"""The full presets at their true sizes for a few steps, SAELens' own runner beside ours: for a GPU.

``python -m sae_course.notebooks.bench_full`` prints a table of tokens per second and peak memory. Weights and
tokens are random: neither matters to either. Each measurement is a process of its own, and the two that are
compared come in turn.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from ..runtime import CourseError

PRESETS = ("tinystories", "attn-only-2l", "othello", "gemma")
RUNNERS = ("SAELens", "ours")


def case_of(preset: str, steps: int, device: str) -> dict[str, Any]:
    """A full preset with a BatchTopK SAE for so many steps, in the words of the planner's grid."""
    from ..training.preset_values import PRESETS as VALUES  # noqa: PLC0415

    full = VALUES[preset].full
    changes = {"training_tokens": steps * full.batch, "n_batches_for_norm_estimate": 2, "n_eval_batches": 1}
    return {
        "preset": preset,
        "scale": "full",
        "architecture": "batchtopk",
        "device": device,
        "random": True,
        "changes": changes,
    }


def measured(case: dict[str, Any], runner: str) -> dict[str, float]:
    """Tokens per second of a run, its buffer's first filling with it, and the most memory that it took (GiB).

    ``ours`` has the preset's autocast and records; SAELens' runner has no autocast, its default, nor records.
    """
    import tempfile  # noqa: PLC0415

    import torch  # noqa: PLC0415
    from sae_lens import LanguageModelSAETrainingRunner  # noqa: PLC0415 - seconds

    from ..training import train  # noqa: PLC0415
    from ..training.planner.measure import peak_resident, run_of  # noqa: PLC0415
    from ..training.settings import change  # noqa: PLC0415

    cfg, source = run_of(case)
    cuda = torch.device(cfg.device).type == "cuda"
    start = time.perf_counter()
    if runner == "ours":
        with tempfile.TemporaryDirectory() as folder:
            # SAELens evaluates only where it logs to W&B; ours does it at the end alone then.
            ours = change(cfg, eval_every_n_wandb_logs=10**6)
            data = {"model": source.model, "dataset": source.dataset}
            train(ours, folder=Path(folder) / "run", check=False, show=False, checkpoint_every=1e9, **data)
    else:
        stock = change(cfg, autocast=False, autocast_lm=False)
        LanguageModelSAETrainingRunner(
            stock, override_dataset=source.dataset, override_model=source.model
        ).run()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() if cuda else peak_resident()
    return {"tokens/s": cfg.training_tokens / seconds, "GiB": peak / 2**30}


def _in_its_own_process(case: dict[str, Any], runner: str) -> dict[str, float]:
    command = [sys.executable, "-m", "sae_course.notebooks.bench_full", "--case", json.dumps([case, runner])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["killed: out of memory?"])[-1]
        raise CourseError(f"{case['preset']} by {runner} ended with: {said[:300]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@click.command()
@click.option("--steps", default=200, show_default=True, help="Of each training.")
@click.option("--device", default="cuda", show_default=True)
@click.option("--preset", "presets", multiple=True, type=click.Choice(PRESETS), help="All four if not given.")
@click.option("--case", hidden=True)
def main(steps: int, device: str, presets: tuple[str, ...], case: str | None) -> None:
    """Print a Markdown table: preset, tokens/s and peak GiB of SAELens' runner and of ours, and the ratio."""
    import torch  # noqa: PLC0415

    if case:
        print(json.dumps(measured(*json.loads(case))))
        return
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise CourseError(
            "There is no CUDA here: a full preset takes a CPU hours. --device cpu tries anyway."
        )
    name = torch.cuda.get_device_name() if device.startswith("cuda") else "CPU"
    print(f"{name}, torch {torch.__version__}, {steps} steps\n")
    print("| preset | tokens/s, SAELens | tokens/s, ours | ratio | GiB, SAELens | GiB, ours |")
    print("|---|---|---|---|---|---|")
    for preset in presets or PRESETS:
        stock, ours = (_in_its_own_process(case_of(preset, steps, device), one) for one in RUNNERS)
        ratio = ours["tokens/s"] / stock["tokens/s"]
        print(
            f"| {preset} | {stock['tokens/s']:,.0f} | {ours['tokens/s']:,.0f} | {ratio:.2f} | "
            f"{stock['GiB']:.1f} | {ours['GiB']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except CourseError as error:
        sys.exit(f"bench_full: {error}")
