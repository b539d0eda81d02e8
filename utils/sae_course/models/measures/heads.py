"""Attention heads found by score: the previous-token head, the induction head, and what they are good for."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...runtime.streams import stream_seed
from ..cards import Behaviour

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

SEQUENCES = 200
PERIOD = 64


def repeated_random(
    n: int, d_vocab: int, period: int = PERIOD, seed: int = 0
) -> Int[Tensor, "sequence 2*period+1"]:
    """BOS, ``period`` random words, and the same words again."""
    stream = np.random.Generator(np.random.PCG64(stream_seed("repeated random", seed)))
    words = stream.integers(4, d_vocab, size=(n, period))
    return torch.from_numpy(np.concatenate([np.ones((n, 1), np.int64), words, words], axis=1))


@torch.no_grad()
def head_scores(
    model: "HookedSAETransformer", tokens: Int[Tensor, "sequence 2*period+1"]
) -> tuple[Float[Tensor, "layer head"], Float[Tensor, "layer head"]]:
    """Mean attention to the token before, and from the second half to the token after the first occurrence.

    The scores of Olsson et al. 2022, "In-context Learning and Induction Heads", on repeated random tokens.
    """
    period = (tokens.shape[1] - 1) // 2
    patterns = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.cfg.n_layers)]
    _, cache = model.run_with_cache(
        tokens.to(model.cfg.device), return_type=None, names_filter=lambda name: name in patterns
    )
    stacked = torch.stack([cache[name].float().cpu() for name in patterns])
    before = stacked.diagonal(-1, -2, -1)[..., 1:].mean((1, -1))
    # Row q, column q - (period - 1): what followed this word last time.
    induction = stacked.diagonal(1 - period, -2, -1)[..., 2:].mean((1, -1))
    return before, induction


@torch.no_grad()
def half_losses(
    model: "HookedSAETransformer", tokens: Int[Tensor, "sequence 2*period+1"]
) -> tuple[float, float]:
    """Mean loss in nats per token on the random words and on their repetition (from its second word on)."""
    period = (tokens.shape[1] - 1) // 2
    logits = model(tokens.to(model.cfg.device), return_type="logits").float().cpu()
    losses = -logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
    return losses[:, :period].mean().item(), losses[:, period + 1 :].mean().item()


def attention_only(model: "HookedSAETransformer", share: float = 1.0) -> list[Behaviour]:
    """The figures of the attention-only model's card."""
    from .stories import held_out_loss  # noqa: PLC0415

    n = max(int(SEQUENCES * share), 20)
    tokens = repeated_random(n, model.cfg.d_vocab)
    before, induction = head_scores(model, tokens)
    first, second = half_losses(model, tokens)
    n_heads = before.shape[1]

    def head(score: Float[Tensor, "layer head"]) -> str:
        return "head {}.{}".format(*divmod(int(score.argmax()), n_heads))

    sample = f"{n} sequences of {PERIOD} random words, twice"
    return [
        held_out_loss(model, share),
        Behaviour(
            name="previous-token head",
            value=100 * before.max().item(),
            target=50.0,
            better=">=",
            unit="%",
            what=f"{head(before)}: mean attention to the token before",
            sample=sample,
        ),
        Behaviour(
            name="induction head",
            value=100 * induction.max().item(),
            target=50.0,
            better=">=",
            unit="%",
            what=f"{head(induction)}: mean attention to the token that followed this one last time",
            sample=sample,
        ),
        Behaviour(
            name="loss on the repetition",
            value=second,
            target=first / 4,
            better="<=",
            unit="nats",
            what=f"nats per token on the second half of repeated random words; on the first half {first:.2f}",
            sample=sample,
        ),
    ]
