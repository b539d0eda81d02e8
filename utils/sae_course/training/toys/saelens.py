"""Toy SAEs beside SAELens' own classes with the same weights."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...runtime import CourseError
from ..architectures import config_class

if TYPE_CHECKING:
    from .sae import ToySAE


class Differences(NamedTuple):
    """The largest absolute difference from SAELens, over all instances."""

    latents: float
    reconstruction: float
    loss: float
    gradients: float


def saelens_differences(
    sae: "ToySAE",
    h: Float[Tensor, "inst batch d_in"],
    dead: Bool[Tensor, "inst d_sae"],
    architecture: str,
    coefficient: float | None = None,
    **settings: Any,
) -> Differences:
    """Run a training pass of each instance, and of SAELens' class with its weights.

    Args:
        sae: with one setting for all instances. Its parameters have SAELens' names, and an axis more.
        h: a batch.
        dead: which latents count as dead.
        architecture: SAELens' name for it: ``standard``, ``gated``, ``jumprelu``, ``topk``, ``batchtopk`` or
            ``matryoshka_batchtopk``.
        coefficient: of the sparsity penalty, where there is one.
        settings: further ones of SAELens' configuration, such as ``k``.

    Raises:
        CourseError: for an unknown architecture, or parameters of other names.
    """
    from sae_lens.saes.sae import TrainingSAE, TrainStepInput  # noqa: PLC0415 - seconds

    own = dict(sae.named_parameters())
    result = sae.training_pass(h, dead)
    gradients = dict(zip(own, torch.autograd.grad(result.loss.sum(), list(own.values())), strict=True))
    n_inst, d_sae, d_in = sae.W_dec.shape
    largest = Differences(0.0, 0.0, 0.0, 0.0)
    for i in range(n_inst):
        cfg = config_class(architecture)(d_in=d_in, d_sae=d_sae, **settings)
        theirs: Any = TrainingSAE.get_sae_class_for_architecture(architecture)(cfg)
        theirs.to(h.device)
        parameters = dict(theirs.named_parameters())
        if set(parameters) != set(own):
            raise CourseError(
                f"SAELens' {architecture} SAE has the parameters {sorted(parameters)}, not {sorted(own)}."
            )
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(own[name][i])
        coefficients = {} if coefficient is None else {"l1": coefficient, "l0": coefficient}
        step = theirs.training_forward_pass(
            TrainStepInput(
                sae_in=h[i],
                coefficients=coefficients,
                dead_neuron_mask=dead[i],
                n_training_steps=0,
                is_logging_step=False,
            )
        )
        step.loss.backward()
        found = Differences(
            _largest(step.feature_acts, result.latents[i]),
            _largest(step.sae_out, result.reconstruction[i]),
            _largest(step.loss, result.loss[i]),
            max(_largest(parameter.grad, gradients[name][i]) for name, parameter in parameters.items()),
        )
        largest = Differences(*map(max, largest, found))
    return largest


def _largest(one: Tensor, other: Tensor) -> float:
    return float((one - other).detach().abs().max())
