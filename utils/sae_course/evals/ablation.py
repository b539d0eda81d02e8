"""What a target latent loses without a source latent, pair by pair, beside control pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .between import Between, Through, counted
from .sites import Site

if TYPE_CHECKING:
    import pandas as pd
    from transformer_lens import HookedTransformer

_NEAREST = 10
"""A control is one of so many source latents of nearest density."""


@dataclass(frozen=True, repr=False)
class Ablations:
    """Source latents ablated one at a time, and what was left of target latents."""

    table: "pd.DataFrame" = field(repr=False)
    """A row per pair: ``source``, ``target``; ``lost``, the target's sum over all tokens that count less the
    same without the source (comparable with an attribution's ``total``); over the pair's own ``tokens``
    (where the target fires and the source fires at the token that matters): the ``clean`` and the ``ablated``
    mean, and the ``drop``, 1 − ablated / clean; NaN where the pair has no token."""

    def __str__(self) -> str:
        drop = self.table["drop"].dropna()
        if not len(drop):
            return f"{len(self.table)} pairs, none of which fires together where it counts"
        return (
            f"{len(self.table)} pairs: without the source, the target loses {drop.mean():.1%} on average, "
            f"at most {drop.max():.1%}; more than half in {int((drop > 0.5).sum())}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.to_html(float_format="{:.3f}".format, border=0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None where the pair has no token."""
        values = {column: self.table[column].tolist() for column in self.table}
        return {column: [None if isnan(one) else one for one in found] for column, found in values.items()}


def ablations(
    model: "HookedTransformer",
    source: Site,
    target: Site,
    tokens: Int[Tensor, "rows pos"],
    pairs: Iterable[tuple[int, int]],
    *,
    where: "Tensor | Any | None" = None,
    source_at: "Tensor | Any | None" = None,
    events: Sequence[int] | None = None,
    through: Through = None,
) -> Ablations:
    """Ablate each pair's source latent at every token, the SAE's error kept, and look at its target latent.

    Args:
        pairs: (source latent, target latent).
        where: the target's tokens that count, a boolean for each; all when not given.
        source_at: for each token of the target, the place of the source's token that matters, −1 for none
            (such as `data.repeats.Repeats.followed`); the token itself when not given.
        events: for each pair, the source latent whose firing decides which tokens are the pair's; its own
            when not given. A control ablates another latent and looks at the same tokens.
        through: what carries the change; see `Between`.

    Raises:
        CourseError: for pairs that there aren't, and what doesn't go together.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    road = Between(model, source, target, tokens, through)
    mask = counted(where, road.rows)
    wanted = [(int(i), int(j)) for i, j in pairs]
    deciding = [i for i, _ in wanted] if events is None else [int(i) for i in events]
    _check(wanted, deciding, road)
    place, has = _places(source_at, road.rows)
    n_rows = torch.arange(len(road.rows), device=road.rows.device)[:, None]
    found: dict[int, dict[str, Any]] = {}
    for latent in dict.fromkeys(i for i, _ in wanted):
        after = road.without(latent)
        for number, (i, j) in enumerate(wanted):
            if i != latent:
                continue
            before, left = road.b[..., j], after[..., j]
            on = mask & has & (before > 0) & (road.a[n_rows, place, deciding[number]] > 0)
            clean, ablated, n = float(before[on].sum()), float(left[on].sum()), int(on.sum())
            found[number] = {
                "source": i,
                "target": j,
                "lost": float((before - left)[mask].sum()),
                "tokens": n,
                "clean": clean / n if n else float("nan"),
                "ablated": ablated / n if n else float("nan"),
                "drop": 1 - ablated / clean if n else float("nan"),
            }
    return Ablations(pd.DataFrame([found[number] for number in range(len(wanted))]))


def joint_firing(
    a: Float[Tensor, "rows pos d_source"],
    b: Float[Tensor, "rows pos d_target"],
    where: "Tensor | Any | None" = None,
    source_at: "Tensor | Any | None" = None,
) -> Float[Tensor, "d_source d_target"]:
    """At how many tokens that count each pair fires together; arguments as for `ablations`.

    Raises:
        CourseError: when they are not of the same tokens.
    """
    if a.shape[:2] != b.shape[:2]:
        raise CourseError(f"The latents are of other tokens: {list(a.shape[:2])} and {list(b.shape[:2])}.")
    rows = torch.zeros(a.shape[:2], dtype=torch.long, device=a.device)
    mask = counted(where, rows)
    place, has = _places(source_at, rows)
    on = mask & has
    n_rows = torch.arange(len(rows), device=a.device)[:, None]
    return (a[n_rows, place][on] > 0).float().T @ (b[on] > 0).float()


def controls(
    density: Float[Tensor, " d_source"], latents: Sequence[int], *, without: Iterable[int] = (), seed: int = 0
) -> list[int]:
    """For each source latent another that fires about as often: one of the ten of nearest density, at random.

    Args:
        density: share of tokens at which each source latent fires.
        without: latents that are no control, such as all that are candidates themselves.

    Raises:
        CourseError: when too few live latents are left to choose from.
    """
    chosen = [int(latent) for latent in latents]
    out = {int(latent) for latent in without} | set(chosen)
    pool = torch.tensor([i for i in torch.nonzero(density > 0).flatten().tolist() if i not in out])
    if len(pool) < 2:
        raise CourseError(f"{len(pool)} live latents are left as controls: exclude fewer.")
    stream = np.random.Generator(np.random.PCG64(stream_seed("controls", seed)))
    logs = density.double().cpu().log()
    found = []
    for latent in chosen:
        distance = (logs[pool] - logs[latent]).abs()
        near = distance.argsort(stable=True)[:_NEAREST]
        found.append(int(pool[near[int(stream.integers(len(near)))]]))
    return found


def _check(pairs: list[tuple[int, int]], deciding: list[int], road: Between) -> None:
    d_source, d_target = road.a.shape[-1], road.b.shape[-1]
    if not pairs:
        raise CourseError("There are no pairs to ablate.")
    if len(deciding) != len(pairs):
        raise CourseError(f"events names {len(deciding)} latents for {len(pairs)} pairs: one for each.")
    for i, j in [*pairs, *((i, 0) for i in deciding)]:
        if not (0 <= i < d_source and 0 <= j < d_target):
            raise CourseError(
                f"There is no pair ({i}, {j}): the source has the latents 0 to {d_source - 1} and the target "
                f"0 to {d_target - 1}."
            )


def _places(
    source_at: "Tensor | Any | None", rows: Int[Tensor, "rows pos"]
) -> tuple[Int[Tensor, "rows pos"], "Tensor"]:
    """The source's token for each of the target's, and where there is one."""
    n_pos = rows.shape[1]
    own = torch.arange(n_pos, device=rows.device).expand(rows.shape)
    if source_at is None:
        return own, torch.ones_like(rows, dtype=torch.bool)
    place = torch.as_tensor(source_at).to(rows.device)
    if place.shape != rows.shape or place.dtype.is_floating_point or place.dtype == torch.bool:
        raise CourseError(
            f"source_at is a place for each token, {list(rows.shape)}; this is {place.dtype} "
            f"{list(place.shape)}."
        )
    if bool((place > own).any()):
        raise CourseError(
            "source_at names places that come after the token itself: a model can't look there."
        )
    return place.clamp(min=0).long(), place >= 0
