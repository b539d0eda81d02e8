"""Does the model play legal moves, and does it hold the board?"""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...data.othello.board import boards
from ...data.othello.games import Games, full_games
from ...data.othello.vocabulary import N_CTX, legal_tokens
from ..cards import Behaviour

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

PROBE_GAMES = 6000
TEST_GAMES = 1000
# As the published probes: the first and last moves, where little is open, are left out.
POSITIONS = slice(5, 54)
_AT_ONCE = 250


def _inputs(games: Games) -> Int[Tensor, "game 59"]:
    return torch.from_numpy(games.tokens[:, :N_CTX].astype(np.int64))


@torch.no_grad()
def illegal_rate(model: "HookedSAETransformer", n_games: int = TEST_GAMES) -> float:
    """The share of held-out positions at which the most probable move breaks the rules, all 59 of a game."""
    games = full_games(n_games, split="test")
    legal = legal_tokens(games.legal[:, 1:])
    wrong = 0
    for first in range(0, n_games, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        top = model(_inputs(games[part]).to(model.cfg.device), return_type="logits").argmax(-1).cpu().numpy()
        wrong += int((~np.take_along_axis(legal[part], top[..., None], axis=-1)).sum())
    return wrong / legal[..., 0].size


@torch.no_grad()
def excess_loss(model: "HookedSAETransformer", n_games: int = TEST_GAMES) -> float:
    """Nats per move above the best possible: the divergence from the uniform choice among the legal moves."""
    games = full_games(n_games, split="test")
    total, count = 0.0, 0
    for first in range(0, n_games, _AT_ONCE):
        part = games[first : first + _AT_ONCE]
        legal: Bool[Tensor, "game 59 61"] = torch.from_numpy(legal_tokens(part.legal[:, 1:]))
        logits = model(_inputs(part).to(model.cfg.device), return_type="logits").float().cpu()
        n_legal = legal.sum(-1)
        cross = -(logits.log_softmax(-1) * legal).sum(-1) / n_legal
        total += (cross - n_legal.float().log()).sum().item()
        count += n_legal.numel()
    return total / count


@torch.no_grad()
def board_data(
    model: "HookedSAETransformer", n_games: int, split: str
) -> tuple[Float[Tensor, "layer token d_model"], Int[Tensor, "token 64"]]:
    """The residual stream after every layer, and each square as 0 empty, 1 mine, 2 theirs."""
    games = full_games(n_games, seed=1, split=split)
    tokens = _inputs(games)
    wanted = [f"blocks.{layer}.hook_resid_post" for layer in range(model.cfg.n_layers)]
    parts = []
    for first in range(0, n_games, _AT_ONCE):
        _, cache = model.run_with_cache(
            tokens[first : first + _AT_ONCE].to(model.cfg.device),
            return_type=None,
            names_filter=lambda name: name in wanted,
        )
        parts.append(torch.stack([cache[name][:, POSITIONS].flatten(0, 1).cpu() for name in wanted]))
    relative = boards(tokens.numpy()).relative[:, POSITIONS].reshape(-1, 64).astype(np.int64)
    return torch.cat(parts, dim=1), torch.from_numpy(relative % 3)


def train_probes(
    x: Float[Tensor, "layer token d_model"], squares: Int[Tensor, "token 64"], epochs: int = 3, seed: int = 0
) -> tuple[Float[Tensor, "layer d_model 192"], Float[Tensor, "layer 1 192"]]:
    """A multinomial logistic regression for each layer and square, trained by Adam on standardised inputs."""
    n_layers, n_tokens, d_model = x.shape
    weight = torch.zeros(n_layers, d_model, 192, requires_grad=True)
    bias = torch.zeros(n_layers, 1, 192, requires_grad=True)
    mean, std = x.mean(1, keepdim=True), x.std(1, keepdim=True) + 1e-6
    size, stream = 2048, torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([weight, bias], lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, epochs * (n_tokens // size))
    for _ in range(epochs):
        for rows in torch.randperm(n_tokens, generator=stream)[: n_tokens // size * size].split(size):
            logits = ((x[:, rows] - mean) / std) @ weight + bias
            # The layers' losses are summed, so that each probe is trained as if alone.
            loss = n_layers * F.cross_entropy(
                logits.unflatten(-1, (64, 3)).flatten(0, 2), squares[rows].flatten().repeat(n_layers)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    scaled = weight.detach() / std.transpose(1, 2)
    return scaled, bias.detach() - mean @ scaled


def probe_accuracies(model: "HookedSAETransformer", share: float = 1.0) -> tuple[list[float], float]:
    """By layer, how often a linear probe on the residual stream names a square right (mine, theirs, empty).

    Returns:
        The accuracies over 64 squares and moves 6 to 54 of held-out games, and the accuracy of the answer
        that is most common for each square.
    """
    x, squares = board_data(model, max(int(PROBE_GAMES * share), 100), "train")
    weight, bias = train_probes(x, squares)
    x_test, truth = board_data(model, max(int(TEST_GAMES * share), 50), "test")
    accuracies = []
    for layer in range(len(x)):
        read = (x_test[layer] @ weight[layer] + bias[layer]).unflatten(-1, (64, 3)).argmax(-1)
        accuracies.append((read == truth).float().mean().item())
    majority = squares.mode(dim=0).values
    return accuracies, (majority == truth).float().mean().item()


def othello(model: "HookedSAETransformer", share: float = 1.0) -> list[Behaviour]:
    """The figures of the Othello model's card."""
    n_games = max(int(TEST_GAMES * share), 50)
    accuracies, majority = probe_accuracies(model, share)
    best = max(accuracies)
    layer = accuracies.index(best)
    by_layer = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
    return [
        Behaviour(
            name="top move illegal",
            value=100 * illegal_rate(model, n_games),
            target=1.0,
            better="<=",
            unit="%",
            what="held-out positions at which the most probable move breaks the rules",
            sample=f"{n_games:,} complete games, 59 positions each",
        ),
        Behaviour(
            name="excess loss",
            value=excess_loss(model, n_games),
            target=None,
            better="<=",
            unit="nats",
            what="nats per move above the entropy of the random player's choice",
            sample=f"{n_games:,} complete games",
        ),
        Behaviour(
            name="board by linear probe",
            value=100 * best,
            target=93.0,
            better=">=",
            unit="%",
            what=f"squares read as mine, theirs or empty after layer {layer}, moves 6 to 54; "
            f"by layer {by_layer}; the commonest answer for each square gives {majority:.1%}",
            sample=f"{max(int(PROBE_GAMES * share), 100):,} games to train the probe, {n_games:,} to test it",
        ),
    ]
