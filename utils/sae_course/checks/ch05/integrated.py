"""Check of 5.7 integrated_gradients: gradients along the way from nothing to everything."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case, fresh
from ..core import exercise
from ..failure import CheckFailed
from ..gradients import finite_differences
from ..trial import Function, Trial

Scalar = Callable[[Tensor], Tensor]
Rule = Callable[[Scalar, Tensor, int], Tensor]
Way = Callable[[int], list[float]]
"""Where on the way from 0 to a, for a number of steps."""


def _middles(steps: int) -> list[float]:
    return [(k - 0.5) / steps for k in range(1, steps + 1)]


def _integrated(f: Scalar, a: Tensor, steps: int) -> Tensor:
    """By differences in float64: nothing of autograd."""
    with torch.no_grad():
        gradients = [finite_differences(f, share * a.detach()) for share in _middles(steps)]
        return (a * torch.stack(gradients).mean(0)).float()


def _gradients(f: Scalar, a: Tensor, way: list[float]) -> tuple[Tensor, Tensor]:
    """Shares of the way ``[point 1]``, and the gradients there ``[point n]``; fast, for the slips."""
    share = torch.tensor(way, dtype=torch.float64, device=a.device)[:, None]
    return share, torch.func.vmap(torch.func.grad(f))(share * a.detach())


def _along(way: Way) -> Rule:
    """Right, at other points."""
    return lambda f, a, steps: (a.detach() * _gradients(f, a, way(steps))[1].mean(0)).float()


def _of(rule: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Rule:
    """Something else made of a, the right gradients and their shares of the way."""

    def wrong(f: Scalar, a: Tensor, steps: int) -> Tensor:
        share, gradients = _gradients(f, a, _middles(steps))
        return rule(a.detach(), gradients, share).float()

    return wrong


def _ends(n: int) -> list[float]:
    return [k / n for k in range(1, n + 1)]


def _beginnings(n: int) -> list[float]:
    return [k / n for k in range(n)]


def _trapezoid(f: Scalar, a: Tensor, steps: int) -> Tensor:
    return (_along(_ends)(f, a, steps) + _along(_beginnings)(f, a, steps)) / 2


MISTAKES: dict[str, Rule] = {
    "the gradients are taken at the end of each step, k/n; in its middle, (k − ½)/n.": _along(_ends),
    "the gradients are taken at the beginning of each step, (k − 1)/n; in its middle, (k − ½)/n.": _along(
        _beginnings
    ),
    "each step's two ends were averaged (the trapezoidal rule); take the one in its middle.": _trapezoid,
    "n points from 0 to 1, both ends among them (linspace); the middle of each step is (k − ½)/n.": _along(
        lambda n: torch.linspace(0, 1, n).tolist()
    ),
    "n + 1 points from 0 to 1, both ends among them; n middles are wanted, (k − ½)/n.": _along(
        lambda n: torch.linspace(0, 1, n + 1).tolist()
    ),
    "k begins at 0 here: the middle is (k + ½)/n then; (k − ½)/n is for k from 1.": _along(
        lambda n: [(k - 0.5) / n for k in range(n)]
    ),
    "k begins at 1 here: the middle is (k − ½)/n then; (k + ½)/n is for k from 0.": _along(
        lambda n: [(k + 0.5) / n for k in range(1, n + 1)]
    ),
    "this is a times the gradient at a itself; take gradients on the way from 0 to a.": _along(
        lambda n: [1.0]
    ),
    "one gradient alone, half way; take one in each of the n steps.": _along(lambda n: [0.5]),
    "the gradients' mean is not multiplied by a.": _of(lambda a, gradients, share: gradients.mean(0)),
    "the gradients are summed; their mean is wanted: divide by n.": _of(
        lambda a, gradients, share: a * gradients.sum(0)
    ),
    "(k − ½)/n comes in once too often: either the point multiplies its gradient, where a should, or the "
    "gradient is taken with respect to a, and not to the point.": _of(
        lambda a, gradients, share: a * (share * gradients).mean(0)
    ),
    "each step's gradient has those before it in it: backward() adds to .grad. Take a new leaf for each "
    "step, or torch.autograd.grad.": _of(lambda a, gradients, share: a * gradients.cumsum(0).mean(0)),
    "each step's gradient has those before it in it (backward() adds to .grad), and is taken with respect to "
    "a, not to the point: a new leaf for each step.": _of(
        lambda a, gradients, share: a * (share * gradients).cumsum(0).mean(0)
    ),
}


@exercise("5.7", "integrated_gradients", minutes=8, hints=1)
def integrated_gradients(t: Trial, student: Function) -> None:
    """Functions that saturate on the way, few steps; once, a requires a gradient itself."""
    kinds = (_attention, _gate, _bump, _attention)
    for number, case in enumerate(t.cases(4)):
        case.sizes["n"] = (7, 5, 11, 3)[number]
        a = case.normal("n", grad=number == 1)
        arguments = {"f": kinds[number](case), "a": a, "steps": (3, 5, 2, 1)[number]}
        try:
            t.against(student, arguments, _integrated, axes="n", mistakes=MISTAKES)
        except CheckFailed as failure:
            if failure.kind == "raised" and number == 1:
                failure.likely = (
                    "here a requires a gradient itself, so what is made of it is no leaf: "
                    "(... * a).detach().requires_grad_() is one."
                )
            raise
        if number == 0:
            _plain(t, student, arguments)


def _plain(t: Trial, student: Function, arguments: dict[str, Any]) -> None:
    """From an `a` without gradients comes a result without, and `a` stays as it is."""
    given = fresh(arguments)
    result = t.call(student, given)
    t.require(
        not given["a"].requires_grad,
        "after integrated_gradients, its input a requires a gradient: it didn't before.",
        kind="changed input",
        likely="a.requires_grad_(); make a new leaf for each step, (... * a).detach().requires_grad_().",
    )
    t.require(
        not result.requires_grad,
        "integrated_gradients gives the right values, but they require a gradient, though a doesn't: every "
        "step's graph is kept.",
        kind="attached",
        likely="create_graph=True, or a .detach() is missing.",
    )


def _vector(x: Tensor) -> Tensor:
    """`x`, where it is a single vector: of a batch, f could not give one number each."""
    if x.dim() != 1:
        raise ValueError(f"f takes one vector [n] at a time, and was given {tuple(x.shape)}")
    return x


def _attention(case: Case) -> Scalar:
    """A head that looks at one of three places nearly alone when a is on."""
    keys, values, bias = case.normal("3 n", scale=1.2), case.normal("3 n"), case.normal("3")

    def f(x: Tensor) -> Tensor:
        pattern = (keys.to(x.dtype) @ _vector(x) + bias.to(x.dtype)).softmax(0)
        return pattern @ (values.to(x.dtype) @ x)

    return f


def _gate(case: Case) -> Scalar:
    """One reading, let through by another."""
    gate, read, bias = case.normal("n"), case.normal("n"), case.number(0.3, 0.9)

    def f(x: Tensor) -> Tensor:
        return (gate.to(x.dtype) @ _vector(x) * 2 - bias).sigmoid() * (read.to(x.dtype) @ x + 1)

    return f


def _bump(case: Case) -> Scalar:
    """A product of neighbours under tanh, plus a square."""
    weights, bias = case.normal("n"), case.normal("n")

    def f(x: Tensor) -> Tensor:
        bent = (weights.to(x.dtype) * _vector(x) + bias.to(x.dtype)).tanh()
        return (bent * bent.roll(1)).sum() + (weights.to(x.dtype) @ x).pow(2) / 5

    return f
