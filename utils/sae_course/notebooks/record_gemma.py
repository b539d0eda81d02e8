"""Record what chapter 07 quotes: one coefficient at every layer with and without scaling,
and layers × widths.

``python -m sae_course.notebooks.record_gemma`` takes about half an hour on one core and goes on where it was
stopped (what was trained is in ``build/record_gemma``: delete it to begin anew). It writes
``utils/sae_course/training/recorded/gemma.json`` at the end. With a seed, only that one's training.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import project_root
from ..training.gemma import FILE, MODEL, PRESET
from .recording import Row, rows_of, write_record

if TYPE_CHECKING:
    from ..runs import Run

SEEDS = (0, 1, 2)
LAYERS = range(4)
WIDTHS = (256, 512, 1024, 2048)
WIDTH_LAYERS = (1, 3)
SHARES = {"scaling": 2, "widths": 4}
"""Of the preset's tokens, this fraction (1/2, 1/4) is read."""
PIECE = 40
"""Steps whose explained variance is recorded too, so that a test can make a piece of a run again."""
METRICS = {
    "L0": "sparsity.l0",
    "explained variance": "reconstruction_quality.explained_variance",
    "loss recovered": "model_performance_preservation.ce_loss_score",
}


def folder(*parts: str) -> Path:
    """Where what was trained lies until the record is written."""
    return project_root().joinpath("build", "record_gemma", *parts)


def config(part: str, architecture: str, layer: int, seed: int, **changes: Any) -> Any:
    """The configuration of an SAE of a part, on the CPU."""
    from ..training import change, preset  # noqa: PLC0415 - SAELens, seconds

    cfg = preset(PRESET, "mini", "today", architecture=architecture, layer=layer, seed=seed)
    cfg = change(cfg, training_tokens=cfg.training_tokens // SHARES[part], **changes)
    return change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")


def scaled_or_not(seed: int) -> "dict[tuple[Any, ...], Run]":
    """A seed's Standard SAEs at every layer, one coefficient for all, with and without scaled activations."""
    cfgs = {
        (layer, way): config("scaling", "standard", layer, seed, normalize_activations=way)
        for layer in LAYERS
        for way in ("expected_average_only_in", "none")
    }
    return _train(cfgs, f"scaling-{seed}")


def by_width(seed: int) -> "dict[tuple[Any, ...], Run]":
    """A seed's BatchTopK SAEs at two layers, in four widths; all from one stream."""
    cfgs = {
        (layer, width): config("widths", "batchtopk", layer, seed, d_sae=width)
        for layer in WIDTH_LAYERS
        for width in WIDTHS
    }
    return _train(cfgs, f"widths-{seed}")


def _train(cfgs: dict[tuple[Any, ...], Any], name: str) -> "dict[tuple[Any, ...], Run]":
    from ..models import load_model  # noqa: PLC0415
    from ..training import train_many  # noqa: PLC0415

    named = {"-".join(str(part).replace(" ", "-") for part in key): cfg for key, cfg in cfgs.items()}
    model = load_model(MODEL, "mini", device="cpu", quiet=True)
    runs = train_many(named, folder=folder(name), model=model, check=False, show=False)
    return dict(zip(cfgs, (runs[one] for one in named), strict=True))


def measured(run: "Run") -> Row:
    """Of a finished SAE, on held-out tokens, as the run's last evaluation found it."""
    row: Row = {name: float(run.final[metric]) for name, metric in METRICS.items()}
    return row | {"dead": float(run.final["sparsity/dead_features"]) / run.config["sae"]["d_sae"]}


def scaling() -> Iterator[Row]:
    """Part ``scaling``."""
    for seed in SEEDS:
        for (layer, way), run in scaled_or_not(seed).items():
            scaled = "scaled" if way == "expected_average_only_in" else "as they are"
            yield {"activations": scaled, "layer": layer, "seed": seed} | measured(run)


def widths() -> Iterator[Row]:
    """Part ``widths``."""
    for seed in SEEDS:
        for (layer, width), run in by_width(seed).items():
            yield {"layer": layer, "d_sae": width, "seed": seed} | measured(run)


def piece(seed: int) -> dict[str, float]:
    """Explained variance of the last layer's SAE of the preset's width after `PIECE` steps, by seed."""
    found = by_width(seed)[3, 1024].metrics["metrics/explained_variance"].dropna()
    return {str(seed): round(float(found.loc[PIECE - 1]), 5)}


PARTS = {"scaling": scaling, "widths": widths}


def main(only: str = "") -> None:
    """Make what is missing; write the record when no single seed was asked for."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    if only:
        for train in (scaled_or_not, by_width):
            train(int(only))
        return
    pieces = {key: value for seed in SEEDS for key, value in piece(seed).items()}
    more = {f"explained variance after {PIECE} steps": pieces}
    write_record(FILE, rows_of(PARTS, folder()), SEEDS, f"python -m {__spec__.name}", **more)


if __name__ == "__main__":
    main(*sys.argv[1:])
