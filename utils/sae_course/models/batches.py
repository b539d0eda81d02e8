"""What a mini model reads in training: batch i is a function of i, so that a resumed run reads on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .specs import ModelSpec


@dataclass(frozen=True)
class Batch:
    """``tokens`` and, for each but the last, what comes next: an id, or a distribution where it is known."""

    tokens: Int[Tensor, "batch pos"]
    distribution: Float[Tensor, "batch pos d_vocab"] | None = None

    def to(self, device: str) -> "Batch":
        return Batch(
            self.tokens.to(device), None if self.distribution is None else self.distribution.to(device)
        )

    def loss(self, logits: Float[Tensor, "batch pos d_vocab"]) -> Float[Tensor, ""]:
        """Cross-entropy in nats per token, over the tokens that have a successor."""
        if self.distribution is None:
            # The last token's successor is not known: left out by its target, so that no logits are copied.
            targets = self.tokens.roll(-1, 1)
            targets[:, -1] = -100
            return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        losses = -(self.distribution * logits.float().log_softmax(-1)).sum(-1)
        return losses.sum() / self.distribution.sum()


Batches = Callable[[int], Batch]


def batches(
    spec: ModelSpec, split: str = "train", rows: np.ndarray | None = None, seed: int | None = None
) -> Batches:
    """The batches of a mini model; ``rows`` [n_rows, n_ctx] are the tokens of a learner's own text."""
    size, seed = spec.training.rows, spec.training.seed if seed is None else seed
    if spec.data == "othello":
        return _othello(size, seed, split)
    if spec.data == "text":
        if rows is None:
            raise CourseError(f"{spec.name} was trained on a text of its own: give it with --text FILE.")
        return _text(rows, size, seed)
    return _stories(spec, size, seed, split)


def _othello(size: int, seed: int, split: str) -> Batches:
    """Games with the true distribution of the next move.

    The games are random, so the next move is uniform over the legal ones: training on that distribution has
    the expected gradient of training on the move that was drawn, and less noise.
    """
    from ..data.othello.games import BLOCK, Games, games  # noqa: PLC0415
    from ..data.othello.vocabulary import legal_tokens  # noqa: PLC0415

    if BLOCK % size:
        raise CourseError(f"A step reads {size} games; that must divide {BLOCK}, the games made at once.")

    @lru_cache(maxsize=2)
    def block(number: int) -> Games:
        return games(BLOCK, seed, split, start=number * BLOCK)

    def batch(step: int) -> Batch:
        number, place = divmod(step * size, BLOCK)
        part = block(number)[place : place + size]
        legal = torch.from_numpy(legal_tokens(part.legal[:, 1:])).float()
        # After a game's end nothing is legal, and nothing is asked.
        return Batch(
            torch.from_numpy(part.tokens[:, :-1].astype(np.int64)),
            legal / legal.sum(-1, keepdim=True).clamp(min=1),
        )

    return batch


# A drill is random words, repeated: there every word of a repetition needs induction. The first steps read
# nothing but drills with short periods, then every fourth sequence is one. Mixed in from the beginning, none
# formed an induction head: every eighth in 2,500 steps (positions began small then), every second in 470.
DRILL_EVERY = 4
DRILLS_FIRST = 400  # steps
FIRST_PERIODS = 32  # words, at most


def drills(
    n_rows: int, n_ctx: int, d_vocab: int, stream: np.random.Generator, longest: int | None = None
) -> np.ndarray:
    """Rows of random words that repeat with a period of their own.

    Periods are between 8 words (fewer where a row has no room) and ``longest`` (half the row if not given),
    short ones as often as long ones on a logarithmic scale.
    """
    words = stream.integers(4, d_vocab, size=(n_rows, n_ctx))
    end = (longest or n_ctx // 2) + 1
    shortest = min(8, end - 1)  # a short row has room for no more
    periods = np.exp(stream.uniform(np.log(shortest), np.log(end), size=n_rows)).astype(np.int64)
    rows = np.take_along_axis(words, np.arange(n_ctx)[None] % periods[:, None], axis=1)
    rows[:, 0] = 1
    return rows


def _stories(spec: ModelSpec, size: int, seed: int, split: str) -> Batches:
    from ..data.stories.rows import rows  # noqa: PLC0415

    drilled = spec.data == "stories and drills"
    n_drills = size // DRILL_EVERY if drilled else 0
    told = size - n_drills

    def drill(step: int, n_rows: int, longest: int | None = None) -> np.ndarray:
        stream = np.random.Generator(np.random.PCG64(stream_seed(f"drills/{split}/{step}", seed)))
        return drills(n_rows, spec.n_ctx, spec.d_vocab, stream, longest)

    def batch(step: int) -> Batch:
        if drilled and split == "train" and step < DRILLS_FIRST:
            return Batch(torch.from_numpy(drill(step, size, min(FIRST_PERIODS, spec.n_ctx // 2))))
        tokens = rows(told, spec.n_ctx, seed=seed, split=split, start=step * told).astype(np.int64)
        if n_drills:
            tokens = np.concatenate([tokens, drill(step, n_drills)])
        return Batch(torch.from_numpy(tokens))

    return batch


def _text(rows: np.ndarray, size: int, seed: int) -> Batches:
    """Rows in a new random order each time through."""

    @lru_cache(maxsize=2)
    def order(epoch: int) -> np.ndarray:
        return np.random.Generator(np.random.PCG64(stream_seed(f"text/{epoch}", seed))).permutation(len(rows))

    def batch(step: int) -> Batch:
        places = range(step * size, (step + 1) * size)
        picked = [order(place // len(rows))[place % len(rows)] for place in places]
        return Batch(torch.from_numpy(rows[picked].astype(np.int64)))

    return batch
