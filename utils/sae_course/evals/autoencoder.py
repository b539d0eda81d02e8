"""What an SAE is to the measures of this room: two functions. Theirs and a learner's own alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..runtime import CourseError


@runtime_checkable
class Autoencoder(Protocol):
    """Anything with these two: an SAE of SAELens, a learner's own module, a known answer in a test.

    ``decode`` may rely on being called right after the ``encode`` of the same inputs: an SAE of SAELens that
    normalises its inputs keeps their norms in between.
    """

    def encode(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_sae"]:
        """The latent activations."""

    def decode(self, a: Float[Tensor, "*batch d_sae"]) -> Float[Tensor, "*batch d_in"]:
        """The reconstruction."""


@contextmanager
def ready(sae: Autoencoder) -> Iterator[None]:
    """The SAE as it is measured: no gradients, evaluation mode, heads flattened; afterwards as it was.

    An SAE of SAELens for ``hook_z`` would flatten the heads itself; here its inputs are flat already.
    """
    training = isinstance(sae, torch.nn.Module) and sae.training
    reshapes = bool(getattr(sae, "hook_z_reshaping_mode", False))
    module: Any = sae
    if training:
        module.eval()
    if reshapes:
        module.turn_off_forward_pass_hook_z_reshaping()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            module.train()
        if reshapes:
            module.turn_on_forward_pass_hook_z_reshaping()


def encode(sae: Autoencoder, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_sae"]:
    """The latent activations, on the SAE's device and of its dtype, dense.

    Raises:
        CourseError: when the SAE is for another d_in.
    """
    expected = getattr(getattr(sae, "cfg", None), "d_in", x.shape[-1])
    if expected != x.shape[-1]:
        raise CourseError(
            f"This SAE was trained on activations of width {expected} and these have {x.shape[-1]}: give it "
            "those of its own hook point and model."
        )
    where = next(iter(sae.parameters()), None) if isinstance(sae, torch.nn.Module) else None
    a = sae.encode(x if where is None else x.to(where.device, where.dtype))
    return a.to_dense() if a.is_sparse else a


def decode(
    sae: Autoencoder, a: Float[Tensor, "*batch d_sae"], like: Float[Tensor, "*batch d_in"]
) -> Float[Tensor, "*batch d_in"]:
    """The reconstruction, on the device and of the dtype of ``like``.

    Raises:
        CourseError: when it doesn't have the shape of ``like``.
    """
    out = sae.decode(a)
    if out.shape != like.shape:
        raise CourseError(
            f"The SAE's reconstruction has the shape {list(out.shape)} and its input {list(like.shape)}: "
            "decode must give back what encode was given."
        )
    return out.to(like.device, like.dtype)


def as_tokens(
    activations: Float[Tensor, "*batch d_in"], what: str = "activations"
) -> Float[Tensor, "n d_in"]:
    """One row for each token.

    Raises:
        CourseError: when there are none, or they are no activations.
    """
    if not isinstance(activations, Tensor) or activations.ndim < 2 or not activations.is_floating_point():
        kind = getattr(activations, "dtype", type(activations).__name__)
        shape = list(getattr(activations, "shape", []))
        raise CourseError(
            f"{what} are a tensor of decimal numbers [tokens, width] or [rows, pos, width]; these are "
            f"{kind} {shape}."
        )
    flat = activations.detach().reshape(-1, activations.shape[-1])
    if not len(flat):
        raise CourseError(f"There are no {what} here ({list(activations.shape)}): nothing can be measured.")
    return flat
