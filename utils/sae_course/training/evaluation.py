"""Chapter 08's settings, the SAEs that it measures at either scale, the five of its scorecard, its record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..models.names import choose_scale, entry
from ..runtime import CourseError
from . import chapter_settings, recorded_file
from .shipped import TWIN

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from jaxtyping import Int
    from torch import Tensor

    from ..data.labels import Labels
    from ..evals.scores import Report

FILE = "evaluation.json"


class Site(NamedTuple):
    """A hook point with a finished SAE."""

    chapter: str
    model: str
    shipped: str
    """At mini scale; the twin's SAE is shipped beside it."""
    preset: str
    """Of which there is a published SAE at full scale."""
    layer: int
    positions: slice
    """Of each row, what the SAE reads and can be measured on: where something comes next."""


SITES = {
    "03": Site("03", "tiny-stories-1L-21M", "tinystories", "tinystories", 0, slice(0, -1)),
    "05": Site("05", "attn-only-2l-demo", "attn-only-2l-layer-1", "attn-only-2l", 1, slice(0, -1)),
    "06": Site("06", "othello-gpt", "othello-boards", "othello", 5, slice(5, -5)),
}
"""By chapter."""
FIVE = {"Amber": "rotated axes", "Birch": "03", "Cedar": "06", "Damson": "05", "Elder": "random decoder"}
"""The scorecard's SAEs: a chapter's own, or a planted fake (`planted`)."""
FAKES = {"random decoder": "03", "rotated axes": "06"}
"""The fakes, and the chapter whose hook point each is of."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What chapter 08 measures on. The same at both scales."""

    rows: int = 48
    """Held-out rows, half of which choose and half measure."""
    loss_rows: int = 16
    """Of these, rows that the model's loss is measured on."""
    frequent: int = 80
    """The most frequent tokens: "is it this one that comes next?" is a feature for each."""
    ks: tuple[int, ...] = (1, 2, 5)
    """Latents that a sparse probe may read."""
    bins: int = 4
    """Groups of firings, from weak to strong."""
    n_latents: int = 48
    """That are explained."""
    least_fires: int = 30
    """Tokens of either half on which a latent must fire to be looked at by itself."""
    excerpts: int = 10
    """Of the strongest, and of others at random: what an explainer sees, and is scored on."""
    n_ablated: int = 128
    """That are ablated, one at a time."""
    sections: tuple[str, ...] | None = None
    """Of the report; None is all of them."""
    n_prompts: int = 64
    """In pairs, on the indirect-object task."""
    edits: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Latents that are edited there."""
    least_cosine: float = 0.1
    """With the parent's direction, for an absorbing latent."""
    least_share: float = 0.4
    """Of the parent's direction that an absorbing latent makes up."""
    parents: int = 8
    """Of the toy world of families; a parent has so many children:"""
    children: int = 3
    toy_d_in: int = 48
    widths: tuple[int, ...] = (8, 16, 64)
    """Latents of the SAEs that are trained on it, three worlds each."""
    toy_steps: int = 600
    seed: int = 0

    def __str__(self) -> str:
        return chapter_settings.shown(self, 14)


_SMOKE: dict[str, Any] = {
    "toy_steps": 200,
    "rows": 16,
    "loss_rows": 4,
    "frequent": 12,
    "n_latents": 4,
    "least_fires": 4,
    "excerpts": 2,
    "n_ablated": 4,
    "sections": ("reconstruction", "firing", "truth"),
    "n_prompts": 8,
    "edits": (1, 4),
}
"""In a smoke run."""


def evaluation_config(**changes: Any) -> EvaluationConfig:
    """Chapter 08's settings, with other values for any field.

    Raises:
        CourseError: for a setting that there isn't.
    """
    return chapter_settings.changed(EvaluationConfig, "08", changes, _SMOKE)


def finished_sae(chapter: str, scale: str | None = None, *, device: str | None = None) -> Any:
    """A chapter's trained SAE: shipped at mini scale, published at full scale.

    Raises:
        CourseError: for a chapter without one, and when the hub can't be read.
    """
    from ..runtime import current  # noqa: PLC0415
    from .published import published_sae  # noqa: PLC0415
    from .shipped import shipped_run  # noqa: PLC0415

    site = site_of(chapter)
    device = device or current().device
    if choose_scale(entry(site.model), scale) == "mini":
        return shipped_run(site.shipped).sae(device)
    return published_sae(site.preset, site.layer, device=device)


def finished_twin(chapter: str, scale: str | None = None) -> tuple[Any, Any] | None:
    """The random-weights twin of a chapter's model with an SAE of its own, on the CPU; None at full scale.

    There nobody has published one: train it (``train(preset(…), model=random_twin(…))``) and give it to
    `evals.report`.
    """
    from ..models import random_twin  # noqa: PLC0415
    from .shipped import shipped_run  # noqa: PLC0415

    site = site_of(chapter)
    if choose_scale(entry(site.model), scale) != "mini":
        return None
    return random_twin(site.model, "mini", device="cpu"), shipped_run(site.shipped + TWIN).sae("cpu")


def site_of(chapter: str) -> Site:
    """A chapter's hook point.

    Raises:
        CourseError: for a chapter that ends without an SAE of its own.
    """
    if chapter not in SITES:
        raise CourseError(f'There is no finished SAE of chapter "{chapter}": there are {", ".join(SITES)}.')
    return SITES[chapter]


def labels_for(
    chapter: str,
    tokens: "Int[np.ndarray, 'rows pos'] | Tensor",
    tokenizer: Any,
    frequent: int = 80,
    scale: str | None = None,
) -> "Labels":
    """What the hook point's latents could be about, at the site's positions.

    Of a game, its board; of a text, which token comes next and what is true of it then: both SAEs of texts
    are of what the last layer adds to the stream.
    """
    from ..models import token_labels, truth  # noqa: PLC0415

    site = site_of(chapter)
    known = truth(site.model, tokens, scale, tokenizer=tokenizer)
    if entry(site.model).data == "othello":
        return known.at(site.positions)
    return token_labels(tokens, tokenizer, frequent).of_next().joined(known.of_next())


def scorecard_sae(name: str) -> tuple[str, Any]:
    """One of the scorecard's five on the CPU, and the chapter whose hook point it is of. At mini scale.

    Raises:
        CourseError: for a name that there isn't.
    """
    from .planted import planted  # noqa: PLC0415
    from .shipped import shipped_run  # noqa: PLC0415

    if name not in FIVE:
        raise CourseError(f'The scorecard has no "{name}": it has {", ".join(FIVE)}.')
    what = FIVE[name]
    if what in FAKES:
        return FAKES[what], planted(what)
    return what, shipped_run(SITES[what].shipped).sae("cpu")


def recorded_evaluation(part: str) -> "pd.DataFrame":
    """One part of chapter 08's record, a row for each SAE.

    Written by ``python -m sae_course.notebooks.record_evaluation`` at mini scale.

    Args:
        part: ``widths`` (absorption and splitting), ``same`` (latents found again), ``k`` (the right L0),
            ``map`` (decoder directions in two dimensions).

    Raises:
        CourseError: for a part that there isn't, and when the file was changed after it was recorded.
    """
    return recorded_file.part_of(FILE, part, "08")


def recorded_reports() -> "dict[str, Report]":
    """The reports of the scorecard's five SAEs, at mini scale.

    Raises:
        CourseError: when the file was changed after it was recorded.
    """
    from ..evals.scores import Report  # noqa: PLC0415

    parts = recorded_file.untouched(FILE, recorded_file.read(FILE), "parts")
    return {row["name"]: Report.from_dict(row) for row in parts["reports"]}
