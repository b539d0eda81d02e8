"""New patients: drawn from a seed, trained, handed out so that nothing but their curves tells the cause."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from clinic_pool_work import work

from sae_course import CourseError
from sae_course.clinic import CAUSES, new, pool
from sae_course.clinic.causes import HEALTHY
from sae_course.clinic.draw import SLOW, draw
from sae_course.clinic.new import new_patients
from sae_course.clinic.patients import RECIPES
from sae_course.clinic.record import plan
from sae_course.runs import Run, compare, list_runs

SMALL = Path(__file__).with_name("clinic_small_set.py")
SEED = 1  # of a set in which every recipe but one is trained


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# The draw


@pytest.mark.parametrize("patients", range(1, 13))
def test_a_seed_draws_the_same_set_and_another_another(patients: int) -> None:
    drawn = draw(7, patients)
    assert drawn == draw(7, patients)
    assert drawn != draw(8, patients)
    assert [one.name for one in drawn] == ["healthy", *(f"patient-{x}" for x in "abcdefghijkl"[:patients])]
    assert drawn[0].cause == HEALTHY
    assert HEALTHY not in [one.cause for one in drawn[1:]]
    assert len({one.cause for one in drawn}) == len(drawn), "none again before all were used"


def test_over_many_seeds_every_cause_comes_anywhere_and_every_severity() -> None:
    sets = [draw(seed) for seed in range(300)]
    for place in range(1, 7):
        assert {drawn[place].cause for drawn in sets} == set(CAUSES) - {HEALTHY}
    severities = [one.severity for drawn in sets for one in drawn[1:] if one.cause != SLOW]
    assert min(severities) < 0.01
    assert max(severities) > 0.99
    assert all(0 <= one.severity <= 1 for drawn in sets for one in drawn)
    widest = max(one.severity for drawn in sets for one in drawn if one.cause == SLOW)
    assert RECIPES[SLOW].settings(widest)["d_sae"] < 3500, "it would take too long"


def test_no_training_is_one_of_the_record_whose_answers_come_with_the_course() -> None:
    recorded = {one.seed for one in plan()}
    assert not recorded & {one.seed for seed in range(300) for one in draw(seed, 12)}


def test_kinds_restrict_and_come_again_when_all_were_used() -> None:
    kinds = ("no BOS", "wrong data", SLOW)
    for seed in range(50):
        causes = [one.cause for one in draw(seed, 8, kinds)[1:]]
        assert set(causes[:3]) == set(kinds)
        assert causes.count(SLOW) == 1
        assert all(len(set(pair)) == 2 for pair in (causes[3:5], causes[5:7]))
    assert [one.cause for one in draw(0, 2, ["no BOS", "no BOS"])[1:]] == ["no BOS"] * 2


@pytest.mark.parametrize(
    ("patients", "kinds", "words"),
    [
        (0, (), "1 to 12 patients, not 0"),
        (13, (), "not 13"),
        (2, ("learning rate to high",), 'no kind "learning rate to high".*learning rate too high'),
        (2, (HEALTHY,), 'no kind "healthy"'),
        (2, ("",), 'no kind ""'),
        (2, (SLOW,), "once in a set"),
    ],
)
def test_a_set_that_cannot_be_drawn(patients: int, kinds: tuple[str, ...], words: str) -> None:
    with pytest.raises(CourseError, match=words):
        draw(0, patients, kinds)


# A set from beginning to end, of a few steps each, as a person makes it


def command(folder: Path, *arguments: str) -> list[str]:
    places = ["--folder", str(folder / "set"), "--answers", str(folder / "answers.json")]
    return [sys.executable, str(SMALL), "clinic", "new", "--seed", str(SEED), *places, *arguments]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "SAE_COURSE_HOME": str(folder / "home")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a set of twelve was made: by a command that was killed in the middle, and given again."""
    folder = tmp_path_factory.mktemp("made")
    asked = command(folder, "--patients", "12", "--jobs", "2")
    with subprocess.Popen(asked, env=environment(folder), stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        said = [first.stdout.readline() for _ in range(3)]
        children = psutil.Process(first.pid).children(recursive=True)
        first.kill()
    assert [line.split(" runs")[0] for line in said] == ["0 of 13", "1 of 13", "2 of 13"], said
    _, alive = psutil.wait_procs(children, timeout=60)
    for child in alive:
        child.kill()
    assert not alive, "what it had started went on without it"
    assert not (folder / "set").exists() or not any((folder / "set").iterdir())
    second = subprocess.run(asked, env=environment(folder), capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    begun = re.match(r"(\d+) of 13 runs are trained\. The others take about", second.stdout)
    assert begun, second.stdout
    assert int(begun[1]) >= 2, "what was trained is not trained again"
    (folder / "said").write_text("".join(said) + second.stdout)
    yield folder
    shutil.rmtree(folder)


def answers(made: Path) -> dict[str, dict[str, Any]]:
    return json.loads((made / "answers.json").read_text())["answers"]


def test_a_set_is_whole_and_can_be_shown_and_compared(made: Path) -> None:
    runs = list_runs(made / "set")
    assert [run.name for run in runs] == [one.name for one in draw(SEED, 12)]
    assert not runs.unreadable
    assert all(run.status == "finished" and run.config == {} for run in runs)
    table = compare(*runs, control=runs["healthy"]).table
    assert table["metrics/explained_variance"].notna().all()
    assert "patient-l" in compare(*runs).page()
    assert len(runs["patient-a"].histogram().steps) > 0


def test_the_answers_say_it_all(made: Path) -> None:
    found = answers(made)
    for one in draw(SEED, 12):
        answer = found[one.name]
        assert [answer[key] for key in ("cause", "severity", "seed")] == [one.cause, one.severity, one.seed]
        assert answer["was"] == CAUSES[one.cause].was
        assert answer["doctor"]["said"] in [*CAUSES, "not sure"]
        assert answer["doctor"]["right"] == (answer["doctor"]["said"] == one.cause)
    changed = {answer["cause"]: answer["changed"] for answer in found.values()}
    assert changed[HEALTHY] == {}
    assert set(changed["learning rate too high"]) >= {"lr", "lr_warm_up_steps"}
    assert set(changed["threshold not converged"]) == {"sae.topk_threshold_lr"}, (
        "beside its own architecture's"
    )


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, float):
        yield value


def test_nothing_in_the_folder_tells_a_cause(made: Path) -> None:
    """Every byte of it, and every name; the numbers of the settings too."""
    every = contents(made / "set")
    text = "\n".join([*every, *(data.decode() for data in every.values())]).lower()
    for cause in set(CAUSES) - {HEALTHY}:
        for written in (cause, cause.replace(" ", "-"), cause.replace(" ", "_")):
            assert written.lower() not in text
    found = answers(made)
    settings = {name.rpartition(".")[2] for answer in found.values() for name in answer["changed"]}
    assert {"lr", "d_sae", "dtype", "l0_coefficient"} <= settings
    names = re.findall(r"[\w-]+", text)
    assert not settings & set(names)
    assert not {"lr", "jumprelu", "batchtopk", "bfloat16", "topk_threshold", "pre_act_loss"} & set(names)
    for word in ("severity", "seed", str(made).lower(), "tiny-stories", "coefficient", "learning_rate"):
        assert word not in text
    shown = {float(f"{float(one):.6g}") for one in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)}
    for answer in found.values():
        for value in numbers(answer["changed"]):
            assert value == round(value, 2) or float(f"{value:.6g}") not in shown, (answer["cause"], value)
        assert answer["seed"] not in shown


def test_all_runs_of_a_set_are_written_alike(made: Path) -> None:
    """What a run has, and when, is the healthy run's; its times and versions are nobody's."""
    runs = list_runs(made / "set")
    healthy = runs["healthy"]
    for run in runs:
        assert set(run.final) <= set(healthy.final)
        assert set(healthy.final) - set(run.final) <= {"losses/l0_loss"}  # not a JumpReLU's
        assert list(run.metrics.index) == list(healthy.metrics.index)
        assert run.histogram_names == healthy.histogram_names
        order = [name for line in healthy.lines_of("metrics.jsonl") for name in line]
        mine = [name for line in run.lines_of("metrics.jsonl") for name in line]
        assert mine == [name for name in order if name in set(mine)]
        record = json.loads((made / "set" / run.name / "run.json").read_text())
        assert record["config"] == record["versions"] == {}
        assert record["started"] is record["seconds"] is None
        role = "healthy" if run.name == "healthy" else "patient"
        assert record["notes"] == {"clinic": {"is": role}}
        assert {path.name for path in (made / "set" / run.name).iterdir()} == {
            "run.json", "metrics.jsonl", "histograms.jsonl",
        }  # fmt: skip


def test_what_it_says_while_it_trains_tells_no_cause(made: Path) -> None:
    said = (made / "said").read_text()
    assert not [cause for cause in set(CAUSES) - {HEALTHY} if cause in said]
    assert said.rstrip().endswith(f"sae-course runs {made / 'set/healthy'} {made / 'set/patient-a'}")


def test_nothing_is_left_behind(made: Path) -> None:
    left = [path for path in (made / "home").rglob("*") if path.is_file()]
    assert all(path.name.endswith(".lock") for path in left), left
    words = {cause.split()[-1] for cause in CAUSES}
    assert not [path for path in left if any(word in path.name for word in words - {HEALTHY})]
    assert sorted(path.name for path in made.iterdir()) == ["answers.json", "home", "said", "set"]


def test_a_second_time_nothing_is_overwritten(made: Path) -> None:
    before = contents(made)
    asked = command(made, "--patients", "12")
    again = subprocess.run(asked, env=environment(made), capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "answers.json is there already, and nothing is overwritten" in again.stderr
    assert "Traceback" not in again.stderr
    assert contents(made / "set") == {
        name.removeprefix("set/"): data for name, data in before.items() if name.startswith("set/")
    }


def test_ctrl_c_ends_it_soon_and_the_same_command_goes_on_to_the_same_set(made: Path, tmp_path: Path) -> None:
    """Three of the twelve: the same numbers as a set gets that was killed elsewhere."""
    asked = command(tmp_path, "--patients", "3", "--jobs", "2")
    with subprocess.Popen(
        asked, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stderr is not None
        first.stdout.readline()
        first.stdout.readline()
        first.send_signal(signal.SIGINT)
        begun = time.monotonic()
        assert first.wait(timeout=60) == 2, "it is stopped in the middle"
        assert time.monotonic() - begun < 30
        said = first.stderr.read()
    assert "Stopped. The same command goes on" in said
    assert "Traceback" not in said
    second = subprocess.run(asked, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    for one in draw(SEED, 3):
        # The twelve's first three are these three: the draw goes on where a shorter one ends.
        assert contents(tmp_path / "set" / one.name) == contents(made / "set" / one.name)


# Places


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder in which training would fail the test."""

    def never(*arguments: Any) -> None:
        raise AssertionError("it trained before it had looked at the places")

    monkeypatch.setattr(new, "_train", never)
    monkeypatch.setenv("SAE_COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_place_that_is_taken_is_left_alone(untrained: Path) -> None:
    (untrained / "clinic-1").mkdir()
    (untrained / "clinic-1" / "mine.txt").write_text("mine")
    with pytest.raises(CourseError, match="clinic-1 holds something already"):
        new_patients(1)
    (untrained / "file").write_text("mine")
    with pytest.raises(CourseError, match="file is there already"):
        new_patients(1, "file")
    with pytest.raises(CourseError, match="file is there already"):
        new_patients(1, "free", answers="file")
    with pytest.raises(CourseError, match="file/a can't be written"):
        new_patients(1, "file/a")
    with pytest.raises(CourseError, match="is in free, where the patients will lie"):
        new_patients(1, "free", answers="free/answers.json")
    with pytest.raises(CourseError, match="is in"):
        new_patients(1, "free", answers=untrained / "other" / ".." / "free" / "answers.json")
    assert (untrained / "file").read_text() == (untrained / "clinic-1" / "mine.txt").read_text() == "mine"


def test_two_at_once_do_not_meet(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(new, "_train", lambda *_: pytest.fail("two at once"))
        with pytest.raises(CourseError, match="The set of seed 1 is being trained by another process"):
            new_patients(1, "elsewhere", answers="elsewhere.json")
        raise KeyboardInterrupt

    monkeypatch.setattr(new, "_train", meanwhile)
    with pytest.raises(KeyboardInterrupt):
        new_patients(1)


@pytest.mark.parametrize("stopped", ["_put_answers", "_put_runs"])
def test_stopped_between_training_and_tidying_up_it_goes_on(
    stopped: str, made: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each of the two is written; what lies there then is compared, not replaced."""

    def trained(everything: Any, scratch: Path, jobs: int) -> None:
        for one in everything:
            shutil.copytree(made / "set" / one.name, new.trained(scratch, one))

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(new, "_train", trained)
        patch.setattr(new, stopped, interrupted)
        with pytest.raises(KeyboardInterrupt):
            new_patients(SEED, "set", patients=2)
    assert (untrained / "clinic-1-answers.json").exists() == (stopped == "_put_runs")
    assert not any((untrained / "set").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda _, **options: None if options else interrupted())
        with pytest.raises(KeyboardInterrupt):
            new_patients(SEED, "set", patients=2)
    before = contents(untrained / "set")
    if stopped == "_put_runs":  # in the meantime, somebody wrote in it
        notes = untrained / "set" / "notes.txt"
        notes.write_text("mine")
        with pytest.raises(CourseError, match="set holds something already"):
            new_patients(SEED, "set", patients=2)
        notes.unlink()
    found = new_patients(SEED, "set", patients=2)
    assert before == contents(found.folder)
    assert before == {name: data for name, data in contents(made / "set").items() if name in before}
    assert found.answers.exists()
    assert not list((untrained / "home" / "clinic").glob("new-*"))


# The processes


def test_each_task_is_done_once(tmp_path: Path) -> None:
    tasks = [(str(tmp_path), name) for name in "abcde"]
    assert sorted(pool.in_processes(work, tasks, 2)) == tasks
    assert sorted(path.name for path in tmp_path.iterdir()) == list("abcde")


@pytest.mark.parametrize(("name", "words"), [("fails", "the disk is full"), ("dies", "memory.*--jobs")])
def test_when_one_fails_the_others_end_and_none_is_begun(name: str, words: str, tmp_path: Path) -> None:
    tasks = [(str(tmp_path), task) for task in (name, *(f"long {number}" for number in range(100)))]
    begun = time.monotonic()
    with pytest.raises(CourseError, match=words):
        list(pool.in_processes(work, tasks, 2))
    for child in multiprocessing.active_children():
        child.join(60)
    assert len(list(tmp_path.iterdir())) <= 3, "this one, and at most one in each process"
    assert time.monotonic() - begun < 14, "a long one takes 15 seconds"


def test_a_sealed_run_can_be_saved_and_is_known_again(tmp_path: Path) -> None:
    from sae_course.training import shipped_run  # noqa: PLC0415 - only here

    run = new.seal(shipped_run("tinystories"), "patient-a").save(tmp_path / "a")
    again = Run.load(tmp_path / "a")
    assert again.notes == {"clinic": {"is": "patient"}}
    assert again.final == run.final
    assert not [name for name in again.final if name.startswith("details/")]
