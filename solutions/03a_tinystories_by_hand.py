# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 03a: an SAE on a real model, by hand
#
# In chapter 01 an SAE read the activations of a toy whose features you had made yourself. Now a transformer makes them: one
# layer that was trained to tell children's stories. You write everything that stands between its text and a trained SAE: the
# activations, the buffer that mixes them, the training loop, and the two measurements that say whether it worked. Nothing is
# downloaded ready-made: the SAE at the end is one that you trained, in about a minute.
#
# By the end you can
# - read what a model expects, token by token, and take activations out of it;
# - say what an activation buffer is for, and show what goes wrong without one;
# - train an SAE on a language model, with warm-up, decay and a cure for dead latents;
# - put the SAE into the model's forward pass, and say how much of the model's work survives it.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | the model, and the activations in it | 10 |
# | 2 | the buffer | 12 |
# | 3 | the SAE and its training loop | 35 |
# | 4 | did it work? | 14 |
#
# Chapter 03b trains the same SAE with SAELens, and asks what its latents mean. You can start there without this one.

# %%
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from sae_course.checks import ch03a as check
from sae_course.dashboards import token_log_probs
from sae_course.evals import densities, downstream, reconstruction
from sae_course.figures.runs import Curve, draw_panels
from sae_course.models import load_model, token_stream
from sae_course.runtime import current, generator
from sae_course.training.by_hand import HandConfig, hand_config
from sae_course.training.tinystories import over_seeds, recorded_tinystories

device = current().device
config = hand_config()
print(config)

# %% [markdown]
# These are the chapter's settings, and the only place where they stand: the same numbers as in chapter 03b's preset, so that
# the SAE you write and SAELens' own can be compared.
#
# ## Part 1: the model, and the activations in it

# %%
model = load_model(config.model)

# %%
torch.manual_seed(0)
print(model.generate("Once upon a time", max_new_tokens=60, verbose=False))

# %% [markdown]
# It tells stories. Does it also keep track of them? A prompt in two versions that differ in one name: the control is in the
# comparison.


# %%
def next_word_chances(prompt: str, words: list[str]) -> dict[str, float]:
    """The probability of each word (its first token) after the prompt."""
    tokens = model.to_tokens(prompt)
    first = [int(model.to_tokens(" " + word, prepend_bos=False)[0, 0]) for word in words]
    with torch.no_grad():
        chances = model(tokens)[0, -1].softmax(dim=-1)
    return {word: round(float(chances[token]), 4) for word, token in zip(words, first, strict=True)}


for name in ("Mary", "Tim"):
    print(name, next_word_chances(f"One day, {name} went to the park.", ["she", "he", "it"]))

# %% [markdown] exercise="3a.1" difficulty=1 importance=4 minutes=3
# ### Exercise 3a.1: the log-probability of what came next
#
# `model(tokens)` gives logits `[rows pos d_vocab]`: at each position, a score for every token that could come next. What
# probability did the model give to the token that *did* come next? There is one answer fewer than there are tokens: after the
# last one nothing comes.


# %%
def next_token_log_probs(
    logits: Float[Tensor, "rows pos d_vocab"], tokens: Int[Tensor, "rows pos"]
) -> Float[Tensor, "rows pos-1"]:
    """Natural log-probability that each position but the last gave to the token after it."""
    # TODO: log-probabilities at each position; of these, the next token's
    ### BEGIN SOLUTION
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ### END SOLUTION


check.next_token_log_probs(next_token_log_probs)

# %% [markdown] tags=["hint"]
# Position $i$ predicts token $i+1$: `logits[:, :-1]` go with `tokens[:, 1:]`. `gather(-1, index)` picks one entry of the last
# axis at each place; its index needs that axis too, of length 1.

# %% [markdown]
# The mean of these, with a minus sign, is the model's **cross-entropy** (CE): the loss it was trained on, and the currency in
# which part 4 will say what an SAE costs. The rows below are held out: neither model nor SAE ever trains on them.


# %%
def token_rows(config: HandConfig, split: str) -> Iterator[Int[Tensor, "rows pos"]]:
    """Endless batches of rows for the model to read."""
    stream = iter(token_stream(config.model, split=split, seed=config.seed, n_ctx=config.context))
    while True:
        rows = [next(stream)["tokens"] for _ in range(config.rows_at_once)]
        yield torch.tensor(rows, device=device)


test_rows = token_rows(config, "test")
held_out = torch.cat([next(test_rows) for _ in range(4)])
with torch.no_grad():
    log_probs = next_token_log_probs(model(held_out), held_out)
print(f"cross-entropy {-log_probs.mean():.3f} nats per token, over {log_probs.numel():,} predictions")
print(f"share of tokens given less than 1 %: {(log_probs < -4.605).float().mean():.1%}")

# %%
token_log_probs(model, held_out[:1, :60])

# %% [markdown]
# **Analysis.** Where it is orange, the model was surprised. Most of the loss is in a few tokens: those where the story
# chooses (a name, an animal, a colour), which nobody could know. Grammar costs it almost nothing. An SAE that damages the
# grammar will be seen in the loss at once; one that damages what is rarely needed, hardly. Keep that in mind for part 4.

# %% [markdown] question="3a.A" difficulty=2 importance=3 minutes=3
# ### Question 3a.A: what can this activation know?
#
# We will train on `blocks.0.hook_mlp_out`: what the MLP adds to the residual stream at a position, after the only attention
# layer. Which of these could be read from it: (a) the current token; (b) whether we are inside a quote; (c) who the sentence's
# subject is; (d) what the *next* word will be?

# %% [markdown] tags=["answer"]
# (a) Yes: the MLP reads the residual stream, in which the token's embedding stands. (b) and (c) To some extent: they depend on
# earlier tokens, and the attention layer before the MLP has had one chance to bring something over. What needs two steps of
# looking (find the subject, then find what was said of it) is out of reach in one layer. (d) The MLP's output is added to the
# stream that the unembedding reads next, so much of what it writes will be about the next word rather than about the text so
# far. Chapter 03b measures all of this against labels.

# %% [markdown] exercise="3a.2" difficulty=1 importance=4 minutes=4
# ### Exercise 3a.2: harvest activations
#
# Run the model on rows of tokens, and return what it has at the hook point: one row of the result for each token, row after
# row, without a gradient (the model is frozen).


# %%
def harvest(model, tokens: Int[Tensor, "rows pos"], hook_point: str) -> Float[Tensor, "rows*pos d_in"]:
    """The activations at a hook point, one after the other."""
    # TODO: run the model with a cache of this hook point alone; flatten rows and positions
    ### BEGIN SOLUTION
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names_filter=hook_point)
    return cache[hook_point].flatten(0, 1)
    ### END SOLUTION


check.harvest(harvest)

# %% [markdown] tags=["hint"]
# `model.run_with_cache(tokens, names_filter=hook_point)` returns the logits and a dictionary of activations. Without
# `names_filter` it would keep *every* activation of the model.

# %% [markdown] tags=["hint"]
# `flatten(0, 1)` joins the first two axes, and keeps the order. `with torch.no_grad():` around the forward pass.

# %%
activations = harvest(model, held_out, config.hook_point)
centred = activations - activations.mean(dim=0)
stranger = centred[torch.randperm(len(centred), generator=generator("strangers"), device=device)]
same_row = centred.unflatten(0, held_out.shape)
neighbours = F.cosine_similarity(same_row[:, :-1], same_row[:, 1:], dim=-1)
row_means = same_row.mean(dim=1)
print(f"activations [{len(activations):,} {config.d_in}], mean norm {activations.norm(dim=1).mean():.2f}")
print(f"cosine of neighbours in a row {neighbours.mean():+.3f} ± {neighbours.std():.3f}")
print(f"cosine of strangers           {F.cosine_similarity(centred, stranger, dim=1).mean():+.3f}")
print(f"norm of a row's mean, over its activations' mean norm: {(row_means.norm(dim=1) / centred.norm(dim=1).mean()).mean():.3f}")
chance = 1 / held_out.shape[1] ** 0.5
print(f"the same if the tokens of a row had nothing to do with each other: about {chance:.3f}")

# %% [markdown]
# **Analysis.** Neighbours are somewhat alike, strangers not at all, and all the tokens of a row share something: its mean stands
# much further from the general mean than it would by chance. Rows have their own words, people and mood. A training batch
# taken from a few rows is a biased sample of what the model does.
#
# ## Part 2: the buffer
#
# Stochastic gradient descent wants each batch to be a fair sample. Text comes in rows, and a model reads whole rows. So
# activations are **gathered in a buffer, shuffled, and served in small batches**; and since gathering everything is impossible,
# half of the buffer is served, the other half kept, and the free half filled again. An activation may then meet others that the
# model produced much earlier or later.

# %% [markdown] exercise="3a.3" difficulty=3 importance=5 minutes=12
# ### Exercise 3a.3: a buffer that mixes
#
# Write it as a Python generator (`yield`). `chunks` gives activations `[n d_in]`, perhaps without end.
#
# 1. Gather chunks until the pool holds at least `capacity` activations.
# 2. Shuffle the pool, with random numbers from `generator`.
# 3. Serve half of it, in whole batches: `len(pool) // 2 // batch_size` of them.
# 4. Keep all that was not served, and go on gathering.
#
# If the chunks end, shuffle what is left and serve it in whole batches; a remainder smaller than a batch is dropped. Each
# activation is served once at most. (`capacity` is at least two batches.)


# %%
def mixed_batches(
    chunks: Iterable[Float[Tensor, "n d_in"]],
    batch_size: int,
    capacity: int,
    generator: torch.Generator,
) -> Iterator[Float[Tensor, "batch_size d_in"]]:
    """Batches whose activations come from all over the last `capacity` ones."""
    # TODO: gather, shuffle, serve half, keep the rest; at the end serve what is left

    ### BEGIN SOLUTION
    def shuffled(pieces: list[Tensor]) -> Tensor:
        pool = torch.cat(pieces)
        return pool[torch.randperm(len(pool), generator=generator, device=generator.device)]

    pieces: list[Tensor] = []
    for chunk in chunks:
        pieces.append(chunk)
        if sum(map(len, pieces)) < capacity:
            continue
        pool = shuffled(pieces)
        served = len(pool) // 2 // batch_size * batch_size
        yield from pool[:served].split(batch_size)
        pieces = [pool[served:]]
    if sum(map(len, pieces)) >= batch_size:
        pool = shuffled(pieces)
        yield from pool[: len(pool) // batch_size * batch_size].split(batch_size)
    ### END SOLUTION


check.mixed_batches(mixed_batches)

# %% [markdown] tags=["hint"]
# Keep a list of pieces. For every chunk: append it, and if the pieces together are still too few, `continue`. Otherwise
# `torch.cat` them into the pool.

# %% [markdown] tags=["hint"]
# `pool[torch.randperm(len(pool), generator=generator, device=generator.device)]` is the pool, shuffled. `pool[:served].split(batch_size)`
# are its batches, and `yield from` serves them one by one.

# %% [markdown] tags=["hint"]
# After serving, the kept half is the first piece of the next pool: `pieces = [pool[served:]]`. After the `for` loop ends, what
# is in `pieces` has not been served.


# %%
def chunks_of(config: HandConfig) -> Iterator[Float[Tensor, "n d_in"]]:
    """The activations of one reading of the model after the other, for training."""
    for rows in token_rows(config, "train"):
        yield harvest(model, rows, config.hook_point)


def batches_of(config: HandConfig) -> Iterator[Float[Tensor, "batch d_in"]]:
    """Training batches; with a buffer of no rows (a control), as the model gives them."""
    if config.buffer_rows:
        stream = generator("buffer", config.seed)
        return mixed_batches(chunks_of(config), config.batch_size, config.capacity, stream)
    return (batch for chunk in chunks_of(config) for batch in chunk.split(config.batch_size))


# %%
one_row = replace(config, batch_size=config.context)
mean = activations.mean(dim=0)
for what, setting in {"mixed": one_row, "not mixed": replace(one_row, buffer_rows=0)}.items():
    stream = batches_of(setting)
    offsets = [(next(stream).mean(dim=0) - mean).norm() for _ in range(32)]
    print(f"{what:10} a batch's mean is {torch.stack(offsets).mean() / centred.norm(dim=1).mean():.3f} norms off")

# %% [markdown]
# **Analysis.** With batches as long as one row, the unmixed batch *is* one row, and its mean is off by more than sampling
# explains. The mixed one is off by what sampling explains. Whether it matters is a question for training: part 3.
#
# ## Part 3: the SAE and its training loop

# %% [markdown] exercise="3a.4" difficulty=1 importance=3 minutes=3
# ### Exercise 3a.4: one scale for all activations
#
# Activations have whatever size their layer gives them, and a learning rate or coefficient that suits one size doesn't suit
# another. So the SAE works on activations times a constant, chosen once so that their mean norm becomes $\sqrt{d_{in}}$. SAELens
# calls it `expected_average_only_in`; Templeton et al. (*Scaling Monosemanticity*, 2024) do nearly the same, with squared norms.


# %%
def activation_scale(activations: Float[Tensor, "n d_in"]) -> float:
    """What activations are multiplied by so that their norms are sqrt(d_in) on average."""
    # TODO: the wanted norm over the mean norm
    ### BEGIN SOLUTION
    return float(activations.shape[1] ** 0.5 / activations.norm(dim=1).mean())
    ### END SOLUTION


check.activation_scale(activation_scale)

# %% [markdown] tags=["hint"]
# One norm for each activation (`dim=1`), then their mean; not the norm of the mean.

# %% [markdown] exercise="3a.5" difficulty=1 importance=4 minutes=4
# ### Exercise 3a.5: TopK
#
# In chapter 01 a penalty kept the latents sparse, and it made the reconstruction too small. TopK (Gao et al., *Scaling and evaluating
# sparse autoencoders*, 2024, section 2.3) needs no penalty: on each token the $k$ largest pre-activations stay, if they are
# positive, and all others are 0.


# %%
def topk(pre_activations: Float[Tensor, "*batch d_sae"], k: int) -> Float[Tensor, "*batch d_sae"]:
    """The k largest of each row, where they are and if they are positive; 0 elsewhere."""
    # TODO: values and places of the k largest; put them into zeros
    ### BEGIN SOLUTION
    values, places = pre_activations.topk(k, dim=-1)
    return torch.zeros_like(pre_activations).scatter(-1, places, values.relu())
    ### END SOLUTION


check.topk(topk)

# %% [markdown] tags=["hint"]
# `pre_activations.topk(k, dim=-1)` gives the values and their places.

# %% [markdown] tags=["hint"]
# `torch.zeros_like(x).scatter(-1, places, values)` puts the values back where they were, and lets gradients through.


# %% [markdown]
# The SAE itself is chapter 01's for one instance, with an encoder that starts as the decoder, transposed. Two details are
# SAELens' own, so that both can be compared: decoder vectors start short, with a norm of .1 (Adam's steps then turn them fast), and
# a pre-activation is multiplied by its decoder vector's norm, so that it says how much the latent would really add. The decoder is
# used at length 1.


# %%
class SAE(nn.Module):
    """pre = ((x · scale − b_dec) W_enc + b_enc) · |W_dec|;  x̂ = (TopK(pre) · unit(W_dec) + b_dec) / scale."""

    def __init__(self, d_in: int, d_sae: int, k: int, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        random = torch.randn(d_sae, d_in, generator=generator, device=generator.device)
        self.W_dec = nn.Parameter(0.1 * F.normalize(random, dim=-1))
        self.W_enc = nn.Parameter(self.W_dec.detach().T.clone())
        self.b_enc = nn.Parameter(torch.zeros(d_sae, device=generator.device))
        self.b_dec = nn.Parameter(torch.zeros(d_in, device=generator.device))
        self.k, self.scale = k, scale

    def pre_activations(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_sae"]:
        return ((x * self.scale - self.b_dec) @ self.W_enc + self.b_enc) * self.W_dec.norm(dim=-1)

    def encode(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_sae"]:
        return topk(self.pre_activations(x), self.k)

    def unit_decoder(self) -> Float[Tensor, "d_sae d_in"]:
        return self.W_dec / self.W_dec.norm(dim=-1, keepdim=True).clamp(min=1e-8)

    def decode(self, latents: Float[Tensor, "*batch d_sae"]) -> Float[Tensor, "*batch d_in"]:
        return (latents @ self.unit_decoder() + self.b_dec) / self.scale


# %% [markdown] exercise="3a.6" difficulty=1 importance=3 minutes=3
# ### Exercise 3a.6: the learning rate over time
#
# At the start Adam knows nothing of the gradients' sizes, and a full step can kill latents for good. At the end a large step
# keeps everything trembling around the optimum. So the learning rate rises in a line over the first `warm_up` steps,
# $(step + 1) / warm\_up$, stays at 1, and falls in a line over the last `decay` steps, $(n\_steps - step) / decay$. Steps are
# counted from 0. Either length may be 0.


# %%
def learning_rate_factor(step: int, n_steps: int, warm_up: int, decay: int) -> float:
    """What the learning rate is multiplied by at a step."""
    # TODO: the smallest of 1 and the two lines
    ### BEGIN SOLUTION
    factor = 1.0
    if warm_up:
        factor = min(factor, (step + 1) / warm_up)
    if decay:
        factor = min(factor, (n_steps - step) / decay)
    return factor
    ### END SOLUTION


check.learning_rate_factor(learning_rate_factor)

# %% [markdown] tags=["hint"]
# Both lines pass 1 where they don't apply, so that a `min` of all three does it. Mind a length of 0.

# %% [markdown] exercise="3a.7" difficulty=3 importance=4 minutes=8
# ### Exercise 3a.7: a loss for dead latents
#
# With TopK, a latent that is never among the $k$ largest gets no gradient at all. **AuxK** (Gao et al., 2024, section 2.4) lets
# the dead ones explain what the live ones left over, the residual. In the form that SAELens uses, with $n$ dead latents and
# $K = d_{in} / 2$ (rounded down):
#
# - the residual is a target: **detach** it;
# - on each token, the $\min(K, n)$ dead latents with the largest pre-activations take part, with those pre-activations as they
#   are (no ReLU), times the decoder (no bias);
# - the squared error is summed over `d_in`, averaged over the batch, and multiplied by $\min(n / K, 1)$;
# - 0 when no latent is dead.


# %%
def auxiliary_loss(
    residual: Float[Tensor, "batch d_in"],
    pre_activations: Float[Tensor, "batch d_sae"],
    decoder: Float[Tensor, "d_sae d_in"],
    dead: Bool[Tensor, " d_sae"],
) -> Float[Tensor, ""]:
    """How badly the dead latents explain what the live ones left over."""
    # TODO: choose among the dead; their reconstruction of the detached residual; its error
    ### BEGIN SOLUTION
    n_dead, most = int(dead.sum()), residual.shape[-1] // 2
    if n_dead == 0:
        return residual.new_zeros(())
    candidates = pre_activations.masked_fill(~dead, -torch.inf)
    values, places = candidates.topk(min(most, n_dead), dim=-1)
    taking_part = torch.zeros_like(pre_activations).scatter(-1, places, values)
    error = (taking_part @ decoder - residual.detach()).pow(2).sum(dim=-1).mean()
    return min(n_dead / most, 1.0) * error
    ### END SOLUTION


check.auxiliary_loss(auxiliary_loss)

# %% [markdown] tags=["hint"]
# `pre_activations.masked_fill(~dead, -torch.inf).topk(m, dim=-1)` finds the $m$ strongest dead latents of every token.

# %% [markdown] tags=["hint"]
# As in `topk`, scatter the values into zeros; then `@ decoder`. How many take part if fewer are dead than $K$?

# %% [markdown] exercise="3a.8" difficulty=4 importance=5 minutes=14
# ### Exercise 3a.8: the training loop
#
# For each of `config.n_steps` steps:
#
# 1. the next batch; Adam's learning rate is `config.lr` times `learning_rate_factor`;
# 2. pre-activations, latents and reconstruction;
# 3. **mse**: squared error, *summed* over `d_in`, averaged over the batch, times `sae.scale ** 2` (so that it is the error of the
#    scaled activations, whatever the layer's size);
# 4. **dead** latents: those that have been silent for `config.dead_window` steps or more. Count for each latent the steps since
#    it last fired on any token; nobody is dead at the start;
# 5. the loss is mse + `config.aux_coefficient` × `auxiliary_loss` of the scaled residual, `sae.scale * (x - reconstruction)`;
# 6. gradients, clipped to a norm of `config.clip` (`nn.utils.clip_grad_norm_`), and one step of Adam;
# 7. a record: a dictionary with `"mse"`, `"l0"` (latents that fire on a token, on average) and `"dead"` (how many are dead in
#    this step).


# %%
def train(sae: SAE, batches: Iterator[Float[Tensor, "batch d_in"]], config: HandConfig) -> list[dict[str, float]]:
    """Train the SAE; returns the record of every step."""
    optimiser = torch.optim.Adam(sae.parameters(), lr=config.lr)
    silent = torch.zeros(sae.W_enc.shape[1], dtype=torch.long, device=sae.W_enc.device)
    history = []
    for step in tqdm(range(config.n_steps), desc="SAE", leave=False):
        # TODO: the seven points above
        ### BEGIN SOLUTION
        x = next(batches)
        factor = learning_rate_factor(step, config.n_steps, config.warm_up_steps, config.decay_steps)
        for group in optimiser.param_groups:
            group["lr"] = config.lr * factor

        pre_activations = sae.pre_activations(x)
        latents = topk(pre_activations, sae.k)
        residual = sae.scale * (x - sae.decode(latents))
        mse = residual.pow(2).sum(dim=-1).mean()
        dead = silent >= config.dead_window
        auxiliary = auxiliary_loss(residual, pre_activations, sae.unit_decoder(), dead)
        loss = mse + config.aux_coefficient * auxiliary

        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(sae.parameters(), config.clip)
        optimiser.step()

        fires = latents.detach() > 0
        silent = torch.where(fires.any(dim=0), 0, silent + 1)
        l0 = fires.float().sum(dim=-1).mean()
        history.append({"mse": mse.item(), "l0": l0.item(), "dead": int(dead.sum())})
        ### END SOLUTION
    return history


check.train(train)

# %% [markdown] tags=["hint"]
# `for group in optimiser.param_groups: group["lr"] = ...` sets the learning rate of the step to come.

# %% [markdown] tags=["hint"]
# `dead = silent >= config.dead_window` comes before the update of `silent`; after the step, `torch.where(fires.any(dim=0), 0,
# silent + 1)`.

# %% [markdown] tags=["hint"]
# The order at the end: `zero_grad`, `backward`, clip, `step`. `.item()` turns a tensor into a number for the record.


# %%
def trained(config: HandConfig) -> tuple[SAE, list[dict[str, float]]]:
    """A new SAE, trained; and its history."""
    batches = batches_of(config)
    scale = activation_scale(next(chunks_of(config)))
    sae = SAE(config.d_in, config.d_sae, config.k, scale, generator("sae", config.seed))
    return sae, train(sae, batches, config)


# %% [markdown]
# Predict before you run it: how does the error fall over the steps, and when will dead latents show in the record? (Look at
# `dead_window`.)

# %%
sae, history = trained(config)

# %% tags=["expected"]
steps = torch.arange(len(history)).numpy()
columns = {name: torch.tensor([float(row[name]) for row in history]).numpy() for name in ("mse", "l0", "dead")}
draw_panels(
    {
        "squared error (scaled)": [Curve("by hand", steps, columns["mse"])],
        "dead latents": [Curve("by hand", steps, columns["dead"])],
    },
    f"Error {columns['mse'][:10].mean():.0f} at first, {columns['mse'][-10:].mean():.1f} at the end; up to {columns['dead'].max():.0f} latents were dead",
)

# %%
for what, at in {"as warm-up ends": config.warm_up_steps, "as decay begins": config.n_steps - config.decay_steps, "at the end": config.n_steps}.items():
    print(f"{what:16} step {at:4}: error {columns['mse'][at - 10 : at].mean():6.2f} (mean of ten steps)")

# %% [markdown]
# **Analysis.** Most of the error is gone soon after the warm-up. No latent *can* be counted as dead before `dead_window`
# steps have passed; then over a tenth are. The auxiliary loss brings nearly all of them back within a hundred steps. While
# the learning rate falls, the error still does: part of what looked like the end of learning was trembling.
#
# ### What mixing and the auxiliary loss are worth
#
# Now two experiments with one thing changed in each: no buffer, and no auxiliary loss. Predict for both: will the error, the
# dead latents, or both be worse?
#
# Live, and short: batches of one row, mixed and not mixed.

# %%
n_short = min(256, config.n_steps)
short = replace(config, batch_size=config.context, n_steps=n_short, warm_up_steps=round(0.1 * n_short), decay_steps=round(0.2 * n_short))
for what, setting in {"mixed": short, "not mixed": replace(short, buffer_rows=0)}.items():
    other, _ = trained(setting)
    quality = reconstruction(other, activations)
    print(f"{what:10} explained variance {quality.explained_variance:.3f} after {setting.tokens:,} tokens")

# %% [markdown]
# And recorded, at mini scale, with this chapter's functions and the whole number of steps, over three seeds (mean ± standard
# deviation). The last two have batches of 256, and so see an eighth of the tokens: compare them with each other.

# %% tags=["expected"]
FORMS = {"loss recovered": ".4f", "explained variance": ".4f", "L0": ".1f", "dead": ".3f"}
over_seeds(recorded_tinystories("by hand"), "variant", FORMS)

# %% [markdown] question="3a.B" difficulty=2 importance=3 minutes=3
# ### Question 3a.B: which of the two mattered, and where?
#
# Read the table: what does each change cost, against the spread over seeds? When would mixing matter more than here?

# %% [markdown] tags=["answer"]
# Without the auxiliary loss the reconstruction is hardly different, and a good part of the dictionary is dead: paid for, and
# never used. Reconstruction alone would not have told you. Without mixing, the loss in explained variance is small at this
# batch size, because one batch still holds several rows of several stories each; with batches of one row it is larger, and well
# outside the spread over seeds. It grows when a batch holds fewer documents: long contexts, small batches, documents that
# differ more than these stories do.


# %% [markdown]
# ## Part 4: did it work?
#
# The error is a number about activations. What we want to know is whether the *model* can work with the reconstruction: replace
# the activation by it in the forward pass, and see how much worse the model predicts.

# %% [markdown] exercise="3a.9" difficulty=2 importance=5 minutes=5
# ### Exercise 3a.9: splice the SAE into the model
#
# Run the model with the activation at the hook point replaced by the SAE's reconstruction of it. Leave no hook behind.


# %%
def splice(model, sae, tokens: Int[Tensor, "rows pos"], hook_point: str) -> Float[Tensor, "rows pos d_vocab"]:
    """The model's logits with the reconstruction in the activation's place."""
    # TODO: a hook that returns what should stand there instead
    ### BEGIN SOLUTION
    with torch.no_grad():
        return model.run_with_hooks(
            tokens, fwd_hooks=[(hook_point, lambda activation, hook: sae.decode(sae.encode(activation)))]
        )
    ### END SOLUTION


check.splice(splice)

# %% [markdown] tags=["hint"]
# `model.run_with_hooks(tokens, fwd_hooks=[(hook_point, function)])` calls `function(activation, hook)` there, goes on with what
# it returns, and removes the hook afterwards.

# %% [markdown] tags=["hint"]
# The activation is `[rows pos d_in]`; `encode` and `decode` work on any leading axes.

# %% [markdown] exercise="3a.10" difficulty=2 importance=5 minutes=6
# ### Exercise 3a.10: loss recovered
#
# A cross-entropy needs a scale: how bad would it be to lose the activation altogether? With the activation set to 0 (ablated),
#
# $$\text{loss recovered} = \frac{CE_{ablated} - CE_{SAE}}{CE_{ablated} - CE_{clean}}$$
#
# is 1 when nothing was lost and 0 when the SAE is as bad as nothing. Each CE is the mean over all next-token predictions in
# `tokens`.


# %%
def loss_recovered(model, sae, tokens: Int[Tensor, "rows pos"], hook_point: str) -> float:
    """Share of the loss caused by zero ablation that the reconstruction brings back."""
    # TODO: three cross-entropies: clean, with the SAE, with zeros
    ### BEGIN SOLUTION
    def cross_entropy(logits: Tensor) -> float:
        return -next_token_log_probs(logits, tokens).mean().item()

    with torch.no_grad():
        clean = cross_entropy(model(tokens))
        zeros = [(hook_point, lambda activation, hook: torch.zeros_like(activation))]
        ablated = cross_entropy(model.run_with_hooks(tokens, fwd_hooks=zeros))
    with_sae = cross_entropy(splice(model, sae, tokens, hook_point))
    return (ablated - with_sae) / (ablated - clean)
    ### END SOLUTION


check.loss_recovered(loss_recovered)

# %% [markdown] tags=["hint"]
# Two functions of yours do most of it: `next_token_log_probs` and `splice`. For the third pass, a hook that returns zeros.

# %% [markdown]
# Predict: what would an **untrained** SAE recover, the control? And an "SAE" that always returns the mean activation?


# %%
class MeanOnly(nn.Module):
    """The cheapest reconstruction: the mean, whatever the token."""

    def encode(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch 1"]:
        return torch.ones_like(x[..., :1])

    def decode(self, latents: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch d_in"]:
        return latents * mean


untrained = SAE(config.d_in, config.d_sae, config.k, sae.scale, generator("sae", config.seed))
for what, one in {"trained": sae, "untrained (control)": untrained, "the mean alone (control)": MeanOnly()}.items():
    quality = reconstruction(one, activations)
    print(
        f"{what:25} loss recovered {loss_recovered(model, one, held_out, config.hook_point):6.3f}   "
        f"L0 {quality.l0:5.1f}   explained variance {quality.explained_variance:6.3f}"
    )

# %%
print(downstream(model, sae, held_out, config.hook_point))

# %% [markdown]
# **Analysis.** The trained SAE gives back nearly all of the loss with `k` latents per token; the untrained one does not. And the
# mean, often used as the milder ablation, is here *worse* than zero: its loss recovered is negative. A mean over tokens is
# something that no token ever has, and here it steers all predictions the same wrong way. So the number depends on what one divides by:
# say which ablation, and show a control. Or read the difference of the cross-entropies themselves: nats per token are what the
# model loses.
#
# The **KL divergence** asks something else. CE is better when the *right* token gets more, even if the model's opinion is
# changed; KL measures how far the whole distribution has moved from the model's own, right or wrong. And **MSE** asks something
# else again: an error in a direction that nothing downstream reads costs MSE and no CE. An SAE can gain in one and lose in
# another; chapter 03b shows where.

# %% [markdown] exercise="3a.11" difficulty=1 importance=4 minutes=3
# ### Exercise 3a.11: log densities
#
# How often does each latent fire? Densities spread over orders of magnitude, so take the base-10 logarithm of the share of
# tokens on which it fires. A latent that never fires gets $-\infty$.


# %%
def log_densities(latents: Float[Tensor, "n d_sae"]) -> Float[Tensor, " d_sae"]:
    """log10 of the share of tokens on which each latent fires."""
    # TODO: the share over tokens, then its logarithm
    ### BEGIN SOLUTION
    return (latents > 0).float().mean(dim=0).log10()
    ### END SOLUTION


check.log_densities(log_densities)

# %% [markdown] tags=["hint"]
# Firing means being above 0. The mean of zeros and ones over the tokens is a share.

# %%
more_rows = torch.cat([next(test_rows) for _ in range(12)])
more = harvest(model, more_rows, config.hook_point)
fired = densities(sae, more)
with torch.no_grad():
    mine = log_densities(sae.encode(more))
print(f"dead over {fired.n_tokens:,} tokens: {fired.dead_fraction:.1%} (by your densities {mine.isinf().float().mean():.1%})")
print(f"fires on more than a tenth of all tokens: {(mine > -1).sum()} latents; rarer than 1 in 10,000: {(mine < -4).sum()}")

# %% tags=["expected"]
fired.figure(controls={"untrained": densities(untrained, more)})

# %% [markdown]
# **Analysis.** One hump, with a thin tail of rare latents on the left, and few dead: a healthy histogram. But look at the
# control. The untrained SAE has nearly the same hump! With TopK, $k$ latents fire on each token, so the mean density is
# $k / d_{sae}$, trained or not. What training adds is the tail: latents for rare things, and some that fire on a tenth of all tokens. So a
# histogram shows what is *wrong* with a run (a heap on the left that hardly ever fires, a heap on the right that fires nearly
# always, a missing part that is dead), and never that it is right. Chapter 04 is all about that.
#
# "Dead" always needs a number of tokens: over few tokens, rare latents look dead. That is why the count is printed with it.

# %% tags=["headline"]
print(
    f"trained by hand on {config.tokens:,} tokens: loss recovered {loss_recovered(model, sae, held_out, config.hook_point):.1%} "
    f"at L0 {reconstruction(sae, activations).l0:.1f}, dead {fired.dead_fraction:.1%} over {fired.n_tokens:,} tokens"
)

# %% [markdown]
# ## What to take along
#
# | piece | without it | seen where |
# |---|---|---|
# | buffer that mixes | batches are biased samples; worse at the same cost | explained variance, with small batches or long rows |
# | scale of the activations | learning rate and coefficients don't carry over to another layer | the loss's size |
# | warm-up and decay | latents die early; the end trembles | dead latents; the last fifth of the curve |
# | auxiliary loss | dead latents, and nothing in the error says so | dead count, density histogram |
# | splicing | you know the activations' error, not the model's | loss recovered, KL |
#
# Everything here was **level 1**: does the SAE do what it was trained for, reconstruct with few latents? All numbers can be
# excellent while the latents mean nothing. **Level 2** asks whether the latents are the right ones. Chapter 03b begins with it,
# on the same model, with the truth of every token at hand.
#
# ### Further reading
#
# - Bricken et al., *Towards Monosemanticity*, 2023: an SAE on a one-layer model's MLP, and the buffer.
# - Gao et al., *Scaling and evaluating sparse autoencoders*, 2024: TopK, AuxK, and how loss depends on size.
# - Eldan and Li, *TinyStories*, 2023: the published model's data.
