"""Work for processes of their own, which import it: what test_clinic_new gives to the pool."""

import os
import signal
import time
from pathlib import Path

from sae_course import CourseError


def work(task: tuple[str, str]) -> None:
    """Write a file named after the task; or fail, die, or go on for long, as its name says.

    Asked to end, it does as a training does: takes note, and stops between two steps.
    """
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    folder, name = task
    (Path(folder) / name).touch()
    if name == "fails":
        raise CourseError("the disk is full")
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    steps = 300 if name.startswith("long") else 1
    for _ in range(steps):
        time.sleep(0.05)
        if asked:
            raise KeyboardInterrupt
