"""An SAE in the middle of a model: its reconstruction, or an edited one, goes on through the layers above."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from .activations import check_hook_point, flat_heads, token_rows
from .autoencoder import Autoencoder, decode, encode, ready

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

Edit = Callable[[Float[Tensor, "rows pos d_sae"]], Float[Tensor, "rows pos d_sae"]]
Replace = Callable[[Float[Tensor, "rows pos d_in"]], Float[Tensor, "rows pos d_in"]]


def intervene(
    model: "HookedTransformer",
    sae: Autoencoder,
    tokens: Int[Tensor, "rows pos"],
    hook_point: str,
    edit: Edit | None = None,
    *,
    keep_error: bool = True,
) -> Float[Tensor, "rows pos d_vocab"]:
    """The model's logits when the latent activations at a hook point are changed.

    With the SAE's error kept, x + decode(edit(a)) − decode(a) goes on in place of x, where a = encode(x):
    the model is changed by the edit alone, and without one not at all. Without, decode(edit(a)) goes on.

    >>> def off(a):                       # ablate latent 7
    ...     a[..., 7] = 0
    ...     return a
    >>> logits = intervene(model, sae, tokens, "blocks.0.hook_mlp_out", off)      # doctest: +SKIP

    Args:
        tokens: all rows at once: give as many as logits fit in memory.
        edit: takes the latent activations, a copy that it may write into, and returns them; None changes
            nothing, which without the error is the reconstruction alone.

    Raises:
        CourseError: for a hook point, tokens or an SAE that don't go with the model, and for an edit that
            returns another shape.
    """
    rows = token_rows(model, tokens)

    def replace(x: Float[Tensor, "rows pos d_in"]) -> Float[Tensor, "rows pos d_in"]:
        a = encode(sae, x)
        before = decode(sae, a, x)
        changed = a if edit is None else edit(a.clone())
        if not isinstance(changed, Tensor) or changed.shape != a.shape:
            what = list(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise CourseError(
                f"edit gave back {what}; it must return the latent activations, {list(a.shape)}, as changed."
            )
        after = before if edit is None else decode(sae, changed, x)
        return x + (after - before) if keep_error else after

    with ready(sae):
        return replaced(model, rows, hook_point, replace)


def spliced(sae: Autoencoder) -> Replace:
    """The SAE as what takes an activation's place, at every token, BOS too."""
    return lambda x: decode(sae, encode(sae, x), x)


@torch.no_grad()
def replaced(
    model: "HookedTransformer", rows: Int[Tensor, "rows pos"], hook_point: str, replace: Replace
) -> Float[Tensor, "rows pos d_vocab"]:
    """The model's logits when ``replace`` takes the activation's place; heads are flat for it."""
    check_hook_point(model, hook_point)

    def hook(value: Tensor, hook: Any) -> Tensor:
        return replace(flat_heads(value, rows, hook_point)).reshape(value.shape)

    return model.run_with_hooks(rows, return_type="logits", fwd_hooks=[(hook_point, hook)])
