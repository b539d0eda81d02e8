"""Random inputs that several checks of this chapter share."""

from torch import Tensor

from ..cases import Case


def square(case: Case) -> Case:
    """As many latents as dimensions: a slip between the two axes then gives numbers, and can be named."""
    case.sizes.update(d_in=8, d_sae=8)
    return case


def decoder(case: Case, grad: bool = False) -> Tensor:
    """``[inst d_sae d_in]``, its vectors of uneven lengths."""
    vectors = case.unit("inst d_sae d_in", along="d_in") * case.uniform("inst d_sae 1", 0.3, 2.5)
    return vectors.requires_grad_(grad)


def uneven(case: Case, grad: bool = False) -> Tensor:
    """Pre-activations ``[inst batch d_sae]``: rich samples and poor ones, an all-negative one among them.

    The instances differ in scale, so that mixing them shows.
    """
    pre = case.normal("inst batch d_sae") + 0.9 * case.normal("inst batch 1")
    pre = pre * case.uniform("inst 1 1", 0.5, 3.0)
    pre[:, 0] = -pre[:, 0].abs()
    return pre.requires_grad_(grad)
