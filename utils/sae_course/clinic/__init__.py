"""Runs that went wrong: to diagnose, to repair, and to test a doctor on.

``open_ward`` gives the seven recorded runs (``ward``); a learner commits to a `Diagnosis` (``diagnosis``, of
``causes``), which is graded (``grading``). ``measured`` turns a run into numbers, ``diagnose`` is the
reference doctor (``doctor``), and ``score`` tests any doctor on held-out runs (``scoring``). How patients are
trained is in ``patients``, the record in ``record``, ``archive`` and ``shelf``, new ones for a workshop in
``new``.
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily
from .causes import BEYOND, CAUSES, SEVEN
from .diagnosis import Diagnosis

if TYPE_CHECKING:
    from .doctor import diagnose
    from .grading import grade
    from .measured import Readings, readings
    from .patients import config_of, healthy_config
    from .recovered import recovery
    from .scoring import score
    from .shelf import cases
    from .ward import open_ward

# Not under a name that is a module's: the second look would find the module.
_PLACES = {
    "open_ward": "ward",
    "cases": "shelf",
    "recovery": "recovered",
    "diagnose": "doctor",
    "grade": "grading",
    "readings": "measured",
    "Readings": "measured",
    "score": "scoring",
    "healthy_config": "patients",
    "config_of": "patients",
}

__all__ = [
    "BEYOND",
    "CAUSES",
    "SEVEN",
    "Diagnosis",
    "Readings",
    "cases",
    "config_of",
    "diagnose",
    "grade",
    "healthy_config",
    "open_ward",
    "readings",
    "recovery",
    "score",
]

__getattr__ = lazily(__name__, _PLACES)
