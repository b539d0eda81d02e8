"""The bank for 4.8 repairs. Nothing is trained: runs of the record, a little changed, stand in for it."""
# Dictionaries of runs are made when a check looks at them: the record need not be there to collect the tests.

import dataclasses
import random
from collections.abc import Mapping
from functools import cached_property

from bank import Bank

from sae_course.checks import ch04 as check
from sae_course.clinic import SEVEN, open_ward, shelf
from sae_course.clinic.archive import in_memory
from sae_course.runs.files import HISTOGRAMS, METRICS

bank = Bank(check.repairs)


class Made(Mapping):
    """A dictionary of runs that a function makes, when it is first looked at."""

    def __init__(self, make):
        self.make, self.__name__ = make, make.__name__

    @cached_property
    def runs(self):
        return self.make()

    def __getitem__(self, name):
        return self.runs[name]

    def __iter__(self):
        return iter(self.runs)

    def __len__(self):
        return len(self.runs)


NAMES = [f"run {number}" for number in range(1, 7)]


def trained(run, seed=0, noise=0.002, **changes):
    """A run as a learner's training might give it: nearly a recorded one, with some metrics changed.

    Args:
        changes: from a metric's last part to a function of its value.
    """
    stream = random.Random(seed)
    lines = []
    for line in run.lines_of(METRICS):
        new = {}
        for name, value in line.items():
            change = changes.get(name.replace(".", "/").split("/")[-1], lambda value: value)
            new[name] = value if name == "step" else change(value * (1 + noise * stream.uniform(-1, 1)))
        lines.append(new)
    return in_memory("trained", {METRICS: lines, HISTOGRAMS: list(run.lines_of(HISTOGRAMS))})


def healthy(seed=0):
    return open_ward()[0].runs[seed]


def six(**others):
    """Six repaired runs; others in place of some, by ``run_3``."""
    found = {name: trained(healthy(number % 5), seed=number) for number, name in enumerate(NAMES)}
    return found | {name.replace("_", " "): run for name, run in others.items()}


@bank.right
@Made
def nearly_healthy():
    return six()


@bank.right
@Made
def in_another_order():
    return dict(reversed(six().items()))


@bank.right
@Made
def one_for_all():
    """What was wrong is put right, and then all six are the healthy configuration."""
    run = trained(healthy())
    return dict.fromkeys(NAMES, run)


@bank.right
@Made
def the_same_numbers_trained():
    """With the record's seed, on such a machine: its configuration shows that it was trained."""
    run = dataclasses.replace(healthy(), config={"seed": 0, "lr": 3e-3})
    return six(run_3=run, run_4=run)


@bank.right
@Made
def better_than_healthy():
    better = trained(
        healthy(),
        explained_variance=lambda value: value + 0.5 * (1 - value),
        dead_features=lambda value: 0,
        ce_loss_score=lambda value: value + 0.01,
    )
    return six(run_2=better, run_5=better)


@bank.right
@Made
def held_out_healthy_runs():
    """Other seeds, the ordinary configuration or nearly so."""
    answers = shelf.answers()
    near = {
        key: abs(answers[key]["severity"] - 0.5)
        for key in shelf.runs("held out")
        if answers[key]["cause"] == SEVEN[0]
    }
    return dict.fromkeys(NAMES, shelf.runs("held out")[min(near, key=near.get)])


def ill(number):
    """A bad run as it is, and trained once more unchanged."""

    def recorded():
        return six(**{f"run_{number}": open_ward()[number].runs[1]})

    def trained_again():
        return six(**{f"run_{number}": trained(open_ward()[number].runs[0])})

    def from_its_folder():
        run = dataclasses.replace(open_ward()[number].runs[2], config={"seed": 2})
        return six(**{f"run_{number}": run})

    again = (
        rf"run {number} is not repaired yet: .* that of healthy seeds at .* passes\."
        rf"(.|\n)*Not yet: run {number}\.\n  Likely: that is about where the recorded run {number} ends"
    )
    for variant, message in (
        (recorded, rf"run {number} is the recorded run {number} itself.*has to be trained"),
        (trained_again, again),
        (from_its_folder, again),
    ):
        variant.__name__ = f"{variant.__name__}_{number}"
        bank.wrong(message)(Made(variant))


for each in range(1, 7):
    ill(each)


@bank.wrong("Repaired: none. Not yet: run 1, run 2, run 3, run 4, run 5, run 6")
@Made
def nothing_repaired():
    return {name: trained(open_ward()[name].runs[0]) for name in NAMES}


@bank.wrong(r"run 1 is the recorded run 0 itself, to the last digit(.|\n)*train it with a config")
@Made
def the_healthy_run():
    return dict.fromkeys(NAMES, healthy())


@bank.wrong("run 4 is the recorded run 0 itself")
@Made
def the_healthy_run_renamed():
    return six(run_4=dataclasses.replace(healthy(3), name="run 4, repaired"))


@bank.wrong("run 5 is the recorded run 0 itself")
@Made
def the_healthy_run_with_a_metric_left_out():
    lines = [
        {k: v for k, v in line.items() if k != "shrinkage.l2_ratio"} for line in healthy().lines_of(METRICS)
    ]
    copy = in_memory("mine", {METRICS: lines, HISTOGRAMS: list(healthy().lines_of(HISTOGRAMS))})
    return six(run_5=copy)


@bank.wrong(r"run 2 is the recorded run 5 itself")
@Made
def another_bad_run():
    return six(run_2=open_ward()[5].runs[0])


def changed(name, message, number=3, **changes):
    def variant():
        return six(**{f"run_{number}": trained(healthy(), **changes)})

    variant.__name__ = name
    bank.wrong(message)(Made(variant))


changed("l0_high", "L0 ends at .* and at most .*passes(.|\n)*more latents fire than", l0=lambda v: 1.3 * v)
changed("l0_low", "L0 ends at .* and at least .*passes(.|\n)*fewer latents fire than", l0=lambda v: 0.8 * v)
changed(
    "better_at_a_higher_l0",
    "run 1 is not repaired yet: L0 ends at",
    1,
    l0=lambda value: 1.2 * value,
    explained_variance=lambda value: value + 0.3 * (1 - value),
)
changed(
    "some_still_die",
    r"run 5 is not repaired yet: share of dead latents ends at 0\.1(.|\n)*not all that kills latents",
    5,
    dead_features=lambda value: 55,
)
changed(
    "serves_the_model_badly",
    "share of the loss recovered ends at(.|\n)*serves the model less well",
    2,
    ce_loss_score=lambda value: value - 0.05,
)
changed(
    "another_text",
    "run 6 is not repaired yet: model's loss without any SAE ends at(.|\n)*is it the healthy run's text",
    6,
    ce_loss_without_sae=lambda value: value - 0.1,
)
changed(
    "some_notices_left",
    "run 6 is not repaired yet: model's loss without any(.|\n)*the model's own loss is a few per cent off",
    6,
    ce_loss_without_sae=lambda value: value + 0.1,
)
changed(
    "diverged",
    "run 2 ends without a number: its metrics/explained_variance is nan",
    2,
    explained_variance=lambda value: float("nan") if value > 0.85 else value,
)
changed(
    "several_at_once",
    r"run 4 is not repaired yet: L0 ends(.|\n)*\n  Its explained variance ends(.|\n)*Repaired: run 1, ",
    4,
    l0=lambda value: 2 * value,
    explained_variance=lambda value: 0.8 * value,
)


@bank.wrong("run 3 is not repaired yet: explained variance ends at .*(.|\n)*not far enough")
@Made
def halfway():
    """A little more error, and as much less explained."""
    lines = []
    for line in healthy().lines_of(METRICS):
        left = 1 - line.get("metrics/explained_variance", 0.0)
        worse = {"metrics/explained_variance": 1 - left - 0.025}
        worse["losses/mse_loss"] = line.get("losses/mse_loss", 0.0) * (left + 0.025) / left
        evaluated = "reconstruction_quality.explained_variance"
        worse[evaluated] = line.get(evaluated, 0.0) - 0.025
        lines.append(line | {name: value for name, value in worse.items() if name in line})
    return six(run_3=in_memory("near", {METRICS: lines, HISTOGRAMS: list(healthy().lines_of(HISTOGRAMS))}))


@bank.wrong(
    r"explained variance(.|\n)*sees in its curves that it is ill: (.*; )?it reconstructs badly(;.*)?\.$"
)
@Made
def better_but_still_slow():
    """Between ill and well: the doctor still says what it sees."""
    ward = open_ward()
    pairs = zip(ward[3].runs[0].lines_of(METRICS), healthy().lines_of(METRICS), strict=True)
    lines = [
        {name: 0.55 * value + 0.45 * other[name] for name, value in line.items() if name != "step"}
        | {"step": line["step"]}
        for line, other in pairs
    ]
    run = in_memory("half", {METRICS: lines, HISTOGRAMS: list(healthy().lines_of(HISTOGRAMS))})
    return six(run_3=run)
