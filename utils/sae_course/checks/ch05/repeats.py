"""Check of 5.4 repeat_scores: which latents fire on the second list and not on the first."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor, Tensor], Tensor]
Mean = Callable[[Tensor, Tensor], Tensor]


def _mean(latents: Tensor, mask: Tensor) -> Tensor:
    """The mean over a mask's tokens, one after the other."""
    total, count = torch.zeros(latents.shape[-1], dtype=torch.float64, device=latents.device), 0
    for row, place in mask.nonzero().tolist():
        total, count = total + latents[row, place].double(), count + 1
    return total / count


def _contrast(f: Tensor, s: Tensor, silent: float = 0.0) -> Tensor:
    return torch.where(s + f > 0, (s - f) / (s + f), silent).float()


def _scores(latents: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return _contrast(_mean(latents, first), _mean(latents, second))


def _over(mean: Mean) -> Rule:
    """Right, with something else for the mean."""
    return lambda latents, first, second: _contrast(mean(latents, first), mean(latents, second))


def _of(rule: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Another contrast of the right means, f and s."""
    return lambda latents, first, second: rule(_mean(latents, first), _mean(latents, second)).float()


def _by_row(latents: Tensor, mask: Tensor) -> Tensor:
    """The mean of each row, for rows that have any: ``[row d_sae]``; NaN for the others."""
    return (latents.double() * mask[..., None]).sum(1) / mask.sum(1)[:, None]


def _where_it_fires(latents: Tensor, mask: Tensor) -> Tensor:
    chosen = latents[mask].double()
    return chosen.sum(0) / (chosen > 0).sum(0).clamp(min=1)


def _row_scores(latents: Tensor, first: Tensor, second: Tensor) -> Tensor:
    f, s = _by_row(latents, first), _by_row(latents, second)
    return _contrast(f, s).mean(0)


MISTAKES: dict[str, Rule] = {
    "sums, or means over all tokens: divide each sum by the number of tokens where its own mask is true.": (
        _over(lambda latents, mask: latents[mask].double().sum(0))
    ),
    "f and s have changed places: s is the mean where `second` is true.": _of(
        lambda f, s: _contrast(s, f),
    ),
    "this is s/(s + f); above stands s − f.": _of(lambda f, s: torch.where(s + f > 0, s / (s + f), 0.0)),
    "this is s − f alone; it is to be divided by s + f.": _of(lambda f, s: s - f),
    "this is the ratio s/f; (s − f)/(s + f) is wanted.": _of(lambda f, s: s / f),
    "this is divided by the larger of the two; by their sum, s + f.": _of(
        lambda f, s: torch.where(s + f > 0, (s - f) / torch.maximum(s, f), 0.0)
    ),
    "the sign is lost: a latent that fires on the first list alone has −1.": _of(
        lambda f, s: _contrast(f, s).abs()
    ),
    "how often a latent fires is counted, not how strongly: take means of the activations.": _over(
        lambda latents, mask: (latents[mask] > 0).double().mean(0)
    ),
    "the mean over the tokens where the latent fires; where the mask is true, silent ones count too.": _over(
        _where_it_fires
    ),
    "each row's mean was averaged; rows differ in how many tokens they have: one mean over all tokens of a "
    "mask.": _over(lambda latents, mask: _by_row(latents, mask).mean(0)),
    "each row has a score here, and they were averaged; one score is wanted, from two means over all "
    "rows.": _row_scores,
    "f is the mean over all tokens that are not in `second`; BOS and others are in neither mask.": (
        lambda latents, first, second: _scores(latents, ~second, second)
    ),
    "s is the mean over all tokens that are not in `first`; BOS and others are in neither mask.": (
        lambda latents, first, second: _scores(latents, first, ~first)
    ),
    "a latent that is silent on both gives 0/0; 0 is wanted.": _of(
        lambda f, s: _contrast(f, s, float("nan"))
    ),
}


@exercise("5.4", "repeat_scores", minutes=4, hints=1)
def repeat_scores(t: Trial, student: Function) -> None:
    """Uneven masks, and tokens in neither, where latents are strong; then rows without, and silence."""
    for number, case in enumerate(t.cases(4)):
        case.sizes.update(rows=5, pos=17)
        first, second = _masks(case, empty_rows=number > 0)
        latents = _latents(case, first, second)
        if number > 1:
            latents[..., 0] *= ~(first | second)  # silent on both, and strong elsewhere
            latents[..., 1] *= ~first
            latents[..., 2] *= ~second
        arguments = {"latents": latents, "first": first, "second": second}
        t.against(student, arguments, _scores, axes="d_sae", mistakes=MISTAKES)


def _masks(case: Case, *, empty_rows: bool) -> tuple[Tensor, Tensor]:
    """Two masks without a token in common, BOS in neither; each row has its own share of both."""
    kind = case.uniform("rows pos", 0.0, 1.0)
    often, seldom = case.uniform("rows 1", 0.3, 0.6), case.uniform("rows 1", 0.1, 0.3)
    first, second = kind < often, kind > 1 - seldom
    first[:, 1:4] = torch.tensor([True, False, False], device=case.device)
    second[:, 1:4] = torch.tensor([False, True, False], device=case.device)
    first[0, 5:9], second[0, 5:9] = True, False  # uneven in any case
    first[:, 0] = second[:, 0] = False
    if empty_rows:
        first[1] = second[2] = False
    return first, second


def _latents(case: Case, first: Tensor, second: Tensor) -> Tensor:
    """Activations, some of them 0, of latents that prefer one list or the other; rows differ in strength."""
    prefers = case.uniform("1 1 d_sae", 0.2, 1.8)
    level = torch.where(first[..., None], 2 - prefers, torch.where(second[..., None], prefers, 4.0))
    return level * (case.normal("rows pos d_sae") + 0.8).relu() * case.uniform("rows 1 1", 0.3, 3.0)
