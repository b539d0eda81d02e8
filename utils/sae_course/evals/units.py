"""A dictionary at work on some tokens: which of its units fire, what they write, what comes out.

An SAE, and whatever it is to be compared with, are the same to the measures that take `Units`: what each unit
does at each token, the direction that it writes, and the reconstruction.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from ..runtime import CourseError
from .autoencoder import Autoencoder, decode, encode, ready


@dataclass(frozen=True)
class Units:
    """Of one dictionary, on rows of tokens. Shapes are checked when it is made."""

    name: str
    """As it is called in tables."""
    x: Float[Tensor, "rows pos d_in"] = field(repr=False)
    """The activations: of the model that the dictionary is for."""
    a: Float[Tensor, "rows pos units"] = field(repr=False)
    """What each unit does at each token; 0 where it is silent."""
    directions: Float[Tensor, "units d_in"] | None = field(repr=False, default=None)
    """What each writes into the reconstruction; None where that isn't a sum of directions."""
    reconstruction: Float[Tensor, "rows pos d_in"] | None = field(repr=False, default=None)
    """What becomes of x; None for units that make none."""

    def __post_init__(self) -> None:
        rows, pos, d_in = self.x.shape
        if not self.x.isfinite().all():
            raise CourseError(
                f"{int((~self.x.isfinite()).sum()):,} of the activations that {self.name} is for are NaN or "
                "infinite: that is the model's doing, not the SAE's. Run the model in float32."
            )
        wanted = {
            "a": (self.a, (rows, pos, self.a.shape[-1])),
            "directions": (self.directions, (self.a.shape[-1], d_in)),
            "reconstruction": (self.reconstruction, (rows, pos, d_in)),
        }
        for name, (found, shape) in wanted.items():
            if found is None:
                continue
            if tuple(found.shape) != shape:
                raise CourseError(f"{name} of {self.name} must be {list(shape)}; it is {list(found.shape)}.")
            if not found.isfinite().all():
                raise CourseError(
                    f"{self.name}: {int((~found.isfinite()).sum()):,} of the {name} are NaN or infinite, so "
                    "nothing can be measured. A training that diverged leaves such weights: train it again "
                    "with a lower learning rate, or load an earlier checkpoint."
                )

    @property
    def live(self) -> Tensor:
        """Numbers of the units that fire on these tokens, rising."""
        return (self.a != 0).flatten(0, 1).any(0).nonzero().flatten()


@torch.no_grad()
def units_of(
    sae: Autoencoder, x: Float[Tensor, "rows pos d_in"], name: str = "SAE", *, chunk: int = 8192
) -> Units:
    """An SAE's latents on activations.

    Args:
        chunk: tokens at once.

    Raises:
        CourseError: for activations of another width, weights that are NaN, and an SAE with no live latent.
    """
    if x.ndim != 3 or not x.numel():
        raise CourseError(f"Activations are [rows, pos, d_in], at least one token; not {list(x.shape)}.")
    _check_weights(sae, name)
    with ready(sae):
        parts = [(a := encode(sae, some), decode(sae, a, some)) for some in x.flatten(0, 1).split(chunk)]
    a = torch.cat([part[0] for part in parts]).reshape(*x.shape[:2], -1).to(x.dtype)
    out = torch.cat([part[1] for part in parts]).reshape(x.shape)
    W_dec = getattr(sae, "W_dec", None)
    directions = None if W_dec is None else W_dec.detach().to(x.device, x.dtype)
    found = Units(name, x, a, directions, out)
    if not len(found.live):
        raise CourseError(
            f"No latent of {name} fires on any of these {x.shape[0] * x.shape[1]:,} tokens: there is nothing "
            "to measure but its bias. Were the activations scaled as in its training, and is it of this hook "
            "point?"
        )
    return found


def _check_weights(sae: Autoencoder, name: str) -> None:
    if not isinstance(sae, torch.nn.Module):
        return
    broken = [weight for weight, values in sae.named_parameters() if not values.isfinite().all()]
    if broken:
        raise CourseError(
            f"{name} has weights that are NaN or infinite ({', '.join(broken)}): its training diverged. "
            "Train it again with a lower learning rate, or load an earlier checkpoint."
        )
