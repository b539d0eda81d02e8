"""Chapter 06's settings, the published SAE and probes, and the chapter's record.

At mini scale everything is trained by the chapter, shipped with the course or recorded; at full scale the
SAE and the linear probes are those that were published for OthelloGPT.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models.hub import ask, fetching
from ..models.names import choose_scale, entry
from ..runtime import CourseError
from . import chapter_settings, recorded_file

if TYPE_CHECKING:
    import pandas as pd
    from jaxtyping import Float
    from sae_lens import SAE, LanguageModelSAERunnerConfig
    from torch import Tensor

MODEL = "othello-gpt"
PRESETS_OF = {"MLP": "othello", "residual stream": "othello-resid"}
"""The hook points that the chapter compares, and their presets."""
FILE = "othello.json"
PROBES = "linear_probes.pt"
"""In the published SAE's repository: directions of the residual stream, by what they tell apart."""
SHIPPED = "othello-boards"
PUBLISHED_SCORES = (
    {"what": "best coverage of 280 SAEs (Gated, L0 129)", "coverage": 0.519},
    {"what": "best reconstruction (Standard, L0 457)", "reconstruction": 0.954},
    {"what": "SAEs of a random-weights GPT, the best", "coverage": 0.272, "reconstruction": 0.082},
    {"what": "MLP neurons", "coverage": 0.549, "reconstruction": 0.815},
    *(
        {"what": f"best reconstruction at layer {layer}", "reconstruction": value}
        for layer, value in enumerate((0.34, 0.61, 0.72, 0.81, 0.89, 0.95, 0.58, 0.58))
    ),
)
"""Of the published OthelloGPT, layer 5 where none is named: Karvonen et al., 2024 (arXiv 2408.00113). On
occupied squares, and measured otherwise than here: see `evals.boards`."""


@dataclass(frozen=True)
class OthelloConfig:
    """What chapter 06 reads boards off, and on how many games. The same at both scales."""

    model: str = MODEL
    positions: tuple[int, int] = (5, -5)
    """Of each game: the SAEs see no others (their presets' ``seqpos_slice``)."""
    choose_games: int = 400
    """On which units, thresholds and levels are chosen, in the record."""
    measure_games: int = 400
    """Others, on which they are measured there."""
    live_games: int = 200
    """The same of each kind in the notebook."""
    probe_games: int = 1200
    """On which linear probes are trained: others again."""
    probe_epochs: int = 3
    probe_batch: int = 2048
    probe_lr: float = 1e-2
    precise: float = 0.95
    """Precision from which a latent speaks for a property."""
    right: int = 10
    """Times that it must have been right."""
    live_share: int = 3
    """The training in the notebook reads this fraction (1/3) of the preset's tokens."""
    steer_latents: int = 8
    """Latents that are steered: the best for a disc, by F1 on the choosing games."""
    steer_precision: float = 0.8
    """Precision from which a latent is steered."""
    steer_boards: int = 24
    """Boards for each."""
    seed: int = 0

    def __str__(self) -> str:
        return chapter_settings.shown(self, 15)


_SMOKE = {
    "choose_games": 46,
    "measure_games": 46,
    "live_games": 46,
    "probe_games": 30,
    "probe_epochs": 1,
    "probe_batch": 128,
    "precise": 0.0,
    "right": 1,
    "live_share": 1,
    "steer_latents": 2,
    "steer_precision": 0.0,
    "steer_boards": 2,
}
"""In a smoke run."""


def othello_config(**changes: Any) -> OthelloConfig:
    """Chapter 06's settings, with other values for any field.

    Raises:
        CourseError: for a setting that there isn't.
    """
    return chapter_settings.changed(OthelloConfig, "06", changes, _SMOKE)


def sae_config(
    hook: str = "MLP", architecture: str = "standard", scale: str | None = None, **changes: Any
) -> "LanguageModelSAERunnerConfig[Any]":
    """The preset of a hook point with any architecture.

    Args:
        hook: ``MLP`` or ``residual stream``.
        architecture: SAELens' name.
        scale: the session's own when not given.
        changes: ``layer``, and any other setting as `preset` takes it.

    Raises:
        CourseError: for a hook that there isn't, and as `preset` does.
    """
    from .presets import preset  # noqa: PLC0415 - SAELens, seconds

    if hook not in PRESETS_OF:
        raise CourseError(f'Chapter 06 compares {" and ".join(PRESETS_OF)}, and no "{hook}".')
    return preset(PRESETS_OF[hook], scale, "today", architecture=architecture, **changes)


def finished_sae(scale: str | None = None, *, device: str | None = None) -> "SAE[Any]":
    """A trained SAE of the MLP's activations, for those who skip the training.

    At mini scale it is the shipped one (`SHIPPED`); at full scale the one that was published for the
    published model, from the hub: a Gated SAE of the recipe "seed" at layer 5.

    Raises:
        CourseError: for a scale that there isn't, and when the hub can't be read.
    """
    from ..runtime import current  # noqa: PLC0415
    from .published import published_sae  # noqa: PLC0415
    from .shipped import shipped_run  # noqa: PLC0415

    device = device or current().device
    if choose_scale(entry(MODEL), scale) == "mini":
        return shipped_run(SHIPPED).sae(device)
    return published_sae(PRESETS_OF["MLP"], device=device)


def published_probes() -> "dict[str, Float[Tensor, '...']]":
    """The published linear probes of the published model, from the hub: directions by what they tell apart.

    The file is a pickle of tensors. It is read with weights only: nothing in it can run.

    Raises:
        CourseError: when the hub can't be read, or the file holds anything but tensors.
    """
    import torch  # noqa: PLC0415
    from huggingface_hub import hf_hub_download  # noqa: PLC0415

    from .published import source_of  # noqa: PLC0415

    source = source_of(PRESETS_OF["MLP"])
    with fetching(source):
        ask(source)
        path = hf_hub_download(source.repository, PROBES)
        found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict) or not all(isinstance(one, torch.Tensor) for one in found.values()):
        raise CourseError(f"{source.repository}, {PROBES}, should hold named tensors, not something else.")
    return found


def recorded_othello(part: str) -> "pd.DataFrame":
    """One part of chapter 06's record, a row for each run.

    Written by ``python -m sae_course.notebooks.record_othello`` at mini scale.

    Args:
        part: ``dictionaries``, ``sparsity`` or ``layers``.

    Raises:
        CourseError: for a part that there isn't, and when the file was changed after it was recorded.
    """
    return recorded_file.part_of(FILE, part, "06")
