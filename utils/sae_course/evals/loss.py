"""What the model loses when the SAE's reconstruction goes on in the activation's place."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runs.view import number, table
from ..runtime import CourseError
from .activations import harvest, token_rows
from .autoencoder import Autoencoder, ready
from .splicing import Replace, replaced, spliced

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

Ablation = Literal["zero", "mean"]


@dataclass(frozen=True)
class Downstream:
    """A model's next-token loss with its activations, with the SAE's reconstruction, and without either.

    ⟨ ⟩ is over every token that has a next one in its row; at each, ``clean``, ``with_sae`` and ``ablated``
    are the distributions that the model predicts. The activation is replaced at every token, BOS too;
    SAELens' ``run_evals`` leaves special tokens alone unless told ``exclude_special_tokens=False``.
    """

    n_tokens: int
    """Predictions that were counted: rows × (pos − 1)."""
    ablation: Ablation
    """What stands in for the ablated activation: zeros, or its mean over these tokens."""
    ce_clean: float
    """⟨−log clean(next token)⟩, in nats"""
    ce_with_sae: float
    """⟨−log with_sae(next token)⟩, in nats"""
    ce_ablated: float
    """⟨−log ablated(next token)⟩, in nats"""
    loss_recovered: float
    """(ce_ablated − ce_with_sae) / (ce_ablated − ce_clean): 1 is no loss at all, 0 no better than
    ablation, below 0 worse. Depends on what ablation costs: compare only at one hook point, with one kind
    of ablation."""
    standard_error: float
    """Of loss_recovered, by leaving out one row at a time (jackknife); NaN for a single row"""
    kl_with_sae: float
    """⟨KL(clean ‖ with_sae)⟩, in nats. Where the model is as wrong as before but in another way, this sees it
    and the cross-entropy doesn't."""
    kl_ablated: float
    """⟨KL(clean ‖ ablated)⟩, in nats"""
    kl_recovered: float
    """1 − kl_with_sae / kl_ablated"""
    kl_standard_error: float
    """Of kl_recovered, in the same way"""

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n  ".join(
            [f"next-token loss over {self.n_tokens:,} tokens, in nats"]
            + [f"{name}: {words}" for name, words in _lines(self).items()]
        )

    def _repr_html_(self) -> str:
        return table(
            [f"{self.n_tokens:,} tokens, nats"], {name: [words] for name, words in _lines(self).items()}
        )


def _lines(result: Downstream) -> dict[str, str]:
    spread = "" if result.standard_error != result.standard_error else f" ± {100 * result.standard_error:.2f}"
    return {
        "cross-entropy": number(result.ce_clean),
        "… with the SAE": number(result.ce_with_sae),
        f"… {result.ablation}-ablated": number(result.ce_ablated),
        "loss recovered": f"{100 * result.loss_recovered:.2f} %{spread}",
        "KL with the SAE": number(result.kl_with_sae),
        f"KL {result.ablation}-ablated": number(result.kl_ablated),
        "KL recovered": f"{100 * result.kl_recovered:.2f} %",
    }


@torch.no_grad()
def downstream(
    model: "HookedTransformer",
    sae: "Autoencoder | Float[Tensor, 'rows pos d_in']",
    tokens: Int[Tensor, "rows pos"],
    hook_point: str,
    *,
    ablation: Ablation = "zero",
    batch: int = 16,
    positions: slice | None = None,
) -> Downstream:
    """Run the model three times over the same tokens: as it is, with the SAE spliced in, and ablated.

    Args:
        sae: or what it makes of these tokens' activations, where that is known already.
        tokens: held-out rows. Each is a sample for the standard error: many short rows tell more than few
            long ones.
        ablation: what the activation is worth is measured against zeros, or against its mean over these
            tokens. Neither is always the milder.
        batch: rows at once; their logits, twice, are what takes memory.
        positions: splice and ablate only here, and leave the rest of each row as it is: for an SAE that was
            trained with ``seqpos_slice``. What it makes of positions that it never saw is left to chance.

    Raises:
        CourseError: for a hook point, tokens or an SAE that don't go with the model, or another ablation.
    """
    return downstream_of(
        model, {"": sae}, tokens, hook_point, ablation=ablation, batch=batch, positions=positions
    )[""]


@torch.no_grad()
def downstream_of(
    model: "HookedTransformer",
    saes: "Mapping[str, Autoencoder | Float[Tensor, 'rows pos d_in']]",
    tokens: Int[Tensor, "rows pos"],
    hook_point: str,
    *,
    ablation: Ablation = "zero",
    batch: int = 16,
    positions: slice | None = None,
) -> dict[str, Downstream]:
    """`downstream` of several at one hook point: the model is run as it is, and ablated, once for all.

    Args:
        saes: by name; otherwise as for `downstream`.

    Raises:
        CourseError: as `downstream` does.
    """
    rows = token_rows(model, tokens, least=2)
    ablate = _only_at(positions, _ablation(model, rows, hook_point, ablation, batch))
    sums: dict[str, list[Tensor]] = {name: [] for name in saes}
    with ExitStack() as stack:
        for sae in saes.values():
            if not isinstance(sae, Tensor):
                stack.enter_context(ready(sae))
        for at, some in enumerate(rows.split(batch)):
            clean = model(some, return_type="logits")
            clean_ce = _cross_entropy(clean, some)
            ablated = _compared(model, some, hook_point, ablate, clean)
            for name, sae in saes.items():
                splice = _known(sae, rows, at, batch) if isinstance(sae, Tensor) else spliced(sae)
                with_sae = _compared(model, some, hook_point, _only_at(positions, splice), clean)
                by_row = [clean_ce, with_sae[0], ablated[0], with_sae[1], ablated[1]]
                sums[name].append(torch.stack(by_row, dim=1).cpu().double())
    return {name: _summed(torch.cat(parts), rows, ablation) for name, parts in sums.items()}


def _compared(
    model: "HookedTransformer",
    rows: Int[Tensor, "rows pos"],
    hook_point: str,
    replace: Replace,
    clean: Float[Tensor, "rows pos d_vocab"],
) -> tuple[Float[Tensor, " rows"], Float[Tensor, " rows"]]:
    """Each row's cross-entropy, and divergence from the clean model, with something else spliced in."""
    other = replaced(model, rows, hook_point, replace)
    return _cross_entropy(other, rows), _divergence(clean, other)


def _summed(by_row: Float[Tensor, "rows 5"], rows: Int[Tensor, "rows pos"], ablation: Ablation) -> Downstream:
    """From each row's sums: cross-entropy clean, with the SAE, ablated; divergence with the SAE, ablated."""
    n_tokens = rows.shape[0] * (rows.shape[1] - 1)
    clean_ce, sae_ce, ablated_ce, sae_kl, ablated_kl = (by_row.sum(0) / n_tokens).tolist()
    divergences = torch.cat([torch.zeros_like(by_row[:, :1]), by_row[:, 3:]], dim=1)
    return Downstream(
        n_tokens=n_tokens,
        ablation=ablation,
        ce_clean=clean_ce,
        ce_with_sae=sae_ce,
        ce_ablated=ablated_ce,
        loss_recovered=_recovered(clean_ce, sae_ce, ablated_ce),
        standard_error=_jackknife(by_row[:, :3]),
        kl_with_sae=sae_kl,
        kl_ablated=ablated_kl,
        kl_recovered=_recovered(0.0, sae_kl, ablated_kl),
        kl_standard_error=_jackknife(divergences),
    )


def _known(
    reconstruction: Float[Tensor, "rows pos d_in"], rows: Int[Tensor, "rows pos"], at: int, batch: int
) -> Replace:
    """A batch of what is known of all rows, at the positions that are spliced."""
    if len(reconstruction) != len(rows):
        raise CourseError(
            f"The reconstruction is of {len(reconstruction)} rows, and these tokens are {len(rows)}: give "
            "that of the same tokens."
        )
    part = reconstruction[at * batch : (at + 1) * batch]

    def replace(x: Float[Tensor, "rows pos d_in"]) -> Float[Tensor, "rows pos d_in"]:
        if part.shape != x.shape:
            raise CourseError(
                f"The reconstruction has the shape {list(part.shape)} where the activation has "
                f"{list(x.shape)}: it must be of the same positions and hook point."
            )
        return part.to(x.device, x.dtype)

    return replace


def _only_at(positions: slice | None, replace: Replace) -> Replace:
    """The same at these positions, and nothing at the others."""
    if positions is None:
        return replace

    def some(x: Float[Tensor, "rows pos d_in"]) -> Float[Tensor, "rows pos d_in"]:
        out = x.clone()
        out[:, positions] = replace(x[:, positions])
        return out

    return some


def _ablation(
    model: "HookedTransformer", rows: Int[Tensor, "rows pos"], hook_point: str, ablation: str, batch: int
) -> Replace:
    if ablation == "zero":
        return torch.zeros_like
    if ablation != "mean":
        raise CourseError(f'There is no ablation "{ablation}": use "zero" or "mean".')
    total: Tensor | float = 0.0
    for some in rows.split(batch):
        total = total + harvest(model, some, hook_point, batch=batch).cpu().double().sum((0, 1))
    mean = torch.as_tensor(total) / rows.numel()
    return lambda x: mean.to(x.device, x.dtype).expand_as(x)


def _cross_entropy(
    logits: Float[Tensor, "rows pos d_vocab"], rows: Int[Tensor, "rows pos"]
) -> Float[Tensor, " rows"]:
    """Each row's sum, over the tokens that have a next one."""
    return _by_row(
        lambda at: torch.nn.functional.cross_entropy(logits[at, :-1].float(), rows[at, 1:], reduction="sum"),
        len(rows),
    )


def _divergence(
    clean: Float[Tensor, "rows pos d_vocab"], other: Float[Tensor, "rows pos d_vocab"]
) -> Float[Tensor, " rows"]:
    """Each row's sum of KL(clean ‖ other), over the same tokens."""

    def one(at: int) -> Tensor:
        p, q = (logits[at, :-1].float().log_softmax(-1) for logits in (clean, other))
        return (p.exp() * (p - q)).sum()

    return _by_row(one, len(clean))


def _by_row(measure: Callable[[int], Tensor], n: int) -> Float[Tensor, " rows"]:
    """One row at a time: with a vocabulary of 50,000, a batch of probabilities would be gigabytes."""
    return torch.stack([measure(at) for at in range(n)])


def _recovered(clean: float, with_sae: float, ablated: float) -> float:
    return (ablated - with_sae) / (ablated - clean) if ablated != clean else float("nan")


def _jackknife(by_row: Float[Tensor, "rows 3"]) -> float:
    """sqrt((n − 1) / n · Σ (r₋ᵢ − mean r₋ᵢ)²), where r₋ᵢ leaves out row i (Efron and Stein 1981)."""
    n = len(by_row)
    if n < 2:
        return float("nan")
    clean, with_sae, ablated = (by_row.sum(0) - by_row).unbind(1)
    left_out = (ablated - with_sae) / (ablated - clean)
    return float(((n - 1) / n * (left_out - left_out.mean()).square().sum()).sqrt())
