"""Sections of a report that ask what labels know: the truth, or as much of it as there is."""

from typing import Any

from .baselines import TRUE, TWIN
from .scores import OWN
from .setting import Section, Setting, rows_of, without
from .uncertainty import Estimate, over

BY_DEFINITION = Estimate(1.0, 0.0, "by definition")


def truth_section(setting: Setting) -> Section:
    """The best single unit for each feature, chosen on one half and measured on the other."""
    from .features import GOOD, feature_scores  # noqa: PLC0415

    names = ("AUROC of the best unit", "F1 of the best unit", f"features told (AUROC ≥ {GOOD})")
    if why := setting.why_no_labels():
        return without(setting, "truth", dict.fromkeys(names, 1), why)
    measured = {whose: units.a for whose, units in setting.subjects.items() if whose != TRUE}
    found = feature_scores(measured, setting.labels, choose=setting.choosing)  # type: ignore[arg-type]
    values: list[dict[str, Any]] = [{TRUE: BY_DEFINITION} for _ in names]
    for whose, source in found.sources.items():
        values[0][whose] = over(source.auroc, "features")
        values[1][whose] = over(source.f1, "features")
        values[2][whose] = over((source.auroc >= GOOD).astype(float), "features")
    scores = [
        score
        for name, value in zip(names, values, strict=True)
        for score in rows_of(setting, "truth", name, 1, value)
    ]
    return Section(scores, found.as_dict())


def boards_section(setting: Setting) -> Section:
    """Of a game: coverage, and how much of the board can be read off units that are hardly ever wrong."""
    from ..data.othello.labels import BOARD  # noqa: PLC0415
    from .boards import board_scores  # noqa: PLC0415

    group = "both"
    metrics = {"coverage of the board": 1, "reconstruction of the board": 1}
    labels = setting.labels
    if labels is None or not set(BOARD[group]) <= set(labels.names):
        why = setting.why_no_labels() or "these labels are of no board"
        return without(setting, "boards", metrics, why)
    values: dict[str, dict[str, Any]] = {metric: {TRUE: BY_DEFINITION} for metric in metrics}
    details: Any = None
    for whose, units in setting.subjects.items():
        if whose == TRUE:
            continue
        found = board_scores(units.a, labels, choose=setting.choosing, groups={group: BOARD[group]})
        values["coverage of the board"][whose] = over(found.f1, "properties")
        # The F1 is of all that is said at once: no sample of it has an error of its own here.
        values["reconstruction of the board"][whose] = Estimate(found.reconstruction[group].f1)
        details = found.as_dict() if whose == OWN else details
    scores = [
        score
        for metric, measured in values.items()
        for score in rows_of(setting, "boards", metric, 1, measured)
    ]
    return Section(scores, details)


def probing_section(setting: Setting) -> Section:
    """What a few units tell of a feature together."""
    from .sparse_probing import sparse_probes  # noqa: PLC0415

    ks = (1, 2, 5)
    names = {f"{k} unit{'s' * (k > 1)} probed, AUROC": 1 for k in ks}
    if why := setting.why_no_labels():
        return without(setting, "sparse probing", names, why)
    measured = {whose: units.a for whose, units in setting.subjects.items() if whose != TRUE}
    found = sparse_probes(
        measured, setting.labels, ks=ks, choose=setting.choosing, probes=setting.probes  # type: ignore[arg-type]
    )  # fmt: skip
    scores = []
    for k, name in zip(ks, names, strict=True):
        values: dict[str, Any] = {whose: found.mean(whose, k) for whose in measured}
        scores += rows_of(setting, "sparse probing", name, 1, values | {TRUE: BY_DEFINITION})
    return Section(scores, found.as_dict())


def absorption_section(setting: Setting) -> Section:
    """How often another latent stands in for a parent feature's own."""
    from .absorbing import absorption, hierarchy_of  # noqa: PLC0415

    names = {"absorbed": -1, "parents told": 1}
    if why := setting.why_no_labels():
        return without(setting, "absorption", names, why)
    assert setting.labels is not None
    families = setting.hierarchy or hierarchy_of(setting.labels)
    if not families:
        return without(setting, "absorption", names, "none of these labels is a kind of another")
    values: dict[str, dict[str, Any]] = {name: {} for name in names}
    details: Any = None
    for whose, units in setting.subjects.items():
        if whose == TRUE or units.directions is None:
            continue
        probes = None if whose == TWIN else setting.probes
        found = absorption(units, setting.labels, hierarchy=families, probes=probes, choose=setting.choosing)
        values["absorbed"][whose] = found.rate
        values["parents told"][whose] = found.told
        details = found.as_dict() if whose == OWN else details
    own = "each label is its own unit"
    values["absorbed"][TRUE], values["parents told"][TRUE] = Estimate(0.0, 0.0, own), BY_DEFINITION
    scores = [
        score
        for name, better in names.items()
        for score in rows_of(setting, "absorption", name, better, values[name])
    ]
    return Section(scores, details)
