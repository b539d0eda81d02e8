"""A two-layer attention-only transformer and an SAE on each layer's z, tiny and random, for every case."""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...evals.sites import Site
from ..cases import Case
from ..subjects import filled_sae, no_hooks_left
from ..trial import Function, Trial, name_of

SOURCE, TARGET = "blocks.0.attn.hook_z", "blocks.1.attn.hook_z"
KINDS = (("jumprelu", "standard"), ("standard", "jumprelu"), ("topk", "jumprelu"), ("jumprelu", "topk"))
"""The source's kind of SAE and the target's, case by case."""
# More positions than latents, so that a[:, latent] is never out of range.
SIZES = {"rows": 5, "pos": 17, "d_source": 11, "d_target": 13, "d_vocab": 19}
HEADS, D_HEAD, D_MODEL = 3, 2, 7


class Before(NamedTuple):
    """What the model and the SAEs do when nothing is changed."""

    z: Tensor
    """At the source, ``[rows pos head d_head]``."""
    a: Tensor
    """The source's latents, ``[rows pos d_source]``."""
    b: Tensor
    """The target's latents, ``[rows pos d_target]``."""


def tiny_arguments(case: Case, kinds: tuple[str, str]) -> dict[str, Any]:
    """The first arguments of all three exercises: model, source, target, tokens."""
    model = _tiny_model(case)
    source = Site(SOURCE, _tiny_sae(case, kinds[0], SOURCE, case.size("d_source")))
    target = Site(TARGET, _tiny_sae(case, kinds[1], TARGET, case.size("d_target")))
    tokens = case.integers("rows pos", 0, case.size("d_vocab"))
    return {"model": model, "source": source, "target": target, "tokens": tokens}


def _tiny_model(case: Case) -> Any:
    """Built like the course's attention-only model: shortformer positions, LayerNorm, no MLPs."""
    from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds
    from transformer_lens import HookedTransformerConfig  # noqa: PLC0415

    cfg = HookedTransformerConfig(
        n_layers=2,
        d_model=D_MODEL,
        n_ctx=case.size("pos"),
        n_heads=HEADS,
        d_head=D_HEAD,
        d_vocab=case.size("d_vocab"),
        attn_only=True,
        normalization_type="LN",
        positional_embedding_type="shortformer",
        init_weights=False,  # they are filled
        device=case.device,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = HookedSAETransformer(cfg)
    return case.fill(model, 0.7).eval()


def _tiny_sae(case: Case, kind: str, hook_point: str, d_sae: int) -> Any:
    """An SAE of SAELens that takes and gives z with its heads; no row of its decoder has length 1."""
    from sae_lens.saes.sae import SAEMetadata  # noqa: PLC0415 - seconds

    sae = filled_sae(
        case,
        kind,
        d_in=HEADS * D_HEAD,
        d_sae=d_sae,
        reshape_activations="hook_z",
        metadata=SAEMetadata(hook_name=hook_point),
    )
    # Until its first encode, the function that flattens the heads belongs to this object: a copy would note
    # d_head on the original.
    sae.encode(torch.zeros(1, 1, HEADS, D_HEAD, device=case.device))
    return sae


@torch.no_grad()
def before(model: Any, source: Site, target: Site, tokens: Tensor) -> Before:
    """A run with nothing changed."""
    _, cache = model.run_with_cache(tokens, names_filter=[source.hook_point, target.hook_point])
    z = cache[source.hook_point]
    return Before(z, source.sae.encode(z), target.sae.encode(cache[target.hook_point]))


def half_firing(latents: Tensor) -> int:
    """The latent that fires on the share of the tokens that is nearest to a half."""
    fires = (latents > 0).flatten(0, -2).float().mean(0)
    return int((fires - 0.5).abs().argmin())


@torch.no_grad()
def without(source: Site, z: Tensor, latent: int) -> Tensor:
    """z less what one latent writes at each token: its activation times what decode makes of one unit."""
    a = source.sae.encode(z)
    one = torch.zeros_like(a[:1, :1])
    one[..., latent] = 1
    written = source.sae.decode(one) - source.sae.decode(torch.zeros_like(one))
    return z - a[..., latent, None, None] * written


def leaves_no_trace(t: Trial, student: Function, arguments: dict[str, Any]) -> None:
    """Call it once more, and look for what it left on the model or the SAEs."""
    t.call(student, arguments)
    name = name_of(student)
    saes = {f"{site}'s SAE": arguments[site].sae for site in ("source", "target")}
    no_hooks_left(t, name, {"model": arguments["model"], **saes})
    for what, sae in saes.items():
        t.require(
            sae.hook_z_reshaping_mode and not sae.use_error_term,
            f"after {name} the {what} is not as it was: it takes z without its heads now, or adds the error.",
            kind="hooks",
            likely="what is turned off for a while has to be turned on again at the end.",
        )
