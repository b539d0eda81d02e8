"""The mini models and their published counterparts.

Which there are (``names``), loading one at either scale (``load``), its random-weights twin (``twins``), the
tokens it reads (``streams``) and their truth (``truths``); the hub and its failures (``hub``). What a mini
model is like is on its card (``cards``). How one comes about (``produce``): its architecture (``specs``,
``plain``), what it reads (``batches``, ``own_text``), its training (``train``), the figures on its card
(``figures``, ``measures``) and its files (``ship``).
"""

from typing import TYPE_CHECKING

from ..runtime.lazy import lazily

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

__getattr__ = lazily(__name__, _PLACES)
