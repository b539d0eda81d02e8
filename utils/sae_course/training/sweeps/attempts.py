"""One attempt at a trial: its process is started, watched to its end, and never left alone."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

from ...runtime import CourseError, home
from . import book
from .trial import GRACE

_LOOK = 0.2
"""Seconds between two looks at a trial's process."""


@dataclass(frozen=True)
class Job:
    """A trial as it is sent to whoever carries it out."""

    sweep: str
    identity: str
    """Of the sweep: tells whether a folder of its name is really its own."""
    name: str
    config: dict[str, Any]
    home: str
    """The driver's own: the sweep is in ``runs`` there."""
    checkpoint_every: float
    threads: int | None = None
    """For torch; its own choice when None."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    status: Literal["finished", "failed", "killed"]
    """``killed`` may be tried again, and goes on from its checkpoint; what ``failed`` would fail again."""
    message: str = ""
    seconds: float = 0.0
    files: dict[str, bytes] | None = None
    """The finished run, by path, where it was trained on a disk that the driver doesn't see."""


def attempt(job: Job) -> Outcome:
    """Train a trial, or go on with it, in a process of its own.

    Where the driver's folder isn't seen from here (a node of a cluster without a shared disk), it is trained
    in the ``runs`` of this machine's own home, and the finished run is part of the outcome.
    """
    theirs = Path(job.home)
    shared = book.is_same(theirs / "runs" / job.sweep, job.identity)
    here = theirs if shared else home().resolve()
    began = time.monotonic()
    try:
        outcome = _run(job, here)
    except CourseError as error:
        outcome = Outcome("failed", str(error))
    except OSError as error:
        outcome = Outcome("failed", f"it can't be started ({error.strerror or error}).")
    folder = here / "runs" / job.sweep / job.name
    files = _files(folder) if outcome.status == "finished" and not shared else None
    return Outcome(outcome.status, outcome.message, time.monotonic() - began, files)


def _run(job: Job, here: Path) -> Outcome:
    sweep = here / "runs" / job.sweep
    logs = sweep / book.LOGS
    logs.mkdir(parents=True, exist_ok=True)
    order = {
        "name": job.name,
        "config": job.config,
        "folder": str(sweep / job.name),
        "lock": str(logs / f".{job.name}.lock"),
        "checkpoint_every": job.checkpoint_every,
    }
    env = os.environ | {"SAE_COURSE_HOME": str(here)}
    if job.threads:
        env |= {"OMP_NUM_THREADS": str(job.threads), "MKL_NUM_THREADS": str(job.threads)}
    log = logs / f"{job.name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sae_course.training.sweeps.trial", f"{job.sweep}/{job.name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            env=env,
            # Ctrl-C in a terminal is for the driver: it stops its trials one way, whoever runs them.
            start_new_session=True,
        )
        said = _watched(process, order)
    return _outcome(process.returncode, said, log)


def _watched(process: "subprocess.Popen[bytes]", order: dict[str, Any]) -> bytes:
    """Wait for the process's end; what it said. However this is left, the process ends."""
    stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    try:
        with contextlib.suppress(BrokenPipeError):  # it is dead already; how, is seen below
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
        while process.poll() is None:
            # Not one long wait: Ray interrupts its worker's Python, not the system's call.
            time.sleep(_LOOK)
        return stdout.read()
    finally:
        with contextlib.suppress(BrokenPipeError):
            stdin.close()  # its sign to end
        try:
            process.wait(GRACE + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        stdout.close()


def _outcome(code: int, said: bytes, log: Path) -> Outcome:
    try:
        answer = json.loads(said)
        return Outcome(answer["status"], answer["message"])
    except (ValueError, KeyError):
        pass
    if code < 0:
        try:
            which = signal.Signals(-code).name
        except ValueError:
            which = f"signal {-code}"
        return Outcome("killed", f"its process was killed ({which})")
    words = f"its process ended with {code} and without a word; {log} may say why."
    return Outcome("killed" if code == 1 and os.name == "nt" else "failed", words)


def _files(folder: Path) -> dict[str, bytes]:
    """A finished run's files; what begins with a dot is nobody's."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
