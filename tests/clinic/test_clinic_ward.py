"""The ward: what it shows before and after a diagnosis, and how a diagnosis is graded."""

import pytest

from sae_course import CourseError
from sae_course.clinic import CAUSES, SEVEN, Diagnosis, grade, open_ward, recovery
from sae_course.clinic.archive import in_memory
from sae_course.clinic.grading import TELLING
from sae_course.clinic.ward import Ward
from sae_course.runs import Run
from sae_course.runs.files import HISTOGRAMS, METRICS


@pytest.fixture(scope="module")
def ward() -> Ward:
    return open_ward()


def right(ward: Ward, number: int) -> Diagnosis:
    """A diagnosis that is right."""
    metric, direction = TELLING[SEVEN[number]][0]
    return Diagnosis(metric, direction, SEVEN[number], ward[number].ends(metric)[0])


def changed(said: Diagnosis, **values: object) -> Diagnosis:
    return Diagnosis(**{**vars(said), **values})


def test_it_shows_itself_without_saying_what_is_wrong(ward: Ward) -> None:
    for shown in (str(ward), repr(ward), ward._repr_html_(), ward.browse().to_json()):
        assert "run 6" in shown
        assert not any(cause in shown for cause in CAUSES if cause != "healthy")
        assert "learning_rate" not in shown


def test_a_run_is_found_by_name_and_number(ward: Ward) -> None:
    assert ward[3] is ward["run 3"]
    with pytest.raises(CourseError, match='no "run 9" in the ward: there are run 0, '):
        ward[9]


def test_curves_have_a_band_over_the_seeds_and_the_healthy_run_in_grey(ward: Ward) -> None:
    figure = ward.curves("l0", 1, log=True)
    assert [trace.name for trace in figure.data if trace.showlegend is not False] == [
        "run 0 (control)",
        "run 1",
    ]
    assert any("smallest to largest" in trace.name for trace in figure.data)
    assert figure.layout.yaxis.type == "log"
    with pytest.raises(CourseError, match="no metric"):
        ward.curves("nothing")


def test_a_histogram_has_a_slider_over_the_steps(ward: Ward) -> None:
    figure = ward.histogram(2)
    assert len(figure.layout.sliders[0].steps) > 10
    assert figure.layout.title.text.endswith("run 2 beside run 0")
    with pytest.raises(CourseError, match="has the seeds 0 to 2, not 7"):
        ward.histogram(2, seed=7)


def test_the_configuration_is_locked_until_a_diagnosis_is_given(ward: Ward) -> None:
    for nothing in (None, "too wide", {"cause": "dictionary too wide"}):
        with pytest.raises(CourseError, match="locked until you commit yourself"):
            ward.reveal(2, nothing)
    wrong = Diagnosis("l0", "high", "no BOS", 3.0)
    shown = ward.reveal(2, wrong)  # wrong, but committed
    assert shown.differences.names == ("run 2", "run 0")
    assert shown.differences.rows == {"sae.d_sae": (shown.cfg.sae.d_sae, 512)}
    assert f"{shown.cfg.sae.d_sae:,}" in str(shown)
    assert "sae.d_sae" in shown._repr_html_()
    for text in (str(shown), shown._repr_html_()):  # why it shows, whatever was said
        assert "dictionary too wide" in text
        assert "Latents compete" in text


def test_the_healthy_runs_configuration_differs_in_nothing(ward: Ward) -> None:
    assert "same configuration" in str(ward.reveal(0, Diagnosis("l0", "high", "healthy", 3.0)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"symptom": ["l0"]}, "the name of one metric"),
        ({"direction": "up"}, '"high" or "low", not \'up\''),
        ({"cause": "too wide"}, 'no cause "too wide" here. The nearest: dictionary too wide'),
        ({"cause": "flu"}, "There are: healthy, "),
        ({"cause": ["healthy"]}, "the name of one cause"),
        ({"evidence": "147"}, "a number, not '147'"),
        ({"evidence": float("nan")}, "a number, not nan"),
        ({"evidence": True}, "a number, not True"),
    ],
)
def test_what_is_no_diagnosis_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(CourseError, match=message):
        changed(Diagnosis("l0", "high", "healthy", 3.0), **values)


@pytest.mark.parametrize("number", range(1, 7))
def test_the_right_diagnosis_is_right(ward: Ward, number: int) -> None:
    found = grade(ward, number, right(ward, number))
    assert found.right, found
    assert found.look == ""


@pytest.mark.parametrize("number", range(1, 7))
def test_each_wrong_cause_is_half_right_and_is_told_where_to_look(ward: Ward, number: int) -> None:
    said = right(ward, number)
    for cause in CAUSES:
        if cause == SEVEN[number]:
            continue
        found = grade(ward, number, changed(said, cause=cause))
        assert (found.symptom, found.evidence, found.cause, found.right) == (True, True, False, False)
        assert "right. But why?" in found.words
        assert found.look
        assert SEVEN[number] not in str(found), "gives the answer away"


def test_each_part_of_a_diagnosis_is_judged(ward: Ward) -> None:
    said = right(ward, 1)
    other = "low" if said.direction == "high" else "high"
    assert "it is high, not low" in str(grade(ward, 1, changed(said, direction=other)))
    assert "does not end at" in str(grade(ward, 1, changed(said, evidence=said.evidence * 1.5)))
    assert not grade(ward, 1, changed(said, evidence=said.evidence * 1.5)).evidence
    assert grade(ward, 1, changed(said, evidence=said.evidence * 1.05)).evidence  # read off a curve
    lesser = ward[1].ends("metrics/explained_variance")[0]
    found = grade(
        ward, 1, changed(said, symptom="metrics/explained_variance", direction="high", evidence=lesser)
    )
    assert (found.cause, found.symptom, found.right) == (True, False, False)
    with pytest.raises(CourseError, match="no metric"):
        grade(ward, 1, changed(said, symptom="happiness"))


def test_a_metric_that_is_not_off_is_no_symptom(ward: Ward) -> None:
    metric = "model_performance_preservation.ce_loss_without_sae"
    found = grade(ward, 2, Diagnosis(metric, "high", "dictionary too wide", ward[2].ends(metric)[0]))
    assert not found.symptom
    assert "is no symptom" in found.words


def test_a_metric_of_the_model_alone_is_no_symptom_of_a_dying_dictionary(ward: Ward) -> None:
    metric = "model_performance_preservation.ce_loss_with_ablation"
    assert "is no symptom" in grade(ward, 5, Diagnosis(metric, "high", "healthy", 3.0)).words


def test_all_runs_recorded_the_same_metrics(ward: Ward) -> None:
    """Otherwise which metrics a run has would say which it is."""
    assert {frozenset(run.final) for patient in ward for run in patient.runs} == {frozenset(ward.metrics)}


def shifted(run: Run, factor: float, name: str = "metrics/l0") -> Run:
    lines = [
        {key: value * factor if key == name else value for key, value in line.items()}
        for line in run.lines_of(METRICS)
    ]
    return in_memory(run.name, {METRICS: lines, HISTOGRAMS: run.lines_of(HISTOGRAMS)})


def test_recovery_accepts_the_seeds_noise_and_nothing_else(ward: Ward) -> None:
    healthy = ward[0].runs[0]
    found = recovery({"run 1": shifted(healthy, 1.01), "run 2": shifted(healthy, 1.3)})
    assert found.healed == ("run 1",)
    assert str(found) == "1 of 2"
    assert "✘" in found._repr_html_()
    better = shifted(healthy, 1.05, "metrics/explained_variance")
    assert recovery({"run 3": better}).healed == ("run 3",)
    lost = shifted(healthy, float("nan"), "metrics/explained_variance")
    assert recovery({"run 4": lost}).healed == ()
    sick = {patient.name: patient.runs[0] for patient in ward if patient.name != "run 0"}
    assert recovery(sick).healed == ()


def test_recovery_of_nothing_is_refused() -> None:
    with pytest.raises(CourseError, match="takes repaired runs"):
        recovery({})
    with pytest.raises(CourseError, match="takes repaired runs"):
        recovery({"run 1": "healed"})
