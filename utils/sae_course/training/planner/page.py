"""docs/planner.md: how a plan is made, and how it compares with measurements.

Written by ``python -m sae_course.training.planner.page``, from what `ship` recorded.
"""

from typing import Any

from ...runtime import project_root, write_atomic
from . import calibration, plan
from .calibrate import compared
from .grid import words
from .machines import GIB, GPUS

FILE = "docs/planner.md"

_HEAD = """\
# The planner

`sae-course plan PRESET --gpu GPU` says what a run takes before anything is downloaded: memory by part and
moment, what to change where it doesn't fit, tokens a second, hours, cost, disk. In a notebook it is
`plan(cfg, gpu="L4")`, of a preset's name or any SAELens configuration.

```
{command}
```

`--price 0.5` adds the cost, `--saes 8` plans several SAEs from one stream, `--set act_store_device=cpu` any
other setting, `--json` is for programs. `--oom "… Tried to allocate 7.81 GiB …"` reads an out-of-memory
message: which tensor has that size, and in which phase the run fails. The exit code is 2 where it doesn't
fit.

## How it is worked out

- **Memory** is added up by part (model, its activations, buffer, SAE, gradients, Adam, a step's tensors, an
  evaluation's logits) for four moments: loading, filling the buffer, a step, an evaluation. The largest of
  them decides. The constants stand, with their reasons, in `training/planner/memory.py`.
- **Time** is the FLOPs of model and SAE at the machine's rate, and the bytes that both move at its bandwidth
  (`training/planner/speed.py`). On a machine that was measured the efficiencies are fitted; on any other they
  are assumed, and the answer says so. Loading the model and downloading the data are not in it.
- **Advice** tries what costs nothing first, and keeps what is needed.
- **Tokens by practice** are Gemma Scope's, by width.

"""
_MEASURED = """\
## Against measurements: {machine}

{date}, {threads} thread; `sae-course plan --calibrate` makes this table for your machine. Memory is the
process's peak (VmHWM), the plan's in proportion to it. Time is that of a token, model and SAE, as a ratio
between configurations: the plan's seconds over the measured ones, divided by their geometric mean. Each
measurement is one process; a reference product, timed between the steps, corrects for a slow moment of this
shared machine. "fitted" are the rows that the machine's rates come from; the others are predicted. Memory's
constants (`CPU_STEP` and its neighbours) were chosen on an earlier measurement of the same grid.

{table}

Memory is between {low:.2f} and {high:.2f} times the measured one, time between {t_low:.2f} and {t_high:.2f}
in the predicted rows. The plan knows one bandwidth: where [batch, d_sae] tensors no longer fit a processor's
cache, a run is slower than it says.

"""
_TRACED = """\
## Against the code at full size

No GPU could be had to measure on: **no row of this page was measured on one**. What could be had is the code
itself. Under PyTorch's fake tensors (`training/planner/traced.py`) TransformerLens' forward pass, SAELens'
step and SAELens' evaluation were run at the true sizes of the full presets, and the bytes alive were added
up: what PyTorch's allocator would be asked for, without CUDA's own memory and the allocator's gaps. GiB,
beyond weights, Adam and buffer; "–" where an evaluation's peak is not in its loss but in SAELens' metrics of
sparsity, which the trace doesn't run:

{table}

"""
_GPUS = """\
## GPUs

From data sheets; never measured with this course. On such a machine, `sae-course plan --calibrate --gpu cuda`
measures the full presets at their true sizes with random weights, and plans use the result.

{table}
"""


def table(rows: list[dict[str, Any]]) -> str:
    """Plan against measurement, as `compared` gives it."""
    from tabulate import tabulate  # noqa: PLC0415

    lines = [
        [
            words(row["case"]),
            f"{row['planned_bytes'] / GIB:.2f}",
            f"{row['peak_bytes'] / GIB:.2f}",
            f"{row['memory_ratio']:.2f}",
            f"{row['seconds'] * 1e6:,.0f}",
            f"{row['time_ratio']:.2f}",
            "predicted" if row["predicted"] else "fitted",
        ]
        for row in rows
    ]
    head = ["run", "plan, GiB", "peak, GiB", "ratio", "µs a token", "time ratio", ""]
    return tabulate(
        lines, head, tablefmt="github", colalign=("left", *["right"] * 5, "left"), disable_numparse=True
    )


def traced_table(rows: list[dict[str, Any]]) -> str:
    """Plan against trace, phase by phase."""
    from tabulate import tabulate  # noqa: PLC0415

    phases = ("fill", "step", "evaluation")
    lines = []
    for row in rows:
        pairs = [(row["planned"][phase], row["traced"][phase]) for phase in phases]
        cells = ["–" if a is None else f"{a / GIB:.2f} / {b / GIB:.2f} ({a / b:.2f})" for a, b in pairs]
        lines.append([row["run"], *cells])
    head = ["run", "model's pass, plan / trace (ratio)", "step, gradients included", "evaluation's loss"]
    return tabulate(lines, head, tablefmt="github", disable_numparse=True)


def page() -> str:
    """The whole page."""
    from tabulate import tabulate  # noqa: PLC0415

    found = calibration.shipped()
    rows = compared(found)
    memory, seconds = (
        [row["memory_ratio"] for row in rows],
        [row["time_ratio"] for row in rows if row["predicted"]],
    )
    gpus = [
        [
            gpu.name,
            gpu.what,
            f"{gpu.memory / GIB:.1f}",
            f"{gpu.float32 / 1e12:g}",
            f"{gpu.bf16 / 1e12:g}",
            f"{gpu.bandwidth / 1e9:,.0f}",
        ]
        for gpu in GPUS.values()
        if gpu.memory is not None
    ]
    head = ["`--gpu`", "", "GiB", "float32, TFLOP/s", "bf16, TFLOP/s", "GB/s"]
    command = "$ sae-course plan gemma --gpu L4 --tokens 1e9\n\n" + str(plan("gemma", gpu="L4", tokens=1e9))
    return (
        _HEAD.format(command=command)
        + _MEASURED.format(
            **{key: found["rates"][key] for key in ("machine", "date", "threads")},
            table=table(rows),
            low=min(memory),
            high=max(memory),
            t_low=min(seconds),
            t_high=max(seconds),
        )
        + _TRACED.format(table=traced_table(calibration.traced_rows()))
        + _GPUS.format(table=tabulate(gpus, head, tablefmt="github", disable_numparse=True))
    )


def main() -> None:
    """Write it."""
    write_atomic(project_root() / FILE, page())


if __name__ == "__main__":
    main()
