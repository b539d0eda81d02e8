"""The scenarios of ``session.py``, run once for all tests here."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import faults_page


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By scenario: what it returned or its message, what was printed, asked for and waited."""
    return faults_page.session(tmp_path_factory.mktemp("hub"))
