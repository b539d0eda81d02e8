"""Chapter 07's settings, its finished SAE at either scale, the configuration it plans, and its record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models.names import choose_scale, entry
from . import chapter_settings, recorded_file

if TYPE_CHECKING:
    import pandas as pd
    from sae_lens import SAE, LanguageModelSAERunnerConfig

MODEL, PRESET, FILE, SHIPPED = "gemma-2-2b", "gemma", "gemma.json", "gemma"


@dataclass(frozen=True)
class GemmaConfig:
    """What chapter 07 looks at and trains. The same at both scales; sizes in tokens are small on purpose."""

    model: str = MODEL
    preset: str = PRESET
    profile_rows: int = 16
    """Rows of which the stream is looked at, at every layer."""
    profile_context: int = 256
    n_top: int = 4
    """Dimensions that count as the largest."""
    small_tokens: int = 4096
    """Activations that a `SmallTraining` learns from."""
    small_dims: int = 128
    """Of which it sees the first so many dimensions."""
    small_steps: int = 200
    live_tokens: int = 65_536
    """That each training in the notebook reads. A finished SAE needs many times more."""
    live_buffer: int = 4
    """Model batches in its buffer."""
    live_norm_batches: int = 2
    """On which its scale is estimated."""
    live_eval_batches: int = 2
    """Of held-out rows, at each of its evaluations."""
    measure_rows: int = 32
    """Held-out rows on which finished SAEs are measured."""
    seed: int = 0

    def __str__(self) -> str:
        return chapter_settings.shown(self, 16)


_SMOKE = {
    "profile_rows": 18,
    "profile_context": 24,
    "small_tokens": 400,
    "small_steps": 100,
    "live_tokens": 256,
    "live_buffer": 2,
    "live_norm_batches": 1,
    "live_eval_batches": 1,
    "measure_rows": 2,
}
"""In a smoke run."""


def gemma_config(**changes: Any) -> GemmaConfig:
    """Chapter 07's settings, with other values for any field.

    Raises:
        CourseError: for a setting that there isn't.
    """
    return chapter_settings.changed(GemmaConfig, "07", changes, _SMOKE)


def full_run(architecture: str | None = None, **changes: Any) -> "LanguageModelSAERunnerConfig[Any]":
    """The full preset as it would be on a GPU, wherever this is: to be planned, not to be trained here.

    One setting is put back to SAELens' default: an evaluation reads as many rows at once as the filling of
    the buffer does. The preset itself reads one.

    Args:
        architecture: SAELens' name; BatchTopK when not given.
        changes: ``layer``, and any other setting as `preset` takes it.
    """
    from .presets import preset  # noqa: PLC0415 - SAELens, seconds
    from .settings import change  # noqa: PLC0415

    cfg = preset(PRESET, "full", "today", architecture=architecture, smoke=False, **changes)
    rows = {"eval_batch_size_prompts": cfg.store_batch_size_prompts, "n_eval_batches": 8}
    return change(cfg, device="cuda", autocast=True, autocast_lm=True, **rows)


def finished_sae(scale: str | None = None, *, device: str | None = None) -> "SAE[Any]":
    """A trained SAE of the residual stream at the preset's layer.

    At mini scale it is the shipped one, a BatchTopK SAE of the preset; at full scale Gemma Scope's canonical
    SAE of layer 12 with 16 k latents, from the hub: a JumpReLU SAE, as the other is when it is finished.

    Raises:
        CourseError: for a scale that there isn't, and when the hub can't be read.
    """
    from ..runtime import current  # noqa: PLC0415
    from .published import published_sae  # noqa: PLC0415
    from .shipped import shipped_run  # noqa: PLC0415

    device = device or current().device
    if choose_scale(entry(MODEL), scale) == "mini":
        return shipped_run(SHIPPED).sae(device)
    return published_sae(PRESET, device=device)


def recorded_gemma(part: str) -> "pd.DataFrame":
    """One part of chapter 07's record, a row for each SAE.

    Written by ``python -m sae_course.notebooks.record_gemma`` at mini scale.

    Args:
        part: ``scaling`` (one coefficient at every layer, activations scaled or not) or ``widths`` (layers
            and widths from one stream).

    Raises:
        CourseError: for a part that there isn't, and when the file was changed after it was recorded.
    """
    return recorded_file.part_of(FILE, part, "07")
