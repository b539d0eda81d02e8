"""Changing a configuration, and keeping one: a copy with other values, JSON and back, a name, a digest."""

import copy
import dataclasses
import difflib
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

from ..runs.configs import ASIDE, flatten, plain
from ..runtime import CourseError

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

    Config: TypeAlias = LanguageModelSAERunnerConfig[Any]

IN_STEPS = (
    "lr_warm_up_steps",
    "lr_decay_steps",
    "dead_feature_window",
    "feature_sampling_window",
    "sae.l1_warm_up_steps",
    "sae.l0_warm_up_steps",
    "logger.eval_every_n_wandb_logs",
)
"""Settings that keep their share of the run when its number of steps changes."""

# What SAELens 4 called a setting, and what to do in SAELens 6.
_FORMER = {
    "architecture": "give it to preset(..., architecture=...), or an SAE's configuration as sae=...",
    "expansion_factor": "give d_sae, which is expansion_factor times d_in",
    "layer": "give it to preset(..., layer=...), or change hook_name",
    "hook_layer": "give it to preset(..., layer=...), or change hook_name",
    "scale": "give it to preset(..., scale=...)",
    "steps": "give training_tokens, which is steps times train_batch_size_tokens",
    "batch_size": "give train_batch_size_tokens",
    "n_sequences_in_buffer": "give n_batches_in_buffer, which in SAELens 6 counts sequences",
    "normalize_sae_decoder": "SAELens 6 weights its sparsity losses by the decoder's norm instead",
    "b_dec_init_method": 'SAELens 6 has no such thing: give it to train(..., b_dec_init_method="mean")',
    "use_ghost_grads": "SAELens 6 has no such thing: TopK SAEs revive latents through aux_loss_coefficient",
}

# Beside what only names and places: evaluation, recording, machine, and what SAELens accepts and ignores.
_NOT_IN_WEIGHTS = (
    *ASIDE,
    "device",
    "llm_device",
    "act_store_device",
    "sae.device",
    "n_eval_batches",
    "eval_batch_size_prompts",
    "feature_sampling_window",
    "dead_feature_threshold",
    "prefetch_llm_batches",
    "sae_lens_version",
    "sae_lens_training_version",
    "dataset_trust_remote_code",
    "streaming",
)


def change(cfg: "Config", **changes: Any) -> "Config":
    """A copy of ``cfg`` with other values; ``cfg`` itself stays as it is.

    A name is looked for in the configuration, in its SAE's (``l1_coefficient``, ``k``, ``d_sae``) and in its
    logger's (``wandb_log_frequency``). ``device`` and ``dtype`` are changed in both that have them.

    What depends on a changed value follows, unless it is given too: lengths in steps keep their share of the
    run when ``training_tokens`` or ``train_batch_size_tokens`` changes (`IN_STEPS`), ``lr_end`` keeps its
    ratio to ``lr``, the last of ``matryoshka_widths`` is ``d_sae``, and ``run_name`` is made anew where it
    was SAELens' own. A path is taken as it is given: SAELens adds a random part to ``checkpoint_path``, and
    this does not.

    >>> change(preset("tinystories", "mini"), lr=1e-3, k=32)  # doctest: +SKIP

    Raises:
        CourseError: for a name that there isn't, one that this architecture doesn't have, and a value of the
            wrong type or that SAELens refuses.
    """
    _check_parts(cfg, changes)
    places = [_place(cfg, changes.get("sae", cfg.sae), name) for name in changes]
    for name, (part, kind) in zip(changes, places, strict=True):
        changes[name] = _fitting(name, changes[name], kind if part != "whole" else None)
    new = copy.deepcopy(cfg)
    given: dict[str, dict[str, Any]] = {"": {}, "sae": {}, "logger": {}}
    for name, (part, _) in zip(changes, places, strict=True):
        given["" if part == "whole" else part][name] = changes[name]
    sae = copy.deepcopy(given[""].pop("sae", new.sae))
    logger = copy.deepcopy(given[""].pop("logger", new.logger))
    for shared in ("device", "dtype"):
        if shared in changes:
            given["sae"][shared] = changes[shared]
    if cfg.logger.run_name == _run_name(cfg) and not {"run_name", "logger"} & set(changes):
        given["logger"]["run_name"] = None  # SAELens makes it anew
    _follow(cfg, given, sae)
    paths = {key: given[""].pop(key) for key in ("checkpoint_path",) if key in given[""]}
    for key, value in _moved(cfg, given[""]).items():
        given[""].setdefault(key, value)
    new.checkpoint_path = None
    try:
        sae = dataclasses.replace(sae, **given["sae"])
        logger = dataclasses.replace(logger, **given["logger"])
        new = dataclasses.replace(new, sae=sae, logger=logger, **given[""])
    except (ValueError, TypeError, AttributeError) as error:
        raise CourseError(f"SAELens refuses this configuration: {error}") from error
    new.checkpoint_path = paths.get("checkpoint_path", cfg.checkpoint_path)
    return new


def _check_parts(cfg: "Config", changes: dict[str, Any]) -> None:
    sae, logger = changes.get("sae", cfg.sae), changes.get("logger", cfg.logger)
    if isinstance(sae, type) or not hasattr(sae, "get_training_architecture_details"):
        raise CourseError(
            f"sae is an SAE's training configuration, such as StandardTrainingSAEConfig(...), not {sae!r}."
        )
    if not isinstance(logger, type(cfg.logger)):
        raise CourseError(f"logger is a LoggingConfig(...), not {logger!r}.")


def _place(cfg: "Config", sae: Any, name: str) -> tuple[str, Any]:
    """Which part has ``name`` (the configuration itself is "", a part as such "whole"), and its type."""
    if name in ("sae", "logger"):
        return "whole", None
    for part, value in (("", cfg), ("sae", sae), ("logger", cfg.logger)):
        if name in {field.name for field in dataclasses.fields(value)} - {"metadata"}:
            return part, typing.get_type_hints(type(value)).get(name)
    others = dict(_architectures())
    owners = [architecture for architecture, names in others.items() if name in names - {"metadata"}]
    if owners:
        raise CourseError(
            f'{name} is a setting of {" and ".join(owners)}; this SAE is "{sae.architecture()}". Another '
            f'architecture: preset(..., architecture="{owners[0]}"), or sae=... with its configuration.'
        )
    if name in _FORMER:
        raise CourseError(f"There is no setting {name}: {_FORMER[name]}.")
    known = {field.name for part in (cfg, sae, cfg.logger) for field in dataclasses.fields(part)}
    near = difflib.get_close_matches(name, sorted(known.union(*others.values())), n=2, cutoff=0.7)
    parts = [one for one in sorted(known) if name in one.split("_") or (len(name) > 4 and name in one)]
    near += [one for one in parts if one not in near]
    hint = f"did you mean {' or '.join(near[:3])}?" if near else "describe(cfg) lists those that there are."
    raise CourseError(f"There is no setting {name}: {hint}")


def _architectures() -> Iterator[tuple[str, set[str]]]:
    """Each architecture that a preset can have, and the names of its settings."""
    from .architectures import CONFIGS, config_class  # noqa: PLC0415 - seconds

    for name in CONFIGS:
        yield name, {field.name for field in dataclasses.fields(config_class(name))}


def _fitting(name: str, value: Any, kind: Any) -> Any:
    """``value``, as the number that SAELens expects where it is one.

    Raises:
        CourseError: when it is of another type.
    """
    union = typing.get_origin(kind) in (Union, types.UnionType)
    kinds = typing.get_args(kind) if union else (kind,)
    origins: list[Any] = [typing.get_origin(one) for one in kinds]
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    choices = [one for kind in kinds if typing.get_origin(kind) is Literal for one in typing.get_args(kind)]
    if isinstance(value, list | tuple) and tuple in origins:
        return tuple(value)
    if number and int in kinds and value == int(value):
        return int(value)
    if number and float in kinds:
        return float(value)
    # What is of another kind than these is SAELens' to judge.
    plain_types = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    judged = [words for one, words in plain_types.items() if one in kinds] + [repr(one) for one in choices]
    fine = (
        any(one in kinds and isinstance(value, one) for one in (bool, str))
        or (value is None and type(None) in kinds)
        or value in choices
        or (isinstance(value, list) and list in origins)
    )
    if judged and not fine:
        wanted = judged + ["None"] * (type(None) in kinds)
        raise CourseError(f"{name} is {' or '.join(wanted)}, not {value!r}.")
    return value


def _follow(cfg: "Config", given: dict[str, dict[str, Any]], sae: Any) -> None:
    """Add to what is given what follows from it."""
    top = given[""]
    for name in ("training_tokens", "train_batch_size_tokens", "lr"):
        if name in top and not top[name] > 0:
            raise CourseError(f"{name} is more than 0, not {top[name]!r}.")
    if "lr" in top and "lr_end" not in top and cfg.lr_end is not None:
        top["lr_end"] = cfg.lr_end * top["lr"] / cfg.lr
    before = cfg.training_tokens // cfg.train_batch_size_tokens
    tokens = top.get("training_tokens", cfg.training_tokens)
    batch = top.get("train_batch_size_tokens", cfg.train_batch_size_tokens)
    after = tokens // batch
    if before and after != before:
        for dotted in IN_STEPS:
            part, _, name = dotted.rpartition(".")
            length = getattr({"": cfg, "sae": sae, "logger": cfg.logger}[part], name, None)
            if length:  # what is off stays off
                given[part].setdefault(name, max(1, round(length / before * after)))
    if "d_sae" in given["sae"] and getattr(sae, "matryoshka_widths", None):
        d_sae = given["sae"]["d_sae"]
        inner = [width for width in sae.matryoshka_widths[:-1] if width < d_sae]
        given["sae"].setdefault("matryoshka_widths", [*inner, d_sae])


def _moved(cfg: "Config", top: dict[str, Any]) -> dict[str, Any]:
    """The devices that were the SAE's own go with it."""
    if "device" not in top:
        return {}
    return {
        key: top["device"] for key in ("llm_device", "act_store_device") if getattr(cfg, key) == cfg.device
    }


def _run_name(cfg: "Config") -> str:
    """The name that SAELens makes for a run of this configuration."""
    sae = cfg.sae
    return f"{sae.architecture()}-{sae.d_sae}-LR-{cfg.lr}-Tokens-{cfg.training_tokens:3.3e}"


def as_dict(cfg: "Config") -> dict[str, Any]:
    """The configuration as JSON can hold it; `from_dict` is the way back."""
    return plain(cfg)


def from_dict(value: dict[str, Any]) -> "Config":
    """The configuration that `as_dict` wrote, such as ``run.config``.

    Raises:
        CourseError: when a part is missing, or this version of SAELens doesn't know a setting.
    """
    from sae_lens import LanguageModelSAERunnerConfig  # noqa: PLC0415 - seconds

    try:
        given = copy.deepcopy(value)
        given["seqpos_slice"] = tuple(given["seqpos_slice"])
        for metadata in (given["sae"].get("metadata") or {},):
            if metadata.get("seqpos_slice") is not None:
                metadata["seqpos_slice"] = tuple(metadata["seqpos_slice"])
        return LanguageModelSAERunnerConfig.from_dict(given)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else error
        raise CourseError(
            f"This is no configuration that SAELens can read ({what}); as_dict and a run's config give one."
        ) from error


def name_of(cfg: "Config") -> str:
    """A short name that can be a file's: ``tiny-stories-1L-21M-batchtopk-1024-k16``.

    The hook's layer where it is not 0 (``L3``), the data's register where it is not the usual one, and the
    seed where it is not 0, are in it too.
    """
    sae = cfg.sae
    layer = re.search(r"blocks\.(\d+)\.", cfg.hook_name)
    parts = [cfg.model_name, f"L{layer[1]}" if layer and int(layer[1]) else "", sae.architecture(), sae.d_sae]
    for letter, name in (("k", "k"), ("l1-", "l1_coefficient"), ("l0-", "l0_coefficient")):
        if (number := getattr(sae, name, None)) is not None:
            parts.append(f"{letter}{number:g}")
    if cfg.dataset_path.startswith("sae-course:"):
        parts.append(cfg.dataset_path.partition("/")[2])
    parts.append(f"seed{cfg.seed}" if cfg.seed else "")
    whole = "-".join(str(part) for part in parts if part not in ("", None))
    return re.sub(r"[^A-Za-z0-9._-]+", "-", whole).strip("-.")


def digest(cfg: "Config") -> str:
    """A SHA-256 of what affects the weights, in 64 hexadecimal digits.

    Left out are names, paths, devices, evaluation and recording: on a CPU with as many threads,
    configurations with one digest train to the same weights.
    """
    flat = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value  # 16.0 is 16
        for name, value in flatten(cfg).items()
        if not any(name == above or name.startswith(f"{above}.") for above in _NOT_IN_WEIGHTS)
    }
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()
