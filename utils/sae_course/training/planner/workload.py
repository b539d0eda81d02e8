"""What a run asks of a machine, read from a preset's values or from SAELens' configuration."""

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...models.names import MODELS, dtype_name
from ...runtime import CourseError
from ..architectures import SPARSITY
from ..preset_values import AtScale, Preset, evaluated
from ..presets import RECIPES
from .shapes import ModelShape, of_model, shape_of

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

GPU, SECOND, CPU = "gpu", "second gpu", "cpu"
"""Where something lies: devices of a plan."""


@dataclass(frozen=True)
class Workload:
    """A training run in numbers. Where nothing else is said, tokens and rows of the data."""

    model: str
    scale: str
    shape: ModelShape
    layers: int
    """Blocks that are run to the hook point."""
    architecture: str
    d_in: int
    d_sae: int
    context_size: int
    row_tokens: int
    """Of a row, those that are trained on."""
    training_tokens: int
    train_batch_size_tokens: int
    n_batches_in_buffer: int
    """Rows, as SAELens 6 counts them."""
    store_batch_size_prompts: int
    eval_batch_size_prompts: int
    n_eval_batches: int = 8
    n_evaluations: int = 1
    n_batches_for_norm_estimate: int = 0
    autocast: bool = False
    autocast_lm: bool = False
    model_dtype: str = "float32"
    device: str = CPU
    llm_device: str = CPU
    act_store_device: str = CPU
    n_saes: int = 1
    use_cached_activations: bool = False

    @property
    def steps(self) -> int:
        return self.training_tokens // self.train_batch_size_tokens

    @property
    def buffer_tokens(self) -> int:
        return self.n_batches_in_buffer * self.row_tokens

    @property
    def model_bytes(self) -> int:
        """Of a number in the model."""
        return 2 if self.model_dtype.endswith("16") else 4

    @property
    def sae_parameters(self) -> int:
        """Of one SAE, with what the architecture adds to encoder, decoder and biases."""
        more = {"gated": 2, "jumprelu": 1}.get(self.architecture, 0) * self.d_sae
        return 2 * self.d_in * self.d_sae + self.d_sae + self.d_in + more

    @property
    def on_cpu(self) -> bool:
        """Whether SAEs are trained on the processor, where this course has a step of its own."""
        return self.device == CPU

    def checked(self) -> "Workload":
        """Itself.

        Raises:
            CourseError: when it can't run anywhere.
        """
        counts = (
            "d_in", "d_sae", "context_size", "training_tokens", "train_batch_size_tokens",
            "n_batches_in_buffer", "store_batch_size_prompts", "eval_batch_size_prompts", "n_saes",
        )  # fmt: skip
        for name in counts:
            value = getattr(self, name)
            if value < 1:
                raise CourseError(f"{name} is at least 1, not {value:,}.")
        if self.n_eval_batches < 0:
            raise CourseError(f"n_eval_batches is at least 0, not {self.n_eval_batches:,}.")
        if self.row_tokens < 1:
            raise CourseError(f"seqpos_slice leaves nothing of a context of {self.context_size} tokens.")
        if self.context_size > self.shape.n_ctx:
            raise CourseError(
                f"context_size = {self.context_size:,}, and {self.model} reads {self.shape.n_ctx:,} tokens "
                f"at {self.scale} scale: use at most that."
            )
        if self.buffer_tokens < self.train_batch_size_tokens:
            least = -(-self.train_batch_size_tokens // self.row_tokens)
            raise CourseError(
                f"This can't run: the buffer holds {self.buffer_tokens:,} tokens (n_batches_in_buffer = "
                f"{self.n_batches_in_buffer}) and a batch is {self.train_batch_size_tokens:,}. Use "
                f"n_batches_in_buffer = {least} or more."
            )
        if self.training_tokens < self.train_batch_size_tokens:
            raise CourseError(
                f"This can't run: {self.training_tokens:,} tokens are less than one batch of "
                f"{self.train_batch_size_tokens:,}."
            )
        return self


def of_preset(
    wanted: Preset, scale: str, recipe: str, *, architecture: str | None, layer: int | None, on_gpu: bool
) -> Workload:
    """A preset's run, without SAELens: what `of_config` reads from ``preset(...)``, as a test compares.

    Raises:
        CourseError: for a recipe, an architecture or a layer that there isn't.
    """
    at: AtScale = wanted.mini if scale == "mini" else wanted.full
    if recipe not in RECIPES:
        raise CourseError(f'There is no recipe "{recipe}": use {" or ".join(RECIPES)}.')
    kind = architecture or RECIPES[recipe]
    if kind not in SPARSITY:
        raise CourseError(f'There is no architecture "{kind}": there are {", ".join(SPARSITY)}.')
    layer = at.layer if layer is None else layer
    if layer not in range(at.layers):
        raise CourseError(
            f"{wanted.model} has the layers 0 to {at.layers - 1} at {scale} scale, not {layer}."
        )
    mini = scale == "mini"
    eval_prompts, eval_batches = evaluated(at, scale)
    frequency = 10 if mini else max(1, at.steps // 1000)
    place = GPU if on_gpu else CPU
    cut = wanted.settings.get("seqpos_slice", (None,))
    return Workload(
        model=wanted.model,
        scale=scale,
        shape=shape_of(wanted.model, scale),
        layers=layer + 1,
        architecture=kind,
        d_in=at.d_in,
        d_sae=at.d_sae,
        context_size=at.context,
        row_tokens=len(range(at.context)[slice(*cut)]),
        training_tokens=at.tokens,
        train_batch_size_tokens=at.batch,
        n_batches_in_buffer=at.buffer,
        store_batch_size_prompts=at.prompts,
        eval_batch_size_prompts=eval_prompts,
        n_eval_batches=eval_batches,
        n_evaluations=_evaluations(
            at.steps, frequency, max(1, at.steps // frequency // (10 if mini else 50))
        ),
        n_batches_for_norm_estimate=20 if mini else 100,
        autocast=mini or on_gpu,
        autocast_lm=on_gpu and not mini and wanted.name == "gemma",
        device=place,
        llm_device=place,
        act_store_device=place,
    )


def of_config(
    cfg: "LanguageModelSAERunnerConfig[Any]", *, on_gpu: bool, model: Any = None, n_saes: int = 1
) -> Workload:
    """The run of a configuration.

    A configuration for the CPU, planned for a GPU, is taken as if everything on its device were on the GPU.
    In any other, what lies on ``cpu`` stays there, and ``cuda:1`` is a second GPU.

    Raises:
        CourseError: for a model whose sizes aren't known.
    """
    from ..preflight.amounts import row_tokens, steps  # noqa: PLC0415
    from ..source import scale_of  # noqa: PLC0415 - torch

    scale = scale_of(cfg)
    shape = shape_of(cfg.model_name, scale) if model is None else of_model(model.cfg)
    found = re.search(r"blocks\.(\d+)\.", cfg.hook_name)
    estimated = cfg.sae.normalize_activations in ("expected_average_only_in", "covariance_whitening")
    logger = cfg.logger
    moved = on_gpu and str(cfg.device) == "cpu"
    device = "cuda" if moved else str(cfg.device)
    places = {"device": _place(device, device, on_gpu)}
    for name in ("llm_device", "act_store_device"):
        given = str(getattr(cfg, name))
        if given == "with_model":  # SAELens' word, until the configuration is made
            given = str(cfg.llm_device)
        places[name] = _place(device if moved and given == "cpu" else given, device, on_gpu)
    bf16 = moved and scale == "full"  # what a preset has on a GPU
    return Workload(
        model=cfg.model_name,
        scale=scale,
        shape=shape,
        layers=int(found[1]) + 1 if found else shape.n_layers,
        architecture=str(cfg.sae.architecture()),
        d_in=cfg.sae.d_in,
        d_sae=cfg.sae.d_sae,
        context_size=cfg.context_size,
        row_tokens=row_tokens(cfg),
        training_tokens=int(cfg.training_tokens),
        train_batch_size_tokens=cfg.train_batch_size_tokens,
        n_batches_in_buffer=cfg.n_batches_in_buffer,
        store_batch_size_prompts=cfg.store_batch_size_prompts,
        eval_batch_size_prompts=cfg.eval_batch_size_prompts or cfg.store_batch_size_prompts,
        n_eval_batches=cfg.n_eval_batches,
        n_evaluations=_evaluations(steps(cfg), logger.wandb_log_frequency, logger.eval_every_n_wandb_logs),
        n_batches_for_norm_estimate=cfg.n_batches_for_norm_estimate if estimated else 0,
        autocast=cfg.autocast or bf16,
        autocast_lm=cfg.autocast_lm or (bf16 and cfg.model_name == "gemma-2-2b"),
        model_dtype=dtype_name(cfg.model_from_pretrained_kwargs.get("dtype", "float32")),
        n_saes=n_saes,
        use_cached_activations=cfg.use_cached_activations,
        **places,
    )


def _place(name: str, device: str, on_gpu: bool) -> str:
    """Where something lies, if SAEs are trained on ``device``."""
    if not on_gpu or name == "cpu":
        return CPU
    first = ("cuda", "cuda:0")
    return GPU if name == device or (name in first and device in first) else SECOND


def _evaluations(steps: int, frequency: int, every: int) -> int:
    """In training, and once more at the end."""
    return steps // max(1, frequency * every) + 1


def changed(work: Workload, settings: dict[str, Any]) -> Workload:
    """A copy with other values, by SAELens' names; ``model_dtype`` is that of
    ``model_from_pretrained_kwargs``.

    Raises:
        CourseError: for a setting that a plan doesn't read, or a value of the wrong kind.
    """
    new: dict[str, Any] = {}
    for name, value in settings.items():
        if name == "model_from_pretrained_kwargs" and isinstance(value, dict):
            name, value = "model_dtype", value.get("dtype", "float32")  # noqa: PLW2901
        if name == "model_dtype":
            new[name] = dtype_name(value)
        elif name in _DEVICES:
            if not re.fullmatch(r"cpu|mps|cuda(:\d+)?|with_model", str(value)):
                raise CourseError(f"{name} is cpu, cuda, cuda:1 or with_model, not {value!r}.")
            if value == "with_model":
                new[name] = new.get("llm_device", work.llm_device)
            else:
                new[name] = _place(str(value), "cuda", work.device != CPU)
        elif name in _SETTINGS:
            kind = _SETTINGS[name]
            right = isinstance(value, bool) if kind is bool else _whole(value)
            if not right:
                raise CourseError(
                    f"{name} is {'true or false' if kind is bool else 'a whole number'}, not {value!r}."
                )
            new[name] = kind(value)
        else:
            raise CourseError(
                f'A plan does not depend on "{name}". It reads '
                f"{', '.join([*_SETTINGS, *_DEVICES, 'model_dtype'])}."
            )
    if "context_size" in new:
        new["row_tokens"] = new["context_size"] - (work.context_size - work.row_tokens)
    return dataclasses.replace(work, **new)


def _whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value == int(value)


_DEVICES = ("llm_device", "act_store_device")
_SETTINGS: dict[str, type] = {
    "d_sae": int,
    "context_size": int,
    "training_tokens": int,
    "train_batch_size_tokens": int,
    "n_batches_in_buffer": int,
    "store_batch_size_prompts": int,
    "eval_batch_size_prompts": int,
    "n_eval_batches": int,
    "n_saes": int,
    "autocast": bool,
    "autocast_lm": bool,
    "use_cached_activations": bool,
}


def licence(model: str) -> str:
    """What must be accepted before the model can be downloaded; empty where nothing must."""
    return MODELS[model].licence if model in MODELS else ""
