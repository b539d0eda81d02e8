"""From the latents of one SAE to those of another further up: the model between them, run again.

An activation at the source is x = decode(a) + error. What is done to the latents a is done to x by what
``decode`` makes of the change; the error stays. Everything else is the model's own.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from .activations import _stop, check_hook_point, flat_heads, token_rows
from .autoencoder import Autoencoder, encode, ready
from .sites import Site

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

Through = str | Sequence[str] | None


class Between:
    """The road from a source site to a target site on some rows of tokens.

    Args:
        through: hook points between the two, or the letters ``q``, ``k``, ``v`` for those of the target's
            attention layer. A change at the source then reaches the target through these alone: whatever
            else it changes is put back (path patching). All ways when not given.

    Raises:
        CourseError: for hook points, tokens or SAEs that don't go with the model, a target that doesn't
            come after the source, or a ``through`` that isn't between the two.
    """

    def __init__(
        self,
        model: "HookedTransformer",
        source: Site,
        target: Site,
        tokens: Int[Tensor, "rows pos"],
        through: Through = None,
    ) -> None:
        for site in (source, target):
            check_hook_point(model, site.hook_point)
        self.model, self.source, self.target = model, source, target
        self.rows = token_rows(model, tokens)
        self.through = _hook_points(model, target, through)
        seen: list[str] = []
        kept: dict[str, Tensor] = {}

        def keep(value: Tensor, hook: Any) -> None:
            seen.append(hook.name)
            if hook.name in ends:
                kept[hook.name] = flat_heads(value, self.rows, hook.name)

        ends = [source.hook_point, target.hook_point]
        with torch.no_grad(), ready(source.sae), ready(target.sae):
            self._run([(point, keep) for point in dict.fromkeys([*ends, *self.through])])
            if [point for point in seen if point in ends] != ends:
                raise CourseError(
                    f"{target.hook_point} is computed before {source.hook_point}, or is the same: the source "
                    "is the lower of the two."
                )
            between = seen[seen.index(ends[0]) : seen.index(ends[1]) + 1]
            for point in self.through:
                if point not in between:
                    raise CourseError(
                        f"through names {point}, which isn't computed between {ends[0]} and {ends[1]}: no "
                        "change would reach the target through it."
                    )
            self.x: Float[Tensor, "rows pos d_in"] = kept[source.hook_point]
            self.a: Float[Tensor, "rows pos d_source"] = encode(source.sae, self.x)
            self.b: Float[Tensor, "rows pos d_target"] = encode(target.sae, kept[target.hook_point])
            self.directions = directions(source.sae, self.a.shape[-1], self.x)

    def targets(self, x: Float[Tensor, "rows pos d_in"]) -> Float[Tensor, "rows pos d_target"]:
        """The target's latent activations when ``x`` is at the source; a gradient goes through."""
        kept: dict[str, Tensor] = {}

        def put(value: Tensor, hook: Any) -> Tensor:
            return x.reshape(value.shape)

        def keep(value: Tensor, hook: Any) -> None:
            kept[hook.name] = value

        def again(value: Tensor, hook: Any) -> Tensor:
            return kept[hook.name]

        with ready(self.target.sae), torch.set_grad_enabled(x.requires_grad):
            first = [(self.source.hook_point, put)]
            if self.through:
                self._run([*first, *((point, keep) for point in self.through)])
                first = [(point, again) for point in self.through]
            self._run([*first, (self.target.hook_point, keep)])
            z = flat_heads(kept[self.target.hook_point], self.rows, self.target.hook_point)
            return encode(self.target.sae, z)

    @torch.no_grad()
    def without(self, latent: int) -> Float[Tensor, "rows pos d_target"]:
        """The target's latent activations when one source latent is 0 at every token.

        Raises:
            CourseError: when there is no such latent.
        """
        if not 0 <= latent < self.a.shape[-1]:
            raise CourseError(f"The source has the latents 0 to {self.a.shape[-1] - 1}, and none {latent}.")
        return self.targets(self.x - self.a[..., latent, None] * self.directions[latent])

    def scaled(self, factor: float) -> Float[Tensor, "rows pos d_in"]:
        """The source's activations with all of its latents multiplied; the error and decode(0) stay."""
        return self.x - (1 - factor) * (self.a @ self.directions)

    def _run(self, hooks: Sequence[tuple[Any, Callable[..., Any]]]) -> None:
        self.model.run_with_hooks(
            self.rows,
            return_type=None,
            stop_at_layer=_stop(self.target.hook_point),
            fwd_hooks=list(hooks),
        )


@torch.no_grad()
def directions(
    sae: Autoencoder, n_latents: int, like: Float[Tensor, "*batch d_in"]
) -> Float[Tensor, "latents d_in"]:
    """What each latent adds to the reconstruction when its activation is 1; ``decode`` is affine.

    Not ``W_dec`` itself: a TopK SAE of SAELens divides by its rows' lengths first.

    Raises:
        CourseError: for an SAE that rescales what it decodes by the token that it encoded last.
    """
    normalised = getattr(getattr(sae, "cfg", None), "normalize_activations", "none")
    if normalised in ("layer_norm", "constant_norm_rescale"):
        raise CourseError(
            f'This SAE was trained with normalize_activations="{normalised}": what a latent writes depends '
            "on the token, so that it has no one direction to attribute or ablate along."
        )
    where = next(iter(sae.parameters()), like) if isinstance(sae, torch.nn.Module) else like
    each = torch.eye(n_latents, device=where.device, dtype=where.dtype)
    with ready(sae):
        found = sae.decode(each) - sae.decode(torch.zeros_like(each[:1]))
    return found.to(like.device, like.dtype)


def counted(where: "Tensor | Any | None", rows: Int[Tensor, "rows pos"]) -> "Tensor":
    """A mask of tokens on the rows' device; all of them when there is none.

    Raises:
        CourseError: when it isn't one boolean for each token, or nothing is left.
    """
    if where is None:
        return torch.ones_like(rows, dtype=torch.bool)
    mask = torch.as_tensor(where).to(rows.device)
    if mask.shape != rows.shape or mask.dtype != torch.bool:
        raise CourseError(
            f"where is a boolean for each token, {list(rows.shape)}; this is {mask.dtype} {list(mask.shape)}."
        )
    if not mask.any():
        raise CourseError("where is true of no token: nothing can be counted.")
    return mask


def _hook_points(model: "HookedTransformer", target: Site, through: Through) -> list[str]:
    if through is None:
        return []
    layer = re.match(r"blocks\.(\d+)\.attn\.", target.hook_point)
    points = []
    for one in [through] if isinstance(through, str) else through:
        if one in ("q", "k", "v"):
            if layer is None:
                raise CourseError(
                    f'through="{one}" means an attention layer\'s, and {target.hook_point} is in none: give '
                    "the hook point's whole name."
                )
            one = f"blocks.{layer[1]}.attn.hook_{one}"  # noqa: PLW2901
        check_hook_point(model, one)
        points.append(one)
    if not points:
        raise CourseError("through names no hook point: leave it out to let the change through everywhere.")
    return points
