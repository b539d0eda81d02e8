"""Training toy SAEs: all instances at once, on data that is drawn as it is needed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ...runtime import CourseError

if TYPE_CHECKING:
    from ...data.toys import ToyWorld
    from .sae import ToySAE


def train_toys(
    sae: "ToySAE",
    world: "ToyWorld",
    generator: torch.Generator,
    *,
    steps: int,
    batch_size: int = 512,
    lr: float = 3e-3,
    decay: float = 0.5,
    dead_window: int = 200,
    snapshots: int = 0,
) -> list[Float[Tensor, "inst d_sae d_in"]]:
    """Train all instances of an SAE, with Adam.

    With more instances than worlds, the worlds are repeated: instance ``i`` is trained on world
    ``i % n_worlds``, and several settings on the very same data.

    Args:
        sae: trained in place.
        generator: for the data.
        steps: of ``batch_size`` samples of each world.
        decay: share of the steps, at the end, over which the learning rate falls to 0 in a line.
        dead_window: a latent that is silent for so many steps counts as dead.
        snapshots: how many copies of the decoder to keep, evenly over the steps; the last is the trained one.

    Returns:
        The snapshots.

    Raises:
        CourseError: when the number of worlds doesn't divide the number of instances, or for more snapshots
            than steps.
    """
    n_inst, d_sae, _ = sae.W_dec.shape
    if n_inst % world.n_inst:
        raise CourseError(f"{n_inst} SAEs can't be spread evenly over {world.n_inst} worlds.")
    if snapshots > steps:
        raise CourseError(
            f"{snapshots} snapshots of {steps} steps: there can be one after each step at most."
        )
    optimiser = torch.optim.Adam([p for p in sae.parameters() if p.requires_grad], lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (steps - step) / max(1.0, decay * steps))
    )
    silent = torch.zeros(n_inst, d_sae, dtype=torch.long, device=sae.W_dec.device)
    due, kept = set(_due(steps, snapshots)), []
    for step in range(1, steps + 1):
        h = world.sample(batch_size, generator).activations.repeat(n_inst // world.n_inst, 1, 1)
        result = sae.training_pass(h, silent >= dead_window)
        optimiser.zero_grad()
        result.loss.sum().backward()  # each instance's gradient is what it would be alone
        optimiser.step()
        schedule.step()
        silent = torch.where((result.latents > 0).any(1), 0, silent + 1)
        if step in due:
            kept.append(sae.W_dec.detach().clone())
    return kept


def _due(steps: int, snapshots: int) -> Iterator[int]:
    return (round(steps * (number + 1) / snapshots) for number in range(snapshots))
