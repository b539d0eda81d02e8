"""Several SAEs in step: SAELens' trainers around gradients that are written out."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..one import OneSAE
from ..packing import prefixed, within
from .gradients import Outcome, backward
from .products import bf16_products
from .workers import Workers

if TYPE_CHECKING:
    from jaxtyping import Float
    from sae_lens import LanguageModelSAERunnerConfig, TrainingSAE
    from sae_lens.training.activation_scaler import ActivationScaler


class BatchedLearner:
    """A `Learner` of several SAEs of one architecture and size; see `can_batch`.

    Each has SAELens' own trainer, which keeps its optimiser, schedules, coefficients, counts and windows. In
    the place of its forward and backward pass stands `backward`; one SAE's step runs beside another's
    on as many threads as torch may use. The step equals `SAETrainer.step` up to rounding, except for exact
    ties at TopK's and BatchTopK's threshold: all of them fire.

    With ``cfg.autocast`` matrix products are bf16 (`bf16_products`).

    Args:
        cfgs: by the names of the runs.
        saes: as initialised. They are trained in place.
        scalers: what activations are scaled with; equal, because the SAEs share a hook point.
    """

    def __init__(
        self,
        cfgs: "dict[str, LanguageModelSAERunnerConfig[Any]]",
        saes: "dict[str, TrainingSAE[Any]]",
        scalers: "dict[str, ActivationScaler]",
    ) -> None:
        self.names, self.logging = list(cfgs), False
        self.members = {name: OneSAE(name, cfg, saes[name], scalers[name]) for name, cfg in cfgs.items()}
        first = next(iter(cfgs.values()))
        self.hook, self._autocast = first.hook_name, first.autocast
        on_cpu = torch.device(first.device).type == "cpu"
        self._workers = Workers(len(cfgs) if on_cpu else 1)
        self._outcomes: dict[str, Outcome] = {}
        self._variance: Tensor | None = None

    def step(self, batch: "Float[Tensor, 'batch d_in']") -> None:
        trainer = next(iter(self.members.values())).trainer
        x = trainer.activation_scaler(batch.to(trainer.cfg.device)).float()
        with bf16_products(self._autocast):
            self._workers.run([partial(self._step_one, name, x) for name in self.names])
        self._variance = (x - x.mean(0)).square().sum(-1) if self.logging else None

    def _step_one(self, name: str, x: Tensor) -> None:
        """`SAETrainer.step` and `_train_step` for one SAE."""
        trainer = self.members[name].trainer
        sae = trainer.sae
        trainer.n_training_samples += len(x)
        found = backward(sae, x, trainer.dead_neurons, trainer.get_coefficients())
        if found.lowest is not None and found.lowest.isfinite():
            sae.update_topk_threshold(found.lowest)

        trainer.n_forward_passes_since_fired += 1
        trainer.n_forward_passes_since_fired[found.fired.bool()] = 0
        trainer.act_freq_scores += found.fired
        trainer.n_frac_active_samples += trainer.cfg.train_batch_size_samples

        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
        for scheduler in trainer.coefficient_schedulers.values():
            scheduler.step()
        trainer.n_training_steps += 1
        self._outcomes[name] = found

    def log(self) -> dict[str, dict[str, float]]:
        assert self._variance is not None, "no step was made to be logged"
        return {name: self._log_one(name, self._variance) for name in self.names}

    def _log_one(self, name: str, variance: Tensor) -> dict[str, float]:
        """What `SAETrainer.build_train_step_log_dict` makes of a step."""
        trainer, found = self.members[name].trainer, self._outcomes[name]
        losses = {loss: value.item() for loss, value in found.losses.items()}
        by_token = 1 - found.errors / variance
        threshold = getattr(trainer.sae, "topk_threshold", None)
        return {
            "losses/overall_loss": sum(losses.values()),
            "metrics/explained_variance_legacy": by_token.mean().item(),
            "metrics/explained_variance_legacy_std": by_token.std().item(),
            "metrics/explained_variance": 1 - (found.errors.mean() / variance.mean()).item(),
            "metrics/l0": found.fired.sum().item() / len(found.errors),
            "sparsity/mean_passes_since_fired": trainer.n_forward_passes_since_fired.mean().item(),
            "sparsity/dead_features": trainer.dead_neurons.sum().item(),
            "details/current_learning_rate": trainer.optimizer.param_groups[0]["lr"],
            "details/n_training_samples": trainer.n_training_samples,
            **{f"details/{key}_coefficient": value for key, value in trainer.get_coefficients().items()},
            **{f"losses/{loss}": value for loss, value in losses.items()},
            **({} if threshold is None else {"metrics/topk_threshold": threshold.item()}),
        }

    def window(self, *, last: bool = False) -> dict[str, dict[str, Any]]:
        return self._together("window", last=last)

    def saes(self) -> "dict[str, TrainingSAE[Any]]":
        return self._together("saes")

    def scalers(self) -> "dict[str, ActivationScaler]":
        return self._together("scalers")

    def log_feature_sparsity(self) -> "dict[str, Float[Tensor, ' d_sae']]":
        return self._together("log_feature_sparsity")

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors: dict[str, Tensor] = {}
        numbers: dict[str, Any] = {}
        for index, (name, member) in enumerate(self.members.items()):
            more, numbers[name] = member.state()
            tensors |= prefixed(f"{index}/", more)
        return tensors, numbers

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        for index, (name, member) in enumerate(self.members.items()):
            member.load(within(f"{index}/", tensors), numbers[name])

    def finish(self) -> "dict[str, TrainingSAE[Any]]":
        return self._together("finish")

    def _together(self, method: str, **arguments: Any) -> dict[str, Any]:
        """What each member's ``method`` gives, in one dictionary."""
        found: dict[str, Any] = {}
        for member in self.members.values():
            found |= getattr(member, method)(**arguments)
        return found
