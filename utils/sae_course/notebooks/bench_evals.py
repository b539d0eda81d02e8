"""What measuring and looking cost, with SAEs that are shipped; ratios within one process."""

import statistics
import time
from collections.abc import Callable
from typing import Any

ROWS, LATENTS = 64, 8
ATTRIBUTED = (8, 129)
"""Rows and their length for the pairs of two layers' latents."""
BOARD_GAMES, BOARD_UNITS, BOARD_FIRING = 850, 2000, 57
"""Games, units, and how many of them fire at a position, for coverage and reconstruction of boards."""
_REPEATS = 3


def _seconds(work: Callable[[], Any]) -> float:
    """Median wall-clock seconds, after one call that fills caches."""
    work()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rows() -> list[tuple[str, str]]:
    """Name and figure: each against something that everybody knows the price of, a forward pass."""
    import torch  # noqa: PLC0415 - `--help` stays instant

    from .. import evals  # noqa: PLC0415
    from ..dashboards import latent_dashboard  # noqa: PLC0415
    from ..models import load_model, token_stream, truth  # noqa: PLC0415
    from ..training.shipped import shipped_run  # noqa: PLC0415

    torch.set_num_threads(1)
    run = shipped_run("tinystories")
    name, hook_point, sae = run.config["model_name"], run.config["hook_name"], run.sae()
    model = load_model(name, "mini", device="cpu", quiet=True)
    tokens = torch.tensor([row["tokens"] for row in token_stream(name, "mini", split="test").take(ROWS)])
    labels = truth(name, tokens, "mini")
    acts = evals.harvest(model, tokens, hook_point)
    latents = evals.latent_activations(sae, acts)
    flat, values = latents.flatten(0, 1), torch.tensor(labels.values).flatten(0, 1)

    def forward() -> None:
        with torch.no_grad():
            for some in tokens.split(16):
                model(some)

    once = _seconds(forward)
    # The same AUROC read as dense: a constant added leaves every rank as it was, and no zero.
    everywhere = flat + 1
    sparse = _seconds(lambda: evals.auroc(flat, values))
    dense = _seconds(lambda: evals.auroc(everywhere, values))
    page = latent_dashboard(model, sae, tokens, range(LATENTS))
    costs = {
        "loss recovered and KL": _seconds(lambda: evals.downstream(model, sae, tokens, hook_point)),
        f"AUROC, {flat.shape[1]:,} latents × {values.shape[1]} features": sparse,
        "linear probes of all features": _seconds(lambda: evals.linear_probes(acts, labels)),
        f"a dashboard of {LATENTS} latents": _seconds(
            lambda: latent_dashboard(model, sae, tokens, range(LATENTS)).html
        ),
    }
    found = [(f"a forward pass over {tokens.numel():,} tokens", f"{once:.2f} s")]
    found += [(what, f"{cost / once:.1f} forward passes") for what, cost in costs.items()]
    found += [
        ("AUROC of sparse latents: gain over sorting everything", f"{dense / sparse:.1f} ×"),
        ("the dashboard, as a page", f"{len(page.html) / 1e6:.1f} MB"),
        ("the dashboard, in the notebook", f"{len(page._repr_html_()) / 1e3:.0f} kB"),
        attribution_row(),
        boards_row(),
        report_row(),
    ]
    return found


def report_row() -> tuple[str, str]:
    """The whole report of chapter 03's SAE and its five baselines, in forward passes over the same tokens."""
    import torch  # noqa: PLC0415

    from .. import evals  # noqa: PLC0415
    from ..models import load_model, token_stream  # noqa: PLC0415
    from ..training.evaluation import (  # noqa: PLC0415
        SITES,
        EvaluationConfig,
        finished_sae,
        finished_twin,
        labels_for,
    )

    site, n = SITES["03"], EvaluationConfig().rows
    model = load_model(site.model, "mini", device="cpu", quiet=True)
    rows = torch.tensor([row["tokens"] for row in token_stream(site.model, "mini", split="test").take(n)])
    sae, twin = finished_sae("03", "mini", device="cpu"), finished_twin("03", "mini")
    labels = labels_for("03", rows, model.tokenizer, scale="mini")

    def forward() -> None:
        with torch.no_grad():
            for some in rows.split(16):
                model(some)

    once = _seconds(forward)
    start = time.perf_counter()
    evals.report(model, sae, rows, labels=labels, twin=twin, positions=site.positions)
    cost = time.perf_counter() - start
    return f"a whole report, {rows.numel():,} tokens, six dictionaries", f"{cost / once:.0f} forward passes"


def attribution_row() -> tuple[str, str]:
    """Every live pair of chapter 05's latents, in forward passes of its model over the same tokens."""
    import torch  # noqa: PLC0415

    from .. import evals  # noqa: PLC0415
    from ..models import load_model, token_stream  # noqa: PLC0415
    from ..training.shipped import shipped_run  # noqa: PLC0415

    runs = [shipped_run(f"attn-only-2l-layer-{layer}") for layer in (0, 1)]
    source, target = (evals.Site(run.config["hook_name"], run.sae()) for run in runs)
    name = runs[0].config["model_name"]
    model = load_model(name, "mini", device="cpu", quiet=True)
    n_rows, n_ctx = ATTRIBUTED
    stream = token_stream(name, "mini", split="test", n_ctx=n_ctx).take(n_rows)
    tokens = torch.tensor([row["tokens"] for row in stream])

    def forward() -> None:
        with torch.no_grad():
            model(tokens)

    once = _seconds(forward)
    found: list[evals.Attribution] = []
    cost = _seconds(lambda: found.append(evals.latent_attribution(model, source, target, tokens)))
    n_pairs = int((found[0].total != 0).sum())
    return (
        f"attribution of {n_pairs:,} pairs of latents, {tokens.numel():,} tokens",
        f"{cost / once:.0f} forward passes",
    )


def boards_row() -> tuple[str, str]:
    """Coverage and reconstruction, in seconds and in forward passes of chapter 06's model over the games.

    Each unit fires at one in a few of the boards of which its property is true, and at no others: all of them
    speak at every level, which costs the most.
    """
    import torch  # noqa: PLC0415

    from .. import evals  # noqa: PLC0415
    from ..data.othello import BOARD, N_CTX, full_games, labels  # noqa: PLC0415
    from ..models import load_model  # noqa: PLC0415

    games = full_games(BOARD_GAMES, split="test").tokens[:, :N_CTX].astype("int64")
    tokens, truth = torch.from_numpy(games), labels(games)
    model = load_model("othello-gpt", "mini", device="cpu", quiet=True)
    true = torch.from_numpy(truth.only(BOARD["both"]).values)
    stream = torch.Generator().manual_seed(0)
    about = torch.arange(BOARD_UNITS) % true.shape[-1]
    share = BOARD_FIRING / float(true.float().mean((0, 1))[about].sum())
    units = torch.rand(*tokens.shape, BOARD_UNITS, generator=stream)
    for some, of_game in zip(units, true, strict=True):
        some.mul_((some < share) & of_game[:, about])

    few = tokens[:64]

    def forward() -> None:
        with torch.no_grad():
            model(few)

    once = _seconds(forward) * len(tokens) / len(few)
    start = time.perf_counter()  # once: it is long, and there is nothing to warm up
    evals.board_scores(units, truth)
    cost = time.perf_counter() - start
    return (
        f"boards of {BOARD_UNITS:,} units × {true.shape[-1]} properties, {tokens.numel():,} positions",
        f"{cost:.1f} s, {cost / once:.1f} forward passes",
    )
