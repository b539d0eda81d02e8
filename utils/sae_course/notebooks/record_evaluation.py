"""Record what chapter 08 quotes: five reports, absorption by width, latents found again, the right L0.

``python -m sae_course.notebooks.record_evaluation`` takes half an hour on one core and goes on where it was
stopped (what was trained is in ``build/record_evaluation`` and, by width, in ``build/record_gemma``: delete
them to begin anew). It writes ``utils/sae_course/training/recorded/evaluation.json`` at the end. With the
name of a part, only that one is made. The map needs umap-learn (``pip install umap-learn``), and nothing
else does.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError, project_root
from ..training.evaluation import FILE, FIVE, SITES, finished_sae, finished_twin, labels_for, scorecard_sae
from .recording import Row, rows_of, write_record

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.labels import Labels
    from ..runs import Run

SEEDS = (0, 1, 2)
KS = (4, 8, 16, 32, 64)
SHARE = 2
"""Of the preset's tokens, half are read by the SAEs of part ``k``."""
ROWS = {"03": 64, "05": 64, "06": 200}
"""Held-out rows of each chapter's reports."""
GEMMA, GEMMA_ROWS, GEMMA_WIDTHS, GEMMA_LAYERS = "gemma-2-2b", 96, (256, 512, 1024, 2048), (1, 3)
MAP_LAYER, MAP_WIDTH, NEIGHBOURS = 1, 2048, 15
"""The SAE whose decoder is drawn, and UMAP's setting."""


def folder(*parts: str) -> Path:
    """Where what was trained lies until the record is written."""
    return project_root().joinpath("build", "record_evaluation", *parts)


def held_out(model: str, n: int) -> "Tensor":
    """Rows that no training read."""
    import torch  # noqa: PLC0415

    from ..models import token_stream  # noqa: PLC0415 - seconds

    return torch.tensor([row["tokens"] for row in token_stream(model, "mini", split="test").take(n)])


def reports() -> Iterator[Row]:
    """Part ``reports``: each of the five, as a saved report."""
    for name in FIVE:
        yield report_of(name)


def report_of(name: str) -> Row:
    """One of the five beside its baselines."""
    from .. import evals  # noqa: PLC0415
    from ..models import load_model  # noqa: PLC0415

    chapter, sae = scorecard_sae(name)
    site = SITES[chapter]
    model = load_model(site.model, "mini", device="cpu", quiet=True)
    rows = held_out(site.model, ROWS[chapter])
    found = evals.report(
        model, sae, rows, labels=labels_for(chapter, rows, model.tokenizer, scale="mini"),
        twin=finished_twin(chapter, "mini"), positions=site.positions, name=name,
    )  # fmt: skip
    plain = found.as_dict()
    return plain | {"details": {}}  # the scores are what the chapter shows


def twins() -> Iterator[Row]:
    """Part ``twin``: what the SAEs of the random twins reach, beside those of the models."""
    from .. import evals  # noqa: PLC0415
    from ..models import load_model, token_labels  # noqa: PLC0415

    for chapter in ("03", "05"):
        site = SITES[chapter]
        rows = held_out(site.model, ROWS[chapter])
        model = load_model(site.model, "mini", device="cpu", quiet=True)
        twin = finished_twin(chapter, "mini")
        assert twin is not None, "there is one at mini scale"
        own = finished_sae(chapter, "mini", device="cpu")
        current = token_labels(rows, model.tokenizer)
        following = current.of_next()
        for whose, (of, sae) in {"the model": (model, own), "the random twin": twin}.items():
            acts = evals.harvest(of, rows, own.cfg.metadata.hook_name)
            quality, a = evals.reconstruction(sae, acts), evals.latent_activations(sae, acts)
            told = {
                what: evals.feature_scores({"": a[:, : labels.values.shape[1]]}, labels)
                for what, labels in {"current": current, "next": following}.items()
            }
            yield {
                "chapter": chapter,
                "SAE of": whose,
                "L0": quality.l0,
                "explained variance": quality.explained_variance,
                "current token told": told["current"].share()[""],
                "next token told": told["next"].share()[""],
            }


def by_k(seed: int) -> "dict[int, Run]":
    """Chapter 03's TopK SAE with other numbers of latents that fire, all from one stream."""
    from ..models import load_model  # noqa: PLC0415
    from ..training import change, preset, train_many  # noqa: PLC0415

    cfgs = {}
    for k in KS:
        cfg = change(preset("tinystories", "mini", "today", architecture="topk", seed=seed), k=k)
        cfg = change(cfg, training_tokens=cfg.training_tokens // SHARE)
        cfgs[f"k-{k}"] = change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")
    model = load_model(cfg.model_name, "mini", device="cpu", quiet=True)
    runs = train_many(cfgs, folder=folder(f"k-{seed}"), model=model, check=False, show=False)
    return dict(zip(KS, runs.values(), strict=True))


def right_l0() -> Iterator[Row]:
    """Part ``k``: explained variance, loss, the decoder's cosine and what single latents tell, by k."""
    from .. import evals  # noqa: PLC0415
    from ..models import load_model  # noqa: PLC0415

    site = SITES["03"]
    model = load_model(site.model, "mini", device="cpu", quiet=True)
    rows = held_out(site.model, ROWS["03"])
    labels = labels_for("03", rows, model.tokenizer, scale="mini")
    for seed in SEEDS:
        for k, run in by_k(seed).items():
            sae = run.sae("cpu")
            where = run.config["hook_name"]
            acts = evals.harvest(model, rows, where)
            a = evals.latent_activations(sae, acts)
            told = evals.feature_scores({"": a[:, site.positions]}, labels)
            yield {
                "k": k,
                "seed": seed,
                "explained variance": evals.reconstruction(sae, acts).explained_variance,
                "CE recovered": evals.downstream(model, sae, rows[:24], where).loss_recovered,
                "decoder cosine": decoder_cosine(sae, a),
                "F1 of the best unit": float(told.sources[""].f1.mean()),
                "features told": told.share()[""],
            }


def decoder_cosine(sae: Any, a: "Tensor") -> float:
    """Mean |cosine| between two different live latents' decoder directions."""
    import torch  # noqa: PLC0415

    live = (a != 0).flatten(0, -2).any(0)
    directions = torch.nn.functional.normalize(sae.W_dec.detach()[live], dim=1)
    n = len(directions)
    return float(((directions @ directions.T).abs().sum() - n) / (n * (n - 1)))


def _gemma() -> "tuple[Any, Tensor, Labels]":
    from ..models import load_model, truth  # noqa: PLC0415

    rows = held_out(GEMMA, GEMMA_ROWS)
    return load_model(GEMMA, "mini", device="cpu", quiet=True), rows, truth(GEMMA, rows, "mini")


def widths() -> Iterator[Row]:
    """Part ``widths``: absorption and splitting of chapter 07's SAEs, by layer, width and seed."""
    from .. import evals  # noqa: PLC0415
    from .record_gemma import by_width  # noqa: PLC0415

    model, rows, labels = _gemma()
    for layer in GEMMA_LAYERS:
        acts = evals.harvest(model, rows, f"blocks.{layer}.hook_resid_post")
        probes = evals.linear_probes(acts, labels)
        for seed in SEEDS:
            units = {
                str(width): evals.units_of(by_width(seed)[layer, width].sae("cpu"), acts, str(width))
                for width in GEMMA_WIDTHS
            }
            split = evals.splitting(units, labels)
            for width, one in units.items():
                taken = evals.absorption(one, labels, probes=probes)
                yield {
                    "layer": layer,
                    "d_sae": int(width),
                    "seed": seed,
                    "explained variance": _explained(one),
                    "absorbed": taken.rate.value,
                    "parents told": taken.told.value,
                    "features told": split.told(width),
                    "latents for a told feature": split.mean(width).value,
                }


def _explained(units: Any) -> float:
    x, out = units.x.flatten(0, 1), units.reconstruction.flatten(0, 1)
    return 1 - float((x - out).square().sum() / (x - x.mean(0)).square().sum())


def same() -> Iterator[Row]:
    """Part ``same``: the share of latents that another seed or width has, too."""
    from .. import evals  # noqa: PLC0415
    from .record_gemma import by_width  # noqa: PLC0415

    model, rows, _ = _gemma()
    layer = MAP_LAYER
    acts = evals.harvest(model, rows, f"blocks.{layer}.hook_resid_post")
    first = by_width(0)
    one = evals.latent_activations(first[layer, 1024].sae("cpu"), acts)
    for seed in SEEDS[1:]:
        yield _found_again("another seed", seed, one, by_width(seed)[layer, 1024], acts)
    for width in (512, 2048):
        yield _found_again(f"{width} latents", 0, one, first[layer, width], acts)


def _found_again(other: str, seed: int, one: "Tensor", run: "Run", acts: "Tensor") -> Row:
    from .. import evals  # noqa: PLC0415

    found = evals.match_latents(one, evals.latent_activations(run.sae("cpu"), acts))
    return {
        "other": other,
        "seed": seed,
        "found again": found.share(),
        "by luck": found.shuffled_share(),
        "median correlation": float(found.correlation.median()),
    }


def control() -> Iterator[Row]:
    """Part ``control``: sparse control on the indirect-object task, of chapter 07's shipped SAE."""
    from .. import evals  # noqa: PLC0415
    from ..data.indirect_objects import indirect_objects  # noqa: PLC0415
    from ..models import load_model  # noqa: PLC0415
    from ..training import shipped_run  # noqa: PLC0415

    model = load_model(GEMMA, "mini", device="cpu", quiet=True)
    sae = shipped_run("gemma").sae("cpu")
    for seed in SEEDS:
        task = indirect_objects(model.tokenizer, 128, seed=seed)
        found = evals.sparse_control(model, sae, task, sae.cfg.metadata.hook_name, seed=seed)
        for source in found.edited:
            for k in found.ks:
                point = found.at(source, k)
                yield {
                    "edited": source,
                    "k": k,
                    "seed": seed,
                    "swapped": point.success.value,
                    "flipped": point.flipped.value,
                    "accuracy": found.accuracy,
                    "carried": found.carried,
                }


def directions_map() -> Iterator[Row]:
    """Part ``map``: decoder directions in two dimensions, with the family whose feature each tells best."""
    import torch  # noqa: PLC0415

    from .. import evals  # noqa: PLC0415
    from .record_gemma import by_width  # noqa: PLC0415

    try:
        umap = import_module("umap")
    except ImportError as error:
        raise CourseError("The map is laid out by umap-learn: pip install umap-learn.") from error
    model, rows, labels = _gemma()
    sae = by_width(0)[MAP_LAYER, MAP_WIDTH].sae("cpu")
    acts = evals.harvest(model, rows, f"blocks.{MAP_LAYER}.hook_resid_post")
    units = evals.units_of(sae, acts)
    fires = (units.a != 0).flatten(0, 1).float()
    often = fires.sum(0) >= 30
    truth = torch.as_tensor(labels.values).flatten(0, 1).float()
    f1 = 2 * (fires.T @ truth) / (fires.sum(0)[:, None] + truth.sum(0))
    best = f1.max(1)
    layout = umap.UMAP(n_neighbors=NEIGHBOURS, metric="cosine", random_state=0, n_jobs=1)
    places = layout.fit_transform(units.directions[often].numpy())  # type: ignore[index]
    told = [
        (float(f), labels.names[int(at)])
        for f, at in zip(best.values[often], best.indices[often], strict=True)
    ]
    for (x, y), latent, (score, feature) in zip(
        places, often.nonzero().flatten().tolist(), told, strict=True
    ):
        family = feature.partition(":")[0] if score >= MAP_F1 else ""
        yield {"latent": latent, "x": float(x), "y": float(y), "family": family}


MAP_F1 = 0.3
"""F1 from which a latent belongs to its best feature's family."""
PARTS = {
    "reports": reports,
    "twin": twins,
    "k": right_l0,
    "widths": widths,
    "same": same,
    "control": control,
    "map": directions_map,
}


def main(only: str = "") -> None:
    """Make what is missing; write the record when no single part was asked for."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    parts = rows_of(PARTS, folder(), only)
    if not only:
        write_record(FILE, parts, SEEDS, f"python -m {__spec__.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
