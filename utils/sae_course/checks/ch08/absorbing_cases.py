"""Inputs for the check of 8.5: all kinds of tokens, clearly on one side of each threshold or right on it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cases import Case

CANDIDATES = 4000
"""Tokens of which some are chosen."""
CLEAR = 0.02
"""How far shares are from `least_share`, and the largest contribution ahead of the next, as a part of it."""

KINDS = 108
"""Main latents all fire, some, none; a cosine below its threshold, on it, above; the share likewise; all of
these again where the cosine is too low, and another latent would do; and all again where the decoder vector
is short."""


class Situation(NamedTuple):
    """Sizes, thresholds, and what is special in a case."""

    n: int
    d_sae: int
    d_in: int
    n_main: int
    least_cosine: float
    least_share: float
    exact: bool = False
    """Whether there are cosines and shares of exactly the thresholds."""
    empty: int = 0
    """How many tokens there are at which nothing fires, and at which only contributions below 0 do."""


SITUATIONS = (
    Situation(83, 19, 11, 3, 0.25, 0.5),
    Situation(67, 23, 7, 2, 0.5, 0.35),
    Situation(61, 17, 13, 1, 0.2, 0.27),
    Situation(79, 16, 4, 2, 0.5, 0.5, exact=True),
    Situation(53, 17, 5, 3, 0.25, 0.45, empty=3),
)


def inputs(case: Case, situation: Situation) -> dict[str, Any]:
    """The arguments of the exercise's function."""
    case.sizes |= {"n": situation.n, "d_sae": situation.d_sae, "d_in": situation.d_in}
    make = _exact if situation.exact else _clear
    W_dec, probe = make(case, situation)
    along = W_dec @ probe
    main = _main(case, situation, along / W_dec.norm(dim=-1))
    a = _activations(case, situation, main)
    a = a[_chosen(case, situation, a, W_dec, probe, main)]
    empty = a[: 2 * situation.empty]
    empty[: situation.empty] = 0.0
    empty[:, main] = 0.0
    empty[:, along > 0] = 0.0
    return {
        "a": a[torch.randperm(len(a), generator=case.generator).to(case.device)],
        "W_dec": W_dec,
        "probe": probe,
        "main": main,
        "least_cosine": situation.least_cosine,
        "least_share": situation.least_share,
    }


def _clear(case: Case, situation: Situation) -> tuple[Tensor, Tensor]:
    """Decoder vectors of all lengths, their cosines above the threshold, below it, or below 0."""
    d_sae, least = situation.d_sae, situation.least_cosine
    probe = case.unit("d_in", along="d_in")
    above = case.uniform("d_sae", least + 0.06, 0.95)
    below = case.uniform("d_sae", 0.06, least - 0.06)
    against = case.uniform("d_sae", -0.8, -0.1)
    kind = (torch.randperm(d_sae, generator=case.generator) % 5).to(case.device)
    kind[0] = kind[-1] = 0  # which latent is the largest of none is the first or the last one
    cosines = torch.where(kind < 2, above, torch.where(kind < 4, below, against))
    other = case.normal("d_sae d_in")
    other -= (other @ probe)[:, None] * probe
    other /= other.norm(dim=-1, keepdim=True)
    W_dec = cosines[:, None] * probe + (1 - cosines**2).sqrt()[:, None] * other
    lengths = case.uniform("d_sae", 0.3, 2.5) * torch.where((kind == 2) | (kind == 3), 2.0, 1.0)
    return W_dec * lengths[:, None], probe


def _exact(case: Case, situation: Situation) -> tuple[Tensor, Tensor]:
    """Signs times powers of two, in four dimensions: lengths, cosines and contributions without rounding."""
    signs = 1.0 - 2 * torch.tensor([[i >> k & 1 for k in range(4)] for i in range(16)], device=case.device)
    order = torch.randperm(situation.d_sae, generator=case.generator).to(case.device)
    lengths = 2.0 ** case.integers("d_sae 1", -1, 2)
    probe = signs[int(case.integers("", 0, 16))] / 2
    return signs[order] * lengths, probe


def _main(case: Case, situation: Situation, cosines: Tensor) -> Tensor:
    """Latents that point the parent's way, in any order, neither the first one nor the last."""
    order = 1 + torch.randperm(situation.d_sae - 2, generator=case.generator).to(case.device)
    return order[cosines[order] >= situation.least_cosine][: situation.n_main]


def _activations(case: Case, situation: Situation, main: Tensor) -> Tensor:
    """Of many tokens; main latents fire at a half of them, some or all, often weakly."""
    case.sizes["all"] = CANDIDATES
    fires = case.uniform("all d_sae", 0.0, 1.0) < 0.3
    fires[:, main] = case.uniform("all d_sae", 0.0, 1.0)[:, main] < 0.4 / len(main)
    fires[:, main] |= case.uniform("all 1", 0.0, 1.0) < 0.15
    if situation.exact:
        return fires * case.integers("all d_sae", 1, 5) / 2
    a = fires * case.uniform("all d_sae", 0.3, 2.0) ** 2
    weak = case.uniform("all 1", 0.0, 1.0) < 0.3
    a[:, main] *= torch.where(weak, 0.02, 1.0)
    return a


def _chosen(  # noqa: PLR0917
    case: Case, situation: Situation, a: Tensor, W_dec: Tensor, probe: Tensor, main: Tensor
) -> Tensor:
    """Which tokens to take: one of every kind, then more of some; none at which rounding could decide."""
    along = W_dec @ probe
    contributions = a * along
    first, second = contributions.topk(2, dim=-1).values.unbind(-1)
    total = contributions.clamp(min=0).sum(-1)
    share, cosines = first / total, along / W_dec.norm(dim=-1)
    cosine = cosines[contributions.argmax(-1)]
    would_do = (cosines >= situation.least_cosine) & (contributions >= situation.least_share * total[:, None])
    clear = (share > 0) & (second < (1 - CLEAR) * first)
    if not situation.exact:
        clear &= (share - situation.least_share).abs() > CLEAR
    silent = a[:, main] == 0
    sides = [(cosine - situation.least_cosine).sign(), (share - situation.least_share).sign()]
    kind = ((silent.any(-1) * 1 + silent.all(-1)) * 9 + (sides[0] + 1) * 3 + sides[1] + 1).long()
    short = (along * W_dec.norm(dim=-1))[contributions.argmax(-1)] < situation.least_cosine
    kind += KINDS // 2 * short + KINDS // 4 * (would_do.any(-1) & (cosine < situation.least_cosine))
    of_kind = [((kind == i) & clear).nonzero().squeeze(-1).tolist() for i in range(KINDS)]
    in_turn = [tokens[0] for tokens in of_kind if tokens]
    for turn in range(situation.n):
        for i, tokens in enumerate(of_kind):
            many = 1 + (i % 27 >= 18) + (i % 9 in {4, 5, 7, 8})  # the silent ones, and those not below
            in_turn += tokens[1 + turn * many : 1 + (turn + 1) * many]
    return torch.tensor(in_turn[: situation.n], device=case.device)
