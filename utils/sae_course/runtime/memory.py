"""Memory: what a container still allows, and keeping what was freed for the next tensor of the same size."""

import ctypes
import sys
from pathlib import Path

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Keep freed memory in the process instead of giving it back to the system after each operation.

    A training step on a CPU makes and frees tensors of 16 MB. By default glibc returns such blocks at once,
    and the system clears every page of the next one: measured on 2 cores, SAELens' own runner is 1.3 to 1.5
    times as fast without that. The process then keeps what it needed at its peak. The setting is the
    process's, and stays; a second call changes nothing.

    Returns:
        Whether it was set: only on Linux with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    settings = ((_M_MMAP_THRESHOLD, 2**25), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**26))
    taken = [mallopt(name, value) for name, value in settings]
    return all(taken)


def cgroup_room(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Bytes that this process's control groups still allow; None without a limit.

    A container's limit is not in the machine's memory figure. The kernel enforces the limit of every
    level above, so the smallest room counts. File cache that can be dropped is room.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    rooms = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = base / path.lstrip("/")
        for level in (folder, *folder.parents):
            if (room := _room(level, *names)) is not None:
                rooms.append(room)
            if level == base:
                break
    return min(rooms, default=None)


def _room(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> int | None:
    """Limit minus usage plus droppable cache of one control group; None without a limit."""
    try:
        limit = int((folder / limit_name).read_text())  # "max" is no number
        usage = int((folder / usage_name).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if limit >= 2**60:  # version 1 writes "no limit" as a huge number
        return None
    return max(0, limit - usage + int(statistics.get(cache_name, 0)))
