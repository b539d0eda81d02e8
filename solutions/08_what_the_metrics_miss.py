# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 08: what the metrics miss
#
# Every number you have used so far can be fooled. An SAE of a model with *random weights* explains more variance than one of the trained model. Of two SAEs that recover 98 and 99 % of the loss, the latents of one mean nothing. A latent's top ten examples look like a concept, and its other firings don't.
#
# In this chapter you take each metric apart, predict where it fails, and see it fail, on models whose truth is known. At the end there are five SAEs. Two are fakes, planted by us, **that win on explained variance and on loss**. You will find them.
#
# By the end you can
# - say which "explained variance" a paper means, and what "98 % recovered" leaves open;
# - put an error and a baseline beside every number, and say which difference your set-up could have seen;
# - probe with one, two and five latents, measure absorption, and find the right L0;
# - tell a latent that means something from one whose top examples look good, by its weak firings and by an explanation that must predict;
# - say what a latent does to the output, and control an answer by a few of them.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | the numbers of training | 18 |
# | 2 | a model that learned nothing | 2 |
# | 3 | what a few latents tell | 8 |
# | 4 | families: absorption and splitting | 10 |
# | 5 | one latent at a time | 21 |
# | 6 | control | 8 |
# | 7 | the scorecard | 10 |

# %%
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sae_course import evals
from sae_course.checks import ch08 as check
from sae_course.data.indirect_objects import STORY, indirect_objects
from sae_course.data.toys import ToyWorld, random_directions
from sae_course.figures.families import draw_map

from sae_course.models import load_model, token_stream
from sae_course.runtime import current
from sae_course.training.evaluation import (
    SITES, evaluation_config, finished_sae, finished_twin, labels_for, recorded_evaluation, recorded_reports,
)
from sae_course.training.othello import recorded_othello
from sae_course.training.recorded_file import over_seeds
from sae_course.training.toys.loop import train_toys
from sae_course.training.toys.topk import TopK
from sae_course.training.toys.wrong_recorded import recorded_wrong_answers

device = current().device
config = evaluation_config()
site = SITES["03"]
print(config)

# %% [markdown]
# ## Part 1: the numbers of training
#
# The SAE of chapter 03, on held-out rows. The last position of each row is left out, because nothing comes after it that we could ask about.

# %%
model = load_model(site.model)
sae = finished_sae("03", device=device)
held_out = token_stream(site.model, split="test", seed=config.seed)
rows = torch.tensor([row["tokens"] for row in held_out.take(config.rows)], device=device)
hook_point = sae.cfg.metadata.hook_name
x = evals.harvest(model, rows, hook_point)[:, site.positions]
own = evals.units_of(sae, x)
print(f"{hook_point}: x {tuple(x.shape)} [rows pos d_in], latents {tuple(own.a.shape)} [rows pos d_sae]")

# %% [markdown]
# ### One name, three numbers

# %% [markdown] exercise="8.1" difficulty=2 importance=5 minutes=6
# ### Exercise 8.1: explained variance, three ways
#
# Papers and libraries call three different numbers "explained variance". From activations $x$ and reconstructions $\hat x$, with $\bar x$ the mean activation over these tokens:
#
# - **about_mean**: $1 - \sum \|x - \hat x\|^2 / \sum \|x - \bar x\|^2$, both sums over tokens;
# - **about_zero**: $1 - \sum \|x - \hat x\|^2 / \sum \|x\|^2$;
# - **per_token**: the mean over tokens of $1 - \|x - \hat x\|^2 / \|x - \bar x\|^2$.

# %%
class ThreeWays(NamedTuple):
    """Explained variance by its three formulas."""

    about_mean: float
    about_zero: float
    per_token: float


def explained_variance(x: Float[Tensor, "n d_in"], x_hat: Float[Tensor, "n d_in"]) -> ThreeWays:
    """1 less the squared error as a share of what there was to explain, three ways."""
    # TODO: one squared error for each token, and two squared distances: from the mean activation, and from zero
    ### BEGIN SOLUTION
    error = (x - x_hat).square().sum(-1)
    from_mean = (x - x.mean(0)).square().sum(-1)
    from_zero = x.square().sum(-1)
    return ThreeWays(
        float(1 - error.sum() / from_mean.sum()), float(1 - error.sum() / from_zero.sum()), float((1 - error / from_mean).mean())
    )
    ### END SOLUTION


check.explained_variance(explained_variance)

# %% [markdown] tags=["hint"]
# `(x - x_hat).square().sum(-1)` is one number for each token. The first two ways divide sums by sums; the third takes the mean of ratios.

# %% [markdown] tags=["hint"]
# The mean activation is a vector: `x.mean(0)`.

# %% [markdown]
# Predict: which of the three changes when every activation is moved by the same constant vector, and every reconstruction with it? The SAE is neither better nor worse for it: a bias is all it takes. And what does each give for a "reconstruction" that is always the mean, the control?

# %%
def three_ways(x: Float[Tensor, "n d_in"], x_hat: Float[Tensor, "n d_in"]) -> dict[str, str]:
    return {name: f"{value:.3f}" for name, value in explained_variance(x, x_hat)._asdict().items()}


flat, out = x.flatten(0, 1), own.reconstruction.flatten(0, 1)
offset = 5 * flat.std() * torch.ones_like(flat[0])
pd.DataFrame(
    {
        "the SAE": three_ways(flat, out),
        "moved by 5 standard deviations": three_ways(flat + offset, out + offset),
        "the mean, always (control)": three_ways(flat, flat.mean(0).expand_as(flat)),
        "… moved": three_ways(flat + offset, (flat + offset).mean(0).expand_as(flat)),
    }
).T

# %% [markdown]
# **Analysis.** One SAE, three numbers, and only the first and the third are the same after the move. *About zero*, the mean alone reaches almost 1 once the activations share a large mean, as in many residual streams: a paper that reports it may report a bias. *Per token* every token has the same weight, so those near the mean, with little to explain, count as much as the others. Nothing here is wrong; but a comparison between two of these formulas is.
#
# ### L0 and L1, MSE and KL
#
# Two pairs of numbers that people use for one another. Take the SAE, halve all its latent activations and double its decoder: nothing about it has changed. Predict: what happens to L0, and to L1?

# %%
l0, l1 = (own.a != 0).sum(-1).float().mean(), own.a.abs().sum(-1).mean()
halved, doubled = own.a / 2, own.directions * 2
moved = (halved @ doubled - own.a @ own.directions).norm() / (own.a @ own.directions).norm()
print(f"as it is: L0 {l0:.1f}, L1 {l1:.1f}. Halved: L0 {(halved != 0).sum(-1).float().mean():.1f}, L1 {halved.abs().sum(-1).mean():.1f}. Reconstruction: changed by {moved:.0e}")

# %% [markdown] exercise="8.2" difficulty=2 importance=4 minutes=6
# ### Exercise 8.2: KL recovered
#
# Cross-entropy only asks how probable the true next token still is. The **KL divergence** asks whether the whole prediction is the same. With $p$ the model's own prediction, $q$ the one with the SAE spliced in and $r$ the one with the activation ablated:
#
# $$ \text{KL recovered} = 1 - \frac{\langle \mathrm{KL}(p \,\|\, q) \rangle}{\langle \mathrm{KL}(p \,\|\, r) \rangle}, \qquad \mathrm{KL}(p \,\|\, q) = \sum_v p_v (\log p_v - \log q_v) $$
#
# where $\langle\;\rangle$ is the mean over tokens.

# %%
def kl_recovered(
    clean: Float[Tensor, "n d_vocab"], with_sae: Float[Tensor, "n d_vocab"], ablated: Float[Tensor, "n d_vocab"]
) -> float:
    """1 is the model's own prediction, 0 no better than with the activation ablated. All three are logits."""
    # TODO: log-probabilities of all three; a KL for each token; one ratio of the two means
    ### BEGIN SOLUTION
    log_p, log_q, log_r = (logits.log_softmax(-1) for logits in (clean, with_sae, ablated))
    to_sae = (log_p.exp() * (log_p - log_q)).sum(-1)
    to_ablated = (log_p.exp() * (log_p - log_r)).sum(-1)
    return float(1 - to_sae.mean() / to_ablated.mean())
    ### END SOLUTION


check.kl_recovered(kl_recovered)

# %% [markdown] tags=["hint"]
# `log_softmax(-1)` turns logits into log-probabilities. The weights of the mean over the vocabulary are the clean model's probabilities.

# %% [markdown]
# Now two errors of the same size. At every token something of the length of the SAE's own error is added to the activation: once in a direction drawn at random, once in the direction to which the model's output is most sensitive there. The MSE of the two is the same, to the last digit. Predict: and the KL divergence? The SAE's own error is the third row.

# %%
loss_rows, loss_x = rows[: config.loss_rows], x[: config.loss_rows]


@torch.enable_grad()
def sensitive(row: Int[Tensor, " pos"]) -> Float[Tensor, "pos d_in"]:
    """The gradient, at every position, of the log-probability of what the model thinks likeliest next."""
    kept = {}

    def keep(value: Tensor, hook) -> Tensor:
        kept["x"] = value.detach().clone().requires_grad_()
        return kept["x"]

    logits = model.run_with_hooks(row[None], fwd_hooks=[(hook_point, keep)])
    return torch.autograd.grad(logits.log_softmax(-1).amax(-1).sum(), kept["x"])[0][0]


own_error = own.reconstruction[: config.loss_rows] - loss_x
length = own_error.norm(dim=-1, keepdim=True)
drawn = torch.randn(loss_x.shape, generator=torch.Generator().manual_seed(config.seed)).to(device)
worst = torch.stack([sensitive(row)[site.positions] for row in loss_rows])
errors = {
    "a random direction (control)": length * torch.nn.functional.normalize(drawn, dim=-1),
    "the sensitive direction": -length * torch.nn.functional.normalize(worst, dim=-1),
    "the SAE's own error": own_error,
}
losses = {name: evals.downstream(model, loss_x + error, loss_rows, hook_point, positions=site.positions) for name, error in errors.items()}
pd.DataFrame(
    {name: {"MSE": float(errors[name].square().mean()), "CE recovered": loss.loss_recovered, "KL": loss.kl_with_sae} for name, loss in losses.items()}
).T.style.format("{:.4f}")

# %% [markdown]
# **Analysis.** Same MSE, and a KL that differs many times over. Squared error counts every direction alike; the model doesn't. So an SAE can be improved in MSE where nobody looks, or in KL without any gain in MSE (chapter 09 trains on it).
#
# ### Recovered, and saturated
#
# Chapter 06 measured many dictionaries on OthelloGPT's board, three seeds each. Predict: among those that recover more than 90 % of the loss, how much do they differ in how well the board can be read off them?

# %% tags=["expected"]
boards = recorded_othello("architectures")
boards = boards[boards["loss recovered"] > 0.9]
boards.groupby("hook")[["loss recovered", "reconstruction, both"]].agg(["min", "max"]).style.format("{:.3f}")

# %%
for hook, some in {"both hook points": boards, **dict(list(boards.groupby("hook")))}.items():
    print(f"{hook}: {len(some)} SAEs, correlation of loss recovered and reconstruction {some['loss recovered'].corr(some['reconstruction, both']):+.2f}")

# %% [markdown]
# **Analysis.** All of them recover more than 90 %, and what they recover doesn't follow the board: over both hook points the correlation is *negative* (the residual stream's SAEs recover more, and know less of the board), and at either hook point alone nothing positive is left. Where the loss is nearly recovered, what is left of it says little about the latents. Publications have the same: 228 of 280 public SAEs of OthelloGPT recover .999 or more, and their boards range from .07 to .95 (Karvonen et al. 2024).
#
# ### Is that a difference?

# %% [markdown]
# Before anything is compared, the question that most tables leave out: how large a difference could this table have shown at all?

# %% [markdown] exercise="8.3" difficulty=2 importance=5 minutes=6
# ### Exercise 8.3: a difference, and the smallest one you could have seen
#
# Two SAEs were measured on the same samples (the same features, or rows, or seeds). Take the difference sample by sample, $\delta_i$, and give
#
# - **value**: the mean of the $\delta_i$;
# - **error**: its standard error, $s / \sqrt n$, with $s$ the standard deviation of the $\delta_i$ (dividing by $n - 1$);
# - **detectable**: the smallest true difference that this set-up notices four times out of five, $(1.96 + 0.84)$ errors.

# %%
class Difference(NamedTuple):
    """Of two measurements of the same samples."""

    value: float
    error: float
    detectable: float


def paired_difference(one: Float[Tensor, " n"], other: Float[Tensor, " n"]) -> Difference:
    """How far ``one`` is above ``other``, how sure that is, and what could have been seen."""
    # TODO: pair first, then the mean and its standard error
    ### BEGIN SOLUTION
    apart = one - other
    error = float(apart.std() / len(apart) ** 0.5)
    return Difference(float(apart.mean()), error, (1.96 + 0.84) * error)
    ### END SOLUTION


check.paired_difference(paired_difference)

# %% [markdown] tags=["hint"]
# Don't add the two SAEs' own errors: a feature that is hard for both makes no difference between them. `torch.std` divides by $n - 1$ already.

# %% [markdown]
# The features that we ask about: for each of the most frequent tokens, "is it this one that comes next?", and the features of the story at the next token. For each, the best single unit is chosen on one half of the rows and measured on the other (chapter 03b). Neurons of the same MLP are the baseline.

# %%
labels = labels_for("03", rows, model.tokenizer, config.frequent)
halves = torch.randperm(len(rows), generator=torch.Generator().manual_seed(config.seed))[: len(rows) // 2].tolist()
neurons = evals.harvest(model, rows, hook_point.replace("hook_mlp_out", "mlp.hook_post"))[:, site.positions]
features = evals.feature_scores({"SAE": own.a, "neurons": neurons}, labels, choose=halves)
print(features)

# %% [markdown]
# Predict: the SAE's mean F1 less the neurons'. Is it a difference that these rows can show? And with only a quarter of the features?

# %%
f1 = {name: torch.tensor(source.f1) for name, source in features.sources.items()}
unpaired = (f1["SAE"].var() / len(f1["SAE"]) + f1["neurons"].var() / len(f1["neurons"])) ** 0.5
for n in (len(f1["SAE"]), len(f1["SAE"]) // 4):
    found = paired_difference(f1["SAE"][:n], f1["neurons"][:n])
    print(f"{n:3} features: {found.value:+.3f} ± {found.error:.3f}, detectable from {found.detectable:.3f}")
print(f"unpaired, the error would be {unpaired:.3f}")

# %% [markdown]
# **Analysis.** "No significant difference" and "no difference" are not the same: look at *detectable* first. What is smaller can't be seen here four times out of five, and nothing follows from not seeing it. From here on every number has its error, and every comparison is paired where it can be.
#
# What this error is *not*: the spread between two trainings of the same SAE. That takes several seeds, as in the recorded tables.
#
# ## Part 2: a model that learned nothing
#
# The **random twin** has the architecture of the model and weights that were never trained. It computes nothing of interest. An SAE was trained on its activations, with exactly the settings of the other.

# %% [markdown] question="8.A" difficulty=2 importance=5 minutes=2
# ### Question 8.A: what does an SAE of nothing look like?
#
# Predict, for the twin's SAE: explained variance, higher or lower than the real one's? And for how many of the questions "is *this* the current token?" does a single latent have an AUROC of .9?

# %% [markdown] tags=["answer"]
# More variance is explained, and *all* of these questions are answered, better than by the trained model's SAE: see below. A random network's activation is a random function of little but the token at hand, and tokens are perfectly sparse. Reconstruction and "interpretable" latents are properties of the data as much as of the model.

# %% tags=["expected"]
learned = recorded_evaluation("twin")
learned.set_index(["chapter", "SAE of"]).style.format("{:.3f}")

# %% [markdown]
# **Analysis.** At chapter 03's hook point the random model's SAE is the better one by explained variance. Of the current token it knows everything, of what comes next nothing: it could not. (At chapter 05's the twin's SAE is worse: attention with random weights averages over many tokens, and that is not sparse. The control has to be run; it can't be guessed.) (The loss recovered is missing for a reason: to ablate an activation of a random model costs it nothing, and a share of nothing says nothing.) So the random twin stands beside every number from here on. What an SAE of the twin reaches as well is no evidence of anything that was *learned*.
#
# ## Part 3: what a few latents tell
#
# The best single latent is a strict judge: if a feature sits in two latents, neither tells it alone. A linear probe on the whole activation is a lenient one: it reads features that no latent stands for. Between the two: a probe that may read $k$ latents.

# %% [markdown] exercise="8.4" difficulty=3 importance=4 minutes=8
# ### Exercise 8.4: which latents to probe
#
# A **sparse probe** may read only $k$ latents. Which ones? For each feature, score every latent by how far its mean is apart where the feature is true and where it is false, in units of the latent's own standard deviation over all tokens:
#
# $$ s = \frac{|\text{mean of } a \text{ where true} - \text{mean of } a \text{ where false}|}{\text{standard deviation of } a} $$
#
# and take the $k$ latents with the largest score, the best first. A latent that never fires has no deviation, and must never be chosen before one that does. Every feature is true of some tokens and false of others.

# %%
def probe_latents(a: Float[Tensor, "n d_sae"], truth: Bool[Tensor, "n features"], k: int) -> Int[Tensor, "features k"]:
    """The k latents that each feature's probe may read."""
    # TODO: means where true and where false, by matrix products; divide by the deviation; dead latents come last
    ### BEGIN SOLUTION
    true = truth.to(a.dtype)
    n_true = true.sum(0)[:, None]
    where_true = true.T @ a / n_true
    where_false = (1 - true).T @ a / (len(a) - n_true)
    deviation = a.std(0, correction=0)
    score = torch.where(deviation > 0, (where_true - where_false).abs() / deviation, -1.0)
    return score.topk(k, dim=-1).indices
    ### END SOLUTION


check.probe_latents(probe_latents)

# %% [markdown] tags=["hint"]
# With the truth as numbers, `truth.T @ a` is the sum of each latent's activation over the tokens where each feature is true: `[features d_sae]`.

# %% [markdown] tags=["hint"]
# `0 / 0` is NaN, and `topk` puts NaN first: `torch.where(deviation > 0, …, -1.0)`.

# %% [markdown]
# `evals.sparse_probes` trains a logistic regression on the $k$ units that your function would choose (chosen on one half of the rows, measured on the other). Predict: which is ahead at $k = 1$, and is it still ahead at $k = 5$? The controls are neurons, principal components, and the same number of random directions with as many firing.

# %%
chosen = probe_latents(own.a[halves].flatten(0, 1), torch.as_tensor(labels.values[halves].reshape(-1, len(labels))).to(device), max(config.ks))
choosing_rows = torch.zeros(len(rows), dtype=torch.bool, device=device)
choosing_rows[halves] = True
controls, _ = evals.baseline_units(model, rows, hook_point, own, choosing_rows, positions=site.positions)
probed = evals.sparse_probes({"SAE": own.a} | {name: units.a for name, units in controls.items()}, labels, ks=config.ks, choose=halves)
probed

# %%
for k in config.ks:
    print(f"{k} unit{'s' * (k > 1)}: the SAE less the neurons {probed.against('SAE', 'neurons', k)}")

# %% [markdown]
# **Analysis.** One unit at a time, the SAE is ahead of its neurons; the more units a probe may read, the less the basis matters, and with all of them it doesn't matter at all. That is why a large $k$ can't tell SAEs apart. Look at PCA, too: principal components are graded everywhere, and AUROC likes graded numbers. By F1, which asks for a clear yes or no, they are far behind (the report in part 7 has both).
#
# ### The right L0
#
# Explained variance rises with L0 whatever the truth is. The *decoder* can know better: with the wrong number of latents firing, latents mix features, and their directions grow alike (Chanin and Garriga-Alonso 2025). In chapter 02b's toys 9.9 features are present on average; recorded, three worlds and three seeds:

# %% tags=["expected"]
toys = pd.DataFrame(recorded_wrong_answers()["over_k"]).groupby("k")[["explained_variance", "mcc", "decoder_cosine"]].mean()
toys.rename(columns={"explained_variance": "explained variance", "mcc": "recovery (MCC)", "decoder_cosine": "decoder cosine"}).T.style.format("{:.3f}")

# %% [markdown]
# Without the truth, the lowest mean cosine finds the right $k$. Now chapter 03's SAEs, retrained with other $k$, three seeds each. Predict: is there a lowest cosine here, too, and do the other columns agree with it?

# %% tags=["expected"]
over_seeds(recorded_evaluation("k"), "k", {"explained variance": ".3f", "CE recovered": ".3f", "decoder cosine": ".4f", "F1 of the best unit": ".3f", "features told": ".2f"})

# %% [markdown]
# **Analysis.** No such luck: the cosine falls on, the loss recovered rises on, and so does the share of features that some latent tells by AUROC. By F1, the *smallest* $k$ is the best one: its latents fire seldom, and are right when they do. The toy's features were orthogonal and all of them alike; a model's are neither. So the test by cosine is a hint where it has a minimum, and nothing where it has none, and "the right L0" depends on what the latents are wanted for.
#
# ## Part 4: families
#
# Features come in families: *a day* and *monday*, *an animal* and *a bird*. Two things happen to families in an SAE that grows wider. **Splitting**: a latent for the parent makes room for several, one for each child. And **absorption** (Chanin et al. 2024), which is worse: there *is* a latent for the parent, it looks like one in every dashboard, and it is silent at just those children whose own latents have taken over its direction.

# %% [markdown] exercise="8.5" difficulty=4 importance=5 minutes=10
# ### Exercise 8.5: absorbed
#
# At a token the parent feature is true (a linear probe with the direction $p$, of length 1, says so). Each latent contributes $c_j = a_j \, d_j \cdot p$ to it, where $d_j$ is its decoder vector. The token is **absorbed** when
#
# - none of the parent's `main` latents fires, and
# - the latent with the largest contribution points the parent's way, $\cos(d_j, p) \ge$ `least_cosine`, and makes up at least `least_share` of all the positive contributions at this token. (Where nothing contributes, nothing is absorbed.)

# %%
def absorbed(
    a: Float[Tensor, "n d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    probe: Float[Tensor, " d_in"],
    main: Int[Tensor, " m"],
    least_cosine: float,
    least_share: float,
) -> Bool[Tensor, " n"]:
    """At which tokens another latent stands in for the parent's main latents. `probe` has the length 1."""
    # TODO: silent main latents; each latent's contribution; the largest one's cosine, and its share
    ### BEGIN SOLUTION
    silent = (a[:, main] == 0).all(-1)
    along = W_dec @ probe  # d · p
    contributions = a * along
    largest = contributions.max(-1)
    cosine = (along / W_dec.norm(dim=-1))[largest.indices]
    share = largest.values / contributions.clamp(min=0).sum(-1)
    return silent & (cosine >= least_cosine) & (share >= least_share)
    ### END SOLUTION


check.absorbed(absorbed)

# %% [markdown] tags=["hint"]
# `W_dec @ probe` is $d_j \cdot p$ for every latent. Divided by the decoder vector's length it is the cosine; multiplied by the activation, the contribution.

# %% [markdown] tags=["hint"]
# `contributions.max(-1)` has `.values` and `.indices`. The share's denominator leaves negative contributions out: `.clamp(min=0)`. Where nothing fires, it is 0, and a comparison with NaN is False: so it is no absorption.

# %% [markdown]
# A world whose families are known: 8 parents, each with 3 children of which at most one is present, and only with its parent. SAEs of growing width are trained on it, in three worlds side by side. Predict, with rising width: explained variance, and the share of absorbed tokens among those where a parent comes with a child.

# %%
def families(n_worlds: int, generator: torch.Generator) -> ToyWorld:
    parents = [-1] * config.parents + [parent for parent in range(config.parents) for _ in range(config.children)]
    chance = [0.2] * config.parents + [0.25] * (config.parents * config.children)
    directions = random_directions(n_worlds, len(parents), config.toy_d_in, generator)
    return ToyWorld(directions, torch.tensor(chance), torch.tensor([(1.0, 0.15)] * len(parents)), tuple(parents), exclusive=True)


world = families(3, torch.Generator().manual_seed(config.seed))
measured = []
for width in config.widths:
    toy = TopK(3, config.toy_d_in, width, torch.Generator().manual_seed(1), k=round(world.l0))
    train_toys(toy, world, torch.Generator().manual_seed(2), steps=config.toy_steps)
    sample = world.sample(4000, torch.Generator().manual_seed(3))
    with torch.no_grad():
        fires = toy.encode(sample.activations)
        ev = [explained_variance(h, h_hat).about_mean for h, h_hat in zip(sample.activations, toy.decode(fires), strict=True)]
    for at in range(3):
        a, W_dec = fires[at], torch.nn.functional.normalize(toy.W_dec[at].detach(), dim=-1)
        for parent in range(config.parents):
            own_children = [config.parents + config.children * parent + child for child in range(config.children)]
            truth = sample.features[at] > 0
            hits = ((a > 0) & truth[:, [parent]]).sum(0)
            best = (2 * hits / ((a > 0).sum(0) + truth[:, parent].sum())).argmax()  # by F1
            taken = absorbed(a, W_dec, world.directions[at, parent], best[None], config.least_cosine, config.least_share)
            with_child, alone = truth[:, own_children].any(1), truth[:, parent] & ~truth[:, own_children].any(1)
            measured.append({"width": width, "seed": at, "explained variance": ev[at], "absorbed, with a child": float(taken[with_child].float().mean()), "absorbed, parent alone": float(taken[alone].float().mean())})
by_world = pd.DataFrame(measured).groupby(["width", "seed"], as_index=False).mean()
over_seeds(by_world, "width", {"explained variance": ".3f", "absorbed, with a child": ".3f", "absorbed, parent alone": ".3f"})

# %% [markdown]
# **Analysis.** The better it reconstructs, the more it absorbs. A child's latent that points along parent *and* child saves one latent at every such token: sparsity pays for the lie. Where the parent comes alone, hardly anything is absorbed: so a dashboard, or an AUROC over all tokens, notices little.
#
# And in a transformer? Chapter 07's stand-in, four widths, three seeds. `parents told` is the share of parents for which there is any latent worth the name: where there is none, nothing can be absorbed from it, and an undertrained SAE gets a splendid score.

# %% tags=["expected"]
over_seeds(recorded_evaluation("widths"), ["layer", "d_sae"], {"explained variance": ".3f", "absorbed": ".3f", "parents told": ".2f", "features told": ".2f", "latents for a told feature": ".2f"})

# %% [markdown]
# **Analysis.** Splitting is as plain as can be: twice as many latents, and more features have one of their own, with more latents to each. Absorption is small and without a trend: at these widths, most parents have no latent that could be absorbed from (`parents told`), and the spread over seeds is as large as the number. The toy shows what *can* happen; that it happens here can't be said. Absorption has been measured on larger models and wider SAEs (Chanin et al. 2024), where it does rise with width.
#
# Are these at least the *same* latents, trained from another seed or at another width? Best partners by correlation on the same tokens; "by luck" is with the tokens shuffled.

# %% tags=["expected"]
over_seeds(recorded_evaluation("same"), "other", {"found again": ".2f", "by luck": ".2f", "median correlation": ".2f"})

# %% [markdown]
# **Analysis.** One latent in five has a partner with a correlation of .7 in another seed's SAE; in a wider one somewhat more. The rest are one of several ways to cut up the same activations. "The SAE found this latent" is a sentence about one seed.
#
# What splitting looks like: decoder directions of the widest of these SAEs in two dimensions (UMAP, by cosine), coloured by the family that a latent tells best. Predict: do families lie together?

# %% tags=["fold"]
places = recorded_evaluation("map")
draw_map(places[["x", "y"]].to_numpy(), places["family"].tolist(), "Pronouns lie together, and places; most families are scattered")

# %% [markdown]
# **Analysis.** Hardly. Pronouns make a cluster, places and exclamations a loose one; latents for names or for *a noun is due* are all over the map. And nearly nine in ten latents are grey: none of the labels is told by them with an F1 of .3. Mind what such a picture can show at all: UMAP keeps neighbours and little else, and it would make islands of random points, too. It is a way to look for families, and no evidence of any.
#
# ## Part 5: one latent at a time
#
# ### Strong and weak
#
# A dashboard shows a latent's ten strongest firings. Most of what it does to the model, it does weakly.

# %% [markdown] exercise="8.6" difficulty=3 importance=4 minutes=7
# ### Exercise 8.6: does it mean the same when it fires weakly?
#
# Dashboards show where a latent fires *most*. Sort the tokens where it fires by its activation, split them into `bins` groups of equal size (as near as can be: `torch.tensor_split`), weakest first, and give the share of each group at which the feature is true.

# %%
def precision_by_strength(a: Float[Tensor, " n"], truth: Bool[Tensor, " n"], bins: int) -> Float[Tensor, " bins"]:
    """How often the feature is true where a latent fires: among its weakest firings, …, among its strongest."""
    # TODO: the tokens where it fires, in the order of its activation, split
    ### BEGIN SOLUTION
    fires = a > 0
    order = a[fires].argsort()
    groups = truth[fires][order].float().tensor_split(bins)
    return torch.stack([group.mean() for group in groups])
    ### END SOLUTION


check.precision_by_strength(precision_by_strength)

# %% [markdown] tags=["hint"]
# First leave out the tokens where it is silent, of both `a` and `truth`. Then one `argsort` orders both.

# %% [markdown]
# For each latent the feature that it tells best (by F1, on the choosing half), if its strongest quarter there is at least half of the way from the feature's base rate to always, and if that isn't luck. Predict: how precise are their weakest quarter?

# %%
steady = evals.consistency(own, labels, bins=config.bins, least=config.least_fires, choose=halves)
one = steady.table.index[0]
print(steady)
feature = steady.table.loc[one, "feature"]
print(f"latent {one}, {feature}:", [f"{value:.2f}" for value in precision_by_strength(own.a[..., one].flatten().cpu(), torch.as_tensor(labels[feature]).flatten(), config.bins).tolist()])
steady.figure()

# %% [markdown]
# **Analysis.** Among the strongest quarter the feature is true nearly three times in four; among the weakest, hardly oftener than once in four. A precise latent at the top is a vague one at the bottom, and the bottom is three quarters of its firings. What a dashboard shows is not what the model gets.
#
# ### An explanation must predict
#
# "This latent fires on names" is a claim about *every* token. Automatic interpretability (Bills et al. 2023) makes it testable: an **explainer** proposes, a **simulator** predicts the activation from the proposal alone, and the score is how well the prediction follows the truth, *on other text*. Usually both are language models. Here they are offline: the explainer tries sets of tokens, of tokens before, and labelled features, and the simulator gives the mean activation where the rule holds. (`evals.ChatEndpoint` is a language model behind the same interface, if you have one.)

# %% [markdown] exercise="8.7" difficulty=3 importance=5 minutes=8
# ### Exercise 8.7: scoring an explanation
#
# An explanation is as good as the activations that can be predicted from it. Its **score** on some rows is Pearson's correlation between the latent's `activation` and the `simulated` one, over all tokens of these rows; a simulation (or an activation) that never varies explains nothing: its score is 0. Give the score on the rows `top`, in which the latent fires most, and on the rows `top` and `others` together.

# %%
class Scores(NamedTuple):
    """Of one explanation."""

    top: float
    top_and_others: float


def simulation_scores(
    activation: Float[Tensor, "rows pos"], simulated: Float[Tensor, "rows pos"], top: Int[Tensor, " t"], others: Int[Tensor, " r"]
) -> Scores:
    """How well a simulated activation follows the true one, where it is largest, and everywhere."""
    # TODO: correlation over all tokens of the chosen rows; 0 where one side doesn't vary
    ### BEGIN SOLUTION
    def correlation(rows: Int[Tensor, " n"]) -> float:
        x, y = activation[rows].flatten(), simulated[rows].flatten()
        if x.std() == 0 or y.std() == 0:
            return 0.0
        return float(torch.corrcoef(torch.stack([x, y]))[0, 1])

    return Scores(correlation(top), correlation(torch.cat([top, others])))
    ### END SOLUTION


check.simulation_scores(simulation_scores)

# %% [markdown] tags=["hint"]
# `torch.corrcoef` takes `[2 n]` and gives a 2 × 2 matrix, NaN where one row doesn't vary. Don't average the correlations of single rows.

# %% [markdown]
# The SAE, and three controls from above: PCA, neurons and the frozen random decoder. First the explainer sees *only the top examples*, as most people do, and is scored on top examples. Then the same is scored on top and random ones.
#
# Predict: which of the columns tells the SAE from the frozen random decoder?

# %%
tokens_read = rows[:, site.positions]
interpreted = {}
for name, units in {"SAE": own, **controls}.items():
    for see in ("top", "all"):
        interpreted[name, see] = evals.autointerp(units, tokens_read, decode=model.tokenizer, labels=labels, n=config.n_latents, top=config.excerpts, rest=config.excerpts, least=config.least_fires, choose=halves, see=see, seed=config.seed)
pd.DataFrame(
    {
        (name, f"explainer sees {see}"): {"score on top": str(found.top), "on top and random": str(found.top_and_random), "flattered by": f"{found.flattery.value:+.2f} ± {found.flattery.error:.2f}"}
        for (name, see), found in interpreted.items()
    }
).T

# %%
interpreted["SAE", "all"].table[["explanation", "top", "top_and_random", "detection"]].head(6).style.format(precision=2)

# %% [markdown]
# And the worst: of the latents whose explanation came from the top examples alone, those whose score falls most once random rows are in it.

# %%
bad = interpreted["SAE", "top"].table
bad.assign(falls=bad["top"] - bad["top_and_random"]).nlargest(4, "falls")[["explanation", "top", "top_and_random", "falls"]].style.format(precision=2)

# %% [markdown]
# **Analysis.** On top examples every dictionary gets a better score than on top and random ones together, and an explainer that saw the top alone is flattered most: some of its explanations are true of the ten strongest rows, and wrong about the latent. So a score on top examples is an upper bound, and no result.
#
# And the controls? The frozen random decoder is well behind. PCA is nearer: its directions are graded mixtures of everything, and a rule such as "what comes next is a noun" predicts a graded mixture quite well. A high score says that *this explainer* finds words for a unit. It doesn't say that the unit is one thing, or that the model uses it.
#
# ### What it does
#
# So far we asked when a latent fires. The other half of its meaning is what the model does with it.

# %% [markdown] exercise="8.8" difficulty=2 importance=3 minutes=6
# ### Exercise 8.8: how much of the vocabulary does a latent touch?
#
# Ablating a latent changes the logits by $\Delta_v$. If that is spread evenly over the whole vocabulary, its effect is as good as noise; if it sits on a few tokens, it can be described. A constant on all logits changes no probability, so take off first what most tokens have: the median of $\Delta$ over the vocabulary. Then the **effective share** of the vocabulary is
#
# $$ \frac{1}{V} \cdot \frac{(\sum_v |\Delta_v|)^2}{\sum_v \Delta_v^2} $$
#
# Where nothing changes, it is 0 (and not 0 / 0). Give it for each of several ablations.

# %%
def effective_share(clean: Float[Tensor, "n d_vocab"], ablated: Float[Tensor, "n d_vocab"]) -> Float[Tensor, " n"]:
    """Between 1 / d_vocab (a single token) and 1 (all by as much, up or down), from the logits with and without a latent."""
    # TODO: the change, without its median over the vocabulary; then the two sums
    ### BEGIN SOLUTION
    change = ablated - clean
    change = change - change.median(-1, keepdim=True).values
    squares = change.square().sum(-1)
    share = change.abs().sum(-1).square() / squares / change.shape[-1]
    return torch.where(squares > 0, share, 0.0)
    ### END SOLUTION


check.effective_share(effective_share)

# %% [markdown] tags=["hint"]
# Two sums over the vocabulary for each ablation; square the first *after* summing.

# %% [markdown]
# `evals.latent_effects` ablates latents one at a time where they fire. The control is the sharpest of this chapter: **a random direction of the same length**, taken off at the same tokens. Predict: does a latent of the SAE do more than that? And a latent of the frozen random decoder?

# %%
effects = {name: evals.latent_effects(model, units, rows, hook_point, of=site.positions, n=config.n_ablated, seed=config.seed) for name, units in {"SAE": own, "frozen random decoder": controls["frozen random decoder"]}.items()}
for name, found in effects.items():
    print(f"{name}\n  {found}\n  KL less the control's: {found.against_control('kl')}")

# %% [markdown]
# **Analysis.** An SAE's latent does more to the prediction than a random direction of its length. A random decoder's latents *are* random directions, and do just as much as one: however well it reconstructs, and however good its explanations, this control finds it out. The share of the vocabulary that is touched says little here: in a model this small whatever is taken away moves most of the logits a little, whether latent or not.
#
# ## Part 6: control
#
# "When Mary and John went to the park, Mary gave a ball to": John. Swap the giver, and the answer must be Mary. If an SAE has found the parts of this computation, then editing *a few* latents at the last token should swap the answer (sparse control, Makelov et al. 2024).

# %% [markdown] exercise="8.9" difficulty=3 importance=4 minutes=8
# ### Exercise 8.9: control by a few latents
#
# Two prompts differ in one name, and so do their answers. $a$ and $a'$ are the latent activations at the last token under the prompt and under the swapped one, $d_j$ the decoder vectors, $g$ the gradient of "answer less other answer" with respect to the activation. For each prompt choose the $k$ latents with the largest $|(a'_j - a_j)\, d_j \cdot g|$, and return what setting *only these* to their swapped values adds to the activation:
#
# $$ \sum_{j \text{ chosen}} (a'_j - a_j)\, d_j $$

# %%
def sparse_edit(
    a: Float[Tensor, "n d_sae"], swapped: Float[Tensor, "n d_sae"], W_dec: Float[Tensor, "d_sae d_in"], gradient: Float[Tensor, "n d_in"], k: int
) -> Float[Tensor, "n d_in"]:
    """What the k most telling latents of each prompt add, when they are set to their values in the swapped prompt."""
    # TODO: the change of each latent; its first-order effect; keep k for each prompt
    ### BEGIN SOLUTION
    change = swapped - a
    effect = (change * (gradient @ W_dec.T)).abs()
    chosen = effect.topk(k, dim=-1).indices
    kept = torch.zeros_like(change).scatter_(-1, chosen, change.gather(-1, chosen))
    return kept @ W_dec
    ### END SOLUTION


check.sparse_edit(sparse_edit)

# %% [markdown] tags=["hint"]
# `gradient @ W_dec.T` is $d_j \cdot g$ for each prompt and latent. `topk` along the latents, for each prompt by itself.

# %% [markdown] tags=["hint"]
# Keep the change of the chosen latents only: `torch.zeros_like(change).scatter_(-1, chosen, change.gather(-1, chosen))`. Times `W_dec`, it is the edit.

# %%
task = indirect_objects(model.tokenizer, config.n_prompts, before=STORY, seed=config.seed)
print(task.text[0])
prompts, swapped_prompts = (torch.as_tensor(tokens, device=device) for tokens in (task.tokens, task.swapped))
answer, other, each = torch.as_tensor(task.answer, device=device), torch.as_tensor(task.other, device=device), torch.arange(len(prompts), device=device)


def answer_less_other(change: Float[Tensor, "n d_in"]) -> Float[Tensor, " n"]:
    """The answer's logit less the other's, with `change` added to the activation at the last token."""

    def add(value: Tensor, hook) -> Tensor:
        return torch.cat([value[:, :-1], value[:, -1:] + change[:, None]], dim=1)

    logits = model.run_with_hooks(prompts, fwd_hooks=[(hook_point, add)])[:, -1]
    return logits[each, answer] - logits[each, other]


at_last = [evals.harvest(model, tokens, hook_point)[:, -1:] for tokens in (prompts, swapped_prompts)]
a_here, a_there = (evals.units_of(sae, one).a[:, 0] for one in at_last)
whole = (at_last[1] - at_last[0])[:, 0]
nothing = torch.zeros_like(whole, requires_grad=True)
(slope,) = torch.autograd.grad(answer_less_other(nothing).sum(), nothing)

# %% [markdown]
# 1 is the effect of swapping the whole activation there. Predict: how many of the SAE's latents does it take to get half of it?

# %%
with torch.no_grad():
    before, patched = answer_less_other(torch.zeros_like(whole)).mean(), answer_less_other(whole).mean()
    swapped_by = {k: float((before - answer_less_other(sparse_edit(a_here, a_there, own.directions, slope, k)).mean()) / (before - patched)) for k in config.edits}
print(f"answer less other: {before:+.2f}, with the whole activation swapped {patched:+.2f}")
print("swapped by your edits:", {k: f"{share:.2f}" for k, share in swapped_by.items()})

# %% [markdown]
# The same beside coordinates of the activation, principal components, latents at random, and the *true* feature: the mean difference between prompts with either answer, known from other prompts.

# %%
controlled = evals.sparse_control(model, sae, task, hook_point, ks=config.edits, seed=config.seed)
controlled

# %%
controlled.figure()

# %% [markdown]
# And on a larger model: chapter 07's SAE of the residual stream, three draws of prompts, recorded.

# %% tags=["expected"]
over_seeds(recorded_evaluation("control"), ["edited", "k"], {"swapped": ".2f"})["swapped"].unstack("k")

# %% [markdown]
# **Analysis.** In the one-layer model one of the SAE's latents does half of what the whole activation does, and two do most of it. A principal component does as much as the first, and is behind from two on; coordinates and random latents do little. That is a success, and the controls are why we may say so. (A single true feature overshoots: it moves the answer further than the whole activation does.)
#
# In the larger model's residual stream the same task ends otherwise. All latents together move little more than a third of the answer: what names the receiver is, for the most part, *in the SAE's error*, although that SAE recovers 99.6 % of the loss. A single principal component does better. The loss is an average over all tokens; the names at this token are a small part of it. If you want to control something, measure the control.
#
# ## Part 7: the scorecard
#
# One call measures an SAE in all these ways, and its baselines in the same ways. What wasn't run is not blank: it says why.

# %%
own_report = evals.report(model, sae, rows, labels=labels, twin=finished_twin("03"), positions=site.positions, only=config.sections, name="chapter 03's SAE", seed=config.seed)
own_report

# %%
own_report.figure()

# %% [markdown]
# Now five SAEs, from the hook points of chapters 03, 05 and 06. Somebody offers them to you with two numbers each. **Two of the five are fakes**: their latents mean nothing.

# %% tags=["expected"]
reports = recorded_reports()
pd.DataFrame({name: {"hook point": f"{one.hook_point}, {one.model}"} | {metric: one.of(metric).words for metric in ("explained variance", "CE recovered")} for name, one in reports.items()}).T

# %% [markdown] question="8.B" difficulty=2 importance=4 minutes=2
# ### Question 8.B: which two are the fakes?
#
# Which two are the fakes, by these numbers? Write your ranking down before you go on.

# %% [markdown] tags=["answer"]
# By these numbers nobody can know, and whoever ranks by them puts the fakes on top: of the two at each hook point, the fake explains *more* variance and recovers *more* of the loss.

# %% [markdown] exercise="8.10" difficulty=3 importance=5 minutes=8
# ### Exercise 8.10: ahead of what?
#
# A number means something beside its baseline. `scores` has a row for each metric and each dictionary it was measured of: `metric`, `whose` ("SAE", or a baseline's name), `value`, `error` (its standard error, NaN where there is none), and `better`: 1 where more is better, −1 where less is. A baseline that wasn't run has the value NaN.
#
# Give a Series with the metrics as its index: for each the **margin**, which is how far the SAE is ahead of its *best* baseline (the one with the best value), in standard errors of that difference:
#
# $$ \text{margin} = \frac{\text{better} \cdot (\text{SAE} - \text{best})}{\sqrt{e_{SAE}^2 + e_{best}^2}} $$
#
# An error that isn't known counts as 0. NaN where no baseline was run; where both errors are 0, the sign of the difference times infinity (0 for no difference).

# %%
def margins(scores: pd.DataFrame) -> pd.Series:
    """For each metric, in the order of its first row, how many standard errors the SAE is ahead of the best baseline."""
    # TODO: for each metric: the SAE's row, the baselines that were run, the best of them
    ### BEGIN SOLUTION
    found = {}
    for metric, rows in scores.groupby("metric", sort=False):
        own = rows[rows["whose"] == "SAE"].iloc[0]
        others = rows[(rows["whose"] != "SAE") & rows["value"].notna()]
        if others.empty:
            found[metric] = float("nan")
            continue
        best = others.loc[(others["value"] * own["better"]).idxmax()]
        ahead = own["better"] * (own["value"] - best["value"])
        errors = [0.0 if pd.isna(error) else error for error in (own["error"], best["error"])]
        spread = (errors[0] ** 2 + errors[1] ** 2) ** 0.5
        if spread:
            found[metric] = ahead / spread
        else:
            found[metric] = 0.0 if ahead == 0 else float("inf") * (1 if ahead > 0 else -1)
    return pd.Series(found)
    ### END SOLUTION


check.margins(margins)

# %% [markdown] tags=["hint"]
# `scores.groupby("metric", sort=False)` keeps the metrics in order. Multiply values by `better` first; then "best" is always the largest.

# %% [markdown] tags=["hint"]
# Drop the baselines whose value is NaN before looking for the best one; replace an error that is NaN by 0.

# %% [markdown]
# Two columns of the reports must go first. The true features are a ceiling, and no baseline. And the twin's SAE has other activations to explain, and another model's loss: of the metrics of fit, it is no baseline either. A number without an error can't be ahead by errors, and is left out as well.

# %% tags=["expected"]
FIT = ["explained variance", "CE recovered", "KL recovered"]


def comparable(scores: pd.DataFrame) -> pd.DataFrame:
    of_the_twin = scores["metric"].isin(FIT) & (scores["whose"] == "random twin's SAE")
    known = scores.loc[(scores["whose"] == "SAE") & scores["error"].notna(), "metric"]
    return scores[scores["metric"].isin(known) & (scores["better"] != 0) & (scores["whose"] != "true features") & ~of_the_twin]


ahead = pd.concat({name: margins(comparable(one.frame())) for name, one in reports.items()}, axis=1).dropna(how="all")
ahead.clip(-20, 20).style.format("{:+.1f}", na_rep="not run")

# %% [markdown]
# Of some twenty comparisons one is 2 errors off by luck alone. At 3 errors that is unlikely even among twenty. Predict: how many of the five are ahead by so much *anywhere*?

# %% tags=["headline"]
verdict = pd.DataFrame({"metrics ahead by 3 errors": (ahead > 3).sum(), "the largest margin": ahead.max().clip(upper=99), "metrics behind by 3 errors": (ahead < -3).sum()})
suspects = verdict.index[verdict["metrics ahead by 3 errors"] == 0].tolist()
print("ahead of its baselines in nothing:", ", ".join(suspects))
verdict.sort_values("metrics ahead by 3 errors", ascending=False).style.format({"the largest margin": "{:+.1f}"})

# %% tags=["expected"]
pd.DataFrame({name: {who: reports[name].of("reconstruction of the board", who).words for who in ("SAE", "PCA", "neurons")} for name in ("Amber", "Cedar")}).rename_axis("reconstruction of the board")

# %% [markdown]
# **Analysis.** Three are ahead of all their baselines in something. Two are ahead in nothing, and these are the fakes:
#
# - **Elder** is a TopK SAE of chapter 03's hook point with a *frozen random decoder*. Its encoder was trained, and lets 128 latents fire. With 128 of 1,024 random directions anybody reconstructs this activation, and better: that was the baseline's row. Its AUROCs and its explanations are as good as the real one's, and on them alone it passes, as random decoders do in publications. Its F1 is not, since its latents fire everywhere; and what a latent does is what a random direction does.
# - **Amber** is no SAE at all: half of the principal directions of chapter 06's hook point, *turned at random among themselves*, each of either sign. Its reconstruction is the best that so many directions allow, its latents are mixtures of everything. Half of all latents fire at every token, and the board can't be read off them.
#
# Nothing exotic found them out. Their explained variance did, *beside what it costs to get it without learning anything*. The real SAEs are no heroes either: chapter 06's is behind its neurons in most rows, and chapter 05's finds hardly any of our features. That is what an honest report looks like.
#
# ### What to take along
#
# | before you believe | ask for |
# |---|---|
# | "explains 95 %" | which formula, at which L0, and what PCA and a random decoder explain at that L0 |
# | "recovers 99 % of the loss" | what is left: the KL, and the task you care about |
# | "latents are interpretable" | the random twin's; weak firings; an explanation scored on random text |
# | "no significant difference" | the smallest difference that could have been seen |
# | "no absorption" | how many parents have a latent at all |
# | "we found *the* features" | another seed |
#
# `evals.report` asks all of it of any SAE of SAELens (docs/evaluation.md). Where it follows SAEBench (Karvonen et al. 2025) and where not is said there, too.
#
# ### Further reading
#
# - Karvonen et al., *SAEBench*, 2025 (arXiv 2503.09532): eight measures, 200 SAEs; none of them follows from reconstruction.
# - Chanin et al., *A is for Absorption*, 2024 (arXiv 2409.14507).
# - Makelov, Lange and Nanda, *Towards principled evaluations of sparse autoencoders for interpretability and control*, 2024 (arXiv 2405.08366).
# - Bills et al., *Language models can explain neurons in language models*, 2023; Paulo et al., *Automatically interpreting millions of features in large language models*, 2024 (arXiv 2410.13928).
