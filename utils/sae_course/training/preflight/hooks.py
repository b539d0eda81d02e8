"""Checks of the hook against the model: whether it is there, and the shape of what it gives."""

import difflib
import re
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from .findings import Finding

if TYPE_CHECKING:
    from .amounts import Config

_LAYER = re.compile(r"(blocks\.)(\d+)(\.)")


def hook_exists(cfg: "Config", model: Any) -> Iterator[Finding]:
    """Whether the model has a hook of that name.

    Args:
        model: with TransformerLens' ``hook_dict``.
    """
    hook, known = cfg.hook_name, list(model.hook_dict)
    if hook in known:
        return
    found = _LAYER.search(hook)
    layers = 1 + max((int(match[2]) for name in known if (match := _LAYER.search(name))), default=-1)
    if found and int(found[2]) >= layers > 0:
        last = _LAYER.sub(rf"\g<1>{layers - 1}\g<3>", hook)
        if last in known:
            yield Finding(
                "hook-layer",
                "stops",
                f'hook_name = "{hook}": the model has the layers 0 to {layers - 1}.',
                "SAELens finds out after model and data were loaded.",
                f'hook_name = "{last}", or another layer.',
            )
            return
    near = nearest(hook, known)
    yield Finding(
        "hook-unknown",
        "stops",
        f'hook_name = "{hook}" is not in the model. Nearest: {", ".join(near)}.',
        "SAELens finds out after model and data were loaded.",
        f'hook_name = "{near[0]}".' if near else "hook_name = one of model.hook_dict.",
    )


def nearest(hook: str, known: list[str]) -> list[str]:
    """Up to three names that look like ``hook``: those of its layer and its last part first."""
    layer, last = _LAYER.search(hook), hook.rpartition(".")[2].removeprefix("hook_")
    here = [name for name in known if layer and name.startswith(layer[0])] or known
    same = [name for name in here if name.rpartition(".")[2].removeprefix("hook_") == last]
    like = difflib.get_close_matches(hook, here, n=3, cutoff=0.3) or difflib.get_close_matches(
        hook, known, n=3, cutoff=0.0
    )
    return list(dict.fromkeys([*same, *like]))[:3]


def hook_shape(cfg: "Config", shape: tuple[int, ...] | None, positions: int) -> Iterator[Finding]:
    """Whether ``d_in`` and the head index fit what the hook gave.

    Args:
        shape: of the activations, [rows, positions, ...]; None when the hook never ran.
        positions: of the tokens that were read.
    """
    hook, layer = f'hook_name = "{cfg.hook_name}"', _LAYER.search(cfg.hook_name)
    if shape is None:
        yield Finding(
            "hook-silent",
            "stops",
            f"{hook} is in the model, and gives nothing in a forward pass.",
            "It is of a part that this model hasn't got, such as an MLP, or runs only with a setting of the "
            "model's (use_attn_result, use_split_qkv_input): SAELens fails with a KeyError.",
            f'hook_name = "{layer[0] if layer else "blocks.0."}hook_resid_post", or another that runs.',
        )
        return
    if len(shape) < 3 or shape[1] != positions:
        yield Finding(
            "hook-not-per-token",
            "stops",
            f"{hook} gives the shape {_named(shape)}, where [rows, positions, …] is needed.",
            "An SAE reads one vector per token.",
            "hook_name = one with a vector per token, such as hook_resid_post, hook_mlp_out or attn.hook_z.",
        )
        return
    heads, index = shape[2] if len(shape) > 3 else 0, cfg.hook_head_index
    if index is not None and not -heads <= index < heads:
        yield Finding(
            "hook-head-index",
            "stops",
            f"hook_head_index = {index}, and {hook} gives {_named(shape)}: "
            + (f"heads 0 to {heads - 1}." if heads else "no head dimension."),
            "SAELens fails at the first batch.",
            f"hook_head_index = {heads - 1} or less." if heads else "hook_head_index = None.",
        )
        return
    width = shape[-1] if index is not None else prod(shape[2:])
    if cfg.sae.d_in != width:
        yield Finding(
            "d-in",
            "stops",
            f"sae.d_in = {cfg.sae.d_in}, and {hook} gives {_named(shape)}: {width} numbers per token.",
            "SAELens fails at the first batch, after model and data were loaded.",
            f"sae.d_in = {width}.",
        )


def _named(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
