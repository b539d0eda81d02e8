"""W&B, for those who want it: what is recorded here, sent there as well."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..runtime import CourseError
from .settings import as_dict

if TYPE_CHECKING:
    from pathlib import Path

    from sae_lens import LanguageModelSAERunnerConfig


class Mirror:
    """Sends every metric and histogram to W&B under SAELens' names; several runs get their name before it.

    Only made when ``logger.log_to_wandb`` is on. W&B's own settings (``WANDB_MODE=offline``, a key, …) apply.
    """

    def __init__(self, cfgs: "dict[str, LanguageModelSAERunnerConfig[Any]]") -> None:
        import wandb  # noqa: PLC0415 - only with W&B

        self._wandb, self._cfgs = wandb, cfgs
        logger = next(iter(cfgs.values())).logger
        settings = {name: as_dict(cfg) for name, cfg in cfgs.items()}
        self._begin(
            project=logger.wandb_project,
            entity=logger.wandb_entity,
            name=logger.run_name,
            id=logger.wandb_id,
            resume="allow" if logger.wandb_id else None,
            config=next(iter(settings.values())) if len(cfgs) == 1 else settings,
        )

    def _begin(self, **arguments: Any) -> None:
        try:
            self._wandb.init(**arguments)
        except self._wandb.Error as error:
            raise CourseError(
                f"W&B can't begin a run ({str(error).strip().splitlines()[0]}): log in with `wandb login`, "
                "set WANDB_MODE=offline, or leave logger.log_to_wandb off: all is recorded here anyway."
            ) from error

    def log(self, run: str, step: int, metrics: dict[str, float]) -> None:
        self._wandb.log({self._named(run, name): value for name, value in metrics.items()}, step=step)

    def histogram(self, run: str, step: int, name: str, counts: list[float], edges: list[float]) -> None:
        picture = self._wandb.Histogram(np_histogram=(np.array(counts), np.array(edges)))
        self._wandb.log({self._named(run, name): picture}, step=step)

    def flush(self) -> None:
        """W&B sends by itself."""

    def upload(self, run: str, folder: "Path", sae: Any) -> None:
        """The finished SAE as W&B's artifacts, as SAELens uploads it."""
        cfg = self._cfgs[run]
        cfg.logger.log(
            SimpleNamespace(sae=sae, cfg=cfg),
            weights_path=folder / "sae_weights.safetensors",
            cfg_path=folder / "cfg.json",
            sparsity_path=folder / "sparsity.safetensors",
            wandb_aliases=["final_model"],
        )

    def close(self, *, failed: bool) -> None:
        """End W&B's run."""
        self._wandb.finish(exit_code=int(failed))

    def _named(self, run: str, name: str) -> str:
        return name if len(self._cfgs) == 1 else f"{run}/{name}"
