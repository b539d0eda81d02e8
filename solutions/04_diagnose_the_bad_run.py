# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Chapter 04: diagnose the bad run
#
# Most runs go wrong at first. What costs you a week of a rented GPU is not that they do, but that you look at the curves, feel that something
# is off, and change the wrong setting. This chapter is a clinic. Seven runs lie in the ward: one is healthy, six are not. **They were really trained**,
# each several times with other seeds, on chapter 03's model. You see their curves and histograms, and nothing else. First you say *what* is off and
# by how much, then *why*; only then the configuration is shown. Then you repair them, and train the repaired ones here.
#
# By the end you can
# - tell a symptom from the noise between seeds;
# - read L0, explained variance, dead latents, the density histogram and the model's own loss together, and name a cause;
# - say which reading tells two causes apart that look alike;
# - write a doctor that does so by itself, and test it honestly, on runs it has not seen;
# - see when the run is fine and the number is wrong.
#
# | part | about | minutes of exercises |
# |---|---|---|
# | 1 | what healthy looks like, and when a difference is one | 6 |
# | 2 | six bad runs | 29 |
# | 3 | repair | 10 |
# | 4 | a doctor that reads curves | 20 |
# | 5 | when the curves look fine | 9 |

# %%
from collections.abc import Sequence

import pandas as pd
from sae_lens import LanguageModelSAERunnerConfig

from sae_course import clinic
from sae_course.checks import ch04 as check
from sae_course.clinic import CAUSES, Diagnosis
from sae_course.runs import Run
from sae_course.training import change, describe, train_many

pd.set_option("display.max_colwidth", None)  # explanations in full

ward = clinic.open_ward()
ward

# %% [markdown]
# ## Part 1: what healthy looks like
#
# Run 0 is the healthy one. All seven are variations of this training: a JumpReLU SAE, because it has everything that can go wrong in the ward. Its
# penalty is `l0_coefficient` times L0; its thresholds are learned; a latent below its threshold everywhere is dead, and gets
# no gradient from the error; `pre_act_loss_coefficient` pulls the dead back towards their thresholds.

# %%
describe(clinic.healthy_config())

# %% [markdown]
# It is half as wide and half as long as chapter 03's, so that many could be trained. The recorded runs are always of the mini model, at whatever scale you
# work: their curves are what you would see at full scale in an hour, or a day.
#
# Here is the whole ward. The menu chooses the metric, the buttons the axis, and a click on a run's name in the legend hides or shows it. The line is the mean
# over seeds, the band goes from the smallest to the largest. (Where the figure doesn't react, as on GitHub: `ward.curves("l0", log=True)` draws one metric.)

# %%
ward.browse()

# %% [markdown]
# A run that differs from run 0 is not yet a bad run: run 0 differs from itself.

# %%
ward.ends.loc["run 0", ["metrics/l0", "metrics/explained_variance", "sparsity/dead_features"]].round(3)

# %% [markdown] exercise="4.1" difficulty=1 importance=4 minutes=6
# ### Exercise 4.1: is it a difference?
#
# The yardstick is the spread between seeds. Given a value and the same metric of a few healthy seeds, say **how many standard deviations** the value lies above
# their mean; negative below. The seeds are a small sample, so divide by $n-1$.


# %%
def deviations(value: float, healthy: Sequence[float]) -> float:
    """How many of the healthy seeds' standard deviations a value lies above their mean."""
    # TODO: mean, sample standard deviation, and the distance in units of it
    ### BEGIN SOLUTION
    mean = sum(healthy) / len(healthy)
    variance = sum((one - mean) ** 2 for one in healthy) / (len(healthy) - 1)
    return (value - mean) / variance**0.5
    ### END SOLUTION


check.deviations(deviations)

# %% [markdown] tags=["hint"]
# `statistics.stdev` divides by $n-1$, and so does `torch.std`; `numpy.std` divides by $n$ unless you say `ddof=1`.

# %% [markdown]
# Predict: how many of the recorded metrics of a sick run are more than four deviations off? One, that gives the cause away, or nearly all?

# %%
healthy_ends = ward.ends.loc["run 0"]
varies = [metric for metric in ward.metrics if healthy_ends[metric].std() > 0]
off = {
    patient.name: [
        abs(deviations(value, healthy_ends[metric].tolist())) > 4
        for metric in varies
        for value in [ward.ends.loc[patient.name, metric].mean()]
    ]
    for patient in ward
}
pd.Series({name: f"{sum(found)} of {len(found)}" for name, found in off.items()}, name="metrics off")

# %% [markdown]
# **Analysis.** Nearly everything is off in nearly every sick run: an SAE that fires too much reconstructs better, and shrinks less. So "off" is no
# diagnosis. The question is which metric is off *first*, and which is off *because of it*; and which is **not** off, although a tempting cause would
# move it. Four deviations is a high bar on purpose: with five seeds the spread itself is only roughly known.
#
# ## Part 2: six bad runs
#
# For each run write a `Diagnosis`: the **symptom**, a metric's name; its **direction** beside the healthy run, `"high"` or `"low"`; the
# **evidence**, its value at the end; and the **cause**. The check says what is right, what is only half right, and where to look next. Causes
# that can be named:

# %%
pd.DataFrame({"what was done to the run": {name: cause.was for name, cause in CAUSES.items()}})

# %% [markdown]
# Metrics have SAELens' names, in full or their last part (`"l0"`). A run's values, for each seed:

# %%
ward.ends.loc["run 1"].T.round(3)

# %% [markdown] exercise="4.2" difficulty=1 importance=4 minutes=4
# ### Exercise 4.2: run 1


# %%
def run_1() -> Diagnosis:
    """What is off in run 1, and why."""
    # TODO: Diagnosis(symptom=..., direction="high" or "low", evidence=..., cause=...)
    ### BEGIN SOLUTION
    return Diagnosis(
        symptom="l0",
        direction="high",
        evidence=ward["run 1"].ends("metrics/l0")[0],
        cause="sparsity coefficient too small",
    )
    ### END SOLUTION


check.run_1(run_1)

# %% [markdown] tags=["hint"]
# Two curves are far above run 0's: one you would be glad of, one you wouldn't. Which is the price of the other?

# %% [markdown] tags=["hint"]
# `ward.curves("l0", 1)` and `ward.curves("explained_variance", 1)`. Nearly everything is explained; by how many latents per token?

# %% [markdown] tags=["hint"]
# The loss is error plus coefficient times L0. Under which coefficient would gradient descent choose to pay for so many?

# %% [markdown]
# Now the configuration, for those who have committed themselves (right or wrong), and how the trainer makes this symptom of it:

# %%
ward.reveal(1, run_1())

# %% [markdown]
# Two more views of any run, beside run 0. `ward.curves("mse_loss", 2, log=True)` draws one metric. And the density histogram: on what share of the tokens does each latent fire? The
# slider goes through the training. Predict: where in it do dead latents lie?

# %%
ward.histogram(2)

# %% [markdown] exercise="4.3" difficulty=2 importance=5 minutes=4
# ### Exercise 4.3: run 2


# %%
def run_2() -> Diagnosis:
    """What is off in run 2, and why."""
    # TODO: Diagnosis(symptom=..., direction="high" or "low", evidence=..., cause=...)
    ### BEGIN SOLUTION
    return Diagnosis(
        symptom="dead_features",
        direction="high",
        evidence=ward["run 2"].ends("sparsity/dead_features")[0],
        cause="dictionary too wide",
    )
    ### END SOLUTION


check.run_2(run_2)

# %% [markdown] tags=["hint"]
# Reconstruction and loss recovered look fine. What is lost doesn't show there.

# %% [markdown] tags=["hint"]
# In the histogram, those at the far left never fired in the window. How many are they, and when did they stop? Move the slider.

# %% [markdown] tags=["hint"]
# There are more dead latents in this run than run 0 has latents at all.

# %%
ward.reveal(2, run_2())

# %% [markdown] exercise="4.4" difficulty=2 importance=5 minutes=4
# ### Exercise 4.4: run 3


# %%
def run_3() -> Diagnosis:
    """What is off in run 3, and why."""
    # TODO: Diagnosis(symptom=..., direction="high" or "low", evidence=..., cause=...)
    ### BEGIN SOLUTION
    return Diagnosis(
        symptom="mse_loss",
        direction="high",
        evidence=ward["run 3"].ends("losses/mse_loss")[0],
        cause="learning rate too low",
    )
    ### END SOLUTION


check.run_3(run_3)

# %% [markdown] tags=["hint"]
# Its explained variance is low, and its latents are alive. Compare the *shape* of the squared error with run 0's, not only its end.

# %% [markdown] tags=["hint"]
# `ward.curves("mse_loss", 3, log=True)`: is either curve flat before the last fifth of the run?

# %% [markdown] tags=["hint"]
# What ends a run on its way: too few steps, or steps that are too short. All runs in the ward have the same number.

# %%
ward.reveal(3, run_3())

# %% [markdown] exercise="4.5" difficulty=3 importance=4 minutes=4
# ### Exercise 4.5: run 4


# %%
def run_4() -> Diagnosis:
    """What is off in run 4, and why."""
    # TODO: Diagnosis(symptom=..., direction="high" or "low", evidence=..., cause=...)
    ### BEGIN SOLUTION
    return Diagnosis(
        symptom="l0",
        direction="high",
        evidence=ward["run 4"].ends("metrics/l0")[0],
        cause="dictionary too narrow",
    )
    ### END SOLUTION


check.run_4(run_4)

# %% [markdown] tags=["hint"]
# More latents fire than in run 0, as in run 1. But compare what run 1 got for it with what this run gets.

# %% [markdown] tags=["hint"]
# `ward.histogram(4)`: on what share of the tokens does its typical latent fire? And run 0's?

# %% [markdown] tags=["hint"]
# Divide L0 by the number of latents (all of them are counted in the density histogram; hover over it, or sum `run.histogram().counts[-1]`).

# %%
ward.reveal(4, run_4())

# %% [markdown] exercise="4.6" difficulty=3 importance=5 minutes=4
# ### Exercise 4.6: run 5


# %%
def run_5() -> Diagnosis:
    """What is off in run 5, and why."""
    # TODO: Diagnosis(symptom=..., direction="high" or "low", evidence=..., cause=...)
    ### BEGIN SOLUTION
    return Diagnosis(
        symptom="dead_features",
        direction="high",
        evidence=ward["run 5"].ends("sparsity/dead_features")[0],
        cause="learning rate too high",
    )
    ### END SOLUTION


check.run_5(run_5)

# %% [markdown] tags=["hint"]
# Dead latents, as in run 2. But run 2 could spare them.

# %% [markdown] tags=["hint"]
# `ward.curves("mse_loss", 2, 5, log=True)`: what happens in the last fifth, while the learning rate decays?

# %% [markdown] tags=["hint"]
# A curve that falls as soon as the steps get shorter was held up by their length.

# %%
ward.reveal(5, run_5())

# %% [markdown] exercise="4.7" difficulty=2 importance=5 minutes=4
# ### Exercise 4.7: run 6


# %%
def run_6() -> Diagnosis:
    """What is off in run 6, and why."""
    # TODO: Diagnosis(symptom=..., direction="high" or "low", evidence=..., cause=...)
    ### BEGIN SOLUTION
    return Diagnosis(
        symptom="ce_loss_without_sae",
        direction="high",
        evidence=ward["run 6"].ends("model_performance_preservation.ce_loss_without_sae")[0],
        cause="wrong data",
    )
    ### END SOLUTION


check.run_6(run_6)

# %% [markdown] tags=["hint"]
# The SAE's own curves look as sound as run 0's. Look at a metric that has nothing to do with the SAE.

# %% [markdown] tags=["hint"]
# "Loss recovered" above 1 is no miracle. Of which three losses is it made?

# %% [markdown] tags=["hint"]
# `ward.curves("ce_loss_without_sae", 6)`: the model's loss on the evaluation's text, before any SAE is put in.

# %%
ward.reveal(6, run_6())

# %% [markdown] question="4.A" difficulty=3 importance=4 minutes=5
# ### Question 4.A: alike, and yet not
#
# Three pairs of runs look alike at first sight: 2 and 5 (dead latents), 1 and 4 (L0 too high), 3 and 5 (explained variance too low). For each pair: which **one** reading
# tells them apart, and what would you see if you changed the wrong setting, that is, treated one for the other's cause?

# %% [markdown] tags=["answer"]
# - **2 and 5**: whether the reconstruction suffers. In a dictionary that is too wide the dead can be spared; what lives does all the work. At too high a learning rate latents die that would be needed,
#   and the error falls only once the rate decays. Halve the rate of run 2, and as many latents are dead; halve the width of run 5, and it still reconstructs badly.
# - **1 and 4**: what the additional latents buy. With a weak penalty they buy explained variance; in a narrow dictionary they only make up for what is missing. Double the coefficient of run 4, and L0 falls along with
#   the explained variance.
# - **3 and 5**: which way the curve ends. In run 3 it was falling *before* the decay, and the decay stops it. In run 5 it was held up before, and the decay frees it. Raise the rate of run 5 and it gets
#   worse; that is the mistake which costs most, because "a larger step" is everybody's first idea for a loss that is too high.

# %% [markdown]
# Not only thought, but tried: four wrong treatments, recorded, three seeds each.

# %% tags=["expected"]
COLUMNS = ["l0", "explained_variance", "dead", "loss_recovered"]
treated = {key: clinic.readings(run).known() for key, _, run in clinic.cases("wrongly treated")}
untreated = {
    f"{patient.name}, {seed}": clinic.readings(run).known()
    for patient in ward
    for seed, run in enumerate(patient.runs)
}
by_run = pd.DataFrame(untreated | treated).T[COLUMNS].groupby(lambda key: key.partition(",")[0])
by_run.agg(lambda values: f"{values.mean():.3g} ± {values.std():.1g}").loc[
    lambda table: table.index.str.contains("run [0245]")
]

# %% [markdown]
# **Analysis.** None of the four ends like run 0. Two make it worse, one changes next to nothing, and one helps: run 5 with half the latents recovers more of the loss than before, and is
# still far from healthy. That is how wrong causes survive: **an improvement is not yet a cure**, and only a comparison with healthy runs tells them apart.
#
# ## Part 3: repair
#
# A diagnosis is a hypothesis; the repaired run is its test. You have each bad run's configuration: `ward.reveal(1, run_1()).cfg`. Change as little as you can.

# %% [markdown] exercise="4.8" difficulty=2 importance=4 minutes=10
# ### Exercise 4.8: six repairs
#
# Given a run's name and its configuration, return the repaired one. `change(cfg, setting=value)` gives a changed copy (`cfg` itself stays). The healthy
# values are in the tables above; others may cure it too, and training will show. For now the check looks at the configurations alone: whether they
# are a cure is for the runs to say.


# %%
def repair(name: str, cfg: LanguageModelSAERunnerConfig) -> LanguageModelSAERunnerConfig:
    """The configuration of a run of the ward, "run 1" to "run 6", with what made it ill put right."""
    # TODO: what does each run need? change(cfg, ...) for each name
    ### BEGIN SOLUTION
    treatments = {
        "run 1": {"l0_coefficient": 0.4},
        "run 2": {"d_sae": 512},
        "run 3": {"lr": 3e-3},
        "run 4": {"d_sae": 512},
        "run 5": {"lr": 3e-3, "lr_warm_up_steps": 26, "pre_act_loss_coefficient": 3e-3},
        "run 6": {"dataset_path": "sae-course:tiny-stories-1L-21M"},
    }
    return change(cfg, **treatments[name])
    ### END SOLUTION


check.repairs(repair)

# %% [markdown] tags=["hint"]
# `change(cfg, d_sae=512)` is such a repair. Several settings at once: `change(cfg, lr=3e-3, lr_warm_up_steps=26)`.

# %% [markdown] tags=["hint"]
# Run 5 has three things wrong, and one alone won't do: too high a rate, no warm-up, and nothing that brings the dead back.

# %% [markdown]
# Predict: will all six end like run 0? Then train them, all at once, on one stream of activations, with a seed each that run 0 did not have. (Evaluated
# at the end only, which saves much of the time.)

# %%
diagnoses = {"run 1": run_1, "run 2": run_2, "run 3": run_3, "run 4": run_4, "run 5": run_5, "run 6": run_6}
configs = {name: repair(name, ward.reveal(name, said()).cfg) for name, said in diagnoses.items()}
configs = {
    name: change(cfg, seed=10 + number, eval_every_n_wandb_logs=51)
    for number, (name, cfg) in enumerate(configs.items())
}
repaired = train_many(configs, name="chapter-04-repaired", show=False)
check.repairs(repaired)

# %%
healing = clinic.recovery(repaired)
healing

# %% [markdown]
# **Analysis.** Each repaired run ends where a healthy run with that seed might: within the reach in the first row, which is six of the healthy seeds' standard deviations, or a
# little more where these are tiny. Note what this does and doesn't show. That the change *cures* is shown. That the setting was the *only* thing
# wrong is not: you would need a run with only that setting changed in a healthy configuration, which is how the ward's runs were made.
#
# ## Part 4: a doctor that reads curves
#
# You will not look at two hundred runs of a sweep. Let a function do it: from a run to the name of a cause. It sees what you saw, metrics and histograms, and no configuration. `clinic.readings`
# turns a run into numbers. Those you may need:
#
# | reading | what it is |
# |---|---|
# | `l0`, `explained_variance`, `loss_recovered` | as you know them, at the end |
# | `dead`, `width` | the share of latents that are dead; how many latents there are |
# | `still_falling` | by what share the squared error fell between 60 and 80 % of the run, before the learning rate decays |
# | `fell_at_the_end` | by what share it fell while the rate decayed |
# | `ce_without_sae`, `model_knows` | the model's own loss; by what share it lies below the loss with the hook point ablated |
#
# The ward, in numbers (first seed of each run):

# %%
pd.DataFrame({patient.name: clinic.readings(patient.runs[0]).known() for patient in ward}).round(3)

# %% [markdown] exercise="4.9" difficulty=4 importance=5 minutes=20
# ### Exercise 4.9: write a doctor
#
# The check tries it on 42 runs that you haven't seen: seven causes (`clinic.SEVEN`), six runs each, from barely ill to beyond help. It passes at 80 %; `"not sure"` counts as wrong, and is
# better than a wrong cure. Think in questions, in an order: which sign belongs to one cause only? Ask for it first.


# %%
def diagnose(run: Run) -> str:
    """The cause of a run, of `clinic.SEVEN`, from its metrics and histograms alone."""
    seen, usual = clinic.readings(run), clinic.readings(ward["run 0"].runs[0])
    # TODO: a chain of questions, from the sign that belongs to one cause alone to "healthy"
    ### BEGIN SOLUTION
    if seen.model_knows < 0.55:
        return "wrong data"
    if seen.dead > 0.12:
        spared = seen.explained_variance > 0.97 * usual.explained_variance
        return "dictionary too wide" if spared else "learning rate too high"
    if seen.explained_variance < 0.95 * usual.explained_variance and seen.still_falling > 0.05:
        return "learning rate too low"
    if seen.width < 0.6 * usual.width:
        return "dictionary too narrow"
    if seen.l0 > 1.5 * usual.l0:
        return "sparsity coefficient too small"
    return "healthy"
    ### END SOLUTION


check.doctor(diagnose)

# %% [markdown] tags=["hint"]
# One reading is far off in run 6 alone. Dead latents are many in runs 2 and 5 alone. That leaves four causes without either.

# %% [markdown] tags=["hint"]
# Take bounds from the ward: between what run 0 reads and what the sick run reads, nearer to run 0, because the held-out runs may be less ill. Relative bounds
# (`seen.l0 > 1.5 * usual.l0`) travel better than absolute ones.

# %% [markdown] tags=["hint"]
# Of the dead: does the explained variance suffer? Of the living: does it, and is the error still falling? Then the number of latents (`width`), and L0.

# %%
mine = clinic.score(diagnose)
mine.figure()

# %% [markdown]
# Predict: the package's own doctor was written the same way, from the ward. Is it better than yours? And a control: one that always says "healthy".

# %%
sound = ward["run 0"].runs  # all five seeds: the mean of their readings
reference = clinic.score(lambda run: clinic.diagnose(run, sound).cause)
print("yours:          ", mine)
print("the reference:  ", reference)
print("always 'healthy':", clinic.score(lambda run: "healthy"))

# %% tags=["headline"]
print(f"doctor: {mine}; the reference doctor: {reference}; repaired within seed noise: {healing}")

# %% [markdown]
# **Analysis.** Six questions in the right order go a long way, and a doctor with more causes in mind has more ways to be wrong. The reference doctor knows thirteen illnesses; where no
# cause has all of its signs it says "not sure", and here it does so for two runs whose learning rate was so high that not even the decay helped: the sign
# it waits for, an error that falls once the rate decays, is missing in the worst cases. Mildly ill runs are the other frontier. The bounds decide where illness begins, and one that
# catches the mildest case calls a healthy run sick. So a doctor has to show its evidence:

# %%
clinic.diagnose(ward["run 5"].runs[1], sound)

# %% [markdown]
# On your own runs: `sae-course clinic diagnose FOLDER`, or with a file that W&B exported. Give it a healthy run of the same model to compare with, if you have one
# (`--healthy FOLDER`); without one it looks at what needs no comparison, and says "not sure" more often.
#
# ## Part 5: when the curves look fine
#
# The ward's causes show in the curves everybody looks at. These seven don't, or show there as something else. In the record is a part "beyond", with three seeds of each:

# %%
beyond = clinic.score(lambda run: clinic.diagnose(run, sound).cause, "held out, beyond")
print("the reference doctor, on held-out runs:", beyond)
pd.DataFrame(
    {name: {"what was done": CAUSES[name].was, "why it shows": CAUSES[name].how} for name in clinic.BEYOND}
).T

# %% [markdown]
# Two of them deserve a closer look, because the SAE is sound and the **number** is wrong. The first: a BatchTopK SAE that was evaluated before its threshold had converged. Training and evaluation count L0 alike,
# so they should agree.

# %%
cases = {key: (cause, run) for key, cause, run in clinic.cases("beyond")}
l0 = {
    f"{cause}, {key}": {"in training": run.final["metrics/l0"], "in evaluation": run.final["sparsity.l0"]}
    for key, (cause, run) in cases.items()
    if cause in ("threshold not converged", "low precision")
}
pd.DataFrame(l0).T.round(1)

# %% [markdown] exercise="4.10" difficulty=2 importance=4 minutes=5
# ### Exercise 4.10: catch an inflated metric
#
# The second: explained variance. Somebody's evaluation computes it about zero, where the mean of the activations counts as explained (3b.2). The formula isn't recorded, but
# error and explained variance together say which total was divided by: $\text{EV} = 1 - \text{error} / \text{total}$. So compute the total that they **imply**, in units of the
# activations' mean length squared. Take the evaluation's numbers, at the end of the run: `reconstruction_quality.mse`, `reconstruction_quality.explained_variance`, `shrinkage.l2_norm_in`.


# %%
def implied_variance(run: Run) -> float:
    """The total that error and explained variance imply, over the activations' mean length squared."""
    # TODO: solve EV = 1 - error / total for the total; divide by the length squared
    ### BEGIN SOLUTION
    error = run.final["reconstruction_quality.mse"]
    unexplained = 1 - run.final["reconstruction_quality.explained_variance"]
    return error / unexplained / run.final["shrinkage.l2_norm_in"] ** 2
    ### END SOLUTION


check.implied_variance(implied_variance)

# %% [markdown] tags=["hint"]
# total = error / (1 − explained variance).

# %% [markdown] tags=["hint"]
# `run.final` is a dictionary of the last values, by the metrics' full names.

# %% [markdown]
# Predict: what is it for run 0, whose activations have hardly a mean; for activations with a mean, honestly evaluated; and for the same activations, evaluated about zero?

# %%
shown = {"run 0": sound[0]}
shown |= {
    f"{cause}, {key}": run
    for key, (cause, run) in cases.items()
    if cause in ("mean offset", "inflated metric")
}
pd.DataFrame(
    {
        name: {
            "explained variance, trainer": run.final["metrics/explained_variance"],
            "explained variance, evaluation": run.final["reconstruction_quality.explained_variance"],
            "implied by the trainer's": clinic.readings(run).variance_of_length,
            "implied by the evaluation's": implied_variance(run),
        }
        for name, run in shown.items()
    }
).T.round(3)

# %% [markdown] question="4.B" difficulty=3 importance=3 minutes=4
# ### Question 4.B: what convicts it?
#
# The inflated run's evaluation says one thing and its trainer another, about one and the same SAE. Which of the two would you believe if you had only the run's record, and what in it convicts the other?

# %% [markdown] tags=["answer"]
# The two totals. Both explained variances belong to one SAE and to the same kind of text, so both must imply about the same total; in run 0 the trainer's is even a little larger. In the inflated
# runs it is the **evaluation's** that is larger, and it lies where it lies in run 0, whose activations have hardly a mean: above 1. That is where the mean *squared* length of activations always
# lies, whatever they are, because the mean of squares is at least the square of the mean. A total that does not shrink when part of the length is a constant has counted the constant in. One number alone
# convicts nobody: run 0's total is above 1 honestly, and the mean offset's, honestly evaluated, is near 0.

# %% [markdown]
# ## What to take along
#
# | you see | ask | it is |
# |---|---|---|
# | L0 high, error low | what would L0 be with a larger coefficient? | a weak penalty, unless L0 stays where it is: then the penalty doesn't reach it |
# | L0 high, error not low | how many latents are there? | too few |
# | many dead, error fine | would you miss them? | too many |
# | many dead, error bad | did it fall once the rate decayed? | too high a rate; or a large mean |
# | error bad, still falling | | too low a rate, or too short a run |
# | everything fine, loss recovered strange | what is the model's loss without any SAE? | the wrong data, tokenizer or BOS |
# | two numbers for one thing disagree | by which formula, at which threshold? | one of them is not what its name says |
#
# - **Symptom first, cause second, then one change.** A run with three changes teaches nothing.
# - **The spread between seeds is the unit of every difference.** Have a few healthy seeds before you have a sick one.
# - **Ask for the sign that would be there if you were wrong.**
#
# New patients for a workshop, with their answers in a separate file: `sae-course clinic new --seed 7`.
