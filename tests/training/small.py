"""A run of seconds on the mini model: what the training room's tests train."""

from typing import Any

from sae_lens import (
    BatchTopKTrainingSAEConfig,
    GatedTrainingSAEConfig,
    JumpReLUTrainingSAEConfig,
    LanguageModelSAERunnerConfig,
    LoggingConfig,
    StandardTrainingSAEConfig,
    TopKTrainingSAEConfig,
)

NAME = "tiny-stories-1L-21M"
BATCH = 256
_SAES: dict[str, tuple[Any, dict[str, Any]]] = {
    "standard": (StandardTrainingSAEConfig, {"l1_coefficient": 2.0, "l1_warm_up_steps": 20}),
    "topk": (TopKTrainingSAEConfig, {"k": 8}),
    "batchtopk": (BatchTopKTrainingSAEConfig, {"k": 8, "topk_threshold_lr": 0.1}),
    "gated": (GatedTrainingSAEConfig, {"l1_coefficient": 2.0}),
    "jumprelu": (JumpReLUTrainingSAEConfig, {}),
}


def small(
    architecture: str = "standard", steps: int = 60, **changes: Any
) -> LanguageModelSAERunnerConfig[Any]:
    """60 steps of 256 tokens in rows of 32, 64 latents; changes are of the SAE where it has such a field."""
    kind, settings = _SAES[architecture]
    of_sae = {name: changes.pop(name) for name in list(changes) if name in kind.__dataclass_fields__}
    settings = {
        "d_in": 128,
        "d_sae": 64,
        "normalize_activations": "expected_average_only_in",
    } | settings
    log = {"log_to_wandb": False, "wandb_log_frequency": 5, "eval_every_n_wandb_logs": 4} | changes.pop(
        "logger", {}
    )
    given: dict[str, Any] = {
        "model_name": NAME,
        "hook_name": "blocks.0.hook_mlp_out",
        "dataset_path": f"sae-course:{NAME}",
        "context_size": 32,
        "store_batch_size_prompts": 8,
        "n_batches_in_buffer": 32,
        "training_tokens": steps * BATCH,
        "train_batch_size_tokens": BATCH,
        "lr": 1e-3,
        "lr_warm_up_steps": 5,
        "lr_decay_steps": 10,
        "dead_feature_window": 10,
        "feature_sampling_window": 15,
        "n_batches_for_norm_estimate": 3,
        "n_eval_batches": 2,
        "eval_batch_size_prompts": 4,
        "checkpoint_path": None,
        "output_path": None,
        "verbose": False,
        "seed": 0,
        "logger": LoggingConfig(**log),
    }
    return LanguageModelSAERunnerConfig(sae=kind(**(settings | of_sae)), **(given | changes))
