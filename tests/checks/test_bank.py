"""The bank's harness finds what it is there to find."""

import types

from bank import (
    EVERYONES,
    Bank,
    Wrong,
    checks_in,
    everyones_problem,
    mistake_problem,
    right_problem,
    size_problem,
    wrong_problem,
)
from toy_check import absolute, energy, right, summed

from sae_course.checks.core import exercise


def test_a_missing_or_small_bank_is_found():
    assert "has no bank" in size_problem(energy, None)
    bank = Bank(energy, register=False)
    bank.right(right)
    assert "1 right and 0 wrong" in size_problem(energy, bank)


def test_the_checks_of_a_module_are_found():
    module = types.SimpleNamespace(energy=energy, helper=right, _hidden=energy)
    assert checks_in(module) == [energy]


def test_variants_are_judged(monkeypatch):
    monkeypatch.setattr("bank.TALLY", tally := type("T", (), {"wrong": 0, "caught": 0, "slowest": {}})())
    assert right_problem(energy, right) == ""
    assert "failed with seed 0" in right_problem(energy, summed)
    assert wrong_problem(energy, Wrong(summed, "summed over d_sae")) == ""
    assert "does not match" in wrong_problem(energy, Wrong(summed, "a message it does not get"))
    assert "passed with seed 0" in wrong_problem(energy, Wrong(right, ""))
    assert (tally.caught, tally.wrong) == (1, 3)


def test_mistakes_must_show_and_be_told():
    bank = Bank(energy, register=False)
    bank.right(right)
    bank.wrong("summed")(summed)
    assert "no wrong variant is told: ['absolute values" in mistake_problem(energy, bank)
    bank.wrong("absolute")(absolute)
    assert mistake_problem(energy, bank) == ""


def test_a_check_that_looks_at_too_little_is_found():
    @exercise("9.9", "lazy", minutes=1)
    def lazy(t, student):
        for _ in t.cases(1):
            t.call(student, {"x": 1})

    assert everyones_problem(lazy, "nothing") == "it passed"
    assert [name for name in EVERYONES if everyones_problem(energy, name)] == []
