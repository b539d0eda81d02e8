# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 02a: six SAEs, and what each is for
#
# Chapter 01 ended with a bill: an L1 penalty makes every activation too small, and silences what is weak. Five later
# architectures each claim to mend something: Gated and JumpReLU SAEs the shrinkage, TopK and BatchTopK the tuning of a
# coefficient, Matryoshka SAEs a fault that no loss curve shows. You will write all of them, each a few lines over one common
# class, check them against SAELens' own, and lay them side by side in a world whose features are known.
#
# By the end you can
# - write the loss or the activation function of six architectures, and say what each term is for;
# - give a threshold a gradient that it doesn't have;
# - compare SAEs fairly: equal sparsity, equal data, several seeds, with baselines beside them;
# - say why the SAE that reconstructs best need not be the one that found the features.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | one class for all, and what a sparsity penalty buys | 6 |
# | 2 | firing and strength as two decisions: Gated, JumpReLU | 23 |
# | 3 | keeping the largest: TopK, BatchTopK, Matryoshka | 30 |
# | 4 | the comparison | 12 |
#
# You need chapter 01's ideas, not its code.

# %%
import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sae_course.checks import ch02a as check
from sae_course.data.toy_worlds import KNOWN, crowded_world, family_world
from sae_course.evals.dictionaries import cosines, paired_cosine, scores_table
from sae_course.figures.runs import Curve, draw_panels
from sae_course.runtime import current, generator
from sae_course.training.toys import Pass, ToySAE, saelens_differences, score_toys, squared_error, train_toys
from sae_course.training.toys.config import variants_config
from sae_course.training.toys.recorded import frontiers, recorded_comparison, recorded_table

torch.set_num_threads(1)  # tensors this small run fastest on one core: two would spend their time waiting
device = current().device
config = variants_config()
print(config)

# %% [markdown]
# These are all of this chapter's settings, and the only place where they stand.
#
# ## Part 1: one class, many copies
#
# Everything here is trained as a **batch of instances**: independent worlds, each with an SAE of its own, in one tensor. The
# instance axis stands **first**, `[inst batch d_in]`, because matrix products (`@`) treat leading axes as a batch. A function
# that works on the last two axes then needs no thought about instances at all. (In chapter 01 the batch stood first.)
#
# `ToySAE` holds what all six have in common. Read it once: it is chapter 01's SAE, without the unit-length decoder.

# %%
import inspect

print(inspect.getsource(ToySAE))

# %% [markdown]
# A variant says two things: how it `encode`s, and what it minimises (`training_pass`, which gets the mask of dead latents as
# well). Losses follow SAELens: the squared error is **summed** over `d_in` and averaged over the batch, one number for each
# instance.

# %% [markdown] exercise="2a.1" difficulty=1 importance=4 minutes=3
# ### Exercise 2a.1: an L1 penalty that can't be cheated
#
# Chapter 01 kept the decoder at unit length, so that halving activations and doubling the decoder would not halve the
# penalty. Another way to the same end: leave the decoder alone, and charge each latent for what it *contributes*, its activation
# times the length of its decoder vector (Anthropic, *Circuits Updates*, April 2024):
#
# $$\mathrm{penalty} = \sum_k a_k \lVert W_{dec,k} \rVert$$
#
# Summed over latents, averaged over the batch, one number for each instance.


# %%
def l1_penalty(
    latents: Float[Tensor, "inst batch d_sae"], W_dec: Float[Tensor, "inst d_sae d_in"]
) -> Float[Tensor, " inst"]:
    """What the latents contribute, summed over latents and averaged over the batch."""
    # TODO: each latent's decoder norm; the weighted sum; the mean over the batch
    ### BEGIN SOLUTION
    norms = W_dec.norm(dim=-1)
    return (latents * norms[:, None]).sum(-1).mean(-1)
    ### END SOLUTION


check.l1_penalty(l1_penalty)

# %% [markdown] tags=["hint"]
# `W_dec.norm(dim=-1)` is `[inst d_sae]`. `[:, None]` makes room for the batch axis: `[inst 1 d_sae]`.


# %%
class L1(ToySAE):
    """ReLU and an L1 penalty: the standard SAE. `coefficient` is one number, or one for each instance."""

    def __init__(self, *sizes, coefficient) -> None:
        super().__init__(*sizes)
        self.coefficient = torch.as_tensor(coefficient, device=self.W_dec.device)

    def encode(self, h):
        return F.relu(self.pre_activations(h))

    def training_pass(self, h, dead):
        latents = self.encode(h)
        reconstruction = self.decode(latents)
        loss = squared_error(reconstruction, h) + self.coefficient * l1_penalty(latents, self.W_dec)
        return Pass(latents, reconstruction, loss)


# %% [markdown]
# ### A sweep in one batch
#
# A world with twice as many features as dimensions. The same worlds and the same data for every coefficient: an instance for
# each pair of coefficient and world.

# %%
crowded = crowded_world(config.n_inst, generator("world"))
coefficients = torch.tensor(config.sweep).repeat_interleave(config.n_inst)
print(f"{crowded.n_features} features in {crowded.d_in} dimensions, {crowded.l0:.2f} present in a sample, on average")
print(f"{len(coefficients)} SAEs: {len(config.sweep)} coefficients in each of {config.n_inst} worlds")

# %% [markdown] question="2a.A" difficulty=2 importance=5 minutes=3
# ### Question 2a.A: predict the sweep
#
# As the L1 coefficient rises from nearly nothing, what will happen to the **explained variance**, and what to **recovery**
# (MCC: latents and features paired one to one, mean cosine of the pairs)? Will they rise and fall together?

# %% [markdown] tags=["answer"]
# Explained variance can only fall: the penalty pulls away from reconstruction. Recovery does the opposite for most of the way.
# With no pressure, 64 latents in 32 dimensions have room to spare: many dictionaries reconstruct perfectly, using half of their
# latents at a time, and training has no reason to prefer the true one. What singles it out is that it explains each sample with
# *few* latents. So pressure finds it. Under too much pressure features are given up, and recovery falls as well.


# %%
def new_sae(variant: type, n_inst: int, d_in: int, d_sae: int, **settings) -> ToySAE:
    """Untrained SAEs of a variant: the same initial weights for each."""
    return variant(n_inst, d_in, d_sae, generator("sae"), **settings).to(device)


def trained(sae: ToySAE, world, steps: int, lr: float = config.lr) -> ToySAE:
    """Train all instances on the world, with the chapter's settings."""
    train_toys(
        sae,
        world,
        generator("data"),
        steps=steps,
        batch_size=config.batch_size,
        lr=lr,
        decay=config.decay,
        dead_window=config.dead_window,
    )
    return sae


def true_decoder(sae: ToySAE, world) -> ToySAE:
    """The same SAE with the truth as its decoder, which training will not change."""
    copies = len(sae.W_dec) // world.n_inst
    with torch.no_grad():
        sae.W_dec.copy_(world.directions.repeat(copies, 1, 1))
        sae.W_enc.copy_(sae.W_dec.transpose(1, 2))
    sae.W_dec.requires_grad_(False)
    return sae


# %%
sizes = (len(coefficients), crowded.d_in, crowded.n_features)
sweep = score_toys(
    trained(new_sae(L1, *sizes, coefficient=coefficients), crowded, config.sweep_steps),
    crowded,
    generator("evaluation"),
)
ceiling = score_toys(
    trained(true_decoder(new_sae(L1, *sizes, coefficient=coefficients), crowded), crowded, config.sweep_steps // 2),
    crowded,
    generator("evaluation"),
)

# %% tags=["expected"]
random = F.normalize(torch.randn(crowded.directions.shape, generator=generator("random")), dim=-1).to(device)
chance = paired_cosine(cosines(random, crowded.directions)).mean().item()


def over_worlds(values: Float[Tensor, " inst"], name: str, control: bool = False) -> Curve:
    """A metric against the coefficient: mean over worlds, band from smallest to largest."""
    table = values.view(-1, config.n_inst).cpu().numpy()
    return Curve(name, config.sweep, table.mean(1), table.min(1), table.max(1), control)


draw_panels(
    {
        "explained variance": [
            over_worlds(sweep.explained_variance, "trained"),
            over_worlds(ceiling.explained_variance, "true decoder", control=True),
        ],
        "recovery (MCC); grey: a random decoder": [
            over_worlds(sweep.mcc, "trained"),
            Curve("random decoder", config.sweep, [chance] * len(config.sweep), control=True),
        ],
        "L0": [over_worlds(sweep.l0, "trained"), over_worlds(ceiling.l0, "true decoder", control=True)],
        "shrinkage": [
            over_worlds(sweep.shrinkage, "trained"),
            over_worlds(ceiling.shrinkage, "true decoder", control=True),
        ],
    },
    "Explained variance falls while recovery rises",
    along="L1 coefficient",
    log=True,
)

# %% tags=["expected"]
print("coefficient   explained variance   recovery (MCC)     F1               shrinkage        L0")
for i, coefficient in enumerate(config.sweep):
    part = slice(i * config.n_inst, (i + 1) * config.n_inst)
    cells = [getattr(sweep, name)[part] for name in ("explained_variance", "mcc", "f1", "shrinkage", "l0")]
    print(f"{coefficient:<14}" + "   ".join(f"{cell.mean():6.3f} ± {cell.std():.3f}" for cell in cells))
print(f"recovery by chance, a random decoder: {chance:.3f}; features present: {crowded.l0:.2f}")

# %% [markdown]
# **Analysis.** Reading the left column alone, one would take the smallest coefficient, and be left with latents that stand for
# nothing. The pressure that finds the features also shrinks the output, and the control says whose fault that is: an SAE
# that *has* the true decoder shrinks as much. At the far end even it explains less and less, while recovery begins to suffer.
#
# F1, how well a latent's firing tells its feature's presence, goes on rising where MCC is long satisfied: directions are found
# before the decision to fire is clean. A good direction with a bad detector is not a feature found.
#
# ### What the batch of instances saves

# %% tags=["expected"]
def steps_per_second(n_inst: int, steps: int = 60) -> float:
    """Training steps of every instance, per second."""
    sae = new_sae(L1, n_inst, crowded.d_in, crowded.n_features, coefficient=0.1)
    world = crowded.of([i % config.n_inst for i in range(n_inst)])
    trained(sae, world, 5)
    start = time.perf_counter()
    trained(sae, world, steps)
    return n_inst * steps / (time.perf_counter() - start)


one, all_at_once = steps_per_second(1), steps_per_second(len(coefficients))
print(f"one SAE at a time: {one:.0f} steps per second; {len(coefficients)} at once: {all_at_once:.0f} SAE-steps per second")

# %% [markdown]
# **Analysis.** At this size a step is mostly overhead, which instances share. How much it saves depends on the machine and on what
# else it does: where a single small SAE already fills it, nothing is left to gain. What stays is convenience: a sweep with
# seeds is one call.
#
# ## Part 2: does it fire, and how strongly?
#
# An L1 penalty pulls on the *size* of an activation, because firing or not has no gradient. Two architectures separate the
# questions.

# %% [markdown] exercise="2a.2" difficulty=2 importance=4 minutes=6
# ### Exercise 2a.2: the gated encoder
#
# A gated SAE (Rajamanoharan et al., 2024) reads its input twice, with the same encoder directions. With $x = h - b_{dec}$:
#
# $$\pi = x W_{enc} + b_{gate} \qquad m = \mathrm{ReLU}\big(e^{r_{mag}} \cdot (x W_{enc}) + b_{mag}\big) \qquad a = [\pi > 0] \cdot m$$
#
# $\pi$ decides whether a latent fires, $m$ how strongly. The second path has a scale $e^{r_{mag}}$ and a bias of its own for each
# latent; it does not contain $b_{gate}$. Return $\pi$ and $a$.


# %%
def gated_latents(
    x: Float[Tensor, "inst batch d_in"],
    W_enc: Float[Tensor, "inst d_in d_sae"],
    b_gate: Float[Tensor, "inst d_sae"],
    b_mag: Float[Tensor, "inst d_sae"],
    r_mag: Float[Tensor, "inst d_sae"],
) -> tuple[Float[Tensor, "inst batch d_sae"], Float[Tensor, "inst batch d_sae"]]:
    """The gate's pre-activations, and the latents."""
    # TODO: one product; two affine functions of it; the gate times the magnitude
    ### BEGIN SOLUTION
    product = x @ W_enc
    gate = product + b_gate[:, None]
    magnitude = F.relu(product * r_mag.exp()[:, None] + b_mag[:, None])
    return gate, (gate > 0) * magnitude
    ### END SOLUTION


check.gated_latents(gated_latents)

# %% [markdown] tags=["hint"]
# Compute `x @ W_enc` once: `[inst batch d_sae]`. Everything of shape `[inst d_sae]` needs `[:, None]` beside it.

# %% [markdown] exercise="2a.3" difficulty=3 importance=4 minutes=6
# ### Exercise 2a.3: the gated loss
#
# $[\pi > 0]$ has no gradient, so the reconstruction can't teach the gate anything. It needs a loss of its own, in which
# $\mathrm{ReLU}(\pi)$ takes the latents' place:
#
# $$L = \underbrace{\lVert \hat h - h \rVert^2}_{\text{reconstruction}} + \lambda \underbrace{\sum_k \mathrm{ReLU}(\pi_k) \lVert W_{dec,k} \rVert}_{\text{sparsity, of the gate}} + \underbrace{\lVert \mathrm{ReLU}(\pi) W_{dec} + b_{dec} - h \rVert^2}_{\text{auxiliary: the gate alone}}$$
#
# The penalty never touches the magnitudes: nothing shrinks them. The decoder learns from all three terms (the paper stops the
# last one's gradient there; SAELens does not). Use `l1_penalty` and `squared_error`.


# %%
def gated_loss(
    h: Float[Tensor, "inst batch d_in"],
    reconstruction: Float[Tensor, "inst batch d_in"],
    gate: Float[Tensor, "inst batch d_sae"],
    W_dec: Float[Tensor, "inst d_sae d_in"],
    b_dec: Float[Tensor, "inst d_in"],
    coefficient: float,
) -> Float[Tensor, " inst"]:
    """Reconstruction, sparsity of the gate, and the gate's own reconstruction."""
    # TODO: the three terms
    ### BEGIN SOLUTION
    opened = F.relu(gate)
    by_gate = opened @ W_dec + b_dec[:, None]
    return squared_error(reconstruction, h) + coefficient * l1_penalty(opened, W_dec) + squared_error(by_gate, h)
    ### END SOLUTION


check.gated_loss(gated_loss)

# %% [markdown] tags=["hint"]
# `F.relu(gate)` stands in for the latents twice: in the penalty, and in the auxiliary reconstruction.


# %%
class Gated(ToySAE):
    """One path for whether, one for how strongly."""

    def __init__(self, *sizes, coefficient: float) -> None:
        super().__init__(*sizes)
        self.coefficient = coefficient
        self.b_gate, self.b_mag, self.r_mag = (nn.Parameter(torch.zeros_like(self.b_enc)) for _ in range(3))
        del self.b_enc  # each path has a bias of its own

    def both(self, h):
        return gated_latents(h - self.b_dec[:, None], self.W_enc, self.b_gate, self.b_mag, self.r_mag)

    def encode(self, h):
        return self.both(h)[1]

    def training_pass(self, h, dead):
        gate, latents = self.both(h)
        reconstruction = self.decode(latents)
        loss = gated_loss(h, reconstruction, gate, self.W_dec, self.b_dec, self.coefficient)
        return Pass(latents, reconstruction, loss)


# %% [markdown] question="2a.B" difficulty=2 importance=3 minutes=3
# ### Question 2a.B: does the gate not shrink?
#
# The penalty does pull $\pi$ towards zero, and the auxiliary loss is chapter 01's, with chapter 01's shrinkage. Why does it not
# matter?

# %% [markdown] tags=["answer"]
# Only the *sign* of $\pi$ is used in the reconstruction. A gate that is too small but positive opens as wide as any. What
# shrinkage there costs is at the edge: inputs so weak that the shrunken gate falls below zero are still lost, as with the L1
# penalty. The magnitude path sees reconstruction error only, and learns a scale and a bias that are right *given* that it
# fires.

# %% [markdown] exercise="2a.4" difficulty=3 importance=5 minutes=8
# ### Exercise 2a.4: a gradient for a threshold
#
# A JumpReLU SAE (Rajamanoharan et al., *Jumping Ahead*, 2024) gives each latent a threshold $\theta$ that is learned, and charges
# for *firing*, whatever the strength:
#
# $$a = z \cdot [z > \theta] \qquad L = \lVert \hat h - h \rVert^2 + \lambda \sum_k [z_k > \theta_k]$$
#
# with $z$ the pre-activation. Both are steps in $\theta$: flat, and at one point infinitely steep. The derivative is zero almost
# everywhere, and says nothing. A **straight-through estimator** blurs the step: it pretends that the step is spread evenly over a
# window of width $\varepsilon$ around the threshold. With $K = 1$ if $|z - \theta| < \varepsilon/2$, else 0:
#
# $$\frac{\partial\, [z > \theta]}{\partial \theta} := -\frac{1}{\varepsilon} K \qquad\qquad \frac{\partial\, z [z > \theta]}{\partial \theta} := -\frac{\theta}{\varepsilon} K$$
#
# Return the two, for every entry.


# %%
def threshold_gradients(
    pre: Float[Tensor, "inst batch d_sae"],
    threshold: Float[Tensor, "inst 1 d_sae"],
    bandwidth: float,
) -> tuple[Float[Tensor, "inst batch d_sae"], Float[Tensor, "inst batch d_sae"]]:
    """Estimated derivatives by the threshold: of the step, and of the jump."""
    # TODO: what lies within half a bandwidth of the threshold; the two estimates there
    ### BEGIN SOLUTION
    near = ((pre - threshold).abs() < bandwidth / 2).to(pre)
    return -near / bandwidth, -near * threshold / bandwidth
    ### END SOLUTION


check.threshold_gradients(threshold_gradients)

# %% [markdown] tags=["hint"]
# `(pre - threshold).abs() < bandwidth / 2` is the window, as booleans; `.to(pre)` makes numbers of them. The second estimate is the
# first times the threshold.

# %% [markdown]
# By hand, on three numbers: one far below the threshold, one just above it, one far above.

# %% tags=["expected"]
three = torch.tensor([0.1, 0.52, 2.0]).view(1, 1, 3)
for name, values in zip(
    ("pre", "step", "jump"), (three, *threshold_gradients(three, torch.full((1, 1, 3), 0.5), 0.1)), strict=True
):
    print(f"{name:5}", [round(value, 2) for value in values.flatten().tolist()])

# %% [markdown]
# Only the middle one moves its threshold. With the step it says: raise $\theta$ by $d\theta$, and of the samples spread over a window
# of .1, a share of $d\theta/.1$ stops firing. With the jump: each that stops takes its activation, about $\theta$, out of the sum.
#
# PyTorch is told through a `Function` with a backward pass of its own. The gradient for `pre` is the ordinary one.


# %%
class StepFunction(torch.autograd.Function):
    """[pre > threshold], with an estimated gradient for the threshold."""

    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return (pre > threshold).to(pre)

    @staticmethod
    def backward(ctx, gradient):
        pre, threshold = ctx.saved_tensors
        step, _ = threshold_gradients(pre, threshold, ctx.bandwidth)
        return None, (step * gradient).sum_to_size(threshold.shape), None


class JumpFunction(torch.autograd.Function):
    """pre where it exceeds the threshold, with an estimated gradient for the threshold."""

    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * (pre > threshold)

    @staticmethod
    def backward(ctx, gradient):
        pre, threshold = ctx.saved_tensors
        _, jump = threshold_gradients(pre, threshold, ctx.bandwidth)
        return (pre > threshold) * gradient, (jump * gradient).sum_to_size(threshold.shape), None


class JumpReLU(ToySAE):
    """A learned threshold for each latent; each firing costs the same."""

    def __init__(self, *sizes, coefficient: float, threshold: float, bandwidth: float) -> None:
        super().__init__(*sizes)
        self.coefficient, self.bandwidth = coefficient, bandwidth
        self.threshold = nn.Parameter(torch.full_like(self.b_enc, threshold))

    def encode(self, h):
        pre = self.pre_activations(h)
        return F.relu(pre) * (pre > self.threshold[:, None])

    def training_pass(self, h, dead):
        with torch.no_grad():
            self.threshold.clamp_(min=0)
        pre, threshold = self.pre_activations(h), self.threshold[:, None]
        latents = JumpFunction.apply(pre, threshold, self.bandwidth)
        l0 = StepFunction.apply(pre, threshold, self.bandwidth).sum(-1).mean(-1)
        reconstruction = self.decode(latents)
        return Pass(latents, reconstruction, squared_error(reconstruction, h) + self.coefficient * l0)


# %% [markdown]
# ### A world with families
#
# From here on the world is harder: three generations of features. A root's child is present only when the root is, and
# siblings exclude each other; roots differ in frequency, and neighbours are correlated. There are more features than latents:
# an SAE of the first two generations' size has no room for the third.

# %%
world = family_world(config.n_inst, generator("world"))
rates = world.presence
print(f"{world.n_features} features in {world.d_in} dimensions, {world.l0:.2f} present on average")
print(f"the first {KNOWN}, for which the SAEs have room: {rates[:KNOWN].sum():.2f} present on average")
print(f"a root is present in {rates[0]:.0%} to {rates[15]:.0%} of the samples")

# %% [markdown]
# Predict: at the same L0, which of the three will shrink? (Shrinkage is the mean over samples of $\lVert\hat h\rVert / \lVert h\rVert$, as SAELens'
# toy evaluations have it; chapter 01 took the ratio of the sums.)

# %%
size = (config.n_inst, world.d_in, config.d_sae)
saes = {
    "L1": trained(new_sae(L1, *size, coefficient=config.l1), world, config.steps),
    "Gated": trained(new_sae(Gated, *size, coefficient=config.gate_l1), world, config.steps),
    "JumpReLU": trained(
        new_sae(JumpReLU, *size, coefficient=config.l0, threshold=config.threshold, bandwidth=config.bandwidth),
        world,
        config.steps,
    ),
}


def scores(names: Sequence[str]):
    """The named SAEs on samples that no training saw."""
    return {name: score_toys(saes[name], world, generator("evaluation")) for name in names}


# %% tags=["expected"]
scores_table(scores(["L1", "Gated", "JumpReLU"]), ["l0", "shrinkage", "explained_variance"])

# %% [markdown]
# **Analysis.** At about the same L0, the penalty on size costs the L1 SAE a good part of its output, and explained variance
# with it. The two that decide first and measure afterwards give most of it back. Why not all? What no latent stands for, here the
# third generation, is missing from the output of *every* SAE of this width, and shrinkage is a ratio of lengths.
#
# ## Part 3: keeping the largest
#
# All three so far have a coefficient, and what L0 it buys is found by trying. These have none: they are told how many.

# %% [markdown] exercise="2a.5" difficulty=1 importance=4 minutes=4
# ### Exercise 2a.5: TopK
#
# Of each sample's pre-activations keep the `k` largest, where they are positive; everything else is 0 (Gao et al., *Scaling and
# evaluating sparse autoencoders*, 2024).


# %%
def topk(pre: Float[Tensor, "inst batch d_sae"], k: int) -> Float[Tensor, "inst batch d_sae"]:
    """The k largest of each sample, as far as they are positive."""
    # TODO: the largest and their places; a tensor of zeros with these put back
    ### BEGIN SOLUTION
    values, places = pre.topk(k, dim=-1)
    return torch.zeros_like(pre).scatter(-1, places, F.relu(values))
    ### END SOLUTION


check.topk(topk)

# %% [markdown] tags=["hint"]
# `values, places = pre.topk(k, dim=-1)`; `torch.zeros_like(pre).scatter(-1, places, values)` puts values at places.

# %% [markdown] exercise="2a.6" difficulty=4 importance=4 minutes=9
# ### Exercise 2a.6: AuxK
#
# A latent that is never among the largest gets no gradient, and stays where it is. **AuxK** lets the dead ones explain what the
# live ones left over:
#
# - `residual` is $h - \hat h$, detached already;
# - on each sample, of the **dead** latents the `d_in // 2` with the largest pre-activations take part (fewer if fewer are dead),
#   with these pre-activations *as they are*, negative ones too;
# - each writes its decoder vector **at unit length**, no bias: $\hat e$;
# - the loss is $\lVert \hat e - e \rVert^2$, summed over `d_in`, averaged over the batch, and multiplied by
#   $\min(1, n_{dead} / (d_{in} // 2))$: few dead latents must not weigh as much as many. 0 for an instance with none.


# %%
def auxk_loss(
    residual: Float[Tensor, "inst batch d_in"],
    pre: Float[Tensor, "inst batch d_sae"],
    dead: Bool[Tensor, "inst d_sae"],
    W_dec: Float[Tensor, "inst d_sae d_in"],
) -> Float[Tensor, " inst"]:
    """How badly the dead latents explain what the live ones left over."""
    # TODO: hide the live; keep the largest of the dead; their reconstruction of the residual; the scale
    ### BEGIN SOLUTION
    most = residual.shape[-1] // 2
    hidden = pre.masked_fill(~dead[:, None], -torch.inf)
    values, places = hidden.topk(most, dim=-1)
    values = torch.where(values > -torch.inf, values, 0)
    kept = torch.zeros_like(pre).scatter(-1, places, values)
    explained = kept @ F.normalize(W_dec, dim=-1)
    scale = (dead.sum(-1) / most).clamp(max=1)
    return scale * squared_error(explained, residual)
    ### END SOLUTION


check.auxk_loss(auxk_loss)

# %% [markdown] tags=["hint"]
# `pre.masked_fill(~dead[:, None], -torch.inf)` hides the live latents. An instance with fewer dead latents than you ask for gives
# values of $-\infty$: make them 0 before they meet a matrix.

# %% [markdown] tags=["hint"]
# `(dead.sum(-1) / most).clamp(max=1)` is the scale, `[inst]`. With no dead latents it is 0, and so is the loss.


# %%
class TopK(ToySAE):
    """Keeps the largest contributions. `auxiliary` says whether dead latents are revived."""

    def __init__(self, *sizes, k: int, auxiliary: bool = True) -> None:
        super().__init__(*sizes)
        self.k, self.auxiliary = k, auxiliary

    def pre_activations(self, h):
        return super().pre_activations(h) * self.W_dec.norm(dim=-1)[:, None]  # what it would contribute

    def decode(self, latents):
        return latents @ F.normalize(self.W_dec, dim=-1) + self.b_dec[:, None]

    def keep(self, pre):
        return topk(pre, self.k)

    def encode(self, h):
        return self.keep(self.pre_activations(h))

    def training_pass(self, h, dead):
        pre = self.pre_activations(h)
        latents = self.keep(pre)
        reconstruction = self.decode(latents)
        loss = squared_error(reconstruction, h)
        if self.auxiliary:
            loss = loss + auxk_loss((h - reconstruction).detach(), pre, dead, self.W_dec)
        return Pass(latents, reconstruction, loss)


# %% [markdown]
# Latents die where there are many of them. So for this experiment, as many latents as features, and a slower learning rate.
# Predict: how many die without AuxK, and will explained variance tell?

# %%
wide = (config.n_inst, world.d_in, config.wide)
for name, auxiliary in (("without AuxK", False), ("with AuxK", True)):
    sae = new_sae(TopK, *wide, k=config.k, auxiliary=auxiliary)
    saes[f"{config.wide} latents, {name}"] = trained(sae, world, config.wide_steps, lr=config.wide_lr)

# %% tags=["expected"]
both = [f"{config.wide} latents, {name}" for name in ("without AuxK", "with AuxK")]
scores_table(scores(both), ["l0", "dead", "explained_variance", "mcc", "f1"])

# %% [markdown]
# **Analysis.** The control differs in one term, and in most of its dead latents. Explained variance hardly notices: the latents
# that died were those with the least left to explain. What counts features notices more.
#
# The TopK SAE for the comparison, at the same width as the others:

# %%
saes["TopK"] = trained(new_sae(TopK, *size, k=config.k), world, config.steps)

# %% [markdown] exercise="2a.7" difficulty=2 importance=4 minutes=5
# ### Exercise 2a.7: BatchTopK
#
# `k` latents for every sample is too many for a plain one and too few for a rich one. BatchTopK (Bussmann et al., 2024) keeps the
# `k * batch` largest of the **whole batch**: `k` on average. Each instance has a batch of its own.


# %%
def batch_topk(pre: Float[Tensor, "inst batch d_sae"], k: int) -> Float[Tensor, "inst batch d_sae"]:
    """The k * batch largest of each instance's batch, as far as they are positive."""
    # TODO: one long row for each instance; the largest; back to the shape
    ### BEGIN SOLUTION
    flat = F.relu(pre).flatten(1)
    values, places = flat.topk(k * pre.shape[1], dim=-1)
    return torch.zeros_like(flat).scatter(-1, places, values).view_as(pre)
    ### END SOLUTION


check.batch_topk(batch_topk)

# %% [markdown] tags=["hint"]
# `.flatten(1)` joins batch and latents, and leaves the instances: `[inst batch*d_sae]`. `.view_as(pre)` undoes it.

# %% [markdown] exercise="2a.8" difficulty=2 importance=5 minutes=5
# ### Exercise 2a.8: a threshold for use
#
# In training, whether a latent fires on your sample depends on the other samples. For use, that won't do. So the SAE keeps a
# threshold: the running mean of **the smallest activation that was kept** in each batch,
#
# $$\theta \leftarrow (1 - \rho)\, \theta + \rho \cdot \min_{a > 0} a$$
#
# and fires above it. One threshold for each instance; an instance where nothing fired keeps its own.


# %%
def update_threshold(
    threshold: Float[Tensor, " inst"], latents: Float[Tensor, "inst batch d_sae"], rate: float
) -> Float[Tensor, " inst"]:
    """The threshold after a batch: moved towards the smallest activation above 0."""
    # TODO: the smallest positive activation of each instance; the running mean; nothing fired
    ### BEGIN SOLUTION
    smallest = torch.where(latents > 0, latents, torch.inf).flatten(1).amin(-1)
    return torch.where(smallest < torch.inf, (1 - rate) * threshold + rate * smallest, threshold)
    ### END SOLUTION


check.update_threshold(update_threshold)

# %% [markdown] tags=["hint"]
# `torch.where(latents > 0, latents, torch.inf)` makes silent latents infinitely large, so that they are never the smallest;
# `.flatten(1).amin(-1)` is `[inst]`, and infinite where nothing fired.


# %%
class BatchTopK(TopK):
    """Keeps k latents on average; a threshold takes the batch's place in use."""

    def __init__(self, *sizes, k: int, threshold_rate: float) -> None:
        super().__init__(*sizes, k=k)
        self.threshold, self.threshold_rate = torch.zeros_like(self.b_enc[:, 0]), threshold_rate

    def keep(self, pre):
        return batch_topk(pre, self.k)

    def encode(self, h):
        pre = self.pre_activations(h)
        return F.relu(pre) * (pre > self.threshold[:, None, None])

    def training_pass(self, h, dead):
        result = super().training_pass(h, dead)
        self.threshold = update_threshold(self.threshold, result.latents.detach(), self.threshold_rate)
        return result


# %% [markdown]
# The threshold starts at 0 and moves by a hundredth of the way at a time. Predict: what is L0 in use after 50 steps, 150,
# and at the end?

# %%
batchtopk = {"k": config.k, "threshold_rate": config.threshold_rate}
for steps in (50, 150):
    saes[f"BatchTopK, {steps} steps"] = trained(new_sae(BatchTopK, *size, **batchtopk), world, steps)
saes["BatchTopK"] = trained(new_sae(BatchTopK, *size, **batchtopk), world, config.steps)

# %% tags=["expected"]
early = ["BatchTopK, 50 steps", "BatchTopK, 150 steps", "BatchTopK"]
for name, found in scores(early).items():
    print(f"{name:22} k {config.k}   L0 in use {found.l0.mean():5.2f}   threshold {saes[name].threshold.mean():.3f}")

# %% [markdown]
# **Analysis.** A young BatchTopK SAE fires far more than it was told to: its threshold has not arrived. Nothing is wrong
# with it, but everything measured on it is measured at the wrong L0. Before you compare one, compare its L0 in use with `k`.

# %% [markdown] exercise="2a.9" difficulty=3 importance=4 minutes=7
# ### Exercise 2a.9: Matryoshka
#
# Let one latent stand for a root when no child is there, and each child's latent write *root plus child*: that saves firing one of
# two latents, the reconstruction is as good, and the root's latent now fires only when no child is there. This is
# **absorption**, and nothing in the losses so far speaks against it.
#
# A Matryoshka SAE (Bussmann et al., 2025) asks more of its first latents: the first 16 must reconstruct as well as they
# can *by themselves*, so must the first 32, and so on. A root among the first 16 can't hide in children that come later.
#
# $$L = \sum_{w \in \text{widths}} \big\lVert a_{<w} W_{dec,<w} + b_{dec} - h \big\rVert^2$$
#
# `W_dec` is given at unit length. The widths need not end with the whole SAE, whose own error the class below has already.


# %%
def matryoshka_loss(
    h: Float[Tensor, "inst batch d_in"],
    latents: Float[Tensor, "inst batch d_sae"],
    W_dec: Float[Tensor, "inst d_sae d_in"],
    b_dec: Float[Tensor, "inst d_in"],
    widths: Sequence[int],
) -> Float[Tensor, " inst"]:
    """The squared errors of the first so many latents, summed over the widths."""
    # TODO: for each width, what its latents reconstruct without the rest
    ### BEGIN SOLUTION
    losses = [
        squared_error(latents[..., :width] @ W_dec[:, :width] + b_dec[:, None], h) for width in widths
    ]
    return torch.stack(losses).sum(0)
    ### END SOLUTION


check.matryoshka_loss(matryoshka_loss)

# %% [markdown] tags=["hint"]
# `latents[..., :width]` are the first latents, `W_dec[:, :width]` their vectors. Each width's reconstruction has the bias.


# %%
class Matryoshka(BatchTopK):
    """A BatchTopK SAE whose first latents have to make do without the rest."""

    def __init__(self, *sizes, widths: Sequence[int], **settings) -> None:
        super().__init__(*sizes, **settings)
        self.widths = widths

    def training_pass(self, h, dead):
        result = super().training_pass(h, dead)
        unit = F.normalize(self.W_dec, dim=-1)
        inner = matryoshka_loss(h, result.latents, unit, self.b_dec, self.widths[:-1])  # the whole SAE's is there
        return result._replace(loss=result.loss + inner)


# %%
saes["Matryoshka"] = trained(new_sae(Matryoshka, *size, widths=config.widths, **batchtopk), world, config.steps)

# %% [markdown]
# ## Part 4: the comparison
#
# ### First: are they what they claim to be?
#
# Each of your six classes beside SAELens' own, with the same random weights, on a batch in which some latents are dead: the
# largest difference in latents, reconstruction, loss and gradients.

# %% tags=["expected"]
small = (2, 12, 20)
SAELENS = {
    "L1": ("standard", L1, 0.3, {}, {}),
    "Gated": ("gated", Gated, 0.3, {}, {}),
    "JumpReLU": ("jumprelu", JumpReLU, 0.3, {"threshold": 0.1, "bandwidth": 0.5}, {"jumprelu_bandwidth": 0.5}),
    "TopK": ("topk", TopK, None, {"k": 3}, {"k": 3}),
    "BatchTopK": ("batchtopk", BatchTopK, None, {"k": 3, "threshold_rate": 0.01}, {"k": 3}),
    "Matryoshka": (
        "matryoshka_batchtopk",
        Matryoshka,
        None,
        {"k": 3, "threshold_rate": 0.01, "widths": (5, 10, 20)},
        {"k": 3, "matryoshka_widths": [5, 10, 20]},
    ),
}
stream = generator("verification", 0)
h = torch.randn(2, 30, 12, generator=stream, device=device)
dead = torch.rand(2, 20, generator=stream, device=device) < 0.3
for name, (architecture, variant, coefficient, mine, theirs) in SAELENS.items():
    settings = mine if coefficient is None else {"coefficient": coefficient, **mine}
    sae = new_sae(variant, *small, **settings)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=stream, device=device))
    found = saelens_differences(sae, h, dead, architecture, coefficient, **theirs)
    print(f"{name:11}" + "   ".join(f"{key} {value:.0e}" for key, value in found._asdict().items()))

# %% [markdown]
# **Analysis.** Rounding errors of 32-bit numbers. From here on a difference between architectures is the architectures', not
# our code's.

# %% [markdown] exercise="2a.10" difficulty=2 importance=5 minutes=7
# ### Exercise 2a.10: F1, a latent as a detector
#
# A cosine says where a latent *points*. Whether it *fires* when its feature is there is another question. For each latent:
# its feature is the one with the largest absolute cosine to its decoder vector; then
#
# - **precision**: of the samples where it fires, the share where the feature is present;
# - **recall**: of the samples where the feature is present, the share where it fires;
# - **F1** $= 2 \cdot \text{precision} \cdot \text{recall} / (\text{precision} + \text{recall})$, and 0 where that isn't defined: a dead latent.


# %%
def detector_f1(
    fires: Bool[Tensor, "inst batch d_sae"],
    present: Bool[Tensor, "inst batch features"],
    cosine: Float[Tensor, "inst d_sae features"],
) -> Float[Tensor, "inst d_sae"]:
    """Each latent's F1 as a detector of the feature nearest to it."""
    # TODO: each latent's feature; its presence, sample by sample; precision and recall
    ### BEGIN SOLUTION
    nearest = cosine.abs().argmax(-1)
    truth = present.gather(2, nearest[:, None].expand(-1, present.shape[1], -1))
    hits = (fires & truth).sum(1).float()
    precision = hits / fires.sum(1).clamp(min=1)
    recall = hits / truth.sum(1).clamp(min=1)
    return 2 * precision * recall / (precision + recall).clamp(min=1e-12)
    ### END SOLUTION


check.detector_f1(detector_f1)

# %% [markdown] tags=["hint"]
# With `nearest` of shape `[inst d_sae]`, `present.gather(2, nearest[:, None].expand(-1, batch, -1))` is `[inst batch d_sae]`: for each latent its
# own feature's presence.

# %% [markdown] tags=["hint"]
# F1 is a ratio of ratios: `.clamp(min=...)` below each fraction gives 0 where nothing was counted.

# %% [markdown] question="2a.C" difficulty=3 importance=5 minutes=5
# ### Question 2a.C: predict the winners
#
# All six at the same L0, the same data, the same width. Which will explain most variance? Which will have the best F1? Which the
# worst? Write it down before you run the next cell.

# %% [markdown] tags=["answer"]
# What speaks for BatchTopK: it minimises nothing but the error, and may spend its budget where it pays most. What speaks
# against it is the same: mixtures are a good way to spend it. Matryoshka pays for its inner losses in explained variance, and
# gets detectors in return. The L1 SAE pays for its shrinkage.

# %% tags=["expected"]
SIX = ["L1", "Gated", "JumpReLU", "TopK", "BatchTopK", "Matryoshka"]
compared = scores(SIX)
scores_table(
    compared, ["l0", "explained_variance", "mcc", "f1", "shrinkage", "dead", "decoder_cosine", "least_decoder_cosine"]
)

# %% [markdown]
# Mean ± standard deviation over the worlds. **Analysis.** The order by explained variance is not the order by F1. The Matryoshka SAE
# is a BatchTopK SAE with more to satisfy: it explains less, and its latents are the best detectors of all. What it lost is
# what mixtures had gained. Among the others, several explain nearly the same, with detectors hardly better than the L1 SAE's, whose
# loss of variance is shrinkage and says nothing of its features.
#
# ### Whole curves, and what lies beneath them
#
# One L0 is one point. Recorded once, with the same architectures, more steps and a range of L0; the band goes from the smallest to the
# largest of the worlds.

# %% tags=["expected"]
record = recorded_comparison()
settings = record["settings"]
print(f"recorded: {settings['n_inst']} worlds, {settings['steps']} steps, batches of {settings['batch_size']}")
draw_panels(
    frontiers(record, SIX, ["explained_variance", "f1", "mcc", "shrinkage"]),
    "What explains most does not detect best",
    along="L0: latents that fire on a sample",
    log=True,
)

# %% [markdown]
# **Analysis.** Explained variance rises with L0 for all: more latents, less error, and no hint at where to stop. F1 rises and
# falls: it is best at *fewer* latents than there are features present, for these SAEs have room for a quarter of them, and what is
# spent beyond goes into mixtures with the rest. At every L0 up to that of the data the Matryoshka curve is the highest by F1; by
# explained variance it lies below BatchTopK, Gated and JumpReLU.
#
# Beneath the curves, in grey: methods from the shelf, which learned from the same data; decoders that learned nothing; and the truth,
# the directions of the first two generations, with codes searched for by orthogonal matching pursuit (OMP) and FISTA, or with the true
# features themselves. Predict: does the true dictionary explain more than the trained ones?

# %% tags=["expected"]
draw_panels(
    frontiers(record, ["BatchTopK", "Matryoshka"], ["explained_variance", "f1", "mcc", "shrinkage"], baselines=True),
    "The true dictionary explains less than the trained ones",
    along="L0: latents that fire on a sample",
    log=True,
)

# %% tags=["expected"]
recorded_table(record, config.k, ["l0", "explained_variance", "mcc", "f1", "shrinkage", "dead"])

# %% [markdown]
# **Analysis.** The first row is a perfect SAE: the true directions, the true features, every detector right. It explains **less** than
# most trained dictionaries in the table, at a lower L0: a third generation that it has no latents for is missing from its output. The trained
# ones get some of that back, by bending latents towards what they can't represent and firing them where it helps. That is not a
# bug in any of them. It is what the objective asks for.
#
# Dictionary learning and K-SVD, which are no SAEs, explain about as much as these and detect less well; a random or
# frozen decoder does neither. Codes *searched* for in the true dictionary detect worse than they might: OMP may fire a latent for what
# is the third generation's, and FISTA pays with shrinkage. A dictionary is one question, an encoder another.
#
# ## What to take along
#
# | architecture | what it minimises beside the error | sparsity is set by | mends | costs |
# |---|---|---|---|---|
# | L1 | activations times decoder norms | a coefficient, found by trying | | shrinkage; weak features |
# | Gated | the same, of the gate only, and the gate's own error | a coefficient | shrinkage | a third term, two more parameters a latent |
# | JumpReLU | the number that fire, through an estimator | a coefficient | shrinkage; one threshold a latent | a bandwidth to choose |
# | TopK | nothing; AuxK for the dead | `k`, exactly, on every sample | the search for a coefficient | `k` for poor and rich samples alike |
# | BatchTopK | nothing; AuxK | `k`, on average | that | a threshold that must converge |
# | Matryoshka | the error of its first few latents too | `k`, on average | absorption | explained variance |
#
# - **Compare at equal L0 and equal data**, with the spread over seeds, or compare nothing.
# - **Explained variance ranks architectures by what they minimise.** It can't tell a found feature from a useful mixture.
# - **Beside every number its controls**: chance (a random or frozen decoder), the shelf (PCA, dictionary learning), the truth.
#
# Why the objective prefers mixtures, and what you can see of it without a truth, is chapter 02b.
#
# ### Further reading
#
# - Rajamanoharan et al., *Improving Dictionary Learning with Gated Sparse Autoencoders*, 2024, and *Jumping Ahead: Improving
#   Reconstruction Fidelity with JumpReLU Sparse Autoencoders*, 2024.
# - Gao et al., *Scaling and evaluating sparse autoencoders*, 2024: TopK and AuxK.
# - Bussmann, Leask and Nanda, *BatchTopK Sparse Autoencoders*, 2024; Bussmann et al., *Learning Multi-Level Features with
#   Matryoshka Sparse Autoencoders*, 2025.
# - Chanin et al., *A is for Absorption*, 2024.

# %% tags=["headline"]
for name in ("BatchTopK", "Matryoshka"):
    found = compared[name]
    print(
        f"{name} at L0 {found.l0.mean():.1f}: explained variance {found.explained_variance.mean():.3f}, F1 {found.f1.mean():.2f} "
        f"± {found.f1.std():.2f} over {config.n_inst} worlds"
    )
