"""A check: a plain function that knows its exercise, leaves no trace, and records the attempt.

>>> @exercise("1.3", "loss", minutes=10, hints=2)                        # doctest: +SKIP
... def loss(t, student):
...     '''Reconstruction error, averaged over d_in, plus the L1 penalty, summed over latents.'''
...     for case in t.cases(6):
...         t.against(
...             student,
...             {"x": case.normal("batch inst d_in"), "W_dec": case.normal("inst d_sae d_in", grad=True)},
...             reference_loss,
...             axes="batch inst",
...             wrt=["W_dec"],
...             mistakes={"the error is summed over d_in, not averaged.": summed_loss},
...         )

In a chapter it is called with the learner's function alone: ``check.loss(loss)``.
"""

import contextlib
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..runtime import current
from . import guard, numbers, progress
from .failure import CheckFailed, hint_pointer
from .trial import Trial

TIME_LIMIT = 10.0
PROBE_LIMIT = 2.0
NO_TIME_LIMIT = (
    "(No time limit here, outside the main thread or on Windows: an endless loop would not be stopped.)"
)


@dataclass(frozen=True)
class Passed:
    """What a check that passed has to say."""

    cases: int
    printed: str
    """A note on what the learner's function printed; empty if nothing."""
    shown: dict[str, bool]
    """In a self-test: mistake -> whether it showed on any case."""


@dataclass(frozen=True)
class Check:
    """A check of one exercise; call it with what the learner wrote."""

    body: Callable[..., None]
    number: str
    """``"1.3"``, or ``"3a.1"``."""
    title: str
    minutes: int
    hints: int
    """How many hints are folded beneath the exercise."""
    limit: float = TIME_LIMIT
    """Seconds for the learner's code, over all cases."""
    __name__: str = field(default="")
    __doc__: str | None = field(default=None)

    @property
    def chapter(self) -> str:
        """``"03a"`` for a check in ``sae_course.checks.ch03a``, and for one numbered 3a.1 elsewhere."""
        module = self.body.__module__.rpartition(".")[2]
        named = module.removeprefix("ch")
        if module != named and numbers.CHAPTER.fullmatch(named):
            return named
        return numbers.chapter_of(self.number)

    def __repr__(self) -> str:
        return f"<check {self.number} {self.title}>"

    def __call__(self, *things: Any) -> None:
        """Check, record the attempt, and print one line.

        Raises:
            CheckFailed: with what is wrong and the likely mistake.
        """
        try:
            passed = self.run(*things)
        except CheckFailed as failure:
            self._add_advice(failure)
            raise failure from None
        saved = self._record(passed=True, message="")
        print(f"✔ {self.number} {self.title} ({passed.cases} {'case' if passed.cases == 1 else 'cases'})")
        no_limit = "" if guard.can_limit_time() else NO_TIME_LIMIT
        for note in (passed.printed, saved.note, no_limit):
            for line in note.splitlines():
                print(f"  {line}")

    def run(self, *things: Any, seed: int = 0, self_test: bool = False) -> Passed:
        """The check alone: nothing recorded or printed.

        Args:
            seed: of the random cases.
            self_test: run every mistake too, on each case until it shows, and let it raise.

        Raises:
            CheckFailed: and nothing else, except KeyboardInterrupt.
        """
        trial = Trial(seed, current().device, self.limit, things)
        if self_test:
            trial.shown = {}
        try:
            with _no_trace(seed):
                self.body(trial, *things)
        except CheckFailed as failure:
            failure.number, failure.title = self.number, self.title
            failure.case = failure.case or trial.case
            failure.printed = failure.printed or _printed(trial)
            if failure.named:
                failure.named = self._confirmed(failure, things, seed)
            raise failure from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self_test:
                raise
            stumbled = _stumbled(error)
            stumbled.number, stumbled.title = self.number, self.title
            stumbled.printed = _printed(trial)
            raise stumbled from None
        return Passed(max(trial.count, 1), _printed(trial), trial.shown or {})

    def _confirmed(self, failure: CheckFailed, things: tuple[Any, ...], seed: int) -> list[str]:
        """The named mistakes that explain the failure on other random cases as well.

        On one case a mistake may fit by accident: a sum over 3 entries looks like 3 times their mean.
        """
        named = failure.named
        for probe in (seed + 1, seed + 2):
            trial = Trial(probe, current().device, PROBE_LIMIT, things)
            try:
                with _no_trace(probe):
                    self.body(trial, *things)
            except CheckFailed as other:
                named = [name for name in named if name in other.named or name not in other.offered]
            except Exception:  # noqa: BLE001 - the failure itself is known; this only words it
                continue
        return named

    def _add_advice(self, failure: CheckFailed) -> None:
        """Record a failure, and point to a hint after some."""
        if not guard.can_limit_time():
            failure.notes.append(NO_TIME_LIMIT)
        if failure.kind == "unwritten":  # the untouched notebook: no attempt
            return
        saved = self._record(passed=False, message=failure.problem.splitlines()[0])
        if saved.note:
            failure.notes.append(saved.note)
        failure.hint = hint_pointer(saved.failures, self.hints)

    def _record(self, *, passed: bool, message: str) -> progress.Saved:
        return progress.record(
            self.number,
            passed=passed,
            title=self.title,
            chapter=self.chapter,
            minutes=self.minutes,
            message=message,
        )


def exercise(
    number: str, title: str, *, minutes: int, hints: int = 0, limit: float = TIME_LIMIT
) -> Callable[[Callable[..., None]], Check]:
    """Make a check of a function ``body(trial, student)``; see the module's example.

    Args:
        number: the exercise's, ``"1.3"``.
        title: one or two words, usually the name of what the learner writes.
        minutes: about how long it takes.
        hints: how many are folded beneath it.
        limit: seconds for the learner's code, over all cases.
    """

    def wrap(body: Callable[..., None]) -> Check:
        return Check(body, number, title, minutes, hints, limit, body.__name__, body.__doc__)

    return wrap


def _printed(trial: Trial) -> str:
    return guard.printed_note(trial.printed[0]) if trial.printed else ""


def _stumbled(error: BaseException) -> CheckFailed:
    """The message for an error in the check's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return CheckFailed(
        f"The check could not judge what your code gave ({type(error).__name__}{at}: {str(error)[:200]}). "
        "If your answer looks right to you, please report it.",
        kind="stumbled",
    )


@contextlib.contextmanager
def _no_trace(seed: int) -> Iterator[None]:
    """Seed the global generators for the body, and put back what it may have changed."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    dtype, depth = torch.get_default_dtype(), sys.getrecursionlimit()
    threads = torch.get_num_threads()
    try:
        # Cases are tiny: a second thread only waits, and on a busy machine it waits ten times longer.
        torch.set_num_threads(1)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        with torch.enable_grad():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if gpu is not None:
            torch.cuda.set_rng_state_all(gpu)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        sys.setrecursionlimit(depth)
