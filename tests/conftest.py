"""Every test, and every process a test starts, keeps its own progress and its own caches."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sae_course.runtime.threads import wait_asleep

wait_asleep()  # before torch
import torch  # noqa: E402

# At import, not in a fixture: nbmake's kernels are started outside any fixture and inherit it.
_HOME = tempfile.mkdtemp(prefix="sae-course-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["SAE_COURSE_HOME"] = _HOME
os.environ["SAE_COURSE_SCALE"] = "mini"
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that reached for the hub would fail on a train

# The tests' tensors are tiny: a second thread only waits, and on a busy machine it waits ten times longer.
torch.set_num_threads(1)

# A shell that starts the tests in the background has them ignore Ctrl-C; some send it to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_TALLIES: list[dict[str, Any]] = []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker ended (pytest-xdist): what its checks' banks counted, see tests/checks/conftest.py."""
    _TALLIES.extend([node.workeroutput["checks"]] if "checks" in getattr(node, "workeroutput", {}) else [])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _TALLIES:
        sys.path.insert(0, str(Path(__file__).parent / "checks"))
        from bank import summary  # noqa: PLC0415 - only where the banks were run

        for line in summary(_TALLIES):
            terminalreporter.write_line(line)


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have a training get Ctrl-C once it has done so many steps."""
    from sae_course.training import loop  # noqa: PLC0415 - seconds, and few tests train

    step = loop.Loop._step

    def stop(steps: int) -> None:
        def stepped(self: loop.Loop, batch: Any) -> None:
            step(self, batch)
            if self.steps == steps:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(loop.Loop, "_step", stepped)

    return stop
