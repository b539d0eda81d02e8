"""Bank for 5.1 head_scores."""

from typing import NamedTuple

import torch
from bank import Bank

from sae_course.checks.ch05 import heads

scores = Bank(heads.head_scores)


class HeadScores(NamedTuple):
    """As in the chapter."""

    previous: torch.Tensor
    induction: torch.Tensor


def diagonal(pattern, back):
    return pattern.diagonal(-back, dim1=-2, dim2=-1)


def mean(entries):
    return entries.mean(dim=(0, 2))


def previous(pattern):
    return mean(diagonal(pattern, 1))


def induction(pattern, period):
    return mean(diagonal(pattern, period - 1)[..., 2:])


@scores.right
def two_diagonals(pattern, period):
    return HeadScores(previous(pattern), induction(pattern, period))


@scores.right
def plain_tuple_of_last_entries(pattern, period):
    pattern = pattern.mean(dim=0)
    return diagonal(pattern, 1).mean(-1), diagonal(pattern, period - 1)[:, -period:].mean(-1)


@scores.right
def masks(pattern, period):
    pos = torch.arange(pattern.shape[-1], device=pattern.device)
    back = pos[:, None] - pos
    second = (pos > period)[:, None]
    one, followed = (back == 1).float(), ((back == period - 1) & second).float()
    count = len(pattern) * torch.stack([one.sum(), followed.sum()])
    sums = torch.einsum("rhts,nts->nh", pattern, torch.stack([one, followed])) / count[:, None]
    return HeadScores(*sums)


@scores.right
def loop_over_places(pattern, period):
    before = [pattern[:, :, q, q - 1] for q in range(1, 2 * period + 1)]
    followed = [pattern[:, :, q, q - period + 1] for q in range(period + 1, 2 * period + 1)]
    return HeadScores(torch.stack(before).mean(0).mean(0), torch.cat(followed).mean(0))


@scores.right
def sliced_then_diagonal(pattern, period):
    return [
        mean(pattern[:, :, 1:, :-1].diagonal(0, -2, -1)),
        mean(pattern[:, :, period + 1 :, 2 : period + 2].diagonal(0, -2, -1)),
    ]


def slip(name, message, *, before=None, followed=None):
    """Right but for one of the two, or both: functions of the pattern and the period."""

    def variant(pattern, period):
        return HeadScores(
            before(pattern, period) if before else previous(pattern),
            followed(pattern, period) if followed else induction(pattern, period),
        )

    variant.__name__ = name
    scores.wrong(message)(variant)


# The entries of either score, for slips in what is done with them.
BEFORE, FOLLOWED = (lambda p, n: diagonal(p, 1)), (lambda p, n: diagonal(p, n - 1)[..., 2:])

slip("itself", r"previous, output 1(.|\n)*looks at itself", before=lambda p, n: mean(diagonal(p, 0)))
slip(
    "place_0_from_the_end",
    "index −1 is the last place",
    before=lambda p, n: torch.stack([p[:, :, q, q - 1] for q in range(p.shape[2])]).mean(dim=(0, 1)),
)
slip("bos_left_out", "first word was left out; BOS", before=lambda p, n: mean(diagonal(p, 1)[..., 1:]))
slip(
    "word_itself_last_time",
    r"induction, output 2(.|\n)*itself in the first list",
    followed=lambda p, n: mean(diagonal(p, n)[..., 1:]),
)
slip("before_it_last_time", "what came before it", followed=lambda p, n: mean(diagonal(p, n + 1)))
slip("whole_diagonal", "two places before the second", followed=lambda p, n: mean(diagonal(p, n - 1)))
slip("one_too_many", "one place before the second", followed=lambda p, n: mean(diagonal(p, n - 1)[..., 1:]))
slip(
    "no_bos",
    "places period to 2 period − 1",
    followed=lambda p, n: mean(diagonal(p[:, :, : 2 * n, : 2 * n], n - 1)[..., 1:]),
)
slip(
    "last_left_out", "place 2 period, was left out", followed=lambda p, n: mean(diagonal(p, n - 1)[..., 2:-1])
)
slip("diagonal_above", "to and from are swapped", before=lambda p, n: mean(diagonal(p, -1)))
slip("padded", "were counted as 0", before=lambda p, n: diagonal(p, 1).sum(dim=(0, 2)) / p[:, 0, 0].numel())
slip(
    "whole_pattern",
    r"induction, output 2(.|\n)*same for every head",
    followed=lambda p, n: p.mean(dim=(0, 2, 3)),
)
slip(
    "summed",
    "sum over rows and places",
    before=lambda p, n: BEFORE(p, n).sum(dim=(0, 2)),
    followed=lambda p, n: FOLLOWED(p, n).sum(dim=(0, 2)),
)
slip(
    "largest",
    "this is the largest entry",
    before=lambda p, n: BEFORE(p, n).amax(dim=(0, 2)),
    followed=lambda p, n: FOLLOWED(p, n).amax(dim=(0, 2)),
)
slip(
    "heads_averaged",
    "heads were averaged and the rows kept",
    before=lambda p, n: BEFORE(p, n).mean(dim=(1, 2)),
    followed=lambda p, n: FOLLOWED(p, n).mean(dim=(1, 2)),
)
slip(
    "rows_kept",
    r"axis too many, of size \d at position 0",
    before=lambda p, n: BEFORE(p, n).mean(dim=-1),
    followed=lambda p, n: FOLLOWED(p, n).mean(dim=-1),
)
slip("last_axes", "expected \\[head\\]", followed=lambda p, n: p.diagonal(1 - n)[..., 2:].mean(dim=(0, 2)))


@scores.wrong("previous-token score comes first")
def the_other_way_round(pattern, period):
    return induction(pattern, period), previous(pattern)


@scores.wrong("returned a tensor .*; expected a tuple of 2")
def stacked(pattern, period):
    return torch.stack(two_diagonals(pattern, period))


@scores.wrong("changed its input pattern")
def first_place_cleared(pattern, period):
    pattern[:, :, 0] = 0
    return two_diagonals(pattern, period)
