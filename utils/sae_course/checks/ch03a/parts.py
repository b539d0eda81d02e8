"""Checks of 3a.4 to 3a.6: the activations' scale, TopK, and the learning rate over the steps."""

import math

import torch
from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from . import reference


def _scale(activations: Tensor) -> float:
    return math.sqrt(activations.shape[1]) / float(activations.norm(dim=1).mean())


SCALE_MISTAKES = {
    "the inverse: it is what activations are *multiplied* by, wanted norm over mean norm.": (
        lambda x: 1 / _scale(x)
    ),
    "d_in without its square root.": lambda x: _scale(x) * math.sqrt(x.shape[1]),
    "sqrt(d_in) is missing: the norms become 1 on average.": lambda x: _scale(x) / math.sqrt(x.shape[1]),
    "sqrt(n) where sqrt(d_in) belongs: the number of entries, not of activations.": (
        lambda x: _scale(x) * math.sqrt(x.shape[0] / x.shape[1])
    ),
    "one over the standard deviation; the mean norm is wanted.": lambda x: 1 / float(x.std()),
    "the norm of the mean activation; the mean of the activations' norms is wanted.": (
        lambda x: math.sqrt(x.shape[1]) / float(x.mean(0).norm())
    ),
    "the root of the mean *squared* norm; the mean norm itself is smaller where norms are uneven.": (
        lambda x: math.sqrt(x.shape[1]) / float(x.norm(dim=1).pow(2).mean().sqrt())
    ),
    "the mean squared norm; the norms' mean is wanted.": (
        lambda x: math.sqrt(x.shape[1]) / float(x.norm(dim=1).pow(2).mean())
    ),
    "norms over the wrong axis: one for each activation, dim=1.": (
        lambda x: math.sqrt(x.shape[1]) / float(x.norm(dim=0).mean())
    ),
    "the norm of all activations together; one for each activation, dim=1.": (
        lambda x: math.sqrt(x.shape[1]) / float(x.norm())
    ),
    "the mean of sqrt(d_in) / norm; the mean norm goes below the line.": (
        lambda x: math.sqrt(x.shape[1]) * float((1 / x.norm(dim=1)).mean())
    ),
    "the median norm; the mean norm is wanted.": (
        lambda x: math.sqrt(x.shape[1]) / float(x.norm(dim=1).median())
    ),
    "the mean was taken off first: the activations are scaled as they are.": lambda x: _scale(x - x.mean(0)),
}


@exercise("3a.4", "activation_scale", minutes=3, hints=1)
def activation_scale(t: Trial, student: Function) -> None:
    """The factor that gives activations of uneven norms a mean norm of sqrt(d_in)."""
    for case in t.cases(6, n=29):
        lengths = torch.tensor([0.5, 1.0, 4.0], device=case.device)[case.integers("n 1", 0, 3)]
        x = (case.normal("n d_in") + case.normal("1 d_in")) * lengths * case.number(0.3, 3.0)
        t.against(student, {"activations": x}, _scale, mistakes=SCALE_MISTAKES)


def _kept(pre: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest, in their places with 0 elsewhere, and the smallest of them; no ReLU."""
    values, places = pre.topk(k, dim=-1)
    return torch.zeros_like(pre).scatter(-1, places, values), values[..., -1:]


def _over_all(pre: Tensor, k: int) -> Tensor:
    count = min(k * (pre.numel() // pre.shape[-1]), pre.numel())
    return reference.topk(pre.reshape(-1), count).reshape(pre.shape)


TOPK_MISTAKES = {
    "negative ones among the k largest are kept: they are to be 0 (ReLU).": lambda pre, k: _kept(pre, k)[0],
    "the k largest by absolute value; by value.": (lambda pre, k: reference.topk(pre.abs(), k).ne(0) * pre),
    "the k largest by absolute value, then ReLU; by value.": (
        lambda pre, k: (reference.topk(pre.abs(), k).ne(0) * pre).relu()
    ),
    "the absolute values; pre-activations below 0 are to be 0.": lambda pre, k: reference.topk(pre.abs(), k),
    "the largest of the whole batch are kept (that is BatchTopK); k of each row.": _over_all,
    "only k are kept in the whole batch; k of each row, dim=-1.": (
        lambda pre, k: reference.topk(pre.reshape(-1), k).reshape(pre.shape)
    ),
    "the k largest along axis 0; along the last, dim=-1.": (
        lambda pre, k: reference.topk(pre.movedim(0, -1), min(k, len(pre))).movedim(-1, 0)
    ),
    "only the k values are returned; put them where they were, zeros elsewhere.": (
        lambda pre, k: pre.topk(k, dim=-1).values.relu()
    ),
    "only the k values are returned, with negative ones; put them where they were, zeros elsewhere.": (
        lambda pre, k: pre.topk(k, dim=-1).values
    ),
    "the k values stand in the first places; put them where they were.": (
        lambda pre, k: torch.cat([pre.topk(k, dim=-1).values.relu(), torch.zeros_like(pre[..., k:])], dim=-1)
    ),
    "this is ReLU alone; k is not used.": lambda pre, k: pre.relu(),
    "only k - 1 are kept: the k-th largest itself stays, >=.": (
        lambda pre, k: pre.relu() * (pre > _kept(pre, k)[1])
    ),
    "k + 1 are kept.": lambda pre, k: reference.topk(pre, min(k + 1, pre.shape[-1])),
    "the k smallest are kept: the k largest are wanted.": lambda pre, k: -_kept(-pre, k)[0],
    "the k smallest are kept, then ReLU: the k largest are wanted.": lambda pre, k: (
        -_kept(-pre, k)[0]
    ).relu(),
    "this is the mask of what is kept; the values are wanted.": (
        lambda pre, k: (reference.topk(pre, k) > 0).float()
    ),
    "the k-th largest was subtracted from what is kept.": (lambda pre, k: (pre - _kept(pre, k)[1]).relu()),
}


def _pre_activations(case: Case, axes: str) -> Tensor:
    """Mostly negative in some rows, so that fewer than k are positive there."""
    pre = case.normal(axes)
    if pre.ndim > 1:
        pre = pre + torch.tensor([0.6, -0.4, -1.4], device=pre.device)[case.integers("1", 0, 3)]
        pre[..., 0, :] -= 1.5
    return pre.requires_grad_()


@exercise("3a.5", "topk", minutes=4, hints=2)
def topk(t: Trial, student: Function) -> None:
    """Values and gradients: one to three axes, rows with fewer than k positives, k from 1 to d_sae."""
    every = ("batch d_sae", "batch d_sae", "rows pos d_sae", "batch d_sae", "d_sae", "batch d_sae")
    for case, axes, k in zip(
        t.cases(len(every), d_sae=17, batch=11), every, (4, 1, 3, 2, 5, 17), strict=True
    ):
        t.against(
            student,
            {"pre_activations": _pre_activations(case, axes), "k": k},
            reference.topk,
            axes=axes,
            wrt=["pre_activations"],
            mistakes=TOPK_MISTAKES,
        )


def _up(step: int, warm_up: int) -> float:
    return min(1.0, (step + 1) / warm_up) if warm_up else 1.0


def _down(step: int, n_steps: int, decay: int) -> float:
    return min(1.0, (n_steps - step) / decay) if decay else 1.0


FACTOR_MISTAKES = {
    "the first steps' rate is 0: step counts from 0, so (step + 1) / warm_up.": (
        lambda step, n, up, down: min(step / up if step < up else 1.0, _down(step, n, down))
    ),
    "it falls to 0 one step early: the last step is n_steps - 1, and (n_steps - step) / decay there is "
    "1 / decay.": lambda step, n, up, down: min(
        _up(step, up), max(n - 1 - step, 0) / down if down and step >= n - down else 1.0
    ),
    "brackets are missing: step + 1 / warm_up is step + (1 / warm_up).": (
        lambda step, n, up, down: step + 1 / up if step < up else _down(step, n, down)
    ),
    "there is no decay: it falls over the last `decay` steps.": lambda step, n, up, down: _up(step, up),
    "there is no warm-up: it rises over the first `warm_up` steps.": (
        lambda step, n, up, down: _down(step, n, down)
    ),
    "it goes on rising above 1 after the warm-up: min(1, ...).": (
        lambda step, n, up, down: min((step + 1) / up, n) if up else 1.0
    ),
    "it starts above 1 before the decay: min(1, ...).": lambda step, n, up, down: (
        (n - step) / down if down and step >= up else _up(step, up)
    ),
    "it falls from the end of the warm-up on; only over the last `decay` steps.": (
        lambda step, n, up, down: _up(step, up) if step < up or not down else (n - step) / (n - up)
    ),
    "it falls over the first `decay` steps after the warm-up; over the last ones.": (
        lambda step, n, up, down: _up(step, up) if step < up or not down else max(0.0, 1 - (step - up) / down)
    ),
    "where rise and fall meet, the two are multiplied; the smaller of the two is wanted.": (
        lambda step, n, up, down: _up(step, up) * _down(step, n, down)
    ),
    "where rise and fall meet, the rise goes first; the smaller of the two is wanted.": (
        lambda step, n, up, down: _up(step, up) if step < up else _down(step, n, down)
    ),
    "where rise and fall meet, the fall goes first; the smaller of the two is wanted.": (
        lambda step, n, up, down: _down(step, n, down) if step >= n - down else _up(step, up)
    ),
    "the fall is upside down: it rises over the last `decay` steps.": lambda step, n, up, down: min(
        _up(step, up), (step - (n - down) + 1) / down if down and step >= n - down else 1.0
    ),
    "it falls like a cosine; in a straight line.": lambda step, n, up, down: min(
        _up(step, up), 0.5 * (1 - math.cos(math.pi * _down(step, n, down)))
    ),
}


@exercise("3a.6", "learning_rate_factor", minutes=3, hints=1)
def learning_rate_factor(t: Trial, student: Function) -> None:
    """Every step of several schedules: with both parts, one, none, and with parts that overlap."""
    schedules = [(23, 5, 8), (17, 0, 6), (19, 7, 0), (11, 0, 0), (20, 14, 13), (13, 1, 4)]
    for case, (n_steps, warm_up, decay) in zip(t.cases(len(schedules)), schedules, strict=True):
        more = int(case.integers("1", 0, 4))
        for step in range(n_steps + more):
            t.against(
                student,
                {"step": step, "n_steps": n_steps + more, "warm_up": warm_up, "decay": decay},
                reference.learning_rate_factor,
                mistakes=FACTOR_MISTAKES,
            )
