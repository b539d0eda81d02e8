"""Which device to compute on."""

import os

from .errors import CourseError


def choose_device(asked: str | None = None) -> str:
    """``asked`` if it can be used; without one ``SAE_COURSE_DEVICE``, or CUDA where it is, or the CPU.

    Raises:
        CourseError: for a device that can't be used here.
    """
    import torch  # noqa: PLC0415 - the package's import stays instant

    device = asked or os.environ.get("SAE_COURSE_DEVICE", "")
    if not device:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CourseError(
            f'device "{device}" can\'t be used here ({str(error).splitlines()[0]}): use "cpu", or name none '
            "(nor SAE_COURSE_DEVICE) to have one chosen."
        ) from error
    return device
