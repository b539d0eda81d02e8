"""Running a notebook's cells in a kernel of its own."""

import logging
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .outputs import plain
from .progress import CellProgress


@dataclass(frozen=True)
class Failure:
    """The cell that stopped a notebook."""

    index: int
    """Among the notebook's cells."""
    error: str
    """``ValueError: …``, in one line."""


@dataclass(frozen=True)
class Execution:
    """A notebook's run. Its outputs are in the notebook that was passed."""

    seconds: float
    cells: int
    """Code cells that ran to their end."""
    peak_bytes: int
    """The most memory the kernel held; 0 where it can't be told."""
    failure: Failure | None = None


def execute(notebook: Any, folder: Path, environment: dict[str, str], progress: CellProgress) -> Execution:
    """Run the code cells of ``notebook`` in order, up to the first that fails, and keep their outputs in it.

    Progress, runs and checkpoints go to a temporary home: executing a solution is nobody's progress.
    The kernel is gone when this returns or raises, after Ctrl-C as well.

    Args:
        folder: where the kernel works.
        environment: added to this process's own.
        progress: told of each code cell done.
    """
    from nbclient import NotebookClient  # noqa: PLC0415 - takes half a second
    from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: PLC0415

    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        extra_arguments=["--IPKernelApp.log_level=40"],  # ipykernel 7 warns of its own default, plain TCP
        resources={"metadata": {"path": str(folder)}},
    )
    client.reset_execution_trackers()
    done, peak, failure, start = 0, 0, None, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sae-course-") as home:
        # A fixed hash seed, so that a set is printed in the same order by every build.
        env = {**os.environ, "PYTHONHASHSEED": "0", **environment, "SAE_COURSE_HOME": home}
        with client.setup_kernel(env=env):
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type != "code":
                    continue
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as error:
                    failure = Failure(index, _one_line(f"{error.ename}: {error.evalue}"))
                except KeyboardInterrupt:
                    # The kernel is ended next; nbclient's task, which nobody awaits any more, would have
                    # asyncio log its death as a traceback.
                    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
                    raise
                except DeadKernelError:
                    failure = Failure(index, "the kernel died (out of memory?)")
                if failure is not None:
                    break
                done += 1
                peak = max(peak, _peak(client))
                progress.done(done)
    return Execution(time.monotonic() - start, done, peak, failure)


def _one_line(error: str) -> str:
    """An error's message on one line, without colours."""
    line = " ".join(plain(error).split())
    return line if len(line) <= 300 else line[:299] + "…"


def _peak(client: Any) -> int:
    """The most memory that the kernel has held so far: Linux' own count, elsewhere what it holds now."""
    import psutil  # noqa: PLC0415

    pid = getattr(client.km.provisioner, "pid", None)
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except (psutil.Error, ValueError, TypeError):
        return 0
