"""Checks of the names: the model, the data that go with it, the hook as far as its name tells."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...models.names import MODELS, entry
from ...runtime import CourseError
from ..source import OURS
from .findings import Finding

if TYPE_CHECKING:
    from .amounts import Config

_ANY = next(iter(MODELS))


def model_name(cfg: "Config") -> Iterator[Finding]:
    """Only at mini scale: at full scale any name that TransformerLens knows will do."""
    for name, where in _mini_names(cfg):
        try:
            entry(name)
        except CourseError as error:
            yield Finding(
                "model-unknown",
                "stops",
                f'{where} = "{name}": {error}',
                "There is nothing to load.",
                f'model_name = "{_ANY}" and dataset_path = "{OURS}{_ANY}", for example.',
            )
            return


def _mini_names(cfg: "Config") -> list[tuple[str, str]]:
    if not cfg.dataset_path.startswith(OURS):
        return []
    name = cfg.dataset_path.removeprefix(OURS).partition("/")[0]
    return [(cfg.model_name, "model_name"), (name, "the model in dataset_path")]


def data_of_another_model(cfg: "Config") -> Iterator[Finding]:
    """Where the name alone tells. Mini models that tell stories share their words: their loss tells."""
    path, name = cfg.dataset_path, cfg.model_name
    if path.startswith(OURS):
        other = path.removeprefix(OURS).partition("/")[0]
        try:
            same = other == name or entry(other).data == entry(name).data == "stories"
        except CourseError:
            return  # said by `model_name`
        right = OURS + name
    else:
        others = [known for known in MODELS.values() if known.dataset and known.dataset.repository == path]
        if not others or name not in MODELS:
            return
        other, same = others[0].name, others[0].name == name
        dataset = MODELS[name].dataset
        right = dataset.repository if dataset else ""
    if not same:
        yield Finding(
            "dataset-other-model",
            "stops",
            f'dataset_path = "{path}" has the tokens of {other}, and model_name is "{name}".',
            "The same ids are other words to another model: an SAE trains without complaint on what the "
            "model never saw, and only the cross-entropy shows it.",
            f'dataset_path = "{right}".',
        )


def head_reshaping(cfg: "Config") -> Iterator[Finding]:
    """q, k, v and z have a head dimension; SAELens flattens it in training, and for z alone again in use."""
    hook, reshaped = cfg.hook_name, cfg.sae.reshape_activations == "hook_z"
    if cfg.hook_head_index is not None:
        return
    last = hook.rpartition(".")[2]
    if last == "hook_z" and not reshaped:
        yield Finding(
            "hook-z-shape",
            "stops",
            f'hook_name = "{hook}" with sae.reshape_activations = "{cfg.sae.reshape_activations}".',
            "It trains without complaint, on all heads side by side, and fails when the SAE is attached to "
            "the model, which has a head dimension there.",
            'sae.reshape_activations = "hook_z".',
        )
    elif last in ("hook_q", "hook_k", "hook_v", "hook_rot_q", "hook_rot_k"):
        yield Finding(
            "hook-heads",
            "stops",
            f'hook_name = "{hook}" has a head dimension.',
            "It trains without complaint, on all heads side by side, and fails when the SAE is attached: "
            "SAELens reshapes hook_z and no other.",
            f'hook_name = "{hook.rpartition(".")[0]}.hook_z" and sae.reshape_activations = "hook_z".',
        )
    elif reshaped and not hook.endswith("_z"):
        yield Finding(
            "reshape-other-hook",
            "stops",
            f'sae.reshape_activations = "hook_z" with hook_name = "{hook}".',
            "The finished SAE can't be loaded: SAELens allows that reshaping at hook_z alone.",
            'sae.reshape_activations = "none".',
        )


CHECKS = (model_name, data_of_another_model, head_reshaping)
