"""F1 of latents on two sets of games: what 6.4 and 6.5 choose from, and what they measure on."""

from torch import Tensor

from ..cases import Case


def two_games(case: Case) -> dict[str, Tensor]:
    """``choosing`` and ``measuring``, ``[latent level property]``, alike; no two of ``choosing`` are equal.

    The largest on the one is seldom the largest on the other. Level 0 is the worst on average, as a rule.
    """
    levels = case.uniform("level", 0.03, 0.12)
    levels[0] = 0.0
    scores = case.uniform("latent level property", 0.0, 1.0) + levels[:, None]
    ranks = scores.flatten().argsort().argsort().reshape(scores.shape)
    choosing = (ranks + 0.5) / ranks.numel()
    other = case.uniform("latent level property", 0.0, 1.0)
    return {"choosing": choosing, "measuring": (choosing + other) / 2}
