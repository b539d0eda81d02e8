"""Checks of the rows that the model will read: length, ids, BOS, and how well it predicts them."""

from collections.abc import Iterator
from math import log
from typing import TYPE_CHECKING, Any

from .findings import Finding

if TYPE_CHECKING:
    from torch import Tensor

    from .amounts import Config
    from .look import Rows

FAR_FROM_CARD = (2.0, 1.0)
"""A mini model's cross-entropy may be this many times its card's, plus this many nats.

Measured on the streams: at most 1.8 times (attn-only-2l-demo, whose stream has drills) and .57 more (rows of
8 tokens); on the drills without having learned them, 8 times.
"""
UNTRAINED = 0.1
"""Nats. Random weights are within .03 of log d_vocab."""


def context(cfg: "Config", n_ctx: int | None) -> Iterator[Finding]:
    """Whether the model reads so many tokens at once."""
    if n_ctx is not None and cfg.context_size > n_ctx:
        yield Finding(
            "context-beyond-model",
            "stops",
            f"context_size = {cfg.context_size}, and the model reads {n_ctx} tokens at once (n_ctx).",
            "The first forward pass fails, after model and data were loaded.",
            f"context_size = {n_ctx}.",
        )


def rows_long_enough(cfg: "Config", rows: "Rows") -> Iterator[Finding]:
    """Whether tokenised rows have ``context_size`` tokens; SAELens looks at the first row alone."""
    shortest = min(rows.lengths, default=0)
    if rows.tokenised and shortest < cfg.context_size:
        yield Finding(
            "context-beyond-rows",
            "stops",
            f"context_size = {cfg.context_size}, and the dataset has rows of {shortest} tokens"
            f" (shortest of the first {len(rows.lengths)}).",
            "SAELens does not join tokenised rows: it refuses when it has loaded model and data, or at the "
            "first short row.",
            f"context_size = {shortest}, or a dataset with longer rows.",
        )


def ids(cfg: "Config", tokens: "Tensor", d_vocab: int) -> Iterator[Finding]:
    """Whether every id is a word of the model's."""
    largest, smallest = int(tokens.max()), int(tokens.min())
    if largest >= d_vocab or smallest < 0:
        yield Finding(
            "ids-beyond-vocabulary",
            "stops",
            f"The dataset has the id {largest if largest >= d_vocab else smallest}, and the model knows 0 to "
            f"{d_vocab - 1}: {cfg.dataset_path or 'it'} was tokenised for another model.",
            "The embedding fails at the first batch that has one; on a GPU with an error that names neither.",
            "dataset_path = tokens made with this model's tokenizer.",
        )


def bos(cfg: "Config", rows: "Rows", tokenizer: Any) -> Iterator[Finding]:
    """Whether rows begin with one BOS where the configuration says so."""
    if rows.tokens is None:
        return
    token = getattr(tokenizer, "bos_token_id", None)
    if token is None:
        if cfg.prepend_bos:
            yield Finding(
                "bos-none",
                "notice",
                "prepend_bos = True, and the model has no BOS.",
                "Training ignores it, but the SAE's metadata will tell its users to prepend one.",
                "prepend_bos = False.",
            )
        return
    first = (rows.tokens[:, 0] == token).float().mean().item()
    second = (rows.tokens[:, :2] == token).all(1).float().mean().item() if rows.tokens.shape[1] > 1 else 0.0
    if second > 0.5:
        yield Finding(
            "bos-doubled",
            "wastes",
            f"{second:.0%} of the rows begin with BOS (id {token}) twice.",
            "The model never saw that: its activations after it are not those of text.",
            "a dataset tokenised without a second BOS"
            + ("." if rows.tokenised else ", or prepend_bos = False: the text has its own."),
        )
    elif cfg.prepend_bos and rows.tokenised and first < 0.5:
        yield Finding(
            "bos-missing",
            "wastes",
            f"prepend_bos = True, and {first:.0%} of the rows begin with BOS (id {token}).",
            "SAELens adds none to a tokenised dataset: it trains without one, and its metadata says with.",
            "prepend_bos = False, if the model was trained so; else a dataset whose rows begin with BOS.",
        )


def excluded(cfg: "Config", tokenizer: Any, d_vocab: int) -> Iterator[Finding]:
    """Whether the tokens to be left out exist."""
    wanted = cfg.exclude_special_tokens
    if wanted is True and tokenizer is None:
        what = "exclude_special_tokens = True, and the model has no tokenizer"
    elif isinstance(wanted, list) and (beyond := [one for one in wanted if not 0 <= one < d_vocab]):
        what = f"exclude_special_tokens has the ids {beyond[:5]}, and the model knows 0 to {d_vocab - 1}"
    else:
        return
    yield Finding(
        "exclude-nothing",
        "notice",
        f"{what}.",
        "Nothing is left out.",
        "exclude_special_tokens = False, or the list of ids to leave out.",
    )


def cross_entropy(
    cfg: "Config", rows: "Rows", loss: float, card: float | None, d_vocab: int
) -> Iterator[Finding]:
    """Whether the model predicts these rows better than one that knows only how frequent words are.

    Args:
        loss: the model's, in nats per token.
        card: the held-out loss on a mini model's card; None for another model.
    """
    assert rows.tokens is not None
    frequencies = unigram_entropy(rows.tokens)
    if abs(loss - log(d_vocab)) < UNTRAINED:
        yield Finding(
            "model-untrained",
            "notice",
            f"The model's cross-entropy, {loss:.2f} nats, is that of a guess among {d_vocab:,} words.",
            "So do random weights: right for a control, and for nothing else.",
            "model = a trained one, if this is not a control.",
        )
        return
    far = card is not None and loss > FAR_FROM_CARD[0] * card + FAR_FROM_CARD[1]
    if loss > frequencies or far:
        sane = f"{frequencies:.2f} for one that knows only how frequent each is"
        yield Finding(
            "loss-too-high",
            "wastes",
            f"The model's cross-entropy on these tokens is {loss:.2f} nats"
            + (f"; its card says {card:.2f}" if card is not None else "")
            + f", and it would be {sane}.",
            "These are another model's tokens, or a kind of text it never read: latents describe its "
            "confusion, and nothing but the cross-entropy shows it.",
            f'dataset_path = the data of "{cfg.model_name}", made with its own tokenizer.',
        )


def unigram_entropy(tokens: "Tensor") -> float:
    """Entropy of the tokens' frequencies, in nats, with Miller's correction for few tokens (1955)."""
    import torch  # noqa: PLC0415 - a second

    counts = torch.bincount(tokens.flatten()).double()
    counts = counts[counts > 0]
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum() + (len(counts) - 1) / (2 * counts.sum()))
