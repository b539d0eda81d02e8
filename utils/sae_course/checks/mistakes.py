"""Naming the likely mistake: wrong functions, each with a sentence, held against the learner's result."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor

from .cases import fresh
from .compare import agrees
from .gradients import gradients
from .tensors import Rules

GRADIENT_RULES = Rules(1e-3, 1e-3, any_dtype=True)
Mistakes = dict[str, Any]
"""A sentence -> the function (or value) that makes the mistake."""


class Guesses(dict[str, Any]):
    """Mistakes of one case, for `Trial.against`: sentence -> result, made when they are first looked at.

    As functions, each mistake would be given a copy of the model, which takes longer than to run it.
    """

    def __init__(self, sentences: Iterable[str], make: Callable[[], dict[str, Any]]) -> None:
        super().__init__(dict.fromkeys(sentences))
        self._make = make

    def items(self) -> Any:
        """As a dictionary's."""
        return self._make().items()


class _NoResult:
    """Agrees with nothing."""


def same(actual: Any, guess: Any, rules: Rules) -> bool:
    """Whether two results agree; False, too, where they can't be compared."""
    try:
        return guess is not _NoResult and agrees(actual, guess, rules)
    except Exception:  # noqa: BLE001 - whatever a learner returned
        return False


def same_gradient(seen: Tensor | None, guess: Tensor | None) -> bool:
    """Whether two gradients agree; no gradient counts as zero."""
    if seen is None or guess is None:
        return not any(g is not None and bool(g.any()) for g in (seen, guess))
    return same(seen, guess, GRADIENT_RULES)


def likely(  # noqa: PLR0917
    mistakes: Mistakes,
    arguments: dict[str, Any],
    actual: Any,
    expected: Any,
    earlier: Sequence[tuple[dict[str, Any], Any]],
    rules: Rules,
) -> list[str]:
    """The mistakes that give the learner's result here, those first that do in most of the earlier cases.

    A mistake that gives the right result here is never named.

    Args:
        earlier: arguments and the learner's (right) results of the cases before this one.
    """
    scores: dict[str, int] = {}
    for sentence, wrong in mistakes.items():
        guess = _run(wrong, arguments)
        if not same(actual, guess, rules) or same(expected, guess, rules):
            continue
        scores[sentence] = sum(same(result, _run(wrong, inputs), rules) for inputs, result in earlier)
    return sorted(scores, key=lambda sentence: -scores[sentence])


def likely_gradient(
    mistakes: Mistakes,
    arguments: dict[str, Any],
    seen: dict[str, Tensor | None],
    expected: Any,
) -> list[str]:
    """The mistakes that give the right values with the learner's gradients."""
    found = []
    for sentence, wrong in mistakes.items():
        if not callable(wrong):
            continue
        own = fresh(arguments)
        try:
            guess = gradients(wrong(*own.values()), expected, own, list(seen))
        except Exception:  # noqa: BLE001 - a mistake may fail on some inputs
            continue
        if all(same_gradient(seen[key], guess[key]) for key in seen):
            found.append(sentence)
    return found


def differs(
    wrong: Any,
    arguments: dict[str, Any],
    expected: Any,
    right: dict[str, Tensor | None],
    rules: Rules,
) -> bool:
    """For a check's self-test: whether a mistake shows on this case, in the values or the gradients.

    What the mistake raises is not caught.

    Args:
        right: the right gradients.
    """
    own = fresh(arguments)
    guess = wrong(*own.values()) if callable(wrong) else wrong
    if not same(expected, guess, rules):
        return True
    if not right or not callable(wrong):
        return False
    seen = gradients(guess, expected, own, list(right))
    return not all(same_gradient(seen[key], right[key]) for key in right)


def _run(wrong: Any, arguments: dict[str, Any]) -> Any:
    if not callable(wrong):
        return wrong
    try:
        return wrong(*fresh(arguments).values())
    except Exception:  # noqa: BLE001 - a mistake may fail on some inputs: then it is not the learner's
        return _NoResult
