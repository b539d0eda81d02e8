"""Record what chapter 02a quotes: ``python -m sae_course.training.toys.record``.

About an hour on one core. Each part is kept when it is done; stopped, the same call goes on with the next.
"""

import dataclasses
import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...runtime import home, read_json, write_json
from ..recorded_file import checksum, rounded
from .beneath import BENEATH, baseline_rows
from .compare import VARIANTS, train_variant
from .config import VariantsConfig, variants_config
from .recorded import FILE

STEPS = 3000
PIECE_STEPS = 20
"""Of a short training of each variant that a test makes again."""
DIGITS = 5
USED = (
    "n_inst",
    "steps",
    "batch_size",
    "lr",
    "decay",
    "dead_window",
    "d_sae",
    "widths",
    "threshold",
    "bandwidth",
    "threshold_rate",
)
"""The settings of chapter 02a that the comparison uses."""


def settings() -> VariantsConfig:
    """Chapter 02a's mini settings, trained for longer."""
    return dataclasses.replace(variants_config("mini"), steps=STEPS)


def used() -> dict[str, Any]:
    """What a recorded result depends on."""
    return {name: value for name, value in dataclasses.asdict(settings()).items() if name in USED}


def parts() -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """What is recorded, by name: each a list of rows."""
    cfg = settings()
    short = dataclasses.replace(cfg, steps=PIECE_STEPS)
    return {
        **{f"variants/{name}": partial(train_variant, name, cfg) for name in VARIANTS},
        **{f"piece/{name}": partial(train_variant, name, short) for name in VARIANTS},
        **{f"baselines/{name}": partial(baseline_rows, name, cfg) for name in BENEATH},
    }


def main() -> None:
    """Do what is missing, then write the record."""
    import torch  # noqa: PLC0415 - a second

    torch.set_num_threads(1)
    kept = home() / "toys"
    identity = checksum(used())[:12]
    record: dict[str, Any] = {"settings": used()}
    for name, make in parts().items():
        file = kept / identity / f"{name.replace('/', '-').replace(' ', '-')}.json"
        if not file.is_file():
            write_json(file, rounded(make(), DIGITS))
            print(name, flush=True)
        group, _, member = name.partition("/")
        record.setdefault(group, {})[member] = read_json(file)
    provenance = {
        "command": "python -m sae_course.training.toys.record",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
        "versions": {name: version(name) for name in ("torch", "scikit-learn")},
        "sha256": checksum(record),
    }
    write_json(Path(__file__).parents[1] / "recorded" / FILE, {"provenance": provenance, "record": record})


if __name__ == "__main__":
    main()
