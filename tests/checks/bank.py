"""Banks: for each check, right answers that must pass and wrong ones that must fail with the right message.

A chapter's banks stand in ``bank_chNN.py``, or in several files ``bank_chNN_part.py``:

    loss = Bank(check.loss)

    @loss.right
    def with_einsum(x, W_enc): ...

    @loss.wrong("summed over d_in")          # a regular expression that the message must match
    def sum_for_mean(x, W_enc): ...

``test_banks.py`` runs them all, with some slips that any learner can make added to each.
"""

import importlib
import pkgutil
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import sae_course.checks
from sae_course.checks.core import Check
from sae_course.checks.failure import CheckFailed

LEAST_RIGHT, LEAST_WRONG = 2, 6
SEEDS = range(5)
BANKS: dict[str, "Bank"] = {}


@dataclass
class Tally:
    """What the terminal's summary says."""

    wrong: int = 0
    caught: int = 0
    slowest: dict[str, float] = field(default_factory=dict)


TALLY = Tally()


def summary(tallies: list[dict[str, Any]]) -> list[str]:
    """The summary's lines, from one tally, or one of each worker, as dictionaries."""
    wrong, caught = (sum(one[name] for one in tallies) for name in ("wrong", "caught"))
    slowest = [item for one in tallies for item in one["slowest"].items()]
    lines = [f"checks: {caught} of {wrong} wrong variants caught"] if wrong else []
    if wrong and slowest:
        number, seconds = max(slowest, key=lambda item: item[1])
        lines.append(f"checks: the slowest, {number}, took {seconds:.2f} s on a right variant")
    return lines


@dataclass
class Wrong:
    """A wrong answer, and what its message must match."""

    variant: Any
    message: str


class Bank:
    """The right and wrong answers for one check."""

    def __init__(self, check: Check, register: bool = True) -> None:
        self.check = check
        self.rights: dict[str, Any] = {}
        self.wrongs: dict[str, Wrong] = {}
        if register:
            assert check.number not in BANKS, f"two banks for {check!r}"
            BANKS[check.number] = self

    def right(self, variant: Any) -> Any:
        """Add a right answer (a decorator)."""
        self.rights[_free_name(variant, self.rights)] = variant
        return variant

    def wrong(self, message: str) -> Callable[[Any], Any]:
        """Add a wrong answer whose message must match ``message`` (a decorator)."""

        def add(variant: Any) -> Any:
            self.wrongs[_free_name(variant, self.wrongs)] = Wrong(variant, message)
            return variant

        return add


def _free_name(variant: Any, taken: dict[str, Any]) -> str:
    name = getattr(variant, "__name__", type(variant).__name__)
    assert name not in taken, f"two variants are called {name}"
    return name


def checks_in(module: Any) -> list[Check]:
    """The checks that a module exports."""
    return [value for name, value in vars(module).items() if isinstance(value, Check) and name[0] != "_"]


def all_checks() -> list[Check]:
    """Every check of every chapter; loads the chapters' banks, too."""
    found = []
    for module in pkgutil.iter_modules(sae_course.checks.__path__):
        if re.fullmatch(r"ch\d\d[a-z]?", module.name):
            found += checks_in(importlib.import_module(f"sae_course.checks.{module.name}"))
            for path in sorted(Path(__file__).parent.glob(f"bank_{module.name}*.py")):
                if re.fullmatch(rf"bank_{module.name}(_\w+)?", path.stem):
                    importlib.import_module(path.stem)
    return found


def size_problem(check: Check, bank: Bank | None) -> str:
    """Why a bank is missing or too small; empty if it is neither."""
    if bank is None:
        return f"{check!r} has no bank"
    if len(bank.rights) < LEAST_RIGHT or len(bank.wrongs) < LEAST_WRONG:
        return (
            f"the bank of {check!r} has {len(bank.rights)} right and {len(bank.wrongs)} wrong variants; "
            f"at least {LEAST_RIGHT} and {LEAST_WRONG} are needed"
        )
    return ""


def right_problem(check: Check, variant: Any) -> str:
    """Why a right variant does not pass, over several seeds."""
    for seed in SEEDS:
        start = time.perf_counter()
        try:
            check.run(variant, seed=seed)
        except CheckFailed as failure:
            return f"a right variant failed with seed {seed}:\n{failure}"
        TALLY.slowest[check.number] = max(TALLY.slowest.get(check.number, 0.0), time.perf_counter() - start)
    return ""


def failure_of(check: Check, variant: Any, seed: int = 0) -> CheckFailed | None:
    """How a check fails on a variant; None if it passes."""
    try:
        check.run(variant, seed=seed)
    except CheckFailed as failure:
        return failure
    return None


def wrong_problem(check: Check, wrong: Wrong) -> str:
    """Why a wrong variant is not caught as it should be, over several seeds."""
    TALLY.wrong += 1
    for seed in SEEDS:
        failure = failure_of(check, wrong.variant, seed)
        if failure is None:
            return f"a wrong variant passed with seed {seed}"
        if failure.kind == "stumbled" or not re.search(wrong.message, str(failure)):
            return f"with seed {seed}, the message does not match {wrong.message!r}:\n{failure}"
    TALLY.caught += 1
    return ""


def mistake_problem(check: Check, bank: Bank) -> str:
    """Mistakes that a check knows and that never show, or that no wrong variant of its bank makes."""
    right = next(iter(bank.rights.values()))
    shown = check.run(right, self_test=True).shown
    if never := [sentence for sentence, shows in shown.items() if not shows]:
        return f"these mistakes give the right answer in every case: {never}"
    failures = [failure_of(check, wrong.variant) for wrong in bank.wrongs.values()]
    named = {failure.named[0] for failure in failures if failure and failure.named}
    if unused := [sentence for sentence in shown if sentence not in named]:
        return f"no wrong variant is told: {unused}"
    return ""


def _raises(*_: Any, **__: Any) -> Any:
    raise ValueError("a slip")


def _unwritten(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("Exercise")


def _exits(*_: Any, **__: Any) -> Any:
    raise SystemExit


# What any learner's function may do, whatever the exercise: name -> (variant, kinds that may be reported).
EVERYONES: dict[str, tuple[Callable[..., Any], str]] = {
    "unwritten": (_unwritten, "unwritten"),
    "raises": (_raises, "raised"),
    "exits": (_exits, "exit"),
    "nothing": (lambda *_, **__: None, ".*"),
    "a_string": (lambda *_, **__: "result", ".*"),
    "a_nan": (lambda *_, **__: torch.tensor(float("nan")), ".*"),
    "three_zeros": (lambda *_, **__: (torch.zeros(1), torch.zeros(1), torch.zeros(1)), ".*"),
}


def everyones_problem(check: Check, name: str) -> str:
    """Why a slip that anyone can make is not caught."""
    variant, kinds = EVERYONES[name]
    failure = failure_of(check, variant)
    if failure is None:
        return "it passed"
    if failure.kind == "stumbled" or not re.fullmatch(kinds, failure.kind):
        return f"it is reported as {failure.kind!r}:\n{failure}"
    return ""
