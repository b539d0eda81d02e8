"""How well an explanation predicts a latent: its simulation beside the truth, in three ways.

- **top**: Pearson's correlation of simulated and true activation over all tokens of the excerpts with the
  largest activations;
- **top and random**: the same over these and others, drawn at random;
- **detection**: F1 of "simulated > 0" for "fires", over the tokens of excerpts drawn at random among all.

The correlation, and the two kinds of excerpts, are those of Bills et al. 2023 ("Language models can explain
neurons in language models"); detection is after Paulo et al. 2024 ("Automatically interpreting millions of
features in large language models", arXiv 2410.13928), who ask of whole contexts whether the latent fires. F1
and not balanced accuracy, for which a rule that cries wolf at 5 % of all tokens is nearly perfect, though the
latent fires at 0.1 %.

A score that there isn't counts as 0: of a simulation that never varies (its correlation would be 0 / 0), that
is missing for an excerpt, or that detects nothing. Left out, such latents would raise the mean.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..runtime import CourseError
from .classifying import classified
from .explaining import Excerpts, Explanation, Simulator, others, strongest


class Predicted(NamedTuple):
    """How far one explanation goes."""

    top: float
    top_and_random: float
    detection: float
    fires: float
    """The share of the measuring half's tokens. Saying "always" has a detection of 2 fires / (1 + fires)."""
    constant: bool
    """The simulation never varied over the top and random excerpts: both correlations are 0."""
    missing: int
    """Excerpts of which the simulator could make nothing."""


class Explained(NamedTuple):
    """One latent, what was said of it, and how far that goes: the fields of `Predicted`."""

    latent: int
    explanation: str
    top: float
    top_and_random: float
    detection: float
    fires: float
    constant: bool
    missing: int


def predicted(
    explanation: Explanation,
    simulator: Simulator,
    excerpts: Excerpts,
    activation: Float[Tensor, "n width"],
    *,
    sizes: tuple[int, int, int],
    stream: torch.Generator,
) -> Predicted:
    """Try one explanation on excerpts that its explainer has not seen.

    Args:
        sizes: how many excerpts with the largest activations, how many others, and how many of all for
            detection.

    Raises:
        CourseError: when the simulator says another number of activations than there are tokens.
    """
    top, rest, detect = sizes
    first = strongest(activation, top)
    both = torch.cat([first, others(len(excerpts), first, stream)[:rest]])
    drawn = torch.randperm(len(excerpts), generator=stream)[:detect]
    asked = torch.cat([both, drawn]).unique()
    simulated = torch.zeros_like(activation)
    simulated[asked] = _simulated(simulator, explanation, excerpts[asked])
    return Predicted(
        top=correlation(activation[first], simulated[first]),
        top_and_random=correlation(activation[both], simulated[both]),
        detection=detection(activation[drawn], simulated[drawn]),
        fires=float((activation > 0).double().mean()),
        constant=_constant(simulated[both]),
        missing=int(simulated.isnan().any(1).sum()),
    )


def correlation(activation: Float[Tensor, "n width"], simulated: Float[Tensor, "n width"]) -> float:
    """Pearson's, over all tokens; 0 where one of the two never varies, or a simulation is NaN."""
    if _constant(activation) or _constant(simulated) or simulated.isnan().any():
        return 0.0
    pair = torch.stack([activation.double().flatten(), simulated.double().flatten()])
    # Rounded, so that a perfect score is 1 and has no error of 1e-17.
    return round(float(torch.corrcoef(pair)[0, 1]), 12)


def detection(activation: Float[Tensor, "n width"], simulated: Float[Tensor, "n width"]) -> float:
    """F1 of "simulated > 0" for "fires", by token; 0 where neither ever is, or a simulation is NaN."""
    f1 = classified(simulated.reshape(-1, 1), activation.reshape(-1, 1) > 0).f1
    return 0.0 if f1.isnan() or simulated.isnan().any() else float(f1)


def _constant(values: Tensor) -> bool:
    return bool((values == values.flatten()[0]).all())


def _simulated(
    simulator: Simulator, explanation: Explanation, excerpts: Excerpts
) -> Float[Tensor, "n width"]:
    found = simulator.simulate(explanation, excerpts)
    if found.shape != excerpts.ids.shape:
        raise CourseError(
            f"{simulator!r} simulated {list(found.shape)} activations for excerpts of "
            f"{list(excerpts.ids.shape)} tokens: one for each token is needed."
        )
    return found.float()
