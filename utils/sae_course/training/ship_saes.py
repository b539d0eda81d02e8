"""Train the SAEs that come with the course: a mini preset each, seed 0, weights rounded to float16.

``python -m sae_course.training.ship_saes`` takes ten minutes on two cores and goes on where it was stopped;
with names, only those. No choice is made by their results: one run each, as it comes.
"""

import dataclasses
import hashlib
import shutil
import sys
from typing import TYPE_CHECKING, Any

from ..runtime import home, project_root
from .shipped import RUNS, TWIN, WEIGHTS, place

if TYPE_CHECKING:
    from ..runs import Run

TOKENS, LOSS_ROWS = 50_000, 64
"""Held-out tokens that latents are counted on, and rows of these that the model's loss is measured on."""


def config(name: str) -> Any:
    """What a shipped SAE is trained with, on the CPU."""
    from .presets import preset  # noqa: PLC0415 - SAELens, seconds
    from .settings import change  # noqa: PLC0415

    given = {key: value for key, value in RUNS[name].items() if key != "b_dec_init_method"}
    cfg = preset(given.pop("preset", name.partition("-layer")[0]), "mini", "today", **given)
    return change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")


def model_of(name: str, cfg: Any) -> Any:
    """The model that a shipped SAE is of: the stand-in, or its random-weights twin."""
    from ..models import load_model, random_twin  # noqa: PLC0415

    if name.endswith(TWIN):
        return random_twin(cfg.model_name, "mini", device="cpu")
    return load_model(cfg.model_name, "mini", device="cpu", quiet=True)


def measured(sae: Any, cfg: Any, model: Any) -> dict[str, float]:
    """The shipped SAE's figures on held-out rows."""
    import torch  # noqa: PLC0415

    from ..evals import densities, downstream, harvest, reconstruction  # noqa: PLC0415
    from ..models import token_stream  # noqa: PLC0415

    stream = token_stream(cfg.model_name, "mini", split="test", n_ctx=cfg.context_size)
    seen = slice(*cfg.seqpos_slice)
    n_rows = -(-TOKENS // len(range(cfg.context_size)[seen]))
    tokens = torch.tensor([row["tokens"] for row in stream.take(n_rows)])
    acts = harvest(model, tokens, cfg.hook_name)[:, seen].flatten(0, 1)
    quality = reconstruction(sae, acts)
    loss = downstream(model, sae, tokens[:LOSS_ROWS], cfg.hook_name)
    return {
        "L0": round(quality.l0, 3),
        "explained variance": round(quality.explained_variance, 4),
        "loss recovered": round(loss.loss_recovered, 4),
        "dead": round(densities(sae, acts).dead_fraction, 4),
        "tokens": len(acts),
    }


def ship(name: str) -> "Run":
    """Train one, round it, measure it before and after, and put it into the package."""
    from safetensors.torch import load_file, save  # noqa: PLC0415

    from ..runs import Run  # noqa: PLC0415
    from ..runtime import write_atomic  # noqa: PLC0415
    from .runner import train  # noqa: PLC0415

    cfg = config(name)
    model = model_of(name, cfg)
    begin = RUNS[name].get("b_dec_init_method", "zeros")
    folder = home() / "ship-saes" / name
    run = train(cfg, name=name, folder=folder, model=model, b_dec_init_method=begin, show=False)
    before = measured(run.sae(), cfg, model)
    rounded = home() / "ship-saes" / f"{name}-rounded"
    shutil.rmtree(rounded, ignore_errors=True)
    run.save(rounded)
    weights = rounded / "sae" / WEIGHTS
    halves = {key: tensor.half() for key, tensor in load_file(weights).items()}
    write_atomic(weights, save(halves))
    shipped = {
        "command": f"python -m {__spec__.name} {name}",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "measured": measured(Run.load(rounded).sae(), cfg, model),
        "measured before rounding": before,
    }
    whole = dataclasses.replace(Run.load(rounded), notes=run.notes | {"shipped": shipped})
    shutil.rmtree(place(name), ignore_errors=True)
    place(name).parent.mkdir(exist_ok=True)
    return whole.save(place(name))


def main(*names: str) -> None:
    """Ship the SAEs named, or all."""
    for name in names or RUNS:
        run = ship(name)
        print(name, run.notes["shipped"]["measured"], flush=True)
        print(f"written: {place(name).relative_to(project_root())}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
