"""A model of given sizes with random weights, for measuring."""

from typing import TYPE_CHECKING, Any

import torch

from ...models.load import deprecated
from .workload import Workload

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer


def random_model(work: Workload, *, device: str = "cpu", fake: bool = False) -> "HookedSAETransformer":
    """The model of a run at its sizes, with random weights: neither speed nor memory depends on their values.

    Args:
        fake: made under `FakeTensorMode`, where weights can't be filled or moved.
    """
    from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds
    from transformer_lens import HookedTransformerConfig  # noqa: PLC0415

    shape = work.shape
    gemma = shape.gated
    settings: dict[str, Any] = {
        "n_layers": shape.n_layers,
        "d_model": shape.d_model,
        "n_ctx": max(shape.n_ctx if not gemma else work.context_size, work.context_size),
        "d_head": shape.d_head,
        "n_heads": shape.n_heads,
        "d_mlp": shape.d_mlp or None,
        "d_vocab": shape.d_vocab,
        "attn_only": not shape.d_mlp,
        "act_fn": "gelu_new" if shape.d_mlp else None,
        "normalization_type": "LN",
        "positional_embedding_type": "shortformer" if shape.shortformer else "standard",
        "init_weights": not fake,
        "device": device,
        "dtype": getattr(torch, work.model_dtype),
    }
    if gemma:
        settings |= {
            "act_fn": "gelu_pytorch_tanh",
            "normalization_type": "RMS",
            "final_rms": True,
            "positional_embedding_type": "rotary",
            "rotary_dim": shape.d_head,
            "gated_mlp": True,
            "use_normalization_before_and_after": True,
            "n_key_value_heads": shape.n_key_value_heads,
            "attn_scores_soft_cap": 50.0,
            "output_logits_soft_cap": 30.0,
            "use_local_attn": True,
            "window_size": 4096,
            "attn_types": ["local", "global"] * (shape.n_layers // 2),
        }
    with deprecated():
        return HookedSAETransformer(HookedTransformerConfig(**settings), move_to_device=not fake).eval()
