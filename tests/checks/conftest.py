"""Each test has a progress file of its own; the summary says how many wrong variants were caught."""

import pytest
from bank import TALLY

from sae_course.runtime import session


@pytest.fixture(autouse=True)
def learner(tmp_path, monkeypatch):
    """A learner's folder, empty, and a session that is no solution notebook's."""
    folder = tmp_path / "learner"
    monkeypatch.setenv("SAE_COURSE_HOME", str(folder))
    monkeypatch.setattr(session, "_current", session.Session())
    return folder


def pytest_terminal_summary(terminalreporter):
    if not TALLY.wrong:
        return
    terminalreporter.write_line(f"checks: {TALLY.caught} of {TALLY.wrong} wrong variants caught")
    if TALLY.slowest:
        number, seconds = max(TALLY.slowest.items(), key=lambda item: item[1])
        terminalreporter.write_line(f"checks: the slowest, {number}, took {seconds:.2f} s on a right variant")
