"""The healthy runs that a run can fairly be laid beside, and what of them can be compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..runs import Run
from ..runs.files import HISTOGRAMS, METRICS
from . import shelf
from .archive import in_memory
from .patients import MODEL, STEPS

NOTE = "clinic"
"""What `run.json` of a run that `new` made has among its notes."""
HOOK = "blocks.0.hook_mlp_out"
_ROW = 255  # tokens that a row has at least, in the ward: a shorter row's loss is another
_TOKENS = STEPS * 2048  # that the ward's healthy run was trained on
_FIXED = ("topk", "batchtopk", "matryoshka_batchtopk")
_OF_THE_MODEL = tuple(
    f"model_performance_preservation.ce_loss_{kind}" for kind in ("without_sae", "with_ablation")
)


@dataclass(frozen=True)
class Reference:
    """Healthy runs, of which is kept what can be compared."""

    runs: tuple[Run, ...]
    """As many seeds as there are."""
    words: str
    """Which they are, and what of them is not compared."""


def reference(run: Run) -> Reference | None:
    """The course's healthy runs that a run can be compared with, as far as it can; None where there is none.

    They have to be of the same model, hook point and kind of data, for those decide what the model loses, and
    how long activations are. L0, and what is explained at it, differ from architecture to architecture: the
    ward's are JumpReLUs, and beside a TopK of any kind is laid chapter 03's. How many latents are too many
    depends on the number of tokens: widths are compared where that is about the same.

    Raises:
        CourseError: when a healthy run was changed or can't be read.
    """
    if NOTE in run.notes:
        return Reference(_ward(), "the clinic's healthy runs")
    if not _fits(run.config):
        return None
    sae = run.config.get("sae")
    sae = sae if isinstance(sae, Mapping) else {}
    architecture, length = sae.get("architecture"), run.config.get("training_tokens")
    if architecture in _FIXED:
        from ..training import shipped_run  # noqa: PLC0415 - seconds

        trained = shipped_run("tinystories")
        sound: tuple[Run, ...] = (trained,)
        words = "chapter 03's trained SAE, a TopK"
        tokens, same_l0 = trained.config["training_tokens"], sae.get("k") == trained.config["sae"]["k"]
    else:
        sound, words = _ward(), "the clinic's healthy runs, JumpReLUs"
        tokens, same_l0 = _TOKENS, True
        if architecture != "jumprelu":
            words += "; of another architecture, only the model's own losses are compared"
            return Reference(_kept(sound, _OF_THE_MODEL.__contains__, widths=False), words)
    widths = _alike(length, tokens)
    left = ["L0 (k is another)"] * (not same_l0)
    left += ["widths (trained on another number of tokens)"] * (not widths)
    if left:
        words += f"; not compared: {', '.join(left)}"
        sound = _kept(sound, lambda name: same_l0 or name != "metrics/l0", widths=widths)
    return Reference(sound, words)


def _ward() -> tuple[Run, ...]:
    return tuple(run for key, run in shelf.runs("ward").items() if key.startswith("run 0,"))


def _fits(config: Mapping[str, Any]) -> bool:
    row = config.get("context_size")
    return (
        config.get("model_name") == MODEL
        and config.get("hook_name") == HOOK
        and str(config.get("dataset_path")).startswith("sae-course:")
        and isinstance(row, int)
        and row >= _ROW
    )


def _alike(tokens: Any, others: int) -> bool:
    return isinstance(tokens, int | float) and others / 1.5 <= tokens <= others * 1.5


def _kept(runs: tuple[Run, ...], keep: Callable[[str], bool], *, widths: bool) -> tuple[Run, ...]:
    """Runs with some of their metrics, and with their histograms, which tell the width, or without."""
    kept = []
    for run in runs:
        lines = [
            {name: value for name, value in line.items() if name == "step" or keep(name)}
            for line in run.lines_of(METRICS)
        ]
        histograms = list(run.lines_of(HISTOGRAMS)) if widths else []
        kept.append(in_memory(run.name, {METRICS: lines, HISTOGRAMS: histograms}))
    return tuple(kept)
