"""Work for processes of their own, which import it: what test_clinic_new gives to the pool."""

import os
import signal
import time
from pathlib import Path

from sae_course import CourseError


def work(task: tuple[str, str]) -> None:
    """Write a file named after the task, after a while; or fail, or die, as its name says."""
    folder, name = task
    if name == "fails":
        raise CourseError("the disk is full")
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    (Path(folder) / name).touch()
