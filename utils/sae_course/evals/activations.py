"""A model's activations at a hook point, and the questions that every measure asks about both."""

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


@torch.no_grad()
def harvest(
    model: "HookedTransformer",
    tokens: "Int[Tensor, 'rows pos'] | Int[np.ndarray, 'rows pos']",
    hook_point: str,
    *,
    batch: int = 32,
    positions: slice | Sequence[int] | None = None,
) -> Float[Tensor, "rows pos d_in"]:
    """Activations at a hook point, by a forward pass that stops there.

    Where there are heads (``hook_z``), they are flattened: d_in is then n_heads × d_head, as SAELens has it.
    The result is on the model's device. The rows keep their order, so that a row's truth is beside it.

    Args:
        tokens: ids, BOS first if the model was trained so.
        hook_point: such as ``blocks.0.hook_mlp_out``.
        batch: rows at once.
        positions: keep these only: a slice, or places in the row; all of them when not given.

    Raises:
        CourseError: for a hook point that there isn't, or that is not of the residual stream's kind (one
            vector for each token); for tokens of the wrong kind, or too many for the model.
    """
    rows = token_rows(model, tokens)
    check_hook_point(model, hook_point)
    parts = []
    for some in rows.split(batch):
        _, cache = model.run_with_cache(
            some, names_filter=hook_point, stop_at_layer=_stop(hook_point), return_type=None
        )
        found = flat_heads(cache[hook_point], some, hook_point)
        parts.append(found if positions is None else found[:, positions])
    return torch.cat(parts)


def check_hook_point(model: "HookedTransformer", hook_point: str) -> None:
    """Raise unless the model has that hook point and uses it.

    Raises:
        CourseError: with the nearest names that there are.
    """
    if hook_point not in model.hook_dict:
        near = difflib.get_close_matches(hook_point, model.hook_dict, n=3, cutoff=0.4)
        hint = (
            f"The nearest: {', '.join(near)}."
            if near
            else f"There is, for one, {next(iter(model.hook_dict))}."
        )
        raise CourseError(f'The model has no hook point "{hook_point}". {hint}')
    cfg: Any = model.cfg
    switches = {
        "hook_attn_in": "use_attn_in",
        "hook_q_input": "use_split_qkv_input",
        "hook_k_input": "use_split_qkv_input",
        "hook_v_input": "use_split_qkv_input",
        "hook_mlp_in": "use_hook_mlp_in",
        "hook_result": "use_attn_result",
    }
    switch = switches.get(hook_point.rpartition(".")[2])
    if switch and not getattr(cfg, switch, False):
        raise CourseError(
            f'"{hook_point}" is only computed after model.set_{switch}(True), which is off: switch it on, or '
            "take another hook point."
        )


def flat_heads(
    value: Tensor, rows: Int[Tensor, "rows pos"], hook_point: str
) -> Float[Tensor, "rows pos d_in"]:
    """An activation with its heads, if it has any, flattened into one axis.

    Raises:
        CourseError: when it is not one vector for each token.
    """
    pattern = hook_point.endswith(("hook_pattern", "hook_attn_scores"))
    if value.ndim not in (3, 4) or value.shape[:2] != rows.shape or pattern:
        raise CourseError(
            f'"{hook_point}" holds {list(value.shape)} for {list(rows.shape)} tokens: an SAE needs one '
            "vector for each token, as hook_resid_pre, hook_mlp_out or attn.hook_z have."
        )
    return value.flatten(2)


def token_rows(
    model: "HookedTransformer", tokens: "Tensor | np.ndarray", least: int = 1
) -> Int[Tensor, "rows pos"]:
    """The tokens on the model's device.

    Args:
        least: how long rows must be.

    Raises:
        CourseError: when they are no ids of this model, none, or rows of a length it doesn't read.
    """
    rows = torch.as_tensor(np.asarray(tokens)) if not isinstance(tokens, Tensor) else tokens
    if rows.ndim != 2 or rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool:
        raise CourseError(
            f"Tokens are ids [rows, pos], whole numbers; these are {rows.dtype} {list(rows.shape)}."
        )
    longest = model.cfg.n_ctx
    if not len(rows) or not least <= rows.shape[1] <= longest:
        raise CourseError(
            f"{len(rows)} rows of {rows.shape[1]} tokens: it takes at least one row, of {least} "
            f"to {longest} tokens."
        )
    low, high = int(rows.min()), int(rows.max())
    if low < 0 or high >= model.cfg.d_vocab:
        raise CourseError(
            f"Token {low if low < 0 else high} is none of this model's, which has the ids 0 to "
            f"{model.cfg.d_vocab - 1}: were these tokens made for another model?"
        )
    return rows.to(model.cfg.device, torch.long)


def _stop(hook_point: str) -> int | None:
    """The first layer that isn't needed; None where all are."""
    found = re.match(r"blocks\.(\d+)\.", hook_point)
    if found:
        return int(found[1]) + 1
    return 0 if hook_point in ("hook_embed", "hook_pos_embed") else None
