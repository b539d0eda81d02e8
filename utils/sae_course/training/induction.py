"""Chapter 05's settings: SAEs on both layers' hook_z, and the lists on which induction is looked for.

What the chapter quotes from runs that were made once is read here, too (`recorded_induction`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models.names import choose_scale, entry
from ..runtime import CourseError
from . import chapter_settings, recorded_file

if TYPE_CHECKING:
    import pandas as pd
    from sae_lens import SAE, LanguageModelSAERunnerConfig

MODEL, PRESET = "attn-only-2l-demo", "attn-only-2l"
LAYERS = (0, 1)
FILE = "induction.json"


@dataclass(frozen=True)
class InductionConfig:
    """What chapter 05 looks for, and on how much text. The same at both scales."""

    model: str = MODEL
    n_words: int = 128
    """The most frequent tokens, of which lists are made: words that the SAEs have seen often."""
    period: int = 64
    """Words in a list."""
    find_rows: int = 24
    """Rows of lists on which latents are scored, and candidate pairs found."""
    attribution_rows: int = 8
    """The first of these: rows on which gradients are taken."""
    test_rows: int = 40
    """Other rows, on which candidates are ablated."""
    story_rows: int = 60
    """Rows of held-out text, for the labels."""
    previous_token: float = 0.5
    """Share of a layer 0 latent's variance that the previous token explains, from which it counts as one."""
    repeat: float = 0.5
    """Repeat score from which a layer 1 latent counts as an induction latent."""
    least_tokens: int = 10
    """Tokens on which a latent must fire to be scored, and a pair together to be a candidate."""
    n_pairs: int = 30
    """Candidates with the largest attribution, which are ablated."""
    n_random_pairs: int = 200
    """Pairs drawn at random, for attribution against ablation."""
    steps: int = 4
    """Of integrated gradients."""
    live_share: int = 8
    """The training in the notebook reads this fraction (1/8) of the finished SAEs' tokens."""
    seed: int = 0

    def __str__(self) -> str:
        return chapter_settings.shown(self, 16)


_SMOKE = {
    "n_words": 32,
    "period": 12,
    "find_rows": 6,
    "attribution_rows": 2,
    "test_rows": 6,
    "story_rows": 4,
    "n_pairs": 4,
    "n_random_pairs": 4,
    "steps": 1,
    "live_share": 1,
    # Random weights have no induction: what comes nearest to it is a candidate.
    "previous_token": 0.3,
    "repeat": 0.0,
    "least_tokens": 1,
}
"""In a smoke run."""


def induction_config(**changes: Any) -> InductionConfig:
    """Chapter 05's settings, with other values for any field.

    Raises:
        CourseError: for a setting that there isn't.
    """
    return chapter_settings.changed(InductionConfig, "05", changes, _SMOKE)


def sae_config(layer: int, scale: str | None = None, **changes: Any) -> "LanguageModelSAERunnerConfig[Any]":
    """The preset with a TopK SAE of half the preset's k.

    Fewer latents share the work, so that a single one can be missed: with the preset's own k, a latent of
    layer 1 hangs on more latents of layer 0 at once (the record's part ``circuits`` has both).

    Args:
        layer: 0 or 1.
        scale: the session's own when not given.
        changes: any other setting, as `change` takes it.
    """
    from .presets import preset  # noqa: PLC0415 - SAELens, seconds
    from .settings import change  # noqa: PLC0415

    cfg: Any = preset(PRESET, scale, "today", layer=layer, architecture="topk")
    return change(cfg, **{"k": cfg.sae.k // 2, **changes})


def finished_sae(layer: int, scale: str | None = None, *, device: str | None = None) -> "SAE[Any]":
    """A trained SAE of that layer's hook_z, which takes z with its heads: for those who skip the training.

    At mini scale it is the shipped one (``sae_config``, seed 0); at full scale the one that was published for
    the published model, from the hub. That one is a Gated SAE of the recipe "seed": not this chapter's.

    Raises:
        CourseError: for a layer or scale that there isn't, and when the hub can't be read.
    """
    from ..runtime import current  # noqa: PLC0415
    from .published import published_sae  # noqa: PLC0415
    from .shipped import shipped_run  # noqa: PLC0415

    if layer not in LAYERS:
        raise CourseError(f"{MODEL} has the layers 0 and 1, and none {layer!r}.")
    if choose_scale(entry(MODEL), scale) == "mini":
        return shipped_run(f"{PRESET}-layer-{layer}").sae(device or current().device)
    return published_sae(PRESET, layer, device=device)


def recorded_induction(part: str) -> "pd.DataFrame":
    """One part of chapter 05's record, a row for each run or pair of runs.

    Written by ``python -m sae_course.notebooks.record_induction`` at mini scale.

    Args:
        part: ``circuits``, ``widths``, ``splitting`` or ``models``.

    Raises:
        CourseError: for a part that there isn't, and when the file was changed after it was recorded.
    """
    return recorded_file.part_of(FILE, part, "05")
