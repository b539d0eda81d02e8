# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 07: plan it, check it, survive it
#
# So far a failed run cost a minute. On Gemma-2-2B it costs a night and the rent of a GPU: it runs out of memory at the *first evaluation*, hours after it began; it trains at one layer and not at another; the machine is taken away in the middle. None of this needs luck. **Memory, time and money of a run
# can be known before anything is downloaded**, and a run can be made so that an interruption costs nothing.
#
# By the end you can
# - say what makes a large model's residual stream harder to train on than a small one's, and normalise it;
# - work out by hand what a run takes of memory, hours and money, and hold a planner against your numbers;
# - make a run fit a GPU that it doesn't fit, without changing the SAE, and read an out-of-memory message;
# - save a training so that it goes on **bit for bit**, and decide between streaming and caching activations;
# - say when not to train at all, but to take a published SAE.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | the stream, layer by layer | 8 |
# | 2 | one number for each layer | 12 |
# | 3 | memory, time and money by hand | 16 |
# | 4 | the planner | 16 |
# | 5 | a training that survives | 12 |
# | 6 | several at once: stream, or keep? | 8 |
# | 7 | train, or take a published one? | 4 |

# %%
import copy
import tempfile
import time
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from sae_course import evals
from sae_course.checks import ch07 as check
from sae_course.models import load_model, random_twin, token_stream
from sae_course.runtime import current
from sae_course.training import change, plan, preflight, preset, train, train_many, why_out_of_memory
from sae_course.training.gemma import finished_sae, full_run, gemma_config, recorded_gemma
from sae_course.training.interruption import interrupted_after
from sae_course.training.recorded_file import over_seeds
from sae_course.training.small_training import SmallTraining

device = current().device
config = gemma_config()
print(config)

# %% [markdown]
# ## Part 1: the stream, layer by layer
#
# A Gemma-2 block has two peculiarities. There is a norm **before and after** both attention and MLP (RMSNorm: divide by the root mean square, multiply by a learned weight; no mean is taken off). And scores of attention and logits are *soft-capped*: $c \tanh(x / c)$. Here is a block, as it adds to the stream:
#
# $$ x \leftarrow x + \mathrm{norm}_2(\mathrm{attn}(\mathrm{norm}_1(x))), \qquad x \leftarrow x + \mathrm{norm}_4(\mathrm{MLP}(\mathrm{norm}_3(x))) $$
#
# So every block *adds* something of about the same size, and nothing is ever taken away.

# %%
model = load_model(config.model)
held_out = token_stream(config.model, split="test", seed=config.seed)
rows = torch.tensor([row["tokens"][: config.profile_context] for row in held_out.take(config.profile_rows)], device=device)
streams = torch.stack([evals.harvest(model, rows, f"blocks.{layer}.hook_resid_post") for layer in range(model.cfg.n_layers)])
print(f"streams: {tuple(streams.shape)} [layer row pos d_model]; every row begins with the BOS token")

# %% [markdown]
# Predict: how does the norm of an activation change from layer to layer? And where is it larger: at the BOS, which says nothing, or at the words?

# %% [markdown] exercise="7.1" difficulty=2 importance=4 minutes=8
# ### Exercise 7.1: what the stream looks like
#
# From the residual stream after every layer, three numbers for each layer:
#
# - **norm**: the mean norm of an activation, at every position but the first (the BOS);
# - **first**: the mean norm at the first position, as a multiple of the former;
# - **top_share**: the share of the mean squared norm, again without the first position, that the `n_top` largest dimensions carry. "Largest": by their own mean square $\overline{x_i^2}$, in that layer; the share is $\sum_{top} \overline{x_i^2} / \sum_i \overline{x_i^2}$.

# %%
class Profile(NamedTuple):
    """Of the residual stream, by layer."""

    norm: Float[Tensor, " layer"]
    first: Float[Tensor, " layer"]
    top_share: Float[Tensor, " layer"]


def stream_profile(acts: Float[Tensor, "layer row pos d_model"], n_top: int) -> Profile:
    """Mean norm without the first position, the first position's relative to it, and how few dimensions carry it."""
    # TODO: cut off the first position; norms over d_model; mean squares of each dimension
    ### BEGIN SOLUTION
    rest = acts[:, :, 1:]
    norm = rest.norm(dim=-1).mean(dim=(1, 2))
    first = acts[:, :, 0].norm(dim=-1).mean(dim=1) / norm
    mean_square = rest.square().mean(dim=(1, 2))  # [layer d_model]
    top = mean_square.topk(n_top, dim=-1).values.sum(dim=-1)
    return Profile(norm, first, top / mean_square.sum(dim=-1))
    ### END SOLUTION


check.stream_profile(stream_profile)

# %% [markdown] tags=["hint"]
# `acts[:, :, 1:]` leaves the first position out. The mean of the norms is not the norm of the mean, and not the root of the mean square.

# %% [markdown] tags=["hint"]
# The mean square of each dimension is `rest.square().mean(dim=(1, 2))`, `[layer d_model]`; `.topk(n_top, dim=-1)` takes the largest of each layer.

# %%
twin = random_twin(config.model, device="cpu")  # a GPU may have no room for two
control = torch.stack([evals.harvest(twin, rows.cpu(), f"blocks.{layer}.hook_resid_post") for layer in range(model.cfg.n_layers)])
del twin
table = {}
for whose, acts in {"the model": streams, "random-weights twin": control}.items():
    profile = stream_profile(acts, config.n_top)
    table |= {(whose, "norm"): profile.norm.tolist(), (whose, "BOS, times that"): profile.first.tolist(), (whose, f"share of {config.n_top} dimensions"): profile.top_share.tolist()}
pd.DataFrame(table).rename_axis("layer").style.format("{:.2f}").format("{:.1%}", subset=[(whose, f"share of {config.n_top} dimensions") for whose in ("the model", "random-weights twin")])

# %%
print(f"{config.n_top} of {model.cfg.d_model} dimensions, all alike, would carry {config.n_top / model.cfg.d_model:.1%}")

# %% [markdown]
# **Analysis.** The norm grows with depth, in the twin just as much: it is the architecture, whose blocks only ever add. The BOS is another matter: it stands out in the trained model alone, ever more towards the end. No word stands before it, and attention that has nothing to say rests there. And the largest dimensions carry about
# twice their even share, but no more than the twin's: a stand-in of this size has learned no outlier dimensions. In large models a few dimensions, and the BOS, can be *many* times the usual size, and one such direction is then most of the squared error that an SAE minimises.
#
# So let us plant them, one at a time, into the same activations, and train a small SAE on each (with the same settings, on the first dimensions only, so that it takes seconds; no latent is revived).

# %%
layer = int(preset(config.preset).hook_name.split(".")[1])
words = streams[layer][:, 1:].flatten(0, 1)[: config.small_tokens, : config.small_dims].cpu()
scale = words.shape[1] ** 0.5 / words.norm(dim=1).mean()
words = words * scale  # mean norm: the root of the number of dimensions
draws = torch.Generator().manual_seed(config.seed)
outlier, bos = words.clone(), words.clone()
outlier[:, 0] += 30 * words.std()  # one dimension, far from 0 at every token
at_bos = torch.rand(len(words), generator=draws) < 1 / config.profile_context  # as often as a row begins
bos[at_bos] = 100 * words[0] / words[0].norm() * words.shape[1] ** 0.5  # one direction, 100 times as long
planted = {"as they are (control)": words, "one dimension far from 0": outlier, "a BOS 100 times as long": bos}

# %% [markdown]
# Predict: what will each plant do to the SAE, measured on the words alone, as they are reconstructed?


# %%
def trained_on(x: Float[Tensor, "n d_in"], ordinary: Float[Tensor, "m d_in"], seed: int) -> dict[str, float]:
    """A small SAE trained on x; what it explains of ordinary words, and how many latents never fire on them."""
    training = SmallTraining(x, d_sae=4 * x.shape[1], batch=256, total=config.small_steps, window=10**9, seed=seed)
    training.run(config.small_steps)
    with torch.no_grad():
        acts, out = training.sae(ordinary)
    explained = 1 - (ordinary - out).square().sum() / (ordinary - ordinary.mean(dim=0)).square().sum()
    return {"explained variance": float(explained), "L0": float((acts > 0).float().sum(dim=1).mean()), "dead": float((acts > 0).any(dim=0).logical_not().float().mean())}


def compare(trainings: dict[str, tuple[Tensor, Tensor]]) -> pd.DataFrame:
    """Over three seeds: what each SAE is trained on, and the ordinary words that it is measured on."""
    found = pd.DataFrame([{"activations": name, "seed": seed} | trained_on(*pair, seed) for name, pair in trainings.items() for seed in range(3)])
    return over_seeds(found, "activations", {"explained variance": ".3f", "L0": ".1f", "dead": ".0%"})


compare({name: (x, x[~at_bos]) for name, x in planted.items()})

# %% [markdown] question="7.A" difficulty=2 importance=4 minutes=4
# ### Question 7.A: two plants, two cures
#
# Which cure goes with which plant, and why would the other cure not help: (a) leave the BOS out of the training data (`exclude_special_tokens=True`), (b) let `b_dec` begin at the mean of the activations (`b_dec_init_method="mean"`)? What about dividing all activations by one number?

# %% [markdown] tags=["answer"]
# The dimension far from 0 is an *offset* that all tokens share: (b) puts it into `b_dec`, where it costs no latent. Without that, the offset goes through every latent's encoder; those that it pushes below 0 at every token are dead. The BOS is one *token* of every row: the mean moves by a small part of its length only, so (b) hardly helps. But it never has to be
# reconstructed if it is left out (a), and nobody wants an SAE for it. One number for all activations changes neither: the outlier stays as many times larger than the rest as it was.

# %%
compare({"one dimension far from 0, less the mean": (outlier - outlier.mean(dim=0), (outlier - outlier.mean(dim=0))[~at_bos]), "a BOS 100 times as long, left out": (bos[~at_bos], bos[~at_bos])})

# %% [markdown]
# **Analysis.** Both cures give back what the plant took (taking off the mean gives more than that: words have a mean, too). Both plants are one direction. Neither is a *feature* of anything that was said. And yet each decides what the SAE learns, because a squared error counts length. So before training at a new hook point: look at the profile, and give the BOS and the mean a place of their own.
#
# ## Part 2: one number for each layer
#
# A coefficient of sparsity is a price per unit of activation. If the stream at layer 20 is three times as long as at layer 0, the same coefficient buys something else there. Predict: with one coefficient for all layers, how will L0 change with depth, and how if every layer is first brought to the same length?

# %% tags=["expected"]
over_seeds(recorded_gemma("scaling"), ["activations", "layer"], {"L0": ".1f", "explained variance": ".3f", "loss recovered": ".3f", "dead": ".0%"})

# %% [markdown]
# (Standard SAEs with the preset's coefficient, at mini scale, on half of the preset's tokens, three seeds; recorded by `record_gemma`.)
#
# **Analysis.** As the activations are, L0 rises with the norm, layer by layer, to several times that of the first: the error grows with the *square* of a length and the penalty with the length, so the same coefficient buys ever less sparsity. "It trains on L0 and not on L20" is often no more than this. Scaled, one coefficient means much the same at every layer.
# (Explained variance and loss recovered are higher where L0 is: that is no merit of leaving the scale alone.) That is `normalize_activations="expected_average_only_in"` in the presets: one number $s$ per hook point, so that the mean norm of $s\,x$ is $\sqrt{d_{in}}$. Gemma Scope did the same, with a mean *squared* norm of 1.

# %% [markdown] exercise="7.2" difficulty=3 importance=5 minutes=8
# ### Exercise 7.2: an SAE for the stream as it is
#
# The SAE was trained on $s\,x$, with one number $s$ for the whole layer. Nobody wants to carry $s$ about. Write it into the weights: return an SAE that, given $x$ itself, has **the same activations of its latents**, and reconstructs $x$ (no longer $s\,x$).
#
# $$ z = \mathrm{JumpReLU}_\theta\big((s x - b_{dec}) W_{enc} + b_{enc}\big), \qquad \widehat{s x} = z\,W_{dec} + b_{dec} $$
#
# $\mathrm{JumpReLU}_\theta(p) = p$ where $p > \theta$, else 0. The returned SAE computes by the same two formulas, with $x$ in the place of $s x$.

# %%
class Weights(NamedTuple):
    """An SAE, in SAELens' layout."""

    W_enc: Float[Tensor, "d_in d_sae"]
    b_enc: Float[Tensor, " d_sae"]
    W_dec: Float[Tensor, "d_sae d_in"]
    b_dec: Float[Tensor, " d_in"]
    threshold: Float[Tensor, " d_sae"]


def folded(weights: Weights, scale: float) -> Weights:
    """The SAE of scale·x as an SAE of x: the same latents, the reconstruction divided by the scale."""
    # TODO: put s·x into the encoder and take s out of the encoder's bracket; then divide the decoder's output
    ### BEGIN SOLUTION
    return Weights(
        W_enc=weights.W_enc * scale,
        b_enc=weights.b_enc,
        W_dec=weights.W_dec / scale,
        b_dec=weights.b_dec / scale,
        threshold=weights.threshold,
    )
    ### END SOLUTION


check.folded(folded)

# %% [markdown] tags=["hint"]
# $s x - b_{dec} = s\,(x - b_{dec}/s)$. So which of the five change, and by what?

# %% [markdown] tags=["hint"]
# If the latents' pre-activations stay as they are, so do the thresholds.

# %% [markdown]
# Our finished SAE of this model was trained so, and folded at the end. It takes the stream as it is. Is it at home there? As control, give it the scaled stream, as if it had not been folded.

# %%
sae = finished_sae(device=device)
hook_point = preset(config.preset).hook_name
measuring = torch.tensor([row["tokens"] for row in held_out.take(config.measure_rows)], device=device)
x = evals.harvest(model, measuring, hook_point)[:, 1:].flatten(0, 1)
s = float(x.shape[1] ** 0.5 / x.norm(dim=1).mean())
for what, acts in {"the stream as it is": x, f"times s = {s:.3f}": s * x}.items():
    quality = evals.reconstruction(sae, acts)
    print(f"{what:20} L0 {quality.l0:6.1f}, explained variance {quality.explained_variance:.3f}")

# %% [markdown]
# A forgotten scale is silent: nothing fails, and the SAE is worth little.
#
# ### JumpReLU, and what Gemma Scope did
#
# Gemma Scope's SAEs are JumpReLU: a latent fires above a threshold of its own, which is learned through straight-through gradients (chapter 02a), with a penalty on L0 itself, not on L1, so nothing shrinks. A BatchTopK SAE, when it is finished, is saved as a JumpReLU with one threshold for all. So both
# are loaded, attached and measured alike:

# %%
print(sae.cfg.architecture(), {name: tuple(value.shape) for name, value in sae.named_parameters()})
threshold = sae.threshold.detach()
print(f"thresholds from {threshold.min():.2f} to {threshold.max():.2f}; a word's pre-activation must pass them")

# %% [markdown]
# ## Part 3: memory, time and money by hand
#
# Now the real thing: the full preset, Gemma-2-2B in your rented GPU. Its numbers, wherever this notebook runs, with one setting put back to SAELens' default: an evaluation reads as many rows at once as the filling of the buffer does.

# %%
full = full_run()
shape = {"n_params": 3_204_887_808, "d_vocab": 256_000}  # TransformerLens keeps embedding and unembedding apart
print(f"{full.model_name} at {full.hook_name}; d_in {full.sae.d_in:,}, d_sae {full.sae.d_sae:,}; {full.training_tokens:,} tokens in batches of {full.train_batch_size_tokens:,}")
print(f"buffer {full.n_batches_in_buffer} rows of {full.context_size:,}; evaluation {full.eval_batch_size_prompts} rows at once; {shape}")

# %% [markdown]
# Predict, before you count: what is the largest thing in memory? The model, the SAE with Adam, the buffer, or something else?

# %% [markdown] exercise="7.3" difficulty=2 importance=5 minutes=8
# ### Exercise 7.3: how much memory?
#
# In bytes. The model's numbers have `model_bytes` each; everything else is float32, 4 bytes, whatever the model is:
#
# - **model**: every parameter;
# - **sae**: encoder, decoder and both biases (no threshold), four times: the weights, their gradients, and Adam's two averages;
# - **buffer**: `buffer_rows` rows of `context` tokens, an activation each, three times: when the buffer is filled anew, the old one, the new parts and their copy in one piece are there at once;
# - **logits**: of one evaluation batch, `eval_rows` rows of `context` tokens, a number for each word of the vocabulary. Once.

# %%
class Memory(NamedTuple):
    """Bytes."""

    model: int
    sae: int
    buffer: int
    logits: int


def training_memory(
    *, n_params: int, model_bytes: int, d_in: int, d_sae: int, buffer_rows: int, eval_rows: int, context: int, d_vocab: int
) -> Memory:
    """The four largest parts of a training's memory, by hand."""
    # TODO: four products
    ### BEGIN SOLUTION
    return Memory(
        model=model_bytes * n_params,
        sae=4 * 4 * (2 * d_in * d_sae + d_sae + d_in),
        buffer=3 * 4 * buffer_rows * context * d_in,
        logits=4 * eval_rows * context * d_vocab,
    )
    ### END SOLUTION


check.training_memory(training_memory)

# %% [markdown] tags=["hint"]
# The SAE has $2\,d_{in} d_{sae} + d_{sae} + d_{in}$ parameters, of 4 bytes each, four times.

# %%
by_hand = training_memory(
    **shape, model_bytes=4, d_in=full.sae.d_in, d_sae=full.sae.d_sae, buffer_rows=full.n_batches_in_buffer, eval_rows=full.eval_batch_size_prompts, context=full.context_size
)
pd.Series(by_hand._asdict(), name="GiB").div(2**30).round(2).to_frame().T

# %% [markdown]
# **Analysis.** The SAE, about which one worries, is the smallest of the four. The logits of a *single* evaluation batch rival the model, and you counted them once: SAELens keeps those of three passes (clean, spliced, ablated), and the loss needs a copy or two. Hold that thought.

# %% [markdown] exercise="7.4" difficulty=2 importance=5 minutes=8
# ### Exercise 7.4: how long, and how much?
#
# A matrix product of $[n, a]$ and $[a, b]$ takes $2\,n\,a\,b$ floating-point operations (FLOPs). For one token:
#
# - the **model**, forward only, up to the hook point: 2 FLOPs for each of its `params_read` parameters there (attention's scores add a little, and are left out);
# - each **SAE**: two products forward ($x W_{enc}$, $z W_{dec}$) and four backward (each product has two gradients, of its weights and of its input), all of $d_{in} \times d_{sae}$.
#
# A machine does `peak` FLOPs a second on paper, and a share `efficiency` of them in practice. The model is run once, whatever the number of SAEs that learn from its activations. Biases are left out. `price` is that of an hour.

# %%
class Bill(NamedTuple):
    """What a training costs."""

    flops: float
    """For one token, of the model and all SAEs."""
    tokens_per_second: float
    hours: float
    cost: float


def bill(
    *, params_read: int, d_in: int, d_sae: int, n_saes: int, tokens: float, peak: float, efficiency: float, price: float
) -> Bill:
    """Hours and money for `tokens` tokens; the price is for an hour."""
    # TODO: FLOPs of a token; tokens in a second; hours; cost
    ### BEGIN SOLUTION
    flops = 2 * params_read + n_saes * 6 * 2 * d_in * d_sae
    tokens_per_second = peak * efficiency / flops
    hours = tokens / tokens_per_second / 3600
    return Bill(flops, tokens_per_second, hours, hours * price)
    ### END SOLUTION


check.bill(bill)

# %% [markdown] tags=["hint"]
# Six products for each SAE, at $2\,d_{in} d_{sae}$ FLOPs for a token: $12\,d_{in} d_{sae}$.

# %%
per_layer = 2304 * (2 * 8 + 2 * 4) * 256 + 3 * 2304 * 9216  # attention's four matrices (8 heads, 4 for keys and values), and the MLP's three
layers_read = int(full.hook_name.split(".")[1]) + 1
costs = {}
for gpu, (peak, price) in {"T4": (8.1e12, 0.2), "L4": (121e12, 0.5), "A100": (312e12, 1.5), "H100": (989e12, 3.0)}.items():  # peak bf16 rates; prices are examples, put in yours
    costs[gpu] = bill(params_read=layers_read * per_layer, d_in=full.sae.d_in, d_sae=full.sae.d_sae, n_saes=1, tokens=full.training_tokens, peak=peak, efficiency=0.4, price=price)
pd.DataFrame({gpu: {"tokens/s": f"{one.tokens_per_second:,.0f}", "hours": f"{one.hours:,.1f}", "cost": f"{one.cost:,.0f}"} for gpu, one in costs.items()})

# %% [markdown]
# **Analysis.** Most of the work is the *model's* forward pass, not the SAE's training. And the cheapest hour is the dearest run: the T4's tensor cores know no bfloat16. Two things are left out here: a GPU also *moves* bytes between these products, and 40 % is a guess. A plan is as good as its guesses, so measure them on the machine: `sae-course plan --calibrate`.
#
# ## Part 4: the planner
#
# `plan` does this arithmetic for every part, the bytes moved included, at every moment of a training: when the buffer is **filled** (the old buffer, the new one and its parts; the model's activations), in a **step** (gradients, tensors of `[batch, d_sae]`), at an **evaluation** (logits). Nothing is downloaded: it reads the configuration.

# %%
planned = plan(full, gpu="L4", price=0.5)
planned

# %%
planned.figure()

# %% [markdown]
# Does it agree with yours? Where it is larger, it counts what you left out.

# %%
gib = planned.table()
together = {
    "model": (by_hand.model / 2**30, gib.loc["model weights", "step"]),
    "SAE": (by_hand.sae / 2**30, gib.loc[["SAE weights", "Adam", "gradients"], "step"].sum()),
    "buffer": (by_hand.buffer / 2**30, gib.loc["activation buffer", "filling"]),
    "logits, evaluation": (by_hand.logits / 2**30, gib.loc["evaluation", "evaluation"]),
}
pd.DataFrame(together, index=["by hand", "planner"]).T.style.format("{:.2f}")

# %% [markdown]
# Three agree, but for one copy of the buffer: while the model runs, the last copy isn't made yet, and the planner counts the larger of the two moments. The fourth is five times yours: three passes' logits, their log-probabilities, and one more for the soft cap. **This run would train without complaint, and die at its first evaluation,** a fiftieth of the run later: on the L4 after an hour, by the plan.

# %% [markdown] exercise="7.5" difficulty=3 importance=5 minutes=12
# ### Exercise 7.5: make it fit
#
# The full preset, on its way to a GPU of 16 GB, does not fit. Change the configuration until the plan says that it does. **The result must stay the same SAE, trained on the same tokens**: leave alone the model, hook point, data, context, seed, `device`, `sae`, `training_tokens`, `train_batch_size_tokens`, learning rate and schedule. Where the model and the buffer lie, and how many rows are read at once, is yours. And the buffer
# must still mix: at least four model batches (`store_batch_size_prompts`), and more than one training batch.

# %%
def fitted(cfg):  # a SAELens configuration
    """A changed copy of `cfg` whose plan fits a T4, for the same SAE."""
    # TODO: print(plan(cfg, gpu="T4")): which part is the largest? what does it advise?
    ### BEGIN SOLUTION
    return change(
        cfg,
        eval_batch_size_prompts=1,  # the logits of 256,000 words are the largest part
        model_from_pretrained_kwargs={"dtype": "bfloat16"},  # as Gemma was trained
    )
    ### END SOLUTION


check.fitted(fitted)

# %% [markdown] tags=["hint"]
# The evaluation's logits grow with `eval_batch_size_prompts`, the buffer lies where `act_store_device` says, and Gemma's weights are bfloat16 on the hub: `model_from_pretrained_kwargs={"dtype": "bfloat16"}` loads them so.

# %%
for gpu in ("T4", "L4", "4090", "A100-40", "H100"):
    one = plan(fitted(full), gpu=gpu)
    print(f"{gpu:8} {'fits' if one.fits else 'does not fit'}: {one.peak / 2**30:5.1f} of {one.machine.memory / 2**30:.1f} GiB; {one.hours:6,.0f} h")

# %% [markdown]
# It fits, and would take the T4 days. Fitting is the first question, not the last. (The course's preset evaluates row by row; it is yours to raise where there is room.)
#
# ### "CUDA out of memory. Tried to allocate …"
#
# The message holds more than it seems: the size of the allocation that failed. Few tensors have that size. This one is made up after PyTorch's form, for this run on an L4:

# %%
message = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 7.81 GiB. GPU 0 has a total capacity of 22.03 GiB of which 1.9 GiB is free."
print(why_out_of_memory(full, message, gpu="L4"))

# %% [markdown] question="7.B" difficulty=2 importance=4 minutes=4
# ### Question 7.B: which change?
#
# A run is out of memory. For each of these messages say which setting you would change first, and what it costs: the allocation that failed has the size of (a) `[batch, d_sae]`, (b) attention's scores while the buffer is filled, (c) the whole activation buffer, (d) the logits of an evaluation batch.

# %% [markdown] tags=["answer"]
# (a) `train_batch_size_tokens`, which changes the training (noisier steps), or a narrower SAE, which is another SAE: so first see what else could go from the GPU, such as the buffer. (b) `store_batch_size_prompts`, which costs a little speed; scores grow with the context's square. (c) `act_store_device="cpu"`, a copy of each batch to the GPU, or a smaller `n_batches_in_buffer`, which mixes
# fewer texts. (d) `eval_batch_size_prompts`: costs nothing but time in evaluations, and `n_eval_batches` gives the tokens back.

# %% [markdown]
# ### Pre-flight
#
# The plan says whether it *fits*. `preflight` says whether it *makes sense*: it reads the configuration for what could never work. Two slips that learners make on Gemma:

# %%
slips = change(full, lr_warm_up_steps=250_000, n_batches_in_buffer=8, training_tokens=full.training_tokens)
preflight(slips, offline=True)

# %% [markdown]
# ## Part 5: a training that survives
#
# A rented machine can be taken away at any moment. So what must be on the disk for a training to go on as if nothing had happened? Predict: what will happen to a training that goes on with the SAE's weights alone?

# %% [markdown] exercise="7.6" difficulty=3 importance=5 minutes=12
# ### Exercise 7.6: survive an interruption
#
# `SmallTraining` is a training in one object. What it is made of:
#
# | attribute | what |
# |---|---|
# | `sae` | a `torch.nn.Module` |
# | `optimizer`, `schedule` | Adam, and the schedule of its learning rate |
# | `draws` | the `torch.Generator` that shuffles the data |
# | `order`, `position` | the shuffled order (a tensor of places), and how far it was read |
# | `since_fired` | steps since each latent fired (a tensor) |
# | `steps` | steps made |
#
# `step()` makes one step and changes all of them. Write `state_of`, which gives everything that is needed to go on, and `load_state`, which changes a **new** `SmallTraining` (the same data and settings, other weights and another seed) so that it goes on from there. Stopped anywhere and resumed, a training must end with **the same weights, bit for bit**,
# as one that was never stopped. A state may be loaded more than once: neither further steps of the old training nor those of the resumed one may change it.

# %%
def state_of(training: SmallTraining) -> dict:
    """Everything that `load_state` needs; a copy, which later steps leave alone."""
    # TODO: what would be different in a new object? and which of these are copies?
    ### BEGIN SOLUTION
    return copy.deepcopy(
        {
            "sae": training.sae.state_dict(),
            "optimizer": training.optimizer.state_dict(),
            "schedule": training.schedule.state_dict(),
            "draws": training.draws.get_state(),
            "order": training.order,
            "position": training.position,
            "since_fired": training.since_fired,
            "steps": training.steps,
        }
    )
    ### END SOLUTION


def load_state(training: SmallTraining, state: dict) -> None:
    """Go on in `training` from where `state` was taken."""
    # TODO: the way back, for each
    ### BEGIN SOLUTION
    training.sae.load_state_dict(state["sae"])
    training.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # it keeps the tensors it is given
    training.schedule.load_state_dict(state["schedule"])
    training.draws.set_state(state["draws"])
    training.order = state["order"].clone()
    training.position, training.steps = state["position"], state["steps"]
    training.since_fired = state["since_fired"].clone()
    ### END SOLUTION


check.resumed(state_of, load_state)

# %% [markdown] tags=["hint"]
# `state_dict()` of a module or an optimiser holds *references* to its tensors: the next step changes them. `copy.deepcopy` of the whole dictionary is enough to take a state. `optimizer.load_state_dict` keeps the very tensors it is given: load a copy. A generator has `get_state()` and `set_state(...)`.

# %% [markdown]
# Which of them matter? Leave one out at a time, and see how far from the uninterrupted run the training ends, 50 steps later. Once in a training that revives no latent, and once in one that does.


# %%
def without_one(revive_after: int) -> dict[str, float]:
    """How far the weights end from those of a training that was never stopped, as a share of their own size."""
    settings = {"d_sae": 2 * words.shape[1], "batch": 128, "l1": 8.0, "total": 100, "window": revive_after}
    whole, stopped = SmallTraining(words, **settings), SmallTraining(words, **settings)
    whole.run(100)
    stopped.run(50)
    state, right, distance = state_of(stopped), whole.sae.W_dec.detach(), {}
    for left_out in ["nothing", *state]:
        resumed = SmallTraining(words, **settings, seed=1)
        fresh = state_of(resumed)
        load_state(resumed, {part: fresh[part] if part == left_out else state[part] for part in state})
        resumed.run(50)
        distance[left_out] = float((resumed.sae.W_dec.detach() - right).norm() / right.norm())
    return distance


pd.DataFrame({"no latent is revived": without_one(10**9), "latents are revived": without_one(5)}).rename_axis("left out").style.format("{:.3f}")

# %% [markdown]
# **Analysis.** Only the complete state gives distance 0. Without the rest the training ends somewhere else: not necessarily worse, but no longer *the same run*, so that nobody can say what an interruption did. How long a latent has been silent matters only where somebody asks; and where latents are revived, every difference, however small, grows into another dictionary. So test a resumption with the settings that you train with.
#
# The course's `train` keeps all of this, for the real thing: SAE, Adam, schedules, the statistics of dead latents, the buffer with its order, and the place in the data. A real interruption, then: Ctrl-C in the middle, by the model's own hand after some forward passes.

# %%
usual = preset(config.preset)
live = change(
    usual,
    training_tokens=config.live_tokens,
    n_batches_in_buffer=config.live_buffer * usual.store_batch_size_prompts,
    n_batches_for_norm_estimate=config.live_norm_batches,
    n_eval_batches=config.live_eval_batches,
)
print(preflight(live, model))
start = time.perf_counter()
with interrupted_after(model) as passes:  # interrupts nothing: counts the model's forward passes
    whole = train(live, name="chapter-07-whole", model=model, check=False, show=False)
live_seconds = time.perf_counter() - start
print(f"{live.training_tokens:,} tokens, {passes.made} forward passes")

# %%
try:
    with interrupted_after(model, passes.made // 2):
        train(live, name="chapter-07-stopped", model=model, check=False, show=False)
except KeyboardInterrupt:
    print("interrupted; the kernel would be gone now")
again = train(live, name="chapter-07-stopped", model=model, check=False, show=False)
difference = (again.sae(device).W_dec - whole.sae(device).W_dec).abs().max()
print(f"largest difference in W_dec from the run that was never stopped: {difference:g}")

# %% [markdown]
# ## Part 6: several at once: stream, or keep?
#
# Whoever trains one SAE trains several: layers, widths, seeds. The model's forward pass is the same for all that read the same tokens. So it could be done once, and every activation kept on the disk. Could it?

# %% [markdown] exercise="7.7" difficulty=2 importance=4 minutes=8
# ### Exercise 7.7: stream, or keep?
#
# `n_saes` SAEs are to be trained on `tokens` tokens each, with `d_in` numbers of `bytes_each` bytes per activation. For one token, the model's forward pass takes `model_seconds` and an SAE's step `sae_seconds`; the disk writes and reads `disk` bytes a second, and nothing runs at the same time. Three ways:
#
# - **stream**: one SAE after the other, each with the model's forward pass;
# - **together**: all SAEs at once on one stream: the model is run once, each SAE makes its steps;
# - **cache**: run the model once and write every activation to disk; and when all are there, one SAE after the other reads them.

# %%
class Ways(NamedTuple):
    """Seconds in total, and what the cache takes on the disk."""

    stream: float
    together: float
    cache: float
    disk_bytes: int


def ways(
    *, n_saes: int, tokens: int, d_in: int, bytes_each: int, model_seconds: float, sae_seconds: float, disk: float
) -> Ways:
    """What n SAEs on the same tokens take in three ways."""
    # TODO: how often is the model run, how often is a byte written or read, in each?
    ### BEGIN SOLUTION
    disk_bytes = tokens * d_in * bytes_each
    model, sae, pass_over = tokens * model_seconds, tokens * sae_seconds, disk_bytes / disk
    return Ways(
        stream=n_saes * (model + sae),
        together=model + n_saes * sae,
        cache=model + pass_over + n_saes * (pass_over + sae),
        disk_bytes=disk_bytes,
    )
    ### END SOLUTION


check.ways(ways)

# %% [markdown] tags=["hint"]
# One pass over the disk takes `tokens * d_in * bytes_each / disk` seconds. The cache is written once and read `n_saes` times.

# %%
disk = 1e9  # bytes a second: a good SSD
l4 = plan(full, gpu="L4")
model_seconds, sae_seconds = l4.speed.seconds * l4.speed.model_share, l4.speed.seconds * (1 - l4.speed.model_share)
several = {}
for n in (1, 2, 4, 8, 16):
    one = ways(n_saes=n, tokens=full.training_tokens, d_in=full.sae.d_in, bytes_each=2, model_seconds=model_seconds, sae_seconds=sae_seconds, disk=disk)
    several[n] = {"one by one, hours": one.stream / 3600, "together, hours": one.together / 3600, "from a cache, hours": one.cache / 3600, "disk, TB": one.disk_bytes / 1e12}
pd.DataFrame(several).T.rename_axis("SAEs").style.format("{:.1f}")

# %% [markdown]
# **Analysis.** Together is the best wherever the SAEs are known beforehand, and needs no disk. A cache pays when they are *not*: for a second sweep next week, or to tune one setting on the same tokens, and only for models whose forward pass is dear beside reading its result. And look at the last column before you start.
#
# And for this model, on this machine? The model's pass, and a file of its activations written and read, are timed here; what is left of the training above is its SAE's.

# %%
start = time.perf_counter()
kept = evals.harvest(model, measuring, hook_point).flatten(0, 1)
model_each = (time.perf_counter() - start) / len(kept)
with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    save_file({"acts": kept.half().cpu()}, f"{folder}/acts.safetensors")
    size = load_file(f"{folder}/acts.safetensors")["acts"].nbytes
    disk_here = 2 * size / (time.perf_counter() - start)
here = ways(n_saes=8, tokens=config.live_tokens, d_in=kept.shape[1], bytes_each=2, model_seconds=model_each, sae_seconds=max(0.0, live_seconds / config.live_tokens - model_each), disk=disk_here)
print(f"8 SAEs on {config.live_tokens:,} tokens: one by one {here.stream:.0f} s, together {here.together:.0f} s, from a cache {here.cache:.0f} s and {here.disk_bytes / 1e6:.0f} MB (a file just written is read from memory, not from the disk)")

# %% [markdown]
# A cache saves the model's passes and nothing else, and training together saves the same without a file. Live, three widths at once from one stream, beside the time of one:

# %%
start = time.perf_counter()
widths = train_many({f"{width:,} latents": change(live, d_sae=width) for width in (live.sae.d_sae // 4, live.sae.d_sae // 2, live.sae.d_sae)}, name="chapter-07-widths", model=model, check=False, show=False)
many_seconds = time.perf_counter() - start
print(f"three SAEs together took {many_seconds / live_seconds:.1f} times as long as one (one by one: 3)")

# %% [markdown]
# Trained for longer, at two layers and in four widths, all from one stream (at mini scale, a quarter of the preset's tokens, three seeds; recorded). Predict: does a wider SAE help more in an early layer or in a late one?

# %% tags=["expected"]
recorded = recorded_gemma("widths")
over_seeds(recorded, ["layer", "d_sae"], {"L0": ".1f", "explained variance": ".3f", "loss recovered": ".3f", "dead": ".0%"})

# %% [markdown]
# **Analysis.** Wider is better at both layers, a little more so in the earlier one, and no doubling gives more than the one before. Look at the last column: the widest has the most dead latents, on the same tokens. Gemma Scope gave its wider SAEs more.

# %% [markdown]
# ## Part 7: train, or take a published one?
#
# Gemma Scope has trained SAEs for every layer of this model, in several widths and sparsities, each on 4 to 16 billion tokens. What would it cost to make the same? And how far is the run of this notebook, which read a handful of tokens, from a finished SAE of the same place?

# %% tags=["headline"]
scores = {}
for name, one in {"finished SAE": sae, "this notebook's run": whole.sae(device)}.items():
    quality, effect = evals.reconstruction(one, x), evals.downstream(model, one, measuring, hook_point, batch=1)
    scores[name] = {"latents": f"{one.cfg.d_sae:,}", "L0": f"{quality.l0:.1f}", "explained variance": f"{quality.explained_variance:.3f}", "loss recovered": f"{effect.loss_recovered:.3f}"}
print(f"resumed run equals the uninterrupted one to {difference:g}; finished SAE: L0 {scores['finished SAE']['L0']}, loss recovered {scores['finished SAE']['loss recovered']}")
pd.DataFrame(scores)

# %%
practice = plan(full, gpu="H100", price=3.0, tokens=4e9)
print(f"16 k latents by Gemma Scope's practice, on an H100 at 3 an hour: {practice.hours:,.0f} h, {practice.cost:,.0f}")
print("speed known from:", practice.speed.measured or "nobody has measured it with this course: data sheet and assumed efficiencies")

# %% [markdown]
# **Analysis.** If an SAE of your model, layer and hook point is published, take it: Gemma Scope's have seen at least three times the tokens of the full preset, and somebody else has paid. Train when there is none: another model, a fine-tuned one, your own data's distribution, another architecture, or when the training itself is your subject. Then plan, pre-flight, train small first, and let it be interrupted.
#
# ## What to keep
#
# | before | ask | with |
# |---|---|---|
# | choosing a layer | how long is the stream, who carries it, what does the BOS do? | `stream_profile`, one scale per hook point |
# | renting | does it fit in *every* phase? how many hours? | `sae-course plan gemma --gpu L4 --price 0.5` |
# | starting | could it ever work? | `sae-course preflight gemma --scale full` |
# | leaving it alone | does it go on after a stop, bit for bit? | `train`, a checkpoint every half minute |
# | a second run | could both share a stream? | `train_many` |
# | all of it | is one published? | `SAE.from_pretrained` |
