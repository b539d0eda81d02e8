"""More of the bank for 4.8 repairs: dictionaries with other names, or with something that is no run."""

import dataclasses

from bank_ch04_repairs import Made, bank, healthy, six, trained

from sae_course.clinic import SEVEN, Diagnosis, healthy_config, open_ward
from sae_course.clinic.archive import in_memory
from sae_course.runs.files import HISTOGRAMS, METRICS


@bank.wrong(r"run 2, run 5 are missing: the keys are 'run 1', 'run 3'")
@Made
def two_missing():
    return {name: run for name, run in six().items() if name not in ("run 2", "run 5")}


@bank.wrong(
    r"run 1, .* are missing: the keys are 1, 2, 3, 4, 5, 6; expected (.|\n)*the run's whole name, \"run 1\""
)
@Made
def numbers_for_names():
    return dict(enumerate(six().values(), start=1))


@bank.wrong(r"'run 0' is none of the six(.|\n)*run 0 is healthy: there is nothing to repair")
@Made
def the_control_too():
    return six() | {"run 0": trained(healthy())}


@bank.wrong("'run 3b' is none of the six")
@Made
def a_second_try_left_in():
    return six() | {"run 3b": trained(healthy())}


@bank.wrong(r"run 2 is not finished: its training stopped at step \d+(.|\n)*the same folder")
@Made
def one_unfinished():
    return six(run_2=dataclasses.replace(trained(healthy()), status="running"))


@bank.wrong(r"run 6 is nothing \(None\); expected the Run")
@Made
def one_is_none():
    return six(run_6=None)


@bank.wrong("run 3 is a Patient; expected the Run(.|\n)*with all its seeds")
@Made
def a_patient():
    return six(run_3=open_ward()[3])


@bank.wrong(r"run 3 is a LanguageModelSAERunnerConfig(.|\n)*that is a configuration: train it")
@Made
def a_configuration():
    return six(run_3=healthy_config())


@bank.wrong(r"run 4 is a str(.|\n)*Run\.load")
@Made
def a_folder():
    return six(run_4="runs/run-4")


@bank.wrong("run 4 is a list(.|\n)*one run for each name")
@Made
def several_seeds():
    return six(run_4=[trained(healthy(seed), seed) for seed in range(3)])


@bank.wrong("run 1 is a Diagnosis(.|\n)*training returns the run")
@Made
def a_diagnosis():
    return six(run_1=Diagnosis("l0", "high", SEVEN[1], 80.0))


@bank.wrong("run 1 has recorded no model_performance_preservation.ce_loss_score")
@Made
def without_evaluation():
    lines = [
        {name: value for name, value in line.items() if "preservation" not in name}
        for line in trained(healthy()).lines_of(METRICS)
    ]
    return six(run_1=in_memory("mine", {METRICS: lines, HISTOGRAMS: list(healthy().lines_of(HISTOGRAMS))}))


@bank.wrong("run 5 has recorded no density histogram")
@Made
def without_histograms():
    return six(run_5=in_memory("mine", {METRICS: trained(healthy()).lines_of(METRICS)}))
