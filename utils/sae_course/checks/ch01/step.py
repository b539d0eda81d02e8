"""Check of 1.8 training_step: what it returns, and where all four parameters are afterwards."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..cases import Case, fresh
from ..core import exercise
from ..trial import Function, Trial, name_of
from . import reference
from .reference import LOSS_AXES, OUTPUT_AXES, PARAMETERS, Loss, Output, random_sae

LR = 0.05
Step = Callable[..., Any]


class Auxiliary:
    """One more term of the loss, ``[inst]``; remembers how it was called."""

    def __init__(self) -> None:
        self.calls = 0
        self.problem = ""

    def __call__(self, h: Any, out: Any) -> Tensor:
        self.calls += 1
        if isinstance(out, Tensor) and hasattr(h, "latents"):
            self.problem = "auxiliary is called as auxiliary(h, out): yours has them the other way round."
            h, out = out, h
        elif not isinstance(h, Tensor) or not hasattr(out, "pre_activations"):
            self.problem = (
                "auxiliary is to be called as auxiliary(h, out), with the batch and the whole output."
            )
            return torch.zeros((), requires_grad=True)
        error = (out.reconstruction - 0.5 * h).abs().mean(dim=(0, 2))
        return error + 0.4 * out.pre_activations.pow(2).mean(dim=(0, 2))


def _one_step(  # noqa: PLR0917 - what one step needs
    step: Step, sae: nn.Module, stale: dict[str, Tensor], kind: Any, h: Tensor, l1: float, extra: Any
) -> tuple[Any, dict[str, Tensor]]:
    """What a step function returns, and the parameters after it, from a fresh copy of the SAE."""
    sae = fresh(sae)
    before = dict(sae.named_parameters())
    for name, parameter in before.items():
        parameter.grad = stale[name].clone()
    result = step(sae, kind(sae.parameters(), lr=LR), h, l1, extra)
    return result, {name: before[name].detach().clone() for name in PARAMETERS}


def _terms(sae: nn.Module, h: Tensor, l1: float, extra: Any) -> Tensor:
    out = reference.forward(sae, h)
    total = reference.loss(h, out, l1).total
    return total if extra is None else total + extra(h, out)


def _variant(
    scalar: Callable[[Tensor], Tensor] = torch.sum,
    *,
    zero: bool = True,
    steps: int = 1,
    use: str = "all",
    after: Callable[[Any], None] | None = None,
) -> Step:
    """A training step with slips."""

    def step(sae: Any, optimiser: torch.optim.Optimizer, h: Tensor, l1: float, extra: Any) -> None:
        if zero:
            optimiser.zero_grad()
        if use == "mse":
            total = reference.loss(h, reference.forward(sae, h), l1).mse
        else:
            total = _terms(sae, h, l1, None if use == "no auxiliary" else extra)
        scalar(total).backward()
        for _ in range(steps):
            optimiser.step()
        if after is not None:
            after(sae)

    return step


def _normalise(sae: Any) -> None:
    with torch.no_grad():
        sae.W_dec.copy_(reference.unit(sae.W_dec))


def _repeat(sae: Any, optimiser: torch.optim.Optimizer, h: Tensor, l1: float, extra: Any) -> None:
    for _ in range(2):
        _variant()(sae, optimiser, h, l1, extra)


STEP_MISTAKES: dict[str, Step] = {
    "gradients from earlier were added: call optimiser.zero_grad() before .backward().": _variant(zero=False),
    "nothing moved: is optimiser.step() called, after .backward() and with no zero_grad() between?": _variant(
        steps=0
    ),
    "the mean over instances: each then learns more slowly than it would alone. Use the sum.": _variant(
        torch.mean
    ),
    "only instance 0's loss is used.": _variant(lambda total: total[0]),
    "the product over instances mixes them; use the sum.": _variant(torch.prod),
    "optimiser.step() is called twice.": _variant(steps=2),
    "two whole steps were made on the batch; one is wanted.": _repeat,
    "auxiliary is not part of what is differentiated: add it to the total before .backward().": _variant(
        use="no auxiliary"
    ),
    "only the mse is differentiated; use loss.total.": _variant(use="mse"),
    "the sign is wrong: the loss goes up.": _variant(lambda total: -total.sum()),
    "the decoder was normalised in place after the step; the forward pass does that.": _variant(
        after=_normalise
    ),
}


def _sgd(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=lr)


def _adam(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=lr)


@exercise("1.8", "training_step", minutes=5, hints=1)
def training_step(t: Trial, student: Function) -> None:
    """One update of all four parameters, with SGD and Adam, with and without an auxiliary term."""
    for number, case in enumerate(t.cases(6)):
        _compare(t, student, case, _adam if number in (2, 5) else _sgd, with_auxiliary=number >= 3)


def _compare(t: Trial, student: Function, case: Case, kind: Any, *, with_auxiliary: bool) -> None:
    what = name_of(student)
    sae, h = random_sae(case, 0.7), case.normal("batch inst d_in")
    coefficient = case.number(0.2, 0.6)
    stale = {name: case.normal(axes, scale=0.5) for name, axes in PARAMETERS.items()}
    world = (sae, stale, kind)
    (out, loss), expected = _one_step(
        reference.step, *world, h, coefficient, _fresh_auxiliary(with_auxiliary)
    )

    extra = _fresh_auxiliary(with_auxiliary)

    def learners(own: nn.Module, optimiser: Any, batch: Tensor, l1: float, auxiliary: Any) -> Any:
        arguments = {"sae": own, "optimiser": optimiser, "h": batch, "l1_coefficient": l1}
        if auxiliary is not None:
            arguments["auxiliary"] = auxiliary
        objects = {name: getattr(own, name) for name in PARAMETERS}
        result = t.call(student, arguments, may_change=["sae", "optimiser"])
        for name, parameter in objects.items():
            t.require(
                getattr(own, name, None) is parameter,
                f"{what} put a new tensor in the place of sae.{name}; the optimiser still holds the old one.",
            )
        return result

    result, after = _one_step(learners, *world, h, coefficient, extra)
    if extra is not None:
        t.require(not extra.problem, extra.problem)
        t.require(extra.calls > 0, f"{what} was given auxiliary, and never called it.")
        t.require(extra.calls == 1, f"{what} called auxiliary {extra.calls} times; once is enough.")
    _returned(t, result, out, loss, (expected, h, coefficient, extra), what)
    wrong = {
        sentence: _one_step(step, *world, h, coefficient, _fresh_auxiliary(with_auxiliary))[1]
        for sentence, step in STEP_MISTAKES.items()
        if with_auxiliary or "auxiliary" not in sentence
    }
    for name in ("W_dec", "W_enc", "b_enc", "b_dec"):
        t.require(
            not torch.equal(after[name], fresh(sae).get_parameter(name)) or _all_still(after, sae),
            f"{what} moved some parameters, but not {name}.",
        )
    t.close(after, expected, f"the SAE's parameters after {what}", axes=PARAMETERS, mistakes=wrong, rtol=1e-3)


def _fresh_auxiliary(wanted: bool) -> Auxiliary | None:
    return Auxiliary() if wanted else None


def _all_still(after: dict[str, Tensor], sae: nn.Module) -> bool:
    return all(torch.equal(value, sae.get_parameter(name)) for name, value in after.items())


def _returned(  # noqa: PLR0917
    t: Trial, result: Any, out: Output, loss: Loss, context: tuple[Any, Tensor, float, Any], what: str
) -> None:
    """The output and loss that it returned: those from before the update."""
    expected, h, coefficient, extra = context
    sizes = [expected[name].shape for name in ("b_dec", "b_enc")]
    updated = reference.Parameters(sizes[0][0], sizes[0][1], sizes[1][1], str(h.device))
    updated.load_state_dict(expected)
    later = reference.forward(updated, h)
    later_loss = reference.loss(h, later, coefficient)
    accepted = loss
    if extra is not None and isinstance(result, tuple | list) and len(result) == 2:
        # Whether the returned total includes the auxiliary term is left open: the chapter uses mse and l1
        with_term = loss._replace(total=loss.total + Auxiliary()(h, out))
        total = getattr(result[1], "total", None)
        if isinstance(total, Tensor) and total.shape == loss.total.shape:
            near = torch.allclose(total, with_term.total, rtol=1e-4)
            accepted = with_term if near else loss
    t.close(
        result,
        (out, accepted),
        what,
        axes=(OUTPUT_AXES, LOSS_AXES),
        mistakes={
            "the forward pass after the update was returned; the one from before is wanted.": (
                later,
                later_loss,
            ),
            "the loss from after the update was returned; the one from before is wanted.": (out, later_loss),
            "the output from after the update was returned; the one from before is wanted.": (
                later,
                accepted,
            ),
            "the loss comes first in what is returned; the output is to.": (accepted, out),
        },
    )
