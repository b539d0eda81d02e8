"""Record what chapter 05 quotes: both layers' SAEs over seeds and widths, and a second model's.

``python -m sae_course.notebooks.record_induction`` takes about an hour on one core and goes on where it was
stopped (what was trained and measured is in ``build/record_induction``: delete it to begin anew). It writes
``utils/sae_course/training/recorded/induction.json`` at the end. With a part's name, only that one.
"""

import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import project_root
from ..training.induction import FILE, LAYERS, MODEL
from .induction_experiment import experiment, found, model
from .recording import Row, rows_of, write_record

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from ..evals import Site
    from ..runs import Run

SEEDS = (0, 1, 2)
WIDTHS = (512, 1024, 2048)
"""Expansions 4, 8 and 16 of the hook point's 128 dimensions."""
CHAPTERS = 1024
KS = (4, 8, 16)
OTHER_MODEL = 1
"""The training seed of the second model."""
ROWS, LOSS_ROWS = 120, 48
"""Held-out rows that latents are counted and matched on; of these, for the model's loss."""
PIECE = 8
"""Steps of the second model's training that a test makes again."""
RELATED = 0.3
"""Correlation from which a wide SAE's latent counts as a part of its best partner in the narrow one."""


def folder(*parts: str) -> Path:
    """Where what was trained lies until the record is written."""
    return project_root().joinpath("build", "record_induction", *parts)


def other_spec() -> Any:
    """The mini model's architecture, data and training, from another seed."""
    from ..models.specs import mini_specs  # noqa: PLC0415

    spec = mini_specs()[MODEL]
    return dataclasses.replace(spec, training=dataclasses.replace(spec.training, seed=OTHER_MODEL))


@cache
def other_model() -> Any:
    """The second model, trained or read."""
    from ..models.batches import batches  # noqa: PLC0415
    from ..models.load import hooked_model  # noqa: PLC0415
    from ..models.ship import file_names  # noqa: PLC0415
    from ..models.train import train  # noqa: PLC0415

    spec = other_spec()
    trained = train(spec, batches(spec), folder("model"), held_out=batches(spec, "test"))
    return hooked_model(spec, file_names(spec, trained.state))


def config(layer: int, seed: int, d_sae: int = CHAPTERS, k: int | None = None) -> Any:
    """The chapter's settings, on the CPU; ``k`` in place of theirs."""
    from ..training import change  # noqa: PLC0415 - SAELens, seconds
    from ..training.induction import sae_config  # noqa: PLC0415

    cfg = change(sae_config(layer, "mini"), d_sae=d_sae, seed=seed)
    cfg = change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")
    return cfg if k is None else change(cfg, k=k)


def saes(
    seed: int, d_sae: int = CHAPTERS, ks: tuple[int, ...] = (), *, of: str = "the model"
) -> "dict[tuple[int, int], Run]":
    """SAEs of both layers, by layer and k, trained from one stream or read."""
    from ..training import train_many  # noqa: PLC0415

    cfgs = {
        f"layer-{layer}-k-{k}": config(layer, seed, d_sae, k)
        for layer in (0, 1)
        for k in ks or (config(0, seed).sae.k,)
    }
    other = other_model() if of == "the other model" else model()
    runs = train_many(cfgs, folder=folder(of, f"{d_sae}-{seed}"), model=other, check=False, show=False)
    return {(int(name.split("-")[1]), int(name.split("-")[3])): run for name, run in runs.items()}


def measured(seed: int, d_sae: int, k: int | None = None) -> "tuple[dict[int, Site], Row]":
    """The two SAEs of one training, and how well they reconstruct, on held-out rows."""
    from ..evals import Site, densities, downstream, harvest, reconstruction  # noqa: PLC0415

    k = k or config(0, seed).sae.k
    runs = saes(seed, d_sae, KS if d_sae == CHAPTERS else ())
    row: Row = {"d_sae": d_sae, "k": k, "seed": seed}
    sites = {}
    for layer in LAYERS:
        sae, hook_point = runs[layer, k].sae(), f"blocks.{layer}.attn.hook_z"
        acts = harvest(model(), held_out(), hook_point).flatten(0, 1)
        effect = downstream(model(), sae, held_out()[:LOSS_ROWS], hook_point)
        row[f"loss recovered, layer {layer}"] = effect.loss_recovered
        row[f"explained variance, layer {layer}"] = reconstruction(sae, acts).explained_variance
        row[f"dead, layer {layer}"] = densities(sae, acts).dead_fraction
        sites[layer] = Site(hook_point, sae)
    return sites, row


@cache
def held_out() -> "Int[Tensor, 'rows pos']":
    """Rows of the test split: stories, and in every fourth a drill."""
    import torch  # noqa: PLC0415

    from ..models import token_stream  # noqa: PLC0415

    return torch.tensor([row["tokens"] for row in token_stream(MODEL, "mini", split="test").take(ROWS)])


def circuits() -> Iterator[Row]:
    """Part ``circuits``: the chapter's experiment for each k and seed."""
    for seed in SEEDS:
        for k in KS:
            sites, row = measured(seed, CHAPTERS, k)
            yield row | experiment(sites)


def widths() -> Iterator[Row]:
    """Part ``widths``: what each layer's SAEs are like at each width."""
    for seed in SEEDS:
        for d_sae in WIDTHS:
            sites, row = measured(seed, d_sae)
            here = found(sites)
            for layer in LAYERS:
                yield {
                    "layer": layer,
                    "d_sae": d_sae,
                    "seed": seed,
                    "explained variance": row[f"explained variance, layer {layer}"],
                    "loss recovered": row[f"loss recovered, layer {layer}"],
                    "dead": row[f"dead, layer {layer}"],
                    "previous-token latents": int(here.previous.sum()),
                    "words of the median": here.words,
                    "induction latents": int(here.induction.sum()),
                }


def splitting() -> Iterator[Row]:
    """Part ``splitting``: the latents of a narrow SAE in one twice as wide, of the same seed's data."""
    import torch  # noqa: PLC0415

    from ..evals import match_latents  # noqa: PLC0415

    for seed in SEEDS:
        for narrow, wide in itertools.pairwise(WIDTHS):
            sides = [on_held_out(measured(seed, d_sae)[0]) for d_sae in (narrow, wide)]
            for layer in LAYERS:
                forth = match_latents(sides[0][layer], sides[1][layer])
                back = match_latents(sides[1][layer], sides[0][layer])
                with_partner = back.partner[back.correlation >= RELATED]
                partners = torch.bincount(with_partner, minlength=narrow)[forth.latents].float()
                yield {
                    "layer": layer,
                    "from": narrow,
                    "to": wide,
                    "seed": seed,
                    "found again": forth.share(),
                    "shuffled": forth.shuffled_share(),
                    "split": float((partners >= 2).float().mean()),
                    "partners": float(partners.mean()),
                }


def models() -> Iterator[Row]:
    """Part ``models``: which latents have a partner in another SAE, of this model or of another."""
    from ..evals import Site, match_latents  # noqa: PLC0415

    k = config(0, 0).sae.k
    others = {
        layer: Site(f"blocks.{layer}.attn.hook_z", saes(0, of="the other model")[layer, k].sae())
        for layer in LAYERS
    }
    own = {seed: on_held_out(measured(seed, CHAPTERS)[0]) for seed in SEEDS}
    across = on_held_out(others, other_model())
    for seed in SEEDS:
        compared = {"another seed of the SAE": own[(seed + 1) % len(SEEDS)], "another model": across}
        for what, side in compared.items():
            for layer in LAYERS:
                matches = match_latents(own[seed][layer], side[layer])
                yield {
                    "compared": what,
                    "layer": layer,
                    "seed": seed,
                    "correlation ≥ .7": matches.share(),
                    "shuffled": matches.shuffled_share(),
                    "median": float(matches.correlation.median()),
                    "median, shuffled": float(matches.shuffled.median()),
                }


def on_held_out(sites: "dict[int, Site]", of: Any = None) -> "dict[int, Float[Tensor, 'rows pos d_sae']]":
    """Each layer's latents on the held-out rows."""
    from ..evals import harvest, latent_activations  # noqa: PLC0415

    return {
        layer: latent_activations(site.sae, harvest(of or model(), held_out(), site.hook_point))
        for layer, site in sites.items()
    }


def models_compared() -> Row:
    """What the second model can do, beside the first: it has to have the circuit, too."""
    from ..models.measures.heads import SEQUENCES, half_losses, head_scores, repeated_random  # noqa: PLC0415

    tokens = repeated_random(SEQUENCES, model().cfg.d_vocab)
    return {
        name: {
            "previous-token score": round(float(head_scores(one, tokens)[0].max()), 4),
            "induction score": round(float(head_scores(one, tokens)[1].max()), 4),
            "loss on the repetition": round(half_losses(one, tokens)[1], 4),
        }
        for name, one in {"the model": model(), "the other model": other_model()}.items()
    }


PARTS = {"circuits": circuits, "widths": widths, "splitting": splitting, "models": models}


def first_loss() -> float:
    """The second model's loss over its first `PIECE` steps, in nats per token: a test makes them again."""
    import tempfile  # noqa: PLC0415

    from ..models.batches import batches  # noqa: PLC0415
    from ..models.train import Progress, train  # noqa: PLC0415

    lines: list[Progress] = []

    def stop(step: int, line: Progress | None) -> None:
        if line is not None:
            lines.append(line)
            raise KeyboardInterrupt

    spec = other_spec()
    with tempfile.TemporaryDirectory() as place, contextlib.suppress(KeyboardInterrupt):
        train(spec, batches(spec), Path(place), on_progress=stop, report_every=PIECE)
    return lines[0].loss


def main(only: str = "") -> None:
    """Make what is missing; write the record when every part was asked for."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    measured_parts = rows_of(PARTS, folder(), only)
    if only:
        return
    more = {
        "models": models_compared(),
        f"other model's loss over {PIECE} steps": round(first_loss(), 4),
    }
    write_record(FILE, measured_parts, SEEDS, f"python -m {__spec__.name}", **more)


if __name__ == "__main__":
    main(*sys.argv[1:])
