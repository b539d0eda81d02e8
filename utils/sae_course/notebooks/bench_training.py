"""Training an SAE, here and by SAELens' own runner at its defaults: speed and quality on the same data.

Each measurement is a process of its own, with nothing of another's left in it; those that are compared come
in turn, so that a slow moment of the machine hits both. The table by itself:
``python -m sae_course.notebooks.bench_training``.
"""

import json
import statistics
import subprocess
import sys
import time
from typing import Any

MODEL, HOOK, D_IN, D_SAE = "tiny-stories-1L-21M", "blocks.0.hook_mlp_out", 128, 1024
TOKENS = 800_000
L1S = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
SEEDS = (0, 1, 2)
_RECOVERED, _L0 = "model_performance_preservation.ce_loss_score", "sparsity.l0"


def config(architecture: str, seed: int, tokens: int, *, stock: bool, l1: float = 2.0) -> Any:
    """SAELens' defaults. Training here adds autocast, and records; SAELens' runner without W&B does not."""
    from sae_lens import (  # noqa: PLC0415 - seconds
        BatchTopKTrainingSAEConfig,
        LanguageModelSAERunnerConfig,
        LoggingConfig,
        StandardTrainingSAEConfig,
    )

    shape = {"d_in": D_IN, "d_sae": D_SAE}
    sae: Any = (
        StandardTrainingSAEConfig(**shape, l1_coefficient=l1)
        if architecture == "standard"
        else BatchTopKTrainingSAEConfig(**shape, k=16)
    )
    ours = {
        "autocast": True,
        "n_eval_batches": 8,
        "eval_batch_size_prompts": 4,
        "feature_sampling_window": 20,
    }
    return LanguageModelSAERunnerConfig(
        sae=sae,
        model_name=MODEL,
        hook_name=HOOK,
        dataset_path=f"sae-course:{MODEL}",
        context_size=256,
        training_tokens=tokens,
        seed=seed,
        logger=LoggingConfig(log_to_wandb=False, eval_every_n_wandb_logs=4),
        checkpoint_path=None,
        output_path=None,
        verbose=False,
        **({} if stock else ours),
    )


def stock(architecture: str, seed: int, tokens: int) -> dict[str, float]:
    """SAELens' own runner; then the same evaluation as for ours."""
    import logging  # noqa: PLC0415
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    import torch  # noqa: PLC0415
    from sae_lens import SAE, LanguageModelSAETrainingRunner  # noqa: PLC0415
    from sae_lens.training.activation_scaler import ActivationScaler  # noqa: PLC0415

    from ..training.assemble import runner_for  # noqa: PLC0415
    from ..training.source import find  # noqa: PLC0415

    logging.getLogger("sae_lens").setLevel(logging.ERROR)
    cfg = config(architecture, seed, tokens, stock=True)
    source = find(cfg)
    torch.manual_seed(seed)
    start = time.perf_counter()
    sae = LanguageModelSAETrainingRunner(
        cfg, override_dataset=source.dataset, override_model=source.model
    ).run()
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        sae.save_inference_model(folder)
        saved = SAE.load_from_disk(Path(folder))
    evaluator = runner_for({"a": config(architecture, seed, tokens, stock=False)}, find(cfg)).evaluator
    with torch.no_grad():
        found = evaluator(
            saes={"a": saved},
            data_provider=iter(()),
            activation_scalers={"a": ActivationScaler()},
            hook_names={"a": HOOK},
        )
    return {
        "seconds": seconds,
        "recovered": found["a/model_performance_preservation"]["ce_loss_score"],
        "l0": found["a/sparsity"]["l0"],
    }


def ours(architecture: str, seed: int, tokens: int) -> dict[str, float]:
    """`train`, recording, evaluations and checkpoints included."""
    import resource  # noqa: PLC0415 - not on Windows

    from ..training.runner import train  # noqa: PLC0415
    from ..training.source import find  # noqa: PLC0415

    cfg = config(architecture, seed, tokens, stock=False)
    source = find(cfg)
    start = time.perf_counter()
    run = train(cfg, model=source.model, check=False, show=False)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in kB on Linux
    return {
        "seconds": seconds,
        "recovered": run.final[_RECOVERED],
        "l0": run.final[_L0],
        "gigabytes": memory / 1e6,
    }


def many(seed: int, tokens: int) -> dict[str, float]:
    """`train_many` of eight L1 coefficients."""
    from ..training.runner import train_many  # noqa: PLC0415
    from ..training.source import find  # noqa: PLC0415

    cfgs = {f"l1={l1}": config("standard", seed, tokens, stock=False, l1=l1) for l1 in L1S}
    source = find(next(iter(cfgs.values())))
    start = time.perf_counter()
    train_many(cfgs, model=source.model, check=False, show=False)
    return {"seconds": time.perf_counter() - start}


def products() -> dict[str, float]:
    """GFLOP/s of a matrix product of the SAE's shape and of a large square one, in float32 and bfloat16."""
    import torch  # noqa: PLC0415

    def speed(shape: tuple[int, int, int], dtype: torch.dtype) -> float:
        n, k, m = shape
        a, b = torch.randn(n, k).to(dtype), torch.randn(k, m).to(dtype)
        out = torch.empty(n, m, dtype=dtype)
        best = 0.0
        for _ in range(20):
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            best = max(best, 2e-9 * n * k * m / (time.perf_counter() - start))
        return best

    shape = (4096, D_IN, D_SAE)
    return {
        "float32": speed(shape, torch.float32),
        "bfloat16": speed(shape, torch.bfloat16),
        "large float32": speed((2048, 2048, 2048), torch.float32),
    }


def flops_per_token() -> float:
    """Of matrix products: the model up to the hook point, and the SAE's two forward and three backward."""
    model = 4 * D_IN**2 + 2 * 256 * D_IN + 2 * D_IN * 4 * D_IN
    return 2.0 * (model + 5 * D_IN * D_SAE)


def measured(*arguments: Any) -> dict[str, float]:
    """One measurement, in a new process with a home of its own."""
    import os  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", __spec__.name, *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"SAE_COURSE_HOME": home, "SAE_COURSE_SCALE": "mini"},
        )
    return json.loads(done.stdout.splitlines()[-1])


def rows(tokens: int = TOKENS) -> list[tuple[str, str]]:
    """Name and figure, in the order of the table."""
    found: list[tuple[str, str]] = []
    one_stock = 0.0
    for architecture in ("standard", "batchtopk"):
        pairs = [
            (measured("stock", architecture, seed, tokens), measured("ours", architecture, seed, tokens))
            for seed in SEEDS
        ]
        gain = statistics.median(theirs["seconds"] / our["seconds"] for theirs, our in pairs)
        for label, which in (("SAELens' runner", 0), ("train", 1)):
            seconds = statistics.median(pair[which]["seconds"] for pair in pairs)
            recovered = _spread([100 * pair[which]["recovered"] for pair in pairs], "%")
            l0 = _spread([pair[which]["l0"] for pair in pairs], "")
            found.append(
                (
                    f"{architecture}, {label}",
                    f"{tokens / seconds:,.0f} tokens/s; loss recovered {recovered} at L0 {l0}",
                )
            )
            if which == 0 and architecture == "standard":
                one_stock = seconds
            if which == 1 and architecture == "standard":
                speed = products()
                rate = flops_per_token() * tokens / seconds / 1e9
                found.append(
                    (
                        "of the machine's matrix products",
                        f"{rate:.0f} of {speed['bfloat16']:.0f} GFLOP/s (bfloat16, the SAE's shape), "
                        f"{speed['float32']:.0f} (float32), {speed['large float32']:.0f} (float32, large)",
                    )
                )
        found.append((f"gain, {architecture}, 3 seeds in turn", f"{gain:.2f} ×"))
    seconds = measured("many", 0, tokens)["seconds"]
    found.append(
        (
            f"train_many, {len(L1S)} L1 coefficients",
            f"{seconds:.0f} s, {seconds / one_stock:.1f} × one run of SAELens' (no compiler needed or used)",
        )
    )
    for factor in (1, 4, 16):
        run = measured("ours", "standard", 0, factor * tokens // 4)
        found.append(
            (
                f"train, {factor * tokens // 4:,} tokens",
                f"{factor * tokens / 4 / run['seconds']:,.0f} tokens/s, {run['gigabytes']:.2f} GB",
            )
        )
    return found


def _spread(values: list[float], unit: str) -> str:
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}{unit and ' ' + unit}"


def _main(arguments: list[str]) -> None:
    if not arguments:
        for name, figure in rows():
            print(f"{name:40} {figure}")
        return
    kind, *rest = arguments
    numbers = [int(value) if value.isdigit() else value for value in rest]
    calls: dict[str, Any] = {"stock": stock, "ours": ours, "many": many, "products": products}
    print(json.dumps(calls[kind](*numbers)))


if __name__ == "__main__":
    _main(sys.argv[1:])
