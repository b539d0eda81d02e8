"""A transformer and SAEs in it, both tiny and random, made anew for every case."""

import warnings
from typing import Any

from ..cases import Case
from ..subjects import filled_sae

HOOK_POINTS = (
    "blocks.0.hook_resid_mid",
    "blocks.0.hook_mlp_out",
    "blocks.0.hook_resid_post",
    "blocks.0.hook_resid_pre",
)
"""Not the last first: after it only the final norm comes, which undoes a multiplication of everything."""
KINDS = ("standard", "topk", "jumprelu")


def tiny_model(case: Case) -> Any:
    """A HookedTransformer of one layer, of width ``d_in``, with random weights and biases everywhere."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig  # noqa: PLC0415 - seconds

    cfg = HookedTransformerConfig(
        n_layers=1,
        d_model=case.size("d_in"),
        n_ctx=case.size("pos"),
        n_heads=1,
        d_head=2,
        d_mlp=4,
        d_vocab=case.size("d_vocab"),
        act_fn="gelu",
        normalization_type="LN",
        device=case.device,
        seed=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = HookedTransformer(cfg)
    return case.fill(model, 0.7).eval()


def tiny_sae(case: Case, kind: str) -> Any:
    """A trained SAE's object of SAELens, with random parameters and a decoder of any length.

    ``topk`` leaves the rows' lengths to the encoder, as SAELens trains it: its decode divides by them.
    """
    settings = {"rescale_acts_by_decoder_norm": True} if kind == "topk" else {}
    return filled_sae(case, kind, d_in=case.size("d_in"), d_sae=case.size("d_sae"), **settings)
