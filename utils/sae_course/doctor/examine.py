"""All of the doctor's findings, in the order in which a person would ask."""

from collections.abc import Callable

from ..runtime import home
from .finding import Finding
from .machine import device_finding, disk_finding, hub_finding, memory_finding
from .packages import how_to_install, package_findings
from .places import home_finding, kernel_finding, progress_finding


def examine() -> list[Finding]:
    """Look at everything; never raises, and takes about two seconds (importing torch is half of it)."""
    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("device", device_finding),
        ("memory", memory_finding),
        ("disk", lambda: disk_finding(home())),
        ("your data", home_finding),
        ("progress", progress_finding),
        ("kernel", kernel_finding),
        ("hub", hub_finding),
    ]
    return [*package_findings(), *(_guarded(name, look) for name, look in looks)]


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """A look that fails is a finding as well: the doctor has to work where little else does."""
    try:
        return look()
    except ModuleNotFoundError as error:
        return Finding("fail", name, f"not looked at: {error.name} is missing", how_to_install())
    except Exception as error:  # noqa: BLE001 - whatever it is, the other lines are still worth printing
        return Finding("note", name, f"not looked at ({type(error).__name__}: {error})")
