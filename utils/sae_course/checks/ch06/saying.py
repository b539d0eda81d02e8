"""Check of 6.6 reconstruct: what is said of boards by latents that are precise on other boards."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Function, Trial, name_of

TRUE = (16, 10, 24, 18, 27, 21, 29)
"""Of how many of 64 tokens a property is true; property 1 wherever property 0 is, too."""
NEARLY_ALWAYS = 60
"""Of how many the last property is."""
Rule = Callable[[Tensor, Tensor, Tensor, float, int], Tensor]


class Counts(NamedTuple):
    """Of the first games, float64."""

    hits: Tensor
    """``[latent property]``"""
    fired: Tensor
    """``[latent 1]``"""
    true: Tensor
    """``[property]``"""
    n: int

    @property
    def precision(self) -> Tensor:
        """NaN for a latent that never fires."""
        return self.hits / self.fired


Speaks = Callable[[Counts, float, int], Tensor]
"""Who speaks for what, ``[latent property]``."""


def _counts(fires: Tensor, truth: Tensor) -> Counts:
    hits = (fires[:, :, None] & truth[:, None, :]).sum(dim=0).double()
    return Counts(hits, fires.sum(dim=0)[:, None].double(), truth.sum(dim=0).double(), len(fires))


def _speaks(counts: Counts, precise: float, right: int) -> Tensor:
    return (counts.hits >= right) & (counts.precision >= precise)


def _said(fires: Tensor, truth: Tensor, other_fires: Tensor, precise: float, right: int) -> Tensor:
    """Board by board and word by word, as the exercise says it."""
    firing, true = fires.T.tolist(), truth.T.tolist()
    said = torch.zeros(len(other_fires), len(true), dtype=torch.bool)
    for j, has in enumerate(true):
        for i, fired in enumerate(firing):
            tokens = [token for token, fires_there in enumerate(fired) if fires_there]
            hits = sum(has[token] for token in tokens)
            if tokens and hits >= right and hits / len(tokens) >= precise:
                for token, fires_there in enumerate(other_fires[:, i].tolist()):
                    if fires_there:
                        said[token, j] = True
    return said.to(fires.device)


def _voices(other_fires: Tensor, speaks: Tensor) -> Tensor:
    """How many of the latents that speak for a property fire: ``[m property]``."""
    return (other_fires[:, :, None] & speaks).sum(dim=1)


def _if(speaks: Speaks) -> Rule:
    """Right, if others speak."""
    return lambda fires, truth, other_fires, precise, right: (
        _voices(other_fires, speaks(_counts(fires, truth), precise, right)) > 0
    )


def _by(vote: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Rule:
    """Another rule for what is said, from voices, speaks and the firing on the second games."""

    def wrong(fires: Tensor, truth: Tensor, other_fires: Tensor, precise: float, right: int) -> Tensor:
        speaks = _speaks(_counts(fires, truth), precise, right)
        return vote(_voices(other_fires, speaks), speaks, other_fires)

    return wrong


def _score(score: Callable[[Counts], Tensor]) -> Rule:
    """Something else for the precision."""
    return _if(lambda counts, precise, right: (counts.hits >= right) & (score(counts) >= precise))


def _accuracy(counts: Counts) -> Tensor:
    neither = counts.n - counts.fired - counts.true + counts.hits
    return (counts.hits + neither) / counts.n


def _highest(score: Callable[[Counts], Tensor], dim: int) -> Rule:
    """Only the highest one speaks, along an axis; of equal ones the first."""

    def speaks(counts: Counts, precise: float, right: int) -> Tensor:
        may = _speaks(counts, precise, right)
        best = score(counts).nan_to_num(0.0).argmax(dim=dim, keepdim=True)
        return may & torch.zeros_like(may).scatter(dim, best, True)

    return _if(speaks)


def _own_games(fires: Tensor, truth: Tensor, other_fires: Tensor, precise: float, right: int) -> Tensor:
    return _said(fires, truth, fires, precise, right)


MISTAKES: dict[str, Rule] = {
    "this is recall, hits over the tokens that have the property; precision is hits over the tokens where "
    "the latent fires.": _score(lambda counts: counts.hits / counts.true),
    "this is F1; precision is wanted, hits over the tokens where the latent fires.": _score(
        lambda counts: 2 * counts.hits / (counts.fired + counts.true)
    ),
    "the hits are divided by all tokens; divide by those where the latent fires.": _score(
        lambda counts: counts.hits / counts.n
    ),
    "this is the share of all tokens where latent and property agree; precision looks only at the tokens "
    "where the latent fires.": _score(_accuracy),
    "a precision of exactly `precise` is enough: ≥ instead of >.": _if(
        lambda counts, precise, right: (counts.hits >= right) & (counts.precision > precise)
    ),
    "being right exactly `right` times is enough: ≥ instead of >.": _if(
        lambda counts, precise, right: (counts.hits > right) & (counts.precision >= precise)
    ),
    "`right` is not used: a latent must be right at least so many times.": _if(
        lambda counts, precise, right: counts.precision >= precise
    ),
    "`right` is not used, and a latent that never fired speaks for everything, as 0 ≥ 0: ask for `right` "
    "hits, too.": _if(lambda counts, precise, right: counts.hits >= precise * counts.fired),
    "`precise` is not used: a latent that is often right may be wrong even more often.": _if(
        lambda counts, precise, right: counts.hits >= right
    ),
    "one of the two conditions is enough here; both are needed, & instead of |.": _if(
        lambda counts, precise, right: (counts.hits >= right) | (counts.precision >= precise)
    ),
    "the latent must be right, not only fire, `right` times: compare the hits.": _if(
        lambda counts, precise, right: (counts.fired >= right) & (counts.precision >= precise)
    ),
    "each latent speaks only for its most precise property here; it may speak for many.": _highest(
        lambda counts: counts.precision, dim=1
    ),
    "each latent speaks only for the property with its highest F1 here; it may speak for many.": _highest(
        lambda counts: counts.hits / (counts.fired + counts.true), dim=1
    ),
    "only the most precise latent speaks for a property here; all that are precise do.": _highest(
        lambda counts: counts.precision, dim=0
    ),
    "only the latent with the highest F1 speaks for a property here; all that are precise do.": _highest(
        lambda counts: counts.hits / (counts.fired + counts.true), dim=0
    ),
    "a latent that is precise for one property speaks for all of them here; judge each pair by itself.": _if(
        lambda counts, precise, right: (
            _speaks(counts, precise, right).any(dim=1, keepdim=True).expand_as(counts.hits)
        )
    ),
    "all latents that speak for a property must fire here; one is enough.": _by(
        lambda voices, speaks, other_fires: voices == speaks.sum(dim=0)
    ),
    "more than half of the latents that speak for a property must fire here; one is enough.": _by(
        lambda voices, speaks, other_fires: voices > speaks.sum(dim=0) / 2
    ),
    "two latents must say so here; one is enough: > 0.": _by(lambda voices, speaks, other_fires: voices > 1),
    "these are numbers of latents that say so; ask whether there is any: > 0.": _by(
        lambda voices, speaks, other_fires: voices
    ),
    "this is who speaks for what; the last step is missing: where do they fire on the second games?": _by(
        lambda voices, speaks, other_fires: speaks
    ),
    "this is said about the first games; use other_fires for the second.": _own_games,
}
PRODUCT = "not implemented for"
"""Torch says so of a matrix product of booleans."""


@exercise("6.6", "reconstruct", minutes=10, hints=2)
def reconstruct(t: Trial, student: Function) -> None:
    """Latents that are just precise enough, just often enough right, or just not; see `_inputs`."""
    name = name_of(student)
    for number, case in enumerate(t.cases(4)):
        arguments = _inputs(case, *((0.75, 5), (0.5, 7), (0.875, 8), (0.625, 6))[number])
        try:
            result = t.call(student, arguments)
        except CheckFailed as failure:
            if PRODUCT in failure.problem:
                failure.likely = "booleans can't be multiplied as matrices; .float() makes 0s and 1s of them."
            raise
        t.against(
            lambda *_, seen=result: seen,
            arguments,
            _said,
            axes="m property",
            mistakes=MISTAKES,
            any_dtype=True,
            what=name,
        )
        t.require(
            result.dtype == torch.bool,
            f"{name} says the right things with 0 and 1 of dtype {str(result.dtype).removeprefix('torch.')}; "
            "booleans are wanted.",
            likely="a comparison such as > 0 is missing at the end, or .bool().",
            kind="dtype",
        )


def _inputs(case: Case, precise: float, right: int) -> dict[str, Any]:
    """Latents of all kinds, for a property each; every one of them fires alone on one of the second boards.

    Precisions are exact in float32, and the number of tokens is a power of two: any way of writing the
    comparison gives the same. Property 1 is true wherever property 0 is, and the last one nearly everywhere:
    some latents speak for several.
    """
    case.sizes |= {"n": 64, "property": len(TRUE) + 1}
    truth = _truth(case)
    exact = next(k for k in range(right + 1, 99) if (k / precise).is_integer())  # hits
    wrong = round(exact / precise) - exact
    kinds = [
        *((j, right + 3, 0) for j in range(len(TRUE))),
        *((_any(case), exact, wrong) for _ in range(3)),
        *((_any(case), exact, wrong + 1) for _ in range(3)),
        *((_any(case), right, 0) for _ in range(3)),
        *((_any(case), right - 1, 1) for _ in range(3)),
        *((_any(case), right - 1, 0) for _ in range(2)),
    ]
    columns = [_latent(case, truth[:, j], hits, misses) for j, hits, misses in kinds]
    silent, always = torch.zeros_like(truth[:, 0]), torch.ones_like(truth[:, 0])
    often = truth[:, _any(case)] | case.mask("n", 0.5)
    all_of_it = _latent(case, truth[:, 2], TRUE[2], 1)
    columns += [silent, always, often, all_of_it]
    order = torch.randperm(len(columns), generator=case.generator).tolist()
    fires = torch.stack([columns[i] for i in order], dim=1)
    case.sizes |= {"latent": len(columns)}
    alone = torch.eye(len(columns), dtype=torch.bool, device=case.device)
    together = torch.cat([alone, case.mask("23 latent", 0.4), torch.zeros_like(alone[:1])])
    shuffled = torch.randperm(len(together), generator=case.generator).to(case.device)
    return {
        "fires": fires,
        "truth": truth,
        "other_fires": together[shuffled],
        "precise": precise,
        "right": right,
    }


def _any(case: Case) -> int:
    """A property, but the last."""
    return int(case.integers("1", 0, len(TRUE)))


def _truth(case: Case) -> Tensor:
    """``[n property]``; all but the last are true of 16 tokens at least, and of less than half."""
    everywhere = torch.ones(case.shape("n"), dtype=torch.bool, device=case.device)
    columns = [_latent(case, everywhere, true, 0) for true in (*TRUE, NEARLY_ALWAYS)]
    columns[1] = columns[0] | columns[1]
    return torch.stack(columns, dim=1)


def _latent(case: Case, has: Tensor, hits: int, misses: int) -> Tensor:
    """Fires at so many tokens that have the property, and at so many that don't."""
    order = torch.randperm(len(has), generator=case.generator).to(case.device)
    with_it, without = order[has[order]], order[~has[order]]
    fires = torch.zeros_like(has)
    fires[with_it[:hits]] = True
    fires[without[:misses]] = True
    return fires
