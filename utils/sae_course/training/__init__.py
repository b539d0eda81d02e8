"""Settings for each chapter's training, the training itself, and what was recorded with it.

``preset`` gives the configuration of a chapter's run; `change`, `describe` and `differences` edit and read
it. ``preflight`` says before an hour is lost what could never work. ``train`` and ``train_many`` do the work:
which model and data are meant (``source``), the activations (``buffer``, ``dataset_position``), SAELens'
trainer (``one``) or several at once (``batched``), the loop around them (``loop``, ``session``), what is left
for a next sitting (``checkpoint``, ``folders``).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .describe import describe, differences
from .preflight import preflight
from .toy import ToyConfig, recorded_toy_runs, toy_config

if TYPE_CHECKING:
    from .presets import preset
    from .runner import train, train_many
    from .settings import as_dict, change, from_dict

# Where each name is: a file is imported when it is asked for, since SAELens takes seconds. Not `describe` and
# `preflight`: with a module of the same name, the second look would find the module.
_PLACES = {
    "preset": "presets",
    "change": "settings",
    "as_dict": "settings",
    "from_dict": "settings",
    "train": "runner",
    "train_many": "runner",
}

__all__ = [
    "ToyConfig",
    "as_dict",
    "change",
    "describe",
    "differences",
    "from_dict",
    "preflight",
    "preset",
    "recorded_toy_runs",
    "toy_config",
    "train",
    "train_many",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
