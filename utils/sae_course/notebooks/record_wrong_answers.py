"""Record chapter 02b's slower experiments at both scales, with the chapter's own code.

``python -m sae_course.notebooks.record_wrong_answers`` takes about ten minutes on one core. Each
piece is kept when it is done; stopped, the same call goes on with the next. At the end it writes
``utils/sae_course/training/recorded/wrong_answers.json``.
"""

import ast
import dataclasses
import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..data.toy_small_worlds import correlated_world, orthogonal_world, pentagon_world
from ..runtime import generator, project_root, read_json, write_json
from ..training.recorded_file import checksum, rounded
from ..training.toys.wrong_config import wrong_answers_config
from ..training.toys.wrong_recorded import FILE
from .definitions import definitions

SOURCE = "solutions/02b_wrong_answers.py"
SEEDS = (0, 1, 2)
SCALES = ("mini", "full")
WORLDS = {"pentagon": pentagon_world, "orthogonal": orthogonal_world}
USED = (
    "train",
    "tied_pre_activations",
    "MaybeTied",
    "tying",
    "decoder_cosine",
    "true_dictionary",
    "over_k",
    "rows_over_k",
    "agreement",
    "of_seeds",
)
"""The chapter's definitions that the record is made with."""

SETTINGS = (
    "lr",
    "decay",
    "dead_window",
    "tie_inst",
    "tie_steps",
    "tie_batch_size",
    "tie_lr",
    "tie_probability",
    "tie_l0",
    "threshold",
    "bandwidth",
    "k",
    "k_worlds",
    "k_seeds",
    "k_steps",
    "k_batch_size",
    "wide",
)
"""The chapter's settings that it depends on."""

DIGITS = 4


def load_chapter(scale: str) -> dict[str, Any]:
    """The solution's functions at a scale, on the CPU, so that a record can be reproduced anywhere."""
    chapter = definitions(project_root() / SOURCE, config=wrong_answers_config(scale), device="cpu")
    chapter["generator"] = _stream
    return chapter


def code() -> str:
    """SHA-256 of the definitions that are used: prose and layout may change, and the record stay."""
    tree = ast.parse((project_root() / SOURCE).read_text(encoding="utf-8"))
    named = {
        node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    return checksum([named[name] for name in USED])


def settings(scale: str) -> dict[str, Any]:
    """What a recorded result depends on, beside the code."""
    every = dataclasses.asdict(wrong_answers_config(scale))
    return {name: every[name] for name in SETTINGS}


def tying(scale: str, world: str, seed: int) -> list[dict[str, Any]]:
    """Tied against untied, in one kind of world: a row for each kind of SAE."""
    chapter, config = load_chapter(scale), wrong_answers_config(scale)
    worlds = WORLDS[world](config.tie_inst, _stream("world", seed), probability=config.tie_probability)
    sizes = (config.tie_steps, config.tie_batch_size, config.tie_lr)
    return rounded(chapter["tying"](worlds, *sizes, seed=seed), DIGITS)


def over_k(scale: str) -> list[dict[str, Any]]:
    """SAEs over k, and a wider one beside those of each k and world: a row for each of the former."""
    chapter, config = load_chapter(scale), wrong_answers_config(scale)
    ks, seeds, sizes = config.k, config.k_seeds, (config.k_steps, config.k_batch_size)
    world = correlated_world(config.k_worlds, _stream("world"))
    sae, several, _ = chapter["over_k"](world, ks, seeds, *sizes)
    wide, _, _ = chapter["over_k"](world, ks, 1, *sizes, d_sae=config.wide, stream="wide sae")
    rows = chapter["rows_over_k"](sae, several, ks, seeds)
    W_dec, W_wide = sae.W_dec.detach(), wide.W_dec.detach().repeat_interleave(seeds, 0)
    columns = {
        "agreement": chapter["of_seeds"](W_dec, len(ks), seeds),
        "in_wide": chapter["agreement"](W_dec, W_wide).tolist(),
        "of_wide": chapter["agreement"](W_wide, W_dec).tolist(),
    }
    found = [
        row | dict(zip(columns, values, strict=True))
        for row, values in zip(rows, zip(*columns.values(), strict=True), strict=True)
    ]
    return rounded(found, DIGITS)


def pieces() -> dict[str, Callable[[], list[dict[str, Any]]]]:
    """What is recorded, by ``scale/experiment/part``."""
    found: dict[str, Callable[[], list[dict[str, Any]]]] = {}
    for scale in SCALES:
        found[f"{scale}/over_k"] = partial(over_k, scale)
        for world in WORLDS:
            for seed in SEEDS:
                found[f"{scale}/tying/{world}/{seed}"] = partial(tying, scale, world, seed)
    return found


def main() -> None:
    """Do what is missing, then write the record."""
    import torch  # noqa: PLC0415 - a second

    torch.set_num_threads(1)
    kept = project_root() / "build" / "record_wrong_answers.json"
    done: dict[str, Any] = read_json(kept) if kept.is_file() else {}
    found: dict[str, Any] = {}
    for name, make in pieces().items():
        key = f"{name}/{checksum([code(), settings(name.split('/')[0])])[:16]}"
        if key not in done:
            done[key] = make()
            write_json(kept, done)
            print(name, flush=True)
        found[name] = done[key]
    record = {
        scale: {
            "config": settings(scale),
            "seeds": list(SEEDS),
            "over_k": found[f"{scale}/over_k"],
            "tying": {
                world: [row for seed in SEEDS for row in found[f"{scale}/tying/{world}/{seed}"]]
                for world in WORLDS
            },
        }
        for scale in SCALES
    }
    provenance = {
        "command": "python -m sae_course.notebooks.record_wrong_answers",
        "source": SOURCE,
        "code_sha256": code(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, 1 thread",
        "versions": {"torch": version("torch")},
        "sha256": checksum(record),
    }
    write_json(
        Path(__file__).parents[1] / "training" / "recorded" / FILE,
        {"provenance": provenance, "record": record},
    )


def _stream(name: str, seed: int | None = None) -> Any:
    """The chapter's streams, on the CPU, of seed 0 where none is given."""
    return generator(name, seed or 0, "cpu")


if __name__ == "__main__":
    main()
