"""Which configurations the batched learner can take."""

import dataclasses
from typing import TYPE_CHECKING, Any

from sae_lens import BatchTopKTrainingSAEConfig, StandardTrainingSAEConfig, TopKTrainingSAEConfig

from ..assemble import OF_ONE_SAE

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig

_ARCHITECTURES = (StandardTrainingSAEConfig, TopKTrainingSAEConfig, BatchTopKTrainingSAEConfig)
# Applied to activations before the SAE sees them. "layer_norm" is part of SAELens' forward pass.
_SCALINGS = ("none", "expected_average_only_in", "covariance_whitening")
_MAY_DIFFER = OF_ONE_SAE - {"hook_name", "hook_head_index", "autocast"}
_MAY_DIFFER_IN_SAE = {
    "l1_coefficient",
    "l1_warm_up_steps",
    "k",
    "aux_loss_coefficient",
    "topk_threshold_lr",
    "decoder_init_norm",
    "metadata",
}


def can_batch(cfgs: "dict[str, LanguageModelSAERunnerConfig[Any]]") -> str:
    """Why these can't be trained by one `BatchedLearner`; "" when they can.

    They may differ in numbers: coefficients, k, learning rate and its schedule, Adam's betas, windows, seed.
    """
    for name, cfg in cfgs.items():
        if reason := _refused(cfg):
            return f"{name}: {reason}"
    (first, reference), *others = cfgs.items()
    for name, cfg in others:
        pairs = [(reference, cfg, _MAY_DIFFER | {"sae"}), (reference.sae, cfg.sae, _MAY_DIFFER_IN_SAE)]
        if type(reference.sae) is not type(cfg.sae):
            return f"{first} is {reference.sae.architecture()}, {name} is {cfg.sae.architecture()}"
        for one, other, free in pairs:
            for field in dataclasses.fields(one):
                a, b = getattr(one, field.name), getattr(other, field.name)
                if field.name not in free and a != b:
                    return f"{field.name} is {a!r} in {first} and {b!r} in {name}"
    return ""


def _refused(cfg: "LanguageModelSAERunnerConfig[Any]") -> str:
    sae = cfg.sae
    if type(sae) not in _ARCHITECTURES:
        return f"the architecture {sae.architecture()} is not among standard, topk and batchtopk"
    if sae.dtype != "float32":
        return f"its parameters are {sae.dtype}, not float32"
    if sae.normalize_activations not in _SCALINGS:
        return f"normalize_activations={sae.normalize_activations!r} is part of SAELens' forward pass"
    if getattr(sae, "lp_norm", 1.0) != 1.0:
        return f"lp_norm is {sae.lp_norm}, not 1"
    if cfg.compile_sae:
        return "compile_sae asks for SAELens' own step, compiled"
    return ""
