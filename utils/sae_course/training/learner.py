"""What a training loop drives: one or more SAEs that learn from the same activations."""

from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float
    from sae_lens import TrainingSAE
    from sae_lens.training.activation_scaler import ActivationScaler


class Learner(Protocol):
    """One or more SAEs at one hook point, trained in step."""

    names: list[str]
    """Of the runs, in order."""
    hook: str
    logging: bool
    """Set by the loop before `step`: whether the step will be logged. Metrics are computed only then."""

    def step(self, batch: "Float[Tensor, 'batch d_in']") -> None:
        """One step of the optimiser for each SAE, on raw activations."""

    def log(self) -> dict[str, dict[str, float]]:
        """By run: what SAELens logs of the step just made (`SAETrainer.build_train_step_log_dict`)."""

    def window(self, *, last: bool = False) -> dict[str, dict[str, Any]]:
        """By run: what SAELens logs of a full ``feature_sampling_window``, which begins anew; or nothing.

        To be called before each step; with ``last`` after the last one, when the window is kept.
        """

    def saes(self) -> "dict[str, TrainingSAE[Any]]":
        """By run: the SAE as it is now."""

    def scalers(self) -> "dict[str, ActivationScaler]":
        """By run: what activations are scaled with."""

    def log_feature_sparsity(self) -> "dict[str, Float[Tensor, ' d_sae']]":
        """By run: log10 of each latent's firing frequency in the window so far."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON from which `load` goes on bit for bit."""

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a `state`."""

    def finish(self) -> "dict[str, TrainingSAE[Any]]":
        """By run: the finished SAE, its activation scaling folded in, its last statistics in the metadata."""
