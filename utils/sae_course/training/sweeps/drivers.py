"""All trials of a sweep: one after another, or on Ray; those that were killed once more."""

import contextlib
import shutil
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ...runtime import CourseError, home, locking
from ..runner import CHECKPOINT_EVERY
from ..settings import as_dict
from . import book
from .attempts import Job, Outcome, attempt
from .grid import Trial, check_distinct
from .on_ray import OnRay, parts_of
from .results import Sweep, diverged

RETRIES = 5


class Pool(Protocol):
    """Whoever carries out trials. Leaving it stops those that are running."""

    words: str
    """Where that is, for a person."""

    def __enter__(self) -> "Pool": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def submit(self, job: Job) -> None:
        """Have it done when there is room."""

    def ended(self) -> tuple[Job, Outcome]:
        """Wait for the next one that ends."""


class OneByOne:
    """One trial after another, by this process."""

    words = "one after another"

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()

    def __enter__(self) -> "OneByOne":
        return self

    def __exit__(self, *error: object) -> None:
        self._waiting.clear()

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def ended(self) -> tuple[Job, Outcome]:
        job = self._waiting.popleft()
        return job, attempt(job)


def sweep(
    trials: Sequence[Trial],
    *,
    name: str,
    workers: int = 0,
    address: str | None = None,
    cpus_per_trial: int | None = None,
    gpus_per_trial: float = 0,
    retries: int = RETRIES,
    checkpoint_every: float = CHECKPOINT_EVERY,
    tell: Callable[[str], None] = print,
) -> Sweep:
    """Train every trial that isn't finished yet, each in a process of its own.

    A trial whose process or worker is killed is tried again and goes on from its checkpoint. One that fails
    by itself is told of, and the others go on. Stopped at any moment, the same call trains what is missing.

    Args:
        trials: from `grid`, or your own.
        name: of the sweep; its folder is ``home()/runs/NAME``, with one for each trial.
        workers: how many trials at a time, on a Ray of this machine; without, one after another and no Ray.
        address: of a Ray cluster, in place of workers: ``HOST:PORT`` from one of its machines,
            ``ray://HOST:PORT`` from anywhere.
        cpus_per_trial: with Ray: threads of a trial, which waits for as many free cores. When not given, 1 on
            a cluster, and here what each of the workers can have.
        gpus_per_trial: with Ray: as many GPUs are each trial's own; 0.5 for two trials on one.
        retries: how often a trial that was killed is tried again.
        checkpoint_every: seconds between a trial's checkpoints: what a kill can cost.
        tell: is given a line whenever something happened.

    Raises:
        CourseError: before anything is trained, for trials that are the same or were trained under this name
            with other settings, numbers that make no sense, a Ray that isn't installed or doesn't answer.
        KeyboardInterrupt: when it was stopped; the trials were, too.
    """
    check_asked(workers, address, cpus_per_trial, gpus_per_trial, retries)
    pool = _pool(workers, address, cpus_per_trial, gpus_per_trial)
    if not trials:
        raise CourseError("There is no trial in this sweep.")
    check_distinct(trials)
    if workers or address:
        _check_devices(trials, gpus_per_trial)
    book.check_name(name)
    folder = home().resolve() / "runs" / name
    with locking.exclusive(folder.with_name(f".{name}.lock"), f"The sweep {name}"):
        book.clean(folder)
        identity = book.enter(folder, trials)
        jobs = [
            Job(
                sweep=name,
                identity=identity,
                name=trial.name,
                config=as_dict(trial.cfg),
                home=str(folder.parents[1]),
                checkpoint_every=checkpoint_every,
            )
            for trial in trials
        ]
        failed = {job.name: why for job in jobs if (why := diverged(folder / job.name))}
        missing = [job for job in jobs if not book.is_finished(folder / job.name)]
        before = f", {len(jobs) - len(missing)} finished before" if len(missing) < len(jobs) else ""
        tell(f"{name}: {len(jobs)} trials{before}.")
        if missing:
            with pool, _terminated():
                tell(f"Training {len(missing)}, {pool.words}.")
                failed |= _carry_out(missing, pool, folder, retries, tell)
    return Sweep.load(folder, [trial.name for trial in trials], failed)


def check_asked(
    workers: int, address: str | None, cpus_per_trial: int | None, gpus_per_trial: float, retries: int
) -> None:
    """Raise CourseError for numbers that make no sense (see `sweep`)."""
    cpus, gpus = cpus_per_trial, gpus_per_trial
    if workers < 0:
        raise CourseError(f"workers is 0 (one trial after another, without Ray) or more, not {workers}.")
    if workers and address:
        raise CourseError("Either workers, for a Ray of this machine, or the address of a cluster, not both.")
    if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        raise CourseError(f"gpus_per_trial is a share of one GPU or a whole number, not {gpus:g}.")
    if cpus is not None and cpus < 1:
        raise CourseError(f"cpus_per_trial is 1 or more, not {cpus}.")
    if retries < 0:
        raise CourseError(f"retries is 0 or more, not {retries}.")
    if address:
        parts_of(address)
    if not workers and not address and (cpus or gpus):
        raise CourseError(
            "cpus_per_trial and gpus_per_trial are for Ray (workers or address): one after another, each "
            "trial has the whole machine."
        )


def _pool(workers: int, address: str | None, cpus: int | None, gpus: float) -> Pool:
    if not workers and not address:
        return OneByOne()
    return OnRay(workers=workers, address=address, cpus=cpus, gpus=gpus)


def _check_devices(trials: Sequence[Trial], gpus: float) -> None:
    for trial in trials:
        if trial.cfg.device.startswith("cuda") != bool(gpus):
            raise CourseError(
                f"{trial.name} is to be trained on {trial.cfg.device}, and its share of GPUs is {gpus:g}: on "
                "Ray, trials on cuda have gpus_per_trial, others none."
            )


def _carry_out(
    jobs: list[Job], pool: Pool, folder: Path, retries: int, tell: Callable[[str], None]
) -> dict[str, str]:
    """Train all; what failed, and why."""
    failed: dict[str, str] = {}
    attempts: Counter[str] = Counter()
    for job in jobs:
        pool.submit(job)
    done = 0
    while done < len(jobs):
        job, outcome = pool.ended()
        attempts[job.name] += 1
        if outcome.status == "killed" and attempts[job.name] <= retries:
            again = f"tried again, {attempts[job.name]} of {retries}"
            tell(f"  ↻ {job.name}: {outcome.message}; {again}, from its checkpoint")
            pool.submit(job)
            continue
        done += 1
        why = " ".join(outcome.message.split())
        if outcome.status == "finished":
            if outcome.files is not None:
                _receive(folder / job.name, outcome.files)
            why = diverged(folder / job.name)
        elif outcome.status == "killed" and retries:
            why += f", {attempts[job.name]} times"
        if why:
            failed[job.name] = why
            tell(f"  ✘ {job.name}: {why} ({done} of {len(jobs)})")
        else:
            tell(f"  ✔ {job.name}: {outcome.seconds:.0f} s ({done} of {len(jobs)})")
    return failed


def _receive(folder: Path, files: dict[str, bytes]) -> None:
    """Write a run that was trained elsewhere, whole or not at all."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name, content in files.items():
            path = part / name
            if part.resolve() not in path.resolve().parents:
                raise CourseError(f"{folder.name} was sent with a file outside its folder: {name}.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise CourseError(
            f"{folder} can't be written ({error.strerror or error}): the same command goes on when it can."
        ) from error


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """Take SIGTERM, of a machine that is taken away, as Ctrl-C: the trials write their checkpoints."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
