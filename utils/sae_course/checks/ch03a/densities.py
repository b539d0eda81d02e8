"""Check of 3a.11 log_densities: how often each latent fires."""

import torch
from torch import Tensor

from ..core import exercise
from ..trial import Function, Trial


def _log_densities(latents: Tensor) -> Tensor:
    return (latents > 0).sum(0).div(len(latents)).log10()


DENSITY_MISTAKES = {
    "natural logarithms; to base 10.": lambda latents: (
        _log_densities(latents) * torch.log(torch.tensor(10.0))
    ),
    "logarithms to base 2; to base 10.": lambda latents: (latents > 0).float().mean(0).log2(),
    "the logarithm of the mean activation; of the share of tokens on which it is above 0.": (
        lambda latents: latents.mean(0).log10()
    ),
    "the mean of the activations' logarithms; the logarithm of a share.": (
        lambda latents: latents.clamp(min=1e-10).log10().mean(0)
    ),
    "a number for each token (how many latents fire there); one for each latent: mean over axis 0.": (
        lambda latents: (latents > 0).float().mean(1).log10()
    ),
    "the count of tokens; their share is wanted, the count over n.": (
        lambda latents: (latents > 0).float().sum(0).log10()
    ),
    "divided by the number of d_sae latents; by that of the n tokens.": (
        lambda latents: ((latents > 0).sum(0) / latents.shape[1]).log10()
    ),
    "the share among all latents' firings; the share of tokens is wanted, over n.": (
        lambda latents: ((latents > 0).sum(0) / (latents > 0).sum()).log10()
    ),
    "the shares themselves: their logarithm is missing.": lambda latents: (latents > 0).float().mean(0),
    "the sign is the wrong way round: the logarithm of a share is at most 0.": (
        lambda latents: -_log_densities(latents)
    ),
    "the share of tokens on which it is *silent*.": lambda latents: (latents <= 0).float().mean(0).log10(),
    "all latents together; one number for each is wanted.": lambda latents: (
        (latents > 0).float().mean().log10()
    ),
    "firing is above 0, not above 1.": lambda latents: (latents > 1).float().mean(0).log10(),
}


@exercise("3a.11", "log_densities", minutes=3, hints=1)
def log_densities(t: Trial, student: Function) -> None:
    """Latents that fire always, often, seldom and never."""
    for case in t.cases(6, n=59, d_sae=13):
        thresholds = torch.linspace(-1.5, 2.0, 13, device=case.device)
        latents = (case.normal("n d_sae") - thresholds).clamp(min=0)
        latents[:, 3] = 0  # never
        latents[:, 5] = case.uniform("n", 0.2, 2.0)  # always
        latents[:, 7] = 0
        latents[int(case.integers("1", 0, 59)), 7] = 0.6  # once
        _require_never(t, student, latents.clone())
        t.against(student, {"latents": latents}, _log_densities, axes="d_sae", mistakes=DENSITY_MISTAKES)


def _require_never(t: Trial, student: Function, latents: Tensor) -> None:
    """Where all is right but for latents that never fire, say why (a comparison takes NaN for -inf)."""
    result, right = t.call(student, {"latents": latents}), _log_densities(latents)
    if not isinstance(result, Tensor) or result.shape != right.shape:
        return
    fires = right.isfinite()
    wrong = [value for value in result[~fires].tolist() if value != -torch.inf]
    if wrong and torch.allclose(result[fires].double(), right[fires].double(), atol=1e-3):
        t.require(
            False,
            f"a latent that never fires gets {wrong[0]:.4g}; expected -inf, so that dead ones are told from "
            "rare ones.",
            kind="values",
            likely="a clamp(min=...) or a small number added before the logarithm; log10 of 0 is -inf, as "
            "wanted.",
        )
