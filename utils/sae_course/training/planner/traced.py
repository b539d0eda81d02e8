"""Memory of a run at its true sizes, traced with fake tensors: nothing is allocated, no GPU is needed.

Under PyTorch's `FakeTensorMode` the very code of a training is run, TransformerLens' forward pass, SAELens'
step and SAELens' evaluation, on tensors that have a shape and no numbers. A dispatch mode adds up the bytes
that are alive. It is what PyTorch's allocator would be asked for on a GPU, and so what
`torch.cuda.max_memory_allocated` counts; what CUDA itself takes, and the allocator's gaps, are not in it.

A plan is compared with it (docs/planner.md): the plan's formulas are arithmetic, this is the code.
"""

import contextlib
import copy
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...models.load import deprecated
from .random_model import random_model
from .workload import Workload

if TYPE_CHECKING:
    from sae_lens import TrainingSAE


class Alive(TorchDispatchMode):
    """Adds up the bytes of storages that were made while it is open and are alive; views add nothing."""

    def __init__(self, known: Iterator[torch.Tensor] | list[torch.Tensor] = ()) -> None:  # type: ignore[assignment]
        super().__init__()
        self.bytes = self.peak = 0
        self._sizes: dict[int, int] = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._note(leaf.untyped_storage())
        return out

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self.bytes += storage.nbytes()
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.bytes -= self._sizes.pop(key, 0)


def traced(work: Workload, sae: Any = None) -> dict[str, int]:
    """Bytes at the peak of each phase beyond what is always there: ``fill`` (the model's forward pass alone,
    without the buffer's parts), ``step`` and ``evaluation``.

    Args:
        sae: SAELens' training configuration; without one, only ``fill``.
    """
    with _fake(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = random_model(work, fake=True)
        rows = lambda n: torch.zeros(n, work.context_size, dtype=torch.long)  # noqa: E731
        found = {"fill": _peak(model, lambda: _forward(model, work, rows(work.store_batch_size_prompts)))}
        if sae is None:
            return found
        trained = _sae(sae)
        found["step"] = _step(trained, work)
        found["evaluation"] = _peak(
            model, lambda: _evaluate(model, trained, work, rows(work.eval_batch_size_prompts)), trained
        )
    return found


@contextlib.contextmanager
def _fake() -> Iterator[None]:
    with FakeTensorMode(allow_non_fake_inputs=True), deprecated():
        yield


def _peak(model: torch.nn.Module, run: Callable[[], Any], *more: torch.nn.Module) -> int:
    known = [tensor for one in (model, *more) for tensor in (*one.parameters(), *one.buffers())]
    with Alive(known) as alive, torch.no_grad():
        run()
    return alive.peak


def _sae(cfg: Any) -> "TrainingSAE[Any]":
    from sae_lens import TrainingSAE, TrainingSAEConfig  # noqa: PLC0415

    new = TrainingSAEConfig.from_dict(copy.deepcopy(cfg.to_dict()))
    new.device = "cpu"
    return TrainingSAE.from_dict(new.to_dict())


def _forward(model: Any, work: Workload, rows: torch.Tensor) -> Any:
    hook = f"blocks.{work.layers - 1}.hook_resid_post"
    with torch.autocast("cpu", torch.bfloat16, enabled=work.autocast_lm):
        return model.run_with_cache(rows, names_filter=[hook], stop_at_layer=work.layers, prepend_bos=False)


def _step(sae: "TrainingSAE[Any]", work: Workload) -> int:
    """SAELens' trainer makes one step: gradients are in it, weights and Adam's averages are not."""
    from sae_lens.saes.sae import TrainStepInput  # noqa: PLC0415

    if hasattr(sae, "update_topk_threshold"):
        sae.update_topk_threshold = lambda acts: None  # needs numbers
    batch = torch.zeros(work.train_batch_size_tokens, work.d_in)
    coefficients = {name: getattr(value, "value", value) for name, value in sae.get_coefficients().items()}
    known = [batch, *sae.parameters(), *sae.buffers()]
    with Alive(known) as alive:
        # The lines of `SAETrainer._train_step`, which itself counts with numbers that a fake tensor lacks.
        with torch.autocast("cpu", torch.bfloat16, enabled=work.autocast):
            out = sae.training_forward_pass(
                TrainStepInput(
                    sae_in=batch * 1.0,
                    dead_neuron_mask=None,
                    coefficients=coefficients,
                    n_training_steps=0,
                    is_logging_step=False,
                )
            )
            with torch.no_grad():
                firing = out.feature_acts.bool().float()
                firing.sum(0), firing.sum(-2).bool()
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
    return alive.peak


def _evaluate(model: Any, sae: "TrainingSAE[Any]", work: Workload, rows: torch.Tensor) -> None:
    """The lines of SAELens' `get_recons_loss` that hold logits: three passes, whose logits all stay."""
    name = f"blocks.{work.layers - 1}.hook_resid_post"
    kept = [model(rows, return_type="both", loss_per_token=True)]
    if sae.cfg.d_in == work.shape.d_model:
        splice = lambda acts, hook: sae.decode(sae.encode(acts.float())).to(acts.dtype)  # noqa: E731
    else:  # at another place in the model: of the same size, without the model
        splice = lambda acts, hook: acts * 1.0  # noqa: E731
    for change in (splice, lambda acts, hook: torch.zeros_like(acts)):
        kept.append(
            model.run_with_hooks(rows, return_type="both", fwd_hooks=[(name, change)], loss_per_token=True)
        )
