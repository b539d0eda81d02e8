"""One run of a check: what a check's author writes with."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from . import guard
from . import mistakes as naming
from .cases import Case, changed, describe, fresh, make_cases
from .chance import FALSE_ALARM, binomial_bounds, mean_bound
from .compare import Axes, difference
from .failure import CheckFailed
from .gradients import alias, cut_off, gradients
from .mistakes import Mistakes
from .tensors import Rules, shape_difference

Function = Callable[..., Any]
ONCE_IN = f"a right answer falls outside once in {1 / FALSE_ALARM:,.0f} times"


class Trial:
    """Runs a learner's code on random cases and compares it; every slip raises CheckFailed.

    A check's body is given one. ``cases`` makes the inputs, ``against`` does all that is usual (call,
    inputs unchanged, type, shape, dtype, device, values, gradients, likely mistake); ``call``, ``close``,
    ``require`` and the rest are for a check that needs its parts singly.
    """

    def __init__(self, seed: int, device: str, limit: float, things: Sequence[Any]) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        """For the check's own random numbers; on the CPU, so that they are the same everywhere."""
        self.device = device
        self.limit = limit
        """Seconds for the learner's code, over all cases."""
        self.count = 0
        """Cases begun."""
        self.case = ""
        """The inputs of the current case, for the message."""
        self.printed: list[str] = []
        self.shown: dict[str, bool] | None = None
        """Set for a self-test: mistake -> whether it showed on any case."""
        self._label = ""
        self._files = guard.source_files(*things)
        self._spent = 0.0
        self._passed: list[tuple[dict[str, Any], Any]] = []

    def cases(self, number: int, **sizes: int) -> Iterator[Case]:
        """``number`` random cases; ``sizes`` fixes the sizes of some axes."""
        for case in make_cases(number, self.generator, self.device, sizes):
            self.count += 1
            self._label = self.case = case.label
            yield case
        self._label = self.case = ""

    def call(
        self,
        function: Function,
        arguments: dict[str, Any],
        *,
        keywords: dict[str, Any] | None = None,
        may_change: Sequence[str] | bool = False,
    ) -> Any:
        """The learner's result for ``arguments``, passed by position in the dictionary's order.

        The objects themselves are handed over, so that a change that is allowed can be looked at.

        Args:
            keywords: further arguments, passed by name.
            may_change: the names of those that the function is meant to change; True for all.

        Raises:
            CheckFailed: when it raises, hangs, doesn't fit, or changes an input.
        """
        everything = {**arguments, **(keywords or {})}
        self.case = ": ".join(part for part in (self._label or "Inputs", describe(everything)) if part)
        watched = (
            {}
            if may_change is True
            else {key: value for key, value in everything.items() if not (may_change and key in may_change)}
        )
        before = {key: fresh(value) for key, value in watched.items() if _can_change(value)}
        result = self._guarded(function, list(arguments.values()), keywords, list(arguments))
        for key, old in before.items():
            if hit := changed(old, watched[key], key):
                raise CheckFailed(
                    f"{name_of(function)} changed its input {hit}, which its caller may still need.",
                    kind="changed input",
                    likely="an in-place operation (a += b, a[...] = b, a method that ends in an underscore); "
                    "make a new tensor, a = a + b, or begin with a.clone().",
                )
        return result

    def _guarded(
        self,
        function: Function,
        values: list[Any],
        keywords: dict[str, Any] | None = None,
        names: list[str] | None = None,
        name: str = "",
    ) -> Any:
        outcome = guard.call(
            function,
            values,
            keywords,
            name=name or name_of(function),
            names=names,
            seconds=self.limit,
            left=self.limit - self._spent,
            files=self._files,
        )
        self._spent += outcome.seconds
        if outcome.printed:
            self.printed.append(outcome.printed)
        return outcome.value

    def against(
        self,
        function: Function,
        arguments: dict[str, Any],
        reference: Any,
        *,
        axes: Axes = "",
        mistakes: Mistakes | None = None,
        wrt: Sequence[str] = (),
        may_change: Sequence[str] | bool = False,
        own_memory: bool = False,
        any_dtype: bool = False,
        rtol: float = 1e-4,
        atol: float = 2e-5,
        what: str = "",
    ) -> Any:
        """Compare the learner's function with a reference, each on its own copy of ``arguments``.

        Args:
            reference: a function of the same arguments, or the expected value itself.
            axes: names of the result's axes, such as ``"batch inst"`` (a sequence or a dictionary of them
                for several results).
            mistakes: likely mistake, as a sentence -> the function (or value) that makes it. One that
                agrees with the learner's result and not with the right one is named.
            wrt: arguments (``"W_dec"``, or ``"sae.W_dec"`` inside a module) with respect to which the
                gradients of the result must agree too.
            may_change: names of the arguments that the function is meant to change; True for all.
            own_memory: whether the result must not share memory with an input.
            any_dtype, rtol, atol: see `tensors.Rules`.
            what: the result's name in messages; the function's own if not given.

        Returns:
            The learner's result.
        """
        rules = Rules(rtol, atol, any_dtype)
        what = what or name_of(function)
        mistakes = mistakes or {}
        inputs, others = fresh(arguments), fresh(arguments)
        expected = reference(*others.values()) if callable(reference) else reference
        right = gradients(expected, expected, others, wrt) if wrt else {}
        if self.shown is not None:
            for sentence, wrong in mistakes.items():
                if not self.shown.get(sentence):  # once is enough, and some of them are trainings
                    self.shown[sentence] = naming.differs(wrong, arguments, expected, right, rules)

        actual = self.call(function, inputs, may_change=may_change)
        failure = difference(actual, expected, what, axes, rules) or cut_off(actual, expected, what)
        if failure is not None:
            failure.offered = list(mistakes)
            failure.named = naming.likely(mistakes, arguments, actual, expected, self._passed, rules)
            raise failure
        if own_memory and (failure := alias(actual, inputs, what)):
            raise failure
        if wrt:
            # Backward may run the learner's code, too: a torch.autograd.Function of their own.
            seen = self._guarded(gradients, [actual, expected, inputs, wrt], name=f"The gradient of {what}")
            self._compare_gradients(seen, right, expected, arguments, mistakes, what)
        self._passed.append((arguments, actual))
        return actual

    def _compare_gradients(  # noqa: PLR0917
        self,
        seen: dict[str, Tensor | None],
        right: dict[str, Tensor | None],
        expected: Any,
        arguments: dict[str, Any],
        mistakes: Mistakes,
        what: str,
    ) -> None:
        for key, wanted in right.items():
            got = seen[key]
            if naming.same_gradient(got, wanted):
                continue
            if got is None:
                failure = CheckFailed(
                    f"{what} gives the right values, but no gradient flows back to {key}.",
                    kind="no gradient",
                    likely=".detach(), .data or torch.no_grad() on the way.",
                )
            elif wanted is None or not bool(wanted.any()):
                failure = CheckFailed(
                    f"{what} gives the right values, but a gradient flows back to {key}, and none should.",
                    kind="gradient",
                    likely="a .detach() is missing.",
                )
            else:
                failure = difference(got, wanted, "its gradient", "", naming.GRADIENT_RULES) or CheckFailed(
                    ""
                )
                failure.problem = (
                    f"{what} gives the right values, but with respect to {key}, {failure.problem}"
                )
                failure.kind = "gradient"
                failure.likely = failure.likely or ".detach() or .data on one of several ways back."
            failure.offered = list(mistakes)
            failure.named = naming.likely_gradient(mistakes, arguments, seen, expected)
            raise failure

    def close(
        self,
        actual: Any,
        expected: Any,
        what: str,
        *,
        axes: Axes = "",
        mistakes: Mistakes | None = None,
        likely: str = "",
        any_dtype: bool = False,
        rtol: float = 1e-4,
        atol: float = 2e-5,
    ) -> None:
        """Compare two values; ``mistakes`` maps a sentence to the wrong value that it explains."""
        rules = Rules(rtol, atol, any_dtype)
        if failure := difference(actual, expected, what, axes, rules):
            failure.offered = list(mistakes or {})
            failure.named = naming.likely(mistakes or {}, {}, actual, expected, [], rules)
            failure.likely = likely or failure.likely
            raise failure

    def require(self, condition: Any, problem: str, *, likely: str = "", kind: str = "requirement") -> None:
        """Fail with ``problem`` unless ``condition`` holds."""
        if not bool(condition):
            raise CheckFailed(problem, kind=kind, likely=likely)

    def parameters(self, module: Any, shapes: dict[str, tuple[str, tuple[int, ...]]]) -> None:
        """Require trainable parameters: name -> axes and shape, ``{"W_enc": ("d_in d_sae", (3, 7))}``."""
        kind = type(module).__name__
        self.require(isinstance(module, nn.Module), f"{kind} is no torch module.", kind="parameters")
        for name, (axes, shape) in shapes.items():
            value: Any = getattr(module, name, None)
            self.require(value is not None, f"{kind} has no {name}.", kind="parameters")
            self.require(
                isinstance(value, nn.Parameter) and value.requires_grad,
                f"{kind}.{name} is no trainable parameter: an optimizer won't move it.",
                likely="nn.Parameter(...) around the tensor is missing.",
                kind="parameters",
            )
            if failure := shape_difference(value, shape, f"{kind}.{name}", axes):
                raise failure

    def rate(self, count: int, n: int, p: float, what: str, *, likely: str = "") -> None:
        """Require ``count`` of ``n`` independent tries to fit probability ``p``, at `chance.FALSE_ALARM`."""
        least, most = binomial_bounds(n, p)
        self.require(
            least <= count <= most,
            f"{what} is {count / n:.4g} (in {n} tries); expected {p:.4g}: between {least / n:.4g} and "
            f"{most / n:.4g} ({ONCE_IN}).",
            kind="chance",
            likely=likely,
        )

    def mean(self, values: Tensor, expected: float, sd: float, what: str, *, likely: str = "") -> None:
        """Require the mean of independent ``values`` to fit, at `chance.FALSE_ALARM`."""
        bound = mean_bound(values.numel(), sd)
        seen = float(values.double().mean())
        self.require(
            abs(seen - expected) <= bound,
            f"{what} is {seen:.4g} on average (over {values.numel()} values); expected {expected:.4g} ± "
            f"{bound:.2g} ({ONCE_IN}).",
            kind="chance",
            likely=likely,
        )


def name_of(function: Any) -> str:
    """What to call a learner's function."""
    name = str(getattr(function, "__name__", type(function).__name__))
    return "your function" if name == "<lambda>" else name


def _can_change(value: Any) -> bool:
    return isinstance(value, Tensor | nn.Module | dict | list | tuple | set) or hasattr(value, "__array__")
