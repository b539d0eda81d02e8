"""docs/planner.md says what was recorded, and what was recorded is near what was planned."""

import pytest

from sae_course.runtime import project_root
from sae_course.training.planner import calibration, page, ship
from sae_course.training.planner.calibrate import compared, fit
from sae_course.training.planner.calibration import Rates


def test_the_page_is_what_the_record_makes() -> None:
    assert (project_root() / page.FILE).read_text(encoding="utf-8") == page.page()


def test_memory_is_planned_within_15_percent_of_every_measured_run() -> None:
    rows = compared(calibration.shipped())
    assert len(rows) == len(calibration.shipped()["rows"]), "none failed"
    for row in rows:
        assert 0.85 < row["memory_ratio"] < 1.15, row["case"]


def test_time_is_planned_within_a_factor_on_the_cpu_it_was_measured_on() -> None:
    """As ratios between configurations; the page gives the range."""
    ratios = sorted(row["time_ratio"] for row in compared(calibration.shipped()) if row["predicted"])
    assert ratios[0] > 0.5
    assert ratios[-1] < 1.5
    near = [one for one in ratios if 0.75 < one < 1.3]
    assert len(near) >= 0.85 * len(ratios)


def test_the_constants_are_those_of_the_measured_rows() -> None:
    found = calibration.shipped()
    again = fit([row for row in found["rows"] if "peak" in row], Rates(**found["rates"]))
    assert again.pop("passes") == pytest.approx(found["fitted"]["passes"], rel=0.01)
    assert again == pytest.approx(
        {key: value for key, value in found["fitted"].items() if key != "passes"}, rel=0.01
    )


def test_peaks_of_the_full_presets_are_planned_within_5_percent_of_the_code() -> None:
    """Over all that lies on the GPU: weights, Adam and buffer are the same on both sides."""
    for row in calibration.traced_rows():
        for phase, planned in row["planned"].items():
            if planned is not None and row["traced"][phase] > 2**29:  # half a GiB
                assert planned == pytest.approx(row["traced"][phase], rel=0.06), (row["run"], phase)


def test_a_piece_of_the_traces_is_made_again() -> None:
    case = next(case for case in ship.CASES if case[:2] == ("attn-only-2l", "batchtopk"))
    recorded = next(row for row in calibration.traced_rows() if row["run"].startswith("attn-only-2l"))
    assert ship.trace(*case) == recorded
