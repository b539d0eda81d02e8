"""The solution's own functions pass their checks."""

from pathlib import Path

import pytest
from bank import all_checks

from sae_course.notebooks.definitions import definitions
from sae_course.training import toy_config

SOURCE = Path(__file__).parents[2] / "solutions" / "01_toy_superposition.py"
CHECKS = [check for check in all_checks() if check.chapter == "01"]


@pytest.fixture(scope="module")
def solution():
    return definitions(SOURCE, config=toy_config("mini"), device="cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
@pytest.mark.parametrize("seed", range(3))
def test_the_solution_passes(check, seed, solution):
    check.run(solution["SAE" if check.title == "parameters" else check.title], seed=seed)
