"""One SAE in training: SAELens' own trainer, recorded and able to go on from a checkpoint."""

from typing import TYPE_CHECKING, Any

import torch
from sae_lens.saes.sae import TrainStepOutput
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from .packing import pack, unpack

if TYPE_CHECKING:
    from jaxtyping import Float
    from sae_lens import LanguageModelSAERunnerConfig, TrainingSAE
    from sae_lens.training.activation_scaler import ActivationScaler


class _Trainer(SAETrainer[Any, Any]):
    """SAELens' trainer; a step is a logging step when the loop says so, not only when W&B is on."""

    logging = False

    def _is_logging_step(self) -> bool:
        return self.logging


class OneSAE:
    """A `Learner` of one SAE: each step is `SAETrainer.step`."""

    def __init__(
        self,
        name: str,
        cfg: "LanguageModelSAERunnerConfig[Any]",
        sae: "TrainingSAE[Any]",
        scaler: "ActivationScaler",
    ) -> None:
        self.names, self.hook, self.logging = [name], cfg.hook_name, False
        settings = cfg.to_sae_trainer_config()
        settings.n_checkpoints, settings.checkpoint_path = 0, None
        self.trainer = _Trainer(cfg=settings, sae=sae, data_provider=iter(()))
        self.trainer.activation_scaler = scaler
        # The same update in one pass over the parameters, on a CPU too.
        for group in self.trainer.optimizer.param_groups:
            group["fused"], group["foreach"] = True, False
        if cfg.compile_sae:
            sae.training_forward_pass = torch.compile(
                sae.training_forward_pass, mode=cfg.sae_compilation_mode
            )
        self._output: TrainStepOutput | None = None

    def step(self, batch: "Float[Tensor, 'batch d_in']") -> None:
        self.trainer.logging = self.logging
        output = self.trainer.step(batch)
        self._output = output if self.logging else None
        self.trainer.n_training_steps += 1

    def log(self) -> dict[str, dict[str, float]]:
        assert self._output is not None, "no step was made to be logged"
        found = self.trainer.build_train_step_log_dict(self._output, self.trainer.n_training_samples)
        return {self.names[0]: found}

    def window(self, *, last: bool = False) -> dict[str, dict[str, Any]]:
        trainer = self.trainer
        found = trainer.full_sparsity_window_log() if last else trainer.maybe_reset_sparsity()
        return {self.names[0]: found} if found else {}

    def saes(self) -> "dict[str, TrainingSAE[Any]]":
        return {self.names[0]: self.trainer.sae}

    def scalers(self) -> "dict[str, ActivationScaler]":
        return {self.names[0]: self.trainer.activation_scaler}

    def log_feature_sparsity(self) -> "dict[str, Float[Tensor, ' d_sae']]":
        return {self.names[0]: self.trainer.log_feature_sparsity}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        trainer = self.trainer
        return pack(
            {
                # A batch-wide threshold is no parameter, so it is in the SAE's state alone.
                "sae": dict(trainer.sae.state_dict()),
                "optimizer": trainer.optimizer.state_dict(),
                "lr_scheduler": trainer.lr_scheduler.state_dict(),
                "coefficients": {
                    name: scheduler.state_dict() for name, scheduler in trainer.coefficient_schedulers.items()
                },
                "steps": trainer.n_training_steps,
                "samples": trainer.n_training_samples,
                "act_freq_scores": trainer.act_freq_scores,
                "since_fired": trainer.n_forward_passes_since_fired,
                "in_window": trainer.n_frac_active_samples,
            }
        )

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        trainer, state = self.trainer, unpack(tensors, numbers)
        device = trainer.cfg.device
        trainer.sae.load_state_dict(state["sae"])
        trainer.optimizer.load_state_dict(state["optimizer"])
        trainer.lr_scheduler.load_state_dict(state["lr_scheduler"])
        for name, saved in state["coefficients"].items():
            trainer.coefficient_schedulers[name].load_state_dict(saved)
        trainer.n_training_steps, trainer.n_training_samples = state["steps"], state["samples"]
        trainer.act_freq_scores = state["act_freq_scores"].to(device)
        trainer.n_forward_passes_since_fired = state["since_fired"].to(device)
        trainer.n_frac_active_samples = state["in_window"]

    def finish(self) -> "dict[str, TrainingSAE[Any]]":
        trainer = self.trainer
        fold(trainer.sae, trainer.activation_scaler)
        trainer.set_final_sae_metadata()
        return {self.names[0]: trainer.sae}


def fold(sae: "TrainingSAE[Any]", scaler: "ActivationScaler") -> None:
    """Fold the scaling of activations into the SAE's weights, as `SAETrainer.fit` does at the end."""
    if scaler.scaling_factor is not None:
        sae.fold_activation_norm_scaling_factor(scaler.scaling_factor)
    if (whitening := scaler.whitening) is not None:
        sae.fold_activation_whitening(
            mean=whitening.mean,
            whitening_matrix=whitening.matrix,
            unwhitening_matrix=whitening.inverse_matrix,
        )
