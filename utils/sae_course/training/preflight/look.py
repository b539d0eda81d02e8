"""A look at the model and its data: a few rows, one small forward pass, shapes without weights."""

import warnings
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...models.load import deprecated
from ...runtime import CourseError, current

if TYPE_CHECKING:
    from torch import Tensor

    from .amounts import Config

TOKENS = 2_048
"""Tokens to read, about: enough to tell a foreign tokenizer, and a mean from its noise."""
ROWS = (8, 64)
"""To read, at least and at most."""
LOGITS = 2**26
"""Numbers in the logits of one forward pass, at most: 256 MB. With 256,000 words that is 262 tokens."""
LOCAL_CONFIGS = ("google/gemma-2-",)
"""Models whose architecture TransformerLens tells from the name, without the hub."""


@dataclass(frozen=True)
class Rows:
    """The first rows of a dataset."""

    tokenised: bool
    lengths: list[int]
    """Of the rows as they are in the dataset, in tokens; empty for text."""
    tokens: "Tensor | None"
    """[rows, context]: as SAELens would give them to the model; None when they are too short."""


@dataclass(frozen=True)
class Forward:
    """What one forward pass gave."""

    activations: "Tensor | None"
    """[rows, positions, ...] at the hook; None when the hook did not run."""
    positions: int
    loss: float | None
    """Cross-entropy in nats per token; None without tokens."""


def first_rows(cfg: "Config", model: Any, dataset: Any) -> Rows:
    """The first rows of ``dataset``, which is left as it is.

    Raises:
        CourseError: when it has no column of tokens or text, or not enough of them.
    """
    import torch  # noqa: PLC0415 - a second

    count = ROWS[0] if current().smoke else max(ROWS[0], min(ROWS[1], TOKENS // cfg.context_size))
    try:
        first = list(islice(iter(dataset), count))
    except CourseError:
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0]
        raise CourseError(f"The dataset's rows can't be read ({type(error).__name__}: {said}).") from error
    if not first:
        raise CourseError("The dataset is empty.")
    column = None if cfg.use_chat_formatting else next((name for name in _TOKENS if name in first[0]), None)
    if column is None:
        return _tokenised(cfg, model, dataset, count)
    rows = [torch.as_tensor(row[column]).long() for row in first]
    lengths = [len(row) for row in rows]
    tokens = (
        torch.stack([row[: cfg.context_size] for row in rows]) if min(lengths) >= cfg.context_size else None
    )
    return Rows(True, lengths, tokens)


_TOKENS = ("tokens", "input_ids")


def _tokenised(cfg: "Config", model: Any, dataset: Any, count: int) -> Rows:
    """Rows of text, as SAELens itself tokenises and joins them."""
    from sae_lens import ActivationsStore  # noqa: PLC0415 - seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            store = ActivationsStore.from_config(model, cfg, override_dataset=dataset)
            return Rows(False, [], store.get_batch_tokens(count).cpu())
        except (ValueError, RuntimeError, StopIteration, AttributeError, KeyError, TypeError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CourseError(
                f"SAELens can't make {count} rows of {cfg.context_size} tokens of this dataset ({said})."
            ) from error


def forward(cfg: "Config", model: Any, tokens: "Tensor | None") -> Forward:
    """Activations at the hook and the loss on ``tokens``, cut where the logits would fill the memory.

    Without tokens, the model reads ids of no meaning, for the shapes alone.
    """
    import torch  # noqa: PLC0415 - a second
    from torch.nn.functional import cross_entropy  # noqa: PLC0415

    d_vocab = vocabulary(model)
    n_ctx = context_of(model) or cfg.context_size
    given = tokens if tokens is not None else torch.zeros(1, min(8, n_ctx), dtype=torch.long)
    length = min(given.shape[1], n_ctx, max(16, LOGITS // d_vocab))
    given = given[:, :length]
    at_once = max(1, LOGITS // (d_vocab * length))
    device = next(model.parameters()).device
    parts: list[Tensor] = []
    losses: list[Tensor] = []
    with torch.no_grad(), deprecated(), torch.device(device):
        for some in given.split(at_once):
            logits, cache = model.run_with_cache(
                some.to(device), names_filter=[cfg.hook_name], prepend_bos=False, **cfg.model_kwargs
            )
            if cfg.hook_name in cache:
                parts.append(
                    cache[cfg.hook_name].float().cpu() if device.type != "meta" else cache[cfg.hook_name]
                )
            if tokens is not None and length > 1:
                predicted = logits[:, :-1].float().flatten(0, 1)
                losses.append(cross_entropy(predicted, some[:, 1:].to(device).flatten()).cpu() * len(some))
    loss = float(torch.stack(losses).sum() / len(given)) if losses else None
    return Forward(torch.cat(parts) if parts else None, length, loss)


def vocabulary(model: Any) -> int:
    """Ids that the model knows."""
    cfg = getattr(model, "cfg", None)
    known = getattr(cfg, "d_vocab", None) or getattr(cfg, "vocab_size", None)
    return int(known) if known else len(model.tokenizer)


def context_of(model: Any) -> int | None:
    """Tokens that the model reads at once; None where it doesn't say."""
    cfg = getattr(model, "cfg", None)
    known = getattr(cfg, "n_ctx", None) or getattr(cfg, "max_position_embeddings", None)
    return int(known) if known else None


def skeleton(name: str) -> Any | None:
    """The published model without its weights, where its architecture needs no network; otherwise None."""
    import torch  # noqa: PLC0415 - a second

    with deprecated():
        from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds
        from transformer_lens.loading_from_pretrained import (  # noqa: PLC0415
            get_official_model_name,
            get_pretrained_model_config,
        )

        try:
            official = get_official_model_name(name)
        except ValueError:
            return None
        if not official.startswith(LOCAL_CONFIGS):
            return None
        cfg = get_pretrained_model_config(name, device="meta")
        cfg.tokenizer_name = None  # which would be fetched
        with torch.device("meta"):
            return HookedSAETransformer(cfg, move_to_device=False)
