"""The sections of a report, by name and in order: each measures the SAE and its baselines in one way."""

from collections.abc import Callable

from .sections_fit import firing_section, reconstruction_section
from .sections_labels import absorption_section, boards_section, probing_section, truth_section
from .sections_latents import (
    consistency_section,
    control_section,
    effects_section,
    explained_section,
    same_section,
)
from .setting import Section, Setting

SECTIONS: dict[str, Callable[[Setting], Section]] = {
    "reconstruction": reconstruction_section,
    "firing": firing_section,
    "truth": truth_section,
    "boards": boards_section,
    "sparse probing": probing_section,
    "absorption": absorption_section,
    "autointerp": explained_section,
    "consistency": consistency_section,
    "effects": effects_section,
    "sparse control": control_section,
    "same latents": same_section,
}
