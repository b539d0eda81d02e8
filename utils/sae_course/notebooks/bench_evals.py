"""What measuring and looking cost, with SAEs that are shipped; ratios within one process."""

import statistics
import time
from collections.abc import Callable
from typing import Any

ROWS, LATENTS = 64, 8
ATTRIBUTED = (8, 129)
"""Rows and their length for the pairs of two layers' latents."""
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
    ]
    return found


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
