"""The mini models and their published counterparts.

Which there are (``names``), loading one at either scale (``load``), its random-weights twin (``twins``), the
tokens it reads (``streams``) and their truth (``truths``); the hub and its failures (``hub``). What a mini
model is like is on its card (``cards``). How one comes about (``produce``): its architecture (``specs``,
``plain``), what it reads (``batches``, ``own_text``), its training (``train``), the figures on its card
(``figures``, ``measures``) and its files (``ship``).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cards import Card
    from .load import load_model
    from .names import MODELS, Entry, entry
    from .streams import token_stream
    from .truths import token_labels, truth
    from .twins import random_twin

# Where each name is: a file is imported when it is asked for, since some need torch.
_PLACES = {
    "MODELS": "names",
    "Entry": "names",
    "entry": "names",
    "load_model": "load",
    "random_twin": "twins",
    "token_stream": "streams",
    "token_labels": "truths",
    "truth": "truths",
    "Card": "cards",
}

__all__ = [
    "MODELS",
    "Card",
    "Entry",
    "entry",
    "load_model",
    "random_twin",
    "token_labels",
    "token_stream",
    "truth",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
