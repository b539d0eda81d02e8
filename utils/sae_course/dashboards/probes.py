"""How far a latent reads and writes what a linear probe of each square of a board reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..runtime import CourseError
from .subject import Subject

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from .numbers import LatentNumbers

ProbeMap = Mapping[str, Float[Tensor, "d_model 8 8"] | Float[Tensor, "d_model 64"]]
"""By name: a direction of the residual stream for each square; zeros where there is no probe."""


@dataclass(frozen=True)
class ProbeCosines:
    """A latent's direction against those of one kind of probe."""

    probe: str
    side: Literal["input", "output"]
    """What the latent reads (its encoder direction), or what it writes (its decoder direction)."""
    cosines: list[tuple[int, float]]
    """Each square, 0 to 63, with its probe's cosine, the highest first; those without one are left out."""


def checked_probes(
    model: "HookedTransformer", probes: ProbeMap | None
) -> dict[str, Float[Tensor, "d_model 64"]]:
    """The probes by square, A1 first, on the model's device.

    Raises:
        CourseError: for anything that is no such mapping, and values that are NaN or infinite.
    """
    if probes is not None and not isinstance(probes, Mapping):
        raise CourseError(
            f'probes takes a name for each probe, as in probes={{"mine": probe}}; this is a '
            f"{type(probes).__name__}."
        )
    found = {}
    for name, given in (probes or {}).items():
        probe = torch.as_tensor(given).detach().to(model.cfg.device, torch.float32)
        d_model = model.cfg.d_model
        if tuple(probe.shape) not in {(d_model, 8, 8), (d_model, 64)}:
            raise CourseError(
                f'The probe "{name}" has the shape {list(probe.shape)}. It takes a direction of the residual '
                f"stream for each square: [{d_model}, 8, 8] or [{d_model}, 64], A1 first, then B1."
            )
        if not probe.isfinite().all():
            raise CourseError(
                f'The probe "{name}" holds NaN or infinite values. Where a square has no probe, write zeros.'
            )
        found[str(name)] = probe.flatten(1)
    return found


@torch.no_grad()
def add_probes(
    subject: Subject, probes: Mapping[str, Float[Tensor, "d_model 64"]], numbers: "list[LatentNumbers]"
) -> None:
    """Fill in `LatentNumbers.probes`: input and output for each kind, as sae_vis has them side by side.

    With r the latent's direction in the residual stream and p a square's probe: r · p / (|r| |p|). sae_vis
    shows r · p, which only compares squares with each other; a cosine says how near the two are.
    """
    if not probes:
        return
    chosen = [one.latent for one in numbers]
    sides: dict[Literal["input", "output"], Tensor] = {
        "input": subject.from_residual(subject.encoders(chosen)),
        "output": subject.to_residual(subject.directions(chosen)),
    }
    for name, probe in probes.items():
        there = probe.any(0)
        for side, directions in sides.items():
            cosines = _unit(directions) @ _unit(probe.T).T
            for one, row in zip(numbers, cosines, strict=True):
                order = [square for square in row.argsort(descending=True).tolist() if there[square]]
                one.probes.append(
                    ProbeCosines(name, side, [(square, float(row[square])) for square in order])
                )


def _unit(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    return torch.nn.functional.normalize(rows, dim=-1)
