"""How a patient is trained: the healthy configuration, and what each cause does to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..runs import Run
from ..runs.configs import differences
from .causes import HEALTHY

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

MODEL = "tiny-stories-1L-21M"
STEPS = 256


def healthy_config(architecture: str = "jumprelu", **changes: Any) -> "Config":
    """Chapter 03's training as the clinic's healthy run has it: half as wide and half as long, a JumpReLU.

    A JumpReLU has every mechanism that the clinic's causes need: a coefficient, thresholds, latents that die,
    and something that brings them back (``pre_act_loss_coefficient``). Always at mini scale: the runs beside
    which it is laid are. On one core it trains in about 20 seconds.

    Args:
        architecture: ``jumprelu``, or ``batchtopk`` for the causes that are its own.
        changes: any other setting, as `training.change` takes it.
    """
    from ..training import change, preset  # noqa: PLC0415 - seconds

    cfg = preset("tinystories", "mini", "today", architecture=architecture)
    compensation = {"pre_act_loss_coefficient": 3e-3} if architecture == "jumprelu" else {}
    cfg = change(
        cfg,
        d_sae=512,
        training_tokens=STEPS * cfg.train_batch_size_tokens,
        wandb_log_frequency=5,
        eval_every_n_wandb_logs=5,
        **compensation,
    )
    return change(cfg, **changes) if changes else cfg


@dataclass(frozen=True)
class Recipe:
    """What a cause does to the healthy training. Severity goes from 0, just visible, to 1."""

    settings: Callable[[float], dict[str, Any]] = lambda severity: {}
    architecture: str = "jumprelu"
    model: Callable[[str], Any] | None = None
    """In place of the model; given a device."""
    dataset: Callable[[int, float], Any] | None = None
    """In place of the tokens; given the seed and the severity."""
    afterwards: Callable[[Run], Run] | None = None
    """What was done to the record of a sound run."""


def config_of(cause: str, seed: int, severity: float = 0.5, **changes: Any) -> "Config":
    """The configuration of a patient.

    Args:
        cause: of `causes.CAUSES`.
        severity: 0 to 1; for a healthy run, how much harmless settings differ, and .5 is not at all.
        changes: further settings, such as the device.
    """
    recipe = RECIPES[cause]
    return healthy_config(recipe.architecture, **({"seed": seed} | recipe.settings(severity) | changes))


def changed(cause: str, seed: int, severity: float = 0.5, **changes: Any) -> dict[str, tuple[Any, ...]]:
    """The settings in which a patient differs from the healthy run of its architecture and seed.

    Args:
        cause, seed, severity, changes: as for `config_of`.

    Returns:
        Dotted name of a setting: the patient's value, and the healthy run's.
    """
    mine = config_of(cause, seed, severity, **changes)
    rows = differences(mine, healthy_config(RECIPES[cause].architecture, seed=seed))
    # The rate's end follows from the rate, and a constant schedule does not use it.
    return {name: values for name, values in rows.items() if name != "lr_end"}


def train_patient(
    cause: str,
    seed: int,
    severity: float,
    folder: Path,
    *,
    device: str | None = None,
    show: bool = False,
    **changes: Any,
) -> Run:
    """Train a patient in a folder, or read it there; stopped, the same call goes on.

    Args:
        cause, seed, severity: as for `config_of`.
        device, show: as for `training.train`.
        changes: settings that are changed besides.

    Raises:
        CourseError, KeyboardInterrupt: as `training.train` does.
    """
    from ..training import train  # noqa: PLC0415 - seconds

    recipe = RECIPES[cause]
    where = {} if device is None else dict.fromkeys(("device", "llm_device", "act_store_device"), device)
    cfg = config_of(cause, seed, severity, **where, **changes)
    model = None if recipe.model is None else recipe.model(cfg.llm_device)
    dataset = None if recipe.dataset is None else recipe.dataset(seed, severity)
    run = train(cfg, name=cause, folder=folder, model=model, dataset=dataset, check=False, show=show)
    return run if recipe.afterwards is None else recipe.afterwards(run)


def _factor(least: float, most: float, severity: float) -> float:
    """From ``least`` at severity 0 to ``most`` at 1, even on a logarithmic scale; to four digits."""
    return float(f"{least * (most / least) ** severity:.4g}")


def _whole(value: float) -> int:
    """To a multiple of 8, as widths are."""
    return 8 * round(value / 8)


def _harmless(severity: float) -> dict[str, Any]:
    return {
        "lr": 3e-3 * _factor(0.8, 1.25, severity),
        "l0_coefficient": 0.4 * _factor(1.2, 1 / 1.2, severity),
    }


def _offset_model(size: float) -> Callable[[str], Any]:
    """The model with ``size`` added to all entries of the MLP's output; from a device.

    The layer norm at the model's end subtracts each token's mean over entries, and with it this number: the
    model predicts the same, and only the activations differ.
    """

    def make(device: str) -> Any:
        import torch  # noqa: PLC0415

        from ..models import load_model  # noqa: PLC0415

        model = load_model(MODEL, "mini", device=device, quiet=True)
        with torch.no_grad():
            model.blocks[0].mlp.b_out += size
        return model

    return make


def _rows(register: str, split: str, seed: int) -> Iterator[list[int]]:
    from ..models import token_stream  # noqa: PLC0415

    stream = token_stream(MODEL, "mini", split=split, seed=seed, register=register)
    return (row["tokens"] for row in stream)


def _dataset(rows: Callable[[str, int], Iterator[list[int]]], seed: int) -> Any:
    """Rows for `training.train`, which holds out the first: those are the same whatever the seed.

    Args:
        rows: from a split and a seed.
    """
    from datasets import IterableDataset  # noqa: PLC0415 - a second

    from ..models.streams import HELD_OUT  # noqa: PLC0415

    def both() -> Iterator[dict[str, Any]]:
        for row in chain(islice(rows("test", 0), HELD_OUT), rows("train", seed)):
            yield {"tokens": row}

    return IterableDataset.from_generator(both)


def _without_bos(seed: int, severity: float) -> Any:
    del severity  # the token is there, or it is not
    return _dataset(lambda split, seed: (row[1:] for row in _rows("stories", split, seed)), seed)


def _mixed_up(seed: int, severity: float) -> Any:
    """Rows of the stories, of which a share are notices: 60 % at severity 0, at 1 the dataset itself."""
    if severity >= 1:
        return None

    def rows(split: str, seed: int) -> Iterator[list[int]]:
        wrong, due = 0.6 + 0.4 * severity, 0.0
        stories, notices = _rows("stories", split, seed), _rows("notices", split, seed)
        while True:
            due += wrong
            yield next(notices if due >= 1 else stories)
            due -= due >= 1

    return _dataset(rows, seed)


_SMALL = 0.4
"""Of the mean in the activations of `_about_zero`: about 40 % of what varies."""


def _about_zero(run: Run) -> Run:
    """The record as it would be had the evaluation taken explained variance about zero.

    About the mean it is 1 - error / variance, about zero 1 - error / mean squared length. Both totals belong
    to the activations: their ratio is measured once, on held-out rows.
    """
    from ..runs.files import HISTOGRAMS, METRICS  # noqa: PLC0415
    from .archive import in_memory  # noqa: PLC0415

    share, name = _variance_share(), "reconstruction_quality.explained_variance"
    lines = []
    for line in run.lines_of(METRICS):
        value = line.get(name)
        lines.append(line if value is None else {**line, name: 1 - (1 - value) * share})
    return in_memory(run.name, {METRICS: lines, HISTOGRAMS: list(run.lines_of(HISTOGRAMS))})


def _variance_share() -> float:
    """Variance about the mean, over mean squared length, of the activations with the small mean."""
    import torch  # noqa: PLC0415

    from ..evals import harvest  # noqa: PLC0415

    tokens = torch.tensor(list(islice(_rows("stories", "test", 0), 32)))
    acts = harvest(_offset_model(_SMALL)("cpu"), tokens, "blocks.0.hook_mlp_out").flatten(0, 1)
    return float((acts - acts.mean(0)).pow(2).sum() / acts.pow(2).sum())


RECIPES: dict[str, Recipe] = {
    HEALTHY: Recipe(_harmless),
    "sparsity coefficient too small": Recipe(lambda s: {"l0_coefficient": 0.4 * _factor(1 / 4, 1 / 30, s)}),
    "dictionary too wide": Recipe(lambda s: {"d_sae": _whole(512 * _factor(5, 12.8, s))}),
    "learning rate too low": Recipe(lambda s: {"lr": 3e-3 * _factor(1 / 8, 1 / 50, s)}),
    "dictionary too narrow": Recipe(lambda s: {"d_sae": _whole(_factor(176, 93, s))}),
    "learning rate too high": Recipe(
        lambda s: {"lr": 3e-3 * _factor(18, 36, s), "lr_warm_up_steps": 0, "pre_act_loss_coefficient": None}
    ),
    "wrong data": Recipe(lambda s: {"dataset_path": f"sae-course:{MODEL}/notices"}, dataset=_mixed_up),
    "mean offset": Recipe(model=_offset_model(10.0)),
    "saturated L0": Recipe(
        lambda s: {
            "jumprelu_ste_to_input": False,
            "jumprelu_bandwidth": 0.05,
            "l0_coefficient": _factor(2, 20, s),
        }
    ),
    "threshold not converged": Recipe(
        lambda s: {"topk_threshold_lr": 0.02 * _factor(1 / 4, 1 / 12, s)}, architecture="batchtopk"
    ),
    "low precision": Recipe(lambda s: {"dtype": "bfloat16"}),
    "no BOS": Recipe(lambda s: {"context_size": 255, "prepend_bos": False}, dataset=_without_bos),
    "activations not mixed": Recipe(
        lambda s: {"n_batches_in_buffer": 16, "activations_mixing_fraction": 0.0}
    ),
    "inflated metric": Recipe(model=_offset_model(_SMALL), afterwards=_about_zero),
}
