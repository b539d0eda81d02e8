"""Sections of a report on single latents: what explains them, what they do, who has them too."""

from functools import partial
from typing import Any

import torch

from . import baselines
from .baselines import NAMES, TRUE, TWIN
from .control import COMPONENTS, NEURONS, RANDOM, SAE, sparse_control
from .effects import latent_effects
from .matching import match_latents
from .scores import OWN
from .setting import Section, Setting, found_or_why, rows_of, without
from .uncertainty import Estimate, bootstrap
from .units import units_of

N_EXPLAINED, N_ABLATED = 32, 32
"""Latents of each dictionary that are explained, and ablated: drawn at random."""
MOST_EXCERPTS, WIDTH = 10, 64
"""Excerpts of either kind from which a latent is explained, and tokens in one."""
PER_LATENT, EARLY = 6, 48
"""Tokens at which each is ablated, and positions of a row among which they are drawn."""
ALIKE = 0.7
"""Correlation from which two latents count as the same."""
_NOT_THERE = "its latents aren't set to what they are in other prompts"
_OF_THE_SAE = "it is the SAE's own control"
_NOT_LEARNED = "labels are no latents that somebody has to make sense of"


def _plain(found: Any) -> Any:
    return {"not run": found} if isinstance(found, str) else found.as_dict()


def explained_section(setting: Setting) -> Section:
    """Automatic interpretability: explanations that must predict."""
    from .interpreting import autointerp  # noqa: PLC0415

    decode = getattr(setting.model, "tokenizer", None) or str
    rows, pos, _ = setting.own.a.shape
    few = min(MOST_EXCERPTS, (rows // 2) * max(1, pos // WIDTH) // 2)
    values: dict[str, dict[str, Any]] = {"explained, on top": {}, "explained, on top and random": {}}
    details: Any = None
    for whose, units in setting.subjects.items():
        if whose == TRUE:
            continue
        explain = partial(
            autointerp, units, setting.seen, decode=decode, labels=setting.labels, n=N_EXPLAINED
        )
        halved = partial(explain, choose=setting.choosing, seed=setting.seed)
        found = found_or_why(partial(halved, top=few, rest=few, width=WIDTH))
        values["explained, on top"][whose] = found if isinstance(found, str) else found.top
        values["explained, on top and random"][whose] = (
            found if isinstance(found, str) else found.top_and_random
        )
        details = _plain(found) if whose == OWN else details
    scores = [
        score
        for metric, measured in values.items()
        for score in rows_of(setting, "autointerp", metric, 1, measured, otherwise=_NOT_LEARNED)
    ]
    return Section(scores, details)


def consistency_section(setting: Setting) -> Section:
    """Whether latents mean the same when they fire weakly."""
    from .steady import consistency  # noqa: PLC0415

    metric = "same when it fires weakly"
    if why := setting.why_no_labels():
        return without(setting, "consistency", {metric: 1}, why)
    assert setting.labels is not None
    values: dict[str, Any] = {TRUE: "a label has no strength"}
    details: Any = None
    for whose, units in setting.subjects.items():
        if whose == TRUE:
            continue
        found = found_or_why(partial(consistency, units, setting.labels, choose=setting.choosing))
        values[whose] = found if isinstance(found, str) else found.kept
        details = _plain(found) if whose == OWN else details
    return Section(rows_of(setting, "consistency", metric, 1, values), details)


def effects_section(setting: Setting) -> Section:
    """What a latent does to the output, as a multiple of what a random direction of its length does."""
    kl: dict[str, Any] = {}
    touched: dict[str, Any] = {}
    details: Any = None
    for whose, units in setting.subjects.items():
        if whose == TRUE:
            continue
        model = setting.twin.model if whose == TWIN else setting.model
        ablate = partial(latent_effects, model, units, setting.rows, setting.hook_point, of=setting.positions)
        drawn = partial(ablate, n=N_ABLATED, per_latent=PER_LATENT, positions=_early(setting))
        found = found_or_why(partial(drawn, seed=setting.seed))
        kl[whose] = found if isinstance(found, str) else _ratio(found.table, "kl")
        touched[whose] = found if isinstance(found, str) else _ratio(found.table, "sparsity")
        details = _plain(found) if whose == OWN else details
    otherwise = "labels write what was fitted to them"
    scores = rows_of(setting, "effects", "effect, over a random direction's", 1, kl, otherwise=otherwise)
    scores += rows_of(
        setting, "effects", "logits touched, over a random direction's", -1, touched, otherwise=otherwise
    )
    return Section(scores, details)


def _early(setting: Setting) -> slice:
    """Of the positions that are measured, those near the beginning: what comes before is run each time."""
    start, stop, _ = setting.positions.indices(setting.rows.shape[1])
    return slice(start, min(stop, start + EARLY))


def _ratio(table: Any, column: str) -> Estimate:
    """Of each latent's number and its control's, the quotient's geometric mean over latents.

    A few latents do a hundred times as much as the others: a mean of numbers would be theirs alone.
    """
    pairs = torch.tensor(table[[column, f"control_{column}"]].to_numpy())
    logs = (pairs[:, 0] / pairs[:, 1]).log()
    logs = logs[logs.isfinite()]
    if len(logs) < 2:
        return Estimate(float("nan"))
    return bootstrap(logs, lambda some: float(some.mean().exp()), what="latents")


def control_section(setting: Setting) -> Section:
    """The share of an answer that a few edited latents swap."""
    name, ks = "sparse control", (1, 4, 16)
    metrics = {f"answer swapped by {k} latent{'s' * (k > 1)}": 1 for k in ks}
    if setting.task is None:
        return without(setting, name, metrics, "no prompts were given")
    found = sparse_control(
        setting.model, setting.sae, setting.task, setting.hook_point, ks=ks, seed=setting.seed
    )
    if found.reason:
        return without(setting, name, metrics, found.reason)
    named = {OWN: SAE, baselines.PCA: COMPONENTS, baselines.NEURONS: NEURONS, TRUE: TRUE}
    scores = []
    for k, metric in zip(ks, metrics, strict=True):
        swapped: dict[str, Any] = {whose: found.at(source, k).success for whose, source in named.items()}
        drawn = {OWN: found.at(RANDOM, k).success}
        scores += rows_of(setting, name, metric, 1, swapped, otherwise=_NOT_THERE)
        scores += rows_of(setting, name, f"… by {k} at random", 0, drawn, otherwise=_OF_THE_SAE)
    return Section(scores, found.as_dict())


def same_section(setting: Setting) -> Section:
    """How many latents another SAE has, too: trained from another seed, at another width."""
    metrics = {f"found again in {name}": 1 for name in setting.others} or {"found again": 1}
    if not setting.others:
        return without(setting, "same latents", metrics, "no other SAE was given")
    scores, details = [], {}
    for name, metric in zip(setting.others, metrics, strict=True):
        found = match_latents(setting.own.a, units_of(setting.others[name], setting.own.x, name).a)
        values: dict[str, Any] = dict.fromkeys(NAMES, "it has no other seed")
        n = len(found.latents)
        alike = found.correlation >= ALIKE
        values[OWN] = Estimate(found.share(ALIKE), float(alike.double().std() / n**0.5), f"{n} latents")
        scores += rows_of(setting, "same latents", metric, 1, values)
        details[name] = found.as_dict() | {"by luck": found.shuffled_share(ALIKE)}
    return Section(scores, details)
