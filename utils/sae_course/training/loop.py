"""The training loop: batches to learners, what SAELens logs to records, and a checkpoint by the clock."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from sae_lens.training.activation_scaler import ActivationScaler, ActivationWhitening
from torch import Tensor

from . import checkpoint
from .buffer import Buffer
from .interruption import Interruption
from .learner import Learner
from .packing import pack, prefixed, unpack, within

if TYPE_CHECKING:
    from sae_lens import LoggingConfig

Evaluate = Callable[[Learner], dict[str, dict[str, Any]]]


class Listener(Protocol):
    """What is told of a training as it goes: the records, W&B, what a person sees."""

    def log(self, run: str, step: int, metrics: dict[str, float]) -> None: ...

    def histogram(self, run: str, step: int, name: str, counts: list[float], edges: list[float]) -> None: ...

    def flush(self) -> None: ...


class Loop:
    """Drives learners in step through one stream of activations.

    What is logged, and when, is what `SAETrainer.fit` sends to W&B, under the same names; nested names get a
    dot, as W&B shows them.

    Args:
        total: tokens to train on; the last batch may pass it, as in SAELens.
        frequencies: of logging and evaluation.
        evaluate: downstream metrics of a learner's SAEs, by run.
        folder: of the checkpoint.
        checkpoint_every: seconds; more where writing one takes long, so that no more than a twentieth of the
            time goes into it. 0: after every step.
        on_step: called after each step with the tokens read so far.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        learners: list[Learner],
        total: int,
        frequencies: "LoggingConfig",
        evaluate: Evaluate,
        listeners: Iterable[Listener],
        folder: Path,
        checkpoint_every: float = 30.0,
        on_step: Callable[[int], None] = lambda tokens: None,
    ) -> None:
        self.buffer, self.learners, self.total = buffer, learners, total
        self.every = frequencies.wandb_log_frequency
        self.evaluate_every = self.every * frequencies.eval_every_n_wandb_logs
        self.evaluate, self.listeners = evaluate, list(listeners)
        self.folder, self.checkpoint_every = folder, checkpoint_every
        self.on_step = on_step
        self.steps, self.tokens, self.seconds = 0, 0, 0.0

    def run(self) -> None:
        """Train to the end.

        Raises:
            KeyboardInterrupt: when it was interrupted; the step was finished and a checkpoint written.
            CourseError: when the checkpoint can't be written; the last one is then whole.
        """
        began = saved = time.monotonic()
        before, pause = self.seconds, self.checkpoint_every
        with Interruption() as interruption:
            while self.tokens < self.total:
                self._windows()
                self._step(next(self.buffer))
                now = time.monotonic()
                self.seconds = before + now - began
                if interruption.asked or (now - saved > pause and self.tokens < self.total):
                    self.save()
                    saved = time.monotonic()
                    pause = self.checkpoint_every and max(self.checkpoint_every, 20 * (saved - now))
                if interruption.asked:
                    raise KeyboardInterrupt
        self._windows(last=True)

    def _step(self, batch: dict[str, Any]) -> None:
        logging = (self.steps + 1) % self.every == 0
        for learner in self.learners:
            learner.logging = logging
            learner.step(batch[learner.hook])
            if logging:
                for run, metrics in learner.log().items():
                    self.tell(run, metrics)
        if (self.steps + 1) % self.evaluate_every == 0:
            for learner in self.learners:
                self._evaluate(learner)
        self.steps += 1
        self.tokens += self.buffer.batch_size
        self.on_step(self.tokens)

    def _evaluate(self, learner: Learner) -> None:
        for run, metrics in self.evaluate(learner).items():
            self.tell(run, metrics)
        for run, sae in learner.saes().items():
            self.tell(run, sae.log_histograms())

    def _windows(self, last: bool = False) -> None:
        for learner in self.learners:
            for run, metrics in learner.window(last=last).items():
                self.tell(run, metrics)

    def tell(self, run: str, metrics: dict[str, Any]) -> None:
        """Numbers to the records' metrics; arrays and W&B's histograms to their histograms."""
        numbers: dict[str, float] = {}
        for name, value in flattened(metrics):
            if isinstance(value, np.ndarray):
                counts, edges = np.histogram(value, bins=64)
                self._histogram(run, name, counts.tolist(), edges.tolist())
            elif hasattr(value, "histogram"):  # wandb.Histogram
                self._histogram(run, name, list(value.histogram), list(value.bins))
            else:
                numbers[name] = value
        if numbers:
            for listener in self.listeners:
                listener.log(run, self.steps, numbers)

    def _histogram(self, run: str, name: str, counts: list[float], edges: list[float]) -> None:
        for listener in self.listeners:
            listener.histogram(run, self.steps, name, counts, edges)

    def save(self) -> None:
        """Write a checkpoint; what was logged until now reaches the disk before it."""
        for listener in self.listeners:
            listener.flush()
        tensors, numbers = self.buffer.state()
        tensors = prefixed("buffer/", tensors)
        learned = []
        for index, learner in enumerate(self.learners):
            more, rest = learner.state()
            tensors |= prefixed(f"learner/{index}/", more)
            learned.append(rest)
        progress = {"steps": self.steps, "tokens": self.tokens, "seconds": self.seconds}
        scalings, kept = pack([_scaling(scaler) for scaler in self._scalers()])
        tensors |= prefixed("scaling/", scalings)
        everything = {"buffer": numbers, "learners": learned, "scaling": kept} | progress
        checkpoint.save(self.folder, tensors, everything)

    def load(self, tensors: dict[str, Any], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.buffer.load(within("buffer/", tensors), numbers["buffer"])
        for index, learner in enumerate(self.learners):
            learner.load(within(f"learner/{index}/", tensors), numbers["learners"][index])
        scalings = unpack(within("scaling/", tensors), numbers["scaling"])
        for scaler, (factor, whitening) in zip(self._scalers(), scalings, strict=True):
            scaler.scaling_factor = factor
            scaler.whitening = None if whitening is None else ActivationWhitening(**whitening)
        self.steps, self.tokens, self.seconds = numbers["steps"], numbers["tokens"], numbers["seconds"]

    def _scalers(self) -> list[ActivationScaler]:
        return [scaler for learner in self.learners for scaler in learner.scalers().values()]


def _scaling(scaler: ActivationScaler) -> tuple[float | None, dict[str, Tensor] | None]:
    whitening = scaler.whitening
    return scaler.scaling_factor, None if whitening is None else dict(vars(whitening))


def flattened(metrics: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Names and values; a dictionary in a dictionary gives names with a dot, as on W&B."""
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
