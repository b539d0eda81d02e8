"""Check of 8.4 probe_latents: the latents that tell a feature's truth best, one by one."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..failure import CheckFailed
from ..raised import meaning
from ..tensors import shape_difference
from ..trial import Function, Trial, name_of

Rule = Callable[[Tensor, Tensor, int], Tensor]
"""As the exercise's function: a, truth, k."""
Score = Callable[[Tensor, Tensor], Tensor]
"""From a and the truth, both as numbers, ``[features d_sae]``, or ``[1 d_sae]`` for the same everywhere."""
SIZES = ((59, 23, 5), (47, 31, 7), (61, 19, 3), (43, 17, 5), (53, 13, 1))
"""Of each case: n, d_sae, features."""
K = (4, 3, 5, 11, 1)
DEAD = (0, 7, 6, 11, 3)
"""How many latents never fire. In the fourth case fewer than k do fire: the dead ones come after them."""
GAP = 3e-3
"""How far every latent chosen is ahead of the next one: rounding must not decide."""
SAME = 1e-5
"""Scores as near as this are equal, and may stand in any order."""


def _scores(a: Tensor, truth: Tensor) -> list[list[float]]:
    """Latent by latent and token by token, in float64; −1 for a latent that never fires."""
    latents = a.T.tolist()
    found = []
    for feature in truth.T.tolist():
        row = []
        for latent in latents:
            where = {
                kind: [x for x, true in zip(latent, feature, strict=True) if true == kind] for kind in (0, 1)
            }
            mean = math.fsum(latent) / len(latent)
            spread = math.sqrt(math.fsum((x - mean) ** 2 for x in latent) / len(latent))
            apart = abs(math.fsum(where[1]) / len(where[1]) - math.fsum(where[0]) / len(where[0]))
            row.append(apart / spread if any(latent) else -1.0)
        found.append(row)
    return found


def _right(a: Tensor, truth: Tensor, k: int) -> Tensor:
    rows = [sorted(range(len(row)), key=lambda j: -row[j])[:k] for row in _scores(a, truth)]
    return torch.tensor(rows, device=a.device)


def _sums(a: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums where true and where false, and how many tokens those are."""
    n_true = truth.sum(0)[:, None]
    return truth.T @ a, (1 - truth).T @ a, n_true, len(a) - n_true


def _means(a: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    true, false, n_true, n_false = _sums(a, truth)
    return true / n_true, false / n_false


def _variances(a: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    (true, false), (squares_true, squares_false) = _means(a, truth), _means(a.square(), truth)
    return squares_true - true.square(), squares_false - false.square()


def _apart(a: Tensor, truth: Tensor) -> Tensor:
    true, false = _means(a, truth)
    return true - false


def _over(difference: Tensor, scale: Tensor) -> Tensor:
    return torch.where(scale > 0, difference / scale, 0.0)


def _score(a: Tensor, truth: Tensor) -> Tensor:
    return _over(_apart(a, truth).abs(), a.std(0))


def _top(score: Score, largest: bool = True) -> Rule:
    """The k best by something else."""

    def wrong(a: Tensor, truth: Tensor, k: int) -> Tensor:
        scores = score(a, truth.to(a.dtype)).expand(truth.shape[1], -1)
        return scores.topk(k, dim=-1, largest=largest).indices

    return wrong


def _by_scale(scale: Score) -> Rule:
    """The right difference in units of something else."""
    return _top(lambda a, truth: _over(_apart(a, truth).abs(), scale(a, truth)))


def _where_it_fires(a: Tensor, truth: Tensor) -> Tensor:
    """Means over the tokens at which the latent fires only."""
    fires = (a > 0).to(a.dtype)
    (true, false), (n_true, n_false) = _sums(a, truth)[:2], _sums(fires, truth)[:2]
    return _over((true / n_true.clamp(min=1) - false / n_false.clamp(min=1)).abs(), a.std(0))


def _sums_apart(a: Tensor, truth: Tensor) -> Tensor:
    true, false, _, _ = _sums(a, truth)
    return _over((true - false).abs(), a.std(0))


def _welch(a: Tensor, truth: Tensor) -> Tensor:
    _, _, n_true, n_false = _sums(a, truth)
    true, false = _variances(a, truth)
    return (true / n_true + false / n_false).clamp(min=0).sqrt()


def _later(a: Tensor, truth: Tensor, k: int) -> Tensor:
    """Without the best one."""
    return _top(_score)(a, truth, k + 1)[:, 1:]


MISTAKES: dict[str, Rule] = {
    "the absolute value is missing: a latent that is lower where the feature is true tells as much.": _top(
        lambda a, truth: _over(_apart(a, truth), a.std(0))
    ),
    "the difference is the wrong way round, and the absolute value is missing.": _top(
        lambda a, truth: _over(-_apart(a, truth), a.std(0))
    ),
    "the difference is not in units of the latent's own deviation: large latents come first.": _top(
        lambda a, truth: _apart(a, truth).abs()
    ),
    "neither an absolute value nor a deviation: this is by the difference of the means alone.": _top(_apart),
    "divided by the variance; the standard deviation is its root.": _by_scale(lambda a, _: a.var(0)),
    "multiplied by the deviation; divide by it.": _top(lambda a, truth: _apart(a, truth).abs() * a.std(0)),
    "divided by the latent's mean; divide by its standard deviation.": _by_scale(lambda a, _: a.mean(0)),
    "divided by the latent's largest activation; divide by its standard deviation.": _by_scale(
        lambda a, _: a.amax(0)
    ),
    "divided by the latent's norm; the standard deviation is about its mean.": _by_scale(
        lambda a, _: a.norm(dim=0)
    ),
    "the deviation is that where the feature is true; it is over all tokens.": _by_scale(
        lambda a, truth: _variances(a, truth)[0].clamp(min=0).sqrt()
    ),
    "the deviation is that where the feature is false; it is over all tokens.": _by_scale(
        lambda a, truth: _variances(a, truth)[1].clamp(min=0).sqrt()
    ),
    "the deviation is that within the two groups; it is over all tokens.": _by_scale(
        lambda a, truth: torch.stack(_variances(a, truth)).sum(0).clamp(min=0).sqrt()
    ),
    "this is Welch's t, with the errors of the two means; divide by the deviation over all tokens.": (
        _by_scale(_welch)
    ),
    "these are sums where true and where false; divide each by the number of its tokens.": _top(_sums_apart),
    "only the mean where true is a mean; divide the sum where false by the number of its tokens, too.": _top(
        lambda a, truth: _over((_means(a, truth)[0] - _sums(a, truth)[1]).abs(), a.std(0))
    ),
    "the sum where false is divided by the number of all tokens; by that of those where false.": _top(
        lambda a, truth: _over((_means(a, truth)[0] - _sums(a, truth)[1] / len(a)).abs(), a.std(0))
    ),
    "the means are over tokens where the latent fires; silent tokens count, too.": _top(_where_it_fires),
    "this is by how often the latents fire; by how strongly is wanted.": _top(
        lambda a, truth: _score((a > 0).to(a.dtype), truth)
    ),
    "the mean where false is not taken off.": _top(lambda a, truth: _over(_means(a, truth)[0], a.std(0))),
    "this is by the mean where true alone.": _top(lambda a, truth: _means(a, truth)[0]),
    "this is the ratio of the two means; their difference in deviations is wanted.": _top(
        lambda a, truth: _over(_means(a, truth)[0], _means(a, truth)[1])
    ),
    "all features have the same latents here, those with the best average score; each has its own.": _top(
        lambda a, truth: _score(a, truth).mean(0, keepdim=True)
    ),
    "all features have the latents of the first one; each has its own.": _top(
        lambda a, truth: _score(a, truth)[:1]
    ),
    "these have the smallest scores; the largest are wanted.": _top(_score, largest=False),
    "the right latents, but the best one comes last.": lambda a, truth, k: _right(a, truth, k).flip(-1),
    "the right latents in the order of their numbers; the best one comes first.": (
        lambda a, truth, k: _right(a, truth, k).sort(-1).values
    ),
    "the best latent is left out: Python counts from 0.": _later,
    "these are ranks, argsort of argsort; the first argsort alone has the latents.": lambda a, truth, k: (
        _score(a, truth.to(a.dtype)).argsort(-1, descending=True).argsort(-1)[:, :k]
    ),
}
RAISED = {
    "same dtype": "`truth` holds booleans: truth.to(a.dtype) makes numbers of them for the product.",
    "with a bool tensor": "`truth` holds booleans: ~truth, or numbers first, truth.to(a.dtype).",
    "must match the size": "the number of true tokens is one for each feature, and stands below "
    "[features d_sae]: [:, None].",
    "shapes cannot be multiplied": "truth.T @ a is [features d_sae].",
    "tuple indices": "topk and sort give values and indices: take .indices.",
    "return_types": "topk and sort give values and indices: take .indices.",
    "selected index k out of range": "topk goes along the latents, dim=-1.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.4", "probe_latents", minutes=8, hints=2)
def probe_latents(t: Trial, student: Function) -> None:
    """All latents alive; then some dead, then more chosen than fire, then one feature and k = 1."""
    name = name_of(student)
    for number, case in enumerate(t.cases(len(SIZES))):
        arguments = _inputs(case, number)
        right = _right(**arguments)
        with meaning(RAISED):
            seen = t.call(student, arguments)
        if isinstance(seen, Tensor):
            if failure := shape_difference(seen, tuple(right.shape), name, "features k"):
                raise failure
            seen = _judged(seen, right, arguments, name)
        t.against(
            lambda *_, seen=seen: seen,
            arguments,
            right,
            axes="features k",
            mistakes=MISTAKES,
            any_dtype=True,
            rtol=0.0,
            what=name,
        )
        _require_whole(seen, name)


def _judged(seen: Tensor, right: Tensor, arguments: dict[str, Any], name: str) -> Tensor:
    """The right latents, where these have the same scores; else these, unless a dead one is too early."""
    a, rows = arguments["a"].cpu(), seen.detach().cpu()
    if bool((rows != rows.double().round()).any()):
        raise CheckFailed(
            f"{name} gives fractions, dtype {_short(seen)}; the latents' numbers are wanted.",
            kind="dtype",
            likely="these are the scores, topk's values; the latents are its indices.",
        )
    if rows.dtype.is_floating_point or not bool(((rows >= 0) & (rows < a.shape[1])).all()):
        return seen
    rows, alive = rows.long(), a.any(0)
    for feature, row in enumerate(rows[:, : int(alive.sum())].tolist()):
        if early := [j for j in row if not alive[j]]:
            raise CheckFailed(
                f"{name} chooses latent {early[0]} for feature {feature}; it never fires, and others that do "
                "are not chosen before it.",
                kind="values",
                likely="0 / 0 is NaN, and topk puts NaN first: torch.where(deviation > 0, …, 0.0).",
            )
    scores = torch.tensor(_scores(a, arguments["truth"].cpu()), dtype=torch.float64)
    far = (scores.gather(1, rows) - scores.gather(1, right.cpu())).abs().max()
    twice = any(len(set(row)) < len(row) for row in rows.tolist())
    return seen if twice or far > SAME else right.to(seen.device, seen.dtype)


def _short(seen: Tensor) -> str:
    return str(seen.dtype).removeprefix("torch.")


def _require_whole(seen: Tensor, name: str) -> None:
    if seen.dtype.is_floating_point or seen.dtype == torch.bool:
        raise CheckFailed(
            f"{name} gives the right latents, and dtype {_short(seen)}; whole numbers are wanted.",
            kind="dtype",
        )


def _inputs(case: Case, number: int) -> dict[str, Any]:
    """Latents of very different sizes that fire more often or less where a feature is true."""
    case.sizes |= dict(zip(("n", "d_sae", "features"), SIZES[number], strict=True))
    while True:
        truth = case.uniform("n features", 0.0, 1.0) < case.uniform("features", 0.25, 0.75)
        drive = truth.float() @ case.normal("features d_sae", scale=0.7)
        drive = (drive - drive.mean(0)) / (drive.std(0) + 0.1)
        fires = case.uniform("n d_sae", 0.0, 1.0) < (drive + case.normal("d_sae", scale=0.5)).sigmoid()
        size = (
            case.uniform("n d_sae", 0.3, 1.5) * (0.4 * drive).exp() * case.uniform("d_sae", -1.5, 1.5).exp()
        )
        a = torch.where(fires, size, 0.0)
        dead = torch.randperm(a.shape[1], generator=case.generator)[: DEAD[number]]
        a[:, dead.to(a.device)] = 0.0
        if _is_clear(a, truth, K[number], DEAD[number]):
            return {"a": a, "truth": truth, "k": K[number]}


def _is_clear(a: Tensor, truth: Tensor, k: int, n_dead: int) -> bool:
    """Whether every live latent fires, and not always, in both groups, and no two scores are near."""
    alive, fires = a.any(0), (a > 0).float()
    if int(alive.sum()) != a.shape[1] - n_dead or bool(((truth.sum(0) < 6) | ((~truth).sum(0) < 6)).any()):
        return False
    true, false, n_true, n_false = _sums(fires[:, alive], truth.float())
    if bool(((true < 2) | (false < 2) | (true == n_true) | (false == n_false)).any()):
        return False
    best = _score(a[:, alive], truth.float()).topk(min(k + 1, int(alive.sum())), dim=-1).values
    return bool((best[:, :-1] - best[:, 1:] > GAP).all() & (best > GAP).all())
