"""Work in several processes that a person may stop at any moment."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ..runtime import CourseError

Task = TypeVar("Task")


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):  # fewer than the machine's, in a container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(work: Callable[[Task], None], tasks: Sequence[Task], jobs: int) -> Iterator[Task]:
    """Do each task, several at once; yields a task when it is done.

    When the caller is interrupted, or one task fails, no other is begun, and those under way are asked to end
    (SIGTERM: a training then writes a checkpoint). When the caller is killed, they end with it.

    Args:
        work: what is done with a task, a function of a module: the processes are new ones.
        jobs: processes at once.

    Raises:
        CourseError: when a process was killed; and whatever ``work`` raises.
    """
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        waiting = {pool.submit(_do, work, task): task for task in tasks}
        for done in as_completed(waiting):
            done.result()
            yield waiting[done]
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise CourseError(
                "A process that trained was killed, as systems do when memory runs out. The same command "
                "goes on where it was; with a smaller --jobs it needs less memory."
            ) from error
        raise
    pool.shutdown()


def _do(work: Callable[[Task], None], task: Task) -> None:
    """A process that was asked to end takes no other task: one is always waiting for it, uncancelled."""
    try:
        work(task)
    except KeyboardInterrupt:
        os._exit(1)


def _begin() -> None:
    """Ctrl-C reaches all processes of a terminal: the first one passes it on. And none is left an orphan."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_it() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()
