"""Record what chapter 06 quotes: dictionaries, their baselines and layers, over seeds.

``python -m sae_course.notebooks.record_othello`` takes about an hour on one core and goes on where it was
stopped (what was trained and measured is in ``build/record_othello``: delete it to begin anew). It writes
``utils/sae_course/training/recorded/othello.json`` at the end. With a seed, only that one's training.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import project_root
from ..training.othello import FILE, PRESETS_OF
from .othello_experiment import activations, model, of_probe, of_sae, scored
from .recording import Row, rows_of, write_record

if TYPE_CHECKING:
    from ..runs import Run

SEEDS = (0, 1, 2)
LAYERS = range(6)
ARCHITECTURES = ("standard", "gated", "topk", "batchtopk")
L1 = {"MLP": (0.3, 1.0, 2.0), "residual stream": (0.3, 0.6, 1.2)}
"""Of Standard; the second is the preset's."""
PIECE = 40
"""Steps whose explained variance is recorded too, so that a test can make a piece of a run again."""


def folder(*parts: str) -> Path:
    """Where what was trained lies until the record is written."""
    return project_root().joinpath("build", "record_othello", *parts)


def config(hook: str, architecture: str, seed: int, **changes: Any) -> Any:
    """A chapter's configuration, on the CPU."""
    from ..training import change  # noqa: PLC0415 - SAELens, seconds
    from ..training.othello import sae_config  # noqa: PLC0415

    cfg = sae_config(hook, architecture, "mini", seed=seed, **changes)
    return change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")


def trained(seed: int) -> "dict[tuple[Any, ...], Run]":
    """A seed's SAEs on the model, by hook, architecture, layer and L1 coefficient; all from one stream."""
    cfgs: dict[tuple[Any, ...], Any] = {}
    for hook in PRESETS_OF:
        middle = config(hook, "standard", seed)
        layer, usual = int(middle.hook_name.split(".")[1]), middle.sae.l1_coefficient
        for architecture in ARCHITECTURES:
            cfgs[hook, architecture, layer, usual] = config(hook, architecture, seed)
        for l1 in L1[hook]:
            cfgs[hook, "standard", layer, l1] = config(hook, "standard", seed, l1_coefficient=l1)
    return _train(cfgs, f"model-{seed}", "trained")


def trained_by_layer(seed: int) -> "dict[tuple[Any, ...], Run]":
    """A seed's Standard SAEs at every layer of both hook points, on half of the tokens."""
    tokens = config("MLP", "standard", seed).training_tokens // 2
    cfgs = {
        (hook, layer): config(hook, "standard", seed, layer=layer, training_tokens=tokens)
        for hook in PRESETS_OF
        for layer in LAYERS
    }
    return _train(cfgs, f"layers-{seed}", "trained")


def trained_on_twin(seed: int) -> "dict[tuple[Any, ...], Run]":
    """The same training of Standard SAEs on the random-weights twin."""
    return _train({(hook,): config(hook, "standard", seed) for hook in PRESETS_OF}, f"twin-{seed}", "twin")


def _train(cfgs: dict[tuple[Any, ...], Any], name: str, kind: str) -> "dict[tuple[Any, ...], Run]":
    from ..training import train_many  # noqa: PLC0415

    named = {"-".join(str(part).replace(" ", "-") for part in key): cfg for key, cfg in cfgs.items()}
    runs = train_many(
        named,
        folder=folder(name),
        model=model(kind),
        b_dec_init_method="mean",
        check=False,
        show=False,
    )
    return dict(zip(cfgs, (runs[one] for one in named), strict=True))


def dictionaries() -> Iterator[Row]:
    """Part ``dictionaries``: each hook point's Standard SAE beside its baselines."""
    for seed in SEEDS:
        runs, of_twin = trained(seed), trained_on_twin(seed)
        for hook in PRESETS_OF:
            cfg = config(hook, "standard", seed)
            hook_point, layer = cfg.hook_name, int(cfg.hook_name.split(".")[1])
            run = runs[hook, "standard", layer, cfg.sae.l1_coefficient]
            own = of_sae(run.sae("cpu"), hook_point, seed)
            about: Row = {"hook": hook, "seed": seed}
            yield {"dictionary": "SAE"} | about | own
            twin = of_sae(of_twin[hook,].sae("cpu"), hook_point, seed, "twin")
            yield {"dictionary": "SAE of the random twin"} | about | twin
            yield (
                {"dictionary": "neurons" if hook == "MLP" else "dimensions"}
                | about
                | _plain(hook_point, seed)
            )
            random = _random(hook_point, seed, cfg.sae.d_sae, round(own["L0"]))
            yield {"dictionary": "random directions"} | about | random
            read, as_units = of_probe(hook_point, seed)
            yield {"dictionary": "linear probe"} | about | read | as_units


def _plain(hook_point: str, seed: int) -> Row:
    return scored(activations(hook_point, seed), seed)


def _random(hook_point: str, seed: int, n: int, k: int) -> Row:
    from ..evals import random_directions  # noqa: PLC0415

    return scored(random_directions(activations(hook_point, seed), n, k, seed=seed), seed)


def architectures() -> Iterator[Row]:
    """Part ``architectures``: four architectures at each hook point."""
    for seed in SEEDS:
        for (hook, architecture, layer, l1), run in trained(seed).items():
            cfg = config(hook, "standard", seed)
            if (layer, l1) == (int(cfg.hook_name.split(".")[1]), cfg.sae.l1_coefficient):
                row: Row = {"hook": hook, "architecture": architecture, "seed": seed}
                yield row | of_sae(run.sae("cpu"), cfg.hook_name, seed)


def sparsity() -> Iterator[Row]:
    """Part ``sparsity``: Standard with other L1 coefficients."""
    for seed in SEEDS:
        for (hook, architecture, layer, l1), run in trained(seed).items():
            cfg = config(hook, "standard", seed)
            if architecture == "standard" and layer == int(cfg.hook_name.split(".")[1]):
                row: Row = {"hook": hook, "l1": l1, "seed": seed}
                yield row | of_sae(run.sae("cpu"), cfg.hook_name, seed)


def layers() -> Iterator[Row]:
    """Part ``layers``: Standard at every layer, beside the neurons and a linear probe of the stream there."""
    for seed in SEEDS:
        for (hook, layer), run in trained_by_layer(seed).items():
            hook_point = run.config["hook_name"]
            row: Row = {"hook": hook, "layer": layer, "seed": seed}
            row |= of_sae(run.sae("cpu"), hook_point, seed)
            row |= {f"plain: {name}": value for name, value in _plain(hook_point, seed).items()}
            yield row | (of_probe(hook_point, seed)[0] if hook == "residual stream" else {})


def piece(seed: int) -> dict[str, float]:
    """Explained variance of the preset's Standard SAE on the MLP after `PIECE` steps, by seed."""
    cfg = config("MLP", "standard", seed)
    key = ("MLP", "standard", int(cfg.hook_name.split(".")[1]), cfg.sae.l1_coefficient)
    found = trained(seed)[key].metrics["metrics/explained_variance"].dropna()
    return {str(seed): round(float(found.loc[PIECE - 1]), 5)}


PARTS = {
    "dictionaries": dictionaries,
    "architectures": architectures,
    "sparsity": sparsity,
    "layers": layers,
}


def main(only: str = "") -> None:
    """Make what is missing; write the record when no single seed was asked for."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    if only:
        for train in (trained, trained_on_twin, trained_by_layer):
            train(int(only))
        return
    pieces = {key: value for seed in SEEDS for key, value in piece(seed).items()}
    more = {f"explained variance after {PIECE} steps": pieces}
    write_record(FILE, rows_of(PARTS, folder()), SEEDS, f"python -m {__spec__.name}", **more)


if __name__ == "__main__":
    main(*sys.argv[1:])
