"""A two-layer transformer that takes milliseconds, and calling what a learner wrote for it."""

import functools
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..cases import Case
from ..trial import Trial

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

D_MODEL, D_VOCAB, N_CTX = 12, 23, 16
HOOK_POINTS = (
    "blocks.0.hook_mlp_out",
    "blocks.1.hook_resid_pre",
    "blocks.0.hook_resid_post",
    "blocks.1.hook_mlp_out",
)


def tiny_model(case: Case) -> "HookedTransformer":
    """A HookedTransformer with random weights; copying it gives itself, as copies of a model are dear.

    It is made anew for each check: what a learner's code does to it is gone afterwards.
    """
    from transformer_lens import HookedTransformer, HookedTransformerConfig  # noqa: PLC0415 - takes seconds

    class Tiny(HookedTransformer):
        def __deepcopy__(self, memo: dict[int, Any]) -> "Tiny":
            return self

    config = HookedTransformerConfig(
        n_layers=2,
        d_model=D_MODEL,
        n_heads=3,
        d_head=4,
        d_mlp=20,
        n_ctx=N_CTX,
        d_vocab=D_VOCAB,
        act_fn="gelu",
        init_weights=False,
        device=case.device,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = Tiny(config)
    case.fill(model, 0.35)
    with torch.no_grad():
        model.unembed.W_U.mul_(6)  # it has opinions: what stands at a hook point then matters to its loss
    return model.eval()


def written(model: "HookedTransformer", case: Case, rows: int, pos: int) -> Tensor:
    """Tokens ``[rows pos]`` as the model itself would write them: what it computes then lowers its loss."""
    tokens = case.integers(f"{rows} 1", 0, D_VOCAB)
    with torch.no_grad():
        while tokens.shape[1] < pos:
            chances = model(tokens)[:, -1].softmax(-1).cpu()
            after = torch.multinomial(chances, 1, generator=case.generator)
            tokens = torch.cat([tokens, after.to(tokens.device)], dim=1)
    return tokens


def hooks_on(model: Any) -> int:
    """How many hooks a model carries."""
    return sum(len(part._forward_hooks) + len(part._backward_hooks) for part in model.modules())


class Watched:
    """A learner's function that is given a model: what it left behind is noted, and cleaned up."""

    def __init__(self, student: Any) -> None:
        self.hooks = 0
        """Hooks left on the model by any call."""
        self.function = student if not callable(student) else self._wrapped(student)

    def _wrapped(self, student: Any) -> Any:
        @functools.wraps(student)
        def call(model: Any, *arguments: Any) -> Any:
            try:
                return student(model, *arguments)
            finally:
                if left := hooks_on(model):
                    self.hooks = left
                    model.reset_hooks(including_permanent=True)

        if not hasattr(call, "__name__"):
            call.__name__ = type(student).__name__
        return call

    def require_clean(self, t: Trial, model: Any, before: dict[str, Tensor]) -> None:
        """Fail where hooks or other weights than before were left."""
        name = getattr(self.function, "__name__", "your function")
        t.require(
            not self.hooks,
            f"{name} leaves {self.hooks} hook{'' if self.hooks == 1 else 's'} on the model: every later run "
            "would go through them.",
            kind="hooks",
            likely="model.add_hook(...) stays until model.reset_hooks(); model.run_with_hooks(tokens, "
            "fwd_hooks=[...]) takes its hooks off by itself.",
        )
        after = model.state_dict()
        changed = [key for key in before if not torch.equal(before[key], after[key])]
        t.require(
            not changed,
            f"{name} changed the model's weights ({', '.join(changed[:3])}).",
            kind="changed input",
        )


def weights(model: Any) -> dict[str, Tensor]:
    """A copy of the model's weights."""
    return {key: value.clone() for key, value in model.state_dict().items()}


def run(model: Any, tokens: Tensor, hook_point: str, edit: Any) -> Tensor:
    """Logits with the activation at a hook point replaced by ``edit(activation)``; no gradient."""
    handle = model.hook_dict[hook_point].register_forward_hook(lambda _module, _inputs, value: edit(value))
    try:
        with torch.no_grad():
            logits: Tensor = model(tokens)
    finally:
        handle.remove()
    return logits


def read(model: Any, tokens: Tensor, hook_point: str) -> Tensor:
    """The activation at a hook point; no gradient."""
    seen: list[Tensor] = []
    run(model, tokens, hook_point, lambda value: seen.append(value.detach().clone()))
    return seen[0]
