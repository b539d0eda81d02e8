"""The boards of the tokens where a latent fires, and what it did there to the model's choice of a move."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..data.othello.board import Boards
from ..data.othello.rules import bits
from ..data.othello.vocabulary import to_squares
from .effects import log_probs
from .examples import Board
from .subject import Subject

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from .numbers import LatentNumbers, Reading


@torch.no_grad()
def add_boards(
    subject: Subject,
    tokens: Int[Tensor, "rows pos"],
    truth: Boards,
    reading: "Reading",
    numbers: "list[LatentNumbers]",
) -> None:
    """Fill in `Example.board`, from the games as the engine replayed them."""
    squares, legal = to_squares(tokens.cpu().numpy()), torch.from_numpy(truth.legal_tokens)
    written = subject.to_residual(subject.directions([one.latent for one in numbers]))
    for one, a, direction in zip(numbers, reading.activations, written, strict=True):
        rows = torch.tensor([example.row for example in one.examples], dtype=torch.long)
        pos = torch.tensor([example.pos for example in one.examples], dtype=torch.long)
        x, push = reading.residual[rows, pos].to(direction), a[rows, pos, None].to(direction) * direction
        losses = loss_effects(subject.model, x, push, legal[rows, pos].to(direction.device))
        for example, loss in zip(one.examples, losses.tolist(), strict=True):
            example.board = board_at(truth, squares, example.row, example.pos, loss)


def board_at(truth: Boards, squares: Int[np.ndarray, "rows pos"], row: int, pos: int, loss: float) -> Board:
    """The board after one token; ``squares`` are the tokens' own, -1 for none."""
    over, move = bool(truth.over[row, pos]), int(squares[row, pos])
    return Board(
        discs=truth.state[row, pos].tolist(),
        legal=np.flatnonzero(bits(truth.legal[row, pos])).tolist(),
        move=move if move >= 0 else None,
        turned=np.flatnonzero(bits(truth.flipped[row, pos])).tolist(),
        to_play=None if over else "black" if truth.black_next[row, pos] else "white",
        loss=None if over else loss,
    )


def loss_effects(
    model: "HookedTransformer",
    residual: Float[Tensor, "n d_model"],
    push: Float[Tensor, "n d_model"],
    legal: Bool[Tensor, "n d_vocab"],
) -> Float[Tensor, " n"]:
    """The mean of -log p over the legal moves, from the stream as it is minus from that without ``push``.

    The cross-entropy against a uniform choice among them, which is what random games are: the move that came
    is chance (sae_vis' ``target_logits``). NaN where nothing is legal.
    """
    change = log_probs(model, residual) - log_probs(model, residual - push)
    return -(change * legal).sum(-1) / legal.sum(-1)
