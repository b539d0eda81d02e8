"""What a plan knows of a machine: its memory, and how fast it computes and moves data, on paper.

Peak rates are NVIDIA's data sheets' (dense, SXM where there are several forms); a T4's tensor cores know no
bfloat16, so its bf16 rate is that of float32. Memory is what PyTorch's out-of-memory messages call the total
capacity, as found in public issue threads: a little less than is printed on the box.
"""

from dataclasses import dataclass

from ...runtime import CourseError

GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """A GPU, or this computer's processor."""

    name: str
    what: str
    memory: int | None
    """Bytes that PyTorch can have; None where it depends on the computer."""
    float32: float
    """FLOP/s of matrix products."""
    bf16: float
    bandwidth: float
    """Bytes a second between memory and processor."""


def _gpu(name: str, what: str, gib: float, *, float32: float, bf16: float, bandwidth: float) -> Machine:
    """From GiB, TFLOP/s and GB/s."""
    return Machine(name, what, int(gib * GIB), float32 * 1e12, bf16 * 1e12, bandwidth * 1e9)


GPUS = {
    gpu.name: gpu
    for gpu in (
        _gpu("T4", "NVIDIA T4, 16 GB", 14.56, float32=8.1, bf16=8.1, bandwidth=320),
        _gpu("L4", "NVIDIA L4, 24 GB", 22.0, float32=30.3, bf16=121, bandwidth=300),
        _gpu("4090", "NVIDIA RTX 4090, 24 GB", 23.5, float32=82.6, bf16=165, bandwidth=1008),
        _gpu("A100-40", "NVIDIA A100, 40 GB", 39.4, float32=19.5, bf16=312, bandwidth=1555),
        _gpu("A100-80", "NVIDIA A100, 80 GB", 79.1, float32=19.5, bf16=312, bandwidth=2039),
        _gpu("H100", "NVIDIA H100, 80 GB", 79.1, float32=67, bf16=989, bandwidth=3350),
        _gpu("H200", "NVIDIA H200, 141 GB", 139.7, float32=67, bf16=989, bandwidth=4800),
    )
}
CPU = "cpu"
NAMES = (*GPUS, CPU)


def machine(name: str) -> Machine:
    """The machine called ``name``; ``cpu`` has the rates of `calibration`, and no memory limit of its own.

    Raises:
        CourseError: for a name that there isn't.
    """
    for gpu in GPUS.values():
        if str(name).lower().replace("rtx", "").strip(" -_") == gpu.name.lower():
            return gpu
    if str(name).lower() == CPU:
        from .calibration import processor  # noqa: PLC0415 - it reads a file

        return processor()
    hint = " A100-40 and A100-80 are its two sizes." if str(name).lower() == "a100" else ""
    raise CourseError(f'The planner knows no GPU "{name}": use {", ".join(NAMES[:-1])} or {NAMES[-1]}.{hint}')


def smallest_above(bytes_needed: int) -> Machine | None:
    """The GPU with the least memory that holds so many bytes."""
    fitting = [gpu for gpu in GPUS.values() if gpu.memory is not None and gpu.memory >= bytes_needed]
    return min(fitting, key=lambda gpu: gpu.memory or 0, default=None)
