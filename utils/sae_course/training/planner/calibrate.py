"""``sae-course plan --calibrate``: measure a grid of runs on this machine and hold the plan against them."""

import dataclasses
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...runtime import CourseError, home, write_json
from ..recorded_file import checksum
from .calibration import Rates, own_file
from .grid import cpu_grid, cuda_grid
from .machines import CPU, GPUS, Machine
from .memory import CUDA_BYTES, FLOAT, parts, peak
from .speed import PASSES, model_flops, moved_by_model, moved_weights, sae_flops
from .workload import Workload

SECONDS = 900
"""A case that takes longer is given up."""


def calibrate(
    *,
    device: str = "cpu",
    folder: Path | None = None,
    show: Callable[[str], None] = print,
    only: int | None = None,
) -> dict[str, Any]:
    """Measure the grid, each case in a process of its own, and fit the machine's constants.

    Measurements are kept as they are made: stopped, the same call goes on. The result is written whole to
    ``home()``, where plans find it.

    Args:
        device: ``cpu``, or ``cuda`` for the full presets at their true sizes.
        folder: where measurements and result are kept; ``home()`` when not given.
        only: the first so many cases, for a try.

    Returns:
        What was measured: the machine, its rates, fitted constants, and a row for each case.

    Raises:
        CourseError: without the device, or when nothing could be measured.
    """
    grid = cuda_grid() if device == "cuda" else cpu_grid()
    folder = folder or home()
    gpu = _gpu() if device == "cuda" else CPU
    kept = folder / f"calibration-{gpu}.part.json"
    done = _kept(kept)
    rows = []
    for case in grid[:only]:
        key = json.dumps(case, sort_keys=True)
        if key not in done:
            done[key] = _measured(case)
            write_json(kept, done)
        rows.append({"case": case, **done[key]})
        show(f"{len(rows)} of {len(grid[:only])}: {_line(rows[-1])}")
    good = [row for row in rows if "peak" in row]
    if not any(row["case"]["fit"] for row in good):  # the machine's constants come from these
        reasons = [row["failed"] for row in rows if "failed" in row]
        raise CourseError(f"Nothing could be measured: {reasons[0] if reasons else 'no case'}.")
    rates = _rates(device, gpu, good)
    found: dict[str, Any] = {"gpu": gpu, "rates": asdict(rates), "fitted": fit(good, rates), "rows": rows}
    write_json(folder / own_file(gpu), {"measured": found, "provenance": {"sha256": checksum(found)}})
    kept.unlink(missing_ok=True)
    return found


def _kept(path: Path) -> dict[str, Any]:
    """What an earlier sitting measured."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise CourseError(f"{path} was cut off or changed ({error}): delete it to measure anew.") from error


def _measured(case: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "sae_course.training.planner.measure", json.dumps(case)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {SECONDS} s"}
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["killed: out of memory?"])[-1]
        return {"failed": said[:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _line(row: dict[str, Any]) -> str:
    from .grid import words  # noqa: PLC0415

    if "failed" in row:
        return f"{words(row['case'])}: {row['failed']}"
    seconds = row["model_seconds"] + row["sae_seconds"]
    return f"{words(row['case'])}: {1 / seconds:,.0f} tokens/s, peak {row['peak'] / 2**30:.2f} GiB"


def _gpu() -> str:
    """The planner's name of the GPU that is there.

    Raises:
        CourseError: without one.
    """
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        raise CourseError("There is no CUDA here: calibrate the CPU (sae-course plan --calibrate --gpu cpu).")
    name, memory = torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory
    fitting = [gpu.name for gpu in GPUS.values() if gpu.name.split("-")[0] in name]
    near = [key for key in fitting if abs((GPUS[key].memory or 0) / memory - 1) < 0.2]
    return near[0] if near else name


def _rates(device: str, gpu: str, rows: list[dict[str, Any]]) -> Rates:
    """This machine's rates, measured now; the processor's process from the rows."""
    import torch  # noqa: PLC0415

    from .measure import timed  # noqa: PLC0415

    cuda = device == "cuda"
    wait = torch.cuda.synchronize if cuda else lambda: None
    n = 4096 if cuda else 512  # a GPU needs larger products to be busy
    x, w = torch.randn(4 * n, n, device=device), torch.randn(n, 8 * n, device=device)
    flops = 2 * x.numel() * w.shape[1]
    float32 = flops / min(timed(lambda: x @ w, wait) for _ in range(20))
    if cuda:
        x, w = x.bfloat16(), w.bfloat16()
    else:  # the products of the course's own step (`bf16_products`)
        torch.set_float32_matmul_precision("medium")
    bf16 = flops / min(timed(lambda: x @ w, wait) for _ in range(20))
    torch.set_float32_matmul_precision("highest")
    y, out = torch.randn(2048, 8192, device=device), torch.empty(2048, 8192, device=device)
    moved = 2 * FLOAT * y.numel()
    bandwidth = moved / min(timed(lambda: torch.mul(y, 2.0, out=out), wait) for _ in range(20))
    return Rates(
        machine=gpu if cuda else f"{_processor()}, {os.cpu_count()} cores",
        date=datetime.date.today().isoformat(),
        threads=torch.get_num_threads(),
        float32=float32,
        bf16=bf16,
        bandwidth=bandwidth,
        process=int(sorted(row["ready"] for row in rows)[len(rows) // 2]),
    )


def _processor() -> str:
    """The processor's kind, without anything that names the computer."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        found = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        found = platform.processor() or platform.machine()
    return found


def workload(case: dict[str, Any]) -> Workload:
    """What the planner makes of a case."""
    from ..presets import find_preset  # noqa: PLC0415
    from .measure import resized  # noqa: PLC0415
    from .workload import changed, of_preset  # noqa: PLC0415

    work = of_preset(
        find_preset(case["preset"]),
        case["scale"],
        "today",
        architecture=case["architecture"],
        layer=None,
        on_gpu=case.get("device") == "cuda",
    )
    changes = dict(case.get("changes", {}))
    if "hook_name" in changes:
        work = dataclasses.replace(work, layers=int(changes.pop("hook_name").split(".")[1]) + 1)
    if "d_in" in changes:
        work = dataclasses.replace(work, d_in=changes.pop("d_in"))
    return resized(changed(work, changes), case)


def fit(rows: list[dict[str, Any]], rates: Rates) -> dict[str, Any]:
    """The constants of `speed` from the rows with ``fit``, least squares of relative errors.

    Seconds are taken at the machine's usual rate: a case that ran in a slow moment, as its reference product
    says, counts as it would have in another.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.optimize import nnls  # noqa: PLC0415

    usual = float(np.median([row["reference"] for row in rows]))
    chosen = [row for row in rows if row["case"]["fit"]]
    architectures = sorted({row["case"]["architecture"] for row in chosen})
    products, targets, models = [], [], []
    for row in chosen:
        work = workload(row["case"])
        now = row["reference"] / usual
        seconds, of_model = row["sae_seconds"] * now, _model_seconds(row, work) * now
        line = np.zeros(1 + len(architectures))
        line[0] = sae_flops(work) / (rates.bf16 if work.autocast else rates.float32)
        line[1 + architectures.index(work.architecture)] = FLOAT * work.d_sae / rates.bandwidth
        products.append(line / seconds)
        targets.append(max(0.0, 1 - moved_weights(work) / rates.bandwidth / seconds))
        lm_rate = rates.bf16 if work.autocast_lm else rates.float32
        models.append(
            [model_flops(work) / lm_rate / of_model, moved_by_model(work) / rates.bandwidth / of_model]
        )
    solution, _ = nnls(np.array(products), np.array(targets))
    of_model, _ = nnls(np.array(models), np.ones(len(models)))
    passes = {name: float(solution[1 + at]) for at, name in enumerate(architectures)}
    return {
        "model_efficiency": _inverse(of_model[0]),
        "model_passes": float(of_model[1]),
        "sae_efficiency": _inverse(solution[0]),
        "bandwidth_efficiency": 1.0,
        "passes": PASSES | passes,
        "usual_reference": usual,
    }


def _model_seconds(row: dict[str, Any], work: Workload) -> float:
    """Of the model, for a token that is trained on; measured was a token that it read."""
    return float(row["model_seconds"]) * work.context_size / work.row_tokens


def _inverse(value: float) -> float:
    """1 / value; of a product that costs nothing, a large number."""
    return 1 / max(float(value), 1e-3)


def compared(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Plan against measurement, a row for each case that could be measured."""
    import numpy as np  # noqa: PLC0415

    from .speed import seconds_of  # noqa: PLC0415

    rates = found["rates"]
    cpu = found["gpu"] == CPU
    machine = Machine(
        found["gpu"], rates["machine"], None, rates["float32"], rates["bf16"], rates["bandwidth"]
    )
    usual = found["fitted"]["usual_reference"]
    table = []
    for row in found["rows"]:
        if "peak" not in row:
            continue
        work = workload(row["case"])
        model, sae = seconds_of(work, machine, found["fitted"])
        measured = (_model_seconds(row, work) + row["sae_seconds"]) * row["reference"] / usual
        table.append(
            {
                "case": row["case"],
                # What PyTorch allocated is measured on a GPU, without CUDA's own.
                "planned_bytes": peak(parts(work), work.device) - (0 if cpu else CUDA_BYTES),
                "peak_bytes": int(row["peak"]),
                "planned_seconds": model + sae,
                "seconds": measured,
                "predicted": not row["case"]["fit"],
            }
        )
    # On a shared CPU only ratios between configurations mean anything.
    off = (
        float(np.exp(np.mean([np.log(row["planned_seconds"] / row["seconds"]) for row in table])))
        if cpu
        else 1.0
    )
    for row in table:
        row["memory_ratio"] = row["planned_bytes"] / row["peak_bytes"]
        row["time_ratio"] = row["planned_seconds"] / row["seconds"] / off
    return table
