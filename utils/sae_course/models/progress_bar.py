"""What a person sees of a training: a bar in a terminal, lines in a file; and a Ctrl-C that ends well."""

import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any

import click

from .card_view import duration
from .train import Progress

# The first steps are slower than the rest: what is loaded is loaded then.
_SKIPPED, _TIMED = 5, 25


class TrainingBar:
    """Shows steps, loss and held-out loss; give `step` to `train`.

    While it is open, the first Ctrl-C ends the training after the step, so that no step is lost; a second one
    ends it at once, and the training goes on from the checkpoint before.
    """

    def __init__(self, steps: int) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - with the rest of what training needs

        self.steps, self.stopping = steps, False
        self.first, self.timed_from = 0, 0.0  # the first step of this session, when its timing began
        self.held_out: float | None = None
        self.bar: Any = tqdm(total=steps, unit="step", disable=None, file=sys.stderr)
        self.before: Any = None

    def __enter__(self) -> "TrainingBar":
        self.before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self.before)
        self.bar.close()
        if kind is KeyboardInterrupt:
            click.echo("Stopped. The same command goes on from the checkpoint.", err=True)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True

    def step(self, step: int, line: Progress | None) -> None:
        """After each step. Raises KeyboardInterrupt when Ctrl-C was pressed meanwhile."""
        if not self.first:
            self._begin(step)
        self._estimate(step)
        self.bar.update(step - self.bar.n)
        if line is not None:
            self._tell(line)
        if self.stopping:
            raise KeyboardInterrupt

    def stage(self, words: str) -> None:
        """What comes after training: it has no steps, so Ctrl-C ends it at once."""
        signal.signal(signal.SIGINT, self.before)
        self.bar.close()
        click.echo(f"{words[0].upper()}{words[1:]} …", err=True)

    def _begin(self, step: int) -> None:
        self.first = step
        self.bar.initial = self.bar.n = step - 1
        if step > 1:
            self._say(f"Going on from step {step - 1:,}.")

    def _estimate(self, step: int) -> None:
        done = step - self.first
        if done == _SKIPPED:
            self.timed_from = time.monotonic()
        elif done == _SKIPPED + _TIMED:
            each = (time.monotonic() - self.timed_from) / _TIMED
            left = each * (self.steps - step)
            self._say(f"About {duration(left)} on this machine, at {1000 * each:.0f} ms a step.")

    def _tell(self, line: Progress) -> None:
        if line.held_out is not None:
            self.held_out = line.held_out
        held_out = "" if self.held_out is None else f", held out {self.held_out:.3f}"
        self.bar.set_postfix_str(f"loss {line.loss:.3f}{held_out}")
        if self.bar.disable and line.held_out is not None:
            click.echo(f"step {line.step:,}: loss {line.loss:.3f}{held_out}", err=True)

    def _say(self, text: str) -> None:
        if self.bar.disable:
            click.echo(text, err=True)
        else:
            self.bar.write(text, file=sys.stderr)
