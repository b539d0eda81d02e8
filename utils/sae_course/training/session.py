"""One sitting at a training: from its beginning or its checkpoint to the finished SAEs."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sae_lens import SAE
from sae_lens.training.activation_scaler import ActivationScaler
from safetensors.torch import save_file

from ..runs import Recorder
from ..runs.files import HISTOGRAMS, METRICS, RUN
from . import checkpoint, folders
from .assemble import plain_errors
from .learner import Learner
from .learners import learners_for
from .loop import Loop
from .mirror import Mirror
from .settings import as_dict
from .shown import Shown

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig as Config
    from sae_lens import TrainingSAE
    from sae_lens.multi_sae_training_runner import MultiSAETrainingRunner


class Records:
    """A listener that writes each run's record."""

    def __init__(self, recorders: dict[str, Recorder]) -> None:
        self.recorders = recorders

    def log(self, run: str, step: int, metrics: dict[str, float]) -> None:
        self.recorders[run].log(step, metrics)

    def histogram(self, run: str, step: int, name: str, counts: list[float], edges: list[float]) -> None:
        self.recorders[run].histogram(step, name, counts, edges)

    def flush(self) -> None:
        for recorder in self.recorders.values():
            recorder.flush()


class Session:
    """Trains the configurations of one call in their folders.

    Args:
        place: the group's folder, and whether there is something to go on from.
        at: each run's folder.
        identity: what makes it this training (see `folders.choose`).
        b_dec_init_method: where the SAEs' ``b_dec`` begins (see `train`).
    """

    def __init__(
        self,
        cfgs: "dict[str, Config]",
        name: str,
        *,
        place: folders.Place,
        at: dict[str, Path],
        runner: "MultiSAETrainingRunner",
        identity: dict[str, Any],
        b_dec_init_method: str = "zeros",
    ) -> None:
        self.b_dec_init_method = b_dec_init_method
        self.cfgs, self.name, self.place, self.at = cfgs, name, place, at
        self.runner, self.identity = runner, identity

    def run(self, show: bool, checkpoint_every: float) -> None:
        """Train to the end; see `train` for what it raises."""
        first = next(iter(self.cfgs.values()))
        found = checkpoint.load(self.place.folder) if self.place.state == "stopped" else None
        step, done = (found[1]["steps"], found[1]["tokens"]) if found else (0, 0)
        with plain_errors():
            buffer, learners = learners_for(
                self.cfgs, self.runner, estimate=found is None, b_dec_init_method=self.b_dec_init_method
            )
        mirror = Mirror(self.cfgs) if first.logger.log_to_wandb else None
        folders.begin(self.place.folder, self.identity)
        records = Records({run: self._recorder(run, step) for run in self.cfgs})
        shown = Shown(first.training_tokens, done, list(self.cfgs), first.sae.d_sae) if show else None
        loop = Loop(
            buffer=buffer,
            learners=learners,
            total=first.training_tokens,
            frequencies=first.logger,
            evaluate=self._evaluate,
            listeners=[listener for listener in (records, mirror, shown) if listener is not None],
            folder=self.place.folder,
            checkpoint_every=checkpoint_every,
            on_step=shown.step if shown else lambda tokens: None,
        )
        last_words = f"{self.name} failed."
        try:
            if found:
                loop.load(*found)
                if shown:
                    print(f"{self.name}: going on from step {step:,}.")
            loop.run()
            self._finish(loop, records, mirror)
            last_words = f"{self.name}: {loop.tokens:,} tokens in {loop.seconds:.0f} s"
            if shown:
                last_words += f", {shown.words()}"
        except KeyboardInterrupt:
            last_words = f"{self.name}: stopped after step {loop.steps:,}; the same call goes on from there"
            raise
        finally:
            if mirror:
                mirror.close(failed=sys.exception() is not None)
            if shown:
                shown.close(last_words)

    def _recorder(self, run: str, step: int) -> Recorder:
        folder = self.at[run]
        folders.sweep(folder, RUN, METRICS, HISTOGRAMS)
        if (folder / RUN).exists():
            # Finished it may be: the process was killed before the group was.
            return Recorder.resume(folder, step, reopen=True)
        notes = {
            "model": self.identity["model"],
            "held_out": self.identity["held_out"],
            "device": self.cfgs[run].device,
            "threads": torch.get_num_threads(),
        }
        if self.b_dec_init_method != "zeros":
            notes["b_dec_init_method"] = self.b_dec_init_method
        return Recorder.create(folder, name=run, config=as_dict(self.cfgs[run]), notes=notes)

    def _evaluate(self, learner: Learner) -> dict[str, dict[str, Any]]:
        saes = learner.saes()
        for sae in saes.values():
            sae.eval()
        found = self._metrics(saes, learner.scalers())
        for sae in saes.values():
            sae.train()
        return found

    def _metrics(
        self, saes: "dict[str, Any]", scalers: dict[str, ActivationScaler]
    ) -> dict[str, dict[str, Any]]:
        """SAELens' own evaluation on the held-out rows, by run."""
        found: dict[str, dict[str, Any]] = {}
        for run, sae in saes.items():
            self.runner.evaluator.activations_store.begin()
            with torch.no_grad():
                metrics = self.runner.evaluator(
                    saes={run: sae},
                    data_provider=iter(()),
                    activation_scalers={run: scalers[run]},
                    hook_names={run: self.cfgs[run].hook_name},
                )
            found[run] = {name.removeprefix(f"{run}/"): value for name, value in metrics.items()}
        return found

    def _finish(self, loop: Loop, records: Records, mirror: Mirror | None) -> None:
        """Save the finished SAEs, evaluate them as they were saved, close the records."""
        for learner in loop.learners:
            sparsity = learner.log_feature_sparsity()
            for run, sae in learner.finish().items():
                folder = self.at[run] / "sae"
                _save(folder, sae, sparsity[run])
                saved = SAE.load_from_disk(str(folder), device=self.cfgs[run].device)
                for listener in loop.listeners:
                    listener.flush()
                loop.tell(run, self._metrics({run: saved}, {run: ActivationScaler()})[run])
                loop.tell(run, {"details/n_training_samples": loop.tokens})
                if mirror:
                    mirror.upload(run, folder, sae)
        for recorder in records.recorders.values():
            recorder.finish({"tokens_per_second": round(loop.tokens / loop.seconds)}, loop.seconds)
        folders.finish(self.place.folder)


def _save(folder: Path, sae: "TrainingSAE[Any]", sparsity: torch.Tensor) -> None:
    """In SAELens' format for inference, whole or not at all."""
    temporary = folder.with_name(".sae.part")
    shutil.rmtree(temporary, ignore_errors=True)
    sae.save_inference_model(str(temporary))
    save_file({"sparsity": sparsity.contiguous()}, temporary / "sparsity.safetensors")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
