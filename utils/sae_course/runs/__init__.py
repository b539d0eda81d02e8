"""A run's record.

Written while training goes on (``record``), into files that any program reads (``files``, docs/runs.md);
loaded and asked (``run``, ``listing``), shown (``view``, ``metrics``), compared with others (``comparison``,
``configs``); taken over from W&B (``wandb_export``). A run that lives in a notebook only is a ``history``.
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily

if TYPE_CHECKING:
    from .comparison import Comparison, compare
    from .configs import differences, flatten
    from .history import History
    from .listing import Runs, list_runs
    from .record import Recorder
    from .run import Histograms, Run
    from .wandb_export import import_wandb

# Where each name is: a file is imported when it is asked for.
_PLACES = {
    "Comparison": "comparison",
    "Histograms": "run",
    "History": "history",
    "Recorder": "record",
    "Run": "run",
    "Runs": "listing",
    "compare": "comparison",
    "differences": "configs",
    "flatten": "configs",
    "import_wandb": "wandb_export",
    "list_runs": "listing",
}

__all__ = [
    "Comparison",
    "Histograms",
    "History",
    "Recorder",
    "Run",
    "Runs",
    "compare",
    "differences",
    "flatten",
    "import_wandb",
    "list_runs",
]

__getattr__ = lazily(__name__, _PLACES)
