"""The SAEs that come with the course: whole, as they were measured, refused when changed."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sae_course.runtime import CourseError
from sae_course.training import ship_saes, shipped
from sae_course.training.settings import as_dict

if TYPE_CHECKING:
    from sae_course.runs import Run


@pytest.mark.parametrize("name", shipped.shipped_names())
def test_each_is_a_finished_run_of_todays_preset_with_its_sae(name: str) -> None:
    run = shipped.shipped_run(name)
    assert run.status == "finished"
    wanted = json.loads(json.dumps(as_dict(ship_saes.config(name))))
    changed = {key for key in wanted if key != "sae" and run.config[key] != wanted[key]}
    assert changed <= {"sae_lens_version", "sae_lens_training_version"}
    sae = run.sae()
    assert (sae.cfg.d_in, sae.cfg.d_sae) == (wanted["sae"]["d_in"], wanted["sae"]["d_sae"])
    now, before = (run.notes["shipped"][key] for key in ("measured", "measured before rounding"))
    # Ablation costs a random model next to nothing: a share of that says nothing.
    what = "explained variance" if name.endswith(shipped.TWIN) else "loss recovered"
    assert abs(now[what] - before[what]) < 0.002
    assert sum(path.stat().st_size for path in shipped.place(name).rglob("*")) < 3_000_000


def _measured(name: str, run: "Run") -> dict[str, float]:
    cfg = ship_saes.config(name)
    return ship_saes.measured(run.sae(), cfg, ship_saes.model_of(name, cfg))


def test_a_twins_sae_is_of_the_twin() -> None:
    run = shipped.shipped_run("tinystories-twin")
    again, card = _measured("tinystories-twin", run), run.notes["shipped"]["measured"]
    assert again["explained variance"] == pytest.approx(card["explained variance"], abs=0.002)
    of_the_model = ship_saes.model_of("tinystories", cfg := ship_saes.config("tinystories"))
    assert ship_saes.measured(run.sae(), cfg, of_the_model)["explained variance"] < 0.5


def test_chapter_03s_is_as_it_was_measured() -> None:
    run = shipped.shipped_run("tinystories")
    again = _measured("tinystories", run)
    card = run.notes["shipped"]["measured"]
    assert again["tokens"] == card["tokens"]
    assert again["loss recovered"] == pytest.approx(card["loss recovered"], abs=0.002)
    assert again["explained variance"] == pytest.approx(card["explained variance"], abs=0.002)
    assert again["L0"] == pytest.approx(card["L0"], abs=0.05)


def test_an_unknown_name_and_changed_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CourseError, match='no shipped SAE "gpt": there are tinystories'):
        shipped.shipped_run("gpt")
    copy = tmp_path / "tinystories"
    shutil.copytree(shipped.place("tinystories"), copy)
    weights = copy / "sae" / shipped.WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr(shipped, "place", lambda name: copy)
    with pytest.raises(CourseError, match=r"was changed.*train it anew with python -m"):
        shipped.shipped_run("tinystories")
