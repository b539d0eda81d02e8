# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 06: latents against the true board
#
# In a story nobody can say for certain which features there are. On a board everybody can: each square is mine, theirs or empty. OthelloGPT reads nothing
# but lists of moves, and learned the board by itself. So here an SAE can be graded against the truth: **does it find the board?** And here the usual numbers fail in the open: SAEs that
# recover all of the loss can have lost most of the board.
#
# By the end you can
# - label the board of any game, from the side that plays next, and train a linear probe for it;
# - score a latent as a classifier, and choose its property and threshold without fooling yourself;
# - compute **coverage** and **board reconstruction**, the published grades of SAEs on this model, and say what inflates the first;
# - hold an SAE against neurons, a linear probe, random directions and the SAE of a random model;
# - tell latents that *state* the board from latents that *compute* with it, by writing them into the model.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | a model that knows the board | 22 |
# | 2 | SAEs of two places in the model | 0 |
# | 3 | what a latent says about the board | 32 |
# | 4 | how good is it? baselines | 4 |
# | 5 | does the model listen? steering | 16 |
# | 6 | computing and stating; layers | 0 |

# %%
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from sae_course import evals
from sae_course.checks import ch06 as check
from sae_course.dashboards import othello_dashboard
from sae_course.data.othello import BOARD, GROUPS, N_CTX, PLAYABLE, boards, decode, full_games, games, labels, show, square_of, to_squares
from sae_course.evals.boards import LEVELS
from sae_course.figures.board_maps import draw_board_maps, draw_moves, draw_positions
from sae_course.figures.game_viewer import draw_game
from sae_course.models import load_model, random_twin
from sae_course.runtime import current, generator
from sae_course.training import describe, train
from sae_course.training.othello import PUBLISHED_SCORES, finished_sae, othello_config, recorded_othello, sae_config
from sae_course.training.recorded_file import over_seeds

device = current().device
config = othello_config()
print(config)

# %% [markdown]
# ## Part 1: a model that knows the board
#
# Two players place discs on an 8 × 8 board. A move must turn at least one line of the other side's discs, which lie between the new disc and another of one's own; who can't move, passes. The model's
# training data are random legal games, written as squares: 60 tokens for the squares that can be played, and no board anywhere.

# %%
model = load_model(config.model)
seen = slice(*config.positions)  # the SAEs' positions: openings and endings are left out


def read_games(n: int, split: str) -> Int[Tensor, "game pos"]:
    """Full games, the same from the same seed, as tokens that the model reads."""
    return torch.from_numpy(full_games(n, seed=config.seed, split=split).tokens[:, :N_CTX].astype(np.int64)).to(device)


choosing, measuring = read_games(config.live_games, "choose"), read_games(config.live_games, "measure")
first = choosing[:1, :20].cpu().numpy()
print(decode(first[0]))
print(show(boards(first).state[0, -1], boards(first).legal[0, -1]))

# %%
with torch.no_grad():
    top = model(measuring[:100]).argmax(dim=-1).cpu().numpy()
legal = boards(measuring[:100].cpu().numpy()).legal_tokens
print(f"the likeliest move is illegal at {1 - np.take_along_axis(legal, top[..., None], -1).mean():.1%} of {top.size:,} positions of games that it never saw")
print(f"control, a move drawn among the 60: {1 - legal[..., 1:].mean():.1%}")

# %% [markdown]
# To know what is legal, one must know what stands where. So the board must be in there. First, the truth. Boards are 64 numbers, row by row: +1 black, −1 white, 0 empty. A move is legal if it turns at least one disc.


# %%
def beginning() -> Int8[np.ndarray, " 64"]:
    """The board before the first move; squares row by row, A1 first."""
    board = np.zeros(64, dtype=np.int8)
    board[[28, 35]], board[[27, 36]] = 1, -1  # E4 and D5 black, D4 and E5 white
    return board


def turned(board: Int8[np.ndarray, " 64"], square: int, side: int) -> list[int]:
    """The discs that `side` turns by a move to `square`; none, if the move is illegal."""
    if board[square]:
        return []
    found = []
    for down, right in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]:
        row, column, line = square // 8 + down, square % 8 + right, []
        while 0 <= row < 8 and 0 <= column < 8 and board[8 * row + column] == -side:
            line.append(8 * row + column)
            row, column = row + down, column + right
        if 0 <= row < 8 and 0 <= column < 8 and board[8 * row + column] == side:
            found += line
    return found


def may_move(board: Int8[np.ndarray, " 64"], side: int) -> bool:
    """Whether `side` has a legal move."""
    return any(turned(board, square, side) for square in range(64))


# %% [markdown] exercise="6.1" difficulty=3 importance=4 minutes=12
# ### Exercise 6.1: the board after every move
#
# With these three, write the rest: from the squares of a game, in the order in which discs were placed, **the board after each move, as the side sees it that plays next**: +1 mine, −1 theirs, 0 empty.
#
# - Black (+1) begins. After a move it is the other side's turn; a side without a legal move passes (no move is written down), and if neither has one, the game is over:
#   take the side that did not play last.
# - A move that is not legal raises a `ValueError` that names its place in the game, counted from 0. So does a move after the game's end.

# %%
def boards_of(squares: list[int]) -> Int8[np.ndarray, "move 64"]:
    """The board after each move of a game, +1 mine, -1 theirs, 0 empty: "I" am the side that plays next."""
    # TODO: for each move: is it legal? turn, place, find who plays next, write the board down from that side
    ### BEGIN SOLUTION
    board, side, found = beginning(), 1, []
    for move, square in enumerate(squares):
        lines = turned(board, square, side)
        if not lines:
            raise ValueError(f"move {move} to square {square} is illegal")
        board[[*lines, square]] = side
        if may_move(board, -side) or not may_move(board, side):
            side = -side
        found.append(board * side)
    return np.array(found, dtype=np.int8).reshape(-1, 64)
    ### END SOLUTION


check.boards_of(boards_of)

# %% [markdown] tags=["hint"]
# Keep the absolute board (black +1) and the side whose turn it is; what you write down is `board * side`, a new array, *after* you found out who plays next.

# %% [markdown] tags=["hint"]
# After a move of `side`, the other side plays if it can (`may_move(board, -side)`). If it can't and `side` can, it passes: `side` moves again. If neither can, the game is over.

# %% [markdown]
# The library does the same for thousands of games at once. Do the two agree, passes and unfinished games included?

# %%
some = games(200, seed=config.seed, split="try")
with_passes = some[np.flatnonzero(some.passes > 0)][:10]
agree = [np.array_equal(boards_of(moves[moves >= 0].tolist()), boards(tokens[None]).relative[0, : (moves >= 0).sum()]) for moves, tokens in zip(with_passes.moves, with_passes.tokens, strict=True)]
print(f"{sum(agree)} of {len(agree)} games with a pass agree with the library")
try:
    boards_of([19, 19])
except ValueError as error:
    print(f"D3 twice: {error}")

# %% [markdown]
# ### A probe
#
# Is the board *linearly* there? A probe is the most that any single direction could tell, so it will be our ceiling.

# %% [markdown] exercise="6.2" difficulty=2 importance=4 minutes=6
# ### Exercise 6.2: the probe's loss
#
# A linear probe for the whole board: for every square three numbers, linear in the activation: one for empty, one for mine, one for theirs. Its loss is the
# cross-entropy of the right one, averaged over tokens *and* squares. The boards are +1 mine, −1 theirs, 0 empty; the classes are 0 empty, 1 mine, 2 theirs.

# %%
def probe_loss(
    weight: Float[Tensor, "d_in square 3"],
    bias: Float[Tensor, "square 3"],
    x: Float[Tensor, "n d_in"],
    board: Int8[Tensor, "n square"],
) -> Float[Tensor, ""]:
    """Nats per square."""
    # TODO: three logits for each token and square; boards to classes; cross-entropy
    ### BEGIN SOLUTION
    logits = torch.einsum("nd,dsc->nsc", x, weight) + bias
    return F.cross_entropy(logits.flatten(0, 1), (board.long() % 3).flatten())
    ### END SOLUTION


check.probe_loss(probe_loss)

# %% [markdown] tags=["hint"]
# In torch −1 % 3 is 2: `board.long() % 3` gives the classes 0, 1, 2. `F.cross_entropy` takes logits `[n, classes]` and classes `[n]`, so flatten tokens and squares into one axis. It takes the logits themselves, no softmax.

# %% [markdown]
# "Mine" is the side to play next; the same square is black at one move, and may be called mine or theirs. Predict: which board can be read better with a linear probe, mine/theirs or black/white?


# %%
def board_tensors(tokens: Int[Tensor, "game pos"]) -> dict[str, Int8[Tensor, "n 64"]]:
    """The boards at the SAEs' positions, seen in two ways."""
    truth = boards(tokens.cpu().numpy())
    return {
        "mine or theirs": torch.from_numpy(truth.relative[:, seen]).flatten(0, 1).to(device),
        "black or white": torch.from_numpy(truth.state[:, seen]).flatten(0, 1).to(device),
    }


def activations(of, tokens: Int[Tensor, "game pos"], hook_point: str) -> Float[Tensor, "game pos d_in"]:
    """At the SAEs' positions."""
    return evals.harvest(of, tokens, hook_point, positions=seen)


def train_probe(x: Float[Tensor, "n d_in"], board: Int8[Tensor, "n 64"]) -> tuple[Tensor, Tensor]:
    """Adam on standardised inputs; weight and bias for the inputs as they are."""
    mean, std = x.mean(dim=0), x.std(dim=0) + 1e-6
    weight = torch.zeros(x.shape[1], 64, 3, device=device, requires_grad=True)
    bias = torch.zeros(64, 3, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=config.probe_lr)
    n_steps = config.probe_epochs * (len(x) // config.probe_batch)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_steps)
    draws = generator("probe")
    for _ in range(config.probe_epochs):
        for rows in torch.randperm(len(x), generator=draws, device=device)[: len(x) // config.probe_batch * config.probe_batch].split(config.probe_batch):
            loss = 64 * probe_loss(weight, bias, (x[rows] - mean) / std, board[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    weight = weight.detach() / std[:, None, None]
    return weight, bias.detach() - torch.einsum("d,dsc->sc", mean, weight)


def probed(x: Float[Tensor, "n d_in"], weight: Tensor, bias: Tensor) -> Float[Tensor, "n 64 3"]:
    """Logits of empty, mine and theirs."""
    return torch.einsum("nd,dsc->nsc", x, weight) + bias


# %%
stream = sae_config("residual stream").hook_name
mlp = sae_config("MLP").hook_name
for_probes = read_games(config.probe_games, "probe")
probe_boards, true_boards = board_tensors(for_probes), board_tensors(measuring)
probes, accuracy = {}, {}
for whose, one in {"the model": model, "random-weights twin": random_twin(config.model)}.items():
    x, x_new = activations(one, for_probes, stream).flatten(0, 1), activations(one, measuring, stream).flatten(0, 1)
    for kind in true_boards if one is model else ["mine or theirs"]:
        probes[whose, kind] = train_probe(x, probe_boards[kind])
        read = probed(x_new, *probes[whose, kind]).argmax(dim=-1)
        accuracy[whose, kind] = float((read == true_boards[kind] % 3).float().mean())
commonest = {kind: float(((board % 3) == (probe_boards[kind] % 3).mode(dim=0).values).float().mean()) for kind, board in true_boards.items()}
pd.DataFrame({**{whose: {kind: accuracy.get((whose, kind)) for kind in true_boards} for whose in ("the model", "random-weights twin")}, "commonest answer": commonest}).style.format("{:.1%}", na_rep="")

# %% [markdown] question="6.A" difficulty=2 importance=4 minutes=4
# ### Question 6.A: mine and theirs
#
# Why does the model keep "mine" and "theirs" rather than "black" and "white", and why can a linear probe for black and white do so badly although the model knows both whose turn it is and what is mine? How would you read black and white off the stream all the same?

# %% [markdown] tags=["answer"]
# The next move depends on mine and theirs alone: the rules treat both colours alike, and one set of weights can serve both sides. Black is "mine, and it is black's turn, or theirs, and it is white's": an exclusive or of two things that are each linear, and so not linear itself. Train one probe for
# the positions where black is to play and another for the others (nearly: even and odd positions), or multiply the mine/theirs reading by whose turn it is.

# %% [markdown]
# **Analysis.** Mine and theirs: nine squares in ten can be read by a line. Black and white: far fewer, and much of that is empty squares, which both boards share. And the twin, which was never trained, gives a part of the board away as well: which squares have been *played* is in the tokens themselves. So "there is a board in it" needs the twin beside it.
#
# ## Part 2: SAEs of two places
#
# The **residual stream** carries what the model knows. The **MLP's hidden layer** is where it computes. We train an SAE on the first, here and now, on a third of its preset's tokens, and take one for the second that was trained before. The settings:

# %%
describe(sae_config("residual stream"))

# %% [markdown]
# Two of them matter here. Games are cut at `seqpos_slice`: the first and the last moves are left out, where boards are nearly the same or moves forced. And `b_dec` begins at the activations' mean. Activations after a GELU, and this stream, lie far from 0; an SAE that starts there needs
# its first thousands of tokens to learn an offset, and latents die of it. SAELens 6 has no setting for this; the course's `train` has.

# %%
fewer = sae_config("residual stream").training_tokens // config.live_share
run = train(sae_config("residual stream", training_tokens=fewer), name="chapter-06-stream", b_dec_init_method="mean", show=False)
saes = {"residual stream": run.sae(device), "MLP": finished_sae(device=device)}
hook_points = {"residual stream": stream, "MLP": mlp}

# %%
x = {where: {"choosing": activations(model, choosing, hook_point), "measuring": activations(model, measuring, hook_point)} for where, hook_point in hook_points.items()}
sparsity = {}  # latents, and how many of them fire at a token
for where, sae in saes.items():
    held_out = x[where]["measuring"].flatten(0, 1)
    quality, fired = evals.reconstruction(sae, held_out), evals.densities(sae, held_out)
    sparsity[where] = len(fired.fire), round(quality.l0)
    effect_on_loss = evals.downstream(model, sae, measuring[:64], hook_points[where], positions=seen)
    print(
        f"{where:16} L0 {quality.l0:5.1f} of {len(fired.fire):,} latents, explained variance {quality.explained_variance:.3f}, "
        f"loss recovered {effect_on_loss.loss_recovered:.1%}, dead {fired.dead_fraction:.1%}"
    )

# %% [markdown]
# Standard SAEs, with L1, and not one of the TopK family that is recommended today? Here are four architectures, trained side by side on one stream of activations (`train_many`), each at its preset, three seeds. The last two columns are this
# chapter's grades; what they are comes next.

# %% tags=["expected"]
usual = {"L0": ".0f", "explained variance": ".3f", "loss recovered": ".3f", "dead": ".2f"}
grades = {"coverage, occupied": ".3f", "reconstruction, occupied": ".3f", "reconstruction, both": ".3f"}
over_seeds(recorded_othello("architectures"), ["hook", "architecture"], usual | grades)

# %% [markdown]
# **Analysis.** At each hook point the four reconstruct much the same share of the board, though explained variance, loss recovered and dead latents differ. (BatchTopK is a little behind, with the most dead latents.) So the architecture is not what decides here, and Standard is the simplest. In coverage TopK is ahead: keep
# that in mind for part 4, where it will turn out what coverage rewards.
#
# ## Part 3: what a latent says about the board
#
# A *property* is a statement that is true or false of a board: "D3 is mine", "D3 is theirs", "D3 is empty". There are 128 of discs and 60 of empty squares (the four in the centre never are).

# %%
latents = {part: evals.latent_activations(saes["residual stream"], x["residual stream"][part]).flatten(0, 1) for part in ("choosing", "measuring")}
board_labels = {part: labels(tokens.cpu().numpy()).at(seen) for part, tokens in (("choosing", choosing), ("measuring", measuring))}
properties = BOARD["both"]
truth = {part: torch.from_numpy(one.only(properties).values).flatten(0, 1).to(device) for part, one in board_labels.items()}
print(f"{len(properties)} properties; on average {truth['choosing'].float().sum(dim=1).mean():.0f} are true of a board")

# %% [markdown] exercise="6.3" difficulty=2 importance=5 minutes=8
# ### Exercise 6.3: a latent as a classifier
#
# "The latent is *above* a threshold" (strictly: a latent at 0 doesn't fire at the threshold 0) is a statement about the board, right or wrong for each property. Thresholds are activations. For each threshold and each property, over all tokens:
#
# - **precision**: of the tokens where the latent is above the threshold, the share that have the property (0 where it never is);
# - **recall**: of the tokens that have the property, the share where the latent is above the threshold;
# - **F1** $= \dfrac{2 \cdot \text{hits}}{\text{fired} + \text{true}}$, with the numbers of tokens where the latent is above, where the property is true, and where both are so (hits). It is the harmonic mean of the two.


# %%
class Classifier(NamedTuple):
    """What "above the threshold" is worth as a statement of each property."""

    precision: Float[Tensor, "threshold property"]
    recall: Float[Tensor, "threshold property"]
    f1: Float[Tensor, "threshold property"]


def as_classifier(
    latent: Float[Tensor, " n"], truth: Bool[Tensor, "n property"], thresholds: Float[Tensor, " threshold"]
) -> Classifier:
    """One latent at several thresholds, for every property at once. Every property is true of at least one token."""
    # TODO: fires [threshold n]; hits by a matrix product; the three ratios
    ### BEGIN SOLUTION
    fires = (latent > thresholds[:, None]).float()
    true = truth.float()
    hits, fired, n_true = fires @ true, fires.sum(dim=1, keepdim=True), true.sum(dim=0)
    return Classifier(hits / fired.clamp(min=1), hits / n_true, 2 * hits / (fired + n_true))
    ### END SOLUTION


check.as_classifier(as_classifier)

# %% [markdown] tags=["hint"]
# `fires = (latent > thresholds[:, None]).float()` is `[threshold n]`, and `fires @ truth.float()` counts the tokens where both are so. Where nothing fires, divide by 1 instead of 0: `.clamp(min=1)`.

# %% [markdown]
# The thresholds are shares of each latent's maximum: 0, .1, … .9 (*levels*). So here is the F1 of every latent, at every level, for every property, on both sets of games.


# %%
def all_f1(part: str) -> Float[Tensor, "latent level property"]:
    """Levels are shares of the maximum on the choosing games."""
    highest = latents["choosing"].max(dim=0).values
    levels = torch.arange(LEVELS, device=device) / LEVELS
    return torch.stack([as_classifier(latents[part][:, i], truth[part], levels * highest[i]).f1 for i in range(latents[part].shape[1])])


f1 = {part: all_f1(part) for part in ("choosing", "measuring")}

# %% [markdown] exercise="6.4" difficulty=3 importance=4 minutes=8
# ### Exercise 6.4: the best property of each latent, measured fairly
#
# Which property does a latent stand for? The one with the highest F1, at the threshold with the highest F1. But the best of 188 properties at ten thresholds
# looks good by luck alone. So choose on one set of games and measure on another: given the F1 of every latent on both, return each latent's property and level,
# **chosen on the first**, and their F1 **on the second**. Of equally good ones, take the first property, then the first level.


# %%
class Best(NamedTuple):
    """For each latent: the property and the level that were chosen, and what they are worth on other games."""

    property: Int[Tensor, " latent"]
    level: Int[Tensor, " latent"]
    f1: Float[Tensor, " latent"]


def best_properties(
    choosing: Float[Tensor, "latent level property"], measuring: Float[Tensor, "latent level property"]
) -> Best:
    """The choice is made on `choosing` and measured on `measuring`."""
    # TODO: the largest F1 of each latent over levels and properties; look the same place up in the other
    ### BEGIN SOLUTION
    n_levels = choosing.shape[1]
    by_property = choosing.transpose(1, 2).flatten(1)  # [latent property·level]
    place = by_property.argmax(dim=1)
    f1 = measuring.transpose(1, 2).flatten(1).gather(1, place[:, None])[:, 0]
    return Best(place // n_levels, place % n_levels, f1)
    ### END SOLUTION


check.best_properties(best_properties)

# %% [markdown] tags=["hint"]
# Bring the property before the level: `choosing.transpose(1, 2).flatten(1)` is `[latent property·level]`, and `argmax` takes the first of equals.

# %% [markdown] tags=["hint"]
# A place in the flattened axis is `property * n_levels + level`: `//` and `%` take it apart. `.gather(1, place[:, None])` looks the same places up in the other games.

# %% [markdown]
# Predict: which kind of property do most latents stand for, and how much of their F1 is luck? As control, the same with the measuring games' boards against the *wrong* positions.

# %%
best = best_properties(f1["choosing"], f1["measuring"])
on_choosing = f1["choosing"].amax(dim=(1, 2))
live = on_choosing > 0
kind_of = np.array([name.split()[-1] for name in properties])
kinds = kind_of[best.property.cpu().numpy()]
table = pd.DataFrame(
    {
        kind: {
            "latents": int((mask := live & torch.from_numpy(kinds == kind).to(device)).sum()),
            "median F1, choosing games": float(on_choosing[mask].median()),
            "median F1, measuring games": float(best.f1[mask].median()),
            "F1 over .7": int((best.f1[mask] > 0.7).sum()),
        }
        for kind in ("mine", "theirs", "empty")
    }
).T
shifted = truth["measuring"].roll(len(truth["measuring"]) // 2, dims=0)  # other games' boards, at the same moves
top = best.f1.topk(20).indices
right = [float(as_classifier(latents["measuring"][:, i], shifted, torch.zeros(1, device=device)).f1[0, best.property[i]]) for i in top.tolist()]
print(f"the 20 best latents: F1 {best.f1[top].mean():.2f}; with other games' boards {np.mean(right):.2f}")
table.style.format("{:.2f}", subset=["median F1, choosing games", "median F1, measuring games"]).format("{:.0f}", subset=["latents", "F1 over .7"])

# %% [markdown]
# **Analysis.** Every live latent has a best property, but for most the F1 is poor: they are about something else, or about many things. Little of it is luck, though: the F1 on the measuring games is about that on the choosing games, since there are thousands of boards to choose on. With other games' boards the best latents fall to what the base rate gives. "Empty" is easiest: a square is empty
# until it is played, and the token says so.
#
# Look at some. On the left of each: where the latent fires, what stands on the board that does not stand there otherwise?


# %%
relative = board_tensors(measuring)["mine or theirs"].float()


def mean_board(latent: int) -> Float[np.ndarray, " 64"]:
    """Mine minus theirs on each square where the latent fires, minus the same over all boards."""
    strength = latents["measuring"][:, latent]
    where = strength > 0.3 * strength.max()
    return (relative[where].mean(dim=0) - relative.mean(dim=0)).cpu().numpy()


discs = [i for i in best.f1.argsort(descending=True).tolist() if kinds[i] != "empty"]
shown, named = [], set()
for i in discs:  # the best latent of each of five squares
    if properties[best.property[i]][:2] not in named and len(shown) < 5:
        shown.append(i)
        named.add(properties[best.property[i]][:2])
names = [f"latent {i}: {properties[best.property[i]]}, F1 {best.f1[i]:.2f}" for i in shown]
squares = [square_of(properties[best.property[i]][:2]) for i in shown]
draw_board_maps(np.stack([mean_board(i) for i in shown]), [f"latent {i}" for i in shown], "Where a latent fires, its own square stands out, and its neighbours follow", unit="mine − theirs", marked=squares)

# %%
print("\n".join(names))
strongest = shown[0]
places = latents["measuring"][:, strongest].topk(5).indices.cpu().numpy()
n_seen = relative.shape[0] // len(measuring)
game, at = places // n_seen, places % n_seen + config.positions[0]
state = boards(measuring.cpu().numpy())
draw_positions(
    state.state[game, at],
    [f"game {g}, move {t + 1}, {'black' if state.black_next[g, t] else 'white'} to play" for g, t in zip(game, at, strict=True)],
    f"The strongest positions of latent {strongest}: {properties[best.property[strongest]]}",
    last=to_squares(measuring.cpu().numpy())[game, at],
    marked=[squares[0]] * len(places),
)

# %% [markdown]
# sae_vis has a layout for this model: the same, interactive, with the cosine between the latent and each square's probe direction. `.save("latents.html")` writes the page.

# %%
weight, _ = probes["the model", "mine or theirs"]
directions = {"mine vs theirs": weight[..., 1] - weight[..., 2], "empty": weight[..., 0] - weight[..., 1:].mean(dim=-1)}
othello_dashboard(model, saes["residual stream"], measuring[:60], shown, probes=directions)

# %% [markdown] exercise="6.5" difficulty=2 importance=5 minutes=6
# ### Exercise 6.5: coverage
#
# Now ask from the board's side: **for each property, how good is the best latent?** The mean of these F1 over all properties is the coverage. The latent and the level
# are chosen for each property on the first games, and measured on the second.


# %%
def coverage(
    choosing: Float[Tensor, "latent level property"], measuring: Float[Tensor, "latent level property"]
) -> float:
    """The mean over properties of the F1, on `measuring`, of the latent and level that are best on `choosing`."""
    # TODO: as before, the other way round
    ### BEGIN SOLUTION
    place = choosing.flatten(0, 1).argmax(dim=0, keepdim=True)
    return float(measuring.flatten(0, 1).gather(0, place).mean())
    ### END SOLUTION


check.coverage(coverage)

# %% [markdown] tags=["hint"]
# `choosing.flatten(0, 1)` is `[latent·level property]`: `argmax(dim=0, keepdim=True)` gives each property its best place, and `.gather(0, place)` looks it up in the other games.

# %% [markdown] exercise="6.6" difficulty=3 importance=5 minutes=10
# ### Exercise 6.6: the board from the latents
#
# Coverage asks whether there is *one* good latent for each property. Reconstruction asks what the latents say *together*:
#
# 1. On the first games, a latent **speaks for** a property when it fired and was right at least `right` times, and its precision is at least `precise`. It may speak for many properties, or for none.
# 2. On the second games, a property is **said to be there** wherever at least one latent that speaks for it fires.
#
# Return what is said. (A latent's firing is at one threshold here, the same share of its maximum for all.)


# %%
def reconstruct(
    fires: Bool[Tensor, "n latent"],
    truth: Bool[Tensor, "n property"],
    other_fires: Bool[Tensor, "m latent"],
    precise: float,
    right: int,
) -> Bool[Tensor, "m property"]:
    """What is said about the second games' boards by latents that are precise on the first."""
    # TODO: hits and precision of each latent for each property; who speaks for what; who fires on the others
    ### BEGIN SOLUTION
    hits = fires.float().T @ truth.float()
    fired = fires.float().sum(dim=0)
    speaks = (hits >= right) & (hits >= precise * fired[:, None])
    return other_fires.float() @ speaks.float() > 0
    ### END SOLUTION


check.reconstruct(reconstruct)

# %% [markdown] tags=["hint"]
# `hits = fires.float().T @ truth.float()` is `[latent property]`; the precision is `hits / fired`, and `hits >= precise * fired[:, None]` avoids dividing by 0. (torch multiplies no matrices of booleans: `.float()` first.)

# %% [markdown] tags=["hint"]
# `other_fires.float() @ speaks.float()` counts, for each board and property, the latents that speak and fire; any is `> 0`.

# %%
highest = latents["choosing"].max(dim=0).values


def f1_of_said(said: Bool[Tensor, "n property"], true: Bool[Tensor, "n property"]) -> float:
    """Over all boards and properties at once."""
    return float(2 * (said & true).sum() / (said.sum() + true.sum()))


def at_level(level: int, part: str) -> float:
    """The reconstruction's F1 on these games, by what speaks on the choosing games."""
    fires = {which: latents[which] > level / LEVELS * highest for which in latents}
    said = reconstruct(fires["choosing"], truth["choosing"], fires[part], config.precise, config.right)
    return f1_of_said(said, truth[part])


by_level = [at_level(level, "choosing") for level in range(LEVELS)]
level = int(np.argmax(by_level))  # chosen on the first games
print("on the choosing games, by level:", *(f"{value:.2f}" for value in by_level))
print(f"coverage {coverage(f1['choosing'], f1['measuring']):.3f}, reconstruction {at_level(level, 'measuring'):.3f}, of all {len(properties)} properties")

# %% [markdown]
# The library's `board_scores` does both, for any dictionary, and keeps apart which squares count: `occupied` (mine or theirs, which is what is published), `empty`, and `both`.

# %%
both_labels = labels(torch.cat([choosing, measuring]).cpu().numpy()).at(seen)


def scores_of(units: dict[str, Float[Tensor, "game pos units"]], groups=BOARD) -> evals.BoardScores:
    """Chosen on the choosing games, measured on the others."""
    return evals.board_scores(torch.cat([units["choosing"], units["measuring"]]), both_labels, groups, choose=range(len(choosing)))


scores = {"SAE, residual stream": scores_of({part: evals.latent_activations(saes["residual stream"], value) for part, value in x["residual stream"].items()})}
scores["SAE, residual stream"]

# %% [markdown]
# **Analysis.** Two numbers of one SAE, and they say different things. Its coverage is about that of a single unit that always fires: no latent alone is a good classifier of "D3 is mine". Its reconstruction has a precision near .95, for which its speakers were chosen, and a recall of about a quarter: where latents speak, they are right, and about most of the board
# they are silent. Empty squares are told several times as well as discs, which is why the two should never be mixed without saying so.
#
# ## Part 4: how good is it?
#
# A number alone says nothing. Predict, before you run the next cell, the order of: the SAE of the stream, the SAE of the MLP, the MLP's neurons as they are, as many random directions as there are latents (and as many of them at a token), and the linear probe.

# %%
for part_name, units in {
    "SAE, MLP": {part: evals.latent_activations(saes["MLP"], value) for part, value in x["MLP"].items()},
    "neurons of the MLP": x["MLP"],
    "random directions": {part: evals.random_directions(value, *sparsity["residual stream"]) for part, value in x["residual stream"].items()},
}.items():
    scores[part_name] = scores_of(units)


probe = probes["the model", "mine or theirs"]
of_board = {part: probed(value.flatten(0, 1), *probe).unflatten(0, value.shape[:2]) for part, value in x["residual stream"].items()}
scores["linear probe"] = scores_of({part: evals.board_properties(logits.softmax(dim=-1)) for part, logits in of_board.items()})
rows = {name: one.row() for name, one in scores.items()}
rows["a unit that always fires"] = {f"coverage, {group}": scores["linear probe"].always(group) for group in BOARD}
pd.DataFrame(rows).T.style.format("{:.3f}", na_rep="")

# %% [markdown]
# And what the probe says as it is, its likeliest class on every square, without any rule about precision:

# %%
likeliest = F.one_hot(of_board["measuring"].argmax(dim=-1), 3).bool()
read = evals.board_f1(evals.board_properties(likeliest), board_labels["measuring"])
best_sae = {group: max(scores[name].reconstruction[group].f1 for name in ("SAE, residual stream", "SAE, MLP")) for group in BOARD}
for group in BOARD:
    print(f"{group:9} probe's F1 {read[group].f1:.3f}; the better SAE's reconstruction is {best_sae[group] / read[group].f1:.0%} of it")

# %% [markdown]
# The stream's SAE, trained on a third of its tokens, is about level with the neurons. Is that all? The same over three seeds of SAEs and games (both SAEs on all of their preset's tokens, twice as many games), with the **SAE of the random-weights twin**: trained just so, on a model that knows no board.

# %% tags=["expected"]
recorded = recorded_othello("dictionaries")
over_seeds(recorded, ["hook", "dictionary"], {"coverage, occupied": ".3f", "coverage, empty": ".3f", "coverage, both": ".3f"})

# %% tags=["expected"]
over_seeds(recorded, ["hook", "dictionary"], {"reconstruction, occupied": ".3f", "reconstruction, empty": ".3f", "reconstruction, both": ".3f"})

# %% [markdown]
# **Analysis.** **Reconstruction**: the SAEs say more about the board than the neurons, and far more than random directions or the twin's SAE, in every group of squares and by several times the spread over seeds (part 6: than the neurons of any other layer, too). For discs the MLP's SAE is ahead, for empty squares the stream's. Random directions and the twin get hundredths of the discs right and
# nearly half of the empty squares: those were never hard. **Coverage**: here the SAEs *lose* to the neurons, clearly, and barely reach the unit that always fires. That was not what we hoped for. The best of the table in part 2, TopK on the MLP, is at .55 for discs where neurons have .64. We tried more, on one seed and without recording it: k from 16 to 160, 256 and 512 latents, Matryoshka, whitened
# inputs, a dictionary that begins as the neurons themselves. None came near. The published SAEs lose it, too. **The ceiling** is not reached by either: the probe's own F1 is above .9.

# %% [markdown] question="6.B" difficulty=3 importance=4 minutes=4
# ### Question 6.B: a floor under coverage
#
# A unit that always fires has recall 1 and, for a property with base rate $p$, precision $p$. What is its F1? Why does the coverage of *dense* dictionaries profit from this, why does reconstruction not, and why may a published coverage of .5 be less than it sounds?

# %% [markdown] tags=["answer"]
# $2p/(1+p)$: for a square that is mine a third of the time, .5. Coverage takes the maximum over units, so any unit that fires nearly always brings at least this; neurons do, at the level 0, and a sparse latent can't. Reconstruction lets only units speak that are right 95 times in 100. So a coverage should always stand beside its floor, and
# the neurons' lead in coverage is partly their density.

# %% [markdown]
# ### The published numbers
#
# Karvonen et al. (2024) graded 280 public SAEs of the published OthelloGPT in this way.

# %% tags=["expected"]
pd.DataFrame(PUBLISHED_SCORES).set_index("what").style.format("{:.3f}", na_rep="", subset=["coverage", "reconstruction"])

# %% [markdown]
# What differs from ours, before you compare: their model has 8 layers of width 512 and is far better; SAEs read hundreds of times as many tokens, and the best were chosen among 280; both grades count **occupied squares only** and are measured on the games on which units and levels were chosen;
# one level serves all properties in coverage; and their code seems to divide the coverage's sum over 128 properties by 192, so that no coverage could exceed .667 (in their results for neurons, the share of properties with an F1 above 0 stands as .667). If so, a coverage of .519 is .78 by our definition. But note what is the same: **neurons have the
# higher coverage, SAEs the higher reconstruction**.
#
# ### Loss recovered
#
# Published SAEs differ in reconstruction from .07 to .95 while 228 of 280 recover at least .999 of the loss. Ours, with other L1 coefficients:

# %% tags=["expected"]
over_seeds(recorded_othello("sparsity"), ["hook", "l1"], {"L0": ".0f", "explained variance": ".3f", "loss recovered": ".3f", "coverage, occupied": ".3f", "reconstruction, occupied": ".3f", "reconstruction, both": ".3f"})

# %% [markdown]
# **Analysis.** The stream's SAE that recovers the *most* of the loss, at the smallest coefficient, says the *least* about the board, and the explained variance goes the same way. Coverage rises with L0, towards dense latents; reconstruction has its best in the middle. So neither the loss nor the variance can choose an SAE for you if you want the board, and
# the two grades don't agree with one another either.
#
# ## Part 5: does the model listen?
#
# A latent that fires when D3 is mine may *state* it to the rest of the model, or may be something that merely goes with it. So write it: take boards on which D3 is theirs and the latent is silent, switch it on, and see whether the predicted moves change **as they would if D3 were mine**. The rules say exactly how.

# %% [markdown] exercise="6.7" difficulty=2 importance=4 minutes=6
# ### Exercise 6.7: what a changed board would allow
#
# To test a latent by its effect, one must know which effect is right. Take a board (+1 mine, −1 theirs, 0 empty) and change one square: **which of my moves become legal, and which
# stop being legal?** `turned(board, square, side=1)` knows which moves are legal on a board. The board that is given must stay as it is.


# %%
class Changed(NamedTuple):
    """Squares, for a board on which one square is changed."""

    gained: Bool[np.ndarray, " 64"]
    """Legal after the change, and not before."""
    lost: Bool[np.ndarray, " 64"]
    """Legal before the change, and not after."""


def changed_moves(board: Int8[np.ndarray, " 64"], square: int, value: int) -> Changed:
    """My legal moves with `value` (+1, −1 or 0) on `square`, against those on the board as it is."""
    # TODO: legal moves of a copy with the change, and of the board itself
    ### BEGIN SOLUTION
    edited = board.copy()
    edited[square] = value
    before, after = (np.array([bool(turned(one, to, 1)) for to in range(64)]) for one in (board, edited))
    return Changed(after & ~before, before & ~after)
    ### END SOLUTION


check.changed_moves(changed_moves)

# %% [markdown] tags=["hint"]
# `board.copy()` first: `edited = board` would be the same array. `after & ~before` are the moves gained.

# %% [markdown] exercise="6.8" difficulty=2 importance=4 minutes=6
# ### Exercise 6.8: did the predictions move as they should?
#
# Steering changes all logits a little. So compare, on each board, with the moves that the change should leave alone. For one board, let $\Delta$ be the change of each move's logit. The effect is
# the mean of $\Delta$ over the moves gained, **minus** the mean of $\Delta$ over the moves that are neither gained nor lost; for the moves lost, likewise with the sign turned, so that a positive number
# always means "as it should be". Average over all boards that have such moves; boards without are left out.


# %%
class Effect(NamedTuple):
    """How far the logits moved in the right direction, averaged over boards."""

    gained: Float[Tensor, ""]
    lost: Float[Tensor, ""]


def effect(
    before: Float[Tensor, "n move"],
    after: Float[Tensor, "n move"],
    gained: Bool[Tensor, "n move"],
    lost: Bool[Tensor, "n move"],
) -> Effect:
    """The logits' change at moves gained, and (sign turned) at moves lost, against the moves left alone."""
    # TODO: means of after − before over three kinds of moves on each board; then over boards that have the kind
    ### BEGIN SOLUTION
    delta, rest = after - before, ~(gained | lost)

    def mean_over(which: Bool[Tensor, "n move"]) -> Float[Tensor, " n"]:
        return (delta * which).sum(dim=1) / which.sum(dim=1).clamp(min=1)

    up, down = mean_over(gained) - mean_over(rest), mean_over(rest) - mean_over(lost)
    return Effect(up[gained.any(dim=1)].mean(), down[lost.any(dim=1)].mean())
    ### END SOLUTION


check.effect(effect)

# %% [markdown] tags=["hint"]
# `(delta * which).sum(dim=1) / which.sum(dim=1).clamp(min=1)` is the mean over a kind of moves, board by board; then take only boards where `which.any(dim=1)`.


# %%
class Test(NamedTuple):
    """Boards on which a property is false and would change the legal moves if it were true."""

    tokens: Int[Tensor, "n pos"]
    at: Int[Tensor, " n"]
    """The position, in the tokens, of the board that is meant."""
    gained: Bool[Tensor, "n move"]
    lost: Bool[Tensor, "n move"]


def boards_to_change(silent: Bool[np.ndarray, "game pos"], square: int, value: int) -> Test | None:
    """Boards at which the latent is silent and the square holds something else; discs are turned, or taken away."""
    now = state.relative[:, seen][..., square]
    other = (now == -value) if value else (now != 0)
    found = np.argwhere(silent & other)
    found = found[np.random.default_rng(config.seed).permutation(len(found))][: 2 * config.steer_boards]
    changes = [changed_moves(state.relative[g, t + config.positions[0]], square, value) for g, t in found]
    keep = [i for i, change in enumerate(changes) if change.gained.any() or change.lost.any()][: config.steer_boards]
    if len(keep) < config.steer_boards // 2:
        return None
    moves = PLAYABLE.astype(int)
    gained, lost = (torch.from_numpy(np.stack([getattr(changes[i], kind)[moves] for i in keep])).to(device) for kind in ("gained", "lost"))
    rows = torch.from_numpy(found[keep]).to(device)
    return Test(measuring[rows[:, 0]], rows[:, 1] + config.positions[0], gained, lost)


def steered(where: str, test: Test, latent: int, value: float) -> Float[Tensor, "n move"]:
    """The logits of the 60 moves when the latent has this activation at the board in question."""
    row = torch.arange(len(test.at), device=device)

    def edit(a: Float[Tensor, "n pos d_sae"]) -> Float[Tensor, "n pos d_sae"]:
        a[row, test.at, latent] = value
        return a

    return evals.intervene(model, saes[where], test.tokens, hook_points[where], edit)[row, test.at, 1:]


# %%
VALUE = {"mine": 1, "theirs": -1, "empty": 0}


def steer_best(where: str, group: str) -> pd.DataFrame:
    """The best latents of a group of properties: what they do when they are switched on, and what a control does."""
    found = scores[f"SAE, {where}"]
    on = evals.latent_activations(saes[where], x[where]["measuring"])
    density, highest = (on > 0).float().mean(dim=(0, 1)), on.amax(dim=(0, 1))
    square_of_unit = {}  # the square that each unit is best at
    for name, one in found.table.iterrows():
        square_of_unit.setdefault(int(one["unit"]), set()).add(name[:2])
    rows = []
    for name, one in found.table.loc[list(found.groups[group])].sort_values("F1", ascending=False).drop_duplicates("unit").iterrows():
        latent, value = int(one["unit"]), VALUE[name.split()[-1]]
        if one["precision"] < config.steer_precision:
            continue
        test = boards_to_change((on[..., latent] == 0).cpu().numpy(), square_of(name[:2]), value)
        if test is None:
            continue
        nearest = (density - density[latent]).abs().argsort().tolist()
        control = next(i for i in nearest if i != latent and name[:2] not in square_of_unit.get(i, ()) and highest[i] > 0)
        with torch.no_grad():
            before = model(test.tokens)[torch.arange(len(test.at), device=device), test.at, 1:]
        moved = effect(before, steered(where, test, latent, float(highest[latent])), test.gained, test.lost)
        by_control = effect(before, steered(where, test, control, float(highest[control])), test.gained, test.lost)
        rows.append({"property": name, "latent": latent, "precision": one["precision"], "gained": float(moved.gained), "lost": float(moved.lost), "control, gained": float(by_control.gained), "control, lost": float(by_control.lost)})
        if len(rows) == config.steer_latents:
            break
    return pd.DataFrame(rows)


steering = {(where, group): steer_best(where, group) for where in saes for group in ("empty", "occupied")}
steering["residual stream", "occupied"].style.format("{:+.2f}", subset=["gained", "lost", "control, gained", "control, lost"]).format("{:.2f}", subset=["precision"]).hide(axis="index")

# %% [markdown]
# Predict: will the MLP's latents, which are as precise, do the same?

# %% tags=["expected"]
columns = ["precision", "gained", "lost", "control, gained", "control, lost"]
summary = pd.DataFrame({(where, group): {"latents": len(one)} | {column: f"{one[column].mean():+.2f} ± {one[column].std():.2f}" for column in columns} for (where, group), one in steering.items()}).T
summary

# %% [markdown]
# **Analysis.** The stream's latents **state**: switched on, they raise the moves that would become legal, those for discs by about three logits on average and those for empty squares by about eight; a control that fires as often doesn't. What would become *illegal* falls by less than half a logit: for discs clearly more than with the control, for empty squares not. To rule a move out takes more than one latent. The MLP's latents are as precise, and most of those for discs do **the opposite or nothing**:
# they go with the property, and write something else. (An emptied square can make only itself legal, so "gained" is one move a board in that row.) Had we stopped at precision, we would have called both "a latent for D3".

# %%
one = steering["residual stream", "occupied"].sort_values("gained", ascending=False).iloc[0]
latent, name = int(one["latent"]), one["property"]
on = evals.latent_activations(saes["residual stream"], x["residual stream"]["measuring"])[..., latent]
test = boards_to_change((on == 0).cpu().numpy(), square_of(name[:2]), VALUE[name.split()[-1]])
row = int((test.gained.sum(dim=1) > 0).float().argmax())
with torch.no_grad():
    before = model(test.tokens)[torch.arange(len(test.at), device=device), test.at, 1:]
after = steered("residual stream", test, latent, float(on.max()))
as_board = np.full((3, 64), np.nan)
moves = PLAYABLE.astype(int)
for line, values in enumerate((before[row], after[row], after[row] - before[row])):
    as_board[line, moves] = values.cpu().numpy()
here = boards(test.tokens[row : row + 1].cpu().numpy())
at = int(test.at[row])


def on_squares(mask: Bool[Tensor, " move"]) -> Bool[np.ndarray, " 64"]:
    """Of moves, as squares."""
    found = np.zeros(64, dtype=bool)
    found[moves] = mask.cpu().numpy()
    return found


legal_now = np.zeros(64, dtype=bool)
legal_now[moves] = here.legal_tokens[0, at, 1:]
draw_moves(
    as_board,
    ["before", f"with latent {latent} on", "the change"],
    f"Latent {latent} ({name}), switched on: what would become legal rises",
    unit="logit",
    legal=legal_now,
    gained=on_squares(test.gained[row]),
    lost=on_squares(test.lost[row]),
    discs=here.state[0, at],
)

# %% [markdown]
# ## Part 6: computing and stating
#
# An MLP reads the stream, computes, and writes back. Its latents might stand for what is *being worked out*: which discs were just turned, which moves are legal. Predict: in which of these kinds of property does the MLP's SAE do better, relative to the stream's?

# %% tags=["expected"]
what = {"board": BOARD["both"], "legal next": GROUPS["legal next"], "turned by the last move": GROUPS["flipped"], "last move": GROUPS["last move"]}
by_kind = {}
for where, sae in saes.items():
    by_kind[f"SAE, {where}"] = scores_of({part: evals.latent_activations(sae, value) for part, value in x[where].items()}, what)
by_kind["neurons of the MLP"] = scores_of(x["MLP"], what)
kinds_table = pd.DataFrame({name: {group: found.coverage(group) for group in what} for name, found in by_kind.items()})
kinds_table["always firing"] = {group: by_kind["neurons of the MLP"].always(group) for group in what}
kinds_table.style.format("{:.3f}")

# %% [markdown]
# **Analysis.** Against the floor beside them: legal moves are told best by the stream's latents, which carry the *result*; the move itself, and the discs that it turned, by the MLP's. None is told well by a single latent. "Computing" shows less in what latents go with than in what they do, in part 5.
#
# ### Step through a game
#
# A held-out game, and the twelve latents of the stream that are best at single properties. Which of them fire before you would expect it, and which never do?

# %%
first_twelve = scores["SAE, residual stream"].table.sort_values("F1", ascending=False).drop_duplicates("unit").head(12)
shown_units = first_twelve["unit"].astype(int).tolist()
game_latents = evals.latent_activations(saes["residual stream"], x["residual stream"]["measuring"][:1])[0, :, shown_units]
played = slice(config.positions[0], config.positions[0] + len(game_latents))
legal_squares = np.zeros((len(game_latents), 64), dtype=bool)
legal_squares[:, moves] = state.legal_tokens[0, played, 1:]
draw_game(
    state.state[0, played],
    to_squares(measuring[0].cpu().numpy())[played],
    game_latents.cpu().numpy(),
    [f"{unit}: {property_name}" for unit, property_name in zip(shown_units, first_twelve.index, strict=True)],
    "A game, move by move, and the latents that fire",
    legal=legal_squares,
    first_move=played.start + 1,
    start=15,
)

# %% [markdown]
# ### Which layer?
#
# The same training at every layer, on half of the tokens, three seeds. Predict: where is the board read best, and do the SAEs follow the probe?

# %% tags=["expected"]
layers = recorded_othello("layers")
over_seeds(layers.query("hook == 'residual stream'"), "layer", {"F1, both": ".3f", "coverage, both": ".3f", "reconstruction, occupied": ".3f", "reconstruction, both": ".3f", "loss recovered": ".3f"}).rename(columns={"F1, both": "probe's F1, both"})

# %% tags=["expected"]
over_seeds(layers.query("hook == 'MLP'"), "layer", {"plain: coverage, both": ".3f", "coverage, both": ".3f", "plain: reconstruction, both": ".3f", "reconstruction, occupied": ".3f", "reconstruction, both": ".3f"}).rename(columns=lambda name: name.replace("plain: ", "neurons' "))

# %% [markdown]
# **Analysis.** For discs, the probe, the neurons and the SAEs agree: the middle layers, where the board is complete and not yet turned into moves. The last layer has the moves, and little of the board. Counting empty squares changes the picture: at layer 0 the SAEs look best of all, because what was played is in the tokens, and the stream's loss recovered is the same
# from layer 0 to layer 4. With half of the tokens the reconstruction is lower than in part 4: these SAEs are not finished learning.

# %% tags=["headline"]
print(
    f"reconstruction of the board (mine, theirs, empty): SAEs {scores['SAE, residual stream'].reconstruction['both'].f1:.2f} (stream) and {scores['SAE, MLP'].reconstruction['both'].f1:.2f} (MLP), "
    f"neurons {scores['neurons of the MLP'].reconstruction['both'].f1:.2f}, a linear probe's F1 {read['both'].f1:.2f}"
)

# %% [markdown]
# ## What to take along
#
# | you read | ask |
# |---|---|
# | "the SAE recovers 99 % of the loss" | and the board? what does the model need for its loss, and what would it not miss? |
# | "coverage .5" | what would a unit have that always fires? are empty squares counted? divided by what? |
# | "this latent is D3" | on which games was that chosen, and on which measured? precision, or F1? |
# | "better than neurons" | in both grades? with the same right to choose thresholds? |
# | "the SAE found the board" | what does the SAE of a random model find? how much of it can a linear probe read? |
# | "a latent for D3" | write it into the model: do the legal moves change as the rules say? |
#
# - **Precision is not use.** A latent can know the board as well as another and say something else with it.
# - **Dense truths are hard for sparse codes.** Half of a board's statements are true at any time; an SAE pays for every latent that says so.
#
# ### Further reading
#
# - Li et al., *Emergent World Representations*, 2023; Nanda, Lee and Wattenberg, *Emergent Linear Representations in World Models of Self-Supervised Sequence Models*, 2023 (mine and theirs).
# - Karvonen et al., *Measuring Progress in Dictionary Learning for Language Model Interpretability with Board Game Models*, 2024 (coverage, board reconstruction).
# - He et al., *Dictionary Learning Improves Patch-Free Circuit Discovery in Mechanistic Interpretability: A Case Study on Othello-GPT*, 2024.
