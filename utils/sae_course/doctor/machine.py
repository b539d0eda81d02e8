"""The machine: torch's device, memory, disk, and whether the hub answers."""

import os
import shutil
import threading
from pathlib import Path

from ..runtime.memory import cgroup_room
from .finding import Finding
from .packages import how_to_install

GIB = 2**30
MEMORY_NEEDED, MEMORY_WANTED = 1.0, 2.0
"""GiB: below the first a chapter is likely to be killed; the second is what a chapter may take."""
DISK_NEEDED, DISK_WANTED = 0.1, 2.0
"""GiB: below the first nothing can be written; the second holds runs and checkpoints."""
HUB = "https://huggingface.co"
HUB_SECONDS = 3.0


def device_finding() -> Finding:
    """Import torch and say what it computes on; a torch that can't be imported is a finding."""
    try:
        import torch  # noqa: PLC0415 - the one import that may fail, and takes a second
    except Exception as error:  # noqa: BLE001 - a broken build raises OSError, RuntimeError, AttributeError, …
        said = (str(error).strip().splitlines() or [""])[0]
        text = f"torch can't be imported ({type(error).__name__}: {said[:150]})"
        advice = f"pip uninstall torch, then {how_to_install()}"
        return Finding("fail", "device", text, advice)
    if not torch.cuda.is_available():
        cpu = f"cpu, {torch.get_num_threads()} threads: mini scale"
        if shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists():
            advice = "install the CUDA build of torch (pytorch.org says how), or a newer driver"
            return Finding(
                "note", "device", f"{cpu}; a GPU is there, but torch {torch.__version__} can't use it", advice
            )
        return Finding("ok", "device", cpu)
    name = torch.cuda.get_device_name(0)
    try:
        torch.ones(8, 8, device="cuda").matmul(torch.ones(8, 8, device="cuda")).sum().item()
        free, total = torch.cuda.mem_get_info(0)
    except RuntimeError as error:
        said = str(error).strip().splitlines()[0]
        text = f"{name} is there, but computing on it fails ({said[:150]})"
        return Finding(
            "fail", "device", text, "SAE_COURSE_DEVICE=cpu goes round it; a matching torch build mends it"
        )
    more = f" (1 of {torch.cuda.device_count()})" if torch.cuda.device_count() > 1 else ""
    return Finding(
        "ok", "device", f"cuda, {name}{more}, {free / GIB:.1f} of {total / GIB:.1f} GiB free: full scale"
    )


def memory_finding() -> Finding:
    """Memory that can still be had, the container's limit included."""
    import psutil  # noqa: PLC0415 - may be missing, which `examine` turns into a line

    available = psutil.virtual_memory().available
    room = cgroup_room()
    limited = room is not None and room < available
    gib = (min(available, room) if room is not None else available) / GIB
    text = f"{gib:.1f} GiB free{' (the limit of this container)' if limited else ''}"
    if gib < MEMORY_NEEDED:
        return Finding(
            "fail", "memory", text, f"a chapter takes up to {MEMORY_WANTED:.0f} GiB: close other programs"
        )
    if gib < MEMORY_WANTED:
        return Finding(
            "note", "memory", text, f"a chapter may take {MEMORY_WANTED:.0f} GiB: run one at a time"
        )
    return Finding("ok", "memory", text)


def disk_finding(folder: Path) -> Finding:
    """Disk space where progress, runs and checkpoints go.

    Args:
        folder: need not exist yet.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    gib = shutil.disk_usage(folder).free / GIB
    text = f"{gib:.1f} GiB free at {folder}"
    advice = "make room, or set SAE_COURSE_HOME to a folder on a larger disk"
    if gib < DISK_NEEDED:
        return Finding("fail", "disk", text, advice)
    if gib < DISK_WANTED:
        return Finding("note", "disk", text, f"little for runs and checkpoints: {advice}")
    return Finding("ok", "disk", text)


def hub_finding() -> Finding:
    """Whether the Hugging Face hub answers. At mini scale nothing asks it, so that "no" is a note."""
    endpoint = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}:
            return Finding("note", "hub", f"switched off by {variable}", "only full scale needs it")
    said: list[str] = []
    asking = threading.Thread(target=lambda: said.append(_ask(endpoint)), daemon=True)
    asking.start()
    asking.join(HUB_SECONDS + 1)  # looking up a name obeys no timeout of ours
    problem = said[0] if said else "no answer"
    if problem:
        return Finding("note", "hub", f"{endpoint} can't be reached ({problem})", "only full scale needs it")
    return Finding("ok", "hub", f"{endpoint} answers")


def _ask(endpoint: str) -> str:
    """Empty when ``endpoint`` answers, else why not."""
    import urllib.error  # noqa: PLC0415 - `sae-course --help` stays instant
    import urllib.request  # noqa: PLC0415

    try:
        request = urllib.request.Request(endpoint, method="HEAD", headers={"User-Agent": "sae-course"})
        with urllib.request.urlopen(request, timeout=HUB_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        # 404 or 405 come from a server that is there; a proxy that lets nothing through says 403 or 407.
        return "" if error.code in {400, 401, 404, 405, 429} else f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))[:120]
