"""Small sweeps for the batched learner, and SAELens' own trainers as the oracle beside them."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from sae_lens import (
    BatchTopKTrainingSAEConfig,
    LanguageModelSAERunnerConfig,
    LoggingConfig,
    StandardTrainingSAEConfig,
    TopKTrainingSAEConfig,
    TrainingSAE,
)
from sae_lens.training.activation_scaler import ActivationScaler
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

D_IN, D_SAE, BATCH, STEPS = 12, 40, 64, 40
ARCHITECTURES = ("standard", "topk", "batchtopk")

# Three runs that differ in all that may differ. Batches are scaled so that clipping acts on some steps only.
_OPTIMISERS: tuple[dict[str, Any], ...] = (
    {"lr": 2e-3, "lr_warm_up_steps": 7, "lr_decay_steps": 10, "adam_beta1": 0.0},
    {"lr": 5e-3, "lr_scheduler_name": "cosineannealing", "dead_feature_window": 4},
    {"lr": 1e-3, "lr_decay_steps": 30, "adam_beta2": 0.99, "feature_sampling_window": 8, "seed": 3},
)
_SAES: dict[str, tuple[type, tuple[dict[str, Any], ...]]] = {
    "standard": (
        StandardTrainingSAEConfig,
        (
            {"l1_coefficient": 0.3, "l1_warm_up_steps": 20},
            {"l1_coefficient": 2.0, "l1_warm_up_steps": 60},
            {"l1_coefficient": 0.0},
        ),
    ),
    "topk": (
        TopKTrainingSAEConfig,
        ({"k": 2}, {"k": 5, "aux_loss_coefficient": 0.3}, {"k": 1, "aux_loss_coefficient": 0.0}),
    ),
    "batchtopk": (
        BatchTopKTrainingSAEConfig,
        ({"k": 1.5}, {"k": 4, "aux_loss_coefficient": 2.0}, {"k": 2, "topk_threshold_lr": 0.2}),
    ),
}


def configs(
    architecture: str, sae: dict[str, Any] | None = None, **changes: Any
) -> dict[str, LanguageModelSAERunnerConfig[Any]]:
    """Three configurations, with changes to all of them."""
    kind, numbers = _SAES[architecture]
    shared = {"d_in": D_IN, "d_sae": D_SAE, **(sae or {})}
    common: dict[str, Any] = {
        "hook_name": "blocks.0.hook_mlp_out",
        "train_batch_size_tokens": BATCH,
        "training_tokens": BATCH * STEPS,
        "dead_feature_window": 2,
        "feature_sampling_window": 5,
        "logger": LoggingConfig(log_to_wandb=False),
        "checkpoint_path": None,
        "output_path": None,
        "verbose": False,
    }
    return {
        f"run-{index}": LanguageModelSAERunnerConfig(
            sae=kind(**{**numbers[index], **shared}), **{**common, **_OPTIMISERS[index], **changes}
        )
        for index in range(3)
    }


def new_saes(cfgs: dict[str, Any]) -> dict[str, TrainingSAE[Any]]:
    """Each from its own seed, with biases that are not zero, and a latent that can hardly fire."""
    saes = {}
    for index, (name, cfg) in enumerate(cfgs.items()):
        torch.manual_seed(index)
        sae = TrainingSAE.from_dict(copy.deepcopy(cfg.sae).to_dict())
        with torch.no_grad():
            sae.b_enc += 0.1 * torch.randn(sae.b_enc.shape)
            sae.b_dec += 0.1 * torch.randn(sae.b_dec.shape)
            sae.W_dec *= 0.5 + torch.rand(len(sae.b_enc), 1)
            sae.b_enc[:9] = -3.0
        saes[name] = sae
    return saes


def batches(n: int = STEPS, seed: int = 0) -> list[Tensor]:
    """Sparse mixtures of fixed directions, some batches small and some large."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(30, D_IN, generator=generator)
    found = []
    for step in range(n):
        strengths = torch.rand(BATCH, 30, generator=generator)
        strengths *= torch.rand(BATCH, 30, generator=generator) < 0.15
        found.append(strengths @ directions * (0.1 if step % 4 == 0 else 1.0) + 0.05)
    return found


def scalers(cfgs: dict[str, Any], **values: Any) -> dict[str, ActivationScaler]:
    return {name: ActivationScaler(**values) for name in cfgs}


def oracles(
    cfgs: dict[str, Any], saes: dict[str, Any], given: dict[str, ActivationScaler] | None = None
) -> dict[str, SAETrainer[Any, Any]]:
    """SAELens' trainer for each, on a copy of its SAE."""
    trainers = {}
    for name, cfg in cfgs.items():
        trainers[name] = SAETrainer(
            cfg=cfg.to_sae_trainer_config(), sae=copy.deepcopy(saes[name]), data_provider=_none()
        )
        if given is not None:
            trainers[name].activation_scaler = copy.deepcopy(given[name])
    return trainers


def _none() -> Iterator[Tensor]:
    return iter(())
