"""What a latent does to the model's output: ablate it where it fires, and see how many tokens' logits move.

A model that computes with few features at a time should have features that touch few outputs at a time. Set
one latent to 0 at one token, keep the SAE's error, and let Δ be the change of the logits. **Ablation
sparsity** (Gao et al. 2024, "Scaling and evaluating sparse autoencoders", section 4.5) is the share of the
vocabulary that Δ effectively covers:

    sparsity = (‖Δ‖₁ / ‖Δ‖₂)² / (V T),

with V tokens in the vocabulary and T places (the ablated one, and ``ahead`` more), each place's median taken
off Δ first: a shift of all logits changes no probability. 1 / (V T) is a single logit, 1 is all alike, and
numbers drawn from a normal distribution have 2 / π = 0.64: that is what no structure looks like. Gao et al.
look at T = 16 places. Here T is 1 unless asked, and a rare latent is as likely to be drawn as a common one.

A latent's number says little alone, for the layers above may spread whatever they are given. So the same is
done with a random direction of the ablated part's length, at the same tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..runs.view import table
from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .activations import harvest, token_rows
from .autoencoder import Autoencoder, decode, encode, ready
from .splicing import replaced
from .uncertainty import Difference, Estimate, difference, over
from .units import Units, units_of

if TYPE_CHECKING:
    import pandas as pd
    from transformer_lens import HookedTransformer

_EARLY = slice(96)
_ROUNDING = 1e-5
"""Of the logits' own size: a smaller change is rounding, and its shape that of noise."""
_MEASURED = ("kl", "ce", "sparsity")


@dataclass(frozen=True, repr=False)
class Effects:
    """Latents ablated one at a time at single tokens, beside random directions of the same length there."""

    table: "pd.DataFrame" = field(repr=False)
    """A row per latent, means over its ``tokens``. Of the latent, and as ``control_…`` of the random
    direction: ``kl``, KL(clean ‖ ablated) in nats; ``ce``, the size of the change of −log p(true next token);
    ``sparsity``, NaN where no logit moved at any token. kl and ce are means over the T places too."""
    d_vocab: int
    ahead: int

    @property
    def sparsity(self) -> Estimate:
        """Of the latents, their mean: the share of the logits that one touches."""
        return self._over("sparsity")

    @property
    def control_sparsity(self) -> Estimate:
        """The same of the random directions."""
        return self._over("control_sparsity")

    @property
    def kl(self) -> Estimate:
        """Of the latents, their mean: nats."""
        return self._over("kl")

    @property
    def control_kl(self) -> Estimate:
        """The same of the random directions."""
        return self._over("control_kl")

    @property
    def without_effect(self) -> int:
        """Latents that moved no logit beyond rounding: they have no sparsity; their kl counts."""
        return int(self.table["sparsity"].isna().sum())

    def against_control(self, column: str = "sparsity") -> Difference:
        """The latents less the random directions, latent by latent.

        Args:
            column: ``sparsity``, ``kl`` or ``ce``.

        Raises:
            CourseError: for another column, and for fewer than two latents that have both.
        """
        if column not in _MEASURED:
            raise CourseError(f'"{column}" has no control: take one of {", ".join(_MEASURED)}.')
        return difference(self.table[column].to_numpy(), self.table[f"control_{column}"].to_numpy())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for a sparsity that there isn't."""
        columns = {name: self.table[name].tolist() for name in self.table}
        plain = {name: [None if isnan(one) else one for one in found] for name, found in columns.items()}
        return {"d_vocab": self.d_vocab, "ahead": self.ahead, "latents": plain}

    def __str__(self) -> str:
        lines = [f"{name}: {one}, random direction {other}" for name, (one, other) in self._lines().items()]
        return "\n  ".join([self._head(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._head() + table(["latents", "random directions"], self._lines())

    def _head(self) -> str:
        silent = f"; {self.without_effect} moved no logit" if self.without_effect else ""
        tokens = int(self.table["tokens"].sum())
        return f"{len(self.table)} latents ablated at {tokens} tokens, one at a time{silent}"

    def _lines(self) -> dict[str, list[str]]:
        names = {
            "share of logits touched": "sparsity",
            "KL, nats": "kl",
            "change of cross-entropy, nats": "ce",
        }
        return {
            words: [str(self._over(prefix + name)) for prefix in ("", "control_")]
            for words, name in names.items()
        }

    def _over(self, column: str) -> Estimate:
        return over(self.table[column].to_numpy(), "latents")


@torch.no_grad()
def latent_effects(
    model: "HookedTransformer",
    sae: Autoencoder | Units,
    tokens: Int[Tensor, "rows pos"],
    hook_point: str,
    *,
    of: slice = slice(None),
    latents: Sequence[int] | None = None,
    n: int = 32,
    per_latent: int = 8,
    ahead: int = 0,
    seed: int = 0,
    positions: slice | None = _EARLY,
    batch: int = 32,
) -> Effects:
    """Ablate latents one at a time, each at some of the tokens where it fires, and look at the next token.

    Args:
        sae: or the units of any dictionary on these tokens, which write along their directions.
        tokens: held-out rows.
        of: the positions that units are of.
        latents: which; n of the live ones at random when not given.
        per_latent: rows for each latent, drawn among those where it fires, and in each row one token.
        ahead: look at so many places beyond the ablated one too.
        seed: of what is drawn. A latent's tokens and random direction don't depend on the other latents.
        positions: ablate only here; None is everywhere. The first 96 unless told otherwise: rows are cut
            after the last token that is looked at, and their time rises with the square of their length.
        batch: rows at once; their logits, twice, are what takes memory.

    Raises:
        CourseError: for a hook point, tokens or an SAE that don't go with the model; for numbers below 1, no
            position that can be looked at, and latents that don't fire there.
    """
    if min(n, per_latent, batch) < 1 or ahead < 0:
        raise CourseError(
            f"n, per_latent and batch are at least 1 and ahead at least 0; these are {n}, {per_latent}, "
            f"{batch} and {ahead}."
        )
    rows = token_rows(model, tokens, least=2 + ahead)
    counts = _counts(rows.shape[1], positions, ahead)
    whole = rows.shape
    rows = rows[:, : int(counts.nonzero().max()) + ahead + 2]
    if isinstance(sae, Units):
        x, a = (_placed(values, of, whole)[:, : rows.shape[1]] for values in (sae.x, sae.a))
    else:
        x = harvest(model, rows, hook_point, batch=batch)
        a = units_of(sae, x).a
    fires = (a != 0).cpu() & counts[: rows.shape[1], None]
    chosen = _chosen(fires, latents, n, seed)
    drawn = [_draw(fires[..., latent], per_latent, latent, seed) for latent in chosen]
    row, pos = torch.cat([places for places, _ in drawn]).to(rows.device).unbind(1)
    which = torch.repeat_interleave(torch.arange(len(chosen)), torch.tensor([len(one) for one, _ in drawn]))
    change = _ablation(sae, x[row, pos], a[row, pos], torch.tensor(chosen)[which])
    random = torch.stack([torch.randn(x.shape[-1], generator=stream) for _, stream in drawn])[which]
    directions = torch.nn.functional.normalize(random).to(change)
    changes = torch.stack([change, change.norm(dim=1, keepdim=True) * directions])
    found = torch.empty(2, len(row), len(_MEASURED), dtype=torch.float64)
    # Rows of like length together, cut where nothing more is looked at: no token sees what comes after it.
    for some in pos.argsort(stable=True).split(batch):
        part = rows[row[some], : int(pos[some].max()) + ahead + 2]
        places = pos[some, None] + torch.arange(ahead + 1, device=pos.device)
        found[:, some.cpu()] = _compared(model, part, hook_point, changes[:, some], places)
    return Effects(_by_latent(found, which, chosen), int(model.cfg.d_vocab), ahead)


def _placed(
    values: Float[Tensor, "rows some d"], of: slice, shape: Sequence[int]
) -> Float[Tensor, "rows pos d"]:
    """Values of some positions among those of whole rows; 0 elsewhere, where nothing fires.

    Raises:
        CourseError: when they are not of these rows' positions ``of``.
    """
    out = values.new_zeros(*shape, values.shape[-1])
    if out[:, of].shape != values.shape:
        raise CourseError(
            f"The units are of {list(values.shape[:2])} tokens, and of={of} of these rows are "
            f"{list(out[:, of].shape[:2])}: give the tokens, and the positions, that they are of."
        )
    out[:, of] = values
    return out


def _counts(n_pos: int, positions: slice | None, ahead: int) -> Bool[Tensor, " pos"]:
    """Where a latent may be ablated: the row goes on for as long as is looked at, and one token more."""
    counts = torch.zeros(n_pos, dtype=torch.bool)
    counts[slice(None) if positions is None else positions] = True
    counts[n_pos - 1 - ahead :] = False
    if not counts.any():
        raise CourseError(
            f"positions={positions} leaves no token of these rows of {n_pos} that has {ahead + 1} more "
            "behind it: take other positions, longer rows, or a smaller ahead."
        )
    return counts


def _chosen(
    fires: Bool[Tensor, "rows pos d_sae"], latents: Sequence[int] | None, n: int, seed: int
) -> list[int]:
    live = fires.flatten(0, 1).any(0).nonzero().flatten()
    if latents is None:
        if not len(live):
            raise CourseError("No latent fires at a token that can be looked at: nothing can be ablated.")
        stream = torch.Generator().manual_seed(stream_seed("effects", seed))
        return sorted(live[torch.randperm(len(live), generator=stream)[:n]].tolist())
    wanted = [int(latent) for latent in latents]
    silent = sorted(set(wanted) - set(live.tolist()))
    if silent or not wanted:
        raise CourseError(
            f"The latents {silent} fire at no token that can be looked at: leave them out, or take more rows."
            if silent
            else "latents is empty: name some, or leave it out to have them drawn."
        )
    return wanted


def _draw(
    fires: Bool[Tensor, "rows pos"], per_latent: int, latent: int, seed: int
) -> tuple[Int[Tensor, "some 2"], torch.Generator]:
    """A row and a place in it, up to ``per_latent`` times; and the latent's stream, to draw on from."""
    stream = torch.Generator().manual_seed(stream_seed(f"effects of latent {latent}", seed))
    there = fires.any(1).nonzero().flatten()
    row = there[torch.randperm(len(there), generator=stream)[:per_latent]]
    pos = (torch.rand(len(row), fires.shape[1], generator=stream) * fires[row]).argmax(1)
    return torch.stack([row, pos], dim=1), stream


def _ablation(
    sae: Autoencoder | Units,
    x: Float[Tensor, "n d_in"],
    a: Float[Tensor, "n d_sae"],
    latents: Int[Tensor, " n"],
) -> Float[Tensor, "n d_in"]:
    """What the activation changes by at each token when this token's latent is 0."""
    if isinstance(sae, Units):
        if sae.directions is None:
            raise CourseError(f"{sae.name} has no directions: what its units write isn't known.")
        chosen = latents.to(a.device)
        return -a[torch.arange(len(a)), chosen, None] * sae.directions[chosen]
    off = a.clone()
    off[torch.arange(len(a)), latents] = 0
    out = []
    with ready(sae):
        for some in (off, a):
            encode(sae, x)  # an SAE that normalises keeps the norms of its inputs, for one decode
            out.append(decode(sae, some, x))
    return out[0] - out[1]


def _compared(
    model: "HookedTransformer",
    rows: Int[Tensor, "n pos"],
    hook_point: str,
    changes: Float[Tensor, "2 n d_in"],
    places: Int[Tensor, "n places"],
) -> Float[Tensor, "2 n 3"]:
    """What `_MEASURED` names, for either change at each row's first place."""
    each = torch.arange(len(rows), device=rows.device)[:, None]
    successors = rows[each, places + 1, None]

    def logits(change: Float[Tensor, "n d_in"]) -> Float[Tensor, "n places d_vocab"]:
        def shift(x: Float[Tensor, "n pos d_in"]) -> Float[Tensor, "n pos d_in"]:
            x = x.clone()
            x[each, places[:, :1]] += change[:, None]
            return x

        return replaced(model, rows[:, :-1], hook_point, shift)[each, places].double()

    clean = logits(torch.zeros_like(changes[0]))
    p = clean.log_softmax(-1)
    found = []
    for change in changes:
        changed = logits(change)
        q = changed.log_softmax(-1)
        kl = (p.exp() * (p - q)).sum(-1).mean(1)
        ce = (p - q).gather(-1, successors).abs().mean((1, 2))
        found.append(torch.stack([kl, ce, _sparsity(clean, changed)], dim=1))
    return torch.stack(found).cpu()


def _sparsity(
    clean: Float[Tensor, "n places d_vocab"], changed: Float[Tensor, "n places d_vocab"]
) -> Float[Tensor, " n"]:
    """(‖Δ‖₁ / ‖Δ‖₂)² / (V T); NaN where Δ is rounding."""
    delta, own = ((one - one.median(-1, keepdim=True).values).flatten(1) for one in (changed - clean, clean))
    size = delta.norm(dim=1)
    share = (delta.abs().sum(1) / size).square() / delta.shape[1]
    return torch.where(size > _ROUNDING * own.norm(dim=1), share, nan)


def _by_latent(
    found: Float[Tensor, "2 n 3"], which: Int[Tensor, " n"], latents: Sequence[int]
) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - half a second

    columns: dict[str, Any] = {"latent": list(latents), "tokens": torch.bincount(which).tolist()}
    parts = [found[:, which == number] for number in range(len(latents))]
    for source, prefix in enumerate(("", "control_")):
        for column, name in enumerate(_MEASURED):
            columns[prefix + name] = [float(part[source, :, column].nanmean()) for part in parts]
    return pd.DataFrame(columns)
