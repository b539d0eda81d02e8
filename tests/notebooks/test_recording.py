"""A recording that was stopped goes on with the parts that it lacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sae_course.notebooks.recording import Row, made_by, rows_of


def test_a_part_is_measured_once_and_one_that_was_stopped_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def first() -> Iterator[Row]:
        calls.append("first")
        yield {"value": 1.5}

    def second() -> Iterator[Row]:
        calls.append("second")
        yield {"value": 2}
        if calls.count("second") == 1:
            raise KeyboardInterrupt

    parts, place = {"first": first, "second": second}, tmp_path / "not there yet"
    with pytest.raises(KeyboardInterrupt):
        rows_of(parts, place)
    assert rows_of(parts, place) == {"first": [{"value": 1.5}], "second": [{"value": 2}]}
    assert calls == ["first", "second", "second"]
    assert rows_of(parts, place, "second") == {"second": [{"value": 2}]}
    assert rows_of(parts, place, "first", anew=["first"]) == {"first": [{"value": 1.5}]}
    assert calls == ["first", "second", "second", "first"]


def test_provenance_says_what_ran_where() -> None:
    found = made_by("python -m something")
    assert found["command"] == "python -m something"
    assert set(found["versions"]) == {"sae-lens", "transformer-lens", "torch"}
