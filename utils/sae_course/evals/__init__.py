"""What an SAE is worth.

Its input (``activations``); how well it reconstructs it (``quality``), and what the model loses with the
reconstruction in its place (``loss``); what a change of its latents does to the model (``splicing``).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import harvest
    from .autoencoder import Autoencoder
    from .loss import Downstream, downstream
    from .quality import Reconstruction, reconstruction
    from .splicing import intervene

# Where each name is: a file is imported when it is asked for. No file has the name of a function here: the
# import of the one would hide the other.
_PLACES = {
    "Autoencoder": "autoencoder",
    "Downstream": "loss",
    "Reconstruction": "quality",
    "downstream": "loss",
    "harvest": "activations",
    "intervene": "splicing",
    "reconstruction": "quality",
}

__all__ = [
    "Autoencoder",
    "Downstream",
    "Reconstruction",
    "downstream",
    "harvest",
    "intervene",
    "reconstruction",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
