"""The bank for 4.9 doctor."""

from bank import Bank

from sae_course.checks import ch04 as check
from sae_course.clinic import Diagnosis, diagnose, open_ward, readings

bank = Bank(check.doctor)


def healthy():
    return open_ward()[0].runs[0]


@bank.right
def the_reference(run):
    return diagnose(run, open_ward()[0].runs).cause


@bank.right
def beside_one_seed(run):
    return diagnose(run, healthy()).cause


@bank.right
def a_decision_list(run):
    mine, usual = readings(run), readings(healthy())
    if mine.model_knows < 0.5:
        return "wrong data"
    if mine.dead > 0.12:
        return "dictionary too wide" if mine.width > 1.5 * usual.width else "learning rate too high"
    if mine.width < 0.6 * usual.width:
        return "dictionary too narrow"
    if mine.explained_variance < 0.95 * usual.explained_variance:
        return "learning rate too low"
    if mine.l0 > 1.5 * usual.l0:
        return "sparsity coefficient too small"
    return "healthy"


@bank.right
def from_the_last_values(run):
    """Without `readings`: the metrics' last values, and plain numbers read off the ward."""
    last = run.final
    width = run.histogram().counts[-1].sum()
    kept = "model_performance_preservation.ce_loss_"
    if last[f"{kept}without_sae"] > 0.6 * last[f"{kept}with_ablation"]:
        return "wrong data"
    if last["sparsity/dead_features"] > 0.12 * width:
        return "dictionary too wide" if width > 1000 else "learning rate too high"
    if width < 256:
        return "dictionary too narrow"
    usual = healthy().final
    if last["metrics/explained_variance"] < 0.95 * usual["metrics/explained_variance"]:
        return "learning rate too low"
    many = last["metrics/l0"] > 1.5 * usual["metrics/l0"]
    return "sparsity coefficient too small" if many else "healthy"


@bank.right
def changes_its_table(run):
    """The check hands out copies: the next doctor sees the record as it was."""
    run.metrics["mine"] = 0.0
    cause = a_decision_list(run)
    run.metrics.loc[:, "losses/mse_loss"] = 0.0
    run.final.clear()
    return cause


def taking(name, message, **instead):
    """The decision list with some of its words replaced, by the words it has."""

    def variant(run):
        said = a_decision_list(run)
        return instead.get(said.replace(" ", "_"), said)

    variant.__name__ = name
    bank.wrong(message)(variant)


HEAD = r"right on \d+ of 42 runs \(\d+%\); it takes 34 of 42 \(80%\)\.\n  Most frequent mistake: "
APART = (
    r"(.|\n)*Likely: readings\(run\)\.{} tells them apart: in the ward it is .* for \"{}\", and .* for \"{}\""
)

taking(
    "dead_is_dead",  # two mistakes of equal frequency: whichever run comes first
    HEAD
    + r"a run with \"(dictionary too wide|wrong data)\" is called \"(learning rate too high|healthy)\", \d t"
    r"imes\."
    r"\n  It never says (\"wrong data\"|\"dictionary too wide\"), (\"wrong data\"|\"dictionary too wide\")\."
    + APART.format("(explained_variance|model_knows)", r"\w[\w ]+", r"\w[\w ]+"),
    dictionary_too_wide="learning rate too high",
    wrong_data="healthy",
)
taking(
    "mixed_up",
    HEAD + r"a run with \"(\w[\w ]+)\" is called \"(\w[\w ]+)\"" + APART.format(r"\w+", r"\1", r"\2"),
    learning_rate_too_low="dictionary too narrow",
    dictionary_too_narrow="learning rate too low",
    healthy="sparsity coefficient too small",
)
taking(
    "unsure_of_most",
    r"is called \"not sure\", \d times(.|\n)*Likely: (readings.* shows it: in|a healthy run shows none)",
    healthy="not sure",
    dictionary_too_wide="not sure",
    wrong_data="not sure",
)
taking(
    "later_causes",
    r"is called \"(mean offset|saturated L0)\", \d times(.|\n)*Likely: readings.* shows it: in the ward",
    dictionary_too_wide="mean offset",
    sparsity_coefficient_too_small="saturated L0",
)


@bank.wrong(r"It says \"healthy\" of every run(.|\n)*`return` before the others")
def all_well(run):
    return "healthy"


@bank.wrong(r"It says \"not sure\" of every run(.|\n)*no rule ever holds")
def never_sure(run):
    return "not sure"


@bank.wrong(r"returned nothing \(None\)\.\n  Likely: is there a `return` at the end")
def no_return(run):
    a_decision_list(run)


@bank.wrong(
    'returned nothing.*\n.*a branch without a `return`: earlier runs got a word.*\n.*on the run "held'
)
def one_branch_without(run):
    said = a_decision_list(run)
    if said != rarest():
        return said
    return None


def rarest():
    """A cause that isn't the first held-out run's."""
    from sae_course.clinic import shelf  # noqa: PLC0415

    first = shelf.answers()[next(iter(shelf.runs("held out")))]["cause"]
    return "wrong data" if first != "wrong data" else "healthy"


@bank.wrong("returned an Opinion(.|\n)*its name is in .cause")
def an_opinion(run):
    return diagnose(run, healthy())


@bank.wrong("returned a Diagnosis; expected the name of a cause(.|\n)*its name is in .cause")
def a_diagnosis(run):
    return Diagnosis("l0", "high", "healthy", run.final["metrics/l0"])


@bank.wrong("returned an int; expected the name of a cause")
def a_number(run):
    return 3


@bank.wrong('said "Dictionary too wide .*\n  Likely: "dictionary too wide", letter by letter')
def capitals(run):
    return "Dictionary too wide "


@bank.wrong('said "run 3"; expected one of the causes(.|\n)*they are healthy, sparsity')
def a_name(run):
    return "run 3"


@bank.wrong(
    "raised KeyError: 'lr'(.|\n)*Your line(.|\n)*run.config is empty here(.|\n)*on the run \"held out "
)
def reads_the_configuration(run):
    return "learning rate too low" if run.config["lr"] < 1e-3 else "healthy"


@bank.wrong("raised KeyError: 'sae'(.|\n)*run.config is empty here")
def reads_the_width(run):
    return "dictionary too wide" if run.config["sae"]["d_sae"] > 1000 else a_decision_list(run)


@bank.wrong('It says "healthy" of every run(.|\n)*Likely: it looks for "lr" in run.config, which is empty')
def asks_the_configuration(run):
    return "learning rate too low" if run.config.get("lr", 3e-3) < 1e-3 else "healthy"


@bank.wrong("raised KeyError: 'explained_variance'(.|\n)*long names: metrics/explained_variance or reconstr")
def a_short_name(run):
    return "healthy" if run.final["explained_variance"] > 0.7 else "not sure"


@bank.wrong(
    "raised KeyError: 'metrics/l00'(.|\n)*Likely: There is no metric \"metrics/l00\" here. The nearest"
)
def a_name_misspelt(run):
    return "healthy" if run.metrics["metrics/l00"].iloc[-1] < 40 else "not sure"


@bank.wrong("settings that the trainer writes down as metrics are left out")
def the_rate_as_a_metric(run):
    return "learning rate too low" if run.final["details/current_learning_rate"] < 1e-3 else "healthy"


@bank.wrong("raised AttributeError: 'Readings' object has no attribute 'dead_share'(.|\n)*Your line")
def no_such_reading(run):
    return "healthy" if readings(run).dead_share < 0.1 else "dictionary too wide"


@bank.wrong(r"calls two_arguments\(run\), and yours is two_arguments\(run, healthy\)")
def two_arguments(run, healthy):
    return diagnose(run, healthy).cause
