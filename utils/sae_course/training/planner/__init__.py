"""The planner: memory, time and money of a run, before anything is downloaded.

What is asked of the machine (``workload``, ``shapes``), what it has (``machines``, ``calibration``), how much
is where at which moment (``memory``), how fast it is (``speed``), how many tokens (``practice``), what to
change (``advice``); all in a `Plan` (``plan``), and for a run that failed a `Reading` (``diagnosis``).
``measure`` and ``calibrate`` hold the plan against runs, ``traced`` against the code itself at full size.
"""

from typing import TYPE_CHECKING, Any

from ...runtime import CourseError, current
from . import machines
from .diagnosis import Reading, diagnose
from .plan import Plan, make
from .workload import changed, of_config, of_preset

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

__all__ = ["Plan", "Reading", "plan", "why_out_of_memory"]


def plan(
    what: "str | LanguageModelSAERunnerConfig[Any]",
    *,
    gpu: str = machines.CPU,
    tokens: float | None = None,
    price: float | None = None,
    saes: int = 1,
    model: Any = None,
    scale: str | None = None,
    recipe: str | None = None,
    architecture: str | None = None,
    layer: int | None = None,
    **changes: Any,
) -> Plan:
    """What a run takes: memory by part, time, cost, disk, and what to change where it doesn't fit.

    Nothing is loaded or downloaded. From a preset's name it takes a moment; a configuration is read as it is.

    Args:
        what: a preset's name, or a SAELens configuration.
        gpu: ``T4``, ``L4``, ``4090``, ``A100-40``, ``A100-80``, ``H100``, ``H200`` or ``cpu``.
        tokens: to train on, in place of ``training_tokens``.
        price: of an hour, in any currency.
        saes: how many such SAEs learn from one stream (`train_many`).
        model: a loaded model, for one that the course doesn't know.
        scale, recipe, architecture, layer: of the preset, as `preset` takes them; the scale is full for a GPU
            and the session's for the CPU.
        changes: settings by SAELens' names, such as ``act_store_device="cpu"``.

    Raises:
        CourseError: for a preset, GPU or setting that there isn't, and a run that could not run anywhere.
    """
    where = machines.machine(gpu)
    on_gpu = where.name != machines.CPU
    if isinstance(what, str):
        from ..presets import find_preset  # noqa: PLC0415

        wanted = find_preset(what)
        scale = scale or ("full" if on_gpu else current().scale)
        if scale not in ("mini", "full"):
            raise CourseError(f"there is no scale {scale!r}: use 'mini' or 'full'.")
        work = of_preset(
            wanted, scale, recipe or "today", architecture=architecture, layer=layer, on_gpu=on_gpu
        )
        name = f"{wanted.name} ({scale}, {work.architecture})"
    else:
        given = {"scale": scale, "recipe": recipe, "architecture": architecture, "layer": layer}
        for setting, value in given.items():
            if value is not None:
                raise CourseError(f"{setting} is for a preset's name: a configuration has its own.")
        work = of_config(what, on_gpu=on_gpu, model=model)
        name = f"{what.model_name} ({work.architecture})"
    if tokens is not None:
        changes["training_tokens"] = tokens
    work = changed(work, {"n_saes": saes} | changes)
    return make(name if saes == 1 else f"{saes} × {name}", work, where, price)


def why_out_of_memory(
    what: "str | LanguageModelSAERunnerConfig[Any] | Plan", message: str = "", *, gpu: str = "", **given: Any
) -> Reading:
    """Read a run that went out of memory: in which phase, which tensor, and what to change.

    Args:
        what: as for `plan`, or a plan.
        message: PyTorch's, with "Tried to allocate …"; its size names the tensor.
        gpu: where it happened; the others as for `plan`.

    Raises:
        CourseError: as `plan` does, and for a message without an allocation.
    """
    made = what if isinstance(what, Plan) else plan(what, gpu=gpu or machines.CPU, **given)
    return diagnose(made, message)
