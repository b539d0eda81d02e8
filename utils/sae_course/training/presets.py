"""A complete SAELens configuration for each chapter's training, at both scales and in two recipes."""

import dataclasses
import difflib
from typing import TYPE_CHECKING, Any, TypeAlias

from ..models import MODELS
from ..models.names import choose_scale, own_names
from ..runtime import CourseError, current
from .architectures import SPARSITY, config_class
from .preset_values import JUMPRELU, PRESETS, AtScale, Preset, evaluated
from .settings import change
from .smoke import shortened

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

RECIPES = {"seed": "gated", "today": "batchtopk"}
"""Each recipe and its architecture: the seed course's values, and what is recommended now."""


def preset(
    name: str,
    scale: str | None = None,
    recipe: str = "seed",
    *,
    layer: int | None = None,
    architecture: str | None = None,
    smoke: bool | None = None,
    **changes: Any,
) -> "Config":
    """The complete SAELens configuration of a chapter's training.

    Args:
        name: ``tinystories``, ``attn-only-2l``, ``othello`` (its MLP), ``othello-resid`` (its residual
            stream) or ``gemma``; or a model's name, for the first of its presets.
        scale: ``mini`` or ``full``; the session's (see `setup`) when not given.
        recipe: ``seed``, the seed course's values (at full scale exactly those): a Gated SAE with an L1
            coefficient. ``today``, what is recommended now: BatchTopK, Adam's usual beta1, no warm-up of the
            coefficient needed; at full scale a learning rate of 3e-4.
        layer: of the hook point; the chapter's own when not given.
        architecture: of `architectures.CONFIGS`, in place of the recipe's; its coefficient was chosen at mini
            scale so that L0 is near the recipe's.
        smoke: cut to a few steps (`smoke.shortened`); whether the session is a smoke run, when not given.
        changes: any other setting, as `change` takes it.

    Raises:
        CourseError: for a name, scale, recipe, layer or architecture that there isn't, and as `change` does.
    """
    wanted = find_preset(str(name))
    chosen = choose_scale(MODELS[wanted.model], scale)
    if recipe not in RECIPES:
        raise CourseError(f'There is no recipe "{recipe}": use {" or ".join(RECIPES)}.')
    at = wanted.mini if chosen == "mini" else wanted.full
    layer = at.layer if layer is None else layer
    if type(layer) is not int or layer not in range(at.layers):
        has = "one layer, 0" if at.layers == 1 else f"the layers 0 to {at.layers - 1}"
        raise CourseError(f"{wanted.model} has at {chosen} scale {has}; layer is {layer!r}.")
    cfg = _build(wanted, chosen, recipe, layer, architecture or RECIPES[recipe])
    if current().smoke if smoke is None else smoke:
        cfg = shortened(cfg)
    return change(cfg, **changes) if changes else cfg


def find_preset(name: str) -> Preset:
    """The preset of that name, or the first of that model.

    Raises:
        CourseError: for a name that there isn't, with the nearest that there are.
    """
    for wanted in PRESETS.values():
        if name in (wanted.name, wanted.model):
            return wanted
    if name in own_names():
        from .source import OURS  # noqa: PLC0415 - torch

        raise CourseError(
            f'There is no preset for "{name}", a model of yours. Take one of its architecture and change it: '
            f'preset("tinystories", "mini", model_name="{name}", dataset_path="{OURS}{name}").'
        )
    known = [*PRESETS, *(wanted.model for wanted in PRESETS.values())]
    near = [one for one in known if name and name.lower() in one.lower()]
    near += [one for one in difflib.get_close_matches(name.lower(), known, 2, 0.5) if one not in near]
    hint = f"did you mean {' or '.join(near[:2])}?" if near else f"there are {', '.join(PRESETS)}."
    raise CourseError(f'There is no preset "{name}": {hint}')


def _build(wanted: Preset, scale: str, recipe: str, layer: int, architecture: str) -> "Config":
    from sae_lens import LanguageModelSAERunnerConfig, LoggingConfig  # noqa: PLC0415 - seconds

    from .source import OURS  # noqa: PLC0415 - torch

    at = wanted.mini if scale == "mini" else wanted.full
    mini, cuda = scale == "mini", current().device.startswith("cuda")
    warm_up = round(at.warm_up * at.steps)
    eval_prompts, eval_batches = evaluated(at, scale)
    entry = MODELS[wanted.model]
    assert entry.dataset is not None
    frequency = 10 if mini else max(1, at.steps // 1000)  # about a thousand lines in the record
    return LanguageModelSAERunnerConfig(
        sae=_sae(wanted, at, scale, architecture, warm_up),
        model_name=wanted.model,
        hook_name=wanted.hook.format(layer=layer),
        dataset_path=OURS + wanted.model if mini else entry.dataset.repository,
        context_size=at.context,
        training_tokens=at.tokens,
        train_batch_size_tokens=at.batch,
        # SAELens 6 counts sequences here. At full scale, as many as the seed's buffer of model batches held:
        # 0.2 GB of activations (Othello) to 2.1 GB, and up to three times that while it is mixed. Where a GPU
        # lacks the room: act_store_device="cpu".
        n_batches_in_buffer=at.buffer,
        store_batch_size_prompts=at.prompts,
        lr=at.lr[recipe],
        lr_warm_up_steps=warm_up,
        lr_decay_steps=round(0.2 * at.steps),
        # 0 was SAELens 4's default, and so the seed's. In a mini run it makes the end noisier: measured on
        # TinyStories with the same coefficient, L0 30 in place of 16 for 1 % more of the loss recovered.
        adam_beta1=0.0 if recipe == "seed" and not mini else 0.9,
        # Faster, and no worse where the parameters are float32. Gemma itself was trained in bfloat16; the
        # small models are fast enough in float32.
        autocast=mini or cuda,
        autocast_lm=cuda and not mini and wanted.name == "gemma",
        # AuxK and the count of dead latents begin after this; SAELens' 1,000 is longer than a mini run.
        dead_feature_window=round(0.2 * at.steps) if mini else 1000,
        feature_sampling_window=round(at.steps / 20) if mini else 2000,
        n_batches_for_norm_estimate=20
        if mini
        else 100,  # a mean norm is known to a part in a thousand by then
        n_eval_batches=eval_batches,
        eval_batch_size_prompts=eval_prompts,
        logger=LoggingConfig(
            log_to_wandb=False,
            wandb_log_frequency=frequency,
            eval_every_n_wandb_logs=max(1, at.steps // frequency // (10 if mini else 50)),
        ),
        device=current().device,
        seed=0,
        n_checkpoints=0,
        checkpoint_path=None,
        output_path=None,
        verbose=False,
        **wanted.settings,
    )


def _sae(wanted: Preset, at: AtScale, scale: str, architecture: str, warm_up: int) -> Any:
    given: dict[str, Any] = {
        "d_in": at.d_in,
        "d_sae": at.d_sae,
        # So that a coefficient means the same at any hook point. Folded into the weights at the end.
        "normalize_activations": "expected_average_only_in",
        "device": current().device,
        **wanted.sae,
    }
    cls = config_class(architecture)
    fields = {field.name for field in dataclasses.fields(cls)}
    like = "batchtopk" if architecture == "matryoshka_batchtopk" else architecture
    value = at.sparsity[like]
    given[SPARSITY[architecture]] = int(value) if architecture == "topk" else float(value)
    if "l1_warm_up_steps" in fields:
        given["l1_warm_up_steps"] = warm_up
    if architecture == "jumprelu":
        # Rising over half of the run: a coefficient that is there early kills latents.
        given |= JUMPRELU | {"l0_warm_up_steps": at.steps // 2}
    if "topk_threshold_lr" in fields and scale == "mini":
        # The threshold is a running mean from 0; at SAELens' rate, .01, it would lag behind the activations.
        given["topk_threshold_lr"] = 0.02
    if "matryoshka_widths" in fields:
        given["matryoshka_widths"] = [at.d_sae // 16, at.d_sae // 4, at.d_sae]
    return cls(**given)
