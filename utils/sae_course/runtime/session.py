"""``setup()``: what a chapter's first cell calls, and what it chose."""

import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from .devices import choose_device
from .errors import CourseError
from .memory import keep_freed_memory
from .paths import home

Scale = Literal["mini", "full"]
DRIVE_FOLDER = Path("/content/drive/MyDrive/sae-course")


@dataclass(frozen=True)
class Session:
    """What this session was set up as."""

    scale: Scale = "mini"
    """``mini``: trained in the notebook, on a laptop. ``full``: the published models, on a GPU."""
    device: str = "cpu"
    seed: int = 0
    notebook: str = ""
    """``chapters/01_toy_superposition``, say; empty outside a chapter."""
    smoke: bool = False
    """Whether everything is cut to a few steps, to see that a chapter runs: no result means anything."""

    @property
    def chapter(self) -> str:
        """``01`` in ``chapters/01_toy_superposition``; empty outside a chapter."""
        return self.notebook.rpartition("/")[2].partition("_")[0]

    @property
    def is_solution(self) -> bool:
        """Whether this is a solution notebook, whose checks are nobody's progress."""
        return self.notebook.startswith("solutions/")


_current = Session()


def current() -> Session:
    """The session that `setup` made; mini, CPU and seed 0 before it was called."""
    return _current


def smoke_asked_for() -> bool:
    """Whether ``SAE_COURSE_SMOKE`` is set: everything a chapter does, in a few steps."""
    return os.environ.get("SAE_COURSE_SMOKE", "") not in ("", "0")


def setup(
    notebook: str = "",
    *,
    scale: Scale | None = None,
    device: str | None = None,
    seed: int = 0,
    keep_on_drive: bool = False,
) -> Session:
    """Seed, choose device and scale, set the figures' theme, and say in one line what was chosen and why.

    Args:
        notebook: the notebook's path without its ending; the builder fills it in.
        scale: ``SAE_COURSE_SCALE`` if not given, else full with a GPU and mini without.
        device: ``SAE_COURSE_DEVICE`` if not given, else ``cuda`` where there is one and ``cpu`` otherwise.
        seed: seeds Python, NumPy and torch, and is the default of `generator`.
        keep_on_drive: on Colab, keep progress, runs and checkpoints on the learner's Drive.

    Raises:
        CourseError: for a scale or device that doesn't exist.
    """
    global _current  # noqa: PLW0603 - a notebook has one session; passing it to every call would be noise
    import numpy as np  # noqa: PLC0415 - the package's import stays instant
    import torch  # noqa: PLC0415

    from . import theme  # noqa: PLC0415

    on_colab = "google.colab" in sys.modules
    if on_colab and keep_on_drive:
        _mount_drive()
    gpu = torch.cuda.is_available()
    chosen_device = choose_device(device)
    chosen_scale, why = _choose_scale(scale, gpu)

    keep_freed_memory()  # measured on a CPU: a third less for the model's forward pass, a sixth for a step
    random.seed(seed)
    np.random.seed(seed % 2**32)  # for libraries that use NumPy's global state
    torch.manual_seed(seed)
    theme.apply(on_colab)

    smoke = smoke_asked_for()
    _current = Session(scale=chosen_scale, device=chosen_device, seed=seed, notebook=notebook, smoke=smoke)
    threads = f", {torch.get_num_threads()} threads" if chosen_device == "cpu" else ""
    chapter = f"chapter {_current.chapter} · " if _current.chapter else ""
    print(f"{chapter}scale {chosen_scale} ({why}) · device {chosen_device}{threads} · seed {seed}")
    if smoke:
        print("A smoke run (SAE_COURSE_SMOKE): a few steps of everything, so that no result means anything.")
    if on_colab:
        where = (
            f"kept in {home()}" if keep_on_drive else "lost with this runtime, unless KEEP_ON_DRIVE is ticked"
        )
        print(f"Your progress is {where}.")
    return _current


def _choose_scale(scale: str | None, gpu: bool) -> tuple[Scale, str]:
    """The scale and the reason for it."""
    if scale is not None:
        value, why = scale, "asked for"
    elif scale := os.environ.get("SAE_COURSE_SCALE"):
        value, why = scale, "SAE_COURSE_SCALE"
    elif gpu:
        value, why = "full", "a GPU was found"
    else:
        value, why = "mini", "no GPU; SAE_COURSE_SCALE=full for the other"
    if value not in get_args(Scale):
        raise CourseError(f"there is no scale {value!r}: use 'mini' or 'full' ({why}).")
    return value, why  # type: ignore[return-value]


def _mount_drive() -> None:
    """Mount the learner's Drive and make it the home of progress, runs and checkpoints."""
    from google.colab import drive  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    drive.mount(str(DRIVE_FOLDER.parents[1]))
    os.environ["SAE_COURSE_HOME"] = str(DRIVE_FOLDER)
