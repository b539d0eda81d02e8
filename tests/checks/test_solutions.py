"""Each chapter's own functions pass its checks, and no exercise's check is content with another's answer."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bank import all_checks, failure_of

from sae_course.checks.numbers import order
from sae_course.notebooks.definitions import definitions

SOLUTIONS = Path(__file__).parents[2] / "solutions"
LATER = {"04"}
"""Chapters whose answers are no plain functions: their checks' tests stand in test_ch04_checks."""
CHECKS = sorted(
    (check for check in all_checks() if check.chapter not in LATER), key=lambda check: order(check.number)
)
BY_NUMBER = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)


def source(chapter: str) -> Path:
    (found,) = SOLUTIONS.glob(f"{chapter}_*.py")
    return found


def settings(chapter: str) -> dict[str, Any]:
    """What the chapter's functions look up in the notebook."""
    from sae_course.training import by_hand, toy_config  # noqa: PLC0415
    from sae_course.training.toys import config, wrong_config  # noqa: PLC0415

    made = {
        "01": lambda: toy_config("mini"),
        "02a": config.variants_config,
        "02b": wrong_config.wrong_answers_config,
        "03a": lambda: by_hand.hand_config("mini"),
    }
    return {"config": made[chapter](), "device": "cpu"} if chapter in made else {"device": "cpu"}


@cache
def solution(chapter: str) -> dict[str, Any]:
    return definitions(source(chapter), **settings(chapter))


PAIRS = {"resumed": ("state_of", "load_state")}
"""Checks of two functions, and their names in the chapter."""


@cache
def answer(check: Any) -> Any:
    if check.title in PAIRS:
        return tuple(solution(check.chapter)[name] for name in PAIRS[check.title])
    return solution(check.chapter)["SAE" if check.title == "parameters" else check.title]


@BY_NUMBER
def test_the_header_has_the_checks_minutes_and_hints(check: Any) -> None:
    text = source(check.chapter).read_text(encoding="utf-8")
    _, start, rest = text.partition(f'exercise="{check.number}" ')
    assert start
    found = re.search(r"minutes=(\d+)", rest)
    assert found
    assert found[1] == str(check.minutes)
    assert re.split(r'exercise="|question="', rest)[0].count('tags=["hint"]') == check.hints


@BY_NUMBER
@pytest.mark.parametrize("seed", range(3))
def test_the_solution_passes(check: Any, seed: int) -> None:
    check.run(answer(check), seed=seed)


@BY_NUMBER
def test_another_exercises_answer_fails(check: Any) -> None:
    for other in CHECKS:
        if other is not check and other.chapter == check.chapter and answer(other) is not answer(check):
            failure = failure_of(check, answer(other))
            assert failure is not None, other.number
            assert failure.kind != "stumbled", failure
