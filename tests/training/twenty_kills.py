"""Train, and train again with twenty times kill -9: ``twenty_kills.py FOLDER``. A program of test_resume.py.

Children of one process share its imports, so that twenty kills take seconds. A checkpoint at every step: most
of the time is spent in writing one, and most kills hit there. Prints the folders of the runs that came to
their end in spite of it, and the number of kills.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from small import NAME, small

from sae_course.models import load_model
from sae_course.runs import Run
from sae_course.training.runner import train

KILLS = 20


def main(place: Path) -> None:
    """The whole run, then the killed ones."""
    torch.set_num_threads(1)
    model = load_model(NAME, "mini", quiet=True)

    def call(folder: Path) -> Run:
        return train(
            small("batchtopk", steps=120),
            folder=folder,
            model=model,
            check=False,
            show=False,
            checkpoint_every=0.0,
        )

    began = time.monotonic()
    call(place / "whole")
    lasts = time.monotonic() - began
    moments = random.Random(0)
    kills, finished = 0, []
    for _ in range(200):
        child = os.fork()
        if child == 0:
            os._exit(0 if call(place / "killed").status == "finished" else 1)
        if kills < KILLS:
            time.sleep(moments.uniform(0, 0.25 * lasts))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
            continue
        if code := os.waitstatus_to_exitcode(status):
            raise SystemExit(f"a training ended with {code}")
        if kills >= KILLS:
            finished.append("killed")
            break
        # It was through before its twentieth kill: once more from the beginning.
        finished.append(f"killed-{kills}")
        (place / "killed").rename(place / finished[-1])
    print(*finished, kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
