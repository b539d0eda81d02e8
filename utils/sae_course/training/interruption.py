"""Ctrl-C and a machine that is taken away: training ends after its step, not in it."""

import signal
import threading
from types import FrameType
from typing import Any


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
