"""Each test has a progress file of its own; the summary says how many wrong variants were caught."""

import pytest
from bank import TALLY, summary

from sae_course.runtime import session


@pytest.fixture(autouse=True)
def learner(tmp_path, monkeypatch):
    """A learner's folder, empty, and a session that is no solution notebook's."""
    folder = tmp_path / "learner"
    monkeypatch.setenv("SAE_COURSE_HOME", str(folder))
    monkeypatch.setattr(session, "_current", session.Session())
    return folder


def pytest_terminal_summary(terminalreporter):
    for line in summary([vars(TALLY)]):
        terminalreporter.write_line(line)


def pytest_sessionfinish(session):
    """One of several workers hands its part to the process that writes the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["checks"] = vars(TALLY)
