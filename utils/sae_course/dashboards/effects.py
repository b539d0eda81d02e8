"""What a latent does to the next-token predictions on the straight way: past any later layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..evals.lens import logit_lens
from .subject import Subject

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from .numbers import LatentNumbers, Reading

HOVER_LOGITS = 5
_LOGITS_AT_ONCE = 2**24  # 64 MB in float32


@dataclass(frozen=True)
class Effect:
    """What a latent, active at one token, changed in the prediction of the next one.

    With r the direction the latent adds to the residual stream, a its activation and x the stream after the
    last layer: the predictions from x against those from x - a r. Later layers are taken to do the same.
    """

    loss: float
    """Of the token that came: with the latent minus without. Below 0, the latent helped."""
    logit: float
    """a times what r adds to the logit of the token that came, before the final norm divides."""
    probability: float
    """Of the token that came, as the model has it."""
    without: float
    """The same without the latent."""
    up: list[tuple[int, float]]
    """Tokens whose log-probability it raised most, and by how much, the most first."""
    down: list[tuple[int, float]]
    """Tokens whose log-probability it lowered most."""


def log_probs(model: "HookedTransformer", residual: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_vocab"]:
    """The model's next-token log-probabilities from the residual stream after its last layer."""
    norm: Any = model.ln_final
    logits = model.unembed(norm(residual.to(model.cfg.dtype)))
    cap = model.cfg.output_logits_soft_cap
    if cap and cap > 0:
        logits = cap * torch.tanh(logits / cap)
    return logits.float().log_softmax(-1)


@torch.no_grad()
def effects(
    model: "HookedTransformer",
    residual: Float[Tensor, "n d_model"],
    activations: Float[Tensor, " n"],
    *,
    direction: Float[Tensor, " d_model"],
    logits: Float[Tensor, " d_vocab"],
    came: Int[Tensor, " n"],
    top: int,
) -> list[Effect]:
    """The effect of one latent at n tokens.

    Args:
        residual: after the last layer, at the tokens where the latent is active.
        direction: that the latent adds to the residual stream.
        logits: what the direction adds to them, before the final norm divides.
        came: the tokens that followed.
        top: how many raised and lowered tokens to keep.
    """
    found: list[Effect] = []
    for part in torch.arange(len(came)).split(max(1, _LOGITS_AT_ONCE // model.cfg.d_vocab)):
        x, a, token = residual[part], activations[part], came[part]
        whole = log_probs(model, x)
        ablated = log_probs(model, x - a[:, None] * direction)
        change = whole - ablated
        k = min(top, change.shape[-1])
        high, low = change.topk(k), change.topk(k, largest=False)
        at = token[:, None]
        numbers = zip(
            (-change.gather(1, at)[:, 0]).tolist(),
            (a * logits[token]).tolist(),
            whole.gather(1, at)[:, 0].exp().tolist(),
            ablated.gather(1, at)[:, 0].exp().tolist(),
            (_pairs(high.indices, high.values)),
            (_pairs(low.indices, low.values)),
            strict=True,
        )
        found += [Effect(*of_token) for of_token in numbers]
    return found


@torch.no_grad()
def add_effects(
    subject: Subject, tokens: Int[Tensor, "rows pos"], reading: "Reading", numbers: "list[LatentNumbers]"
) -> None:
    """Fill in `Example.effects`, each place computed once however often it is shown."""
    model, chosen = subject.model, [one.latent for one in numbers]
    directions, came = subject.directions(chosen), tokens.cpu()
    logits = logit_lens(model, subject.sae, chosen, hook_point=subject.hook_point)
    written, size = subject.to_residual(directions), directions.norm(dim=-1)
    for i, one in enumerate(numbers):
        a = reading.activations[i]
        # The token at ``pos`` was predicted at the one before.
        places = sorted(
            {
                (example.row, pos)
                for example in one.examples
                for pos in range(max(1, example.start), example.start + len(example.tokens))
                if a[example.row, pos - 1] > 0
            }
        )
        rows, after = torch.tensor(places, dtype=torch.long).reshape(-1, 2).T
        values = effects(
            model,
            reading.residual[rows, after - 1].to(written.device),
            a[rows, after - 1].to(written.device),
            direction=written[i],
            logits=logits[i] * size[i],
            came=came[rows, after].to(written.device),
            top=HOVER_LOGITS,
        )
        by_place = dict(zip(places, values, strict=True))
        for example in one.examples:
            shown = range(example.start, example.start + len(example.tokens))
            example.effects = [by_place.get((example.row, pos)) for pos in shown]


def _pairs(ids: Int[Tensor, "n k"], values: Float[Tensor, "n k"]) -> list[list[tuple[int, float]]]:
    return [list(zip(*row, strict=True)) for row in zip(ids.tolist(), values.tolist(), strict=True)]
