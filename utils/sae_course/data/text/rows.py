"""A text as rows of tokens: the first nine tenths to train on, the last tenth held out."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt16

from ...runtime import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

HELD_OUT = 0.1
FEWEST_TRAIN, FEWEST_HELD_OUT = 50, 5  # rows; with fewer there is nothing to learn and nothing to measure
BOS = 1
_AT_ONCE = 1_000_000  # characters tokenised at once


def split(text: str) -> tuple[str, str]:
    """What is trained on and what is held out (the last tenth), cut at a line's end if one is near."""
    cut = len(text) - int(len(text) * HELD_OUT)
    line = text.find("\n", cut, cut + 1000)
    cut = cut if line < 0 else line + 1
    return text[:cut], text[cut:]


def text_rows(
    text: str, tokenizer: "PreTrainedTokenizerFast", n_ctx: int
) -> tuple[UInt16[np.ndarray, "train n_ctx"], UInt16[np.ndarray, "held_out n_ctx"]]:
    """The two parts of ``text``, as rows of BOS and ``n_ctx - 1`` consecutive tokens; the rest is dropped.

    Raises:
        CourseError: when the text has too few tokens for `FEWEST_TRAIN` and `FEWEST_HELD_OUT` rows.
    """
    train, held_out = (_encode(part, tokenizer) for part in split(text))
    room = n_ctx - 1
    if len(train) < FEWEST_TRAIN * room or len(held_out) < FEWEST_HELD_OUT * room:
        needed = max(FEWEST_TRAIN * room / (1 - HELD_OUT), FEWEST_HELD_OUT * room / HELD_OUT)
        raise CourseError(
            f"The text is too short: it has {len(train) + len(held_out):,} tokens, and a model that reads "
            f"{n_ctx} at once needs about {np.ceil(needed / 100) * 100:,.0f} ({FEWEST_TRAIN} rows to train "
            f"on and {FEWEST_HELD_OUT} held out). Give a longer text."
        )
    return _rows(train, room), _rows(held_out, room)


def _encode(text: str, tokenizer: "PreTrainedTokenizerFast") -> UInt16[np.ndarray, " token"]:
    """Token ids, piece by piece: the ids of a whole long text as Python numbers would take gigabytes."""
    pieces, start = [], 0
    while start < len(text):
        end = start + _AT_ONCE
        line = text.find("\n", end)
        end = len(text) if line < 0 else min(line + 1, end + _AT_ONCE)
        ids = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
        pieces.append(np.array(ids, dtype=np.uint16))
        start = end
    return np.concatenate(pieces) if pieces else np.zeros(0, np.uint16)


def _rows(tokens: UInt16[np.ndarray, " token"], room: int) -> UInt16[np.ndarray, "row n_ctx"]:
    n = len(tokens) // room
    body = tokens[: n * room].reshape(n, room)
    return np.concatenate([np.full((n, 1), BOS, dtype=np.uint16), body], axis=1)
