"""Grading a learner's diagnosis: what is right, what is half right, and what to look at next."""

from dataclasses import dataclass
from statistics import mean, stdev

from ..runs.metrics import find, short
from ..runtime import CourseError
from . import shelf
from .causes import CAUSES, HEALTHY
from .diagnosis import Diagnosis
from .doctor import findings
from .measured import readings, usual
from .ward import CONTROL, Patient, Ward

SPREAD = 4.0
"""Standard deviations of the healthy seeds, beyond which a value is a symptom. With five seeds, a healthy
run's own value lies so far out about once in fifty."""
CLOSE = 0.1
"""How far, of the value, a number that was read off a curve may be from what was recorded."""

_DEAD = (
    ("sparsity/dead_features", "high"),
    ("sparsity/below_1e-5", "high"),
    ("sparsity/below_1e-6", "high"),
    ("sparsity/mean_passes_since_fired", "high"),
    ("metrics/mean_log10_feature_sparsity", "low"),
)
_BAD = (
    ("metrics/explained_variance", "low"),
    ("reconstruction_quality.explained_variance", "low"),
    ("losses/mse_loss", "high"),
    ("reconstruction_quality.mse", "high"),
    ("model_performance_preservation.ce_loss_score", "low"),
    ("model_performance_preservation.ce_loss_with_sae", "high"),
    ("reconstruction_quality.cossim", "low"),
)
TELLING: dict[str, tuple[tuple[str, str], ...]] = {
    "sparsity coefficient too small": (("metrics/l0", "high"), ("sparsity.l0", "high")),
    "dictionary too wide": _DEAD,
    "learning rate too low": _BAD,
    "dictionary too narrow": (("metrics/l0", "high"), ("sparsity.l0", "high")),
    "learning rate too high": _DEAD,
    "wrong data": (("model_performance_preservation.ce_loss_without_sae", "high"),),
}
"""For each cause of the ward the metrics, and the directions, that count as its symptom."""


@dataclass(frozen=True)
class Grade:
    """What a diagnosis is worth. Shows itself as text."""

    symptom: bool
    """Whether the metric is off, in that direction, and it is what the cause shows itself by."""
    evidence: bool
    """Whether the number is the one that was recorded."""
    cause: bool
    words: str
    """What is right and what isn't."""
    look: str = ""
    """Where to look next; empty when all is right."""

    @property
    def right(self) -> bool:
        """Whether all three are."""
        return self.symptom and self.evidence and self.cause

    def __str__(self) -> str:
        return f"{self.words} {self.look}".strip()

    __repr__ = __str__


def grade(ward: Ward, name: str | int, diagnosis: Diagnosis) -> Grade:
    """Grade a diagnosis of a run of the ward.

    The symptom first: a cause for something that isn't there is worth nothing. Then the number. Then the
    cause: where it is wrong, the first sign of it that the run doesn't show is named.

    Raises:
        CourseError: for a run or a metric that there isn't.
    """
    patient, healthy = ward[name], ward[CONTROL]
    metric = find(diagnosis.symptom, ward.metrics)
    if refused := _no_symptom(ward, patient, metric, diagnosis):
        return refused
    cause = shelf.answers()[f"{patient.name}, seed 0"]["cause"]
    seen = f"{short(metric)} is {diagnosis.direction}"
    if diagnosis.cause != cause:
        look = next_look(patient, healthy, diagnosis.cause)
        return Grade(True, True, False, f"{seen}: right. But why?", look)
    if (metric, diagnosis.direction) in TELLING[cause]:
        return Grade(True, True, True, f"{seen}, and the cause is right.")
    words = f"The cause is right, and {seen}; but it is not what shows this cause."
    return Grade(False, True, True, words, "Which metric would you show somebody who doubts you?")


def _no_symptom(ward: Ward, patient: Patient, metric: str, diagnosis: Diagnosis) -> Grade | None:
    """What is wrong with a diagnosis before its cause is looked at; None when nothing is."""
    label = short(metric)
    values, sound = patient.ends(metric), ward[CONTROL].ends(metric)
    centre, spread = mean(sound), stdev(sound)
    beside = f"healthy runs end at {centre:.4g} ± {spread:.1g}, {patient.name} at {mean(values):.4g}"
    direction = "high" if mean(values) > centre else "low"
    if not stands_out(patient, ward[CONTROL], metric):
        return Grade(False, False, False, f"{label} is no symptom: {beside}.", _another(ward, patient))
    if direction != diagnosis.direction:
        words = f"{label} is off, but it is {direction}, not {diagnosis.direction}: {beside}."
        return Grade(False, False, False, words)
    if not any(abs(diagnosis.evidence - value) <= CLOSE * abs(value) for value in values):
        words = f"{label} is {direction}: right. But it does not end at {diagnosis.evidence:.4g}."
        look = "Read the curve's last value (and is the axis logarithmic?)."
        return Grade(True, False, False, words, look)
    return None


def stands_out(patient: Patient, healthy: Patient, metric: str) -> bool:
    """Whether all of a run's seeds end outside the healthy seeds' spread, on one side (`SPREAD`).

    Raises:
        CourseError: when there is no such metric.
    """
    sound, values = healthy.ends(metric), patient.ends(metric)
    centre, reach = mean(sound), SPREAD * stdev(sound)
    return min(values) > centre + reach or max(values) < centre - reach


def next_look(patient: Patient, healthy: Patient, said: str) -> str:
    """Of a cause that is not the run's: the first sign of it that isn't there, and where to see that."""
    if said == HEALTHY:
        return "A healthy run has no symptom."
    mine, theirs = readings(patient.runs[0]), usual(healthy.runs)
    for finding in findings(said, mine, theirs):
        if finding.judged and not finding.present:
            return (
                f'Were the cause "{said}", one would see that {finding.sign.words.removeprefix("and ")}. '
                f"Here one does not. Look at {LOOK[finding.sign.reading]}."
            )
    return f'"{said}" would look much like this. {CAUSES[said].how} What else would then be off, and is it?'


LOOK = {
    "dead": "the number of dead latents",
    "explained_variance": "explained variance, beside the healthy run's",
    "still_falling": "the squared error between steps 150 and 200, on a logarithmic axis",
    "fell_at_the_end": "the squared error over the last fifth of the run, while the rate decays",
    "width": "how many latents the density histogram counts",
    "l0": "L0, beside the healthy run's",
    "model_knows": "the model's loss without any SAE",
    "ce_without_sae": "the model's loss without any SAE",
    "coarse": "the evaluation's sums over latents, and how many digits they have",
    "batch_variation": "how much a batch varies, which error and explained variance say together",
    "penalty": "the sparsity loss beside the squared error",
    "l0_in_evaluation": "L0 in evaluation beside L0 in training",
    "disagreement": "explained variance in evaluation beside that in training",
    "variance_of_length": "the activations' length beside their variance",
}
"""Where a reading is seen in the ward's figures."""


def _another(ward: Ward, patient: Patient) -> str:
    off = [metric for metric in ward.metrics if stands_out(patient, ward[CONTROL], metric)]
    if not off:  # every recorded patient has a symptom; a test sees to it
        raise CourseError(f"{patient.name} has no symptom.")
    return f"{len(off)} of the {len(ward.metrics)} recorded metrics are outside the healthy seeds' spread."
