"""The SAE architectures that a preset can have, by SAELens' names for them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..runtime import CourseError

if TYPE_CHECKING:
    from sae_lens.saes.sae import TrainingSAEConfig

CONFIGS = {
    "standard": "StandardTrainingSAEConfig",
    "topk": "TopKTrainingSAEConfig",
    "batchtopk": "BatchTopKTrainingSAEConfig",
    "gated": "GatedTrainingSAEConfig",
    "jumprelu": "JumpReLUTrainingSAEConfig",
    "matryoshka_batchtopk": "MatryoshkaBatchTopKTrainingSAEConfig",
}
"""Name, and the class of its configuration in ``sae_lens``."""

SPARSITY = {
    "standard": "l1_coefficient",
    "topk": "k",
    "batchtopk": "k",
    "gated": "l1_coefficient",
    "jumprelu": "l0_coefficient",
    "matryoshka_batchtopk": "k",
}
"""The setting that says how sparse: of each architecture, the one that a sweep varies."""


def config_class(architecture: str) -> "type[TrainingSAEConfig]":
    """SAELens' configuration class of an architecture.

    Raises:
        CourseError: for an architecture that there isn't.
    """
    if architecture not in CONFIGS:
        raise CourseError(f'There is no architecture "{architecture}": there are {", ".join(CONFIGS)}.')
    found: Any = getattr(import_module("sae_lens"), CONFIGS[architecture])
    return found
