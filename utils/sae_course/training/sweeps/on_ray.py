"""Trials on Ray: several at a time on this machine, or on a cluster."""

import os
import re
import socket
import subprocess
import sys
import warnings
from dataclasses import replace
from types import TracebackType
from typing import Any

from ...runtime import CourseError
from .attempts import Job, Outcome, attempt
from .trial import GRACE

ANSWER = 10.0
"""Seconds in which something must listen at a cluster's address."""
CHECK = 90.0
"""Seconds in which it must turn out to be Ray."""
_LISTEN = 1.0
_QUIET = {"logging_level": "ERROR", "log_to_driver": False}


class OnRay:
    """A pool on Ray: a trial is a task, which a worker does by watching over the trial's process.

    Ray's own retries are off: it would not say that it made one.

    Args:
        workers: of a Ray that is started here and ends with the pool; 0 with an address.
        address: of a cluster.
        cpus, gpus: of each trial (see `sweep`).

    Raises:
        CourseError: when Ray isn't installed, or in use in this process; on entering, when the cluster
            doesn't answer or has no machine that can hold a trial.
    """

    def __init__(self, *, workers: int, address: str | None, cpus: int | None, gpus: float) -> None:
        self._ray = _import()
        if self._ray.is_initialized():
            raise CourseError("This process is connected to a Ray already: call ray.shutdown() first.")
        self._workers, self._address, self._gpus = workers, address, gpus
        self._cpus = cpus or (max(1, (os.cpu_count() or 1) // workers) if workers else 1)
        self._running: dict[Any, Job] = {}
        self.words = (
            f"on {workers} worker{'s' * (workers > 1)} of a Ray on this machine"
            if workers
            else f"on the Ray cluster at {address}"
        )

    def __enter__(self) -> "OnRay":
        if self._address:
            self._join(self._address)
        else:
            self._start()
        try:
            self._check_fits()
        except BaseException:
            self._ray.shutdown()
            raise
        self._task = self._ray.remote(max_retries=0, num_cpus=self._cpus, num_gpus=self._gpus)(attempt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, CourseError):  # of a Ray that is gone, there is nothing to ask
                for reference in self._running:
                    self._ray.cancel(reference, force=False)
                if self._running:  # until their checkpoints are written
                    self._ray.wait(list(self._running), num_returns=len(self._running), timeout=GRACE + 10)
        finally:
            self._ray.shutdown()

    def _join(self, address: str) -> None:
        _check_answers(address)
        try:
            with warnings.catch_warnings(action="ignore"):  # what it warns of is in our words, below
                self._ray.init(address=address, **_QUIET)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise CourseError(_refused(address, str(error))) from error

    def _start(self) -> None:
        given: dict[str, Any] = {} if self._gpus else {"num_gpus": 0}  # without it, Ray counts them
        for last in (False, True):
            try:
                # Nothing is sent on one machine, so that the least that Ray takes is enough for its store.
                self._ray.init(
                    address="local",
                    num_cpus=self._workers * self._cpus,
                    include_dashboard=False,
                    object_store_memory=80 * 2**20,
                    **given,
                    **_QUIET,
                )
                return
            except Exception as error:
                # Its parts have half a minute to start, on a busy machine too little; the second time, what
                # they import is in memory.
                self._ray.shutdown()
                if last:
                    words = (str(error).strip().splitlines() or [type(error).__name__])[0]
                    raise CourseError(
                        f"Ray can't be started on this machine ({words}): it may be too busy, or out of "
                        "memory. Without workers, a sweep needs no Ray."
                    ) from error

    def submit(self, job: Job) -> None:
        self._running[self._task.remote(replace(job, threads=self._cpus))] = job

    def ended(self) -> tuple[Job, Outcome]:
        try:
            while True:
                done, _ = self._ray.wait(list(self._running), timeout=_LISTEN)
                if done:
                    break
            outcome = self._outcome(done[0])
        except ConnectionError as error:
            raise _ended() from error
        return self._running.pop(done[0]), outcome

    def _outcome(self, reference: Any) -> Outcome:
        from ray import exceptions  # noqa: PLC0415

        # The worker's process, its machine, or what it held there.
        gone = (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        )
        try:
            return self._ray.get(reference)
        except gone as error:
            return Outcome("killed", f"its worker is gone ({type(error).__name__})")
        except exceptions.LocalRayletDiedError as error:
            raise _ended() from error
        except exceptions.RayError as error:
            words = [line for line in str(error).splitlines() if line.strip()]
            why = words[-1].strip() if words else type(error).__name__
            if "No module named 'sae_course'" in str(error):
                why = "sae-course isn't installed on the machine that was to train it"
            return Outcome("failed", why)

    def _check_fits(self) -> None:
        """Refuse what no machine can ever hold: its tasks would wait without a word."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(node.get("CPU", 0) >= self._cpus and node.get("GPU", 0) >= self._gpus for node in nodes):
            return
        has = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise CourseError(
            f"A trial takes {self._cpus} CPUs and {self._gpus:g} GPUs, which no machine of this Ray has "
            f"({has or 'it has none'}): ask for less, or join such a machine."
        )


def _ended() -> CourseError:
    return CourseError(
        "Ray itself has ended, or can't be reached any more. Finished trials are kept; the same command "
        "trains the others, from their checkpoints, when it is there again."
    )


def _import() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: PLC0415 - seconds, and only where it is asked for
    except ImportError as error:
        raise CourseError(
            f"Ray can't be imported ({error}): pip install 'sae-course[sweep]'. Without workers and address, "
            "a sweep needs no Ray."
        ) from error
    return ray


def parts_of(address: str) -> tuple[str | None, str, int]:
    """``ray://`` or None, the host and the port. Raises CourseError for what is no address."""
    found = re.fullmatch(r"(ray://)?([^/\s:]+):(\d{1,5})", address)
    if not found or not 0 < int(found[3]) < 2**16:
        raise CourseError(f'An address is HOST:PORT or ray://HOST:PORT, not "{address}".')
    return found[1], found[2], int(found[3])


def _check_answers(address: str) -> None:
    """Ray itself waits for minutes, and says little: look first whether it is there.

    Raises:
        CourseError: when it is not.
    """
    client, host, port = parts_of(address)
    try:
        socket.create_connection((host, port), timeout=ANSWER).close()
    except OSError as error:
        raise CourseError(
            f"Nothing answers at {address} ({error.strerror or error}): is the cluster up (ray start --head) "
            "and is this its address?"
        ) from error
    if client:
        return  # which gives up by itself, after half a minute
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", f"{host}:{port}"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=CHECK)
    except subprocess.TimeoutExpired as error:
        raise CourseError(_refused(address, f"no answer in {CHECK:g} s")) from error
    if done.returncode:
        raise CourseError(_refused(address, done.stderr))


def _refused(address: str, why: str) -> str:
    """What to say of a cluster that was not joined, from Ray's own many words."""
    lines = [line.strip() for line in why.splitlines() if line.strip()]
    if "ray[client]" in why:
        return f"{address} needs Ray's client: pip install 'sae-course[sweep]'."
    if "AuthToken" in why or "AuthenticationError" in why:
        return (
            f"The Ray cluster at {address} wants its token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH "
            "to the file that holds it (Ray's documentation, token authentication)."
        )
    port = (
        " (ray:// takes the client's port, 10001 unless it was set)" if address.startswith("ray://") else ""
    )
    return (
        f"What is at {address} can't be joined as a Ray cluster ({lines[-1] if lines else 'no answer'}): "
        f"check the port{port}, the cluster's token if it has one, and that its Ray and Python are the same."
    )
