"""One trial, as a process: ``python -m sae_course.training.sweeps.trial NAME``, started by ``attempts``.

The name is there to be seen in a list of processes.

Its standard input says on one line, as JSON, what to train; the end of that input says that whoever started
it has gone, whatever the way: then it ends too. Its standard output is one line of JSON, how it ended; what
else is said goes to standard error. Training is in the main thread, which alone can be told of signals.
"""

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

GRACE = 10.0
"""Seconds in which a trial that was left alone may finish its step and write a checkpoint."""
PATIENCE = 60.0
"""Seconds for which a trial waits for another process to let go of its folder."""


def main() -> None:
    """Read what to train, train it, say how it ended."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    line = sys.stdin.buffer.readline()
    orders = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if not line.endswith(b"\n"):
        return  # who started it was killed while it wrote
    threading.Thread(target=_watch, args=(orders,), daemon=True).start()
    answer = _carry_out(json.loads(line))
    with contextlib.suppress(BrokenPipeError), answers:
        answers.write(json.dumps(answer) + "\n")
    sys.stderr.flush()
    os._exit(0)  # taking down all that was imported takes Python seconds, and somebody waits


def _watch(orders: int) -> None:
    """Wait for the end of the orders; then end as at SIGTERM, with a checkpoint, or at once after a while."""
    while os.read(orders, 4096):
        pass
    signal.raise_signal(signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def _carry_out(order: dict[str, Any]) -> dict[str, str]:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - the watch begins at once

    from ...runtime import CourseError  # noqa: PLC0415

    lock = FileLock(order["lock"])
    try:
        Path(order["lock"]).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
        _train(order)
    except Timeout:
        return _failed("another process trains it: wait for it, or use another name.")
    except KeyboardInterrupt:
        return {"status": "killed", "message": "it was asked to stop"}
    except CourseError as error:
        return _failed(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other trials go on
        traceback.print_exc()
        words = (str(error).strip().splitlines() or ["no message"])[0]
        diverged = "it diverged (a smaller lr?): " if re.search(r"\bnan\b", words, re.IGNORECASE) else ""
        return _failed(f"{diverged}{type(error).__name__}: {words}")
    return {"status": "finished", "message": ""}


def _train(order: dict[str, Any]) -> None:
    from ..runner import train  # noqa: PLC0415 - seconds
    from ..settings import from_dict  # noqa: PLC0415

    cfg = from_dict(order["config"])
    train(
        cfg,
        name=order["name"],
        folder=order["folder"],
        show=False,
        checkpoint_every=order["checkpoint_every"],
    )


def _failed(message: str) -> dict[str, str]:
    return {"status": "failed", "message": message}


if __name__ == "__main__":
    main()
