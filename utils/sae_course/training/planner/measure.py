"""One run measured, in a process of its own: ``python -m sae_course.training.planner.measure '{...}'``.

The pieces of a training are taken apart: the buffer filled, steps made, the buffer filled again beside the
old one, an evaluation. So the seconds of the model and of the SAE are known separately, and every phase's
peak of memory is met in a few steps. A reference product is timed between the steps: on a shared machine a
slow moment slows both.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

STEPS, DROPPED = 6, 2
"""Steps that are made, and of them those that warm up."""


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Seconds of a token and peak bytes of one case of the grid (see `grid`)."""
    import datasets  # noqa: F401, PLC0415 - what a training imports is there before anything is counted
    import torch  # noqa: PLC0415
    from sae_lens.training.activation_scaler import ActivationScaler  # noqa: PLC0415

    from ...runtime.memory import keep_freed_memory  # noqa: PLC0415
    from ..assemble import runner_for  # noqa: PLC0415
    from ..learners import learners_for  # noqa: PLC0415

    keep_freed_memory()
    cfg, source = run_of(case)
    weights = sum(one.numel() * one.element_size() for one in source.model.parameters())
    ready = resident() - weights
    cuda = torch.device(cfg.device).type == "cuda"
    wait = torch.cuda.synchronize if cuda else lambda: None
    reference = Reference(cfg.device)
    runner = runner_for({"run": cfg}, source)
    buffer, (learner,) = learners_for({"run": cfg}, runner, estimate=False)
    rows_before = buffer._position.count
    filling = timed(buffer._fill, wait)
    read = (buffer._position.count - rows_before) * cfg.context_size
    seconds, rates = [], [reference.rate()]
    for _ in range(STEPS):
        batch = next(buffer)[learner.hook]
        seconds.append(timed(lambda batch=batch: learner.step(batch), wait))  # type: ignore[misc]
        rates.append(reference.rate())
    again_before = buffer._position.count
    again = timed(buffer._fill, wait)
    read_again = (buffer._position.count - again_before) * cfg.context_size
    with torch.no_grad():
        runner.evaluator.activations_store.begin()
        runner.evaluator(
            saes=learner.saes(),
            data_provider=iter(()),
            activation_scalers={"run": ActivationScaler()},
            hook_names={"run": cfg.hook_name},
        )
    peak = torch.cuda.max_memory_allocated() if cuda else peak_resident()
    return {
        "model_seconds": min(filling / read, again / read_again),
        "sae_seconds": statistics.median(seconds[DROPPED:]) / cfg.train_batch_size_tokens,
        "reference": statistics.median(rates),
        "ready": ready,
        "peak": peak,
    }


def run_of(case: dict[str, Any]) -> tuple[Any, Any]:
    """The configuration of a case, and its model and data."""
    import torch  # noqa: PLC0415

    from ..presets import preset  # noqa: PLC0415
    from ..settings import change  # noqa: PLC0415
    from ..source import Source, find  # noqa: PLC0415
    from .random_model import random_model  # noqa: PLC0415
    from .workload import of_config  # noqa: PLC0415

    torch.manual_seed(0)
    cfg = preset(case["preset"], case["scale"], "today", architecture=case["architecture"])
    device = case.get("device", "cpu")
    cfg = change(cfg, device=device, llm_device=device, act_store_device=device, **case.get("changes", {}))
    if not case.get("random"):
        return cfg, find(cfg)
    from datasets import Dataset  # noqa: PLC0415 - a second

    work = of_config(cfg, on_gpu=device != "cpu")
    work = resized(work, case)
    tokens = torch.randint(10, work.shape.d_vocab, (max(512, 3 * cfg.n_batches_in_buffer), cfg.context_size))
    rows = Dataset.from_dict({"tokens": tokens.tolist()})
    return cfg, Source(random_model(work, device=device), rows, rows)


def resized(work: Any, case: dict[str, Any]) -> Any:
    """With another model, where the case says so."""
    import dataclasses  # noqa: PLC0415

    shape = dataclasses.replace(work.shape, **case.get("shape", {}))
    return dataclasses.replace(work, shape=shape)


class Reference:
    """A product whose rate is known for the machine: how fast is it just now?"""

    def __init__(self, device: str) -> None:
        import torch  # noqa: PLC0415

        draws = torch.Generator().manual_seed(0)
        self.a = torch.randn(512, 512, generator=draws).to(device)
        self.flops = 2 * 512**3
        self.wait = torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None
        self.rate()

    def rate(self) -> float:
        """FLOP/s, the best of a few."""
        return self.flops / min(timed(lambda: self.a @ self.a, self.wait) for _ in range(8))


def timed(run: Callable[[], Any], wait: Callable[[], Any]) -> float:
    """Seconds."""
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def resident() -> int:
    """Bytes of this process now."""
    import psutil  # noqa: PLC0415

    return psutil.Process().memory_info().rss


def peak_resident() -> int:
    """The most that this process has had."""
    import resource  # noqa: PLC0415 - not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
