"""Training the clinic's recorded runs, once: the ward, what lies beyond it, and those held out for a test."""

import os
import platform
import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..runs import Run
from ..runtime import home, write_json
from . import archive, pool, shelf
from .causes import BEYOND, HEALTHY, SEVEN
from .patients import RECIPES, changed, train_patient

CONTROL = "control"
"""The part of the healthy runs of a cause whose architecture is not the ward's."""


WRONG_TREATMENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("dictionary too wide", "learning rate too high"): {"lr": 1.5e-3},
    ("learning rate too high", "dictionary too wide"): {"d_sae": 256},
    ("dictionary too narrow", "sparsity coefficient too small"): {"l0_coefficient": 0.8},
    ("learning rate too high", "learning rate too low"): {"lr": 0.115},
}
"""What is tried on a run of the ward that is taken for another: true cause, supposed cause, its cure."""


@dataclass(frozen=True)
class Planned:
    """A run to be recorded."""

    part: str
    """``ward``, ``beyond``, ``control``, ``held out``, ``held out, beyond`` or ``wrongly treated``."""
    cause: str
    seed: int
    severity: float
    treated_as: str = ""
    """The cause that it is taken to have, of one that is treated wrongly (`WRONG_TREATMENTS`)."""

    @property
    def key(self) -> str:
        """Of the run in the tables: says its number, and nothing about its cause."""
        run = f"run {SEVEN.index(self.cause)}" if self.cause in SEVEN else ""
        if self.part == "ward":
            return f"{run}, seed {self.seed}"
        if self.treated_as:
            return f"{run} treated as run {SEVEN.index(self.treated_as)}, seed {self.seed}"
        number = int(sha256(f"{self.part} {self.cause} {self.seed}".encode()).hexdigest()[:5], 16)
        return f"{self.part} {number:07d}"

    @property
    def folder(self) -> Path:
        """Where it is trained."""
        name = "-".join(
            str(part) for part in (self.part, self.cause, self.treated_as, self.seed) if part != ""
        )
        return home() / "clinic" / "recorded" / name.replace(" ", "-")

    @property
    def changes(self) -> dict[str, Any]:
        """Settings that are changed beside what the cause changes."""
        return WRONG_TREATMENTS.get((self.cause, self.treated_as), {})


def plan() -> list[Planned]:
    """Every recorded run: the slow ones first, so that two processes end together."""
    return sorted(_planned(), key=lambda one: one.cause != "dictionary too wide")


def _planned() -> Iterator[Planned]:
    for cause in SEVEN:
        for seed in range(5 if cause == HEALTHY else 3):
            yield Planned("ward", cause, seed, 1.0 if cause == "wrong data" else 0.5)
    for seed in range(3):
        yield Planned(CONTROL, HEALTHY, seed, 0.5)
        yield from (Planned("beyond", cause, seed, 0.5) for cause in BEYOND)
    for part, causes, count in (("held out", SEVEN, 6), ("held out, beyond", BEYOND, 2)):
        for cause in causes:
            for seed in range(100, 100 + count):
                yield Planned(part, cause, seed, round(random.Random(f"{cause} {seed}").random(), 3))
    for cause, treated_as in WRONG_TREATMENTS:
        yield from (Planned("wrongly treated", cause, seed, 0.5, treated_as) for seed in range(3))


def train_one(one: Planned) -> Run:
    """Train a planned run on the CPU, on one thread, or read it where it lies trained."""
    import torch  # noqa: PLC0415 - a second

    torch.set_num_threads(1)
    if one.part == CONTROL:
        from ..training import train  # noqa: PLC0415 - seconds
        from .patients import healthy_config  # noqa: PLC0415

        where = dict.fromkeys(("device", "llm_device", "act_store_device"), "cpu")
        cfg = healthy_config("batchtopk", seed=one.seed, **where)
        return train(cfg, name=one.cause, folder=one.folder, check=False, show=False)
    return train_patient(one.cause, one.seed, one.severity, one.folder, device="cpu", **one.changes)


def record(jobs: int | None = None) -> Path:
    """Train what is missing, and write the tables and their answers.

    About an hour on two cores. Stopped at any moment, the same call goes on where it was.

    Args:
        jobs: processes at once, one thread each; as many as there are cores if not given.

    Returns:
        The folder.
    """
    everything = plan()
    for number, one in enumerate(pool.in_processes(_train, everything, jobs or pool.cores()), 1):
        print(f"{number}/{len(everything)} {one.key}", flush=True)
    write({one: train_one(one) for one in everything})
    return shelf.folder()


def _train(one: Planned) -> None:
    train_one(one)


def write(runs: dict[Planned, Run]) -> None:
    """The tables of sealed runs, in an order that gives nothing away, and apart from them the answers."""
    folder = shelf.folder()
    ordered = sorted(runs, key=lambda one: (one.part, one.key))
    archive.write(folder, {one.key: archive.sealed(runs[one], one.key) for one in ordered})
    answers = {one.key: answer(one) for one in ordered}
    tables = {file: sha256((folder / file).read_bytes()).hexdigest() for file in archive.TABLES.values()}
    provenance = {
        "command": "sae-course clinic record",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread a run",
        "versions": {name: version(name) for name in ("sae-lens", "transformer-lens", "torch")},
        "sha256": tables,
    }
    write_json(folder / shelf.ANSWERS, {"provenance": provenance, "answers": answers})


def answer(one: Planned) -> dict[str, Any]:
    """What a run was trained with: its cause, and how its configuration differs from the healthy one."""
    control = one.part == CONTROL  # the healthy run itself, and not of its cause's architecture
    rows = {} if control else changed(one.cause, one.seed, one.severity, **one.changes)
    return {
        "part": one.part,
        "cause": one.cause,
        "seed": one.seed,
        "severity": one.severity,
        "architecture": "batchtopk" if control else RECIPES[one.cause].architecture,
        "changed": {name: value for name, (value, _) in rows.items()},
    }
