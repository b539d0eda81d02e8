"""What the models make of their own: stories that go on from an opening, games against themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from ..data.othello.board import Boards, boards
from ..data.othello.games import games
from ..data.othello.vocabulary import N_CTX, SQUARES, legal_tokens, to_squares
from ..data.stories.vocabulary import BOS, EOS, decode
from ..runtime.streams import stream_seed

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer


class Told(NamedTuple):
    """A story's opening, and how the model went on."""

    opening: str
    rest: str
    ended: bool
    """Whether the model ended the story itself, before it was cut off."""


@torch.no_grad()
def next_probabilities(
    model: "HookedSAETransformer", rows: Sequence[Sequence[int]], temperature: float = 1.0
) -> Float[np.ndarray, "row d_vocab"]:
    """The model's probabilities of what follows each row; the rows may be of different lengths."""
    ends = [len(row) - 1 for row in rows]
    # What comes after a row's end changes nothing before it.
    tokens = torch.tensor([[*row] + [0] * (max(ends) + 1 - len(row)) for row in rows])
    logits = model(tokens.to(model.cfg.device), return_type="logits")
    return (logits[range(len(rows)), ends].double().cpu() / temperature).softmax(-1).numpy()


def draw(
    probabilities: Float[np.ndarray, "row d_vocab"], luck: Float[np.ndarray, " row"]
) -> Int[np.ndarray, " row"]:
    """One token for each row, by a number between 0 and 1."""
    return (probabilities.cumsum(-1) < luck[:, None]).sum(-1).clip(max=probabilities.shape[-1] - 1)


def tell_on(
    model: "HookedSAETransformer",
    openings: Sequence[Sequence[int]],
    *,
    length: int = 200,
    temperature: float = 0.8,
    seed: int = 0,
) -> list[Told]:
    """Let the model go on from each opening until it ends the story, or ``length`` tokens are there.

    Args:
        openings: token ids without BOS.
        length: of the whole row, at most the model's context.
    """
    stream = np.random.Generator(np.random.PCG64(stream_seed("tell on", seed)))
    rows = [[BOS, *opening] for opening in openings]
    length = min(length, model.cfg.n_ctx)
    while going := [at for at, row in enumerate(rows) if row[-1] != EOS and len(row) < length]:
        # Luck is drawn for all of them, so that a story that ends changes nothing in the others.
        luck = stream.random(len(rows))[going]
        p = next_probabilities(model, [rows[at] for at in going], temperature)
        for at, token in zip(going, draw(p, luck).tolist(), strict=True):
            rows[at].append(token)
    told = []
    for row, opening in zip(rows, openings, strict=True):
        ended = row[-1] == EOS
        start = decode(opening)
        told.append(Told(start, decode(row[1 : -1 if ended else None]).removeprefix(start), ended))
    return told


@dataclass(frozen=True)
class Played:
    """A game of the model against itself, up to its end or to the first move that broke the rules."""

    tokens: tuple[int, ...]
    """Legal moves, token ids."""
    broken: int | None
    """The token that broke the rules; None where the game came to its end."""
    board: Boards
    """Of this one game, after each legal move."""

    @property
    def moves(self) -> str:
        """``F5 D6 C3``, and the illegal move in brackets."""
        names = [SQUARES[square] for square in to_squares(list(self.tokens))]
        return " ".join(names + ([] if self.broken is None else [f"({self.broken_name})"]))

    @property
    def broken_name(self) -> str:
        """The illegal move, "no move" for token 0."""
        return SQUARES[to_squares([self.broken or 0])[0]] if self.broken else "no move"

    @property
    def crossed(self) -> int | None:
        """The square of the illegal move."""
        return int(to_squares([self.broken])[0]) if self.broken else None


def play_itself(model: "HookedSAETransformer", n: int = 10, seed: int = 0) -> list[Played]:
    """Let the model play both sides, each move drawn from its own predictions.

    The model has no token for a game's beginning, so the first move is that of a held-out game.
    """
    stream = np.random.Generator(np.random.PCG64(stream_seed("play itself", seed)))
    rows = games(n, split="test").tokens[:, :1].astype(np.int64)
    length = np.full(n, 0)
    broken: list[int | None] = [None] * n
    going = np.ones(n, dtype=bool)
    while going.any():
        here = np.flatnonzero(going)
        drawn = draw(next_probabilities(model, rows[here].tolist()), stream.random(len(here)))
        legal = legal_tokens(boards(rows[here]).legal[:, -1])
        column = np.zeros(n, dtype=np.int64)
        column[here] = drawn
        length[here] = rows.shape[1]
        for row, token, may in zip(here, drawn, legal, strict=True):
            if not may.any():
                going[row] = False
            elif not may[token]:
                broken[row], going[row] = int(token), False
        rows = np.concatenate([rows, column[:, None]], axis=1)
        if rows.shape[1] > N_CTX:
            # The model can read no further, and 60 moves fill the board.
            length[going] = rows.shape[1]
            break
    return [
        Played(tuple(row[:end].tolist()), token, boards(row[None, :end]))
        for row, end, token in zip(rows, length, broken, strict=True)
    ]
