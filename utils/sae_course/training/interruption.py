"""Ctrl-C and a machine that is taken away: training ends after its step, not in it."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Interruption:
    """While it is open, the first SIGINT or SIGTERM is noted; a second SIGINT interrupts at once.

    A step cut in two would leave weights that no step count describes. Outside the main thread, where Python
    takes no signals, it notes nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


class Passes:
    """Forward passes of a model, counted."""

    def __init__(self) -> None:
        self.made = 0


@contextlib.contextmanager
def interrupted_after(module: "nn.Module", calls: int | None = None) -> Iterator[Passes]:
    """Within it, the ``calls``-th forward pass of a model sends this process what Ctrl-C sends.

    For trying what a training makes of an interruption, at a place that doesn't depend on the clock.

    Args:
        calls: without it nothing is interrupted; the passes are counted.
    """
    passes = Passes()

    def count(*_: object) -> None:
        passes.made += 1
        if passes.made == calls:
            signal.raise_signal(signal.SIGINT)

    handle = module.register_forward_hook(count)
    try:
        yield passes
    finally:
        handle.remove()
