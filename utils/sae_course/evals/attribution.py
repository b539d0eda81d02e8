"""Which latents made which latents fire: activation times gradient, for all pairs of two SAEs at once."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from .between import Between, Through, counted
from .sites import Site

if TYPE_CHECKING:
    import pandas as pd
    from transformer_lens import HookedTransformer


@dataclass(frozen=True, repr=False)
class Attribution:
    """Every source latent's part in every target latent, to first order."""

    source: str
    """Its hook point."""
    target: str
    total: Float[Tensor, "d_source d_target"] = field(repr=False)
    """In the target's activation, summed over the tokens that count; on the CPU. 0 for a target that never
    fires there (integrated: nor on the way)."""
    fired: Float[Tensor, " d_target"] = field(repr=False)
    """Each target latent's activation, summed over the same tokens."""
    n_tokens: int
    """That count."""
    steps: int
    """1 for the plain gradient; more for integrated gradients."""

    @property
    def share(self) -> Float[Tensor, "d_source d_target"]:
        """`total` as a share of what the target fired; NaN for one that didn't."""
        return self.total / torch.where(self.fired > 0, self.fired, torch.nan)

    def pairs(self, n: int = 20, *, among: "Tensor | None" = None) -> "pd.DataFrame":
        """The pairs with the largest share, largest first: ``source``, ``target``, ``total``, ``share``.

        Args:
            n: how many.
            among: a mask [d_source, d_target] of pairs that are candidates; all when not given.

        Raises:
            CourseError: for a mask of another shape.
        """
        import pandas as pd  # noqa: PLC0415 - half a second

        share = self.share.nan_to_num(nan=-torch.inf)
        if among is not None:
            if among.shape != share.shape:
                raise CourseError(f"among has the shape {list(among.shape)}, the pairs {list(share.shape)}.")
            share = share.masked_fill(~among.cpu(), -torch.inf)
        best = share.flatten().topk(min(n, int(share.isfinite().sum())))
        source, target = (best.indices // share.shape[1]).tolist(), (best.indices % share.shape[1]).tolist()
        return pd.DataFrame(
            {
                "source": source,
                "target": target,
                "total": self.total[source, target].tolist(),
                "share": best.values.tolist(),
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the pairs that aren't 0."""
        at = self.total.nonzero()
        return {
            "source": self.source,
            "target": self.target,
            "n_tokens": self.n_tokens,
            "steps": self.steps,
            "pairs": at.tolist(),
            "total": self.total[at[:, 0], at[:, 1]].tolist(),
            "fired": self.fired.tolist(),
        }

    def __str__(self) -> str:
        live = int((self.fired > 0).sum())
        how = "plain gradient" if self.steps == 1 else f"gradients integrated in {self.steps} steps"
        lines = [
            f"{self.source} → {self.target}, {how}, {live} target latents fire on {self.n_tokens:,} tokens"
        ]
        for row in self.pairs(5).itertuples():
            lines.append(f"latent {row.source} → latent {row.target}: {row.share:+.1%} of what it fires")
        return "\n  ".join(lines)

    __repr__ = __str__


@torch.enable_grad()
def latent_attribution(
    model: "HookedTransformer",
    source: Site,
    target: Site,
    tokens: Int[Tensor, "rows pos"],
    *,
    where: "Tensor | Any | None" = None,
    through: Through = None,
    steps: int = 1,
) -> Attribution:
    """Activation × gradient of every pair of source and target latents.

    total[i, j] = Σ_s a_i(s) ∂/∂a_i(s) Σ_t b_j(t), over all tokens s, and the tokens t that count. The
    source's latents are put into the model with the SAE's error kept: the gradient with respect to a_i(s) is
    that with respect to the activation, along what ``decode`` writes for latent i (sparse feature circuits:
    Marks et al. 2024, §3.1). A latent's threshold or top-k choice has no gradient; an active latent's
    activation has.

    With ``steps`` above 1 the gradient is the mean over the middles of as many steps from "all source latents
    0" to "as they are" (integrated gradients: Sundararajan et al. 2017, §3). Then Σ_i total[i, j] comes close
    to what all of them together do to the target (which plain gradients say nothing about).

    Args:
        source, target: the SAEs, the source's hook point before the target's.
        tokens: rows that are run together: their gradients must fit in memory.
        where: the target's tokens that count, a boolean for each token; all when not given.
        through: hook points that carry the change, or ``"q"``, ``"k"``, ``"v"`` of the target's attention
            layer; see `Between`. The shares of q, k and v sum to the whole.
        steps: of integrated gradients.

    Raises:
        CourseError: for what doesn't go together, and a target none of whose latents fires where it counts.
    """
    if steps < 1:
        raise CourseError(f"steps is the number of gradients that are averaged, at least 1; it is {steps}.")
    road = Between(model, source, target, tokens, through)
    mask = counted(where, road.rows)
    fired = road.b[mask].sum(0)
    total = torch.zeros(road.a.shape[-1], len(fired), dtype=torch.float64)
    if not (fired > 0).any():
        raise CourseError("No latent of the target fires where it counts: there is nothing to attribute.")
    active = _Active(road.a, road.directions)
    for step in range(steps):
        x = road.scaled((step + 0.5) / steps if steps > 1 else 1.0).detach().requires_grad_()
        by_row = (road.targets(x) * mask[..., None]).sum(1)
        # Rows know nothing of each other: one backward pass serves another target latent in each row.
        live = [torch.nonzero(row > 0).flatten() for row in by_row.detach()]
        n_passes = max(map(len, live))
        for number in range(n_passes):
            rows = [row for row, latents in enumerate(live) if number < len(latents)]
            targets = [int(live[row][number]) for row in rows]
            (gradient,) = torch.autograd.grad(
                by_row[rows, targets].sum(), x, retain_graph=number < n_passes - 1
            )
            for row, latent in zip(rows, targets, strict=True):
                active.add(total, row, latent, gradient[row])
    total /= steps
    return Attribution(
        source=source.hook_point,
        target=target.hook_point,
        total=total.float(),
        fired=fired.detach().cpu(),
        n_tokens=int(mask.sum()),
        steps=steps,
    )


@torch.enable_grad()
def attribution_by_token(  # noqa: PLR0917 - a place has as many coordinates
    model: "HookedTransformer",
    source: Site,
    target: Site,
    tokens: Int[Tensor, " pos"],
    latent: int,
    position: int,
    *,
    through: Through = None,
    steps: int = 1,
) -> Float[Tensor, "pos d_source"]:
    """Which token, and which source latent there, made one target latent fire at one place of one row.

    The terms of `latent_attribution` for that latent and place, not yet summed over source tokens.

    Args:
        tokens: one row.
        latent, position: of the target.
        through, steps: as for `latent_attribution`.

    Raises:
        CourseError: for a place or a latent that there isn't, and as `latent_attribution` does.
    """
    row = torch.as_tensor(tokens)
    if row.ndim != 1:
        raise CourseError(f"One row of tokens is asked about; these are {list(row.shape)}: take tokens[0].")
    road = Between(model, source, target, row[None], through)
    n_pos, d_target = road.b.shape[1:]
    if not (0 <= position < n_pos and 0 <= latent < d_target):
        raise CourseError(
            f"The row has the places 0 to {n_pos - 1} and the target the latents 0 to {d_target - 1}; asked "
            f"for were place {position} and latent {latent}."
        )
    mean = torch.zeros_like(road.x)
    for step in range(steps):
        x = road.scaled((step + 0.5) / steps if steps > 1 else 1.0).detach().requires_grad_()
        value = road.targets(x)[0, position, latent]
        mean += torch.autograd.grad(value, x)[0] / steps
    return (road.a[0] * (mean[0] @ road.directions.T)).detach()


class _Active:
    """The source's activations that aren't 0, row by row: most of a · gradient would be 0 times something."""

    def __init__(
        self, a: Float[Tensor, "rows pos d_source"], directions: Float[Tensor, "d_source d_in"]
    ) -> None:
        self.rows = []
        for row in a:
            pos, latent = row.nonzero(as_tuple=True)
            self.rows.append((pos, latent, row[pos, latent, None] * directions[latent]))

    def add(
        self,
        total: Float[Tensor, "d_source d_target"],
        row: int,
        target: int,
        gradient: Float[Tensor, "pos d_in"],
    ) -> None:
        """Add Σ over the row's tokens of a_i times the gradient along what latent i writes."""
        pos, latent, written = self.rows[row]
        parts = (written * gradient[pos]).sum(1)
        total[:, target].index_add_(0, latent.cpu(), parts.cpu().to(total.dtype))
