"""Every check against its bank: right answers pass, wrong ones fail with the right message."""

import pytest
from bank import (
    BANKS,
    EVERYONES,
    all_checks,
    everyones_problem,
    mistake_problem,
    right_problem,
    size_problem,
    wrong_problem,
)

from sae_course.checks.catalogue import catalogue

CHECKS = all_checks()
RIGHT = [(check, name) for check in CHECKS if check.number in BANKS for name in BANKS[check.number].rights]
WRONG = [(check, name) for check in CHECKS if check.number in BANKS for name in BANKS[check.number].wrongs]


def ids(pairs):
    return [f"{check.number}-{name}" for check, name in pairs]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
def test_every_check_has_a_bank(check):
    assert not size_problem(check, BANKS.get(check.number))


def test_no_two_checks_share_a_number():
    numbers = [check.number for check in CHECKS]
    assert sorted(set(numbers)) == sorted(numbers)


@pytest.mark.parametrize(("check", "name"), RIGHT, ids=ids(RIGHT))
def test_right(check, name):
    assert not right_problem(check, BANKS[check.number].rights[name])


@pytest.mark.parametrize(("check", "name"), WRONG, ids=ids(WRONG))
def test_wrong(check, name):
    assert not wrong_problem(check, BANKS[check.number].wrongs[name])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
def test_mistakes_that_are_named(check):
    assert not mistake_problem(check, BANKS[check.number])


@pytest.mark.parametrize("slip", EVERYONES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
def test_slips_that_anyone_makes(check, slip):
    assert not everyones_problem(check, slip)


def test_checks_and_notebooks_agree():
    """The minutes and hints that a check knows are those of its exercise, for the hint it points to."""
    listed = {exercise.number: exercise for part in catalogue() for exercise in part.exercises}
    for check in CHECKS:
        if check.number in listed:
            exercise = listed[check.number]
            assert (check.minutes, check.hints) == (exercise.minutes, exercise.hints), repr(check)
    chapters = {check.chapter for check in CHECKS}
    known = {check.number for check in CHECKS}
    for part in catalogue():
        if part.chapter in chapters:
            assert not [exercise for exercise in part.exercises if exercise.number not in known]
