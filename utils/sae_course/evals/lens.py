"""What a latent writes towards: its decoder direction read in the vocabulary."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from .autoencoder import Autoencoder, ready

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


class TopTokens(NamedTuple):
    """The tokens that a direction raises most, and lowers most, each with its value; strongest first."""

    positive: list[tuple[str, float]]
    negative: list[tuple[str, float]]


def logit_lens(
    model: "HookedTransformer",
    sae: Autoencoder,
    latents: Sequence[int] | Int[Tensor, " latents"],
    *,
    hook_point: str | None = None,
) -> Float[Tensor, "latents d_vocab"]:
    """Each latent's decoder direction, at length 1, through the final norm's weights and the unembedding.

    ((d − mean of d) ⊙ w) · W_U, less its mean over the vocabulary, which no probability depends on.
    `load_model` leaves models as trained, so the norm's weights w and its centring are applied here; RMS norm
    centres nothing. (nostalgebraist 2020, "interpreting GPT: the logit lens", for a direction.)

    Of a hook point after which nothing but the final norm comes (the last layer's MLP output, the last
    residual stream), the result is exact but for one number per token: the norm divides by the whole
    stream's size, left out here, and a large edit changes that size. Elsewhere it is the direct path alone:
    what later layers make of the latent is left out. A cap on the logits (Gemma 2) is left out too.

    Args:
        latents: their numbers.
        hook_point: where the SAE sits; an SAE of SAELens knows. ``hook_z`` goes through W_O first, and an
            MLP's ``hook_post`` through W_out.

    Raises:
        CourseError: when there is no such latent, or the SAE's d_in doesn't fit the hook point.
    """
    W_dec = _decoder(model, sae)
    chosen = torch.as_tensor(latents, device=W_dec.device).reshape(-1)
    if not len(chosen) or int(chosen.min()) < 0 or int(chosen.max()) >= len(W_dec):
        raise CourseError(f"latents are numbers from 0 to {len(W_dec) - 1}; these are {chosen.tolist()[:5]}.")
    known = getattr(getattr(getattr(sae, "cfg", None), "metadata", None), "hook_name", None)
    with torch.no_grad():
        directions = torch.nn.functional.normalize(W_dec[chosen].to(model.cfg.device).float(), dim=-1)
        written = _to_stream(model, directions, hook_point or known or "")
        final: Any = model.ln_final
        if str(model.cfg.normalization_type).startswith("LN"):
            written = written - written.mean(-1, keepdim=True)
        logits = written * getattr(final, "w", 1.0) @ model.W_U
        return logits - logits.mean(-1, keepdim=True)


def top_tokens(model: "HookedTransformer", logits_row: Float[Tensor, " d_vocab"], k: int = 10) -> TopTokens:
    """The k tokens with the highest values and the k with the lowest, as they are spelled.

    Raises:
        CourseError: when that is no row over this model's vocabulary.
    """
    d_vocab = model.cfg.d_vocab
    if logits_row.shape != (d_vocab,):
        raise CourseError(
            f"A row has {d_vocab} values, one per token; this has the shape {list(logits_row.shape)}."
        )
    row = logits_row.detach().cpu()
    order = row.argsort(descending=True).tolist()
    return TopTokens(
        *(
            [(_spelled(model, token), float(row[token])) for token in some[:k]]
            for some in (order, order[::-1])
        )
    )


def _spelled(model: "HookedTransformer", token: int) -> str:
    if model.tokenizer is not None:
        return str(model.tokenizer.decode([token], clean_up_tokenization_spaces=False))
    from ..data.othello.vocabulary import NAMES  # noqa: PLC0415

    return NAMES[token] if model.cfg.d_vocab == len(NAMES) else str(token)


@torch.no_grad()
def _decoder(model: "HookedTransformer", sae: Autoencoder) -> Float[Tensor, "d_sae d_in"]:
    """W_dec, or what an affine ``decode`` does to each latent alone."""
    W_dec = getattr(sae, "W_dec", None)
    if isinstance(W_dec, Tensor):
        return W_dec.detach()
    with ready(sae):
        d_sae = sae.encode(torch.zeros(1, model.cfg.d_model, device=model.cfg.device)).shape[-1]
        each = torch.eye(d_sae, device=model.cfg.device)
        return sae.decode(each) - sae.decode(torch.zeros_like(each[:1]))


def _to_stream(
    model: "HookedTransformer", directions: Float[Tensor, "latents d_in"], hook_point: str
) -> Float[Tensor, "latents d_model"]:
    """What the directions write into the residual stream."""
    layer = re.match(r"blocks\.(\d+)\.", hook_point)
    cfg, block = model.cfg, None if layer is None else model.blocks[int(layer[1])]
    matrix, norm = None, ""
    if block is not None and hook_point.endswith("attn.hook_z"):
        matrix, norm = block.attn.W_O.flatten(0, 1), "ln1_post"
    elif block is not None and hook_point.endswith("mlp.hook_post"):
        matrix, norm = block.mlp.W_out, "ln2_post"
    width = cfg.d_model if matrix is None else len(matrix)
    if directions.shape[1] != width:
        raise CourseError(
            f"The SAE's d_in is {directions.shape[1]}, and {hook_point or 'the residual stream'} has {width}"
            ": give its own hook_point."
        )
    if matrix is None:
        return directions
    after = getattr(block, norm, None)  # Gemma 2 has a norm between; its scale too is left out
    return directions @ matrix * getattr(after, "w", 1.0)
