# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 05: induction between latents
#
# "… kite owl … kite": what comes next? A model with two layers of attention can know, by an **induction circuit**: a head in layer 0 writes at each
# word which word stood before it; a head in layer 1 looks for the place whose word-before is the present word, and copies what stands there. The
# circuit is known between *heads*. Here you look for it between *latents*: train an SAE on each layer's heads, find the latents that carry the two
# halves, and **prove for each pair** that the one makes the other fire. No published figure exists for this; but we make the text ourselves,
# so the truth of where things repeat is known at every token.
#
# By the end you can
# - find previous-token and induction heads by score, and latents of both kinds by theirs;
# - train SAEs on several hook points from one stream of activations, and say which head a latent belongs to;
# - attribute one latent to those of a lower layer by gradients, test it by ablation against a control, and say where the two part;
# - tell K- from Q- and V-composition by what is ablated;
# - say which token, through which head, made a latent fire.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | the model and its two heads | 10 |
# | 2 | an SAE on each layer | 4 |
# | 3 | latents of both halves, found by score | 12 |
# | 4 | who makes whom fire: gradients and ablations | 31 |
# | 5 | through what, and from where | 19 |
# | 6 | L0, width, and another model | 0 |

# %%
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import spearmanr
from torch import Tensor

from sae_course import evals
from sae_course.checks import ch05 as check
from sae_course.dashboards import attention_patterns
from sae_course.data.repeats import Repeats, common_tokens, repeated_lists
from sae_course.evals import Site
from sae_course.figures.circuits import draw_pairs
from sae_course.figures.models import draw_attention, draw_heads
from sae_course.models import load_model, random_twin, token_stream, truth
from sae_course.runtime import current, generator
from sae_course.training import describe, train_many
from sae_course.training.induction import LAYERS, finished_sae, induction_config, recorded_induction, sae_config
from sae_course.training.recorded_file import over_seeds

device = current().device
config = induction_config()
print(config)

# %% [markdown]
# ## Part 1: the model and its two heads

# %%
model = load_model(config.model)
n_heads = model.cfg.n_heads

# %% [markdown]
# The text of this chapter: lists of words in random order, each list twice. The words are the most frequent ones of what the model was trained
# on, so that the SAEs have seen them often. In a list no word stands twice: each word of the second list has *one* place where it stood before.

# %%
read = np.array([row["tokens"] for row in token_stream(config.model).take(400)])
special = set(model.tokenizer.all_special_ids)
words = common_tokens(read, config.n_words, without=special)


def lists(n_rows: int, seed: int) -> tuple[Repeats, Int[Tensor, "rows pos"]]:
    """Rows of lists with their truth, and their tokens on the device."""
    made = repeated_lists(words, n_rows, config.period, bos=model.tokenizer.bos_token_id, seed=seed)
    return made, torch.from_numpy(made.tokens).to(device)


repeats, tokens = lists(config.find_rows, seed=0)
print(" ".join(model.tokenizer.decode([token]) for token in repeats.tokens[0, 1:13]), "…")


# %%
def next_token_losses(model, tokens: Int[Tensor, "rows pos"]) -> Float[Tensor, "rows pos-1"]:
    """Nats at each place, for the token after it."""
    with torch.no_grad():
        log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


losses = next_token_losses(model, tokens).mean(dim=0)
second = slice(config.period + 1, 2 * config.period)
print(f"loss on the first list {losses[: config.period].mean():.2f} nats per word, on the second {losses[second].mean():.2f}")
print(f"guessing among the {config.n_words} words: {np.log(config.n_words):.2f}")

# %% [markdown]
# **Analysis.** On the first list the model does worse than somebody who only knows which words are used: it expects stories. On the second its loss falls
# far below what knowing the words is worth. All it has to go by is the first list, so this is the circuit at work (not perfectly: words of stories in random order are not
# what it was trained on). Predict: how many of its heads do it?

# %% [markdown] exercise="5.1" difficulty=2 importance=4 minutes=6
# ### Exercise 5.1: two scores for a head
#
# A row is BOS, a list of `period` words, and the same list again: 2 `period` + 1 places, BOS at place 0. From the attention patterns on such
# rows, compute for each head, as means over rows and places,
#
# - the **previous-token score**: how much each place looks at the one before it (all places but BOS's; the first word has BOS before it);
# - the **induction score**: how much each word of the second list looks at the word that *followed* it in the first list.


# %%
class HeadScores(NamedTuple):
    """Means of attention, between 0 and 1, for each head of a layer."""

    previous: Float[Tensor, " head"]
    induction: Float[Tensor, " head"]


def head_scores(pattern: Float[Tensor, "rows head to from"], period: int) -> HeadScores:
    """How much each head looks at the word before, and at what followed the same word last time."""
    # TODO: two diagonals of each pattern, averaged
    ### BEGIN SOLUTION
    before = pattern.diagonal(-1, dim1=-2, dim2=-1)  # at (q, q − 1), for q = 1, 2, …
    followed = pattern.diagonal(1 - period, dim1=-2, dim2=-1)  # at (q, q − period + 1), for q = period − 1, …
    return HeadScores(before.mean(dim=(0, 2)), followed[..., 2:].mean(dim=(0, 2)))
    ### END SOLUTION


check.head_scores(head_scores)

# %% [markdown] tags=["hint"]
# The word at place $q$ of the second list stood at $q$ − `period` before, and was followed by the one at $q$ − `period` + 1. The second
# list's places are `period` + 1 to 2 `period`.

# %% [markdown] tags=["hint"]
# `pattern.diagonal(-n, dim1=-2, dim2=-1)` has the entries $(q, q-n)$, in a new last axis that begins with $q = n$. So of the induction
# diagonal the first two entries belong to places before the second list.

# %%
patterns = {}
with torch.no_grad():
    _, cache = model.run_with_cache(tokens, return_type=None, names_filter=lambda name: name.endswith("hook_pattern"))
    for layer in LAYERS:
        patterns[layer] = cache[f"blocks.{layer}.attn.hook_pattern"]
scores = [head_scores(patterns[layer], config.period) for layer in LAYERS]
previous = torch.stack([one.previous for one in scores]).cpu().numpy()
induction = torch.stack([one.induction for one in scores]).cpu().numpy()
previous_head, induction_head = (divmod(int(grid.argmax()), n_heads) for grid in (previous, induction))
name = "{}.{}".format
draw_heads(
    {"to the word before": previous, "to what followed last time": induction},
    f"Head {name(*previous_head)} looks at the word before ({previous.max():.0%}); head {name(*induction_head)} at what followed last time ({induction.max():.0%})",
)

# %%
control = random_twin(config.model)
with torch.no_grad():
    _, untrained = control.run_with_cache(tokens, return_type=None, names_filter=lambda name: name.endswith("hook_pattern"))
highest = [head_scores(untrained[f"blocks.{layer}.attn.hook_pattern"], config.period) for layer in LAYERS]
print(f"random-weights twin, highest previous-token score {max(float(one.previous.max()) for one in highest):.1%}")
print(f"random-weights twin, highest induction score      {max(float(one.induction.max()) for one in highest):.1%}")

# %% [markdown]
# Here is a short list in pictures. CircuitsVis makes a page in which every head can be looked at, one token at a time; the notebook shows a summary, and
# `.save("attention.html")` writes the page.

# %%
short = repeated_lists(words, 1, 8, bos=model.tokenizer.bos_token_id, seed=3)
row = torch.from_numpy(short.tokens[0]).to(device)
attention_patterns(model, row, layer=1)

# %%
with torch.no_grad():
    _, cache = model.run_with_cache(row[None], return_type=None, names_filter=lambda name: name.endswith("hook_pattern"))
shown = {
    f"head {name(*head)}": cache[f"blocks.{head[0]}.attn.hook_pattern"][0, head[1]].cpu().numpy()
    for head in (previous_head, induction_head)
}
draw_attention(shown, [model.tokenizer.decode([token]) for token in row.tolist()], "One head looks one place back, the other to what followed the same word")

# %% [markdown] question="5.A" difficulty=3 importance=4 minutes=4
# ### Question 5.A: a model without places in its stream
#
# This model is a *shortformer*: where a head computes queries and keys, the positions' embeddings are added to what it reads. They are never added
# to the residual stream, and never reach the values. What follows for what layer 0 can tell layer 1? Can the previous-token head write
# "the word before was X"? "I stand at place 17"? Which of these two ways to build an induction circuit are left: (1) layer 1 compares its own word with the
# word-before that is written at each place; (2) layer 0 finds the earlier occurrence of the word and writes *its place*, and layer 1 looks at the place
# after it?

# %% [markdown] tags=["answer"]
# What a head passes on is a mixture of values, and values are made of words alone. So "the word before was X" can be written: the head *looks* by
# position, and what it fetches is a word. "Place 17" can't: no value knows its place. (Not quite: a head that averages many values writes something that
# gets smoother the more there are, which gives a little away.) So (2) is impossible here, and (1) is left: what layer 0 wrote is read by
# layer 1's **keys**. In a model with positions in the stream both ways are open, and one would have to ask which is taken.

# %% [markdown]
# The answer can be measured: how much of the residual stream's variance does the *place* explain? For comparison, the one-layer model of chapter 03,
# whose positions are added to the stream, and the same with the places shuffled (what so many groups explain by chance).


# %%
def explained_of_stream(model, tokens: Int[Tensor, "rows pos"], hook_point: str, groups: Int[Tensor, " n"]) -> float:
    """Share of the variance of an activation, over all of its dimensions, that lies between groups of tokens."""
    activations = evals.harvest(model, tokens, hook_point).flatten(0, 1)
    variances = activations.var(dim=0)
    return float((evals.explained_by(activations, groups) * variances).sum() / variances.sum())


places = torch.arange(tokens.shape[1], device=device).repeat(len(tokens))
shuffled = places[torch.randperm(len(places), generator=generator("places"), device=device)]
with_places = load_model("tiny-stories-1L-21M")
own_words = common_tokens(np.array([row["tokens"] for row in token_stream("tiny-stories-1L-21M").take(400)]), config.n_words, without=set(with_places.tokenizer.all_special_ids))
own_lists = repeated_lists(own_words, config.find_rows, config.period, bos=with_places.tokenizer.bos_token_id)
rows_of = {"this model": (model, tokens), "positions in the stream": (with_places, torch.from_numpy(own_lists.tokens).to(device))}
for what, (one, text) in rows_of.items():
    for hook_point in ("blocks.0.hook_resid_pre", "blocks.0.hook_resid_post"):
        by_place, by_chance = (explained_of_stream(one, text, hook_point, groups) for groups in (places, shuffled))
        print(f"{what:24} {hook_point:26} explained by the place {by_place:.1%}, by chance {by_chance:.1%}")

# %% [markdown]
# **Analysis.** Before layer 0 nothing in this model's stream says where it is (but for BOS, which always stands first). After it there is a trace, from heads that spread their attention. In the other
# model a good part of the stream is about places. So expect K-composition, and remember to test it (part 5).
#
# ## Part 2: an SAE on each layer
#
# The hook point is `hook_z`: what the heads hand over before `W_O` mixes them, side by side. Both SAEs learn from **one stream of activations**: the model runs once
# for both. The settings, the same for both but for the hook point:

# %%
describe(sae_config(0))

# %% [markdown]
# Trained here is a short version, an eighth of the tokens. Predict: what will be worse for it, L0, the dead latents or the loss?

# %%
eighth = sae_config(0).training_tokens // config.live_share
short_runs = train_many({f"layer {layer}": sae_config(layer, training_tokens=eighth) for layer in LAYERS}, name="chapter-05", show=False)

# %% [markdown]
# In SAELens 6 an SAE on `hook_z` needs the setting `reshape_activations="hook_z"`, which the preset has: it makes the SAE take $z$ with its heads, and give it back so.
# And what training leaves is a *training* SAE, which can't be attached to the model; `run.sae()` gives the inference version of it, which can.
#
# The rest of the chapter uses SAEs that read eight times as much, so that its numbers don't depend on what you trained here. (To go on with your
# own: `saes = {layer: short_runs[f"layer {layer}"].sae(device) for layer in LAYERS}`.)

# %%
saes = {layer: finished_sae(layer, device=device) for layer in LAYERS}
hook_points = {layer: f"blocks.{layer}.attn.hook_z" for layer in LAYERS}
stories = torch.tensor([row["tokens"] for row in token_stream(config.model, split="test").take(config.story_rows)], device=device)
for layer in LAYERS:
    for what, one in {"short": short_runs[f"layer {layer}"].sae(device), "finished": saes[layer]}.items():
        found = evals.harvest(model, stories, hook_points[layer]).flatten(0, 1)
        quality, fired = evals.reconstruction(one, found), evals.densities(one, found)
        effect = evals.downstream(model, one, stories[:32], hook_points[layer])
        print(
            f"layer {layer}, {what:8} L0 {quality.l0:4.1f}, explained variance {quality.explained_variance:.3f}, "
            f"loss recovered {effect.loss_recovered:.1%}, dead {fired.dead_fraction:.0%}"
        )

# %% [markdown]
# **Analysis.** An eighth of the tokens leaves more than half of the latents dead, and layer 1's loss shows it. The finished ones have a price too: their `k` is half of the preset's, on
# purpose. A latent that shares its work with fifteen others can be switched off without much harm; part 6 has the comparison.

# %% [markdown] exercise="5.2" difficulty=2 importance=4 minutes=4
# ### Exercise 5.2: which head does a latent belong to?
#
# `hook_z` holds the heads' outputs side by side: the first `d_head` entries are head 0's, and so on. A latent's decoder row is as long, so
# cut it the same way: **what share of its squared length lies in each head's part?**


# %%
def head_shares(W_dec: Float[Tensor, "d_sae d_in"], n_heads: int) -> Float[Tensor, "d_sae head"]:
    """The share of each decoder row's squared length that lies in each head's part; a row's shares sum to 1."""
    # TODO: cut each row into heads, square, sum, divide
    ### BEGIN SOLUTION
    by_head = W_dec.unflatten(1, (n_heads, -1)).pow(2).sum(dim=-1)
    return by_head / by_head.sum(dim=1, keepdim=True)
    ### END SOLUTION


check.head_shares(head_shares)

# %% [markdown] tags=["hint"]
# `W_dec.unflatten(1, (n_heads, -1))` is `[d_sae head d_head]`.

# %% [markdown]
# Predict: does the SAE respect the borders between heads, which nobody told it of?

# %%
shares = {layer: head_shares(saes[layer].W_dec.detach(), n_heads) for layer in LAYERS}
random_rows = torch.randn(saes[0].W_dec.shape, generator=generator("random rows"), device=device)
for what, found in {**{f"layer {layer}": shares[layer] for layer in LAYERS}, "random (control)": head_shares(random_rows, n_heads)}.items():
    most = found.max(dim=1)
    belongs = torch.bincount(most.indices, minlength=n_heads).tolist()
    print(f"{what:17} largest share, median {most.values.median():.2f}; over .8: {(most.values > 0.8).float().mean():5.1%}; latents by head {belongs}")

# %% [markdown]
# **Analysis.** Nothing told the SAE where one head ends and the next begins, and yet a quarter of its latents lie almost wholly in one head; among random directions none does. The
# others span heads: one latent for what several of them write at the same time.
#
# ## Part 3: latents of both halves, found by score

# %% [markdown] exercise="5.3" difficulty=3 importance=5 minutes=8
# ### Exercise 5.3: what the previous token explains
#
# A latent that says "the word before was X" has the same activation wherever the word before is the same, whatever stands there
# itself. So sort the tokens into groups by a label (the previous token's id, say) and ask **what share of a latent's variance lies
# between the groups**:
#
# $$\frac{\sum_g n_g\,(\bar a_g - \bar a)^2}{\sum_i (a_i - \bar a)^2}$$
#
# with $\bar a_g$ the mean of the $n_g$ activations in group $g$ and $\bar a$ the mean of all. It is 1 if the label decides the activation, and
# near 0 if it says nothing. Give 0 for a latent that never fires.


# %%
def explained_by(
    latents: Float[Tensor, "n d_sae"], groups: Int[Tensor, " n"]
) -> Float[Tensor, " d_sae"]:
    """The share of each latent's variance that lies between the groups; 0 for one that never fires."""
    # TODO: each group's size and mean; variance between the groups over all variance
    ### BEGIN SOLUTION
    n_groups = int(groups.max()) + 1
    sizes = torch.bincount(groups, minlength=n_groups)
    sums = torch.zeros(n_groups, latents.shape[1], device=latents.device).index_add(0, groups, latents)
    means = sums / sizes.clamp(min=1)[:, None]
    mean = latents.mean(dim=0)
    between = (sizes[:, None] * (means - mean).pow(2)).sum(dim=0)
    total = (latents - mean).pow(2).sum(dim=0)
    return torch.where(total > 0, between / total, 0.0)
    ### END SOLUTION


check.explained_by(explained_by)

# %% [markdown] tags=["hint"]
# `torch.bincount(groups, minlength=n_groups)` counts each group; `zeros(n_groups, d_sae).index_add(0, groups, latents)` sums each group's rows.
# Ids that no token has are groups of size 0: keep their mean from becoming NaN.

# %% [markdown] tags=["hint"]
# `means[groups]` puts each token's group mean in its place: $\sum_i (\bar a_{g(i)} - \bar a)^2$ is the same as the numerator above.

# %% [markdown]
# Predict: in which head's part of $z$ are the latents that the previous token explains? And those that the token itself explains? The control shuffles the labels.

# %%
def latents_on(tokens: Int[Tensor, "rows pos"]) -> dict[int, Float[Tensor, "rows pos d_sae"]]:
    """Each layer's latent activations."""
    return {layer: evals.latent_activations(saes[layer], evals.harvest(model, tokens, hook_points[layer])) for layer in LAYERS}


latents = latents_on(tokens)
word, before = tokens[:, 1:].flatten(), tokens[:, :-1].flatten()
lower = latents[0][:, 1:].flatten(0, 1)
by_previous, by_word = explained_by(lower, before), explained_by(lower, word)
by_chance = explained_by(lower, before[torch.randperm(len(before), generator=generator("before"), device=device)])
live = (latents[0] > 0).sum(dim=(0, 1)) >= config.least_tokens
belongs_to = shares[0].argmax(dim=1)
table = pd.DataFrame(
    {
        f"0.{head}": {
            "live latents": int((mine := live & (belongs_to == head)).sum()),
            "… explained by the previous token": int((mine & (by_previous > config.previous_token)).sum()),
            "… by the token itself": int((mine & (by_word > config.previous_token)).sum()),
            "… by shuffled previous tokens": int((mine & (by_chance > config.previous_token)).sum()),
        }
        for head in range(n_heads)
    }
)
table.columns.name = f"largest share in head (score > {config.previous_token})"
table

# %% [markdown]
# **Analysis.** The previous-token latents are where they ought to be: in the previous-token head. And no latent of any head is about the word itself
# alone: what a head writes at a place is about *other* places.

# %% [markdown] exercise="5.4" difficulty=1 importance=4 minutes=4
# ### Exercise 5.4: latents that know that it repeats
#
# An induction latent should be silent on the first list and fire on the second, on the *same words*. Compare its mean activation on the
# tokens where `second` is true, $s$, with that on those where `first` is true, $f$:
#
# $$\frac{s - f}{s + f}$$
#
# Tokens in neither mask don't count. It is 1 for a latent that fires on the repetition alone, −1 for one that fires on the first list alone, 0 for one that doesn't care. Give
# 0 for a latent that is silent on both.


# %%
def repeat_scores(
    latents: Float[Tensor, "rows pos d_sae"], first: Bool[Tensor, "rows pos"], second: Bool[Tensor, "rows pos"]
) -> Float[Tensor, " d_sae"]:
    """(second − first) / (second + first), of each latent's mean activations; 0 for one that is silent on both."""
    # TODO: two means for each latent, and their contrast
    ### BEGIN SOLUTION
    f, s = latents[first].mean(dim=0), latents[second].mean(dim=0)
    return torch.where(s + f > 0, (s - f) / (s + f), 0.0)
    ### END SOLUTION


check.repeat_scores(repeat_scores)

# %% [markdown] tags=["hint"]
# `latents[first]` is `[tokens d_sae]`: the tokens where the mask is true, one after the other. The masks need not be true equally often.

# %% [markdown]
# Predict: what share of layer 1's latents has a score above .5? And of layer 0's, the control, which has no induction head?

# %%
masks = [torch.from_numpy(mask).to(device) for mask in (repeats.first, repeats.second)]
on_lists = [(latents[layer][masks[0] | masks[1]] > 0).sum(dim=0) >= config.least_tokens for layer in LAYERS]
repeat = [repeat_scores(latents[layer], *masks) for layer in LAYERS]
for layer in LAYERS:
    found = repeat[layer][on_lists[layer]]
    print(
        f"layer {layer}: of {len(found)} live latents, repeat score above {config.repeat}: {int((found > config.repeat).sum()):3}, "
        f"below −{config.repeat}: {int((found < -config.repeat).sum()):2}; median {found.median():+.2f}"
    )

# %% [markdown]
# **Analysis.** Half of layer 1's live latents know that the list repeats; of layer 0's, the control, next to none does. Do the same latents tell repeats in *stories*? There the labels know, for each token, whether the pair of it and the next one was in the story before: what
# an induction head would predict, rightly.

# %%
labels = truth(config.model, stories, tokenizer=model.tokenizer).of_next()
will_repeat = torch.from_numpy(labels.values[..., labels.names.index("next: pair again")]).to(device)
told = will_repeat.float().mean(dim=1) < 0.5  # not the rows that are nothing but repeats: this model was trained on some of those, too
will_repeat = will_repeat[told]
on_stories = evals.latent_activations(saes[1], evals.harvest(model, stories[told], hook_points[1]))[:, : will_repeat.shape[1]]
fires = (on_stories > 0).flatten(0, 1).float()
times = fires.sum(dim=0)
precision = (fires.T @ will_repeat.flatten().float()) / times
common = times >= 2 * config.least_tokens
kinds = {"induction latents": on_lists[1] & (repeat[1] > config.repeat), "layer 1's others": on_lists[1] & (repeat[1] <= config.repeat)}
print(f"base rate: the pair repeats at {will_repeat.float().mean():.1%} of the tokens")
for what, kind in kinds.items():
    found = precision[common & kind]
    low, middle, high = found.quantile(torch.tensor([0.25, 0.5, 0.75], device=device)).tolist()
    print(f"{what:18} {len(found):3} latents; where one fires the pair repeats at {middle:.1%} (half of them: {low:.1%} to {high:.1%})")

# %% [markdown]
# **Analysis.** The score holds up on text that it wasn't computed on: where an induction latent fires, the pair is about to repeat more than twice as often as at a token drawn at random, and the others are at the base
# rate. But it also says what the lists hide: most of the time that an induction latent fires in a story, *nothing* repeats. Heads have more than one job, and a score from an artificial text
# finds candidates; it doesn't say what a latent does everywhere.
#
# ## Part 4: who makes whom fire
#
# Both halves are there. But that one kind of latent sits below the other proves nothing. Which latent of layer 0 makes which latent of layer 1 fire?

# %% [markdown] exercise="5.5" difficulty=4 importance=5 minutes=12
# ### Exercise 5.5: attribution by gradients
#
# Which latents of layer 0 made a latent of layer 1 fire? Its activation is a function of theirs, so take the gradient. For a layer 1 latent
# $b$ and every layer 0 latent $a_i$,
#
# $$\text{attribution}_i = \sum_{\text{tokens } s} a_i(s)\; \frac{\partial}{\partial a_i(s)} \sum_{\text{tokens } t \text{ where}} b(t):$$
#
# to first order, what would be lost of $b$'s sum without latent $i$.
#
# The layer 0 latents don't exist in the model: put them there. At the source's hook point, replace $z$ by $z + \text{decode}(a) -
# \text{decode}(a)$, where the second term is detached: nothing changes in value (the SAE's error is kept), but now $z$ depends on $a$.
# `source` and `target` are pairs `(hook_point, sae)`; both SAEs take and give $z$ with its heads, `[rows pos head d_head]`.


# %%
def attribute(
    model, source: Site, target: Site, tokens: Int[Tensor, "rows pos"], latent: int, where: Bool[Tensor, "rows pos"]
) -> Float[Tensor, " d_source"]:
    """Activation times gradient, summed over tokens: every source latent's part in one target latent where it counts; detached."""
    # TODO: a hook that makes z depend on the source latents, one that reads the target latent; then torch.autograd.grad
    ### BEGIN SOLUTION
    kept = {}

    def at_source(z: Tensor, hook) -> Tensor:
        kept["a"] = source.sae.encode(z).detach().requires_grad_()
        written = source.sae.decode(kept["a"])
        return z + written - written.detach()

    def at_target(z: Tensor, hook) -> None:
        kept["b"] = target.sae.encode(z)[..., latent]

    hooks = [(source.hook_point, at_source), (target.hook_point, at_target)]
    model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
    (gradient,) = torch.autograd.grad(kept["b"][where].sum(), kept["a"])
    return (kept["a"] * gradient).sum(dim=(0, 1)).detach()
    ### END SOLUTION


check.attribute(attribute)

# %% [markdown] tags=["hint"]
# `a = source.sae.encode(z).detach().requires_grad_()` is a leaf: a tensor that gradients can be taken with respect to. Keep it in a
# dictionary outside of the hook.

# %% [markdown] tags=["hint"]
# `written = source.sae.decode(a)`, and return `z + written - written.detach()`. The target's hook keeps
# `target.sae.encode(z)[..., latent]`, and returns nothing.

# %% [markdown] tags=["hint"]
# `(gradient,) = torch.autograd.grad(kept["b"][where].sum(), kept["a"])` has the shape of `a`, `[rows pos d_source]`: multiply by `a`, sum over
# the first two axes, and `.detach()` the result.

# %%
source, target = (Site(hook_points[layer], saes[layer]) for layer in LAYERS)
few = tokens[: config.attribution_rows]
counted = masks[1][: config.attribution_rows]
strongest = int((latents[1][masks[1]].mean(dim=0) * (repeat[1] > config.repeat)).argmax())
parts = attribute(model, source, target, few, strongest, counted)
top = parts.topk(8)
fired = latents[1][: config.attribution_rows][counted][:, strongest].sum()
print(f"latent {strongest} of layer 1 (repeat score {repeat[1][strongest]:+.2f}):")
for value, latent in zip(top.values.tolist(), top.indices.tolist(), strict=True):
    print(f"  latent {latent:4} of layer 0: {value / fired:+6.1%} of it; previous-token score {by_previous[latent]:.2f}, head {name(0, int(belongs_to[latent]))}")

# %% [markdown]
# The library does the same for all pairs at once. It uses that rows know nothing of each other: one backward pass serves another target latent in each row.

# %%
attribution = evals.latent_attribution(model, source, target, few, where=counted)
agree = torch.allclose(attribution.total[:, strongest], parts.cpu(), rtol=1e-3, atol=1e-4 * float(parts.abs().max()))
print(f"the library's column for latent {strongest} is yours: {agree}")
attribution

# %% [markdown] question="5.B" difficulty=3 importance=4 minutes=4
# ### Question 5.B: what the gradient can't see
#
# Suppose at some place the induction head looks with 97 % at the right place, because that place's key says "the word before was *kite*" and no
# other key does. What does a tiny reduction of the source latent do to the attention? And taking it away altogether? And what about a target latent
# whose activation is just above its threshold? Will gradients over- or underestimate the ablation in each case?

# %% [markdown] tags=["answer"]
# The softmax is saturated: from 97 % a little less of a large score still gives nearly 97 %. So the gradient is small, while without the latent the head may look elsewhere
# altogether: **underestimated**. A latent just above its threshold (or just among the top k) loses all of its activation with a small push, but its
# gradient is that of the activation alone, since thresholds and top-k choices have none: underestimated again. The other direction exists too: several
# source latents say the same, and each gets its share of a large gradient, but the others stay when one is ablated, so that the loss of one is made up for: **overestimated**.

# %% [markdown] exercise="5.6" difficulty=2 importance=5 minutes=7
# ### Exercise 5.6: without one latent
#
# An attribution is a prediction. The test is an **ablation**: set one source latent to 0 at every token, keep the SAE's error, run the rest of
# the model as it is, and read the target's latents.


# %%
def without_latent(
    model, source: Site, target: Site, tokens: Int[Tensor, "rows pos"], latent: int
) -> Float[Tensor, "rows pos d_target"]:
    """The target's latent activations when one source latent is ablated everywhere, and all else is kept."""
    # TODO: a hook at the source that adds decode(changed) − decode(as it was); one at the target that reads
    ### BEGIN SOLUTION
    kept = {}

    def at_source(z: Tensor, hook) -> Tensor:
        a = source.sae.encode(z)
        changed = a.clone()
        changed[..., latent] = 0
        return z + source.sae.decode(changed) - source.sae.decode(a)

    def at_target(z: Tensor, hook) -> None:
        kept["b"] = target.sae.encode(z)

    hooks = [(source.hook_point, at_source), (target.hook_point, at_target)]
    with torch.no_grad():
        model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
    return kept["b"]
    ### END SOLUTION


check.without_latent(without_latent)

# %% [markdown] tags=["hint"]
# As in exercise 3b.6: `changed = a.clone()`, `changed[..., latent] = 0`, and the difference of two decodes is added to $z$.

# %% [markdown]
# Now the experiment. **Candidates** are pairs of a previous-token latent and an induction latent that fire together: the target at a word of the second
# list, the source at the place that word's head should look at. Of these take those with the largest attribution, and ablate each source, on lists that were **not** used for finding them. The
# number: by how much does the target fall, at the words where both fire?
#
# Two controls. For each pair a *random* latent of layer 0 that fires about as often is ablated instead, and the same target is looked at, at the same words. And a stricter one: the
# latent that, of all that are no candidates, fires most often *at the very places* where the source does.
#
# Predict: how many of the pairs lose more than half? And the controls?

# %%
joint = evals.joint_firing(latents[0], latents[1], repeats.second, repeats.followed)
is_previous = live & (by_previous > config.previous_token)
is_induction = on_lists[1] & (repeat[1] > config.repeat)
candidates = (is_previous[:, None] & is_induction & (joint >= config.least_tokens)).cpu()
pairs = attribution.pairs(config.n_pairs, among=candidates)
print(f"{int(is_previous.sum())} previous-token latents, {int(is_induction.sum())} induction latents, {int(candidates.sum())} candidate pairs")

test, test_tokens = lists(config.test_rows, seed=1)
on_test = {"where": test.second, "source_at": test.followed}
chosen = list(zip(pairs["source"], pairs["target"], strict=True))
ablated = evals.ablations(model, source, target, test_tokens, chosen, **on_test)

# %%
density = (latents[0] > 0).float().mean(dim=(0, 1))
instead = evals.controls(density, pairs["source"].tolist(), without=torch.nonzero(is_previous).flatten().tolist())
control_pairs = list(zip(instead, pairs["target"], strict=True))
control = evals.ablations(model, source, target, test_tokens, control_pairs, events=pairs["source"].tolist(), **on_test)

looked_at = torch.from_numpy(repeats.followed).to(device).clamp(min=0)
at_place = latents[0][torch.arange(len(tokens), device=device)[:, None], looked_at] > 0  # who fires at the place to look at
beside = []
for one, other in chosen:
    both = masks[1] & at_place[..., one] & (latents[1][..., other] > 0)
    beside.append((int(at_place[both].float().mean(dim=0).masked_fill(is_previous, 0).argmax()), other))
strict = evals.ablations(model, source, target, test_tokens, beside, events=pairs["source"].tolist(), **on_test)

# %%
shown = ablated.table.assign(attributed=pairs["share"], control=control.table["drop"], strict=strict.table["drop"])
shown = shown[shown["tokens"] >= config.least_tokens].sort_values("drop", ascending=False)
confirmed = shown[shown["drop"] > 0.5]
show = ["source", "target", "tokens", "clean", "ablated", "drop", "control", "strict", "attributed"]
shown[show].head(12).style.format(dict.fromkeys(show[3:8], "{:.2f}") | {"attributed": "{:.1%}"}).hide(axis="index")

# %% tags=["expected"]
means = {what: shown[what].mean() for what in ("drop", "control", "strict")}
print(f"{len(shown)} pairs on {config.least_tokens} words or more; mean drop {means['drop']:.2f}, of the control {means['control']:.3f}, of the strict control {means['strict']:.3f}")
print(f"more than half is lost in {len(confirmed)} pairs, with {confirmed['source'].nunique()} sources and {confirmed['target'].nunique()} targets")
print(f"the least of these is {confirmed['drop'].min() / means['control']:.0f} times the control's mean, {confirmed['drop'].min() / means['strict']:.0f} times the strict one's")

# %% [markdown]
# **Analysis.** Without the source latent, most of these pairs' targets lose a large part of their activation at the words where both fire, and in several pairs more than half. Ablating
# another latent that fires as often changes next to nothing; the one that most often fires at the same places, a little, and in single pairs a fifth or more. It is mostly *this* latent that the target hangs on. Count the distinct sources before you celebrate,
# though: a few of them stand behind most pairs, so these are not that many independent findings. And the attributed shares (last column) are much smaller than the drops: they are over *all* words
# of the lists, most of which don't have this source at the place to look at.
#
# ### Does the attribution order the pairs rightly?
#
# The best of thousands of candidates are a biased sample. So draw pairs at random, from all that fire together, and compare what the gradient says with what
# the ablation shows, as a rank correlation. First an exercise, for the second opinion.

# %% [markdown] exercise="5.7" difficulty=3 importance=4 minutes=8
# ### Exercise 5.7: integrated gradients
#
# The gradient is taken where all latents are on. Attention saturates: a head that looks at one place with 95 % hardly reacts to a small change, and
# collapses under a large one. **Integrated gradients** take the mean of the gradients along the way from nothing to everything:
#
# $$a_i \cdot \frac{1}{n} \sum_{k=1}^{n} \frac{\partial f}{\partial a_i}\!\left(\frac{k - \tfrac12}{n}\, a\right)$$
#
# (the middle of each of $n$ steps). Summed over $i$ they give $f(a) - f(0)$, exactly as $n$ grows. `f` takes one vector at a time; `a` may
# itself require a gradient, the result should not.


# %%
def integrated_gradients(
    f: Callable[[Float[Tensor, " n"]], Float[Tensor, ""]], a: Float[Tensor, " n"], steps: int
) -> Float[Tensor, " n"]:
    """Each entry's part in f(a) − f(0): the entry times its mean gradient at the middle of each step from 0 to a."""
    # TODO: the gradient at each of the points between, their mean, times a
    ### BEGIN SOLUTION
    total = torch.zeros_like(a)
    for k in range(steps):
        at = ((k + 0.5) / steps * a).detach().requires_grad_()
        total = total + torch.autograd.grad(f(at), at)[0]
    return a.detach() * total.detach() / steps
    ### END SOLUTION


check.integrated_gradients(integrated_gradients)

# %% [markdown] tags=["hint"]
# For each `k` in `range(steps)`: a new leaf, `((k + 0.5) / steps * a).detach().requires_grad_()`; `torch.autograd.grad(f(leaf), leaf)[0]` is
# its gradient. The factor in front is `a` itself, not the leaf.

# %% [markdown]
# Try it where the trouble is: one query that looks at one key of several. The activation `a[0]` says how well that key fits.


# %%
def attends(a: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """What a head fetches from the first of eight keys; a is what the keys say."""
    scores = torch.cat([6 * a, torch.zeros(7)])
    return scores.softmax(dim=0)[0]


strength, nothing = torch.ones(1, requires_grad=True), torch.zeros(1)
(plain,) = torch.autograd.grad(attends(strength), strength)
print(f"gradient × activation {(plain * strength).item():.3f}")
for steps in (1, 2, 4, 16):
    print(f"integrated, {steps:2} steps  {integrated_gradients(attends, strength, steps).item():.3f}")
print(f"ablation              {(attends(strength) - attends(nothing)).item():.3f}")

# %% [markdown]
# The gradient sees a small part of the effect; the integral has nearly all of it with a few steps. In the model, the way from nothing to everything is taken by all latents of layer 0 together.

# %%
integrated = evals.latent_attribution(model, source, target, few, where=counted, steps=config.steps)
together = torch.nonzero((joint >= config.least_tokens).cpu())
drawn = together[torch.randperm(len(together), generator=torch.Generator().manual_seed(0))[: config.n_random_pairs]]
few_lists = {"where": repeats.second[: config.attribution_rows], "source_at": repeats.followed[: config.attribution_rows]}
random_pairs = evals.ablations(model, source, target, few, drawn.tolist(), **few_lists).table

# %% tags=["expected"]
estimates = {"gradient": attribution, "integrated": integrated}
for what, one in estimates.items():
    total = one.total[drawn[:, 0], drawn[:, 1]].numpy()
    share = one.share[drawn[:, 0], drawn[:, 1]].numpy()
    fine = random_pairs["drop"].notna().to_numpy()
    print(
        f"{what:11} rank correlation with what is lost on all words {spearmanr(total, random_pairs['lost']).statistic:.2f}, "
        f"with the drop at the pair's own words {spearmanr(share[fine], random_pairs['drop'][fine]).statistic:.2f}; "
        f"lost for each unit attributed: {(total * random_pairs['lost']).sum() / (total**2).sum():.2f} (least squares)"
    )

# %%
scale = attribution.fired[drawn[:, 1]].numpy()
draw_pairs(
    {what: (one.total[drawn[:, 0], drawn[:, 1]].numpy() / scale, random_pairs["lost"].to_numpy() / scale) for what, one in estimates.items()},
    f"Attribution against ablation, {len(drawn)} random pairs: the order is mostly right, the size is not",
    axes=("attributed, as a share of what the target fires", "lost without the source, as a share"),
)

# %% [markdown]
# **Analysis.** Over random pairs, chosen for nothing but firing together, attribution orders them much as the ablation does. (Below 0 is a target that fires *more* without the source.) The size is another matter. For each unit that the plain gradient attributes, more than one is lost:
# saturation and thresholds, as in question 5.B. Integrated gradients correct for the first, and err a little to the other side: their way from nothing to everything passes through states of the model in which *all* of layer 0 is dimmed,
# which no ablation of one latent visits. They order the pairs about as well or a little better, and cost as many backward passes as they have steps. So: gradients to find candidates, integrated gradients if their sizes matter, ablations before you claim anything.
#
# ## Part 5: through what, and from where

# %% [markdown] exercise="5.8" difficulty=3 importance=4 minutes=9
# ### Exercise 5.8: K-, Q- or V-composition?
#
# A head of layer 1 reads the stream three times: for queries, keys and values. Which of the three carries the effect? Let the ablation reach
# **one of them** alone: run the model with the source latent ablated and keep what the target's layer computes as its queries (`"q"`), keys (`"k"`) or
# values (`"v"`); then run the model as it is, with only that put in place.


# %%
def through_one_input(
    model, source: Site, target: Site, tokens: Int[Tensor, "rows pos"], latent: int, part: str
) -> Float[Tensor, "rows pos d_target"]:
    """The target's latents when a source latent is ablated, but only the queries, keys or values know of it."""
    # TODO: an ablated run that keeps queries, keys or values; a clean run that is given them
    ### BEGIN SOLUTION
    reads, kept = target.hook_point.replace("hook_z", f"hook_{part}"), {}

    def ablate(z: Tensor, hook) -> Tensor:
        a = source.sae.encode(z)
        changed = a.clone()
        changed[..., latent] = 0
        return z + source.sae.decode(changed) - source.sae.decode(a)

    def keep(value: Tensor, hook) -> None:
        kept["ablated"] = value

    def put(value: Tensor, hook) -> Tensor:
        return kept["ablated"]

    def read(z: Tensor, hook) -> None:
        kept["b"] = target.sae.encode(z)

    with torch.no_grad():
        model.run_with_hooks(tokens, return_type=None, fwd_hooks=[(source.hook_point, ablate), (reads, keep)])
        model.run_with_hooks(tokens, return_type=None, fwd_hooks=[(reads, put), (target.hook_point, read)])
    return kept["b"]
    ### END SOLUTION


check.through_one_input(through_one_input)

# %% [markdown] tags=["hint"]
# The hook points are `blocks.1.attn.hook_q`, `…hook_k` and `…hook_v`, beside the target's `…hook_z`.

# %% [markdown] tags=["hint"]
# Two runs. In the first, exercise 5.6's hook at the source and one at the reading hook point that keeps the value. In the second, **no** hook at the
# source; one at the reading hook point that returns what was kept, and one at the target that reads.

# %% [markdown]
# Predict, for the confirmed pairs: what is left of the drop when only the keys know that the source is gone? Only the queries? The values?

# %%
rows = []
best = confirmed.head(8)
clean = evals.latent_activations(target.sae, evals.harvest(model, test_tokens, target.hook_point))
lower_test = evals.latent_activations(source.sae, evals.harvest(model, test_tokens, source.hook_point))
place = torch.from_numpy(test.followed).to(device).clamp(min=0)  # the place to look at
counts = torch.from_numpy(test.second).to(device)
for one, other in zip(best["source"], best["target"], strict=True):
    fires_at = lower_test[torch.arange(len(place), device=device)[:, None], place, one] > 0
    on = counts & fires_at & (clean[..., other] > 0)
    kept = {part: through_one_input(model, source, target, test_tokens, int(one), part)[..., other][on].sum() for part in "qkv"}
    kept["all three"] = without_latent(model, source, target, test_tokens, int(one))[..., other][on].sum()
    rows.append({"source": one, "target": other} | {part: float(1 - value / clean[..., other][on].sum()) for part, value in kept.items()})
through = pd.DataFrame(rows)
through.style.format("{:.2f}", subset=["q", "k", "v", "all three"]).hide(axis="index")

# %% tags=["expected"]
print("mean drop, ± standard deviation over the pairs:", *(f"{part} {through[part].mean():.2f} ± {through[part].std():.2f} " for part in ("q", "k", "v", "all three")))

# %% [markdown]
# **Analysis.** Mostly through the keys, as question 5.A predicted: the target's head no longer finds its place. Hardly anything goes through the queries. A part goes through the values: what layer 0 wrote at the place is also *copied*, and the layer 1 latent reads
# some of it. The three need not sum to the whole, and don't: each is measured with the other two intact, and a place that isn't looked at has no value to lose.

# %% [markdown] exercise="5.9" difficulty=2 importance=4 minutes=6
# ### Exercise 5.9: which token did it come from?
#
# With the attention pattern as it is, a head's output at a place is a sum over the tokens it looks at: $z_h = \sum_s A_h(s)\, v_h(s)$. A
# latent's encoder takes the dot product of the heads' outputs with its direction. So its pre-activation is a sum over heads and source tokens, up to
# what depends on neither (`b_enc`, and `b_dec` where it is subtracted first). Give its terms: this is **direct feature attribution**.


# %%
def direct_attribution(
    pattern: Float[Tensor, "head from"],
    values: Float[Tensor, "from head d_head"],
    direction: Float[Tensor, " d_in"],
) -> Float[Tensor, "head from"]:
    """What each head adds to the latent's pre-activation, from each source token; `direction` is its encoder vector."""
    # TODO: attention × (value · the head's part of the direction)
    ### BEGIN SOLUTION
    by_head = direction.unflatten(0, (values.shape[1], -1))
    return pattern * torch.einsum("shd,hd->hs", values, by_head)
    ### END SOLUTION


check.direct_attribution(direct_attribution)

# %% [markdown] tags=["hint"]
# Cut the direction as in exercise 5.2, `[head d_head]`. `torch.einsum("shd,hd->hs", values, by_head)` is each value's dot product with its
# head's part.

# %%
pair = best.iloc[0]
one, other = int(pair["source"]), int(pair["target"])
fires_at = lower_test[torch.arange(len(place), device=device)[:, None], place, one] > 0
lost = clean[..., other] - without_latent(model, source, target, test_tokens, one)[..., other]
line, at = divmod(int((lost * (counts & fires_at)).argmax()), lost.shape[1])  # where the ablation costs most
line_tokens = test_tokens[line]
with torch.no_grad():
    _, cache = model.run_with_cache(line_tokens[None], return_type=None)
pattern, values = cache["blocks.1.attn.hook_pattern"][0], cache["blocks.1.attn.hook_v"][0]


def encoder_direction(sae, z: Float[Tensor, "rows pos head d_head"], latent: int, at: int) -> Float[Tensor, " d_in"]:
    """What an active latent's activation multiplies z with: its encoder vector, whatever the architecture does to it."""
    z = z.detach().requires_grad_()
    return torch.autograd.grad(sae.encode(z)[0, at, latent], z)[0][0, at].flatten()


direction = encoder_direction(target.sae, cache[target.hook_point], other, at)
direct = direct_attribution(pattern[:, at], values, direction)
firing = torch.nonzero(clean[line, :, other] > 0).flatten().tolist()
constants = [float(clean[line, t, other] - direct_attribution(pattern[:, t], values, direction).sum()) for t in firing]
print(f"latent {other} at {model.tokenizer.decode([int(line_tokens[at])])!r}, place {at}: activation {float(clean[line, at, other]):.3f}, sum of the terms {float(direct.sum()):.3f}")
print(f"what is left is a constant: {min(constants):.4f} to {max(constants):.4f} at the {len(firing)} places of this row where the latent fires")
best_terms = direct.flatten().topk(4)
for value, where in zip(best_terms.values.tolist(), best_terms.indices.tolist(), strict=True):
    head, from_place = divmod(where, len(line_tokens))
    around = [model.tokenizer.decode([int(token)]) for token in line_tokens[max(from_place - 1, 0) : from_place + 1]]
    print(f"  {value:+.3f} from place {from_place:3} ({' '.join(around)}), through head {name(1, head)}")

# %% [markdown]
# What was copied is at the place after the word's first occurrence. And which *latent* there made the head look at it? The terms of the gradient attribution, before they
# are summed over source tokens, say so.

# %%
by_token = evals.attribution_by_token(model, source, target, line_tokens, other, at, steps=config.steps)
for value, where in zip(*(part.tolist() for part in by_token.flatten().topk(5)), strict=True):
    from_place, latent = divmod(where, by_token.shape[1])
    around = [model.tokenizer.decode([int(token)]) for token in line_tokens[max(from_place - 1, 0) : from_place + 1]]
    print(f"  {value:+.3f} from place {from_place:3} ({' '.join(around)}), latent {latent:4} of layer 0, previous-token score {by_previous[latent]:.2f}")
print(f"the pair's own source, latent {one}, at all places: {float(by_token[:, one].sum()):+.3f}; lost when it is ablated: {float(lost[line, at]):.3f}")

# %% [markdown]
# **Analysis.** The direct terms sum to the latent's activation up to a constant: with the attention pattern held fixed, a head is linear. They say *what* was copied, and through which head. They can't say why the
# head looked there; the second list does, latent by latent, and several share the work even here. An attribution at a single place is a rougher estimate than one summed over many.
#
# ### The circuit, drawn
#
# Latents are named by the words they stand for: a source by the previous words after which it is strongest, a target by the words that are copied where it is strongest.


# %%
def named(values: Float[Tensor, " n"], tokens: Int[Tensor, " n"], most: int = 2) -> str:
    """The tokens on which the values have the highest mean."""
    groups, which = tokens.unique(return_inverse=True)
    sums = torch.zeros(len(groups), device=values.device).index_add(0, which, values)
    best = (sums / torch.bincount(which)).topk(most).indices
    return " / ".join(model.tokenizer.decode([int(token)]).strip() for token in groups[best])


copied = tokens[:, 1:][masks[1][:, :-1]]  # the word after each place of the second list: what is to be copied
source_names = {int(i): f"{int(i)}: after “{named(lower[:, i], before)}”" for i in confirmed["source"].unique()}
target_names = {int(j): f"{int(j)}: “{named(latents[1][:, :-1][masks[1][:, :-1]][:, j], copied)}” comes again" for j in confirmed["target"].unique()}
graph = evals.circuit(attribution, ablated, labels=(source_names, target_names), least_tokens=config.least_tokens)
graph.figure(f"{len(graph.edges)} pairs of latents in which the target loses more than half without the source")

# %% [markdown] question="5.C" difficulty=3 importance=3 minutes=4
# ### Question 5.C: is this *the* induction circuit?
#
# Look at the picture, the table of drops and the candidates' number. What has been shown, and what not? Name a further experiment that would make you surer, and one that could
# prove the picture wrong.

# %% [markdown] tags=["answer"]
# Shown: on lists of frequent words, for these pairs, the target depends on the source, mostly through the keys, and much less on other latents that fire as often, or at the same places. Not shown: that these pairs *are* the induction circuit. A few sources stand behind most of the edges;
# most candidates lose less than half, since several latents share the work; the SAEs' errors carry some of it unseen; the words are frequent ones; and the thresholds were ours. Surer: the same on stories, or *sufficiency*: switch all latents of layer 0 off but the
# circuit's, and see whether the targets still fire. It could be proven wrong by a patch in the other direction: write a source latent in at a place after *another* word. If the picture is right, the target must now fire there.

# %% [markdown]
# ## Part 6: L0, width, and another model
#
# What follows was recorded at mini scale (three seeds each; the same measurements as above).
#
# ### How many latents share the work?
#
# The experiment of part 4 with `k` = 4, 8 and 16. Predict: with which is the drop largest, and what does that cost?

# %% tags=["expected"]
circuits = recorded_induction("circuits")
quality = {"loss recovered, layer 0": ".3f", "loss recovered, layer 1": ".3f", "dead, layer 0": ".2f", "previous-token latents": ".0f", "induction latents": ".0f"}
effects = {"mean drop": ".2f", "control": ".3f", "pairs over half": ".1f", "their sources": ".1f", "rank correlation": ".2f", "… integrated": ".2f"}
over_seeds(circuits, "k", quality)

# %% tags=["expected"]
over_seeds(circuits, "k", effects)

# %% [markdown]
# **Analysis.** The smaller `k`, the more a single source latent matters: the mean drop rises, and so does the number of pairs that lose more than half, and of sources behind them. With the preset's own `k` the same computation is there, spread over more latents: each
# pair loses less, and the few confirmed pairs all hang on one source. What it costs stands beside it: loss recovered, and layer 0's dead latents. So "how clean is the circuit?" is partly a question about the SAE, not about the model. The rank correlation holds for every `k`; integrated gradients
# help at the smallest and not at the largest, so the second opinion is no better than the first in general. And mind the spread: the number of confirmed pairs varies by a third to a half of its size from seed to seed.
#
# ### Width: what splits, what dies
#
# The same training with half and with twice as many latents. For every latent of the narrow SAE: how many latents of the wide one have it as their best partner, by their activations on the same
# tokens, with a correlation of at least .3? A latent *splits* when several do. Predict: do twice as many latents mean twice as many previous-token latents?

# %% tags=["expected"]
widths = recorded_induction("widths")
over_seeds(widths, ["layer", "d_sae"], {"explained variance": ".3f", "loss recovered": ".3f", "dead": ".3f"})

# %% tags=["expected"]
over_seeds(widths.query("layer == 0"), "d_sae", {"previous-token latents": ".0f", "words of the median": ".1f", "induction latents": ".0f"})

# %% tags=["expected"]
over_seeds(recorded_induction("splitting"), ["layer", "from", "to"], {"found again": ".2f", "shuffled": ".2f", "split": ".2f", "partners": ".2f"})

# %% [markdown]
# **Analysis.** Twice as many latents explain little more here, and a growing share is dead: at `k` = 8 and this much training, training finds no use for 2,048 latents. The number of previous-token latents hardly grows with the width; the median one fires after one or two words (of
# 128), and sharper ones replace it only at the largest width, if at all. Most latents are *not* found again in an SAE twice as wide: about three in ten have a partner with a correlation of .7. Between a sixth and a third split, more of them in layer 1; that there is about one partner for each says that
# new latents mostly take up what had none, or are dead.
#
# ### Another model, another seed: the same latents?
#
# Two SAEs on one model differ in their seed; two *models* of different training seed have no directions in common. So compare activations: for each latent, the best correlation with one
# of the other SAE's on the same text. The control shuffles the tokens. Predict: what share of latents has a partner with a correlation of .7, in another SAE of this model, and in another model's?

# %% tags=["expected"]
over_seeds(recorded_induction("models"), ["compared", "layer"], {"correlation ≥ .7": ".2f", "shuffled": ".2f", "median": ".2f", "median, shuffled": ".2f"})

# %% [markdown]
# **Analysis.** Another seed of the SAE on the same model: about a quarter of the latents come back with a correlation of .7, none by chance. Another *model*, trained from another seed on the same kind of text: a tenth of layer 0's, and hardly any of layer 1's. Both models have the two heads, and repeat random words as well as each other
# (their scores are in the record's file); how they write it down is another matter. Chance is far below the medians, so that there is something in common even where no latent has a twin. Whoever names "the" latents of a circuit should say in how many SAEs, and models, they were looked for.

# %% tags=["headline"]
print(
    f"{len(confirmed)} pairs of latents in which the layer 1 latent loses more than half without the layer 0 latent (control: {means['control']:.1%}), "
    f"if only the keys know, {through['k'].mean() / through['all three'].mean():.0%} of the drop is left"
)

# %% [markdown]
# ## What to take along
#
# | you read | ask |
# |---|---|
# | "this latent is part of the circuit" | what happens without it, and without another one that fires as often? |
# | "attribution says …" | is attention saturated? what does the ablation say, over *random* pairs? |
# | "an induction latent" | by which score, on which text? does it do the same on other text? |
# | "they compose" | through queries, keys or values? what is left when only these are changed? |
# | "we found the same latent" | by direction or by activation? and how good is the best of a thousand by chance? |
#
# - **A score finds candidates, an ablation with a control decides.**
# - **A smaller L0 makes cleaner circuits and worse reconstructions.** Know which of the two you need.
# - **What is possible can be read off the architecture** before anything is measured; then measure it.
#
# ### Further reading
#
# - Olsson et al., *In-context Learning and Induction Heads*, 2022; Elhage et al., *A Mathematical Framework for Transformer Circuits*, 2021 (K-, Q- and V-composition).
# - Kissane et al., *Interpreting Attention Layer Outputs with Sparse Autoencoders*, 2024 (SAEs on `hook_z`, direct feature attribution).
# - Marks et al., *Sparse Feature Circuits*, 2024; Sundararajan et al., *Axiomatic Attribution for Deep Networks*, 2017 (integrated gradients).
# - Press et al., *Shortformer*, 2021.
