"""Tiny two-layer models in float64 with random weights, SAEs of several kinds, and slow ways through them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import sae_lens
import torch
from known import Own
from sae_lens.saes.sae import SAEMetadata
from torch import Tensor

from sae_course.evals import Site
from sae_course.models.load import deprecated
from sae_course.models.specs import mini_specs

ROWS, POS, VOCAB, D_SOURCE, D_TARGET = 4, 6, 11, 9, 10
Z0, Z1 = "blocks.0.attn.hook_z", "blocks.1.attn.hook_z"
MLP0, RESID1 = "blocks.0.hook_mlp_out", "blocks.1.hook_resid_post"
_TINY: dict[str, Any] = {"n_ctx": 8, "d_vocab": VOCAB, "d_model": 8, "n_heads": 2, "d_head": 3}
_ATTN_ONLY = replace(mini_specs()["attn-only-2l-demo"], **_TINY)
_WITH_MLPS = replace(_ATTN_ONLY, attn_only=False, shortformer=False, d_mlp=12)


class Scene(NamedTuple):
    """What `evals.Between` takes."""

    model: Any
    source: Site
    target: Site
    tokens: Tensor


class Before(NamedTuple):
    """What a run gives when nothing is changed; heads are flat."""

    x: Tensor
    a: Tensor
    b: Tensor


def tiny_model(*, mlps: bool = False, norm: str | None = "LN", seed: int = 0) -> Any:
    """The course's attention-only model in small, or an ordinary one of as many layers, in float64."""
    cfg = (_WITH_MLPS if mlps else _ATTN_ONLY).hooked_config()
    cfg.dtype, cfg.normalization_type, cfg.init_weights = torch.float64, norm, False
    with deprecated():
        model = sae_lens.HookedSAETransformer(cfg)
    stream = torch.Generator().manual_seed(seed)
    for weights in model.parameters():
        weights.data = 0.6 * torch.randn(weights.shape, generator=stream, dtype=torch.float64)
    return model.eval()


def tiny_sae(kind: str, hook_point: str, d_in: int, d_sae: int, seed: int = 0) -> Any:
    """An SAE in float64: a learner's ``own``, or one of SAELens, which takes ``hook_z`` with its heads."""
    own = Own(d_in, d_sae, seed).double()
    if kind == "own":
        return own
    config, settings = {
        "topk": (sae_lens.TopKSAEConfig, {"k": 4, "rescale_acts_by_decoder_norm": True}),
        "jumprelu": (sae_lens.JumpReLUSAEConfig, {}),
        "gated": (sae_lens.GatedSAEConfig, {}),
    }[kind]
    sae: Any = sae_lens.SAE.get_sae_class_for_architecture(kind)(
        config(
            d_in=d_in,
            d_sae=d_sae,
            dtype="float64",
            device="cpu",
            metadata=SAEMetadata(hook_name=hook_point, hook_head_index=None),
            reshape_activations="hook_z" if hook_point.endswith("hook_z") else "none",
            **settings,
        )
    )
    stream = torch.Generator().manual_seed(100 + seed)
    for name, weights in sae.named_parameters():
        if hasattr(own, name):
            weights.data = getattr(own, name).data
        else:
            weights.data = torch.rand(weights.shape, generator=stream, dtype=torch.float64) - 0.3
    if kind == "jumprelu":
        sae.threshold.data.abs_()
    # Until its first encode, a SAE for hook_z doesn't know how wide its heads are.
    if sae.hook_z_reshaping_mode:
        sae.encode(torch.zeros(1, 1, 2, d_in // 2, dtype=torch.float64))
    return sae.eval()


def scene(source: str, target: str, *, mlps: bool = False, norm: str | None = "LN", seed: int = 0) -> Scene:
    """SAEs of two kinds at both hook_z of the attention-only model, or at MLP0 and RESID1 of the other."""
    model = tiny_model(mlps=mlps, norm=norm, seed=seed)
    points = (MLP0, RESID1) if mlps else (Z0, Z1)
    d_in = 8 if mlps else 6
    stream = torch.Generator().manual_seed(seed)
    return Scene(
        model,
        Site(points[0], tiny_sae(source, points[0], d_in, D_SOURCE, seed + 1)),
        Site(points[1], tiny_sae(target, points[1], d_in, D_TARGET, seed + 2)),
        torch.randint(VOCAB, (ROWS, POS), generator=stream),
    )


KINDS: list[tuple[str, str, bool]] = [
    ("own", "own", False),
    ("topk", "jumprelu", False),
    ("jumprelu", "gated", False),
    ("gated", "topk", False),
    ("topk", "own", True),
    ("own", "topk", True),
]
"""The source's kind and the target's, and whether in the model with MLPs."""


def some_tokens(one: Scene, seed: int = 5) -> Tensor:
    """A mask of about half of the tokens."""
    return torch.rand(one.tokens.shape, generator=torch.Generator().manual_seed(seed)) < 0.5


def written(sae: Any) -> Tensor:
    """[latents, d_in]: what each latent adds to the reconstruction, for the kinds above."""
    rows = sae.W_dec.detach()
    rescaled = getattr(getattr(sae, "cfg", None), "rescale_acts_by_decoder_norm", False)
    return rows / rows.norm(dim=1, keepdim=True) if rescaled else rows


def encoded(sae: Any, value: Tensor) -> Tensor:
    """Latents of an activation as the model has it: SAELens' own reshaping, if it is switched on."""
    return sae.encode(value if getattr(sae, "hook_z_reshaping_mode", False) else value.flatten(2))


def kept(one: Scene, points: list[str], hooks: list[tuple[str, Callable[..., Any]]]) -> list[Tensor]:
    """Activations at hook points in a whole run."""
    found: dict[str, Tensor] = {}

    def keep(value: Tensor, hook: Any) -> None:
        found[hook.name] = value

    one.model.run_with_hooks(one.tokens, fwd_hooks=[*hooks, *((point, keep) for point in points)])
    return [found[point] for point in points]


@torch.no_grad()
def before(one: Scene) -> Before:
    """A run with nothing changed."""
    x, y = kept(one, [one.source.hook_point, one.target.hook_point], [])
    return Before(x.flatten(2), encoded(one.source.sae, x), encoded(one.target.sae, y))


def put(value: Tensor) -> Callable[..., Tensor]:
    """A hook that puts ``value`` in the activation's place."""
    return lambda old, hook: value.reshape(old.shape)


def targets(one: Scene, x: Tensor) -> Tensor:
    """The target's latents in a whole run with ``x`` at the source; a gradient goes through."""
    point = one.target.hook_point
    return encoded(one.target.sae, kept(one, [point], [(one.source.hook_point, put(x))])[0])


def targets_through(one: Scene, x: Tensor, letters: str) -> Tensor:
    """The same where only some of layer 1's ``q``, ``k`` and ``v`` see the change: the others are held.

    For a target at layer 1's hook_z, which sees nothing else.
    """
    held = [f"blocks.1.attn.hook_{letter}" for letter in "qkv" if letter not in letters]
    clean = [value.detach() for value in kept(one, held, [])]
    holding = [(point, put(value)) for point, value in zip(held, clean, strict=True)]
    (z,) = kept(one, [one.target.hook_point], [(one.source.hook_point, put(x)), *holding])
    return encoded(one.target.sae, z)
