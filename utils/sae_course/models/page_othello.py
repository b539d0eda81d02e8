"""What the page shows of the Othello model: games against itself, and the board that it holds."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..data.othello.board import boards
from ..data.othello.games import full_games
from ..data.othello.vocabulary import PLAYABLE, legal_tokens
from ..figures.boards import draw_boards, draw_reading
from ..figures.models import Control, draw_layers, draw_loss, percent
from .batches import batches
from .cards import Card
from .measures.othello import (
    POSITIONS,
    PROBE_GAMES,
    TEST_GAMES,
    board_data,
    probe_accuracies,
    train_probes,
)
from .page_sampling import Played, next_probabilities, play_itself
from .page_section import Findings, Picture

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

N_GAMES = 10
# Of the card's sample: its probes take longer than a page should.
SHARE = 0.2
# The board shown is that of the first held-out game, half-way.
SHOWN_MOVE = 30


def othello(
    model: "HookedSAETransformer", twin: "HookedSAETransformer", card: Card, share: float = SHARE
) -> Findings:
    """Games, probes by layer, one board.

    Args:
        share: of the card's sample of games, for the probes.
    """
    played = play_itself(model, N_GAMES)
    control = play_itself(twin, N_GAMES)
    probes = _Probes.trained(model, share)
    pictures = [
        loss_picture(card),
        games_picture(played, control),
        layers_picture(probes, probe_accuracies(twin, share)[0]),
        board_picture(model, probes),
    ]
    return Findings(pictures, game_list(played))


def loss_picture(card: Card) -> Picture:
    """The curve above the best that can be: the entropy of the random player's choice."""
    batch = batches(card.spec, "test")(0)
    assert batch.distribution is not None  # Othello's batches have it
    floor = batch.loss(batch.distribution.clamp(min=1e-9).log()).item()
    last = next(held for _, _, held in reversed(card.training.curve) if held is not None)
    return Picture(
        "loss",
        draw_loss(
            card.training.curve,
            f"Held-out loss ends {last - floor:.3f} nats per move above the entropy of the random player's "
            "choice",
            Control("entropy of the choice: the least there is", floor),
        ),
        f"Loss curve of {card.name}",
        f"Training loss is the mean since the point before; held out is one batch of "
        f"{card.spec.training.rows} games that training never read, whose entropy, {floor:.3f} nats per "
        f"move, is the grey line.",
    )


def games_picture(played: list[Played], control: list[Played]) -> Picture:
    """The final boards, and how far each game went by the rules."""
    whole = sum(game.broken is None for game in played)
    legal = np.mean([len(game.tokens) for game in played])
    longest = max(len(game.tokens) for game in control)
    names = [
        f"{number}: {len(game.tokens)} moves" + ("" if game.broken is None else f", then {game.broken_name}")
        for number, game in enumerate(played, start=1)
    ]
    return Picture(
        "games",
        draw_boards(
            np.stack([game.board.state[0, -1] for game in played]),
            names,
            f"{legal:.0f} legal moves on average before one breaks the rules or the game ends, as {whole} of "
            f"{len(played)} do; with random weights none gets beyond {_moves(longest)}",
            [game.crossed for game in played],
        ),
        "The last boards of ten games of the model against itself",
        "The model plays both sides, each move drawn from its own predictions (not the most probable one, "
        "and with nothing left out: what little probability illegal moves have counts anew at every move), "
        "until the game ends or a move breaks the rules (the cross). The first move is a held-out game's, "
        "since no token stands for an empty game.",
    )


def _moves(number: int) -> str:
    return "move 1, which was given" if number == 1 else f"move {number}"


def game_list(played: list[Played]) -> list[str]:
    """The games as Markdown."""
    lines = ["Ten games, with the number of legal moves; a move in brackets broke the rules.", ""]
    return lines + [
        f"{number}. {len(game.tokens)}: `{game.moves}`" for number, game in enumerate(played, start=1)
    ]


class _Probes(NamedTuple):
    """A linear probe for each layer, how well each reads held-out games, and the trivial answer."""

    weight: Float[Tensor, "layer d_model 192"]
    bias: Float[Tensor, "layer 1 192"]
    accuracies: list[float]
    majority: float
    n_train: int  # games
    n_test: int

    @classmethod
    def trained(cls, model: "HookedSAETransformer", share: float) -> "_Probes":
        # As many as `probe_accuracies` takes, which measures the twin.
        n_train, n_test = max(int(PROBE_GAMES * share), 100), max(int(TEST_GAMES * share), 50)
        x, squares = board_data(model, n_train, "train")
        weight, bias = train_probes(x, squares)
        x, truth = board_data(model, n_test, "test")
        read = [_read(*parts) for parts in zip(x, weight, bias, strict=True)]
        accuracies = [(layer == truth).float().mean().item() for layer in read]
        return cls(
            weight,
            bias,
            accuracies,
            (squares.mode(dim=0).values == truth).float().mean().item(),
            n_train,
            n_test,
        )

    @property
    def best(self) -> int:
        """The layer that is read best."""
        return int(np.argmax(self.accuracies))


def _read(
    x: Float[Tensor, "token d_model"], weight: Float[Tensor, "d_model 192"], bias: Float[Tensor, "1 192"]
) -> Tensor:
    """Each square: 0 empty, 1 mine, 2 theirs."""
    return (x @ weight + bias).unflatten(-1, (64, 3)).argmax(-1)


def layers_picture(probes: _Probes, control: list[float]) -> Picture:
    """The board read from every layer."""
    return Picture(
        "layers",
        draw_layers(
            probes.accuracies,
            control,
            Control("commonest answer for each square", probes.majority),
            f"After layer {probes.best} a linear probe reads {percent(max(probes.accuracies), 1)} of the "
            f"squares; "
            f"with random weights at best {percent(max(control), 1)}",
        ),
        "Accuracy of linear probes for mine, theirs or empty by layer",
        f"Probes trained on {probes.n_train:,} games and tested on {probes.n_test:,} others, moves "
        f"{POSITIONS.start + 1} to {POSITIONS.stop}. The card's figure comes from more games.",
    )


@torch.no_grad()
def board_picture(model: "HookedSAETransformer", probes: _Probes) -> Picture:
    """One board, what the best layer's probe reads of it, and the next move."""
    games = full_games(1, seed=1, split="test")
    tokens = torch.from_numpy(games.tokens[:, :SHOWN_MOVE].astype(np.int64))
    truth = boards(tokens.numpy())
    name = f"blocks.{probes.best}.hook_resid_post"
    _, cache = model.run_with_cache(tokens.to(model.cfg.device), return_type=None, names_filter=name)
    read = _read(cache[name][0, -1:].cpu(), probes.weight[probes.best], probes.bias[probes.best])[0].numpy()
    side = 1 if truth.black_next[0, -1] else -1
    read_discs = np.array([0, side, -side])[read].astype(np.int8)
    true_discs = truth.state[0, -1]
    p = next_probabilities(model, tokens.tolist())[0]
    legal = legal_tokens(truth.legal[0, -1])
    by_square, may = np.zeros(64), np.zeros(64, dtype=bool)
    by_square[PLAYABLE], may[PLAYABLE] = p[1:], legal[1:]
    return Picture(
        "board",
        draw_reading(
            true_discs,
            read_discs,
            by_square,
            may,
            f"The probe reads {(true_discs == read_discs).sum()} of 64 squares right, and "
            f"{percent(p[legal].sum(), 1)} of the next move's probability is on the {may.sum()} legal "
            f"squares",
        ),
        "A board, the same as read by the probe, and the probabilities of the next move",
        f"The first held-out game after {SHOWN_MOVE} moves, {'black' if side > 0 else 'white'} to play; the "
        f"probe of layer {probes.best}. Framed squares are read wrong.",
    )
