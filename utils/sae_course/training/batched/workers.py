"""Independent jobs on the threads that torch may use: an SAE to a thread."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch


class Workers:
    """Runs jobs side by side, with as many threads in all as ``torch.get_num_threads()``.

    An operation on the few hundred rows that fit in the cache is too short to be shared between threads: one
    would wait for the other after each. A whole SAE's step is not. The results don't depend on the number of
    workers.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._pool: ThreadPoolExecutor | None = None
        self._size, self._share = 1, 1

    def run(self, jobs: Iterable[Callable[[], None]]) -> None:
        """Do all of them.

        Raises:
            Exception: the first one that a job raised; the others were done.
        """
        threads = torch.get_num_threads()
        size = min(self.most, threads)
        if size == 1:
            for job in jobs:
                job()
            return
        share = threads // size
        if self._pool is None or (size, share) != (self._size, self._share):
            self.close()
            self._pool = ThreadPoolExecutor(size, "sae", _own_threads, (share,))
            self._size, self._share = size, share
        # The number is each thread's own, except in MKL, where it is the process's.
        torch.set_num_threads(share)
        try:
            futures = [self._pool.submit(job) for job in jobs]
            errors = [future.exception() for future in futures]
        finally:
            torch.set_num_threads(threads)
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _own_threads(share: int) -> None:
    torch.get_num_threads()  # a thread's first use of torch takes over the process's number: not after this
    torch.set_num_threads(share)
