"""Where an SAE sits: a name for the pair that every question about two layers asks for twice."""

from typing import NamedTuple

from .autoencoder import Autoencoder


class Site(NamedTuple):
    """An SAE at its place in the model."""

    hook_point: str
    """Such as ``blocks.0.attn.hook_z``."""
    sae: Autoencoder
