"""Banks for 4.2 to 4.7: right and wrong diagnoses of the six bad runs; evidence comes from the record."""

from bank import Bank

from sae_course.checks import ch04 as check
from sae_course.clinic import SEVEN, Diagnosis, open_ward
from sae_course.clinic.grading import TELLING, stands_out

BY_NUMBER = {number: Bank(getattr(check, f"run_{number}")) for number in range(1, 7)}
OTHER = {"high": "low", "low": "high"}

# The first is what the chapter looks at; the others are as good.
SYMPTOMS = {
    1: [("metrics/l0", "high"), ("l0", "high"), ("sparsity.l0", "high")],
    2: [("sparsity/dead_features", "high"), ("dead_features", "high")],
    3: [("losses/mse_loss", "high"), ("metrics/explained_variance", "low"), ("mse_loss", "high")],
    4: [("metrics/l0", "high"), ("l0", "high")],
    5: [("sparsity/dead_features", "high"), ("dead_features", "high")],
    6: [("model_performance_preservation.ce_loss_without_sae", "high"), ("ce_loss_without_sae", "high")],
}
TEMPTING = {
    1: [4, 2, 3, 5, 6],
    2: [5, 4, 3],
    3: [4, 1, 5],
    4: [3, 1, 2],
    5: [2, 3, 6],
    6: [3, 1, 2, 4, 5],
}


def diagnosed(number, symptom, direction, cause, *, times=1.0, seed=0):
    """A diagnosis with the number that was recorded."""
    evidence = open_ward()[number].ends(symptom)[seed] * times
    return Diagnosis(symptom=symptom, direction=direction, cause=cause, evidence=evidence)


def off(number, wanted, telling=None):
    """The first metric that is off or isn't, as is wanted, and its direction."""
    ward = open_ward()
    for metric in ward.metrics:
        if metric not in ward[number].runs[0].final:  # the trainer records no term of the loss that is off
            continue
        if stands_out(ward[number], ward[0], metric) == wanted:
            high = ward[number].ends(metric)[0] > ward[0].ends(metric)[0]
            direction = "high" if high else "low"
            if telling is None or ((metric, direction) in TELLING[SEVEN[number]]) == telling:
                return metric, direction
    raise AssertionError(f"run {number} has no such metric")


def add(bank, name, message, make):
    """A variant that calls `make` anew each time, right if there is no message."""

    def variant():
        return make()

    variant.__name__ = name
    (bank.wrong(message) if message else bank.right)(variant)


def fill(number, bank):
    """All variants of a run."""
    cause = SEVEN[number]
    symptom, direction = SYMPTOMS[number][0]

    def said(**changes):
        return lambda: diagnosed(
            **{"number": number, "symptom": symptom, "direction": direction, "cause": cause} | changes
        )

    for metric, side in SYMPTOMS[number]:
        add(bank, f"right_{metric}", "", said(symptom=metric, direction=side))
    add(bank, "another_seed", "", said(seed=2))
    add(bank, "read_off_roughly", "", said(times=1.04))

    add(
        bank,
        "no_symptom",
        r"is no symptom: healthy runs end at .*\n  Next: \d+ of the \d+",
        lambda: diagnosed(number, *off(number, False), cause),
    )
    add(
        bank,
        "wrong_direction",
        f"is off, but it is {direction}, not {OTHER[direction]}: healthy runs end",
        said(direction=OTHER[direction]),
    )
    add(
        bank,
        "far_off",
        rf"is {direction}: right\. But it does not end at .*\n  Next: Read the curve's last",
        said(times=1.3),
    )
    add(bank, "another_unit", "right. But it does not end at", said(times=100))
    add(
        bank,
        "not_telling",
        r"cause is right, and .* not what shows this cause\.\n  Next: Which metric",
        lambda: diagnosed(number, *off(number, True, telling=False), cause),
    )
    for other in TEMPTING[number]:
        add(
            bank,
            f"like_run_{other}",
            rf"is {direction}: right\. But why\?\n  Next: .*{SEVEN[other]}",
            said(cause=SEVEN[other]),
        )
    add(bank, "healthy", r"But why\?\n  Next: A healthy run has no symptom", said(cause="healthy"))
    add(bank, "a_later_cause", r"But why\?\n  Next: .*mean offset", said(cause="mean offset"))
    add(
        bank,
        "unknown_cause",
        r"run_\d\n  There is no cause \"sparsity coefficient too smal\" here\. The nearest: sparsity coef",
        said(cause="sparsity coefficient too smal"),
    )
    add(
        bank,
        "no_such_cause",
        r"run_\d\n  There is no cause \"zzz\" here\. There are: healthy, .*inflated metric\.",
        said(cause="zzz"),
    )
    add(
        bank,
        "unknown_direction",
        r"run_\d\n  direction is \"high\" or \"low\", not 'up'",
        said(direction="up"),
    )
    add(
        bank,
        "unknown_metric",
        r"run_\d\n  There is no metric \"metrics/l00\" here\. The nearest: metrics/l0",
        lambda: Diagnosis(symptom="metrics/l00", direction="high", cause=cause, evidence=1.0),
    )
    add(
        bank,
        "two_symptoms",
        "symptom is the name of one metric, such as",
        lambda: Diagnosis(symptom=["l0"], direction="high", cause=cause, evidence=1.0),
    )
    add(
        bank,
        "every_seed",
        r"run_\d\n  evidence is the symptom's value .*, not \[",
        lambda: Diagnosis(
            symptom=symptom, direction=direction, cause=cause, evidence=open_ward()[number].ends(symptom)
        ),
    )
    add(bank, "a_text", "returned a str; expected a Diagnosis", lambda: cause)
    add(bank, "the_class", "returned the class Diagnosis itself; expected a Diagnosis", lambda: Diagnosis)
    add(bank, "nothing", r"nothing returned nothing \(None\): is there a `return`", lambda: None)


for each, its_bank in BY_NUMBER.items():
    fill(each, its_bank)
