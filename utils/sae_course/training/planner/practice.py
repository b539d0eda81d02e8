"""How many tokens: what was published for SAEs of a language model's residual stream, by width."""

import math
from itertools import pairwise

PRACTICE = ((16_384, 4e9), (65_536, 8e9), (1_048_576, 16e9))
"""Latents and training tokens of Gemma Scope (Lieberum et al., 2024, arXiv 2408.05147)."""
SOURCE = "Gemma Scope: 4 billion tokens for 16 k latents, 8 for 65 k, 16 for 1 M"


FAR = 2
"""Times narrower or wider than any published one: beyond that nothing is said."""


def tokens_by_practice(d_sae: int) -> float | None:
    """Tokens for a width, along straight lines between the published ones, width and tokens in logarithms.

    A little beyond them the nearest line is drawn on; further out the answer is None.
    """
    if not PRACTICE[0][0] / FAR <= d_sae <= PRACTICE[-1][0] * FAR:
        return None
    pairs = list(pairwise(PRACTICE))
    (w0, t0), (w1, t1) = next((pair for pair in pairs if d_sae <= pair[1][0]), pairs[-1])
    slope = math.log(t1 / t0) / math.log(w1 / w0)
    return t0 * (d_sae / w0) ** slope
