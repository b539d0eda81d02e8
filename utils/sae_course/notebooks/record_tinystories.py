"""Record what chapter 03 quotes: seeds, sweeps, more tokens, repeated data.

``python -m sae_course.notebooks.record_tinystories`` takes an hour or two. It goes on where it was
stopped (every run in ``build/record_tinystories`` is resumed or read: delete that folder to begin anew), and
writes ``utils/sae_course/training/recorded/tinystories.json`` at the end. With a part's name, only that one.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime import project_root, read_json, write_json
from ..training.recorded_file import checksum
from ..training.tinystories import FILE, Row
from .definitions import definitions
from .recording import made_by, rows_of

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor

SEEDS = (0, 1, 2)
SOURCE = "solutions/03a_tinystories_by_hand.py"
MODEL = "tiny-stories-1L-21M"
L1 = (1.0, 2.0, 4.0, 8.0)
K = (4, 8, 16, 32, 64)
TOKENS = {"L1": (2**18, 2**20), "k": (2**20,)}
PASSES = (1, 4, 16, 64)
"""How often training sees each row, with the same number of tokens in all."""
ROWS, FEATURE_ROWS, LOSS_ROWS = 200, 160, 64
"""Held-out rows that latents are counted on; of these, for the features, and for the model's loss."""
VARIANTS: dict[str, dict[str, Any]] = {
    "by hand": {},
    "no auxiliary loss": {"aux_coefficient": 0.0},
    "not mixed": {"buffer_rows": 0},
    "not mixed, batches of one row": {"buffer_rows": 0, "batch_size": 256},
    "mixed, batches of 256": {"batch_size": 256},
}
"""Of chapter 03a's run: what each changes. A buffer of 0 rows: batches as the model gives them."""


def folder(*parts: str) -> Path:
    """Where the runs of a part lie until the record is written."""
    return project_root().joinpath("build", "record_tinystories", *parts)


@cache
def model() -> Any:
    """The mini model, on the CPU, so that a record can be reproduced anywhere."""
    from ..models import load_model  # noqa: PLC0415 - seconds

    return load_model(MODEL, "mini", device="cpu", quiet=True)


@cache
def held_out() -> "Int[Tensor, 'rows pos']":
    """`ROWS` rows of the test split."""
    import torch  # noqa: PLC0415

    from ..models import token_stream  # noqa: PLC0415

    stream = token_stream(MODEL, "mini", split="test")
    return torch.tensor([row["tokens"] for row in stream.take(ROWS)])


def measured(sae: Any) -> Row:
    """The figures that chapter 03 shows of an SAE, on held-out rows."""
    from ..evals import densities, downstream, harvest, reconstruction  # noqa: PLC0415

    hook_point = "blocks.0.hook_mlp_out"
    acts = harvest(model(), held_out(), hook_point).flatten(0, 1)
    quality, fired = reconstruction(sae, acts), densities(sae, acts)
    loss = downstream(model(), sae, held_out()[:LOSS_ROWS], hook_point)
    return {
        "loss recovered": round(loss.loss_recovered, 5),
        "KL recovered": round(loss.kl_recovered, 5),
        "CE": round(loss.ce_with_sae, 5),
        "L0": round(quality.l0, 4),
        "L1": round(quality.l1, 4),
        "explained variance": round(quality.explained_variance, 5),
        "explained variance about zero": round(quality.explained_variance_about_zero, 5),
        "explained variance per token": round(quality.explained_variance_per_token, 5),
        "shrinkage": round(quality.shrinkage, 5),
        "dead": round(fired.dead_fraction, 5),
    }


def _preset(architecture: str, **changes: Any) -> Any:
    from ..training import change, preset  # noqa: PLC0415 - SAELens, seconds

    cfg = preset("tinystories", "mini", "today", architecture=architecture, **changes)
    return change(cfg, device="cpu", llm_device="cpu", act_store_device="cpu")


def _trained(
    part: str, name: str, cfgs: dict[str, Any], dataset: Any = None, model: Any = None
) -> dict[str, Any]:
    """The SAEs of runs that learn from one stream, trained or read."""
    from ..training import train_many  # noqa: PLC0415

    where = folder(part, name)
    runs = train_many(cfgs, folder=where, dataset=dataset, model=model, check=False, show=False)
    return {run: found.sae() for run, found in runs.items()}


def sweep(part: str) -> Iterator[Row]:
    """Part ``L1`` (Standard SAEs) or ``k`` (TopK): coefficient, tokens and seed."""
    setting = "l1_coefficient" if part == "L1" else "k"
    architecture = "standard" if part == "L1" else "topk"
    named = "coefficient" if part == "L1" else "k"  # "L1" is what the latents' sum is called
    for tokens in TOKENS[part]:
        cfgs, settings = {}, {}
        for value in L1 if part == "L1" else K:
            for seed in SEEDS:
                name = f"{value}-{seed}"
                changes = {setting: value, "seed": seed, "training_tokens": tokens}
                cfgs[name] = _preset(architecture, **changes)
                settings[name] = {named: value, "tokens": tokens, "seed": seed}
        for name, sae in _trained(part, str(tokens), cfgs).items():
            yield settings[name] | measured(sae)


def repeated() -> Iterator[Row]:
    """Part ``data``: as many tokens in all, from fewer rows that come again."""
    from datasets import IterableDataset  # noqa: PLC0415

    from ..models import token_stream  # noqa: PLC0415
    from ..models.streams import HELD_OUT  # noqa: PLC0415

    tokens, context = 2**20, 256
    for passes in PASSES:
        n_rows = tokens // context // passes

        def rows(n: int = n_rows) -> Iterator[Row]:
            # What training holds out of a dataset that is handed to it comes first; here it isn't looked at.
            yield from token_stream(MODEL, "mini", split="test", seed=1).take(HELD_OUT)
            kept = list(token_stream(MODEL, "mini").take(n))
            while True:
                yield from kept

        dataset = IterableDataset.from_generator(rows) if passes > 1 else None
        cfgs = {str(seed): _preset("topk", seed=seed) for seed in SEEDS}
        for seed, sae in _trained("data", str(passes), cfgs, dataset).items():
            yield {"passes": passes, "rows": n_rows, "tokens": tokens, "seed": int(seed)} | measured(sae)


def code_sha256() -> str:
    """Of chapter 03a's functions and classes; its prose may change without making a record old."""
    kept = ast.FunctionDef | ast.ClassDef
    nodes = ast.parse((project_root() / SOURCE).read_text(encoding="utf-8")).body
    code = "\n".join(ast.dump(node) for node in nodes if isinstance(node, kept))
    return hashlib.sha256(code.encode()).hexdigest()


def by_hand() -> Iterator[Row]:
    """Part ``by hand``: chapter 03a's own functions, as its cells use them, each with one thing changed."""
    import torch  # noqa: PLC0415

    from ..training.by_hand import hand_config  # noqa: PLC0415

    done = folder("by hand.json")
    code = code_sha256()[:16]
    known: dict[str, Row] = read_json(done) if done.is_file() else {}
    for variant, changes in VARIANTS.items():
        for seed in SEEDS:
            key = f"{code}/{variant}/{seed}"
            if key not in known:
                torch.set_num_threads(1)
                config = hand_config("mini", seed=seed, device="cpu", **changes)
                chapter = definitions(project_root() / SOURCE, config=config, device="cpu", model=model())
                chapter["tqdm"] = lambda steps, **_: steps
                sae, history = chapter["trained"](config)
                row = {"variant": variant, "seed": seed} | measured(sae)
                row[f"mse after {PIECE} steps"] = round(history[PIECE - 1]["mse"], 5)
                known[key] = row
                done.parent.mkdir(parents=True, exist_ok=True)
                write_json(done, known)
            yield known[key]


PIECE = 20
"""Steps of the run by hand that a test makes again."""


def with_saelens() -> Iterator[Row]:
    """Part ``SAELens``: the preset's own run, TopK; each seed on its own data (part ``k``'s share theirs)."""
    for seed in SEEDS:
        yield {"seed": seed} | measured(_with_saelens(seed))


def _with_saelens(seed: int) -> Any:
    return _trained("SAELens", str(seed), {str(seed): _preset("topk", seed=seed)})[str(seed)]


def by_features() -> Iterator[Row]:
    """Part ``features``: the best single unit for each label, of the SAE and of four baselines."""
    from ..evals import (  # noqa: PLC0415
        feature_scores,
        harvest,
        latent_activations,
        linear_probes,
        pca_directions,
    )
    from ..models import random_twin, token_labels, truth  # noqa: PLC0415
    from ..training.assemble import new_sae  # noqa: PLC0415

    tokens, hook_point = held_out()[:FEATURE_ROWS], "blocks.0.hook_mlp_out"
    acts = harvest(model(), tokens, hook_point)
    features, identities = truth(MODEL, tokens, "mini"), token_labels(tokens, model().tokenizer)
    labels = {"feature": features, "next feature": features.of_next()}
    labels |= {"token": identities, "next token": identities.of_next()}
    probes = {name: linear_probes(acts[:, : one.values.shape[1]], one) for name, one in labels.items()}
    for seed in SEEDS:
        cfg = _preset("topk", seed=seed)
        twin = random_twin(MODEL, "mini", seed, device="cpu")
        twins_sae = _trained("twin", str(seed), {str(seed): cfg}, model=twin)[str(seed)]
        sources = {
            "SAE": latent_activations(_with_saelens(seed), acts),
            "neurons": acts,
            "PCA": pca_directions(acts, acts.shape[-1]),
            "untrained SAE": latent_activations(new_sae(cfg), acts),
            "SAE of the random twin": latent_activations(twins_sae, harvest(twin, tokens, hook_point)),
        }
        for kind, one in labels.items():
            n_pos = one.values.shape[1]
            scores = feature_scores({name: units[:, :n_pos] for name, units in sources.items()}, one)
            share = scores.share_of_readable(probes[kind])
            for source in sources:
                best = scores.best(source)
                yield {
                    "labels": kind,
                    "source": source,
                    "seed": seed,
                    "labels scored": len(best),
                    "readable by a probe": len(scores.readable(probes[kind])),
                    "AUROC ≥ .9, of the readable": round(share[source], 4),
                    "median AUROC": round(float(best["AUROC"].median()), 4),
                    "median F1": round(float(best["F1"].median()), 4),
                }


def tried() -> Iterator[Row]:
    """Part ``tried``: other SAEs, and whether one latent of theirs tells a story's features; one seed."""
    from ..evals import feature_scores, harvest, latent_activations, linear_probes  # noqa: PLC0415
    from ..models import truth  # noqa: PLC0415

    cfgs = {f"{name}, {TRIED_DEFAULT | more}": _preset(name, **more) for name, more in TRIED}
    tokens = held_out()[:FEATURE_ROWS]
    acts, features = harvest(model(), tokens, "blocks.0.hook_mlp_out"), truth(MODEL, tokens, "mini")
    probes = linear_probes(acts, features)
    for (name, more), sae in zip(TRIED, _trained("tried", "all", cfgs).values(), strict=True):
        scores = feature_scores({"SAE": latent_activations(sae, acts)}, features)
        share = scores.share_of_readable(probes)["SAE"]
        settings = ", ".join(f"{key} {value}" for key, value in (TRIED_DEFAULT | more).items())
        yield {"SAE": f"{name}, {settings}", "AUROC ≥ .9, of the readable": round(share, 4)} | measured(sae)


TRIED_DEFAULT: dict[str, Any] = {"d_sae": 1024}
TRIED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("batchtopk", {"k": 8}),
    ("batchtopk", {"k": 16}),
    ("batchtopk", {"k": 16, "d_sae": 256}),
    ("batchtopk", {"k": 16, "d_sae": 128}),
    ("batchtopk", {"k": 32, "d_sae": 256}),
    ("standard", {"l1_coefficient": 2.0}),
    ("standard", {"l1_coefficient": 2.0, "d_sae": 256}),
    ("gated", {"l1_coefficient": 3.0}),
    ("gated", {"l1_coefficient": 3.0, "d_sae": 256}),
    ("jumprelu", {"l0_coefficient": 0.4, "d_sae": 256}),
    ("matryoshka_batchtopk", {"k": 16, "matryoshka_widths": [64, 256, 1024]}),
    ("matryoshka_batchtopk", {"k": 16, "matryoshka_widths": [16, 32, 64, 128, 256, 512, 1024]}),
    ("matryoshka_batchtopk", {"k": 16, "d_sae": 256, "matryoshka_widths": [32, 64, 128, 256]}),
)
"""Architectures, widths and sparsities beside the preset's."""


PARTS = {
    "L1": lambda: sweep("L1"),
    "k": lambda: sweep("k"),
    "data": repeated,
    "SAELens": with_saelens,
    "features": by_features,
    "tried": tried,
    "by hand": by_hand,
}


def main(only: str = "") -> None:
    """Make what is missing; write the record when every part was asked for."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    # "by hand" looks for itself whether the chapter's code is still the same.
    parts = rows_of(PARTS, folder(), only, anew=["by hand"])
    if only:
        return
    provenance = made_by(f"python -m {__spec__.name}") | {
        "source": SOURCE,
        "code_sha256": code_sha256(),
        "sha256": checksum(parts),
    }
    path = Path(__file__).parents[1] / "training" / "recorded" / FILE
    write_json(path, {"provenance": provenance, "seeds": list(SEEDS), "parts": parts})
    print(f"Written to {path.relative_to(project_root())}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
