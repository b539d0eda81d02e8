"""What was measured on a machine: its rates and, for a grid of runs, seconds and memory beside the plan's.

The course ships what its authors measured (``calibration.json``); ``sae-course plan --calibrate`` measures
this machine, and its result is then used in place of the shipped one.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from ...runtime import CourseError, home
from .. import recorded_file
from .machines import CPU, Machine

FILE = "calibration.json"


def own_file(gpu: str) -> str:
    """In ``home()``: what was measured on this machine, of its processor or its GPU."""
    return f"calibration-{gpu}.json"


OWN_FILE = own_file(CPU)


@dataclass(frozen=True)
class Rates:
    """A machine as it was measured."""

    machine: str
    date: str
    threads: int
    float32: float
    """FLOP/s of a product of SAE shape."""
    bf16: float
    bandwidth: float
    """Bytes a second through a simple elementwise operation."""
    process: int
    """Bytes of a process that has imported what a training needs, with model and data loaded, less the
    weights."""


@cache
def shipped() -> dict[str, Any]:
    """What the authors measured."""
    return recorded_file.untouched(FILE, recorded_file.read(FILE), "measured")


def traced_rows() -> list[dict[str, Any]]:
    """The plan against the code at full size: see `traced`."""
    return recorded_file.untouched(FILE, recorded_file.read(FILE), "traced", "traced_sha256")


def own(gpu: str = CPU) -> dict[str, Any] | None:
    """What was measured on this machine; None where nothing was.

    Raises:
        CourseError: when the file is damaged.
    """
    import json  # noqa: PLC0415

    path = home() / own_file(gpu)
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["measured"]
        Rates(**found["rates"]), found["gpu"], found["fitted"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"{path} can't be read as a calibration ({error}): delete it, or measure again with sae-course "
            "plan --calibrate."
        ) from error
    return found


def measured(gpu: str = CPU) -> dict[str, Any] | None:
    """This machine's own calibration, else the shipped one, where it is of that kind of machine."""
    for found in (own(gpu), shipped()):
        if found is not None and found["gpu"] == gpu:
            return found
    return None


def rates(gpu: str = CPU) -> Rates | None:
    """Measured rates of a kind of machine; None for one that was never measured."""
    found = measured(gpu)
    return None if found is None else Rates(**found["rates"])


def processor() -> Machine:
    """The CPU, at its measured rates."""
    found = rates(CPU)
    assert found is not None, "the shipped calibration is of a CPU"
    return Machine(
        CPU, f"{found.machine}, {found.threads} threads", None, found.float32, found.bf16, found.bandwidth
    )


def process_bytes() -> int:
    """Of a Python process with all that a training imports."""
    found = rates(CPU)
    return 0 if found is None else found.process
