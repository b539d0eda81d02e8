# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 02b: when the objective prefers the wrong answer
#
# Chapters 01 and 02a blamed training: dead latents, too few steps. Now suppose that training does its work, and finds what the
# objective asks for. Is that the features? Often not. Nobody asked for features: the objective asks for a good reconstruction
# at a low price, and another dictionary may be the better bargain.
#
# Ten small experiments, each with one such bargain (or one way to fool yourself) and a control in which it isn't there.
#
# By the end you can
# - show on paper and by training that an L1 penalty may prefer a rotated basis to the true one;
# - recognise an SAE that has learned the space, not the features;
# - explain hedging, absorption and a wrong L0, and tell each from the other;
# - say what agreement between two SAEs proves, and what it doesn't.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | cheaper than the truth | 14 |
# | 2 | no features at all | 10 |
# | 3 | tied weights, and where the bias starts | 5 |
# | 4 | one latent, several features: wrong L0, hedging, absorption | 9 |
# | 5 | judging without the truth | 4 |
#
# You need chapter 02a's ideas; its classes come from the package.

# %%
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.stats import spearmanr
from torch import Tensor

from sae_course.checks import ch02b as check
from sae_course.data.toy_small_worlds import (
    correlated_world,
    offset_world,
    orthogonal_world,
    pair_world,
    parent_world,
    pentagon_world,
    square_world,
)
from sae_course.data.toy_worlds import crowded_world
from sae_course.evals.dictionaries import cosines, scores_table
from sae_course.figures.runs import Curve, draw_panels
from sae_course.runtime import current, generator
from sae_course.training.toys import BatchTopK, JumpReLUSAE, Standard, score_toys, squared_error, train_toys
from sae_course.training.toys.wrong_config import wrong_answers_config
from sae_course.training.toys.wrong_recorded import curve_over, recorded_wrong_answers

torch.set_num_threads(1)  # tensors this small run fastest on one core
device = current().device
config = wrong_answers_config()
print(config)

# %% [markdown]
# These are all of this chapter's settings, and the only place where they stand. Tensors are `[inst batch d_in]`: instances are
# independent worlds with an SAE each, trained side by side. Squared errors are summed over `d_in`, averaged over the batch.


# %%
def train(sae, world, steps: int, lr=None, batch_size=None, stream="data", seed=None, snapshots=0):
    """Train all instances with the chapter's settings; returns snapshots of the decoder, if asked for."""
    return train_toys(
        sae,
        world,
        generator(stream, seed),
        steps=steps,
        batch_size=batch_size or config.batch_size,
        lr=lr or config.lr,
        decay=config.decay,
        dead_window=config.dead_window,
        snapshots=snapshots,
    )


@torch.no_grad()
def explained_variance(sae, h: Float[Tensor, "inst batch d_in"], about_mean: bool = True) -> Float[Tensor, " inst"]:
    """1 - squared error / squared distance from the mean, or from zero."""
    base = h.mean(1, keepdim=True) if about_mean else 0
    return 1 - (sae(h) - h).pow(2).sum((1, 2)) / (h - base).pow(2).sum((1, 2))


# %% [markdown]
# ## Part 1: cheaper than the truth
#
# Two features, two dimensions, at right angles: no superposition, nothing to disentangle. Each is present with probability $p$,
# independently, and uniform between 0 and 1 when it is. At $p = 1$ the data fill the unit square. The true dictionary is the
# two axes. Its rival has three latents:
#
# $$d_1 = (1, 1)/\sqrt2 \qquad d_2 = (1, -1)/\sqrt2 \qquad d_3 = (-1, 1)/\sqrt2$$

# %% [markdown] exercise="2b.1" difficulty=3 importance=4 minutes=8
# ### Exercise 2b.1: the rotated dictionary
#
# For a sample $(x, y)$ with $x, y \ge 0$, find the non-negative activations with which these three vectors give back the sample
# **exactly**, with the smallest sum.


# %%
def rotated_latents(x: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 3"]:
    """The cheapest exact activations of the three rotated latents."""
    # TODO: how much lies along the diagonal; what is left, and which of two opposite latents takes it
    ### BEGIN SOLUTION
    along, across = x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]
    return torch.stack([along, F.relu(across), F.relu(-across)], dim=-1) / 2**0.5
    ### END SOLUTION


check.rotated_latents(rotated_latents)

# %% [markdown] tags=["hint"]
# $d_2$ and $d_3$ are opposites: firing both wastes. $d_1$ is orthogonal to them, so its activation is the sample's product
# with $d_1$.

# %% [markdown] tags=["hint"]
# What is left lies along $d_2$, with either sign. A ReLU each for the two signs.

# %% [markdown] exercise="2b.2" difficulty=3 importance=4 minutes=6
# ### Exercise 2b.2: what each costs
#
# The expected sum of activations, as a formula in $p$: with the true basis, and with the rotated dictionary.


# %%
def l1_costs(p: float) -> tuple[float, float]:
    """Expected L1 norm of the activations: true basis, rotated dictionary."""
    # TODO: E[x + y]; then E[x + y + |x - y|] / √2 by the number of features present
    ### BEGIN SOLUTION
    true = 2 * p / 2
    # |x - y|: on average 1/3 when both are present, 1/2 when one is
    rotated = (2 * p / 2 + p**2 / 3 + 2 * p * (1 - p) / 2) / 2**0.5
    return true, rotated
    ### END SOLUTION


check.l1_costs(l1_costs)

# %% [markdown] tags=["hint"]
# With both present, $x + y + |x - y| = 2 \max(x, y)$, and the larger of two uniform numbers is 2/3 on average.

# %% [markdown] tags=["hint"]
# Both are present with probability $p^2$, exactly one with $2p(1 - p)$. With one present, of magnitude $x$, the rotated
# dictionary pays $2x/\sqrt2$.


# %%
def measured_costs(p: float) -> tuple[float, float]:
    """The same, on samples."""
    x = square_world(1, p, device).sample(20_000, generator("square")).activations[0]
    return x.sum(-1).mean().item(), rotated_latents(x).sum(-1).mean().item()


grid = torch.linspace(0.05, 1, 20).tolist()
crossing = 3 * (1 - 1 / 2**0.5)
true_cost, rotated_cost = zip(*map(l1_costs, grid), strict=True)
_, on_samples = zip(*map(measured_costs, grid), strict=True)
draw_panels(
    {
        "expected sum of activations": [
            Curve("true basis", grid, true_cost, control=True),
            Curve("rotated, by hand", grid, rotated_cost),
            Curve("rotated, on samples", grid, on_samples),
        ]
    },
    "Where features are nearly always present, the wrong basis is cheaper",
    along="probability that a feature is present",
)

# %% tags=["expected"]
for p in (0.3, crossing, 1.0):
    (true, rotated), (true_measured, rotated_measured) = l1_costs(p), measured_costs(p)
    print(f"p {p:.3f}   true {true:.3f} (measured {true_measured:.3f})   rotated {rotated:.3f} ({rotated_measured:.3f})")

# %% [markdown] question="2b.A" difficulty=3 importance=4 minutes=4
# ### Question 2b.A: and what will an SAE do?
#
# Three latents, a small L1 coefficient, 16 instances from each of three starts: random, the true basis with a spare latent, the
# rotated dictionary. At $p = 1$ and at $p = .3$: where does each end, and which end has the smaller loss?

# %% [markdown] tags=["answer"]
# The *loss* is what you computed, times the coefficient, as long as reconstruction is nearly perfect: rotated is cheaper at $p
# = 1$, the truth at $p = .3$. Where training *ends* is another question. Both are good reconstructions, and between them lie
# worse ones: each may hold what starts there. Write down what you expect of the random start, and see.


# %%
ROTATED = ((0.5**0.5, 0.5**0.5), (0.5**0.5, -(0.5**0.5)), (-(0.5**0.5), 0.5**0.5))
TRUE = ((1.0, 0.0), (0.0, 1.0))
STARTS = ("random", "truth", "rotated")


def square_saes(n_inst: int, coefficient: float) -> Standard:
    """SAEs with three latents, from three starts. Random directions are those that some sample can wake."""
    sae = Standard(len(STARTS) * n_inst, 2, 3, generator("sae"), coefficient=coefficient)
    angle = torch.pi * (torch.rand(sae.b_enc.shape, generator=generator("angles"), device=device) - 0.25)
    with torch.no_grad():
        sae.W_dec.copy_(torch.stack([angle.cos(), angle.sin()], dim=-1))
        sae.W_dec[n_inst : 2 * n_inst, :2] = torch.tensor(TRUE, device=device)
        sae.W_dec[2 * n_inst :] = torch.tensor(ROTATED, device=device)
        sae.W_enc.copy_(sae.W_dec.transpose(1, 2))
    sae.b_dec.requires_grad_(False)  # stays at 0: a free one finds still cheaper answers, off the corner
    return sae


def holds(sae, fires: Bool[Tensor, "inst d_sae"], answer, least: float = 0.98) -> Bool[Tensor, " inst"]:
    """Whether each direction of the answer has a latent that points there, and fires."""
    cosine = cosines(sae.W_dec, torch.tensor(answer, device=device).expand(len(sae.W_dec), -1, -1))
    return (cosine.masked_fill(~fires[..., None], -1).amax(1) > least).all(-1)


# %%
ends = {}
for p in config.square_probabilities:
    square = square_world(config.square_inst, p, device)
    sae = square_saes(config.square_inst, config.square_l1)
    train(sae, square, config.square_steps)
    h = square.sample(8192, generator("evaluation")).activations.repeat(len(STARTS), 1, 1)
    with torch.no_grad():
        out = sae.training_pass(h, dead=None)
    fires = (out.latents > 0).float().mean(1) > 0.01
    price = (out.loss / config.square_l1).view(len(STARTS), -1)
    ends[p] = [answer.view(len(STARTS), -1).sum(-1) for answer in (holds(sae, fires, TRUE), holds(sae, fires, ROTATED))]
    for i, start in enumerate(STARTS):
        true, rotated = (answer[i].item() for answer in ends[p])
        print(
            f"p {p}   start: {start:8}   ends: truth {true:2}  rotated {rotated:2}  else {config.square_inst - true - rotated:2}"
            f"   loss / coefficient {price[i].mean():.3f} ± {price[i].std():.3f}"
        )

# %% [markdown]
# **Analysis.** The price is about the one you derived (a little less for the truth, whose directions lean inwards to save on
# the corners). The smaller loss is the rotated dictionary's at $p = 1$, and the true one's at the control, $p = .3$. So at $p =
# 1$ a better optimiser won't help: *the objective prefers the wrong answer*. The rotated start stays where it is at either
# probability, cheap or dear: these are two valleys. Most random starts roll into the truth, by the shape of the land, not by
# its depth. In a plane with two features that is luck worth having; don't count on it.
#
# Real features are not present nearly always. But a *group* of them may be, within the samples where its topic comes up.
#
# ## Part 2: no features at all

# %% [markdown] exercise="2b.3" difficulty=2 importance=4 minutes=6
# ### Exercise 2b.3: noise that looks like the data
#
# Here is a test that needs no truth. Give the SAE Gaussian **noise with the mean and the covariance of the data**: the same
# space, no features. Whoever reconstructs noise as well as data has learned the space.
#
# Each instance has its own mean and covariance. The covariance may be singular: not every instance fills its space.


# %%
@torch.no_grad()
def noise_like(h: Float[Tensor, "inst batch d_in"], generator: torch.Generator) -> Float[Tensor, "inst batch d_in"]:
    """Gaussian samples with each instance's mean and covariance."""
    # TODO: the covariance; a square root of it; standard noise times the root, plus the mean
    ### BEGIN SOLUTION
    mean = h.mean(1, keepdim=True)
    covariance = (h - mean).mT @ (h - mean) / h.shape[1]
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt()[:, None]
    return mean + torch.randn(h.shape, generator=generator, device=h.device) @ root.mT
    ### END SOLUTION


check.noise_like(noise_like)

# %% [markdown] tags=["hint"]
# If $C = V \Lambda V^\top$, then $R = V \Lambda^{1/2}$ has $R R^\top = C$, and for standard normal rows $z$, $z R^\top$ has
# covariance $C$.

# %% [markdown] tags=["hint"]
# `torch.linalg.eigh` gives `values` `[inst d_in]` in rising order and `vectors` with one *column* each; a zero may come out as
# a tiny negative number. (`cholesky` fails where the covariance is singular.)

# %% [markdown] exercise="2b.4" difficulty=2 importance=3 minutes=4
# ### Exercise 2b.4: negated pairs
#
# A ReLU passes one sign only. Two latents $w$ and $-w$ undo this: $\mathrm{ReLU}(w \cdot h)\,w - \mathrm{ReLU}(-w \cdot h)\,w =
# (w \cdot h)\,w$, whatever the sign. Count them: pairs of latents with a cosine below `-threshold`, each pair once.


# %%
def negated_pairs(W_dec: Float[Tensor, "inst d_sae d_in"], threshold: float = 0.9) -> Int[Tensor, " inst"]:
    """How many pairs of latents point in opposite directions."""
    # TODO: cosines between latents; those below -threshold, counted once
    ### BEGIN SOLUTION
    opposite = cosines(W_dec, W_dec) < -threshold
    return opposite.triu(1).sum((1, 2))
    ### END SOLUTION


check.negated_pairs(negated_pairs)

# %% [markdown] tags=["hint"]
# `F.normalize(W_dec, dim=-1)`, a product with its own transpose, a comparison. Each pair stands twice in the result; `.triu(1)`
# keeps one.

# %% [markdown]
# ### The identity dictionary
#
# Chapter 02a's crowded world: 64 features in 32 dimensions, two or so present at a time. And an SAE made by hand, with no data:
# for each *axis* of the space, a latent that reads and writes it, and one that reads and writes its negative.

# %%
crowded = crowded_world(config.crowd_inst, generator("world"))
identity = Standard(config.crowd_inst, crowded.d_in, crowded.n_features, generator("sae"), coefficient=0.0)
axes = torch.eye(crowded.d_in, device=device)
with torch.no_grad():
    identity.W_dec.copy_(torch.cat([axes, -axes]))
    identity.W_enc.copy_(identity.W_dec.mT)


def tell_tales(sae) -> dict[str, Float[Tensor, " inst"]]:
    """What an SAE in the crowded world shows without the truth, and then its recovery."""
    found = score_toys(sae, crowded, generator("evaluation"), samples=4096)
    h = crowded.sample(4096, generator("evaluation")).activations
    h = h.repeat(len(sae.W_dec) // len(h), 1, 1)
    return {
        "EV": found.explained_variance,
        "EV of noise": explained_variance(sae, noise_like(h, generator("noise"))),
        "L0": found.l0,
        "pairs": negated_pairs(sae.W_dec.detach()).float(),
        "recovery": found.mcc,
    }


def show(name: str, values: dict[str, Float[Tensor, " inst"]]) -> None:
    """A row: mean ± standard deviation over the worlds."""
    print(f"{name:18}" + "".join(f"{value.mean():9.3f} ± {value.std():.3f}" for value in values.values()))


# %% tags=["expected"]
tales = tell_tales(identity)
print(f"{'':18}" + "".join(f"{name:>17}" for name in tales))
show("by hand", tales)

# %% [markdown]
# A perfect reconstruction, and nothing learned; noise is reconstructed perfectly too. Wherever anything is present, as many latents
# fire as there are dimensions. Predict: at which L1 coefficients will a *trained* SAE look like this?

# %%
sweep = Standard(
    len(config.crowd_l1) * config.crowd_inst,
    crowded.d_in,
    crowded.n_features,
    generator("sae"),
    coefficient=config.crowd_l1,
)
untrained = tell_tales(sweep)
train(sweep, crowded, config.crowd_steps)
tales = tell_tales(sweep)

# %% tags=["expected"]
print(f"{'L1 coefficient':18}" + "".join(f"{name:>17}" for name in tales))
for i, coefficient in enumerate(config.crowd_l1):
    part = slice(i * config.crowd_inst, (i + 1) * config.crowd_inst)
    show(str(coefficient), {name: values[part] for name, values in tales.items()})
print(f"pairs in a random decoder: {untrained['pairs'].max():.0f}; recovery by chance: {untrained['recovery'].mean():.3f}")
print(f"features present: {crowded.l0:.2f}; dimensions: {crowded.d_in}")

# %% [markdown]
# **Analysis.** Too small a coefficient finds the space, not the features. By explained variance of the data, it is the best.
# The noise tells: it is reconstructed nearly as well. At a coefficient that finds the features, noise is reconstructed badly,
# because it isn't made of them. L0 tells too: it lies near the number of dimensions, or above it.
#
# The pairs show *how* it is done. Just below the good range more than a third of the 32 possible pairs are there, learned; a
# random decoder has none. At the smallest coefficient few are: with next to no price on activity there are many other ways.
# Pairs are the cheapest way to write a signed coordinate in non-negative numbers, and of no use for features, which are there
# or not.

# %% [markdown] question="2b.B" difficulty=2 importance=4 minutes=3
# ### Question 2b.B: why not simply use explained variance on noise alone?
#
# An SAE with dead latents and a large error on noise: is that a good one? And why must the noise have the *covariance* of the data?

# %% [markdown] tags=["answer"]
# An SAE that reconstructs nothing fails on noise as well. What counts is the **gap**: good on data, bad on noise.
#
# White noise fills directions in which the data hardly vary; any SAE that learned where the data live would look good beside
# it. With the covariance matched, everything that a linear method (PCA) could know is the same in both. The gap is what only
# sparsity explains.
#
# ## Part 3: tied weights, and where the bias starts
#
# Two matters of bookkeeping that carry whole results.

# %% [markdown] exercise="2b.5" difficulty=1 importance=3 minutes=3
# ### Exercise 2b.5: tied weights
#
# A tied SAE has no `W_enc`: it reads with the decoder's own vectors. Write its pre-activations,
#
# $$\mathrm{pre} = (h - b_{dec})\, W_{dec}^\top + b_{enc}$$


# %%
def tied_pre_activations(
    h: Float[Tensor, "inst batch d_in"],
    W_dec: Float[Tensor, "inst d_sae d_in"],
    b_enc: Float[Tensor, "inst d_sae"],
    b_dec: Float[Tensor, "inst d_in"],
) -> Float[Tensor, "inst batch d_sae"]:
    """Pre-activations of an encoder that is the decoder's transpose."""
    # TODO: the encoder's equation, with W_dec transposed
    ### BEGIN SOLUTION
    return (h - b_dec[:, None]) @ W_dec.mT + b_enc[:, None]
    ### END SOLUTION


check.tied_pre_activations(tied_pre_activations)

# %% [markdown] tags=["hint"]
# `W_dec.mT` swaps the last two axes: `[inst d_in d_sae]`. Biases need `[:, None]` to meet the batch axis.

# %% [markdown]
# The best-known course on this toy switches to tied weights for its JumpReLU SAE. On chapter 01's
# pentagon (five features in a plane) its code was measured to recover all five in 10 and 8 of 16 instances tied, and in 1 and 0
# untied (two seeds; dead latents resampled). Is that JumpReLU, or the tying? And if tying: does the *objective* prefer another
# answer when encoder and decoder are free, or does the *search* fail? Five kinds, in the same worlds, on the same data:
#
# | | encoder | decoder starts |
# |---|---|---|
# | tied | is the decoder | at random |
# | untied, copied | starts as its copy | at random |
# | untied, own start | starts at random | at random |
# | tied, from the truth | is the decoder | at the features |
# | untied, from the truth | starts as its copy | at the features |
#
# The control world has the same features, in five dimensions, orthogonal. Predict each row.

# %%
KINDS = ("tied", "untied, copied", "untied, own start", "tied, from the truth", "untied, from the truth")


class MaybeTied(JumpReLUSAE):
    """JumpReLU with a decoder of unit length; some instances are tied."""

    def __init__(self, *sizes, tied: Bool[Tensor, " inst"], **settings) -> None:
        super().__init__(*sizes, **settings)
        self.tied = tied[:, None, None]

    def pre_activations(self, h):
        tied = tied_pre_activations(h, F.normalize(self.W_dec, dim=-1), self.b_enc, self.b_dec)
        return torch.where(self.tied, tied, super().pre_activations(h))

    def decode(self, latents):
        return latents @ F.normalize(self.W_dec, dim=-1) + self.b_dec[:, None]


def tying(world, steps: int, batch_size: int, lr: float, seed: int) -> list[dict]:
    """Train all five kinds in these worlds; how many instances found every feature, and more."""
    n_inst, n_features, d_in = world.directions.shape
    weights = generator("sae", seed)
    sae = MaybeTied(
        len(KINDS) * n_inst,
        d_in,
        n_features,
        weights,
        tied=torch.tensor([kind.startswith("tied") for kind in KINDS], device=weights.device).repeat_interleave(n_inst),
        coefficient=config.tie_l0,
        threshold=config.threshold,
        bandwidth=config.bandwidth,
    )
    random = F.normalize(sae.W_dec.detach()[:n_inst], dim=-1)
    encoder = F.normalize(torch.randn(random.shape, generator=weights, device=weights.device), dim=-1)
    with torch.no_grad():
        sae.W_dec.copy_(torch.cat([random] * 3 + [world.directions] * 2))
        sae.W_enc.copy_(torch.cat([random, random, encoder, world.directions, world.directions]).mT)
    train(sae, world, steps, lr, batch_size, seed=seed)

    h = world.sample(8192, generator("evaluation", seed)).activations.repeat(len(KINDS), 1, 1)
    with torch.no_grad():
        out = sae.training_pass(h, dead=None)
    live = (out.latents > 0).any(1)
    cosine = cosines(sae.W_dec.detach(), world.directions.repeat(len(KINDS), 1, 1))
    found = cosine.masked_fill(~live[..., None], -1).amax(1) > 0.95
    rows = []
    for i, kind in enumerate(KINDS):
        part = slice(i * n_inst, (i + 1) * n_inst)
        rows.append(
            {
                "kind": kind,
                "seed": seed,
                "all_found": found[part].all(-1).sum().item(),
                "features": found[part].float().mean().item(),
                "dead": 1 - live[part].float().mean().item(),
                "loss": out.loss[part].mean().item(),
            }
        )
    return rows


def show_tying(rows: list[dict]) -> None:
    """A line for each kind: instances with all features for each seed, and means over the seeds."""
    print(f"{'':26}all 5 found    features   dead   loss")
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        features, dead, loss = (sum(row[key] for row in own) / len(own) for key in ("features", "dead", "loss"))
        counts = " ".join(f"{row['all_found']:2}" for row in own)
        print(f"{kind:26}{counts:15}{features:<11.0%}{dead:<7.0%}{loss:.4f}")


# %%
tie_worlds = {
    "pentagon": pentagon_world(config.tie_inst, generator("world"), probability=config.tie_probability),
    "orthogonal": orthogonal_world(config.tie_inst, generator("world"), probability=config.tie_probability),
}
tie_settings = (config.tie_steps, config.tie_batch_size, config.tie_lr)
tied = {name: tying(world, *tie_settings, seed=0) for name, world in tie_worlds.items()}

# %% tags=["expected"]
for name, rows in tied.items():
    print(f"{name}: instances, of {config.tie_inst}")
    show_tying(rows)

# %% [markdown]
# One seed at a small size. Recorded with this code at the full settings, with three seeds:

# %% tags=["expected"]
record = recorded_wrong_answers()
for key in ("tie_steps", "tie_batch_size", "tie_lr"):
    print(f"{key:16} here {getattr(config, key):<8} recorded {record['config'][key]}")
for name, rows in record["tying"].items():
    print(f"{name}: instances, of {record['config']['tie_inst']}, for seeds {record['seeds']}")
    show_tying(rows)

# %% [markdown]
# **Analysis.** Start at the top. In the pentagon tied instances find everything most often, copied ones about half as often,
# those with a start of their own hardly ever. The direction is the published one; the difference is smaller, and nothing
# revives dead latents here. Now the last two rows: **from the truth, both stay**, in every instance, and at the smallest loss
# of all. So the objective does *not* prefer another answer when weights are free; the search fails to get there. And most of
# what tying gives to the search is a better start: look at the share of features found. In the orthogonal world, where an
# encoder has nothing to gain by differing from its decoder, the copy does as well as the tie, or nearly.
#
# A result with tied weights is a result about the tie as much as about the activation function. Say so beside it, or untie.

# %% [markdown] exercise="2b.6" difficulty=1 importance=4 minutes=2
# ### Exercise 2b.6: where the bias should start
#
# The mean activation of each instance, from a batch; it is a starting value, so no gradient.


# %%
def starting_bias(h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst d_in"]:
    """Each instance's mean activation."""
    # TODO: the mean over the batch, detached
    ### BEGIN SOLUTION
    return h.detach().mean(1)
    ### END SOLUTION


check.starting_bias(starting_bias)

# %% [markdown] tags=["hint"]
# The batch is axis 1. `.detach()` cuts the gradient.

# %% [markdown] question="2b.C" difficulty=3 importance=5 minutes=4
# ### Question 2b.C: a mean far from zero
#
# Activations of a language model do not average to zero. Add to the crowded world a constant vector, ten standard deviations long.
# `b_dec` starts at 0 and can be learned. A BatchTopK SAE keeps the largest pre-activations. What happens in the first step, and why
# won't learning `b_dec` mend it in time?

# %% [markdown] tags=["answer"]
# In every sample the constant is by far the largest part, so the latents whose random direction happens to lie along it have
# the largest pre-activations, always, whatever the features. They are kept in every sample; the others in none, and without a
# gradient they stay out. And `b_dec`: Adam moves a parameter by about the learning rate in a step, whatever the gradient's
# size. The number of steps times the learning rate is as far as it can get, and the latents that fire take over its work before
# it arrives.


# %%
shifted = offset_world(crowded_world(config.offset_inst, generator("world")), config.offset, generator("offset"))
mean = starting_bias(shifted.sample(4096, generator("start")).activations)
still = replace(shifted, offset=None)
conditions = {
    "no offset (control)": (still, None),
    "offset, b_dec starts at 0": (shifted, None),
    "offset, b_dec starts at the mean": (shifted, mean),
    "offset, data centred": (replace(shifted, offset=shifted.offset - mean), None),
}
biased, about_zero = {}, {}
for name, (world, start) in conditions.items():
    sae = BatchTopK(config.offset_inst, world.d_in, world.n_features, generator("sae"), k=config.offset_k)
    if start is not None:
        with torch.no_grad():
            sae.b_dec.copy_(start)
    train(sae, world, config.offset_steps, config.offset_lr)
    biased[name] = score_toys(sae, world, generator("evaluation"))
    h = world.sample(8192, generator("evaluation")).activations
    about_zero[name] = explained_variance(sae, h, about_mean=False)

reach = config.offset_steps * config.offset_lr * (1 - config.decay / 2)
print(f"the offset: {shifted.offset.norm(dim=-1).mean():.1f} long, up to {shifted.offset.abs().amax():.1f} in a coordinate")
print(f"b_dec can get about {reach:.1f} far in a coordinate")

# %% tags=["expected"]
table = scores_table(biased, ["dead", "explained_variance", "mcc"])
table.insert(2, "about zero", [f"{value.mean():.3f}" for value in about_zero.values()])
table

# %% [markdown]
# **Analysis.** With the bias at 0 nearly all latents die, and what is left explains next to nothing of what varies. Yet explained
# variance *about zero* looks splendid: hitting a constant is most of a squared length. Ask of every explained variance which it is.
# Starting at the mean, or centring the data, gives back everything, and the two are one thing. They do a little better than
# the control, even, because the crowded world has a small mean of its own.
#
# AuxK (02a), which is on here, does not save them: dead latents are trained on the residual, but what they must beat is the
# constant.
#
# ## Part 4: one latent, several features
#
# ### Wrong L0
#
# A world of 50 orthogonal features, about ten present at a time, with correlated presences. SAEs with 50 latents, from too
# small to too large a $k$. What could the *true* dictionary explain at that $k$? The largest magnitudes of the batch, each on
# its own direction, and the mean of the rest as a bias.

# %% [markdown] exercise="2b.7" difficulty=2 importance=4 minutes=4
# ### Exercise 2b.7: the decoder's mean cosine
#
# Without truth one can still look at the decoder: the mean **absolute** cosine over all pairs of *different* latents.


# %%
def decoder_cosine(W_dec: Float[Tensor, "inst d_sae d_in"]) -> Float[Tensor, " inst"]:
    """Mean absolute cosine between different latents."""
    # TODO: absolute cosines, without each latent's with itself, over the number of pairs
    ### BEGIN SOLUTION
    absolute = cosines(W_dec, W_dec).abs()
    d_sae = W_dec.shape[1]
    own = absolute.diagonal(dim1=1, dim2=2).sum(-1)
    return (absolute.sum((1, 2)) - own) / (d_sae * (d_sae - 1))
    ### END SOLUTION


check.decoder_cosine(decoder_cosine)

# %% [markdown] tags=["hint"]
# Sum all absolute cosines, subtract the diagonal, divide by `d_sae * (d_sae - 1)`.


# %%
def true_dictionary(world, k: int) -> Float[Tensor, " inst"]:
    """Explained variance of the true directions with the k * batch largest magnitudes, and a constant."""
    sample = world.sample(4096, generator("evaluation"))
    flat = sample.features.flatten(1)
    values, places = flat.topk(k * sample.features.shape[1])
    kept = torch.zeros_like(flat).scatter(1, places, values).view_as(sample.features)
    rest = sample.activations - kept @ world.directions
    spread = sample.activations - sample.activations.mean(1, keepdim=True)
    return 1 - (rest - rest.mean(1, keepdim=True)).pow(2).sum((1, 2)) / spread.pow(2).sum((1, 2))


def over_k(world, ks, seeds: int, steps: int, batch_size: int, d_sae=None, stream="sae", snapshots=0):
    """An SAE for each k, world and seed, all trained at once; the worlds, one for each seed; the decoders on the way."""
    several = world.of([i for i in range(world.n_inst) for _ in range(seeds)])  # each copy draws its own samples
    n_inst = len(ks) * several.n_inst
    sae = BatchTopK(n_inst, world.d_in, d_sae or world.n_features, generator(stream), k=list(ks))
    kept = train(sae, several, steps, batch_size=batch_size, stream=f"{stream} data", snapshots=snapshots)
    return sae, several, kept


def rows_over_k(sae, several, ks, seeds: int) -> list[dict]:
    """What can be said of each SAE, with and without the truth."""
    found = score_toys(sae, several, generator("evaluation"), samples=4096).rows()
    own = decoder_cosine(sae.W_dec.detach()).tolist()
    best = [true_dictionary(several, k).tolist() for k in ks]
    rows = []
    for i, row in enumerate(found):
        setting, copy = divmod(i, several.n_inst)
        rows.append(
            {
                "k": ks[setting],
                "world": copy // seeds,
                "seed": copy % seeds,
                "true_dictionary": best[setting][copy],
                "decoder_cosine": own[i],
                **{key: row[key] for key in ("explained_variance", "mcc", "dead")},
            }
        )
    return rows


# %% [markdown]
# Predict: at a $k$ of half the true L0, which explains more variance, the trained SAE or the true dictionary? Where is recovery
# best?

# %%
k_world = correlated_world(config.k_worlds, generator("world"))
k_saes, several, snapshots = over_k(
    k_world, config.k, config.k_seeds, config.k_steps, config.k_batch_size, snapshots=config.snapshots
)
k_rows = rows_over_k(k_saes, several, config.k, config.k_seeds)
print(f"{k_world.n_features} features, {k_world.l0:.1f} present on average; {len(k_rows)} SAEs")

# %% tags=["expected"]
draw_panels(
    {
        "explained variance": [
            curve_over(k_rows, "explained_variance", "trained"),
            curve_over(k_rows, "true_dictionary", "true dictionary at this k", control=True),
        ],
        "recovery (MCC)": [curve_over(k_rows, "mcc", "trained")],
        "mean |cosine| in the decoder": [curve_over(k_rows, "decoder_cosine", "trained")],
        "dead latents": [curve_over(k_rows, "dead", "trained")],
    },
    "Recovery is best, and the decoder most orthogonal, at the true L0",
    along="k: latents that fire on a sample",
)


# %% tags=["expected"]
def show_over_k(rows: list[dict], names: dict[str, str]) -> None:
    """A line for each k: mean ± standard deviation over worlds and seeds."""
    print("k    " + "".join(f"{name:>20}" for name in names.values()))
    for k in sorted({row["k"] for row in rows}):
        cells = [torch.tensor([row[key] for row in rows if row["k"] == k]) for key in names]
        print(f"{k:<5}" + "".join(f"{cell.mean():12.3f} ± {cell.std():.3f}" for cell in cells))


K_NAMES = {
    "explained_variance": "EV",
    "true_dictionary": "EV, true dictionary",
    "mcc": "recovery",
    "decoder_cosine": "decoder |cosine|",
}
show_over_k(k_rows, K_NAMES)

# %% [markdown]
# **Analysis.** With too small a $k$ the trained SAE *beats the truth* at explaining variance. It can't afford a latent for each
# feature, so it lets a latent stand for several that come together: a mixture explains more than the best of them alone. Any
# optimiser that does its work must leave the features. With too large a $k$ the truth would explain everything, and the SAE
# nearly does, with latents that have no need to be features any more: what Part 2 called the space.
#
# Both faults show in the decoder: mixtures of the same orthogonal features have cosines with each other. Its mean cosine is
# lowest at the true L0, which it finds *without the truth* (Chanin and Garriga-Alonso, 2025). Mind what it rests on: features
# that are orthogonal, or nearly. Recorded, with more values of $k$, more seeds and longer training:

# %% tags=["expected"]
longer = record["over_k"]
draw_panels(
    {
        "explained variance": [
            curve_over(longer, "explained_variance", "trained"),
            curve_over(longer, "true_dictionary", "true dictionary at this k", control=True),
        ],
        "recovery (MCC)": [curve_over(longer, "mcc", "trained")],
        "mean |cosine| in the decoder": [curve_over(longer, "decoder_cosine", "trained")],
        "dead latents": [curve_over(longer, "dead", "trained")],
    },
    "Recorded, three worlds, three seeds each: the lowest cosine is at the true L0",
    along="k: latents that fire on a sample",
)

# %% [markdown]
# ### Hedging
#
# The same bargain in its smallest form: two features, **one latent**, which starts exactly on the first feature. The features'
# presences are correlated, and the control is correlation 0.

# %% [markdown] question="2b.D" difficulty=3 importance=4 minutes=4
# ### Question 2b.D: where will the latent point?
#
# Suppose it fires exactly when feature $a$ is present, and `b_dec` is what is best when it doesn't. Which vector should it
# write? What is its part along feature $b$, for a positive, a zero, and a negative correlation?

# %% [markdown] tags=["answer"]
# When it is silent, the best constant is the mean of those samples, which holds $P(b \mid \text{not } a)$ of feature $b$. When
# it fires, the best total is $a$ plus $P(b \mid a)$ of $b$. It has to write the difference:
#
# $$d \propto a + \big(P(b \mid a) - P(b \mid \text{not } a)\big)\, b$$
#
# At zero correlation the bracket is 0: it stays on its feature. Otherwise it **hedges**: it writes a bit of $b$ on the chance,
# and with a negative correlation a bit of minus $b$. The encoder is free too, so it will also learn to fire on $b$ alone, and
# the real thing goes further than the formula.


# %%
def hedged(correlation: float, n_latents: int) -> tuple[Float[Tensor, "inst d_sae 2"], float]:
    """Cosines of each latent with the two features after training from the truth; and the formula's."""
    world = pair_world(config.pair_inst, generator("world"), correlation=correlation)
    sae = Standard(config.pair_inst, 2, n_latents, generator("sae"), coefficient=config.pair_l1)
    with torch.no_grad():
        sae.W_dec.copy_(world.directions[:, :n_latents])
        sae.W_enc.copy_(sae.W_dec.mT)
    train(sae, world, config.pair_steps)
    first, second = (world.sample(8192, generator("evaluation")).features > 0).flatten(0, 1).T
    extra = second[first].float().mean() - second[~first].float().mean()
    return cosines(sae.W_dec.detach(), world.directions), (extra / (1 + extra**2).sqrt()).item()


# %% tags=["expected"]
hedges = {r: hedged(r, 1) for r in config.pair_correlations}
pairs = {r: hedged(r, 2)[0] for r in config.pair_correlations}
print("              one latent:               by the       two latents:")
print("correlation   cosine to the other       formula      a's to b            b's to a")
for r, (alone, formula) in hedges.items():
    cells = [alone[:, 0, 1], pairs[r][:, 0, 1], pairs[r][:, 1, 0]]
    other, first, second = (f"{cell.mean():6.3f} ± {cell.std():.3f}" for cell in cells)
    print(f"{r:<14}{other:26}{formula:<13.3f}{first:20}{second}")

# %% [markdown]
# **Analysis.** From a perfect start the latent walks away, by an amount that the correlation sets, and in the same way in every
# instance: the spread is tiny. At correlation 0 it stays. With a latent for each feature the first one goes home: hedging is a
# fault of **too few latents**, and every SAE is too few for some pair. Mind the second latent at the largest correlation, where
# $b$ hardly ever comes without $a$: it leans too, though nobody is missing. That is the next fault.
#
# ### Absorption
#
# Now enough latents for all, and a **hierarchy**: a child is present only with its parent. With a latent each, parent and child
# together cost two activations. If the child's latent writes *both*, they cost $\sqrt2$, and the parent's latent falls silent
# just then. Four families, orthogonal features, an L1 penalty.

# %% [markdown] exercise="2b.8" difficulty=2 importance=5 minutes=5
# ### Exercise 2b.8: the absorption rate
#
# For the parent's latent (`fires`), from the presence of parent and child:
#
# - of the samples with **parent and child**, the share where it is silent;
# - **minus** the same share among the samples with the **parent alone**: a latent that is merely weak is silent in both;
# - 0 where there are no samples of one kind or the other.


# %%
def absorption_rate(
    fires: Bool[Tensor, "inst batch"], parent: Bool[Tensor, "inst batch"], child: Bool[Tensor, "inst batch"]
) -> Float[Tensor, " inst"]:
    """How much more often the parent's latent is silent when the child is there."""
    # TODO: the two kinds of samples; the share of silent ones in each; the difference
    ### BEGIN SOLUTION
    both, alone = parent & child, parent & ~child
    silent_both, silent_alone = ((~fires & kind).sum(-1) / kind.sum(-1).clamp(min=1) for kind in (both, alone))
    return torch.where(both.any(-1) & alone.any(-1), silent_both - silent_alone, 0.0)
    ### END SOLUTION


check.absorption_rate(absorption_rate)

# %% [markdown] tags=["hint"]
# `both = parent & child`, `alone = parent & ~child`. A share: `(~fires & both).sum(-1) / both.sum(-1)`.

# %% [markdown] tags=["hint"]
# `.clamp(min=1)` under each fraction avoids 0/0; `torch.where(both.any(-1) & alone.any(-1), difference, 0)` puts the 0 in.


# %%
class NestedL1(Standard):
    """Matryoshka's idea on an L1 SAE: the first latents must reconstruct without the rest, too."""

    first = 0

    def training_pass(self, h, dead):
        result = super().training_pass(h, dead)
        inner = result.latents[..., : self.first] @ self.W_dec[:, : self.first] + self.b_dec[:, None]
        return result._replace(loss=result.loss + squared_error(inner, h))


@torch.no_grad()
def absorbed(sae, world) -> Float[Tensor, "inst families"]:
    """Each parent's absorption rate; its latent is the one that points to it best."""
    families = world.n_features // 2
    sample = world.sample(4096, generator("evaluation"))
    present, fires = sample.features > 0, sae.encode(sample.activations) > 0
    latent = cosines(sae.W_dec, world.directions)[..., :families].argmax(1)
    return torch.stack(
        [
            absorption_rate(
                fires.gather(2, latent[:, None, i : i + 1].expand(-1, fires.shape[1], -1))[..., 0],
                present[..., i],
                present[..., families + i],
            )
            for i in range(families)
        ],
        dim=1,
    )


# %% [markdown]
# The control world has no hierarchy: the same directions, the same rates, children on their own. The cure is 02a's:
# Matryoshka's inner loss, for the first half of the latents, and nothing else changed. Predict the three rows, from a random
# start and **from the truth**.

# %% tags=["expected"]
families = {
    "hierarchy": (Standard, True),
    "no hierarchy (control)": (Standard, False),
    "hierarchy, inner loss": (NestedL1, True),
}
absorption = {}
print(f"{'':46}absorption rate   parents with over .5   instances with such   EV")
for start in ("random", "truth"):
    for name, (variant, hierarchy) in families.items():
        world = parent_world(config.parent_inst, generator("world"), hierarchy=hierarchy)
        sae = variant(config.parent_inst, world.d_in, world.n_features, generator("sae"), coefficient=config.parent_l1)
        sae.first = world.n_features // 2
        if start == "truth":
            with torch.no_grad():
                sae.W_dec.copy_(world.directions)
                sae.W_enc.copy_(sae.W_dec.mT)
        train(sae, world, config.parent_steps)
        rate = absorption[start, name] = absorbed(sae, world)
        found = score_toys(sae, world, generator("evaluation"), samples=4096).explained_variance
        most = rate > 0.5
        print(
            f"{start + ' start, ' + name:46}{rate.mean():5.2f} ± {rate.std():.2f}{most.sum():12} of {most.numel()}"
            f"{most.any(-1).sum():18} of {len(most)}{found.mean():13.3f}"
        )

# %% [markdown]
# **Analysis.** Absorption in every instance, and from the truth still more surely than from a random start: nothing was lost on
# the way, the objective walks there. Without the hierarchy it is gone: a child that comes alone can't be written by a latent
# that writes its parent too. The inner loss leaves hardly any from a random start and none from the truth, and pays in
# explained variance. (Magnitudes vary little in this world. With `deviation=0.15` in `parent_world`, a parent is often larger
# than what the child's latent writes of it, and absorption is partial.)
#
# What hurts in practice: the parent's latent still points to the parent, its top samples are the parent's, and it fires for the
# parent *except* where something more special is there. It reads well and classifies badly.

# %% [markdown] question="2b.E" difficulty=3 importance=4 minutes=4
# ### Question 2b.E: hedging or absorption?
#
# A latent's direction has a part along a feature that isn't its own. What would you look at to tell hedging from absorption,
# and what does a wider SAE do to each?

# %% [markdown] tags=["answer"]
# **Who is silent.** In absorption another latent exists that should have fired, and didn't. In hedging there is no other
# latent: the feature has nobody else. So look for a second latent for the mixed-in feature, and at which samples it is silent.
#
# **The sign.** Hedging follows the correlation, and writes *minus* the other feature when the two avoid each other. Absorption
# only ever adds the parent.
#
# **Width.** A wider SAE has a latent for the second feature: hedging shrinks. It also has more latents for special cases, which can
# absorb their parents: absorption grows. No width is right for both.
#
# ## Part 5: judging without the truth
#
# ### A perfect score
#
# The last fault is not the objective's but ours. The decoder is frozen at its random start. One thing differs: whether the SAE
# draws its weights from a stream of its own, or from the one that drew the world.

# %% tags=["expected"]
world = crowded_world(config.leak_inst, generator("world"))
leaks = {}
for name in ("world", "sae"):
    sae = Standard(config.leak_inst, world.d_in, world.n_features, generator(name), coefficient=config.leak_l1)
    sae.W_dec.requires_grad_(False)
    label = "the world's stream" if name == "world" else "its own stream (control)"
    leaks[f"{label}, untrained"] = score_toys(sae, world, generator("evaluation"))
    train(sae, world, config.leak_steps)
    leaks[f"{label}, trained"] = score_toys(sae, world, generator("evaluation"))
scores_table(leaks, ["mcc", "f1", "explained_variance"])

# %% [markdown]
# **Analysis.** Recovery is perfect before the first step, with nothing learned; training adds an encoder, and the other columns
# look better than the control's. `torch.manual_seed(0)` at the top of two scripts is enough. It need not be the truth that
# leaks: two SAEs that are to be *compared* and share their initial numbers agree for that reason. Below, each has a stream of
# its own.
#
# ### Two SAEs, for want of the truth
#
# Where nobody knows the features, one trains a second SAE with another seed, or another width, and takes what both find for real.
# How far can that be trusted?

# %% [markdown] exercise="2b.9" difficulty=2 importance=4 minutes=4
# ### Exercise 2b.9: agreement
#
# For each latent of the one, the largest cosine (with its sign: an opposite direction is another direction) with any latent of the
# other; the mean over the one's latents.


# %%
def agreement(
    W_one: Float[Tensor, "inst n d_in"], W_other: Float[Tensor, "inst m d_in"]
) -> Float[Tensor, " inst"]:
    """How well the one's latents are found again in the other, on average."""
    # TODO: cosines, the best for each latent of the one, the mean
    ### BEGIN SOLUTION
    return cosines(W_one, W_other).amax(2).mean(1)
    ### END SOLUTION


check.agreement(agreement)

# %% [markdown] tags=["hint"]
# Cosines are `[inst n m]`: the one's latents along axis 1, the other's along axis 2.


# %%
def of_seeds(W_dec: Float[Tensor, "inst d_sae d_in"], n_k: int, seeds: int) -> list[float]:
    """Each SAE's agreement with those of the same k and world and another seed."""
    by_seed = W_dec.unflatten(0, (n_k, -1, seeds))
    others = [by_seed.roll(shift, dims=2).flatten(0, 2) for shift in range(1, seeds)]
    return torch.stack([agreement(W_dec, other) for other in others]).mean(0).tolist()


def correlation_of(rows: list[dict], one: str, other: str) -> float:
    """Pearson's, over the SAEs."""
    return torch.corrcoef(torch.tensor([[row[key] for row in rows] for key in (one, other)]))[0, 1].item()


# %% [markdown]
# The SAEs over $k$ have two seeds in each world: other weights, other data. Predict: where will two seeds agree without being
# right, where be right without agreeing?

# %%
for row, value in zip(k_rows, of_seeds(k_saes.W_dec.detach(), len(config.k), config.k_seeds), strict=True):
    row["agreement"] = value

# %% tags=["expected"]
show_over_k(k_rows, {"agreement": "agreement of seeds", "mcc": "recovery"})
random = [
    F.normalize(torch.randn(20, n, k_world.d_in, generator=generator("chance", i), device=device), dim=-1)
    for i, n in enumerate((k_world.n_features, k_world.n_features, config.wide))
]
print(f"correlation of agreement and recovery: {correlation_of(k_rows, 'agreement', 'mcc'):.2f} over {len(k_rows)} SAEs")
for other in random[1:]:
    print(f"agreement by chance with {other.shape[1]} random latents: {agreement(random[0], other).mean():.2f}")

# %% [markdown]
# And recorded, with a wider SAE (100 latents) beside each: how much of the narrow one is found in the wide one, and how much of
# the wide one in the narrow one?

# %% tags=["expected"]
draw_panels(
    {
        "cosine": [
            curve_over(longer, "mcc", "recovery: the truth", control=True),
            curve_over(longer, "agreement", "agreement of seeds"),
            curve_over(longer, "in_wide", "found in the wider SAE"),
            curve_over(longer, "of_wide", "of the wider SAE, found"),
        ]
    },
    "Below the true L0 two SAEs agree more than they are right",
    along="k: latents that fire on a sample",
)

# %% tags=["expected"]
true_l0 = k_world.l0
for name, part in {
    "all": longer,
    "k below the true L0": [row for row in longer if row["k"] < true_l0],
    "k above it": [row for row in longer if row["k"] > true_l0],
}.items():
    cells = [f"{name:22}{len(part):4} SAEs"]
    for key, label in {"agreement": "seeds", "in_wide": "found in wider"}.items():
        excess = torch.tensor([row[key] - row["mcc"] for row in part])
        cells.append(f"{label}: correlation {correlation_of(part, key, 'mcc'):.2f}, minus recovery {excess.mean():+.3f} ± {excess.std():.3f}")
    print("   ".join(cells))

# %% [markdown]
# One more pair, from part 4: the hedging latents. In the coordinates of their own two features, how well do different instances
# agree, at the largest correlation, and how right are they?

# %% tags=["expected"]
alone, _ = hedges[config.pair_correlations[-1]]
print(f"agreement {agreement(alone[:-1], alone[1:]).mean():.4f}, cosine to the feature {alone[:, 0, 0].mean():.3f}")

# %% [markdown]
# **Analysis.** As a *ranking* agreement is worth a lot: it follows recovery, and is best about the true L0, which it finds
# without the truth. As a *level* it errs, and not always to the same side. **Below the true L0 two SAEs agree more than they
# are right**: the mixtures that the objective prefers are the same for every seed. The hedging latents are the extreme: they
# agree all but perfectly, and are wrong. Above it, where the objective hardly cares which latents, seeds disagree more than
# they are wrong. Within either side the correlation is nearly perfect; across the two, agreement misleads: compare $k = 5$ with
# $k = 15$.
#
# The wider SAE flatters more than a second seed does: it has the same objective, and more latents among which to find something
# alike. In the other direction it says little at all: where the narrow SAE is nearly perfect, a good part of the wide one's latents
# still have no counterpart, having nothing to stand for.
#
# Seeds and widths vary the search. What the *objective* prefers, all of them share. Disagreement is a reason to doubt a latent;
# agreement says that it isn't an accident, and no more.
#
# ### Latents on their way
#
# The decoders above were kept at even distances over training. A latent has **settled** at the snapshot from which on its
# cosine with its final self stays above .9. Predict: are those that settle early the better ones?


# %%
def settled_at(snapshots: list[Float[Tensor, "inst d_sae d_in"]], least: float = 0.9) -> Int[Tensor, "inst d_sae"]:
    """The snapshot, counted from 1, from which on a latent stays close to what it becomes."""
    final = snapshots[-1]
    close = torch.stack([F.cosine_similarity(one, final, dim=-1) > least for one in snapshots])
    lasting = close.int().flip(0).cumprod(0)  # 1 as long as all later ones are close
    return len(snapshots) + 1 - lasting.sum(0)


settled = settled_at(snapshots)
truth = several.directions.repeat(len(config.k), 1, 1)
match = cosines(snapshots[-1], truth).amax(2)
with torch.no_grad():
    h = several.sample(2048, generator("evaluation")).activations.repeat(len(config.k), 1, 1)
    live = (k_saes.encode(h) > 0).any(1)

# %% tags=["expected"]
order = torch.rand(settled.shape, generator=generator("shuffle"), device=device).argsort(-1)
shuffled = settled.gather(1, order)
early = settled <= config.snapshots // 4
print(f"of {int(live.sum())} live latents {early[live].float().mean():.0%} settle within the first quarter of training")
print("k    match of early ones   of later ones   rank correlation: with settling   with another latent's settling")
for i, k in enumerate(config.k):
    part = range(i * several.n_inst, (i + 1) * several.n_inst)
    own, other = (
        torch.tensor([spearmanr(when[j][live[j]].cpu(), match[j][live[j]].cpu()).statistic for j in part])
        for when in (settled, shuffled)
    )
    first, later = ((live & mask)[part.start : part.stop] for mask in (early, ~early))
    values = match[part.start : part.stop]
    print(
        f"{k:<5}{values[first].mean():13.3f}{values[later].mean():18.3f}{own.mean():18.2f} ± {own.std():.2f}"
        f"{other.mean():24.2f} ± {other.std():.2f}"
    )

# %% [markdown]
# **Analysis.** Latents that settle early match a feature better in the end, at every $k$, by a middling rank correlation
# (negative: the earlier, the better) that the control doesn't have. What is strong and simple in the data is found first and
# kept; what still moves late is often a compromise. It is a hint about single latents that needs no truth and costs a few
# checkpoints. But where $k$ is wrong, the early ones are not right either, only less wrong.
#
# ## What to take along
#
# | you see | it may be | a test without truth |
# |---|---|---|
# | L0 near `d_in`, explained variance near 1 | the space, not the features | explained variance of matched noise; negated pairs |
# | excellent explained variance about zero | a mean that was hit | explained variance about the mean |
# | most latents dead from the start | a mean far from zero | start `b_dec` at the mean, or centre |
# | latents that are mixtures, decoder cosines up | L0 too small, or too large | sweep L0, look for the lowest mean cosine |
# | a latent leans towards, or away from, a correlated feature | hedging | a wider SAE: does the lean go? |
# | a general latent silent on special cases | absorption | its silence, case by case; a Matryoshka SAE beside it |
# | a result with tied weights | the tie | untie |
# | a perfect score | a shared stream | score the untrained SAE |
#
# - **A better optimiser gives more of what the objective asks for.** Where the objective prefers the wrong answer, it gives that.
# - **Start at the truth.** If training leaves it, blame the objective; if training stays but doesn't come there, blame the search.
# - **Agreement is not truth.** Seeds share their objective.
#
# ### Further reading
#
# - Elhage et al., *Toy Models of Superposition*, 2022: correlated features in superposition.
# - Chanin et al., *A is for Absorption*, 2024: absorption in language models, and its rate.
# - Chanin, Dulka and Garriga-Alonso, *Feature Hedging*, 2025: correlated features break narrow SAEs.
# - Chanin and Garriga-Alonso, *Sparse but Wrong*, 2025: a wrong L0 gives wrong features; the decoder tells.
# - Bussmann, Nabeshima, Karvonen and Nanda, *Learning Multi-Level Features with Matryoshka Sparse Autoencoders*, 2025.
# - Till, *Do sparse autoencoders find "true features"?*, 2024, and Anders et al., *Sparse autoencoders find composed features in small toy
#   models*, 2024: the penalty's preference for combinations.
# - Paulo and Belrose, *Sparse Autoencoders Trained on the Same Data Learn Different Features*, 2025: agreement between seeds.

# %% tags=["headline"]
few = [row for row in k_rows if row["k"] == 5]
right = [row for row in k_rows if row["k"] == 10]


def mean_of(rows: list[dict], key: str) -> float:
    """Over the SAEs."""
    return sum(row[key] for row in rows) / len(rows)


print(
    f"k 5 where {k_world.l0:.1f} features are present: explained variance {mean_of(few, 'explained_variance'):.2f}, the true "
    f"dictionary's {mean_of(few, 'true_dictionary'):.2f}; recovery {mean_of(few, 'mcc'):.2f}, at k 10 {mean_of(right, 'mcc'):.2f}"
)
