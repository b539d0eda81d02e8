"""Settings for each chapter's training, the training itself, and what was recorded with it.

``preset`` gives the configuration of a chapter's run; `change`, `describe` and `differences` edit and read
it. `plan` says what a run takes, before anything is downloaded. ``preflight`` says before an hour is lost
what could never work. ``train`` and ``train_many`` do the work: which model and data are meant (``source``),
the activations (``buffer``, ``dataset_position``), SAELens' trainer (``one``) or several at once
(``batched``), the loop around them (``loop``, ``session``), what is left for a next sitting (``checkpoint``,
``folders``). ``sweep`` trains every combination of a ``grid``, each in a process of its own (``sweeps``).
``shipped_run`` is a training that was done already (``shipped``); what chapters quote from
others was recorded (``recorded_file``, ``toy``, ``tinystories``). Chapter 03's own loop has its settings in
``by_hand``, chapter 05 its own and its record in ``induction``.
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily
from .describe import describe, differences
from .planner import plan, why_out_of_memory
from .preflight import preflight
from .toy import ToyConfig, recorded_toy_runs, toy_config

if TYPE_CHECKING:
    from .presets import preset
    from .runner import train, train_many
    from .settings import as_dict, change, from_dict
    from .shipped import shipped_run
    from .sweeps.drivers import sweep
    from .sweeps.grid import Trial, grid
    from .sweeps.results import Sweep

# Where each name is: a file is imported when it is asked for, since SAELens takes seconds. Not `describe` and
# `preflight`: with a module of the same name, the second look would find the module.
_PLACES = {
    "preset": "presets",
    "change": "settings",
    "as_dict": "settings",
    "from_dict": "settings",
    "shipped_run": "shipped",
    "train": "runner",
    "train_many": "runner",
    "Sweep": "sweeps.results",
    "Trial": "sweeps.grid",
    "grid": "sweeps.grid",
    "sweep": "sweeps.drivers",
}

__all__ = [
    "Sweep",
    "ToyConfig",
    "Trial",
    "as_dict",
    "change",
    "describe",
    "differences",
    "from_dict",
    "grid",
    "plan",
    "preflight",
    "preset",
    "recorded_toy_runs",
    "shipped_run",
    "sweep",
    "toy_config",
    "train",
    "train_many",
    "why_out_of_memory",
]

__getattr__ = lazily(__name__, _PLACES)
