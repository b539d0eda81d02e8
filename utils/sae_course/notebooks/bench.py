"""``sae-course bench``: what the course costs in seconds and memory, and how fast its data are made."""

import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..runtime import project_root

_IMPORTS = {
    "import sae_course": "import sae_course",
    "import torch (for comparison)": "import torch",
    "setup() for chapter 01": "import sae_course; sae_course.setup('chapters/01_toy_superposition')",
    "plan of the full Gemma run": "from sae_course.training import plan; print(plan('gemma', gpu='T4'))",
}
_REPEATS = 5


def seconds_of(code: str) -> float:
    """Median wall-clock seconds of running ``code`` in a new Python, less that of an empty program."""

    def once(program: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    once(code)  # fills the disk cache
    return statistics.median(once(code) - once("pass") for _ in range(_REPEATS))


def toy_steps_per_second(n_inst: int, steps: int = 300) -> float:
    """Training steps per second of chapter 01's SAE with ``n_inst`` instances at once, one thread."""
    import torch  # noqa: PLC0415 - `--help` stays instant

    from ..runtime import generator  # noqa: PLC0415
    from ..training import toy_config  # noqa: PLC0415
    from .record_toy import load_chapter  # noqa: PLC0415

    torch.set_num_threads(1)
    config = dataclasses.replace(toy_config("mini"), n_inst=n_inst, steps=steps)
    chapter = load_chapter(config)
    W = torch.randn(n_inst, config.d_hidden, config.n_features, generator=generator("bench"))
    start = time.perf_counter()
    chapter["train"](chapter["new_sae"](0), W, config, generator("bench data"))
    return steps / (time.perf_counter() - start)


def rows() -> list[tuple[str, str]]:
    """Name and figure, in the order of the table; chapters are executed in passing."""
    found = [(name, f"{seconds_of(code):.2f} s") for name, code in _IMPORTS.items()]
    many, one = [], []
    for _ in range(3):  # in turn, so that a slow moment of the machine hits both
        many.append(toy_steps_per_second(16))
        one.append(toy_steps_per_second(1))
    gain = statistics.median(16 * m / o for m, o in zip(many, one, strict=True))
    found += [
        ("toy SAE, 16 instances at once", f"{statistics.median(many):.0f} steps/s"),
        ("toy SAE, 1 instance", f"{statistics.median(one):.0f} steps/s"),
        ("gain of n_inst = 16 over one at a time", f"{gain:.1f} ×"),
    ]
    found += toy_rows() + data_rows() + model_rows() + training_rows() + eval_rows()
    return found + _chapters(project_root())


def toy_rows() -> list[tuple[str, str]]:
    """Toy SAEs as one batch of instances, and one at a time."""
    from .bench_toys import rows  # noqa: PLC0415 - `--help` stays instant

    return rows()


def data_rows(n_rows: int = 2000, n_games: int = 50_000) -> list[tuple[str, str]]:
    """How fast the stories, their labels and the games are made, on one core."""
    from ..data import othello, stories  # noqa: PLC0415

    def speed(units: float, make: Callable[[], Any]) -> float:
        start = time.process_time()
        make()
        return units / (time.process_time() - start)

    tokens = stories.rows(n_rows, 256)
    return [
        ("stories, without labels", f"{speed(tokens.size, lambda: stories.rows(n_rows, 256)):,.0f} tokens/s"),
        ("labels of stories", f"{speed(tokens.size, lambda: stories.labels(tokens)):,.0f} tokens/s"),
        ("random games of Othello", f"{speed(n_games, lambda: othello.games(n_games)):,.0f} games/s"),
    ]


def training_rows() -> list[tuple[str, str]]:
    """Training an SAE, here and by SAELens' own runner: about 8 minutes."""
    from .bench_training import rows  # noqa: PLC0415 - `--help` stays instant

    return rows()


def eval_rows() -> list[tuple[str, str]]:
    """Measuring an SAE and looking at it, in units of the model's forward pass."""
    from .bench_evals import rows  # noqa: PLC0415 - `--help` stays instant

    return rows()


def model_rows() -> list[tuple[str, str]]:
    """Seconds from the imports to a loaded mini model that has read its first batch, in a new process."""
    from ..models import MODELS  # noqa: PLC0415

    program = (
        "import sys, time, datasets, sae_lens, torch; from sae_course import models; name = sys.argv[1];"
        "start = time.perf_counter(); model = models.load_model(name, 'mini', quiet=True);"
        "rows = [row['tokens'] for _, row in zip(range(32), models.token_stream(name, 'mini'))];"
        "model(torch.stack([torch.as_tensor(row) for row in rows])); print(time.perf_counter() - start)"
    )

    def seconds(name: str) -> float:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, name], check=True, capture_output=True, text=True
        )
        return float(run.stdout.split()[-1])

    return [(f"{name} loaded, first batch read", f"{seconds(name):.2f} s") for name in MODELS]


def _chapters(root: Path) -> list[tuple[str, str]]:
    from . import files, template  # noqa: PLC0415
    from . import run as runner  # noqa: PLC0415
    from .progress import cell_progress  # noqa: PLC0415

    folder = root / "build"
    runner.prepare(folder)
    found = []
    for chapter in runner.load_all(files.sources(root, ()), root):
        with cell_progress(chapter.name) as progress:
            result = runner.run_chapter(chapter, root, template.read_address(root), folder, progress)
        outcome = f"failed: {result.error}" if result.error else f"{result.seconds:.0f} s, {result.memory}"
        found.append((f"chapter {chapter.name}", outcome))
    return found


@click.command()
def bench() -> None:
    """Print import times, the speed of data and models, and each chapter's seconds and memory."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table: Any = Table("what", "figure", title=f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for row in rows():
        table.add_row(*row)
    Console().print(table)
