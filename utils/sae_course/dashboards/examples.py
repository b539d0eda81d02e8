"""Which tokens a page shows of a latent: the strongest, and some from each part of its range."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .effects import Effect

BEFORE, AFTER = 10, 5
"""Tokens shown around one where a latent fires; fewer at the ends of a row."""


@dataclass(frozen=True)
class Choice:
    """How many examples a page shows of a latent, and how much of each row."""

    strongest: int = 20
    parts: int = 10
    """Of its range, equally wide."""
    per_part: int = 5
    before: int = BEFORE
    after: int = AFTER


@dataclass(frozen=True)
class Sources:
    """Where an attention head's output came from: the part of a latent's pre-activation each token gave.

    The latent's encoder vector times the value each head took from there, times the attention it paid (direct
    feature attribution, as in sae_vis and Kissane et al. 2024). Attention and the norms before it are taken
    as they are.
    """

    start: int
    """Position in the row of the first of them."""
    tokens: list[int]
    values: list[float]


@dataclass(frozen=True)
class Board:
    """A position of Othello, after a token. Squares are 0 to 63 in row-major order, A1 first."""

    discs: list[int]
    """Of each square: +1 black, -1 white, 0 empty."""
    legal: list[int]
    """Squares that may be played next."""
    move: int | None
    """Where the token put its disc; None for the token that fills up a game that is over."""
    turned: list[int]
    """Discs that it turned."""
    to_play: Literal["black", "white"] | None
    """Who plays next, passes resolved; None where the game is over."""
    loss: float | None
    """What the latent, active here, changed in the loss against a uniform choice among the legal moves: with
    it minus without. Below 0, it helped. None where the game is over."""


@dataclass
class Example:
    """A token where a latent fired, with its neighbours."""

    row: int
    pos: int
    start: int
    """Position of the first token shown."""
    tokens: list[int]
    activations: list[float]
    effects: list[Effect | None]
    """For each token shown: what the latent, active at the token before, did to its prediction."""
    sources: Sources | None = None
    board: Board | None = None


@dataclass
class Group:
    """Examples from one part of the latent's range."""

    low: float
    high: float
    share: float
    """Of the tokens where the latent fires, those in this part."""
    examples: list[Example] = field(default_factory=list)


def strongest(activations: Float[Tensor, "rows pos"], n: int, apart: int = BEFORE) -> list[tuple[int, int]]:
    """The n highest activations, at most one of tokens that stand ``apart`` or nearer, the highest first."""
    rows, places = (part.tolist() for part in torch.nonzero(activations > 0, as_tuple=True))
    values = activations[activations > 0]
    chosen: list[tuple[int, int]] = []
    for index in values.argsort(descending=True, stable=True).tolist():
        row, pos = rows[index], places[index]
        if all(row != other or abs(pos - at) > apart for other, at in chosen):
            chosen.append((row, pos))
            if len(chosen) == n:
                break
    return chosen


def spread(
    activations: Float[Tensor, "rows pos"], parts: int, n: int, seed: int
) -> list[tuple[float, float, float, list[tuple[int, int]]]]:
    """Equal parts of the range from 0 to the maximum, the highest first: its ends, its share, n tokens of it.

    The tokens are drawn at random by ``seed``; the global generators are left alone.
    """
    generator = torch.Generator().manual_seed(seed)
    fires = activations > 0
    values = activations[fires]
    ends = torch.linspace(0, float(values.max()), parts + 1, dtype=torch.float64)
    ends[-1] = float("inf")  # the maximum itself, whatever the rounding
    found = []
    for low, high in reversed(list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))):
        inside = torch.nonzero(fires & (activations > low) & (activations <= high))
        share = len(inside) / len(values)
        drawn = inside[torch.randperm(len(inside), generator=generator)[:n]]
        order = activations[drawn[:, 0], drawn[:, 1]].argsort(descending=True, stable=True)
        chosen = [(row, pos) for row, pos in drawn[order].tolist()]
        found.append((low, min(high, float(values.max())), share, chosen))
    return found


def around(
    tokens: Int[Tensor, "rows pos"],
    activations: Float[Tensor, "rows pos"],
    row: int,
    pos: int,
    choice: Choice,
) -> Example:
    """The example at a token; its effects are still to come."""
    start, stop = max(0, pos - choice.before), min(tokens.shape[1], pos + choice.after + 1)
    return Example(
        row,
        pos,
        start,
        tokens[row, start:stop].tolist(),
        activations[row, start:stop].tolist(),
        [None] * (stop - start),
    )
