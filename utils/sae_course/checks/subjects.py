"""What checks hand to a learner's function where it takes a trained SAE, and what it must leave as it was."""

from typing import Any

import torch

from .cases import Case
from .trial import Trial


def filled_sae(case: Case, kind: str, *, d_in: int, d_sae: int, **settings: Any) -> Any:
    """An SAE of SAELens for inference, with random parameters and a decoder of any length.

    Args:
        kind: ``standard``, ``topk`` (with k = 4) or ``jumprelu``.
        settings: further settings of its configuration.
    """
    import sae_lens  # noqa: PLC0415 - seconds

    sizes: dict[str, Any] = {"d_in": d_in, "d_sae": d_sae, "device": case.device, **settings}
    if kind == "topk":
        sae: Any = sae_lens.TopKSAE(sae_lens.TopKSAEConfig(k=4, **sizes))
    elif kind == "jumprelu":
        sae = sae_lens.JumpReLUSAE(sae_lens.JumpReLUSAEConfig(**sizes))
    else:
        sae = sae_lens.StandardSAE(sae_lens.StandardSAEConfig(**sizes))
    case.fill(sae, 0.8)
    if kind == "jumprelu":
        with torch.no_grad():
            sae.threshold.abs_()
    return sae.eval()


def no_hooks_left(t: Trial, name: str, modules: dict[str, Any]) -> None:
    """Fail when the function called ``name`` left a hook on one of the modules, given by what they are."""
    for what, module in modules.items():
        left = [point for point, hook in module.hook_dict.items() if hook.fwd_hooks or hook._forward_hooks]
        t.require(
            not left,
            f"after {name} a hook is left on the {what}, at {left[0] if left else ''}: it would change every "
            "later run.",
            kind="hooks",
            likely="add_hook without a reset; run_with_hooks(..., fwd_hooks=[...]) takes its own off.",
        )
