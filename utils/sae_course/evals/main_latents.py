"""The latents that tell a feature together, by firing: one, or several among which it is shared out.

Grown forward, after Chanin et al. 2024 ("A is for Absorption", arXiv 2409.14507): first the latent whose
firing has the best F1 for the feature; then, as long as that raises F1 by at least .03, the latent with which
"any of them fires" has the best F1. There, logistic probes of k = 1, 2, … latents stand in the place of "any
of them fires", and the same jump tells a feature that is split among latents. Firing needs no training, and
it is what is meant: where one of them is silent, another fires.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

JUMP = 0.03
"""By how much a further latent must raise F1."""
MOST = 10
"""Latents of one feature."""
TOLD = 0.3
"""The `skill` from which latents are said to tell a feature."""


@dataclass(frozen=True)
class MainLatents:
    """Of one feature, in the order in which they were taken."""

    latents: tuple[int, ...]
    """None where no latent fires at any of the feature's tokens."""
    f1_choosing: tuple[float, ...]
    """Of "any of the first 1, 2, … fires", on the rows that chose them."""
    f1_by_step: tuple[float, ...]
    """The same on the measuring rows."""
    skill: float
    """Of all of them, on the choosing rows."""

    @property
    def told(self) -> bool:
        """Whether they tell the feature at all."""
        return self.skill >= TOLD

    @property
    def f1(self) -> float:
        """Of all of them, on the measuring rows; 0 where there are none."""
        return self.f1_by_step[-1] if self.latents else 0.0

    def confirmed(self, jump: float = JUMP) -> int:
        """How many there are if each must raise F1 by ``jump`` on the measuring rows as well.

        A feature with few tokens finds, among a thousand latents, some that raise F1 by luck.
        """
        steps = zip(self.f1_by_step[1:], self.f1_by_step, strict=False)
        failed = [place for place, (after, before) in enumerate(steps, 1) if after - before < jump]
        return failed[0] if failed else len(self.latents)


def main_latents(
    choosing: Float[Tensor, "choosing_n units"],
    measuring: Float[Tensor, "measuring_n units"],
    truth: tuple[Bool[Tensor, "choosing_n features"], Bool[Tensor, "measuring_n features"]],
    *,
    jump: float = JUMP,
    most: int = MOST,
    allowed: Bool[Tensor, "features units"] | None = None,
) -> list[MainLatents]:
    """For each feature the latents that tell it, and how well.

    Args:
        choosing, measuring: activations in the two halves; 0 is silent.
        truth: of the same tokens.
        jump: by how much a further latent must raise F1.
        most: latents of one feature.
        allowed: which latents may be taken; all when not given.
    """
    fires = (choosing.cpu() != 0).float()
    found = _grow(fires, truth[0], jump, most, allowed)
    rates = truth[0].double().mean(0).tolist()
    fires_too = measuring.cpu() != 0
    results = []
    for at, (latents, rate) in enumerate(zip(found, rates, strict=True)):
        before = _f1_by_step(fires[:, latents] != 0, truth[0][:, at])
        after = _f1_by_step(fires_too[:, latents], truth[1][:, at])
        results.append(
            MainLatents(tuple(latents), before, after, skill(before[-1] if latents else 0.0, rate))
        )
    return results


def skill(f1: float, rate: float) -> float:
    """How far F1 is on the way from "always" to 1, where the feature is true at a share ``rate`` of tokens.

    "It is always true" has the precision ``rate`` and the recall 1, so F1 = 2 rate / (1 + rate): nearly 0 for
    a rare feature, but .67 for one that is true of every other token, and latents that fire everywhere have
    the same.
    """
    always = 2 * rate / (1 + rate)
    return (f1 - always) / (1 - always)


def single_f1(
    fires: Float[Tensor, "n units"], truth: Bool[Tensor, "n features"]
) -> Float[Tensor, "features units"]:
    """F1 of "it fires", for each feature and latent."""
    true = truth.float()
    both = true.sum(0).double()[:, None] + fires.sum(0).double()
    return 2 * (true.T @ fires).double() / both


def _grow(
    fires: Float[Tensor, "n units"],
    truth: Bool[Tensor, "n features"],
    jump: float,
    most: int,
    allowed: Bool[Tensor, "features units"] | None,
) -> list[list[int]]:
    """All features at once: a step is two matrix products."""
    n_features = truth.shape[1]
    found: list[list[int]] = [[] for _ in range(n_features)]
    true = truth.float()
    n_true = true.sum(0).double()
    silent = torch.ones_like(true)  # where none of the feature's latents fires
    hits, said, f1 = torch.zeros(3, n_features, dtype=torch.float64)
    growing = torch.arange(n_features)
    for step in range(min(most, fires.shape[1])):
        rest = silent[:, growing]
        more_said = (rest.T @ fires).double()
        more_hits = ((rest * true[:, growing]).T @ fires).double()
        said_then, hits_then = said[growing, None] + more_said, hits[growing, None] + more_hits
        f1_then = 2 * hits_then / (said_then + n_true[growing, None])
        if allowed is not None:
            f1_then = f1_then.masked_fill(~allowed[growing], 0.0)
        best, latent = f1_then.max(1)
        better = (best >= f1[growing] + jump) if step else (best > 0)
        growing, latent, place = growing[better], latent[better], better.nonzero().flatten()
        if not len(growing):
            break
        for feature, one in zip(growing.tolist(), latent.tolist(), strict=True):
            found[feature].append(one)
        said[growing], hits[growing] = said_then[place, latent], hits_then[place, latent]
        f1[growing] = best[better]
        silent[:, growing] *= 1 - fires[:, latent]
    return found


def _f1_by_step(fires: Bool[Tensor, "n latents"], truth: Bool[Tensor, " n"]) -> tuple[float, ...]:
    said = fires.cumsum(1) > 0
    hits = (said & truth[:, None]).sum(0).double()
    return tuple((2 * hits / (said.sum(0) + truth.sum())).tolist())


def in_words(latents: Sequence[int], most: int = 4) -> str:
    """``3, 17, 40``, cut off where there are many."""
    return ", ".join(map(str, latents[:most])) + (" …" if len(latents) > most else "")
