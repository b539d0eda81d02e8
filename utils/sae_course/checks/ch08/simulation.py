"""Check of 8.7 simulation_scores: how well a simulated activation follows the true one."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..fields import compare_fields
from ..trial import Function, Trial

Score = Callable[[Tensor, Tensor], Any]
"""From an activation and a simulated one of some rows, ``[rows pos]``, one number."""
Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Any]
"""As the exercise's function, one number: activation, simulated, top, others."""


class Situation(NamedTuple):
    """What is special in a case; `rows`, `pos`, and how many rows are top and others."""

    sizes: tuple[int, int, int, int]
    still: str = ""
    """Where a side never varies."""
    slope: float = 1.0
    """Of the simulation."""


SITUATIONS = (
    Situation((17, 19, 4, 5)),
    Situation((13, 11, 5, 3), slope=-1.0),
    Situation((11, 17, 3, 7)),
    Situation((7, 23, 1, 4)),
    # Powers of two: means of what doesn't vary are exact, however they are taken.
    Situation((11, 16, 2, 6), still="simulated at top"),
    Situation((11, 8, 4, 4), still="activation at top"),
    Situation((7, 32, 2, 2), still="simulated"),
    Situation((13, 16, 4, 4), still="activation"),
)
STILL = {"simulated": 6.0, "activation": 2.5}
"""High, as becomes the rows `top`: with the others, the correlation is then far from 0."""


def _pearson(x: Tensor, y: Tensor) -> float:
    """Of two rows of numbers, term by term in float64; 0 where one doesn't vary."""
    one, other = x.flatten().tolist(), y.flatten().tolist()
    if min(one) == max(one) or min(other) == max(other):
        return 0.0
    middle, other_middle = math.fsum(one) / len(one), math.fsum(other) / len(other)
    pairs = [(a - middle, b - other_middle) for a, b in zip(one, other, strict=True)]
    together = math.fsum(a * b for a, b in pairs)
    return together / math.hypot(*(a for a, _ in pairs)) / math.hypot(*(b for _, b in pairs))


def _right(activation: Tensor, simulated: Tensor, top: Tensor, others: Tensor) -> tuple[float, float]:
    rows = top.tolist() + others.tolist()
    return _pearson(activation[top], simulated[top]), _pearson(activation[rows], simulated[rows])


def _both(top: Tensor, others: Tensor) -> Tensor:
    return torch.cat([top, others])


def _top(score: Score) -> Rule:
    """Another score of the right rows."""
    return lambda activation, simulated, top, _: float(score(activation[top], simulated[top]))


def _together(score: Score) -> Rule:
    return lambda activation, simulated, top, others: float(
        score(activation[_both(top, others)], simulated[_both(top, others)])
    )


def _rows(choose: Callable[[Tensor, Tensor], Any]) -> Rule:
    """The right score of other rows."""
    return lambda activation, simulated, top, others: _pearson(
        activation[choose(top, others)], simulated[choose(top, others)]
    )


def _by_row(x: Tensor, y: Tensor) -> float:
    return sum(map(_pearson, x, y)) / len(x)


def _by_position(x: Tensor, y: Tensor) -> float:
    return _by_row(x.T, y.T)


def _of_means(dim: int) -> Score:
    return lambda x, y: _pearson(x.mean(dim), y.mean(dim))


def _corrcoef(x: Tensor, y: Tensor) -> float:
    """NaN where one doesn't vary."""
    return float(torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1])


def _one_if_still(x: Tensor, y: Tensor) -> float:
    value = _corrcoef(x, y)
    return 1.0 if math.isnan(value) else value


def _cosine(x: Tensor, y: Tensor) -> Tensor:
    return torch.cosine_similarity(x.flatten(), y.flatten(), dim=0)


def _covariance(x: Tensor, y: Tensor) -> float:
    return _pearson(x, y) * float(x.std() * y.std())


def _explained(x: Tensor, y: Tensor) -> Tensor:
    return 1 - (x - y).square().sum() / (x - x.mean()).square().sum()


def _active(x: Tensor, y: Tensor) -> float:
    return _pearson(x[x > 0], y[x > 0])


def _firing(x: Tensor, y: Tensor) -> float:
    return _pearson((x > 0).double(), (y > 0).double())


def _mixed_deviations(x: Tensor, y: Tensor) -> float:
    """A covariance that divides by n, deviations that divide by n − 1."""
    return _pearson(x, y) * (1 - 1 / x.numel())


def _mixed_the_other_way(x: Tensor, y: Tensor) -> float:
    return _pearson(x, y) / (1 - 1 / x.numel())


def _average(weighted: bool) -> Rule:
    """Of the scores on top and on others."""

    def wrong(activation: Tensor, simulated: Tensor, top: Tensor, others: Tensor) -> float:
        scores = [_pearson(activation[rows], simulated[rows]) for rows in (top, others)]
        weight = len(top) / (len(top) + len(others)) if weighted else 0.5
        return weight * scores[0] + (1 - weight) * scores[1]

    return wrong


def _everything(activation: Tensor, simulated: Tensor, *_: Tensor) -> float:
    return _pearson(activation, simulated)


def _columns(activation: Tensor, simulated: Tensor, top: Tensor, _: Tensor) -> float:
    return _pearson(activation[:, top], simulated[:, top])


TOP: dict[str, Rule] = {
    "0 / 0 is NaN: where the simulation or the activation doesn't vary on these rows, the score is 0.": _top(
        _corrcoef
    ),
    "what never varies explains nothing: the score is 0, not 1.": _top(_one_if_still),
    "this is the mean of the single rows' correlations; take one over all tokens of these rows.": _top(
        _by_row
    ),
    "this is the mean of the positions' correlations; take one over all tokens of these rows.": _top(
        _by_position
    ),
    "the rows were averaged over their positions first; every token is a point: .flatten().": _top(
        _of_means(1)
    ),
    "the rows were averaged first; every token is a point: .flatten().": _top(_of_means(0)),
    "this is the correlation squared; it keeps its sign and isn't squared.": _top(
        lambda x, y: _pearson(x, y) ** 2
    ),
    "the sign is lost: a simulation that goes the other way has a negative score.": _top(
        lambda x, y: abs(_pearson(x, y))
    ),
    "a negative score is set to 0 here; only what never varies has 0.": _top(
        lambda x, y: max(_pearson(x, y), 0.0)
    ),
    "the means aren't taken off: this is the cosine, not the correlation.": _top(_cosine),
    "this is the covariance; divide by both standard deviations.": _top(_covariance),
    "the covariance is divided by the variance of the activation; divide by both standard deviations.": _top(
        lambda x, y: _pearson(x, y) * float(y.std() / x.std())
    ),
    "the covariance is divided by the variance of the simulation; divide by both standard deviations.": _top(
        lambda x, y: _pearson(x, y) * float(x.std() / y.std())
    ),
    "the covariance divides by n, the deviations by n − 1: std(correction=0) fits .mean().": _top(
        _mixed_deviations
    ),
    "the covariance divides by n − 1, the deviations by n: take the same for both.": _top(
        _mixed_the_other_way
    ),
    "this is the explained variance; a correlation doesn't ask for the right scale.": _top(_explained),
    "this is the mean squared error; the correlation is wanted.": _top(lambda x, y: (x - y).square().mean()),
    "only tokens where the latent fires are looked at; a simulation must tell where it is silent, too.": _top(
        _active
    ),
    "this correlates firing or not; take the activations as they are.": _top(_firing),
    "this is entry [0, 0] of the matrix, of the activation with itself; entry [0, 1] is wanted.": _top(
        lambda x, y: 1.0 if float(x.std()) else 0.0
    ),
    "all rows are used here; use the rows `top` for the first score.": _everything,
    "these are the first rows, as many as `top` has; `top` holds the numbers of the rows: activation[top].": (
        _rows(lambda top, _: slice(0, len(top)))
    ),
    "`top` was used on the positions; the rows are the first axis: activation[top].": _columns,
    "this is the score on `others`; the first is on `top`.": _rows(lambda _, others: others),
    "this is the score on both together; the first is on `top` alone.": _rows(_both),
}
TOGETHER: dict[str, Rule] = {
    "the score on both is 0 here, as on `top` one side doesn't vary; together, it does.": (
        lambda *given: _right(*given)[1] if _right(*given)[0] else 0.0
    ),
    "this is the score on `top` again; here the rows `others` come on top.": _rows(lambda top, _: top),
    "this is the score on `others` alone; top and others together: torch.cat([top, others]).": _rows(
        lambda _, others: others
    ),
    "this is the mean of the scores on top and on others; take one correlation over all their tokens.": (
        _average(weighted=False)
    ),
    "this is the mean of the scores on top and on others, by their rows; take one correlation over all their "
    "tokens.": _average(weighted=True),
    "all rows are used here, also those that are in neither; use torch.cat([top, others]).": _everything,
    "here, this is the mean of the single rows' correlations; one over all tokens of these rows.": _together(
        _by_row
    ),
    "0 / 0 is NaN here: where one side doesn't vary on top and others, the score is 0.": _together(_corrcoef),
}
FIELDS = {"top": TOP, "top_and_others": TOGETHER}
RAISED = {
    "cannot be converted to Scalar": "torch.corrcoef gives a 2 × 2 matrix; take its entry [0, 1].",
    "two or fewer dimensions": "torch.corrcoef takes [2 n]: .flatten() the rows before they are stacked.",
    "tensor a ({}) must match the size of tensor b ({})".format(*SITUATIONS[0].sizes[2:]): (
        "top + others adds up row numbers; torch.cat([top, others]) is one after the other."
    ),
    "must match the size": "a row's mean taken off without keepdim=True; .flatten() first: one mean for all.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.7", "simulation_scores", minutes=8, hints=1)
def simulation_scores(t: Trial, student: Function) -> None:
    """Ordinary rows first, once with a simulation that goes the wrong way; then sides that never vary."""
    for number, case in enumerate(t.cases(len(SITUATIONS))):
        situation = SITUATIONS[number]
        arguments = _inputs(case, situation)
        right = _right(**arguments)
        compare_fields(t, student, arguments, right, mistakes=FIELDS, axes="", kind="Scores", raised=RAISED)


def _inputs(case: Case, situation: Situation) -> dict[str, Any]:
    """An activation that is sparse, and a simulation on a scale of its own, mostly above zero.

    The rows fire differently much, and are simulated differently well; some rows are neither top nor other.
    """
    rows, _, n_top, n_others = situation.sizes
    case.sizes |= dict(zip(("rows", "pos"), situation.sizes, strict=False))
    order = torch.randperm(rows, generator=case.generator).to(case.device)
    top, others = order[:n_top], order[n_top : n_top + n_others]
    strength = case.uniform("rows 1", 0.3, 0.9)
    strength[top] += 1.5
    fires = case.uniform("rows pos", 0.0, 1.0) < 0.25 + 0.2 * strength
    activation = strength * case.uniform("rows pos", 0.3, 2.0) * fires
    activation[:, :2] = torch.cat([strength, torch.zeros_like(strength)], dim=1)  # none is still by chance
    noise = case.normal("rows pos", scale=0.6) * case.uniform("rows 1", 0.4, 1.5)
    simulated = (situation.slope * activation + noise + case.normal("rows 1", scale=0.5)) * 2.3 + 1.5
    for name, values in (("simulated", simulated), ("activation", activation)):
        if situation.still.startswith(name):
            values[top if situation.still.endswith("top") else slice(None)] = STILL[name]
    return {"activation": activation, "simulated": simulated, "top": top, "others": others}
